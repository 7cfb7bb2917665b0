/* InitProducerId: a new producer id with epoch 0 for an idempotent producer; what a transactional one goes on
 * with is the transaction coordinator's answer. KafkaApis.handleInitProducerIdRequest. */
#include "server/handlers/handlers.h"

#include "api/init_producer_id.h"
#include "server/coord_call.h"
#include "server/producer_ids.h"
#include "txn/shard.h"

enum { FIRST_VERSION_WITH_FENCED = 4 };

static void answer(struct request *r, int16_t error, int64_t id) {
    struct init_producer_id_response *out = request_alloc(r, sizeof *out);
    init_producer_id_response_init(out);
    out->error_code = error;
    out->producer_id = id;
    out->producer_epoch = error ? -1 : 0;
    request_finish(r, out);
}

static void give(struct request *r, int64_t id) {
    answer(r, id < 0 ? KERR_COORDINATOR_LOAD_IN_PROGRESS : KERR_NONE, id);
}

static void finish(struct request *r) {
    struct init_producer_id_response *out = coord_call_response(r);
    if (!out) return;
    if (r->version < FIRST_VERSION_WITH_FENCED && out->error_code == KERR_PRODUCER_FENCED)
        out->error_code = KERR_INVALID_PRODUCER_EPOCH;
    request_finish(r, out);
}

static void ask(struct request *r) { coord_call_one(r, COORDINATOR_TXN, TXN_API_INIT, r->state, finish); }

void handle_init_producer_id(struct request *r, const struct init_producer_id_request *in) {
    if ((in->producer_id == -1) != (in->producer_epoch == -1)) {
        answer(r, KERR_INVALID_REQUEST, -1);
    } else if (in->transactional_id.len == 0) {
        answer(r, KERR_INVALID_REQUEST, -1);
    } else if (in->transactional_id.len < 0) {
        producer_ids_next(r, give);
    } else {
        r->state = (void *)(uintptr_t)in;
        producer_ids_ensure(r, ask); /* the coordinator may need one */
    }
}
