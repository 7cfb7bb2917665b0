/* What a streams application is made of (KIP-1071), and what that comes to with the topics that exist: how
 * many partitions the internal topics must have, how many tasks there are, what is wrong. Private to group/.
 * Source: StreamsTopology, InternalTopicManager, RepartitionTopics, CopartitionedTopicsEnforcer,
 * ChangelogTopics, ConfiguredTopology. */
#ifndef OTTLA_GROUP_TOPOLOGY_H
#define OTTLA_GROUP_TOPOLOGY_H

#include "api/create_topics.h"
#include "base/arena.h"
#include "base/hashmap.h"
#include "records/group.h"

struct image;

/* The values of StreamsGroupHeartbeatResponse.Status. */
enum streams_status {
    STREAMS_READY = -1,
    STREAMS_STALE_TOPOLOGY = 0,
    STREAMS_MISSING_SOURCE_TOPICS = 1,
    STREAMS_INCORRECTLY_PARTITIONED_TOPICS = 2,
    STREAMS_MISSING_INTERNAL_TOPICS = 3,
    STREAMS_SHUTDOWN_APPLICATION = 4,
    STREAMS_ASSIGNMENT_DELAYED = 5,
};

/* Owns what it holds. Immutable. */
struct topology {
    struct arena arena;
    struct streams_group_topology_value v;
    const struct streams_group_topology_value_subtopology **sorted; /* v.subtopologies_n, by id */
};

/* A copy; NULL: it cannot be (too large). */
struct topology *topology_own(const struct streams_group_topology_value *v);
void topology_free(struct topology *t); /* NULL: nothing */
bool topology_equal(const struct topology *a, const struct topology *b);
/* Counts its topics, which are sources, repartition sources and changelogs, by +1 or -1. */
void topology_subscriptions(struct hashmap *topics, const struct topology *t, int32_t by);
/* The subtopology that reads the topic; NULL: none. */
const struct streams_group_topology_value_subtopology *topology_reader(const struct topology *t,
                                                                       struct kstr topic);

struct configured_topic {
    const struct streams_group_topology_value_topic_info *info;
    int32_t partitions;
};

struct configured_subtopology {
    const struct streams_group_topology_value_subtopology *from;
    struct kstr id;
    int32_t tasks_n;
    bool stateful;
    struct configured_topic *repartition, *changelog; /* in order of from's lists */
};

/* Owns all of it. */
struct configured {
    struct topology *topology;
    enum streams_status status;                   /* STREAMS_READY: all topics are there and fit */
    const char *detail;                           /* of status */
    struct configured_subtopology *subtopologies; /* in order of ids; only if known */
    int32_t subtopologies_n;
    bool known;
    struct create_topics_request_creatable_topic *missing; /* internal topics */
    int32_t missing_n;
};

/* `to` is to be freed in any case. 0, or a code of kerr: the topology can never be right; then *message may
 * say why (in to's memory). */
int16_t topology_configure(const struct topology *t, const struct image *image, struct configured **to,
                           const char **message);
void configured_free(struct configured *c); /* NULL: nothing */
const struct configured_subtopology *configured_find(const struct configured *c, struct kstr id);

#endif
