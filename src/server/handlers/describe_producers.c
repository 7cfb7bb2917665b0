/* DescribeProducers: what a partition remembers of its producers. KafkaApis.handleDescribeProducersRequest.
 */
#include "server/handlers/handlers.h"

#include "api/describe_producers.h"
#include "metadata/image.h"
#include "metadata/topic_name.h"
#include "replica/replica.h"
#include "server/error_map.h"
#include "server/lookup.h"
#include "server/net.h"
#include "storage/log.h"

static int16_t fill(struct request *r, struct replica *p,
                    struct describe_producers_response_partition_response *o) {
    struct log_producer *all;
    int n = 0;
    int err = replica_open(p, loop_wall(r->net->loop));
    if (!err) err = log_producers(p->log, &r->arena, &all, &n);
    if (err) return kerr_of_storage(err);
    o->active_producers = request_array(r, (size_t)n, sizeof *o->active_producers);
    for (int i = 0; o->active_producers && i < n; i++)
        o->active_producers[o->active_producers_n++] = (struct describe_producers_response_producer_state){
            .producer_id = all[i].producer_id,
            .producer_epoch = all[i].epoch,
            .last_sequence = all[i].last_sequence,
            .last_timestamp = all[i].last_timestamp,
            .coordinator_epoch = all[i].coordinator_epoch,
            .current_txn_start_offset = all[i].txn_first_offset,
        };
    return o->active_producers ? KERR_NONE : KERR_UNKNOWN_SERVER_ERROR;
}

static void describe(struct request *r, struct kstr topic, int32_t partition,
                     struct describe_producers_response_partition_response *o) {
    describe_producers_response_partition_response_init(o);
    o->partition_index = partition;
    if (!topic_name_valid(topic.s ? topic.s : "", (size_t)topic.len)) {
        o->error_code = KERR_INVALID_TOPIC_EXCEPTION;
        o->error_message = kstr_of(kerr_message(o->error_code));
        return;
    }
    struct replica *p = lookup_by_name(r->node, topic, partition, &o->error_code);
    if (!p && !image_topic_by_name(request_image(r), topic.s, (size_t)topic.len))
        o->error_message = kstr_of(kerr_message(o->error_code));
    if (!p) return;
    log_lock(p->log);
    o->error_code = p->deleted ? KERR_UNKNOWN_TOPIC_OR_PARTITION : fill(r, p, o);
    log_unlock(p->log);
}

void handle_describe_producers(struct request *r, const struct describe_producers_request *in) {
    struct describe_producers_response *out = request_alloc(r, sizeof *out);
    describe_producers_response_init(out);
    out->topics = request_array(r, (size_t)in->topics_n, sizeof *out->topics);
    for (int32_t t = 0; out->topics && t < in->topics_n; t++) {
        const struct describe_producers_request_topic_request *asked = &in->topics[t];
        struct describe_producers_response_topic_response *o = &out->topics[out->topics_n++];
        o->name = asked->name;
        o->partitions = request_array(r, (size_t)asked->partition_indexes_n, sizeof *o->partitions);
        if (!o->partitions) break;
        for (int32_t i = 0; i < asked->partition_indexes_n; i++)
            describe(r, asked->name, asked->partition_indexes[i], &o->partitions[o->partitions_n++]);
    }
    if (out->topics)
        request_finish(r, out);
    else
        request_fail(r, "out of memory");
}
