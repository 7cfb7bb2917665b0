/* DescribeGroups: classic groups. KafkaApis.handleDescribeGroupsRequest. */
#include "server/handlers/handlers.h"

#include "api/describe_groups.h"
#include "server/coord_call.h"
#include "server/operations.h"

enum { FIRST_VERSION_WITH_OPERATIONS = 3 };

struct describe {
    struct describe_groups_response out;
    const struct describe_groups_request *in;
    struct coord_call *call;
};

static void finish(struct request *r) {
    struct describe *d = ((struct coord_call *)r->state)->context;
    for (int32_t i = 0; i < d->call->n; i++) {
        const struct describe_groups_response_described_group *g = d->call->ops[i].response;
        if (!g) {
            request_fail(r, "out of memory");
            return;
        }
        d->out.groups[d->out.groups_n++] = *g;
        if (r->version >= FIRST_VERSION_WITH_OPERATIONS && d->in->include_authorized_operations &&
            !g->error_code)
            d->out.groups[i].authorized_operations = OPERATIONS_GROUP;
    }
    request_finish(r, &d->out);
}

void handle_describe_groups(struct request *r, const struct describe_groups_request *in) {
    struct describe *d = request_alloc(r, sizeof *d);
    describe_groups_response_init(&d->out);
    d->in = in;
    d->out.groups = request_array(r, (size_t)in->groups_n, sizeof *d->out.groups);
    if (in->groups_n == 0) {
        request_finish(r, &d->out);
        return;
    }
    d->call = d->out.groups ? coord_call_begin(r, COORDINATOR_GROUP, in->groups_n) : NULL;
    if (!d->call) {
        request_fail(r, "out of memory");
        return;
    }
    d->call->context = d;
    for (int32_t i = 0; i < in->groups_n; i++) {
        d->call->ops[i].api = GROUP_API_DESCRIBE;
        d->call->ops[i].request = &in->groups[i];
    }
    coord_call_send(d->call, finish);
}
