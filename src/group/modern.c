#include "group/modern.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "group/consumer.h"
#include "group/own.h"
#include "group/streams.h"
#include "group/share_group.h"
#include "metadata/image.h"
#include "records/group.h"
#include "wire/reader.h"

/* --- kinds and their records --- */

const struct modern_kind *modern_kind_of(enum group_kind type) {
    switch (type) {
    case GROUP_KIND_CONSUMER: return &consumer_kind;
    case GROUP_KIND_STREAMS: return &streams_kind;
    case GROUP_KIND_SHARE: return &share_kind;
    default: return NULL;
    }
}

enum second { SECOND_NONE, SECOND_PART };

/* The records of a kind; `dissolves`: its tombstone ends the group. */
static const struct row {
    enum group_kind kind;
    enum second second;
    bool dissolves;
} rows[] = {
    [GROUP_CONSUMER_GROUP_METADATA] = {GROUP_KIND_CONSUMER, SECOND_NONE, true},
    [GROUP_CONSUMER_GROUP_PARTITION_METADATA] = {GROUP_KIND_CONSUMER, SECOND_NONE, false},
    [GROUP_CONSUMER_GROUP_MEMBER_METADATA] = {GROUP_KIND_CONSUMER, SECOND_PART, false},
    [GROUP_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA] = {GROUP_KIND_CONSUMER, SECOND_NONE, false},
    [GROUP_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER] = {GROUP_KIND_CONSUMER, SECOND_PART, false},
    [GROUP_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT] = {GROUP_KIND_CONSUMER, SECOND_PART, false},
    [GROUP_CONSUMER_GROUP_REGULAR_EXPRESSION] = {GROUP_KIND_CONSUMER, SECOND_PART, false},
    [GROUP_STREAMS_GROUP_METADATA] = {GROUP_KIND_STREAMS, SECOND_NONE, true},
    [GROUP_STREAMS_GROUP_MEMBER_METADATA] = {GROUP_KIND_STREAMS, SECOND_PART, false},
    [GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_METADATA] = {GROUP_KIND_STREAMS, SECOND_NONE, false},
    [GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER] = {GROUP_KIND_STREAMS, SECOND_PART, false},
    [GROUP_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT] = {GROUP_KIND_STREAMS, SECOND_PART, false},
    [GROUP_STREAMS_GROUP_TOPOLOGY] = {GROUP_KIND_STREAMS, SECOND_NONE, false},
    [GROUP_SHARE_GROUP_METADATA] = {GROUP_KIND_SHARE, SECOND_NONE, true},
    [GROUP_SHARE_GROUP_MEMBER_METADATA] = {GROUP_KIND_SHARE, SECOND_PART, false},
    [GROUP_SHARE_GROUP_TARGET_ASSIGNMENT_METADATA] = {GROUP_KIND_SHARE, SECOND_NONE, false},
    [GROUP_SHARE_GROUP_TARGET_ASSIGNMENT_MEMBER] = {GROUP_KIND_SHARE, SECOND_PART, false},
    [GROUP_SHARE_GROUP_CURRENT_MEMBER_ASSIGNMENT] = {GROUP_KIND_SHARE, SECOND_PART, false},
    [GROUP_SHARE_GROUP_STATE_PARTITION_METADATA] = {GROUP_KIND_SHARE, SECOND_NONE, false},
};

static const struct row *row_of(int16_t type) {
    if (type < 0 || (size_t)type >= sizeof rows / sizeof *rows) return NULL;
    return modern_kind_of(rows[type].kind) ? &rows[type] : NULL;
}

bool modern_replayed(int16_t record_type) { return row_of(record_type) != NULL; }

struct modern *modern_find(const struct group_shard *s, struct kstr id, enum group_kind type) {
    struct group *g = group_existing(s, id);
    return g && g->type == type ? g->modern : NULL;
}

