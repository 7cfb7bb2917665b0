/* IncrementalAlterConfigs and AlterConfigs (ConfigurationControlManager; the duplicates that ControllerApis
 * looks for). A resource changes as a whole or not at all. Which keys and values are allowed, the hooks say.
 */
#include "api/alter_configs.h"
#include "api/incremental_alter_configs.h"
#include "base/assert.h"
#include "base/hashmap.h"
#include "controller/state.h"
#include "metadata/version.h"
#include "metadata/topic_name.h"
#include "records/metadata.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

static const char min_isr[] = "min.insync.replicas", cordoned[] = "cordoned.log.dirs";

static const struct api_error excessive = {KERR_POLICY_VIOLATION,
                                           "Unable to perform excessively large batch operation."};

/* A change of one resource in the making. */
struct edit {
    struct controller *c;
    const struct controller_context *x;
    enum config_resource type;
    const char *resource;
    const struct config_set *before; /* or NULL */
    struct config_record *records;   /* what will be written */
    int32_t records_n;
    struct config_entry *after; /* in order of names */
    int32_t after_n;
};

static const char *text_of(struct edit *e, struct kstr s) {
    return s.len < 0 ? NULL : arena_strndup(e->x->arena, s.s ? s.s : "", (size_t)s.len);
}

static bool edit_begin(struct edit *e, int32_t most) {
    e->before = image_configs(e->c->image, e->type, e->resource, strlen(e->resource));
    int32_t have = e->before ? e->before->n : 0;
    e->records = arena_calloc(e->x->arena, (size_t)most + (size_t)have, sizeof *e->records);
    e->after = arena_calloc(e->x->arena, (size_t)most + (size_t)have, sizeof *e->after);
    if (!e->records || !e->after) return false;
    if (have) memcpy(e->after, e->before->entries, (size_t)have * sizeof *e->after);
    e->after_n = have;
    return true;
}

/* Sets (or, with NULL, removes) a key in `after`. */
static void set_after(struct edit *e, const char *name, const char *value) {
    int32_t at = 0;
    while (at < e->after_n && strcmp(e->after[at].name, name) < 0) at++;
    bool there = at < e->after_n && strcmp(e->after[at].name, name) == 0;
    if (!value && there) {
        e->after_n--;
        memmove(e->after + at, e->after + at + 1, (size_t)(e->after_n - at) * sizeof *e->after);
    }
    if (!value) return;
    if (!there) memmove(e->after + at + 1, e->after + at, (size_t)(e->after_n++ - at) * sizeof *e->after);
    e->after[at] = (struct config_entry){name, value, (int32_t)strlen(name), (int32_t)strlen(value)};
}

static void put(struct edit *e, const char *name, const char *value) {
    set_after(e, name, value);
    e->records[e->records_n++] = (struct config_record){.resource_type = (int8_t)e->type,
                                                        .resource_name = kstr_of(e->resource),
                                                        .name = kstr_of(name),
                                                        .value = kstr_of(value)};
}

/* Is `item` (n bytes) one of the comma-separated items? */
static bool list_has(const char *list, const char *item, size_t n) {
    for (const char *p = list; *p;) {
        size_t len = strcspn(p, ",");
        if (len == n && memcmp(p, item, n) == 0) return true;
        p += len + (p[len] == ',');
    }
    return false;
}

/* One item after another of a text as String.split cuts it: empty ones count, but not those at the end, and
 * "" is one empty item. False: there is none left. */
static bool next_item(const char *text, size_t *at, const char **item, size_t *len) {
    size_t end = strlen(text);
    while (end && text[end - 1] == ',') end--;
    if (*at > end || (end == 0 && *text)) return false;
    *item = text + *at;
    *len = strcspn(*item, ",");
    if (*at + *len > end) *len = end - *at;
    *at += *len + 1;
    return true;
}

