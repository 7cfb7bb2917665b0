#include "config/group_config.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "config/client_match.h"
#include "config/text.h"

enum { SENTENCE_MAX = 1 << 20, NO_KEY = -1 };

/* The broker's bounds of a group's key. */
struct bound {
    enum gcfg_id id;
    int low, high;    /* enum cfg_id or NO_KEY */
    bool if_set_only; /* checked only when the group sets it */
};

static const struct bound bounds[] = {
    {GCFG_CONSUMER_HEARTBEAT_INTERVAL_MS, CFG_GROUP_CONSUMER_MIN_HEARTBEAT_INTERVAL_MS,
     CFG_GROUP_CONSUMER_MAX_HEARTBEAT_INTERVAL_MS, false},
    {GCFG_CONSUMER_SESSION_TIMEOUT_MS, CFG_GROUP_CONSUMER_MIN_SESSION_TIMEOUT_MS,
     CFG_GROUP_CONSUMER_MAX_SESSION_TIMEOUT_MS, false},
    {GCFG_CONSUMER_ASSIGNMENT_INTERVAL_MS, CFG_GROUP_CONSUMER_MIN_ASSIGNMENT_INTERVAL_MS,
     CFG_GROUP_CONSUMER_MAX_ASSIGNMENT_INTERVAL_MS, true},
    {GCFG_SHARE_HEARTBEAT_INTERVAL_MS, CFG_GROUP_SHARE_MIN_HEARTBEAT_INTERVAL_MS,
     CFG_GROUP_SHARE_MAX_HEARTBEAT_INTERVAL_MS, false},
    {GCFG_SHARE_SESSION_TIMEOUT_MS, CFG_GROUP_SHARE_MIN_SESSION_TIMEOUT_MS,
     CFG_GROUP_SHARE_MAX_SESSION_TIMEOUT_MS, false},
    {GCFG_SHARE_RECORD_LOCK_DURATION_MS, CFG_GROUP_SHARE_MIN_RECORD_LOCK_DURATION_MS,
     CFG_GROUP_SHARE_MAX_RECORD_LOCK_DURATION_MS, false},
    {GCFG_SHARE_DELIVERY_COUNT_LIMIT, CFG_GROUP_SHARE_MIN_DELIVERY_COUNT_LIMIT,
     CFG_GROUP_SHARE_MAX_DELIVERY_COUNT_LIMIT, false},
    {GCFG_SHARE_PARTITION_MAX_RECORD_LOCKS, CFG_GROUP_SHARE_MIN_PARTITION_MAX_RECORD_LOCKS,
     CFG_GROUP_SHARE_MAX_PARTITION_MAX_RECORD_LOCKS, false},
    {GCFG_SHARE_ASSIGNMENT_INTERVAL_MS, CFG_GROUP_SHARE_MIN_ASSIGNMENT_INTERVAL_MS,
     CFG_GROUP_SHARE_MAX_ASSIGNMENT_INTERVAL_MS, true},
    {GCFG_STREAMS_HEARTBEAT_INTERVAL_MS, CFG_GROUP_STREAMS_MIN_HEARTBEAT_INTERVAL_MS,
     CFG_GROUP_STREAMS_MAX_HEARTBEAT_INTERVAL_MS, false},
    {GCFG_STREAMS_SESSION_TIMEOUT_MS, CFG_GROUP_STREAMS_MIN_SESSION_TIMEOUT_MS,
     CFG_GROUP_STREAMS_MAX_SESSION_TIMEOUT_MS, false},
    {GCFG_STREAMS_NUM_STANDBY_REPLICAS, NO_KEY, CFG_GROUP_STREAMS_MAX_STANDBY_REPLICAS, false},
    {GCFG_STREAMS_ASSIGNMENT_INTERVAL_MS, CFG_GROUP_STREAMS_MIN_ASSIGNMENT_INTERVAL_MS,
     CFG_GROUP_STREAMS_MAX_ASSIGNMENT_INTERVAL_MS, true},
};
enum { BOUNDS = sizeof bounds / sizeof *bounds };

static const char *pair_get(const struct config_pair *pairs, int32_t n, const char *name) {
    for (int32_t i = n - 1; i >= 0; i--)
        if (!strcmp(pairs[i].name, name)) return pairs[i].value;
    return NULL;
}

static int parse_key(const struct config *c, enum gcfg_id id, const struct config_pair *pairs, int32_t n,
                     struct arena *a, struct config_value *v, struct strbuf *error) {
    const struct config_def *def = group_config_def(id);
    const char *raw = pair_get(pairs, n, def->name);
    if (raw || !def->same_n) return config_value_parse(def, raw, a, v, error);
    *v = *config_value(c, def->same[0].id);
    return 0;
}

