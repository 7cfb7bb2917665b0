/* ShareGroupHeartbeat: a member joins, says what it wants, hears what it is to have, leaves. Nothing is
 * revoked: a member that reads partitions that are no longer its own does no harm. With the first heartbeat
 * for a topic the server is asked to initialize its share partitions; they are assigned when that is done.
 * Source: GroupCoordinatorService.shareGroupHeartbeat, GroupMetadataManager.shareGroupHeartbeat. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/share_group_heartbeat.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/own.h"
#include "group/share_answer.h"
#include "group/share_group.h"
#include "group/target.h"
#include "metadata/image.h"

enum { MESSAGE_MAX = 512 };

struct share_step {
    struct group_shard *s;
    const struct group_event *e;
    struct share_group *g;
    bool outside; /* g is not in the shard yet */
    struct share_member old, now;
    int32_t epoch;
    bool bumped;
    struct hashmap topics; /* the group's subscriptions with this step */
    int16_t error;
    const char *message;
};

static void fail(struct share_step *st, int16_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(struct share_step *st, int16_t error, const char *format, ...) {
    char text[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    st->error = error;
    st->message = arena_strndup(st->e->arena, text, strlen(text));
}

int32_t share_session_ms(const struct group_shard *s, struct kstr group) {
    return modern_setting(s, group, "share.session.timeout.ms", &s->config->share.session_timeout);
}

/* --- the request, the group, the member --- */

static bool blank(struct kstr a) {
    for (int32_t i = 0; i < a.len; i++)
        if ((unsigned char)a.s[i] > ' ') return false;
    return a.len >= 0;
}

static const char *invalid(const struct share_group_heartbeat_request *q) {
    if (blank(q->member_id)) return "MemberId can't be empty.";
    if (blank(q->group_id)) return "GroupId can't be empty.";
    if (blank(q->rack_id)) return "RackId can't be empty.";
    if (q->member_epoch == EPOCH_JOIN && q->subscribed_topic_names_n <= 0)
        return "SubscribedTopicNames must be set in first request.";
    return q->member_epoch < EPOCH_LEAVE ? "MemberEpoch is invalid." : NULL;
}

static void open_group(struct share_step *st, struct kstr id, bool create) {
    struct group *g = group_existing(st->s, id);
    if (g && g->type == GROUP_KIND_SHARE)
        st->g = share_of(g->modern);
    else if (g)
        fail(st, KERR_GROUP_ID_NOT_FOUND, "Group %.*s is not a share group.", KSTR_ARG(id));
    else if (!create)
        fail(st, KERR_GROUP_ID_NOT_FOUND, "Share group %.*s not found.", KSTR_ARG(id));
    else
        st->g = share_create(st->s, id);
    st->outside = st->g && !g;
}

static void check_epoch(struct share_step *st, int32_t epoch) {
    const struct modern_member *m = &st->old.m;
    if (epoch == EPOCH_JOIN || epoch == m->epoch) return;
    if (epoch < m->epoch && epoch == m->previous_epoch) return;
    LOG_INFO("group", "%.*s: member %.*s is fenced: it is at epoch %d, the coordinator knows it at %d",
             KSTR_ARG(st->g->m.id), KSTR_ARG(m->id), epoch, m->epoch);
    if (epoch > m->epoch)
        fail(st, KERR_FENCED_MEMBER_EPOCH,
             "The share group member has a greater member epoch (%d) than the one known by the group "
             "coordinator "
             "(%d). The member must abandon all its partitions and rejoin.",
             epoch, m->epoch);
    else
        fail(st, KERR_FENCED_MEMBER_EPOCH,
             "The share group member has a smaller member epoch (%d) than the one known by the group "
             "coordinator "
             "(%d), and it does not match the previous member epoch (%d). The member must abandon all its "
             "partitions and rejoin.",
             epoch, m->epoch, m->previous_epoch);
}

static void find_member(struct share_step *st, const struct share_group_heartbeat_request *q) {
    const struct share_member *known = share_member(st->g, q->member_id);
    int32_t max = st->s->config->share.max_size;
    if (st->g->m.members.count >= (size_t)max && !known) {
        fail(st, KERR_GROUP_MAX_SIZE_REACHED,
             "The share group has reached its maximum capacity of %d members.", max);
        return;
    }
    if (!known && q->member_epoch != EPOCH_JOIN) {
        fail(st, KERR_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.", KSTR_ARG(q->member_id),
             KSTR_ARG(st->g->m.id));
        return;
    }
    st->old = known ? *known : share_member_new(q->member_id);
    check_epoch(st, q->member_epoch);
    if (st->error) return;
    if (q->member_epoch == EPOCH_JOIN)
        LOG_INFO("group", "%.*s: member %.*s joins (share)", KSTR_ARG(st->g->m.id), KSTR_ARG(q->member_id));
    st->now = st->old;
    if (q->rack_id.len >= 0) st->now.m.rack = q->rack_id;
    st->now.m.client_id = st->e->client_id.len < 0 ? KSTR("") : st->e->client_id;
    st->now.m.client_host = st->e->client_host;
    if (q->subscribed_topic_names_n >= 0 && !names_sort(&st->s->scratch, q->subscribed_topic_names,
                                                        q->subscribed_topic_names_n, &st->now.m.topics))
        fail(st, KERR_UNKNOWN_SERVER_ERROR, "The request is too large.");
}

/* --- epochs --- */

/* What all members together should have of a topic. */
static bool fully_assigned(const struct share_group *g, const struct assigned_topic *wanted) {
    struct hashmap_entry *e;
    for (int32_t i = 0; i < wanted->n; i++) {
        bool found = false;
        for (size_t k = 0; !found && (e = hashmap_next(&g->m.targets, &k));)
            found = assigned_get(((struct target *)e->value)->partitions, &wanted->id, wanted->partitions[i]);
        if (!found) return false;
    }
    for (size_t k = 0; (e = hashmap_next(&g->m.targets, &k));) { /* and nothing else */
        const struct assigned_topic *has =
            assigned_topic(((struct target *)e->value)->partitions, &wanted->id);
        for (int32_t i = 0; has && i < has->n; i++)
            if (!assigned_topic_get(wanted, has->partitions[i])) return false;
    }
    return true;
}

/* Something was initialized that nobody was given yet. */
static bool has_more_to_assign(const struct share_group *g) {
    if (!g->m.members.count || !g->m.topics.count) return false;
    for (int32_t i = 0; i < g->initialized.n; i++) {
        const struct share_topic *t = &g->initialized.topics[i];
        const struct assigned_topic *wanted = assigned_topic(g->initialized.partitions, &t->id);
        if (wanted && modern_subscribed(&g->m, t->name) && !fully_assigned(g, wanted)) return true;
    }
    return false;
}

static void update_metadata(struct share_step *st, bool bump) {
    subscriptions_of(&st->topics, &st->old.m.topics, -1);
    subscriptions_of(&st->topics, &st->now.m.topics, 1);
    int64_t hash = metadata_hash(st->s, &st->topics);
    st->bumped = bump || hash != st->g->m.metadata_hash;
    if (st->bumped) {
        st->epoch++;
        record_share_epoch(st->s, st->g->m.id, st->epoch, hash);
        LOG_INFO("group", "%.*s: epoch %d (%s)", KSTR_ARG(st->g->m.id), st->epoch,
                 bump ? "a subscription or what can be assigned changed" : "the topics' metadata changed");
    }
    modern_metadata_checked(st->s, &st->g->m, st->epoch);
}

/* --- target --- */

static int by_id(const void *a, const void *b) {
    return names_compare(((const struct target_member *)a)->id, ((const struct target_member *)b)->id);
}

static bool homogeneous(const struct share_step *st, size_t members) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&st->topics, &i));)
        if ((size_t)((struct subscription *)e->value)->by_name != members) return false;
    return true;
}

