/* ottla topic describe: Metadata, ListOffsets of the leaders, DescribeLogDirs of the nodes, DescribeConfigs;
 * shown together. What a broker does not answer (sizes, configurations without the right to see them) is
 * shown as unknown. */
#include <stdio.h>
#include <stdlib.h>

#include "api/describe_log_dirs.h"
#include "base/kerr.h"
#include "cli/config.h"
#include "cli/offsets.h"
#include "cli/output.h"
#include "cli/topic.h"

/* One partition with what was asked about it. */
struct detail {
    const struct metadata_response_metadata_response_partition *p;
    int64_t start, end, size; /* -1: not known */
};

struct view {
    struct cli *c;
    struct admin *a;
    struct metadata_response meta;
    struct describe_configs_response configs;
    struct detail *details; /* of all topics' partitions in order */
    bool offsets;
};

static int compare_partitions(const void *x, const void *y) {
    const struct metadata_response_metadata_response_partition *a = x, *b = y;
    return (a->partition_index > b->partition_index) - (a->partition_index < b->partition_index);
}

/* ---- asking ---- */

static int ask_offsets(struct view *v) {
    int n;
    for (int which = OFFSET_LATEST; which >= OFFSET_EARLIEST; which--) {
        struct offset_at *q = offsets_of_topics(v->a, &v->meta, which, &n);
        if (!q) return cli_fail("too many partitions");
        int status = offsets_ask(v->a, q, n, false);
        if (status) return status;
        for (int i = 0; i < n; i++) {
            int64_t offset = q[i].error ? -1 : q[i].offset;
            if (which == OFFSET_LATEST)
                v->details[i].end = offset;
            else
                v->details[i].start = offset;
        }
    }
    return 0;
}

/* The leader's size of a partition counts; followers' do not. */
static void keep_sizes(struct view *v, int32_t node, const struct describe_log_dirs_response *r) {
    struct detail *d = v->details;
    for (int32_t t = 0; t < v->meta.topics_n; d += v->meta.topics[t].partitions_n, t++)
        for (int32_t i = 0; i < r->results_n; i++)
            for (int32_t k = 0; k < r->results[i].topics_n; k++) {
                const struct describe_log_dirs_response_describe_log_dirs_topic *in =
                    &r->results[i].topics[k];
                if (!kstr_equal(in->name, v->meta.topics[t].name)) continue;
                for (int32_t p = 0; p < in->partitions_n; p++) {
                    const struct describe_log_dirs_response_describe_log_dirs_partition *q =
                        &in->partitions[p];
                    struct detail *to =
                        q->partition_index >= 0 && q->partition_index < v->meta.topics[t].partitions_n
                            ? &d[q->partition_index]
                            : NULL;
                    if (to && to->p->leader_id == node && !q->is_future_key) to->size = q->partition_size;
                }
            }
}

static int ask_sizes(struct view *v) {
    struct describe_log_dirs_request q;
    struct describe_log_dirs_response r;
    const int32_t *nodes;
    int n;
    describe_log_dirs_request_init(&q);
    q.topics = arena_calloc(&v->a->arena, (size_t)v->meta.topics_n + 1, sizeof *q.topics);
    for (int32_t t = 0; t < v->meta.topics_n; t++) {
        const struct metadata_response_metadata_response_topic *m = &v->meta.topics[t];
        struct describe_log_dirs_request_describable_log_dir_topic *to = &q.topics[q.topics_n++];
        to->topic = m->name;
        to->partitions = arena_calloc(&v->a->arena, (size_t)m->partitions_n + 1, sizeof *to->partitions);
        for (int32_t i = 0; i < m->partitions_n; i++)
            to->partitions[to->partitions_n++] = m->partitions[i].partition_index;
    }
    if (client_nodes(v->a->client, &nodes, &n)) return cli_fail("%s", client_why(v->a->client));
    int32_t *ids = arena_memdup(&v->a->arena, nodes, (size_t)n * sizeof *nodes);
    for (int i = 0; i < n; i++) {
        struct client_call call = {.key = API_DESCRIBE_LOG_DIRS,
                                   .target = CLIENT_NODE,
                                   .node = ids[i],
                                   .request = &q,
                                   .response = &r,
                                   .arena = &v->a->arena};
        if (!client_do(v->a->client, &call))
            keep_sizes(v, ids[i], &r); /* a node that is down: its sizes stay unknown */
    }
    return 0;
}

