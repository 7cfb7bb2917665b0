/* DescribeShareGroupOffsets: from where on share groups have something to do in partitions, and how much.
 * KafkaApis.handleDescribeShareGroupOffsetsRequest, GroupCoordinatorService.describeShareGroupOffsets. The
 * offsets are those of the share coordinator; the lag is counted against the partition's end. */
#include "server/handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "api/describe_share_group_offsets.h"
#include "base/hashmap.h"
#include "group/share_answer.h"
#include "metadata/image.h"
#include "replica/replica.h"
#include "server/error_map.h"
#include "server/lookup.h"
#include "server/net.h"
#include "server/node.h"
#include "server/share_settings.h"
#include "server/share_state_call.h"
#include "storage/log.h"

enum { UNKNOWN = -1 };

/* Names that the generator makes long. */
#define ASKED_GROUP struct describe_share_group_offsets_request_describe_share_group_offsets_request_group
#define ASKED_TOPIC struct describe_share_group_offsets_request_describe_share_group_offsets_request_topic
#define GROUP struct describe_share_group_offsets_response_describe_share_group_offsets_response_group
#define TOPIC struct describe_share_group_offsets_response_describe_share_group_offsets_response_topic
#define PARTITION struct describe_share_group_offsets_response_describe_share_group_offsets_response_partition
#define INIT_GROUP describe_share_group_offsets_response_describe_share_group_offsets_response_group_init
#define INIT_TOPIC describe_share_group_offsets_response_describe_share_group_offsets_response_topic_init
#define INIT_PARTITION                                                                                       \
    describe_share_group_offsets_response_describe_share_group_offsets_response_partition_init

/* Where each answer belongs. */
struct describing {
    const struct describe_share_group_offsets_request *in;
    struct describe_share_group_offsets_response *out;
    PARTITION **answers; /* of each share partition that is asked for */
    int32_t n;
};

static int16_t end_of(struct request *r, const struct uuid *topic, int32_t partition, int64_t *end) {
    int16_t error;
    struct replica *p = lookup_by_id(r->node, topic, partition, &error);
    if (!p) return error == KERR_UNKNOWN_TOPIC_ID ? KERR_LEADER_NOT_AVAILABLE : error;
    log_lock(p->log);
    int err = p->deleted ? 0 : replica_open(p, loop_wall(r->net->loop));
    *end = err || p->deleted ? UNKNOWN : log_high_watermark(p->log);
    bool deleted = p->deleted;
    log_unlock(p->log);
    return deleted ? KERR_LEADER_NOT_AVAILABLE : kerr_of_storage(err);
}

static void answer(struct request *r, const struct share_state_request *asked,
                   const struct share_state_response *s, PARTITION *o) {
    int64_t end = UNKNOWN;
    o->start_offset = UNKNOWN;
    o->lag = UNKNOWN;
    if (s->error) return;
    o->start_offset = s->start_offset;
    o->leader_epoch = s->leader_epoch;
    if (s->start_offset == UNKNOWN || s->delivery_complete == UNKNOWN) return;
    o->error_code = end_of(r, &asked->topic, asked->partition, &end);
    if (o->error_code) {
        o->error_message = kstr_of(kerr_message(o->error_code));
        o->start_offset = 0;
        o->leader_epoch = 0;
        return;
    }
    o->lag = end - s->start_offset - s->delivery_complete;
}

static void finish(struct request *r) {
    struct coord_call *call = r->state;
    struct describing *d = call->context;
    for (int32_t i = 0; i < d->n; i++) {
        const struct share_state_response *s = share_state_call_response(call, i);
        if (!s) {
            request_fail(r, "out of memory");
            return;
        }
        answer(r, share_state_call_at(call, i), s, d->answers[i]);
    }
    request_finish(r, d->out);
}

/* A topic of the answer; its partitions are still to be filled in. false: no memory. */
static bool add_topic(struct request *r, const ASKED_TOPIC *asked, TOPIC *o) {
    const struct topic *t = image_topic_by_name(
        request_image(r), asked->topic_name.s, asked->topic_name.len > 0 ? (size_t)asked->topic_name.len : 0);
    INIT_TOPIC(o);
    o->topic_name = asked->topic_name;
    if (t) o->topic_id = t->id;
    o->partitions = request_array(r, (size_t)asked->partitions_n, sizeof *o->partitions);
    if (!o->partitions) return false;
    for (int32_t i = 0; i < asked->partitions_n; i++) {
        INIT_PARTITION(&o->partitions[i]);
        o->partitions[i].partition_index = asked->partitions[i];
        o->partitions[i].start_offset = UNKNOWN;
    }
    o->partitions_n = asked->partitions_n;
    return true;
}