static struct target_member *members_of(struct share_step *st, int32_t *n) {
    struct target_member *list = arena_calloc(&st->s->scratch, st->g->m.members.count + 1, sizeof *list);
    struct hashmap_entry *e;
    bool listed = false;
    *n = 0;
    for (size_t i = 0; list && (e = hashmap_next(&st->g->m.members, &i));) {
        const struct modern_member *m = e->value;
        bool changed = kstr_equal(m->id, st->now.m.id);
        const struct target *t = modern_target(&st->g->m, m->id);
        list[(*n)++] = (struct target_member){.id = m->id,
                                              .instance_id = KSTR_NULL,
                                              .topics = changed ? st->now.m.topics : m->topics,
                                              .current = t ? t->partitions : NULL};
        listed |= changed;
    }
    if (list && !listed)
        list[(*n)++] =
            (struct target_member){.id = st->now.m.id, .instance_id = KSTR_NULL, .topics = st->now.m.topics};
    if (list) qsort(list, (size_t)*n, sizeof *list, by_id);
    return list;
}

static int32_t update_target(struct share_step *st, const struct assigned **mine) {
    struct group_shard *s = st->s;
    const struct target *t = modern_target(&st->g->m, st->now.m.id);
    struct assign_input in = {.arena = &s->scratch};
    int32_t n, changed = 0;
    *mine = t ? t->partitions : NULL;
    if (st->g->m.assignment_epoch >= st->epoch ||
        !modern_may_assign(s, &st->g->m, "share.assignment.interval.ms",
                           &s->config->share.assignment_interval))
        return st->g->m.assignment_epoch;
    struct target_member *members = members_of(st, &n);
    in.homogeneous = members && homogeneous(st, (size_t)n);
    if (!members || !target_input(s, &in, members, n) || !assign_simple(&in, st->g->initialized.partitions)) {
        fail(st, KERR_UNKNOWN_SERVER_ERROR, "The group is too large to be assigned.");
        return st->g->m.assignment_epoch;
    }
    for (int32_t m = 0; m < in.members_n; m++) {
        const struct target *before = modern_target(&st->g->m, in.members[m].id);
        if (kstr_equal(in.members[m].id, st->now.m.id)) *mine = in.members[m].result;
        if (before && assigned_equal(before->partitions, in.members[m].result, false)) continue;
        record_share_target(s, st->g->m.id, in.members[m].id, in.members[m].result);
        changed++;
    }
    record_share_target_epoch(s, st->g->m.id, st->epoch, s->now.wall);
    LOG_INFO("group", "%.*s: target assignment of epoch %d: %d members, %d topics, %d members get others",
             KSTR_ARG(st->g->m.id), st->epoch, in.members_n, in.topics_n, changed);
    return st->epoch;
}

