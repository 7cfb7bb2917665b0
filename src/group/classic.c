/* The members of a classic group.
 *
 *            prepare                    next_generation            all assignments written
 *   Empty ───────────▶ PreparingRebalance ───────────▶ CompletingRebalance ───────────▶ Stable
 *     ▲                   │  ▲  ▲                          │                           │
 *     └── nobody joined ──┘  │  └──── a member changes ────┘                           │
 *                            └──────────────── a member changes, joins or leaves ──────┘
 *   any ──▶ Dead (unloaded)
 *
 * Invariants (classic_check):
 *  1. by_id holds exactly the members of the list; by_instance exactly those with an instance id; pending
 * none of them.
 *  2. awaiting_join and pending_sync count the members that say so.
 *  3. the leader is a member, and there is one unless the group was loaded without.
 *  4. `supported` counts, for each protocol name, how often members list it. */
#include "group/classic.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/jstring.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/own.h"
#include "group/state.h"

const char *const classic_state_names[] = {"Empty", "PreparingRebalance", "CompletingRebalance", "Stable",
                                           "Dead"};

/* How many times the members list a protocol. */
struct protocol_count {
    struct kstr name; /* owned */
    int32_t count;
};

struct protocols protocols_copy(const struct protocol *list, int32_t n) {
    size_t bytes = 0;
    for (int32_t i = 0; i < n; i++) bytes += (size_t)list[i].name.len + (size_t)list[i].metadata.len;
    struct protocols p = {.list = xmalloc((size_t)n * sizeof *p.list + bytes + 1), .n = n};
    uint8_t *at = (uint8_t *)(p.list + n);
    for (int32_t i = 0; i < n; i++) {
        p.list[i].name = (struct kstr){.s = (char *)at, .len = list[i].name.len};
        if (list[i].name.len) memcpy(at, list[i].name.s, (size_t)list[i].name.len);
        at += list[i].name.len;
        p.list[i].metadata = (struct kbytes){.p = at, .len = list[i].metadata.len};
        if (list[i].metadata.len) memcpy(at, list[i].metadata.p, (size_t)list[i].metadata.len);
        at += list[i].metadata.len;
    }
    return p;
}

void protocols_free(struct protocols *p) {
    free(p->list);
    *p = (struct protocols){0};
}

bool protocols_equal(const struct protocols *a, const struct protocols *b) {
    if (a->n != b->n) return false;
    for (int32_t i = 0; i < a->n; i++) {
        const struct protocol *x = &a->list[i], *y = &b->list[i];
        if (!kstr_equal(x->name, y->name) || x->metadata.len != y->metadata.len) return false;
        if (x->metadata.len && memcmp(x->metadata.p, y->metadata.p, (size_t)x->metadata.len)) return false;
    }
    return true;
}

struct classic *classic_create(struct group *g, enum classic_state state, int64_t since_ms, uint64_t seed) {
    struct classic *c = xcalloc(1, sizeof *c);
    *c = (struct classic){.group = g,
                          .state = state,
                          .previous = CLASSIC_DEAD,
                          .state_since_ms = since_ms,
                          .protocol_type = KSTR_NULL,
                          .protocol = KSTR_NULL};
    hashmap_init(&c->by_id, seed);
    hashmap_init(&c->by_instance, seed);
    hashmap_init(&c->pending, seed);
    hashmap_init(&c->supported, seed);
    hashmap_init(&c->topics, seed);
    return c;
}

static void forget_topics(struct classic *c) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&c->topics, &i));) free(e->value);
    hashmap_free(&c->topics);
}

static void free_member(struct group_shard *s, struct classic_member *m) {
    ASSERT(!m->join && !m->sync);
    group_timer_cancel(s, &m->session);
    kstr_disown(&m->id);
    kstr_disown(&m->instance_id);
    kstr_disown(&m->client_id);
    kstr_disown(&m->client_host);
    protocols_free(&m->protocols);
    kbytes_disown(&m->assignment);
    free(m);
}

static void free_pending(struct group_shard *s, struct classic_pending *p) {
    group_timer_cancel(s, &p->session);
    kstr_disown(&p->id);
    free(p);
}

void classic_free(struct group_shard *s, struct classic *c) {
    struct hashmap_entry *e;
    for (struct classic_member *m = c->members, *next; m; m = next) {
        next = m->next;
        free_member(s, m);
    }
    for (size_t i = 0; (e = hashmap_next(&c->pending, &i));) free_pending(s, e->value);
    for (size_t i = 0; (e = hashmap_next(&c->supported, &i));) {
        struct protocol_count *p = e->value;
        kstr_disown(&p->name);
        free(p);
    }
    forget_topics(c);
    hashmap_free(&c->by_id);
    hashmap_free(&c->by_instance);
    hashmap_free(&c->pending);
    hashmap_free(&c->supported);
    group_timer_cancel(s, &c->join_timer);
    group_timer_cancel(s, &c->sync_timer);
    kstr_disown(&c->protocol_type);
    kstr_disown(&c->protocol);
    free(c);
}

