/* Which members of a consumer group may commit and fetch offsets. Source: ConsumerGroup.validateOffsetCommit,
 * validateOffsetFetch. */
#include "base/kerr.h"
#include "group/consumer.h"

enum { EPOCH_VERSION = 9 }; /* of OffsetCommit: with it a member epoch may be sent */

static int16_t stale(const struct consumer_member *m) {
    return m->classic ? KERR_ILLEGAL_GENERATION : KERR_STALE_MEMBER_EPOCH;
}

int16_t consumer_may_commit(const struct consumer *c, const struct consumer_committer *by,
                            const struct consumer_member **behind) {
    *behind = NULL;
    if (by->epoch < 0 && !c->m.members.count) return KERR_NONE; /* an administrator, or no membership */
    if (by->transactional && by->epoch == -1 && !by->member.len && by->instance.len < 0) return KERR_NONE;
    const struct consumer_member *m = consumer_member(c, by->member);
    if (!m) return KERR_UNKNOWN_MEMBER_ID;
    if (!by->transactional && !m->classic && by->version < EPOCH_VERSION) return KERR_UNSUPPORTED_VERSION;
    if (by->epoch == m->m.epoch) return KERR_NONE;
    if (by->epoch > m->m.epoch) return stale(m);
    *behind = m;
    return KERR_NONE;
}

int16_t consumer_may_commit_partition(const struct consumer_member *behind, int32_t epoch,
                                      const struct uuid *topic, int32_t partition) {
    if (!behind) return KERR_NONE;
    const int32_t *since = assigned_get(behind->assigned, topic, partition);
    if (!since) since = assigned_get(behind->revoking, topic, partition);
    return since && epoch >= *since ? KERR_NONE : stale(behind);
}

int16_t consumer_may_fetch(const struct consumer *c, struct kstr member, int32_t epoch) {
    if (member.len < 0 && epoch < 0) return KERR_NONE;
    const struct consumer_member *m = consumer_member(c, member);
    if (!m) return KERR_UNKNOWN_MEMBER_ID;
    return epoch == m->m.epoch ? KERR_NONE : stale(m);
}
