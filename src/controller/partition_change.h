/* A change of one partition in the making: who shall be in sync, replicas, being added and removed; then who
 * leads follows (elections), a reassignment that is reached ends, and a PartitionChangeRecord with what
 * differs is left. Private to controller/. Reference: PartitionChangeBuilder, PartitionReassignmentReplicas.
 */
#ifndef OTTLA_CONTROLLER_PARTITION_CHANGE_H
#define OTTLA_CONTROLLER_PARTITION_CHANGE_H

#include "controller/state.h"

enum { RECOVERED = 0, RECOVERING = 1 }; /* LeaderRecoveryState */

/* Which election: any replica that may lead when the leader may not; the same, with any acceptable one as the
 * last resort; the first replica even when another leads. */
enum election { ELECTION_ONLINE, ELECTION_UNCLEAN, ELECTION_PREFERRED };

struct broker_ids { /* in an arena of the change; never NULL */
    int32_t *v;
    int32_t n;
};

struct partition_change {
    const struct image *image;
    const struct topic *topic;
    const struct partition *p;
    int32_t index;
    int32_t remove, add, unclean; /* brokers that go, come, came back after a crash; or NO_LEADER */
    int32_t min_isr;
    bool elr_on;
    enum election election;
    struct broker_ids isr, elr, replicas, adding, removing; /* as they shall be; elr follows */
    struct arena *arena;
};

bool broker_ids_have(struct broker_ids l, int32_t id);
struct broker_ids broker_ids_copy(struct arena *a, const int32_t *v, int32_t n);
/* Without those that are in `gone`. */
struct broker_ids broker_ids_without(struct arena *a, const int32_t *v, int32_t n, struct broker_ids gone);

/* Begins with the partition as it is; the election is ELECTION_ONLINE. Memory comes from the records' arena.
 */
void partition_change_init(struct partition_change *x, const struct controller *c, const struct topic *t,
                           int32_t index, struct record_list *records);
/* Adds the record; false: nothing differs. */
bool partition_change_add(struct partition_change *x, struct record_list *records);
/* The effective unclean.leader.election.enable of a topic. */
bool unclean_election_allowed(const struct controller *c, const struct topic *t);

#endif
