/* kafka-topics: org.apache.kafka.tools.TopicCommand. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/create_partitions.h"
#include "api/create_topics.h"
#include "api/delete_topics.h"
#include "base/kerr.h"
#include "base/re2.h"
#include "base/uuid.h"
#include "cli/names/names.h"
#include "cli/names/topics.h"

enum { CALL_MS = 60000 };

/* ---- which topics ---- */

static int by_name(const void *a, const void *b) {
    const struct metadata_response_metadata_response_topic *x = a, *y = b;
    int n = memcmp(x->name.s, y->name.s, (size_t)(x->name.len < y->name.len ? x->name.len : y->name.len));
    return n ? n : x->name.len - y->name.len;
}

bool topics_all(struct tool_run *r, struct metadata_response *m) {
    struct metadata_request q;
    metadata_request_init(&q);
    q.topics_n = -1;
    q.allow_auto_topic_creation = false;
    if (!tool_ask(r, API_METADATA, &q, m)) return false;
    if (m->topics_n) qsort(m->topics, (size_t)m->topics_n, sizeof *m->topics, by_name);
    return true;
}

bool topics_select(struct tool_run *r, const char *pattern, bool no_internal, struct kstr **names,
                   int32_t *n) {
    struct metadata_response m;
    struct re2_pattern *re = NULL;
    *n = 0;
    if (!topics_all(r, &m)) return false;
    if (pattern && !(re = tool_topic_pattern(r, pattern))) return false;
    *names = arena_calloc(&r->admin.arena, (size_t)m.topics_n + 1, sizeof **names);
    for (int32_t i = 0; *names && i < m.topics_n; i++) {
        struct kstr name = m.topics[i].name;
        if (no_internal && tool_is_internal(name)) continue;
        if (!re || re2_matches(re, name.s, (size_t)name.len)) (*names)[(*n)++] = name;
    }
    re2_free(re);
    return *names || tool_fail(r, "too many topics");
}

/* The topics of --topic; none: an error unless --if-exists. */
static bool chosen(struct tool_run *r, struct kstr **names, int32_t *n) {
    const char *topic = tool_get(r, "topic");
    if (!topics_select(r, topic, tool_has(r, "exclude-internal"), names, n)) return false;
    if (*n == 0 && topic && *topic && !tool_has(r, "if-exists"))
        return tool_fail(r, "Topic '%s' does not exist as expected", topic);
    return true;
}

/* ---- create ---- */

/* "1:2,2:3" → replicas of each partition. */
struct assignment {
    int32_t *brokers;
    int32_t n;
};

static bool parse_brokers(struct tool_run *r, const char *text, size_t len, struct assignment *v) {
    if (admin_parse_ints(&r->admin, text, len, ':', &v->brokers, &v->n))
        return tool_fail(r, "For input string: \"%.*s\"", (int)len, text);
    for (int32_t i = 0; i < v->n; i++)
        for (int32_t k = 0; k < i; k++)
            if (v->brokers[i] == v->brokers[k])
                return tool_fail(r, "Partition replica lists may not contain duplicate entries: %d",
                                 v->brokers[i]);
    return true;
}

static bool parse_assignment(struct tool_run *r, const char *text, struct assignment **v, int32_t *n) {
    *n = 0;
    *v = arena_calloc(&r->admin.arena, text ? strlen(text) + 1 : 1, sizeof **v);
    if (!*v) return tool_fail(r, "too long");
    for (const char *p = text; p && *p; p += *p == ',') {
        size_t len = strcspn(p, ",");
        struct assignment *a = &(*v)[(*n)++];
        if (!parse_brokers(r, p, len, a)) return false;
        if (a->n != (*v)->n) {
            char brokers[200];
            size_t at = 0;
            for (int32_t i = 0; i < a->n && at + 14 < sizeof brokers; i++)
                at +=
                    (size_t)snprintf(brokers + at, sizeof brokers - at, "%s%d", i ? ", " : "", a->brokers[i]);
            return tool_fail(r, "Partition %d has different replication factor: [%s]", *n - 1, brokers);
        }
        p += len;
    }
    return true;
}

static struct kstr trimmed(const char *s, size_t n) {
    while (n && isspace((unsigned char)s[n - 1])) n--;
    while (n && isspace((unsigned char)*s)) s++, n--;
    return (struct kstr){s, (int32_t)n};
}

