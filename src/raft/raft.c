/* See raft.h. Invariants: (1) the epoch never goes back, and each start has one of its own, because what an
 * earlier one wrote and did not flush may be lost and must not be mistaken for what is written anew; (2) high
 * watermark ≤ flushed ≤ log end; (3) the high watermark of a leader moves only when a record of its own epoch
 * is on disk. */
#include "raft/raft.h"

#include "base/assert.h"

void raft_check(const struct raft *r) {
    ASSERT(r->id >= 0);
    ASSERT(r->election.epoch >= 0);
    ASSERT(r->high_watermark <= r->flushed);
    ASSERT(r->flushed <= r->log_end);
    ASSERT((r->state == RAFT_LEADER) <= (r->election.leader == r->id));
    ASSERT(r->state == RAFT_LEADER || r->high_watermark == 0);
    ASSERT(r->high_watermark == 0 || r->high_watermark > r->epoch_start);
}

struct raft_todo raft_start(struct raft *r, int32_t id, const struct raft_election *saved, int32_t log_epoch,
                            int64_t log_end) {
    ASSERT(log_end >= 0 && log_epoch >= 0);
    int32_t last = saved->epoch > log_epoch ? saved->epoch : log_epoch;
    *r = (struct raft){.state = RAFT_CANDIDATE, .id = id, .log_end = log_end, .flushed = log_end};
    r->election = (struct raft_election){.epoch = last + 1, .leader = id, .voted = RAFT_NO_NODE};
    raft_check(r);
    return (struct raft_todo){.save = true};
}

struct raft_todo raft_saved(struct raft *r) {
    raft_check(r);
    ASSERT(r->state == RAFT_CANDIDATE);
    r->state = RAFT_LEADER;
    r->epoch_start = r->log_end;
    raft_check(r);
    return (struct raft_todo){.begin_epoch = true};
}

struct raft_todo raft_appended(struct raft *r, int64_t end) {
    raft_check(r);
    ASSERT(r->state == RAFT_LEADER && end >= r->log_end);
    r->log_end = end;
    return (struct raft_todo){0};
}

struct raft_todo raft_flushed(struct raft *r, int64_t end) {
    raft_check(r);
    ASSERT(r->state == RAFT_LEADER && end <= r->log_end && end >= r->flushed);
    r->flushed = end;
    bool moves = end > r->epoch_start && end > r->high_watermark;
    if (moves) r->high_watermark = end;
    raft_check(r);
    return (struct raft_todo){.commit = moves};
}
