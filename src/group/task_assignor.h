/* The sticky assignor of streams groups: who gets which task. Pure. Private to group/. Source:
 * StickyTaskAssignor, ProcessState.
 *
 * What holds of a result:
 *  1. every task is active with exactly one member;
 *  2. the counts of active tasks differ by at most one between members of equal processes, as far as what
 *     they had allows;
 *  3. a stateful task has as many standbys as are asked for, if there are enough processes, and no two copies
 *     of a task are in one process;
 *  4. a member keeps what it had, as long as its share is not full; a standby is preferred to a stranger.
 * There are no warm-up tasks yet. */
#ifndef OTTLA_GROUP_TASK_ASSIGNOR_H
#define OTTLA_GROUP_TASK_ASSIGNOR_H

#include "group/tasks.h"
#include "group/topology.h"

struct task_member {
    struct kstr id, process;
    const struct tasks *before; /* its last target, or NULL */
    struct tasks after;         /* the result */
};

struct task_assign {
    struct arena *arena;
    struct task_member *members; /* in order of ids */
    int32_t members_n;
    const struct configured_subtopology *subtopologies; /* in order of ids */
    int32_t subtopologies_n;
    int32_t standbys; /* replicas of each stateful task */
};

/* false: no memory. At least one member. */
bool task_assign_sticky(struct task_assign *a);

#endif
