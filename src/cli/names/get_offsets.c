/* kafka-get-offsets: org.apache.kafka.tools.GetOffsetShell. */
#include <stdio.h>
#include <stdlib.h>

#include "base/kerr.h"
#include "base/mem.h"
#include "base/re2.h"
#include "cli/names/names.h"
#include "cli/names/topics.h"
#include "cli/offsets.h"

enum { CALL_MS = 60000 };

/* Topics by a regular expression, and their partitions from..to-1. */
struct rule {
    struct re2_pattern *topic;
    int64_t from, to;
};

struct filter {
    struct rule *rules;
    int n;
    int32_t *partitions; /* of --partitions */
    int32_t partitions_n;
};

static void filter_free(struct filter *f) {
    for (int i = 0; i < f->n; i++) re2_free(f->rules[i].topic);
    free(f->rules);
}

/* [topic][:[partition | from-[to] | -to]] of n characters. */
static bool parse_rule(struct tool_run *r, const char *text, size_t n, struct rule *v) {
    const char *colon = memchr(text, ':', n), *end = text + n, *why = end;
    size_t len = colon ? (size_t)(colon - text) : n;
    char *name = len ? xstrndup(text, len) : xstrdup(".*");
    v->topic = tool_topic_pattern(r, name);
    free(name);
    if (!v->topic) return false;
    v->from = 0;
    v->to = INT32_MAX;
    if (!colon || colon + 1 == end) return true;
    const char *p = colon + 1, *dash = memchr(p, '-', (size_t)(end - p));
    for (why = p; why < end && ((*why >= '0' && *why <= '9') || why == dash); why++) continue;
    if (why != end) return tool_fail(r, "Invalid rule specification: %.*s", (int)n, text);
    v->from = strtoll(p, NULL, 10);
    if (!dash)
        v->to = v->from + 1;
    else {
        v->from = dash == p ? 0 : v->from;
        v->to = dash + 1 == end ? INT32_MAX : strtoll(dash + 1, NULL, 10);
    }
    return true;
}

static bool parse_filter(struct tool_run *r, struct filter *f) {
    const char *rules = tool_get(r, "topic-partitions"), *topic = tool_get(r, "topic"),
               *ids = tool_get(r, "partitions");
    if (rules && (topic || ids))
        return tool_fail(r, "--topic-partitions cannot be used with --topic or --partitions");
    f->rules = xcalloc(rules ? strlen(rules) + 1 : 1, sizeof *f->rules);
    if (!rules) {
        f->rules[f->n] = (struct rule){tool_topic_pattern(r, topic ? topic : ".*"), 0, INT32_MAX};
        if (!f->rules[f->n++].topic) return false;
        if (ids && *ids &&
            admin_parse_ints(&r->admin, ids, strlen(ids), ',', &f->partitions, &f->partitions_n))
            return tool_fail(
                r, "--partitions expects a comma separated list of numeric partition ids, but received: %s",
                ids);
        return true;
    }
    for (const char *p = rules; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (!parse_rule(r, p, n, &f->rules[f->n++])) return false;
        p += n;
    }
    return true;
}

static bool passes(const struct filter *f, struct kstr topic, int32_t partition) {
    bool listed = f->partitions_n == 0, matched = false;
    for (int32_t i = 0; i < f->partitions_n; i++) listed = listed || f->partitions[i] == partition;
    for (int i = 0; i < f->n && !matched; i++)
        matched = partition >= f->rules[i].from && partition < f->rules[i].to &&
                  re2_matches(f->rules[i].topic, topic.s, (size_t)topic.len);
    return listed && matched;
}

