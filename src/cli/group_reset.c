/* ottla group reset: shows the plan, and with --execute commits it. Only a group without members takes it. */
#include <stdio.h>
#include <stdlib.h>

#include "api/offset_commit.h"
#include "base/kerr.h"
#include "cli/group.h"
#include "cli/output.h"
#include "io/clock.h"

enum { OFFSET_COMMIT_BY_NAME = 9 };

const struct cli_option group_reset_options[] = {
    {'t', "topic", "TOPIC[:P,P]", "the topic, or some of its partitions; may be repeated", NULL, HINT_TOPIC},
    {'a', "all-topics", NULL, "all that the group has offsets of"},
    {0, "to", "WHERE", "earliest, latest or an offset"},
    {0, "to-time", "TIME",
     "the first record since: 2026-01-31T12:00:00[Z], milliseconds, or 2h ago (s, m, h, d)"},
    {0, "shift", "N", "forward by N, or back with -N"},
    {0, "dry-run", NULL, "show the plan (this is what happens without --execute)"},
    {'x', "execute", NULL, "do it"},
    {0},
};

enum target { TO_EARLIEST, TO_LATEST, TO_OFFSET, TO_TIME, TO_SHIFT };

struct plan {
    enum target target;
    int64_t value; /* of TO_OFFSET, TO_TIME, TO_SHIFT */
    int64_t *to;   /* one for each of the view's partitions */
};

static int parse_target(struct cli *c, struct plan *p) {
    const char *to = cli_get(c, "to"), *time = cli_get(c, "to-time"), *shift = cli_get(c, "shift");
    if (!!to + !!time + !!shift != 1)
        return cli_wrong_usage("group reset: give one of --to, --to-time, --shift");
    if (to && !strcmp(to, "earliest")) {
        p->target = TO_EARLIEST;
    } else if (to && !strcmp(to, "latest")) {
        p->target = TO_LATEST;
    } else if (to) {
        p->target = TO_OFFSET;
        if (cli_parse_number(to, 0, INT64_MAX, &p->value))
            return cli_wrong_usage("--to %s: it must be earliest, latest or an offset", to);
    } else if (time) {
        p->target = TO_TIME;
        if (cli_parse_time(time, clock_wall_ms(), &p->value))
            return cli_wrong_usage("--to-time %s: write 2026-01-31T12:00:00, milliseconds since 1970, or 2h",
                                   time);
    } else {
        p->target = TO_SHIFT;
        p->value = cli_number(c, "shift", -(INT64_C(1) << 60), INT64_C(1) << 60, 0);
    }
    return c->failed;
}

/* Adds what --topic says to the view: some partitions of a topic, or all. */
static int add_topic(struct admin *a, struct group_view *g, const char *text) {
    struct metadata_response meta;
    const char *colon = strchr(text, ':');
    char *name = arena_strndup(&a->arena, text, colon ? (size_t)(colon - text) : strlen(text));
    int32_t *v = NULL, n = -1;
    if (colon && admin_parse_ints(a, colon + 1, strlen(colon + 1), ',', &v, &n))
        return cli_wrong_usage("--topic %s: write TOPIC, or TOPIC:0,1,2", text);
    int status = admin_metadata(a, &name, 1, &meta);
    if (status) return status;
    if (meta.topics_n != 1 || meta.topics[0].error_code)
        return admin_refused(name,
                             meta.topics_n == 1 ? meta.topics[0].error_code : KERR_UNKNOWN_TOPIC_OR_PARTITION,
                             KSTR_NULL);
    int32_t count = meta.topics[0].partitions_n;
    for (int32_t i = 0; i < (n < 0 ? count : n); i++) {
        int32_t partition = n < 0 ? meta.topics[0].partitions[i].partition_index : v[i];
        if (partition >= count)
            return cli_fail("%s has %d partitions, none is number %d", name, count, partition);
        if (!group_partition(a, g, kstr_of(name), partition)) return cli_fail("too many partitions");
    }
    return 0;
}

