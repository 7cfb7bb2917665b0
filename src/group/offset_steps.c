/* OffsetCommit, OffsetFetch, OffsetDelete, and offsets that expire. Source: OffsetMetadataManager;
 * ClassicGroup.validateOffset*. */
#include "api/offset_commit.h"
#include "api/offset_delete.h"
#include "api/offset_fetch.h"
#include "base/assert.h"
#include "base/jstring.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/consumer.h"
#include "group/own.h"
#include "group/record.h"
#include "group/state.h"
#include "group/streams.h"

enum { GROUP_NOT_FOUND_VERSION = 9 }; /* of OffsetCommit */

/* --- OffsetCommit, TxnOffsetCommit --- */

static bool is_transactional(const struct group_event *e) { return e->api == GROUP_API_TXN_OFFSET_COMMIT; }

static const struct offset_commit_request *commit_of(const struct group_event *e) {
    return is_transactional(e) ? &((const struct group_txn_offset_commit *)e->request)->commit : e->request;
}

static int16_t may_commit_classic(struct group_shard *s, struct classic *c, const struct group_event *e) {
    const struct offset_commit_request *q = commit_of(e);
    int32_t generation = q->generation_id_or_member_epoch;
    /* -1: an administrator, or a consumer that does not use group membership. */
    if (generation < 0 && c->state == CLASSIC_EMPTY) return KERR_NONE;
    /* Older transactional producers do not say who they are. */
    if (generation < 0 && q->member_id.len == 0 && kstr_null(q->group_instance_id))
        return is_transactional(e) ? KERR_NONE : KERR_UNKNOWN_MEMBER_ID;
    int16_t error = classic_validate(c, q->member_id, q->group_instance_id, "OffsetCommit");
    if (error) return error;
    if (generation != c->generation) return KERR_ILLEGAL_GENERATION;
    /* Its generation is right, so it has heard of the rebalance: it must finish it first. */
    if (is_transactional(e)) return KERR_NONE;
    if (c->state == CLASSIC_COMPLETING) return KERR_REBALANCE_IN_PROGRESS;
    struct classic_member *m = classic_member(c, q->member_id);
    if (c->state == CLASSIC_STABLE || c->state == CLASSIC_PREPARING) session_set(s, m, m->session_timeout_ms);
    return KERR_NONE;
}

static int16_t may_commit_consumer(const struct consumer *c, const struct group_event *e) {
    const struct offset_commit_request *q = commit_of(e);
    const struct consumer_committer by = {.member = q->member_id,
                                          .instance = q->group_instance_id,
                                          .epoch = q->generation_id_or_member_epoch,
                                          .version = e->version,
                                          .transactional = is_transactional(e)};
    const struct consumer_member *behind;
    int16_t error = consumer_may_commit(c, &by, &behind);
    for (int32_t t = 0; behind && t < q->topics_n; t++)
        for (int32_t i = 0; !error && i < q->topics[t].partitions_n; i++)
            error = consumer_may_commit_partition(behind, by.epoch, &q->topics[t].topic_id,
                                                  q->topics[t].partitions[i].partition_index);
    return is_transactional(e) && error == KERR_STALE_MEMBER_EPOCH ? KERR_ILLEGAL_GENERATION : error;
}

static int16_t may_commit_streams(const struct streams *g, const struct group_event *e) {
    const struct offset_commit_request *q = commit_of(e);
    const struct streams_committer by = {.member = q->member_id,
                                         .instance = q->group_instance_id,
                                         .epoch = q->generation_id_or_member_epoch,
                                         .version = e->version,
                                         .transactional = is_transactional(e)};
    const struct streams_member *behind;
    int16_t error = streams_may_commit(g, &by, &behind);
    for (int32_t t = 0; behind && t < q->topics_n; t++)
        for (int32_t i = 0; !error && i < q->topics[t].partitions_n; i++)
            error = streams_may_commit_partition(g, behind, by.epoch, q->topics[t].name,
                                                 q->topics[t].partitions[i].partition_index);
    return is_transactional(e) && error == KERR_STALE_MEMBER_EPOCH ? KERR_ILLEGAL_GENERATION : error;
}

static int16_t may_commit(struct group_shard *s, const struct group_event *e) {
    const struct offset_commit_request *q = commit_of(e);
    struct group *g = group_existing(s, q->group_id);
    if (g && g->type == GROUP_KIND_CONSUMER) return may_commit_consumer(consumer_of(g->modern), e);
    if (g && g->type == GROUP_KIND_STREAMS) return may_commit_streams(streams_of(g->modern), e);
    if (g) return g->classic ? may_commit_classic(s, g->classic, e) : KERR_GROUP_ID_NOT_FOUND;
    if (q->generation_id_or_member_epoch < 0) return KERR_NONE; /* replay makes a simple group */
    if (is_transactional(e)) return KERR_ILLEGAL_GENERATION;
    return e->version >= GROUP_NOT_FOUND_VERSION ? KERR_GROUP_ID_NOT_FOUND : KERR_ILLEGAL_GENERATION;
}

