/* A key is its type (int16) and the key message's version 0; a value is the version (int16) and the message.
 * Written versions are those of metadata.version 4.3-IV0. */
#include "group/record.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "group/consumer.h"
#include "group/modern.h"
#include "group/own.h"
#include "records/group.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { GROUP_VERSION = 3, OFFSET_VERSION = 4, OFFSET_VERSION_EXPIRES = 1 };

/* A writer of `size` bytes that come from scratch, beginning with `head`. false: no memory, the step fails.
 */
static bool begin(struct group_shard *s, struct writer *w, size_t size, int16_t head) {
    void *memory = arena_alloc(&s->scratch, size);
    if (!memory) {
        s->out_of_memory = true;
        return false;
    }
    writer_init_with(w, memory, size, size);
    write_i16(w, head);
    return true;
}

static struct kbytes end(struct writer *w) {
    ASSERT(!w->err && w->buf == w->given);
    return (struct kbytes){.p = w->buf, .len = (int32_t)writer_len(w)};
}

bool record_value_begin(struct group_shard *s, struct writer *w, size_t size, int16_t version) {
    return begin(s, w, 2 + size, version);
}

struct kbytes record_value_end(struct writer *w) {
    return end(w);
}

/* Keys have version 0, where a string is its length in 16 bits and its bytes. */
struct kbytes record_key(struct group_shard *s, int16_t type, struct kstr group, struct kstr second) {
    struct writer w;
    size_t size = 2 + 2 + (size_t)group.len + (second.len < 0 ? 0 : 2 + (size_t)second.len);
    if (!begin(s, &w, size, type)) return KBYTES_NULL;
    write_string(&w, group, false, false);
    if (second.len >= 0) write_string(&w, second, false, false);
    return end(&w);
}

void record_tombstone(struct group_shard *s, int16_t type, struct kstr group, struct kstr second) {
    struct group_record *r = step_record(s);
    if (r) r->key = record_key(s, type, group, second);
}

static struct kbytes group_key(struct group_shard *s, struct kstr group) {
    return record_key(s, GROUP_GROUP_METADATA, group, KSTR_NULL);
}

static struct kbytes offset_key(struct group_shard *s, struct kstr group, struct kstr topic,
                                int32_t partition) {
    struct writer w;
    struct offset_commit_key key = {.group = group, .topic = topic, .partition = partition};
    if (!begin(s, &w, 2 + offset_commit_key_size(&key, 0), GROUP_OFFSET_COMMIT)) return KBYTES_NULL;
    offset_commit_key_encode(&key, &w, 0);
    return end(&w);
}

static void add_group(struct group_shard *s, struct kstr group, const struct group_metadata_value *v) {
    struct writer w;
    struct group_record *r = step_record(s);
    if (!r || !begin(s, &w, 2 + group_metadata_value_size(v, GROUP_VERSION), GROUP_VERSION)) return;
    group_metadata_value_encode(v, &w, GROUP_VERSION);
    r->value = end(&w);
    r->key = group_key(s, group);
}

static struct kbytes assignment_of(const struct classic_member *m, const struct group_after *a) {
    if (!a) return m->assignment;
    for (int32_t i = 0; i < a->assignments_n; i++)
        if (kstr_equal(a->assignments[i].member_id, m->id)) return a->assignments[i].bytes;
    return (struct kbytes){0};
}

void record_group(struct group_shard *s, const struct classic *c, const struct group_after *assignments) {
    struct group_metadata_value v = {
        .protocol_type = kstr_null(c->protocol_type) ? KSTR("") : c->protocol_type,
        .generation = c->generation,
        .protocol = c->protocol,
        .leader = c->leader ? c->leader->id : KSTR_NULL,
        .current_state_timestamp = c->state_since_ms,
        .members_n = c->members_n,
    };
    v.members = arena_calloc(&s->scratch, (size_t)c->members_n, sizeof *v.members);
    if (!v.members) {
        s->out_of_memory = true;
        return;
    }
    int32_t n = 0;
    for (const struct classic_member *m = c->members; m; m = m->next, n++) {
        ASSERT(n < c->members_n);
        v.members[n] = (struct group_metadata_value_member_metadata){
            .member_id = m->id,
            .group_instance_id = m->instance_id,
            .client_id = m->client_id,
            .client_host = m->client_host,
            .rebalance_timeout = m->rebalance_timeout_ms,
            .session_timeout = m->session_timeout_ms,
            .subscription = classic_metadata(m, c->protocol),
            .assignment = assignment_of(m, assignments),
        };
        ASSERT(v.members[n].subscription.len >= 0); /* the protocol was chosen among what all support */
    }
    add_group(s, c->group->id, &v);
}

