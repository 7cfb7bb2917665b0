/* A topic's configuration: its overrides over the node's defaults, as typed values.
 *
 * A key that the topic does not override takes the broker key of the same meaning, in its coarser units if
 * need be (retention.ms ← log.retention.ms, .minutes, .hours). Source: LogConfig,
 * KafkaConfig.extractLogConfigMap, ServerTopicConfigSynonyms. The struct is a plain value: copy it, keep it
 * where it is used. */
#ifndef OTTLA_CONFIG_TOPIC_CONFIG_H
#define OTTLA_CONFIG_TOPIC_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum topic_compression {                                  /* compression.type */
                         TOPIC_COMPRESSION_PRODUCER = -1, /* as the producer sent it */
                         TOPIC_COMPRESSION_NONE,          /* from here on: the codec's number in the batch */
                         TOPIC_COMPRESSION_GZIP,
                         TOPIC_COMPRESSION_SNAPPY,
                         TOPIC_COMPRESSION_LZ4,
                         TOPIC_COMPRESSION_ZSTD,
};

struct topic_config {
    int32_t segment_bytes; /* internal.segment.bytes when that is set */
    int32_t segment_index_bytes, index_interval_bytes, max_message_bytes, min_insync_replicas;
    int32_t gzip_level, lz4_level, zstd_level;
    int64_t segment_ms, segment_jitter_ms, flush_messages, flush_ms;
    int64_t retention_bytes, retention_ms;             /* -1: no limit */
    int64_t local_retention_bytes, local_retention_ms; /* -2 resolved to the two above */
    int64_t delete_retention_ms, min_compaction_lag_ms, max_compaction_lag_ms, file_delete_delay_ms;
    int64_t timestamp_before_max_ms, timestamp_after_max_ms;
    double min_cleanable_dirty_ratio;
    enum topic_compression compression;
    bool log_append_time; /* message.timestamp.type */
    bool cleanup_compact, cleanup_delete, unclean_leader_election, preallocate;
    bool remote_storage, remote_copy_disable, remote_delete_on_disable;
};

/* The configuration of a topic with these overrides. An override that cannot be read is left out with a line
 * in the log. */
void topic_config_resolve(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct topic_config *t);
/* May `n` overrides be the whole configuration of a topic that had `old_n` before? Returns 0, or OE_INVALID
 * with the reference's sentence (error INVALID_CONFIG). Source: LogConfig.validate. */
int topic_config_validate(const struct config *c, const struct config_pair *overrides, int32_t n,
                          const struct config_pair *old, int32_t old_n, struct strbuf *error);
/* The value of one key without overrides, from the node. Memory: the arena, the snapshot, or static. */
struct config_value topic_config_default(const struct config *c, enum tcfg_id id, struct arena *a);

#endif
