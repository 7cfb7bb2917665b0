#include "group/consumer.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/jstring.h"
#include "base/log.h"
#include "group/own.h"
#include "records/group.h"
#include "wire/reader.h"

struct owned_partition {
    uint8_t key[20]; /* topic id, partition */
    int32_t epoch;
};

static void owned_key(uint8_t key[20], const struct uuid *topic, int32_t partition) {
    memcpy(key, topic->b, sizeof topic->b);
    put_i32(key + 16, partition);
}

static void free_said(struct hashmap *said) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(said, &i));) {
        struct said *x = e->value;
        kstr_disown(&x->name);
        free(x);
    }
    hashmap_free(said);
}

static void say(struct hashmap *said, struct kstr name, int32_t by) {
    struct said *x = hashmap_get(said, name.s, (size_t)name.len);
    if (!x) {
        ASSERT(by > 0);
        x = xcalloc(1, sizeof *x);
        x->name = kstr_own(name);
        hashmap_put(said, x->name.s, (size_t)x->name.len, x);
    }
    x->n += by;
    ASSERT(x->n >= 0);
    if (x->n) return;
    hashmap_del(said, x->name.s, (size_t)x->name.len);
    kstr_disown(&x->name);
    free(x);
}

int32_t said_count(const struct hashmap *said, struct kstr name) {
    const struct said *x = name.len >= 0 ? hashmap_get(said, name.s, (size_t)name.len) : NULL;
    return x ? x->n : 0;
}

/* --- life --- */

struct consumer *consumer_create(struct group_shard *s, struct kstr id) {
    struct consumer *c = xcalloc(1, sizeof *c);
    modern_init(&c->m, &consumer_kind, id, s->seed);
    hashmap_init(&c->by_instance, s->seed);
    hashmap_init(&c->assignors, s->seed);
    hashmap_init(&c->regexes, s->seed);
    hashmap_init(&c->protocols, s->seed);
    hashmap_init(&c->resolved, s->seed);
    hashmap_init(&c->owned, s->seed);
    return c;
}

static struct modern *create(struct group_shard *s, struct kstr id) { return &consumer_create(s, id)->m; }

static void free_member_parts(struct consumer_member *m) {
    modern_member_free_parts(&m->m);
    kstr_disown(&m->regex);
    kstr_disown(&m->assignor);
    assigned_free(m->assigned);
    assigned_free(m->revoking);
    protocols_free(&m->protocols);
}

static void free_resolved(struct resolved *r) {
    kstr_disown(&r->regex);
    names_free(&r->topics);
    free(r);
}

void consumer_free(struct consumer *c) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&c->m.members, &i));) {
        free_member_parts(e->value);
        free(e->value);
    }
    for (size_t i = 0; (e = hashmap_next(&c->resolved, &i));) free_resolved(e->value);
    for (size_t i = 0; (e = hashmap_next(&c->owned, &i));) free(e->value);
    hashmap_free(&c->by_instance);
    free_said(&c->assignors);
    free_said(&c->regexes);
    free_said(&c->protocols);
    hashmap_free(&c->resolved);
    hashmap_free(&c->owned);
    modern_free_parts(&c->m);
    free(c);
}

static void free_modern(struct modern *m) { consumer_free(consumer_of(m)); }

/* --- members --- */

struct consumer_member consumer_member_new(struct kstr id) {
    return (struct consumer_member){
        .m = {.id = id,
              .instance_id = KSTR_NULL,
              .rack = KSTR_NULL,
              .client_id = KSTR(""),
              .client_host = KSTR(""),
              .previous_epoch = -1},
        .rebalance_timeout_ms = -1,
        .regex = KSTR(""),
        .assignor = KSTR_NULL,
    };
}

static bool same_metadata(const struct consumer_member *a, const struct consumer_member *b) {
    return kstr_equal(a->m.id, b->m.id) && kstr_equal(a->m.instance_id, b->m.instance_id) &&
           kstr_equal(a->m.rack, b->m.rack) && kstr_equal(a->m.client_id, b->m.client_id) &&
           kstr_equal(a->m.client_host, b->m.client_host) && names_equal(&a->m.topics, &b->m.topics) &&
           a->rebalance_timeout_ms == b->rebalance_timeout_ms && kstr_equal(a->regex, b->regex) &&
           kstr_equal(a->assignor, b->assignor) && a->classic == b->classic &&
           a->classic_session_ms == b->classic_session_ms && protocols_equal(&a->protocols, &b->protocols);
}

