/* Request headers v1 and v2, ApiVersions' exception, errors that have no answer.
 *
 * A frame that cannot be answered closes its connection, as in the reference (KafkaApis never sees it): an
 * unknown API key, a version outside of the row (but for ApiVersions, which answers in version 0 with
 * UNSUPPORTED_VERSION), a header or body that does not decode.
 *
 * Before: server/connection. After: the row's handler (handlers/<api>.c). */
#include "server/dispatch.h"

#include <string.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "server/connection.h"
#include "server/measure.h"
#include "server/net.h"
#include "server/node.h"
#include "server/throttle.h"
#include "wire/api.h"
#include "wire/reader.h"
#include "wire/writer.h"

/* A request may take its own bytes again and what it is decoded to and answered from: some times its size,
 * and a lot for a small one that asks for everything. */
enum { ARENA_BASE = 64 << 20, ARENA_PER_BYTE = 16, ARENA_MOST = 256 << 20, HEADER_MIN = 8 };

static void refuse(struct connection *c, const char *what, int16_t key, int16_t version) {
    LOG_LIMITED(LOG_WARN, "server", "%s:%d: %s (api key %d, version %d); connection closed", c->peer.host,
                c->peer.port, what, key, version);
    c->closing = true;
}

/* The rest of the header: client id, and tagged fields when it is flexible. */
static int read_header(struct reader *in, struct request *r) {
    r->client_id = read_string(in, false, true);
    if (r->version >= r->handler->flexible) read_no_tags(in);
    return in->err;
}

static size_t arena_limit(size_t n) {
    return n +
           (n < (ARENA_MOST - ARENA_BASE) / ARENA_PER_BYTE ? ARENA_BASE + n * ARENA_PER_BYTE : ARENA_MOST);
}

static void link_request(struct connection *c, struct request *r) {
    r->conn = c;
    *c->last = r;
    c->last = &r->next;
    c->in_flight++;
}

/* ApiVersions of a version that is not known: the client learns what is, from an answer in version 0. */
static bool unknown_api_versions(const struct handler *h, int16_t version) {
    return h->key == API_API_VERSIONS && (version < h->min_version || version > h->max_version);
}

/* With metrics, or while quotas are set. */
static void handle_watched(struct request *r, void *body, size_t bytes) {
    struct measures *m = r->net->measures;
    r->watched = true;
    if (m) measure_begin(m, r, r->conn->read_ns, bytes);
    if (throttle_on(r->node)) throttle_begin(r, bytes);
    r->handler->handle(r, body);
    if (r->metered) throttle_handled(r);
    if (m) measure_handled(m, r);
}

void dispatch_frame(struct connection *c, const uint8_t *frame, size_t n) {
    if (n < HEADER_MIN) {
        refuse(c, "a frame without a header", -1, -1);
        return;
    }
    int16_t key = get_i16(frame), version = get_i16(frame + 2);
    const struct handler *h = handler_find(key);
    if (!h) {
        refuse(c, "an API that is not served", key, version);
        return;
    }
    bool unknown_version = unknown_api_versions(h, version);
    if (!unknown_version && (version < h->min_version || version > h->max_version)) {
        refuse(c, "a version that is not served", key, version);
        return;
    }
    struct request *r = net_request_new(c->net);
    r->handler = h;
    r->version = version;
    r->correlation_id = get_i32(frame + 4);
    r->arena.limit = arena_limit(n);
    if (!(h->flags & API_PIPELINED)) {
        frame = arena_memdup(&r->arena, frame, n);
        if (!frame) {
            net_request_free(c->net, r);
            refuse(c, "no memory for a request", key, version);
            return;
        }
    }
    struct reader in = reader_of(frame + HEADER_MIN, n - HEADER_MIN);
    void *body = request_alloc(r, h->in_size);
    if (unknown_version) {
        r->version = 0;
        r->state = r; /* tells the handler */
    } else if (read_header(&in, r) || h->decode(body, &in, version, &r->arena)) {
        net_request_free(c->net, r);
        refuse(c, "a request that does not decode", key, version);
        return;
    }
    link_request(c, r);
    if (c->net->measures || throttle_on(r->node))
        handle_watched(r, body, n);
    else
        h->handle(r, body);
}

int dispatch_encode(struct request *r, struct net *n) {
    struct writer *w = &n->out;
    size_t start = writer_len(w), total = writer_total(w);
    write_i32(w, 0);
    write_i32(w, r->correlation_id);
    if (r->version >= r->handler->flexible && r->handler->key != API_API_VERSIONS) write_uvarint(w, 0);
    int err = r->handler->encode(r->out, w, r->version);
    if (!err) err = w->err;
    if (!err && writer_total(w) - total - 4 > INT32_MAX) err = OE_LIMIT;
    if (err) {
        LOG_LIMITED(LOG_ERROR, "server", "%s v%d: the answer cannot be written: %s", r->handler->name,
                    r->version, oerr_text(err));
        return err;
    }
    writer_patch_i32(w, start, (int32_t)(writer_total(w) - total - 4));
    return 0;
}