/* The list after APPEND or SUBTRACT of the items of `change`. */
static const char *list_change(struct edit *e, const char *list, const char *change, bool append) {
    if (strlen(change) > INT16_MAX) return change; /* refused anyway, see key_allowed */
    char *to = arena_calloc(e->x->arena, strlen(list) + strlen(change) + 2, 1), *out = to;
    const char *item;
    size_t len, at = 0;
    int32_t n = 0;
    while (to && next_item(list, &at, &item, &len)) {
        if (len == 0 || (!append && list_has(change, item, len))) continue;
        if (n++) *out++ = ',';
        out = (char *)memcpy(out, item, len) + len;
    }
    for (at = 0; to && append && next_item(change, &at, &item, &len);) {
        if (list_has(to, item, len)) continue;
        if (n++) *out++ = ',';
        out = (char *)memcpy(out, item, len) + len;
    }
    return to;
}

static const char *op_name(enum config_op op) { return op == CONFIG_APPEND ? "APPEND" : "SUBTRACT"; }

/* The new value of one incremental change in *value. */
static struct api_error apply(struct edit *e, const struct config_change_op *op, const char *name,
                              const char *now, const char **value) {
    const struct controller_hooks *h = &e->c->config.hooks;
    const char *given = text_of(e, op->value);
    *value = op->op == CONFIG_SET ? given : NULL;
    if (op->op == CONFIG_SET || op->op == CONFIG_DELETE) return API_OK;
    if (!h->is_list || !h->is_list(h->ctx, e->type, name))
        return api_error_printf(e->x->arena, KERR_INVALID_CONFIG,
                                "Can't %s to key %s because its type is not LIST.", op_name(op->op), name);
    if (!now && h->default_value) now = h->default_value(h->ctx, e->type, name);
    *value = given ? list_change(e, now ? now : "", given, op->op == CONFIG_APPEND) : NULL;
    return *value ? API_OK : api_error_of(KERR_UNKNOWN_SERVER_ERROR);
}

/* The base-10 number of a broker's name; -1: it is none. */
static int64_t broker_number(const char *name) {
    char *end;
    errno = 0;
    long long n = strtoll(name, &end, 10);
    return errno || *end || end == name || n < INT_MIN || n > INT_MAX ? INT64_MIN : n;
}

static struct api_error name_allowed(struct edit *e) {
    const int16_t code = KERR_INVALID_REQUEST;
    const char *problem;
    switch (e->type) {
    case CONFIG_TOPIC:
        if (!*e->resource) return (struct api_error){code, "Default topic resources are not allowed."};
        problem = topic_name_problem(kstr_of(e->resource), e->x->arena);
        return problem ? (struct api_error){KERR_INVALID_TOPIC_EXCEPTION, problem} : API_OK;
    case CONFIG_BROKER:
        if (*e->resource && broker_number(e->resource) == INT64_MIN)
            return (struct api_error){code, "Unable to parse broker name as a base 10 number."};
        if (*e->resource && broker_number(e->resource) < 0)
            return (struct api_error){code, "Invalid negative broker ID."};
        return API_OK;
    case CONFIG_GROUP:
        if (!*e->resource) return (struct api_error){code, "Default group resources are not allowed."};
        return API_OK;
    case CONFIG_CLIENT_METRICS: return API_OK;
    default: return (struct api_error){code, "Unknown resource type BROKER_LOGGER"};
    }
}

static struct api_error exists(struct edit *e) {
    const struct image *i = e->c->image;
    if (e->type == CONFIG_TOPIC && !image_topic_by_name(i, e->resource, strlen(e->resource)))
        return api_error_printf(e->x->arena, KERR_UNKNOWN_TOPIC_OR_PARTITION,
                                "The topic '%s' does not exist.", e->resource);
    if (e->type != CONFIG_BROKER || !*e->resource) return API_OK;
    int32_t id = (int32_t)broker_number(e->resource);
    if (id == e->c->config.node_id || image_broker(i, id) || image_controller(i, id)) return API_OK;
    return api_error_printf(e->x->arena, KERR_BROKER_ID_NOT_REGISTERED, "No node with id %d found.", id);
}

