/* Snapshots: how they are made, and read. See config.h; layers are in layer.c, dynamic values in dynamic.c,
 * rules across keys in node.c, listeners.c and check.c.
 *
 * Invariants: 1. a snapshot that leaves this file has passed every rule; 2. it never changes afterwards,
 * `refs` and `published` apart; 3. everything it points to is in its own arena or static. */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "config/internal.h"
#include "config/properties.h"
#include "config/providers.h"
#include "config/text.h"

/* What a node without a file is: one node that needs nobody else. */
static const struct config_pair no_file_values[] = {
    {"process.roles", "broker,controller"},
    {"node.id", "1"},
    {"listeners", "PLAINTEXT://127.0.0.1:9092"},
    {"controller.listener.names", "CONTROLLER"},
    {"log.dirs", "./data"},
    {"offsets.topic.replication.factor", "1"},
    {"transaction.state.log.replication.factor", "1"},
    {"transaction.state.log.min.isr", "1"},
    {"share.coordinator.state.topic.replication.factor", "1"},
    {"share.coordinator.state.topic.min.isr", "1"},
};
enum { NO_FILE_VALUES = sizeof no_file_values / sizeof *no_file_values };

static const char listener_prefix[] = "listener.name.", http_listeners[] = "ottla.http.listeners";

static struct config *config_new(bool no_file) {
    struct config *c = xcalloc(1, sizeof *c);
    atomic_init(&c->refs, 1);
    c->no_file = no_file;
    arena_init(&c->arena, SIZE_MAX);
    return c;
}

struct config *config_ref(const struct config *c) {
    atomic_fetch_add_explicit(&((struct config *)c)->refs, 1, memory_order_relaxed);
    return (struct config *)c;
}

void config_unref(const struct config *c) {
    struct config *mine = (struct config *)c;
    if (!mine || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1) return;
    arena_free(&mine->arena);
    free(mine);
}

/* A dynamic interval between its static minimum and maximum (GroupCoordinatorConfig.clampDynamicConfigs). */
static void clamp(struct config *c, enum cfg_id id, enum cfg_id low_id, enum cfg_id high_id) {
    struct strbuf ignored;
    struct config_value v, low, high;
    const struct config_def *def = config_def(id);
    const char *raw = config_layer_get(c->current, def->name);
    if (!raw) return;
    strbuf_init(&ignored, 1 << 16);
    if (!config_value_parse(def, raw, &c->arena, &v, &ignored) &&
        !config_value_parse(config_def(low_id), config_layer_get(c->current, config_def(low_id)->name),
                            &c->arena, &low, &ignored) &&
        !config_value_parse(config_def(high_id), config_layer_get(c->current, config_def(high_id)->name),
                            &c->arena, &high, &ignored)) {
        int64_t to = v.i < low.i ? low.i : v.i > high.i ? high.i : v.i;
        if (to != v.i) {
            LOG_WARN("config", "%s=%s is outside of its bounds, %lld is used", def->name, raw, (long long)to);
            c->current = config_layer_set(&c->arena, c->current, def->name,
                                          text_format(&c->arena, "%lld", (long long)to));
        }
    }
    strbuf_free(&ignored);
}

/* From the three layers to a whole snapshot. Returns 0, or OE_INVALID with a sentence; *bad is the key it is
 * about, or NULL. */
