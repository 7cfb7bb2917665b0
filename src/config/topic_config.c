#include "config/topic_config.h"

#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "config/text.h"

enum { SENTENCE_MAX = 1 << 20 };

struct config_value topic_config_default(const struct config *c, enum tcfg_id id, struct arena *a) {
    const struct config_def *def = topic_config_def(id);
    struct config_value v;
    for (int32_t i = 0; i < def->same_n; i++) {
        v = *config_value(c, def->same[i].id);
        if (v.is_null) continue;
        if (def->type == CONFIG_TYPE_LONG || def->type == CONFIG_TYPE_INT) v.i *= def->same[i].factor;
        if (id == TCFG_RETENTION_MS && v.i < 0) v.i = -1;
        return v;
    }
    struct strbuf none;
    strbuf_init(&none, 0);
    int err = config_value_parse(def, NULL, a, &v, &none);
    ASSERT(!err);
    return v;
}

static const char *pair_get(const struct config_pair *pairs, int32_t n, const char *name) {
    for (int32_t i = n - 1; i >= 0; i--)
        if (!strcmp(pairs[i].name, name)) return pairs[i].value;
    return NULL;
}

static int parse_key(const struct config *c, enum tcfg_id id, const struct config_pair *pairs, int32_t n,
                     struct arena *a, struct config_value *v, struct strbuf *error) {
    const char *raw = pair_get(pairs, n, topic_config_def(id)->name);
    if (raw) return config_value_parse(topic_config_def(id), raw, a, v, error);
    *v = topic_config_default(c, id, a);
    return 0;
}

static enum topic_compression compression_of(const char *name) {
    static const char *const names[] = {"uncompressed", "gzip", "snappy", "lz4", "zstd"};
    for (int i = 0; i < 5; i++)
        if (!strcmp(name, names[i])) return (enum topic_compression)i;
    return TOPIC_COMPRESSION_PRODUCER;
}

static void fill(struct topic_config *t, const struct config_value *v) {
    *t = (struct topic_config){
        .segment_bytes = (int32_t)(v[TCFG_INTERNAL_SEGMENT_BYTES].is_null ? v[TCFG_SEGMENT_BYTES].i
                                                                          : v[TCFG_INTERNAL_SEGMENT_BYTES].i),
        .segment_index_bytes = (int32_t)v[TCFG_SEGMENT_INDEX_BYTES].i,
        .index_interval_bytes = (int32_t)v[TCFG_INDEX_INTERVAL_BYTES].i,
        .max_message_bytes = (int32_t)v[TCFG_MAX_MESSAGE_BYTES].i,
        .min_insync_replicas = (int32_t)v[TCFG_MIN_INSYNC_REPLICAS].i,
        .gzip_level = (int32_t)v[TCFG_COMPRESSION_GZIP_LEVEL].i,
        .lz4_level = (int32_t)v[TCFG_COMPRESSION_LZ4_LEVEL].i,
        .zstd_level = (int32_t)v[TCFG_COMPRESSION_ZSTD_LEVEL].i,
        .segment_ms = v[TCFG_SEGMENT_MS].i,
        .segment_jitter_ms = v[TCFG_SEGMENT_JITTER_MS].i,
        .flush_messages = v[TCFG_FLUSH_MESSAGES].i,
        .flush_ms = v[TCFG_FLUSH_MS].i,
        .retention_bytes = v[TCFG_RETENTION_BYTES].i,
        .retention_ms = v[TCFG_RETENTION_MS].i,
        .local_retention_bytes = v[TCFG_LOCAL_RETENTION_BYTES].i,
        .local_retention_ms = v[TCFG_LOCAL_RETENTION_MS].i,
        .delete_retention_ms = v[TCFG_DELETE_RETENTION_MS].i,
        .min_compaction_lag_ms = v[TCFG_MIN_COMPACTION_LAG_MS].i,
        .max_compaction_lag_ms = v[TCFG_MAX_COMPACTION_LAG_MS].i,
        .file_delete_delay_ms = v[TCFG_FILE_DELETE_DELAY_MS].i,
        .timestamp_before_max_ms = v[TCFG_MESSAGE_TIMESTAMP_BEFORE_MAX_MS].i,
        .timestamp_after_max_ms = v[TCFG_MESSAGE_TIMESTAMP_AFTER_MAX_MS].i,
        .min_cleanable_dirty_ratio = v[TCFG_MIN_CLEANABLE_DIRTY_RATIO].d,
        .compression = compression_of(v[TCFG_COMPRESSION_TYPE].s),
        .log_append_time = !strcmp(v[TCFG_MESSAGE_TIMESTAMP_TYPE].s, "LogAppendTime"),
        .cleanup_compact = text_list_has(v[TCFG_CLEANUP_POLICY].list, "compact"),
        .cleanup_delete = text_list_has(v[TCFG_CLEANUP_POLICY].list, "delete"),
        .unclean_leader_election = v[TCFG_UNCLEAN_LEADER_ELECTION_ENABLE].b,
        .preallocate = v[TCFG_PREALLOCATE].b,
        .remote_storage = v[TCFG_REMOTE_STORAGE_ENABLE].b,
        .remote_copy_disable = v[TCFG_REMOTE_LOG_COPY_DISABLE].b,
        .remote_delete_on_disable = v[TCFG_REMOTE_LOG_DELETE_ON_DISABLE].b,
    };
    if (t->local_retention_ms == -2) t->local_retention_ms = t->retention_ms;
    if (t->local_retention_bytes == -2) t->local_retention_bytes = t->retention_bytes;
}