/* Rules about single keys that no schema knows. */
static struct api_error key_allowed(struct edit *e, const struct config_record *r) {
    bool elr = image_feature(e->c->image, ELR_VERSION) > 0, node = e->type == CONFIG_BROKER;
    const int16_t code = KERR_INVALID_CONFIG;
    if (elr && node && kstr_is(r->name, min_isr)) {
        if (*e->resource)
            return (struct api_error){
                code, "Broker-level min.insync.replicas cannot be altered while ELR is enabled."};
        if (r->value.len < 0)
            return (struct api_error){
                code, "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."};
    }
    if (node && kstr_is(r->name, cordoned)) {
        if (e->c->image->metadata_version < MV_4_3_IV0)
            return (struct api_error){code,
                                      "The cordoned.log.dirs configuration value cannot be set because it "
                                      "requires metadata.version >= 4.3-IV0"};
        const char *now = config_set_get(e->before, cordoned), *to = text_of(e, r->value);
        for (const char *p = to ? to : ""; !e->x->forwarded && *p;) {
            size_t len = strcspn(p, ",");
            if (len && !list_has(now ? now : "", p, len))
                return (struct api_error){
                    code, "When updating cordoned.log.dirs via controllers,  the new value must "
                          "be a subset of the current configuration value."};
            p += len + (p[len] == ',');
        }
    }
    if (r->value.len > INT16_MAX)
        return (struct api_error){code,
                                  "The configuration value cannot be added because it exceeds the maximum "
                                  "value size of 32767 bytes."};
    return API_OK;
}

static struct api_error validate(struct edit *e, bool creating) {
    const struct controller_hooks *h = &e->c->config.hooks;
    struct api_error err = API_OK;
    for (int32_t k = 0; k < e->records_n && !api_failed(err); k++) err = key_allowed(e, &e->records[k]);
    if (!api_failed(err)) err = name_allowed(e);
    if (!api_failed(err) && h->validate)
        err.code = h->validate(h->ctx, e->type, e->resource, e->after, e->after_n, e->before, e->x->arena,
                               &err.message);
    if (!api_failed(err) && !creating) err = exists(e);
    return err;
}

static void add_records(struct edit *e, struct record_list *to) {
    for (int32_t k = 0; k < e->records_n; k++) record_add_config(to, 0, &e->records[k]);
}

/* A changed min.insync.replicas makes what is known of eligible replicas worthless. */
static void add_clear_elr(struct edit *e, struct record_list *to) {
    if (image_feature(e->c->image, ELR_VERSION) == 0) return;
    for (int32_t k = 0; k < e->records_n; k++) {
        if (!kstr_is(e->records[k].name, min_isr)) continue;
        struct clear_elr_record rec = {.topic_name =
                                           e->type == CONFIG_TOPIC ? kstr_of(e->resource) : KSTR("")};
        record_add_clear_elr(to, 0, &rec);
    }
}

struct api_error configs_change(struct controller *c, const struct controller_context *x,
                                enum config_resource type, const char *resource,
                                const struct config_change_op *ops, int32_t n, bool creating,
                                struct record_list *records, struct config_entry **after, int32_t *after_n) {
    struct edit e = {.c = c, .x = x, .type = type, .resource = resource};
    if (n > MAX_RECORDS_PER_OP) return excessive;
    if (!edit_begin(&e, n)) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    struct api_error err = API_OK;
    for (int32_t k = 0; k < n && !api_failed(err); k++) {
        bool last = true; /* of a key given twice the last counts */
        for (int32_t m = k + 1; m < n && last; m++) last = !kstr_equal(ops[m].name, ops[k].name);
        if (!last) continue;
        const char *name = text_of(&e, ops[k].name), *value;
        if (!name) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
        const char *now = config_set_get(e.before, name);
        err = apply(&e, &ops[k], name, now, &value);
        bool same = now && value ? strcmp(now, value) == 0 : now == value;
        /* To a broker also what it has already: it loads files anew (KAFKA-14136). */
        if (!api_failed(err) && (!same || type == CONFIG_BROKER)) put(&e, name, value);
    }
    if (!api_failed(err)) err = validate(&e, creating);
    if (!api_failed(err)) {
        add_records(&e, records);
        add_clear_elr(&e, records);
    }
    if (after) {
        *after = e.after;
        *after_n = e.after_n;
    }
    return err;
}

