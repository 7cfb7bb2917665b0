/* ottla reassign propose|execute|verify|cancel|list: which brokers hold the replicas of partitions. What
 * propose prints, execute and verify take: TOPIC:PARTITION=BROKER,BROKER,… */
#include "cli/reassign.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/alter_partition_reassignments.h"
#include "api/list_partition_reassignments.h"
#include "api/metadata.h"
#include "base/kerr.h"
#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/output.h"

#define TARGET struct alter_partition_reassignments_request_reassignable_partition
#define TOPIC struct alter_partition_reassignments_request_reassignable_topic

enum { LINE = 1024 };

/* "topic:0=1,2", or without replicas "topic:0". One topic with one partition. */
static int parse(struct admin *a, const char *text, bool replicas, TOPIC *t) {
    const char *equal = strrchr(text, '='), *end = replicas && equal ? equal : text + strlen(text);
    const char *colon = end;
    int64_t partition;
    char digits[16];
    while (colon > text && *colon != ':') colon--;
    if ((replicas && !equal) || colon == text || end - colon < 2 || end - colon > 11)
        return cli_wrong_usage("'%s' is not TOPIC:PARTITION%s", text, replicas ? "=BROKER,..." : "");
    snprintf(digits, sizeof digits, "%.*s", (int)(end - colon - 1), colon + 1);
    if (cli_parse_number(digits, 0, INT32_MAX, &partition))
        return cli_wrong_usage("'%s' is no number of a partition", digits);
    alter_partition_reassignments_request_reassignable_topic_init(t);
    t->name = (struct kstr){text, (int32_t)(colon - text)};
    t->partitions = arena_calloc(&a->arena, 1, sizeof *t->partitions);
    if (!t->partitions) return cli_fail("too many partitions");
    t->partitions_n = 1;
    t->partitions->partition_index = (int32_t)partition;
    t->partitions->replicas_n = -1;
    if (replicas && admin_parse_ints(a, equal + 1, strlen(equal + 1), ',', &t->partitions->replicas,
                                     &t->partitions->replicas_n))
        return cli_wrong_usage("'%s' is no list of brokers", equal + 1);
    return 0;
}

static int parse_all(struct cli *c, struct admin *a, bool replicas, TOPIC **v) {
    *v = arena_calloc(&a->arena, (size_t)c->args_n + 1, sizeof **v);
    if (!*v) return cli_fail("too many partitions");
    for (int i = 0; i < c->args_n; i++) {
        int status = parse(a, c->args[i], replicas, &(*v)[i]);
        if (status) return status;
    }
    return 0;
}

/* ---- execute and cancel ---- */

static int16_t whole_code(const void *r) {
    return ((const struct alter_partition_reassignments_response *)r)->error_code;
}

static int refuse_all(struct admin *a, const struct alter_partition_reassignments_response *r) {
    int status = r->error_code ? admin_refused("reassign", r->error_code, r->error_message) : 0;
    for (int32_t t = 0; t < r->responses_n; t++)
        for (int32_t p = 0; p < r->responses[t].partitions_n; p++) {
            const struct alter_partition_reassignments_response_reassignable_partition_response *one =
                &r->responses[t].partitions[p];
            if (!one->error_code) continue;
            const char *what = arena_printf(&a->arena, "%.*s:%d", r->responses[t].name.len,
                                            r->responses[t].name.s, one->partition_index);
            status = admin_refused(what, one->error_code, one->error_message);
        }
    return status;
}

static int change(struct cli *c, bool replicas) {
    struct admin a;
    struct alter_partition_reassignments_request q;
    struct alter_partition_reassignments_response r = {0};
    alter_partition_reassignments_request_init(&q);
    int status = admin_begin(c, &a);
    if (!status) status = parse_all(c, &a, replicas, &q.topics);
    q.topics_n = c->args_n;
    q.allow_replication_factor_change = !replicas || !cli_has(c, "same-factor");
    if (!status)
        status = admin_call(&a, &(struct client_call){.key = API_ALTER_PARTITION_REASSIGNMENTS,
                                                      .request = &q,
                                                      .response = &r,
                                                      .arena = &a.arena,
                                                      .error = whole_code});
    if (!status) status = refuse_all(&a, &r);
    if (!status && c->json) {
        struct json j;
        json_init(&j);
        json_open(&j, '{');
        json_int(&j, replicas ? "begun" : "cancelled", c->args_n);
        json_close(&j, '}');
        json_print(&j);
    }
    admin_end(&a);
    return status;
}

