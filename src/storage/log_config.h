/* The configuration of one log, typed: the topic's keys of the reference (TopicConfig, LogConfig) with its
 * defaults. The server fills it; logs share it by pointer and never change it (a change is a new struct,
 * log_set_config). */
#ifndef OTTLA_STORAGE_LOG_CONFIG_H
#define OTTLA_STORAGE_LOG_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "record/compress.h"

struct log_config {
    int32_t segment_bytes;
    int64_t segment_ms, segment_jitter_ms;
    int32_t segment_index_bytes, index_interval_bytes;
    int64_t flush_messages, flush_ms;
    int64_t retention_bytes, retention_ms; /* -1: no limit */
    int64_t local_retention_bytes, local_retention_ms;
    int32_t max_message_bytes;
    int64_t file_delete_delay_ms, delete_retention_ms;
    int64_t min_compaction_lag_ms, max_compaction_lag_ms;
    double min_cleanable_dirty_ratio;
    int32_t min_insync_replicas;
    int compression; /* enum compression, or -1: producer */
    int level[COMPRESSION_COUNT];
    int64_t timestamp_before_max_ms, timestamp_after_max_ms;
    bool log_append_time; /* message.timestamp.type */
    bool cleanup_delete, cleanup_compact;
    bool preallocate, unclean_leader_election;
    bool remote_storage, remote_copy_disable, remote_delete_on_disable;
    /* not of a topic, but of the broker */
    int64_t producer_id_expiration_ms;
};

#define LOG_CONFIG_DEFAULT                                                                                   \
    (struct log_config) {                                                                                    \
        .segment_bytes = 1 << 30, .segment_ms = 604800000, .segment_index_bytes = 10 << 20,                  \
        .index_interval_bytes = 4096, .flush_messages = INT64_MAX, .flush_ms = INT64_MAX,                    \
        .retention_bytes = -1, .retention_ms = 604800000, .local_retention_bytes = -2,                       \
        .local_retention_ms = -2, .max_message_bytes = 1048588, .file_delete_delay_ms = 60000,               \
        .delete_retention_ms = 86400000, .max_compaction_lag_ms = INT64_MAX,                                 \
        .min_cleanable_dirty_ratio = 0.5, .min_insync_replicas = 1, .compression = -1,                       \
        .level = {0, -1, 0, 9, 3}, .timestamp_before_max_ms = INT64_MAX, .timestamp_after_max_ms = 3600000,  \
        .cleanup_delete = true, .producer_id_expiration_ms = 86400000                                        \
    }

#endif
