/* Where the replicas of new partitions go (org.apache.kafka.metadata.placement.StripedReplicaPlacer). Racks
 * take turns; within a rack brokers take turns; the start is random, and after as many partitions as there
 * are live brokers the order is shuffled anew. The first replica is on a broker that is not fenced; fenced
 * ones are taken when the others of a rack are used up. */
#ifndef OTTLA_CONTROLLER_PLACEMENT_H
#define OTTLA_CONTROLLER_PLACEMENT_H

#include "base/arena.h"
#include "base/random.h"
#include "metadata/image.h"

/* replicas: partitions × replication broker ids, in the arena. 0, or KERR_INVALID_REPLICATION_FACTOR with
 * *why in the arena, or KERR_UNKNOWN_SERVER_ERROR without memory. */
int16_t placement_place(const struct image *i, struct random *r, int32_t partitions, int32_t replication,
                        struct arena *a, int32_t **replicas, const char **why);

#endif
