/* From Prepare… to Complete…: markers are sent, the runtime's owner says that they are written
 * (TXN_API_MARKED), the completion is recorded. An empty transaction (an abort for the sake of its epoch)
 * needs no marker. TransactionMarkerChannelManager. */
#include "base/assert.h"
#include "base/log.h"
#include "txn/internal.h"

void txn_send_markers(struct txn_shard *s, struct txn_entry *e, struct shard_now now) {
    ASSERT(txn_preparing(e) && !e->pending);
    struct txn_markers m = {
        .id = e->id,
        .producer_id = e->now.producer_id,
        .epoch = e->now.epoch,
        .version = e->now.client_version,
        .coordinator_epoch = s->coordinator_epoch,
        .commit = e->now.state == TXN_PREPARE_COMMIT,
        .partitions = &e->now.partitions,
    };
    txn_prepare_complete(e, now.wall);
    if (txn_partitions_empty(&e->now.partitions)) {
        e->retry_at = now.mono;
        txn_queue_add(&s->done, e);
    } else {
        s->env->send_markers(s->env->arg, &m);
    }
}

void txn_step_marked(struct txn_shard *s, const struct txn_event *event, struct shard_now now,
                     struct shard_result *r) {
    const struct txn_marked *in = event->request;
    struct txn_entry *e = txn_find(s, in->id);
    r->answer = true;
    bool ours = e && txn_preparing(e) && e->pending && !e->replayed && !e->queued &&
                e->now.producer_id == in->producer_id && e->now.epoch == in->epoch;
    if (!ours) return; /* a shard before this one sent them */
    if (in->fenced) {
        LOG_WARN("txn", "%.*s: another coordinator has taken over the transaction", (int)e->id.len, e->id.s);
        return;
    }
    if (!txn_write(s, e, TXN_AFTER_COMPLETE, r)) {
        txn_prepare_complete(e, now.wall);
        e->retry_at = now.mono;
        txn_queue_add(&s->done, e);
    }
}
