/* Members of a consumer group that still speak the classic protocol. JoinGroup brings such a member to the
 * target assignment's epoch, which it is told as its generation; SyncGroup tells it what it is assigned;
 * Heartbeat sends it to rejoin when there is something new. It gives partitions up by rejoining without them.
 * Source: classicGroupJoinToConsumerGroup, classicGroupSyncToConsumerGroup,
 * classicGroupHeartbeatToConsumerGroup, classicGroupLeaveToConsumerGroup. */
#include "api/heartbeat.h"
#include "api/join_group.h"
#include "api/leave_group.h"
#include "api/sync_group.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/consumer_step.h"
#include "group/embedded.h"
#include "group/own.h"
#include "metadata/image.h"

enum { NEEDS_MEMBER_ID_VERSION = 4 };

/* The message of an error goes nowhere: these responses have none. */
static struct consumer_step begin(struct group_shard *s, const struct group_event *e, struct consumer *c) {
    struct consumer_step st = {.s = s, .e = e, .c = c, .epoch = c->m.epoch};
    st.homogeneous = consumer_homogeneous(c, NULL, NULL, &c->m.topics, c->m.members.count);
    return st;
}

static struct kstr copied(struct group_shard *s, const struct group_event *e, struct kstr a) {
    if (a.len <= 0) return a;
    struct kstr copy = {.s = arena_memdup(e->arena, a.s, (size_t)a.len), .len = a.len};
    s->out_of_memory |= !copy.s;
    return copy.s ? copy : KSTR("");
}

/* --- JoinGroup --- */

static void answer_join(struct consumer_step *st, int16_t error, struct kstr member_id) {
    struct join_group_response *r = arena_alloc(st->e->arena, sizeof *r);
    if (error) st->s->result->records_n = 0;
    if (r) {
        join_group_response_init(r);
        r->error_code = error;
        r->protocol_name = KSTR_NULL;
        r->member_id = copied(st->s, st->e, member_id);
    }
    if (r && !error) {
        r->generation_id = st->now.m.epoch;
        r->protocol_type = KSTR("consumer");
        r->protocol_name = copied(st->s, st->e, st->now.protocols.list[0].name);
    }
    step_answer(st->s, r);
}

static bool supported(const struct consumer *c, const struct join_group_request *q) {
    if (!kstr_is(q->protocol_type, "consumer")) return false;
    for (int32_t i = 0; i < q->protocols_n; i++)
        if (said_count(&c->protocols, q->protocols[i].name) == c->classic_n) return true;
    return false;
}

static struct kstr own_id(struct consumer_step *st, struct kstr id) {
    if (id.len) return id;
    char *text = arena_alloc(st->e->arena, UUID_TEXT);
    struct uuid u = uuid_random(&st->s->random);
    if (!text) consumer_fail(st, KERR_UNKNOWN_SERVER_ERROR, "no memory");
    return text ? kstr_of(uuid_format(&u, text)) : KSTR("");
}

static void check_join(struct consumer_step *st, const struct join_group_request *q) {
    int32_t max = st->s->config->consumer.max_size;
    if (st->s->config->consumer.migration == MIGRATION_DISABLED)
        consumer_fail(st, KERR_INCONSISTENT_GROUP_PROTOCOL, "group migration is disabled");
    else if (st->c->m.members.count >= (size_t)max && !consumer_member(st->c, q->member_id))
        consumer_fail(st, KERR_GROUP_MAX_SIZE_REACHED, "the group has %d members", max);
    else if (!supported(st->c, q))
        consumer_fail(st, KERR_INCONSISTENT_GROUP_PROTOCOL, "the protocols are not supported");
}

static void read_owned(struct consumer_step *st, const struct consumer_protocol_subscription *sub) {
    struct assigned_builder b = assigned_begin(&st->s->scratch);
    for (int32_t i = 0; i < sub->owned_partitions_n; i++) {
        struct kstr name = sub->owned_partitions[i].topic;
        const struct topic *t =
            st->s->image ? image_topic_by_name(st->s->image, name.s, (size_t)name.len) : NULL;
        if (t)
            assigned_add_topic(&b, &t->id, sub->owned_partitions[i].partitions,
                               sub->owned_partitions[i].partitions_n, NULL, 0);
    }
    st->owned_known = true;
    st->owned = assigned_finish(&b, false);
}