/* Leaves in the view what the command line names. Offsets of other partitions stay as they are. */
static int choose(struct cli *c, struct admin *a, struct group_view *g) {
    struct group_view chosen = *g;
    const char *text;
    int at = 0;
    if (cli_has(c, "all-topics")) return 0;
    chosen.partitions = NULL;
    chosen.partitions_n = chosen.partitions_cap = 0;
    while ((text = cli_next(c, "topic", &at))) {
        int status = add_topic(a, &chosen, text);
        if (status) return status;
    }
    for (int32_t i = 0; i < chosen.partitions_n; i++)
        for (int32_t k = 0; k < g->partitions_n; k++)
            if (chosen.partitions[i].partition == g->partitions[k].partition &&
                kstr_equal(chosen.partitions[i].topic, g->partitions[k].topic))
                chosen.partitions[i].committed = g->partitions[k].committed;
    *g = chosen;
    return 0;
}

static int by_time(struct admin *a, const struct group_view *g, struct plan *p) {
    struct offset_at *q = arena_calloc(&a->arena, (size_t)g->partitions_n + 1, sizeof *q);
    if (!q) return cli_fail("too many partitions");
    for (int32_t i = 0; i < g->partitions_n; i++)
        q[i] = (struct offset_at){.topic = g->partitions[i].topic,
                                  .partition = g->partitions[i].partition,
                                  .leader = g->partitions[i].leader,
                                  .timestamp = p->value};
    int status = offsets_ask(a, q, g->partitions_n, false);
    for (int32_t i = 0; i < g->partitions_n && !status; i++)
        p->to[i] = q[i].error || q[i].offset < 0 ? g->partitions[i].end : q[i].offset;
    return status;
}

static int compute(struct admin *a, const struct group_view *g, struct plan *p) {
    p->to = arena_calloc(&a->arena, (size_t)g->partitions_n + 1, sizeof *p->to);
    if (!p->to) return cli_fail("too many partitions");
    int status = p->target == TO_TIME ? by_time(a, g, p) : 0;
    for (int32_t i = 0; i < g->partitions_n && !status; i++) {
        const struct group_partition *k = &g->partitions[i];
        if (k->end < 0 || k->start < 0)
            return cli_fail("%.*s-%d: its offsets are not known (no leader?)", k->topic.len, k->topic.s,
                            k->partition);
        if (p->target == TO_SHIFT && k->committed < 0)
            return cli_fail("%.*s-%d: the group has no offset to shift; use --to", k->topic.len, k->topic.s,
                            k->partition);
        switch (p->target) {
        case TO_EARLIEST: p->to[i] = k->start; break;
        case TO_LATEST: p->to[i] = k->end; break;
        case TO_OFFSET: p->to[i] = p->value; break;
        case TO_SHIFT: p->to[i] = k->committed + p->value; break;
        case TO_TIME: break;
        }
        if (p->to[i] < k->start) p->to[i] = k->start;
        if (p->to[i] > k->end) p->to[i] = k->end;
    }
    return status;
}

static int16_t commit_code(const void *response) {
    const struct offset_commit_response *r = response;
    return r->topics_n > 0 && r->topics[0].partitions_n > 0 ? r->topics[0].partitions[0].error_code : 0;
}

static int fill_commit(struct admin *a, const struct group_view *g, const int64_t *offsets,
                       struct offset_commit_request *q) {
    offset_commit_request_init(q);
    q->group_id = g->name;
    q->topics = arena_calloc(&a->arena, (size_t)g->partitions_n, sizeof *q->topics);
    struct offset_commit_request_offset_commit_request_partition *to =
        arena_calloc(&a->arena, (size_t)g->partitions_n, sizeof *to);
    if (!q->topics || !to) return OE_LIMIT;
    struct offset_commit_request_offset_commit_request_topic *t = NULL;
    for (int32_t i = 0; i < g->partitions_n; i++, to++) {
        if (!t || !kstr_equal(t->name, g->partitions[i].topic)) {
            t = &q->topics[q->topics_n++];
            *t = (struct offset_commit_request_offset_commit_request_topic){.name = g->partitions[i].topic,
                                                                            .partitions = to};
        }
        offset_commit_request_offset_commit_request_partition_init(to);
        to->partition_index = g->partitions[i].partition;
        to->committed_offset = offsets[i];
        t->partitions_n++;
    }
    return 0;
}

