#include "server/request.h"

#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "server/acceptor.h"
#include "server/connection.h"
#include "server/measure.h"
#include "server/net.h"
#include "server/node.h"
#include "server/throttle.h"

enum { KEPT_BACK = 64 << 10 }; /* of the arena's limit, for request_alloc */

void *request_alloc(struct request *r, size_t size) {
    ASSERT(size <= KEPT_BACK);
    void *p = arena_calloc(&r->arena, 1, size);
    if (!p) {
        r->arena.limit += KEPT_BACK;
        p = arena_calloc(&r->arena, 1, size);
    }
    ASSERT(p);
    return p;
}

struct image *request_image(struct request *r) {
    if (!r->image) r->image = node_image(r->node);
    return r->image;
}

struct image *request_image_again(struct request *r) {
    image_unref(r->image);
    r->image = NULL;
    return request_image(r);
}

static void done(struct request *r) {
    ASSERT(!r->done);
    r->done = true;
    if (r->watched) {
        if (r->metered) throttle_finish(r);
        if (r->timing) measure_done(r);
    }
    if (r->orphan)
        net_request_free(r->net, r);
    else
        connection_answer(r->conn);
}

void request_finish(struct request *r, const void *out) {
    ASSERT(out);
    r->out = out;
    done(r);
}

void request_finish_silent(struct request *r) {
    r->silent = true;
    done(r);
}

void request_fail(struct request *r, const char *why) {
    if (r->conn) {
        LOG_LIMITED(LOG_WARN, "server", "%s:%d: %s: %s; connection closed", r->conn->peer.host,
                    r->conn->peer.port, r->handler->name, why);
        r->conn->closing = true;
        r->failed = true;
    }
    request_finish_silent(r);
}

void request_run_alone(struct request *r) {
    ASSERT(!r->done);
    if (r->conn) r->conn->alone = r;
}

static void on_resumed(struct mail *m) {
    struct request *r = (struct request *)((char *)m - offsetof(struct request, mail));
    r->resume(r);
}

void request_resume(struct request *r, void (*fn)(struct request *r)) {
    r->resume = fn;
    r->mail.deliver = on_resumed;
    loop_post(r->net->loop, &r->mail);
}

const char *request_host(const struct request *r) { return r->conn ? r->conn->peer.host : ""; }
const char *request_listener(const struct request *r) {
    return r->conn ? acceptor_name(r->conn->acceptor) : "";
}
