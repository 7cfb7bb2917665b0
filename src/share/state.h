/* The share coordinator's state for one partition of __share_group_state: how far each share partition is,
 * and what became of the records that are on their way. Pure: no I/O, no clock. Source of behaviour:
 * ShareCoordinatorShard, ShareGroupOffset, ShareCoordinatorOffsetsManager of the reference.
 *
 * Driven as record/shard.h says. A share partition's state is a snapshot record and the update records behind
 * it; after snapshot_updates of them comes the next snapshot. What lies before the oldest snapshot that still
 * counts is of no use: at intervals it is cut off the log, and partitions that nobody writes get a new
 * snapshot, so that they do not hold the rest back. */
#ifndef OTTLA_SHARE_STATE_H
#define OTTLA_SHARE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "record/shard.h"
#include "share/state_batch.h"

struct arena;
struct share_state;

enum share_state_api {
    SHARE_STATE_INITIALIZE, /* state_epoch, start_offset */
    SHARE_STATE_READ,       /* leader_epoch (−1: none); a higher one than known is remembered */
    SHARE_STATE_WRITE,      /* all */
    SHARE_STATE_DELETE,
    SHARE_STATE_SUMMARY,
};

/* One share partition of a request. */
struct share_state_request {
    struct kstr key; /* share_state_key() */
    struct kstr group;
    struct uuid topic;
    int32_t partition, state_epoch, leader_epoch, delivery_complete;
    int64_t start_offset; /* −1 in a write: as it is */
    const struct state_batch *batches;
    size_t batches_n;
};

struct share_state_response {
    int16_t error;   /* of kerr */
    const char *why; /* with an error */
    int32_t state_epoch, leader_epoch, delivery_complete;
    int64_t start_offset;
    const struct state_batch *batches;
    size_t batches_n;
};

struct share_state_config {
    int32_t snapshot_updates; /* share.coordinator.snapshot.update.records.per.snapshot */
    int64_t prune_interval_ms, cold_interval_ms;
};

/* What it asks of the server, on the coordinator's thread. */
struct share_state_env {
    void *arg;
    bool (*exists)(void *arg, const struct uuid *topic, int32_t partition);
    /* The log of this partition of __share_group_state is not needed before `offset`. */
    void (*prune)(void *arg, int32_t partition, int64_t offset);
};

/* config and env are borrowed. partition: of __share_group_state. */
struct share_state *share_state_create(const struct share_state_config *config,
                                       const struct share_state_env *env, int32_t partition, uint64_t seed);
void share_state_free(struct share_state *s);

int share_state_replay(struct share_state *s, int64_t offset, struct kbytes key, struct kbytes value);
/* All was replayed: the intervals begin. */
void share_state_loaded(struct share_state *s, struct shard_now now);

/* Always answers; result->response is a struct share_state_response in the arena (NULL: no memory). */
void share_state_step(struct share_state *s, enum share_state_api api, const struct share_state_request *in,
                      struct arena *arena, struct shard_now now, struct shard_result *result);
/* The topics were deleted, so are their share partitions. */
void share_state_topics_deleted(struct share_state *s, const struct uuid *ids, int32_t n,
                                struct shard_now now, struct shard_result *result);
int64_t share_state_deadline(const struct share_state *s);
bool share_state_tick(struct share_state *s, struct shard_now now, struct shard_result *result);
void share_state_written(struct share_state *s, void *after, int16_t error);

/* A response that says an error; NULL: no memory. */
struct share_state_response *share_state_error(int16_t error, const char *why, struct arena *arena);
/* "group:topicId:partition", which decides the partition of __share_group_state; in the arena, NULL-string
 * when that is full. SharePartitionKey.asCoordinatorKey. */
struct kstr share_state_key(struct kstr group, const struct uuid *topic, int32_t partition,
                            struct arena *arena);

int64_t share_state_count(const struct share_state *s);

#endif