static void clamp(const struct config *c, const struct bound *b, struct config_value *v) {
    int64_t low = b->low == NO_KEY ? INT64_MIN : config_int(c, (enum cfg_id)b->low);
    int64_t high = config_int(c, (enum cfg_id)b->high);
    int64_t to = v->i < low ? low : v->i > high ? high : v->i;
    if (to == v->i) return;
    LOG_WARN("config", "%s=%lld of a group is outside of the broker's bounds, %lld is used",
             group_config_def(b->id)->name, (long long)v->i, (long long)to);
    v->i = to;
}

static void fill_reset(struct group_config *g, const char *text) {
    const char *colon = strchr(text, ':');
    g->share_reset = !strcasecmp(text, "earliest") ? SHARE_RESET_EARLIEST : SHARE_RESET_LATEST;
    if (colon && text_duration(colon + 1, &g->share_reset_duration)) g->share_reset = SHARE_RESET_BY_DURATION;
}

static void fill(struct group_config *g, const struct config_value *v) {
    *g = (struct group_config){
        .consumer_session_timeout = (int32_t)v[GCFG_CONSUMER_SESSION_TIMEOUT_MS].i,
        .consumer_heartbeat_interval = (int32_t)v[GCFG_CONSUMER_HEARTBEAT_INTERVAL_MS].i,
        .consumer_assignment_interval = (int32_t)v[GCFG_CONSUMER_ASSIGNMENT_INTERVAL_MS].i,
        .share_session_timeout = (int32_t)v[GCFG_SHARE_SESSION_TIMEOUT_MS].i,
        .share_heartbeat_interval = (int32_t)v[GCFG_SHARE_HEARTBEAT_INTERVAL_MS].i,
        .share_assignment_interval = (int32_t)v[GCFG_SHARE_ASSIGNMENT_INTERVAL_MS].i,
        .share_record_lock_duration = (int32_t)v[GCFG_SHARE_RECORD_LOCK_DURATION_MS].i,
        .share_delivery_count_limit = (int32_t)v[GCFG_SHARE_DELIVERY_COUNT_LIMIT].i,
        .share_partition_max_record_locks = (int32_t)v[GCFG_SHARE_PARTITION_MAX_RECORD_LOCKS].i,
        .streams_session_timeout = (int32_t)v[GCFG_STREAMS_SESSION_TIMEOUT_MS].i,
        .streams_heartbeat_interval = (int32_t)v[GCFG_STREAMS_HEARTBEAT_INTERVAL_MS].i,
        .streams_assignment_interval = (int32_t)v[GCFG_STREAMS_ASSIGNMENT_INTERVAL_MS].i,
        .streams_initial_rebalance_delay = (int32_t)v[GCFG_STREAMS_INITIAL_REBALANCE_DELAY_MS].i,
        .streams_num_standby_replicas = (int32_t)v[GCFG_STREAMS_NUM_STANDBY_REPLICAS].i,
        .share_read_committed = !strcmp(v[GCFG_SHARE_ISOLATION_LEVEL].s, "read_committed"),
        .share_renew_acknowledge = v[GCFG_SHARE_RENEW_ACKNOWLEDGE_ENABLE].b,
    };
    fill_reset(g, v[GCFG_SHARE_AUTO_OFFSET_RESET].s);
}

void group_config_resolve(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct group_config *g) {
    struct config_value values[GCFG_COUNT];
    struct arena a;
    struct strbuf error;
    arena_init(&a, SIZE_MAX);
    strbuf_init(&error, SENTENCE_MAX);
    for (int id = 0; id < GCFG_COUNT; id++) {
        if (!parse_key(c, (enum gcfg_id)id, overrides, n, &a, &values[id], &error)) continue;
        LOG_ERROR("config", "an override of a group is left out: %s", strbuf_str(&error));
        strbuf_reset(&error);
        int err = parse_key(c, (enum gcfg_id)id, NULL, 0, &a, &values[id], &error);
        ASSERT(!err);
    }
    for (int i = 0; i < BOUNDS; i++)
        if (pair_get(overrides, n, group_config_def(bounds[i].id)->name))
            clamp(c, &bounds[i], &values[bounds[i].id]);
    fill(g, values);
    strbuf_free(&error);
    arena_free(&a);
}

static int must_be(struct strbuf *error, enum gcfg_id id, const char *how, const char *than) {
    strbuf_addf(error, "%s must be %s %s", group_config_def(id)->name, how, than);
    return OE_INVALID;
}

