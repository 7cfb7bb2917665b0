/* ottla group list|describe|delete; reset is in group_reset.c. */
#include "cli/group.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/delete_groups.h"
#include "api/list_groups.h"
#include "api/offset_delete.h"
#include "base/kerr.h"
#include "cli/output.h"

/* ---- list ---- */

static int compare_groups(const void *x, const void *y) {
    const struct list_groups_response_listed_group *a = x, *b = y;
    struct kstr s = a->group_id, t = b->group_id;
    int n = memcmp(s.s, t.s, (size_t)(s.len < t.len ? s.len : t.len));
    return n ? n : s.len - t.len;
}

static int16_t list_code(const void *response) {
    return ((const struct list_groups_response *)response)->error_code;
}

int group_ask_list(struct admin *a, struct list_groups_response_listed_group **v, int32_t *n) {
    struct list_groups_request q;
    struct list_groups_response r;
    const int32_t *nodes;
    int count;
    *v = NULL;
    *n = 0;
    list_groups_request_init(&q);
    int status = admin_done(a, client_nodes(a->client, &nodes, &count));
    if (status) return status;
    int32_t *ids = arena_memdup(&a->arena, nodes, (size_t)count * sizeof *nodes);
    for (int i = 0; i < count; i++) {
        status = admin_call(a, &(struct client_call){.key = API_LIST_GROUPS,
                                                     .target = CLIENT_NODE,
                                                     .node = ids[i],
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = list_code});
        if (status) return status;
        if (r.error_code) return admin_refused("group list", r.error_code, KSTR_NULL);
        struct list_groups_response_listed_group *more =
            arena_calloc(&a->arena, (size_t)(*n + r.groups_n) + 1, sizeof *more);
        if (!more) return cli_fail("too many groups");
        if (*n) memcpy(more, *v, (size_t)*n * sizeof *more);
        if (r.groups_n) memcpy(more + *n, r.groups, (size_t)r.groups_n * sizeof *more);
        *v = more;
        *n += r.groups_n;
    }
    if (*n) qsort(*v, (size_t)*n, sizeof **v, compare_groups);
    return 0;
}

static int group_list(struct cli *c) {
    static const char *const headings[] = {"GROUP", "TYPE", "STATE", "PROTOCOL"};
    struct list_groups_response_listed_group *v;
    struct admin a;
    struct table t;
    struct json j;
    int32_t n = 0;
    const char *state = cli_get(c, "state"), *type = cli_get(c, "type");
    int status = admin_begin(c, &a);
    if (!status) status = group_ask_list(&a, &v, &n);
    if (status) goto out;
    table_init(&t, headings, 4);
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < n; i++) {
        if ((state && !kstr_is(v[i].group_state, state)) || (type && !kstr_is(v[i].group_type, type)))
            continue;
        table_adds(&t, v[i].group_id);
        table_adds(&t, v[i].group_type);
        table_adds(&t, v[i].group_state);
        table_adds(&t, v[i].protocol_type);
        json_open(&j, '{');
        json_str(&j, "group", v[i].group_id);
        json_str(&j, "type", v[i].group_type);
        json_str(&j, "state", v[i].group_state);
        json_str(&j, "protocol", v[i].protocol_type);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    if (c->json)
        json_print(&j);
    else
        table_print(&t);
out:
    admin_end(&a);
    return status;
}

/* ---- describe ---- */

static int64_t lag_of(const struct group_partition *p) {
    return p->committed < 0 || p->end < 0 ? -1 : p->end > p->committed ? p->end - p->committed : 0;
}