static void reconcile(struct share_step *st, int32_t target_epoch, const struct assigned *target) {
    struct share_member before = st->now;
    if (!st->bumped && member_reconciled(&st->now.m, target_epoch)) return;
    if (target_epoch == st->now.m.epoch && !st->bumped) return;
    struct assigned_builder b = assigned_begin(&st->s->scratch);
    for (int32_t i = 0; i < assigned_topics(target); i++) {
        const struct assigned_topic *of = &target->topics[i];
        const struct topic *t = st->s->image ? image_topic_by_id(st->s->image, &of->id) : NULL;
        if (t && names_has(&st->now.m.topics, (struct kstr){t->name, t->name_len}))
            assigned_add_topic(&b, &of->id, of->partitions, of->n, NULL, 0);
    }
    st->now.assigned = assigned_finish(&b, false);
    st->s->out_of_memory |= b.failed;
    if (target_epoch != st->now.m.epoch) {
        st->now.m.state = MEMBER_STABLE;
        st->now.m.previous_epoch = st->now.m.epoch;
        st->now.m.epoch = target_epoch;
    }
    if (!share_member_equal(&before, &st->now)) record_share_current(st->s, st->g->m.id, &st->now);
}

/* --- states of share partitions --- */

/* What is not initialized, nor about to be. */
static struct assigned *uninitialized(struct share_step *st) {
    const struct share_group *g = st->g;
    bool waits =
        st->s->now.wall - g->initializing.since_ms < st->s->config->share.initialize_retry_interval_ms;
    struct assigned_builder b = assigned_begin(&st->s->scratch);
    struct hashmap_entry *e;
    for (size_t i = 0; st->s->image && (e = hashmap_next(&st->topics, &i));) {
        struct kstr name = ((struct subscription *)e->value)->name;
        const struct topic *t = image_topic_by_name(st->s->image, name.s, (size_t)name.len);
        for (int32_t p = 0; t && p < t->partitions_n; p++)
            if (!assigned_get(g->initialized.partitions, &t->id, p) &&
                !(waits && assigned_get(g->initializing.partitions, &t->id, p)))
                assigned_add(&b, &t->id, p, 0);
    }
    struct assigned *a = assigned_finish(&b, false);
    st->s->out_of_memory |= b.failed;
    return a;
}

