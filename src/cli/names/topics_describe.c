/* kafka-topics --describe: DescribeTopicPartitions, the topics' configurations, reassignments that are under
 * way. */
#include <stdio.h>
#include <stdlib.h>

#include "api/list_partition_reassignments.h"
#include "base/uuid.h"
#include "cli/config.h"
#include "cli/names/topics.h"

enum { PAGE = 2000, REASSIGNMENTS_MS = 60000 };

/* ---- asking ---- */

/* Adds the topics of a page; the first may go on with the last one's partitions. */
static bool add_page(struct tool_run *r, const struct describe_topic_partitions_response *a,
                     struct topics_view *v) {
    for (int32_t i = 0; i < a->topics_n; i++) {
        __typeof__(a->topics) from = &a->topics[i], to = v->topics_n ? &v->topics[v->topics_n - 1] : NULL;
        if (!to || !kstr_equal(to->name, from->name)) {
            __typeof__(v->topics) more = arena_calloc(&r->admin.arena, (size_t)v->topics_n + 1, sizeof *more);
            if (!more) return tool_fail(r, "too many topics");
            if (v->topics_n) memcpy(more, v->topics, (size_t)v->topics_n * sizeof *more);
            v->topics = more;
            v->topics[v->topics_n++] = *from;
            continue;
        }
        __typeof__(to->partitions) both = arena_calloc(
            &r->admin.arena, (size_t)(to->partitions_n + from->partitions_n) + 1, sizeof *to->partitions);
        if (!both) return tool_fail(r, "too many partitions");
        if (to->partitions_n) memcpy(both, to->partitions, (size_t)to->partitions_n * sizeof *both);
        if (from->partitions_n)
            memcpy(both + to->partitions_n, from->partitions, (size_t)from->partitions_n * sizeof *both);
        to->partitions = both;
        to->partitions_n += from->partitions_n;
    }
    return true;
}

static int by_number(const void *x, const void *y) {
    const struct describe_topic_partitions_response_describe_topic_partitions_response_partition *a = x,
                                                                                                 *b = y;
    return (a->partition_index > b->partition_index) - (a->partition_index < b->partition_index);
}

bool topics_ask(struct tool_run *r, const struct kstr *names, int32_t n, int32_t page,
                struct topics_view *v) {
    struct describe_topic_partitions_request q;
    struct describe_topic_partitions_request_cursor cursor;
    describe_topic_partitions_request_init(&q);
    *v = (struct topics_view){0};
    q.response_partition_limit = page ? page : PAGE;
    q.topics = arena_calloc(&r->admin.arena, (size_t)n + 1, sizeof *q.topics);
    if (!q.topics) return tool_fail(r, "too many topics");
    for (int32_t i = 0; i < n; i++) q.topics[i].name = names[i];
    q.topics_n = n;
    for (;;) {
        struct describe_topic_partitions_response a;
        if (!tool_ask(r, API_DESCRIBE_TOPIC_PARTITIONS, &q, &a) || !add_page(r, &a, v)) return false;
        if (!a.next_cursor) break;
        cursor = (struct describe_topic_partitions_request_cursor){a.next_cursor->topic_name,
                                                                   a.next_cursor->partition_index};
        q.cursor = &cursor;
    }
    for (int32_t i = 0; i < v->topics_n; i++) {
        if (!tool_check(r, v->topics[i].error_code, KSTR_NULL)) return false;
        if (v->topics[i].partitions_n)
            qsort(v->topics[i].partitions, (size_t)v->topics[i].partitions_n, sizeof *v->topics[i].partitions,
                  by_number);
    }
    return true;
}

/* ---- printing ---- */

struct describe {
    struct tool_run *r;
    struct topics_view view;
    struct describe_configs_response configs;
    struct list_partition_reassignments_response moves;
    const int32_t *nodes; /* those that live */
    int nodes_n;
    bool overrides, filter; /* --topics-with-overrides; one of the four reports */
};

#define TOPIC struct describe_topic_partitions_response_describe_topic_partitions_response_topic
#define PARTITION struct describe_topic_partitions_response_describe_topic_partitions_response_partition
#define MOVE struct list_partition_reassignments_response_ongoing_partition_reassignment
#define CONFIGS struct describe_configs_response_describe_configs_result

static const MOVE *move_of(const struct describe *d, struct kstr topic, int32_t partition) {
    for (int32_t i = 0; i < d->moves.topics_n; i++)
        for (int32_t k = 0; k < d->moves.topics[i].partitions_n; k++)
            if (d->moves.topics[i].partitions[k].partition_index == partition &&
                kstr_equal(d->moves.topics[i].name, topic))
                return &d->moves.topics[i].partitions[k];
    return NULL;
}

static bool has(const int32_t *v, int32_t n, int32_t id) {
    for (int32_t i = 0; i < n; i++)
        if (v[i] == id) return true;
    return false;
}

