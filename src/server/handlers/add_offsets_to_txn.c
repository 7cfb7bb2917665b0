/* AddOffsetsToTxn: the partition of __consumer_offsets that holds a group's offsets joins the transaction.
 * KafkaApis.handleAddOffsetsToTxnRequest. */
#include "server/handlers/handlers.h"

#include "api/add_offsets_to_txn.h"
#include "server/coord_call.h"
#include "server/node.h"
#include "txn/shard.h"

enum { FIRST_VERSION_WITH_FENCED = 2 };

struct add_offsets {
    struct txn_add add;
    struct txn_partitions partitions;
};

static void answer(struct request *r, int16_t error) {
    struct add_offsets_to_txn_response *out = request_alloc(r, sizeof *out);
    add_offsets_to_txn_response_init(out);
    out->error_code = error;
    if (r->version < FIRST_VERSION_WITH_FENCED && error == KERR_PRODUCER_FENCED)
        out->error_code = KERR_INVALID_PRODUCER_EPOCH;
    request_finish(r, out);
}

static void finish(struct request *r) {
    struct add_offsets *a = ((struct coord_call *)r->state)->context;
    const struct txn_added *added = coord_call_response(r);
    txn_partitions_free(&a->partitions);
    if (added) answer(r, added->error);
}

void handle_add_offsets_to_txn(struct request *r, const struct add_offsets_to_txn_request *in) {
    struct coordinators *c = r->node->coordinators;
    if (in->transactional_id.len <= 0) {
        answer(r, KERR_INVALID_REQUEST);
        return;
    }
    struct coord_call *call = coord_call_begin(r, COORDINATOR_TXN, 1);
    if (!call) {
        request_fail(r, "out of memory");
        return;
    }
    struct add_offsets *a = request_alloc(r, sizeof *a);
    a->add = (struct txn_add){.id = in->transactional_id,
                              .producer_id = in->producer_id,
                              .epoch = in->producer_epoch,
                              .partitions = &a->partitions};
    txn_partitions_add(&a->partitions, coordinators_topic(c, COORDINATOR_GROUP),
                       coord_partition_of(coordinators_get(c, COORDINATOR_GROUP), in->group_id));
    call->context = a;
    call->ops[0].api = TXN_API_ADD;
    call->ops[0].request = &a->add;
    coord_call_send(call, finish);
}