static int ask_configs(struct view *v) {
    struct kstr *names = arena_calloc(&v->a->arena, (size_t)v->meta.topics_n + 1, sizeof *names);
    for (int32_t t = 0; t < v->meta.topics_n; t++) names[t] = v->meta.topics[t].name;
    int err = config_try(v->a, CONFIG_TOPIC, names, v->meta.topics_n, false, &v->configs);
    if (err != OE_UNSUPPORTED) return admin_done(v->a, err);
    v->configs.results_n = 0; /* shown without */
    return 0;
}

/* Drops topics that were not asked for, complains about those that do not exist, and sorts. */
static int select_topics(struct view *v) {
    int status = CLI_DONE;
    int32_t n = 0;
    size_t partitions = 0;
    for (int32_t i = 0; i < v->meta.topics_n; i++) {
        struct metadata_response_metadata_response_topic *t = &v->meta.topics[i];
        if (t->error_code && t->error_code != KERR_LEADER_NOT_AVAILABLE) {
            status = admin_refused(admin_cstr(v->a, t->name), t->error_code, KSTR_NULL);
            continue;
        }
        if (t->is_internal && v->c->args_n == 0 && !cli_has(v->c, "internal")) continue;
        if (t->partitions_n > 0)
            qsort(t->partitions, (size_t)t->partitions_n, sizeof *t->partitions, compare_partitions);
        partitions += (size_t)t->partitions_n;
        v->meta.topics[n++] = *t;
    }
    v->meta.topics_n = n;
    if (n > 0) qsort(v->meta.topics, (size_t)n, sizeof *v->meta.topics, topic_compare);
    v->details = arena_calloc(&v->a->arena, partitions + 1, sizeof *v->details);
    struct detail *d = v->details;
    for (int32_t t = 0; t < n; t++)
        for (int32_t i = 0; i < v->meta.topics[t].partitions_n; i++)
            *d++ = (struct detail){&v->meta.topics[t].partitions[i], -1, -1, -1};
    return status;
}

/* ---- showing ---- */

static bool wanted(const struct view *v, const struct metadata_response_metadata_response_partition *p) {
    bool under = cli_has(v->c, "under-replicated"), without = cli_has(v->c, "unavailable");
    if (!under && !without) return true;
    return (under && p->isr_nodes_n < p->replica_nodes_n) || (without && p->leader_id < 0);
}

static const struct describe_configs_response_describe_configs_result *configs_of(const struct view *v,
                                                                                  struct kstr name) {
    for (int32_t i = 0; i < v->configs.results_n; i++)
        if (kstr_equal(v->configs.results[i].resource_name, name)) return &v->configs.results[i];
    return NULL;
}

static int32_t replication_of(const struct metadata_response_metadata_response_topic *t) {
    return t->partitions_n ? t->partitions[0].replica_nodes_n : 0;
}

static void topic_json(struct view *v, struct json *j,
                       const struct metadata_response_metadata_response_topic *t, const struct detail *d) {
    char id[UUID_TEXT];
    json_open(j, '{');
    json_str(j, "name", t->name);
    json_text(j, "id", uuid_format(&t->topic_id, id));
    json_bool(j, "internal", t->is_internal);
    json_int(j, "replicationFactor", replication_of(t));
    json_key(j, "configs");
    json_open(j, '{');
    const struct describe_configs_response_describe_configs_result *r = configs_of(v, t->name);
    for (int32_t i = 0; r && i < r->configs_n; i++)
        if (r->configs[i].config_source == 1)
            json_str(j, admin_cstr(v->a, r->configs[i].name), r->configs[i].value);
    json_close(j, '}');
    json_key(j, "partitions");
    json_open(j, '[');
    for (int32_t i = 0; i < t->partitions_n; i++, d++) {
        if (!wanted(v, d->p)) continue;
        json_open(j, '{');
        json_int(j, "partition", d->p->partition_index);
        json_int(j, "leader", d->p->leader_id);
        json_int(j, "leaderEpoch", d->p->leader_epoch);
        json_ints(j, "replicas", d->p->replica_nodes, d->p->replica_nodes_n);
        json_ints(j, "isr", d->p->isr_nodes, d->p->isr_nodes_n);
        json_ints(j, "offline", d->p->offline_replicas, d->p->offline_replicas_n);
        if (v->offsets) {
            json_int(j, "start", d->start);
            json_int(j, "end", d->end);
            json_int(j, "size", d->size);
        }
        json_close(j, '}');
    }
    json_close(j, ']');
    json_close(j, '}');
}