static bool parse_configs(struct tool_run *r, struct create_topics_request_creatable_topic *t) {
    const char *text;
    t->configs = arena_calloc(&r->admin.arena, (size_t)r->settings_n + 1, sizeof *t->configs);
    for (int at = 0; (text = tool_next(r, "config", &at));) {
        const char *eq = strchr(text, '=');
        if (!eq || !eq[1] || strchr(eq + 1, '='))
            return tool_fail(
                r, "requirement failed: Invalid topic config: all configs to be added must be in the "
                   "format \"key=val\".");
        struct kstr name = trimmed(text, (size_t)(eq - text)), value = trimmed(eq + 1, strlen(eq + 1));
        int32_t i = 0;
        while (i < t->configs_n && !kstr_equal(t->configs[i].name, name)) i++;
        if (i == t->configs_n) t->configs_n++;
        t->configs[i].name = name;
        t->configs[i].value = value;
    }
    return true;
}

static bool fill_topic(struct tool_run *r, struct create_topics_request_creatable_topic *t) {
    struct assignment *v;
    int32_t n;
    create_topics_request_creatable_topic_init(t);
    t->name = kstr_of(tool_get(r, "topic"));
    int64_t replicas = tool_number(r, "replication-factor", -1),
            partitions = tool_number(r, "partitions", -1);
    if (!parse_assignment(r, tool_get(r, "replica-assignment"), &v, &n) || !parse_configs(r, t)) return false;
    if (strpbrk(t->name.s, "._"))
        puts("WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') "
             "could "
             "collide. To avoid issues it is best to use either, but not both.");
    if (tool_has(r, "replication-factor") && (replicas > INT16_MAX || replicas < 1))
        return tool_fail(r, "The replication factor must be between 1 and %d inclusive", INT16_MAX);
    if (tool_has(r, "partitions") && partitions < 1)
        return tool_fail(r, "The partitions must be greater than 0");
    t->num_partitions = n ? -1 : (int32_t)partitions;
    t->replication_factor = n ? -1 : (int16_t)replicas;
    t->assignments = arena_calloc(&r->admin.arena, (size_t)n + 1, sizeof *t->assignments);
    for (int32_t i = 0; i < n; i++)
        t->assignments[i] =
            (struct create_topics_request_creatable_replica_assignment){i, v[i].brokers, v[i].n};
    t->assignments_n = n;
    return true;
}

static int16_t create_code(const void *response) {
    const struct create_topics_response *r = response;
    return r->topics_n > 0 ? r->topics[0].error_code : 0;
}

static bool create(struct tool_run *r) {
    struct create_topics_request_creatable_topic topic;
    struct create_topics_request q;
    struct create_topics_response a;
    if (!fill_topic(r, &topic)) return false;
    create_topics_request_init(&q);
    q.topics = &topic;
    q.topics_n = 1;
    q.timeout_ms = CALL_MS;
    if (!tool_call(r, &(struct client_call){.key = API_CREATE_TOPICS,
                                            .target = CLIENT_CONTROLLER,
                                            .request = &q,
                                            .response = &a,
                                            .arena = &r->admin.arena,
                                            .error = create_code}))
        return false;
    if (a.topics_n != 1) return tool_fail(r, "the broker's answer does not name the topic");
    if (a.topics[0].error_code == KERR_TOPIC_ALREADY_EXISTS && tool_has(r, "if-not-exists")) return true;
    if (!tool_check(r, a.topics[0].error_code, a.topics[0].error_message)) return false;
    printf("Created topic %s.\n", tool_get(r, "topic"));
    return true;
}

/* ---- list, alter, delete ---- */

static bool list(struct tool_run *r) {
    struct kstr *names;
    int32_t n;
    if (!topics_select(r, tool_get(r, "topic"), tool_has(r, "exclude-internal"), &names, &n)) return false;
    for (int32_t i = 0; i < n; i++) printf("%.*s\n", names[i].len, names[i].s);
    if (!n) putchar('\n');
    return true;
}

static int16_t partitions_code(const void *response) {
    const struct create_partitions_response *r = response;
    int16_t code = r->results_n > 0 ? r->results[0].error_code : 0;
    return code == KERR_UNKNOWN_TOPIC_OR_PARTITION ? 0 : code;
}

/* How many partitions a topic has now, for the assignment of the new ones. */
static bool count_of(struct tool_run *r, struct kstr topic, int32_t *count) {
    struct topics_view v;
    if (!topics_ask(r, &topic, 1, 0, &v)) return false;
    *count = v.topics_n == 1 ? v.topics[0].partitions_n : 0;
    return true;
}

