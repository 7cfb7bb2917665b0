/* ListTransactions and DescribeTransactions. TransactionStateManager.listTransactionStates,
 * TransactionCoordinator.handleDescribeTransactions. */
#include "api/describe_transactions.h"
#include "api/list_transactions.h"
#include "base/kerr.h"
#include "txn/internal.h"

/* ---- list ---- */

struct list_transactions_response *txn_list_none(const struct txn_list *list, struct arena *a) {
    const struct list_transactions_request *in = list->request;
    struct list_transactions_response *out = arena_calloc(a, 1, sizeof *out);
    if (!out) return NULL;
    list_transactions_response_init(out);
    out->unknown_state_filters =
        arena_calloc(a, (size_t)in->state_filters_n + 1, sizeof *out->unknown_state_filters);
    if (!out->unknown_state_filters) return NULL;
    for (int32_t i = 0; i < in->state_filters_n; i++)
        if (txn_state_of_name(in->state_filters[i]) == TXN_STATES)
            out->unknown_state_filters[out->unknown_state_filters_n++] = in->state_filters[i];
    return out;
}

static bool wanted(const struct txn_entry *e, const struct txn_list *list, struct shard_now now) {
    const struct list_transactions_request *in = list->request;
    bool ok = !(e->pending && e->next.state == TXN_DEAD) && in->producer_id_filters_n <= 0;
    for (int32_t i = 0; !ok && i < in->producer_id_filters_n; i++)
        ok = in->producer_id_filters[i] == e->now.producer_id;
    if (!ok) return false;
    ok = in->state_filters_n <= 0;
    for (int32_t i = 0; !ok && i < in->state_filters_n; i++)
        ok = txn_state_of_name(in->state_filters[i]) == e->now.state;
    if (!ok || (in->duration_filter >= 0 && now.wall - e->now.start_ms <= in->duration_filter)) return false;
    return !list->matches || list->matches(list->arg, e->id);
}

void txn_step_list(struct txn_shard *s, const struct txn_event *event, struct shard_now now,
                   struct shard_result *r) {
    const struct txn_list *list = event->request;
    struct list_transactions_response *out = txn_response(event->arena, sizeof *out, r);
    struct hashmap_entry *x;
    if (!out) return;
    list_transactions_response_init(out);
    out->transaction_states = arena_calloc(event->arena, s->ids.count, sizeof *out->transaction_states);
    if (!out->transaction_states) {
        r->response = NULL;
        return;
    }
    for (size_t i = 0; (x = hashmap_next(&s->ids, &i));) {
        const struct txn_entry *e = x->value;
        if (!wanted(e, list, now)) continue;
        char *id = arena_strndup(event->arena, e->id.s, (size_t)e->id.len);
        if (!id) {
            r->response = NULL;
            return;
        }
        out->transaction_states[out->transaction_states_n++] =
            (struct list_transactions_response_transaction_state){
                .transactional_id = {id, e->id.len},
                .producer_id = e->now.producer_id,
                .transaction_state = kstr_of(txn_state_name(e->now.state)),
            };
    }
}

/* ---- describe ---- */

static bool fill_topics(const struct txn_partitions *p, struct arena *a,
                        struct describe_transactions_response_transaction_state *out) {
    out->topics = arena_calloc(a, (size_t)p->n, sizeof *out->topics);
    if (!out->topics) return false;
    for (int32_t i = 0; i < p->n; i++) {
        const struct txn_topic *from = &p->topics[i];
        struct describe_transactions_response_topic_data *t = &out->topics[i];
        t->topic = (struct kstr){arena_strndup(a, from->name.s, (size_t)from->name.len), from->name.len};
        t->partitions = arena_memdup(a, from->partitions, (size_t)from->n * sizeof *t->partitions);
        if (!t->topic.s || !t->partitions) return false;
        t->partitions_n = from->n;
        out->topics_n++;
    }
    return true;
}

void txn_step_describe(struct txn_shard *s, const struct txn_event *event, struct shard_result *r) {
    struct kstr id = *(const struct kstr *)event->request;
    struct describe_transactions_response_transaction_state *out = txn_response(event->arena, sizeof *out, r);
    if (!out) return;
    describe_transactions_response_transaction_state_init(out);
    out->transactional_id = id;
    const struct txn_entry *e = txn_find(s, id);
    if (id.len <= 0) {
        out->error_code = KERR_INVALID_REQUEST;
        return;
    }
    if (!e) {
        out->error_code = KERR_TRANSACTIONAL_ID_NOT_FOUND;
        return;
    }
    out->producer_id = e->now.producer_id;
    out->producer_epoch = e->now.epoch;
    out->transaction_state = kstr_of(txn_state_name(e->now.state));
    out->transaction_timeout_ms = e->now.timeout_ms;
    out->transaction_start_time_ms = e->now.start_ms;
    if (!fill_topics(&e->now.partitions, event->arena, out)) r->response = NULL;
}