static int resolve(struct config *c, bool clamped, struct strbuf *error, const char **bad) {
    c->current = config_layer_override(&c->arena, c->fixed, c->cluster);
    c->current = config_layer_override(&c->arena, c->current, c->broker);
    *bad = NULL;
    if ((c->cluster.n || c->broker.n) && providers_resolve(c->outside, &c->arena, &c->current, error))
        return OE_INVALID;
    if (clamped) {
        clamp(c, CFG_GROUP_CONSUMER_ASSIGNMENT_INTERVAL_MS, CFG_GROUP_CONSUMER_MIN_ASSIGNMENT_INTERVAL_MS,
              CFG_GROUP_CONSUMER_MAX_ASSIGNMENT_INTERVAL_MS);
        clamp(c, CFG_GROUP_SHARE_ASSIGNMENT_INTERVAL_MS, CFG_GROUP_SHARE_MIN_ASSIGNMENT_INTERVAL_MS,
              CFG_GROUP_SHARE_MAX_ASSIGNMENT_INTERVAL_MS);
        clamp(c, CFG_GROUP_STREAMS_ASSIGNMENT_INTERVAL_MS, CFG_GROUP_STREAMS_MIN_ASSIGNMENT_INTERVAL_MS,
              CFG_GROUP_STREAMS_MAX_ASSIGNMENT_INTERVAL_MS);
    }
    for (int id = 0; id < CFG_COUNT; id++) {
        const struct config_def *def = config_def((enum cfg_id)id);
        const char *raw = config_layer_get(c->current, def->name);
        *bad = def->name;
        int err = config_value_parse(def, raw, &c->arena, &c->values[id], error);
        if (err) return err;
    }
    *bad = NULL;
    int err = config_node_parse(c, error);
    if (!err) err = listeners_parse(c, &c->arena, &c->listeners, error);
    if (!err) err = config_check(c, error);
    return err;
}

static bool has(const struct config_pair *pairs, int32_t n, const char *name) {
    for (int32_t i = 0; i < n; i++)
        if (!strcmp(pairs[i].name, name)) return true;
    return false;
}

/* Splits "key=value" at the first =; false: there is no key. */
static bool parse_override(struct arena *a, const char *text, struct config_pair *pair) {
    const char *equals = strchr(text, '=');
    if (!equals) return false;
    pair->name = text_trim(a, text_copy_n(a, text, (size_t)(equals - text)));
    pair->value = text_trim(a, equals + 1);
    return *pair->name;
}

/* The file or its stand-in, then the overrides, in that order. What an override says in other words (log.dir,
 * broker.id) takes the place of the stand-in. */
static int collect(struct config *c, const struct properties *file, const char *const *overrides, int32_t n,
                   struct config_layer *to, struct strbuf *error) {
    int32_t base = file ? file->n : NO_FILE_VALUES, count = 0;
    struct config_pair *pairs = text_alloc(&c->arena, (size_t)(base + n) * sizeof *pairs);
    struct config_pair *over = text_alloc(&c->arena, (size_t)n * sizeof *over);
    for (int32_t i = 0; i < n; i++) {
        if (parse_override(&c->arena, overrides[i], &over[i])) continue;
        strbuf_addf(error, "the override \"%s\" is not of the form key=value", overrides[i]);
        return OE_INVALID;
    }
    for (int32_t i = 0; i < base; i++) {
        struct config_pair p =
            file ? (struct config_pair){file->items[i].name, file->items[i].value} : no_file_values[i];
        bool replaced = !file && ((!strcmp(p.name, "log.dirs") && has(over, n, "log.dir")) ||
                                  (!strcmp(p.name, "node.id") && has(over, n, "broker.id")));
        if (!replaced) pairs[count++] = p;
    }
    for (int32_t i = 0; i < n; i++) pairs[count++] = over[i];
    *to = config_layer_make(&c->arena, pairs, count);
    return 0;
}

/* broker.id and node.id are two names of one thing (AbstractKafkaConfig.populateSynonyms). The given one is
 * checked here, so that an error names what the user wrote. */
static int fill_in_ids(struct config *c, struct strbuf *error, const char **bad) {
    const char *broker = config_layer_get(c->fixed, "broker.id"),
               *node = config_layer_get(c->fixed, "node.id");
    enum cfg_id given = node ? CFG_NODE_ID : CFG_BROKER_ID, other = node ? CFG_BROKER_ID : CFG_NODE_ID;
    struct config_value v;
    if (!broker == !node) return 0;
    *bad = config_def(given)->name;
    int err = config_value_parse(config_def(given), node ? node : broker, &c->arena, &v, error);
    if (!err) c->fixed = config_layer_set(&c->arena, c->fixed, config_def(other)->name, node ? node : broker);
    return err;
}

static bool starts_with(const char *s, const char *prefix) { return !strncmp(s, prefix, strlen(prefix)); }

