/* The answer to a StreamsGroupHeartbeat, as the shard gives it: all of it in the request's arena. */
#ifndef OTTLA_GROUP_STREAMS_RESULT_H
#define OTTLA_GROUP_STREAMS_RESULT_H

#include "api/create_topics.h"
#include "api/streams_group_heartbeat.h"

struct streams_heartbeat_result {
    struct streams_group_heartbeat_response response;
    struct create_topics_request_creatable_topic *topics; /* internal ones, to be created */
    int32_t topics_n;
    int32_t heartbeat_interval_ms; /* the group's */
};

#endif
