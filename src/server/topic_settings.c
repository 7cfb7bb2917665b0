#include "server/topic_settings.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "config/config.h"
#include "config/topic_config.h"
#include "metadata/image.h"
#include "storage/log_config.h"

static void translate(const struct topic_config *t, struct log_config *l) {
    *l = LOG_CONFIG_DEFAULT;
    l->segment_bytes = t->segment_bytes;
    l->segment_ms = t->segment_ms;
    l->segment_jitter_ms = t->segment_jitter_ms;
    l->segment_index_bytes = t->segment_index_bytes;
    l->index_interval_bytes = t->index_interval_bytes;
    l->flush_messages = t->flush_messages;
    l->flush_ms = t->flush_ms;
    l->retention_bytes = t->retention_bytes;
    l->retention_ms = t->retention_ms;
    l->local_retention_bytes = t->local_retention_bytes;
    l->local_retention_ms = t->local_retention_ms;
    l->max_message_bytes = t->max_message_bytes;
    l->file_delete_delay_ms = t->file_delete_delay_ms;
    l->delete_retention_ms = t->delete_retention_ms;
    l->min_compaction_lag_ms = t->min_compaction_lag_ms;
    l->max_compaction_lag_ms = t->max_compaction_lag_ms;
    l->min_cleanable_dirty_ratio = t->min_cleanable_dirty_ratio;
    l->min_insync_replicas = t->min_insync_replicas;
    l->compression = (int)t->compression;
    l->level[COMPRESSION_GZIP] = t->gzip_level;
    l->level[COMPRESSION_LZ4] = t->lz4_level;
    l->level[COMPRESSION_ZSTD] = t->zstd_level;
    l->timestamp_before_max_ms = t->timestamp_before_max_ms;
    l->timestamp_after_max_ms = t->timestamp_after_max_ms;
    l->log_append_time = t->log_append_time;
    l->cleanup_delete = t->cleanup_delete;
    l->cleanup_compact = t->cleanup_compact;
    l->preallocate = t->preallocate;
    l->unclean_leader_election = t->unclean_leader_election;
    l->remote_storage = t->remote_storage;
    l->remote_copy_disable = t->remote_copy_disable;
    l->remote_delete_on_disable = t->remote_delete_on_disable;
}

struct log_config *topic_settings(const struct config *c, const struct image *image, const char *topic) {
    const struct config_set *set = image ? image_configs(image, CONFIG_TOPIC, topic, strlen(topic)) : NULL;
    int32_t n = set ? set->n : 0;
    struct config_pair *pairs = xcalloc((size_t)n, sizeof *pairs);
    for (int32_t i = 0; i < n; i++)
        pairs[i] = (struct config_pair){set->entries[i].name, set->entries[i].value};
    struct topic_config t;
    topic_config_resolve(c, pairs, n, &t);
    free(pairs);
    struct log_config *l = xmalloc(sizeof *l);
    translate(&t, l);
    l->producer_id_expiration_ms = config_int(c, CFG_PRODUCER_ID_EXPIRATION_MS);
    return l;
}
