/* Stories of streams groups (KIP-1071): tasks that change hands, standbys by process, the first delay,
 * statuses, fencing, and what a coordinator knows after it read the log up to any record; and random lives.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "group/state.h"
#include "group/streams.h"
#include "story.h"

#define assert_given(ask, text) assert_string_equal((ask)->given, text)
#define assert_statuses(ask, text) assert_string_equal((ask)->state, text)

static struct streams *group_of(struct story *t) {
    struct streams *g = (struct streams *)modern_find(t->shard, KSTR("g"), GROUP_KIND_STREAMS);
    assert_non_null(g);
    streams_check(g);
    return g;
}

static const char *state_of(struct story *t) { return streams_state(&group_of(t)->m); }

/* The second member gets its tasks when the first has given them up. */
static void tasks_move(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 4);
    struct ask *a = STREAM(t, .member = "a", .sources = "t");
    assert_ok(a);
    assert_int_equal(a->generation, 2);
    assert_given(a, "0:0,1,2,3/");
    assert_false(STREAM(t, .member = "a", .epoch = 2, .active = "0,1,2,3")->has_assignment);
    assert_string_equal(state_of(t), "Stable");
    struct ask *b = STREAM(t, .member = "b", .sources = "t");
    assert_int_equal(b->generation, 3);
    assert_given(b, "/");
    a = STREAM(t, .member = "a", .epoch = 2, .active = "0,1,2,3");
    assert_int_equal(a->generation, 2);
    assert_given(a, "0:0,1/");
    assert_false(STREAM(t, .member = "b", .epoch = 3, .active = "")->has_assignment);
    assert_string_equal(state_of(t), "Reconciling");
    a = STREAM(t, .member = "a", .epoch = 2, .active = "0,1");
    assert_int_equal(a->generation, 3);
    b = STREAM(t, .member = "b", .epoch = 3, .active = "");
    assert_given(b, "0:2,3/");
    assert_string_equal(state_of(t), "Stable");
    assert_ok(STREAM(t, .member = "a", .epoch = -1));
    b = STREAM(t, .member = "b", .epoch = 3, .active = "2,3");
    assert_int_equal(b->generation, 4);
    assert_given(b, "0:0,1,2,3/");
    story_end(t);
}

/* A standby goes to another process, never to that of the active task. */
static void standbys_are_elsewhere(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 2);
    story_topic(t, "c", 2);
    story_configure(t, "g", "streams.num.standby.replicas", "1");
    struct ask *a = STREAM(t, .member = "a", .process = "p", .sources = "t", .changelog = "c");
    assert_given(a, "0:0,1/"); /* one process: no place for a copy */
    a = STREAM(t, .member = "b", .process = "p", .sources = "t", .changelog = "c");
    assert_ok(a);
    STREAM(t, .member = "a", .epoch = 2, .active = "0,1");
    STREAM(t, .member = "a", .epoch = 2, .active = "0");
    struct ask *b = STREAM(t, .member = "b", .epoch = 3, .active = "");
    assert_given(b, "0:1/");
    struct ask *c = STREAM(t, .member = "c", .process = "q", .sources = "t", .changelog = "c");
    assert_given(c, "/0:0,1");
    story_end(t);
}

/* The coordinator forgets a member that is silent, or does not give up in time. */
static void time_outs(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 2);
    STREAM(t, .member = "a", .sources = "t");
    story_pass(t, 40000);
    STREAM(t, .member = "b", .sources = "t");
    story_pass(t, 5000);
    assert_int_equal(group_of(t)->m.members.count, 1);
    assert_error(STREAM(t, .member = "a", .epoch = 2), UNKNOWN_MEMBER_ID);
    assert_given(STREAM(t, .member = "b", .epoch = 3, .active = ""), "0:0,1/");
    STREAM(t, .member = "c", .sources = "t");
    struct ask *told = STREAM(t, .member = "b", .epoch = 4, .active = "0,1");
    assert_int_equal(told->generation, 4);
    story_pass(t, 9999);
    assert_int_equal(group_of(t)->m.members.count, 2);
    story_pass(t, 1);
    assert_int_equal(group_of(t)->m.members.count, 1); /* it has not given up in time */
    assert_given(STREAM(t, .member = "c", .epoch = 5, .active = ""), "0:0,1/");
    story_end(t);
}