/* What the share coordinator cannot be asked is refused for the whole group. */
static void check_group(GROUP *o) {
    bool known = false, empty = o->group_id.len <= 0;
    for (int32_t t = 0; t < o->topics_n; t++) {
        if (uuid_is_zero(&o->topics[t].topic_id)) continue;
        known = true;
        empty |= !o->topics[t].partitions_n;
    }
    if (!known || !empty) return;
    o->topics_n = 0;
    o->error_code = KERR_UNKNOWN_SERVER_ERROR;
    o->error_message = kstr_of(kerr_message(o->error_code));
}

static int by_number(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* A share partition that is there twice counts once. */
static void sort_partitions(ASKED_TOPIC *t) {
    int32_t n = t->partitions_n;
    if (n) qsort(t->partitions, (size_t)n, sizeof *t->partitions, by_number);
    t->partitions_n = 0;
    for (int32_t i = 0; i < n; i++)
        if (!i || t->partitions[i] != t->partitions[i - 1])
            t->partitions[t->partitions_n++] = t->partitions[i];
}

/* The topics that are asked for, n of them; of one that exists and is there more than once, all at its first
 * place (first[t]). NULL: no memory. */
static ASKED_TOPIC *places(struct request *r, const ASKED_GROUP *asked, ASKED_TOPIC **first, int32_t *n) {
    ASKED_TOPIC *topics = request_array(r, (size_t)asked->topics_n, sizeof *topics);
    struct hashmap seen;
    hashmap_init(&seen, r->node->seed);
    for (int32_t t = 0; topics && t < asked->topics_n; t++) {
        struct kstr name = asked->topics[t].topic_name;
        const struct topic *exists =
            image_topic_by_name(request_image(r), name.s, name.len > 0 ? (size_t)name.len : 0);
        first[t] = exists ? hashmap_get(&seen, &exists->id, sizeof exists->id) : NULL;
        if (!first[t]) {
            first[t] = &topics[(*n)++];
            first[t]->topic_name = name;
            if (exists) hashmap_put(&seen, &exists->id, sizeof exists->id, first[t]);
        }
        first[t]->partitions_n += asked->topics[t].partitions_n;
    }
    hashmap_free(&seen);
    return topics;
}

static bool merge_topics(struct request *r, const ASKED_GROUP *asked, ASKED_TOPIC **topics, int32_t *n) {
    size_t all = 0;
    *n = 0;
    if (asked->topics_n <= 0) return true;
    for (int32_t t = 0; t < asked->topics_n; t++) all += (size_t)asked->topics[t].partitions_n;
    int32_t *partitions = request_array(r, all, sizeof *partitions);
    ASKED_TOPIC **first = request_array(r, (size_t)asked->topics_n, sizeof *first);
    *topics = first ? places(r, asked, first, n) : NULL;
    if (!*topics || !partitions) return false;
    for (int32_t t = 0; t < *n; partitions += (*topics)[t++].partitions_n)
        (*topics)[t].partitions = partitions;
    for (int32_t t = 0; t < *n; t++) (*topics)[t].partitions_n = 0;
    for (int32_t t = 0; t < asked->topics_n; t++)
        for (int32_t i = 0; i < asked->topics[t].partitions_n; i++)
            first[t]->partitions[first[t]->partitions_n++] = asked->topics[t].partitions[i];
    for (int32_t t = 0; t < *n; t++) sort_partitions(&(*topics)[t]);
    return true;
}

static bool add_group(struct request *r, const ASKED_GROUP *asked, GROUP *o) {
    ASKED_TOPIC *topics;
    int32_t n;
    INIT_GROUP(o);
    o->group_id = asked->group_id;
    if (!share_groups_enabled(request_image(r))) {
        o->error_code = KERR_UNSUPPORTED_VERSION;
        return true;
    }
    o->topics = request_array(r, asked->topics_n > 0 ? (size_t)asked->topics_n : 0, sizeof *o->topics);
    if (!o->topics || !merge_topics(r, asked, &topics, &n)) return false;
    for (int32_t t = 0; t < n; t++)
        if (!add_topic(r, &topics[t], &o->topics[o->topics_n++])) return false;
    check_group(o);
    return true;
}

/* All topics of a group, as the group coordinator knows them. */
static bool add_known(struct request *r, const struct group_share_offsets *k, GROUP *o) {
    const struct group_share_states *s = &k->states;
    o->error_code = k->error;
    if (k->error) {
        o->error_message = kstr_of(kerr_message(k->error));
        return true;
    }
    o->topics = request_array(r, (size_t)s->topics_n, sizeof *o->topics);
    for (int32_t i = 0; o->topics && i < s->topics_n; i++) {
        const struct topic *t = image_topic_by_id(request_image(r), &s->topics[i].id);
        if (!t) continue;
        ASKED_TOPIC asked = {.topic_name = {t->name, t->name_len},
                             .partitions = s->topics[i].partitions,
                             .partitions_n = s->topics[i].partitions_n};
        if (!add_topic(r, &asked, &o->topics[o->topics_n++])) return false;
    }
    return o->topics;
}

static int32_t count(const struct describe_share_group_offsets_response *out) {
    int32_t n = 0;
    for (int32_t g = 0; g < out->groups_n; g++)
        for (int32_t t = 0; t < out->groups[g].topics_n; t++)
            if (!uuid_is_zero(&out->groups[g].topics[t].topic_id)) n += out->groups[g].topics[t].partitions_n;
    return n;
}

static void ask(struct request *r, struct describing *d, int32_t n) {
    struct coord_call *call = share_state_call_begin(r, SHARE_STATE_SUMMARY, n);
    if (!call) return;
    call->context = d;
    for (int32_t g = 0; g < d->out->groups_n; g++)
        for (int32_t t = 0; t < d->out->groups[g].topics_n; t++) {
            TOPIC *topic = &d->out->groups[g].topics[t];
            if (uuid_is_zero(&topic->topic_id)) continue;
            for (int32_t i = 0; i < topic->partitions_n; i++) {
                struct share_state_request *s = share_state_call_at(call, d->n);
                s->group = d->out->groups[g].group_id;
                s->topic = topic->topic_id;
                s->partition = topic->partitions[i].partition_index;
                d->answers[d->n++] = &topic->partitions[i];
            }
        }
    share_state_call_send_patiently(call, finish);
}

static void ask_states(struct request *r, struct describing *d) {
    int32_t n = count(d->out);
    d->answers = request_array(r, (size_t)n, sizeof(PARTITION *));
    if (!d->answers)
        request_fail(r, "out of memory");
    else if (n)
        ask(r, d, n);
    else
        request_finish(r, d->out);
}

static void on_known(struct request *r) {
    struct coord_call *call = r->state;
    struct describing *d = call->context;
    int32_t at = 0;
    for (int32_t g = 0; g < d->in->groups_n; g++) {
        if (d->in->groups[g].topics_n >= 0) continue;
        const struct group_share_offsets *k = call->ops[at++].response;
        if (!k || !add_known(r, k, &d->out->groups[g])) {
            request_fail(r, "out of memory");
            return;
        }
    }
    ask_states(r, d);
}

static void ask_known(struct request *r, struct describing *d, int32_t n) {
    struct coord_call *call = coord_call_begin(r, COORDINATOR_GROUP, n);
    struct group_share_states *q = request_array(r, (size_t)n, sizeof *q);
    int32_t at = 0;
    if (!call || !q) {
        request_fail(r, "out of memory");
        return;
    }
    call->context = d;
    for (int32_t g = 0; g < d->in->groups_n; g++) {
        if (d->in->groups[g].topics_n >= 0) continue;
        q[at].group = d->in->groups[g].group_id;
        call->ops[at].api = GROUP_API_SHARE_OFFSETS;
        call->ops[at].request = &q[at];
        at++;
    }
    coord_call_send(call, on_known);
}

void handle_describe_share_group_offsets(struct request *r,
                                         const struct describe_share_group_offsets_request *in) {
    struct describing *d = request_alloc(r, sizeof *d);
    int32_t known = 0;
    d->in = in;
    d->out = request_alloc(r, sizeof *d->out);
    describe_share_group_offsets_response_init(d->out);
    d->out->groups = request_array(r, (size_t)in->groups_n, sizeof *d->out->groups);
    bool ok = d->out->groups;
    for (int32_t g = 0; ok && g < in->groups_n; g++) {
        ok = add_group(r, &in->groups[g], &d->out->groups[d->out->groups_n++]);
        known += in->groups[g].topics_n < 0;
    }
    if (!ok)
        request_fail(r, "out of memory");
    else if (known && share_groups_enabled(request_image(r)))
        ask_known(r, d, known);
    else
        ask_states(r, d);
}
