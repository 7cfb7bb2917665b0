/* SyncGroup, Heartbeat, LeaveGroup, and members that are not heard of any more.
 * Source: GroupMetadataManager.classicGroupSync, classicGroupHeartbeat, classicGroupLeave,
 * expireClassicGroupMemberHeartbeat. */
#include "api/heartbeat.h"
#include "api/leave_group.h"
#include "api/sync_group.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/consumer.h"
#include "group/own.h"
#include "group/record.h"
#include "group/state.h"

void session_set(struct group_shard *s, struct classic_member *m, int64_t timeout_ms) {
    group_timer_set(s, &m->session, TIMER_SESSION, s->now.mono + timeout_ms);
}

static struct classic *find_classic(struct group_shard *s, struct kstr id) {
    struct group *g = group_existing(s, id);
    return g ? g->classic : NULL;
}

/* --- SyncGroup --- */

static void sync_error(struct group_shard *s, const struct group_event *e, int16_t error) {
    struct sync_group_response r = {
        .error_code = error, .protocol_type = KSTR_NULL, .protocol_name = KSTR_NULL};
    step_reply(s, e->handle, &r);
}

static bool differs(struct kstr asked, struct kstr is) {
    return !kstr_null(asked) && !kstr_null(is) && !kstr_equal(asked, is);
}

static int16_t check_sync(const struct classic *c, const struct sync_group_request *q) {
    int16_t error = classic_validate(c, q->member_id, q->group_instance_id, "SyncGroup");
    if (error) return error;
    if (q->generation_id != c->generation) return KERR_ILLEGAL_GENERATION;
    if (differs(q->protocol_type, c->protocol_type) || differs(q->protocol_name, c->protocol))
        return KERR_INCONSISTENT_GROUP_PROTOCOL;
    return KERR_NONE;
}

static void has_synced(struct group_shard *s, struct classic_member *m) {
    struct classic *c = m->classic;
    c->pending_sync -= m->pending_sync;
    m->pending_sync = false;
    if (!c->pending_sync) group_timer_cancel(s, &c->sync_timer);
}

/* Writes the leader's assignments; they become the group's when that is committed. */
static void sync_leader(struct group_shard *s, struct classic *c, const struct sync_group_request *q) {
    struct group_after *a = after_create(s, AFTER_SYNC, c);
    a->assignments = xcalloc((size_t)q->assignments_n + 1, sizeof *a->assignments);
    for (int32_t i = 0; i < q->assignments_n; i++) {
        if (!classic_member(c, q->assignments[i].member_id)) continue;
        a->assignments[a->assignments_n++] = (struct after_assignment){
            .member_id = kstr_own(q->assignments[i].member_id),
            .bytes = kbytes_own(q->assignments[i].assignment),
        };
    }
    LOG_INFO("group", "%.*s: the leader assigned generation %d", KSTR_ARG(c->group->id), c->generation);
    record_group(s, c, a);
}

static void sync_classic(struct group_shard *s, const struct group_event *e, struct classic *c) {
    const struct sync_group_request *q = e->request;
    struct classic_member *m = classic_member(c, q->member_id);
    int16_t error = check_sync(c, q);
    if (!error && c->state == CLASSIC_PREPARING) error = KERR_REBALANCE_IN_PROGRESS;
    if (error) {
        sync_error(s, e, error);
        return;
    }
    has_synced(s, m);
    if (c->state == CLASSIC_STABLE) {
        struct sync_group_response r = {
            .protocol_type = c->protocol_type,
            .protocol_name = c->protocol,
            .assignment = m->assignment,
        };
        step_reply(s, e->handle, &r);
        return;
    }
    ASSERT(c->state == CLASSIC_COMPLETING);
    rebalance_reply_sync(s, m,
                         KERR_REBALANCE_IN_PROGRESS); /* the same member asked before; that one is given up */
    m->sync = e->handle;
    if (c->leader == m) sync_leader(s, c, q);
}

