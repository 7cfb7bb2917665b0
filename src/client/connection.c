/* A frame is: length 4 | header | body. Sent whole, then its response is read whole into the caller's arena,
 * so that what is decoded may borrow from it. Brokers answer in the order of the requests: the oldest pending
 * one must match.
 *
 * Version negotiation is KIP-35 and KIP-511: the newest ApiVersions is tried first; a broker that does not
 * know it answers UNSUPPORTED_VERSION in version 0, with the range it knows, and is asked again. */
#include "client/connection.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/api_versions.h"
#include "api/header.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "io/clock.h"
#include "io/connect.h"
#include "io/socket.h"

enum { REQUEST_MAX = 1 << 30, FRAME_FIRST = 4096 };

__attribute__((format(printf, 3, 4))) static int broken(struct client_connection *c, int err,
                                                        const char *format, ...) {
    va_list args;
    int n = snprintf(c->why, sizeof c->why, "%s:%d: ", c->address.host, c->address.port);
    va_start(args, format);
    vsnprintf(c->why + n, sizeof c->why - (size_t)n, format, args);
    va_end(args);
    client_connection_close(c);
    return err;
}

int client_address_parse(const char *text, size_t n, struct client_address *a) {
    size_t colon = n;
    while (colon > 0 && text[colon - 1] != ':') colon--;
    if (colon < 2) return OE_MALFORMED;
    const char *host = text;
    size_t host_len = colon - 1;
    if (host[0] == '[') {
        if (host_len < 3 || host[host_len - 1] != ']') return OE_MALFORMED;
        host++;
        host_len -= 2;
    } else if (memchr(host, ':', host_len)) {
        return OE_MALFORMED; /* a bare IPv6 address: where would its port begin? */
    }
    long port = 0;
    for (size_t i = colon; i < n; i++) {
        if (text[i] < '0' || text[i] > '9') return OE_MALFORMED;
        port = port * 10 + (text[i] - '0');
        if (port > 65535) return OE_MALFORMED;
    }
    if (colon == n || port == 0 || host_len >= sizeof a->host) return OE_MALFORMED;
    memcpy(a->host, host, host_len);
    a->host[host_len] = 0;
    a->port = (int)port;
    return 0;
}

void client_connection_init(struct client_connection *c, const char *client_id, size_t max_response) {
    memset(c, 0, sizeof *c);
    c->fd = -1;
    c->client_id = client_id;
    c->max_response = max_response;
}

void client_connection_close(struct client_connection *c) {
    if (c->fd >= 0) socket_close(c->fd);
    c->fd = -1;
    c->pending_n = 0;
}

/* ---- frames ---- */

int client_frame(struct writer *w, const struct api *api, int16_t version, int32_t correlation,
                 const char *client_id, const void *request) {
    struct request_header h;
    request_header_init(&h);
    h.request_api_key = api->key;
    h.request_api_version = version;
    h.correlation_id = correlation;
    h.client_id = kstr_of(client_id);
    write_i32(w, 0);
    request_header_encode(&h, w, api_request_header_version(api->key, version));
    int err = api->request->encode(request, w, version);
    writer_patch_i32(w, 0, (int32_t)(writer_len(w) - 4));
    return err ? err : w->err;
}

int client_unframe(const struct client_pending *p, const uint8_t *frame, size_t n, void *response,
                   struct arena *arena) {
    struct reader r = reader_of(frame, n);
    struct response_header h;
    const struct api *api = api_find(p->key);
    int err = response_header_decode(&h, &r, api_response_header_version(p->key, p->version), arena);
    if (err) return err;
    if (h.correlation_id != p->correlation) return OE_MALFORMED;
    int16_t version = p->version;
    if (p->key == API_API_VERSIONS && reader_left(&r) >= 2 && get_i16(r.p) == KERR_UNSUPPORTED_VERSION)
        version = 0;
    err = api->response->decode(response, &r, version, arena);
    return err == OE_SHORT ? OE_MALFORMED : err;
}