struct classic_member *classic_member_create(struct kstr id, struct kstr instance_id, struct kstr client_id,
                                             struct kstr client_host, int32_t rebalance_timeout_ms,
                                             int32_t session_timeout_ms, struct protocols protocols) {
    struct classic_member *m = xcalloc(1, sizeof *m);
    *m = (struct classic_member){
        .id = kstr_own(id),
        .instance_id = kstr_own(instance_id),
        .client_id = kstr_own(kstr_null(client_id) ? KSTR("") : client_id),
        .client_host = kstr_own(client_host),
        .rebalance_timeout_ms = rebalance_timeout_ms,
        .session_timeout_ms = session_timeout_ms,
        .protocols = protocols,
    };
    return m;
}

static void count_supported(struct classic *c, const struct protocols *p, int32_t by) {
    for (int32_t i = 0; i < p->n; i++) {
        struct kstr name = p->list[i].name;
        struct protocol_count *known = hashmap_get(&c->supported, name.s, (size_t)name.len);
        if (!known) {
            ASSERT(by > 0);
            known = xcalloc(1, sizeof *known);
            known->name = kstr_own(name);
            hashmap_put(&c->supported, known->name.s, (size_t)name.len, known);
        }
        known->count += by;
        ASSERT(known->count >= 0);
        if (known->count == 0) {
            hashmap_del(&c->supported, known->name.s, (size_t)known->name.len);
            kstr_disown(&known->name);
            free(known);
        }
    }
}

static int32_t supported_count(const struct classic *c, struct kstr name) {
    struct protocol_count *known = hashmap_get(&c->supported, name.s, (size_t)name.len);
    return known ? known->count : 0;
}

void classic_await_join(struct classic *c, struct classic_member *m, void *join) {
    c->awaiting_join += (join != NULL) - (m->join != NULL);
    m->join = join;
}

void classic_add(struct group_shard *s, struct classic *c, struct classic_member *m,
                 struct kstr protocol_type, void *join) {
    ASSERT(!classic_member(c, m->id));
    ASSERT(kstr_null(m->instance_id) || !classic_static_member(c, m->instance_id));
    if (!c->members_n) kstr_set(&c->protocol_type, protocol_type);
    m->classic = c;
    m->prev = c->last;
    *(c->last ? &c->last->next : &c->members) = m;
    c->last = m;
    c->members_n++;
    hashmap_put(&c->by_id, m->id.s, (size_t)m->id.len, m);
    if (!kstr_null(m->instance_id))
        hashmap_put(&c->by_instance, m->instance_id.s, (size_t)m->instance_id.len, m);
    if (!c->leader) c->leader = m;
    count_supported(c, &m->protocols, 1);
    classic_await_join(c, m, join);
    classic_remove_pending(s, c, m->id);
}

static void set_pending_sync(struct classic *c, struct classic_member *m, bool pending) {
    c->pending_sync += pending - m->pending_sync;
    m->pending_sync = pending;
}

void classic_remove(struct group_shard *s, struct classic *c, struct classic_member *m) {
    ASSERT(m->classic == c && !m->join && !m->sync);
    set_pending_sync(c, m, false);
    count_supported(c, &m->protocols, -1);
    hashmap_del(&c->by_id, m->id.s, (size_t)m->id.len);
    if (!kstr_null(m->instance_id))
        hashmap_del(&c->by_instance, m->instance_id.s, (size_t)m->instance_id.len);
    *(m->prev ? &m->prev->next : &c->members) = m->next;
    *(m->next ? &m->next->prev : &c->last) = m->prev;
    c->members_n--;
    if (c->leader == m) c->leader = c->members;
    free_member(s, m);
}

void classic_add_pending(struct classic *c, struct classic_pending *p) {
    ASSERT(!classic_member(c, p->id) && !classic_is_pending(c, p->id));
    p->classic = c;
    hashmap_put(&c->pending, p->id.s, (size_t)p->id.len, p);
}

void classic_remove_pending(struct group_shard *s, struct classic *c, struct kstr id) {
    struct classic_pending *p = hashmap_del(&c->pending, id.s, (size_t)id.len);
    if (p) free_pending(s, p);
}

void classic_update(struct classic *c, struct classic_member *m, struct protocols protocols,
                    int32_t rebalance_timeout_ms, int32_t session_timeout_ms, void *join) {
    count_supported(c, &protocols, 1);
    count_supported(c, &m->protocols, -1);
    protocols_free(&m->protocols);
    m->protocols = protocols;
    m->rebalance_timeout_ms = rebalance_timeout_ms;
    m->session_timeout_ms = session_timeout_ms;
    classic_await_join(c, m, join);
}