void record_new_group(struct group_shard *s, const struct classic *c) {
    add_group(s, c->group->id,
              &(struct group_metadata_value){
                  .protocol = KSTR_NULL, .leader = KSTR_NULL, .current_state_timestamp = c->state_since_ms});
}

void record_group_tombstone(struct group_shard *s, struct kstr group) {
    struct group_record *r = step_record(s);
    if (r) r->key = group_key(s, group);
}

void record_offset(struct group_shard *s, struct kstr group, struct kstr topic, const struct committed *c) {
    struct writer w;
    struct group_record *r = step_record(s);
    int16_t version = c->expire_ms >= 0 ? OFFSET_VERSION_EXPIRES : OFFSET_VERSION;
    struct offset_commit_value v = {
        .offset = c->offset,
        .leader_epoch = c->leader_epoch,
        .metadata = c->metadata,
        .commit_timestamp = c->commit_ms,
        .expire_timestamp = c->expire_ms,
        .topic_id = c->topic_id,
    };
    if (!r || !begin(s, &w, 2 + offset_commit_value_size(&v, version), version)) return;
    offset_commit_value_encode(&v, &w, version);
    r->value = end(&w);
    r->key = offset_key(s, group, topic, c->partition);
}

void record_offset_tombstone(struct group_shard *s, struct kstr group, struct kstr topic, int32_t partition) {
    struct group_record *r = step_record(s);
    if (r) r->key = offset_key(s, group, topic, partition);
}

/* --- replay --- */

static struct classic_member *load_member(const struct group_metadata_value *v,
                                          const struct group_metadata_value_member_metadata *m) {
    struct protocol protocol = {.name = kstr_null(v->protocol) ? KSTR("") : v->protocol,
                                .metadata = m->subscription};
    int32_t rebalance = m->rebalance_timeout == -1 ? m->session_timeout : m->rebalance_timeout;
    struct classic_member *member =
        classic_member_create(m->member_id, m->group_instance_id, m->client_id, m->client_host, rebalance,
                              m->session_timeout, protocols_copy(&protocol, 1));
    member->assignment = kbytes_own(m->assignment);
    return member;
}

static bool members_are_distinct(const struct classic *c,
                                 const struct group_metadata_value_member_metadata *m) {
    return !classic_member(c, m->member_id) &&
           (kstr_null(m->group_instance_id) || !classic_static_member(c, m->group_instance_id));
}

static int load_group(struct group_shard *s, struct kstr id, const struct group_metadata_value *v) {
    struct group *g = group_find_or_add(s, id);
    if (consumer_take_prepared(s, g)) return 0;
    if (g->classic) classic_free(s, g->classic);
    if (g->modern) g->modern->kind->free(g->modern);
    struct classic *c =
        classic_create(g, v->members_n ? CLASSIC_STABLE : CLASSIC_EMPTY, v->current_state_timestamp, s->seed);
    g->classic = c;
    g->modern = NULL;
    g->type = GROUP_KIND_CLASSIC;
    c->generation = v->generation;
    for (int32_t i = 0; i < v->members_n; i++) {
        if (!members_are_distinct(c, &v->members[i])) return OE_CORRUPT;
        classic_add(s, c, load_member(v, &v->members[i]), v->protocol_type, NULL);
    }
    kstr_set(&c->protocol_type, v->protocol_type.len > 0 ? v->protocol_type : KSTR_NULL);
    kstr_set(&c->protocol, v->protocol);
    c->leader = kstr_null(v->leader) ? NULL : classic_member(c, v->leader);
    if (!c->leader) c->leader = c->members;
    classic_compute_topics(c);
    classic_check(c);
    return 0;
}

static int replay_group(struct group_shard *s, struct reader *key, struct kbytes value) {
    struct group_metadata_key k;
    struct group_metadata_value v;
    if (group_metadata_key_decode(&k, key, 0, &s->decoding)) return OE_CORRUPT;
    if (value.len < 0) {
        struct group *g = group_existing(s, k.group);
        if (g) group_dissolve(s, g);
        return 0;
    }
    struct reader r = reader_of(value.p, (size_t)value.len);
    if (group_metadata_value_decode(&v, &r, read_i16(&r), &s->decoding)) return OE_CORRUPT;
    return load_group(s, k.group, &v);
}

/* The group that owns an offset is there when offsets are committed without one, too: an empty one without a
 * protocol. */
static struct group *offset_group(struct group_shard *s, struct kstr id) {
    struct group *g = group_find_or_add(s, id);
    if (g->type == GROUP_KIND_NONE) group_make_classic(s, g);
    return g;
}

static void put_offset(struct group_shard *s, int64_t producer_id, const struct offset_commit_key *k,
                       const struct committed *c) {
    struct group *g = offset_group(s, k->group);
    if (producer_id < 0)
        s->offsets_n += offsets_put(&g->offsets, k->topic, c);
    else
        pending_offsets_put(&s->pending, producer_id, g->id, &g->offsets, k->topic, c);
}

