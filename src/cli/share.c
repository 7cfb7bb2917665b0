/* ottla share describe|reset|delete: from where on share groups deliver. Their members are shown by
 * `ottla group describe`. */
#include "cli/share.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/alter_share_group_offsets.h"
#include "api/delete_share_group_offsets.h"
#include "api/describe_share_group_offsets.h"
#include "base/kerr.h"
#include "cli/admin.h"
#include "cli/offsets.h"
#include "cli/output.h"

/* Names that the generator makes long. */
#define DESCRIBED_GROUP                                                                                      \
    struct describe_share_group_offsets_response_describe_share_group_offsets_response_group
#define DESCRIBED_TOPIC                                                                                      \
    struct describe_share_group_offsets_response_describe_share_group_offsets_response_topic
#define DESCRIBED struct describe_share_group_offsets_response_describe_share_group_offsets_response_partition
#define ASKED_GROUP struct describe_share_group_offsets_request_describe_share_group_offsets_request_group
#define ALTER_TOPIC struct alter_share_group_offsets_request_alter_share_group_offsets_request_topic
#define ALTER_PARTITION struct alter_share_group_offsets_request_alter_share_group_offsets_request_partition
#define ALTERED_TOPIC struct alter_share_group_offsets_response_alter_share_group_offsets_response_topic
#define DELETE_TOPIC struct delete_share_group_offsets_request_delete_share_group_offsets_request_topic

/* ---- describe ---- */

static int16_t describe_code(const void *response) {
    const struct describe_share_group_offsets_response *r = response;
    return r->groups_n == 1 ? r->groups[0].error_code : 0;
}

static int ask(struct admin *a, const char *name, DESCRIBED_GROUP **g) {
    struct describe_share_group_offsets_request q;
    struct describe_share_group_offsets_response *r = arena_calloc(&a->arena, 1, sizeof *r);
    ASKED_GROUP group = {.group_id = kstr_of(name), .topics_n = -1};
    describe_share_group_offsets_request_init(&q);
    q.groups = &group;
    q.groups_n = 1;
    if (!r) return cli_fail("out of memory");
    int status = admin_call(a, &(struct client_call){.key = API_DESCRIBE_SHARE_GROUP_OFFSETS,
                                                     .target = CLIENT_GROUP,
                                                     .name = name,
                                                     .request = &q,
                                                     .response = r,
                                                     .arena = &a->arena,
                                                     .error = describe_code});
    if (status) return status;
    if (r->groups_n != 1) return cli_fail("%s: the broker answered for %d groups", name, r->groups_n);
    *g = &r->groups[0];
    return (*g)->error_code ? admin_refused(name, (*g)->error_code, (*g)->error_message) : 0;
}

static void add_known(struct table *t, int64_t v) {
    if (v < 0)
        table_add(t, "-");
    else
        table_add(t, "%lld", (long long)v);
}

static void show_partition(struct table *t, struct json *j, const DESCRIBED_TOPIC *topic,
                           const DESCRIBED *p) {
    table_adds(t, topic->topic_name);
    table_add(t, "%d", p->partition_index);
    add_known(t, p->start_offset);
    add_known(t, p->lag);
    table_add(t, "%d", p->leader_epoch);
    table_add(t, "%s", p->error_code ? kerr_name(p->error_code) : "");
    json_open(j, '{');
    json_str(j, "topic", topic->topic_name);
    json_int(j, "partition", p->partition_index);
    json_int(j, "start", p->start_offset);
    json_int(j, "lag", p->lag);
    json_int(j, "leaderEpoch", p->leader_epoch);
    json_text(j, "error", p->error_code ? kerr_name(p->error_code) : NULL);
    json_close(j, '}');
}

static void show(struct cli *c, const DESCRIBED_GROUP *g, struct json *j) {
    static const char *const headings[] = {"TOPIC", "-PARTITION", "-START", "-LAG", "-LEADER EPOCH", "ERROR"};
    struct table t;
    table_init(&t, headings, 6);
    json_open(j, '{');
    json_str(j, "group", g->group_id);
    json_key(j, "partitions");
    json_open(j, '[');
    for (int32_t k = 0; k < g->topics_n; k++)
        for (int32_t i = 0; i < g->topics[k].partitions_n; i++)
            show_partition(&t, j, &g->topics[k], &g->topics[k].partitions[i]);
    json_close(j, ']');
    json_close(j, '}');
    if (!c->json && !g->topics_n)
        printf("%.*s: no offsets\n", g->group_id.len, g->group_id.s);
    else if (!c->json) {
        printf("%.*s:\n", g->group_id.len, g->group_id.s);
        table_print(&t);
    }
}

