/* A kind of shard, as the runtime drives it: group, transaction or share state. One table of functions each
 * (group_kind.c, txn_kind.c, share_kind.c); the runtime knows nothing else of what a shard holds.
 *
 * A shard belongs to one partition of the kind's internal topic. Everything runs on the coordinator's thread,
 * but replay() and replay_marker() at load, which a worker calls before anybody else does.
 * Source: CoordinatorShard, CoordinatorRuntime. */
#ifndef OTTLA_COORD_KIND_H
#define OTTLA_COORD_KIND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "record/shard.h"

struct arena;
struct coord_op;
struct image;

/* Where and as what a shard is born. */
struct coord_place {
    const void *config; /* the kind's own, see coord_config.shard; borrowed, outlives the shard */
    void *env;          /* likewise: what the shard may ask of the server */
    int32_t partition, leader_epoch;
    uint64_t seed; /* another one for each life */
};

struct coord_kind {
    const char *topic;  /* "__consumer_offsets" */
    const char *things; /* what `count` counts, for log lines: "groups" */
    /* What was appended and is not committed in time: the request is answered with an error either way; a
     * patient shard is told of its records (`written`) only when they are committed, an impatient one at once
     * that they are not. */
    bool patient;

    void *(*create)(const struct coord_place *place);
    void (*destroy)(void *shard); /* after unload, if it was loaded */
    /* The partition is still this node's, in a newer leader epoch. NULL: of no interest. */
    void (*set_epoch)(void *shard, int32_t leader_epoch);

    /* A record that is in the log. producer_id −1: not transactional. 0 or OE_CORRUPT. */
    int (*replay)(void *shard, int64_t offset, int64_t producer_id, struct kbytes key, struct kbytes value,
                  struct shard_now now);
    /* A transaction's marker. NULL: there are none in such a log. */
    void (*replay_marker)(void *shard, int64_t producer_id, bool commit);
    /* The whole log has been replayed: it serves from now on. */
    void (*loaded)(void *shard, struct shard_now now);
    /* The partition has gone elsewhere: answers whom it lets wait (NOT_COORDINATOR). */
    void (*unload)(void *shard, struct shard_now now);

    /* The key that the request's shard is found by, as its hash is taken; a null one: all shards are asked
     * and `merge` puts their responses together. */
    struct kstr (*key)(const struct coord_op *op);
    /* A request: see record/shard.h. A shard that answers by itself does so with coord_answer(). */
    void (*step)(void *shard, struct coord_op *op, struct shard_now now, struct shard_result *result);
    /* Adds a shard's response to *all (NULL: the first), in op's arena. false: no memory. */
    bool (*merge)(const struct coord_op *op, void **all, void *some);
    /* The response when no shard is here, for `merge`. */
    void *(*none)(const struct coord_op *op);

    /* When the next timer is due (monotonic), or INT64_MAX; and the one that is due first; false: none is. */
    int64_t (*deadline)(const void *shard);
    bool (*tick)(void *shard, struct shard_now now, struct shard_result *result);
    /* A job that a step left has run. NULL: there are none. */
    void (*job_done)(void *shard, struct shard_job *job, struct shard_now now, struct shard_result *result);
    /* The records of a step are committed (error 0), or not (a code of kerr). Takes `after`, which may be
     * NULL. */
    void (*written)(void *shard, void *after, int16_t error, struct shard_now now);
    /* Topics of others were deleted; ids[i] belongs to names[i]. NULL: of no interest. */
    void (*topics_deleted)(void *shard, const struct kstr *names, const struct uuid *ids, int32_t n,
                           struct shard_now now, struct shard_result *result);

    /* The newest metadata, see group_shard_set_image; also before loaded(). NULL: of no interest. */
    void (*metadata)(void *shard, struct image *image, const struct kstr *changed, int32_t n, bool added);

    /* The answer to a request that failed as a whole, in op's arena (NULL if that is full); and what a client
     * is told when the lookup or the write failed with `error`. */
    void *(*error_response)(const struct coord_op *op, int16_t error);
    int16_t (*error_for_client)(int api, int16_t error);
    int64_t (*count)(const void *shard);
};

extern const struct coord_kind coord_group_kind, coord_share_kind, coord_txn_kind;

#endif
