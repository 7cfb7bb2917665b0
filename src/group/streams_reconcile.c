/* The way of a member of a streams group from the tasks that it has to its target, as consumer_reconcile.c
 * has it for partitions, with two differences: tasks have roles, and a process (which may hold several
 * members) has a task once at most, in one role.
 *
 * Invariant: an active task is given only if nobody has it or has yet to give it up, and its process has no
 * copy of it; a standby or warm-up only if its process has no copy (streams_task_taken). Source:
 * streams.CurrentAssignmentBuilder. */
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/own.h"
#include "group/streams.h"

/* Parts of the difference between what a member has and its target. */
struct difference {
    struct tasks keep, give, get;
    bool unreleased; /* some of the target is still with others */
};

static bool role_difference(struct streams_reconciling *r, enum task_role role, struct difference *d) {
    const struct task_list *has = &r->m->assigned.of[role], *target = &r->target->of[role];
    struct task_list *keep = &d->keep.of[role], *give = &d->give.of[role], *get = &d->get.of[role];
    *keep = task_list_room(&r->s->scratch, has->n + target->n);
    *give = task_list_room(&r->s->scratch, has->n);
    *get = task_list_room(&r->s->scratch, target->n);
    if (!keep->list || !give->list || !get->list) return false;
    for (int32_t i = 0; i < has->n; i++) {
        bool wanted = task_list_find(target, has->list[i].subtopology, has->list[i].partition);
        struct task_list *to = wanted ? keep : give;
        to->list[to->n++] = has->list[i];
    }
    for (int32_t i = 0; i < target->n; i++) {
        struct task t = target->list[i];
        if (task_list_find(has, t.subtopology, t.partition)) continue;
        t.epoch = role == TASK_ACTIVE ? r->target_epoch : 0;
        if (streams_task_taken(r->g, &t, role, r->m->process))
            d->unreleased = true;
        else
            get->list[get->n++] = t;
    }
    return true;
}

static void move_to(struct streams_member *m, int32_t epoch, enum member_state state) {
    m->m.previous_epoch = m->m.epoch;
    m->m.epoch = epoch;
    m->m.state = state;
}

static int16_t next_assignment(struct streams_reconciling *r, int32_t member_epoch) {
    struct streams_member *m = r->m;
    struct difference d = {0};
    for (int role = 0; role < TASK_ROLES; role++)
        if (!role_difference(r, (enum task_role)role, &d)) return KERR_UNKNOWN_SERVER_ERROR;
    if (!tasks_empty(&d.give) && (!r->owned || tasks_meet(r->owned, &d.give))) {
        m->assigned = d.keep;
        m->revoking = d.give;
        move_to(m, member_epoch, MEMBER_UNREVOKED);
        return KERR_NONE;
    }
    for (int role = 0; role < TASK_ROLES; role++) {
        struct task_list *keep = &d.keep.of[role], *get = &d.get.of[role];
        for (int32_t i = 0; i < get->n; i++) keep->list[keep->n++] = get->list[i];
        task_list_sort(keep);
    }
    m->assigned = d.keep;
    m->revoking = (struct tasks){0};
    move_to(m, r->target_epoch, d.unreleased ? MEMBER_UNRELEASED : MEMBER_STABLE);
    return KERR_NONE;
}

static int16_t reconcile(struct streams_reconciling *r) {
    struct streams_member *m = r->m;
    switch (m->m.state) {
    case MEMBER_STABLE: return m->m.epoch != r->target_epoch ? next_assignment(r, m->m.epoch) : KERR_NONE;
    case MEMBER_UNREVOKED:
        if (!r->owned || tasks_meet(r->owned, &m->revoking)) return KERR_NONE;
        return next_assignment(r, m->m.epoch + 1);
    case MEMBER_UNRELEASED: return next_assignment(r, m->m.epoch);
    case MEMBER_UNKNOWN: break;
    }
    return r->owned && tasks_empty(r->owned) ? next_assignment(r, r->target_epoch) : KERR_FENCED_MEMBER_EPOCH;
}

int16_t streams_reconcile(struct streams_reconciling *r) {
    struct streams_member *m = r->m, before = *m;
    if (member_reconciled(&m->m, r->target_epoch)) return KERR_NONE;
    int16_t error = reconcile(r);
    if (error || streams_member_equal(&before, m)) return error;
    record_streams_current(r->s, r->g->m.id, m);
    if (m->m.state == MEMBER_UNREVOKED)
        modern_timer_set(r->s, r->g->m.id, m->m.id, MEMBER_REBALANCE, m->rebalance_timeout_ms, m->m.epoch);
    else
        modern_timer_cancel(r->s, r->g->m.id, m->m.id, MEMBER_REBALANCE);
    return KERR_NONE;
}
