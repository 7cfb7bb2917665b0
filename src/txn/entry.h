/* One transactional id: its producer, its state, and the transition that is under way. Private to txn/.
 * Source: TransactionMetadata, TxnTransitMetadata, TransactionState.
 *
 *     Empty ──▶ Ongoing ──▶ PrepareCommit ──▶ CompleteCommit ─┐
 *       ▲          └──────▶ PrepareAbort ───▶ CompleteAbort ──┤
 *       └──────────────────────(InitProducerId)───────────────┘
 *
 * A transition is prepared (`next` is what the record says), and completed when its record is replayed. Until
 * the record is committed, and while markers are being written, the entry is pending: requests get
 * CONCURRENT_TRANSACTIONS. */
#ifndef OTTLA_TXN_ENTRY_H
#define OTTLA_TXN_ENTRY_H

#include "txn/partitions.h"

/* The values are those of the records (TransactionLogValue.TransactionStatus). */
enum txn_state {
    TXN_EMPTY = 0,
    TXN_ONGOING = 1,
    TXN_PREPARE_COMMIT = 2,
    TXN_PREPARE_ABORT = 3,
    TXN_COMPLETE_COMMIT = 4,
    TXN_COMPLETE_ABORT = 5,
    TXN_DEAD = 6,                /* being forgotten; never written */
    TXN_PREPARE_EPOCH_FENCE = 7, /* within a step only; never written */
    TXN_STATES,
};

enum { TXN_NO_ID = -1, TXN_NO_EPOCH = -1, TXN_VERSION_BUMPS = 2 }; /* transaction.version of KIP-890 part 2 */

struct txn_values {
    int64_t producer_id, prev_producer_id, next_producer_id; /* next: of after an epoch that is used up */
    int16_t epoch, last_epoch;
    int16_t client_version; /* the transaction version that the client speaks */
    int32_t timeout_ms;     /* INT32_MAX: two-phase commit, never times out */
    enum txn_state state;
    int64_t start_ms, update_ms; /* wall clock; start −1: no transaction */
    struct txn_partitions partitions;
};

struct txn_entry {
    struct kstr id; /* owned */
    struct txn_values now, next;
    bool pending;      /* `next` is under way */
    bool replayed;     /* its record is in the log; until it is committed */
    bool failed_fence; /* an epoch was bumped in memory, and its record could not be written */
    struct txn_entry *queue_next;
    bool queued;
    int64_t retry_at; /* of a completion, monotonic */
};

const char *txn_state_name(enum txn_state s);
/* TXN_STATES: there is none of this name. */
enum txn_state txn_state_of_name(struct kstr name);

struct txn_entry *txn_entry_create(struct kstr id, int64_t producer_id, int32_t timeout_ms, int64_t now_ms);
void txn_entry_free(struct txn_entry *e);
/* Asserts what always holds. */
void txn_entry_check(const struct txn_entry *e);

static inline bool txn_epoch_exhausted(int16_t epoch) { return epoch >= INT16_MAX - 1; }
static inline bool txn_preparing(const struct txn_entry *e) {
    return e->now.state == TXN_PREPARE_COMMIT || e->now.state == TXN_PREPARE_ABORT;
}

/* Begin a transition: `next` is set, the entry is pending. */
/* From InitProducerId. expected: the client's epoch, or −1 when it gave none. false: it is fenced, and
 * nothing has begun. */
bool txn_prepare_increment(struct txn_entry *e, int32_t timeout_ms, int16_t expected, int64_t now_ms);
void txn_prepare_rotation(struct txn_entry *e, int64_t producer_id, int32_t timeout_ms, bool record_last,
                          int64_t now_ms);
/* add: what is not in the transaction yet is added. */
void txn_prepare_add(struct txn_entry *e, const struct txn_partitions *add, int16_t client_version,
                     int64_t now_ms);
void txn_prepare_end(struct txn_entry *e, enum txn_state to, int16_t client_version, int64_t next_producer_id,
                     bool no_partition_added, int64_t now_ms);
void txn_prepare_complete(struct txn_entry *e, int64_t now_ms);
void txn_prepare_dead(struct txn_entry *e);
/* What the epoch becomes when the producer is fenced. */
int16_t txn_fence_epoch(const struct txn_entry *e);

/* The record of the transition was replayed: `now` is what `next` was; still pending. */
void txn_complete(struct txn_entry *e);
/* The transition is over, or came to nothing. */
void txn_settle(struct txn_entry *e);

#endif
