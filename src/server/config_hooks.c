/* Reference: ControllerConfigurationValidator, KafkaConfigSchema. */
#include "server/config_hooks.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/kerr.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "config/describe.h"
#include "config/group_config.h"
#include "config/topic_config.h"
#include "io/socket.h"
#include "server/dynamic_config.h"
#include "server/node.h"

enum { TEXT_MAX = 64 << 10 };

static struct config_pair *to_pairs(const struct config_entry *entries, int32_t n, struct arena *a) {
    return config_set_pairs(&(struct config_set){.entries = entries, .n = n}, a, &(int32_t){0});
}

static const struct config_def *def_of(enum config_resource type, const char *name) {
    int id = -1;
    switch (type) {
    case CONFIG_TOPIC: return (id = topic_config_find(name)) < 0 ? NULL : topic_config_def((enum tcfg_id)id);
    case CONFIG_GROUP: return (id = group_config_find(name)) < 0 ? NULL : group_config_def((enum gcfg_id)id);
    case CONFIG_CLIENT_METRICS:
        return (id = client_metrics_find(name)) < 0 ? NULL : client_metrics_def((enum mcfg_id)id);
    case CONFIG_BROKER: return (id = config_find(name)) < 0 ? NULL : config_def((enum cfg_id)id);
    case CONFIG_BROKER_LOGGER: return NULL;
    }
    return NULL;
}

static int16_t validate(void *ctx, enum config_resource type, const char *resource,
                        const struct config_entry *entries, int32_t n, const struct config_set *before,
                        struct arena *a, const char **message) {
    int32_t old_n = 0, err = 0;
    struct config_pair *pairs = to_pairs(entries, n, a), *old = config_set_pairs(before, a, &old_n);
    if (!pairs || !old) return KERR_UNKNOWN_SERVER_ERROR;
    if (type == CONFIG_CLIENT_METRICS && !*resource) {
        *message = "Subscription name can't be empty";
        return KERR_INVALID_REQUEST;
    }
    struct config *config = node_config(ctx);
    struct strbuf error;
    strbuf_init(&error, TEXT_MAX);
    if (type == CONFIG_TOPIC)
        err = topic_config_validate(config, pairs, n, old, old_n, &error);
    else if (type == CONFIG_GROUP)
        err = group_config_validate(config, pairs, n, &error);
    else if (type == CONFIG_CLIENT_METRICS)
        err = client_metrics_validate(pairs, n, &error);
    if (err) *message = arena_strndup(a, strbuf_str(&error), error.len);
    strbuf_free(&error);
    config_unref(config);
    return !err ? KERR_NONE : err == OE_MALFORMED ? KERR_INVALID_REQUEST : KERR_INVALID_CONFIG;
}

static bool is_list(void *ctx, enum config_resource type, const char *name) {
    const struct config_def *def = def_of(type, name); /* the reference's schema knows no others: */
    return (type == CONFIG_TOPIC || type == CONFIG_BROKER) && def && def->type == CONFIG_TYPE_LIST;
}

static const char *default_value(void *ctx, enum config_resource type, const char *name) {
    const struct config_def *def = def_of(type, name);
    return def ? def->fallback : NULL;
}

static int32_t topic_rows(void *ctx, const struct image *image, const struct config_entry *overrides,
                          int32_t n, struct arena *a, struct topic_config_row **rows) {
    struct config *config = node_config(ctx);
    const struct config_pair *pairs = to_pairs(overrides, n, a);
    struct config_rows all = {0};
    int err = pairs ? config_describe_new_topic(config, pairs, n, a, &all) : OE_LIMIT;
    config_unref(config);
    *rows = err ? NULL : arena_calloc(a, (size_t)all.n, sizeof **rows);
    for (int32_t i = 0; *rows && i < all.n; i++)
        (*rows)[i] = (struct topic_config_row){.name = all.rows[i].name,
                                               .value = all.rows[i].value,
                                               .read_only = all.rows[i].read_only,
                                               .sensitive = all.rows[i].sensitive,
                                               .source = (int8_t)all.rows[i].source};
    return *rows ? all.n : 0;
}

static bool is_host(void *ctx, const char *host) { return socket_resolve(host, NULL); }

struct controller_hooks config_hooks(struct node *n) {
    return (struct controller_hooks){.ctx = n,
                                     .validate = validate,
                                     .is_list = is_list,
                                     .default_value = default_value,
                                     .topic_rows = topic_rows,
                                     .is_host = is_host};
}
