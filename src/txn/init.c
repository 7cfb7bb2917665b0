/* InitProducerId: a producer comes with its transactional id, for the first time, again, or after an error
 * (KIP-360, with the producer id and epoch that it had). It gets the id's producer with the epoch one higher,
 * which fences whoever had it before. A transaction that is open is aborted first, and the client asks again.
 * TransactionCoordinator.handleInitProducerId, prepareInitProducerIdTransit. */
#include "api/init_producer_id.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "txn/internal.h"

static bool valid_timeout(const struct txn_config *c, const struct init_producer_id_request *in) {
    return in->enable2_pc ||
           (in->transaction_timeout_ms > 0 && in->transaction_timeout_ms <= c->transaction_max_timeout_ms);
}

static int16_t check(const struct txn_config *c, const struct init_producer_id_request *in) {
    if (in->transactional_id.len <= 0) return KERR_INVALID_REQUEST;
    if (in->enable2_pc && !c->transaction_two_phase_commit_enable)
        return KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED;
    if (in->keep_prepared_txn) return KERR_UNSUPPORTED_VERSION; /* as far as the reference has KIP-939 */
    return valid_timeout(c, in) ? KERR_NONE : KERR_INVALID_TRANSACTION_TIMEOUT;
}

/* Is the producer that the client believes to be the one that it may go on as? */
static bool may_go_on(const struct txn_entry *e, const struct init_producer_id_request *in) {
    return in->producer_id == TXN_NO_ID || e->now.epoch == TXN_NO_EPOCH ||
           in->producer_id == e->now.producer_id ||
           (in->producer_id == e->now.prev_producer_id && txn_epoch_exhausted(in->producer_epoch));
}

static int16_t go_on(struct txn_shard *s, struct txn_entry *e, const struct init_producer_id_request *in,
                     int32_t timeout_ms, struct shard_now now) {
    bool told = in->producer_id != TXN_NO_ID;
    if (txn_epoch_exhausted(e->now.epoch) && (!told || in->producer_epoch == e->now.epoch)) {
        int64_t id = s->env->producer_id(s->env->arg);
        if (id < 0) return KERR_COORDINATOR_LOAD_IN_PROGRESS;
        txn_prepare_rotation(e, id, timeout_ms, told, now.wall);
        return KERR_NONE;
    }
    if (txn_epoch_exhausted(e->now.epoch)) return KERR_UNKNOWN_SERVER_ERROR;
    int16_t expected = told ? in->producer_epoch : TXN_NO_EPOCH;
    return txn_prepare_increment(e, timeout_ms, expected, now.wall) ? KERR_NONE : KERR_PRODUCER_FENCED;
}

static struct txn_entry *find_or_create(struct txn_shard *s, struct kstr id, int32_t timeout_ms,
                                        struct shard_now now) {
    struct txn_entry *e = txn_find(s, id);
    if (e) return e;
    int64_t producer_id = s->env->producer_id(s->env->arg);
    if (producer_id < 0) return NULL;
    e = txn_entry_create(id, producer_id, timeout_ms, now.wall);
    hashmap_put(&s->ids, e->id.s, (size_t)e->id.len, e);
    return e;
}

static int16_t init(struct txn_shard *s, const struct init_producer_id_request *in, struct shard_now now,
                    struct init_producer_id_response *out, struct shard_result *r) {
    int16_t error = check(s->config, in);
    if (error) return error;
    int32_t timeout_ms = in->enable2_pc ? INT32_MAX : in->transaction_timeout_ms;
    struct txn_entry *e = find_or_create(s, in->transactional_id, timeout_ms, now);
    if (!e) return KERR_COORDINATOR_LOAD_IN_PROGRESS;
    if (e->pending) return KERR_CONCURRENT_TRANSACTIONS;
    if (!may_go_on(e, in)) return KERR_PRODUCER_FENCED;
    if (txn_preparing(e)) return KERR_CONCURRENT_TRANSACTIONS;
    if (e->now.state == TXN_ONGOING) {
        error = txn_abort_fenced(s, e, now, r);
        return error ? error : KERR_CONCURRENT_TRANSACTIONS;
    }
    error = go_on(s, e, in, timeout_ms, now);
    if (error) return error;
    out->producer_id = e->next.producer_id;
    out->producer_epoch = e->next.epoch;
    return txn_write(s, e, TXN_AFTER_PLAIN, r) ? KERR_NONE : KERR_UNKNOWN_SERVER_ERROR;
}

void txn_step_init(struct txn_shard *s, const struct txn_event *e, struct shard_now now,
                   struct shard_result *r) {
    struct init_producer_id_response *out = txn_response(e->arena, sizeof *out, r);
    if (!out) return;
    init_producer_id_response_init(out);
    out->error_code = init(s, e->request, now, out, r);
    if (out->error_code) {
        out->producer_id = TXN_NO_ID;
        out->producer_epoch = TXN_NO_EPOCH;
    }
}
