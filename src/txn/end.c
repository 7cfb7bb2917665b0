/* EndTxn: the outcome is fixed. TransactionCoordinator.endTransaction, endTransactionWithTV1.
 *
 * Clients of transaction version 1 (EndTxn up to version 4) keep their epoch; which transaction they mean is
 * not certain, so only the state decides. From version 2 on each transaction has an epoch of its own: a
 * request of the epoch before is a repetition and never ends a later transaction, and a producer may abort
 * without having written anything, to get its next epoch:
 *
 *                      abort again   abort         commit again   commit
 *     Empty            fenced        epoch bump    fenced         invalid
 *     CompleteAbort    done          epoch bump    invalid        invalid
 *     CompleteCommit   invalid       epoch bump    done           invalid
 *
 * An epoch that is used up is followed by epoch 0 of a new producer id, which the answer tells. */
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "txn/internal.h"

static enum txn_state outcome(bool commit) { return commit ? TXN_PREPARE_COMMIT : TXN_PREPARE_ABORT; }

static int16_t invalid(const struct txn_entry *e, bool commit) {
    LOG_LIMITED(LOG_WARN, "txn", "%.*s: %s, and is asked to %s", (int)e->id.len, e->id.s,
                txn_state_name(e->now.state), commit ? "commit" : "abort");
    return KERR_INVALID_TXN_STATE;
}

/* What a state that has an outcome says to the same one asked for again. */
static int16_t again(const struct txn_entry *e, bool commit) {
    switch (e->now.state) {
    case TXN_PREPARE_COMMIT: return commit ? KERR_CONCURRENT_TRANSACTIONS : invalid(e, commit);
    case TXN_PREPARE_ABORT: return commit ? invalid(e, commit) : KERR_CONCURRENT_TRANSACTIONS;
    case TXN_COMPLETE_COMMIT: return commit ? KERR_NONE : invalid(e, commit);
    case TXN_COMPLETE_ABORT: return commit ? invalid(e, commit) : KERR_NONE;
    default: return invalid(e, commit);
    }
}

/* ---- version 1 ---- */

static int16_t end_v1(struct txn_shard *s, struct txn_entry *e, const struct txn_end *in,
                      struct shard_now now, struct shard_result *r) {
    if (!e || e->now.producer_id != in->producer_id) return KERR_INVALID_PRODUCER_ID_MAPPING;
    if (e->now.epoch != in->epoch) return KERR_PRODUCER_FENCED;
    if (e->pending) return KERR_CONCURRENT_TRANSACTIONS;
    if (e->now.state != TXN_ONGOING) return again(e, in->commit);
    txn_prepare_end(e, outcome(in->commit), 0, TXN_NO_ID, false, now.wall);
    return txn_write(s, e, TXN_AFTER_END, r) ? KERR_NONE : KERR_UNKNOWN_SERVER_ERROR;
}

/* ---- version 2 ---- */

static bool retry_after_overflow(const struct txn_entry *e, const struct txn_end *in) {
    return e->now.prev_producer_id == in->producer_id && in->epoch == INT16_MAX - 1 && e->now.epoch == 0;
}
static bool retry_after_bump(const struct txn_entry *e, const struct txn_end *in) {
    return e->now.epoch == in->epoch + 1;
}

static bool valid_epoch(const struct txn_entry *e, const struct txn_end *in) {
    switch (e->now.state) {
    case TXN_PREPARE_COMMIT:
    case TXN_PREPARE_ABORT: return retry_after_bump(e, in);
    case TXN_COMPLETE_COMMIT:
    case TXN_COMPLETE_ABORT:
        return retry_after_bump(e, in) || retry_after_overflow(e, in) || in->epoch == e->now.epoch;
    default: return in->epoch == e->now.epoch;
    }
}

static int16_t prepare_v2(struct txn_shard *s, struct txn_entry *e, bool commit, int16_t version, bool empty,
                          struct shard_now now, enum txn_after_kind kind, struct shard_result *r) {
    int64_t next_id = TXN_NO_ID;
    if (!txn_can_record(s, version)) return KERR_UNSUPPORTED_VERSION;
    if (txn_epoch_exhausted(e->now.epoch)) {
        next_id = s->env->producer_id(s->env->arg);
        if (next_id < 0) return KERR_COORDINATOR_LOAD_IN_PROGRESS;
    }
    txn_prepare_end(e, outcome(commit), version, next_id, empty, now.wall);
    return txn_write(s, e, kind, r) ? KERR_NONE : KERR_UNKNOWN_SERVER_ERROR;
}

static int16_t end_v2(struct txn_shard *s, struct txn_entry *e, const struct txn_end *in,
                      struct shard_now now, struct shard_result *r) {
    if (!e) return KERR_INVALID_PRODUCER_ID_MAPPING;
    /* First: see add.c. */
    if (e->pending) return KERR_CONCURRENT_TRANSACTIONS;
    if (e->now.producer_id != in->producer_id && !retry_after_overflow(e, in))
        return KERR_INVALID_PRODUCER_ID_MAPPING;
    if (!valid_epoch(e, in)) return KERR_PRODUCER_FENCED;
    bool retry = retry_after_bump(e, in) || retry_after_overflow(e, in), empty;
    switch (e->now.state) {
    case TXN_ONGOING: empty = false; break;
    case TXN_EMPTY:
    case TXN_COMPLETE_COMMIT:
    case TXN_COMPLETE_ABORT:
        if (retry) return again(e, in->commit);
        if (in->commit) return invalid(e, in->commit);
        empty = true;
        break;
    default: return again(e, in->commit);
    }
    return prepare_v2(s, e, in->commit, in->client_version, empty, now, TXN_AFTER_END, r);
}

/* ---- both ---- */

void txn_step_end(struct txn_shard *s, const struct txn_event *event, struct shard_now now,
                  struct shard_result *r) {
    const struct txn_end *in = event->request;
    struct txn_ended *out = txn_response(event->arena, sizeof *out, r);
    if (!out) return;
    *out = (struct txn_ended){.epoch = TXN_NO_EPOCH, .producer_id = TXN_NO_ID};
    struct txn_entry *e = txn_find(s, in->id);
    bool bumps = in->client_version >= TXN_VERSION_BUMPS;
    if (in->id.len <= 0)
        out->error = KERR_INVALID_REQUEST;
    else
        out->error = bumps ? end_v2(s, e, in, now, r) : end_v1(s, e, in, now, r);
    if (out->error || !bumps) return;
    bool overflow = r->records_n && e->next.next_producer_id != TXN_NO_ID;
    const struct txn_values *v = r->records_n ? &e->next : &e->now;
    out->producer_id = overflow ? v->next_producer_id : v->producer_id;
    out->epoch = overflow ? 0 : v->epoch;
}

int16_t txn_abort_fenced(struct txn_shard *s, struct txn_entry *e, struct shard_now now,
                         struct shard_result *r) {
    ASSERT(!e->pending && e->now.state == TXN_ONGOING);
    int16_t version = s->env->version(s->env->arg);
    if (version >= TXN_VERSION_BUMPS) return prepare_v2(s, e, false, version, false, now, TXN_AFTER_END, r);
    e->now.epoch = txn_fence_epoch(e);
    e->now.last_epoch = TXN_NO_EPOCH;
    txn_prepare_end(e, TXN_PREPARE_ABORT, 0, TXN_NO_ID, false, now.wall);
    return txn_write(s, e, TXN_AFTER_FENCE, r) ? KERR_NONE : KERR_UNKNOWN_SERVER_ERROR;
}