static void epochs_are_fenced(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 2);
    STREAM(t, .member = "a", .sources = "t");
    assert_error(STREAM(t, .member = "a", .epoch = 1), FENCED_MEMBER_EPOCH);
    assert_error(STREAM(t, .member = "a", .epoch = 3, .active = "0"), FENCED_MEMBER_EPOCH);
    assert_error(STREAM(t, .member = "a", .epoch = 1, .active = "0,1,2"), FENCED_MEMBER_EPOCH);
    assert_error(STREAM(t, .member = "a", .epoch = 2, .active = "2"), INVALID_REQUEST); /* no such task */
    assert_error(STREAM(t, .group = "n", .member = "a", .epoch = 2), GROUP_ID_NOT_FOUND);
    assert_error(STREAM(t, .member = "b", .sources = "t u"), INVALID_REQUEST); /* another topology */
    assert_ok(STREAM(t, .member = "a", .epoch = 2, .active = "0,1"));
    story_end(t);
}

/* Topics that are missing or do not fit are told; when they come, the group gets going by itself. */
static void topics_come(void **state) {
    struct story *t = story_begin();
    struct ask *a = STREAM(t, .member = "a", .sources = "t", .changelog = "c");
    assert_statuses(a, "1");
    assert_given(a, "/");
    assert_string_equal(state_of(t), "NotReady");
    story_topic(t, "t", 2);
    a = STREAM(t, .member = "a", .epoch = 2, .active = "");
    assert_statuses(a, "3");
    assert_string_equal(state_of(t), "NotReady");
    story_topic(t, "c", 1);
    a = STREAM(t, .member = "a", .epoch = a->generation, .active = "");
    assert_statuses(a, "2"); /* too few partitions */
    story_topic(t, "c", 2);
    a = STREAM(t, .member = "a", .epoch = a->generation, .active = "");
    assert_statuses(a, "");
    assert_given(a, "0:0,1/");
    assert_string_equal(state_of(t), "Stable");
    story_end(t);
}

/* Those who start together are assigned together. */
static void first_delay(void **state) {
    struct story *t = story_begin();
    t->config.streams.initial_delay.value = 3000;
    story_topic(t, "t", 2);
    struct ask *a = STREAM(t, .member = "a", .sources = "t");
    assert_statuses(a, "5");
    assert_int_equal(a->generation, 1);
    assert_statuses(STREAM(t, .member = "b", .sources = "t"), "5");
    story_pass(t, 3000);
    assert_given(STREAM(t, .member = "a", .epoch = 1, .active = ""), "0:0/");
    assert_given(STREAM(t, .member = "b", .epoch = 1, .active = ""), "0:1/");
    assert_string_equal(state_of(t), "Stable");
    story_end(t);
}

static void shut_down(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 2);
    STREAM(t, .member = "a", .sources = "t");
    STREAM(t, .member = "b", .sources = "t");
    assert_statuses(STREAM(t, .member = "b", .epoch = 3, .shutdown = true), "4");
    assert_statuses(STREAM(t, .member = "a", .epoch = 2), "4");
    STREAM(t, .member = "a", .epoch = -1);
    STREAM(t, .member = "b", .epoch = -1);
    assert_string_equal(state_of(t), "Empty");
    assert_statuses(STREAM(t, .member = "a", .sources = "t"), ""); /* forgotten with the last member */
    story_end(t);
}

static void offsets(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 2);
    STREAM(t, .member = "a", .sources = "t");
    assert_error(COMMIT(t, .member = "a", .generation = 2, .version = 8), UNSUPPORTED_VERSION);
    assert_ok(COMMIT(t, .member = "a", .generation = 2, .offset = 7));
    assert_error(COMMIT(t, .member = "a", .generation = 3), STALE_MEMBER_EPOCH);
    assert_error(COMMIT(t, .member = "x", .generation = 2), UNKNOWN_MEMBER_ID);
    assert_error(COMMIT(t, .member = "", .generation = -1), UNKNOWN_MEMBER_ID);
    STREAM(t, .member = "b", .sources = "t");
    STREAM(t, .member = "a", .epoch = 2, .active = "0,1");
    STREAM(t, .member = "a", .epoch = 2, .active = "0");
    assert_ok(COMMIT(t, .member = "a", .generation = 2, .offset = 8)); /* its task since 2 */
    assert_error(COMMIT(t, .member = "a", .generation = 2, .partition = 1), STALE_MEMBER_EPOCH);
    story_restart(t);
    assert_int_equal(story_fetch(t, "g", "t", 1, false)->offsets[0], 8);
    assert_error(story_delete(t, "g"), NON_EMPTY_GROUP);
    STREAM(t, .member = "a", .epoch = -1);
    STREAM(t, .member = "b", .epoch = -1);
    assert_ok(story_delete(t, "g"));
    assert_int_equal(group_shard_groups(t->shard), 0);
    story_end(t);
}

