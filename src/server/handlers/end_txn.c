/* EndTxn: commits or aborts. From version 5 on the client speaks transaction version 2, and the answer tells
 * the epoch of its next transaction. KafkaApis.handleEndTxnRequest. */
#include "server/handlers/handlers.h"

#include "api/end_txn.h"
#include "server/coord_call.h"
#include "server/producer_ids.h"
#include "txn/shard.h"

enum { FIRST_VERSION_WITH_FENCED = 2, FIRST_VERSION_THAT_BUMPS = 5 };

static void answer(struct request *r, const struct txn_ended *e) {
    struct end_txn_response *out = request_alloc(r, sizeof *out);
    end_txn_response_init(out);
    out->error_code = e->error;
    out->producer_id = e->producer_id;
    out->producer_epoch = e->epoch;
    if (r->version < FIRST_VERSION_WITH_FENCED && e->error == KERR_PRODUCER_FENCED)
        out->error_code = KERR_INVALID_PRODUCER_EPOCH;
    request_finish(r, out);
}

static void finish(struct request *r) {
    const struct txn_ended *e = coord_call_response(r);
    if (e) answer(r, e);
}

static void ask(struct request *r) { coord_call_one(r, COORDINATOR_TXN, TXN_API_END, r->state, finish); }

void handle_end_txn(struct request *r, const struct end_txn_request *in) {
    if (in->transactional_id.len <= 0) {
        answer(r, &(struct txn_ended){.error = KERR_INVALID_REQUEST, .epoch = -1, .producer_id = -1});
        return;
    }
    struct txn_end *e = request_alloc(r, sizeof *e);
    *e = (struct txn_end){.id = in->transactional_id,
                          .producer_id = in->producer_id,
                          .epoch = in->producer_epoch,
                          .client_version = r->version >= FIRST_VERSION_THAT_BUMPS ? 2 : 0,
                          .commit = in->committed};
    r->state = e;
    if (in->producer_epoch >= INT16_MAX - 1)
        producer_ids_ensure(r, ask); /* the epoch is used up: the coordinator needs a new id */
    else
        ask(r);
}
