/* Tasks are numbered through: those of the first subtopology, then of the next. A task has one active member
 * and up to a few standbys, so that a short list of owners a task says in which processes it is. */
#include "group/task_assignor.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/hashmap.h"
#include "group/names.h"

enum { NOBODY = -1 };

struct process {
    struct kstr id;
    int32_t first, members_n; /* of the list of members by process */
    int32_t tasks_n;
};

struct task_place {
    int32_t subtopology, partition;
    int32_t was_active;                  /* member or NOBODY */
    int32_t was_standby, was_standbys_n; /* a part of the list of former standbys */
    int32_t active;                      /* member, NOBODY: not yet */
    int32_t *standbys, standbys_n;       /* members */
};

/* How many tasks a member may have before the others get theirs. */
struct share {
    int32_t tasks, members; /* left to be shared, and among how many */
    int32_t each;
};

struct sticky {
    struct task_assign *in;
    struct process *processes;
    int32_t processes_n;
    int32_t *by_process;       /* members, grouped by process */
    int32_t *process_of, *has; /* of a member: its process, how many tasks it has */
    struct task_place *tasks;
    int32_t tasks_n;
    int32_t *base;           /* number of each subtopology's first task */
    int32_t *former;         /* former standbys, by task */
    int32_t *queue, queue_n; /* processes, a heap by load */
    struct share active, all;
};

/* --- shares --- */

static void share_again(struct share *s) {
    s->each = s->members ? s->tasks / s->members + (s->tasks % s->members > 0) : 0;
}

/* A member got its n-th task: if that is its share, the others share the rest. */
static void share_taken(struct share *s, int32_t n) {
    if (n != s->each) return;
    s->members--;
    s->tasks -= n;
    share_again(s);
}

/* --- processes --- */

static double load(const struct sticky *s, int32_t process) {
    const struct process *p = &s->processes[process];
    return (double)p->tasks_n / p->members_n;
}

static bool less(const struct sticky *s, int32_t a, int32_t b) {
    double x = load(s, a), y = load(s, b);
    return x < y || (x == y && a < b);
}

static void sink(struct sticky *s, int32_t at) {
    for (;;) {
        int32_t least = at, left = 2 * at + 1;
        for (int32_t child = left; child < left + 2 && child < s->queue_n; child++)
            if (less(s, s->queue[child], s->queue[least])) least = child;
        if (least == at) return;
        int32_t swap = s->queue[at];
        s->queue[at] = s->queue[least];
        s->queue[least] = swap;
        at = least;
    }
}

static void queue_fill(struct sticky *s) {
    s->queue_n = s->processes_n;
    for (int32_t i = 0; i < s->queue_n; i++) s->queue[i] = i;
    for (int32_t i = s->queue_n / 2; i >= 0; i--) sink(s, i);
}

static void queue_put(struct sticky *s, int32_t process) {
    int32_t at = s->queue_n++;
    for (; at && less(s, process, s->queue[(at - 1) / 2]); at = (at - 1) / 2)
        s->queue[at] = s->queue[(at - 1) / 2];
    s->queue[at] = process;
}

static int32_t queue_take(struct sticky *s) {
    int32_t first = s->queue[0];
    s->queue[0] = s->queue[--s->queue_n];
    sink(s, 0);
    return first;
}

static bool process_has(const struct sticky *s, int32_t process, const struct task_place *t) {
    if (t->active != NOBODY && s->process_of[t->active] == process) return true;
    for (int32_t i = 0; i < t->standbys_n; i++)
        if (s->process_of[t->standbys[i]] == process) return true;
    return false;
}

static int32_t least_loaded_member(const struct sticky *s, int32_t process) {
    const struct process *p = &s->processes[process];
    int32_t least = s->by_process[p->first];
    for (int32_t i = 1; i < p->members_n; i++)
        if (s->has[s->by_process[p->first + i]] < s->has[least]) least = s->by_process[p->first + i];
    return least;
}

/* --- giving --- */

