/* AddPartitionsToTxn: of one transaction, from a client (up to version 3); of many, from brokers, which may
 * also only ask (from version 4). A partition that does not exist fails its whole transaction.
 * KafkaApis.handleAddPartitionsToTxnRequest. */
#include "server/handlers/handlers.h"

#include "api/add_partitions_to_txn.h"
#include "metadata/image.h"
#include "server/coord_call.h"
#include "txn/shard.h"

enum { FIRST_VERSION_WITH_FENCED = 2, FIRST_VERSION_OF_BROKERS = 4, TRANSACTIONS_MAX = 100000 };

/* One transaction of the request. */
struct txn_asked {
    struct txn_add add;
    struct txn_partitions partitions; /* owned */
    const struct add_partitions_to_txn_request_add_partitions_to_txn_topic *topics;
    int32_t topics_n;
    bool refused; /* some do not exist: the coordinator is not asked */
    int32_t op;   /* of the call; −1: none */
};

struct add {
    struct txn_asked *txns;
    int32_t n, ops;
    struct add_partitions_to_txn_response out;
};

static bool exists(const struct image *i, struct kstr topic, int32_t partition) {
    const struct topic *t = image_topic_by_name(i, topic.s ? topic.s : "", (size_t)topic.len);
    return t && partition >= 0 && partition < t->partitions_n && t->partitions[partition];
}

static void take(struct request *r, struct txn_asked *t) {
    const struct image *image = request_image(r);
    for (int32_t i = 0; i < t->topics_n; i++)
        for (int32_t k = 0; k < t->topics[i].partitions_n; k++) {
            t->refused |= !exists(image, t->topics[i].name, t->topics[i].partitions[k]);
            txn_partitions_add(&t->partitions, t->topics[i].name, t->topics[i].partitions[k]);
        }
    t->add.partitions = &t->partitions;
}

static int16_t error_of(struct request *r, const struct txn_asked *t, const struct txn_added *a,
                        struct kstr topic, int32_t partition) {
    if (t->refused)
        return exists(request_image(r), topic, partition) ? KERR_OPERATION_NOT_ATTEMPTED
                                                          : KERR_UNKNOWN_TOPIC_OR_PARTITION;
    if (!a) return KERR_UNKNOWN_SERVER_ERROR;
    if (r->version < FIRST_VERSION_WITH_FENCED && a->error == KERR_PRODUCER_FENCED)
        return KERR_INVALID_PRODUCER_EPOCH;
    if (!a->error && txn_partitions_has(&a->missing, topic, partition)) return KERR_TRANSACTION_ABORTABLE;
    return a->error;
}

/* What the coordinator was asked for is answered as it was asked for; what was refused or verified, each
 * partition once (AddPartitionsToTxnRequest.errorResponseForTransaction, AddPartitionsToTxnResponse). */
static struct add_partitions_to_txn_response_add_partitions_to_txn_topic_result *results(
    struct request *r, const struct txn_asked *t, const struct txn_added *a, int32_t *n) {
    bool once = t->refused || t->add.verify_only;
    const struct txn_partitions *p = &t->partitions;
    *n = once ? p->n : t->topics_n;
    struct add_partitions_to_txn_response_add_partitions_to_txn_topic_result *all =
        request_array(r, (size_t)*n + 1, sizeof *all);
    for (int32_t i = 0; all && i < *n; i++) {
        struct kstr name = once ? p->topics[i].name : t->topics[i].name;
        const int32_t *partitions = once ? p->topics[i].partitions : t->topics[i].partitions;
        int32_t count = once ? p->topics[i].n : t->topics[i].partitions_n;
        char *copy = arena_strndup(&r->arena, name.s, (size_t)name.len);
        all[i].results_by_partition =
            request_array(r, (size_t)count + 1, sizeof *all[i].results_by_partition);
        if (!copy || !all[i].results_by_partition) return NULL;
        all[i].name = (struct kstr){copy, name.len};
        all[i].results_by_partition_n = count;
        for (int32_t k = 0; k < count; k++) {
            all[i].results_by_partition[k].partition_index = partitions[k];
            all[i].results_by_partition[k].partition_error_code = error_of(r, t, a, name, partitions[k]);
        }
    }
    return all;
}

