/* DescribeTransactions: each id at its coordinator. KafkaApis.handleDescribeTransactionsRequest. */
#include "server/handlers/handlers.h"

#include "api/describe_transactions.h"
#include "server/coord_call.h"
#include "txn/shard.h"

static void finish(struct request *r) {
    struct coord_call *call = r->state;
    struct describe_transactions_response *out = call->context;
    for (int32_t i = 0; i < call->n; i++) {
        const struct describe_transactions_response_transaction_state *s = call->ops[i].response;
        if (!s) {
            request_fail(r, "out of memory");
            return;
        }
        out->transaction_states[out->transaction_states_n++] = *s;
    }
    request_finish(r, out);
}

void handle_describe_transactions(struct request *r, const struct describe_transactions_request *in) {
    struct describe_transactions_response *out = request_alloc(r, sizeof *out);
    describe_transactions_response_init(out);
    if (in->transactional_ids_n <= 0) {
        request_finish(r, out);
        return;
    }
    out->transaction_states =
        request_array(r, (size_t)in->transactional_ids_n, sizeof *out->transaction_states);
    struct coord_call *call =
        out->transaction_states ? coord_call_begin(r, COORDINATOR_TXN, in->transactional_ids_n) : NULL;
    if (!call) {
        request_fail(r, "out of memory");
        return;
    }
    call->context = out;
    for (int32_t i = 0; i < call->n; i++) {
        call->ops[i].api = TXN_API_DESCRIBE;
        call->ops[i].request = &in->transactional_ids[i];
    }
    coord_call_send(call, finish);
}