static void read_member(struct consumer_step *st, const struct join_group_request *q) {
    struct consumer_protocol_subscription sub;
    struct consumer_member *m = &st->now;
    struct protocol *list = arena_calloc(&st->s->scratch, (size_t)q->protocols_n, sizeof *list);
    if (!list || !embedded_subscription(&st->s->scratch, q->protocols[0].metadata, &sub) ||
        !names_sort(&st->s->scratch, sub.topics, sub.topics_n, &m->m.topics)) {
        consumer_fail(st, KERR_UNKNOWN_SERVER_ERROR, "the subscription is malformed");
        return;
    }
    for (int32_t i = 0; i < q->protocols_n; i++)
        list[i] = (struct protocol){.name = q->protocols[i].name, .metadata = q->protocols[i].metadata};
    m->protocols = (struct protocols){.list = list, .n = q->protocols_n};
    m->classic = true;
    m->classic_session_ms = q->session_timeout_ms;
    if (q->group_instance_id.len >= 0) m->m.instance_id = q->group_instance_id;
    if (sub.rack_id.len > 0) m->m.rack = sub.rack_id;
    if (q->rebalance_timeout_ms != -1) m->rebalance_timeout_ms = q->rebalance_timeout_ms;
    m->regex = KSTR("");
    m->m.client_id = st->e->client_id.len < 0 ? KSTR("") : st->e->client_id;
    m->m.client_host = st->e->client_host;
    read_owned(st, &sub);
}

/* The member that joins takes the place of the last one of the new protocol. */
static void join_and_downgrade(struct consumer_step *st, bool changed) {
    bool rebalance = st->c->m.assignment_epoch < st->epoch;
    if (!rebalance)
        consumer_step_reconcile(st, st->c->m.assignment_epoch,
                                consumer_target(st->c, st->now.m.id, st->now.m.instance_id), changed);
    if (st->error) return;
    consumer_to_classic(st->s, st->c, NULL, 0, &st->now, rebalance ? "its assignment is stale" : NULL);
}

static void join(struct consumer_step *st, const struct join_group_request *q, struct kstr id) {
    const struct consumer_member *before = consumer_static_member(st->c, q->group_instance_id);
    bool downgrade = before && consumer_downgrades_by(st->s, st->c, before);
    read_member(st, q);
    if (st->error) return;
    bool changed = consumer_step_member(st);
    enum regex_change regex = consumer_step_regex(st);
    if (st->error) return;
    changed |= regex != REGEX_SAME;
    if (changed || modern_metadata_expired(st->s, &st->c->m))
        consumer_step_metadata(st, changed, "a member's subscription changed");
    if (downgrade) {
        join_and_downgrade(st, changed);
        return;
    }
    const struct assigned *target;
    int32_t target_epoch = consumer_step_target(st, &target);
    if (!st->error) consumer_step_reconcile(st, target_epoch, target, changed);
    if (st->error) return;
    modern_timer_set(st->s, st->c->m.id, id, MEMBER_SESSION, q->session_timeout_ms, 0);
    modern_timer_set(st->s, st->c->m.id, id, MEMBER_SYNC, q->rebalance_timeout_ms, 0);
}

void consumer_join_step(struct group_shard *s, const struct group_event *e, struct consumer *c) {
    const struct join_group_request *q = e->request;
    struct consumer_step st = begin(s, e, c);
    struct kstr id = own_id(&st, q->member_id);
    if (!st.error) check_join(&st, q);
    if (!st.error && !q->member_id.len && q->group_instance_id.len < 0 &&
        e->version >= NEEDS_MEMBER_ID_VERSION) {
        answer_join(&st, KERR_MEMBER_ID_REQUIRED, id);
        return;
    }
    if (!st.error && q->group_instance_id.len < 0)
        consumer_step_dynamic(&st, id, EPOCH_LEAVE, true, true);
    else if (!st.error)
        consumer_step_static(&st, id, q->group_instance_id, EPOCH_LEAVE, !q->member_id.len, true);
    if (!st.error) join(&st, q, id);
    if (!st.error) modern_timer_cancel(s, c->m.id, id, MEMBER_JOIN);
    answer_join(&st, st.error, st.error ? KSTR("") : st.now.m.id);
}

/* --- SyncGroup, Heartbeat --- */

/* The member of the classic protocol, in its epoch; or an error. */
static int16_t find_member(const struct consumer *c, struct kstr id, struct kstr instance_id,
                           int32_t generation, struct consumer_member **out) {
    struct consumer_member *m =
        instance_id.len < 0 ? consumer_member(c, id) : consumer_static_member(c, instance_id);
    if (!m) return KERR_UNKNOWN_MEMBER_ID;
    if (!kstr_equal(m->m.id, id)) return KERR_FENCED_INSTANCE_ID;
    if (!m->classic) return KERR_UNKNOWN_MEMBER_ID;
    if (m->m.epoch != generation) return KERR_ILLEGAL_GENERATION;
    *out = m;
    return KERR_NONE;
}

static void expect_join(struct group_shard *s, const struct consumer *c, const struct consumer_member *m) {
    modern_timer_set_if_absent(s, c->m.id, m->m.id, MEMBER_JOIN, m->rebalance_timeout_ms);
}

static bool differs(struct kstr asked, struct kstr is) { return asked.len >= 0 && !kstr_equal(asked, is); }

