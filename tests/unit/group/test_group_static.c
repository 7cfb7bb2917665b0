/* Stories of static members (KIP-345, KIP-814). */
#include <stdio.h>
#include <string.h>

#include "story.h"

#define STATIC(t, name, ...) JOIN(t, .instance = (name), .topics = "t", __VA_ARGS__)

/* Two static members "a" (the leader) and "b", stable in generation 1, assigned "for-a" and "for-b". */
static struct story *two_static(char a[NAME], char b[NAME]) {
    struct story *t = story_begin();
    struct ask *ja = STATIC(t, "a"), *jb = STATIC(t, "b");
    char assignments[400];
    story_pass(t, 6000);
    assert_ok(ja);
    assert_ok(jb);
    memcpy(a, ja->member, NAME);
    memcpy(b, jb->member, NAME);
    assert_int_equal(strncmp(a, "a-", 2), 0); /* the id is made of the instance's */
    assert_string_equal(ja->leader, a);
    snprintf(assignments, sizeof assignments, "%s=for-a %s=for-b", a, b);
    assert_ok(story_sync_static(t, "g", a, "a", 1, assignments));
    assert_ok(story_sync_static(t, "g", b, "b", 1, NULL));
    return t;
}

/* A static follower restarts within its session: a new id, the same assignment, no rebalance. The old id is
 * fenced. */
static void follower_returns(void **state) {
    char a[NAME], b[NAME];
    struct story *t = two_static(a, b);
    int before = t->log_n;
    struct ask *j = STATIC(t, "b");
    assert_ok(j);
    assert_int_equal(t->log_n, before + 1); /* the new id is written */
    assert_string_not_equal(j->member, b);
    assert_int_equal(j->generation, 1);
    assert_string_equal(j->leader, a);
    assert_false(j->skip_assignment);
    struct ask *sync = story_sync_static(t, "g", j->member, "b", 1, NULL);
    assert_ok(sync);
    assert_string_equal(sync->assignment, "for-b");
    assert_ok(story_heartbeat(t, "g", a, "a", 1));
    assert_error(story_heartbeat(t, "g", b, "b", 1), FENCED_INSTANCE_ID);
    assert_error(story_heartbeat(t, "g", b, NULL, 1), UNKNOWN_MEMBER_ID);
    assert_error(COMMIT(t, .member = b, .instance = "b", .generation = 1), FENCED_INSTANCE_ID);
    assert_error(story_sync_static(t, "g", b, "b", 1, NULL), FENCED_INSTANCE_ID);
    assert_error(JOIN(t, .member = b, .instance = "b"), FENCED_INSTANCE_ID);
    assert_error(JOIN(t, .member = b, .instance = "c"), UNKNOWN_MEMBER_ID);
    story_end(t);
}

/* A static leader that returns is told to keep the assignment (version 9), or is told the old leader's id, so
 * that it does not assign anew (before). */
static void leader_returns(void **state) {
    char a[NAME], b[NAME];
    struct story *t = two_static(a, b);
    struct ask *j = STATIC(t, "a");
    assert_ok(j);
    assert_true(j->skip_assignment);
    assert_string_equal(j->leader, j->member);
    assert_int_equal(j->members_n, 2);
    assert_string_equal(story_sync_static(t, "g", j->member, "a", 1, NULL)->assignment, "for-a");

    struct ask *old = STATIC(t, "a", .version = 8);
    assert_ok(old);
    assert_false(old->skip_assignment);
    assert_string_equal(old->leader, j->member);
    assert_string_not_equal(old->member, old->leader);
    assert_int_equal(old->members_n, 0);
    /* In fact it leads: the next time it joins with its id it starts a rebalance. */
    assert_pending(JOIN(t, .member = old->member, .instance = "a", .topics = "t"));
    assert_error(story_heartbeat(t, "g", b, "b", 1), REBALANCE_IN_PROGRESS);
    story_end(t);
}

/* It returns with another protocol that changes the choice: then a rebalance is due. */
static void returns_with_other_protocol(void **state) {
    struct story *t = story_begin();
    struct ask *a = STATIC(t, "a", .protocols = "range roundrobin"),
               *b = STATIC(t, "b", .protocols = "range roundrobin");
    story_pass(t, 6000);
    assert_ok(a);
    assert_ok(b);
    assert_ok(story_sync_static(t, "g", a->member, "a", 1, NULL));
    assert_ok(story_sync_static(t, "g", b->member, "b", 1, NULL));
    struct ask *j = STATIC(t, "b", .protocols = "roundrobin");
    assert_pending(j);
    struct ask *again =
        JOIN(t, .member = a->member, .instance = "a", .protocols = "range roundrobin", .topics = "t");
    assert_ok(j);
    assert_ok(again);
    assert_string_equal(j->protocol, "roundrobin");
    assert_int_equal(j->generation, 2);
    story_end(t);
}

