/* A rebalance: collecting the members (the join phase), a new generation, waiting for everybody's SyncGroup.
 * Source: the rebalance methods of GroupMetadataManager (classic groups).
 *
 * The first rebalance of an empty group is delayed by group.initial.rebalance.delay.ms, and again while
 * members keep arriving, up to the rebalance timeout. Later ones end when all have rejoined, or at the
 * rebalance timeout without the dynamic members that have not; static members stay. Who does not send
 * SyncGroup in time is removed, too. */
#include "api/join_group.h"
#include "api/sync_group.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/own.h"
#include "group/record.h"
#include "group/state.h"

/* --- answers to those who wait --- */

void rebalance_reply_join(struct group_shard *s, struct classic_member *m, int16_t error,
                          struct kstr member_id) {
    void *handle = m->join;
    if (!handle) return;
    classic_await_join(m->classic, m, NULL);
    struct join_group_response r = {
        .error_code = error,
        .generation_id = -1,
        .protocol_type = KSTR_NULL,
        .protocol_name = KSTR_NULL,
        .member_id = member_id,
    };
    step_reply(s, handle, &r);
}

bool rebalance_join_response(struct group_shard *s, struct classic_member *m, bool with_members,
                             struct join_group_response *r) {
    struct classic *c = m->classic;
    *r = (struct join_group_response){
        .generation_id = c->generation,
        .protocol_type = c->protocol_type,
        .protocol_name = c->protocol,
        .leader = c->leader->id,
        .member_id = m->id,
    };
    if (!with_members) return true;
    ASSERT(c->state != CLASSIC_DEAD && c->state != CLASSIC_PREPARING);
    r->members = arena_calloc(&s->scratch, (size_t)c->members_n, sizeof *r->members);
    if (!r->members) return false;
    for (m = c->members; m; m = m->next)
        r->members[r->members_n++] = (struct join_group_response_join_group_response_member){
            .member_id = m->id,
            .group_instance_id = m->instance_id,
            .metadata = classic_metadata(m, c->protocol),
        };
    return true;
}

void rebalance_join_done(struct group_shard *s, struct classic_member *m, bool with_members,
                         bool skip_assignment) {
    struct join_group_response r;
    void *handle = m->join;
    if (!handle) return;
    if (!rebalance_join_response(s, m, with_members, &r)) {
        rebalance_reply_join(s, m, KERR_UNKNOWN_SERVER_ERROR, m->id);
        return;
    }
    r.skip_assignment = skip_assignment;
    classic_await_join(m->classic, m, NULL);
    step_reply(s, handle, &r);
}

void rebalance_reply_sync(struct group_shard *s, struct classic_member *m, int16_t error) {
    void *handle = m->sync;
    if (!handle) return;
    m->sync = NULL;
    struct sync_group_response r = {
        .error_code = error,
        .protocol_type = error ? KSTR_NULL : m->classic->protocol_type,
        .protocol_name = error ? KSTR_NULL : m->classic->protocol,
        .assignment = error ? (struct kbytes){0} : m->assignment,
    };
    step_reply(s, handle, &r);
    session_set(s, m, m->session_timeout_ms); /* it was not heard of while it waited */
}

void rebalance_reset_assignments(struct group_shard *s, struct classic *c, int16_t error) {
    ASSERT(c->state == CLASSIC_COMPLETING);
    for (struct classic_member *m = c->members; m; m = m->next) kbytes_disown(&m->assignment);
    for (struct classic_member *m = c->members; m; m = m->next) rebalance_reply_sync(s, m, error);
}

/* --- the join phase --- */

static void wait_for_joins(struct group_shard *s, struct classic *c) {
    group_timer_set(s, &c->join_timer, TIMER_JOIN, s->now.mono + classic_rebalance_timeout(c));
}

