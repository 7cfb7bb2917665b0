/* Before: handlers/alter_configs, handlers/incremental_alter_configs. After: controller/configs. */
#include "server/alter.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/hashmap.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "config/text.h"
#include "metadata/image.h"
#include "server/dynamic_config.h"
#include "server/node.h"
#include "server/request.h"

enum { SENTENCE_MAX = 1 << 20 };

struct check {
    struct request *request;
    struct alter_resource *resource;
    struct arena arena; /* scratch of one resource */
    bool replace, validate_only;
};

static bool refuse(struct check *k, int16_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Always false, for `return refuse(…)`. */
static bool refuse(struct check *k, int16_t error, const char *format, ...) {
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    k->resource->answered = true;
    k->resource->error = error;
    k->resource->message = n < 0 ? NULL : arena_strndup(&k->request->arena, text, (size_t)n);
    if (n >= 0) free(text);
    return false;
}

/* ---- what is wrong whatever the resource
 * ------------------------------------------------------------------------------- */

/* Type and name of a resource as one key, len bytes; NULL: no memory. */
static char *resource_key(struct arena *a, const struct alter_resource *x, size_t *len) {
    *len = (size_t)x->name.len + 1;
    char *key = arena_alloc(a, *len);
    if (!key) return NULL;
    *key = (char)x->type;
    if (x->name.len) memcpy(key + 1, x->name.s, (size_t)x->name.len);
    return key;
}

/* Resources of the same type and name are all refused. False: no memory. */
static bool refuse_duplicates(struct request *r, struct alter_resource *resources, int32_t n) {
    static const char twice[] = "Each resource must appear at most once.";
    struct hashmap seen;
    bool room = true;
    hashmap_init(&seen, r->node->seed);
    for (int32_t i = 0; room && i < n; i++) {
        size_t len;
        char *key = resource_key(&r->arena, &resources[i], &len);
        room = key != NULL;
        struct alter_resource *other = room ? hashmap_put(&seen, key, len, &resources[i]) : NULL;
        if (!other) continue;
        struct check first = {.request = r, .resource = other},
                     again = {.request = r, .resource = &resources[i]};
        refuse(&first, KERR_INVALID_REQUEST, "%s", twice);
        refuse(&again, KERR_INVALID_REQUEST, "%s", twice);
    }
    hashmap_free(&seen);
    return room;
}

static bool has_nul(struct kstr s) { return s.len > 0 && memchr(s.s, 0, (size_t)s.len); }

/* A configuration is text: with a NUL in it, what is stored would not be what was checked. */
static bool texts_are_whole(struct check *k) {
    bool nul = has_nul(k->resource->name);
    for (int32_t i = 0; !nul && i < k->resource->items_n; i++)
        nul = has_nul(k->resource->items[i].name) || has_nul(k->resource->items[i].value);
    return !nul ||
           refuse(k, KERR_INVALID_REQUEST, "A NUL is not allowed in the names and values of configurations");
}

static bool keys_are_unique(struct check *k) {
    struct hashmap seen;
    bool unique = true;
    hashmap_init(&seen, k->request->node->seed);
    for (int32_t i = 0; unique && i < k->resource->items_n; i++) {
        struct kstr name = k->resource->items[i].name;
        unique = !hashmap_put(&seen, name.s ? name.s : "", (size_t)name.len, k);
    }
    hashmap_free(&seen);
    return unique || refuse(k, KERR_INVALID_REQUEST, "Error due to duplicate config keys");
}

static bool values_are_there(struct check *k) {
    struct strbuf names;
    strbuf_init(&names, SENTENCE_MAX);
    for (int32_t i = 0; i < k->resource->items_n; i++) {
        const struct alter_item *item = &k->resource->items[i];
        if (item->value.len < 0 && item->op != ALTER_DELETE)
            strbuf_addf(&names, "%s%.*s", names.len ? ", " : "", item->name.len, item->name.s);
    }
    bool all = !names.s;
    if (!all) refuse(k, KERR_INVALID_REQUEST, "Null value not supported for : %s", strbuf_str(&names));
    strbuf_free(&names);
    return all;
}

/* ---- this broker, all brokers
 * ------------------------------------------------------------------------------------------ */

static const char *text_of(struct check *k, struct kstr s) {
    return text_copy_n(&k->arena, s.len > 0 ? s.s : "", s.len > 0 ? (size_t)s.len : 0);
}

/* The configuration in the making; a value that was taken out is NULL until values_end. */
struct values {
    struct config_pair *pairs;
    int32_t n;
    struct hashmap by_name;
};

static void put(struct values *v, const char *name, const char *value) {
    struct config_pair *p = hashmap_get(&v->by_name, name, strlen(name));
    if (!p) {
        p = &v->pairs[v->n++];
        hashmap_put(&v->by_name, name, strlen(name), p);
    }
    *p = (struct config_pair){name, value};
}

static const char *current(const struct values *v, const char *name) {
    const struct config_pair *p = hashmap_get(&v->by_name, name, strlen(name));
    return p ? p->value : NULL;
}

static void values_end(struct values *v) {
    int32_t kept = 0;
    for (int32_t i = 0; i < v->n; i++)
        if (v->pairs[i].value) v->pairs[kept++] = v->pairs[i];
    v->n = kept;
    hashmap_free(&v->by_name);
}

/* The list with the items of `change` added, or taken out. */
static const char *changed_list(struct check *k, const char *before, const char *change, bool append) {
    struct config_list old = text_list(&k->arena, before), diff = text_list(&k->arena, change), out = {0};
    const char **items = text_alloc(&k->arena, (size_t)(old.n + diff.n + 1) * sizeof *items);
    for (int32_t i = 0; i < old.n; i++)
        if (append || !text_list_has(diff, old.items[i])) items[out.n++] = old.items[i];
    for (int32_t i = 0; append && i < diff.n; i++)
        if (!text_list_has(old, diff.items[i])) items[out.n++] = diff.items[i];
    out.items = items;
    return text_join(&k->arena, out);
}

static bool change(struct check *k, struct values *v, const struct alter_item *item) {
    const char *name = text_of(k, item->name), *value = text_of(k, item->value);
    bool append = item->op == ALTER_APPEND;
    if (item->op == ALTER_SET || item->op == ALTER_DELETE) {
        put(v, name, item->op == ALTER_SET ? value : NULL);
        return true;
    }
    int id = config_find(name);
    const struct config_def *def = id < 0 ? NULL : config_def((enum cfg_id)id);
    if (!def || def->dynamic_only) return refuse(k, KERR_INVALID_CONFIG, "Unknown config name: %s", name);
    if (def->type != CONFIG_TYPE_LIST)
        return refuse(k, KERR_INVALID_CONFIG, "Config value %s is not allowed for config key: %s",
                      append ? "append" : "subtract", name);
    const char *before = current(v, name);
    if (!before) before = def->fallback ? def->fallback : "";
    put(v, name, changed_list(k, before, value, append));
    return true;
}

static bool operations_are_known(struct check *k) {
    for (int32_t i = 0; i < k->resource->items_n; i++) {
        int8_t op = k->resource->items[i].op;
        if (op < ALTER_SET || op > ALTER_SUBTRACT)
            return refuse(k, KERR_INVALID_REQUEST, "Unknown operations type %d", op);
    }
    return true;
}

static bool names_this_node(struct check *k) {
    const char *name = text_of(k, k->resource->name);
    int64_t id;
    if (!text_integer(name, INT32_MIN, INT32_MAX, &id))
        return refuse(k, KERR_INVALID_REQUEST, "Node id must be an integer, but it is: %s", name);
    return id == k->request->node->id ||
           refuse(k, KERR_INVALID_REQUEST, "Unexpected broker id, expected %d, but received %s",
                  k->request->node->id, name);
}

static bool change_all(struct check *k, const struct config_set *before, struct values *v) {
    bool fine = true;
    hashmap_init(&v->by_name, k->request->node->seed);
    for (int32_t i = 0; before && i < before->n; i++)
        put(v, before->entries[i].name, before->entries[i].value);
    for (int32_t i = 0; fine && i < k->resource->items_n; i++) fine = change(k, v, &k->resource->items[i]);
    values_end(v);
    return fine;
}

/* The configuration after the change must be one that this broker can take. */
static bool broker_takes(struct check *k) {
    const struct alter_resource *x = k->resource;
    bool own = x->name.len > 0;
    if (own && !names_this_node(k)) return false;
    if (!operations_are_known(k)) return false;
    const struct config_set *set = k->replace
                                       ? NULL
                                       : image_configs(request_image(k->request), CONFIG_BROKER,
                                                       own ? x->name.s : "", own ? (size_t)x->name.len : 0);
    int32_t have = set ? set->n : 0;
    struct values v = {.pairs =
                           text_alloc(&k->arena, ((size_t)have + (size_t)x->items_n + 1) * sizeof *v.pairs)};
    if (!change_all(k, set, &v)) return false;
    struct config *config = node_config(k->request->node);
    struct strbuf error;
    strbuf_init(&error, SENTENCE_MAX);
    bool fine = !config_check_dynamic(config, own, v.pairs, v.n, &error);
    if (!fine) refuse(k, KERR_INVALID_REQUEST, "%s", strbuf_str(&error));
    strbuf_free(&error);
    config_unref(config);
    return fine;
}

/* ---- the log's level
 * --------------------------------------------------------------------------------------------------- */

static bool level_allowed(struct check *k, const struct alter_item *item) {
    static const char *const refused[] = {[ALTER_APPEND] = "APPEND", [ALTER_SUBTRACT] = "SUBTRACT"};
    const char *name = text_of(k, item->name), *value = text_of(k, item->value);
    if (item->op == ALTER_APPEND || item->op == ALTER_SUBTRACT)
        return refuse(k, KERR_INVALID_REQUEST, "%s operation is not allowed for the BROKER_LOGGER resource",
                      refused[item->op]);
    if (item->op != ALTER_SET && item->op != ALTER_DELETE)
        return refuse(k, KERR_INVALID_REQUEST,
                      "Unknown operation type %d is not allowed for the BROKER_LOGGER resource", item->op);
    if (log_logger_find(name) < 0) return refuse(k, KERR_INVALID_CONFIG, "Logger %s does not exist!", name);
    if (item->op == ALTER_DELETE)
        return strcmp(name, LOG_ROOT) != 0 ||
               refuse(k, KERR_INVALID_REQUEST,
                      "Removing the log level of the " LOG_ROOT " logger is not allowed");
    int level = log_level_parse(value);
    return (level >= 0 && !strcmp(value, log_level_name((enum log_level)level))) ||
           refuse(k, KERR_INVALID_CONFIG,
                  "Cannot set the log level of %s to %s as it is not a supported log level. Valid log levels "
                  "are DEBUG, ERROR, FATAL, "
                  "INFO, TRACE, WARN",
                  name, value);
}

static void set_levels(struct check *k) {
    const char *name = text_of(k, k->resource->name);
    int64_t id;
    if (!text_integer(name, INT32_MIN, INT32_MAX, &id)) {
        refuse(k, KERR_INVALID_REQUEST, "Node id must be an integer, but it is: %s", name);
        return;
    }
    if (id != k->request->node->id) {
        refuse(k, KERR_INVALID_REQUEST, "Unexpected node id. Expected %d, but received %d",
               k->request->node->id, (int)id);
        return;
    }
    for (int32_t i = 0; i < k->resource->items_n; i++)
        if (!level_allowed(k, &k->resource->items[i])) return;
    k->resource->answered = true;
    for (int32_t i = 0; !k->validate_only && i < k->resource->items_n; i++) {
        const struct alter_item *item = &k->resource->items[i];
        const char *logger = text_of(k, item->name), *level = text_of(k, item->value);
        bool unset = item->op == ALTER_DELETE;
        LOG_WARN("config", "the level of logger %s is %s from now on", logger,
                 unset ? "that above it" : level);
        log_logger_set(log_logger_find(logger), unset ? -1 : log_level_parse(level));
    }
}

/* ---- all of it ----------------------------------------------------------------------------- */

static void check_one(struct check *k) {
    if (!texts_are_whole(k) || !keys_are_unique(k) || !values_are_there(k)) return;
    switch (k->resource->type) {
    case CONFIG_TOPIC:
    case CONFIG_CLIENT_METRICS:
    case CONFIG_GROUP: return;
    case CONFIG_BROKER: broker_takes(k); return;
    case CONFIG_BROKER_LOGGER:
        if (!k->replace) {
            set_levels(k);
            return;
        }
        break;
    }
    refuse(k, KERR_INVALID_REQUEST, "Unknown resource type %d", k->resource->type);
}

/* Brokers and loggers have refused an operation that nobody knows; for all else the reference's controller
 * fails, and with it every resource that it was given. */
static void refuse_unknown_operations(struct alter_resource *resources, int32_t n) {
    bool unknown = false;
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; !resources[i].answered && k < resources[i].items_n; k++)
            unknown |= resources[i].items[k].op < ALTER_SET || resources[i].items[k].op > ALTER_SUBTRACT;
    for (int32_t i = 0; unknown && i < n; i++)
        if (!resources[i].answered)
            resources[i] = (struct alter_resource){.type = resources[i].type,
                                                   .name = resources[i].name,
                                                   .answered = true,
                                                   .error = KERR_UNKNOWN_SERVER_ERROR};
}

bool alter_check(struct request *r, bool replace, bool validate_only, struct alter_resource *resources,
                 int32_t n) {
    if (!refuse_duplicates(r, resources, n)) return false;
    for (int32_t i = 0; i < n; i++) {
        if (resources[i].answered) continue;
        struct check k = {
            .request = r, .resource = &resources[i], .replace = replace, .validate_only = validate_only};
        arena_init(&k.arena, SIZE_MAX);
        check_one(&k);
        arena_free(&k.arena);
    }
    refuse_unknown_operations(resources, n);
    return true;
}