static bool metadata_too_large(const struct group_shard *s, struct kstr metadata) {
    int32_t max =
        s->config->offset_metadata_max_bytes; /* in fact UTF-16 units, which are at most as many as bytes */
    return metadata.len > max && jstring_length(metadata.s, (size_t)metadata.len) > max;
}

static void commit_topic(struct group_shard *s, const struct group_event *e,
                         const struct offset_commit_request_offset_commit_request_topic *t,
                         struct offset_commit_response_offset_commit_response_topic *out) {
    const struct offset_commit_request *q = commit_of(e);
    for (int32_t i = 0; i < t->partitions_n; i++) {
        const struct offset_commit_request_offset_commit_request_partition *p = &t->partitions[i];
        out->partitions[i].partition_index = p->partition_index;
        if (metadata_too_large(s, p->committed_metadata)) {
            out->partitions[i].error_code = KERR_OFFSET_METADATA_TOO_LARGE;
            continue;
        }
        record_offset(s, q->group_id, t->name,
                      &(struct committed){
                          .offset = p->committed_offset,
                          .commit_ms = s->now.wall,
                          .expire_ms = q->retention_time_ms == -1 ? -1 : s->now.wall + q->retention_time_ms,
                          .partition = p->partition_index,
                          .leader_epoch = p->committed_leader_epoch,
                          .topic_id = is_transactional(e) ? (struct uuid){0} : t->topic_id,
                          .metadata = kstr_null(p->committed_metadata) ? KSTR("") : p->committed_metadata,
                      });
    }
}

static void begin_transactional(struct group_shard *s, const struct group_txn_offset_commit *t) {
    s->result->transactional = true;
    s->result->producer_id = t->producer_id;
    s->result->producer_epoch = t->producer_epoch;
}

void offset_commit_step(struct group_shard *s, const struct group_event *e) {
    const struct offset_commit_request *q = commit_of(e);
    struct offset_commit_response *r = arena_calloc(e->arena, 1, sizeof *r);
    int16_t error = may_commit(s, e);
    if (error) {
        step_fail(s, error);
        return;
    }
    if (is_transactional(e)) begin_transactional(s, e->request);
    if (r) r->topics = arena_calloc(e->arena, (size_t)q->topics_n, sizeof *r->topics);
    for (int32_t i = 0; r && r->topics && i < q->topics_n; i++) {
        struct offset_commit_response_offset_commit_response_topic *t = &r->topics[i];
        t->name = q->topics[i].name;
        t->topic_id = q->topics[i].topic_id;
        t->partitions = arena_calloc(e->arena, (size_t)q->topics[i].partitions_n, sizeof *t->partitions);
        if (!t->partitions) {
            r = NULL;
            break;
        }
        t->partitions_n = q->topics[i].partitions_n;
        r->topics_n++;
        commit_topic(s, e, &q->topics[i], t);
    }
    step_answer(s, r && r->topics ? r : NULL);
}

/* --- OffsetFetch --- */

/* The response outlives the state it is made of. */
static struct kstr copied(const struct group_event *e, struct kstr a) {
    return a.len <= 0 ? KSTR("")
                      : (struct kstr){.s = arena_memdup(e->arena, a.s, (size_t)a.len), .len = a.len};
}

/* Whether a copy was not possible. */
static bool lost(struct kstr copy) { return copy.len > 0 && !copy.s; }

static int16_t may_fetch(const struct group *g,
                         const struct offset_fetch_request_offset_fetch_request_group *q) {
    if (!g || g->type == GROUP_KIND_SHARE) return KERR_GROUP_ID_NOT_FOUND;
    if (g->classic) return KERR_NONE;
    if (g->type == GROUP_KIND_CONSUMER)
        return consumer_may_fetch(consumer_of(g->modern), q->member_id, q->member_epoch);
    ASSERT(g->type == GROUP_KIND_STREAMS);
    return streams_may_fetch(streams_of(g->modern), q->member_id, q->member_epoch);
}

static bool id_differs(const struct committed *c, const struct uuid *asked) {
    return !uuid_is_zero(&c->topic_id) && !uuid_is_zero(asked) && !uuid_equal(&c->topic_id, asked);
}

