/* See otlp.h. Field numbers are those of the .proto files:
 *
 *     MetricsData      1 ResourceMetrics*
 *     ResourceMetrics  1 Resource, 2 ScopeMetrics*        Resource      1 KeyValue*
 *     ScopeMetrics     2 Metric*
 *     Metric           1 name, 5 Gauge, 7 Sum, 9 Histogram, 10 ExponentialHistogram, 11 Summary
 *     each of these    1 data points*, 2 aggregation temporality (1 delta, 2 cumulative)
 *     NumberDataPoint  7 KeyValue*, 4 double, 6 sfixed64
 *     Histogram- and SummaryDataPoint   9, 7 KeyValue*, 4 count fixed64, 5 sum double
 *     ExponentialHistogramDataPoint     1 KeyValue*, 4 count fixed64, 5 sum double
 *     KeyValue         1 key, 2 AnyValue                  AnyValue      1 string, 2 bool, 3 int, 4 double
 */
#include "server/otlp.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "wire/protobuf.h"

enum { GAUGE = 5, SUM = 7, HISTOGRAM = 9, EXPONENTIAL = 10, SUMMARY = 11 };
enum { DELTA = 1, LABELS_MAX = 4096, POINT_ATTRIBUTES = 7, FIRST_ROOM = 64 };

struct work {
    struct arena *arena;
    struct otlp_points *to;
    struct strbuf resource; /* labels of the resource */
    int32_t room;
    bool full; /* nothing more is kept */
    bool bad;
};

/* ---- labels ---- */

/* Letters, digits and '_': what Prometheus takes; the rest becomes '_'. */
static void add_key(struct strbuf *b, const struct protobuf_field *key) {
    for (size_t i = 0; i < key->len; i++) {
        uint8_t c = key->bytes[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9' && i > 0;
        strbuf_add(b, letter || digit ? (const char *)&c : "_", 1);
    }
}

static void add_text(struct strbuf *b, const uint8_t *s, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '"' || s[i] == '\\')
            strbuf_addf(b, "\\%c", s[i]);
        else if (s[i] == '\n')
            strbuf_addf(b, "\\n");
        else if (s[i] != 0)
            strbuf_add(b, &s[i], 1);
    }
}

static void add_value(struct work *w, struct strbuf *b, const struct protobuf_field *value) {
    struct protobuf in = protobuf_message(value);
    for (struct protobuf_field f; protobuf_next(&in, &f);) {
        if (f.number == 1 && f.type == PROTOBUF_BYTES) add_text(b, f.bytes, f.len);
        if (f.number == 2 && f.type == PROTOBUF_VARINT) strbuf_addf(b, "%s", f.value ? "true" : "false");
        if (f.number == 3 && f.type == PROTOBUF_VARINT) strbuf_addf(b, "%" PRId64, (int64_t)f.value);
        if (f.number == 4 && f.type == PROTOBUF_I64) strbuf_addf(b, "%.17g", protobuf_double(&f));
    }
    if (in.bad) w->bad = true;
}

static void add_label(struct work *w, struct strbuf *b, const struct protobuf_field *pair) {
    struct protobuf in = protobuf_message(pair);
    struct protobuf_field key = {0}, value = {0};
    for (struct protobuf_field f; protobuf_next(&in, &f);) {
        if (f.number == 1 && f.type == PROTOBUF_BYTES) key = f;
        if (f.number == 2 && f.type == PROTOBUF_BYTES) value = f;
    }
    if (in.bad) w->bad = true;
    if (w->bad || key.len == 0) return;
    if (b->len) strbuf_addf(b, ",");
    add_key(b, &key);
    strbuf_addf(b, "=\"");
    if (value.type == PROTOBUF_BYTES) add_value(w, b, &value);
    strbuf_addf(b, "\"");
}

/* ---- points ---- */

static void add_point(struct work *w, const char *name, const char *suffix, const struct strbuf *labels,
                      double value, enum otlp_kind kind) {
    struct otlp_points *to = w->to;
    if (w->bad || w->full || !strbuf_ok(labels)) return;
    if (to->n == w->room) {
        int32_t room = w->room ? w->room * 2 : FIRST_ROOM;
        struct otlp_point *v = arena_alloc(w->arena, (size_t)room * sizeof *v);
        if (!v || to->n >= OTLP_POINTS_MAX) {
            w->full = true;
            return;
        }
        if (to->n) memcpy(v, to->v, (size_t)to->n * sizeof *v);
        to->v = v;
        w->room = room;
    }
    struct otlp_point p = {.value = value, .kind = kind};
    p.name = *suffix ? arena_printf(w->arena, "%s%s", name, suffix) : name;
    p.labels = arena_strndup(w->arena, labels->len ? labels->s : "", labels->len);
    w->full = !p.name || !p.labels;
    if (!w->full) to->v[to->n++] = p;
}

struct data {
    const char *name;
    uint32_t what; /* GAUGE … */
    enum otlp_kind kind;
};

