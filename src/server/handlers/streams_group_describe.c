/* StreamsGroupDescribe: groups of KIP-1071. KafkaApis.handleStreamsGroupDescribe. */
#include "server/handlers/handlers.h"

#include "api/streams_group_describe.h"
#include "server/coord_call.h"
#include "server/group_protocols.h"
#include "server/operations.h"

struct describe {
    struct streams_group_describe_response out;
    const struct streams_group_describe_request *in;
};

static void finish(struct request *r) {
    struct coord_call *call = r->state;
    struct describe *d = call->context;
    for (int32_t i = 0; i < call->n; i++) {
        const struct streams_group_describe_response_described_group *g = call->ops[i].response;
        if (!g) {
            request_fail(r, "out of memory");
            return;
        }
        d->out.groups[i] = *g;
        if (d->in->include_authorized_operations && !g->error_code)
            d->out.groups[i].authorized_operations = OPERATIONS_GROUP;
    }
    d->out.groups_n = call->n;
    request_finish(r, &d->out);
}

/* The same error for all. */
static void refuse(struct request *r, struct describe *d, int16_t error) {
    for (int32_t i = 0; i < d->in->group_ids_n; i++) {
        streams_group_describe_response_described_group_init(&d->out.groups[i]);
        d->out.groups[i].group_id = d->in->group_ids[i];
        d->out.groups[i].error_code = error;
    }
    d->out.groups_n = d->in->group_ids_n;
    request_finish(r, &d->out);
}

void handle_streams_group_describe(struct request *r, const struct streams_group_describe_request *in) {
    struct describe *d = request_alloc(r, sizeof *d);
    streams_group_describe_response_init(&d->out);
    d->in = in;
    d->out.groups = request_array(r, (size_t)in->group_ids_n, sizeof *d->out.groups);
    if (!d->out.groups) {
        request_fail(r, "out of memory");
        return;
    }
    if (!group_protocol_enabled(r, "streams", STREAMS_VERSION)) {
        refuse(r, d, KERR_UNSUPPORTED_VERSION);
        return;
    }
    if (in->group_ids_n == 0) {
        request_finish(r, &d->out);
        return;
    }
    struct coord_call *call = coord_call_begin(r, COORDINATOR_GROUP, in->group_ids_n);
    if (!call) {
        request_fail(r, "out of memory");
        return;
    }
    call->context = d;
    for (int32_t i = 0; i < in->group_ids_n; i++) {
        call->ops[i].api = GROUP_API_STREAMS_DESCRIBE;
        call->ops[i].request = &in->group_ids[i];
    }
    coord_call_send(call, finish);
}