static int share_describe(struct cli *c) {
    struct admin a;
    struct json j;
    int result = CLI_DONE, status = admin_begin(c, &a);
    json_init(&j);
    json_open(&j, '[');
    for (int i = 0; !status && i < c->args_n; i++) {
        DESCRIBED_GROUP *g = NULL;
        int one = ask(&a, c->args[i], &g);
        if (one)
            result = one;
        else
            show(c, g, &j);
    }
    json_close(&j, ']');
    if (c->json && !status)
        json_print(&j);
    else
        strbuf_free(&j.out);
    admin_end(&a);
    return status ? status : result;
}

/* ---- reset ---- */

/* The partitions that --topic names, each with its leader; *n of them. */
static int choose(struct cli *c, struct admin *a, int64_t at, struct offset_at **v, int *n) {
    const char *text;
    struct metadata_response meta;
    char **names = arena_calloc(&a->arena, (size_t)c->settings_n + 1, sizeof *names);
    int topics = 0;
    if (!names) return cli_fail("out of memory");
    for (int k = 0; (text = cli_next(c, "topic", &k));)
        names[topics++] = arena_strndup(&a->arena, text, strlen(text));
    if (!topics) return cli_wrong_usage("share reset: --topic says which topics");
    int status = admin_metadata(a, names, topics, &meta);
    if (status) return status;
    for (int32_t i = 0; i < meta.topics_n; i++)
        if (meta.topics[i].error_code)
            return admin_refused(admin_cstr(a, meta.topics[i].name), meta.topics[i].error_code, KSTR_NULL);
    *v = offsets_of_topics(a, &meta, at, n);
    return *v ? 0 : cli_fail("too many partitions");
}

static int parse_target(struct cli *c, int64_t *at, int64_t *fixed) {
    const char *to = cli_get(c, "to");
    *fixed = -1;
    if (!to) return cli_wrong_usage("share reset: --to says where: earliest, latest or an offset");
    if (!strcmp(to, "earliest"))
        *at = OFFSET_EARLIEST;
    else if (!strcmp(to, "latest"))
        *at = OFFSET_LATEST;
    else if (cli_parse_number(to, 0, INT64_MAX, fixed))
        return cli_wrong_usage("--to %s: it must be earliest, latest or an offset", to);
    else
        *at = OFFSET_EARLIEST;
    return 0;
}

static int fill_alter(struct admin *a, const char *name, const struct offset_at *v, int n,
                      struct alter_share_group_offsets_request *q) {
    alter_share_group_offsets_request_init(q);
    q->group_id = kstr_of(name);
    q->topics = arena_calloc(&a->arena, (size_t)n + 1, sizeof *q->topics);
    ALTER_PARTITION *to = arena_calloc(&a->arena, (size_t)n + 1, sizeof *to);
    if (!q->topics || !to) return cli_fail("too many partitions");
    ALTER_TOPIC *t = NULL;
    for (int i = 0; i < n; i++, to++) {
        if (!t || !kstr_equal(t->topic_name, v[i].topic)) {
            t = &q->topics[q->topics_n++];
            *t = (ALTER_TOPIC){.topic_name = v[i].topic, .partitions = to};
        }
        to->partition_index = v[i].partition;
        to->start_offset = v[i].offset;
        t->partitions_n++;
    }
    return 0;
}

static int16_t alter_code(const void *response) {
    return ((const struct alter_share_group_offsets_response *)response)->error_code;
}

static int execute(struct admin *a, const char *name, const struct offset_at *v, int n) {
    struct alter_share_group_offsets_request q;
    struct alter_share_group_offsets_response r;
    int status = fill_alter(a, name, v, n, &q);
    if (!status)
        status = admin_call(a, &(struct client_call){.key = API_ALTER_SHARE_GROUP_OFFSETS,
                                                     .target = CLIENT_GROUP,
                                                     .name = name,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = alter_code});
    if (status) return status;
    if (r.error_code == KERR_NON_EMPTY_GROUP) return cli_fail("%s has members; stop them first", name);
    if (r.error_code) return admin_refused(name, r.error_code, r.error_message);
    for (int32_t t = 0; t < r.responses_n; t++)
        for (int32_t i = 0; i < r.responses[t].partitions_n; i++)
            if (r.responses[t].partitions[i].error_code)
                return admin_refused(admin_cstr(a, r.responses[t].topic_name),
                                     r.responses[t].partitions[i].error_code,
                                     r.responses[t].partitions[i].error_message);
    return 0;
}