static int32_t replication_of(const PARTITION *p, const MOVE *m) {
    for (int32_t i = 0; m && i < p->replica_nodes_n; i++)
        if (has(m->removing_replicas, m->removing_replicas_n, p->replica_nodes[i]) ||
            has(m->adding_replicas, m->adding_replicas_n, p->replica_nodes[i]))
            return m->replicas_n - m->adding_replicas_n;
    return p->replica_nodes_n;
}

static const CONFIGS *configs_of(const struct describe *d, struct kstr topic) {
    for (int32_t i = 0; i < d->configs.results_n; i++)
        if (kstr_equal(d->configs.results[i].resource_name, topic)) return &d->configs.results[i];
    return NULL;
}

static int32_t min_isr(const CONFIGS *c) {
    for (int32_t i = 0; c && i < c->configs_n; i++)
        if (kstr_is(c->configs[i].name, "min.insync.replicas"))
            return (int32_t)strtol(c->configs[i].value.s, NULL, 10);
    return 1;
}

static bool wanted(const struct describe *d, const PARTITION *p, const MOVE *m, const CONFIGS *c) {
    const struct tool_run *r = d->r;
    if (!d->filter) return true;
    if (tool_has(r, "under-replicated-partitions") && replication_of(p, m) > p->isr_nodes_n) return true;
    if (tool_has(r, "unavailable-partitions") &&
        (p->leader_id < 0 || !has(d->nodes, d->nodes_n, p->leader_id)))
        return true;
    if (tool_has(r, "under-min-isr-partitions") && (p->leader_id < 0 || p->isr_nodes_n < min_isr(c)))
        return true;
    return tool_has(r, "at-min-isr-partitions") && p->isr_nodes_n == min_isr(c);
}

static void print_ids(const char *label, const int32_t *v, int32_t n) {
    printf("\t%s: ", label);
    if (n < 0) fputs("N/A", stdout);
    for (int32_t i = 0; i < n; i++) printf("%s%d", i ? "," : "", v[i]);
}

static void print_partition(const TOPIC *t, const PARTITION *p, const MOVE *m) {
    printf("\tTopic: %.*s\tPartition: %d", t->name.len, t->name.s, p->partition_index);
    if (p->leader_id < 0)
        fputs("\tLeader: none", stdout);
    else
        printf("\tLeader: %d", p->leader_id);
    print_ids("Replicas", p->replica_nodes, p->replica_nodes_n);
    print_ids("Isr", p->isr_nodes, p->isr_nodes_n);
    if (m) {
        print_ids("Adding Replicas", m->adding_replicas, m->adding_replicas_n);
        print_ids("Removing Replicas", m->removing_replicas, m->removing_replicas_n);
    }
    print_ids("Elr", p->eligible_leader_replicas, p->eligible_leader_replicas_n);
    print_ids("LastKnownElr", p->last_known_elr, p->last_known_elr_n);
    putchar('\n');
}

enum { SOURCE_DEFAULT = 5 };

/* The configurations in the order of the Java client's map. */
static const int32_t *order_of(const struct describe *d, const CONFIGS *c) {
    int32_t n = c ? c->configs_n : 0;
    uint32_t *hashes = arena_calloc(&d->r->admin.arena, (size_t)n + 1, sizeof *hashes);
    if (!hashes) return NULL;
    for (int32_t i = 0; i < n; i++) hashes[i] = tool_hash(c->configs[i].name);
    return tool_hash_order(d->r, hashes, n, 0);
}

static void print_configs(const struct describe *d, const TOPIC *t, const CONFIGS *c) {
    char id[UUID_TEXT];
    bool any = false;
    for (int32_t i = 0; c && i < c->configs_n; i++)
        any = any || c->configs[i].config_source != SOURCE_DEFAULT;
    if (d->overrides && !any) return;
    printf("Topic: %.*s", t->name.len, t->name.s);
    if (!uuid_is_zero(&t->topic_id)) printf("\tTopicId: %s", uuid_format(&t->topic_id, id));
    printf("\tPartitionCount: %d\tReplicationFactor: %d\tConfigs: ", t->partitions_n,
           t->partitions_n
               ? replication_of(&t->partitions[0], move_of(d, t->name, t->partitions[0].partition_index))
               : 0);
    bool first = true;
    const int32_t *order = order_of(d, c);
    for (int32_t i = 0; c && order && i < c->configs_n; i++) {
        const struct describe_configs_response_describe_configs_resource_result *k = &c->configs[order[i]];
        if (k->config_source == SOURCE_DEFAULT) continue;
        struct kstr name = k->name, value = k->value;
        printf("%s%.*s=%.*s", first ? "" : ",", name.len, name.s, value.len < 0 ? 4 : value.len,
               value.len < 0 ? "null" : value.s);
        first = false;
    }
    putchar('\n');
}

