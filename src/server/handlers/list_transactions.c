/* ListTransactions: of all partitions of __transaction_state here. KafkaApis.handleListTransactionsRequest,
 * TransactionStateManager.listTransactionStates. */
#include "server/handlers/handlers.h"

#include "api/list_transactions.h"
#include "base/regex.h"
#include "server/coord_call.h"
#include "txn/shard.h"

struct list {
    struct txn_list asked;
    struct regex *pattern; /* NULL: none */
};

static bool matches(void *arg, struct kstr id) { /* coordinator's thread */
    return regex_matches(((const struct list *)arg)->pattern, id.s, (size_t)id.len);
}

static void finish(struct request *r) {
    struct list *l = ((struct coord_call *)r->state)->context;
    const struct list_transactions_response *out = coord_call_response(r);
    regex_free(l->pattern);
    if (out) request_finish(r, out);
}

static void refuse(struct request *r, int16_t error) {
    struct list_transactions_response *out = request_alloc(r, sizeof *out);
    list_transactions_response_init(out);
    out->error_code = error;
    request_finish(r, out);
}

void handle_list_transactions(struct request *r, const struct list_transactions_request *in) {
    struct list *l = request_alloc(r, sizeof *l);
    struct kstr pattern = in->transactional_id_pattern;
    l->asked.request = in;
    if (pattern.len > 0) {
        if (regex_compile(REGEX_RE2, pattern.s, (size_t)pattern.len, &l->pattern, NULL)) {
            refuse(r, KERR_INVALID_REGULAR_EXPRESSION);
            return;
        }
        l->asked.matches = matches;
        l->asked.arg = l;
    }
    struct coord_call *call = coord_call_begin(r, COORDINATOR_TXN, 1);
    if (!call) {
        regex_free(l->pattern);
        request_fail(r, "out of memory");
        return;
    }
    call->context = l;
    call->ops[0].api = TXN_API_LIST;
    call->ops[0].request = &l->asked;
    coord_call_send(call, finish);
}
