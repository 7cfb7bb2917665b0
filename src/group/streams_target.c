/* The target assignment of a streams group: which tasks each member should have at the group's epoch. While
 * the topics are not right nobody gets any. Source: streams.TargetAssignmentBuilder. */
#include <stdlib.h>

#include "base/log.h"
#include "group/own.h"
#include "group/streams.h"
#include "group/task_assignor.h"

static int by_id(const void *a, const void *b) {
    return names_compare(((const struct task_member *)a)->id, ((const struct task_member *)b)->id);
}

static void add(const struct streams_assigning *a, struct task_assign *in, const struct streams_member *m) {
    const struct streams_target *t = streams_target(a->g, m->m.id);
    in->members[in->members_n++] =
        (struct task_member){.id = m->m.id, .process = m->process, .before = t ? &t->tasks : NULL};
}

static bool collect(const struct streams_assigning *a, struct task_assign *in) {
    struct hashmap_entry *e;
    in->members = arena_calloc(in->arena, a->g->m.members.count + 1, sizeof *in->members);
    if (!in->members) return false;
    for (size_t i = 0; (e = hashmap_next(&a->g->m.members, &i));) {
        const struct streams_member *m = e->value;
        if (!a->now || !kstr_equal(m->m.id, a->now->m.id)) add(a, in, m);
    }
    if (a->now) add(a, in, a->now);
    if (in->members_n) qsort(in->members, (size_t)in->members_n, sizeof *in->members, by_id);
    return true;
}

bool streams_assign(const struct streams_assigning *a, struct tasks *mine) {
    struct group_shard *s = a->s;
    struct task_assign in = {.arena = &s->scratch,
                             .subtopologies = a->configured->subtopologies,
                             .subtopologies_n = a->configured->subtopologies_n,
                             .standbys = a->standbys};
    int32_t changed = 0;
    *mine = (struct tasks){0};
    if (!collect(a, &in)) return false;
    if (a->configured->status == STREAMS_READY && in.members_n && !task_assign_sticky(&in)) return false;
    for (int32_t i = 0; i < in.members_n; i++) {
        const struct task_member *m = &in.members[i];
        if (a->now && kstr_equal(m->id, a->now->m.id)) *mine = m->after;
        if (m->before && tasks_equal(m->before, &m->after, false)) continue;
        record_streams_target(s, a->g->m.id, m->id, &m->after);
        changed++;
    }
    record_streams_target_epoch(s, a->g->m.id, a->epoch, s->now.wall);
    LOG_INFO("group",
             "%.*s: target assignment of epoch %d: %d members, %d subtopologies, %d members get others",
             KSTR_ARG(a->g->m.id), a->epoch, in.members_n, in.subtopologies_n, changed);
    return true;
}
