/* Dynamic values of brokers: which may be set at run time, and at which level. Source: DynamicBrokerConfig
 * (both), DynamicThreadPool, DynamicLogConfig, DynamicListenerConfig, DynamicRemoteLogConfig. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
    if (!r && def->type == CONFIG_TYPE_CLASS && !v.is_null &&
        (!def->fallback || strcmp(v.s, def->fallback) != 0)) {
        strbuf_addf(error, "Invalid value %s for configuration %s: Class %s could not be found.", v.s,
                    def->name, v.s);
        r = OE_INVALID;
    }
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

/* What a part of the running broker says to a configuration that is right by itself. The words around it are
 * the reference's, which takes one exception for the value of another. */
static int refuse_change(struct strbuf *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

static int refuse_change(struct strbuf *error, const char *format, ...) {
    char *text;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    strbuf_addf(
        error,
        "Invalid value org.apache.kafka.common.config.ConfigException: %s for configuration Invalid dynamic "
        "configuration",
        n < 0 ? "" : text);
    if (n >= 0) free(text);
    return OE_INVALID;
}

/* A pool may at most double and at least halve in one step. */
static int check_step(const char *name, int64_t before, int64_t after, struct strbuf *error) {
    static const char what[] = "Dynamic thread count update validation failed for";
    if (after == before) return 0;
    if (after <= 0)
        return refuse_change(error, "%s %s=%lld, value should be at least 1", what, name, (long long)after);
    if (after < before / 2)
        return refuse_change(error, "%s %s=%lld, value should be at least half the current value %lld", what,
                             name, (long long)after, (long long)before);
    if (after > before * 2)
        return refuse_change(error,
                             "%s %s=%lld, value should not be greater than double the current value %lld",
                             what, name, (long long)after, (long long)before);
    return 0;
}

/* A number as one listener has it: with its prefix, or the broker's. */
static int64_t of_listener(const struct config *c, const struct listener *l, enum cfg_id id) {
    struct arena scratch;
    int64_t n = INT32_MAX;
    const char *text = config_for_listener(c, l->name, NULL, id);
    arena_init(&scratch, SIZE_MAX);
    if (text) text_integer(text_trim(&scratch, text), INT32_MIN, INT32_MAX, &n);
    arena_free(&scratch);
    return n;
}

/* ListenerConnectionQuota, DataPlaneAcceptor: of those that are open. */
static int check_listener(const struct config *from, const struct config *to, const struct listener *l,
                          struct strbuf *error) {
    static const enum cfg_id positive[] = {CFG_MAX_CONNECTIONS, CFG_MAX_CONNECTION_CREATION_RATE};
    for (size_t i = 0; i < sizeof positive / sizeof *positive; i++) {
        int64_t after = of_listener(to, l, positive[i]);
        if (after <= 0 && after != of_listener(from, l, positive[i]))
            return refuse_change(error, "Invalid %s %lld", config_def(positive[i])->name, (long long)after);
    }
    return check_step(config_def(CFG_NUM_NETWORK_THREADS)->name,
                      of_listener(from, l, CFG_NUM_NETWORK_THREADS),
                      of_listener(to, l, CFG_NUM_NETWORK_THREADS), error);
}

/* The one reporter that there is, JMX, reports nothing outside of a JVM; others cannot be loaded. */
static int check_reporters(const struct config *from, const struct config *to, struct strbuf *error) {
    struct config_list before = config_list(from, CFG_METRIC_REPORTERS),
                       after = config_list(to, CFG_METRIC_REPORTERS);
    for (int32_t i = 0; i < after.n; i++)
        if (strcmp(after.items[i], "org.apache.kafka.common.metrics.JmxReporter") != 0 &&
            !text_list_has(before, after.items[i]))
            return refuse_change(
                error, "Validation of dynamic config update of Set(metric.reporters) failed with class "
                       "class kafka.server.DynamicMetricsReporters");
    return 0;
}

static int check_pools(const struct config *from, const struct config *to, struct strbuf *error) {
    static const enum cfg_id pools[] = {CFG_NUM_IO_THREADS,
                                        CFG_NUM_REPLICA_FETCHERS,
                                        CFG_NUM_RECOVERY_THREADS_PER_DATA_DIR,
                                        CFG_BACKGROUND_THREADS,
                                        CFG_REMOTE_LOG_READER_THREADS,
                                        CFG_REMOTE_LOG_MANAGER_COPIER_THREAD_POOL_SIZE,
                                        CFG_REMOTE_LOG_MANAGER_EXPIRATION_THREAD_POOL_SIZE,
                                        CFG_REMOTE_LOG_MANAGER_FOLLOWER_THREAD_POOL_SIZE};
    int r = 0;
    for (size_t i = 0; !r && i < sizeof pools / sizeof *pools; i++)
        r = check_step(config_def(pools[i])->name, config_int(from, pools[i]), config_int(to, pools[i]),
                       error);
    return r;
}

static int check_cleaner(const struct config *from, const struct config *to, struct strbuf *error) {
    int64_t before = config_int(from, CFG_LOG_CLEANER_THREADS),
            after = config_int(to, CFG_LOG_CLEANER_THREADS);
    if (after < 1) return refuse_change(error, "Log cleaner threads should be at least 1");
    if (after < before / 2)
        return refuse_change(error,
                             "Log cleaner threads cannot be reduced to less than half the current value %lld",
                             (long long)before);
    if (after > before * 2)
        return refuse_change(
            error, "Log cleaner threads cannot be increased to more than double the current value %lld",
            (long long)before);
    return 0;
}

/* What is kept locally is a part of what is kept; none: what stands for no limit of the local part. */
static int check_local(enum cfg_id key, const char *whole_name, int64_t whole, int64_t local,
                       struct strbuf *error) {
    const char *name = config_def(key)->name;
    if (whole < 0 || local == -2 || (local >= 0 && local <= whole)) return 0;
    if (local == -1)
        return refuse_change(
            error,
            "Invalid value -1 for configuration %s: Value must not be -1 as %s value is set as "
            "%lld.",
            name, whole_name, (long long)whole);
    return refuse_change(
        error, "Invalid value %lld for configuration %s: Value must not be more than %s property value: %lld",
        (long long)local, name, whole_name, (long long)whole);
}

static int check_retention(const struct config *c, struct strbuf *error) {
    int r = check_local(CFG_LOG_LOCAL_RETENTION_MS, config_def(CFG_LOG_RETENTION_MS)->name,
                        config_log_retention_ms(c), config_int(c, CFG_LOG_LOCAL_RETENTION_MS), error);
    return r ? r
             : check_local(CFG_LOG_LOCAL_RETENTION_BYTES, config_def(CFG_LOG_RETENTION_BYTES)->name,
                           config_int(c, CFG_LOG_RETENTION_BYTES),
                           config_int(c, CFG_LOG_LOCAL_RETENTION_BYTES), error);
}

/* Advertised listeners stay open, and no listener changes its protocol. */
static int check_open_listeners(const struct config *from, const struct config *to, struct strbuf *error) {
    const struct listeners *before = config_listeners(from), *after = config_listeners(to);
    for (int32_t i = 0; i < before->n; i++) {
        const struct listener *old = &before->items[i], *now = listeners_find(after, old->name);
        if (!now && old->advertised && !old->controller)
            return refuse_change(error, "Advertised listener %s must be one of the listeners", old->name);
        if (now && now->protocol != old->protocol)
            return refuse_change(error,
                                 "Security protocol cannot be updated for existing listener ListenerName(%s)",
                                 old->name);
    }
    return 0;
}

/* In the order in which the parts of the reference's broker are asked. */
static int check_running(const struct config *from, const struct config *to, struct strbuf *error) {
    const struct listeners *open = config_listeners(from);
    int r = 0;
    for (int32_t i = 0; !r && i < open->n; i++)
        if (!open->items[i].controller) r = check_listener(from, to, &open->items[i], error);
    if (!r) r = check_reporters(from, to, error);
    if (!r) r = check_pools(from, to, error);
    if (!r) r = check_cleaner(from, to, error);
    if (!r) r = check_retention(to, error);
    return r ? r : check_open_listeners(from, to, error);
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
        config_next(c, per_broker ? c->cluster.pairs : pairs, per_broker ? c->cluster.n : n,
                    per_broker ? pairs : c->broker.pairs, per_broker ? n : c->broker.n, false, error);
    if (!next) return OE_INVALID;
    r = check_running(c, next, error);
    config_unref(next);
    return r;
}
