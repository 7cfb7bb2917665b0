/* DeleteShareGroupState: KafkaApis.handleDeleteShareGroupStateRequest, ShareCoordinatorService.deleteState. A
 * request without topics, without a group or with a topic without partitions gets an empty answer. */
#include "server/handlers/handlers.h"

#include "api/delete_share_group_state.h"
#include "server/share_state_call.h"

static void finish(struct request *r) {
    struct coord_call *call = r->state;
    const struct delete_share_group_state_request *in = call->context;
    struct delete_share_group_state_response *out = request_alloc(r, sizeof *out);
    int32_t at = 0;
    delete_share_group_state_response_init(out);
    out->results = request_array(r, (size_t)in->topics_n, sizeof *out->results);
    for (int32_t t = 0; out->results && t < in->topics_n; t++) {
        struct delete_share_group_state_response_delete_state_result *o = &out->results[out->results_n++];
        delete_share_group_state_response_delete_state_result_init(o);
        o->topic_id = in->topics[t].topic_id;
        o->partitions = request_array(r, (size_t)in->topics[t].partitions_n, sizeof *o->partitions);
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++) {
            const struct share_state_response *s = share_state_call_response(call, at++);
            if (!s || !o->partitions) {
                request_fail(r, "out of memory");
                return;
            }
            struct delete_share_group_state_response_partition_result *p = &o->partitions[o->partitions_n++];
            delete_share_group_state_response_partition_result_init(p);
            p->partition = in->topics[t].partitions[i].partition;
            p->error_code = s->error;
            p->error_message = s->error ? kstr_of(s->why) : KSTR_NULL;
        }
    }
    if (out->results)
        request_finish(r, out);
    else
        request_fail(r, "out of memory");
}

static int32_t count(const struct delete_share_group_state_request *in) {
    int32_t n = 0;
    for (int32_t t = 0; t < in->topics_n; t++) {
        if (!in->topics[t].partitions_n) return 0;
        n += in->topics[t].partitions_n;
    }
    return in->group_id.len > 0 ? n : 0;
}

void handle_delete_share_group_state(struct request *r, const struct delete_share_group_state_request *in) {
    int32_t n = count(in), at = 0;
    if (!n) {
        struct delete_share_group_state_response *out = request_alloc(r, sizeof *out);
        delete_share_group_state_response_init(out);
        request_finish(r, out);
        return;
    }
    struct coord_call *call = share_state_call_begin(r, SHARE_STATE_DELETE, n);
    if (!call) return;
    call->context = (void *)(uintptr_t)in;
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++) {
            const struct delete_share_group_state_request_partition_data *p = &in->topics[t].partitions[i];
            struct share_state_request *s = share_state_call_at(call, at++);
            s->group = in->group_id;
            s->topic = in->topics[t].topic_id;
            s->partition = p->partition;
        }
    share_state_call_send(call, finish);
}