static bool parse_time(struct tool_run *r, int64_t *v) {
    static const char *const names[] = {"latest",         "earliest",      "max-timestamp",
                                        "earliest-local", "latest-tiered", "earliest-pending-upload"};
    const char *text = tool_get(r, "time");
    *v = -1;
    if (!text) return true;
    for (int i = 0; i < 6; i++)
        if (!strcmp(text, names[i])) {
            *v = -1 - i;
            return true;
        }
    if (!cli_parse_number(text, INT64_MIN, INT64_MAX, v)) return true;
    return tool_fail(
        r,
        "Malformed time argument %s. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / -4 or "
        "earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long format "
        "timestamp",
        text);
}

static const char *label(struct admin *a, const struct offset_at *q) {
    const char *text = arena_printf(&a->arena, "%.*s-%d", q->topic.len, q->topic.s, q->partition);
    return text ? text : "";
}

struct labelled {
    const char *label;
    const struct offset_at *q;
};

/* In the order of "topic-partition" as text, so 10 before 2. */
static int by_label(const void *x, const void *y) {
    return strcmp(((const struct labelled *)x)->label, ((const struct labelled *)y)->label);
}

static bool show(struct tool_run *r, struct offset_at *q, int n) {
    struct labelled *order = arena_calloc(&r->admin.arena, (size_t)n, sizeof *order);
    char name[100];
    if (!order) return tool_fail(r, "too many partitions");
    for (int i = 0; i < n; i++) order[i] = (struct labelled){label(&r->admin, &q[i]), &q[i]};
    qsort(order, (size_t)n, sizeof *order, by_label);
    for (int i = 0; i < n; i++) {
        const struct offset_at *p = order[i].q;
        if (p->error)
            fprintf(stderr,
                    "Skip getting offsets for topic-partition %s due to error: "
                    "org.apache.kafka.common.errors.%s: %s\n",
                    order[i].label, tool_exception(p->error, name), kerr_message(p->error));
        else if (p->offset >= 0)
            printf("%.*s:%d:%lld\n", p->topic.len, p->topic.s, p->partition, (long long)p->offset);
    }
    return true;
}

static bool run(struct tool_run *r, struct filter *f) {
    struct metadata_response m;
    int64_t time;
    int n, kept = 0;
    if (!parse_time(r, &time) || !parse_filter(r, f) ||
        !tool_connect(r, tool_get(r, "bootstrap-server"), CALL_MS) || !topics_all(r, &m))
        return false;
    struct offset_at *q = offsets_of_topics(&r->admin, &m, time, &n);
    if (!q) return tool_fail(r, "too many partitions");
    for (int i = 0; i < n; i++) {
        if (tool_has(r, "exclude-internal-topics") && tool_is_internal(q[i].topic)) continue;
        if (passes(f, q[i].topic, q[i].partition)) q[kept++] = q[i];
    }
    if (!kept) return tool_fail(r, "Could not match any topic-partitions with the specified filters");
    if (offsets_ask(&r->admin, q, kept, false)) return tool_fail(r, "%s", client_why(r->admin.client));
    return show(r, q, kept);
}

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"topic-partitions", TOOL_TEXT, "a:1,b:0-3,c", "partitions of topics by regular expressions"},
    {"topic", TOOL_TEXT, "topic", "topics by a regular expression"},
    {"partitions", TOOL_TEXT, "0,1", "only these partitions"},
    {"time", TOOL_TEXT, "time",
     "a timestamp, latest, earliest, max-timestamp, earliest-local, latest-tiered, "
     "earliest-pending-upload"},
    {"exclude-internal-topics", TOOL_FLAG, NULL, "without internal topics"},
    {0},
};
static const struct tool tool = {"kafka-get-offsets",
                                 "An interactive shell for getting topic-partition offsets.", options};

int names_get_offsets(int argc, char **argv) {
    struct tool_run r;
    struct filter f = {0};
    if (!tool_begin(&r, &tool, argc, argv) || !tool_required(&r, "bootstrap-server")) goto out;
    if (!run(&r, &f)) {
        fprintf(stderr, "Error occurred: %s\n", r.why);
        r.status = 1;
    }
out:
    filter_free(&f);
    tool_end(&r);
    return r.status;
}
