/* Before: handlers/produce, handlers/txn_offset_commit. After: coord, txn.
 *
 * With version 2 a producer goes on with its next transaction while the markers of the last one are still
 * being written, so CONCURRENT_TRANSACTIONS is common and short: it is asked again for a while here. */
#include "server/verification.h"

#include "base/assert.h"
#include "base/kerr.h"
#include "config/config.h"
#include "server/coordinators.h"
#include "server/net.h"
#include "server/node.h"
#include "server/request.h"

bool verification_enabled(struct node *n) {
    struct config *config = node_config(n);
    bool on = config_bool(config, CFG_TRANSACTION_PARTITION_VERIFICATION_ENABLE);
    config_unref(config);
    return on;
}

void verification_init(struct verification_call *c, struct request *r, enum verification_kind kind,
                       struct kstr transactional_id, int64_t producer_id, int16_t epoch) {
    *c = (struct verification_call){.request = r, .kind = kind};
    c->add = (struct txn_add){.id = transactional_id,
                              .producer_id = producer_id,
                              .epoch = epoch,
                              .client_version = kind == VERIFY_ADD ? 2 : 0,
                              .verify_only = kind != VERIFY_ADD,
                              .partitions = &c->partitions};
}

void verification_add(struct verification_call *c, struct kstr topic, int32_t partition) {
    txn_partitions_add(&c->partitions, topic, partition);
}

void verification_free(struct verification_call *c) { txn_partitions_free(&c->partitions); }

static void send(struct verification_call *c) {
    coord_submit(coordinators_get(c->request->node->coordinators, COORDINATOR_TXN), &c->op, 1);
}

static void end_waiting(struct verification_call *c) {
    c->request->cancel = NULL;
    c->request->state = c->state;
}

static void on_again(struct timer *t) {
    struct verification_call *c =
        (struct verification_call *)((char *)t - offsetof(struct verification_call, timer));
    end_waiting(c);
    c->op.answered = false;
    send(c);
}

/* Nobody waits for the answer any more, and the loop may be about to end. */
static void on_cancel(struct request *r) {
    struct verification_call *c = r->state;
    loop_timer_cancel(r->net->loop, &c->timer);
    end_waiting(c);
    c->done(c);
}

static void on_answer(struct mail *m) {
    struct verification_call *c =
        (struct verification_call *)((char *)m - offsetof(struct verification_call, mail));
    struct request *r = c->request;
    const struct txn_added *answer = c->op.response;
    int64_t now = loop_now(r->net->loop);
    bool busy = answer && answer->error == KERR_CONCURRENT_TRANSACTIONS;
    if (c->kind != VERIFY_ADD || !busy || !r->conn || now >= c->again_until) {
        c->done(c);
        return;
    }
    c->state = r->state;
    r->state = c;
    r->cancel = on_cancel;
    int64_t wait = config_int(r->node->config, CFG_ADD_PARTITIONS_TO_TXN_RETRY_BACKOFF_MS);
    loop_timer_set(r->net->loop, &c->timer, now + wait);
}

static void on_done(struct coord_op *op) { /* coordinator's thread */
    struct verification_call *c = op->owner;
    loop_post(c->request->net->loop, &c->mail);
}

void verification_send(struct verification_call *c, void (*done)(struct verification_call *c)) {
    struct request *r = c->request;
    ASSERT(!txn_partitions_empty(&c->partitions));
    c->done = done;
    c->mail.deliver = on_answer;
    c->timer.on_due = on_again;
    c->again_until =
        loop_now(r->net->loop) + config_int(r->node->config, CFG_ADD_PARTITIONS_TO_TXN_RETRY_BACKOFF_MAX_MS);
    c->op = (struct coord_op){
        .api = TXN_API_ADD, .request = &c->add, .arena = &r->arena, .done = on_done, .owner = c};
    send(c);
}

int16_t verification_error(const struct verification_call *c, struct kstr topic, int32_t partition) {
    const struct txn_added *answer = c->op.response;
    if (!answer) return KERR_UNKNOWN_SERVER_ERROR;
    int16_t error = answer->error;
    if (!error && txn_partitions_has(&answer->missing, topic, partition)) error = KERR_TRANSACTION_ABORTABLE;
    if (error == KERR_PRODUCER_FENCED) return KERR_INVALID_PRODUCER_EPOCH;
    if (error == KERR_TRANSACTION_ABORTABLE && c->kind == VERIFY_OLD) return KERR_INVALID_TXN_STATE;
    return error;
}