static void give(struct sticky *s, int32_t member, struct task_place *t, bool active) {
    if (active)
        t->active = member;
    else
        t->standbys[t->standbys_n++] = member;
    s->processes[s->process_of[member]].tasks_n++;
    s->has[member]++;
    if (active) share_taken(&s->active, s->has[member]);
    share_taken(&s->all, s->has[member]);
}

/* Of those that had it as standby; in_use: also whether its process has it by now. */
static int32_t former_standby(const struct sticky *s, const struct task_place *t, bool in_use) {
    const int32_t *list = s->former + t->was_standby;
    if (!t->was_standbys_n) return NOBODY;
    int32_t best = list[0];
    double process_load = load(s, s->process_of[best]);
    for (int32_t i = 1; i < t->was_standbys_n; i++) {
        double l = load(s, s->process_of[list[i]]);
        if (l >= process_load || (in_use && process_has(s, s->process_of[list[i]], t))) continue;
        if (s->has[list[i]] >= s->has[best]) continue;
        process_load = l;
        best = list[i];
    }
    return in_use && process_has(s, s->process_of[list[0]], t) ? NOBODY : best;
}

/* Whose turn it is by partition, so that equal partitions of several subtopologies stay together. */
static int by_partition(const void *a, const void *b) {
    const struct task_place *const *x = a, *const *y = b;
    if ((*x)->partition != (*y)->partition) return (*x)->partition < (*y)->partition ? -1 : 1;
    return (*x)->subtopology < (*y)->subtopology ? -1 : (*x)->subtopology > (*y)->subtopology;
}

static struct task_place **tasks_by_partition(struct sticky *s) {
    struct task_place **list = arena_alloc(s->in->arena, (size_t)s->tasks_n * sizeof *list);
    for (int32_t i = 0; list && i < s->tasks_n; i++) list[i] = &s->tasks[i];
    if (list && s->tasks_n) qsort(list, (size_t)s->tasks_n, sizeof *list, by_partition);
    return list;
}

static void assign_active(struct sticky *s, struct task_place **order) {
    for (int32_t i = 0; i < s->tasks_n; i++) {
        int32_t m = order[i]->was_active;
        if (m != NOBODY && s->has[m] < s->active.each) give(s, m, order[i], true);
    }
    for (int32_t i = 0; i < s->tasks_n; i++) {
        int32_t m = order[i]->active == NOBODY ? former_standby(s, order[i], false) : NOBODY;
        if (m != NOBODY && s->has[m] < s->active.each) give(s, m, order[i], true);
    }
    queue_fill(s);
    for (int32_t i = 0; i < s->tasks_n; i++) {
        if (s->tasks[i].active != NOBODY) continue;
        int32_t process = queue_take(s);
        give(s, least_loaded_member(s, process), &s->tasks[i], true);
        queue_put(s, process);
    }
}

/* A replica for those who had the task, as long as their share is not full. */
static bool assign_standby_sticky(struct sticky *s, struct task_place *t) {
    int32_t m = t->was_active;
    if (m != NOBODY && !process_has(s, s->process_of[m], t) && s->has[m] < s->all.each) {
        give(s, m, t, false);
        return true;
    }
    m = former_standby(s, t, true);
    if (m == NOBODY || s->has[m] >= s->all.each) return false;
    ASSERT(!process_has(s, s->process_of[m], t));
    give(s, m, t, false);
    return true;
}

/* false: every process has the task. */
static bool assign_standby_anywhere(struct sticky *s, struct task_place *t, int32_t *aside) {
    int32_t n = 0, process = NOBODY;
    while (s->queue_n && process == NOBODY) {
        int32_t p = queue_take(s);
        if (process_has(s, p, t))
            aside[n++] = p;
        else
            process = p;
    }
    if (process != NOBODY) {
        give(s, least_loaded_member(s, process), t, false);
        queue_put(s, process);
    }
    while (n) queue_put(s, aside[--n]);
    return process != NOBODY;
}

