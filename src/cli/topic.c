/* ottla topic create|list|alter|delete; describe is in topic_describe.c. */
#include "cli/topic.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/create_partitions.h"
#include "api/create_topics.h"
#include "api/delete_topics.h"
#include "base/kerr.h"
#include "cli/config.h"
#include "cli/output.h"
#include "io/clock.h"

enum { KNOWN_MS = 5000, KNOWN_PAUSE_MS = 10 };

/* "0:1,1:2": for each partition its replicas, leader first. The arena's; 0 or an exit status. */
struct assignment {
    int32_t *brokers;
    int32_t n;
};

static int parse_assignment(struct admin *a, const char *text, struct assignment **v, int32_t *n) {
    size_t most = 1;
    for (const char *p = text; *p; p++) most += *p == ',';
    *v = arena_calloc(&a->arena, most, sizeof **v);
    *n = 0;
    if (!*v) return cli_fail("--assignment: too long");
    for (const char *p = text;; p++) {
        size_t len = strcspn(p, ",");
        struct assignment *to = &(*v)[(*n)++];
        if (admin_parse_ints(a, p, len, ':', &to->brokers, &to->n))
            return cli_wrong_usage(
                "--assignment '%s': write the brokers of each partition, leader first: 1:2,2:3,3:1", text);
        p += len;
        if (!*p) return 0;
    }
}

static int16_t create_code(const void *response) {
    const struct create_topics_response *r = response;
    return r->topics_n > 0 ? r->topics[0].error_code : 0;
}
static int16_t delete_code(const void *response) {
    const struct delete_topics_response *r = response;
    int16_t code = r->responses_n > 0 ? r->responses[0].error_code : 0;
    return code == KERR_UNKNOWN_TOPIC_OR_PARTITION ? 0 : code; /* waiting does not make it exist */
}
static int16_t partitions_code(const void *response) {
    const struct create_partitions_response *r = response;
    int16_t code = r->results_n > 0 ? r->results[0].error_code : 0;
    return code == KERR_UNKNOWN_TOPIC_OR_PARTITION ? 0 : code;
}

/* ---- waiting ---- */

/* The controller has done it; until a broker knows it, the next command would not find it. Waits for
 * `partitions` of the topic with leaders, 0 for its end. A cluster that is slower than this is told of by the
 * next command. */
static void wait_until_known(struct admin *a, struct kstr topic, int32_t partitions) {
    int64_t deadline = clock_mono_ms() + KNOWN_MS;
    char *name = (char *)admin_cstr(a, topic);
    struct metadata_response r;
    while (clock_mono_ms() < deadline) {
        if (admin_metadata(a, &name, 1, &r) || r.topics_n != 1) return;
        const struct metadata_response_metadata_response_topic *t = &r.topics[0];
        int32_t ready = 0;
        for (int32_t i = 0; i < t->partitions_n; i++) ready += t->partitions[i].leader_id >= 0;
        if (partitions ? !t->error_code && ready >= partitions
                       : t->error_code == KERR_UNKNOWN_TOPIC_OR_PARTITION)
            return;
        clock_sleep_ms(KNOWN_PAUSE_MS);
    }
}

/* ---- create ---- */

static int fill_create(struct cli *c, struct admin *a, struct create_topics_request *q) {
    struct assignment *assignment = NULL;
    int32_t assignment_n = 0;
    const char *text = cli_get(c, "assignment");
    if (text && (cli_has(c, "partitions") || cli_has(c, "replication-factor")))
        return cli_wrong_usage("--assignment already says how many partitions and replicas there are");
    int status = text ? parse_assignment(a, text, &assignment, &assignment_n) : 0;
    if (status) return status;
    struct create_topics_request_creatable_topic t;
    create_topics_request_creatable_topic_init(&t);
    t.num_partitions = (int32_t)cli_number(c, "partitions", 1, INT32_MAX, -1);
    t.replication_factor = (int16_t)cli_number(c, "replication-factor", 1, INT16_MAX, -1);
    t.assignments = arena_calloc(&a->arena, (size_t)assignment_n + 1, sizeof *t.assignments);
    t.assignments_n = assignment_n;
    for (int32_t i = 0; i < assignment_n; i++) {
        t.assignments[i].partition_index = i;
        t.assignments[i].broker_ids = assignment[i].brokers;
        t.assignments[i].broker_ids_n = assignment[i].n;
    }
    t.configs = arena_calloc(&a->arena, (size_t)c->settings_n + 1, sizeof *t.configs);
    const char *setting;
    for (int at = 0; (setting = cli_next(c, "config", &at));) {
        struct create_topics_request_creatable_topic_config *k = &t.configs[t.configs_n++];
        if (config_split(setting, &k->name, &k->value))
            return cli_wrong_usage("-c %s: write name=value", setting);
    }
    create_topics_request_init(q);
    q->timeout_ms = a->timeout_ms;
    q->validate_only = cli_has(c, "validate-only");
    q->topics = arena_calloc(&a->arena, (size_t)c->args_n, sizeof *q->topics);
    for (int i = 0; i < c->args_n; i++) {
        t.name = kstr_of(c->args[i]);
        q->topics[q->topics_n++] = t;
    }
    return c->failed;
}