static struct group_share_states *export_states(struct share_step *st, const struct assigned *a) {
    struct arena *arena = st->e->arena;
    struct group_share_states *out = arena_calloc(arena, 1, sizeof *out);
    if (out) out->topics = arena_calloc(arena, (size_t)assigned_topics(a), sizeof *out->topics);
    if (!out || !out->topics) return NULL;
    out->group = ((const struct share_group_heartbeat_request *)st->e->request)->group_id;
    out->epoch = st->epoch;
    for (; out->topics_n < assigned_topics(a); out->topics_n++) {
        const struct assigned_topic *t = &a->topics[out->topics_n];
        struct group_share_topic *o = &out->topics[out->topics_n];
        o->id = t->id;
        o->partitions_n = t->n;
        o->partitions = arena_memdup(arena, t->partitions, (size_t)t->n * sizeof *t->partitions);
        if (!o->partitions) return NULL;
    }
    return out;
}

/* Deleting topics that are wanted again are deleting no more. */
static void initialize(struct share_step *st, struct group_share_heartbeat *answer) {
    struct group_shard *s = st->s;
    const struct share_group *g = st->g;
    struct assigned *more = uninitialized(st);
    if (!more) return;
    struct assigned_builder b = assigned_begin(&s->scratch);
    assigned_add_all(&b, g->initializing.partitions);
    assigned_add_all(&b, more);
    struct assigned *initializing = assigned_finish(&b, false);
    struct uuid *deleting = arena_calloc(&s->scratch, (size_t)g->deleting.n + 1, sizeof *deleting);
    int32_t n = 0;
    s->out_of_memory |= b.failed || !deleting;
    for (int32_t i = 0; deleting && i < g->deleting.n; i++)
        if (!assigned_topic(initializing, &g->deleting.topics[i].id))
            deleting[n++] = g->deleting.topics[i].id;
    if (s->out_of_memory) return;
    record_share_states(s, g, g->m.id, initializing, g->initialized.partitions, deleting, n);
    answer->initialize = export_states(st, more);
    s->out_of_memory |= !answer->initialize;
}

/* --- answers --- */

static struct group_share_heartbeat *new_answer(struct share_step *st) {
    struct group_share_heartbeat *a = arena_calloc(st->e->arena, 1, sizeof *a);
    if (a) share_group_heartbeat_response_init(&a->response);
    st->s->out_of_memory |= !a;
    return a;
}

static struct share_group_heartbeat_response_assignment *assignment(struct share_step *st) {
    const struct assigned *a = st->now.assigned;
    struct arena *arena = st->e->arena;
    struct share_group_heartbeat_response_assignment *out = arena_calloc(arena, 1, sizeof *out);
    if (out)
        out->topic_partitions =
            arena_calloc(arena, (size_t)assigned_topics(a), sizeof *out->topic_partitions);
    if (!out || !out->topic_partitions) return NULL;
    for (; out->topic_partitions_n < assigned_topics(a); out->topic_partitions_n++) {
        const struct assigned_topic *t = &a->topics[out->topic_partitions_n];
        struct share_group_heartbeat_response_topic_partitions *o =
            &out->topic_partitions[out->topic_partitions_n];
        o->topic_id = t->id;
        o->partitions_n = t->n;
        o->partitions = arena_memdup(arena, t->partitions, (size_t)t->n * sizeof *t->partitions);
        if (!o->partitions) return NULL;
    }
    return out;
}

static void answer_error(struct share_step *st) {
    struct group_share_heartbeat *a = new_answer(st);
    st->s->result->records_n = 0;
    if (a) {
        a->response.error_code = st->error;
        a->response.error_message = kstr_of(st->message);
    }
    step_answer(st->s, a);
}

static void answer(struct share_step *st, const struct share_group_heartbeat_request *q,
                   struct group_share_heartbeat *a) {
    struct group_shard *s = st->s;
    a->response.member_id = q->member_id;
    a->response.member_epoch = st->now.m.epoch;
    a->response.heartbeat_interval_ms =
        modern_setting(s, st->g->m.id, "share.heartbeat.interval.ms", &s->config->share.heartbeat_interval);
    if (q->member_epoch == EPOCH_JOIN || q->subscribed_topic_names_n >= 0 ||
        !assigned_equal(st->old.assigned, st->now.assigned, false)) {
        a->response.assignment = assignment(st);
        s->out_of_memory |= !a->response.assignment;
    }
}