static int time_left(int64_t deadline_ms) {
    int64_t left = deadline_ms - clock_mono_ms();
    return left <= 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

static int send_all(struct client_connection *c, const uint8_t *p, size_t n, int64_t deadline_ms) {
    while (n > 0) {
        ssize_t sent = socket_send(c->fd, p, n, false);
        if (sent > 0) {
            p += sent;
            n -= (size_t)sent;
        } else if (sent != OE_AGAIN) {
            return broken(c, OE_CLOSED, "the broker closed the connection");
        } else {
            int err = connect_wait(c->fd, true, time_left(deadline_ms));
            if (err) return broken(c, err, "the broker takes no bytes (%s)", oerr_text(err));
        }
    }
    return 0;
}

static int receive_all(struct client_connection *c, uint8_t *p, size_t n, int64_t deadline_ms) {
    while (n > 0) {
        ssize_t got = socket_recv(c->fd, p, n);
        if (got > 0) {
            p += got;
            n -= (size_t)got;
        } else if (got != OE_AGAIN) {
            return broken(c, OE_CLOSED, "the broker closed the connection");
        } else {
            int err = connect_wait(c->fd, false, time_left(deadline_ms));
            if (err) return broken(c, err, "no answer in time");
        }
    }
    return 0;
}

int client_send(struct client_connection *c, int16_t key, int16_t version, const void *request,
                int64_t deadline_ms) {
    ASSERT(client_connection_is_open(c));
    const struct api *api = api_find(key);
    ASSERT(api && api_has_version(api, version));
    if (c->pending_n == CLIENT_IN_FLIGHT_MAX) return OE_LIMIT;
    uint8_t first[FRAME_FIRST];
    struct writer w;
    writer_init_with(&w, first, sizeof first, REQUEST_MAX);
    int32_t correlation = c->next_correlation;
    int err = client_frame(&w, api, version, correlation, c->client_id, request);
    if (err)
        snprintf(c->why, sizeof c->why, "%s request cannot be written: %s", api->name, oerr_text(err));
    else
        err = send_all(c, w.buf, writer_len(&w), deadline_ms);
    writer_free(&w);
    if (err) return err;
    c->next_correlation = (int32_t)((uint32_t)c->next_correlation + 1) & INT32_MAX;
    c->pending[(c->pending_at + c->pending_n++) % CLIENT_IN_FLIGHT_MAX] =
        (struct client_pending){correlation, key, version};
    return 0;
}

int client_receive(struct client_connection *c, void *response, struct arena *arena, int64_t deadline_ms) {
    ASSERT(client_connection_is_open(c));
    ASSERT(c->pending_n > 0);
    struct client_pending p = c->pending[c->pending_at];
    uint8_t head[4];
    int err = receive_all(c, head, sizeof head, deadline_ms);
    if (err) return err;
    int32_t size = get_i32(head);
    if (size < 4 || (size_t)size > c->max_response)
        return broken(c, OE_MALFORMED,
                      "answers with a frame of %d bytes: is this a Kafka listener without TLS?", size);
    uint8_t *frame = arena_alloc(arena, (size_t)size);
    if (!frame) return broken(c, OE_LIMIT, "the answer of %d bytes is too large", size);
    err = receive_all(c, frame, (size_t)size, deadline_ms);
    if (err) return err;
    c->pending_at = (c->pending_at + 1) % CLIENT_IN_FLIGHT_MAX;
    c->pending_n--;
    err = client_unframe(&p, frame, (size_t)size, response, arena);
    if (err)
        return broken(c, err, "the answer to %s version %d cannot be read: %s", api_find(p.key)->name,
                      p.version, oerr_text(err));
    return 0;
}

int client_exchange(struct client_connection *c, int16_t key, int16_t version, const void *request,
                    void *response, struct arena *arena, int64_t deadline_ms) {
    ASSERT(c->pending_n == 0);
    int err = client_send(c, key, version, request, deadline_ms);
    return err ? err : client_receive(c, response, arena, deadline_ms);
}

/* ---- versions ---- */

static void keep_ranges(struct client_connection *c, const struct api_versions_response *r) {
    for (int i = 0; i <= API_KEY_LAST; i++) c->ranges[i] = (struct client_range){0, -1};
    for (int32_t i = 0; i < r->api_keys_n; i++) {
        int16_t key = r->api_keys[i].api_key;
        if (key < 0 || key > API_KEY_LAST) continue; /* of a newer broker */
        c->ranges[key] = (struct client_range){r->api_keys[i].min_version, r->api_keys[i].max_version};
    }
}

static int negotiate(struct client_connection *c, int64_t deadline_ms) {
    struct arena a;
    struct api_versions_request request;
    struct api_versions_response response;
    int16_t version = api_find(API_API_VERSIONS)->stable;
    int err;
    arena_init(&a, 1 << 20);
    api_versions_request_init(&request);
    api_versions_response_init(&response);
    request.client_software_name = KSTR("ottla");
    request.client_software_version = KSTR(OTTLA_VERSION);
    for (;;) {
        err = client_exchange(c, API_API_VERSIONS, version, &request, &response, &a, deadline_ms);
        if (err) break;
        keep_ranges(c, &response);
        int16_t known = c->ranges[API_API_VERSIONS].last;
        if (response.error_code == KERR_UNSUPPORTED_VERSION && version > 0) {
            version = known >= 0 && known < version ? known : 0; /* always smaller: this ends */
            continue;
        }
        if (response.error_code) err = broken(c, OE_CLOSED, "refuses: %s", kerr_name(response.error_code));
        break;
    }
    arena_free(&a);
    return err;
}

int client_connection_open(struct client_connection *c, const struct client_address *to,
                           int64_t deadline_ms) {
    const char *why = "";
    client_connection_close(c);
    c->address = *to;
    int fd = connect_to(to->host, to->port, time_left(deadline_ms), &why);
    if (fd < 0) return broken(c, fd, "cannot connect: %s", why);
    c->fd = fd;
    return negotiate(c, deadline_ms);
}

int client_version(struct client_connection *c, int16_t key, int16_t at_most) {
    ASSERT(key >= 0 && key <= API_KEY_LAST);
    const struct api *api = api_find(key);
    struct client_range theirs = c->ranges[key];
    int16_t last = theirs.last < api->stable ? theirs.last : api->stable;
    int16_t first = theirs.first > api->first ? theirs.first : api->first;
    if (at_most >= 0 && at_most < last) last = at_most;
    if (last >= first) return last;
    snprintf(c->why, sizeof c->why, "the broker at %s:%d does not offer %s%s", c->address.host,
             c->address.port, api->name,
             theirs.last >= theirs.first ? " in a version that ottla speaks" : "");
    return OE_UNSUPPORTED;
}
