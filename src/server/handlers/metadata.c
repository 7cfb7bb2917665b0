/* Metadata: brokers, and topics by name, by id, or all. A topic that does not exist is created when the
 * client and auto.create.topics.enable allow it; this answer still says UNKNOWN_TOPIC_OR_PARTITION, as the
 * reference's does, and the client asks again. KafkaApis.handleTopicMetadataRequest, KRaftMetadataCache,
 * DefaultAutoTopicCreationManager. */
#include "server/handlers/handlers.h"

#include <string.h>

#include "api/metadata.h"
#include "base/hashmap.h"
#include "metadata/topic_name.h"
#include "server/auto_create.h"
#include "server/node.h"
#include "server/operations.h"

enum { FIRST_VERSION_WITH_IDS = 12, FIRST_VERSION_WITH_LISTENER_ERROR = 6, FIRST_VERSION_WITH_ERROR = 13 };

struct query {
    struct request *request;
    const struct metadata_request *in;
    struct metadata_response *out;
    const struct image *image;
    struct auto_create *create; /* topics that do not exist yet */
};

static void list_brokers(struct query *q) {
    int32_t n = image_brokers_n(q->image);
    q->out->brokers = request_array(q->request, (size_t)n, sizeof *q->out->brokers);
    for (int32_t i = 0; q->out->brokers && i < n; i++) {
        const struct broker *b = image_broker_at(q->image, i);
        const struct endpoint *e = b->fenced ? NULL : broker_endpoint(b, request_listener(q->request));
        if (!e) continue;
        struct metadata_response_metadata_response_broker *o = &q->out->brokers[q->out->brokers_n++];
        *o = (struct metadata_response_metadata_response_broker){
            .node_id = b->id, .host = kstr_of(e->host), .port = e->port, .rack = kstr_of(b->rack)};
        if (b->id == q->request->node->id) q->out->controller_id = b->id;
    }
    if (q->out->controller_id < 0 && q->out->brokers_n) q->out->controller_id = q->out->brokers[0].node_id;
}

/* Is the broker there for clients of this listener? */
static bool alive(const struct query *q, int32_t id) {
    const struct broker *b = image_broker(q->image, id);
    return b && !b->fenced && broker_endpoint(b, request_listener(q->request));
}

static void list_offline(struct query *q, const struct partition *p,
                         struct metadata_response_metadata_response_partition *o) {
    for (int32_t i = 0; i < p->replicas_n; i++) {
        if (alive(q, p->replicas[i])) continue;
        if (!o->offline_replicas)
            o->offline_replicas = request_array(q->request, (size_t)p->replicas_n, sizeof(int32_t));
        if (o->offline_replicas) o->offline_replicas[o->offline_replicas_n++] = p->replicas[i];
    }
}

static void answer_partition(struct query *q, int32_t index, const struct partition *p,
                             struct metadata_response_metadata_response_partition *o) {
    metadata_response_metadata_response_partition_init(o);
    o->partition_index = index;
    o->leader_id = p->leader;
    o->leader_epoch = p->leader_epoch;
    o->replica_nodes = (int32_t *)(uintptr_t)p->replicas; /* the encoder only reads */
    o->replica_nodes_n = p->replicas_n;
    o->isr_nodes = (int32_t *)(uintptr_t)p->isr;
    o->isr_nodes_n = p->isr_n;
    list_offline(q, p, o);
    if (p->leader == NO_LEADER)
        o->error_code = KERR_LEADER_NOT_AVAILABLE;
    else if (!alive(q, p->leader)) {
        const struct broker *b = image_broker(q->image, p->leader);
        bool listener = b && !b->fenced && q->request->version >= FIRST_VERSION_WITH_LISTENER_ERROR;
        o->error_code = listener ? KERR_LISTENER_NOT_FOUND : KERR_LEADER_NOT_AVAILABLE;
        o->leader_id = NO_LEADER;
    }
}

static bool answer_topic(struct query *q, const struct topic *t) {
    struct metadata_response_metadata_response_topic *o = &q->out->topics[q->out->topics_n++];
    metadata_response_metadata_response_topic_init(o);
    o->name = (struct kstr){t->name, t->name_len};
    o->topic_id = t->id;
    o->is_internal = topic_name_is_internal(t->name, (size_t)t->name_len);
    if (q->in->include_topic_authorized_operations) o->topic_authorized_operations = OPERATIONS_TOPIC;
    o->partitions = request_array(q->request, (size_t)t->partitions_n, sizeof *o->partitions);
    if (!o->partitions) return false;
    for (int32_t i = 0; i < t->partitions_n; i++)
        if (t->partitions[i]) answer_partition(q, i, t->partitions[i], &o->partitions[o->partitions_n++]);
    return true;
}

static void answer_missing(struct query *q, struct kstr name, const struct uuid *id, int16_t error) {
    struct metadata_response_metadata_response_topic *o = &q->out->topics[q->out->topics_n++];
    metadata_response_metadata_response_topic_init(o);
    o->name = name;
    if (id) o->topic_id = *id;
    o->error_code = error;
    if (name.len > 0) o->is_internal = topic_name_is_internal(name.s, (size_t)name.len);
    if (q->in->include_topic_authorized_operations && error != KERR_UNKNOWN_TOPIC_ID)
        o->topic_authorized_operations = OPERATIONS_TOPIC;
}

