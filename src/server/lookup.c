#include "server/lookup.h"

#include <stddef.h>

#include "base/kerr.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/node.h"

static struct replica *in_topic(const struct replica_topic *t, int32_t partition, int16_t *error) {
    if (partition < 0 || partition >= t->count) {
        *error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        return NULL;
    }
    *error = t->replicas[partition] ? 0 : KERR_KAFKA_STORAGE_ERROR;
    return t->replicas[partition];
}

struct replica *lookup_by_name(struct node *n, struct kstr topic, int32_t partition, int16_t *error) {
    const struct replica_topic *t = topic.len > 0 ? replicas_topic(n->replicas, topic.s, (size_t)topic.len) : NULL;
    if (t) return in_topic(t, partition, error);
    *error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    return NULL;
}

struct replica *lookup_by_id(struct node *n, const struct uuid *id, int32_t partition, int16_t *error) {
    const struct replica_topic *t = replicas_topic_by_id(n->replicas, id);
    if (t) return in_topic(t, partition, error);
    *error = KERR_UNKNOWN_TOPIC_ID;
    return NULL;
}

int16_t check_leader_epoch(const struct replica *p, int32_t epoch) {
    if (epoch == -1 || epoch == p->leader_epoch) return 0;
    return epoch < p->leader_epoch ? KERR_FENCED_LEADER_EPOCH : KERR_UNKNOWN_LEADER_EPOCH;
}
