#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "api/describe_transactions.h"
#include "api/init_producer_id.h"
#include "base/mem.h"

static const char topic_name[] = "t";

static int64_t take_id(void *arg) {
    struct world *w = arg;
    return w->next_id < 0 ? -1 : w->next_id++;
}

static int16_t version(void *arg) { return ((struct world *)arg)->version; }

static void send_markers(void *arg, const struct txn_markers *m) {
    struct world *w = arg;
    assert_true(w->jobs_n < WORLD_JOBS);
    assert_false(txn_partitions_empty(m->partitions));
    struct job *j = &w->jobs[w->jobs_n++];
    *j = (struct job){.producer_id = m->producer_id,
                      .epoch = m->epoch,
                      .version = m->version,
                      .coordinator_epoch = m->coordinator_epoch,
                      .commit = m->commit};
    memcpy(j->id, m->id.s, (size_t)m->id.len);
    for (int p = 0; p < WORLD_PARTITIONS; p++)
        j->to[p] = txn_partitions_has(m->partitions, kstr_of(topic_name), p);
}

static struct shard_now later(struct world *w) {
    w->now.mono++;
    w->now.wall++;
    return w->now;
}

struct world *world_begin(void) {
    struct world *w = xcalloc(1, sizeof *w);
    w->config = (struct txn_config){
        .transaction_max_timeout_ms = 900000,
        .transaction_abort_timed_out_transaction_cleanup_interval_ms = 10000,
        .transactional_id_expiration_ms = 604800000,
        .transaction_remove_expired_transaction_cleanup_interval_ms = 3600000,
    };
    w->env = (struct txn_env){w, take_id, version, send_markers};
    w->now = (struct shard_now){.mono = 1000, .wall = 1700000000000};
    w->version = 2;
    arena_init(&w->arena, 1 << 24);
    for (int p = 0; p < WORLD_PARTITIONS; p++)
        for (int i = 0; i < WORLD_PRODUCERS; i++) w->seen[p][i].epoch = -1;
    w->shard = txn_shard_create(&w->config, &w->env, w->epoch, 1);
    txn_shard_loaded(w->shard, w->now);
    return w;
}

static void forget(struct world *w, int from) {
    for (int i = from; i < w->log_n; i++) {
        free((void *)(uintptr_t)w->log[i].key.p);
        free((void *)(uintptr_t)w->log[i].value.p);
    }
    w->log_n = from < w->log_n ? from : w->log_n;
}

static void drop_held(struct world *w) {
    for (int i = 0; i < w->held_n; i++) txn_shard_written(w->shard, w->held[i], KERR_NOT_COORDINATOR, w->now);
    w->held_n = 0;
}

void world_end(struct world *w) {
    drop_held(w);
    txn_shard_free(w->shard);
    forget(w, 0);
    arena_free(&w->arena);
    free(w);
}

void world_restart(struct world *w, int n) {
    drop_held(w);
    txn_shard_free(w->shard);
    if (n >= 0) forget(w, n);
    w->jobs_n = 0;
    w->shard = txn_shard_create(&w->config, &w->env, ++w->epoch, 7);
    for (int i = 0; i < w->log_n; i++)
        assert_int_equal(txn_shard_replay(w->shard, w->log[i].key, w->log[i].value), 0);
    txn_shard_loaded(w->shard, later(w));
}

static struct kbytes keep(struct kbytes b) {
    if (b.len < 0) return KBYTES_NULL;
    uint8_t *p = xmalloc((size_t)b.len + 1);
    memcpy(p, b.p, (size_t)b.len);
    return (struct kbytes){p, b.len};
}

