/* AddPartitionsToTxn and AddOffsetsToTxn: partitions join the transaction, which begins with the first one;
 * or a broker asks whether they have (verify only). TransactionCoordinator.handleAddPartitionsToTransaction,
 * handleVerifyPartitionsInTransaction. */
#include "base/assert.h"
#include "base/kerr.h"
#include "txn/internal.h"

/* What both ask first. */
static int16_t check(const struct txn_entry *e, const struct txn_add *in) {
    if (!e || e->now.producer_id != in->producer_id) return KERR_INVALID_PRODUCER_ID_MAPPING;
    if (e->now.epoch != in->epoch) return KERR_PRODUCER_FENCED;
    return txn_preparing(e) ? KERR_CONCURRENT_TRANSACTIONS : KERR_NONE;
}

static int16_t add(struct txn_shard *s, const struct txn_add *in, struct shard_now now,
                   struct shard_result *r) {
    struct txn_entry *e = txn_find(s, in->id);
    /* First: a producer whose epoch was used up may have its new id already, while that is pending here. */
    if (e && e->pending) return KERR_CONCURRENT_TRANSACTIONS;
    int16_t error = check(e, in);
    if (error) return error;
    if (e->now.state == TXN_ONGOING && txn_partitions_include(&e->now.partitions, in->partitions))
        return KERR_NONE;
    if (!txn_can_record(s, in->client_version)) return KERR_UNSUPPORTED_VERSION;
    txn_prepare_add(e, in->partitions, in->client_version, now.wall);
    return txn_write(s, e, TXN_AFTER_PLAIN, r) ? KERR_NONE : KERR_UNKNOWN_SERVER_ERROR;
}

/* What is pending does not matter: the log checks again when the records are appended. */
static int16_t verify(const struct txn_shard *s, const struct txn_add *in, struct arena *a,
                      struct txn_added *out) {
    const struct txn_entry *e = txn_find(s, in->id);
    int16_t error = check(e, in);
    if (error) return error;
    const struct txn_partitions *asked = in->partitions;
    out->missing.topics = arena_calloc(a, (size_t)asked->n, sizeof *out->missing.topics);
    for (int32_t i = 0; out->missing.topics && i < asked->n; i++) {
        const struct txn_topic *t = &asked->topics[i];
        struct txn_topic *m = &out->missing.topics[out->missing.n];
        *m = (struct txn_topic){.name = t->name};
        m->partitions = arena_calloc(a, (size_t)t->n, sizeof *m->partitions);
        if (!m->partitions) return KERR_UNKNOWN_SERVER_ERROR;
        for (int32_t k = 0; k < t->n; k++)
            if (!txn_partitions_has(&e->now.partitions, t->name, t->partitions[k]))
                m->partitions[m->n++] = t->partitions[k];
        out->missing.n += m->n > 0;
    }
    return out->missing.topics ? KERR_NONE : KERR_UNKNOWN_SERVER_ERROR;
}

void txn_step_add(struct txn_shard *s, const struct txn_event *e, struct shard_now now,
                  struct shard_result *r) {
    const struct txn_add *in = e->request;
    struct txn_added *out = txn_response(e->arena, sizeof *out, r);
    if (!out) return;
    if (in->id.len <= 0)
        out->error = KERR_INVALID_REQUEST;
    else if (in->verify_only)
        out->error = verify(s, in, e->arena, out);
    else
        out->error = add(s, in, now, r);
}