void rebalance_prepare(struct group_shard *s, struct classic *c, const char *reason) {
    bool initial = c->state == CLASSIC_EMPTY;
    if (c->state == CLASSIC_COMPLETING) rebalance_reset_assignments(s, c, KERR_REBALANCE_IN_PROGRESS);
    classic_clear_pending_sync(c);
    group_timer_cancel(s, &c->sync_timer);
    if (initial) {
        int32_t left = classic_rebalance_timeout(c) - s->config->group_initial_rebalance_delay_ms;
        c->delay_ms = s->config->group_initial_rebalance_delay_ms;
        c->remaining_ms = left > 0 ? left : 0;
        group_timer_set(s, &c->join_timer, TIMER_INITIAL_JOIN, s->now.mono + c->delay_ms);
    }
    classic_transition(c, CLASSIC_PREPARING, s->now.wall);
    LOG_INFO("group", "%.*s: preparing to rebalance, generation %d (%s)", KSTR_ARG(c->group->id),
             c->generation, reason);
    if (initial) return;
    if (classic_all_joined(c))
        rebalance_complete_join(s, c);
    else
        wait_for_joins(s, c);
}

void rebalance_initial_due(struct group_shard *s, struct classic *c) {
    if (!c->new_member_added || c->remaining_ms == 0) {
        rebalance_complete_join(s, c);
        return;
    }
    int32_t delay = s->config->group_initial_rebalance_delay_ms;
    if (delay > c->remaining_ms) delay = c->remaining_ms;
    c->remaining_ms = c->remaining_ms > c->delay_ms ? c->remaining_ms - c->delay_ms : 0;
    c->delay_ms = delay;
    c->new_member_added = false;
    group_timer_set(s, &c->join_timer, TIMER_INITIAL_JOIN, s->now.mono + delay);
}

void rebalance_maybe_complete(struct group_shard *s, struct classic *c) {
    if (c->state != CLASSIC_PREPARING || c->previous == CLASSIC_EMPTY) return;
    if (classic_all_joined(c)) rebalance_complete_join(s, c);
}

void rebalance_prepare_or_complete(struct group_shard *s, struct classic *c, const char *reason) {
    if (c->state == CLASSIC_STABLE || c->state == CLASSIC_COMPLETING || c->state == CLASSIC_EMPTY)
        rebalance_prepare(s, c, reason);
    else
        rebalance_maybe_complete(s, c);
}

static void remove_absent_members(struct group_shard *s, struct classic *c) {
    for (struct classic_member *m = c->members, *next; m; m = next) {
        next = m->next;
        if (m->join || !kstr_null(m->instance_id)) continue;
        LOG_INFO("group", "%.*s: member %.*s has not rejoined and is removed", KSTR_ARG(c->group->id),
                 KSTR_ARG(m->id));
        classic_remove(s, c, m);
    }
}

void rebalance_complete_join(struct group_shard *s, struct classic *c) {
    group_timer_cancel(s, &c->join_timer);
    remove_absent_members(s, c);
    if (!classic_elect_joined(c) && c->members_n) {
        /* Only static members, and none is here: their sessions decide. */
        LOG_WARN("group", "%.*s: the rebalance cannot end as no member has rejoined", KSTR_ARG(c->group->id));
        wait_for_joins(s, c);
        return;
    }
    classic_next_generation(c, s->now.wall);
    if (c->state == CLASSIC_EMPTY) {
        LOG_INFO("group", "%.*s: generation %d is empty", KSTR_ARG(c->group->id), c->generation);
        record_group(s, c, NULL);
        s->result->replay = false;
        return;
    }
    LOG_INFO("group", "%.*s: generation %d has %d members, the leader is %.*s", KSTR_ARG(c->group->id),
             c->generation, c->members_n, KSTR_ARG(c->leader->id));
    for (struct classic_member *m = c->members; m; m = m->next) {
        rebalance_join_done(s, m, m == c->leader, false);
        session_set(s, m, m->session_timeout_ms);
        m->is_new = false;
        c->pending_sync += !m->pending_sync;
        m->pending_sync = true;
    }
    c->sync_generation = c->generation;
    group_timer_set(s, &c->sync_timer, TIMER_SYNC, s->now.mono + classic_rebalance_timeout(c));
}

void rebalance_sync_due(struct group_shard *s, struct classic *c) {
    if (c->sync_generation != c->generation || !c->pending_sync) return;
    if (c->state != CLASSIC_COMPLETING && c->state != CLASSIC_STABLE) return;
    for (struct classic_member *m = c->members, *next; m; m = next) {
        next = m->next;
        if (!m->pending_sync) continue;
        LOG_INFO("group", "%.*s: member %.*s sent no SyncGroup and is removed", KSTR_ARG(c->group->id),
                 KSTR_ARG(m->id));
        classic_remove(s, c, m);
    }
    rebalance_prepare(s, c, "members sent no SyncGroup in time");
}