static void print_topic(const struct describe *d, const TOPIC *t) {
    const CONFIGS *c = configs_of(d, t->name);
    if (!d->filter) print_configs(d, t, c);
    for (int32_t i = 0; !d->overrides && i < t->partitions_n; i++) {
        const MOVE *m = move_of(d, t->name, t->partitions[i].partition_index);
        if (wanted(d, &t->partitions[i], m, c)) print_partition(t, &t->partitions[i], m);
    }
}

/* ---- which ---- */

/* The name of the topic of --topic-id; false with n 0 when there is none. */
static bool by_id(struct tool_run *r, const char *text, struct kstr **names, int32_t *n) {
    struct metadata_response m;
    struct uuid id;
    *n = 0;
    if (uuid_parse(text, &id))
        return tool_fail(r, "Input string `%s` decoded as an id is not 16 bytes", text);
    if (!topics_all(r, &m)) return false;
    *names = arena_calloc(&r->admin.arena, 1, sizeof **names);
    for (int32_t i = 0; i < m.topics_n; i++)
        if (uuid_equal(&m.topics[i].topic_id, &id) &&
            !(tool_has(r, "exclude-internal") && tool_is_internal(m.topics[i].name)))
            (*names)[(*n)++] = m.topics[i].name;
    if (!*n && !tool_has(r, "if-exists"))
        return tool_fail(r, "TopicId '%s' does not exist as expected", text);
    return true;
}

static bool select_topics(struct tool_run *r, struct kstr **names, int32_t *n) {
    const char *topic = tool_get(r, "topic"), *id = tool_get(r, "topic-id");
    if (id && strcmp(id, "AAAAAAAAAAAAAAAAAAAAAA") != 0) return by_id(r, id, names, n);
    if (!topics_select(r, topic, tool_has(r, "exclude-internal"), names, n)) return false;
    if (!*n && topic && *topic && !tool_has(r, "if-exists"))
        return tool_fail(r, "Topic '%s' does not exist as expected", topic);
    return true;
}

static bool ask_more(struct describe *d, const struct kstr *names, int32_t n) {
    struct list_partition_reassignments_request q;
    struct tool_run *r = d->r;
    list_partition_reassignments_request_init(&q);
    q.timeout_ms = REASSIGNMENTS_MS;
    q.topics_n = -1;
    if (config_try(&r->admin, CONFIG_TOPIC, names, n, false, &d->configs) ||
        client_nodes(r->admin.client, &d->nodes, &d->nodes_n))
        return tool_fail(r, "%s", client_why(r->admin.client));
    d->nodes = arena_memdup(&r->admin.arena, d->nodes, (size_t)d->nodes_n * sizeof *d->nodes);
    return tool_call(r, &(struct client_call){.key = API_LIST_PARTITION_REASSIGNMENTS,
                                              .target = CLIENT_CONTROLLER,
                                              .request = &q,
                                              .response = &d->moves,
                                              .arena = &r->admin.arena});
}

/* Puts the topics into the order of a hash map made with that room. */
static bool reorder(struct describe *d, int32_t room) {
    int32_t n = d->view.topics_n;
    uint32_t *hashes = arena_calloc(&d->r->admin.arena, (size_t)n + 1, sizeof *hashes);
    TOPIC *sorted = arena_calloc(&d->r->admin.arena, (size_t)n + 1, sizeof *sorted);
    for (int32_t i = 0; hashes && i < n; i++) hashes[i] = tool_hash(d->view.topics[i].name);
    const int32_t *order = hashes && sorted ? tool_hash_order(d->r, hashes, n, room) : NULL;
    if (!order) return false;
    for (int32_t i = 0; i < n; i++) sorted[i] = d->view.topics[order[i]];
    d->view.topics = sorted;
    return true;
}

bool topics_describe(struct tool_run *r) {
    struct describe d = {.r = r, .overrides = tool_has(r, "topics-with-overrides")};
    struct kstr *names;
    int32_t n;
    d.filter = tool_has(r, "under-replicated-partitions") || tool_has(r, "unavailable-partitions") ||
               tool_has(r, "under-min-isr-partitions") || tool_has(r, "at-min-isr-partitions");
    if (!select_topics(r, &names, &n)) return false;
    if (!n) return true;
    if (!topics_ask(r, names, n, (int32_t)tool_number(r, "partition-size-limit-per-response", 0), &d.view) ||
        !ask_more(&d, names, n))
        return false;
    int32_t count = d.view.topics_n;
    /* the three maps that topics go through in the Java client */
    if (!reorder(&d, count) || !reorder(&d, count * 4 / 3 + 1) || !reorder(&d, count))
        return tool_fail(r, "too many topics");
    for (int32_t i = 0; i < count; i++) print_topic(&d, &d.view.topics[i]);
    return true;
}
