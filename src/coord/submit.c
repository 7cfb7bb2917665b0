/* Requests: to which partition, what if that is not here, and the way back.
 * Source: CoordinatorRuntime.contextOrThrow. */
#include "base/assert.h"
#include "base/kerr.h"
#include "coord/partition.h"

/* --- the way back --- */

void coord_answer(struct coord_op *op, const void *response) {
    ASSERT(!op->answered);
    op->answered = true;
    op->response = response;
    op->done(op);
}

void coord_answer_error(struct coord_op *op, int16_t error) {
    op->error = error;
    coord_answer(op, op->api == COORD_MARKER ? NULL : op->coord->kind->error_response(op, error));
}

/* --- the way in --- */

static void step(struct coord_partition *p, struct coord_op *op) {
    struct shard_result r = {0};
    p->coord->kind->step(p->shard, op, coord_now(p->coord), &r);
    coord_finish_step(p, op, &r);
    coord_partition_set_due(p);
}

static void to_partition(struct coord *c, struct coord_op *op, int32_t index) {
    struct coord_partition *p = index >= 0 && index < c->cap ? c->partitions[index] : NULL;
    int16_t error = p && p->state == COORD_LOADING ? KERR_COORDINATOR_LOAD_IN_PROGRESS : KERR_NOT_COORDINATOR;
    bool active = p && p->state == COORD_ACTIVE, marker = op->api == COORD_MARKER;
    if (active && marker)
        coord_write_marker(p, op);
    else if (active)
        step(p, op);
    else
        coord_answer_error(op, marker ? error : c->kind->error_for_client(op->api, error));
}

/* What all partitions hold; one that loads makes the answer incomplete, which is an error. Such steps write
 * nothing. */
static void ask_all(struct coord *c, struct coord_op *op) {
    void *all = c->kind->none(op);
    bool ok = all;
    for (int32_t i = 0; ok && i < c->cap; i++) {
        struct coord_partition *p = c->partitions[i];
        struct shard_result r = {0};
        if (!p || p->state == COORD_FAILED) continue;
        if (p->state == COORD_LOADING) {
            coord_answer_error(op, KERR_COORDINATOR_LOAD_IN_PROGRESS);
            return;
        }
        if (!c->kind->count(p->shard)) continue;
        c->kind->step(p->shard, op, coord_now(c), &r);
        ASSERT(!r.records_n && !r.after && !r.error);
        ok = r.response && c->kind->merge(op, &all, r.response);
    }
    coord_answer(op, ok ? all : NULL);
}

static void on_submitted(struct mail *m) {
    struct coord_op *ops = (struct coord_op *)((char *)m - offsetof(struct coord_op, mail));
    struct coord *c = ops->coord;
    /* The last `done` may free them all. */
    for (int32_t i = 0, n = ops->n; i < n; i++) {
        ops[i].coord = c;
        bool marker = ops[i].api == COORD_MARKER;
        struct kstr key = marker ? KSTR("") : c->kind->key(&ops[i]);
        if (marker)
            to_partition(c, &ops[i], ((const struct coord_marker *)ops[i].request)->partition);
        else if (key.len < 0)
            ask_all(c, &ops[i]);
        else
            to_partition(c, &ops[i], coord_partition_of(c, key));
    }
}

void coord_submit(struct coord *c, struct coord_op *ops, int32_t n) {
    ASSERT(n > 0);
    ops->coord = c;
    ops->n = n;
    ops->mail.deliver = on_submitted;
    loop_post(c->loop, &ops->mail);
}