/* The group as one of the kind; a simple group gives way. NULL: a group of another kind has the id. */
static struct modern *become(struct group_shard *s, struct group *g, const struct modern_kind *kind) {
    if (g->modern && g->modern->kind == kind) return g->modern;
    if (g->type != GROUP_KIND_NONE && !group_is_simple(g)) return NULL;
    if (g->classic) classic_free(s, g->classic);
    g->classic = NULL;
    g->type = kind->type;
    return g->modern = kind->create(s, g->id);
}

int modern_replay(struct group_shard *s, int16_t record_type, struct reader *key, struct kbytes value) {
    const struct row *row = row_of(record_type);
    ASSERT(row);
    struct kstr id = read_string(key, false, false), second = KSTR_NULL;
    if (row->second == SECOND_PART) second = read_string(key, false, false);
    if (key->err) return OE_CORRUPT;
    struct reader r = reader_of(value.p, value.len < 0 ? 0 : (size_t)value.len);
    if (value.len >= 0) {
        struct group *g = group_find_or_add(s, id);
        struct modern *m = become(s, g, modern_kind_of(row->kind));
        if (!m) {
            LOG_ERROR("group", "%.*s: a record of a %s group, but the group is of another kind", KSTR_ARG(id),
                      group_kind_names[row->kind]);
            return OE_CORRUPT;
        }
        return m->kind->replay(s, m, record_type, second, &r);
    }
    struct modern *m = modern_find(s, id, row->kind);
    if (!m) return 0;
    int err = m->kind->replay(s, m, record_type, second, NULL);
    if (!err && row->dissolves) group_dissolve(s, group_find(s, id));
    return err;
}

void modern_init(struct modern *m, const struct modern_kind *kind, struct kstr id, uint64_t seed) {
    *m = (struct modern){.kind = kind, .id = kstr_own(id), .epoch = 1, .assignment_epoch = 1};
    hashmap_init(&m->members, seed);
    hashmap_init(&m->topics, seed);
    hashmap_init(&m->targets, seed);
}

static void free_target(struct target *t) {
    kstr_disown(&t->member);
    assigned_free(t->partitions);
    free(t);
}

void modern_free_parts(struct modern *m) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&m->targets, &i));) free_target(e->value);
    hashmap_free(&m->targets);
    hashmap_free(&m->members);
    subscriptions_free(&m->topics);
    kstr_disown(&m->id);
}

void modern_member_free_parts(struct modern_member *m) {
    kstr_disown(&m->id);
    kstr_disown(&m->instance_id);
    kstr_disown(&m->rack);
    kstr_disown(&m->client_id);
    kstr_disown(&m->client_host);
    names_free(&m->topics);
}

bool member_reconciled(const struct modern_member *m, int32_t assignment_epoch) {
    return m->state == MEMBER_STABLE && m->epoch == assignment_epoch;
}

/* --- subscriptions --- */

void subscriptions_change(struct hashmap *topics, struct kstr name, int32_t by_name, int32_t by_regex) {
    struct subscription *t = hashmap_get(topics, name.s, (size_t)name.len);
    if (!t) {
        if (by_name <= 0 && by_regex <= 0) return; /* a count that a damaged log has lost */
        t = xcalloc(1, sizeof *t);
        t->name = kstr_own(name);
        hashmap_put(topics, t->name.s, (size_t)t->name.len, t);
    }
    t->by_name += by_name;
    t->by_regex += by_regex;
    if (t->by_name > 0 || t->by_regex > 0) return;
    hashmap_del(topics, t->name.s, (size_t)t->name.len);
    kstr_disown(&t->name);
    free(t);
}

void subscriptions_of(struct hashmap *topics, const struct names *names, int32_t by_name) {
    for (int32_t i = 0; i < names->n; i++) subscriptions_change(topics, names->list[i], by_name, 0);
}

