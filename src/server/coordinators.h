/* The coordinators of this node: their thread, and the partitions of the internal topics as coord/ sees them.
 * One of each kind; how a handler asks them something: server/coord_call.h. */
#ifndef OTTLA_SERVER_COORDINATORS_H
#define OTTLA_SERVER_COORDINATORS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/types.h"

struct coord;
struct coordinators;
struct share_inits;
struct image;
struct image_delta;
struct node;

/* The values are those of FindCoordinator's key types. */
enum coordinator_kind {
    COORDINATOR_GROUP = 0,
    COORDINATOR_TXN = 1,
    COORDINATOR_SHARE = 2,
    COORDINATORS,
};

/* The replicas are there, the loops do not run yet. Starts the thread and the loading of what this node
 * leads. */
struct coordinators *coordinators_start(struct node *n, struct image *image);
/* Any thread: who waits is answered (NOT_COORDINATOR) and nothing is served any more. Returns when that is
 * so. */
void coordinators_quiet(struct coordinators *c);
/* After coordinators_quiet, and after the network loops have ended: ends the thread. */
void coordinators_end(struct coordinators *c);
/* After coordinators_end: answers what was asked since. false: nothing was. */
bool coordinators_settle(struct coordinators *c);
void coordinators_destroy(struct coordinators *c);
/* Control thread: the metadata changed; the replicas have followed already. */
void coordinators_apply(struct coordinators *c, const struct image_delta *delta);
/* Any thread: the shards take what may change at run time from the configuration that is in force. */
void coordinators_reconfigure(struct coordinators *c);

/* Any thread. */
struct share_inits *coordinators_share_inits(const struct coordinators *c);
/* Any thread. coord_partition_of() of the first says which partition a key belongs to. */
struct coord *coordinators_get(const struct coordinators *c, enum coordinator_kind kind);
struct kstr coordinators_topic(const struct coordinators *c, enum coordinator_kind kind);

#endif
