/* What time does: transactions that are open for too long are aborted, ids that are not used are forgotten,
 * and completions that could not be written are written again. Both searches go through all ids, every now
 * and then, and queue what they find; a tick then does one thing.
 * TransactionCoordinator.abortTimedOutTransactions, TransactionStateManager.removeExpiredTransactionalIds. */
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "txn/internal.h"

enum { TOMBSTONES_BYTES = 16384 };

int64_t txn_shard_deadline(const struct txn_shard *s) {
    if (s->timed_out.first || s->expired.first) return 0;
    int64_t at = s->next_abort < s->next_expiry ? s->next_abort : s->next_expiry;
    if (s->done.first && s->done.first->retry_at < at) at = s->done.first->retry_at;
    return at;
}

static bool timed_out(const struct txn_entry *e, int64_t now_ms) {
    return !e->pending && e->now.state == TXN_ONGOING && e->now.timeout_ms != INT32_MAX &&
           e->now.start_ms + e->now.timeout_ms < now_ms;
}

static bool expired(const struct txn_shard *s, const struct txn_entry *e, int64_t now_ms) {
    bool idle = e->now.state == TXN_EMPTY || e->now.state == TXN_COMPLETE_COMMIT ||
                e->now.state == TXN_COMPLETE_ABORT;
    return !e->pending && idle && e->now.update_ms <= now_ms - s->config->transactional_id_expiration_ms;
}

static void look_for_old(struct txn_shard *s, struct shard_now now) {
    struct hashmap_entry *x;
    bool abort = s->next_abort <= now.mono, forget = s->next_expiry <= now.mono;
    for (size_t i = 0; (abort || forget) && (x = hashmap_next(&s->ids, &i));) {
        struct txn_entry *e = x->value;
        if (e->queued) continue;
        if (abort && timed_out(e, now.wall)) txn_queue_add(&s->timed_out, e);
        if (forget && expired(s, e, now.wall)) txn_queue_add(&s->expired, e);
    }
    if (abort)
        s->next_abort = now.mono + s->config->transaction_abort_timed_out_transaction_cleanup_interval_ms;
    if (forget)
        s->next_expiry = now.mono + s->config->transaction_remove_expired_transaction_cleanup_interval_ms;
}

static void abort_one(struct txn_shard *s, struct shard_now now, struct shard_result *r) {
    struct txn_entry *e = txn_queue_take(&s->timed_out);
    if (!timed_out(e, now.wall)) return;
    int16_t error = txn_abort_fenced(s, e, now, r);
    LOG_INFO("txn", "%.*s: the transaction of producer %lld is open for more than %d ms and is aborted%s%s",
             (int)e->id.len, e->id.s, (long long)e->now.producer_id, e->now.timeout_ms, error ? ": " : "",
             error ? kerr_name(error) : "");
}

static void forget_some(struct txn_shard *s, struct shard_now now, struct shard_result *r) {
    int32_t bytes = 0;
    while (s->expired.first && bytes < TOMBSTONES_BYTES) {
        struct txn_entry *e = txn_queue_take(&s->expired);
        if (!expired(s, e, now.wall)) continue;
        txn_prepare_dead(e);
        if (!txn_write(s, e, TXN_AFTER_DEAD, r)) return;
        bytes += e->id.len + 64;
    }
    if (r->records_n) LOG_INFO("txn", "%d transactional ids have expired", r->records_n);
}

static void complete_one(struct txn_shard *s, struct shard_now now, struct shard_result *r) {
    struct txn_entry *e = txn_queue_take(&s->done);
    if (txn_write(s, e, TXN_AFTER_COMPLETE, r)) return;
    txn_prepare_complete(e, now.wall);
    e->retry_at = now.mono + 1;
    txn_queue_add(&s->done, e);
}

bool txn_tick(struct txn_shard *s, struct shard_now now, struct shard_result *r) {
    if (txn_shard_deadline(s) > now.mono) return false;
    look_for_old(s, now);
    if (s->done.first && s->done.first->retry_at <= now.mono)
        complete_one(s, now, r);
    else if (s->timed_out.first)
        abort_one(s, now, r);
    else if (s->expired.first)
        forget_some(s, now, r);
    return true;
}
