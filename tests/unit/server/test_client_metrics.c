/* Client metrics: what is read of a payload, what is kept of it, and that all of it is bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/kerr.h"
#include "metadata/delta.h"
#include "metadata/record.h"
#include "metadata/version.h"
#include "server/client_metrics.h"

#include <stdio.h>
#include <string.h>

/* ---- payloads ---- */

struct bytes {
    uint8_t b[4096];
    size_t n;
};

static void put(struct bytes *to, const void *p, size_t n) {
    assert_true(to->n + n <= sizeof to->b);
    memcpy(to->b + to->n, p, n);
    to->n += n;
}

static void put_varint(struct bytes *to, uint64_t v) {
    for (; v > 127; v >>= 7) put(to, &(uint8_t){(uint8_t)(v | 128)}, 1);
    put(to, &(uint8_t){(uint8_t)v}, 1);
}

static void put_bytes(struct bytes *to, int number, const void *p, size_t n) {
    put_varint(to, (uint64_t)number << 3 | 2);
    put_varint(to, n);
    put(to, p, n);
}

static void put_text(struct bytes *to, int number, const char *s) { put_bytes(to, number, s, strlen(s)); }

static void put_double(struct bytes *to, int number, double d) {
    put_varint(to, (uint64_t)number << 3 | 1);
    put(to, &d, 8);
}

static struct bytes wrap(int number, const struct bytes *inner) {
    struct bytes b = {.n = 0};
    put_bytes(&b, number, inner->b, inner->n);
    return b;
}

static struct bytes label(const char *key, const char *value) {
    struct bytes text = {.n = 0}, pair = {.n = 0};
    put_text(&text, 1, value);
    put_text(&pair, 1, key);
    put_bytes(&pair, 2, text.b, text.n);
    return pair;
}

/* A metric with one point; temporality 0: a gauge. */
static struct bytes metric(const char *name, double value, const char *topic, uint64_t temporality) {
    struct bytes point = {.n = 0}, data, m = {.n = 0}, pair = label("topic", topic);
    put_bytes(&point, 7, pair.b, pair.n);
    put_double(&point, 4, value);
    data = wrap(1, &point);
    if (temporality) {
        put_varint(&data, 2 << 3);
        put_varint(&data, temporality);
    }
    put_text(&m, 1, name);
    put_bytes(&m, temporality ? 7 : 5, data.b, data.n);
    return m;
}

static struct bytes payload(const struct bytes *m) {
    struct bytes scope = wrap(2, m), all = {.n = 0}, pair = label("client.rack", "r1"),
                 resource = wrap(1, &pair);
    put_bytes(&all, 1, resource.b, resource.n);
    put_bytes(&all, 2, scope.b, scope.n);
    return wrap(1, &all);
}

static void a_payload_is_flattened(void **state) {
    struct arena a;
    struct otlp_points points;
    arena_init(&a, 1 << 20);
    struct bytes m = metric("m.x", 2.5, "a\"b", 0), p = payload(&m);
    assert_int_equal(otlp_read(p.b, p.n, &a, &points), 0);
    assert_int_equal(points.n, 1);
    assert_string_equal(points.v[0].name, "m.x");
    assert_string_equal(points.v[0].labels, "client_rack=\"r1\",topic=\"a\\\"b\"");
    assert_true(points.v[0].value > 2.4 && points.v[0].value < 2.6);
    assert_int_equal(points.v[0].kind, OTLP_GAUGE);
    m = metric("m.y", 7, "t", 1);
    p = payload(&m);
    assert_int_equal(otlp_read(p.b, p.n, &a, &points), 0);
    assert_int_equal(points.v[0].kind, OTLP_DELTA);
    for (size_t n = 1; n < p.n; n++) assert_int_equal(otlp_read(p.b, n, &a, &points), OE_MALFORMED);
    assert_int_equal(otlp_read("", 0, &a, &points), 0);
    assert_int_equal(points.n, 0);
    arena_free(&a);
}

/* ---- the sink ---- */

struct seen {
    int n;
    double last;
    bool total;
};

static void see(void *ctx, const struct client_metrics_value *v) {
    struct seen *s = ctx;
    s->n++;
    s->last = v->value;
    s->total = v->total;
    assert_string_equal(v->client_id, "c1");
    assert_string_equal(v->software_name, "");
}