static int check_bound(const struct config *c, const struct bound *b, const struct config_value *v,
                       struct strbuf *error) {
    if (b->low != NO_KEY && v->i < config_int(c, (enum cfg_id)b->low))
        return must_be(error, b->id, "greater than or equal to", config_def((enum cfg_id)b->low)->name);
    if (v->i > config_int(c, (enum cfg_id)b->high))
        return must_be(error, b->id, "less than or equal to", config_def((enum cfg_id)b->high)->name);
    return 0;
}

static int check_sessions(const struct config_value *v, struct strbuf *error) {
    static const enum gcfg_id pairs[][2] = {
        {GCFG_CONSUMER_SESSION_TIMEOUT_MS, GCFG_CONSUMER_HEARTBEAT_INTERVAL_MS},
        {GCFG_SHARE_SESSION_TIMEOUT_MS, GCFG_SHARE_HEARTBEAT_INTERVAL_MS},
        {GCFG_STREAMS_SESSION_TIMEOUT_MS, GCFG_STREAMS_HEARTBEAT_INTERVAL_MS},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        if (v[pairs[i][0]].i <= v[pairs[i][1]].i)
            return must_be(error, pairs[i][0], "greater than", group_config_def(pairs[i][1])->name);
    return 0;
}

int group_config_validate(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct strbuf *error) {
    struct config_value values[GCFG_COUNT];
    struct arena a;
    int err = 0;
    for (int32_t i = 0; i < n; i++) {
        if (group_config_find(overrides[i].name) >= 0) continue;
        strbuf_addf(error, "Unknown group config name: %s", overrides[i].name);
        return OE_INVALID;
    }
    arena_init(&a, SIZE_MAX);
    for (int id = 0; !err && id < GCFG_COUNT; id++)
        err = parse_key(c, (enum gcfg_id)id, overrides, n, &a, &values[id], error);
    for (int i = 0; !err && i < BOUNDS; i++)
        if (!bounds[i].if_set_only || pair_get(overrides, n, group_config_def(bounds[i].id)->name))
            err = check_bound(c, &bounds[i], &values[bounds[i].id], error);
    if (!err) err = check_sessions(values, error);
    arena_free(&a);
    return err;
}

void client_metrics_resolve(const struct config_pair *overrides, int32_t n, struct arena *a,
                            struct client_metrics_config *to) {
    struct config_value v[MCFG_COUNT];
    struct strbuf error;
    strbuf_init(&error, SENTENCE_MAX);
    for (int id = 0; id < MCFG_COUNT; id++) {
        const struct config_def *def = client_metrics_def((enum mcfg_id)id);
        if (config_value_parse(def, pair_get(overrides, n, def->name), a, &v[id], &error))
            config_value_parse(def, NULL, a, &v[id], &error);
    }
    strbuf_free(&error);
    *to = (struct client_metrics_config){.interval_ms = (int32_t)v[MCFG_INTERVAL_MS].i,
                                         .metrics = v[MCFG_METRICS].list,
                                         .match = v[MCFG_MATCH].list};
}

int client_metrics_validate(const struct config_pair *overrides, int32_t n, struct strbuf *error) {
    struct config_value v[MCFG_COUNT];
    struct arena a;
    int err = 0;
    for (int32_t i = 0; i < n; i++) {
        if (client_metrics_find(overrides[i].name) >= 0) continue;
        strbuf_addf(error, "Unknown client metrics configuration: %s", overrides[i].name);
        return OE_MALFORMED;
    }
    arena_init(&a, SIZE_MAX);
    for (int id = 0; !err && id < MCFG_COUNT; id++) {
        const struct config_def *def = client_metrics_def((enum mcfg_id)id);
        err = config_value_parse(def, pair_get(overrides, n, def->name), &a, &v[id], error);
    }
    if (!err && (v[MCFG_INTERVAL_MS].i < 100 || v[MCFG_INTERVAL_MS].i > 3600000)) {
        strbuf_addf(error,
                    "Invalid value %lld for interval.ms, interval must be between 100 and 3600000 (1 hour)",
                    (long long)v[MCFG_INTERVAL_MS].i);
        err = OE_MALFORMED;
    }
    struct client_match *match = NULL;
    const char *illegal = NULL;
    if (!err && client_match_compile(v[MCFG_MATCH].list, &match, &illegal)) {
        strbuf_addf(error, "Illegal client matching pattern: %s", illegal);
        err = OE_INVALID;
    }
    client_match_free(match);
    arena_free(&a);
    return err;
}