/* What the runtime does with a step; the error of the append. */
static int16_t run(struct world *w, struct shard_result *r) {
    int16_t error = r->records_n ? w->append_error : KERR_NONE;
    for (int32_t i = 0; !error && i < r->records_n; i++) {
        assert_true(w->log_n < WORLD_LOG);
        w->log[w->log_n].key = keep(r->records[i].key);
        w->log[w->log_n++].value = keep(r->records[i].value);
        assert_true(r->replay && r->atomic);
        assert_int_equal(txn_shard_replay(w->shard, r->records[i].key, r->records[i].value), 0);
    }
    if (w->hold && !error && r->after) {
        assert_true(w->held_n < 256);
        w->held[w->held_n++] = r->after;
    } else {
        txn_shard_written(w->shard, r->after, error, w->now);
    }
    return error;
}

static void ticks(struct world *w) {
    struct shard_result r;
    while (txn_shard_deadline(w->shard) <= w->now.mono && txn_shard_tick(w->shard, w->now, &r)) run(w, &r);
}

void world_pass(struct world *w, int64_t ms) {
    for (int64_t end = w->now.mono + ms; w->now.mono < end;) {
        int64_t at = txn_shard_deadline(w->shard);
        if (at <= w->now.mono) at = w->now.mono + 1;
        if (at > end) at = end;
        w->now.wall += at - w->now.mono;
        w->now.mono = at;
        ticks(w);
    }
}

void world_release(struct world *w) {
    int n = w->held_n;
    w->hold = false;
    w->held_n = 0;
    for (int i = 0; i < n; i++) txn_shard_written(w->shard, w->held[i], KERR_NONE, w->now);
    ticks(w);
}

static void *step(struct world *w, enum txn_api api, const void *request, int16_t *error) {
    struct shard_result r;
    arena_reset(&w->arena);
    struct txn_event e = {.api = api, .request = request, .arena = &w->arena};
    txn_shard_step(w->shard, &e, later(w), &r);
    void *response = r.response;
    *error = run(w, &r);
    ticks(w);
    return response;
}

/* ---- clients ---- */

int16_t world_init_as(struct world *w, struct client *c, int64_t producer_id, int16_t epoch) {
    struct init_producer_id_request q;
    int16_t error;
    init_producer_id_request_init(&q);
    q.transactional_id = kstr_of(c->id);
    q.transaction_timeout_ms = 60000;
    q.producer_id = producer_id;
    q.producer_epoch = epoch;
    const struct init_producer_id_response *r = step(w, TXN_API_INIT, &q, &error);
    if (error) return error;
    if (!r->error_code) {
        c->producer_id = r->producer_id;
        c->epoch = r->producer_epoch;
        assert_in_range(c->producer_id, 0, WORLD_PRODUCERS - 1);
    }
    return r->error_code;
}

int16_t world_init(struct world *w, struct client *c) { return world_init_as(w, c, -1, -1); }

static int16_t ask(struct world *w, const struct client *c, int partition, bool verify) {
    struct txn_partitions p = {0};
    int16_t error;
    txn_partitions_add(&p, kstr_of(topic_name), partition);
    struct txn_add q = {.id = kstr_of(c->id),
                        .producer_id = c->producer_id,
                        .epoch = c->epoch,
                        .client_version = c->version >= 2 ? 2 : 0,
                        .verify_only = verify,
                        .partitions = &p};
    const struct txn_added *a = step(w, TXN_API_ADD, &q, &error);
    txn_partitions_free(&p);
    if (error) return error;
    return a->error ? a->error : a->missing.n ? KERR_TRANSACTION_ABORTABLE : KERR_NONE;
}

int16_t world_add(struct world *w, const struct client *c, int partition) {
    return ask(w, c, partition, false);
}

int16_t world_end_txn(struct world *w, struct client *c, bool commit) {
    struct txn_end q = {.id = kstr_of(c->id),
                        .producer_id = c->producer_id,
                        .epoch = c->epoch,
                        .client_version = c->version >= 2 ? 2 : 0,
                        .commit = commit};
    int16_t error;
    const struct txn_ended *e = step(w, TXN_API_END, &q, &error);
    if (error || e->error) return error ? error : e->error;
    if (c->version >= 2) {
        c->producer_id = e->producer_id;
        c->epoch = e->epoch;
    }
    return KERR_NONE;
}

