/* DeleteGroups: empty groups with their offsets. KafkaApis.handleDeleteGroupsRequest. A name that is there
 * twice counts once. */
#include "server/handlers/handlers.h"

#include "api/delete_groups.h"
#include "base/hashmap.h"
#include "server/coord_call.h"
#include "server/node.h"

static void finish(struct request *r) {
    struct coord_call *call = r->state;
    struct delete_groups_response *out = call->context;
    for (int32_t i = 0; i < call->n; i++) {
        const struct delete_groups_response_deletable_group_result *g = call->ops[i].response;
        if (!g) {
            request_fail(r, "out of memory");
            return;
        }
        out->results[out->results_n++] = *g;
    }
    request_finish(r, out);
}

void handle_delete_groups(struct request *r, const struct delete_groups_request *in) {
    struct delete_groups_response *out = request_alloc(r, sizeof *out);
    struct hashmap seen;
    delete_groups_response_init(out);
    out->results = request_array(r, (size_t)in->groups_names_n, sizeof *out->results);
    if (in->groups_names_n == 0) {
        request_finish(r, out);
        return;
    }
    struct coord_call *call =
        out->results ? coord_call_begin(r, COORDINATOR_GROUP, in->groups_names_n) : NULL;
    if (!call) {
        request_fail(r, "out of memory");
        return;
    }
    call->context = out;
    call->n = 0;
    hashmap_init(&seen, r->node->seed);
    for (int32_t i = 0; i < in->groups_names_n; i++) {
        struct kstr *name = &in->groups_names[i];
        if (hashmap_put(&seen, name->s, (size_t)name->len, name)) continue;
        call->ops[call->n].api = GROUP_API_DELETE;
        call->ops[call->n++].request = name;
    }
    hashmap_free(&seen);
    call->left = call->n;
    coord_call_send(call, finish);
}