void classic_rename(struct group_shard *s, struct classic *c, struct classic_member *m, struct kstr new_id) {
    ASSERT(!kstr_null(m->instance_id) && !m->join && !m->sync && !classic_member(c, new_id));
    set_pending_sync(c, m, false);
    group_timer_cancel(s, &m->session);
    hashmap_del(&c->by_id, m->id.s, (size_t)m->id.len);
    kstr_set(&m->id, new_id);
    hashmap_put(&c->by_id, m->id.s, (size_t)m->id.len, m);
    m->is_new = false;
}

struct classic_member *classic_member(const struct classic *c, struct kstr id) {
    return id.len > 0 ? hashmap_get(&c->by_id, id.s, (size_t)id.len) : NULL;
}

struct classic_member *classic_static_member(const struct classic *c, struct kstr instance_id) {
    return instance_id.len >= 0 ? hashmap_get(&c->by_instance, instance_id.s, (size_t)instance_id.len) : NULL;
}

bool classic_is_pending(const struct classic *c, struct kstr id) {
    return hashmap_get(&c->pending, id.s, (size_t)id.len);
}

int16_t classic_validate(const struct classic *c, struct kstr id, struct kstr instance_id,
                         const char *operation) {
    if (!kstr_null(instance_id)) {
        struct classic_member *m = classic_static_member(c, instance_id);
        if (!m) return KERR_UNKNOWN_MEMBER_ID;
        if (!kstr_equal(m->id, id)) {
            LOG_INFO("group", "%.*s: %s of member %.*s is fenced: static member %.*s is now %.*s",
                     KSTR_ARG(c->group->id), operation, KSTR_ARG(id), KSTR_ARG(instance_id), KSTR_ARG(m->id));
            return KERR_FENCED_INSTANCE_ID;
        }
    }
    return classic_member(c, id) ? KERR_NONE : KERR_UNKNOWN_MEMBER_ID;
}

bool classic_all_joined(const struct classic *c) {
    return c->members_n == c->awaiting_join && !c->pending.count;
}

int32_t classic_rebalance_timeout(const struct classic *c) {
    int32_t max = 0;
    for (struct classic_member *m = c->members; m; m = m->next)
        if (m->rebalance_timeout_ms > max) max = m->rebalance_timeout_ms;
    return max;
}

bool classic_supports(const struct classic *c, struct kstr type, const struct protocols *p) {
    if (c->state == CLASSIC_EMPTY) return type.len > 0 && p->n > 0;
    if (kstr_null(c->protocol_type) || !kstr_equal(c->protocol_type, type)) return false;
    for (int32_t i = 0; i < p->n; i++)
        if (supported_count(c, p->list[i].name) == c->members_n) return true;
    return false;
}

/* Ties are won as in the reference, where the votes are in a HashMap: by the bucket of the name's hash code,
 * then by who was voted for first. */
static uint32_t java_bucket(struct kstr name) {
    uint32_t h = (uint32_t)jstring_hash(name.s, (size_t)name.len);
    return (h ^ h >> 16) & 15;
}

static struct kstr vote(const struct classic_member *m) {
    for (int32_t i = 0; i < m->protocols.n; i++)
        if (supported_count(m->classic, m->protocols.list[i].name) == m->classic->members_n)
            return m->protocols.list[i].name;
    return KSTR_NULL;
}

struct kstr classic_select_protocol(const struct classic *c) {
    struct vote {
        struct kstr name;
        int32_t count;
    } *votes = xcalloc((size_t)c->members_n, sizeof *votes), *best = NULL;
    int32_t n = 0;
    ASSERT(c->members_n > 0);
    for (struct classic_member *m = c->members; m; m = m->next) {
        struct kstr name = vote(m);
        int32_t i = 0;
        ASSERT(!kstr_null(name)); /* who joins supports one that all support */
        while (i < n && !kstr_equal(votes[i].name, name)) i++;
        if (i == n) votes[n++].name = name;
        votes[i].count++;
    }
    for (struct vote *v = votes; v < votes + n; v++)
        if (!best || v->count > best->count ||
            (v->count == best->count && java_bucket(v->name) < java_bucket(best->name)))
            best = v;
    struct kstr name = best->name;
    free(votes);
    return name;
}

struct kbytes classic_metadata(const struct classic_member *m, struct kstr protocol) {
    for (int32_t i = 0; i < m->protocols.n && !kstr_null(protocol); i++)
        if (kstr_equal(m->protocols.list[i].name, protocol)) return m->protocols.list[i].metadata;
    return KBYTES_NULL;
}

