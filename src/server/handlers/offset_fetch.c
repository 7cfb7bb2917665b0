/* OffsetFetch, of one group before version 8 and of several since. KafkaApis.handleOffsetFetchRequest,
 * OffsetFetchResponse. */
#include "server/handlers/handlers.h"

#include <string.h>

#include "api/offset_fetch.h"
#include "metadata/image.h"
#include "server/coord_call.h"

enum { FIRST_VERSION_WITH_GROUPS = 8, FIRST_VERSION_WITH_IDS = 10 };

/* One group of the request. */
struct wanted {
    struct group_offset_fetch fetch;
    struct offset_fetch_request_offset_fetch_request_group group; /* without the topics that are not known */
    struct offset_fetch_response_offset_fetch_response_topics *unknown;
    int32_t unknown_n;
};

struct fetch_offsets {
    struct offset_fetch_response out;
    struct wanted *wanted;
};

/* ---- request
 * ----------------------------------------------------------------------------------------------------------
 */

static bool add_unknown(struct request *r, struct wanted *w,
                        const struct offset_fetch_request_offset_fetch_request_topics *t) {
    struct offset_fetch_response_offset_fetch_response_topics *o = &w->unknown[w->unknown_n++];
    o->topic_id = t->topic_id;
    o->partitions = request_array(r, (size_t)t->partition_indexes_n, sizeof *o->partitions);
    for (; o->partitions && o->partitions_n < t->partition_indexes_n; o->partitions_n++)
        o->partitions[o->partitions_n] = (struct offset_fetch_response_offset_fetch_response_partitions){
            .partition_index = t->partition_indexes[o->partitions_n],
            .committed_offset = -1,
            .committed_leader_epoch = -1,
            .error_code = KERR_UNKNOWN_TOPIC_ID,
        };
    return o->partitions;
}

/* Names for ids; topics that nobody knows are answered here. */
static bool resolve(struct request *r, struct wanted *w,
                    const struct offset_fetch_request_offset_fetch_request_group *in) {
    const struct image *image = request_image(r);
    w->group.topics = request_array(r, (size_t)in->topics_n, sizeof *w->group.topics);
    w->unknown = request_array(r, (size_t)in->topics_n, sizeof *w->unknown);
    if (!w->group.topics || !w->unknown) return false;
    w->group.topics_n = 0;
    for (int32_t i = 0; i < in->topics_n; i++) {
        const struct topic *t = image_topic_by_id(image, &in->topics[i].topic_id);
        if (!t) {
            if (!add_unknown(r, w, &in->topics[i])) return false;
            continue;
        }
        w->group.topics[w->group.topics_n] = in->topics[i];
        w->group.topics[w->group.topics_n++].name = (struct kstr){t->name, t->name_len};
    }
    return true;
}

/* The only group of an old request in the new form. */
static bool convert(struct request *r, const struct offset_fetch_request *in,
                    struct offset_fetch_request_offset_fetch_request_group *g) {
    offset_fetch_request_offset_fetch_request_group_init(g);
    g->group_id = in->group_id;
    g->topics_n = in->topics_n;
    if (in->topics_n <= 0) return true;
    g->topics = request_array(r, (size_t)in->topics_n, sizeof *g->topics);
    for (int32_t i = 0; g->topics && i < in->topics_n; i++)
        g->topics[i] = (struct offset_fetch_request_offset_fetch_request_topics){
            .name = in->topics[i].name,
            .partition_indexes = in->topics[i].partition_indexes,
            .partition_indexes_n = in->topics[i].partition_indexes_n,
        };
    return g->topics;
}

static bool prepare(struct request *r, struct wanted *w, const struct offset_fetch_request *in, int32_t i) {
    bool ok = true;
    if (r->version < FIRST_VERSION_WITH_GROUPS)
        ok = convert(r, in, &w->group);
    else
        w->group = in->groups[i];
    if (ok && r->version >= FIRST_VERSION_WITH_IDS && w->group.topics_n > 0)
        ok = resolve(r, w, &in->groups[i]);
    w->fetch = (struct group_offset_fetch){.group = &w->group, .require_stable = in->require_stable};
    return ok;
}

/* ---- answer
 * -----------------------------------------------------------------------------------------------------------
 */

