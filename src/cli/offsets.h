/* Offsets of many partitions, asked of their leaders: one request a leader. */
#ifndef OTTLA_CLI_OFFSETS_H
#define OTTLA_CLI_OFFSETS_H

#include "cli/admin.h"

enum { OFFSET_LATEST = -1, OFFSET_EARLIEST = -2, OFFSET_MAX_TIMESTAMP = -3 };

struct offset_at {
    struct kstr topic;
    int32_t partition, leader; /* leader -1: none, gives LEADER_NOT_AVAILABLE */
    int64_t timestamp;         /* milliseconds since 1970, or OFFSET_LATEST or _EARLIEST */
    int64_t offset;            /* the answer; -1: none */
    int16_t error;             /* Kafka's */
};

/* Each partition at most once. 0 or an exit status after one line; errors of single partitions are in them.
 */
int offsets_ask(struct admin *a, struct offset_at *q, int n, bool committed);

/* The partitions of the topics of a Metadata response, topics with an error left out; the arena's. NULL
 * without memory. */
struct offset_at *offsets_of_topics(struct admin *a, const struct metadata_response *r, int64_t timestamp,
                                    int *n);

#endif
