#include "server/share_state_call.h"

#include "base/assert.h"

struct coord_call *share_state_call_begin(struct request *r, enum share_state_api api, int32_t n) {
    struct coord_call *c = coord_call_begin(r, COORDINATOR_SHARE, n);
    struct share_state_request *in = request_array(r, (size_t)n, sizeof *in);
    if (!c || !in) {
        request_fail(r, "out of memory");
        return NULL;
    }
    for (int32_t i = 0; i < n; i++) {
        c->ops[i].api = (int)api;
        c->ops[i].request = &in[i];
    }
    return c;
}

struct share_state_request *share_state_call_at(struct coord_call *c, int32_t i) {
    ASSERT(i < c->n);
    return (struct share_state_request *)(uintptr_t)c->ops[i].request;
}

bool share_state_call_send(struct coord_call *c, void (*finish)(struct request *r)) {
    for (int32_t i = 0; i < c->n; i++) {
        struct share_state_request *in = share_state_call_at(c, i);
        in->key = share_state_key(in->group, &in->topic, in->partition, &c->request->arena);
        if (in->key.len >= 0) continue;
        request_fail(c->request, "out of memory");
        return false;
    }
    coord_call_send(c, finish);
    return true;
}

const struct share_state_response *share_state_call_response(const struct coord_call *c, int32_t i) {
    return c->ops[i].response;
}