void topic_config_resolve(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct topic_config *t) {
    struct config_value values[TCFG_COUNT];
    struct arena a;
    struct strbuf error;
    arena_init(&a, SIZE_MAX);
    strbuf_init(&error, SENTENCE_MAX);
    for (int id = 0; id < TCFG_COUNT; id++) {
        if (!parse_key(c, (enum tcfg_id)id, overrides, n, &a, &values[id], &error)) continue;
        LOG_ERROR("config", "an override of a topic is left out: %s", strbuf_str(&error));
        strbuf_reset(&error);
        values[id] = topic_config_default(c, (enum tcfg_id)id, &a);
    }
    fill(t, values);
    strbuf_free(&error);
    arena_free(&a);
}

static int invalid_local(struct strbuf *error, const char *local, int64_t value, const char *whole,
                         int64_t limit) {
    strbuf_addf(error, "Invalid value %lld for configuration %s: ", (long long)value, local);
    if (value == -1)
        strbuf_addf(error, "Value must not be -1 as %s value is set as %lld.", whole, (long long)limit);
    else
        strbuf_addf(error, "Value must not be more than %s property value: %lld", whole, (long long)limit);
    return OE_INVALID;
}

static int must_be_equal(struct strbuf *error, const char *what) {
    strbuf_addf(error,
                "When `remote.log.copy.disable` is set to true, the `local.retention.%s` and `retention.%s` "
                "must be set "
                "to the identical value because there will be no more logs copied to the remote storage.",
                what, what);
    return OE_INVALID;
}

static int validate_remote(const struct config *c, const struct config_value *v, struct strbuf *error) {
    int64_t bytes = v[TCFG_RETENTION_BYTES].i, local_bytes = v[TCFG_LOCAL_RETENTION_BYTES].i;
    int64_t ms = v[TCFG_RETENTION_MS].i, local_ms = v[TCFG_LOCAL_RETENTION_MS].i;
    struct config_list policy = v[TCFG_CLEANUP_POLICY].list;
    if (!config_bool(c, CFG_REMOTE_LOG_STORAGE_SYSTEM_ENABLE)) {
        strbuf_adds(error, "Tiered Storage functionality is disabled in the broker. Topic cannot be "
                           "configured with remote log "
                           "storage.");
        return OE_INVALID;
    }
    if (policy.n && (policy.n != 1 || strcmp(policy.items[0], "delete"))) {
        strbuf_adds(error, "Remote log storage only supports topics with cleanup.policy=delete or "
                           "cleanup.policy being an empty "
                           "list.");
        return OE_INVALID;
    }
    if (bytes > -1 && local_bytes != -2 && (local_bytes == -1 || local_bytes > bytes))
        return invalid_local(error, "local.retention.bytes", local_bytes, "retention.bytes", bytes);
    if (ms != -1 && local_ms != -2 && (local_ms == -1 || local_ms > ms))
        return invalid_local(error, "local.retention.ms", local_ms, "retention.ms", ms);
    if (!v[TCFG_REMOTE_LOG_COPY_DISABLE].b) return 0;
    if (local_bytes != -2 && local_bytes != bytes) return must_be_equal(error, "bytes");
    return local_ms != -2 && local_ms != ms ? must_be_equal(error, "ms") : 0;
}

static int validate_together(const struct config *c, const struct config_value *v,
                             const struct config_pair *old, int32_t old_n, struct strbuf *error) {
    int64_t low = v[TCFG_MIN_COMPACTION_LAG_MS].i, high = v[TCFG_MAX_COMPACTION_LAG_MS].i;
    if (low > high) {
        strbuf_addf(
            error,
            "conflict topic config setting min.compaction.lag.ms (%lld) > max.compaction.lag.ms (%lld)",
            (long long)low, (long long)high);
        return OE_INVALID;
    }
    if (v[TCFG_REMOTE_STORAGE_ENABLE].b) return validate_remote(c, v, error);
    const char *was = pair_get(old, old_n, "remote.storage.enable");
    if (was && !strcasecmp(was, "true") && !v[TCFG_REMOTE_LOG_DELETE_ON_DISABLE].b) {
        strbuf_adds(error, "It is invalid to disable remote storage without deleting remote data. If you "
                           "want to keep the remote "
                           "data and turn to read only, please set "
                           "`remote.storage.enable=true,remote.log.copy.disable=true`. If "
                           "you want to disable remote storage and delete all remote data, please set "
                           "`remote.storage.enable=false,remote.log.delete.on.disable=true`.");
        return OE_INVALID;
    }
    return 0;
}

int topic_config_validate(const struct config *c, const struct config_pair *overrides, int32_t n,
                          const struct config_pair *old, int32_t old_n, struct strbuf *error) {
    struct config_value values[TCFG_COUNT];
    struct arena a;
    int err = 0;
    for (int32_t i = 0; i < n; i++) {
        if (topic_config_find(overrides[i].name) >= 0) continue;
        strbuf_addf(error, "Unknown topic config name: %s", overrides[i].name);
        return OE_INVALID;
    }
    arena_init(&a, SIZE_MAX);
    for (int id = 0; !err && id < TCFG_COUNT; id++)
        err = parse_key(c, (enum tcfg_id)id, overrides, n, &a, &values[id], error);
    if (!err) err = validate_together(c, values, old, old_n, error);
    arena_free(&a);
    return err;
}