static int reassign_execute(struct cli *c) { return change(c, true); }
static int reassign_cancel(struct cli *c) { return change(c, false); }

/* ---- list ---- */

static int16_t list_code(const void *r) {
    return ((const struct list_partition_reassignments_response *)r)->error_code;
}

static int ask_list(struct admin *a, struct list_partition_reassignments_response *r) {
    struct list_partition_reassignments_request q;
    list_partition_reassignments_request_init(&q);
    q.topics_n = -1;
    int status = admin_call(a, &(struct client_call){.key = API_LIST_PARTITION_REASSIGNMENTS,
                                                     .request = &q,
                                                     .response = r,
                                                     .arena = &a->arena,
                                                     .error = list_code});
    return status || !r->error_code ? status
                                    : admin_refused("reassign list", r->error_code, r->error_message);
}

static void show_list(const struct cli *c, const struct list_partition_reassignments_response *r) {
    static const char *const headings[] = {"topic", "-partition", "replicas", "adding", "removing"};
    struct json j;
    struct table t;
    char text[LINE];
    json_init(&j);
    json_open(&j, '[');
    table_init(&t, headings, 5);
    for (int32_t i = 0; i < r->topics_n; i++)
        for (int32_t k = 0; k < r->topics[i].partitions_n; k++) {
            const struct list_partition_reassignments_response_ongoing_partition_reassignment *p =
                &r->topics[i].partitions[k];
            json_open(&j, '{');
            json_str(&j, "topic", r->topics[i].name);
            json_int(&j, "partition", p->partition_index);
            json_ints(&j, "replicas", p->replicas, p->replicas_n);
            json_ints(&j, "adding", p->adding_replicas, p->adding_replicas_n);
            json_ints(&j, "removing", p->removing_replicas, p->removing_replicas_n);
            json_close(&j, '}');
            table_adds(&t, r->topics[i].name);
            table_add(&t, "%d", p->partition_index);
            table_add(&t, "%s", format_ints(text, sizeof text, p->replicas, p->replicas_n));
            table_add(&t, "%s", format_ints(text, sizeof text, p->adding_replicas, p->adding_replicas_n));
            table_add(&t, "%s", format_ints(text, sizeof text, p->removing_replicas, p->removing_replicas_n));
        }
    json_close(&j, ']');
    if (c->json)
        json_print(&j);
    else
        table_print(&t);
}

static int reassign_list(struct cli *c) {
    struct admin a;
    struct list_partition_reassignments_response r = {0};
    int status = admin_begin(c, &a);
    if (!status) status = ask_list(&a, &r);
    if (!status) show_list(c, &r);
    admin_end(&a);
    return status;
}

/* ---- verify ---- */

static bool is_moving(const struct list_partition_reassignments_response *r, struct kstr topic,
                      int32_t partition) {
    for (int32_t i = 0; i < r->topics_n; i++)
        for (int32_t k = 0; kstr_equal(r->topics[i].name, topic) && k < r->topics[i].partitions_n; k++)
            if (r->topics[i].partitions[k].partition_index == partition) return true;
    return false;
}

/* Are the replicas those that were asked for, in any order? */
static bool reached(const struct metadata_response *r, struct kstr topic, const TARGET *to) {
    for (int32_t i = 0; i < r->topics_n; i++)
        for (int32_t k = 0; kstr_equal(r->topics[i].name, topic) && k < r->topics[i].partitions_n; k++) {
            const struct metadata_response_metadata_response_partition *p = &r->topics[i].partitions[k];
            if (p->partition_index != to->partition_index) continue;
            int32_t there = 0;
            for (int32_t x = 0; x < to->replicas_n; x++)
                for (int32_t y = 0; y < p->replica_nodes_n; y++)
                    there += p->replica_nodes[y] == to->replicas[x];
            return there == to->replicas_n && p->replica_nodes_n == to->replicas_n;
        }
    return false;
}

static int reassign_verify(struct cli *c) {
    static const char *const headings[] = {"partition", "state"};
    struct admin a;
    struct list_partition_reassignments_response going = {0};
    struct metadata_response now = {0};
    TOPIC *v = NULL;
    struct json j;
    struct table t;
    int status = admin_begin(c, &a), unreached = 0;
    if (!status) status = parse_all(c, &a, true, &v);
    if (!status) status = ask_list(&a, &going);
    if (!status) status = admin_metadata(&a, NULL, 0, &now);
    json_init(&j);
    json_open(&j, '{');
    table_init(&t, headings, 2);
    for (int i = 0; i < c->args_n && !status; i++) {
        const char *state = is_moving(&going, v[i].name, v[i].partitions->partition_index) ? "in progress"
                            : reached(&now, v[i].name, v[i].partitions)                    ? "done"
                                                                                           : "not done";
        unreached += strcmp(state, "done") != 0;
        const char *name =
            arena_printf(&a.arena, "%.*s:%d", v[i].name.len, v[i].name.s, v[i].partitions->partition_index);
        json_text(&j, name, state);
        table_add(&t, "%s", name);
        table_add(&t, "%s", state);
    }
    json_close(&j, '}');
    if (c->json && !status)
        json_print(&j);
    else if (!status)
        table_print(&t);
    admin_end(&a);
    return status ? status : unreached ? CLI_FAILED : CLI_DONE;
}