static void show_plan(struct cli *c, const char *name, const struct offset_at *v, int n, bool executed) {
    static const char *const headings[] = {"TOPIC", "-PARTITION", "-NEW"};
    struct table t;
    struct json j;
    table_init(&t, headings, 3);
    json_init(&j);
    json_open(&j, '{');
    json_text(&j, "group", name);
    json_bool(&j, "executed", executed);
    json_key(&j, "partitions");
    json_open(&j, '[');
    for (int i = 0; i < n; i++) {
        table_adds(&t, v[i].topic);
        table_add(&t, "%d", v[i].partition);
        table_add(&t, "%lld", (long long)v[i].offset);
        json_open(&j, '{');
        json_str(&j, "topic", v[i].topic);
        json_int(&j, "partition", v[i].partition);
        json_int(&j, "new", v[i].offset);
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

static int share_reset(struct cli *c) {
    struct admin a;
    struct offset_at *v = NULL;
    int64_t at = OFFSET_EARLIEST, fixed = -1;
    int n = 0, status = parse_target(c, &at, &fixed);
    if (status) return status;
    status = admin_begin(c, &a);
    if (!status) status = choose(c, &a, at, &v, &n);
    if (!status) status = offsets_ask(&a, v, n, false);
    for (int i = 0; !status && i < n; i++) {
        if (v[i].error) status = admin_refused(admin_cstr(&a, v[i].topic), v[i].error, KSTR_NULL);
        if (fixed >= 0) v[i].offset = fixed;
    }
    bool executes = cli_has(c, "execute");
    if (!status && executes) status = execute(&a, c->args[0], v, n);
    if (!status) show_plan(c, c->args[0], v, n, executes);
    admin_end(&a);
    return status;
}

/* ---- delete ---- */

static int16_t delete_code(const void *response) {
    return ((const struct delete_share_group_offsets_response *)response)->error_code;
}

static int forget(struct cli *c, struct admin *a, const char *name) {
    struct delete_share_group_offsets_request q;
    struct delete_share_group_offsets_response r;
    const char *topic;
    delete_share_group_offsets_request_init(&q);
    q.group_id = kstr_of(name);
    q.topics = arena_calloc(&a->arena, (size_t)c->settings_n + 1, sizeof(DELETE_TOPIC));
    for (int at = 0; q.topics && (topic = cli_next(c, "topic", &at));)
        q.topics[q.topics_n++].topic_name = kstr_of(topic);
    if (!q.topics_n)
        return cli_wrong_usage(
            "share delete: --topic says which topics; `ottla group delete` removes a group");
    int status = admin_call(a, &(struct client_call){.key = API_DELETE_SHARE_GROUP_OFFSETS,
                                                     .target = CLIENT_GROUP,
                                                     .name = name,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = delete_code});
    if (status) return status;
    if (r.error_code == KERR_NON_EMPTY_GROUP) return cli_fail("%s has members; stop them first", name);
    if (r.error_code) return admin_refused(name, r.error_code, r.error_message);
    for (int32_t t = 0; t < r.responses_n; t++)
        if (r.responses[t].error_code)
            return admin_refused(admin_cstr(a, r.responses[t].topic_name), r.responses[t].error_code,
                                 r.responses[t].error_message);
    return 0;
}

static int share_delete(struct cli *c) {
    struct admin a;
    struct json j;
    int status = admin_begin(c, &a);
    if (!status) status = forget(c, &a, c->args[0]);
    if (!status && c->json) {
        json_init(&j);
        json_open(&j, '{');
        json_text(&j, "group", c->args[0]);
        json_bool(&j, "deleted", true);
        json_close(&j, '}');
        json_print(&j);
    } else if (!status)
        printf("%s: offsets removed\n", c->args[0]);
    admin_end(&a);
    return status;
}

/* ---- tables ---- */

static const struct cli_option reset_options[] = {
    {'t', "topic", "TOPIC", "all partitions of the topic; may be repeated", NULL, HINT_TOPIC},
    {0, "to", "WHERE", "earliest, latest or an offset"},
    {'x', "execute", NULL, "do it; without, only the plan is shown"},
    {0},
};

static const struct cli_option delete_options[] = {
    {'t', "topic", "TOPIC", "forget the topic; may be repeated", NULL, HINT_TOPIC},
    {0},
};

static const struct cli_example describe_examples[] = {
    {"ottla share describe workers", "where the group begins in each partition, and how much is left"},
    {0},
};
static const struct cli_example reset_examples[] = {
    {"ottla share reset workers --topic jobs --to earliest", "show what would happen"},
    {"ottla share reset workers --topic jobs --to latest --execute", "deliver nothing of what is there"},
    {0},
};
static const struct cli_example delete_examples[] = {
    {"ottla share delete workers --topic jobs", "forget the topic; it begins anew with the next member"},
    {0},
};
static const struct cli_command commands[] = {
    {"describe", "GROUP...", "show offsets and lag", share_describe, NULL, NULL, describe_examples,
     .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_GROUP, .least = 1, .most = -1},
    {"reset", "GROUP", "begin elsewhere; shows the plan unless --execute is given", share_reset, NULL,
     reset_options, reset_examples, .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_GROUP, .least = 1,
     .most = 1},
    {"delete", "GROUP", "forget the offsets of topics", share_delete, NULL, delete_options, delete_examples,
     .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_GROUP, .least = 1, .most = 1},
    {0},
};
const struct cli_command cli_share_command = {
    "share", .summary = "describe, reset, delete the offsets of share groups", .commands = commands};

int cli_share(int argc, char **argv) { return cli_run(&cli_share_command, argc, argv); }