static int16_t missing_error(struct query *q, struct kstr name) {
    if (!topic_name_valid(name.s, (size_t)name.len)) return KERR_INVALID_TOPIC_EXCEPTION;
    if (q->create) auto_create_add(q->create, name);
    return KERR_UNKNOWN_TOPIC_OR_PARTITION;
}

static bool all_topics(struct query *q) {
    size_t n = 0;
    const struct topic **topics = image_topics_sorted(q->image, &q->request->arena, &n);
    q->out->topics = request_array(q->request, n, sizeof *q->out->topics);
    if ((!topics && n) || !q->out->topics) return false;
    for (size_t i = 0; i < n; i++)
        if (!answer_topic(q, topics[i])) return false;
    return true;
}

/* Topics that are asked for twice are answered once. */
static bool seen_before(struct hashmap *seen, const struct metadata_request_metadata_request_topic *asked,
                        bool by_id) {
    const void *key = by_id ? asked->topic_id.b : (const void *)(asked->name.s ? asked->name.s : "");
    return hashmap_put(seen, key, by_id ? sizeof asked->topic_id.b : (size_t)asked->name.len, seen) != NULL;
}

static bool named_topic(struct query *q, const struct metadata_request_metadata_request_topic *asked,
                        bool by_id) {
    const struct topic *t = by_id ? image_topic_by_id(q->image, &asked->topic_id)
                                  : image_topic_by_name(q->image, asked->name.s, (size_t)asked->name.len);
    if (t) return answer_topic(q, t);
    if (by_id)
        answer_missing(q, KSTR_NULL, &asked->topic_id, KERR_UNKNOWN_TOPIC_ID);
    else
        answer_missing(q, asked->name, NULL, missing_error(q, asked->name));
    return true;
}

static bool named_topics(struct query *q, bool by_id) {
    struct hashmap seen;
    q->out->topics = request_array(q->request, (size_t)q->in->topics_n, sizeof *q->out->topics);
    bool ok = q->out->topics != NULL;
    hashmap_init(&seen, q->request->node->seed);
    for (int32_t i = 0; ok && i < q->in->topics_n; i++) {
        const struct metadata_request_metadata_request_topic *asked = &q->in->topics[i];
        if (by_id && uuid_is_zero(&asked->topic_id)) continue;
        if (!seen_before(&seen, asked, by_id)) ok = named_topic(q, asked, by_id);
    }
    hashmap_free(&seen);
    return ok;
}

static bool any_id(const struct metadata_request *in) {
    for (int32_t i = 0; i < in->topics_n; i++)
        if (!uuid_is_zero(&in->topics[i].topic_id)) return true;
    return false;
}

static bool nameless(const struct metadata_request *in) {
    for (int32_t i = 0; i < in->topics_n; i++)
        if (in->topics[i].name.len < 0) return true;
    return false;
}

/* Names must be there before version 12, and ids must not. Later either one will do; that the reference fails
 * without both has no other reason than an exception. */
static int16_t problem(const struct request *r, const struct metadata_request *in) {
    if (r->version < FIRST_VERSION_WITH_IDS) return nameless(in) || any_id(in) ? KERR_INVALID_REQUEST : 0;
    return nameless(in) && !any_id(in) ? KERR_UNKNOWN_SERVER_ERROR : 0;
}

/* MetadataRequest.getErrorResponse: the topics with the error, and nothing else. */
static bool refuse(struct query *q, int16_t error) {
    q->out->topics = request_array(q->request, (size_t)q->in->topics_n, sizeof *q->out->topics);
    for (int32_t i = 0; q->out->topics && i < q->in->topics_n; i++) {
        const struct metadata_request_metadata_request_topic *asked = &q->in->topics[i];
        struct metadata_response_metadata_response_topic *o = &q->out->topics[q->out->topics_n++];
        metadata_response_metadata_response_topic_init(o);
        o->name = asked->name.len < 0 ? KSTR("") : asked->name;
        o->topic_id = asked->topic_id;
        o->error_code = error;
    }
    if (q->request->version >= FIRST_VERSION_WITH_ERROR) q->out->error_code = error;
    return q->out->topics != NULL;
}

void handle_metadata(struct request *r, const struct metadata_request *in) {
    struct metadata_response *out = request_alloc(r, sizeof *out);
    metadata_response_init(out);
    struct query q = {.request = r, .in = in, .out = out, .image = request_image(r)};
    bool all = in->topics_n < 0 || (r->version == 0 && in->topics_n == 0), ok;
    int16_t error = all ? 0 : problem(r, in);
    if (error)
        ok = refuse(&q, error);
    else {
        if (in->allow_auto_topic_creation && auto_create_enabled(r->node)) q.create = auto_create_begin(r);
        out->cluster_id = kstr_of(r->node->cluster_id);
        if (in->include_cluster_authorized_operations)
            out->cluster_authorized_operations = OPERATIONS_CLUSTER;
        list_brokers(&q);
        ok = all ? all_topics(&q) : named_topics(&q, any_id(in));
    }
    if (q.create) auto_create_submit(q.create);
    if (ok)
        request_finish(r, out);
    else
        request_fail(r, "the answer is too large for its memory");
}
