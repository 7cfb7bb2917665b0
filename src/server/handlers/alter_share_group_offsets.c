/* AlterShareGroupOffsets: where a share group without members begins next.
 * KafkaApis.handleAlterShareGroupOffsets, GroupCoordinatorService.alterShareGroupOffsets.
 *
 * In turn: the group coordinator notes that the share partitions are being initialized, the share coordinator
 * makes their states anew, the group coordinator notes that they are initialized. */
#include "server/handlers/handlers.h"

#include "api/alter_share_group_offsets.h"
#include "base/hashmap.h"
#include "group/share_answer.h"
#include "metadata/image.h"
#include "server/node.h"
#include "server/share_settings.h"
#include "server/share_state_call.h"

/* Names that the generator makes long. */
#define ASKED_TOPIC struct alter_share_group_offsets_request_alter_share_group_offsets_request_topic
#define ASKED_PARTITION struct alter_share_group_offsets_request_alter_share_group_offsets_request_partition
#define TOPIC struct alter_share_group_offsets_response_alter_share_group_offsets_response_topic
#define PARTITION struct alter_share_group_offsets_response_alter_share_group_offsets_response_partition
#define INIT_TOPIC alter_share_group_offsets_response_alter_share_group_offsets_response_topic_init
#define INIT_PARTITION alter_share_group_offsets_response_alter_share_group_offsets_response_partition_init

struct altering {
    const struct alter_share_group_offsets_request *in;
    struct alter_share_group_offsets_response *out;
    struct group_share_states states; /* what is to be made */
    PARTITION **answers;              /* of each share partition of states */
    int64_t *starts;
    int32_t n;
};

static void refuse(struct request *r, int16_t error) {
    struct alter_share_group_offsets_response *out = request_alloc(r, sizeof *out);
    alter_share_group_offsets_response_init(out);
    out->error_code = error;
    out->error_message = kstr_of(kerr_message(error));
    request_finish(r, out);
}

/* ---- the answers of the coordinators, last to first ---- */

static void on_noted(struct request *r) {
    struct coord_call *call = r->state;
    const struct altering *a = call->context;
    request_finish(r, a->out);
}

static void group_call(struct request *r, struct altering *a, enum group_api api,
                       void (*finish)(struct request *r)) {
    struct coord_call *call = coord_call_begin(r, COORDINATOR_GROUP, 1);
    if (!call) {
        request_fail(r, "out of memory");
        return;
    }
    call->context = a;
    call->ops[0].api = (int)api;
    call->ops[0].request = &a->states;
    coord_call_send(call, finish);
}

static void on_initialized(struct request *r) {
    struct coord_call *call = r->state;
    struct altering *a = call->context;
    bool all = true;
    for (int32_t i = 0; i < a->n; i++) {
        const struct share_state_response *s = share_state_call_response(call, i);
        if (!s) {
            request_fail(r, "out of memory");
            return;
        }
        a->answers[i]->error_code = s->error;
        a->answers[i]->error_message = s->error ? kstr_of(s->why) : KSTR_NULL;
        all &= !s->error;
    }
    if (!all) { /* the next attempt begins with what is still being initialized */
        request_finish(r, a->out);
        return;
    }
    a->states.initialized = true;
    group_call(r, a, GROUP_API_SHARE_STATES, on_noted);
}

static void initialize(struct request *r, struct altering *a, int32_t epoch) {
    struct coord_call *call = share_state_call_begin(r, SHARE_STATE_INITIALIZE, a->n);
    int32_t at = 0;
    if (!call) return;
    call->context = a;
    for (int32_t t = 0; t < a->states.topics_n; t++)
        for (int32_t i = 0; i < a->states.topics[t].partitions_n; i++, at++) {
            struct share_state_request *s = share_state_call_at(call, at);
            s->group = a->states.group;
            s->topic = a->states.topics[t].id;
            s->partition = a->states.topics[t].partitions[i];
            s->state_epoch = epoch;
            s->start_offset = a->starts[at];
        }
    share_state_call_send_patiently(call, on_initialized);
}

static void on_altered(struct request *r) {
    struct coord_call *call = r->state;
    struct altering *a = call->context;
    const struct group_share_offsets *o = call->ops[0].response;
    if (!o)
        request_fail(r, "out of memory");
    else if (o->error)
        refuse(r, o->error);
    else if (!a->n)
        request_finish(r, a->out);
    else {
        a->states.epoch = o->states.epoch;
        initialize(r, a, o->states.epoch);
    }
}

/* ---- the request ---- */

