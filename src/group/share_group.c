#include "group/share_group.h"

#include "base/assert.h"
#include "base/err.h"
#include "group/own.h"
#include "group/record.h"
#include "records/group.h"
#include "wire/reader.h"

static void free_topics(struct share_topics *t) {
    for (int32_t i = 0; i < t->n; i++) kstr_disown(&t->topics[i].name);
    free(t->topics);
    assigned_free(t->partitions);
    *t = (struct share_topics){0};
}

struct share_group *share_create(struct group_shard *s, struct kstr id) {
    struct share_group *g = xcalloc(1, sizeof *g);
    modern_init(&g->m, &share_kind, id, s->seed);
    return g;
}

static struct modern *create(struct group_shard *s, struct kstr id) { return &share_create(s, id)->m; }

static void free_member(struct share_member *m) {
    modern_member_free_parts(&m->m);
    assigned_free(m->assigned);
    free(m);
}

void share_free(struct share_group *g) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&g->m.members, &i));) free_member(e->value);
    free_topics(&g->initializing);
    free_topics(&g->initialized);
    free_topics(&g->deleting);
    modern_free_parts(&g->m);
    free(g);
}

static void free_modern(struct modern *m) { share_free(share_of(m)); }

/* --- members --- */

struct share_member share_member_new(struct kstr id) {
    return (struct share_member){.m = {.id = id,
                                       .instance_id = KSTR_NULL,
                                       .rack = KSTR_NULL,
                                       .client_id = KSTR(""),
                                       .client_host = KSTR(""),
                                       .previous_epoch = -1}};
}

bool share_member_equal(const struct share_member *a, const struct share_member *b) {
    return kstr_equal(a->m.id, b->m.id) && kstr_equal(a->m.rack, b->m.rack) &&
           kstr_equal(a->m.client_id, b->m.client_id) && kstr_equal(a->m.client_host, b->m.client_host) &&
           a->m.epoch == b->m.epoch && a->m.previous_epoch == b->m.previous_epoch &&
           a->m.state == b->m.state && names_equal(&a->m.topics, &b->m.topics) &&
           assigned_equal(a->assigned, b->assigned, false);
}

static struct share_member *find_or_add(struct share_group *g, struct kstr id) {
    struct share_member *m = share_member(g, id);
    if (m) return m;
    m = xmalloc(sizeof *m);
    *m = share_member_new(KSTR_NULL);
    m->m.id = kstr_own(id);
    m->m.client_id = kstr_own(KSTR(""));
    m->m.client_host = kstr_own(KSTR(""));
    hashmap_put(&g->m.members, m->m.id.s, (size_t)m->m.id.len, m);
    return m;
}

static const char *state(const struct modern *m) { return m->members.count ? "Stable" : "Empty"; }

/* --- replay --- */

static int replay_member(struct group_shard *s, struct share_group *g, struct kstr id, struct reader *r) {
    struct share_group_member_metadata_value v;
    struct names topics;
    if (!r) {
        struct share_member *m = share_member(g, id);
        modern_timers_cancel(s, g->m.id, id);
        if (!m) return 0;
        subscriptions_of(&g->m.topics, &m->m.topics, -1);
        hashmap_del(&g->m.members, m->m.id.s, (size_t)m->m.id.len);
        free_member(m);
        return 0;
    }
    if (share_group_member_metadata_value_decode(&v, r, read_i16(r), &s->decoding)) return OE_CORRUPT;
    if (!names_sort(&s->decoding, v.subscribed_topic_names, v.subscribed_topic_names_n, &topics))
        return OE_NOMEM;
    struct share_member *m = find_or_add(g, id);
    subscriptions_of(&g->m.topics, &m->m.topics, -1);
    kstr_set(&m->m.rack, v.rack_id);
    kstr_set(&m->m.client_id, v.client_id);
    kstr_set(&m->m.client_host, v.client_host);
    names_free(&m->m.topics);
    m->m.topics = names_own(&topics);
    subscriptions_of(&g->m.topics, &m->m.topics, 1);
    return 0;
}

static int replay_epoch(struct group_shard *s, struct share_group *g, struct reader *r) {
    struct share_group_metadata_value v;
    if (!r) return 0;
    if (share_group_metadata_value_decode(&v, r, read_i16(r), &s->decoding)) return OE_CORRUPT;
    g->m.epoch = v.epoch;
    g->m.metadata_hash = v.metadata_hash;
    return 0;
}

