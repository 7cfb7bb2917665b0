#include "server/share_settings.h"

#include <stdlib.h>

#include "base/jstring.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/group_config.h"
#include "metadata/image.h"
#include "server/node.h"

enum { MEMBER_ID_MAX = 36 }; /* UTF-16 units */

static enum share_start start_of(enum share_reset r) {
    switch (r) {
    case SHARE_RESET_LATEST: return SHARE_START_LATEST;
    case SHARE_RESET_EARLIEST: return SHARE_START_EARLIEST;
    case SHARE_RESET_BY_DURATION: return SHARE_START_BY_DURATION;
    }
    return SHARE_START_LATEST;
}

void share_settings_get(struct node *n, const struct image *image, struct kstr group,
                        struct share_settings *s) {
    const struct config_set *set =
        group.len > 0 ? image_configs(image, CONFIG_GROUP, group.s, (size_t)group.len) : NULL;
    int32_t count = set ? set->n : 0;
    struct config_pair *pairs = count ? xcalloc((size_t)count, sizeof *pairs) : NULL;
    struct config *config = node_config(n);
    struct group_config g;
    for (int32_t i = 0; i < count; i++)
        pairs[i] = (struct config_pair){set->entries[i].name, set->entries[i].value};
    group_config_resolve(config, pairs, count, &g);
    config_unref(config);
    free(pairs);
    *s = (struct share_settings){
        .limits = {.max_record_locks = g.share_partition_max_record_locks,
                   .delivery_count_limit = g.share_delivery_count_limit,
                   .lock_duration_ms = g.share_record_lock_duration,
                   .renew = g.share_renew_acknowledge},
        .read_committed = g.share_read_committed,
        .start = start_of(g.share_reset),
        .start_duration_ms = g.share_reset_duration,
    };
}

bool share_groups_enabled(const struct image *image) { return image_feature(image, "share.version") >= 1; }

bool share_member_id_valid(struct kstr id) {
    return id.len > 0 && jstring_length(id.s, (size_t)id.len) <= MEMBER_ID_MAX;
}
