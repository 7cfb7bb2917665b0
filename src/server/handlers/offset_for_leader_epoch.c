/* OffsetForLeaderEpoch (KIP-101, 320): where an epoch of the log ended.
 * KafkaApis.handleOffsetForLeaderEpochRequest. */
#include "server/handlers/handlers.h"

#include "api/offset_for_leader_epoch.h"
#include "replica/replica.h"
#include "server/error_map.h"
#include "server/lookup.h"
#include "server/net.h"
#include "storage/log.h"

static void answer(struct request *r, struct kstr topic,
                   const struct offset_for_leader_epoch_request_offset_for_leader_partition *asked,
                   struct offset_for_leader_epoch_response_epoch_end_offset *o) {
    offset_for_leader_epoch_response_epoch_end_offset_init(o);
    o->partition = asked->partition;
    struct replica *p = lookup_by_name(r->node, topic, asked->partition, &o->error_code);
    if (!p) return;
    log_lock(p->log);
    o->error_code =
        p->deleted ? KERR_UNKNOWN_TOPIC_OR_PARTITION : check_leader_epoch(p, asked->current_leader_epoch);
    if (!o->error_code) o->error_code = kerr_of_storage(replica_open(p, loop_wall(r->net->loop)));
    if (!o->error_code) log_epoch_end(p->log, asked->leader_epoch, &o->leader_epoch, &o->end_offset);
    log_unlock(p->log);
}

void handle_offset_for_leader_epoch(struct request *r, const struct offset_for_leader_epoch_request *in) {
    struct offset_for_leader_epoch_response *out = request_alloc(r, sizeof *out);
    offset_for_leader_epoch_response_init(out);
    out->topics = request_array(r, (size_t)in->topics_n, sizeof *out->topics);
    for (int32_t t = 0; out->topics && t < in->topics_n; t++) {
        const struct offset_for_leader_epoch_request_offset_for_leader_topic *asked = &in->topics[t];
        struct offset_for_leader_epoch_response_offset_for_leader_topic_result *o =
            &out->topics[out->topics_n++];
        offset_for_leader_epoch_response_offset_for_leader_topic_result_init(o);
        o->topic = asked->topic;
        o->partitions = request_array(r, (size_t)asked->partitions_n, sizeof *o->partitions);
        for (int32_t i = 0; o->partitions && i < asked->partitions_n; i++)
            answer(r, asked->topic, &asked->partitions[i], &o->partitions[o->partitions_n++]);
    }
    request_finish(r, out);
}