int group_commit(struct admin *a, const struct group_view *g, const int64_t *to, int16_t *code) {
    struct offset_commit_request q;
    struct offset_commit_response r;
    *code = 0;
    if (fill_commit(a, g, to, &q)) return cli_fail("too many partitions");
    int status = admin_call(a, &(struct client_call){.key = API_OFFSET_COMMIT,
                                                     .at_most = OFFSET_COMMIT_BY_NAME,
                                                     .target = CLIENT_GROUP,
                                                     .name = g->name.s,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = commit_code});
    for (int32_t t = 0; !status && t < r.topics_n; t++)
        for (int32_t i = 0; i < r.topics[t].partitions_n; i++)
            if (!*code) *code = r.topics[t].partitions[i].error_code;
    return status;
}

static int execute(struct admin *a, const struct group_view *g, const struct plan *p) {
    int16_t code;
    int status = group_commit(a, g, p->to, &code);
    if (status || !code) return status;
    if (code == KERR_UNKNOWN_MEMBER_ID || code == KERR_STALE_MEMBER_EPOCH)
        return cli_fail("%s has members; stop them first", g->name.s);
    return admin_refused(g->name.s, code, KSTR_NULL);
}

static void show_plan(struct cli *c, const struct group_view *g, const struct plan *p, bool executed) {
    static const char *const headings[] = {"TOPIC", "-PARTITION", "-NOW", "-NEW", "-LAG"};
    struct table t;
    struct json j;
    table_init(&t, headings, 5);
    json_init(&j);
    json_open(&j, '{');
    json_str(&j, "group", g->name);
    json_bool(&j, "executed", executed);
    json_key(&j, "partitions");
    json_open(&j, '[');
    for (int32_t i = 0; i < g->partitions_n; i++) {
        const struct group_partition *k = &g->partitions[i];
        table_adds(&t, k->topic);
        table_add(&t, "%d", k->partition);
        if (k->committed < 0)
            table_add(&t, "-");
        else
            table_add(&t, "%lld", (long long)k->committed);
        table_add(&t, "%lld", (long long)p->to[i]);
        table_add(&t, "%lld", (long long)(k->end - p->to[i]));
        json_open(&j, '{');
        json_str(&j, "topic", k->topic);
        json_int(&j, "partition", k->partition);
        json_int(&j, "committed", k->committed);
        json_int(&j, "new", p->to[i]);
        json_int(&j, "lag", k->end - p->to[i]);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_close(&j, '}');
    if (c->json) {
        json_print(&j);
        return;
    }
    strbuf_free(&j.out);
    table_print(&t);
    puts(executed ? "done" : "nothing was changed; --execute does it");
}

int group_reset(struct cli *c) {
    struct admin a;
    struct group_view g;
    struct plan p = {0};
    bool missing, run = cli_has(c, "execute");
    if (run && cli_has(c, "dry-run")) return cli_wrong_usage("--dry-run and --execute cannot both be");
    if (cli_has(c, "all-topics") == cli_has(c, "topic"))
        return cli_wrong_usage("group reset: give --topic or --all-topics");
    int status = parse_target(c, &p);
    if (status) return status;
    status = admin_begin(c, &a);
    if (!status) status = group_ask(&a, c->args[0], &g, &missing);
    if (!status && missing && cli_has(c, "all-topics"))
        status = cli_fail("there is no group '%s'", c->args[0]);
    if (!status && run && g.members_n > 0)
        status = cli_fail("%s has %d member%s; stop them first", c->args[0], g.members_n,
                          g.members_n == 1 ? "" : "s");
    if (!status && !missing) status = group_ask_committed(&a, &g);
    if (!status) status = choose(c, &a, &g);
    if (!status) status = group_ask_ends(&a, &g);
    if (!status) status = compute(&a, &g, &p);
    if (!status && run && g.partitions_n) status = execute(&a, &g, &p);
    if (!status) show_plan(c, &g, &p, run);
    admin_end(&a);
    return status;
}
