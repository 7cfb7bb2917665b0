#include "server/lookup.h"

#include <stddef.h>

#include "base/kerr.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/node.h"

static int16_t error_of(enum replica_missing why, int16_t no_topic) {
    switch (why) {
    case REPLICA_THERE: return KERR_NONE;
    case NO_SUCH_TOPIC: return no_topic;
    case NO_SUCH_PARTITION: return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    case NO_LOG_HERE: return KERR_KAFKA_STORAGE_ERROR;
    }
    return KERR_UNKNOWN_SERVER_ERROR;
}

static struct replica *unless_recovering(struct replica *p, int16_t *error) {
    if (!p || !replica_recovers(p)) return p;
    *error = KERR_NOT_LEADER_OR_FOLLOWER;
    return NULL;
}

struct replica *lookup_by_name(struct node *n, struct kstr topic, int32_t partition, int16_t *error) {
    enum replica_missing why;
    struct replica *p = replicas_find(n->replicas, topic.len > 0 ? topic.s : "",
                                      topic.len > 0 ? (size_t)topic.len : 0, partition, &why);
    *error = error_of(why, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    return unless_recovering(p, error);
}

struct replica *lookup_by_id(struct node *n, const struct uuid *id, int32_t partition, int16_t *error) {
    enum replica_missing why;
    struct replica *p = replicas_find_by_id(n->replicas, id, partition, &why);
    *error = error_of(why, KERR_UNKNOWN_TOPIC_ID);
    return unless_recovering(p, error);
}

int16_t check_leader_epoch(const struct replica *p, int32_t epoch) {
    if (epoch == -1 || epoch == p->leader_epoch) return 0;
    return epoch < p->leader_epoch ? KERR_FENCED_LEADER_EPOCH : KERR_UNKNOWN_LEADER_EPOCH;
}
