/* The coordinator runtime: the partitions of an internal topic that this node leads, each with its shard of
 * state, of one kind (kind.h). It loads a shard from the log, brings requests to the right one, appends what
 * a step writes as one batch, and answers when that is committed. A node runs one for each kind. Source:
 * CoordinatorRuntime, CoordinatorLoaderImpl.
 *
 * All of it runs on one loop, but for reading the log at load, which a worker does. Functions marked [any]
 * may be called from every thread; they only post. */
#ifndef OTTLA_COORD_COORD_H
#define OTTLA_COORD_COORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "coord/kind.h"
#include "io/loop.h"

struct coord;
struct image;
struct workers;

struct coord_config {
    const struct coord_kind *kind;
    const void *shard; /* what the kind's shards are configured by */
    void *env;         /* what they may ask of the server */
    int32_t write_timeout_ms;
    int32_t compression; /* enum compression, of what is written */
};

struct coord_batch {
    uint8_t *bytes;
    size_t n;
    int16_t transaction_version; /* of a marker */
    bool transactional;
    uint64_t guard; /* of a transactional batch: says that its partition is in the transaction */
};

/* What the runtime needs of the partitions. */
struct coord_log_ops {
    void *arg;
    /* Coordinator's thread. Appends one batch as the leader: 0, or the code of kerr. *next: the offset behind
     * it. *committed: whether it is already; if not, coord_committed() will say. */
    int16_t (*append)(void *arg, int32_t partition, const struct coord_batch *batch, int64_t *next,
                      bool *committed);
    /* Coordinator's thread: the most bytes that a batch may have (max.message.bytes). */
    size_t (*max_batch)(void *arg, int32_t partition);
    /* Worker. Adds whole batches from `offset` on (-1: from the log's start) to `to`, nothing at the log's
     * end. 0 or an oerr. */
    int (*read)(void *arg, int32_t partition, int64_t offset, struct strbuf *to);
};

/* The api of an operation of the runtime itself, for every kind whose log knows transactions: a transaction
 * has ended, the marker is to be written and acted upon. request: struct coord_marker; its result is
 * op.error. */
enum { COORD_MARKER = -1 };

struct coord_marker {
    int64_t producer_id;
    int32_t partition, coordinator_epoch;
    int16_t epoch, transaction_version;
    bool commit;
};

/* A request to the coordinator. The owner keeps it, and what it points at, until `done`. */
struct coord_op {
    int api; /* the kind's own: says what request and response are, see for example group/shard.h */
    int16_t version;
    struct kstr client_id, client_host;
    const void *request;
    uint64_t guard;                    /* of what it writes within a transaction, see coord_batch */
    int16_t error;                     /* set when a COORD_MARKER is done */
    struct arena *arena;               /* for the response; nobody else may touch it meanwhile */
    const void *response;              /* set when done; in the arena. NULL: no memory */
    void (*done)(struct coord_op *op); /* coordinator's thread; the op is the owner's again */
    void *owner;                       /* the owner's own */
    /* private */
    struct mail mail;
    struct coord *coord;
    int32_t n;
    bool answered;
};

/* workers and config are borrowed. partitions: how many the topic has, or will have. */
struct coord *coord_create(struct loop *loop, struct workers *workers, const struct coord_config *config,
                           const struct coord_log_ops *ops, int32_t partitions, uint64_t seed);
/* On the loop's thread, or after it ended; loads have ended. Waiting requests are answered with
 * NOT_COORDINATOR. */
void coord_destroy(struct coord *c);
/* Loop's thread: as above, but only lets go of all partitions; new requests are answered with
 * NOT_COORDINATOR. true: no load is running any more, coord_destroy may follow. */
bool coord_stop(struct coord *c);

/* [any] The partition that a key belongs to. */
int32_t coord_partition_of(const struct coord *c, struct kstr key);
/* [any] The topic was created, with another number of partitions than was thought; before the first election.
 */
void coord_set_partitions(struct coord *c, int32_t partitions);
/* [any] This node leads the partition now, in this epoch, and its log can be read; or leads it no more. */
void coord_elected(struct coord *c, int32_t partition, int32_t leader_epoch);
void coord_resigned(struct coord *c, int32_t partition);
/* [any] The log's high watermark is at `offset`. */
void coord_committed(struct coord *c, int32_t partition, int64_t offset);
/* [any] Topics were deleted; copies. */
void coord_topics_deleted(struct coord *c, const struct kstr *names, const struct uuid *ids, int32_t n);
/* [any] The cluster's metadata is now this image; takes a reference. changed: names of topics that were
 * created, deleted or changed, copied; added: there is a new one among them. */
void coord_metadata(struct coord *c, struct image *image, const struct kstr *changed, int32_t n, bool added);

/* [any] n requests at once, in an array; each is done by itself. */
void coord_submit(struct coord *c, struct coord_op *ops, int32_t n);

/* Coordinator's thread: a shard answers a request by itself. The response is in the op's arena; NULL: no
 * memory. */
void coord_answer(struct coord_op *op, const void *response);

#endif