static bool fill(struct request *r, struct add *x, const struct coord_call *call) {
    bool old = r->version < FIRST_VERSION_OF_BROKERS;
    x->out.results_by_transaction = request_array(r, (size_t)x->n + 1, sizeof *x->out.results_by_transaction);
    if (!x->out.results_by_transaction) return false;
    for (int32_t i = 0; i < x->n; i++) {
        struct txn_asked *t = &x->txns[i];
        int32_t n;
        struct add_partitions_to_txn_response_add_partitions_to_txn_topic_result *topics =
            results(r, t, t->op >= 0 ? call->ops[t->op].response : NULL, &n);
        if (!topics) return false;
        if (old) {
            x->out.results_by_topic_v3_and_below = topics;
            x->out.results_by_topic_v3_and_below_n = n;
            continue;
        }
        struct add_partitions_to_txn_response_add_partitions_to_txn_result *o =
            &x->out.results_by_transaction[x->out.results_by_transaction_n++];
        o->transactional_id = t->add.id;
        o->topic_results = topics;
        o->topic_results_n = n;
    }
    if (old) x->out.results_by_transaction_n = 0;
    return true;
}

static void answer(struct request *r, struct add *x, const struct coord_call *call) {
    bool ok = fill(r, x, call);
    for (int32_t i = 0; i < x->n; i++) txn_partitions_free(&x->txns[i].partitions);
    if (ok)
        request_finish(r, &x->out);
    else
        request_fail(r, "out of memory");
}

static void finish(struct request *r) {
    struct coord_call *call = r->state;
    answer(r, call->context, call);
}

static void send(struct request *r, struct add *x) {
    for (int32_t i = 0; i < x->n; i++) {
        struct txn_asked *t = &x->txns[i];
        take(r, t);
        t->op = t->refused ? -1 : x->ops++;
    }
    struct coord_call *call = x->ops ? coord_call_begin(r, COORDINATOR_TXN, x->ops) : NULL;
    if (!call) {
        answer(r, x, NULL); /* every one is refused, or without memory fails */
        return;
    }
    call->context = x;
    for (int32_t i = 0; i < x->n; i++)
        if (x->txns[i].op >= 0) {
            call->ops[x->txns[i].op].api = TXN_API_ADD;
            call->ops[x->txns[i].op].request = &x->txns[i].add;
        }
    coord_call_send(call, finish);
}

static bool take_client(struct request *r, struct add *x, const struct add_partitions_to_txn_request *in) {
    x->txns = request_array(r, 1, sizeof *x->txns);
    if (!x->txns) return false;
    x->n = 1;
    x->txns[0] = (struct txn_asked){
        .add = {.id = in->v3_and_below_transactional_id,
                .producer_id = in->v3_and_below_producer_id,
                .epoch = in->v3_and_below_producer_epoch},
        .topics = in->v3_and_below_topics,
        .topics_n = in->v3_and_below_topics_n,
    };
    return true;
}

static bool take_brokers(struct request *r, struct add *x, const struct add_partitions_to_txn_request *in) {
    x->txns = request_array(r, (size_t)in->transactions_n + 1, sizeof *x->txns);
    if (!x->txns) return false;
    x->n = in->transactions_n;
    for (int32_t i = 0; i < x->n; i++) {
        const struct add_partitions_to_txn_request_add_partitions_to_txn_transaction *t =
            &in->transactions[i];
        x->txns[i] = (struct txn_asked){
            .add = {.id = t->transactional_id,
                    .producer_id = t->producer_id,
                    .epoch = t->producer_epoch,
                    .client_version = 2,
                    .verify_only = t->verify_only},
            .topics = t->topics,
            .topics_n = t->topics_n,
        };
    }
    return true;
}

void handle_add_partitions_to_txn(struct request *r, const struct add_partitions_to_txn_request *in) {
    struct add *x = request_alloc(r, sizeof *x);
    bool old = r->version < FIRST_VERSION_OF_BROKERS;
    add_partitions_to_txn_response_init(&x->out);
    if (!old && in->transactions_n > TRANSACTIONS_MAX) {
        request_fail(r, "too many transactions");
        return;
    }
    if (!(old ? take_client(r, x, in) : take_brokers(r, x, in)))
        request_fail(r, "out of memory");
    else if (!x->n)
        request_finish(r, &x->out);
    else
        send(r, x);
}
