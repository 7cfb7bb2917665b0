/* What tools ask about topics. All of it is the arena's of the run. */
#ifndef OTTLA_CLI_NAMES_TOPICS_H
#define OTTLA_CLI_NAMES_TOPICS_H

#include "api/describe_topic_partitions.h"
#include "cli/names/tool.h"

/* Topics as DescribeTopicPartitions has them, pages put together. */
struct topics_view {
    struct describe_topic_partitions_response_describe_topic_partitions_response_topic *topics;
    int32_t topics_n;
};

/* Metadata of all topics, by name. false: r->why. */
bool topics_all(struct tool_run *r, struct metadata_response *m);
/* The names that match a pattern (NULL: all), sorted. */
bool topics_select(struct tool_run *r, const char *pattern, bool no_internal, struct kstr **names,
                   int32_t *n);
/* Describes topics by names. page: partitions asked for at once; 0: 2,000. A topic that does not exist is an
 * error. */
bool topics_ask(struct tool_run *r, const struct kstr *names, int32_t n, int32_t page, struct topics_view *v);
/* kafka-topics --describe. */
bool topics_describe(struct tool_run *r);

#endif