/* Ids for names, when all offsets were asked for; a topic without an id cannot be answered. */
static void add_ids(struct request *r, struct offset_fetch_response_offset_fetch_response_group *g) {
    const struct image *image = request_image(r);
    int32_t kept = 0;
    for (int32_t i = 0; i < g->topics_n; i++) {
        struct offset_fetch_response_offset_fetch_response_topics *t = &g->topics[i];
        const struct topic *known =
            image_topic_by_name(image, t->name.s ? t->name.s : "", (size_t)t->name.len);
        if (uuid_is_zero(&t->topic_id) && known) t->topic_id = known->id;
        if (!uuid_is_zero(&t->topic_id)) g->topics[kept++] = *t;
    }
    g->topics_n = kept;
}

static bool add_refused(struct request *r, const struct wanted *w,
                        struct offset_fetch_response_offset_fetch_response_group *g) {
    size_t n = (size_t)g->topics_n, more = (size_t)w->unknown_n;
    struct offset_fetch_response_offset_fetch_response_topics *all = request_array(r, n + more, sizeof *all);
    if (!all) return false;
    if (n) memcpy(all, g->topics, n * sizeof *all);
    memcpy(all + n, w->unknown, more * sizeof *all);
    g->topics = all;
    g->topics_n += w->unknown_n;
    return true;
}

static bool complete(struct request *r, const struct wanted *w,
                     struct offset_fetch_response_offset_fetch_response_group *g) {
    if (g->error_code) return true;
    if (r->version >= FIRST_VERSION_WITH_IDS && w->group.topics_n < 0) add_ids(r, g);
    return !w->unknown_n || add_refused(r, w, g);
}

static bool to_old_form(struct request *r, const struct offset_fetch_response_offset_fetch_response_group *g,
                        struct offset_fetch_response *out) {
    out->error_code = g->error_code;
    out->topics = request_array(r, (size_t)g->topics_n, sizeof *out->topics);
    for (; out->topics && out->topics_n < g->topics_n; out->topics_n++) {
        const struct offset_fetch_response_offset_fetch_response_topics *t = &g->topics[out->topics_n];
        struct offset_fetch_response_offset_fetch_response_topic *o = &out->topics[out->topics_n];
        o->name = t->name;
        o->partitions = request_array(r, (size_t)t->partitions_n, sizeof *o->partitions);
        if (!o->partitions) return false;
        for (; o->partitions_n < t->partitions_n; o->partitions_n++) {
            const struct offset_fetch_response_offset_fetch_response_partitions *p =
                &t->partitions[o->partitions_n];
            o->partitions[o->partitions_n] = (struct offset_fetch_response_offset_fetch_response_partition){
                .partition_index = p->partition_index,
                .committed_offset = p->committed_offset,
                .committed_leader_epoch = p->committed_leader_epoch,
                .metadata = p->metadata,
                .error_code = p->error_code,
            };
        }
    }
    return out->topics;
}

static bool fill(struct request *r, struct coord_call *call, struct fetch_offsets *f) {
    for (int32_t i = 0; i < call->n; i++) {
        const struct offset_fetch_response_offset_fetch_response_group *g = call->ops[i].response;
        if (!g) return false;
        f->out.groups[i] = *g;
        if (!complete(r, &f->wanted[i], &f->out.groups[i])) return false;
    }
    f->out.groups_n = call->n;
    return r->version >= FIRST_VERSION_WITH_GROUPS || to_old_form(r, &f->out.groups[0], &f->out);
}

static void finish(struct request *r) {
    struct coord_call *call = r->state;
    struct fetch_offsets *f = call->context;
    if (fill(r, call, f))
        request_finish(r, &f->out);
    else
        request_fail(r, "out of memory");
}

void handle_offset_fetch(struct request *r, const struct offset_fetch_request *in) {
    struct fetch_offsets *f = request_alloc(r, sizeof *f);
    int32_t n = r->version < FIRST_VERSION_WITH_GROUPS ? 1 : in->groups_n;
    offset_fetch_response_init(&f->out);
    if (n == 0) {
        request_finish(r, &f->out);
        return;
    }
    f->wanted = request_array(r, (size_t)n, sizeof *f->wanted);
    f->out.groups = request_array(r, (size_t)n, sizeof *f->out.groups);
    struct coord_call *call = f->wanted && f->out.groups ? coord_call_begin(r, COORDINATOR_GROUP, n) : NULL;
    bool ok = call;
    for (int32_t i = 0; ok && i < n; i++) {
        ok = prepare(r, &f->wanted[i], in, i);
        call->ops[i].api = GROUP_API_OFFSET_FETCH;
        call->ops[i].request = &f->wanted[i].fetch;
    }
    if (!ok) {
        request_fail(r, "out of memory");
        return;
    }
    call->context = f;
    coord_call_send(call, finish);
}
