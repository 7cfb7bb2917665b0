/* DeleteRecords: moves the log start offset; −1 means the high watermark.
 * KafkaApis.handleDeleteRecordsRequest, ReplicaManager.deleteRecordsOnLocalLog. Segments that are wholly
 * below go with the next retention round. */
#include "server/handlers/handlers.h"

#include "api/delete_records.h"
#include "base/err.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/error_map.h"
#include "server/lookup.h"
#include "server/net.h"
#include "server/node.h"
#include "server/housekeeping.h"
#include "storage/log.h"

enum { HIGH_WATERMARK = -1 };

/* With the log's lock held. */
static int16_t delete_below(struct request *r, struct replica *p, int64_t offset, int64_t *low) {
    int err = replica_open(p, loop_wall(r->net->loop));
    if (err) return kerr_of_storage(err);
    if (!log_config(p->log)->cleanup_delete && log_config(p->log)->cleanup_compact)
        return KERR_POLICY_VIOLATION;
    if (offset == HIGH_WATERMARK) offset = log_high_watermark(p->log);
    if (offset < 0 || offset > log_high_watermark(p->log)) return KERR_OFFSET_OUT_OF_RANGE;
    if (offset > log_start_offset(p->log)) err = log_delete_records(p->log, offset);
    if (err) return kerr_of_storage(err);
    *low = log_start_offset(p->log);
    replica_wake(p);
    return 0;
}

static void answer(struct request *r, struct kstr topic,
                   const struct delete_records_request_delete_records_partition *asked,
                   struct delete_records_response_delete_records_partition_result *o) {
    delete_records_response_delete_records_partition_result_init(o);
    o->partition_index = asked->partition_index;
    o->low_watermark = -1;
    struct replica *p = lookup_by_name(r->node, topic, asked->partition_index, &o->error_code);
    if (!p) return;
    if (p->topic->internal) {
        o->error_code = KERR_INVALID_TOPIC_EXCEPTION;
        return;
    }
    log_lock(p->log);
    o->error_code =
        p->deleted ? KERR_UNKNOWN_TOPIC_OR_PARTITION : delete_below(r, p, asked->offset, &o->low_watermark);
    log_unlock(p->log);
}

void handle_delete_records(struct request *r, const struct delete_records_request *in) {
    struct delete_records_response *out = request_alloc(r, sizeof *out);
    delete_records_response_init(out);
    out->topics = request_array(r, (size_t)in->topics_n, sizeof *out->topics);
    for (int32_t t = 0; out->topics && t < in->topics_n; t++) {
        const struct delete_records_request_delete_records_topic *asked = &in->topics[t];
        struct delete_records_response_delete_records_topic_result *o = &out->topics[out->topics_n++];
        delete_records_response_delete_records_topic_result_init(o);
        o->name = asked->name;
        o->partitions = request_array(r, (size_t)asked->partitions_n, sizeof *o->partitions);
        for (int32_t i = 0; o->partitions && i < asked->partitions_n; i++)
            answer(r, asked->name, &asked->partitions[i], &o->partitions[o->partitions_n++]);
    }
    housekeeping_wake(r->node->housekeeping);
    request_finish(r, out);
}
