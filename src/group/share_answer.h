/* What the group coordinator answers to a share group's heartbeat, and hears of share partitions. */
#ifndef OTTLA_GROUP_SHARE_ANSWER_H
#define OTTLA_GROUP_SHARE_ANSWER_H

#include "api/share_group_heartbeat.h"
#include "base/uuid.h"

/* Share partitions of a group. */
struct group_share_topic {
    struct uuid id;
    int32_t *partitions;
    int32_t partitions_n;
};
struct group_share_states {
    struct kstr group;
    int32_t epoch; /* the group's: the states' epoch */
    struct group_share_topic *topics;
    int32_t topics_n;
    bool initialized; /* GROUP_API_SHARE_STATES: they are; else it failed */
};

/* What the offsets APIs are told. states.group and, after an alteration, states.epoch are set. */
struct group_share_offsets {
    int16_t error;
    bool known; /* GROUP_API_SHARE_DELETE: the group has states at all */
    struct group_share_states states;
};

/* GROUP_API_SHARE_HEARTBEAT. initialize: what the share coordinator is to be asked for after the answer, and
 * GROUP_API_SHARE_STATES is to be told of; NULL: nothing. All of it in the request's arena. */
struct group_share_heartbeat {
    struct share_group_heartbeat_response response;
    struct group_share_states *initialize;
};

#endif
