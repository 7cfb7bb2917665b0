/* Dynamic values of brokers: which may be set at run time, and at which level. Source: DynamicBrokerConfig
 * (both), DynamicThreadPool, DynamicLogConfig, DynamicListenerConfig, DynamicRemoteLogConfig. */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "config/internal.h"
#include "config/providers.h"
#include "config/text.h"

/* Keys that may change at run time only with a listener's prefix. */
static const enum cfg_id listener_only[] = {CFG_SSL_KEYSTORE_TYPE,       CFG_SSL_KEYSTORE_LOCATION,
                                            CFG_SSL_KEYSTORE_PASSWORD,   CFG_SSL_KEY_PASSWORD,
                                            CFG_SSL_TRUSTSTORE_TYPE,     CFG_SSL_TRUSTSTORE_LOCATION,
                                            CFG_SSL_TRUSTSTORE_PASSWORD, CFG_SSL_KEYSTORE_CERTIFICATE_CHAIN,
                                            CFG_SSL_KEYSTORE_KEY,        CFG_SSL_TRUSTSTORE_CERTIFICATES};

typedef bool refusal(const char *name);

static const struct config_def *find(const char *name) {
    int id = config_find(name);
    return id < 0 ? NULL : config_def((enum cfg_id)id);
}

static bool is_read_only(const char *name) {
    const struct config_def *def = find(name);
    return def && def->mode == CONFIG_MODE_READ_ONLY;
}

static bool is_listener_only(const char *name) {
    for (size_t i = 0; i < sizeof listener_only / sizeof *listener_only; i++)
        if (!strcmp(name, config_def(listener_only[i])->name)) return true;
    return false;
}

static bool is_per_broker(const char *name) {
    const struct config_def *def = find(name);
    if (def) return def->mode == CONFIG_MODE_BROKER;
    const char *base = config_listener_base(name);
    return base && strcmp(base, "max.connections") && strcmp(base, "max.connection.creation.rate") &&
           strcmp(base, "num.network.threads");
}

/* Can the value be read and is it allowed, as far as the key alone tells? Unknown and static keys pass. */
static int check_value(struct config_pair p, struct strbuf *error) {
    const char *base = config_listener_base(p.name);
    const struct config_def *def = find(base ? base : p.name);
    struct arena scratch;
    struct config_value v;
    if (!def || def->mode == CONFIG_MODE_READ_ONLY) return 0;
    arena_init(&scratch, SIZE_MAX);
    int r = config_value_parse(def, p.value, &scratch, &v, error);
    arena_free(&scratch);
    return r;
}

struct config_layer config_dynamic_filter(struct arena *a, const struct config_outside *outside,
                                          bool per_broker, const struct config_pair *pairs, int32_t n) {
    struct config_layer all = config_layer_make(a, pairs, n), resolved = all;
    struct config_pair *kept = text_alloc(a, (size_t)n * sizeof *kept);
    const char *level = per_broker ? "this broker" : "all brokers";
    int32_t count = 0;
    struct strbuf why;
    strbuf_init(&why, 1 << 20);
    if (providers_resolve(outside, a, &resolved, &why))
        LOG_ERROR("config", "variables of dynamic values for %s are left as they are: %s", level,
                  strbuf_str(&why));
    strbuf_free(&why);
    for (int32_t i = 0; i < all.n; i++) {
        struct strbuf sentence;
        const char *name = all.pairs[i].name;
        strbuf_init(&sentence, 1 << 20);
        if (check_value(resolved.pairs[i], &sentence))
            LOG_ERROR("config", "dynamic value for %s is left out: %s", level, strbuf_str(&sentence));
        else if (is_read_only(name))
            LOG_ERROR("config", "dynamic value for %s is left out: %s cannot change at run time", level,
                      name);
        else if (is_listener_only(name))
            LOG_ERROR("config", "dynamic value for %s is left out: %s changes only with a listener's prefix",
                      level, name);
        else if (!per_broker && is_per_broker(name))
            LOG_ERROR("config", "dynamic value for %s is left out: %s is set for each broker", level, name);
        else
            kept[count++] = all.pairs[i];
        strbuf_free(&sentence);
    }
    return config_layer_make(a, kept, count);
}

/* "message: [a, b]" when some names are refused. */
static int refuse(const struct config_pair *pairs, int32_t n, refusal *refused, const char *message,
                  struct strbuf *error) {
    int found = 0;
    for (int32_t i = 0; i < n; i++) {
        if (!refused(pairs[i].name)) continue;
        if (!found) strbuf_addf(error, "%s: [", message);
        strbuf_addf(error, "%s%s", found++ ? ", " : "", pairs[i].name);
    }
    if (found) strbuf_adds(error, "]");
    return found ? OE_INVALID : 0;
}

