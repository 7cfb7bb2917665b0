/* ShareAcknowledge: what became of records that the member acquired, without fetching more.
 * KafkaApis.handleShareAcknowledgeRequest. With the last epoch the session ends, and what is left is given
 * back. */
#include "server/handlers/handlers.h"

#include "api/share_acknowledge.h"
#include "metadata/image.h"
#include "server/node.h"
#include "server/share_ack.h"
#include "server/share_sessions.h"
#include "server/shares.h"

enum { FIRST_VERSION_WITH_RENEW = 2 };

struct acknowledge {
    const struct share_acknowledge_request *in;
    struct share_acks acks;
};

static void refuse(struct request *r, int16_t error) {
    struct share_acknowledge_response *out = request_alloc(r, sizeof *out);
    share_acknowledge_response_init(out);
    out->error_code = error;
    request_finish(r, out);
}

static void answer_partition(struct request *r, const struct share_ack *a,
                             struct share_acknowledge_response_partition_data *o) {
    share_acknowledge_response_partition_data_init(o);
    o->partition_index = a->index;
    o->error_code = a->error;
    o->error_message = share_ack_message(a);
    if (a->error != KERR_NOT_LEADER_OR_FOLLOWER && a->error != KERR_FENCED_LEADER_EPOCH) return;
    const struct topic *t = image_topic_by_id(request_image(r), &a->topic);
    const struct partition *p = t ? topic_partition(t, a->index) : NULL;
    o->current_leader.leader_id = p ? p->leader : -1;
    o->current_leader.leader_epoch = p ? p->leader_epoch : -1;
}

static void finish(struct request *r) {
    struct acknowledge *k = r->state;
    const struct share_acknowledge_request *in = k->in;
    struct share_acknowledge_response *out = request_alloc(r, sizeof *out);
    share_acknowledge_response_init(out);
    out->acquisition_lock_timeout_ms = k->acks.settings.limits.lock_duration_ms;
    out->responses = request_array(r, (size_t)in->topics_n, sizeof *out->responses);
    int32_t at = 0;
    for (int32_t t = 0; out->responses && t < in->topics_n; t++) {
        struct share_acknowledge_response_share_acknowledge_topic_response *o =
            &out->responses[out->responses_n];
        share_acknowledge_response_share_acknowledge_topic_response_init(o);
        o->topic_id = in->topics[t].topic_id;
        o->partitions = request_array(r, (size_t)in->topics[t].partitions_n, sizeof *o->partitions);
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++, at++)
            if (o->partitions && share_ack_shown(&k->acks.acks[at]))
                answer_partition(r, &k->acks.acks[at], &o->partitions[o->partitions_n++]);
        out->responses_n += o->partitions_n > 0;
    }
    if (in->share_session_epoch == SHARE_EPOCH_LAST)
        shares_end_session(r->node->shares, in->group_id, in->member_id);
    request_finish(r, out);
}

static bool collect(struct request *r, struct acknowledge *k) {
    const struct share_acknowledge_request *in = k->in;
    size_t n = 0;
    for (int32_t t = 0; t < in->topics_n; t++) n += (size_t)in->topics[t].partitions_n;
    k->acks.acks = request_array(r, n, sizeof *k->acks.acks);
    if (!k->acks.acks) return false;
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t i = 0; i < in->topics[t].partitions_n; i++) {
            const struct share_acknowledge_request_acknowledge_partition *p = &in->topics[t].partitions[i];
            struct share_acknowledgement *b =
                request_array(r, (size_t)p->acknowledgement_batches_n, sizeof *b);
            if (!b) return false;
            for (int32_t j = 0; j < p->acknowledgement_batches_n; j++)
                b[j] = (struct share_acknowledgement){
                    .first = p->acknowledgement_batches[j].first_offset,
                    .last = p->acknowledgement_batches[j].last_offset,
                    .types = p->acknowledgement_batches[j].acknowledge_types,
                    .types_n = p->acknowledgement_batches[j].acknowledge_types_n,
                };
            k->acks.acks[k->acks.n++] = (struct share_ack){.topic = in->topics[t].topic_id,
                                                           .index = p->partition_index,
                                                           .batches = b,
                                                           .batches_n = p->acknowledgement_batches_n};
        }
    return true;
}

void handle_share_acknowledge(struct request *r, const struct share_acknowledge_request *in) {
    if (!share_groups_enabled(request_image(r))) {
        refuse(r, KERR_UNSUPPORTED_VERSION);
        return;
    }
    if (in->group_id.len < 0 || !share_member_id_valid(in->member_id)) {
        refuse(r, KERR_INVALID_REQUEST);
        return;
    }
    int16_t error = share_sessions_acknowledge(shares_sessions(r->node->shares), in->group_id, in->member_id,
                                               in->share_session_epoch);
    if (error) {
        refuse(r, error);
        return;
    }
    struct acknowledge *k = request_alloc(r, sizeof *k);
    k->in = in;
    k->acks = (struct share_acks){.request = r,
                                  .group = in->group_id,
                                  .member = in->member_id,
                                  .renew_known = r->version >= FIRST_VERSION_WITH_RENEW,
                                  .renew = in->is_renew_ack};
    share_settings_get(r->node, request_image(r), in->group_id, &k->acks.settings);
    r->state = k;
    if (!collect(r, k)) {
        request_fail(r, "out of memory");
        return;
    }
    share_acks_begin(&k->acks, finish);
}