struct hashmap subscriptions_copy(const struct hashmap *topics) {
    struct hashmap copy;
    struct hashmap_entry *e;
    hashmap_init(&copy, topics->seed);
    for (size_t i = 0; (e = hashmap_next(topics, &i));) {
        const struct subscription *t = e->value;
        subscriptions_change(&copy, t->name, t->by_name, t->by_regex);
    }
    return copy;
}

void subscriptions_free(struct hashmap *topics) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(topics, &i));) {
        struct subscription *t = e->value;
        kstr_disown(&t->name);
        free(t);
    }
    hashmap_free(topics);
}

/* --- target assignment --- */

const struct target *modern_target(const struct modern *m, struct kstr member) {
    return member.len >= 0 ? hashmap_get(&m->targets, member.s, (size_t)member.len) : NULL;
}

void modern_target_set(struct modern *m, struct kstr member, struct assigned *partitions) {
    struct target *t = hashmap_get(&m->targets, member.s, (size_t)member.len);
    if (!t) {
        t = xcalloc(1, sizeof *t);
        t->member = kstr_own(member);
        hashmap_put(&m->targets, t->member.s, (size_t)t->member.len, t);
    }
    assigned_free(t->partitions);
    t->partitions = partitions;
}

void modern_target_drop(struct modern *m, struct kstr member) {
    struct target *t = hashmap_del(&m->targets, member.s, (size_t)member.len);
    if (t) free_target(t);
}

bool modern_may_assign(const struct group_shard *s, const struct modern *m, const char *key,
                       const struct group_setting *interval) {
    int32_t ms = modern_setting(s, m->id, key, interval);
    return m->assignment_ms == 0 || ms == 0 || s->now.wall >= m->assignment_ms + ms;
}

/* --- timers --- */

/* All timers of one member. */
struct member_timers {
    struct group_timer timers[MEMBER_TIMERS];
    int32_t epochs[MEMBER_TIMERS];
    int32_t group_len;
    uint32_t key_len;
    uint8_t key[]; /* length of the group's id, it, the member's id */
};

enum { RETRY_MS = 500 };

static const enum group_timer_kind timer_kinds[MEMBER_TIMERS] = {
    [MEMBER_SESSION] = TIMER_MEMBER_SESSION,
    [MEMBER_REBALANCE] = TIMER_MEMBER_REBALANCE,
    [MEMBER_JOIN] = TIMER_MEMBER_JOIN,
    [MEMBER_SYNC] = TIMER_MEMBER_SYNC,
};

static struct member_timers *timers_of(struct group_shard *s, struct kstr group, struct kstr member,
                                       bool add) {
    size_t len = 4 + (size_t)group.len + (size_t)member.len;
    uint8_t *key = xmalloc(len);
    put_i32(key, group.len);
    if (group.len) memcpy(key + 4, group.s, (size_t)group.len);
    if (member.len) memcpy(key + 4 + group.len, member.s, (size_t)member.len);
    struct member_timers *t = hashmap_get(&s->member_timers, key, len);
    if (!t && add) {
        t = xcalloc(1, sizeof *t + len);
        t->group_len = group.len;
        t->key_len = (uint32_t)len;
        memcpy(t->key, key, len);
        hashmap_put(&s->member_timers, t->key, len, t);
    }
    free(key);
    return t;
}

static void forget_if_idle(struct group_shard *s, struct member_timers *t) {
    for (int i = 0; i < MEMBER_TIMERS; i++)
        if (heap_has(&t->timers[i].node)) return;
    hashmap_del(&s->member_timers, t->key, t->key_len);
    free(t);
}

void modern_timer_set(struct group_shard *s, struct kstr group, struct kstr member, enum member_timer which,
                      int64_t ms, int32_t epoch) {
    struct member_timers *t = timers_of(s, group, member, true);
    t->epochs[which] = epoch;
    group_timer_set(s, &t->timers[which], timer_kinds[which], s->now.mono + ms);
}

