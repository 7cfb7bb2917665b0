/* The inside client without a cluster: addresses, frames, versions; and against a small server in a thread,
 * that misbehaves on purpose. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "api/api_versions.h"
#include "api/find_coordinator.h"
#include "api/header.h"
#include "api/metadata.h"
#include "base/kerr.h"
#include "client/client.h"
#include "io/clock.h"
#include "io/connect.h"
#include "io/socket.h"

/* ---- the pure part ---- */

static void addresses(void **state) {
    static const struct {
        const char *text, *host; /* host NULL: refused */
        int port;
    } rows[] = {{"localhost:9092", "localhost", 9092},
                {"[::1]:1", "::1", 1},
                {"a.b:65535", "a.b", 65535},
                {"a", NULL, 0},
                {"a:", NULL, 0},
                {":1", NULL, 0},
                {"a:0", NULL, 0},
                {"a:65536", NULL, 0},
                {"a:1x", NULL, 0},
                {"::1:9", NULL, 0},
                {"[]:9", NULL, 0},
                {"[::1:9", NULL, 0},
                {"", NULL, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct client_address a;
        int err = client_address_parse(rows[i].text, strlen(rows[i].text), &a);
        assert_int_equal(err, rows[i].host ? 0 : OE_MALFORMED);
        if (err) continue;
        assert_string_equal(a.host, rows[i].host);
        assert_int_equal(a.port, rows[i].port);
    }
}

static void versions(void **state) {
    struct client_connection c;
    client_connection_init(&c, "test", 1 << 20);
    c.ranges[API_METADATA] = (struct client_range){0, 5};
    assert_int_equal(client_version(&c, API_METADATA, -1), 5);
    assert_int_equal(client_version(&c, API_METADATA, 3), 3);
    c.ranges[API_METADATA] = (struct client_range){0, 100};
    assert_int_equal(client_version(&c, API_METADATA, -1), api_find(API_METADATA)->stable);
    c.ranges[API_METADATA] = (struct client_range){100, 101};
    assert_int_equal(client_version(&c, API_METADATA, -1), OE_UNSUPPORTED);
    c.ranges[API_METADATA] = (struct client_range){0, -1};
    assert_int_equal(client_version(&c, API_METADATA, -1), OE_UNSUPPORTED);
    assert_non_null(strstr(c.why, "Metadata"));
}

static void retriable(void **state) {
    assert_true(client_retriable(KERR_NOT_CONTROLLER));
    assert_true(client_retriable(KERR_COORDINATOR_LOAD_IN_PROGRESS));
    assert_false(client_retriable(KERR_TOPIC_ALREADY_EXISTS));
    assert_false(client_retriable(0));
    assert_false(client_retriable(9999));
}

static void bootstrap_lists(void **state) {
    struct client_options o = {
        .bootstrap = "a:1,b:2", .client_id = "t", .timeout_ms = 100, .max_response = 1 << 20};
    struct client *c;
    assert_int_equal(client_create(&o, &c), 0);
    client_destroy(c);
    o.bootstrap = "a:1,,b:2";
    assert_int_equal(client_create(&o, &c), OE_MALFORMED);
    client_destroy(c);
    o.bootstrap = "a:1,b";
    assert_int_equal(client_create(&o, &c), OE_MALFORMED);
    assert_non_null(strstr(client_why(c), "'b'"));
    client_destroy(c);
}

/* ---- a server that does as it is told ---- */

enum manner {
    POLITE,
    OLD_VERSIONS,      /* knows ApiVersions 0 only */
    WRONG_CORRELATION, /* to everything but ApiVersions */
    HUGE_FRAME,
    CLOSES,      /* after the request */
    CLOSES_ONCE, /* the first connection, then polite */
    SILENT,
    NOT_COORDINATOR_TWICE, /* answers so to FindCoordinator */
};

struct server {
    pthread_t thread;
    int listener, port;
    _Atomic int requests[API_KEY_LAST + 1];
    _Atomic int connections;
    enum manner manner;
    _Atomic int stop;
};

static int receive_exactly(struct server *s, int fd, uint8_t *p, size_t n) {
    while (n > 0 && !s->stop) {
        ssize_t got = socket_recv(fd, p, n);
        if (got == OE_AGAIN)
            connect_wait(fd, false, 20);
        else if (got <= 0)
            return -1;
        else
            p += got, n -= (size_t)got;
    }
    return s->stop ? -1 : 0;
}

static void answer(struct server *s, int fd, const struct request_header *h, const struct api *api,
                   const void *response, int16_t version) {
    struct writer w;
    struct response_header rh = {.correlation_id = h->correlation_id};
    if (s->manner == WRONG_CORRELATION && api->key != API_API_VERSIONS) rh.correlation_id++;
    writer_init(&w, 1 << 20);
    write_i32(&w, 0);
    response_header_encode(&rh, &w, api_response_header_version(api->key, version));
    assert_int_equal(api->response->encode(response, &w, version), 0);
    int32_t size = (int32_t)(writer_len(&w) - 4);
    writer_patch_i32(&w, 0, s->manner == HUGE_FRAME && api->key != API_API_VERSIONS ? 1 << 30 : size);
    size_t at = 0;
    while (at < writer_len(&w)) { /* a byte at a time: the client must put them together */
        ssize_t n = socket_send(fd, w.buf + at, 1, false);
        if (n < 0) break;
        at += (size_t)n;
    }
    writer_free(&w);
}

static void answer_versions(struct server *s, int fd, const struct request_header *h) {
    struct api_versions_response r;
    struct api_versions_response_api_version keys[] = {
        {API_METADATA, 0, 9}, {API_API_VERSIONS, 0, 4}, {API_FIND_COORDINATOR, 0, 4}};
    api_versions_response_init(&r);
    r.api_keys = keys;
    r.api_keys_n = 3;
    int16_t version = h->request_api_version;
    if (s->manner == OLD_VERSIONS) {
        keys[1].max_version = 0;
        if (version > 0) r.error_code = KERR_UNSUPPORTED_VERSION;
        version = 0;
    }
    answer(s, fd, h, api_find(API_API_VERSIONS), &r, version);
}

static void answer_metadata(struct server *s, int fd, const struct request_header *h) {
    struct metadata_response r;
    struct metadata_response_metadata_response_broker b;
    metadata_response_init(&r);
    metadata_response_metadata_response_broker_init(&b);
    b.node_id = 7;
    b.host = KSTR("127.0.0.1");
    b.port = s->port;
    r.brokers = &b;
    r.brokers_n = 1;
    r.controller_id = 7;
    answer(s, fd, h, api_find(API_METADATA), &r, h->request_api_version);
}

static void answer_coordinator(struct server *s, int fd, const struct request_header *h) {
    struct find_coordinator_response r;
    struct find_coordinator_response_coordinator k;
    find_coordinator_response_init(&r);
    find_coordinator_response_coordinator_init(&k);
    k.node_id = 7;
    k.host = KSTR("127.0.0.1");
    k.port = s->port;
    if (s->manner == NOT_COORDINATOR_TWICE && s->requests[API_FIND_COORDINATOR] <= 2)
        k.error_code = KERR_COORDINATOR_NOT_AVAILABLE;
    r.coordinators = &k;
    r.coordinators_n = 1;
    answer(s, fd, h, api_find(API_FIND_COORDINATOR), &r, h->request_api_version);
}

static void serve(struct server *s, int fd) {
    uint8_t head[4], frame[4096];
    struct request_header h;
    struct arena a;
    arena_init(&a, 1 << 20);
    while (!receive_exactly(s, fd, head, 4)) {
        size_t n = get_u32(head);
        if (n > sizeof frame || receive_exactly(s, fd, frame, n)) break;
        struct reader r = reader_of(frame, n);
        if (request_header_decode(&h, &r, api_request_header_version(get_i16(frame), get_i16(frame + 2)), &a))
            break;
        s->requests[h.request_api_key]++;
        if (s->manner == CLOSES && h.request_api_key != API_API_VERSIONS) break;
        if (s->manner == CLOSES_ONCE && s->connections == 1 && h.request_api_key != API_API_VERSIONS) break;
        if (s->manner == SILENT) continue;
        if (h.request_api_key == API_API_VERSIONS)
            answer_versions(s, fd, &h);
        else if (h.request_api_key == API_METADATA)
            answer_metadata(s, fd, &h);
        else
            answer_coordinator(s, fd, &h);
    }
    arena_free(&a);
    socket_close(fd);
}

/* One connection after another is enough while each test uses one at a time; a node's own comes beside the
 * bootstrap one. */
static void *serve_one(void *arg) {
    struct server *s = ((void **)arg)[0];
    int fd = (int)(intptr_t)((void **)arg)[1];
    free(arg);
    serve(s, fd);
    return NULL;
}

static void *serve_all(void *arg) {
    struct server *s = arg;
    pthread_t threads[16];
    int n = 0;
    while (!s->stop) {
        struct socket_peer peer;
        int fd = socket_accept(s->listener, &peer);
        if (fd < 0) {
            connect_wait(s->listener, false, 20);
            continue;
        }
        s->connections++;
        assert_true(n < 16);
        void **pair = malloc(2 * sizeof *pair);
        pair[0] = s;
        pair[1] = (void *)(intptr_t)fd;
        pthread_create(&threads[n++], NULL, serve_one, pair);
    }
    for (int i = 0; i < n; i++) pthread_join(threads[i], NULL);
    return NULL;
}

static void start(struct server *s, enum manner manner) {
    const char *why;
    memset(s, 0, sizeof *s);
    s->manner = manner;
    s->listener = socket_listen("127.0.0.1", &s->port, 16, &why);
    assert_true(s->listener >= 0);
    assert_int_equal(pthread_create(&s->thread, NULL, serve_all, s), 0);
}

static void stop(struct server *s) {
    s->stop = 1;
    pthread_join(s->thread, NULL);
    socket_close(s->listener);
}

/* Asks for metadata; what client_do says. */
static int ask(struct server *s, enum manner manner, int timeout_ms, enum client_target target,
               int16_t *version) {
    char bootstrap[32];
    struct arena a;
    struct client *c;
    struct metadata_request q;
    struct metadata_response r;
    start(s, manner);
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%d", s->port);
    struct client_options o = {bootstrap, "test", timeout_ms, 1 << 20};
    assert_int_equal(client_create(&o, &c), 0);
    arena_init(&a, 1 << 22);
    metadata_request_init(&q);
    struct client_call call = {.key = API_METADATA,
                               .target = target,
                               .name = "group",
                               .node = 7,
                               .request = &q,
                               .response = &r,
                               .arena = &a};
    int err = client_do(c, &call);
    *version = client_last_version(c);
    if (!err)
        assert_int_equal(r.brokers[0].node_id, 7);
    else
        assert_true(strlen(client_why(c)) > 0);
    arena_free(&a);
    client_destroy(c);
    stop(s);
    return err;
}

static struct server server;
static int16_t version;

static void polite(void **state) {
    assert_int_equal(ask(&server, POLITE, 5000, CLIENT_ANY, &version), 0);
    assert_int_equal(version, 9);
    assert_int_equal(server.connections, 1);
    assert_int_equal(server.requests[API_API_VERSIONS], 1);
}

static void old_versions(void **state) {
    assert_int_equal(ask(&server, OLD_VERSIONS, 5000, CLIENT_ANY, &version), 0);
    assert_int_equal(server.requests[API_API_VERSIONS], 2); /* refused, then with the version it named */
}

static void finds_nodes(void **state) {
    assert_int_equal(ask(&server, POLITE, 5000, CLIENT_CONTROLLER, &version), 0);
    assert_int_equal(server.connections, 2); /* the bootstrap's and the node's own */
    assert_int_equal(server.requests[API_METADATA], 2);
    assert_int_equal(ask(&server, POLITE, 5000, CLIENT_NODE, &version), 0);
    assert_int_equal(ask(&server, POLITE, 5000, CLIENT_GROUP, &version), 0);
    assert_int_equal(server.requests[API_FIND_COORDINATOR], 1);
}

static void coordinator_comes_late(void **state) {
    assert_int_equal(ask(&server, NOT_COORDINATOR_TWICE, 5000, CLIENT_GROUP, &version), 0);
    assert_int_equal(server.requests[API_FIND_COORDINATOR], 3);
}

static void connects_again(void **state) {
    assert_int_equal(ask(&server, CLOSES_ONCE, 5000, CLIENT_ANY, &version), 0);
    assert_int_equal(server.connections, 2);
}

static void gives_up(void **state) {
    int64_t before = clock_mono_ms();
    assert_int_equal(ask(&server, CLOSES, 400, CLIENT_ANY, &version), OE_CLOSED);
    assert_true(server.connections > 1);
    assert_int_equal(ask(&server, SILENT, 200, CLIENT_ANY, &version), OE_TIMEOUT);
    assert_true(clock_mono_ms() - before < 5000);
}

static void distrusts(void **state) {
    assert_int_equal(ask(&server, WRONG_CORRELATION, 2000, CLIENT_ANY, &version), OE_MALFORMED);
    assert_int_equal(ask(&server, HUGE_FRAME, 2000, CLIENT_ANY, &version), OE_MALFORMED);
}

static void nobody_there(void **state) {
    struct client_options o = {"127.0.0.1:1", "test", 10000, 1 << 20};
    struct client *c;
    const int32_t *ids;
    int n;
    int64_t before = clock_mono_ms();
    assert_int_equal(client_create(&o, &c), 0);
    assert_int_equal(client_nodes(c, &ids, &n), OE_CLOSED);
    assert_non_null(strstr(client_why(c), "127.0.0.1:1: cannot connect"));
    assert_true(clock_mono_ms() - before < 5000); /* at once, not after the timeout */
    client_destroy(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses),      cmocka_unit_test(versions),
        cmocka_unit_test(retriable),      cmocka_unit_test(bootstrap_lists),
        cmocka_unit_test(polite),         cmocka_unit_test(old_versions),
        cmocka_unit_test(finds_nodes),    cmocka_unit_test(coordinator_comes_late),
        cmocka_unit_test(connects_again), cmocka_unit_test(gives_up),
        cmocka_unit_test(distrusts),      cmocka_unit_test(nobody_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
