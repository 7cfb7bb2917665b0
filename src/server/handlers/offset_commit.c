/* OffsetCommit: topics and partitions that exist go to the coordinator, the others get their error here.
 * KafkaApis.handleOffsetCommitRequest, OffsetCommitResponse.Builder. */
#include "server/handlers/handlers.h"

#include "api/offset_commit.h"
#include <string.h>

#include "metadata/image.h"
#include "server/coord_call.h"

enum { FIRST_VERSION_WITH_IDS = 10 };

struct commit {
    struct offset_commit_request valid;   /* what goes to the coordinator */
    struct offset_commit_response errors; /* what is answered here; later the whole answer */
};

static struct offset_commit_response_offset_commit_response_topic *add_errors(
    struct request *r, struct commit *c, const struct offset_commit_request_offset_commit_request_topic *t) {
    struct offset_commit_response_offset_commit_response_topic *o = &c->errors.topics[c->errors.topics_n];
    o->partitions = request_array(r, (size_t)t->partitions_n, sizeof *o->partitions);
    if (!o->partitions) return NULL;
    o->name = t->name;
    o->topic_id = t->topic_id;
    c->errors.topics_n++;
    return o;
}

static bool refuse(struct request *r, struct commit *c,
                   const struct offset_commit_request_offset_commit_request_topic *t, int16_t error) {
    struct offset_commit_response_offset_commit_response_topic *o = add_errors(r, c, t);
    for (int32_t i = 0; o && i < t->partitions_n; i++)
        o->partitions[o->partitions_n++] = (struct offset_commit_response_offset_commit_response_partition){
            .partition_index = t->partitions[i].partition_index, .error_code = error};
    return o;
}

/* Sorts the partitions of a topic that exists. */
static bool sort_topic(struct request *r, struct commit *c,
                       const struct offset_commit_request_offset_commit_request_topic *t,
                       const struct topic *topic) {
    struct offset_commit_request_offset_commit_request_topic *valid = &c->valid.topics[c->valid.topics_n];
    struct offset_commit_response_offset_commit_response_topic *o = NULL;
    *valid = (struct offset_commit_request_offset_commit_request_topic){
        .name = {topic->name, topic->name_len}, .topic_id = topic->id};
    valid->partitions = request_array(r, (size_t)t->partitions_n, sizeof *valid->partitions);
    if (!valid->partitions) return false;
    for (int32_t i = 0; i < t->partitions_n; i++) {
        int32_t index = t->partitions[i].partition_index;
        if (index >= 0 && index < topic->partitions_n && topic->partitions[index]) {
            valid->partitions[valid->partitions_n++] = t->partitions[i];
            continue;
        }
        if (!o && !(o = add_errors(r, c, t))) return false;
        o->topic_id = topic->id;
        o->partitions[o->partitions_n++] = (struct offset_commit_response_offset_commit_response_partition){
            .partition_index = index, .error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION};
    }
    c->valid.topics_n += valid->partitions_n > 0;
    return true;
}

static bool sort(struct request *r, struct commit *c, const struct offset_commit_request *in) {
    const struct image *image = request_image(r);
    bool by_id = r->version >= FIRST_VERSION_WITH_IDS, ok = true;
    c->valid.topics = request_array(r, (size_t)in->topics_n, sizeof *c->valid.topics);
    c->errors.topics =
        request_array(r, (size_t)in->topics_n * 2, sizeof *c->errors.topics); /* room for the answer, too */
    if (!c->valid.topics || !c->errors.topics) return false;
    for (int32_t i = 0; ok && i < in->topics_n; i++) {
        const struct offset_commit_request_offset_commit_request_topic *t = &in->topics[i];
        const struct topic *topic =
            by_id ? image_topic_by_id(image, &t->topic_id)
                  : image_topic_by_name(image, t->name.s ? t->name.s : "", (size_t)t->name.len);
        if (topic)
            ok = sort_topic(r, c, t, topic);
        else
            ok = refuse(r, c, t, by_id ? KERR_UNKNOWN_TOPIC_ID : KERR_UNKNOWN_TOPIC_OR_PARTITION);
    }
    return ok;
}

/* The coordinator's topics behind those that were refused; partitions of the same topic together. */
static bool merge(struct request *r, struct commit *c, const struct offset_commit_response *from) {
    int32_t refused = c->errors.topics_n;
    for (int32_t i = 0; i < from->topics_n; i++) {
        struct offset_commit_response_offset_commit_response_topic *t = &from->topics[i], *same = NULL;
        for (int32_t k = 0; k < refused && !same; k++)
            if (uuid_equal(&c->errors.topics[k].topic_id, &t->topic_id)) same = &c->errors.topics[k];
        if (!same) {
            c->errors.topics[c->errors.topics_n++] = *t;
            continue;
        }
        size_t n = (size_t)same->partitions_n, more = (size_t)t->partitions_n;
        struct offset_commit_response_offset_commit_response_partition *all =
            request_array(r, n + more, sizeof *all);
        if (!all) return false;
        memcpy(all, same->partitions, n * sizeof *all);
        memcpy(all + n, t->partitions, more * sizeof *all);
        same->partitions = all;
        same->partitions_n += t->partitions_n;
    }
    return true;
}

static void finish(struct request *r) {
    struct commit *c = ((struct coord_call *)r->state)->context;
    const struct offset_commit_response *from = coord_call_response(r);
    if (!from) return;
    if (merge(r, c, from))
        request_finish(r, &c->errors);
    else
        request_fail(r, "out of memory");
}

void handle_offset_commit(struct request *r, const struct offset_commit_request *in) {
    struct commit *c = request_alloc(r, sizeof *c);
    offset_commit_response_init(&c->errors);
    c->valid = *in;
    c->valid.topics_n = 0;
    struct coord_call *call = sort(r, c, in) ? coord_call_begin(r, COORDINATOR_GROUP, 1) : NULL;
    if (!call) {
        request_fail(r, "out of memory");
    } else if (!c->valid.topics_n) {
        request_finish(r, &c->errors);
    } else {
        call->context = c;
        call->ops[0].api = GROUP_API_OFFSET_COMMIT;
        call->ops[0].request = &c->valid;
        coord_call_send(call, finish);
    }
}
