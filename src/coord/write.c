/* From a step's records to the answer: append, replay, wait for the commit, answer.
 *
 *  1. The records of a step are one batch, unless the step allows to split them; then nobody waits for an
 * answer.
 *  2. They are replayed only after the append, so a failed append leaves the state as it was.
 *  3. Answers leave in the order of their offsets; an answer without records waits for what was written
 * before it, so that nobody reads what may yet be lost. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "coord/partition.h"
#include "record/batch.h"
#include "record/control.h"

enum { MARKER_BYTES = 128 };

/* --- append --- */

static size_t size_of(const struct shard_record *r) {
    return 32 + (size_t)r->key.len + (size_t)(r->value.len > 0 ? r->value.len : 0); /* an upper bound */
}

/* The records from `at` on that go into one batch. */
static int32_t batch_end(struct coord_partition *p, const struct shard_result *r, int32_t at) {
    if (r->atomic) return r->records_n;
    size_t max = p->coord->ops.max_batch(p->coord->ops.arg, p->index), size = BATCH_HEADER;
    int32_t end = at;
    while (end < r->records_n && (end == at || size + size_of(&r->records[end]) <= max))
        size += size_of(&r->records[end++]);
    return end;
}

static int build(struct coord *c, struct batch_builder *b, const struct shard_result *r, int32_t at,
                 int32_t n, uint8_t **bytes, size_t *size) {
    const struct shard_record *records = r->records + at;
    struct batch_options o = BATCH_OPTIONS_NONE;
    int64_t now = loop_wall(c->loop);
    if (r->transactional) {
        o.producer_id = r->producer_id;
        o.producer_epoch = r->producer_epoch;
        o.transactional = true;
    }
    o.compression = (enum compression)c->config->compression;
    batch_builder_init(b, &o, SIZE_MAX / 2);
    for (int32_t i = 0; i < n; i++) {
        const struct kbytes *k = &records[i].key, *v = &records[i].value;
        /* Not NULL: an empty value is not a tombstone. */
        const void *value = v->len < 0 ? NULL : v->p ? (const void *)v->p : "";
        int err = batch_builder_add(b, now, k->p, (size_t)k->len, value, v->len < 0 ? 0 : (size_t)v->len);
        if (err) return err;
    }
    return batch_builder_finish(b, c->codec, bytes, size);
}

static void replay(struct coord_partition *p, const struct shard_result *r, int32_t at, int32_t n,
                   int64_t first) {
    for (int32_t i = 0; i < n; i++) {
        const struct shard_record *x = &r->records[at + i];
        int err =
            p->coord->kind->replay(p->shard, first + i, r->transactional ? r->producer_id : NO_PRODUCER_ID,
                                   x->key, x->value, coord_now(p->coord));
        ASSERT(!err); /* we made it */
    }
}

static int16_t append_some(struct coord_partition *p, uint64_t guard, const struct shard_result *r,
                           int32_t at, int32_t end) {
    struct coord *c = p->coord;
    struct batch_builder b;
    struct coord_batch batch = {.transactional = r->transactional, .guard = guard};
    int64_t next = 0;
    bool committed = false;
    int err = build(c, &b, r, at, end - at, &batch.bytes, &batch.n);
    int16_t error =
        err ? KERR_UNKNOWN_SERVER_ERROR : c->ops.append(c->ops.arg, p->index, &batch, &next, &committed);
    batch_builder_free(&b);
    if (error) {
        LOG_LIMITED(LOG_ERROR, "coord", "%s-%d: %d records cannot be written: %s", c->kind->topic, p->index,
                    end - at, kerr_name(error));
        return error;
    }
    ASSERT(next >= p->written + (end - at));
    if (r->replay) replay(p, r, at, end - at, next - (end - at));
    p->written = next;
    if (committed) p->committed = next;
    return KERR_NONE;
}

static int16_t append(struct coord_partition *p, uint64_t guard, const struct shard_result *r) {
    int16_t error = KERR_NONE;
    for (int32_t at = 0, end; !error && at < r->records_n; at = end) {
        end = batch_end(p, r, at);
        error = append_some(p, guard, r, at, end);
    }
    return error;
}

/* --- answer --- */