/* The whole configuration of a resource, as AlterConfigs gives it: what is not named is removed. */
static struct api_error configs_replace(struct controller *c, const struct controller_context *x,
                                        enum config_resource type, const char *resource,
                                        const struct alter_configs_request_alterable_config *configs,
                                        int32_t n, struct record_list *records) {
    struct edit e = {.c = c, .x = x, .type = type, .resource = resource};
    if (n > MAX_RECORDS_PER_OP) return excessive;
    if (!edit_begin(&e, n)) return api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    struct hashmap named;
    hashmap_init(&named, random_u64(&c->random));
    for (int32_t k = 0; k < n; k++) {
        const char *name = text_of(&e, configs[k].name), *value = text_of(&e, configs[k].value);
        const char *now = config_set_get(e.before, name);
        hashmap_put(&named, configs[k].name.s, (size_t)configs[k].name.len, e.after);
        bool same = now && value ? strcmp(now, value) == 0 : now == value;
        if (!same || type == CONFIG_BROKER) put(&e, name, value);
    }
    for (int32_t k = 0; e.before && k < e.before->n; k++) {
        const struct config_entry *old = &e.before->entries[k];
        if (!hashmap_get(&named, old->name, (size_t)old->name_len)) put(&e, old->name, NULL);
    }
    hashmap_free(&named);
    struct api_error err = validate(&e, false);
    if (api_failed(err)) return err;
    add_records(&e, records);
    add_clear_elr(&e, records);
    return API_OK;
}

static bool known_type(int8_t t) {
    return t == CONFIG_TOPIC || t == CONFIG_BROKER || t == CONFIG_CLIENT_METRICS || t == CONFIG_GROUP ||
           t == CONFIG_BROKER_LOGGER;
}

/* What stands before the controller. times: how often the resource is in the request. */
static struct api_error resource_gate(const struct controller_context *x, int8_t type, uintptr_t times) {
    if (!known_type(type))
        return api_error_printf(x->arena, KERR_UNSUPPORTED_VERSION, "Unknown resource type %d.", type);
    if (times > 1) return (struct api_error){KERR_INVALID_REQUEST, "Duplicate resource."};
    if (type == CONFIG_BROKER_LOGGER)
        return (struct api_error){KERR_INVALID_REQUEST, "Unexpected resource type BROKER_LOGGER."};
    return API_OK;
}

/* Counts the resources of a request; *keys (type and name) lives in the arena. */
static bool count_resource(struct hashmap *seen, struct arena *a, int8_t type, struct kstr name, char **key) {
    size_t len = (size_t)name.len + 1;
    char *to = *key = arena_calloc(a, len + 1, 1);
    if (!to) return false;
    *to = (char)type;
    if (name.len) memcpy(to + 1, name.s, (size_t)name.len);
    uintptr_t times = (uintptr_t)hashmap_get(seen, *key, len);
    hashmap_put(seen, *key, len, (void *)(times + 1));
    return true;
}

static struct api_error finish(struct record_list *records, bool validate_only) {
    bool too_large = records->n > MAX_RECORDS_PER_OP, failed = records->failed;
    if (validate_only || failed || too_large) record_list_truncate(records, 0);
    return too_large ? excessive : failed ? api_error_of(KERR_UNKNOWN_SERVER_ERROR) : API_OK;
}