static int show_created(struct cli *c, struct admin *a, const struct create_topics_response *r) {
    bool lenient = cli_has(c, "if-not-exists"), dry = cli_has(c, "validate-only");
    int status = CLI_DONE;
    struct json j;
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < r->topics_n; i++) {
        const struct create_topics_response_creatable_topic_result *t = &r->topics[i];
        bool exists = lenient && t->error_code == KERR_TOPIC_ALREADY_EXISTS;
        char id[UUID_TEXT];
        if (t->error_code && !exists) {
            status = admin_refused(admin_cstr(a, t->name), t->error_code, t->error_message);
            continue;
        }
        if (!exists && !dry) wait_until_known(a, t->name, t->num_partitions > 0 ? t->num_partitions : 1);
        if (!c->json && exists)
            printf("%.*s exists already\n", t->name.len, t->name.s);
        else if (!c->json)
            printf("%s %.*s: %d partition%s, %d replica%s each\n", dry ? "can create" : "created",
                   t->name.len, t->name.s, t->num_partitions, t->num_partitions == 1 ? "" : "s",
                   t->replication_factor, t->replication_factor == 1 ? "" : "s");
        json_open(&j, '{');
        json_str(&j, "name", t->name);
        json_bool(&j, "created", !exists && !dry);
        if (!exists) {
            json_text(&j, "id", uuid_format(&t->topic_id, id));
            json_int(&j, "partitions", t->num_partitions);
            json_int(&j, "replicationFactor", t->replication_factor);
        }
        json_close(&j, '}');
    }
    json_close(&j, ']');
    if (c->json)
        json_print(&j);
    else
        strbuf_free(&j.out);
    return status;
}

static int topic_create(struct cli *c) {
    struct admin a;
    struct create_topics_request q;
    struct create_topics_response r;
    int status = admin_begin(c, &a);
    if (!status) status = fill_create(c, &a, &q);
    if (!status)
        status = admin_call(&a, &(struct client_call){.key = API_CREATE_TOPICS,
                                                      .target = CLIENT_CONTROLLER,
                                                      .request = &q,
                                                      .response = &r,
                                                      .arena = &a.arena,
                                                      .error = create_code});
    if (!status) status = show_created(c, &a, &r);
    admin_end(&a);
    return status;
}

/* ---- list ---- */

int topic_compare(const void *x, const void *y) {
    const struct metadata_response_metadata_response_topic *a = x, *b = y;
    int n = memcmp(a->name.s, b->name.s, (size_t)(a->name.len < b->name.len ? a->name.len : b->name.len));
    return n ? n : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

static int topic_list(struct cli *c) {
    struct admin a;
    struct metadata_response r;
    struct json j;
    int status = admin_begin(c, &a);
    if (!status) status = admin_metadata(&a, NULL, 0, &r);
    if (status) goto out;
    if (r.topics_n > 0) qsort(r.topics, (size_t)r.topics_n, sizeof *r.topics, topic_compare);
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < r.topics_n; i++) {
        if (r.topics[i].is_internal && !cli_has(c, "internal")) continue;
        if (!c->json) printf("%.*s\n", r.topics[i].name.len, r.topics[i].name.s);
        json_str(&j, NULL, r.topics[i].name);
    }
    json_close(&j, ']');
    if (c->json)
        json_print(&j);
    else
        strbuf_free(&j.out);
out:
    admin_end(&a);
    return status;
}

/* ---- alter ---- */