bool consumer_member_equal(const struct consumer_member *a, const struct consumer_member *b) {
    return a->m.epoch == b->m.epoch && a->m.previous_epoch == b->m.previous_epoch &&
           a->m.state == b->m.state && assigned_equal(a->assigned, b->assigned, true) &&
           assigned_equal(a->revoking, b->revoking, true) && same_metadata(a, b);
}

struct consumer_member *consumer_static_member(const struct consumer *c, struct kstr instance_id) {
    return instance_id.len >= 0 ? hashmap_get(&c->by_instance, instance_id.s, (size_t)instance_id.len) : NULL;
}

/* What a member says of itself is counted, or (-1) no more. */
static void count_metadata(struct consumer *c, struct consumer_member *m, int32_t by) {
    subscriptions_of(&c->m.topics, &m->m.topics, by);
    if (m->assignor.len >= 0) say(&c->assignors, m->assignor, by);
    if (consumer_has_regex(m)) say(&c->regexes, m->regex, by);
    if (m->classic) c->classic_n += by;
    for (int32_t i = 0; m->classic && i < m->protocols.n; i++)
        say(&c->protocols, m->protocols.list[i].name, by);
    if (m->m.instance_id.len < 0) return;
    struct kstr instance = m->m.instance_id;
    if (by > 0)
        hashmap_put(&c->by_instance, instance.s, (size_t)instance.len, m);
    else if (consumer_static_member(c, instance) == m)
        hashmap_del(&c->by_instance, instance.s, (size_t)instance.len);
}

static void disown(struct consumer *c, const struct assigned *a, int32_t epoch) {
    uint8_t key[20];
    for (int32_t t = 0; t < assigned_topics(a); t++)
        for (int32_t i = 0; i < a->topics[t].n; i++) {
            owned_key(key, &a->topics[t].id, a->topics[t].partitions[i]);
            struct owned_partition *o = hashmap_get(&c->owned, key, sizeof key);
            if (!o || o->epoch != epoch) continue; /* another member has it already */
            hashmap_del(&c->owned, key, sizeof key);
            free(o);
        }
}

static void own(struct consumer *c, const struct assigned *a, int32_t epoch) {
    uint8_t key[20];
    for (int32_t t = 0; t < assigned_topics(a); t++)
        for (int32_t i = 0; i < a->topics[t].n; i++) {
            owned_key(key, &a->topics[t].id, a->topics[t].partitions[i]);
            struct owned_partition *o = hashmap_get(&c->owned, key, sizeof key);
            if (!o) {
                o = xcalloc(1, sizeof *o);
                memcpy(o->key, key, sizeof key);
                o->epoch = INT32_MIN;
                hashmap_put(&c->owned, o->key, sizeof o->key, o);
            } else if (o->epoch >= epoch) {
                LOG_ERROR("group", "%.*s: a partition is assigned at epoch %d and still owned at %d",
                          KSTR_ARG(c->m.id), epoch, o->epoch);
            }
            if (epoch > o->epoch) o->epoch = epoch;
        }
}

int32_t consumer_partition_epoch(const struct consumer *c, const struct uuid *topic, int32_t partition) {
    uint8_t key[20];
    owned_key(key, topic, partition);
    const struct owned_partition *o = hashmap_get(&c->owned, key, sizeof key);
    return o ? o->epoch : -1;
}

static struct consumer_member *find_or_add(struct consumer *c, struct kstr id) {
    struct consumer_member *m = consumer_member(c, id);
    if (m) return m;
    m = xmalloc(sizeof *m);
    *m = consumer_member_new(KSTR_NULL);
    m->m.id = kstr_own(id);
    m->m.client_id = kstr_own(KSTR(""));
    m->m.client_host = kstr_own(KSTR(""));
    m->regex = kstr_own(KSTR(""));
    hashmap_put(&c->m.members, m->m.id.s, (size_t)m->m.id.len, m);
    return m;
}

/* The member's own description becomes that of `from`, which is borrowed. */
static void set_metadata(struct consumer *c, struct consumer_member *m, const struct consumer_member *from) {
    count_metadata(c, m, -1);
    kstr_set(&m->m.instance_id, from->m.instance_id);
    kstr_set(&m->m.rack, from->m.rack);
    kstr_set(&m->m.client_id, from->m.client_id);
    kstr_set(&m->m.client_host, from->m.client_host);
    kstr_set(&m->regex, from->regex);
    kstr_set(&m->assignor, from->assignor);
    m->rebalance_timeout_ms = from->rebalance_timeout_ms;
    names_free(&m->m.topics);
    m->m.topics = names_own(&from->m.topics);
    protocols_free(&m->protocols);
    m->classic = from->classic;
    m->classic_session_ms = from->classic_session_ms;
    if (from->classic) m->protocols = protocols_copy(from->protocols.list, from->protocols.n);
    count_metadata(c, m, 1);
}

