/* Properties of the sticky task assignor, over random groups that change: numbers 1 to 4 of task_assignor.h.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/random.h"
#include "group/task_assignor.h"

enum { MEMBERS = 12, SUBTOPOLOGIES = 3, ROUNDS = 300 };

struct play {
    struct random random;
    struct arena arena;
    struct task_member members[MEMBERS];
    struct tasks last[MEMBERS]; /* owned, of the round before */
    char ids[MEMBERS][8], processes[MEMBERS][8], names[SUBTOPOLOGIES][8];
    struct configured_subtopology subtopologies[SUBTOPOLOGIES];
    struct task_assign in;
};

static int32_t below(struct play *p, uint32_t n) { return (int32_t)random_below(&p->random, n); }

/* Some members, in so many processes; what each had if it was there before. */
static void change(struct play *p) {
    int32_t n = 1 + below(p, MEMBERS), processes = 1 + below(p, MEMBERS);
    for (int32_t i = 0; i < n; i++) {
        sprintf(p->ids[i], "m%02d", i);
        sprintf(p->processes[i], "p%d", i % processes);
        p->members[i] = (struct task_member){
            .id = kstr_of(p->ids[i]), .process = kstr_of(p->processes[i]), .before = &p->last[i]};
    }
    for (int32_t i = n; i < MEMBERS; i++) tasks_free(&p->last[i]);
    for (int32_t i = 0; i < SUBTOPOLOGIES; i++) {
        sprintf(p->names[i], "%d", i);
        p->subtopologies[i] = (struct configured_subtopology){
            .id = kstr_of(p->names[i]), .tasks_n = 1 + below(p, 9), .stateful = i != 1};
    }
    p->in = (struct task_assign){.arena = &p->arena,
                                 .members = p->members,
                                 .members_n = n,
                                 .subtopologies = p->subtopologies,
                                 .subtopologies_n = SUBTOPOLOGIES,
                                 .standbys = below(p, 3)};
}

static int32_t distinct_processes(const struct play *p) {
    int32_t n = 0;
    for (int32_t i = 0; i < p->in.members_n; i++) {
        bool known = false;
        for (int32_t k = 0; k < i; k++) known |= kstr_equal(p->members[i].process, p->members[k].process);
        n += !known;
    }
    return n;
}

static void check_task(const struct play *p, const struct configured_subtopology *s, int32_t partition) {
    int32_t active = 0, copies = 0, wanted = s->stateful ? p->in.standbys : 0,
            most = distinct_processes(p) - 1;
    struct kstr where[MEMBERS];
    for (int32_t i = 0; i < p->in.members_n; i++)
        for (int r = 0; r < TASK_ROLES; r++) {
            if (!task_list_find(&p->members[i].after.of[r], s->id, partition)) continue;
            for (int32_t k = 0; k < copies; k++) assert_false(kstr_equal(where[k], p->members[i].process));
            where[copies++] = p->members[i].process;
            active += r == TASK_ACTIVE;
        }
    assert_int_equal(active, 1);
    assert_int_equal(copies - 1, wanted < most ? wanted : most);
}

/* Whether the counts of active tasks differ by at most one. */
static bool is_even(const struct play *p) {
    int32_t least = INT32_MAX, most = 0;
    for (int32_t i = 0; i < p->in.members_n; i++) {
        int32_t n = p->members[i].after.of[TASK_ACTIVE].n;
        least = n < least ? n : least;
        most = n > most ? n : most;
    }
    return most - least <= 1;
}

static void keep(struct play *p) {
    for (int32_t i = 0; i < p->in.members_n; i++) {
        struct tasks own = tasks_own(&p->members[i].after);
        tasks_free(&p->last[i]);
        p->last[i] = own;
    }
}

static void random_groups(void **state) {
    struct play p = {0};
    random_seed(&p.random, 71);
    arena_init(&p.arena, SIZE_MAX);
    for (int round = 0; round < ROUNDS; round++) {
        arena_reset(&p.arena);
        change(&p);
        assert_true(task_assign_sticky(&p.in));
        for (int32_t s = 0; s < SUBTOPOLOGIES; s++)
            for (int32_t n = 0; n < p.subtopologies[s].tasks_n; n++) check_task(&p, &p.subtopologies[s], n);
        bool even = is_even(&p);
        if (distinct_processes(&p) == p.in.members_n && !p.in.standbys) assert_true(even);
        keep(&p);
        /* Nothing changed, so nothing moves. */
        for (int32_t i = 0; i < p.in.members_n; i++) p.members[i].after = (struct tasks){0};
        if (p.in.standbys || !even) continue; /* then shares are other than what they have, and some move */
        assert_true(task_assign_sticky(&p.in));
        for (int32_t i = 0; i < p.in.members_n; i++)
            assert_true(tasks_equal(&p.members[i].after, &p.last[i], false));
    }
    for (int32_t i = 0; i < MEMBERS; i++) tasks_free(&p.last[i]);
    arena_free(&p.arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_groups)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