static bool add_topic(struct request *r, struct altering *a, const ASKED_TOPIC *asked) {
    const struct topic *t = image_topic_by_name(
        request_image(r), asked->topic_name.s, asked->topic_name.len > 0 ? (size_t)asked->topic_name.len : 0);
    TOPIC *o = &a->out->responses[a->out->responses_n++];
    INIT_TOPIC(o);
    o->topic_name = asked->topic_name;
    if (t) o->topic_id = t->id;
    o->partitions = request_array(r, (size_t)asked->partitions_n, sizeof *o->partitions);
    struct group_share_topic *state = &a->states.topics[a->states.topics_n];
    state->partitions = request_array(r, (size_t)asked->partitions_n, sizeof *state->partitions);
    if (!o->partitions || !state->partitions) return false;
    for (int32_t i = 0; i < asked->partitions_n; i++) {
        const ASKED_PARTITION *p = &asked->partitions[i];
        PARTITION *answer = &o->partitions[o->partitions_n++];
        INIT_PARTITION(answer);
        answer->partition_index = p->partition_index;
        if (!t || p->partition_index >= t->partitions_n) {
            answer->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION;
            answer->error_message = kstr_of(kerr_message(answer->error_code));
            continue;
        }
        state->partitions[state->partitions_n++] = p->partition_index;
        a->answers[a->n] = answer;
        a->starts[a->n++] = p->start_offset;
    }
    if (!t) return true;
    state->id = t->id;
    a->states.topics_n++;
    return true;
}

/* The topics of the request; one that is there more than once, once with all its partitions. false: no
 * memory.
 */
static bool merge_topics(struct request *r, const struct alter_share_group_offsets_request *in,
                         ASKED_TOPIC **topics, int32_t *n) {
    size_t partitions = 0, at = 0;
    struct hashmap first;
    *topics = request_array(r, (size_t)in->topics_n, sizeof **topics);
    *n = 0;
    hashmap_init(&first, r->node->seed);
    for (int32_t t = 0; *topics && t < in->topics_n; t++) {
        const ASKED_TOPIC *asked = &in->topics[t];
        ASKED_TOPIC *known = hashmap_get(&first, asked->topic_name.s, (size_t)asked->topic_name.len);
        if (!known) {
            known = &(*topics)[(*n)++];
            *known = (ASKED_TOPIC){.topic_name = asked->topic_name};
            hashmap_put(&first, asked->topic_name.s, (size_t)asked->topic_name.len, known);
        }
        known->partitions_n += asked->partitions_n;
        partitions += (size_t)asked->partitions_n;
    }
    ASKED_PARTITION *all = request_array(r, partitions, sizeof *all);
    for (int32_t t = 0; all && t < *n; t++) {
        (*topics)[t].partitions = &all[at];
        at += (size_t)(*topics)[t].partitions_n;
        (*topics)[t].partitions_n = 0;
    }
    for (int32_t t = 0; *topics && all && t < in->topics_n; t++) {
        const ASKED_TOPIC *asked = &in->topics[t];
        ASKED_TOPIC *known = hashmap_get(&first, asked->topic_name.s, (size_t)asked->topic_name.len);
        for (int32_t i = 0; i < asked->partitions_n; i++)
            known->partitions[known->partitions_n++] = asked->partitions[i];
    }
    hashmap_free(&first);
    return *topics && all;
}

static bool list(struct request *r, struct altering *a) {
    ASKED_TOPIC *asked;
    int32_t n;
    size_t topics = (size_t)a->in->topics_n, partitions = 0;
    for (int32_t t = 0; t < a->in->topics_n; t++) partitions += (size_t)a->in->topics[t].partitions_n;
    a->states.group = a->in->group_id;
    a->states.topics = request_array(r, topics, sizeof *a->states.topics);
    a->answers = request_array(r, partitions, sizeof(PARTITION *));
    a->starts = request_array(r, partitions, sizeof *a->starts);
    a->out->responses = request_array(r, topics, sizeof *a->out->responses);
    bool ok = a->states.topics && a->answers && a->starts && a->out->responses &&
              merge_topics(r, a->in, &asked, &n);
    for (int32_t t = 0; ok && t < n; t++) ok = add_topic(r, a, &asked[t]);
    return ok;
}

void handle_alter_share_group_offsets(struct request *r, const struct alter_share_group_offsets_request *in) {
    if (!share_groups_enabled(request_image(r))) {
        refuse(r, KERR_UNSUPPORTED_VERSION);
        return;
    }
    if (in->group_id.len <= 0) {
        refuse(r, KERR_INVALID_GROUP_ID);
        return;
    }
    struct altering *a = request_alloc(r, sizeof *a);
    a->in = in;
    a->out = request_alloc(r, sizeof *a->out);
    alter_share_group_offsets_response_init(a->out);
    if (list(r, a))
        group_call(r, a, GROUP_API_SHARE_ALTER, on_altered);
    else
        request_fail(r, "out of memory");
}
