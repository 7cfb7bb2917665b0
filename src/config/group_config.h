/* The configuration of a group (KIP-848, KIP-932, KIP-1071): its overrides over the broker's group.* keys,
 * within the bounds that the broker sets; and the checks of client metrics subscriptions (KIP-714), which are
 * as small. Source: GroupConfig, ClientMetricsConfigs. A plain value, as topic_config. */
#ifndef OTTLA_CONFIG_GROUP_CONFIG_H
#define OTTLA_CONFIG_GROUP_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

enum share_reset { SHARE_RESET_LATEST, SHARE_RESET_EARLIEST, SHARE_RESET_BY_DURATION };

struct group_config { /* times in milliseconds */
    int32_t consumer_session_timeout, consumer_heartbeat_interval, consumer_assignment_interval;
    int32_t share_session_timeout, share_heartbeat_interval, share_assignment_interval,
        share_record_lock_duration;
    int32_t share_delivery_count_limit, share_partition_max_record_locks;
    int32_t streams_session_timeout, streams_heartbeat_interval, streams_assignment_interval;
    int32_t streams_initial_rebalance_delay, streams_num_standby_replicas;
    enum share_reset share_reset;
    int64_t share_reset_duration; /* BY_DURATION */
    bool share_read_committed, share_renew_acknowledge;
};

/* Values outside of the broker's bounds are moved to the bound; one that cannot be read is left out. */
void group_config_resolve(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct group_config *g);
/* May these be the whole configuration of a group? Returns 0, or OE_INVALID with the reference's sentence
 * (INVALID_CONFIG). */
int group_config_validate(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct strbuf *error);
/* The same for a subscription; OE_MALFORMED is INVALID_REQUEST, OE_INVALID is INVALID_CONFIG. */
int client_metrics_validate(const struct config_pair *overrides, int32_t n, struct strbuf *error);
/* One that was validated: how often, which metrics, from whom (for client_match_compile). Memory comes from
 * the arena. */
struct client_metrics_config {
    int32_t interval_ms;
    struct config_list metrics, match;
};
void client_metrics_resolve(const struct config_pair *overrides, int32_t n, struct arena *a,
                            struct client_metrics_config *to);

#endif