static bool alter(struct tool_run *r) {
    struct create_partitions_request q;
    struct create_partitions_response a;
    struct assignment *v;
    struct kstr *names;
    int32_t n, given, count = 0;
    if (!parse_assignment(r, tool_get(r, "replica-assignment"), &v, &given) || !chosen(r, &names, &n))
        return false;
    if (!n) return true;
    create_partitions_request_init(&q);
    q.timeout_ms = CALL_MS;
    q.topics = arena_calloc(&r->admin.arena, (size_t)n, sizeof *q.topics);
    q.topics_n = n;
    for (int32_t i = 0; i < n; i++) {
        create_partitions_request_create_partitions_topic_init(&q.topics[i]);
        q.topics[i].name = names[i];
        q.topics[i].count = (int32_t)tool_number(r, "partitions", 0);
        q.topics[i].assignments_n = -1;
        if (!given) continue;
        if (!count_of(r, names[i], &count)) return false;
        q.topics[i].assignments_n = given > count ? given - count : 0;
        q.topics[i].assignments =
            arena_calloc(&r->admin.arena, (size_t)given + 1, sizeof *q.topics[i].assignments);
        for (int32_t k = 0; k < q.topics[i].assignments_n; k++) {
            q.topics[i].assignments[k].broker_ids = v[count + k].brokers;
            q.topics[i].assignments[k].broker_ids_n = v[count + k].n;
        }
    }
    if (!tool_call(r, &(struct client_call){.key = API_CREATE_PARTITIONS,
                                            .target = CLIENT_CONTROLLER,
                                            .request = &q,
                                            .response = &a,
                                            .arena = &r->admin.arena,
                                            .error = partitions_code}))
        return false;
    for (int32_t i = 0; i < a.results_n; i++)
        if (!tool_check(r, a.results[i].error_code, a.results[i].error_message)) return false;
    return true;
}

static int16_t delete_code(const void *response) {
    const struct delete_topics_response *r = response;
    int16_t code = r->responses_n > 0 ? r->responses[0].error_code : 0;
    return code == KERR_UNKNOWN_TOPIC_OR_PARTITION ? 0 : code;
}

static bool remove_topics(struct tool_run *r) {
    struct delete_topics_request q;
    struct delete_topics_response a;
    struct kstr *names;
    int32_t n;
    if (!chosen(r, &names, &n)) return false;
    if (!n) return true;
    delete_topics_request_init(&q);
    q.timeout_ms = CALL_MS;
    q.topics = arena_calloc(&r->admin.arena, (size_t)n, sizeof *q.topics);
    for (int32_t i = 0; i < n; i++) {
        delete_topics_request_delete_topic_state_init(&q.topics[i]);
        q.topics[i].name = names[i];
    }
    q.topics_n = n;
    q.topic_names = names;
    q.topic_names_n = 0;
    if (!tool_call(r, &(struct client_call){.key = API_DELETE_TOPICS,
                                            .target = CLIENT_CONTROLLER,
                                            .request = &q,
                                            .response = &a,
                                            .arena = &r->admin.arena,
                                            .error = delete_code}))
        return false;
    for (int32_t i = 0; i < a.responses_n; i++)
        if (!tool_check(r, a.responses[i].error_code, a.responses[i].error_message)) return false;
    return true;
}

/* ---- the tool ---- */

#define ACTIONS "alter create describe list delete"
#define REPORTS                                                                                              \
    "under-replicated-partitions under-min-isr-partitions at-min-isr-partitions unavailable-partitions"

static bool check_excluded(struct tool_run *r) {
    static const char *const rows[][2] = {
        {"config", "describe list delete"},
        {"partitions", "describe list delete"},
        {"replication-factor", "alter describe list delete"},
        {"replica-assignment", "describe list delete"},
        {"under-replicated-partitions", "alter create list delete topics-with-overrides"},
        {"under-min-isr-partitions", "alter create list delete topics-with-overrides"},
        {"at-min-isr-partitions", "alter create list delete topics-with-overrides"},
        {"unavailable-partitions", "alter create list delete topics-with-overrides"},
        {"topics-with-overrides", "alter create list delete " REPORTS},
        {"if-exists", "create list"},
        {"if-not-exists", "alter describe list delete"},
        {"exclude-internal", "alter create delete"},
    };
    if (tool_has(r, "create") && !tool_excludes(r, "replica-assignment", "partitions replication-factor"))
        return false;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!tool_excludes(r, rows[i][0], rows[i][1])) return false;
    return true;
}