/* While a rebalance completes, the leader may already have assigned to the old id: a new rebalance. */
static void returns_while_completing(void **state) {
    struct story *t = story_begin();
    struct ask *a = STATIC(t, "a"), *b = STATIC(t, "b");
    story_pass(t, 6000);
    struct ask *waiting = story_sync_static(t, "g", b->member, "b", 1, NULL);
    assert_pending(waiting);
    struct ask *j = STATIC(t, "b");
    assert_error(waiting, FENCED_INSTANCE_ID); /* the old one is sent away */
    assert_pending(j);
    struct ask *again = JOIN(t, .member = a->member, .instance = "a", .topics = "t");
    assert_ok(again);
    assert_ok(j);
    assert_int_equal(again->generation, 2);
    assert_int_equal(again->members_n, 2);
    story_end(t);
}

/* Two of the same instance join while the group collects its members: the first is fenced. */
static void duplicate_while_joining(void **state) {
    struct story *t = story_begin();
    struct ask *first = STATIC(t, "a");
    assert_pending(first);
    struct ask *second = STATIC(t, "a");
    assert_error(first, FENCED_INSTANCE_ID);
    story_pass(t, 6000);
    assert_ok(second);
    assert_int_equal(second->members_n, 1);
    assert_string_equal(second->leader, second->member);
    story_end(t);
}

/* A rebalance does not remove static members that stay away; only their session does. */
static void absent_static_member_stays(void **state) {
    struct story *t = story_begin();
    char x[NAME];
    struct ask *a = STATIC(t, "a", .session_ms = 200000, .rebalance_ms = 20000),
               *b = STATIC(t, "b", .session_ms = 100000);
    story_pass(t, 6000);
    assert_ok(a);
    assert_ok(b);
    assert_ok(story_sync_static(t, "g", a->member, "a", 1, NULL));
    assert_ok(story_sync_static(t, "g", b->member, "b", 1, NULL));
    struct ask *first = JOIN(t, .topics = "t");
    memcpy(x, first->member, NAME);
    struct ask *j = JOIN(t, .member = x, .topics = "t");
    story_pass(t, 60000);
    assert_ok(j);
    assert_string_equal(j->leader, x);
    assert_int_equal(j->members_n, 3);
    story_end(t);
}

/* Nobody but absent static members: the rebalance waits until their sessions end. */
static void nobody_rejoins(void **state) {
    struct story *t = story_begin();
    struct ask *a = STATIC(t, "a", .session_ms = 100000, .rebalance_ms = 20000);
    story_pass(t, 3000);
    assert_ok(a);
    assert_ok(story_sync_static(t, "g", a->member, "a", 1, NULL));
    char x[NAME];
    struct ask *j = story_new_member(t, "g", "t", x);
    assert_ok(story_leave(t, "g", x, NULL, 5));
    assert_error(j, UNKNOWN_MEMBER_ID);
    story_pass(t, 60000);
    assert_string_equal(story_describe(t, "g", 5)->state, "PreparingRebalance");
    story_pass(t, 60000);
    assert_string_equal(story_describe(t, "g", 5)->state, "Empty");
    story_end(t);
}

/* An administrator removes a static member by its instance id. */
static void removed_by_instance(void **state) {
    char a[NAME], b[NAME];
    struct story *t = two_static(a, b);
    assert_int_equal(story_leave(t, "g", "", "nobody", 5)->errors[0], KERR_UNKNOWN_MEMBER_ID);
    assert_int_equal(story_leave(t, "g", a, "b", 5)->errors[0], KERR_FENCED_INSTANCE_ID);
    assert_int_equal(story_leave(t, "g", "", "b", 5)->errors[0], KERR_NONE);
    assert_error(story_heartbeat(t, "g", b, "b", 1), UNKNOWN_MEMBER_ID);
    assert_error(story_heartbeat(t, "g", a, "a", 1), REBALANCE_IN_PROGRESS);
    story_end(t);
}

/* Its new id cannot be written: everything is as before. */
static void return_is_not_written(void **state) {
    char a[NAME], b[NAME];
    struct story *t = two_static(a, b);
    t->append_error = KERR_NOT_ENOUGH_REPLICAS;
    struct ask *j = STATIC(t, "b");
    assert_error(j, COORDINATOR_NOT_AVAILABLE);
    t->append_error = KERR_NONE;
    assert_ok(story_heartbeat(t, "g", b, "b", 1));
    assert_string_equal(story_sync_static(t, "g", b, "b", 1, NULL)->assignment, "for-b");
    story_end(t);
}

static void survives_restart(void **state) {
    char a[NAME], b[NAME];
    struct story *t = two_static(a, b);
    struct ask *j = STATIC(t, "b");
    story_restart(t);
    assert_error(story_heartbeat(t, "g", b, "b", 1), FENCED_INSTANCE_ID);
    assert_ok(story_heartbeat(t, "g", j->member, "b", 1));
    struct ask *again = STATIC(t, "a");
    assert_ok(again);
    assert_true(again->skip_assignment);
    story_end(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(follower_returns),
        cmocka_unit_test(leader_returns),
        cmocka_unit_test(returns_with_other_protocol),
        cmocka_unit_test(returns_while_completing),
        cmocka_unit_test(duplicate_while_joining),
        cmocka_unit_test(absent_static_member_stays),
        cmocka_unit_test(nobody_rejoins),
        cmocka_unit_test(removed_by_instance),
        cmocka_unit_test(return_is_not_written),
        cmocka_unit_test(survives_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