static uint32_t attributes_of(uint32_t what) {
    return what == HISTOGRAM ? 9 : what == EXPONENTIAL ? 1 : POINT_ATTRIBUTES;
}

static void read_point(struct work *w, const struct data *d, const struct protobuf_field *point) {
    struct protobuf in = protobuf_message(point);
    struct strbuf labels;
    double value = 0, count = 0;
    bool number = d->what == GAUGE || d->what == SUM, has_value = false, has_count = false;
    strbuf_init(&labels, LABELS_MAX);
    if (w->resource.len) strbuf_add(&labels, w->resource.s, w->resource.len);
    labels.failed |= w->resource.failed;
    for (struct protobuf_field f; protobuf_next(&in, &f) && !w->bad;) {
        if (f.number == attributes_of(d->what) && f.type == PROTOBUF_BYTES)
            add_label(w, &labels, &f);
        else if (f.type == PROTOBUF_I64 && f.number == 4 && !number)
            count = (double)f.value, has_count = true;
        else if (f.type == PROTOBUF_I64 && f.number == (number ? 4 : 5))
            value = protobuf_double(&f), has_value = true;
        else if (f.type == PROTOBUF_I64 && f.number == 6 && number)
            value = (double)(int64_t)f.value, has_value = true;
    }
    if (in.bad) w->bad = true;
    if (has_count) add_point(w, d->name, ".count", &labels, count, d->kind);
    if (has_value) add_point(w, d->name, number ? "" : ".sum", &labels, value, d->kind);
    strbuf_free(&labels);
}

static void read_data(struct work *w, const char *name, const struct protobuf_field *data) {
    struct data d = {name, data->number, data->number == GAUGE ? OTLP_GAUGE : OTLP_TOTAL};
    struct protobuf in = protobuf_message(data);
    for (struct protobuf_field f; protobuf_next(&in, &f);) /* it may come after the points */
        if (f.number == 2 && f.type == PROTOBUF_VARINT && f.value == DELTA) d.kind = OTLP_DELTA;
    if (in.bad) w->bad = true;
    in = protobuf_message(data);
    for (struct protobuf_field f; !w->bad && protobuf_next(&in, &f);)
        if (f.number == 1 && f.type == PROTOBUF_BYTES) read_point(w, &d, &f);
}

static void read_metric(struct work *w, const struct protobuf_field *metric) {
    struct protobuf in = protobuf_message(metric);
    struct protobuf_field name = {0}, data = {0};
    for (struct protobuf_field f; protobuf_next(&in, &f);) {
        if (f.type != PROTOBUF_BYTES) continue;
        if (f.number == 1) name = f;
        if (f.number == GAUGE || f.number == SUM || (f.number >= HISTOGRAM && f.number <= SUMMARY)) data = f;
    }
    if (in.bad) w->bad = true;
    if (w->bad || !data.number || name.len == 0 || memchr(name.bytes, 0, name.len)) return;
    const char *text = arena_strndup(w->arena, (const char *)name.bytes, name.len);
    if (!text) w->full = true;
    read_data(w, text ? text : "", &data);
}

static void read_scope(struct work *w, const struct protobuf_field *scope) {
    struct protobuf in = protobuf_message(scope);
    for (struct protobuf_field f; !w->bad && protobuf_next(&in, &f);)
        if (f.number == 2 && f.type == PROTOBUF_BYTES) read_metric(w, &f);
    if (in.bad) w->bad = true;
}

static void read_resource(struct work *w, const struct protobuf_field *resource) {
    struct protobuf in = protobuf_message(resource);
    for (struct protobuf_field f; !w->bad && protobuf_next(&in, &f);)
        if (f.number == 1 && f.type == PROTOBUF_BYTES) add_label(w, &w->resource, &f);
    if (in.bad) w->bad = true;
}

static void read_resource_metrics(struct work *w, const struct protobuf_field *all) {
    struct protobuf in = protobuf_message(all);
    strbuf_init(&w->resource, LABELS_MAX);
    for (struct protobuf_field f; !w->bad && protobuf_next(&in, &f);)
        if (f.number == 1 && f.type == PROTOBUF_BYTES) read_resource(w, &f);
    if (in.bad) w->bad = true;
    in = protobuf_message(all);
    for (struct protobuf_field f; !w->bad && protobuf_next(&in, &f);)
        if (f.number == 2 && f.type == PROTOBUF_BYTES) read_scope(w, &f);
    strbuf_free(&w->resource);
}

int otlp_read(const void *bytes, size_t n, struct arena *a, struct otlp_points *to) {
    struct work w = {.arena = a, .to = to};
    struct protobuf in = protobuf_of(bytes, n);
    *to = (struct otlp_points){0};
    for (struct protobuf_field f; !w.bad && protobuf_next(&in, &f);)
        if (f.number == 1 && f.type == PROTOBUF_BYTES) read_resource_metrics(&w, &f);
    if (in.bad) w.bad = true;
    return w.bad ? OE_MALFORMED : 0;
}
