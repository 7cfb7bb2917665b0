/* ReadShareGroupState: KafkaApis.handleReadShareGroupStateRequest, ShareCoordinatorService.readState. A
 * request without topics, without a group or with a topic without partitions gets an empty answer. */
#include "server/handlers/handlers.h"

#include "api/read_share_group_state.h"
#include "server/share_state_call.h"

static bool copy_batches(struct request *r, const struct share_state_response *from,
                         struct read_share_group_state_response_partition_result *to) {
    to->state_batches = request_array(r, from->batches_n, sizeof *to->state_batches);
    for (size_t i = 0; to->state_batches && i < from->batches_n; i++) {
        to->state_batches[to->state_batches_n++] = (struct read_share_group_state_response_state_batch){
            .first_offset = from->batches[i].first,
            .last_offset = from->batches[i].last,
            .delivery_state = from->batches[i].state,
            .delivery_count = from->batches[i].delivery_count,
        };
    }
    return to->state_batches;
}

static void finish(struct request *r) {
    struct read_share_group_state_response *out = request_alloc(r, sizeof *out);
    struct read_share_group_state_response_read_state_result *o = NULL;
    int32_t n;
    const struct share_state_answer *answers = share_state_call_answers(r->state, &n);
    struct read_share_group_state_response_partition_result *partitions =
        request_array(r, (size_t)n, sizeof *partitions);
    read_share_group_state_response_init(out);
    out->results = request_array(r, (size_t)n, sizeof *out->results);
    if (!answers || !partitions || !out->results) {
        request_fail(r, "out of memory");
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        const struct share_state_response *s = answers[i].got;
        struct read_share_group_state_response_partition_result *p = &partitions[i];
        if (answers[i].new_topic) {
            o = &out->results[out->results_n++];
            read_share_group_state_response_read_state_result_init(o);
            o->topic_id = answers[i].asked->topic;
            o->partitions = p;
        }
        o->partitions_n++;
        read_share_group_state_response_partition_result_init(p);
        p->partition = answers[i].asked->partition;
        p->error_code = s->error;
        p->error_message = s->error ? kstr_of(s->why) : KSTR_NULL;
        p->state_epoch = s->state_epoch;
        p->start_offset = s->start_offset;
        if (!copy_batches(r, s, p)) {
            request_fail(r, "out of memory");
            return;
        }
    }
    request_finish(r, out);
}

static int32_t count(const struct read_share_group_state_request *in) {
    int32_t n = 0;
    for (int32_t t = 0; t < in->topics_n; t++) {
        if (!in->topics[t].partitions_n) return 0;
        n += in->topics[t].partitions_n;
    }
    return in->group_id.len > 0 ? n : 0;
}

void handle_read_share_group_state(struct request *r, const struct read_share_group_state_request *in) {
    int32_t n = count(in), at = 0;
    if (!n) {
        struct read_share_group_state_response *out = request_alloc(r, sizeof *out);
        read_share_group_state_response_init(out);
        request_finish(r, out);
        return;
    }
    struct coord_call *call = share_state_call_begin(r, SHARE_STATE_READ, n);
    if (!call) return;
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++) {
            const struct read_share_group_state_request_partition_data *p = &in->topics[t].partitions[i];
            struct share_state_request *s = share_state_call_at(call, at++);
            s->group = in->group_id;
            s->topic = in->topics[t].topic_id;
            s->partition = p->partition;
            s->leader_epoch = p->leader_epoch;
        }
    share_state_call_send(call, finish);
}
