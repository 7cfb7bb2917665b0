/* kafka-log-dirs: org.apache.kafka.tools.LogDirsCommand. The members of its JSON are in the order of the
 * tool, which is that of a hash map. */
#include <stdio.h>

#include "api/describe_log_dirs.h"
#include "base/kerr.h"
#include "cli/names/names.h"
#include "cli/names/tool.h"
#include "cli/output.h"

enum { CALL_MS = 60000 };

static bool is_listed(const char *list, struct kstr topic) {
    bool any = false;
    for (const char *p = list ? list : ""; *p; p += *p == ',') {
        size_t n = strcspn(p, ",");
        if (n == (size_t)topic.len && !memcmp(p, topic.s, n)) return true;
        any = any || n;
        p += n;
    }
    return !any;
}

static void add_partition(struct json *j, struct kstr topic,
                          const struct describe_log_dirs_response_describe_log_dirs_partition *p) {
    char name[300];
    snprintf(name, sizeof name, "%.*s-%d", topic.len, topic.s, p->partition_index);
    json_open(j, '{');
    json_text(j, "partition", name);
    json_int(j, "size", p->partition_size);
    json_int(j, "offsetLag", p->offset_lag);
    json_bool(j, "isFuture", p->is_future_key);
    json_close(j, '}');
}

static void add_directory(struct json *j, const struct describe_log_dirs_response_describe_log_dirs_result *d,
                          const char *topics) {
    char name[100], class[140];
    json_open(j, '{');
    json_key(j, "partitions");
    json_open(j, '[');
    for (int32_t t = 0; t < d->topics_n; t++)
        for (int32_t i = 0; is_listed(topics, d->topics[t].name) && i < d->topics[t].partitions_n; i++)
            add_partition(j, d->topics[t].name, &d->topics[t].partitions[i]);
    json_close(j, ']');
    snprintf(class, sizeof class, "org.apache.kafka.common.errors.%s", tool_exception(d->error_code, name));
    json_text(j, "error", d->error_code ? class : NULL);
    json_str(j, "logDir", d->log_dir);
    json_close(j, '}');
}

static bool add_broker(struct tool_run *r, struct json *j, int32_t id) {
    struct describe_log_dirs_request q;
    struct describe_log_dirs_response a;
    describe_log_dirs_request_init(&q);
    q.topics_n = -1;
    if (!tool_ask_node(r, id, API_DESCRIBE_LOG_DIRS, &q, &a) || !tool_check(r, a.error_code, KSTR_NULL))
        return false;
    json_open(j, '{');
    json_int(j, "broker", id);
    json_key(j, "logDirs");
    json_open(j, '[');
    for (int32_t i = 0; i < a.results_n; i++) add_directory(j, &a.results[i], tool_get(r, "topic-list"));
    json_close(j, ']');
    json_close(j, '}');
    return true;
}

static bool has(const int32_t *v, int32_t n, int32_t id) {
    for (int32_t i = 0; i < n; i++)
        if (v[i] == id) return true;
    return false;
}

/* Those of --broker-list, or all; the arena's. */
static bool brokers(struct tool_run *r, int32_t **ids, int32_t *n) {
    const char *list = tool_get(r, "broker-list");
    const int32_t *nodes;
    char known[200], unknown[200];
    int count;
    int32_t missing = 0;
    if (client_nodes(r->admin.client, &nodes, &count)) return tool_fail(r, "%s", client_why(r->admin.client));
    int32_t *all = arena_memdup(&r->admin.arena, nodes, (size_t)count * sizeof *all);
    *ids = all;
    *n = count;
    if (!list || !*list) return true;
    if (admin_parse_ints(&r->admin, list, strlen(list), ',', ids, n))
        return tool_fail(r, "For input string: \"%s\"", list);
    int32_t *wrong = arena_calloc(&r->admin.arena, (size_t)*n + 1, sizeof *wrong);
    for (int32_t i = 0; i < *n; i++)
        if (!has(all, count, (*ids)[i]) && !has(wrong, missing, (*ids)[i])) wrong[missing++] = (*ids)[i];
    return !missing ||
           tool_fail(
               r,
               "ERROR: The given brokers do not exist from --broker-list: %s. Current existent brokers: %s",
               format_ints(unknown, sizeof unknown, wrong, missing),
               format_ints(known, sizeof known, all, count));
}

static bool run(struct tool_run *r) {
    struct json j;
    int32_t *ids, n;
    char text[400];
    bool ok = true;
    if (!tool_connect(r, tool_get(r, "bootstrap-server"), CALL_MS) || !brokers(r, &ids, &n)) return false;
    puts("Querying brokers for log directories information");
    json_init(&j);
    json_open(&j, '{');
    json_key(&j, "brokers");
    json_open(&j, '[');
    for (int32_t i = 0; i < n && ok; i++) ok = has(ids, i, ids[i]) || add_broker(r, &j, ids[i]);
    json_close(&j, ']');
    json_int(&j, "version", 1);
    json_close(&j, '}');
    if (!ok) {
        strbuf_free(&j.out);
        return false;
    }
    printf("Received log directory information from brokers %s\n", format_ints(text, sizeof text, ids, n));
    json_print(&j);
    return true;
}

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"describe", TOOL_FLAG, NULL, "describe log directories"},
    {"topic-list", TOOL_TEXT, "a,b", "only these topics"},
    {"broker-list", TOOL_TEXT, "1,2", "only these brokers"},
    {0},
};
static const struct tool tool = {
    "kafka-log-dirs", "This tool helps to query log directory usage on the specified brokers.", options};

int names_log_dirs(int argc, char **argv) {
    struct tool_run r;
    if (!tool_begin(&r, &tool, argc, argv) || !tool_required(&r, "bootstrap-server describe")) goto out;
    if (!run(&r)) {
        fprintf(stderr, "%s\n", r.why);
        r.status = 1;
    }
out:
    tool_end(&r);
    return r.status;
}
