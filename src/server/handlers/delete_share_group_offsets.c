/* DeleteShareGroupOffsets: a share group without members forgets topics.
 * KafkaApis.handleDeleteShareGroupOffsets, GroupCoordinatorService.deleteShareGroupOffsets.
 *
 * In turn: the group coordinator notes that the topics are being deleted, the share coordinator deletes the
 * states of their share partitions, the group coordinator forgets the topics. */
#include "server/handlers/handlers.h"

#include "api/delete_share_group_offsets.h"
#include "base/hashmap.h"
#include "group/share_answer.h"
#include "metadata/image.h"
#include "server/node.h"
#include "server/share_settings.h"
#include "server/share_state_call.h"

#define TOPIC struct delete_share_group_offsets_response_delete_share_group_offsets_response_topic
#define INIT_TOPIC delete_share_group_offsets_response_delete_share_group_offsets_response_topic_init

struct deleting {
    const struct delete_share_group_offsets_request *in;
    struct delete_share_group_offsets_response *out;
    struct group_share_states states;      /* topics that exist */
    const struct group_share_states *gone; /* of them, what the group coordinator says */
};

static void refuse(struct request *r, int16_t error) {
    struct delete_share_group_offsets_response *out = request_alloc(r, sizeof *out);
    delete_share_group_offsets_response_init(out);
    out->error_code = error;
    out->error_message = kstr_of(kerr_message(error));
    request_finish(r, out);
}

static TOPIC *add(struct deleting *d, struct kstr name, int16_t error, const char *why) {
    TOPIC *o = &d->out->responses[d->out->responses_n++];
    INIT_TOPIC(o);
    o->topic_name = name;
    o->error_code = error;
    if (error) o->error_message = kstr_of(why);
    return o;
}

static struct kstr name_of(struct request *r, const struct uuid *id) {
    const struct topic *t = image_topic_by_id(request_image(r), id);
    return t ? (struct kstr){t->name, t->name_len} : KSTR("");
}

static void group_call(struct request *r, struct deleting *d, enum group_api api,
                       void (*finish)(struct request *r)) {
    struct coord_call *call = coord_call_begin(r, COORDINATOR_GROUP, 1);
    if (!call) {
        request_fail(r, "out of memory");
        return;
    }
    call->context = d;
    call->ops[0].api = (int)api;
    call->ops[0].request = &d->states;
    coord_call_send(call, finish);
}

/* ---- the answers of the coordinators, last to first ---- */

static void on_forgotten(struct request *r) {
    struct coord_call *call = r->state;
    const struct deleting *d = call->context;
    request_finish(r, d->out);
}

/* The error of a topic is that of any of its partitions. */
static int16_t error_of(const struct coord_call *call, int32_t at, int32_t n) {
    for (int32_t i = at; i < at + n; i++) {
        const struct share_state_response *s = share_state_call_response(call, i);
        if (!s) return KERR_UNKNOWN_SERVER_ERROR;
        if (s->error) return s->error;
    }
    return 0;
}

static void on_deleted(struct request *r) {
    struct coord_call *call = r->state;
    struct deleting *d = call->context;
    int32_t at = 0;
    d->states.topics_n = 0;
    for (int32_t t = 0; t < d->gone->topics_n; t++) {
        const struct group_share_topic *topic = &d->gone->topics[t];
        if (!topic->partitions_n) continue;
        int16_t error = error_of(call, at, topic->partitions_n);
        at += topic->partitions_n;
        add(d, name_of(r, &topic->id), error, kerr_message(error))->topic_id = topic->id;
        if (!error) d->states.topics[d->states.topics_n++] = *topic;
    }
    if (d->states.topics_n)
        group_call(r, d, GROUP_API_SHARE_DELETED, on_forgotten);
    else
        request_finish(r, d->out);
}

static void delete_states(struct request *r, struct deleting *d, int32_t n) {
    struct coord_call *call = share_state_call_begin(r, SHARE_STATE_DELETE, n);
    int32_t at = 0;
    if (!call) return;
    call->context = d;
    for (int32_t t = 0; t < d->gone->topics_n; t++)
        for (int32_t i = 0; i < d->gone->topics[t].partitions_n; i++) {
            struct share_state_request *s = share_state_call_at(call, at++);
            s->group = d->states.group;
            s->topic = d->gone->topics[t].id;
            s->partition = d->gone->topics[t].partitions[i];
        }
    share_state_call_send_patiently(call, on_deleted);
}

static void on_noted(struct request *r) {
    struct coord_call *call = r->state;
    struct deleting *d = call->context;
    const struct group_share_offsets *o = call->ops[0].response;
    int32_t n = 0;
    if (!o) {
        request_fail(r, "out of memory");
        return;
    }
    if (o->error) {
        refuse(r, o->error);
        return;
    }
    d->gone = &o->states;
    if (!o->known) d->out->responses_n = 0; /* the group has no states at all: nothing is said of any topic */
    for (int32_t t = 0; t < o->states.topics_n; t++) {
        n += o->states.topics[t].partitions_n;
        if (!o->states.topics[t].partitions_n)
            add(d, name_of(r, &o->states.topics[t].id), KERR_UNKNOWN_TOPIC_OR_PARTITION,
                "the group has no offsets of this topic");
    }
    if (n)
        delete_states(r, d, n);
    else
        request_finish(r, d->out);
}

/* ---- the request ---- */

static bool add_states(struct request *r, struct deleting *d, const struct topic *t) {
    struct group_share_topic *s = &d->states.topics[d->states.topics_n++];
    s->id = t->id;
    s->partitions = request_array(r, (size_t)t->partitions_n, sizeof *s->partitions);
    for (; s->partitions && s->partitions_n < t->partitions_n; s->partitions_n++)
        s->partitions[s->partitions_n] = s->partitions_n;
    return s->partitions;
}

/* A topic that is there twice counts once. */
static bool list(struct request *r, struct deleting *d) {
    size_t n = (size_t)d->in->topics_n;
    struct hashmap seen;
    d->states.group = d->in->group_id;
    d->states.topics = request_array(r, n, sizeof *d->states.topics);
    d->out->responses = request_array(r, n, sizeof *d->out->responses);
    bool ok = d->states.topics && d->out->responses;
    hashmap_init(&seen, r->node->seed);
    for (int32_t i = 0; ok && i < d->in->topics_n; i++) {
        struct kstr name = d->in->topics[i].topic_name;
        const struct topic *t =
            image_topic_by_name(request_image(r), name.s, name.len > 0 ? (size_t)name.len : 0);
        if (!t)
            add(d, name, KERR_UNKNOWN_TOPIC_OR_PARTITION, kerr_message(KERR_UNKNOWN_TOPIC_OR_PARTITION));
        else if (!hashmap_put(&seen, &t->id, sizeof t->id, d))
            ok = add_states(r, d, t);
    }
    hashmap_free(&seen);
    return ok;
}

void handle_delete_share_group_offsets(struct request *r,
                                       const struct delete_share_group_offsets_request *in) {
    if (!share_groups_enabled(request_image(r))) {
        refuse(r, KERR_UNSUPPORTED_VERSION);
        return;
    }
    if (in->group_id.len <= 0) {
        refuse(r, KERR_INVALID_GROUP_ID);
        return;
    }
    struct deleting *d = request_alloc(r, sizeof *d);
    d->in = in;
    d->out = request_alloc(r, sizeof *d->out);
    delete_share_group_offsets_response_init(d->out);
    if (list(r, d))
        group_call(r, d, GROUP_API_SHARE_DELETE, on_noted);
    else
        request_fail(r, "out of memory");
}