void modern_timer_set_if_absent(struct group_shard *s, struct kstr group, struct kstr member,
                                enum member_timer which, int64_t ms) {
    struct member_timers *t = timers_of(s, group, member, true);
    if (!heap_has(&t->timers[which].node))
        group_timer_set(s, &t->timers[which], timer_kinds[which], s->now.mono + ms);
}

bool modern_timer_is_set(struct group_shard *s, struct kstr group, struct kstr member,
                         enum member_timer which) {
    const struct member_timers *t = timers_of(s, group, member, false);
    return t && heap_has(&t->timers[which].node);
}

void modern_timer_cancel(struct group_shard *s, struct kstr group, struct kstr member,
                         enum member_timer which) {
    struct member_timers *t = timers_of(s, group, member, false);
    if (!t) return;
    group_timer_cancel(s, &t->timers[which]);
    forget_if_idle(s, t);
}

void modern_timers_cancel(struct group_shard *s, struct kstr group, struct kstr member) {
    struct member_timers *t = timers_of(s, group, member, false);
    if (!t) return;
    for (int i = 0; i < MEMBER_TIMERS; i++) group_timer_cancel(s, &t->timers[i]);
    forget_if_idle(s, t);
}

static void keep_timer(struct group_shard *s, struct kstr group, struct kstr member, enum member_timer which,
                       int32_t epoch) {
    struct group_after *a = xcalloc(1, sizeof *a);
    ASSERT(!s->result->after);
    *a = (struct group_after){
        .kind = AFTER_MEMBER_TIMER,
        .group_id = kstr_own(group),
        .member_id = kstr_own(member),
        .old_member_id = KSTR_NULL,
        .instance_id = KSTR_NULL,
        .old_leader_id = KSTR_NULL,
        .generation = epoch,
        .timer = (int)which,
    };
    s->result->after = a;
}

void modern_timer_written(struct group_shard *s, const struct group_after *a, int16_t error) {
    if (error)
        modern_timer_set(s, a->group_id, a->member_id, (enum member_timer)a->timer, RETRY_MS, a->generation);
}

void modern_timer_due(struct group_shard *s, struct group_timer *timer) {
    enum member_timer which = MEMBER_SESSION;
    while (timer_kinds[which] != timer->kind) which++;
    struct member_timers *t =
        (struct member_timers *)((char *)(timer - which) - offsetof(struct member_timers, timers));
    uint8_t *ids = xmalloc(t->key_len); /* `due` may free t */
    memcpy(ids, t->key, t->key_len);
    struct kstr group = {.s = (char *)ids + 4, .len = t->group_len};
    struct kstr member = {.s = group.s + group.len, .len = (int32_t)t->key_len - 4 - group.len};
    int32_t epoch = t->epochs[which];
    forget_if_idle(s, t);
    struct group *g = group_existing(s, group);
    if (g && g->modern) g->modern->kind->due(s, g->modern, member, which, epoch);
    if (s->result->records_n) keep_timer(s, group, member, which, epoch);
    free(ids);
}

void modern_timers_free(struct group_shard *s) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&s->member_timers, &i));) {
        struct member_timers *t = e->value;
        for (int k = 0; k < MEMBER_TIMERS; k++) group_timer_cancel(s, &t->timers[k]);
        free(t);
    }
    hashmap_free(&s->member_timers);
}

/* --- configuration --- */

int32_t modern_setting(const struct group_shard *s, struct kstr group, const char *key,
                       const struct group_setting *broker) {
    const struct config_set *set =
        s->image && group.len > 0 ? image_configs(s->image, CONFIG_GROUP, group.s, (size_t)group.len) : NULL;
    const char *text = set ? config_set_get(set, key) : NULL;
    if (!text) return broker->value;
    long long v = strtoll(text, NULL, 10); /* checked when it was set; the limits may have changed since */
    return (int32_t)(v < broker->min ? broker->min : v > broker->max ? broker->max : v);
}
