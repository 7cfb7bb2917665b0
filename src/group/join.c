/* JoinGroup: who may enter a group, and whether that starts a rebalance.
 * Source: GroupMetadataManager.classicGroupJoin and what it calls; KIP-345 (static members), KIP-394 (member
 * id first), KIP-814 (a static leader that returns keeps the assignment). */
#include "api/join_group.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/consumer.h"
#include "group/modern.h"
#include "group/own.h"
#include "group/record.h"
#include "group/state.h"

enum { NEEDS_MEMBER_ID_VERSION = 4, SKIP_ASSIGNMENT_VERSION = 9 };
enum { NEW_MEMBER_TIMEOUT_MS = 5 * 60 * 1000 };
enum { MEMBER_ID_SUFFIX = 1 + 36 }; /* "-" and a UUID */

static void reply_error(struct group_shard *s, const struct group_event *e, int16_t error,
                        struct kstr member_id) {
    struct join_group_response r = {
        .error_code = error,
        .generation_id = -1,
        .protocol_type = KSTR_NULL,
        .protocol_name = KSTR_NULL,
        .member_id = member_id,
    };
    step_reply(s, e->handle, &r);
}

/* "<client id or instance id>-<uuid>" in scratch. */
static struct kstr new_member_id(struct group_shard *s, const struct group_event *e) {
    const struct join_group_request *q = e->request;
    struct kstr head = kstr_null(q->group_instance_id) ? e->client_id : q->group_instance_id;
    if (kstr_null(head)) head = KSTR("null"); /* what Java makes of it */
    struct uuid u = uuid_random(&s->random);
    const uint8_t *b = u.b;
    char *id =
        arena_printf(&s->scratch, "%.*s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                     KSTR_ARG(head), b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
                     b[12], b[13], b[14], b[15]);
    return kstr_of(id);
}

/* The request's protocols as a view. */
static struct protocols view_protocols(struct group_shard *s, const struct join_group_request *q) {
    struct protocols p = {.list = arena_calloc(&s->scratch, (size_t)q->protocols_n, sizeof *p.list)};
    s->out_of_memory |= !p.list;
    for (; p.list && p.n < q->protocols_n; p.n++)
        p.list[p.n] =
            (struct protocol){.name = q->protocols[p.n].name, .metadata = q->protocols[p.n].metadata};
    return p;
}

static int32_t rebalance_timeout_of(const struct group_event *e, const struct join_group_request *q) {
    return e->version == 0 ? q->session_timeout_ms : q->rebalance_timeout_ms;
}

static void add_member(struct group_shard *s, const struct group_event *e, struct classic *c, struct kstr id,
                       const struct protocols *p) {
    const struct join_group_request *q = e->request;
    struct classic_member *m = classic_member_create(id, q->group_instance_id, e->client_id, e->client_host,
                                                     rebalance_timeout_of(e, q), q->session_timeout_ms,
                                                     protocols_copy(p->list, p->n));
    m->is_new = true;
    if (c->state == CLASSIC_PREPARING && c->previous == CLASSIC_EMPTY) c->new_member_added = true;
    classic_add(s, c, m, q->protocol_type, e->handle);
    /* It cannot send heartbeats before it knows its id, and a connection that breaks is not noticed while a
     * request waits. */
    session_set(s, m, NEW_MEMBER_TIMEOUT_MS);
    rebalance_prepare_or_complete(s, c, "a new member joins");
}

static void ask_to_rejoin(struct group_shard *s, const struct group_event *e, struct classic *c,
                          struct kstr id) {
    const struct join_group_request *q = e->request;
    struct classic_pending *p = xcalloc(1, sizeof *p);
    p->id = kstr_own(id);
    classic_add_pending(c, p);
    group_timer_set(s, &p->session, TIMER_PENDING, s->now.mono + q->session_timeout_ms);
    reply_error(s, e, KERR_MEMBER_ID_REQUIRED, id);
}

/* --- a static member that comes back without its member id --- */

static void keep_old(struct group_after *a, const struct group_event *e, struct classic_member *m,
                     struct kstr old_id, struct kstr old_leader) {
    a->member_id = kstr_own(m->id);
    a->old_member_id = kstr_own(old_id);
    a->instance_id = kstr_own(m->instance_id);
    a->old_leader_id = kstr_own(old_leader);
    a->old_rebalance_timeout_ms = m->rebalance_timeout_ms;
    a->old_session_timeout_ms = m->session_timeout_ms;
    a->old_protocols = protocols_copy(m->protocols.list, m->protocols.n);
    a->version = e->version;
    a->handle = e->handle;
}