/* The answer for one partition; c NULL: no offset. */
static bool fetch_one(const struct group_event *e, int32_t partition, const struct committed *c,
                      bool unstable, struct offset_fetch_response_offset_fetch_response_partitions *out) {
    *out = (struct offset_fetch_response_offset_fetch_response_partitions){
        .partition_index = partition,
        .committed_offset = -1,
        .committed_leader_epoch = -1,
        .error_code = unstable ? KERR_UNSTABLE_OFFSET_COMMIT : KERR_NONE,
    };
    if (!c || unstable) return true;
    out->committed_offset = c->offset;
    out->committed_leader_epoch = c->leader_epoch;
    out->metadata = copied(e, c->metadata);
    return !lost(out->metadata);
}

static bool fetch_some(const struct group_event *e, const struct group *all, const struct group *g,
                       struct offset_fetch_response_offset_fetch_response_group *r) {
    const struct group_offset_fetch *q = e->request;
    const struct offset_fetch_request_offset_fetch_request_group *asked = q->group;
    r->topics = arena_calloc(e->arena, (size_t)asked->topics_n, sizeof *r->topics);
    if (!r->topics) return false;
    for (; r->topics_n < asked->topics_n; r->topics_n++) {
        const struct offset_fetch_request_offset_fetch_request_topics *t = &asked->topics[r->topics_n];
        struct offset_fetch_response_offset_fetch_response_topics *out = &r->topics[r->topics_n];
        struct topic_offsets *known = g ? offsets_topic(&g->offsets, t->name) : NULL;
        out->name = t->name;
        out->topic_id = t->topic_id;
        out->partitions = arena_calloc(e->arena, (size_t)t->partition_indexes_n, sizeof *out->partitions);
        if (!out->partitions) return false;
        for (; out->partitions_n < t->partition_indexes_n; out->partitions_n++) {
            int32_t p = t->partition_indexes[out->partitions_n];
            struct committed *c = known ? topic_offsets_get(known, p) : NULL;
            bool unstable = q->require_stable && all && offsets_has_open(&all->offsets, t->name, p);
            if (c && id_differs(c, &t->topic_id)) c = NULL;
            if (!fetch_one(e, p, c, unstable, &out->partitions[out->partitions_n])) return false;
        }
    }
    return true;
}

static bool fetch_all(const struct group_event *e, const struct group *g,
                      struct offset_fetch_response_offset_fetch_response_group *r) {
    const struct group_offset_fetch *q = e->request;
    struct hashmap_entry *te, *pe;
    if (!g) return true;
    r->topics = arena_calloc(e->arena, g->offsets.topics.count, sizeof *r->topics);
    if (!r->topics) return false;
    for (size_t i = 0; (te = hashmap_next(&g->offsets.topics, &i));) {
        struct topic_offsets *t = te->value;
        struct offset_fetch_response_offset_fetch_response_topics *out = &r->topics[r->topics_n++];
        out->name = copied(e, t->name);
        out->partitions = arena_calloc(e->arena, t->partitions.count, sizeof *out->partitions);
        if (!out->partitions || lost(out->name)) return false;
        for (size_t j = 0; (pe = hashmap_next(&t->partitions, &j));) {
            struct committed *c = pe->value;
            bool unstable = q->require_stable && offsets_has_open(&g->offsets, t->name, c->partition);
            if (!fetch_one(e, c->partition, c, unstable, &out->partitions[out->partitions_n++])) return false;
        }
    }
    return true;
}

void offset_fetch_step(struct group_shard *s, const struct group_event *e) {
    const struct group_offset_fetch *q = e->request;
    struct group *all = group_find(s, q->group->group_id), *g = group_existing(s, q->group->group_id);
    struct offset_fetch_response_offset_fetch_response_group *r = arena_calloc(e->arena, 1, sizeof *r);
    int16_t error = may_fetch(g, q->group);
    if (error && error != KERR_GROUP_ID_NOT_FOUND) {
        step_fail(s, error);
        return;
    }
    if (error) g = NULL; /* a group that does not exist has no offsets */
    if (r) r->group_id = q->group->group_id;
    bool done = r && (q->group->topics_n < 0 ? fetch_all(e, g, r) : fetch_some(e, all, g, r));
    step_answer(s, done ? r : NULL);
}

/* --- OffsetDelete --- */

static int16_t may_delete(const struct group *g) {
    if (!g || g->type == GROUP_KIND_SHARE) return KERR_GROUP_ID_NOT_FOUND;
    if (g->classic && g->classic->state != CLASSIC_EMPTY && !classic_uses_consumer_protocol(g->classic))
        return KERR_NON_EMPTY_GROUP;
    return KERR_NONE;
}

