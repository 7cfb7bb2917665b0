/* Where a partition that a client names is: its replica here, or the error code to answer with. Network loop;
 * what is found is valid until the end of the burst. */
#ifndef OTTLA_SERVER_LOOKUP_H
#define OTTLA_SERVER_LOOKUP_H

#include <stdint.h>

#include "base/uuid.h"
#include "wire/types.h"

struct node;
struct replica;

/* Both: NOT_LEADER_OR_FOLLOWER while a worker recovers the log after a power cut; clients ask again. (The
 * reference does not listen before it has recovered all logs; here the others are served meanwhile.) By name:
 * UNKNOWN_TOPIC_OR_PARTITION, or KAFKA_STORAGE_ERROR when its log directory is not there. */
struct replica *lookup_by_name(struct node *n, struct kstr topic, int32_t partition, int16_t *error);
/* By id: UNKNOWN_TOPIC_ID, UNKNOWN_TOPIC_OR_PARTITION, KAFKA_STORAGE_ERROR. */
struct replica *lookup_by_id(struct node *n, const struct uuid *id, int32_t partition, int16_t *error);
/* The epoch that a client believes in (−1: it says nothing) against the leader's: 0, FENCED_ or
 * UNKNOWN_LEADER_EPOCH. The log's lock is held. */
int16_t check_leader_epoch(const struct replica *p, int32_t epoch);

#endif