static void tasks_json(const struct group_view *g, struct json *j) {
    json_key(j, "tasks");
    json_open(j, '[');
    for (int32_t i = 0; i < g->tasks_n; i++) {
        json_open(j, '{');
        json_str(j, "subtopology", g->tasks[i].subtopology);
        json_int(j, "partition", g->tasks[i].partition);
        json_str(j, "role", kstr_of(g->tasks[i].role));
        json_str(j, "member", g->members[g->tasks[i].member].id);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void view_json(const struct group_view *g, struct json *j) {
    json_open(j, '{');
    json_str(j, "group", g->name);
    json_str(j, "state", g->state);
    json_str(j, "type", g->type);
    json_str(j, "assignor", g->assignor);
    if (g->epoch >= 0) json_int(j, "epoch", g->epoch);
    if (g->epoch >= 0) json_int(j, "assignment_epoch", g->assignment_epoch);
    json_key(j, "members");
    json_open(j, '[');
    for (int32_t i = 0; i < g->members_n; i++) {
        json_open(j, '{');
        json_str(j, "member", g->members[i].id);
        json_str(j, "instance", g->members[i].instance);
        json_str(j, "client", g->members[i].client);
        json_str(j, "host", g->members[i].host);
        if (g->members[i].epoch >= 0) json_int(j, "epoch", g->members[i].epoch);
        json_int(j, "partitions", g->members[i].partitions);
        json_close(j, '}');
    }
    json_close(j, ']');
    if (kstr_is(g->type, "streams")) tasks_json(g, j);
    json_key(j, "partitions");
    json_open(j, '[');
    for (int32_t i = 0; i < g->partitions_n; i++) {
        const struct group_partition *p = &g->partitions[i];
        json_open(j, '{');
        json_str(j, "topic", p->topic);
        json_int(j, "partition", p->partition);
        json_int(j, "committed", p->committed);
        json_int(j, "start", p->start);
        json_int(j, "end", p->end);
        json_int(j, "lag", lag_of(p));
        json_str(j, "member", p->member < 0 ? KSTR_NULL : g->members[p->member].id);
        json_str(j, "metadata", p->metadata);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_close(j, '}');
}

static void add_known(struct table *t, int64_t v) {
    if (v < 0)
        table_add(t, "-");
    else
        table_add(t, "%lld", (long long)v);
}

static void members_text(const struct group_view *g) {
    static const char *const headings[] = {"MEMBER", "INSTANCE", "CLIENT", "HOST", "-EPOCH", "-PARTITIONS"};
    struct table t;
    table_init(&t, headings, 6);
    for (int32_t i = 0; i < g->members_n; i++) {
        table_adds(&t, g->members[i].id);
        table_adds(&t, g->members[i].instance);
        table_adds(&t, g->members[i].client);
        table_adds(&t, g->members[i].host);
        add_known(&t, g->members[i].epoch);
        table_add(&t, "%d", g->members[i].partitions);
    }
    table_print(&t);
}

static void partitions_text(const struct group_view *g) {
    static const char *const headings[] = {"TOPIC", "-PARTITION", "-COMMITTED", "-END",
                                           "-LAG",  "CLIENT",     "HOST"};
    struct table t;
    table_init(&t, headings, 7);
    for (int32_t i = 0; i < g->partitions_n; i++) {
        const struct group_partition *p = &g->partitions[i];
        table_adds(&t, p->topic);
        table_add(&t, "%d", p->partition);
        add_known(&t, p->committed);
        add_known(&t, p->end);
        add_known(&t, lag_of(p));
        table_adds(&t, p->member < 0 ? KSTR("-") : g->members[p->member].client);
        table_adds(&t, p->member < 0 ? KSTR("-") : g->members[p->member].host);
    }
    table_print(&t);
}

static void tasks_text(const struct group_view *g) {
    static const char *const headings[] = {"TASK", "ROLE", "CLIENT", "HOST"};
    struct table t;
    table_init(&t, headings, 4);
    for (int32_t i = 0; i < g->tasks_n; i++) {
        const struct group_task *k = &g->tasks[i];
        table_add(&t, "%.*s_%d", k->subtopology.len, k->subtopology.s, k->partition);
        table_add(&t, "%s", k->role);
        table_adds(&t, g->members[k->member].client);
        table_adds(&t, g->members[k->member].host);
    }
    table_print(&t);
}

static void view_text(const struct group_view *g) {
    int64_t total = 0;
    for (int32_t i = 0; i < g->partitions_n; i++)
        total += lag_of(&g->partitions[i]) > 0 ? lag_of(&g->partitions[i]) : 0;
    printf("%.*s: %.*s, %.*s%s%.*s, %d member%s, lag %lld", g->name.len, g->name.s, g->state.len, g->state.s,
           g->type.len, g->type.s, g->assignor.len > 0 ? ", assignor " : "",
           g->assignor.len > 0 ? g->assignor.len : 0, g->assignor.s ? g->assignor.s : "", g->members_n,
           g->members_n == 1 ? "" : "s", (long long)total);
    if (g->epoch >= 0) printf(", epoch %d (assigned %d)", g->epoch, g->assignment_epoch);
    putchar('\n');
    if (g->members_n) members_text(g);
    if (g->tasks_n) tasks_text(g);
    if (g->partitions_n) partitions_text(g);
}

static int describe_one(struct cli *c, struct admin *a, const char *name, struct json *j) {
    struct group_view g;
    bool missing;
    int status = group_ask(a, name, &g, &missing);
    if (!status && missing) status = cli_fail("there is no group '%s'; `ottla group list` shows them", name);
    if (!status) status = group_ask_committed(a, &g);
    if (!status) status = group_ask_ends(a, &g);
    if (status) return status;
    if (c->json)
        view_json(&g, j);
    else
        view_text(&g);
    return 0;
}

static int group_describe(struct cli *c) {
    struct list_groups_response_listed_group *v = NULL;
    struct admin a;
    struct json j;
    int32_t n = c->args_n;
    int result = CLI_DONE, status = admin_begin(c, &a);
    json_init(&j);
    json_open(&j, '[');
    if (!status && c->args_n == 0) status = group_ask_list(&a, &v, &n);
    for (int32_t i = 0; !status && i < n; i++) {
        if (v && !kstr_is(v[i].group_type, "classic") && !kstr_is(v[i].group_type, "consumer") &&
            !kstr_is(v[i].group_type, "streams"))
            continue;
        if (i && !c->json) putchar('\n');
        int one = describe_one(c, &a, v ? admin_cstr(&a, v[i].group_id) : c->args[i], &j);
        if (one) result = one;
    }
    json_close(&j, ']');
    if (c->json && !status)
        json_print(&j);
    else
        strbuf_free(&j.out);
    admin_end(&a);
    return status ? status : result;
}

/* ---- delete ---- */

static int16_t delete_code(const void *response) {
    const struct delete_groups_response *r = response;
    return r->results_n == 1 ? r->results[0].error_code : 0;
}

static int delete_group(struct admin *a, const char *name) {
    struct delete_groups_request q;
    struct delete_groups_response r;
    struct kstr group = kstr_of(name);
    delete_groups_request_init(&q);
    q.groups_names = &group;
    q.groups_names_n = 1;
    int status = admin_call(a, &(struct client_call){.key = API_DELETE_GROUPS,
                                                     .target = CLIENT_GROUP,
                                                     .name = name,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = delete_code});
    if (status) return status;
    int16_t code = delete_code(&r);
    if (code == KERR_GROUP_ID_NOT_FOUND)
        return cli_fail("there is no group '%s'; `ottla group list` shows them", name);
    if (code == KERR_NON_EMPTY_GROUP) return cli_fail("%s has members; stop them first", name);
    return code ? admin_refused(name, code, KSTR_NULL) : 0;
}

static int16_t forget_code(const void *response) {
    return ((const struct offset_delete_response *)response)->error_code;
}

/* Removes the offsets of the topics of --topic. */
static int forget_topics(struct cli *c, struct admin *a, const char *name) {
    struct offset_delete_request q;
    struct offset_delete_response r;
    struct group_view g = {.name = kstr_of(name)};
    const char *topic;
    int status = group_ask_committed(a, &g);
    if (status) return status;
    offset_delete_request_init(&q);
    q.group_id = g.name;
    q.topics = arena_calloc(&a->arena, (size_t)c->settings_n, sizeof *q.topics);
    for (int at = 0; (topic = cli_next(c, "topic", &at));) {
        struct offset_delete_request_offset_delete_request_topic *t = &q.topics[q.topics_n++];
        t->name = kstr_of(topic);
        t->partitions = arena_calloc(&a->arena, (size_t)g.partitions_n + 1, sizeof *t->partitions);
        for (int32_t i = 0; i < g.partitions_n; i++)
            if (kstr_is(g.partitions[i].topic, topic))
                t->partitions[t->partitions_n++].partition_index = g.partitions[i].partition;
        if (t->partitions_n == 0) return cli_fail("%s has no offsets of topic '%s'", name, topic);
    }
    status = admin_call(a, &(struct client_call){.key = API_OFFSET_DELETE,
                                                 .target = CLIENT_GROUP,
                                                 .name = name,
                                                 .request = &q,
                                                 .response = &r,
                                                 .arena = &a->arena,
                                                 .error = forget_code});
    if (!status && r.error_code) return admin_refused(name, r.error_code, KSTR_NULL);
    for (int32_t t = 0; !status && t < r.topics_n; t++)
        for (int32_t i = 0; i < r.topics[t].partitions_n; i++)
            if (r.topics[t].partitions[i].error_code)
                return admin_refused(admin_cstr(a, r.topics[t].name), r.topics[t].partitions[i].error_code,
                                     KSTR_NULL);
    return status;
}

static int group_delete(struct cli *c) {
    struct admin a;
    struct json j;
    int result = CLI_DONE, status = admin_begin(c, &a);
    json_init(&j);
    json_open(&j, '[');
    for (int i = 0; !status && i < c->args_n; i++) {
        bool offsets = cli_has(c, "topic");
        int one = offsets ? forget_topics(c, &a, c->args[i]) : delete_group(&a, c->args[i]);
        if (one) {
            result = one;
            continue;
        }
        json_open(&j, '{');
        json_text(&j, "group", c->args[i]);
        json_bool(&j, "deleted", !offsets);
        json_close(&j, '}');
        if (!c->json) printf("%s: %s\n", c->args[i], offsets ? "offsets removed" : "deleted");
    }
    json_close(&j, ']');
    if (c->json && !status)
        json_print(&j);
    else
        strbuf_free(&j.out);
    admin_end(&a);
    return status ? status : result;
}

/* ---- tables ---- */

static const struct cli_option list_options[] = {
    {0, "state", "STATE", "only groups in this state: Stable, Empty, …"},
    {0, "type", "TYPE", "only groups of this type", "classic consumer share streams"},
    {0},
};
static const struct cli_example list_examples[] = {
    {"ottla group list", "all groups with type and state"},
    {"ottla group list --state Empty --json", "those without members, for a program"},
    {0},
};
static const struct cli_example describe_examples[] = {
    {"ottla group describe billing", "members, assignment and lag of each partition"},
    {"ottla group describe --json | jq 'map({group, lag: [.partitions[].lag] | add})'", "lag of every group"},
    {0},
};
static const struct cli_example reset_examples[] = {
    {"ottla group reset billing --topic orders --to earliest", "show what would happen"},
    {"ottla group reset billing --all-topics --to-time 2h --execute", "read the last two hours again"},
    {"ottla group reset billing --topic orders:0,1 --shift -100 --execute", "two partitions, back by 100"},
    {0},
};
static const struct cli_option delete_options[] = {
    {'t', "topic", "TOPIC", "only the group's offsets of this topic; may be repeated", NULL, HINT_TOPIC},
    {0},
};
static const struct cli_example delete_examples[] = {
    {"ottla group delete billing", "the group and its offsets; it must have no members"},
    {"ottla group delete billing --topic old-orders", "only the offsets of one topic"},
    {0},
};
static const struct cli_command commands[] = {
    {"list", NULL, "list the groups", group_list, NULL, list_options, list_examples,
     .flags = CLI_CLIENT | CLI_JSON},
    {"describe", "[GROUP]...", "show members, offsets and lag", group_describe, NULL, NULL, describe_examples,
     .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_GROUP, .most = -1},
    {"reset", "GROUP", "move a group's offsets; shows the plan unless --execute is given", group_reset, NULL,
     group_reset_options, reset_examples, .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_GROUP, .least = 1,
     .most = 1},
    {"delete", "GROUP...", "delete groups, or their offsets of a topic", group_delete, NULL, delete_options,
     delete_examples, .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_GROUP, .least = 1, .most = -1},
    {0},
};
const struct cli_command cli_group_command = {
    "group", .summary = "list, describe, reset, delete consumer groups", .commands = commands};

int cli_group(int argc, char **argv) { return cli_run(&cli_group_command, argc, argv); }