static bool assign_standbys(struct sticky *s, struct task_place **order) {
    int32_t *aside = arena_alloc(s->in->arena, (size_t)s->processes_n * sizeof *aside);
    if (!aside) return false;
    for (int32_t i = s->tasks_n - 1; i >= 0; i--) { /* the other way round, away from the active ones */
        struct task_place *t = order[i];
        if (!s->in->subtopologies[t->subtopology].stateful) continue;
        while (t->standbys_n < s->in->standbys && assign_standby_sticky(s, t)) {}
    }
    queue_fill(s);
    for (int32_t i = s->tasks_n - 1; i >= 0; i--) {
        struct task_place *t = &s->tasks[i];
        if (!s->in->subtopologies[t->subtopology].stateful) continue;
        while (t->standbys_n < s->in->standbys && assign_standby_anywhere(s, t, aside)) {}
    }
    return true;
}

/* --- what is there --- */

static int by_id(const void *a, const void *b) {
    return names_compare(((const struct process *)a)->id, ((const struct process *)b)->id);
}

static bool number_processes(struct sticky *s) {
    struct task_assign *in = s->in;
    struct hashmap known;
    size_t n = (size_t)in->members_n;
    s->processes = arena_calloc(in->arena, n, sizeof *s->processes);
    s->queue = arena_calloc(in->arena, n, sizeof *s->queue);
    s->by_process = arena_calloc(in->arena, n, sizeof *s->by_process);
    s->process_of = arena_calloc(in->arena, n, sizeof *s->process_of);
    s->has = arena_calloc(in->arena, n, sizeof *s->has);
    if (!s->processes || !s->queue || !s->by_process || !s->process_of || !s->has) return false;
    hashmap_init(&known, 1);
    for (int32_t m = 0; m < in->members_n; m++) {
        struct kstr id = in->members[m].process;
        if (!hashmap_put(&known, id.s, (size_t)id.len, s)) s->processes[s->processes_n++].id = id;
    }
    qsort(s->processes, (size_t)s->processes_n, sizeof *s->processes, by_id);
    for (int32_t p = 0; p < s->processes_n; p++)
        hashmap_put(&known, s->processes[p].id.s, (size_t)s->processes[p].id.len, &s->processes[p]);
    for (int32_t m = 0; m < in->members_n; m++) {
        struct process *p = hashmap_get(&known, in->members[m].process.s, (size_t)in->members[m].process.len);
        s->process_of[m] = (int32_t)(p - s->processes);
        p->members_n++;
    }
    hashmap_free(&known);
    for (int32_t p = 1; p < s->processes_n; p++)
        s->processes[p].first = s->processes[p - 1].first + s->processes[p - 1].members_n;
    for (int32_t p = 0; p < s->processes_n; p++) s->processes[p].members_n = 0;
    for (int32_t m = 0; m < in->members_n; m++) {
        struct process *p = &s->processes[s->process_of[m]];
        s->by_process[p->first + p->members_n++] = m;
    }
    return true;
}

static bool number_tasks(struct sticky *s) {
    struct task_assign *in = s->in;
    int64_t n = 0, all = 0;
    for (int32_t i = 0; i < in->subtopologies_n; i++) {
        n += in->subtopologies[i].tasks_n;
        all +=
            in->subtopologies[i].tasks_n * (1 + (int64_t)(in->subtopologies[i].stateful ? in->standbys : 0));
        if (all > INT32_MAX) return false;
    }
    s->active.tasks = (int32_t)n;
    s->all.tasks = (int32_t)all;
    s->base = arena_calloc(in->arena, (size_t)in->subtopologies_n, sizeof *s->base);
    s->tasks = arena_calloc(in->arena, (size_t)n, sizeof *s->tasks);
    if (!s->base || !s->tasks) return false;
    for (int32_t i = 0; i < in->subtopologies_n; i++) {
        const struct configured_subtopology *sub = &in->subtopologies[i];
        s->base[i] = s->tasks_n;
        for (int32_t p = 0; p < sub->tasks_n; p++, s->tasks_n++) {
            struct task_place *t = &s->tasks[s->tasks_n];
            *t =
                (struct task_place){.subtopology = i, .partition = p, .was_active = NOBODY, .active = NOBODY};
            if (!sub->stateful || !in->standbys) continue;
            int32_t most = in->standbys < s->processes_n ? in->standbys : s->processes_n;
            t->standbys = arena_alloc(in->arena, (size_t)most * sizeof *t->standbys);
            if (!t->standbys) return false;
        }
    }
    return true;
}

