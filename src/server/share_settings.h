/* What a share group's configuration says, over the broker's group.share.* keys. Source: GroupConfig,
 * ShareGroupConfigProvider. */
#ifndef OTTLA_SERVER_SHARE_SETTINGS_H
#define OTTLA_SERVER_SHARE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "share/partition.h"

struct image;
struct node;

enum share_start { SHARE_START_LATEST, SHARE_START_EARLIEST, SHARE_START_BY_DURATION };

struct share_settings {
    struct share_limits limits;
    bool read_committed;
    enum share_start start;    /* share.auto.offset.reset */
    int64_t start_duration_ms; /* by duration */
};

/* Any thread. */
void share_settings_get(struct node *n, const struct image *image, struct kstr group,
                        struct share_settings *s);
/* share.version is finalized at 1 or above. */
bool share_groups_enabled(const struct image *image);
/* As a member's id of ShareFetch and ShareAcknowledge. */
bool share_member_id_valid(struct kstr id);

#endif