static void replace_static(struct group_shard *s, const struct group_event *e, struct classic *c,
                           struct classic_member *m, struct kstr new_id, const struct protocols *p) {
    const struct join_group_request *q = e->request;
    struct group_after *a = NULL;
    LOG_INFO("group", "%.*s: static member %.*s is now %.*s, before %.*s", KSTR_ARG(c->group->id),
             KSTR_ARG(m->instance_id), KSTR_ARG(new_id), KSTR_ARG(m->id));
    rebalance_reply_join(s, m, KERR_FENCED_INSTANCE_ID, m->id);
    rebalance_reply_sync(s, m, KERR_FENCED_INSTANCE_ID);
    if (c->state == CLASSIC_STABLE) {
        a = after_create(s, AFTER_STATIC_JOIN, c);
        keep_old(a, e, m, m->id, c->leader->id);
        kstr_set(&a->member_id, new_id);
    }
    classic_rename(s, c, m, new_id);
    session_set(s, m, m->session_timeout_ms);
    classic_update(c, m, protocols_copy(p->list, p->n), rebalance_timeout_of(e, q), q->session_timeout_ms,
                   e->handle);
    if (!a) {
        ASSERT(c->state == CLASSIC_COMPLETING || c->state == CLASSIC_PREPARING);
        /* In CompletingRebalance the leader may have assigned to the old id. */
        if (c->state == CLASSIC_COMPLETING)
            rebalance_prepare(s, c, "a static member returned");
        else
            rebalance_maybe_complete(s, c);
        return;
    }
    if (kstr_equal(c->protocol, classic_select_protocol(c))) {
        record_group(s, c, NULL); /* the answer waits for it */
        return;
    }
    s->result->after = NULL;
    s->result->replay = true;
    after_free(a);
    rebalance_prepare(s, c, "a static member returned and changes the protocol");
}

static void undo_static(struct group_shard *s, struct group_after *a, struct classic *c, int16_t error) {
    struct classic_member *m = classic_member(c, a->member_id);
    if (!m) return;
    struct protocols old = a->old_protocols;
    a->old_protocols = (struct protocols){0};
    struct join_group_response r = {
        .error_code = after_client_error(error),
        .generation_id = c->generation,
        .protocol_type = c->protocol_type,
        .protocol_name = c->protocol,
        .leader = a->old_leader_id,
    };
    bool waits = m->join == a->handle;
    classic_update(c, m, old, a->old_rebalance_timeout_ms, a->old_session_timeout_ms, waits ? NULL : m->join);
    if (waits) step_reply(s, a->handle, &r);
    rebalance_reply_join(s, m, KERR_FENCED_INSTANCE_ID, m->id);
    rebalance_reply_sync(s, m, KERR_FENCED_INSTANCE_ID);
    if (!classic_member(c, a->old_member_id)) classic_rename(s, c, m, a->old_member_id);
    session_set(s, m, m->session_timeout_ms);
}

static void static_written(struct group_shard *s, struct group_after *a, struct classic *c, int16_t error) {
    struct classic_member *m = classic_member(c, a->member_id);
    if (error) {
        undo_static(s, a, c, error);
        return;
    }
    if (!m || m->join != a->handle) return; /* answered meanwhile */
    if (a->version >= SKIP_ASSIGNMENT_VERSION && c->state != CLASSIC_PREPARING) {
        rebalance_join_done(s, m, c->leader == m, c->leader == m);
        return;
    }
    /* Before version 9 the member is told the leader that was, so that it does not take itself for one and
     * assigns anew. */
    struct join_group_response r;
    rebalance_join_response(s, m, false, &r);
    r.leader = a->old_leader_id;
    classic_await_join(c, m, NULL);
    step_reply(s, a->handle, &r);
}

/* --- join --- */