/* ---- propose ---- */

/* Replicas in turn over the brokers, each topic one broker further. */
static void propose_topic(const struct cli *c, const struct metadata_response_metadata_response_topic *t,
                          const int32_t *brokers, int32_t n, int32_t first, struct json *j) {
    char text[LINE];
    for (int32_t i = 0; i < t->partitions_n; i++) {
        const struct metadata_response_metadata_response_partition *p = &t->partitions[i];
        int32_t replicas[64], count = 0;
        for (; count < p->replica_nodes_n && count < n && count < 64; count++)
            replicas[count] = brokers[(first + p->partition_index + count) % n];
        format_ints(text, sizeof text, replicas, count);
        char line[LINE + 300];
        snprintf(line, sizeof line, "%.*s:%d=%s", t->name.len, t->name.s, p->partition_index, text);
        json_text(j, NULL, line);
        if (!c->json) puts(line);
    }
}

static int reassign_propose(struct cli *c) {
    struct admin a;
    struct metadata_response r = {0};
    struct json j;
    int32_t *brokers, n;
    const char *list = cli_get(c, "brokers");
    if (!list) return cli_wrong_usage("--brokers says which brokers may hold replicas");
    int status = admin_begin(c, &a);
    if (!status && (admin_parse_ints(&a, list, strlen(list), ',', &brokers, &n) || n == 0))
        status = cli_wrong_usage("'%s' is no list of brokers", list);
    if (!status) status = admin_metadata(&a, c->args, c->args_n, &r);
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < r.topics_n && !status; i++)
        if (r.topics[i].error_code)
            status = admin_refused(admin_cstr(&a, r.topics[i].name), r.topics[i].error_code, KSTR_NULL);
        else
            propose_topic(c, &r.topics[i], brokers, n, i, &j);
    json_close(&j, ']');
    if (c->json && !status) json_print(&j);
    admin_end(&a);
    return status;
}

/* ---- tables ---- */

static const struct cli_option propose_options[] = {
    {0, "brokers", "ID,...", "brokers that may hold replicas"}, {0}};
static const struct cli_option execute_options[] = {
    {0, "same-factor", NULL, "refuse another number of replicas than now"}, {0}};
static const struct cli_example examples[] = {
    {"ottla reassign propose --brokers 1,2,3 orders >plan", "a plan for a topic"},
    {"ottla reassign execute $(cat plan)", "begin it"},
    {"ottla reassign verify $(cat plan)", "is it reached? Status 0 when all of it is"},
    {"ottla reassign cancel orders:0", "back to where it was"},
    {0},
};
static const struct cli_command commands[] = {
    {"propose", "TOPIC...", "print an even assignment", reassign_propose, NULL, propose_options, examples,
     NULL, CLI_CLIENT | CLI_JSON, HINT_TOPIC, .least = 1, .most = -1},
    {"execute", "TOPIC:PARTITION=BROKER,...", "begin", reassign_execute, NULL, execute_options, examples,
     NULL, CLI_CLIENT | CLI_JSON, .least = 1, .most = -1},
    {"verify", "TOPIC:PARTITION=BROKER,...", "is it reached?", reassign_verify, NULL, NULL, examples, NULL,
     CLI_CLIENT | CLI_JSON, .least = 1, .most = -1},
    {"cancel", "TOPIC:PARTITION...", "back to where it was", reassign_cancel, NULL, NULL, examples, NULL,
     CLI_CLIENT | CLI_JSON, .least = 1, .most = -1},
    {"list", "", "what is in progress", reassign_list, NULL, NULL, examples, NULL, CLI_CLIENT | CLI_JSON},
    {0},
};
const struct cli_command cli_reassign_command = {
    "reassign", .summary = "which brokers hold the replicas of partitions", .commands = commands};

int cli_reassign(int argc, char **argv) { return cli_run(&cli_reassign_command, argc, argv); }
