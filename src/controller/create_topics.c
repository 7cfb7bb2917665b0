/* CreateTopics and CreatePartitions (ControllerApis.createTopics, ReplicationControlManager.createTopics,
 * .createPartitions).
 *
 * A topic fails alone: its records are added last, when nothing can fail any more. The checks come in the
 * order of the reference, since the first that fails is the answer: duplicate names; forbidden and
 * unauthorized ones; the name itself; a clash of
 * '.' and '_'; existence; null and invalid configurations; the assignment, or counts and placement; the
 * quota. */
#include "api/create_partitions.h"
#include "api/create_topics.h"
#include "base/assert.h"
#include "base/hashmap.h"
#include "controller/placement.h"
#include "controller/state.h"
#include "metadata/version.h"
#include "metadata/topic_name.h"
#include "records/metadata.h"

#include <stdlib.h>
#include <string.h>

static const char metadata_topic[] = "__cluster_metadata";

/* Replicas of the partitions of one topic: n partitions of `replication` each. */
struct layout {
    int32_t n, replication;
    const int32_t **replicas; /* by partition */
};

bool broker_is_active(const struct image *i, int32_t id) {
    const struct broker *b = image_broker(i, id);
    return b && !b->fenced && !b->in_controlled_shutdown;
}

int32_t active_count(const struct image *i, const int32_t *brokers, int32_t n) {
    int32_t active = 0;
    for (int32_t k = 0; k < n; k++) active += broker_is_active(i, brokers[k]);
    return active;
}

struct uuid broker_default_dir(const struct image *i, int32_t id) {
    const struct broker *b = image_broker(i, id);
    if (!b || b->dirs_n > 1) return directory_unassigned;
    return b->dirs_n == 1 ? b->dirs[0] : directory_migrating;
}

void new_partition_add(const struct image *i, const struct topic *t, int32_t index, const int32_t *replicas,
                       int32_t n, struct record_list *records) {
    struct partition_record rec;
    partition_record_init(&rec);
    int32_t *isr = arena_alloc(&records->arena, (size_t)n * sizeof *isr);
    struct uuid *dirs = arena_alloc(&records->arena, (size_t)n * sizeof *dirs);
    if (!isr || !dirs) {
        records->failed = true;
        return;
    }
    for (int32_t k = 0; k < n; k++) {
        dirs[k] = broker_default_dir(i, replicas[k]);
        if (broker_is_active(i, replicas[k])) isr[rec.isr_n++] = replicas[k];
    }
    ASSERT(rec.isr_n > 0);
    rec.partition_id = index;
    rec.topic_id = t->id;
    rec.replicas = (int32_t *)replicas;
    rec.replicas_n = n;
    rec.isr = isr;
    rec.leader = isr[0];
    rec.leader_epoch = rec.partition_epoch = 0;
    if (i->metadata_version >= MV_3_7_IV2) {
        rec.directories = dirs;
        rec.directories_n = n;
    }
    record_add_partition(records, mv_partition_version(i->metadata_version), &rec);
}