/* Keys that belong to nobody; those of plug-ins carry the prefix that the plug-in was configured with. */
static void warn_unknown(const struct config *c) {
    for (int32_t i = 0; i < c->fixed.n; i++) {
        const char *name = c->fixed.pairs[i].name;
        int id = config_find(name);
        if (id >= 0 && !config_def((enum cfg_id)id)->dynamic_only) continue;
        if (!strcmp(name, http_listeners) || config_listener_base(name) ||
            starts_with(name, "config.providers.") ||
            starts_with(name, config_string(c, CFG_REMOTE_LOG_STORAGE_MANAGER_IMPL_PREFIX)) ||
            starts_with(name, config_string(c, CFG_REMOTE_LOG_METADATA_MANAGER_IMPL_PREFIX)))
            continue;
        LOG_WARN("config", "%s is not a configuration that is known; it has no effect", name);
    }
}

/* "server.properties:12: " before the sentence, when the file said it last. */
static void add_place(struct strbuf *to, const struct properties *file, const char *const *overrides,
                      int32_t n, const char *name) {
    if (!file || !name) return;
    size_t length = strlen(name);
    for (int32_t i = 0; i < n; i++)
        if (!strncmp(overrides[i], name, length) && overrides[i][length] == '=') return;
    for (int32_t i = 0; i < file->n; i++)
        if (!strcmp(file->items[i].name, name)) strbuf_addf(to, "%s:%d: ", file->path, file->items[i].line);
}

struct config *config_load(const struct properties *file, const char *const *overrides, int32_t n,
                           const struct config_outside *outside, struct strbuf *error) {
    struct config *c = config_new(!file);
    struct strbuf sentence;
    const char *bad = NULL;
    strbuf_init(&sentence, error->limit);
    c->outside = outside;
    int err = collect(c, file, overrides, n, &c->fixed, &sentence);
    if (!err) err = providers_resolve(outside, &c->arena, &c->fixed, &sentence);
    if (!err) err = fill_in_ids(c, &sentence, &bad);
    if (!err) err = resolve(c, false, &sentence, &bad);
    if (err) {
        add_place(error, file, overrides, n, bad);
        strbuf_adds(error, strbuf_str(&sentence));
        config_unref(c);
        c = NULL;
    } else {
        warn_unknown(c);
    }
    strbuf_free(&sentence);
    return c;
}

struct config *config_next(const struct config *c, const struct config_pair *cluster, int32_t cluster_n,
                           const struct config_pair *broker, int32_t broker_n, bool clamp,
                           struct strbuf *error) {
    struct config *next = config_new(c->no_file);
    const char *bad;
    next->outside = c->outside;
    next->fixed = config_layer_make(&next->arena, c->fixed.pairs, c->fixed.n);
    next->cluster = config_dynamic_filter(&next->arena, c->outside, false, cluster, cluster_n);
    next->broker = config_dynamic_filter(&next->arena, c->outside, true, broker, broker_n);
    if (!resolve(next, clamp, error, &bad)) return next;
    config_unref(next);
    return NULL;
}

struct config *config_with_dynamic(const struct config *c, const struct config_pair *cluster,
                                   int32_t cluster_n, const struct config_pair *broker, int32_t broker_n,
                                   struct strbuf *error) {
    return config_next(c, cluster, cluster_n, broker, broker_n, true, error);
}

const struct config_value *config_value(const struct config *c, enum cfg_id id) {
    ASSERT((unsigned)id < CFG_COUNT);
    return &c->values[id];
}

bool config_is_null(const struct config *c, enum cfg_id id) { return config_value(c, id)->is_null; }

bool config_bool(const struct config *c, enum cfg_id id) {
    ASSERT(config_def(id)->type == CONFIG_TYPE_BOOLEAN && !config_is_null(c, id));
    return c->values[id].b;
}

int64_t config_int(const struct config *c, enum cfg_id id) {
    enum config_type type = config_def(id)->type;
    ASSERT(type == CONFIG_TYPE_INT || type == CONFIG_TYPE_SHORT || type == CONFIG_TYPE_LONG);
    ASSERT(!config_is_null(c, id));
    return c->values[id].i;
}

double config_double(const struct config *c, enum cfg_id id) {
    ASSERT(config_def(id)->type == CONFIG_TYPE_DOUBLE && !config_is_null(c, id));
    return c->values[id].d;
}