/* --- the steps --- */

static void beat(struct share_step *st, const struct share_group_heartbeat_request *q) {
    struct group_shard *s = st->s;
    bool bump = false;
    if (!share_member_equal(&st->old, &st->now)) {
        record_share_member(s, st->g->m.id, &st->now);
        bump = !names_equal(&st->old.m.topics, &st->now.m.topics);
    }
    st->epoch = st->g->m.epoch;
    st->topics = subscriptions_copy(&st->g->m.topics);
    if (st->g->m.assignment_epoch >= st->epoch) bump |= has_more_to_assign(st->g);
    st->bumped = bump;
    if (bump || modern_metadata_expired(s, &st->g->m)) update_metadata(st, bump);
    const struct assigned *target;
    int32_t target_epoch = update_target(st, &target);
    struct group_share_heartbeat *a = st->error ? NULL : new_answer(st);
    if (a) {
        reconcile(st, target_epoch, target);
        modern_timer_set(s, st->g->m.id, q->member_id, MEMBER_SESSION, share_session_ms(s, st->g->m.id), 0);
        answer(st, q, a);
        initialize(st, a);
    }
    subscriptions_free(&st->topics);
    if (st->error)
        answer_error(st);
    else
        step_answer(s, a);
}

static void fence(struct group_shard *s, struct share_group *g, const struct share_member *m) {
    struct hashmap topics = subscriptions_copy(&g->m.topics);
    subscriptions_of(&topics, &m->m.topics, -1);
    record_share_member_gone(s, g->m.id, m->m.id);
    record_share_epoch(s, g->m.id, g->m.epoch + 1, metadata_hash(s, &topics));
    LOG_INFO("group", "%.*s: epoch %d (a member is gone)", KSTR_ARG(g->m.id), g->m.epoch + 1);
    subscriptions_free(&topics);
}

static void leave(struct share_step *st, const struct share_group_heartbeat_request *q) {
    struct group *any = group_existing(st->s, q->group_id);
    struct share_group *g = share_find(st->s, q->group_id);
    const struct share_member *m = g ? share_member(g, q->member_id) : NULL;
    if (!g)
        fail(st, KERR_GROUP_ID_NOT_FOUND, any ? "Group %.*s is not a share group." : "Group %.*s not found.",
             KSTR_ARG(q->group_id));
    else if (!m)
        fail(st, KERR_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.", KSTR_ARG(q->member_id),
             KSTR_ARG(q->group_id));
    if (st->error) {
        answer_error(st);
        return;
    }
    LOG_INFO("group", "%.*s: member %.*s left", KSTR_ARG(q->group_id), KSTR_ARG(q->member_id));
    struct group_share_heartbeat *a = new_answer(st);
    fence(st->s, g, m);
    if (a) {
        a->response.member_id = q->member_id;
        a->response.member_epoch = q->member_epoch;
    }
    step_answer(st->s, a);
}

void share_heartbeat_step(struct group_shard *s, const struct group_event *e) {
    const struct share_group_heartbeat_request *q = e->request;
    struct share_step st = {.s = s, .e = e};
    const char *wrong = invalid(q);
    if (wrong) fail(&st, KERR_INVALID_REQUEST, "%s", wrong);
    if (!wrong && q->member_epoch == EPOCH_LEAVE) {
        leave(&st, q);
        return;
    }
    if (!st.error) open_group(&st, q->group_id, q->member_epoch == EPOCH_JOIN);
    if (!st.error) find_member(&st, q);
    if (st.error)
        answer_error(&st);
    else
        beat(&st, q);
    if (st.outside) share_free(st.g);
}

void share_due(struct group_shard *s, struct modern *m, struct kstr member, enum member_timer which,
               int32_t epoch) {
    const struct share_member *gone = share_member(share_of(m), member);
    if (!gone || which != MEMBER_SESSION) return;
    LOG_INFO("group", "%.*s: member %.*s is fenced at epoch %d: its session expired", KSTR_ARG(m->id),
             KSTR_ARG(member), gone->m.epoch);
    fence(s, share_of(m), gone);
}
