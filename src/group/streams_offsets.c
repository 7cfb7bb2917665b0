/* Which members of a streams group may commit and fetch offsets. Source: StreamsGroup.validateOffsetCommit,
 * validateOffsetFetch, createAssignmentEpochValidator. */
#include "base/kerr.h"
#include "group/streams.h"

enum { EPOCH_VERSION = 9 }; /* of OffsetCommit: with it a member epoch may be sent */

int16_t streams_may_commit(const struct streams *g, const struct streams_committer *by,
                           const struct streams_member **behind) {
    *behind = NULL;
    if (by->epoch < 0 && !g->m.members.count) return KERR_NONE; /* an administrator, or no membership */
    if (by->transactional && by->epoch == -1 && !by->member.len && by->instance.len < 0) return KERR_NONE;
    const struct streams_member *m = streams_member(g, by->member);
    if (!m) return KERR_UNKNOWN_MEMBER_ID;
    if (!by->transactional && by->version < EPOCH_VERSION) return KERR_UNSUPPORTED_VERSION;
    if (by->epoch == m->m.epoch) return KERR_NONE;
    if (by->epoch > m->m.epoch || !g->topology) return KERR_STALE_MEMBER_EPOCH;
    *behind = m;
    return KERR_NONE;
}

int16_t streams_may_commit_partition(const struct streams *g, const struct streams_member *behind,
                                     int32_t epoch, struct kstr topic, int32_t partition) {
    if (!behind) return KERR_NONE;
    const struct streams_group_topology_value_subtopology *of = topology_reader(g->topology, topic);
    if (!of) return KERR_STALE_MEMBER_EPOCH;
    const struct task *t = task_list_find(&behind->assigned.of[TASK_ACTIVE], of->subtopology_id, partition);
    if (!t) t = task_list_find(&behind->revoking.of[TASK_ACTIVE], of->subtopology_id, partition);
    return t && epoch >= t->epoch ? KERR_NONE : KERR_STALE_MEMBER_EPOCH;
}

int16_t streams_may_fetch(const struct streams *g, struct kstr member, int32_t epoch) {
    if (member.len < 0 && epoch < 0) return KERR_NONE;
    const struct streams_member *m = streams_member(g, member);
    if (!m) return KERR_UNKNOWN_MEMBER_ID;
    return epoch == m->m.epoch ? KERR_NONE : KERR_STALE_MEMBER_EPOCH;
}