static struct image *with_subscription(const char *metrics, const char *interval) {
    struct image *i = image_empty();
    struct record_list l;
    record_list_init(&l);
    record_add_feature_level(&l, 0, &(struct feature_level_record){KSTR(METADATA_VERSION), MV_LATEST});
    record_add_config(
        &l, 0, &(struct config_record){CONFIG_CLIENT_METRICS, KSTR("s"), KSTR("metrics"), kstr_of(metrics)});
    record_add_config(
        &l, 0,
        &(struct config_record){CONFIG_CLIENT_METRICS, KSTR("s"), KSTR("interval.ms"), kstr_of(interval)});
    struct image_delta *d = delta_begin(i);
    for (int32_t k = 0; k < l.n; k++) assert_int_equal(delta_replay(d, l.v[k].data, l.v[k].len, k, 1), 0);
    delta_finish(d, 0);
    image_unref(i);
    i = image_ref(d->after);
    delta_free(d);
    record_list_free(&l);
    return i;
}

static const struct client_metrics_who who = {.client_id = {"c1", 2}, .address = "127.0.0.1", .port = 5};
enum { START = 1000000 };

static void values_are_kept(void **state) {
    struct client_metrics *m = client_metrics_create(3);
    struct image *i = with_subscription("*", "1000");
    struct arena a;
    struct client_subscription s;
    struct uuid id = {{9, [15] = 7}};
    bool made;
    arena_init(&a, 1 << 20);
    client_metrics_configure(m, i);
    assert_int_equal(client_metrics_subscribe(m, &who, &id, START, &a, &s, &made), 0);
    assert_true(made);
    assert_int_equal(s.interval_ms, 1000);
    assert_int_equal(s.metrics_n, 1);
    struct client_push push = {.instance = id, .subscription = s.id, .size = 10, .max_size = 100};
    struct otlp_point point = {"n", "", 5, OTLP_DELTA};
    struct otlp_points points = {&point, 1};
    for (int k = 0; k < 3; k++) {
        assert_int_equal(client_metrics_push(m, &who, &push, START + 1 + k * 1000, &made), 0);
        assert_false(made);
        client_metrics_store(m, &id, START, &points);
    }
    struct seen seen = {0};
    client_metrics_each(m, see, &seen);
    assert_int_equal(seen.n, 1);
    assert_true(seen.total && seen.last > 14.9 && seen.last < 15.1);
    push.size = 101;
    assert_int_equal(client_metrics_push(m, &who, &push, START + 9000, &made), KERR_TELEMETRY_TOO_LARGE);
    client_metrics_left(m, &id);
    seen.n = 0;
    client_metrics_each(m, see, &seen);
    assert_int_equal(seen.n, 0);
    arena_free(&a);
    image_unref(i);
    client_metrics_destroy(m);
}

static void everything_has_an_end(void **state) {
    struct client_metrics *m = client_metrics_create(3);
    struct client_subscription s;
    struct arena a;
    struct uuid id;
    bool made;
    arena_init(&a, 64 << 20);
    for (int k = 0; k < 17000; k++) {
        id = (struct uuid){{1, (uint8_t)(k >> 8), (uint8_t)k, 1}};
        assert_int_equal(client_metrics_subscribe(m, &who, &id, START, &a, &s, &made), 0);
        assert_true(made);
    }
    id = (struct uuid){{1, 0, 0, 1}}; /* the oldest had to go */
    assert_int_equal(client_metrics_subscribe(m, &who, &id, START + 1, &a, &s, &made), 0);
    assert_true(made);
    char name[16], labels[1] = "";
    struct otlp_point point = {name, labels, 1, OTLP_GAUGE};
    for (int k = 0; k < 3000; k++) {
        snprintf(name, sizeof name, "n%d", k);
        client_metrics_store(m, &id, START, &(struct otlp_points){&point, 1});
    }
    struct seen seen = {0};
    client_metrics_each(m, see, &seen);
    assert_int_equal(seen.n, 2000);
    /* nobody is heard of for three times five minutes */
    assert_int_equal(client_metrics_subscribe(m, &who, &id, START + 900001, &a, &s, &made), 0);
    assert_true(made);
    seen.n = 0;
    client_metrics_each(m, see, &seen);
    assert_int_equal(seen.n, 0);
    arena_free(&a);
    client_metrics_destroy(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_payload_is_flattened),
                                       cmocka_unit_test(values_are_kept),
                                       cmocka_unit_test(everything_has_an_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
