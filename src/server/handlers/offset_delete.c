/* OffsetDelete: topics and partitions that do not exist get their error here, the rest goes to the
 * coordinator, which also checks the group. KafkaApis.handleOffsetDeleteRequest,
 * OffsetDeleteResponse.Builder. */
#include "server/handlers/handlers.h"

#include <string.h>

#include "api/offset_delete.h"
#include "metadata/image.h"
#include "server/coord_call.h"

struct delete_offsets {
    struct offset_delete_request valid;
    struct offset_delete_response errors; /* later the whole answer */
};

/* Partitions of a topic that exists go to `valid`, the others to `errors`. */
static bool sort_topic(struct request *r, struct delete_offsets *d,
                       const struct offset_delete_request_offset_delete_request_topic *t) {
    const struct topic *topic =
        image_topic_by_name(request_image(r), t->name.s ? t->name.s : "", (size_t)t->name.len);
    struct offset_delete_request_offset_delete_request_topic *valid = &d->valid.topics[d->valid.topics_n];
    struct offset_delete_response_offset_delete_response_topic *o = &d->errors.topics[d->errors.topics_n];
    valid->name = o->name = t->name;
    valid->partitions = request_array(r, (size_t)t->partitions_n, sizeof *valid->partitions);
    o->partitions = request_array(r, (size_t)t->partitions_n, sizeof *o->partitions);
    if (!valid->partitions || !o->partitions) return false;
    for (int32_t i = 0; i < t->partitions_n; i++) {
        int32_t index = t->partitions[i].partition_index;
        if (topic && index >= 0 && index < topic->partitions_n && topic->partitions[index])
            valid->partitions[valid->partitions_n++] = t->partitions[i];
        else
            o->partitions[o->partitions_n++] =
                (struct offset_delete_response_offset_delete_response_partition){
                    .partition_index = index, .error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION};
    }
    d->valid.topics_n += valid->partitions_n > 0;
    d->errors.topics_n += o->partitions_n > 0 || !topic;
    return true;
}

static bool merge(struct request *r, struct delete_offsets *d, const struct offset_delete_response *from) {
    int32_t refused = d->errors.topics_n;
    for (int32_t i = 0; i < from->topics_n; i++) {
        struct offset_delete_response_offset_delete_response_topic *t = &from->topics[i], *same = NULL;
        for (int32_t k = 0; k < refused && !same; k++)
            if (kstr_equal(d->errors.topics[k].name, t->name)) same = &d->errors.topics[k];
        if (!same) {
            d->errors.topics[d->errors.topics_n++] = *t;
            continue;
        }
        size_t n = (size_t)same->partitions_n, more = (size_t)t->partitions_n;
        struct offset_delete_response_offset_delete_response_partition *all =
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
    struct delete_offsets *d = ((struct coord_call *)r->state)->context;
    const struct offset_delete_response *from = coord_call_response(r);
    if (!from) return;
    if (from->error_code)
        request_finish(r, from);
    else if (merge(r, d, from))
        request_finish(r, &d->errors);
    else
        request_fail(r, "out of memory");
}

void handle_offset_delete(struct request *r, const struct offset_delete_request *in) {
    struct delete_offsets *d = request_alloc(r, sizeof *d);
    offset_delete_response_init(&d->errors);
    d->valid.group_id = in->group_id;
    d->valid.topics = request_array(r, (size_t)in->topics_n, sizeof *d->valid.topics);
    d->errors.topics =
        request_array(r, (size_t)in->topics_n * 2, sizeof *d->errors.topics); /* room for the answer, too */
    struct coord_call *call =
        d->valid.topics && d->errors.topics ? coord_call_begin(r, COORDINATOR_GROUP, 1) : NULL;
    bool ok = call;
    for (int32_t i = 0; ok && i < in->topics_n; i++) ok = sort_topic(r, d, &in->topics[i]);
    if (!ok) {
        request_fail(r, "out of memory");
        return;
    }
    call->context = d;
    call->ops[0].api = GROUP_API_OFFSET_DELETE;
    call->ops[0].request = &d->valid;
    coord_call_send(call, finish);
}