static int alter_partitions(struct cli *c, struct admin *a) {
    struct create_partitions_request q;
    struct create_partitions_response r;
    struct assignment *assignment = NULL;
    int32_t assignment_n = -1;
    const char *text = cli_get(c, "assignment");
    int status = text ? parse_assignment(a, text, &assignment, &assignment_n) : 0;
    if (status) return status;
    create_partitions_request_init(&q);
    q.timeout_ms = a->timeout_ms;
    q.validate_only = cli_has(c, "validate-only");
    struct create_partitions_request_create_partitions_topic t;
    create_partitions_request_create_partitions_topic_init(&t);
    t.name = kstr_of(c->args[0]);
    t.count = (int32_t)cli_number(c, "partitions", 1, INT32_MAX, 1);
    t.assignments_n = assignment_n;
    t.assignments =
        assignment_n > 0 ? arena_calloc(&a->arena, (size_t)assignment_n, sizeof *t.assignments) : NULL;
    for (int32_t i = 0; i < assignment_n; i++) {
        t.assignments[i].broker_ids = assignment[i].brokers;
        t.assignments[i].broker_ids_n = assignment[i].n;
    }
    q.topics = &t;
    q.topics_n = 1;
    if (c->failed) return c->failed;
    status = admin_call(a, &(struct client_call){.key = API_CREATE_PARTITIONS,
                                                 .target = CLIENT_CONTROLLER,
                                                 .request = &q,
                                                 .response = &r,
                                                 .arena = &a->arena,
                                                 .error = partitions_code});
    if (status) return status;
    if (r.results_n != 1) return cli_fail("the broker's answer does not name the topic");
    if (r.results[0].error_code)
        return admin_refused(c->args[0], r.results[0].error_code, r.results[0].error_message);
    if (!c->json) printf("%s %s %d partitions\n", c->args[0], q.validate_only ? "can have" : "has", t.count);
    return 0;
}

static int topic_alter(struct cli *c) {
    struct admin a;
    bool configs = cli_has(c, "config") || cli_has(c, "unset");
    if (!cli_has(c, "partitions") && !configs)
        return cli_wrong_usage("topic alter: nothing to alter; give --partitions, --config or --unset");
    if (cli_has(c, "assignment") && !cli_has(c, "partitions"))
        return cli_wrong_usage("--assignment needs --partitions, the new number of all partitions");
    int status = admin_begin(c, &a);
    if (!status && cli_has(c, "partitions")) status = alter_partitions(c, &a);
    if (!status && configs) status = config_alter(c, &a, CONFIG_TOPIC, c->args[0], "config", "unset");
    if (!status && c->json) {
        struct json j;
        json_init(&j);
        json_open(&j, '{');
        json_text(&j, "name", c->args[0]);
        json_bool(&j, "altered", !cli_has(c, "validate-only"));
        json_close(&j, '}');
        json_print(&j);
    }
    admin_end(&a);
    return status;
}

/* ---- delete ---- */

static int show_deleted(struct cli *c, struct admin *a, const struct delete_topics_response *r) {
    int status = CLI_DONE;
    struct json j;
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < r->responses_n; i++) {
        const struct delete_topics_response_deletable_topic_result *t = &r->responses[i];
        bool missing = cli_has(c, "if-exists") && t->error_code == KERR_UNKNOWN_TOPIC_OR_PARTITION;
        if (t->error_code && !missing) {
            status = admin_refused(admin_cstr(a, t->name), t->error_code, t->error_message);
            continue;
        }
        if (!missing) wait_until_known(a, t->name, 0);
        if (!c->json) printf("%.*s%s\n", t->name.len, t->name.s, missing ? " does not exist" : " deleted");
        json_open(&j, '{');
        json_str(&j, "name", t->name);
        json_bool(&j, "deleted", !missing);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    if (c->json)
        json_print(&j);
    else
        strbuf_free(&j.out);
    return status;
}

static int topic_delete(struct cli *c) {
    struct admin a;
    struct delete_topics_request q;
    struct delete_topics_response r;
    int status = admin_begin(c, &a);
    if (status) goto out;
    delete_topics_request_init(&q);
    q.timeout_ms = a.timeout_ms;
    q.topics = arena_calloc(&a.arena, (size_t)c->args_n, sizeof *q.topics);
    q.topic_names = arena_calloc(&a.arena, (size_t)c->args_n, sizeof *q.topic_names);
    q.topics_n = q.topic_names_n = c->args_n;
    for (int i = 0; i < c->args_n; i++) {
        delete_topics_request_delete_topic_state_init(&q.topics[i]);
        q.topics[i].name = q.topic_names[i] = kstr_of(c->args[i]);
    }
    status = admin_call(&a, &(struct client_call){.key = API_DELETE_TOPICS,
                                                  .target = CLIENT_CONTROLLER,
                                                  .request = &q,
                                                  .response = &r,
                                                  .arena = &a.arena,
                                                  .error = delete_code});
    if (!status) status = show_deleted(c, &a, &r);
out:
    admin_end(&a);
    return status;
}