void sync_step(struct group_shard *s, const struct group_event *e) {
    const struct sync_group_request *q = e->request;
    struct classic *c = find_classic(s, q->group_id);
    struct consumer *consumer = consumer_find(s, q->group_id);
    if (consumer && consumer->m.members.count)
        consumer_sync_step(s, e, consumer);
    else if (q->group_id.len == 0)
        sync_error(s, e, KERR_INVALID_GROUP_ID);
    else if (!c || c->state == CLASSIC_EMPTY)
        sync_error(s, e, KERR_UNKNOWN_MEMBER_ID);
    else
        sync_classic(s, e, c);
}

static void take_assignments(struct classic *c, struct group_after *a) {
    for (struct classic_member *m = c->members; m; m = m->next) kbytes_disown(&m->assignment);
    for (int32_t i = 0; i < a->assignments_n; i++) {
        struct classic_member *m = classic_member(c, a->assignments[i].member_id);
        if (!m) continue;
        kbytes_disown(&m->assignment);
        m->assignment = a->assignments[i].bytes;
        a->assignments[i].bytes = (struct kbytes){0};
    }
}

void sync_written(struct group_shard *s, struct group_after *a, int16_t error) {
    struct classic *c = find_classic(s, a->group_id);
    /* While the record was written the group may have begun another rebalance. */
    if (!c || c->state != CLASSIC_COMPLETING || c->generation != a->generation) return;
    if (error) {
        rebalance_reset_assignments(s, c, after_client_error(error));
        rebalance_prepare_or_complete(s, c, "the assignment could not be written");
        return;
    }
    take_assignments(c, a);
    for (struct classic_member *m = c->members; m; m = m->next) rebalance_reply_sync(s, m, KERR_NONE);
    classic_transition(c, CLASSIC_STABLE, s->now.wall);
}

/* --- Heartbeat --- */

static int16_t heartbeat(struct group_shard *s, const struct heartbeat_request *q) {
    if (q->group_id.len == 0) return KERR_INVALID_GROUP_ID;
    struct classic *c = find_classic(s, q->group_id);
    if (!c) return KERR_UNKNOWN_MEMBER_ID;
    int16_t error = classic_validate(c, q->member_id, q->group_instance_id, "Heartbeat");
    if (error) return error;
    if (q->generation_id != c->generation) return KERR_ILLEGAL_GENERATION;
    if (c->state == CLASSIC_EMPTY) return KERR_UNKNOWN_MEMBER_ID;
    struct classic_member *m = classic_member(c, q->member_id);
    session_set(s, m, m->session_timeout_ms);
    return c->state == CLASSIC_PREPARING ? KERR_REBALANCE_IN_PROGRESS : KERR_NONE;
}

void heartbeat_step(struct group_shard *s, const struct group_event *e) {
    const struct heartbeat_request *q = e->request;
    struct consumer *consumer = consumer_find(s, q->group_id);
    if (consumer) {
        consumer_classic_heartbeat_step(s, e, consumer);
        return;
    }
    struct heartbeat_response *r = arena_calloc(e->arena, 1, sizeof *r);
    if (r) r->error_code = heartbeat(s, q);
    step_answer(s, r);
}

/* --- LeaveGroup --- */

static void remove_member(struct group_shard *s, struct classic *c, struct classic_member *m,
                          const char *why) {
    LOG_INFO("group", "%.*s: member %.*s %s", KSTR_ARG(c->group->id), KSTR_ARG(m->id), why);
    rebalance_reply_join(s, m, KERR_UNKNOWN_MEMBER_ID, KSTR(""));
    rebalance_reply_sync(s, m, KERR_UNKNOWN_MEMBER_ID);
    classic_remove(s, c, m);
}