/* A pool may at most double and at least halve in one step. */
static bool step_allowed(const struct config *from, const struct config *to, enum cfg_id id) {
    int64_t before = config_int(from, id), after = config_int(to, id);
    return after == before || (after > 0 && after >= before / 2 && after <= before * 2);
}

static bool pools_allowed(const struct config *from, const struct config *to, struct strbuf *error) {
    static const enum cfg_id pools[] = {CFG_NUM_IO_THREADS,
                                        CFG_NUM_REPLICA_FETCHERS,
                                        CFG_NUM_RECOVERY_THREADS_PER_DATA_DIR,
                                        CFG_BACKGROUND_THREADS,
                                        CFG_LOG_CLEANER_THREADS,
                                        CFG_NUM_NETWORK_THREADS,
                                        CFG_REMOTE_LOG_READER_THREADS,
                                        CFG_REMOTE_LOG_MANAGER_COPIER_THREAD_POOL_SIZE,
                                        CFG_REMOTE_LOG_MANAGER_EXPIRATION_THREAD_POOL_SIZE,
                                        CFG_REMOTE_LOG_MANAGER_FOLLOWER_THREAD_POOL_SIZE};
    for (size_t i = 0; i < sizeof pools / sizeof *pools; i++)
        if (!step_allowed(from, to, pools[i])) {
            strbuf_addf(
                error,
                "Invalid dynamic configuration: %s may at most double and at least halve in one step, "
                "and is %lld now",
                config_def(pools[i])->name, (long long)config_int(from, pools[i]));
            return false;
        }
    return true;
}

static bool retention_allowed(const struct config *c) {
    int64_t ms = config_log_retention_ms(c), local_ms = config_int(c, CFG_LOG_LOCAL_RETENTION_MS);
    int64_t bytes = config_int(c, CFG_LOG_RETENTION_BYTES),
            local = config_int(c, CFG_LOG_LOCAL_RETENTION_BYTES);
    if (ms != -1 && local_ms != -2 && (local_ms == -1 || local_ms > ms)) return false;
    return !(bytes > -1 && local != -2 && (local == -1 || local > bytes));
}

/* Advertised listeners stay open, and no listener changes its protocol. */
static bool listeners_allowed(const struct config *from, const struct config *to) {
    const struct listeners *before = config_listeners(from), *after = config_listeners(to);
    for (int32_t i = 0; i < before->n; i++) {
        const struct listener *old = &before->items[i], *now = listeners_find(after, old->name);
        if (!now && old->advertised && !old->controller) return false;
        if (now && now->protocol != old->protocol) return false;
    }
    return true;
}

/* With the variables that the pairs themselves explain. */
static int check_values(const struct config *c, const struct config_pair *pairs, int32_t n,
                        struct strbuf *error) {
    struct arena scratch;
    arena_init(&scratch, SIZE_MAX);
    struct config_layer layer = config_layer_make(&scratch, pairs, n);
    int r = providers_resolve(c->outside, &scratch, &layer, error);
    for (int32_t i = 0; !r && i < layer.n; i++) r = check_value(layer.pairs[i], error);
    arena_free(&scratch);
    return r;
}

int config_check_dynamic(const struct config *c, bool per_broker, const struct config_pair *pairs, int32_t n,
                         struct strbuf *error) {
    int r = refuse(pairs, n, is_read_only, "Cannot update these configs dynamically", error);
    if (!r)
        r = refuse(
            pairs, n, is_listener_only,
            "These security configs can be dynamically updated only per-listener using the listener prefix",
            error);
    if (!r) r = check_values(c, pairs, n, error);
    if (!r && !per_broker)
        r = refuse(pairs, n, is_per_broker,
                   "Cannot update these configs at default cluster level, broker id must be specified",
                   error);
    if (r) return r;
    struct config *next =
        config_with_dynamic(c, per_broker ? c->cluster.pairs : pairs, per_broker ? c->cluster.n : n,
                            per_broker ? pairs : c->broker.pairs, per_broker ? n : c->broker.n, error);
    if (!next) return OE_INVALID;
    if (!pools_allowed(c, next, error))
        r = OE_INVALID;
    else if (!retention_allowed(next)) {
        strbuf_adds(error,
                    "Invalid dynamic configuration: log.local.retention.* must not exceed log.retention.*");
        r = OE_INVALID;
    } else if (!listeners_allowed(c, next)) {
        strbuf_adds(error,
                    "Invalid dynamic configuration: an advertised listener must stay, with its protocol");
        r = OE_INVALID;
    }
    config_unref(next);
    return r;
}
