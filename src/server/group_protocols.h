/* Which of the newer group protocols this node serves: group.coordinator.rebalance.protocols and the
 * finalized feature. */
#ifndef OTTLA_SERVER_GROUP_PROTOCOLS_H
#define OTTLA_SERVER_GROUP_PROTOCOLS_H

#include <string.h>

#include "config/config.h"
#include "metadata/image.h"
#include "metadata/version.h"
#include "server/node.h"
#include "server/request.h"

static inline bool group_protocol_enabled(struct request *r, const char *protocol, const char *feature) {
    struct config_list list = config_list(r->node->config, CFG_GROUP_COORDINATOR_REBALANCE_PROTOCOLS);
    if (image_feature(request_image(r), feature) < 1) return false;
    for (size_t i = 0; i < (size_t)list.n; i++)
        if (!strcmp(list.items[i], protocol)) return true;
    return false;
}

#endif