static void join_new(struct group_shard *s, const struct group_event *e, struct classic *c,
                     const struct protocols *p) {
    const struct join_group_request *q = e->request;
    struct kstr id;
    do id = new_member_id(s, e);
    while (classic_member(c, id) || classic_is_pending(c, id));
    struct classic_member *known = classic_static_member(c, q->group_instance_id);
    if (known) {
        replace_static(s, e, c, known, id, p);
    } else if (kstr_null(q->group_instance_id) && e->version >= NEEDS_MEMBER_ID_VERSION) {
        ask_to_rejoin(s, e, c, id);
    } else {
        LOG_INFO("group", "%.*s: member %.*s joins", KSTR_ARG(c->group->id), KSTR_ARG(id));
        add_member(s, e, c, id, p);
    }
}

static void update_member(struct group_shard *s, const struct group_event *e, struct classic_member *m,
                          const struct protocols *p, const char *reason) {
    const struct join_group_request *q = e->request;
    void *before = m->join;
    if (before) { /* the member asks again: whoever waits for the older request has gone */
        struct join_group_response r = {.error_code = KERR_REBALANCE_IN_PROGRESS,
                                        .generation_id = -1,
                                        .protocol_type = KSTR_NULL,
                                        .protocol_name = KSTR_NULL,
                                        .member_id = m->id};
        classic_await_join(m->classic, m, NULL);
        step_reply(s, before, &r);
    }
    classic_update(m->classic, m, protocols_copy(p->list, p->n), rebalance_timeout_of(e, q),
                   q->session_timeout_ms, e->handle);
    rebalance_prepare_or_complete(s, m->classic, reason);
}

/* The generation that there is; the member goes on with SyncGroup. */
static void reply_current(struct group_shard *s, const struct group_event *e, struct classic_member *m,
                          bool with_members) {
    struct join_group_response r;
    if (rebalance_join_response(s, m, with_members, &r))
        step_reply(s, e->handle, &r);
    else
        reply_error(s, e, KERR_UNKNOWN_SERVER_ERROR, m->id);
}

static void join_existing(struct group_shard *s, const struct group_event *e, struct classic *c,
                          const struct protocols *p) {
    const struct join_group_request *q = e->request;
    struct classic_member *m = classic_member(c, q->member_id);
    int16_t error = classic_validate(c, q->member_id, q->group_instance_id, "JoinGroup");
    bool same = m && protocols_equal(&m->protocols, p);
    if (classic_is_pending(c, q->member_id)) {
        if (kstr_null(q->group_instance_id))
            add_member(s, e, c, q->member_id, p);
        else
            step_fail(s, KERR_UNKNOWN_SERVER_ERROR); /* an id that was given to a dynamic member */
    } else if (error) {
        reply_error(s, e, error, q->member_id);
    } else if (c->state == CLASSIC_PREPARING) {
        update_member(s, e, m, p, "a member rejoins");
    } else if (c->state == CLASSIC_COMPLETING && same) {
        /* It may not have got the first answer. */
        reply_current(s, e, m, c->leader == m);
    } else if (c->state == CLASSIC_COMPLETING) {
        update_member(s, e, m, p, "a member changed its metadata");
    } else if (c->state == CLASSIC_STABLE && c->leader == m) {
        /* The leader asks for a rebalance by joining, as when the topics it knows of changed. */
        update_member(s, e, m, p, "the leader rejoins");
    } else if (c->state == CLASSIC_STABLE && same) {
        reply_current(s, e, m, false);
    } else if (c->state == CLASSIC_STABLE) {
        update_member(s, e, m, p, "a member changed its metadata");
    } else {
        reply_error(s, e, KERR_UNKNOWN_MEMBER_ID, q->member_id);
    }
}

/* In a rebalance those who wait count, so that the last to rejoin are the ones who are sent away from a group
 * that is too large; otherwise the members count. */
static bool has_room(const struct group_shard *s, const struct classic *c, struct kstr id) {
    struct classic_member *m = classic_member(c, id);
    switch (c->state) {
    case CLASSIC_EMPTY:
    case CLASSIC_DEAD: return true;
    case CLASSIC_PREPARING: return (m && m->join) || c->awaiting_join < s->config->group_max_size;
    case CLASSIC_COMPLETING:
    case CLASSIC_STABLE: return m || c->members_n < s->config->group_max_size;
    }
    return false;
}

static void reject_full(struct group_shard *s, const struct group_event *e, struct classic *c) {
    const struct join_group_request *q = e->request;
    struct classic_member *m = classic_member(c, q->member_id);
    if (m) {
        rebalance_reply_sync(s, m, KERR_UNKNOWN_MEMBER_ID);
        classic_remove(s, c, m);
    }
    classic_remove_pending(s, c, q->member_id);
    reply_error(s, e, KERR_GROUP_MAX_SIZE_REACHED, KSTR(""));
}

