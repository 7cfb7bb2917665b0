/* The shard's frame: ids, replay, what becomes of a step when its record is committed or lost.
 *
 * 1. A step prepares at most one transition of an id, and only if none is pending; so there is at most one
 *    record of an id on its way to the log.
 * 2. Replay on the leader completes the prepared transition (which knows more than the record, see record.c);
 *    at load it takes what the record says.
 * 3. An id stays pending from the first Prepare… until its Complete… is committed.
 * 4. A fenced epoch of transaction.version < 2 is bumped in memory before its record is written, as in the
 *    reference; if that fails the next fence does not bump it again (failed_fence). */
#include "txn/shard.h"

#include <stdlib.h>
#include <string.h>

#include "api/describe_transactions.h"
#include "api/init_producer_id.h"
#include "api/list_transactions.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "txn/internal.h"
#include "txn/record.h"

enum { SCRATCH_LIMIT = 64 << 20, RETRY_MS = 100 };

struct txn_shard *txn_shard_create(const struct txn_config *config, const struct txn_env *env,
                                   int32_t coordinator_epoch, uint64_t seed) {
    struct txn_shard *s = xcalloc(1, sizeof *s);
    *s = (struct txn_shard){.config = config, .env = env, .coordinator_epoch = coordinator_epoch};
    s->next_abort = s->next_expiry = INT64_MAX;
    hashmap_init(&s->ids, seed);
    arena_init(&s->scratch, SCRATCH_LIMIT);
    return s;
}

void txn_shard_free(struct txn_shard *s) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&s->ids, &i));) txn_entry_free(e->value);
    hashmap_free(&s->ids);
    arena_free(&s->scratch);
    free(s->records);
    free(s);
}

void txn_shard_set_epoch(struct txn_shard *s, int32_t coordinator_epoch) {
    ASSERT(coordinator_epoch >= s->coordinator_epoch);
    s->coordinator_epoch = coordinator_epoch;
}

int64_t txn_shard_count(const struct txn_shard *s) { return (int64_t)s->ids.count; }

struct txn_entry *txn_find(const struct txn_shard *s, struct kstr id) {
    return id.len > 0 ? hashmap_get(&s->ids, id.s, (size_t)id.len) : NULL;
}

void txn_forget(struct txn_shard *s, struct txn_entry *e) {
    ASSERT(!e->queued);
    struct txn_entry *was = hashmap_del(&s->ids, e->id.s, (size_t)e->id.len);
    ASSERT(was == e);
    txn_entry_free(e);
}

void txn_queue_add(struct txn_queue *q, struct txn_entry *e) {
    ASSERT(!e->queued);
    e->queued = true;
    e->queue_next = NULL;
    if (q->last)
        q->last->queue_next = e;
    else
        q->first = e;
    q->last = e;
}

struct txn_entry *txn_queue_take(struct txn_queue *q) {
    struct txn_entry *e = q->first;
    if (!e) return NULL;
    ASSERT(e->queued);
    q->first = e->queue_next;
    if (!q->first) q->last = NULL;
    e->queued = false;
    return e;
}

/* ---- replay ---- */

static int replay_load(struct txn_shard *s, struct kstr id, struct kbytes value) {
    struct txn_values v;
    bool known;
    int err = txn_record_read_value(&s->scratch, value, &known, &v);
    if (err || !known) {
        if (!err) LOG_WARN("txn", "a record of a later version of %.*s is passed over", (int)id.len, id.s);
        return err;
    }
    struct txn_entry *e = txn_find(s, id);
    if (!e) {
        e = txn_entry_create(id, v.producer_id, v.timeout_ms, v.update_ms);
        hashmap_put(&s->ids, e->id.s, (size_t)e->id.len, e);
    }
    ASSERT(!e->pending);
    txn_partitions_free(&e->now.partitions);
    e->now = v;
    txn_entry_check(e);
    return 0;
}

int txn_shard_replay(struct txn_shard *s, struct kbytes key, struct kbytes value) {
    struct kstr id;
    bool known, loading = s->next_abort == INT64_MAX;
    if (loading) arena_reset(&s->scratch);
    int err = txn_record_read_key(&s->scratch, key, &known, &id);
    if (err || !known) {
        if (!err) LOG_WARN("txn", "a record of an unknown kind is passed over");
        return err;
    }
    struct txn_entry *e = txn_find(s, id);
    if (loading) {
        if (value.len >= 0) return replay_load(s, id, value);
        if (e) txn_forget(s, e);
        return 0;
    }
    ASSERT(e && e->pending && (value.len < 0) == (e->next.state == TXN_DEAD));
    if (value.len >= 0) txn_complete(e); /* a dead one is forgotten when its tombstone is committed */
    return 0;
}

void txn_shard_loaded(struct txn_shard *s, struct shard_now now) {
    struct hashmap_entry *e;
    arena_reset(&s->scratch);
    s->next_abort = now.mono + s->config->transaction_abort_timed_out_transaction_cleanup_interval_ms;
    s->next_expiry = now.mono + s->config->transaction_remove_expired_transaction_cleanup_interval_ms;
    for (size_t i = 0; (e = hashmap_next(&s->ids, &i));)
        if (txn_preparing(e->value)) txn_send_markers(s, e->value, now);
}

/* ---- steps ---- */

static bool add_record(struct txn_shard *s, struct kbytes key, struct kbytes value, struct shard_result *r) {
    if (!key.p) return false;
    if (r->records_n == s->records_cap) {
        s->records_cap = s->records_cap ? 2 * s->records_cap : 4;
        s->records = xrealloc(s->records, (size_t)s->records_cap * sizeof *s->records);
    }
    s->records[r->records_n++] = (struct shard_record){key, value};
    r->records = s->records;
    return true;
}