static int by_id(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

struct api_error assignment_check(const struct image *i, const int32_t *brokers, int32_t n,
                                  int32_t replication, struct arena *a) {
    const int16_t code = KERR_INVALID_REPLICA_ASSIGNMENT;
    if (n <= 0)
        return (struct api_error){code, "The manual partition assignment includes an empty replica list."};
    int32_t *sorted = arena_memdup(a, brokers, (size_t)n * sizeof *sorted);
    if (!sorted) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    qsort(sorted, (size_t)n, sizeof *sorted, by_id);
    for (int32_t k = 0; k < n; k++) {
        if (!image_broker(i, sorted[k]))
            return api_error_printf(
                a, code,
                "The manual partition assignment includes broker %d, but no such broker is registered.",
                sorted[k]);
        if (k > 0 && sorted[k] == sorted[k - 1])
            return api_error_printf(
                a, code, "The manual partition assignment includes the broker %d more than once.", sorted[k]);
    }
    if (replication > 0 && n != replication)
        return api_error_printf(
            a, code,
            "The manual partition assignment includes a partition with %d replica(s), but this "
            "is not consistent with previous partitions, which have %d replica(s).",
            n, replication);
    return API_OK;
}

/* Splits the block that placement made into the rows of a layout. */
static bool layout_rows(struct layout *l, const int32_t *block, struct arena *a) {
    l->replicas = arena_alloc(a, (size_t)l->n * sizeof(void *));
    if (!l->replicas) return false;
    for (int32_t p = 0; p < l->n; p++) l->replicas[p] = block + (size_t)p * (size_t)l->replication;
    return true;
}

static struct api_error no_active(const struct layout *l, struct arena *a) {
    return api_error_printf(
        a, KERR_INVALID_REPLICATION_FACTOR,
        "Unable to replicate the partition %d time(s): All brokers are currently fenced or in "
        "controlled shutdown.",
        l->replication);
}

/* Places l->n partitions. `prefix`: CreateTopics puts its own words before the reason. */
static struct api_error layout_place(struct controller *c, struct layout *l, bool prefix, struct arena *a) {
    int32_t *block;
    const char *why;
    int16_t code = placement_place(c->image, &c->random, l->n, l->replication, a, &block, &why);
    if (code == KERR_INVALID_REPLICATION_FACTOR && prefix)
        return api_error_printf(a, code, "Unable to replicate the partition %d time(s): %s", l->replication,
                                why);
    if (code)
        return (struct api_error){code, code == KERR_INVALID_REPLICATION_FACTOR ? why : kerr_message(code)};
    if (!layout_rows(l, block, a)) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    for (int32_t p = 0; p < l->n; p++)
        if (active_count(c->image, l->replicas[p], l->replication) == 0) return no_active(l, a);
    return API_OK;
}

static struct api_error layout_manual(struct controller *c,
                                      const struct create_topics_request_creatable_topic *t, struct layout *l,
                                      struct arena *a) {
    if (t->replication_factor != -1)
        return (struct api_error){
            KERR_INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set to -1."};
    if (t->num_partitions != -1)
        return (struct api_error){
            KERR_INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1."};
    l->n = t->assignments_n;
    l->replicas = arena_calloc(a, (size_t)l->n, sizeof(void *));
    struct hashmap seen;
    struct api_error e = l->replicas ? API_OK : api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    hashmap_init(&seen, random_u64(&c->random));
    for (int32_t k = 0; k < l->n && !api_failed(e); k++) {
        const struct create_topics_request_creatable_replica_assignment *p = &t->assignments[k];
        if (hashmap_put(&seen, &p->partition_index, sizeof p->partition_index, (void *)p)) {
            e = api_error_printf(a, KERR_INVALID_REPLICA_ASSIGNMENT,
                                 "Found multiple manual partition assignments for partition %d",
                                 p->partition_index);
            break;
        }
        e = assignment_check(c->image, p->broker_ids, p->broker_ids_n, l->replication, a);
        if (api_failed(e)) break;
        l->replication = p->broker_ids_n;
        if (active_count(c->image, p->broker_ids, p->broker_ids_n) == 0)
            e = api_error_printf(
                a, KERR_INVALID_REPLICA_ASSIGNMENT,
                "All brokers specified in the manual partition assignment for partition %d are "
                "fenced or in controlled shutdown.",
                p->partition_index);
        else if (p->partition_index >= 0 && p->partition_index < l->n)
            l->replicas[p->partition_index] = p->broker_ids;
    }
    hashmap_free(&seen);
    for (int32_t k = 0; k < l->n && !api_failed(e); k++)
        if (!l->replicas[k])
            e = (struct api_error){KERR_INVALID_REPLICA_ASSIGNMENT,
                                   "partitions should be a consecutive 0-based integer sequence"};
    return e;
}

static struct api_error layout_of(struct controller *c, const struct create_topics_request_creatable_topic *t,
                                  struct layout *l, struct arena *a) {
    if (t->assignments_n > 0) return layout_manual(c, t, l, a);
    if (t->replication_factor < -1 || t->replication_factor == 0)
        return (struct api_error){
            KERR_INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value."};
    if (t->num_partitions < -1 || t->num_partitions == 0)
        return (struct api_error){KERR_INVALID_PARTITIONS,
                                  "Number of partitions was set to an invalid non-positive value."};
    l->n = t->num_partitions == -1 ? c->config.default_partitions : t->num_partitions;
    l->replication = t->replication_factor == -1 ? c->config.default_replication : t->replication_factor;
    return layout_place(c, l, true, a);
}

static struct api_error name_check(struct controller *c, struct kstr name, struct arena *a) {
    const struct image *i = c->image;
    struct api_error e = API_OK;
    const char *problem = topic_name_problem(name, a);
    if (problem) e = (struct api_error){KERR_INVALID_TOPIC_EXCEPTION, problem};
    size_t len = (size_t)name.len;
    char *plain = arena_strndup(a, name.s ? name.s : "", len);
    if (!plain) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    for (char *p = plain; *p; p++)
        if (*p == '.') *p = '_';
    const struct topic *clash = pmap_get(&i->topics_by_clash, plain, len);
    if (clash)
        e = api_error_printf(a, KERR_INVALID_TOPIC_EXCEPTION, "Topic '%.*s' collides with existing topic: %s",
                             name.len, name.s, clash->name);
    if (image_topic_by_name(i, name.s, len))
        e = api_error_printf(a, KERR_TOPIC_ALREADY_EXISTS, "Topic '%.*s' already exists.", name.len, name.s);
    return e;
}

/* The topic's own configuration as changes; null values are not allowed. */
static struct api_error config_ops(const struct create_topics_request_creatable_topic *t, struct arena *a,
                                   struct config_change_op **ops) {
    *ops = arena_alloc(a, (size_t)t->configs_n * sizeof **ops);
    if (!*ops) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    const char *nulls = NULL;
    for (int32_t k = 0; k < t->configs_n; k++) {
        const struct create_topics_request_creatable_topic_config *e = &t->configs[k];
        (*ops)[k] = (struct config_change_op){CONFIG_SET, e->name, e->value};
        if (e->value.len >= 0) continue;
        nulls = arena_printf(a, "%s%s%.*s", nulls ? nulls : "", nulls ? "," : "", e->name.len, e->name.s);
        if (!nulls) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    }
    if (nulls)
        return api_error_printf(a, KERR_INVALID_CONFIG, "Null value not supported for topic configs: %s",
                                nulls);
    return API_OK;
}

static void fill_configs(struct controller *c, struct create_topics_response_creatable_topic_result *to,
                         const struct config_entry *own, int32_t n, struct arena *a) {
    struct topic_config_row *rows = NULL;
    int32_t rows_n = c->config.hooks.topic_rows
                         ? c->config.hooks.topic_rows(c->config.hooks.ctx, c->image, own, n, a, &rows)
                         : 0;
    to->configs = arena_calloc(a, (size_t)rows_n, sizeof *to->configs);
    to->configs_n = to->configs ? rows_n : 0;
    for (int32_t k = 0; k < to->configs_n; k++) {
        to->configs[k].name = kstr_of(rows[k].name);
        to->configs[k].value = rows[k].sensitive ? KSTR_NULL : kstr_of(rows[k].value);
        to->configs[k].read_only = rows[k].read_only;
        to->configs[k].is_sensitive = rows[k].sensitive;
        to->configs[k].config_source = rows[k].source;
    }
}

/* Creates one topic that passed the checks of its name: its records, and the response. */
static struct api_error create_topic(struct controller *c, const struct controller_context *x,
                                     const struct create_topics_request_creatable_topic *t,
                                     struct create_topics_response_creatable_topic_result *to,
                                     struct record_list *records) {
    struct config_change_op *ops;
    struct config_entry *own;
    int32_t own_n;
    struct record_list configs;
    record_list_init(&configs);
    struct api_error e = config_ops(t, x->arena, &ops);
    const char *name = arena_strndup(x->arena, t->name.s, (size_t)t->name.len);
    if (!name) e = api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    if (!api_failed(e))
        e = configs_change(c, x, CONFIG_TOPIC, name, ops, t->configs_n, true, &configs, &own, &own_n);
    struct layout l = {0};
    if (!api_failed(e)) e = layout_of(c, t, &l, x->arena);
    if (!api_failed(e) && x->mutate && !x->mutate(x->ctx, l.n))
        e = (struct api_error){KERR_THROTTLING_QUOTA_EXCEEDED, NULL};
    if (api_failed(e)) goto out;
    struct topic shell = {.id = uuid_random(&c->random)};
    record_add_topic(records, 0, &(struct topic_record){.name = t->name, .topic_id = shell.id});
    for (int32_t k = 0; k < configs.n; k++) record_add_raw(records, configs.v[k].data, configs.v[k].len);
    for (int32_t p = 0; p < l.n; p++)
        new_partition_add(c->image, &shell, p, l.replicas[p], l.replication, records);
    to->topic_id = shell.id;
    if (x->describable && !x->describable(x->ctx, t->name.s, (size_t)t->name.len)) {
        to->topic_config_error_code = KERR_TOPIC_AUTHORIZATION_FAILED;
    } else {
        fill_configs(c, to, own, own_n, x->arena);
        to->num_partitions = l.n;
        to->replication_factor = (int16_t)l.replication;
    }
out:
    record_list_free(&configs);
    return e;
}

static void topic_failed(struct create_topics_response_creatable_topic_result *to, struct api_error e) {
    struct kstr name = to->name;
    create_topics_response_creatable_topic_result_init(to);
    to->name = name;
    to->error_code = e.code;
    to->error_message = kstr_of(e.message);
}

static int64_t partitions_wanted(const struct controller *c, const struct create_topics_request *request) {
    int64_t n = 0;
    for (int32_t k = 0; k < request->topics_n; k++) {
        const struct create_topics_request_creatable_topic *t = &request->topics[k];
        if (t->assignments_n > 0)
            n += t->assignments_n;
        else if (t->num_partitions == -1)
            n += c->config.default_partitions;
        else if (t->num_partitions > 0)
            n += t->num_partitions;
    }
    return n;
}

/* One answer for every topic of the request; no records. */
static void all_failed(const struct create_topics_request *request, struct create_topics_response *response,
                       struct api_error e, struct record_list *records) {
    response->topics_n = request->topics_n;
    for (int32_t k = 0; k < request->topics_n; k++) {
        response->topics[k].name = request->topics[k].name;
        topic_failed(&response->topics[k], e);
    }
    record_list_truncate(records, 0);
}

/* What stands before the controller: duplicates, the metadata topic, authorization. */
static struct api_error gate(const struct controller_context *x, struct kstr name, bool duplicate) {
    if (duplicate) return (struct api_error){KERR_INVALID_REQUEST, "Duplicate topic name."};
    if (kstr_is(name, metadata_topic))
        return (struct api_error){KERR_INVALID_REQUEST,
                                  "Creation of internal topic __cluster_metadata is prohibited."};
    if (x->allowed && !x->allowed(x->ctx, name.s, (size_t)name.len))
        return (struct api_error){KERR_TOPIC_AUTHORIZATION_FAILED, "Authorization failed."};
    return API_OK;
}

/* Times each name stands in the request: seen maps to the number, kept as a pointer. */
static void count_names(struct hashmap *seen, const struct kstr *names, int32_t n) {
    for (int32_t k = 0; k < n; k++) {
        uintptr_t times = (uintptr_t)hashmap_get(seen, names[k].s, (size_t)names[k].len);
        hashmap_put(seen, names[k].s, (size_t)names[k].len, (void *)(times + 1));
    }
}

void controller_create_topics(struct controller *c, const struct controller_context *x,
                              const struct create_topics_request *request,
                              struct create_topics_response *response, struct record_list *records) {
    create_topics_response_init(response);
    int32_t n = request->topics_n, at = 0;
    struct kstr *names = arena_alloc(x->arena, (size_t)n * sizeof *names);
    response->topics = arena_calloc(x->arena, (size_t)n, sizeof *response->topics);
    if (n <= 0 || !names || !response->topics) return;
    struct hashmap seen;
    hashmap_init(&seen, random_u64(&c->random));
    for (int32_t k = 0; k < n; k++) names[k] = request->topics[k].name;
    count_names(&seen, names, n);
    if (partitions_wanted(c, request) > c->config.max_partitions_per_batch) {
        all_failed(
            request, response,
            (struct api_error){KERR_POLICY_VIOLATION, "Excessively large number of partitions per request."},
            records);
        goto out;
    }
    for (int late = 0; late < 2; late++) { /* those that did not pass the gate come last */
        for (int32_t k = 0; k < n; k++) {
            const struct create_topics_request_creatable_topic *t = &request->topics[k];
            uintptr_t times = (uintptr_t)hashmap_get(&seen, t->name.s, (size_t)t->name.len);
            if (times == 0) continue; /* a duplicate that was answered */
            struct api_error e = gate(x, t->name, times > 1);
            if (api_failed(e) != (late == 1)) continue;
            struct create_topics_response_creatable_topic_result *to = &response->topics[at++];
            create_topics_response_creatable_topic_result_init(to);
            to->name = t->name;
            to->error_message = KSTR_NULL;
            if (!late) e = name_check(c, t->name, x->arena);
            if (!late && !api_failed(e)) e = create_topic(c, x, t, to, records);
            if (api_failed(e)) topic_failed(to, e);
            if (late) hashmap_del(&seen, t->name.s, (size_t)t->name.len);
        }
    }
    response->topics_n = at;
    if (records->failed || records->n > MAX_RECORDS_PER_OP)
        all_failed(
            request, response,
            (struct api_error){KERR_POLICY_VIOLATION, "Unable to perform excessively large batch operation."},
            records);
    if (request->validate_only) record_list_truncate(records, 0);
out:
    hashmap_free(&seen);
}

/* CreatePartitions */

static struct api_error more_layout(struct controller *c,
                                    const struct create_partitions_request_create_partitions_topic *t,
                                    const struct topic *have, struct layout *l, struct arena *a) {
    l->replication = have->partitions[0]->replicas_n;
    if (t->assignments_n < 0) return layout_place(c, l, false, a);
    l->replicas = arena_calloc(a, (size_t)l->n, sizeof(void *));
    if (!l->replicas) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    for (int32_t k = 0; k < l->n; k++) {
        const struct create_partitions_request_create_partitions_assignment *p = &t->assignments[k];
        struct api_error e = assignment_check(c->image, p->broker_ids, p->broker_ids_n, l->replication, a);
        if (api_failed(e)) return e;
        if (active_count(c->image, p->broker_ids, p->broker_ids_n) == 0)
            return api_error_printf(
                a, KERR_INVALID_REPLICA_ASSIGNMENT,
                "All brokers specified in the manual partition assignment for partition %d are "
                "fenced or in controlled shutdown.",
                have->partitions_n + k);
        l->replicas[k] = p->broker_ids;
    }
    return API_OK;
}

static struct api_error more_partitions(struct controller *c, const struct controller_context *x,
                                        const struct create_partitions_request_create_partitions_topic *t,
                                        struct record_list *records) {
    struct arena *a = x->arena;
    const struct topic *have = image_topic_by_name(c->image, t->name.s, (size_t)t->name.len);
    if (!have) return (struct api_error){KERR_UNKNOWN_TOPIC_OR_PARTITION, NULL};
    if (t->count == have->partitions_n)
        return api_error_printf(a, KERR_INVALID_PARTITIONS, "Topic already has %d partition(s).",
                                have->partitions_n);
    if (t->count < have->partitions_n)
        return api_error_printf(a, KERR_INVALID_PARTITIONS,
                                "The topic %s currently has %d partition(s); %d would not be an increase.",
                                have->name, have->partitions_n, t->count);
    struct layout l = {.n = t->count - have->partitions_n};
    if (t->assignments_n >= 0 && t->assignments_n != l.n)
        return api_error_printf(
            a, KERR_INVALID_REPLICA_ASSIGNMENT,
            "Attempted to add %d additional partition(s), but only %d assignment(s) were specified.", l.n,
            t->assignments_n);
    if (l.n > MAX_RECORDS_PER_OP - records->n) {
        records->failed = true;
        return API_OK;
    }
    if (x->mutate && !x->mutate(x->ctx, l.n)) return api_error_of(KERR_THROTTLING_QUOTA_EXCEEDED);
    if (have->partitions_n == 0 || !have->partitions[0]) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    struct api_error e = more_layout(c, t, have, &l, a);
    for (int32_t k = 0; k < l.n && !api_failed(e); k++)
        new_partition_add(c->image, have, have->partitions_n + k, l.replicas[k], l.replication, records);
    return e;
}

void controller_create_partitions(struct controller *c, const struct controller_context *x,
                                  const struct create_partitions_request *request,
                                  struct create_partitions_response *response, struct record_list *records) {
    create_partitions_response_init(response);
    int32_t n = request->topics_n, at = 0;
    struct kstr *names = arena_alloc(x->arena, (size_t)n * sizeof *names);
    response->results = arena_calloc(x->arena, (size_t)n, sizeof *response->results);
    if (n <= 0 || !names || !response->results) return;
    struct hashmap seen;
    hashmap_init(&seen, random_u64(&c->random));
    for (int32_t k = 0; k < n; k++) names[k] = request->topics[k].name;
    count_names(&seen, names, n);
    for (int32_t k = 0; k < n; k++) {
        const struct create_partitions_request_create_partitions_topic *t = &request->topics[k];
        uintptr_t times = (uintptr_t)hashmap_get(&seen, t->name.s, (size_t)t->name.len);
        if (times == 0) continue;
        hashmap_del(&seen, t->name.s, (size_t)t->name.len);
        struct api_error e = API_OK;
        if (times > 1)
            e = (struct api_error){KERR_INVALID_REQUEST, "Duplicate topic name."};
        else if (x->allowed && !x->allowed(x->ctx, t->name.s, (size_t)t->name.len))
            e = (struct api_error){KERR_TOPIC_AUTHORIZATION_FAILED, NULL};
        else
            e = more_partitions(c, x, t, records);
        create_partitions_response_create_partitions_topic_result_init(&response->results[at]);
        response->results[at].name = t->name;
        response->results[at].error_code = e.code;
        response->results[at++].error_message = kstr_of(e.message);
    }
    response->results_n = at;
    hashmap_free(&seen);
    if (records->failed || records->n > MAX_RECORDS_PER_OP) {
        for (int32_t k = 0; k < at; k++) {
            response->results[k].error_code = KERR_POLICY_VIOLATION;
            response->results[k].error_message = KSTR("Unable to perform excessively large batch operation.");
        }
        records->failed = false;
        record_list_truncate(records, 0);
    }
    if (request->validate_only) record_list_truncate(records, 0);
}