static void join_classic(struct group_shard *s, const struct group_event *e, struct classic *c) {
    const struct join_group_request *q = e->request;
    struct protocols p = view_protocols(s, q);
    if (s->out_of_memory) {
        step_fail(s, KERR_UNKNOWN_SERVER_ERROR);
    } else if (!has_room(s, c, q->member_id)) {
        reject_full(s, e, c);
    } else if (!classic_supports(c, q->protocol_type, &p)) {
        reply_error(s, e, KERR_INCONSISTENT_GROUP_PROTOCOL, q->member_id);
    } else if (q->member_id.len == 0) {
        join_new(s, e, c, &p);
    } else {
        join_existing(s, e, c, &p);
    }
}

static int16_t check_request(const struct group_shard *s, const struct join_group_request *q) {
    if (q->group_id.len == 0) return KERR_INVALID_GROUP_ID;
    if (q->session_timeout_ms < s->config->group_min_session_timeout_ms ||
        q->session_timeout_ms > s->config->group_max_session_timeout_ms)
        return KERR_INVALID_SESSION_TIMEOUT;
    return KERR_NONE;
}

/* A group that is new gets a record, so that it is there after a crash and others see it. */
static void write_new_group(struct group_shard *s, const struct group_event *e, struct classic *c) {
    struct group_after *a = after_create(s, AFTER_NEW_GROUP, c);
    a->handle = e->handle;
    record_new_group(s, c);
}

/* The classic group to join, made if there is none; an empty group of another kind gives way, and its
 * tombstones are written with the new group's record. NULL: there is no such group and *error says what is
 * wrong. */
static struct classic *join_group(struct group_shard *s, const struct join_group_request *q, bool *is_new,
                                  int16_t *error) {
    struct group *g = group_existing(s, q->group_id);
    if (g && g->classic) return g->classic;
    *error = g && (!group_is_empty(g) || g->type == GROUP_KIND_SHARE) ? KERR_INCONSISTENT_GROUP_PROTOCOL
             : q->member_id.len                                       ? KERR_UNKNOWN_MEMBER_ID
                                                                      : KERR_NONE;
    if (*error) return NULL;
    *is_new = true;
    if (!g) return group_make_classic(s, group_find_or_add(s, q->group_id));
    group_delete_records(s, g);
    if (g->modern) g->modern->kind->free(g->modern);
    g->modern = NULL;
    g->type = GROUP_KIND_NONE;
    return group_make_classic(s, g);
}

void join_step(struct group_shard *s, const struct group_event *e) {
    const struct join_group_request *q = e->request;
    bool is_new = false;
    int16_t error = check_request(s, q);
    struct consumer *consumer = error ? NULL : consumer_find(s, q->group_id);
    if (consumer && consumer->m.members.count) {
        consumer_join_step(s, e, consumer);
        return;
    }
    struct classic *c = error ? NULL : join_group(s, q, &is_new, &error);
    if (!c) {
        reply_error(s, e, error, error == KERR_INCONSISTENT_GROUP_PROTOCOL ? KSTR("") : q->member_id);
        return;
    }
    join_classic(s, e, c);
    if (is_new) write_new_group(s, e, c);
}

/* The new group could not be written: it must not exist. */
static void undo_new_group(struct group_shard *s, struct group_after *a, struct group *g, int16_t error) {
    struct classic *c = g->classic;
    for (struct classic_member *m = c->members; m; m = m->next) {
        rebalance_reply_join(s, m, after_client_error(error), KSTR(""));
        rebalance_reply_sync(s, m, after_client_error(error));
    }
    group_dissolve(s, g);
}

void join_written(struct group_shard *s, struct group_after *a, int16_t error) {
    struct group *g = group_existing(s, a->group_id);
    if (error)
        LOG_WARN("group", "%.*s: its record cannot be written: %s", KSTR_ARG(a->group_id), kerr_name(error));
    if (!g || !g->classic || g->classic->generation != a->generation) return;
    if (a->kind == AFTER_STATIC_JOIN)
        static_written(s, a, g->classic, error);
    else if (error)
        undo_new_group(s, a, g, error);
}