static void forget_from(struct story *t, int n) {
    for (int i = n; i < t->log_n; i++) {
        free((void *)(uintptr_t)t->log[i].key.p);
        free((void *)(uintptr_t)t->log[i].value.p);
    }
    t->log_n = n;
}

/* The broker goes away after any record: what is read back is a group whose members can go on. */
static void every_prefix(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 4);
    story_topic(t, "c", 4);
    STREAM(t, .member = "a", .sources = "t", .changelog = "c");
    STREAM(t, .member = "b", .sources = "t", .changelog = "c");
    STREAM(t, .member = "a", .epoch = 2, .active = "0,1,2,3");
    STREAM(t, .member = "a", .epoch = 2, .active = "0,1");
    STREAM(t, .member = "b", .epoch = 3, .active = "");
    STREAM(t, .member = "a", .epoch = -1);
    STREAM(t, .member = "b", .epoch = 3, .active = "2,3");
    const int all = t->log_n;
    for (int n = all; n >= 1; n--) {
        forget_from(t, n);
        story_restart(t);
        if (!group_of(t)->topology) continue; /* the first records of the first batch */
        assert_ok(STREAM(t, .member = "z", .sources = "t", .changelog = "c"));
        group_of(t);
    }
    story_end(t);
}

/* --- random lives --- */

enum { CLIENTS = 5, STEPS = 500 };

struct client {
    char id[8], process[8], active[400], standby[400];
    int32_t epoch; /* 0: not in the group */
};

static void take(struct client *c, const struct ask *a) {
    char active[400];
    if (a->error == KERR_UNKNOWN_MEMBER_ID || a->error == KERR_FENCED_MEMBER_EPOCH) {
        c->epoch = 0;
        c->active[0] = c->standby[0] = 0;
        return;
    }
    assert_int_equal(a->error, 0);
    c->epoch = a->generation;
    if (!a->has_assignment) return;
    snprintf(active, sizeof active, "%s", a->given);
    char *slash = strchr(active, '/');
    *slash = 0;
    snprintf(c->active, sizeof c->active, "%s", active[0] ? active + 2 : "");
    snprintf(c->standby, sizeof c->standby, "%s", slash[1] ? slash + 3 : "");
}

static void beat(struct story *t, struct client *c) {
    take(c, STREAM(t, .member = c->id, .process = c->process, .epoch = c->epoch, .sources = "t",
                   .changelog = "c", .active = c->active, .standby = c->standby));
}

static void one_life(uint64_t seed) {
    struct story *t = story_begin();
    struct client clients[CLIENTS] = {0};
    struct random random;
    int32_t partitions = 3;
    random_seed(&random, seed);
    story_topic(t, "t", partitions);
    story_topic(t, "c", 9);
    story_topic(t, "t", partitions = 9);
    story_configure(t, "g", "streams.num.standby.replicas", "1");
    for (int i = 0; i < CLIENTS; i++) {
        sprintf(clients[i].id, "m%d", i);
        sprintf(clients[i].process, "p%d", i / 2);
    }
    for (int step = 0; step < STEPS; step++) {
        struct client *c = &clients[random_below(&random, CLIENTS)];
        switch (random_below(&random, 20)) {
        case 0:
            if (c->epoch) assert_ok(STREAM(t, .member = c->id, .epoch = -1));
            c->epoch = 0;
            c->active[0] = c->standby[0] = 0;
            break;
        case 1: story_restart(t); break;
        case 2: story_pass(t, (int64_t)random_below(&random, 4000)); break;
        default: beat(t, c); break;
        }
        if (modern_find(t->shard, KSTR("g"), GROUP_KIND_STREAMS)) group_of(t);
        for (int i = 0; i < CLIENTS && t->asks_n > MAX_ASKS - 8; i++) step = STEPS;
    }
    for (int round = 0; round < 12; round++)
        for (int i = 0; i < CLIENTS; i++) beat(t, &clients[i]);
    assert_string_equal(state_of(t), "Stable");
    int32_t active = 0;
    for (int i = 0; i < CLIENTS; i++)
        active += streams_member(group_of(t), kstr_of(clients[i].id))->assigned.of[TASK_ACTIVE].n;
    assert_int_equal(active, partitions);
    story_end(t);
}

static void random_lives(void **state) {
    for (uint64_t seed = 1; seed <= 20; seed++) one_life(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tasks_move),   cmocka_unit_test(standbys_are_elsewhere),
        cmocka_unit_test(time_outs),    cmocka_unit_test(epochs_are_fenced),
        cmocka_unit_test(topics_come),  cmocka_unit_test(first_delay),
        cmocka_unit_test(shut_down),    cmocka_unit_test(offsets),
        cmocka_unit_test(every_prefix), cmocka_unit_test(random_lives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
