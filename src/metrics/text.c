#include "metrics/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name, *type, *help;
} families[METRICS] = {
#define METRIC(id, name, type, help) [METRIC_##id] = {name, type, help},
#include "metric_list.h"
#undef METRIC
};

const char *metric_name(enum metric_id id) { return families[id].name; }

/* In help: backslash and end of line; in values the quote, too. */
static void add_escaped(struct strbuf *to, const char *s, size_t n, bool value) {
    for (size_t i = 0; i < n; i++)
        if (s[i] == '\\')
            strbuf_adds(to, "\\\\");
        else if (s[i] == '\n')
            strbuf_adds(to, "\\n");
        else if (s[i] == '"' && value)
            strbuf_adds(to, "\\\"");
        else
            strbuf_add(to, &s[i], 1);
}

void metric_head(struct strbuf *to, enum metric_id id) {
    strbuf_addf(to, "# HELP %s ", families[id].name);
    add_escaped(to, families[id].help, strlen(families[id].help), false);
    strbuf_addf(to, "\n# TYPE %s %s\n", families[id].name, families[id].type);
}

/* Name and labels; `more` are more labels; `le` is one more, of a histogram's bucket. */
static void add_name(struct strbuf *to, enum metric_id id, const char *suffix,
                     const struct metric_label *labels, const char *more, const char *le) {
    char between = '{';
    strbuf_adds(to, families[id].name);
    strbuf_adds(to, suffix);
    for (; labels && labels->name; labels++) {
        strbuf_addf(to, "%c%s=\"", between, labels->name);
        if (labels->value.len > 0) add_escaped(to, labels->value.s, (size_t)labels->value.len, true);
        strbuf_add(to, "\"", 1);
        between = ',';
    }
    if (more) strbuf_adds(to, more);
    if (le) strbuf_addf(to, "%cle=\"%s\"", between, le);
    strbuf_adds(to, between == ',' || le ? "} " : " ");
}

static void add_number(struct strbuf *to, double v) {
    if (isnan(v))
        strbuf_adds(to, "NaN\n");
    else if (isinf(v))
        strbuf_adds(to, v > 0 ? "+Inf\n" : "-Inf\n");
    else
        strbuf_addf(to, "%.15g\n", v);
}

void metric_sample(struct strbuf *to, enum metric_id id, const struct metric_label *labels, double value) {
    add_name(to, id, "", labels, NULL, NULL);
    add_number(to, value);
}

void metric_sample_with(struct strbuf *to, enum metric_id id, const struct metric_label *labels,
                        const char *more, double value) {
    add_name(to, id, "", labels, more, NULL);
    add_number(to, value);
}

void metric_int(struct strbuf *to, enum metric_id id, const struct metric_label *labels, int64_t value) {
    add_name(to, id, "", labels, NULL, NULL);
    strbuf_addf(to, "%lld\n", (long long)value);
}

void metric_histogram(struct strbuf *to, enum metric_id id, const struct metric_label *labels,
                      const struct histogram_view *v) {
    char bound[32];
    int64_t below = 0;
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        below += v->counts[i];
        if (i < HISTOGRAM_BUCKETS - 1)
            snprintf(bound, sizeof bound, "%.15g", (double)histogram_bounds[i] / 1e6);
        add_name(to, id, "_bucket", labels, NULL, i < HISTOGRAM_BUCKETS - 1 ? bound : "+Inf");
        strbuf_addf(to, "%lld\n", (long long)below);
    }
    add_name(to, id, "_sum", labels, NULL, NULL);
    add_number(to, (double)v->sum_ns / 1e6);
    add_name(to, id, "_count", labels, NULL, NULL);
    strbuf_addf(to, "%lld\n", (long long)v->count);
}

void metric_one(struct strbuf *to, enum metric_id id, double value) {
    metric_head(to, id);
    metric_sample(to, id, NULL, value);
}
