/* InitProducerId for idempotent producers, which have no transactional id: a new producer id with epoch 0,
 * always. KafkaApis.handleInitProducerIdRequest, TransactionCoordinator.handleInitProducerId. There is no
 * transaction coordinator yet: a request with a transactional id gets COORDINATOR_NOT_AVAILABLE. */
#include "server/handlers/handlers.h"

#include "api/init_producer_id.h"
#include "server/producer_ids.h"

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

void handle_init_producer_id(struct request *r, const struct init_producer_id_request *in) {
    if ((in->producer_id == -1) != (in->producer_epoch == -1))
        answer(r, KERR_INVALID_REQUEST, -1);
    else if (in->transactional_id.len == 0)
        answer(r, KERR_INVALID_REQUEST, -1);
    else if (in->transactional_id.len > 0)
        answer(r, KERR_COORDINATOR_NOT_AVAILABLE, -1);
    else
        producer_ids_next(r, give);
}