void controller_incremental_alter_configs(struct controller *c, const struct controller_context *x,
                                          const struct incremental_alter_configs_request *request,
                                          struct incremental_alter_configs_response *response,
                                          struct record_list *records) {
    incremental_alter_configs_response_init(response);
    int32_t n = request->resources_n;
    response->responses = arena_calloc(x->arena, (size_t)n, sizeof *response->responses);
    char **keys = arena_calloc(x->arena, (size_t)n, sizeof *keys);
    if (n <= 0 || !response->responses || !keys) return;
    struct hashmap seen;
    hashmap_init(&seen, random_u64(&c->random));
    bool room = true;
    for (int32_t k = 0; k < n && room; k++)
        room = count_resource(&seen, x->arena, request->resources[k].resource_type,
                              request->resources[k].resource_name, &keys[k]);
    for (int32_t k = 0; k < n && room; k++) {
        const struct incremental_alter_configs_request_alter_configs_resource *r = &request->resources[k];
        uintptr_t times = (uintptr_t)hashmap_del(&seen, keys[k], (size_t)r->resource_name.len + 1);
        if (times == 0) continue;
        struct api_error e = resource_gate(x, r->resource_type, times);
        struct config_change_op *ops = arena_calloc(x->arena, (size_t)r->configs_n, sizeof *ops);
        if (!ops) e = api_error_of(KERR_UNKNOWN_SERVER_ERROR);
        for (int32_t m = 0; ops && m < r->configs_n; m++)
            ops[m] = (struct config_change_op){(enum config_op)r->configs[m].config_operation,
                                               r->configs[m].name, r->configs[m].value};
        if (!api_failed(e))
            e = configs_change(c, x, (enum config_resource)r->resource_type, keys[k] + 1, ops, r->configs_n,
                               false, records, NULL, NULL);
        struct incremental_alter_configs_response_alter_configs_resource_response *to =
            &response->responses[response->responses_n++];
        *to = (struct incremental_alter_configs_response_alter_configs_resource_response){
            .error_code = e.code,
            .error_message = kstr_of(e.message),
            .resource_type = r->resource_type,
            .resource_name = r->resource_name};
    }
    hashmap_free(&seen);
    struct api_error all = finish(records, request->validate_only);
    for (int32_t k = 0; api_failed(all) && k < response->responses_n; k++) {
        response->responses[k].error_code = all.code;
        response->responses[k].error_message = kstr_of(all.message);
    }
}

void controller_alter_configs(struct controller *c, const struct controller_context *x,
                              const struct alter_configs_request *request,
                              struct alter_configs_response *response, struct record_list *records) {
    alter_configs_response_init(response);
    int32_t n = request->resources_n;
    response->responses = arena_calloc(x->arena, (size_t)n, sizeof *response->responses);
    char **keys = arena_calloc(x->arena, (size_t)n, sizeof *keys);
    if (n <= 0 || !response->responses || !keys) return;
    struct hashmap seen;
    hashmap_init(&seen, random_u64(&c->random));
    bool room = true;
    for (int32_t k = 0; k < n && room; k++)
        room = count_resource(&seen, x->arena, request->resources[k].resource_type,
                              request->resources[k].resource_name, &keys[k]);
    for (int32_t k = 0; k < n && room; k++) {
        const struct alter_configs_request_alter_configs_resource *r = &request->resources[k];
        uintptr_t times = (uintptr_t)hashmap_del(&seen, keys[k], (size_t)r->resource_name.len + 1);
        if (times == 0) continue;
        struct api_error e = resource_gate(x, r->resource_type, times);
        if (!api_failed(e))
            e = configs_replace(c, x, (enum config_resource)r->resource_type, keys[k] + 1, r->configs,
                                r->configs_n, records);
        struct alter_configs_response_alter_configs_resource_response *to =
            &response->responses[response->responses_n++];
        *to = (struct alter_configs_response_alter_configs_resource_response){
            .error_code = e.code,
            .error_message = kstr_of(e.message),
            .resource_type = r->resource_type,
            .resource_name = r->resource_name};
    }
    hashmap_free(&seen);
    struct api_error all = finish(records, request->validate_only);
    for (int32_t k = 0; api_failed(all) && k < response->responses_n; k++) {
        response->responses[k].error_code = all.code;
        response->responses[k].error_message = kstr_of(all.message);
    }
}