bool classic_elect_joined(struct classic *c) {
    if (!c->leader) return false;
    if (c->leader->join) return true;
    for (struct classic_member *m = c->members; m; m = m->next) {
        if (!m->join) continue;
        LOG_INFO("group", "%.*s: the leader %.*s did not rejoin in time, %.*s leads now",
                 KSTR_ARG(c->group->id), KSTR_ARG(c->leader->id), KSTR_ARG(m->id));
        c->leader = m;
        return true;
    }
    return false;
}

static bool may_follow(enum classic_state from, enum classic_state to) {
    switch (to) {
    case CLASSIC_EMPTY: return from == CLASSIC_PREPARING;
    case CLASSIC_PREPARING:
        return from == CLASSIC_STABLE || from == CLASSIC_COMPLETING || from == CLASSIC_EMPTY;
    case CLASSIC_COMPLETING: return from == CLASSIC_PREPARING;
    case CLASSIC_STABLE: return from == CLASSIC_COMPLETING;
    case CLASSIC_DEAD: return true;
    }
    return false;
}

void classic_transition(struct classic *c, enum classic_state to, int64_t now_ms) {
    ASSERT(may_follow(c->state, to));
    c->previous = c->state;
    c->state = to;
    c->state_since_ms = now_ms;
    classic_check(c);
}

void classic_clear_pending_sync(struct classic *c) {
    for (struct classic_member *m = c->members; m; m = m->next) m->pending_sync = false;
    c->pending_sync = 0;
}

void classic_next_generation(struct classic *c, int64_t now_ms) {
    c->generation = (int32_t)((uint32_t)c->generation + 1);
    kstr_set(&c->protocol, c->members_n ? classic_select_protocol(c) : KSTR_NULL);
    classic_compute_topics(c);
    classic_clear_pending_sync(c);
    classic_transition(c, c->members_n ? CLASSIC_COMPLETING : CLASSIC_EMPTY, now_ms);
}

bool classic_uses_consumer_protocol(const struct classic *c) {
    return kstr_equal(c->protocol_type, KSTR("consumer"));
}

/* The topics of a ConsumerProtocolSubscription, read as version 0, which every version begins with. false:
 * not one. */
static bool add_subscription(struct classic *c, struct kbytes metadata) {
    const uint8_t *p = metadata.p, *end = p + metadata.len;
    if (end - p < 6 || get_i16(p) < 0) return false;
    int32_t n = get_i32(p + 2), len;
    for (p += 6; n > 0; n--, p += len) {
        if (end - p < 2 || (len = get_i16(p)) < 0 || end - (p += 2) < len) return false;
        if (hashmap_get(&c->topics, p, (size_t)len)) continue;
        char *name = xstrndup((const char *)p, (size_t)len);
        hashmap_put(&c->topics, name, (size_t)len, name);
    }
    if (n < 0 || end - p < 4) return false;
    len = get_i32(p); /* user data, nullable */
    return len == -1 || (len >= 0 && len <= end - p - 4);
}

void classic_compute_topics(struct classic *c) {
    forget_topics(c);
    c->topics_known = false;
    if (!classic_uses_consumer_protocol(c)) return;
    if (c->members_n && kstr_null(c->protocol)) return;
    c->topics_known = true;
    for (struct classic_member *m = c->members; m && c->topics_known; m = m->next)
        c->topics_known = add_subscription(c, classic_metadata(m, c->protocol));
    if (c->topics_known) return;
    LOG_WARN("group",
             "%.*s: the subscription of a member cannot be read; offsets will not expire while the group has "
             "members",
             KSTR_ARG(c->group->id));
    forget_topics(c);
}

bool classic_subscribed(const struct classic *c, struct kstr topic) {
    if (!c->topics_known) return classic_uses_consumer_protocol(c);
    return hashmap_get(&c->topics, topic.s, (size_t)topic.len);
}

void classic_check(const struct classic *c) {
    int32_t n = 0, awaiting = 0, syncing = 0, statics = 0;
    for (struct classic_member *m = c->members; m; m = m->next, n++) {
        ASSERT(m->classic == c);
        ASSERT(m->next ? m->next->prev == m : c->last == m);
        awaiting += m->join != NULL;
        syncing += m->pending_sync;
        statics += !kstr_null(m->instance_id);
    }
    ASSERT(n == c->members_n && (size_t)n == c->by_id.count && (size_t)statics == c->by_instance.count);
    ASSERT(awaiting == c->awaiting_join && syncing == c->pending_sync);
    ASSERT(!n || c->state != CLASSIC_EMPTY || c->previous == CLASSIC_DEAD);
    ASSERT(!c->leader || classic_member(c, c->leader->id) == c->leader);
}