/* assigned, revoking: taken over. */
static void set_current(struct consumer *c, struct consumer_member *m, int32_t epoch, int32_t previous,
                        enum member_state state, struct assigned *assigned, struct assigned *revoking) {
    disown(c, m->assigned, m->m.epoch);
    disown(c, m->revoking, m->m.epoch);
    assigned_free(m->assigned);
    assigned_free(m->revoking);
    m->m.epoch = epoch;
    m->m.previous_epoch = previous;
    m->m.state = state;
    m->assigned = assigned;
    m->revoking = revoking;
    own(c, assigned, epoch);
    own(c, revoking, epoch);
}

static void remove_member(struct consumer *c, struct consumer_member *m) {
    count_metadata(c, m, -1);
    set_current(c, m, EPOCH_LEAVE, EPOCH_LEAVE, m->m.state, NULL, NULL);
    hashmap_del(&c->m.members, m->m.id.s, (size_t)m->m.id.len);
    free_member_parts(m);
    free(m);
}

static struct assigned *owned_copy(const struct assigned *a) {
    struct arena arena;
    arena_init(&arena, SIZE_MAX);
    struct assigned_builder b = assigned_begin(&arena);
    assigned_add_all(&b, a);
    struct assigned *copy = assigned_finish(&b, true);
    arena_free(&arena);
    return copy;
}

void consumer_put(struct consumer *c, const struct consumer_member *from) {
    struct consumer_member *m = find_or_add(c, from->m.id);
    set_metadata(c, m, from);
    set_current(c, m, from->m.epoch, from->m.previous_epoch, from->m.state, owned_copy(from->assigned),
                owned_copy(from->revoking));
}

/* --- what the group wants --- */

struct resolved *consumer_resolved(const struct consumer *c, struct kstr regex) {
    return regex.len >= 0 ? hashmap_get(&c->resolved, regex.s, (size_t)regex.len) : NULL;
}

const struct assigned *consumer_target(const struct consumer *c, struct kstr member,
                                       struct kstr instance_id) {
    if (instance_id.len >= 0) {
        const struct consumer_member *known = consumer_static_member(c, instance_id);
        if (!known) return NULL;
        member = known->m.id;
    }
    const struct target *t = modern_target(&c->m, member);
    return t ? t->partitions : NULL;
}

/* The place of a name in a small Java HashMap, which decides ties. */
static uint32_t java_bucket(struct kstr name) {
    uint32_t h = (uint32_t)jstring_hash(name.s, (size_t)name.len);
    return (h ^ h >> 16) & 15;
}

struct kstr consumer_assignor(const struct group_shard *s, const struct consumer *c,
                              const struct consumer_member *old, const struct consumer_member *now) {
    struct kstr best = KSTR_NULL;
    int32_t most = 0;
    struct kstr names[2] = {KSTR("range"), KSTR("uniform")};
    for (int i = 0; i < 2; i++) {
        int32_t n = said_count(&c->assignors, names[i]);
        n -= old && kstr_equal(old->assignor, names[i]);
        n += now && kstr_equal(now->assignor, names[i]);
        if (n > most || (n && n == most && java_bucket(names[i]) < java_bucket(best))) {
            most = n;
            best = names[i];
        }
    }
    return most ? best : s->config->consumer.assignors[0] == ASSIGNOR_RANGE ? names[0] : names[1];
}

const char *consumer_state(const struct modern *m) {
    struct hashmap_entry *e;
    if (!m->members.count) return "Empty";
    if (m->epoch > m->assignment_epoch) return "Assigning";
    for (size_t i = 0; (e = hashmap_next(&m->members, &i));)
        if (!member_reconciled(e->value, m->assignment_epoch)) return "Reconciling";
    return "Stable";
}

