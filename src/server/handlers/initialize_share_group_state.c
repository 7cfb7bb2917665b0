/* InitializeShareGroupState: KafkaApis.handleInitializeShareGroupStateRequest,
 * ShareCoordinatorService.initializeState. A request without a group gets an empty answer, a topic without
 * partitions none. */
#include "server/handlers/handlers.h"

#include "api/initialize_share_group_state.h"
#include "server/share_state_call.h"

static void finish(struct request *r) {
    struct initialize_share_group_state_response *out = request_alloc(r, sizeof *out);
    struct initialize_share_group_state_response_initialize_state_result *o = NULL;
    int32_t n;
    const struct share_state_answer *answers = share_state_call_answers(r->state, &n);
    struct initialize_share_group_state_response_partition_result *partitions =
        request_array(r, (size_t)n, sizeof *partitions);
    initialize_share_group_state_response_init(out);
    out->results = request_array(r, (size_t)n, sizeof *out->results);
    if (!answers || !partitions || !out->results) {
        request_fail(r, "out of memory");
        return;
    }
    for (int32_t i = 0; i < n; i++) {
        const struct share_state_response *s = answers[i].got;
        struct initialize_share_group_state_response_partition_result *p = &partitions[i];
        if (answers[i].new_topic) {
            o = &out->results[out->results_n++];
            initialize_share_group_state_response_initialize_state_result_init(o);
            o->topic_id = answers[i].asked->topic;
            o->partitions = p;
        }
        o->partitions_n++;
        initialize_share_group_state_response_partition_result_init(p);
        p->partition = answers[i].asked->partition;
        p->error_code = s->error;
        p->error_message = s->error ? kstr_of(s->why) : KSTR_NULL;
    }
    request_finish(r, out);
}

static int32_t count(const struct initialize_share_group_state_request *in) {
    int32_t n = 0;
    for (int32_t t = 0; t < in->topics_n; t++) n += in->topics[t].partitions_n;
    return in->group_id.len > 0 ? n : 0;
}

void handle_initialize_share_group_state(struct request *r,
                                         const struct initialize_share_group_state_request *in) {
    int32_t n = count(in), at = 0;
    if (!n) {
        struct initialize_share_group_state_response *out = request_alloc(r, sizeof *out);
        initialize_share_group_state_response_init(out);
        request_finish(r, out);
        return;
    }
    struct coord_call *call = share_state_call_begin(r, SHARE_STATE_INITIALIZE, n);
    if (!call) return;
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++) {
            const struct initialize_share_group_state_request_partition_data *p =
                &in->topics[t].partitions[i];
            struct share_state_request *s = share_state_call_at(call, at++);
            s->group = in->group_id;
            s->topic = in->topics[t].topic_id;
            s->partition = p->partition;
            s->state_epoch = p->state_epoch;
            s->start_offset = p->start_offset;
        }
    share_state_call_send(call, finish);
}