static void drop_offset(struct group_shard *s, const struct offset_commit_key *k) {
    struct group *g = group_find(s, k->group);
    if (!g) return;
    s->offsets_n -= offsets_remove(&g->offsets, k->topic, k->partition);
    pending_offsets_drop(&s->pending, g->id, &g->offsets, k->topic, k->partition);
    group_free_if_nothing(s, g);
}

static int replay_offset(struct group_shard *s, int64_t offset, int64_t producer_id, struct reader *key,
                         struct kbytes value) {
    struct offset_commit_key k;
    struct offset_commit_value v;
    if (offset_commit_key_decode(&k, key, 0, &s->decoding)) return OE_CORRUPT;
    if (value.len < 0) {
        drop_offset(s, &k);
        return 0;
    }
    struct reader r = reader_of(value.p, (size_t)value.len);
    if (offset_commit_value_decode(&v, &r, read_i16(&r), &s->decoding)) return OE_CORRUPT;
    put_offset(s, producer_id, &k,
               &(struct committed){
                   .offset = v.offset,
                   .commit_ms = v.commit_timestamp,
                   .expire_ms = v.expire_timestamp,
                   .record_offset = offset,
                   .partition = k.partition,
                   .leader_epoch = v.leader_epoch,
                   .topic_id = v.topic_id,
                   .metadata = v.metadata,
               });
    return 0;
}

/* Type 0: offsets as they were written before version 0.9. */
static int replay_legacy_offset(struct group_shard *s, int64_t offset, int64_t producer_id,
                                struct reader *key, struct kbytes value) {
    struct legacy_offset_commit_key old;
    struct legacy_offset_commit_value v;
    if (legacy_offset_commit_key_decode(&old, key, 0, &s->decoding)) return OE_CORRUPT;
    struct offset_commit_key k = {.group = old.group, .topic = old.topic, .partition = old.partition};
    if (value.len < 0) {
        drop_offset(s, &k);
        return 0;
    }
    struct reader r = reader_of(value.p, (size_t)value.len);
    if (legacy_offset_commit_value_decode(&v, &r, read_i16(&r), &s->decoding)) return OE_CORRUPT;
    put_offset(s, producer_id, &k,
               &(struct committed){
                   .offset = v.offset,
                   .commit_ms = v.commit_timestamp,
                   .expire_ms = -1,
                   .record_offset = offset,
                   .partition = k.partition,
                   .leader_epoch = -1,
                   .metadata = v.metadata,
               });
    return 0;
}

int group_shard_replay(struct group_shard *s, int64_t offset, int64_t producer_id, struct kbytes key,
                       struct kbytes value, struct group_now now) {
    struct reader r = reader_of(key.p, key.len < 0 ? 0 : (size_t)key.len);
    int16_t type = read_i16(&r);
    s->now = now;
    arena_reset(&s->decoding);
    if (r.err) return OE_CORRUPT;
    switch (type) {
    case GROUP_LEGACY_OFFSET_COMMIT: return replay_legacy_offset(s, offset, producer_id, &r, value);
    case GROUP_OFFSET_COMMIT: return replay_offset(s, offset, producer_id, &r, value);
    case GROUP_GROUP_METADATA: return replay_group(s, &r, value);
    default:
        if (modern_replayed(type)) return modern_replay(s, type, &r, value);
        LOG_LIMITED(LOG_WARN, "group", "a record of unknown type %d in __consumer_offsets is ignored", type);
        return 0;
    }
}

struct marker {
    struct group_shard *shard;
    int64_t producer_id;
    bool commit;
};

static void end_pending(void *ctx, const struct pending_offset *o) {
    struct marker *m = ctx;
    struct group *g = group_find(m->shard, o->group);
    if (!g)
        g = group_find_or_add(m->shard, o->group); /* it was deleted meanwhile; its offsets may still come */
    offsets_close(&g->offsets, o->topic, o->value.partition, m->producer_id);
    struct committed *known = offsets_get(&g->offsets, o->topic, o->value.partition);
    /* A plain commit that came after the transactional one wins, whatever compaction left between them. */
    if (m->commit && (!known || o->value.record_offset > known->record_offset))
        m->shard->offsets_n += offsets_put(&g->offsets, o->topic, &o->value);
    group_free_if_nothing(m->shard, g);
}

void group_shard_replay_marker(struct group_shard *s, int64_t producer_id, bool commit) {
    struct marker m = {.shard = s, .producer_id = producer_id, .commit = commit};
    pending_offsets_end(&s->pending, producer_id, end_pending, &m);
}