/* The task of that name, if it still exists. */
static struct task_place *place_of(struct sticky *s, const struct task *t) {
    int32_t from = 0, to = s->in->subtopologies_n;
    while (from < to) {
        int32_t middle = from + (to - from) / 2;
        int c = names_compare(s->in->subtopologies[middle].id, t->subtopology);
        if (!c)
            return t->partition >= 0 && t->partition < s->in->subtopologies[middle].tasks_n
                       ? &s->tasks[s->base[middle] + t->partition]
                       : NULL;
        if (c < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

static bool remember(struct sticky *s) {
    struct task_assign *in = s->in;
    int32_t former = 0;
    for (int pass = 0; pass < 2; pass++) { /* counts, then fills */
        for (int32_t m = 0; m < in->members_n; m++) {
            const struct tasks *before = in->members[m].before;
            for (int32_t i = 0; before && !pass && i < before->of[TASK_ACTIVE].n; i++) {
                struct task_place *t = place_of(s, &before->of[TASK_ACTIVE].list[i]);
                if (t) t->was_active = m;
            }
            for (int32_t i = 0; before && i < before->of[TASK_STANDBY].n; i++) {
                struct task_place *t = place_of(s, &before->of[TASK_STANDBY].list[i]);
                if (t && pass) s->former[t->was_standby + t->was_standbys_n] = m;
                if (t) t->was_standbys_n++;
            }
        }
        if (pass) break;
        for (int32_t i = 0; i < s->tasks_n; i++) {
            s->tasks[i].was_standby = former;
            former += s->tasks[i].was_standbys_n;
            s->tasks[i].was_standbys_n = 0;
        }
        s->former = arena_calloc(in->arena, (size_t)former, sizeof *s->former);
        if (!s->former) return false;
    }
    return true;
}

/* --- the result --- */

static void add(struct sticky *s, int32_t member, enum task_role role, const struct task_place *t) {
    struct task_list *l = &s->in->members[member].after.of[role];
    l->list[l->n++] =
        (struct task){.subtopology = s->in->subtopologies[t->subtopology].id, .partition = t->partition};
}

static bool write_result(struct sticky *s) {
    for (int32_t m = 0; m < s->in->members_n; m++) {
        struct tasks *after = &s->in->members[m].after;
        *after = (struct tasks){0};
        after->of[TASK_ACTIVE] = task_list_room(s->in->arena, s->has[m]);
        after->of[TASK_STANDBY] = task_list_room(s->in->arena, s->has[m]);
        if (!after->of[TASK_ACTIVE].list || !after->of[TASK_STANDBY].list) return false;
    }
    for (int32_t i = 0; i < s->tasks_n; i++) { /* they are in order */
        ASSERT(s->tasks[i].active != NOBODY);
        add(s, s->tasks[i].active, TASK_ACTIVE, &s->tasks[i]);
        for (int32_t k = 0; k < s->tasks[i].standbys_n; k++)
            add(s, s->tasks[i].standbys[k], TASK_STANDBY, &s->tasks[i]);
    }
    return true;
}

bool task_assign_sticky(struct task_assign *in) {
    struct sticky s = {.in = in, .active.members = in->members_n, .all.members = in->members_n};
    ASSERT(in->members_n > 0);
    if (!number_processes(&s) || !number_tasks(&s) || !remember(&s)) return false;
    share_again(&s.active);
    share_again(&s.all);
    struct task_place **order = tasks_by_partition(&s);
    if (!order) return false;
    assign_active(&s, order);
    if (in->standbys && !assign_standbys(&s, order)) return false;
    return write_result(&s);
}
