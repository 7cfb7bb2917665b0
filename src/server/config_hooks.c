/* Reference: ControllerConfigurationValidator, KafkaConfigSchema. */
#include "server/config_hooks.h"

#include <stdlib.h>
#include <string.h>

#include "base/kerr.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "config/topic_config.h"
#include "server/node.h"

enum { TEXT_MAX = 64 << 10 };

static struct config_pair *to_pairs(const struct config_entry *entries, int32_t n) {
    struct config_pair *pairs = xcalloc((size_t)n, sizeof *pairs);
    for (int32_t i = 0; i < n; i++) pairs[i] = (struct config_pair){entries[i].name, entries[i].value};
    return pairs;
}

static const struct config_def *def_of(enum config_resource type, const char *name) {
    int id = -1;
    switch (type) {
    case CONFIG_TOPIC: return (id = topic_config_find(name)) < 0 ? NULL : topic_config_def((enum tcfg_id)id);
    case CONFIG_GROUP: return (id = group_config_find(name)) < 0 ? NULL : group_config_def((enum gcfg_id)id);
    case CONFIG_CLIENT_METRICS: return (id = client_metrics_find(name)) < 0 ? NULL : client_metrics_def((enum mcfg_id)id);
    case CONFIG_BROKER: return (id = config_find(name)) < 0 ? NULL : config_def((enum cfg_id)id);
    case CONFIG_BROKER_LOGGER: return NULL;
    }
    return NULL;
}

/* Groups and client metrics: each key known, each value of its type and range. */
static int check_each(enum config_resource type, const struct config_entry *entries, int32_t n, struct arena *a,
                      struct strbuf *error) {
    for (int32_t i = 0; i < n; i++) {
        const struct config_def *def = def_of(type, entries[i].name);
        struct config_value v;
        if (!def) {
            strbuf_addf(error, type == CONFIG_GROUP ? "Unknown group config name: %s" : "Unknown client metrics configuration: %s",
                        entries[i].name);
            return -1;
        }
        if (config_value_parse(def, entries[i].value, a, &v, error)) return -1;
    }
    return 0;
}

static int16_t validate(void *ctx, enum config_resource type, const char *resource, const struct config_entry *entries, int32_t n,
                        const struct config_set *before, struct arena *a, const char **message) {
    struct node *node = ctx;
    struct strbuf error;
    int err = 0;
    strbuf_init(&error, TEXT_MAX);
    if (type == CONFIG_TOPIC) {
        struct config_pair *now = to_pairs(entries, n), *old = to_pairs(before ? before->entries : NULL, before ? before->n : 0);
        err = topic_config_validate(node->config, now, n, old, before ? before->n : 0, &error);
        free(now);
        free(old);
    } else if (type == CONFIG_GROUP || type == CONFIG_CLIENT_METRICS) err = check_each(type, entries, n, a, &error);
    if (err) *message = arena_strndup(a, strbuf_str(&error), error.len);
    strbuf_free(&error);
    return err ? KERR_INVALID_CONFIG : KERR_NONE;
}

static bool is_list(void *ctx, enum config_resource type, const char *name) {
    const struct config_def *def = def_of(type, name);
    return def && def->type == CONFIG_TYPE_LIST;
}

static const char *default_value(void *ctx, enum config_resource type, const char *name) {
    const struct config_def *def = def_of(type, name);
    return def ? def->fallback : NULL;
}

static const struct config_entry *find_entry(const struct config_entry *entries, int32_t n, const char *name) {
    for (int32_t i = 0; i < n; i++)
        if (!strcmp(entries[i].name, name)) return &entries[i];
    return NULL;
}

/* Where the value of a key that the topic does not set comes from. */
static int8_t default_source(const struct config *c, const struct config_def *def) {
    for (enum config_source s = SOURCE_BROKER; s <= SOURCE_STATIC; s++)
        for (int32_t i = 0; i < def->same_n; i++)
            if (config_layer_get(config_layer(c, s), config_def(def->same[i].id)->name)) return (int8_t)s;
    return SOURCE_DEFAULT;
}

static int32_t topic_rows(void *ctx, const struct image *image, const struct config_entry *overrides, int32_t n, struct arena *a,
                          struct topic_config_row **rows) {
    struct node *node = ctx;
    int32_t count = 0;
    *rows = arena_calloc(a, TCFG_COUNT, sizeof **rows);
    for (int id = 0; *rows && id < TCFG_COUNT; id++) {
        const struct config_def *def = topic_config_def((enum tcfg_id)id);
        const struct config_entry *set = find_entry(overrides, n, def->name);
        if (def->internal && !set) continue;
        struct topic_config_row *row = &(*rows)[count++];
        *row = (struct topic_config_row){.name = def->name, .sensitive = config_sensitive(def)};
        row->source = set ? SOURCE_TOPIC : default_source(node->config, def);
        struct config_value v = topic_config_default(node->config, (enum tcfg_id)id, a);
        row->value = row->sensitive ? NULL : set ? set->value : config_value_text(def, &v, a);
    }
    return count;
}

struct controller_hooks config_hooks(struct node *n) {
    return (struct controller_hooks){
        .ctx = n, .validate = validate, .is_list = is_list, .default_value = default_value, .topic_rows = topic_rows};
}