static struct txn_after *after_of(struct shard_result *r, enum txn_after_kind kind, struct txn_entry *e) {
    struct txn_after *a = r->after;
    int32_t n = a ? a->n : 0;
    ASSERT(!a || a->kind == kind);
    a = xrealloc(a, sizeof *a + (size_t)(n + 1) * sizeof a->entries[0]);
    a->kind = kind;
    a->n = n + 1;
    a->entries[n] = e;
    return a;
}

bool txn_write(struct txn_shard *s, struct txn_entry *e, enum txn_after_kind kind, struct shard_result *r) {
    ASSERT(e->pending && !e->replayed);
    bool dead = e->next.state == TXN_DEAD;
    struct kbytes key = txn_record_key(&s->scratch, e->id);
    struct kbytes value =
        dead ? KBYTES_NULL : txn_record_value(&s->scratch, &e->next, s->env->version(s->env->arg));
    if ((!dead && !value.p) || !add_record(s, key, value, r)) {
        txn_settle(e);
        return false;
    }
    r->after = after_of(r, kind, e);
    r->replay = r->atomic = true;
    return true;
}

void *txn_response(struct arena *a, size_t size, struct shard_result *r) {
    r->answer = true;
    r->response = arena_calloc(a, 1, size);
    return r->response;
}

void txn_shard_step(struct txn_shard *s, const struct txn_event *e, struct shard_now now,
                    struct shard_result *r) {
    ASSERT(s->next_abort != INT64_MAX); /* loaded */
    *r = (struct shard_result){0};
    arena_reset(&s->scratch);
    switch (e->api) {
    case TXN_API_INIT: txn_step_init(s, e, now, r); break;
    case TXN_API_ADD: txn_step_add(s, e, now, r); break;
    case TXN_API_END: txn_step_end(s, e, now, r); break;
    case TXN_API_DESCRIBE: txn_step_describe(s, e, r); break;
    case TXN_API_LIST: txn_step_list(s, e, now, r); break;
    case TXN_API_MARKED: txn_step_marked(s, e, now, r); break;
    }
    ASSERT(r->answer);
}

bool txn_shard_tick(struct txn_shard *s, struct shard_now now, struct shard_result *r) {
    *r = (struct shard_result){0};
    arena_reset(&s->scratch);
    return txn_tick(s, now, r);
}

/* ---- after the log ---- */

static void lost(struct txn_shard *s, struct txn_entry *e, enum txn_after_kind kind, struct shard_now now) {
    bool appended = e->replayed; /* its shard goes away; the next one finds the record */
    txn_settle(e);
    if (appended) return;
    if (kind == TXN_AFTER_FENCE) e->failed_fence = true;
    if (kind != TXN_AFTER_COMPLETE) return;
    txn_prepare_complete(e, now.wall); /* the outcome is fixed: it is written later */
    e->retry_at = now.mono + RETRY_MS;
    txn_queue_add(&s->done, e);
}

static void committed(struct txn_shard *s, struct txn_entry *e, enum txn_after_kind kind,
                      struct shard_now now) {
    txn_settle(e);
    if (kind == TXN_AFTER_END || kind == TXN_AFTER_FENCE) txn_send_markers(s, e, now);
    if (kind == TXN_AFTER_DEAD) txn_forget(s, e);
}

void txn_shard_written(struct txn_shard *s, void *after, int16_t error, struct shard_now now) {
    struct txn_after *a = after;
    if (!a) return;
    for (int32_t i = 0; i < a->n; i++)
        if (error)
            lost(s, a->entries[i], a->kind, now);
        else
            committed(s, a->entries[i], a->kind, now);
    free(a);
}

/* ---- errors ---- */

void *txn_error_response(enum txn_api api, const void *request, int16_t error, struct arena *a) {
    struct shard_result r = {0};
    switch (api) {
    case TXN_API_INIT: {
        struct init_producer_id_response *out = txn_response(a, sizeof *out, &r);
        if (!out) return NULL;
        init_producer_id_response_init(out);
        out->error_code = error;
        out->producer_epoch = TXN_NO_EPOCH;
        return out;
    }
    case TXN_API_ADD: {
        struct txn_added *out = txn_response(a, sizeof *out, &r);
        if (out) out->error = error;
        return out;
    }
    case TXN_API_END: {
        struct txn_ended *out = txn_response(a, sizeof *out, &r);
        if (out) *out = (struct txn_ended){.error = error, .epoch = TXN_NO_EPOCH, .producer_id = TXN_NO_ID};
        return out;
    }
    case TXN_API_DESCRIBE: {
        struct describe_transactions_response_transaction_state *out = txn_response(a, sizeof *out, &r);
        if (!out) return NULL;
        describe_transactions_response_transaction_state_init(out);
        out->transactional_id = *(const struct kstr *)request;
        out->error_code = error;
        return out;
    }
    case TXN_API_LIST: {
        struct list_transactions_response *out = txn_response(a, sizeof *out, &r);
        if (!out) return NULL;
        list_transactions_response_init(out);
        out->error_code = error;
        return out;
    }
    case TXN_API_MARKED: break;
    }
    return NULL;
}

int16_t txn_error_for_client(int16_t error) {
    switch (error) {
    case KERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KERR_NOT_ENOUGH_REPLICAS:
    case KERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    case KERR_REQUEST_TIMED_OUT: return KERR_COORDINATOR_NOT_AVAILABLE;
    case KERR_NOT_LEADER_OR_FOLLOWER:
    case KERR_KAFKA_STORAGE_ERROR: return KERR_NOT_COORDINATOR;
    case KERR_MESSAGE_TOO_LARGE:
    case KERR_RECORD_LIST_TOO_LARGE: return KERR_UNKNOWN_SERVER_ERROR;
    default: return error;
    }
}