static int16_t check_sync(struct group_shard *s, const struct consumer *c, const struct consumer_member *m,
                          const struct sync_group_request *q) {
    if (differs(q->protocol_type, KSTR("consumer")) || differs(q->protocol_name, m->protocols.list[0].name))
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    if (c->m.assignment_epoch <= m->m.epoch || m->m.state == MEMBER_UNREVOKED) return KERR_NONE;
    expect_join(s, c, m);
    return KERR_REBALANCE_IN_PROGRESS;
}

void consumer_sync_step(struct group_shard *s, const struct group_event *e, struct consumer *c) {
    const struct sync_group_request *q = e->request;
    struct consumer_member *m = NULL;
    struct sync_group_response *r = arena_alloc(e->arena, sizeof *r);
    int16_t error = find_member(c, q->member_id, q->group_instance_id, q->generation_id, &m);
    if (!error) error = check_sync(s, c, m, q);
    if (r) {
        sync_group_response_init(r);
        r->error_code = error;
    }
    if (r && !error) {
        r->protocol_type = q->protocol_type;
        r->protocol_name = q->protocol_name;
        r->assignment = embedded_encode(s, e->arena, m->assigned, m->protocols.list[0].metadata);
        if (r->assignment.len < 0) s->out_of_memory = true;
        modern_timer_cancel(s, c->m.id, m->m.id, MEMBER_SYNC);
        modern_timer_set(s, c->m.id, m->m.id, MEMBER_SESSION, m->classic_session_ms, 0);
    }
    step_answer(s, r);
}

/* Whether something of the member's target is still with others. */
static bool waits_for_others(const struct consumer *c, const struct consumer_member *m) {
    const struct target *t = modern_target(&c->m, m->m.id);
    const struct assigned *a = t ? t->partitions : NULL;
    for (int32_t i = 0; i < assigned_topics(a); i++) {
        const struct assigned_topic *has = assigned_topic(m->assigned, &a->topics[i].id);
        for (int32_t k = 0; k < a->topics[i].n; k++)
            if (!assigned_topic_get(has, a->topics[i].partitions[k]) &&
                consumer_partition_epoch(c, &a->topics[i].id, a->topics[i].partitions[k]) != -1)
                return true;
    }
    return false;
}

void consumer_classic_heartbeat_step(struct group_shard *s, const struct group_event *e, struct consumer *c) {
    const struct heartbeat_request *q = e->request;
    struct heartbeat_response *r = arena_calloc(e->arena, 1, sizeof *r);
    struct consumer_member *m = NULL;
    int16_t error = find_member(c, q->member_id, q->group_instance_id, q->generation_id, &m);
    if (!error) {
        modern_timer_set(s, c->m.id, m->m.id, MEMBER_SESSION, m->classic_session_ms, 0);
        if (m->m.epoch < c->m.assignment_epoch || m->m.state == MEMBER_UNREVOKED ||
            (m->m.state == MEMBER_UNRELEASED && !waits_for_others(c, m))) {
            error = KERR_REBALANCE_IN_PROGRESS;
            expect_join(s, c, m);
        }
    }
    if (r) r->error_code = error;
    step_answer(s, r);
}

/* --- LeaveGroup --- */

static int16_t find_leaving(const struct consumer *c, const struct leave_group_request_member_identity *q,
                            struct consumer_member **out) {
    *out = q->group_instance_id.len < 0 ? consumer_member(c, q->member_id)
                                        : consumer_static_member(c, q->group_instance_id);
    if (!*out) return KERR_UNKNOWN_MEMBER_ID;
    if (q->group_instance_id.len >= 0 && q->member_id.len && !kstr_equal((*out)->m.id, q->member_id))
        return KERR_FENCED_INSTANCE_ID;
    return KERR_NONE;
}

bool consumer_classic_leave(struct group_shard *s, struct consumer *c, const struct leave_group_request *q,
                            struct leave_group_response *r) {
    struct consumer_member **gone = arena_calloc(&s->scratch, (size_t)q->members_n, sizeof *gone);
    int32_t n = 0;
    if (!gone) return false;
    for (int32_t i = 0; i < q->members_n; i++) {
        struct consumer_member *m;
        int16_t error = find_leaving(c, &q->members[i], &m);
        r->members[i] = (struct leave_group_response_member_response){
            .member_id = q->members[i].member_id,
            .group_instance_id = q->members[i].group_instance_id,
            .error_code = error,
        };
        bool again = false;
        for (int32_t k = 0; k < n; k++) again |= gone[k] == m;
        if (error || again) continue;
        LOG_INFO("group", "%.*s: member %.*s left (LeaveGroup)", KSTR_ARG(c->m.id), KSTR_ARG(m->m.id));
        gone[n++] = m;
    }
    consumer_fence(s, c, gone, n);
    return true;
}
