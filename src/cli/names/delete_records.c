/* kafka-delete-records: org.apache.kafka.tools.DeleteRecordsCommand. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/delete_records.h"
#include "base/kerr.h"
#include "cli/names/names.h"
#include "cli/names/topics.h"
#include "io/file.h"

enum { CALL_MS = 60000, FILE_MAX_BYTES = 64 << 20 };

/* A partition, the offset below which records go, and what became of it. */
struct cut {
    const char *topic;
    int32_t partition, leader;
    int64_t offset, low;
    int16_t error;
};

static int compare(const void *x, const void *y) {
    const struct cut *a = x, *b = y;
    int n = strcmp(a->topic, b->topic);
    return n ? n : (a->partition > b->partition) - (a->partition < b->partition);
}

static bool parse_one(struct tool_run *r, json_t *item, struct cut *c) {
    json_t *topic = json_object_get(item, "topic"), *partition = json_object_get(item, "partition"),
           *offset = json_object_get(item, "offset");
    if (!json_is_string(topic)) return tool_fail(r, "No such field exists: `topic`");
    if (!json_is_integer(partition)) return tool_fail(r, "No such field exists: `partition`");
    if (!json_is_integer(offset)) return tool_fail(r, "No such field exists: `offset`");
    c->topic = arena_strndup(&r->admin.arena, json_string_value(topic), json_string_length(topic));
    c->partition = (int32_t)json_integer_value(partition);
    c->offset = json_integer_value(offset);
    return c->topic || tool_fail(r, "too many partitions");
}

static bool parse_list(struct tool_run *r, json_t *root, struct cut **v, int32_t *n) {
    json_t *version = json_object_get(root, "version"), *list = json_object_get(root, "partitions");
    if (version && json_integer_value(version) != 1)
        return tool_fail(r, "Not supported version field value %lld", (long long)json_integer_value(version));
    if (!json_is_array(list)) return tool_fail(r, "Missing partitions field");
    *n = (int32_t)json_array_size(list);
    *v = arena_calloc(&r->admin.arena, (size_t)*n + 1, sizeof **v);
    if (!*v) return tool_fail(r, "too many partitions");
    for (int32_t i = 0; i < *n; i++)
        if (!parse_one(r, json_array_get(list, (size_t)i), &(*v)[i])) return false;
    if (*n) qsort(*v, (size_t)*n, sizeof **v, compare);
    for (int32_t i = 1; i < *n; i++)
        if (!compare(&(*v)[i - 1], &(*v)[i]))
            return tool_fail(r, "Offset json file contains duplicate topic partitions: %s-%d", (*v)[i].topic,
                             (*v)[i].partition);
    return true;
}

static bool read_list(struct tool_run *r, struct cut **v, int32_t *n) {
    const char *path = tool_get(r, "offset-json-file");
    uint8_t *bytes = NULL;
    size_t len = 0;
    json_error_t error;
    if (fs_read_all(fs_real(), path, FILE_MAX_BYTES, &bytes, &len)) return tool_fail(r, "%s", path);
    json_t *root = json_loadb((char *)bytes, len, 0, &error);
    free(bytes);
    if (!root) return tool_fail(r, "The input string is not a valid JSON");
    bool ok = parse_list(r, root, v, n);
    json_decref(root);
    return ok;
}

static bool find_leaders(struct tool_run *r, struct cut *v, int32_t n) {
    struct metadata_response m;
    if (!topics_all(r, &m)) return false;
    for (int32_t i = 0; i < n; i++) {
        v[i].leader = -1;
        v[i].error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        for (int32_t t = 0; t < m.topics_n; t++)
            for (int32_t k = 0; kstr_is(m.topics[t].name, v[i].topic) && k < m.topics[t].partitions_n; k++)
                if (m.topics[t].partitions[k].partition_index == v[i].partition) {
                    v[i].leader = m.topics[t].partitions[k].leader_id;
                    v[i].error = 0;
                }
    }
    return true;
}

/* One partition at its leader: they are few. */
static bool cut_one(struct tool_run *r, struct cut *c) {
    struct delete_records_request_delete_records_partition partition = {c->partition, c->offset};
    struct delete_records_request_delete_records_topic topic = {kstr_of(c->topic), &partition, 1};
    struct delete_records_request q;
    struct delete_records_response a;
    if (c->error) return true;
    delete_records_request_init(&q);
    q.topics = &topic;
    q.topics_n = 1;
    q.timeout_ms = CALL_MS;
    if (!tool_ask_node(r, c->leader, API_DELETE_RECORDS, &q, &a)) return false;
    if (a.topics_n != 1 || a.topics[0].partitions_n != 1)
        return tool_fail(r, "the broker's answer does not name %s", c->topic);
    c->error = a.topics[0].partitions[0].error_code;
    c->low = a.topics[0].partitions[0].low_watermark;
    return true;
}

static bool run(struct tool_run *r) {
    struct cut *v = NULL;
    int32_t n = 0;
    char name[100];
    if (!tool_connect(r, tool_get(r, "bootstrap-server"), CALL_MS) || !read_list(r, &v, &n)) return false;
    puts("Executing records delete operation");
    if (!find_leaders(r, v, n)) return false;
    for (int32_t i = 0; i < n; i++)
        if (!cut_one(r, &v[i])) return false;
    puts("Records delete operation completed:");
    for (int32_t i = 0; i < n; i++)
        if (v[i].error)
            printf("partition: %s-%d\terror: org.apache.kafka.common.errors.%s: %s\n", v[i].topic,
                   v[i].partition, tool_exception(v[i].error, name), kerr_message(v[i].error));
        else
            printf("partition: %s-%d\tlow_watermark: %lld\n", v[i].topic, v[i].partition,
                   (long long)v[i].low);
    return true;
}

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"offset-json-file", TOOL_TEXT, "file",
     "{\"partitions\": [{\"topic\": \"foo\", \"partition\": 1, \"offset\": 1}], \"version\": 1}"},
    {0},
};
static const struct tool tool = {
    "kafka-delete-records",
    "This tool helps to delete records of the given partitions down to the specified offset.", options};

int names_delete_records(int argc, char **argv) {
    struct tool_run r;
    if (!tool_begin(&r, &tool, argc, argv) || !tool_required(&r, "bootstrap-server offset-json-file"))
        goto out;
    if (!run(&r)) {
        fprintf(stderr, "%s\n", r.why);
        r.status = 1;
    }
out:
    tool_end(&r);
    return r.status;
}
