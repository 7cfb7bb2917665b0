/* The pure core of KRaft (KIP-595): states, epochs, votes, the high watermark. No I/O, no clock: an event
 * goes in, what the driver (kraft/) must do comes out. In this release for a quorum of one voter, which is
 * always elected and whose disk alone decides what is committed; the states and events are those that more
 * voters need, too.
 *
 *     state       event                 next        what must be done
 *     UNATTACHED  raft_start            CANDIDATE   save the vote, and with one voter at once the leadership:
 * epoch + 1 CANDIDATE   raft_saved            LEADER      append the records that begin an epoch LEADER
 * raft_appended                     flush LEADER      raft_flushed                      move the high
 * watermark, once the epoch's first record is on disk
 *
 * Source: org.apache.kafka.raft.QuorumState, LeaderState. */
#ifndef OTTLA_RAFT_RAFT_H
#define OTTLA_RAFT_RAFT_H

#include "base/uuid.h"

#include <stdbool.h>
#include <stdint.h>

enum raft_state { RAFT_UNATTACHED, RAFT_CANDIDATE, RAFT_LEADER };

enum { RAFT_NO_NODE = -1 };

/* What must never be forgotten: quorum-state. */
struct raft_election {
    int32_t epoch;
    int32_t leader; /* or RAFT_NO_NODE */
    int32_t voted;  /* for whom in this epoch, or RAFT_NO_NODE */
    struct uuid voted_directory;
};

struct raft {
    enum raft_state state;
    int32_t id;
    struct raft_election election;
    int64_t epoch_start; /* offset of the epoch's first record, once leader */
    int64_t log_end, flushed, high_watermark;
};

/* What a step asks for, in this order. */
struct raft_todo {
    bool save;        /* write raft.election durably, then raft_saved */
    bool begin_epoch; /* append LeaderChange (and voters), then raft_appended */
    bool commit;      /* the high watermark has moved */
};

/* saved: from quorum-state, or epoch 0 and no nodes. log_epoch: of the last record in log or snapshot, 0 for
 * none. log_end: what is in the log is durable. */
struct raft_todo raft_start(struct raft *r, int32_t id, const struct raft_election *saved, int32_t log_epoch,
                            int64_t log_end);
struct raft_todo raft_saved(struct raft *r);
/* The log ends at `end` now. */
struct raft_todo raft_appended(struct raft *r, int64_t end);
/* Everything below `end` is on disk. */
struct raft_todo raft_flushed(struct raft *r, int64_t end);
/* Asserts every invariant. */
void raft_check(const struct raft *r);

#endif