static void settle(struct coord_partition *p, struct coord_op *op, void *after, int16_t error,
                   int16_t refused, void *response) {
    const struct coord_kind *kind = p->coord->kind;
    if (!op || op->api != COORD_MARKER) kind->written(p->shard, after, error, coord_now(p->coord));
    if (!op) return;
    if (error) refused = op->api == COORD_MARKER ? error : kind->error_for_client(op->api, error);
    if (refused)
        coord_answer_error(op, refused);
    else
        coord_answer(op, response);
}

static void answer_when_committed(struct coord_partition *p, struct coord_op *op,
                                  const struct shard_result *r) {
    struct coord_wait *w = xcalloc(1, sizeof *w);
    *w = (struct coord_wait){
        .offset = p->written,
        .deadline_ms = loop_now(p->coord->loop) + p->coord->config->write_timeout_ms,
        .op = op,
        .after = r->after,
        .error = r->error,
        .response = r->response,
    };
    *(p->last ? &p->last->next : &p->waiting) = w;
    p->last = w;
}

void coord_finish_step(struct coord_partition *p, struct coord_op *op, struct shard_result *r) {
    if (!r->answer) op = NULL; /* answered by the shard, now or later: it may be gone already */
    int16_t error = append(p, op ? op->guard : 0, r);
    if (r->job) coord_job_start(p, r->job);
    if (!error && p->written > p->committed && (op || r->after))
        answer_when_committed(p, op, r);
    else
        settle(p, op, r->after, error, r->error, r->response);
}

/* --- markers --- */

void coord_write_marker(struct coord_partition *p, struct coord_op *op) {
    const struct coord_marker *m = op->request;
    struct coord *c = p->coord;
    uint8_t bytes[MARKER_BYTES];
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct coord_batch batch = {.bytes = bytes, .transaction_version = m->transaction_version};
    int64_t next = 0;
    bool committed = false;
    o.producer_id = m->producer_id;
    o.producer_epoch = m->epoch;
    o.transactional = true;
    batch.n = marker_batch_write(bytes, &o, m->commit, m->coordinator_epoch, loop_wall(c->loop));
    ASSERT(batch.n <= sizeof bytes && c->kind->replay_marker);
    int16_t error = c->ops.append(c->ops.arg, p->index, &batch, &next, &committed);
    if (error) {
        coord_answer_error(op, error);
        return;
    }
    c->kind->replay_marker(p->shard, m->producer_id, m->commit);
    p->written = next;
    if (committed) p->committed = next;
    if (p->written > p->committed)
        answer_when_committed(p, op, &(struct shard_result){0});
    else
        coord_answer(op, NULL);
    coord_partition_set_due(p);
}

static struct coord_wait *pop(struct coord_partition *p) {
    struct coord_wait *w = p->waiting;
    p->waiting = w->next;
    if (!w->next) p->last = NULL;
    return w;
}

static void end_wait(struct coord_partition *p, int16_t error) {
    struct coord_wait *w = pop(p);
    settle(p, w->op, w->after, error, w->error, w->response);
    free(w);
}

void coord_on_committed(struct coord_partition *p, int64_t offset) {
    if (offset > p->written) offset = p->written;
    if (offset > p->committed) p->committed = offset;
    while (p->waiting && p->waiting->offset <= p->committed) end_wait(p, KERR_NONE);
    coord_partition_set_due(p);
}

/* A patient shard goes on waiting, and nobody with it. */
static void give_up(struct coord_partition *p, struct coord_wait *w) {
    struct coord_op *op = w->op;
    w->deadline_ms = INT64_MAX;
    w->op = NULL;
    if (op) coord_answer_error(op, p->coord->kind->error_for_client(op->api, KERR_REQUEST_TIMED_OUT));
}

void coord_expire_waits(struct coord_partition *p, int64_t now_ms) {
    if (!p->coord->kind->patient)
        while (p->waiting && p->waiting->deadline_ms <= now_ms) end_wait(p, KERR_REQUEST_TIMED_OUT);
    else
        for (struct coord_wait *w = p->waiting; w; w = w->next)
            if (w->deadline_ms <= now_ms) give_up(p, w);
}

void coord_fail_waits(struct coord_partition *p, int16_t error) {
    while (p->waiting) end_wait(p, error);
}