static int replay_target(struct group_shard *s, struct share_group *g, struct kstr id, struct reader *r) {
    struct share_group_target_assignment_member_value v;
    struct assigned_builder b = assigned_begin(&s->decoding);
    if (!r) {
        modern_target_drop(&g->m, id);
        return 0;
    }
    if (share_group_target_assignment_member_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    for (int32_t i = 0; i < v.topic_partitions_n; i++)
        assigned_add_topic(&b, &v.topic_partitions[i].topic_id, v.topic_partitions[i].partitions,
                           v.topic_partitions[i].partitions_n, NULL, 0);
    struct assigned *a = assigned_finish(&b, true);
    if (b.failed) return OE_NOMEM;
    modern_target_set(&g->m, id, a);
    return 0;
}

static int replay_target_epoch(struct group_shard *s, struct share_group *g, struct reader *r) {
    struct share_group_target_assignment_metadata_value v = {.assignment_epoch = -1};
    if (r && share_group_target_assignment_metadata_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    g->m.assignment_epoch = v.assignment_epoch;
    g->m.assignment_ms = v.assignment_timestamp;
    return 0;
}

static int replay_current(struct group_shard *s, struct share_group *g, struct kstr id, struct reader *r) {
    struct share_group_current_member_assignment_value v = {.member_epoch = EPOCH_LEAVE,
                                                            .previous_member_epoch = EPOCH_LEAVE};
    struct assigned_builder b = assigned_begin(&s->decoding);
    if (!r && !share_member(g, id)) return 0;
    if (r && share_group_current_member_assignment_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    for (int32_t i = 0; i < v.assigned_partitions_n; i++)
        assigned_add_topic(&b, &v.assigned_partitions[i].topic_id, v.assigned_partitions[i].partitions,
                           v.assigned_partitions[i].partitions_n, NULL, 0);
    struct assigned *a = assigned_finish(&b, true);
    if (b.failed) return OE_NOMEM;
    struct share_member *m = find_or_add(g, id);
    assigned_free(m->assigned);
    m->assigned = a;
    m->m.epoch = v.member_epoch;
    m->m.previous_epoch = v.previous_member_epoch;
    if (r) m->m.state = (enum member_state)v.state;
    return 0;
}

static void take_name(struct share_topics *t, const struct uuid *id, struct kstr name) {
    t->topics[t->n++] = (struct share_topic){.id = *id, .name = kstr_own(name)};
}

static int take_topics(struct group_shard *s, struct share_topics *t,
                       const struct share_group_state_partition_metadata_value_topic_partitions_info *v,
                       int32_t n) {
    struct assigned_builder b = assigned_begin(&s->decoding);
    free_topics(t);
    t->topics = xcalloc((size_t)n + 1, sizeof *t->topics);
    t->since_ms = s->now.wall;
    for (int32_t i = 0; i < n; i++) {
        assigned_add_topic(&b, &v[i].topic_id, v[i].partitions, v[i].partitions_n, NULL, 0);
        take_name(t, &v[i].topic_id, v[i].topic_name);
    }
    t->partitions = assigned_finish(&b, true);
    return b.failed ? OE_NOMEM : 0;
}

static int replay_states(struct group_shard *s, struct share_group *g, struct reader *r) {
    struct share_group_state_partition_metadata_value v = {0};
    if (r && share_group_state_partition_metadata_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    g->has_states = r;
    int err = take_topics(s, &g->initializing, v.initializing_topics, v.initializing_topics_n);
    if (!err) err = take_topics(s, &g->initialized, v.initialized_topics, v.initialized_topics_n);
    free_topics(&g->deleting);
    g->deleting.topics = xcalloc((size_t)v.deleting_topics_n + 1, sizeof *g->deleting.topics);
    for (int32_t i = 0; i < v.deleting_topics_n; i++)
        take_name(&g->deleting, &v.deleting_topics[i].topic_id, v.deleting_topics[i].topic_name);
    return err;
}

static int replay(struct group_shard *s, struct modern *m, int16_t type, struct kstr second,
                  struct reader *r) {
    struct share_group *g = share_of(m);
    switch (type) {
    case GROUP_SHARE_GROUP_METADATA: return replay_epoch(s, g, r);
    case GROUP_SHARE_GROUP_MEMBER_METADATA: return replay_member(s, g, second, r);
    case GROUP_SHARE_GROUP_TARGET_ASSIGNMENT_METADATA: return replay_target_epoch(s, g, r);
    case GROUP_SHARE_GROUP_TARGET_ASSIGNMENT_MEMBER: return replay_target(s, g, second, r);
    case GROUP_SHARE_GROUP_CURRENT_MEMBER_ASSIGNMENT: return replay_current(s, g, second, r);
    default: ASSERT(type == GROUP_SHARE_GROUP_STATE_PARTITION_METADATA); return replay_states(s, g, r);
    }
}

static void members_gone(struct group_shard *s, const struct modern *m, int16_t type) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&m->members, &i));)
        record_tombstone(s, type, m->id, ((const struct modern_member *)e->value)->id);
}

static void delete_records(struct group_shard *s, const struct modern *m) {
    struct kstr none = KSTR_NULL;
    members_gone(s, m, GROUP_SHARE_GROUP_CURRENT_MEMBER_ASSIGNMENT);
    members_gone(s, m, GROUP_SHARE_GROUP_TARGET_ASSIGNMENT_MEMBER);
    record_tombstone(s, GROUP_SHARE_GROUP_TARGET_ASSIGNMENT_METADATA, m->id, none);
    members_gone(s, m, GROUP_SHARE_GROUP_MEMBER_METADATA);
    record_tombstone(s, GROUP_SHARE_GROUP_STATE_PARTITION_METADATA, m->id, none);
    record_tombstone(s, GROUP_SHARE_GROUP_METADATA, m->id, none);
}

static void loaded(struct group_shard *s, struct modern *m) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&m->members, &i));)
        modern_timer_set(s, m->id, ((const struct modern_member *)e->value)->id, MEMBER_SESSION,
                         share_session_ms(s, m->id), 0);
}

const struct modern_kind share_kind = {
    .type = GROUP_KIND_SHARE,
    .protocol_type = "share",
    .create = create,
    .free = free_modern,
    .replay = replay,
    .state = state,
    .delete_records = delete_records,
    .loaded = loaded,
    .due = share_due,
};