/* ---- tables ---- */

static const struct cli_option create_options[] = {
    {'p', "partitions", "N", "how many partitions (the broker's num.partitions)"},
    {'r', "replication-factor", "N", "how many replicas each (the broker's default.replication.factor)"},
    {'c', "config", "NAME=VALUE", "a configuration of the topic; may be repeated"},
    {0, "assignment", "LIST", "the brokers of each partition, leader first: 1:2,2:3,3:1"},
    {0, "if-not-exists", NULL, "it is no failure when the topic is there already"},
    {0, "validate-only", NULL, "check, create nothing"},
    {0},
};
static const struct cli_example create_examples[] = {
    {"ottla topic create orders -p 6", "six partitions, as many replicas as the broker's default"},
    {"ottla topic create audit -p 3 -r 3 -c cleanup.policy=compact -c min.insync.replicas=2",
     "with configuration"},
    {"ottla topic create orders --if-not-exists", "for scripts that run again"},
    {0},
};
static const struct cli_option list_options[] = {{0, "internal", NULL, "internal topics, too"}, {0}};
static const struct cli_example list_examples[] = {
    {"ottla topic list", "one name a line"},
    {"ottla topic list --internal --json", "a JSON array with __consumer_offsets and its like"},
    {0},
};
static const struct cli_option describe_options[] = {
    {0, "internal", NULL, "without TOPIC: internal topics, too"},
    {0, "no-offsets", NULL, "leave out offsets and sizes (asks fewer nodes)"},
    {0, "under-replicated", NULL, "only partitions with replicas that are not in sync"},
    {0, "unavailable", NULL, "only partitions without leader"},
    {0},
};
static const struct cli_example describe_examples[] = {
    {"ottla topic describe orders", "partitions, leaders, replicas, offsets, size, configuration"},
    {"ottla topic describe --under-replicated", "what is not healthy in the whole cluster"},
    {"ottla topic describe orders --json | jq '.[0].partitions[].end'", "for programs"},
    {0},
};
static const struct cli_option alter_options[] = {
    {'p', "partitions", "N", "the new number of partitions, larger than now"},
    {0, "assignment", "LIST", "the brokers of each new partition: 1:2,2:3"},
    {'c', "config", "NAME=VALUE", "set a configuration; may be repeated"},
    {0, "unset", "NAME", "back to the default; may be repeated"},
    {0, "validate-only", NULL, "check, change nothing"},
    {0},
};
static const struct cli_example alter_examples[] = {
    {"ottla topic alter orders -p 12", "more partitions; keys will go to other ones from now on"},
    {"ottla topic alter orders -c retention.ms=86400000 --unset segment.ms", "configuration"},
    {0},
};
static const struct cli_option delete_options[] = {
    {0, "if-exists", NULL, "it is no failure when there is no such topic"},
    {0},
};
static const struct cli_example delete_examples[] = {
    {"ottla topic delete orders", "with all its records, for good"},
    {"ottla topic delete a b c --if-exists", "several"},
    {0},
};
static const struct cli_command commands[] = {
    {"create", "TOPIC...", "create topics", topic_create, NULL, create_options, create_examples,
     .flags = CLI_CLIENT | CLI_JSON, .least = 1, .most = -1},
    {"list", NULL, "list the topics", topic_list, NULL, list_options, list_examples,
     .flags = CLI_CLIENT | CLI_JSON},
    {"describe", "[TOPIC]...", "show partitions, offsets and configuration", topic_describe, NULL,
     describe_options, describe_examples, .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_TOPIC, .most = -1},
    {"alter", "TOPIC", "add partitions, change the configuration", topic_alter, NULL, alter_options,
     alter_examples, .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_TOPIC, .least = 1, .most = 1},
    {"delete", "TOPIC...", "delete topics", topic_delete, NULL, delete_options, delete_examples,
     .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_TOPIC, .least = 1, .most = -1},
    {0},
};
const struct cli_command cli_topic_command = {
    "topic", .summary = "create, list, describe, alter, delete topics", .commands = commands};

int cli_topic(int argc, char **argv) { return cli_run(&cli_topic_command, argc, argv); }