struct config_list config_list(const struct config *c, enum cfg_id id) {
    ASSERT(config_def(id)->type == CONFIG_TYPE_LIST && !config_is_null(c, id));
    return c->values[id].list;
}

const char *config_string(const struct config *c, enum cfg_id id) {
    enum config_type type = config_def(id)->type;
    ASSERT(type == CONFIG_TYPE_STRING || type == CONFIG_TYPE_CLASS || type == CONFIG_TYPE_PASSWORD);
    return config_is_null(c, id) ? NULL : c->values[id].s;
}

const char *config_raw(const struct config *c, const char *name) {
    return config_layer_get(c->current, name);
}

const char *config_http_listeners(const struct config *c) {
    const char *value = config_raw(c, http_listeners);
    return value ? value : "";
}

const char *config_for_listener(const struct config *c, const char *listener, const char *mechanism,
                                enum cfg_id id) {
    const char *key = config_def(id)->name, *value = NULL;
    struct arena scratch;
    arena_init(&scratch, SIZE_MAX);
    const char *lower = text_lower(&scratch, listener);
    if (mechanism)
        value = config_raw(c, text_format(&scratch, "%s%s.%s.%s", listener_prefix, lower,
                                          text_lower(&scratch, mechanism), key));
    if (!value) value = config_raw(c, text_format(&scratch, "%s%s.%s", listener_prefix, lower, key));
    arena_free(&scratch);
    if (!value) value = config_raw(c, key);
    return value ? value : config_def(id)->fallback;
}

/* The first synonym that has a value, in the unit of the first. */
static int64_t first_of(const struct config *c, enum cfg_id id, int64_t last_factor) {
    const struct config_def *def = config_def(id);
    for (int32_t i = 0; i < def->same_n; i++) {
        if (config_is_null(c, def->same[i].id)) continue;
        int64_t factor = i == 0 ? 1 : i == def->same_n - 1 ? last_factor : 60000;
        return config_int(c, def->same[i].id) * factor;
    }
    ASSERT(!"the last synonym has a default");
    return 0;
}

int64_t config_log_retention_ms(const struct config *c) {
    int64_t ms = first_of(c, CFG_LOG_RETENTION_MS, 3600000);
    return ms < 0 ? -1 : ms;
}
int64_t config_log_roll_ms(const struct config *c) { return first_of(c, CFG_LOG_ROLL_MS, 3600000); }
int64_t config_log_roll_jitter_ms(const struct config *c) {
    return first_of(c, CFG_LOG_ROLL_JITTER_MS, 3600000);
}
int64_t config_log_flush_ms(const struct config *c) { return first_of(c, CFG_LOG_FLUSH_INTERVAL_MS, 1); }

const struct config_node *config_node(const struct config *c) { return &c->node; }
const struct listeners *config_listeners(const struct config *c) { return &c->listeners; }

struct config_layer config_layer(const struct config *c, enum config_source source) {
    switch (source) {
    case SOURCE_STATIC: return c->fixed;
    case SOURCE_DEFAULT_BROKER: return c->cluster;
    case SOURCE_BROKER: return c->broker;
    default: ASSERT(source == SOURCE_UNKNOWN); return c->current;
    }
}

const char *config_listener_base(const char *name) {
    static const enum cfg_id with_mechanism[] = {CFG_SASL_JAAS_CONFIG, CFG_SASL_LOGIN_CALLBACK_HANDLER_CLASS,
                                                 CFG_SASL_LOGIN_CLASS, CFG_SASL_SERVER_CALLBACK_HANDLER_CLASS,
                                                 CFG_CONNECTIONS_MAX_REAUTH_MS};
    if (!starts_with(name, listener_prefix)) return NULL;
    const char *dot = strchr(name + sizeof listener_prefix - 1, '.');
    if (!dot) return NULL;
    size_t length = strlen(++dot);
    for (size_t i = 0; i < sizeof with_mechanism / sizeof *with_mechanism; i++) {
        const char *key = config_def(with_mechanism[i])->name;
        if (length >= strlen(key) && !strcmp(dot + length - strlen(key), key)) return key;
    }
    return dot;
}