void consumer_check(const struct consumer *c) {
    struct hashmap_entry *e;
    size_t instances = 0, owned = 0;
    int32_t classic = 0;
    for (size_t i = 0; (e = hashmap_next(&c->m.members, &i));) {
        const struct consumer_member *m = e->value;
        instances += m->m.instance_id.len >= 0;
        classic += m->classic;
        owned += (size_t)(m->assigned ? m->assigned->partitions_n : 0) +
                 (size_t)(m->revoking ? m->revoking->partitions_n : 0);
        ASSERT(m->m.instance_id.len < 0 || consumer_static_member(c, m->m.instance_id) == m);
    }
    ASSERT(instances == c->by_instance.count);
    ASSERT(owned == c->owned.count);
    ASSERT(classic == c->classic_n);
}

/* --- replay --- */

static int replay_epoch(struct group_shard *s, struct consumer *c, struct reader *r) {
    struct consumer_group_metadata_value v;
    if (!r) return 0;
    if (consumer_group_metadata_value_decode(&v, r, read_i16(r), &s->decoding)) return OE_CORRUPT;
    c->m.epoch = v.epoch;
    c->m.metadata_hash = v.metadata_hash;
    return 0;
}

static struct protocols view_protocols(
    struct group_shard *s, const struct consumer_group_member_metadata_value_classic_member_metadata *v) {
    struct protocols p = {.list =
                              arena_calloc(&s->decoding, (size_t)v->supported_protocols_n, sizeof *p.list)};
    for (; p.list && p.n < v->supported_protocols_n; p.n++)
        p.list[p.n] = (struct protocol){.name = v->supported_protocols[p.n].name,
                                        .metadata = v->supported_protocols[p.n].metadata};
    return p;
}

static int replay_member(struct group_shard *s, struct consumer *c, struct kstr id, struct reader *r) {
    struct consumer_group_member_metadata_value v;
    if (!r) {
        struct consumer_member *m = consumer_member(c, id);
        modern_timers_cancel(s, c->m.id, id); /* not before: if the tombstone cannot be written, it stays */
        if (m) remove_member(c, m);
        return 0;
    }
    if (consumer_group_member_metadata_value_decode(&v, r, read_i16(r), &s->decoding)) return OE_CORRUPT;
    struct consumer_member from = consumer_member_new(id);
    from.m.instance_id = v.instance_id;
    from.m.rack = v.rack_id;
    from.m.client_id = v.client_id;
    from.m.client_host = v.client_host;
    from.regex = v.subscribed_topic_regex;
    from.assignor = v.server_assignor;
    from.rebalance_timeout_ms = v.rebalance_timeout_ms;
    if (!names_sort(&s->decoding, v.subscribed_topic_names, v.subscribed_topic_names_n, &from.m.topics))
        return OE_NOMEM;
    if (v.classic_member_metadata) {
        from.classic = true;
        from.classic_session_ms = v.classic_member_metadata->session_timeout_ms;
        from.protocols = view_protocols(s, v.classic_member_metadata);
    }
    set_metadata(c, find_or_add(c, id), &from);
    return 0;
}