static void add_known(struct table *t, int64_t v) {
    if (v < 0)
        table_add(t, "?");
    else
        table_add(t, "%lld", (long long)v);
}

static void partitions_text(struct view *v, const struct metadata_response_metadata_response_topic *t,
                            const struct detail *d) {
    static const char *const headings[] = {"-PARTITION", "-LEADER", "-EPOCH", "REPLICAS",
                                           "ISR",        "-START",  "-END",   "-SIZE"};
    struct table table;
    char text[256];
    int columns = v->offsets ? 8 : 5;
    table_init(&table, headings, columns);
    for (int32_t i = 0; i < t->partitions_n; i++, d++) {
        if (!wanted(v, d->p)) continue;
        table_add(&table, "%d", d->p->partition_index);
        if (d->p->leader_id < 0)
            table_add(&table, "none");
        else
            table_add(&table, "%d", d->p->leader_id);
        table_add(&table, "%d", d->p->leader_epoch);
        table_add(&table, "%s", format_ints(text, sizeof text, d->p->replica_nodes, d->p->replica_nodes_n));
        table_add(&table, "%s", format_ints(text, sizeof text, d->p->isr_nodes, d->p->isr_nodes_n));
        if (!v->offsets) continue;
        add_known(&table, d->start);
        add_known(&table, d->end);
        if (d->size < 0)
            table_add(&table, "?");
        else
            table_add(&table, "%s", format_bytes(text, (double)d->size));
    }
    table_print(&table);
}

static void topic_text(struct view *v, const struct metadata_response_metadata_response_topic *t,
                       const struct detail *d) {
    char id[UUID_TEXT];
    printf("%.*s: %d partition%s, %d replica%s each, id %s%s\n", t->name.len, t->name.s, t->partitions_n,
           t->partitions_n == 1 ? "" : "s", replication_of(t), replication_of(t) == 1 ? "" : "s",
           uuid_format(&t->topic_id, id), t->is_internal ? ", internal" : "");
    const struct describe_configs_response_describe_configs_result *r = configs_of(v, t->name);
    for (int32_t i = 0; r && i < r->configs_n; i++)
        if (r->configs[i].config_source == 1)
            printf("  %.*s=%.*s\n", r->configs[i].name.len, r->configs[i].name.s, r->configs[i].value.len,
                   r->configs[i].value.s);
    partitions_text(v, t, d);
}

static void show(struct view *v) {
    struct json j;
    struct detail *d = v->details;
    bool filter = cli_has(v->c, "under-replicated") || cli_has(v->c, "unavailable"), first = true;
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < v->meta.topics_n; d += v->meta.topics[i].partitions_n, i++) {
        const struct metadata_response_metadata_response_topic *t = &v->meta.topics[i];
        bool any = !filter;
        for (int32_t k = 0; k < t->partitions_n; k++) any = any || wanted(v, &t->partitions[k]);
        if (!any) continue;
        if (v->c->json) {
            topic_json(v, &j, t, d);
        } else {
            if (!first) putchar('\n');
            first = false;
            topic_text(v, t, d);
        }
    }
    json_close(&j, ']');
    if (v->c->json)
        json_print(&j);
    else
        strbuf_free(&j.out);
}

int topic_describe(struct cli *c) {
    struct admin a;
    struct view v = {.c = c, .a = &a, .offsets = !cli_has(c, "no-offsets")};
    int found = CLI_DONE, status = admin_begin(c, &a);
    if (!status) status = admin_metadata(&a, c->args_n ? c->args : NULL, c->args_n, &v.meta);
    if (status) goto out;
    found = select_topics(&v);
    if (v.meta.topics_n > 0) {
        status = ask_configs(&v);
        if (!status && v.offsets) status = ask_offsets(&v);
        if (!status && v.offsets) status = ask_sizes(&v);
    }
    if (!status && (v.meta.topics_n > 0 || found == CLI_DONE)) show(&v);
out:
    admin_end(&a);
    return status ? status : found;
}