/* ---- partitions ---- */

int16_t world_verify(struct world *w, const struct client *c, int partition, int *guard) {
    struct seen *s = &w->seen[partition][c->producer_id];
    *guard = 0;
    if (c->epoch < s->epoch) return KERR_INVALID_PRODUCER_EPOCH;
    if (s->open && s->epoch == c->epoch) return KERR_NONE;
    if (!s->guard) s->guard = ++w->guards;
    *guard = s->guard;
    return ask(w, c, partition, c->version < 2);
}

static void set_fate(struct world *w, int token, int partition, enum fate fate) {
    uint8_t *f = &w->fates[token][partition];
    assert_in_range(token, 0, WORLD_TOKENS - 1);
    if (*f == FATE_COMMITTED || *f == FATE_ABORTED) w->mixed += *f != (uint8_t)fate;
    *f = (uint8_t)fate;
}

int16_t world_append(struct world *w, const struct client *c, int partition, int token, int guard) {
    struct seen *s = &w->seen[partition][c->producer_id];
    if (c->epoch < s->epoch) return KERR_INVALID_PRODUCER_EPOCH;
    if (!(s->open && s->epoch == c->epoch) && (!guard || guard != s->guard)) return KERR_INVALID_TXN_STATE;
    s->guard = 0;
    s->epoch = c->epoch;
    s->open = true;
    assert_true(s->tokens_n < 64);
    s->tokens[s->tokens_n++] = token;
    set_fate(w, token, partition, FATE_OPEN);
    return KERR_NONE;
}

int16_t world_produce(struct world *w, const struct client *c, int partition, int token) {
    int guard;
    int16_t error = world_verify(w, c, partition, &guard);
    return error ? error : world_append(w, c, partition, token, guard);
}

void world_mark(struct world *w, int job, int partition) {
    const struct job *j = &w->jobs[job];
    struct seen *s = &w->seen[partition][j->producer_id];
    bool again = j->epoch == s->epoch && !s->open;
    assert_true(j->to[partition]);
    /* What ProducerAppendInfo.checkProducerEpoch asks for. */
    if (j->version >= 2 ? j->epoch <= s->epoch && !again : j->epoch < s->epoch) return;
    for (int i = 0; i < s->tokens_n; i++)
        set_fate(w, s->tokens[i], partition, j->commit ? FATE_COMMITTED : FATE_ABORTED);
    s->epoch = j->epoch;
    s->open = false;
    s->tokens_n = s->guard = 0;
}

void world_deliver(struct world *w, int job) {
    struct job j = w->jobs[job];
    int16_t error;
    for (int p = 0; p < WORLD_PARTITIONS; p++)
        if (j.to[p]) world_mark(w, job, p);
    w->jobs[job] = w->jobs[--w->jobs_n];
    struct txn_marked m = {.id = kstr_of(j.id),
                           .producer_id = j.producer_id,
                           .epoch = j.epoch,
                           .coordinator_epoch = j.coordinator_epoch};
    step(w, TXN_API_MARKED, &m, &error);
}

void world_settle(struct world *w) {
    for (int i = 0; i < 1000 && (w->jobs_n || i == 0); i++) {
        if (w->jobs_n) world_deliver(w, 0);
        world_pass(w, 200);
    }
    assert_int_equal(w->jobs_n, 0);
}

/* ---- looking ---- */

const char *world_state(struct world *w, const char *id) {
    struct kstr name = kstr_of(id);
    int16_t error;
    const struct describe_transactions_response_transaction_state *s =
        step(w, TXN_API_DESCRIBE, &name, &error);
    if (s->error_code == KERR_TRANSACTIONAL_ID_NOT_FOUND) return "";
    assert_int_equal(s->error_code, 0);
    return s->transaction_state.s;
}

enum fate world_fate(const struct world *w, int token, int partition) {
    return (enum fate)w->fates[token][partition];
}
