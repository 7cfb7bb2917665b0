/* Before: handlers. After: coord/submit.c on the coordinators' thread; back by request_resume. */
#include "server/coord_call.h"

#include <arpa/inet.h>

#include "base/assert.h"
#include "server/node.h"

/* As java.net.InetAddress prints it: "/127.0.0.1", "/0:0:0:0:0:0:0:1". */
static struct kstr java_address(struct request *r) {
    struct in6_addr a;
    const char *host = request_host(r);
    if (inet_pton(AF_INET6, host, &a) != 1) return kstr_of(arena_printf(&r->arena, "/%s", host));
    unsigned g[8];
    for (int i = 0; i < 8; i++) g[i] = (unsigned)a.s6_addr[2 * i] << 8 | a.s6_addr[2 * i + 1];
    return kstr_of(
        arena_printf(&r->arena, "/%x:%x:%x:%x:%x:%x:%x:%x", g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]));
}

static void on_done(struct coord_op *op) { /* coordinator's thread */
    struct coord_call *c = op->owner;
    if (--c->left == 0) request_resume(c->request, c->finish);
}

struct coord_call *coord_call_begin(struct request *r, enum coordinator_kind kind, int32_t n) {
    struct coord_call *c = request_array(r, 1, sizeof *c + (size_t)n * sizeof c->ops[0]);
    if (!c) return NULL;
    struct kstr host = java_address(r);
    c->request = r;
    c->kind = kind;
    c->n = c->left = n;
    for (int32_t i = 0; i < n; i++)
        c->ops[i] = (struct coord_op){
            .version = r->version,
            .client_id = r->client_id,
            .client_host = host,
            .arena = &r->arena,
            .done = on_done,
            .owner = c,
        };
    r->state = c;
    return c;
}

void coord_call_send(struct coord_call *c, void (*finish)(struct request *r)) {
    c->finish = finish;
    coord_submit(coordinators_get(c->request->node->coordinators, c->kind), c->ops, c->n);
}

void coord_call_one(struct request *r, enum coordinator_kind kind, int api, const void *in,
                    void (*finish)(struct request *r)) {
    struct coord_call *c = coord_call_begin(r, kind, 1);
    if (!c) {
        request_fail(r, "out of memory");
        return;
    }
    c->ops[0].api = api;
    c->ops[0].request = in;
    coord_call_send(c, finish);
}

void *coord_call_response(struct request *r) {
    struct coord_call *c = r->state;
    ASSERT(c->n == 1);
    if (!c->ops[0].response) request_fail(r, "out of memory");
    return (void *)(uintptr_t)c->ops[0].response;
}

static void finish_simple(struct request *r) {
    const void *out = coord_call_response(r);
    if (out) request_finish(r, out);
}

void coord_call_simple(struct request *r, enum coordinator_kind kind, int api, const void *in) {
    coord_call_one(r, kind, api, in, finish_simple);
}