static bool is_subscribed(const struct group *g, struct kstr topic) {
    if (g->modern) return modern_reads(g->modern, topic);
    return g->classic && classic_subscribed(g->classic, topic);
}

static void delete_topic(struct group_shard *s, const struct group *g,
                         const struct offset_delete_request_offset_delete_request_topic *t,
                         struct offset_delete_response_offset_delete_response_topic *out) {
    bool subscribed = is_subscribed(g, t->name);
    for (; out->partitions_n < t->partitions_n; out->partitions_n++) {
        int32_t p = t->partitions[out->partitions_n].partition_index;
        out->partitions[out->partitions_n].partition_index = p;
        if (subscribed)
            out->partitions[out->partitions_n].error_code = KERR_GROUP_SUBSCRIBED_TO_TOPIC;
        else if (offsets_get(&g->offsets, t->name, p) || offsets_has_open(&g->offsets, t->name, p))
            record_offset_tombstone(s, g->id, t->name, p);
    }
}

void offset_delete_step(struct group_shard *s, const struct group_event *e) {
    const struct offset_delete_request *q = e->request;
    struct group *g = group_existing(s, q->group_id);
    struct offset_delete_response *r = arena_calloc(e->arena, 1, sizeof *r);
    int16_t error = q->group_id.len == 0 ? KERR_INVALID_GROUP_ID : may_delete(g);
    if (error) {
        step_fail(s, error);
        return;
    }
    if (r) r->topics = arena_calloc(e->arena, (size_t)q->topics_n, sizeof *r->topics);
    for (int32_t i = 0; r && r->topics && i < q->topics_n; i++) {
        struct offset_delete_response_offset_delete_response_topic *t = &r->topics[i];
        t->name = q->topics[i].name;
        t->partitions = arena_calloc(e->arena, (size_t)q->topics[i].partitions_n, sizeof *t->partitions);
        if (!t->partitions) {
            r = NULL;
            break;
        }
        r->topics_n++;
        delete_topic(s, g, &q->topics[i], t);
    }
    step_answer(s, r && r->topics ? r : NULL);
}

void offset_delete_all(struct group_shard *s, struct group *g) {
    struct hashmap_entry *te, *pe;
    for (size_t i = 0; (te = hashmap_next(&g->offsets.topics, &i));) {
        struct topic_offsets *t = te->value;
        for (size_t j = 0; (pe = hashmap_next(&t->partitions, &j));)
            record_offset_tombstone(s, g->id, t->name, ((struct committed *)pe->value)->partition);
    }
    for (size_t i = 0; (pe = hashmap_next(&g->offsets.open, &i));) {
        struct open_partition *p = pe->value;
        if (!offsets_get(&g->offsets, open_partition_topic(p), p->partition))
            record_offset_tombstone(s, g->id, open_partition_topic(p), p->partition);
    }
}

/* --- expiry --- */

/* From when on an offset's retention counts; false: offsets of the group do not expire now.
 *   no protocol (commits only)             the commit
 *   no members                             the moment the group became empty, or the commit if that is not
 * known stable consumers, subscription known   the commit (topics that are subscribed to are kept)
 * ClassicGroup.offsetExpirationCondition. */
static bool expires_from(const struct group *g, const struct committed *o, int64_t *since_ms) {
    const struct classic *c = g->classic;
    *since_ms = o->commit_ms;
    if (!c || kstr_null(c->protocol_type)) return true;
    if (c->state == CLASSIC_EMPTY) {
        if (c->state_since_ms >= 0) *since_ms = c->state_since_ms;
        return true;
    }
    return classic_uses_consumer_protocol(c) && c->topics_known && c->state == CLASSIC_STABLE;
}

static bool is_expired(const struct group_shard *s, const struct group *g, struct kstr topic,
                       const struct committed *o) {
    int64_t since;
    if (!expires_from(g, o, &since)) return false;
    if (o->expire_ms >= 0 ? s->now.wall < o->expire_ms
                          : s->now.wall - since < s->config->offsets_retention_ms)
        return false;
    return !offsets_has_open(&g->offsets, topic, o->partition);
}

bool offset_expire(struct group_shard *s, struct group *g) {
    struct hashmap_entry *te, *pe;
    bool all = true;
    for (size_t i = 0; (te = hashmap_next(&g->offsets.topics, &i));) {
        struct topic_offsets *t = te->value;
        if (is_subscribed(g, t->name)) {
            all = false;
            continue;
        }
        for (size_t j = 0; (pe = hashmap_next(&t->partitions, &j));) {
            struct committed *o = pe->value;
            if (is_expired(s, g, t->name, o))
                record_offset_tombstone(s, g->id, t->name, o->partition);
            else
                all = false;
        }
    }
    return all && !g->offsets.open.count;
}