static bool check(struct tool_run *r) {
    int actions = tool_has(r, "create") + tool_has(r, "list") + tool_has(r, "alter") +
                  tool_has(r, "describe") + tool_has(r, "delete");
    if (actions != 1)
        return tool_usage(
            r, "Command must include exactly one action: --list, --describe, --create, --alter or --delete");
    if (!tool_has(r, "bootstrap-server")) return tool_usage(r, "--bootstrap-server must be specified");
    if (tool_has(r, "describe") && tool_has(r, "if-exists")) {
        if (!tool_has(r, "topic") && !tool_has(r, "topic-id"))
            return tool_usage(r, "--topic or --topic-id is required to describe a topic");
        if (tool_has(r, "topic") && tool_has(r, "topic-id"))
            puts("Only topic id will be used when both --topic and --topic-id are specified and topicId is "
                 "not "
                 "Uuid.ZERO_UUID");
    }
    if (!tool_has(r, "list") && !tool_has(r, "describe") && !tool_required(r, "topic")) return false;
    if (tool_has(r, "alter")) {
        if (tool_has(r, "config"))
            return tool_usage(r,
                              "Option combination \"[bootstrap-server],[config]\" can't be used with option "
                              "\"[alter]\" (the kafka-configs CLI supports altering topic configs with a "
                              "--bootstrap-server option)");
        if (!tool_required(r, "partitions")) return false;
    }
    return check_excluded(r);
}

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"list", TOOL_FLAG, NULL, "list the topics"},
    {"create", TOOL_FLAG, NULL, "create a topic"},
    {"delete", TOOL_FLAG, NULL, "delete topics"},
    {"alter", TOOL_FLAG, NULL, "add partitions to topics"},
    {"describe", TOOL_FLAG, NULL, "describe topics"},
    {"topic", TOOL_TEXT, "topic", "the topic; but for --create a regular expression"},
    {"topic-id", TOOL_TEXT, "id", "the topic to describe, by its id"},
    {"config", TOOL_TEXT, "name=value", "a configuration of the new topic; may be repeated"},
    {"delete-config", TOOL_TEXT, "name", "no longer supported"},
    {"partitions", TOOL_INT, "number", "partitions of the topic"},
    {"replication-factor", TOOL_INT, "number", "replicas of each partition of the new topic"},
    {"replica-assignment", TOOL_TEXT, "a:b,c:d", "the brokers of each partition"},
    {"under-replicated-partitions", TOOL_FLAG, NULL, "describe only these"},
    {"unavailable-partitions", TOOL_FLAG, NULL, "describe only partitions whose leader is not available"},
    {"under-min-isr-partitions", TOOL_FLAG, NULL, "describe only partitions with too few in-sync replicas"},
    {"at-min-isr-partitions", TOOL_FLAG, NULL, "describe only partitions with just enough in-sync replicas"},
    {"topics-with-overrides", TOOL_FLAG, NULL, "describe only topics that have configurations"},
    {"if-exists", TOOL_FLAG, NULL, "no error when the topic does not exist"},
    {"if-not-exists", TOOL_FLAG, NULL, "no error when the topic exists"},
    {"exclude-internal", TOOL_FLAG, NULL, "without internal topics"},
    {"partition-size-limit-per-response", TOOL_INT, "number", "partitions that are asked for at once"},
    {0},
};
static const struct tool tool = {
    "kafka-topics", "This tool helps to create, delete, describe, or change a topic.", options, .late = true};

static bool act(struct tool_run *r) {
    if (!tool_numbers(r)) return false;
    if (tool_has(r, "create")) return create(r);
    if (tool_has(r, "alter")) return alter(r);
    if (tool_has(r, "list")) return list(r);
    return tool_has(r, "describe") ? topics_describe(r) : remove_topics(r);
}

int names_topics(int argc, char **argv) {
    struct tool_run r;
    if (!tool_begin(&r, &tool, argc, argv) || !check(&r)) goto out;
    if (tool_has(&r, "delete-config"))
        fputs("delete-config is no longer supported; use kafka-configs\n", stderr);
    if (!tool_connect(&r, tool_get(&r, "bootstrap-server"), CALL_MS)) {
        fprintf(stderr, "%s\n", r.why);
        r.status = 1;
        goto out;
    }
    if (!act(&r)) {
        printf("Error while executing topic command : %s\n", r.why);
        r.status = 1;
    }
out:
    tool_end(&r);
    return r.status;
}