static int replay_target(struct group_shard *s, struct consumer *c, struct kstr id, struct reader *r) {
    struct consumer_group_target_assignment_member_value v;
    if (!r) {
        modern_target_drop(&c->m, id);
        return 0;
    }
    if (consumer_group_target_assignment_member_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    struct assigned_builder b = assigned_begin(&s->decoding);
    for (int32_t i = 0; i < v.topic_partitions_n; i++)
        assigned_add_topic(&b, &v.topic_partitions[i].topic_id, v.topic_partitions[i].partitions,
                           v.topic_partitions[i].partitions_n, NULL, 0);
    struct assigned *a = assigned_finish(&b, true);
    if (b.failed) return OE_NOMEM;
    modern_target_set(&c->m, id, a);
    return 0;
}

static int replay_target_epoch(struct group_shard *s, struct consumer *c, struct reader *r) {
    struct consumer_group_target_assignment_metadata_value v = {.assignment_epoch = -1};
    if (r && consumer_group_target_assignment_metadata_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    c->m.assignment_epoch = v.assignment_epoch;
    c->m.assignment_ms = v.assignment_timestamp;
    return 0;
}

/* Before KIP-1251 a partition had no epoch of its own: the member's counts. */
static struct assigned *read_current(
    struct group_shard *s, const struct consumer_group_current_member_assignment_value_topic_partitions *v,
    int32_t n, int32_t member_epoch, bool *failed) {
    struct assigned_builder b = assigned_begin(&s->decoding);
    for (int32_t i = 0; i < n; i++)
        assigned_add_topic(&b, &v[i].topic_id, v[i].partitions, v[i].partitions_n,
                           v[i].assignment_epochs_n == v[i].partitions_n ? v[i].assignment_epochs : NULL,
                           member_epoch < 0 ? 0 : member_epoch);
    struct assigned *a = assigned_finish(&b, true);
    *failed |= b.failed;
    return a;
}

static enum member_state state_of(int8_t value) {
    return value == MEMBER_STABLE || value == MEMBER_UNREVOKED || value == MEMBER_UNRELEASED
               ? (enum member_state)value
               : MEMBER_UNKNOWN;
}

static int replay_current(struct group_shard *s, struct consumer *c, struct kstr id, struct reader *r) {
    struct consumer_group_current_member_assignment_value v;
    bool failed = false;
    if (!r) {
        struct consumer_member *m = consumer_member(c, id);
        if (m) set_current(c, m, EPOCH_LEAVE, EPOCH_LEAVE, m->m.state, NULL, NULL);
        return 0;
    }
    if (consumer_group_current_member_assignment_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    struct assigned *assigned =
        read_current(s, v.assigned_partitions, v.assigned_partitions_n, v.member_epoch, &failed);
    struct assigned *revoking = read_current(s, v.partitions_pending_revocation,
                                             v.partitions_pending_revocation_n, v.member_epoch, &failed);
    if (failed) {
        assigned_free(assigned);
        assigned_free(revoking);
        return OE_NOMEM;
    }
    set_current(c, find_or_add(c, id), v.member_epoch, v.previous_member_epoch, state_of(v.state), assigned,
                revoking);
    return 0;
}

static void count_resolved(struct consumer *c, const struct resolved *r, int32_t by) {
    for (int32_t i = 0; i < r->topics.n; i++) subscriptions_change(&c->m.topics, r->topics.list[i], 0, by);
}

static int replay_regex(struct group_shard *s, struct consumer *c, struct kstr regex, struct reader *r) {
    struct consumer_group_regular_expression_value v;
    struct names topics;
    if (r && consumer_group_regular_expression_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    if (r && !names_sort(&s->decoding, v.topics, v.topics_n, &topics)) return OE_NOMEM;
    struct resolved *known = hashmap_del(&c->resolved, regex.s, (size_t)regex.len);
    if (known) {
        count_resolved(c, known, -1);
        free_resolved(known);
    }
    if (!r) return 0;
    known = xcalloc(1, sizeof *known);
    *known = (struct resolved){
        .regex = kstr_own(regex), .topics = names_own(&topics), .version = v.version, .ms = v.timestamp};
    hashmap_put(&c->resolved, known->regex.s, (size_t)known->regex.len, known);
    count_resolved(c, known, 1);
    return 0;
}

static int replay(struct group_shard *s, struct modern *m, int16_t type, struct kstr second,
                  struct reader *r) {
    struct consumer *c = consumer_of(m);
    switch (type) {
    case GROUP_CONSUMER_GROUP_METADATA: return replay_epoch(s, c, r);
    case GROUP_CONSUMER_GROUP_PARTITION_METADATA: c->has_partition_metadata = r; return 0;
    case GROUP_CONSUMER_GROUP_MEMBER_METADATA: return replay_member(s, c, second, r);
    case GROUP_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA: return replay_target_epoch(s, c, r);
    case GROUP_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER: return replay_target(s, c, second, r);
    case GROUP_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT: return replay_current(s, c, second, r);
    default: ASSERT(type == GROUP_CONSUMER_GROUP_REGULAR_EXPRESSION); return replay_regex(s, c, second, r);
    }
}

static void delete_records(struct group_shard *s, const struct modern *m) {
    struct kstr nobody = KSTR_NULL;
    record_consumer_gone(s, (const struct consumer *)m, nobody, nobody);
}

static void loaded(struct group_shard *s, struct modern *m) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&m->members, &i));) {
        const struct consumer_member *member = e->value;
        modern_timer_set(s, m->id, member->m.id, MEMBER_SESSION, consumer_session_ms(s, m->id), 0);
        if (member->m.state == MEMBER_UNREVOKED)
            modern_timer_set(s, m->id, member->m.id, MEMBER_REBALANCE, member->rebalance_timeout_ms,
                             member->m.epoch);
    }
}

const struct modern_kind consumer_kind = {
    .type = GROUP_KIND_CONSUMER,
    .protocol_type = "consumer",
    .create = create,
    .free = free_modern,
    .replay = replay,
    .state = consumer_state,
    .delete_records = delete_records,
    .loaded = loaded,
    .due = consumer_due,
};