static int16_t leave_one(struct group_shard *s, struct classic *c, struct kstr id, struct kstr instance_id) {
    if (id.len == 0) { /* an administrator names the instance only */
        struct classic_member *m = classic_static_member(c, instance_id);
        if (!m) return KERR_UNKNOWN_MEMBER_ID;
        remove_member(s, c, m, "was removed by its instance id");
        return KERR_NONE;
    }
    if (classic_is_pending(c, id)) {
        classic_remove_pending(s, c, id);
        return KERR_NONE;
    }
    int16_t error = classic_validate(c, id, instance_id, "LeaveGroup");
    if (!error) remove_member(s, c, classic_member(c, id), "left");
    return error;
}

static void leave_classic(struct group_shard *s, struct classic *c, const struct leave_group_request *q,
                          struct leave_group_response *r) {
    bool left = false;
    for (int32_t i = 0; i < q->members_n; i++) {
        const struct leave_group_request_member_identity *m = &q->members[i];
        r->members[i] = (struct leave_group_response_member_response){
            .member_id = m->member_id,
            .group_instance_id = m->group_instance_id,
            .error_code = leave_one(s, c, m->member_id, m->group_instance_id),
        };
        left |= !r->members[i].error_code;
    }
    if (!left) return;
    if (c->state == CLASSIC_STABLE || c->state == CLASSIC_COMPLETING)
        rebalance_prepare_or_complete(s, c, "members left");
    else if (c->state == CLASSIC_PREPARING)
        rebalance_maybe_complete(s, c);
}

/* Before version 3 the request names one member, and the answer has one error. */
void leave_step(struct group_shard *s, const struct group_event *e) {
    const struct leave_group_request *q = e->request;
    struct leave_group_request_member_identity only = {
        .member_id = q->member_id, .group_instance_id = KSTR_NULL, .reason = KSTR_NULL};
    struct leave_group_request one = {.group_id = q->group_id, .members = &only, .members_n = 1};
    if (e->version < 3) q = &one;
    struct classic *c = find_classic(s, q->group_id);
    struct leave_group_response *r = arena_calloc(e->arena, 1, sizeof *r);
    struct consumer *consumer = consumer_find(s, q->group_id);
    if (q->group_id.len == 0 || (!c && !consumer)) {
        step_fail(s, q->group_id.len == 0 ? KERR_INVALID_GROUP_ID : KERR_UNKNOWN_MEMBER_ID);
        return;
    }
    if (r) r->members = arena_calloc(e->arena, (size_t)q->members_n, sizeof *r->members);
    if (!r || !r->members) {
        step_answer(s, NULL);
        return;
    }
    r->members_n = q->members_n;
    if (consumer && !consumer_classic_leave(s, consumer, q, r)) {
        step_answer(s, NULL);
        return;
    }
    if (c) leave_classic(s, c, q, r);
    if (e->version < 3) {
        r->error_code = r->members[0].error_code;
        r->members_n = 0;
    }
    step_answer(s, r);
}

/* --- expiry --- */

void session_expired(struct group_shard *s, struct classic_member *m) {
    struct classic *c = m->classic;
    /* Who waits for us is alive, except a new member, whose client may be gone without our seeing it. */
    if (!m->is_new && (m->join || m->sync)) return;
    remove_member(s, c, m, "was not heard of within its session timeout");
    if (c->state == CLASSIC_STABLE || c->state == CLASSIC_COMPLETING)
        rebalance_prepare_or_complete(s, c, "a member's session expired");
    else if (c->state == CLASSIC_PREPARING && classic_all_joined(c))
        rebalance_complete_join(s, c);
}

void pending_expired(struct group_shard *s, struct classic_pending *p) {
    struct classic *c = p->classic;
    LOG_INFO("group", "%.*s: member id %.*s was never used", KSTR_ARG(c->group->id), KSTR_ARG(p->id));
    classic_remove_pending(s, c, p->id);
    if (c->state == CLASSIC_PREPARING && classic_all_joined(c)) rebalance_complete_join(s, c);
}
