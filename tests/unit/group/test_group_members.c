/* Stories of classic groups: joining, rebalances, sessions, leaving. Expected: GroupMetadataManager of the
 * reference. */
#include <stdio.h>
#include <string.h>

#include "story.h"

/* A consumer is asked to come back with the id it is given, then waits for the group's initial delay and
 * leads. */
static void first_member(void **state) {
    struct story *t = story_begin();
    struct ask *a = JOIN(t, .topics = "t");
    assert_error(a, MEMBER_ID_REQUIRED);
    assert_int_equal(strncmp(a->member, "client-", 7), 0);
    assert_int_equal(strlen(a->member), 7 + 36);
    assert_int_equal(a->generation, -1);
    assert_string_equal(a->protocol, "null");
    assert_int_equal(t->log_n, 1); /* the new group */

    struct ask *b = JOIN(t, .member = a->member, .topics = "t");
    story_pass(t, 2999);
    assert_pending(b);
    story_pass(t, 1);
    assert_ok(b);
    assert_int_equal(b->generation, 1);
    assert_string_equal(b->leader, a->member);
    assert_string_equal(b->protocol, "range");
    assert_string_equal(b->type, "consumer");
    assert_int_equal(b->members_n, 1);
    assert_int_equal(t->log_n, 1);

    struct ask *sync = story_sync(t, "g", b->member, 1, NULL);
    assert_ok(sync);
    assert_string_equal(sync->assignment, "");
    assert_int_equal(t->log_n, 2);
    story_end(t);
}

/* Before version 4 nobody is asked to come back; version 0 has no rebalance timeout. */
static void old_version_joins_at_once(void **state) {
    struct story *t = story_begin();
    struct ask *a = JOIN(t, .version_0 = true, .session_ms = 7000);
    assert_pending(a);
    story_pass(t, 3000);
    assert_ok(a);
    assert_string_equal(a->leader, a->member);
    story_end(t);
}

/* Who joins within the initial delay extends it, up to the rebalance timeout. */
static void initial_delay_is_extended(void **state) {
    struct story *t = story_begin();
    char x[NAME], y[NAME];
    struct ask *a = story_new_member(t, "g", "t", x);
    story_pass(t, 2000);
    struct ask *b = story_new_member(t, "g", "t", y);
    story_pass(t, 1000); /* 3 s: y came, so wait again */
    assert_pending(a);
    story_pass(t, 2999);
    assert_pending(a);
    story_pass(t, 1);
    assert_ok(a);
    assert_ok(b);
    assert_int_equal(a->generation, 1);
    assert_int_equal(b->generation, 1);
    assert_int_equal(a->members_n, 2); /* the leader gets all, */
    assert_int_equal(b->members_n, 0); /* the follower none */
    assert_string_equal(b->leader, x);
    story_end(t);
}

/* The second member makes the first rejoin; it hears of that by its heartbeat. Eager and cooperative
 * consumers differ only in what their metadata says. */
static void second_member_rebalances(void **state) {
    struct story *t = story_begin();
    char ids[1][NAME], y[NAME];
    story_stable(t, "g", 1, ids);
    assert_ok(story_heartbeat(t, "g", ids[0], NULL, 1));
    struct ask *b = story_new_member(t, "g", "t", y);
    assert_pending(b);
    assert_error(story_heartbeat(t, "g", ids[0], NULL, 1), REBALANCE_IN_PROGRESS);
    assert_ok(
        COMMIT(t, .member = ids[0], .generation = 1, .offset = 5)); /* it may still commit what it has read */
    struct ask *a = JOIN(t, .member = ids[0], .topics = "t");
    assert_ok(a);
    assert_ok(b);
    assert_int_equal(a->generation, 2);
    assert_int_equal(a->members_n, 2);
    assert_error(COMMIT(t, .member = ids[0], .generation = 2, .offset = 6), REBALANCE_IN_PROGRESS);

    struct ask *follower = story_sync(t, "g", y, 2, NULL);
    assert_pending(follower);
    char assignments[400];
    snprintf(assignments, sizeof assignments, "%s=left %s=right", ids[0], y);
    struct ask *leader = story_sync(t, "g", ids[0], 2, assignments);
    assert_ok(leader);
    assert_ok(follower);
    assert_string_equal(leader->assignment, "left");
    assert_string_equal(follower->assignment, "right");
    /* Asked again, it is told the same. */
    struct ask *again = story_sync(t, "g", y, 2, NULL);
    assert_string_equal(again->assignment, "right");
    struct ask *d = story_describe(t, "g", 5);
    assert_string_equal(d->state, "Stable");
    assert_string_equal(d->protocol, "range");
    assert_int_equal(d->members_n, 2);
    assert_string_equal(d->metadata[1], "right");
    story_end(t);
}

/* Who does not rejoin within the rebalance timeout is removed, the leader too. */
static void rebalance_timeout(void **state) {
    struct story *t = story_begin();
    char ids[2][NAME], z[NAME];
    story_stable(t, "g", 2, ids);
    struct ask *c = story_new_member(t, "g", "t", z);
    struct ask *b = JOIN(t, .member = ids[1], .topics = "t");
    for (int i = 0; i < 10; i++) { /* the leader lives but does not rejoin */
        assert_error(story_heartbeat(t, "g", ids[0], NULL, 1), REBALANCE_IN_PROGRESS);
        story_pass(t, 6000);
    }
    assert_ok(b);
    assert_ok(c);
    assert_string_equal(b->leader, ids[1]);
    assert_int_equal(b->members_n, 2);
    assert_error(story_heartbeat(t, "g", ids[0], NULL, 1), UNKNOWN_MEMBER_ID);
    story_end(t);
}

static void session_expires(void **state) {
    struct story *t = story_begin();
    char ids[2][NAME];
    story_stable(t, "g", 2, ids);
    story_pass(t, 6000);
    assert_ok(story_heartbeat(t, "g", ids[0], NULL, 1));
    story_pass(t, 5000); /* ids[1] was last heard of 11 s ago */
    assert_error(story_heartbeat(t, "g", ids[0], NULL, 1), REBALANCE_IN_PROGRESS);
    struct ask *a = JOIN(t, .member = ids[0], .topics = "t");
    assert_ok(a);
    assert_int_equal(a->generation, 2);
    assert_int_equal(a->members_n, 1);
    story_end(t);
}

/* The last member's session expires: the group is empty and says so in the log. */
static void everybody_expires(void **state) {
    struct story *t = story_begin();
    char ids[1][NAME];
    story_stable(t, "g", 1, ids);
    int before = t->log_n;
    story_pass(t, 10000);
    assert_int_equal(t->log_n, before + 1);
    struct ask *d = story_describe(t, "g", 5);
    assert_string_equal(d->state, "Empty");
    assert_string_equal(d->type, "consumer");
    assert_string_equal(d->protocol, "");
    story_restart(t);
    assert_string_equal(story_describe(t, "g", 5)->state, "Empty");
    char again[NAME];
    struct ask *a = story_new_member(t, "g", "t", again);
    story_pass(t, 3000);
    assert_ok(a);
    assert_int_equal(a->generation, 3); /* 1 stable, 2 empty */
    story_end(t);
}

/* A member id that was given out and not used does not hold the group up for longer than its session. */
static void pending_member_holds_rebalance(void **state) {
    struct story *t = story_begin();
    char ids[1][NAME];
    story_stable(t, "g", 1, ids);
    assert_error(JOIN(t, .topics = "t", .session_ms = 8000), MEMBER_ID_REQUIRED);
    struct ask *a = JOIN(t, .member = ids[0], .topics = "t");
    assert_pending(a); /* waits for the pending member */
    story_pass(t, 7999);
    assert_pending(a);
    story_pass(t, 1);
    assert_ok(a);
    assert_int_equal(a->members_n, 1);
    story_end(t);
}

/* Members that never send SyncGroup are removed after the rebalance timeout. */
static void sync_timeout(void **state) {
    struct story *t = story_begin();
    char x[NAME], y[NAME];
    struct ask *a = story_new_member(t, "g", "t", x), *b = story_new_member(t, "g", "t", y);
    story_pass(t, 6000);
    assert_ok(a);
    assert_ok(b);
    struct ask *follower = story_sync(t, "g", y, 1, NULL);
    for (int i = 0; i < 9; i++) {
        story_pass(t, 6000);
        assert_ok(story_heartbeat(t, "g", x, NULL, 1));
    }
    assert_pending(follower);
    story_pass(t, 6000);
    assert_error(follower, REBALANCE_IN_PROGRESS);
    struct ask *again = JOIN(t, .member = y, .topics = "t");
    assert_ok(again);
    assert_string_equal(again->leader, y);
    assert_int_equal(again->members_n, 1);
    story_end(t);
}

static void leaving(void **state) {
    struct story *t = story_begin();
    char ids[2][NAME];
    story_stable(t, "g", 2, ids);
    struct ask *left = story_leave(t, "g", ids[1], NULL, 5);
    assert_ok(left);
    assert_int_equal(left->errors[0], KERR_NONE);
    assert_error(story_heartbeat(t, "g", ids[0], NULL, 1), REBALANCE_IN_PROGRESS);
    struct ask *a = JOIN(t, .member = ids[0], .topics = "t");
    assert_int_equal(a->members_n, 1);
    assert_ok(story_sync(t, "g", ids[0], 2, NULL));
    assert_ok(story_leave(t, "g", ids[0], NULL, 0));
    assert_string_equal(story_describe(t, "g", 5)->state, "Empty");
    assert_error(story_leave(t, "g", ids[0], NULL, 2), UNKNOWN_MEMBER_ID);
    assert_int_equal(story_leave(t, "g", ids[0], NULL, 3)->errors[0], KERR_UNKNOWN_MEMBER_ID);
    /* A group that does not exist: nobody is a member. Old versions are told so at the top. */
    assert_error(story_leave(t, "none", "m", NULL, 2), UNKNOWN_MEMBER_ID);
    struct ask *none = story_leave(t, "none", "m", NULL, 5);
    assert_ok(none);
    assert_int_equal(none->errors[0], KERR_UNKNOWN_MEMBER_ID);
    assert_error(story_leave(t, "", "m", NULL, 5), INVALID_GROUP_ID);
    story_end(t);
}

/* Joins of a member whose metadata did not change are answered with the generation that there is. */
static void rejoining_without_change(void **state) {
    struct story *t = story_begin();
    char ids[2][NAME];
    story_stable(t, "g", 2, ids);
    struct ask *follower = JOIN(t, .member = ids[1], .topics = "t");
    assert_ok(follower);
    assert_int_equal(follower->generation, 1);
    struct ask *changed = JOIN(t, .member = ids[1], .topics = "t u");
    assert_pending(changed);
    struct ask *leader = JOIN(t, .member = ids[0], .topics = "t");
    assert_ok(changed);
    assert_int_equal(leader->generation, 2);
    /* The answer may have been lost: in CompletingRebalance the same is said again. */
    struct ask *again = JOIN(t, .member = ids[0], .topics = "t");
    assert_ok(again);
    assert_int_equal(again->members_n, 2);
    struct ask *sync = story_sync(t, "g", ids[1], 2, NULL);
    assert_pending(sync);
    struct ask *other =
        JOIN(t, .member = ids[0], .topics = "v"); /* changes while the other waits for its assignment */
    assert_error(sync, REBALANCE_IN_PROGRESS);
    assert_pending(other);
    story_end(t);
}

/* The leader of a stable group forces a rebalance by joining. */
static void leader_rejoins(void **state) {
    struct story *t = story_begin();
    char ids[2][NAME];
    story_stable(t, "g", 2, ids);
    assert_pending(JOIN(t, .member = ids[0], .topics = "t"));
    assert_error(story_heartbeat(t, "g", ids[1], NULL, 1), REBALANCE_IN_PROGRESS);
    assert_error(story_sync(t, "g", ids[1], 1, NULL), REBALANCE_IN_PROGRESS);
    story_end(t);
}

static void wrong_requests(void **state) {
    struct story *t = story_begin();
    char ids[1][NAME];
    story_stable(t, "g", 1, ids);
    assert_error(JOIN(t, .group = ""), INVALID_GROUP_ID);
    assert_error(JOIN(t, .session_ms = 5999), INVALID_SESSION_TIMEOUT);
    assert_error(JOIN(t, .session_ms = 1800001), INVALID_SESSION_TIMEOUT);
    assert_error(JOIN(t, .member = "nobody"), UNKNOWN_MEMBER_ID);
    assert_error(JOIN(t, .group = "new", .member = "nobody"), UNKNOWN_MEMBER_ID);
    assert_error(JOIN(t, .protocols = "sticky"), INCONSISTENT_GROUP_PROTOCOL);
    assert_error(JOIN(t, .type = "connect"), INCONSISTENT_GROUP_PROTOCOL);
    assert_error(JOIN(t, .group = "new", .protocols = ""), INCONSISTENT_GROUP_PROTOCOL);
    assert_error(story_sync(t, "g", ids[0], 7, NULL), ILLEGAL_GENERATION);
    assert_error(story_sync(t, "g", "nobody", 1, NULL), UNKNOWN_MEMBER_ID);
    assert_error(story_sync(t, "none", "nobody", 1, NULL), UNKNOWN_MEMBER_ID);
    assert_error(story_sync(t, "", "nobody", 1, NULL), INVALID_GROUP_ID);
    assert_error(story_heartbeat(t, "g", ids[0], NULL, 0), ILLEGAL_GENERATION);
    assert_error(story_heartbeat(t, "g", "nobody", NULL, 1), UNKNOWN_MEMBER_ID);
    assert_error(story_heartbeat(t, "none", "nobody", NULL, 1), UNKNOWN_MEMBER_ID);
    assert_error(story_heartbeat(t, "", "nobody", NULL, 1), INVALID_GROUP_ID);
    story_end(t);
}

/* What all members support and most prefer; ties as the reference's hash table breaks them. */
static void protocol_vote(void **state) {
    struct story *t = story_begin();
    struct ask *a = JOIN(t, .version = 3, .protocols = "range roundrobin sticky");
    struct ask *b = JOIN(t, .version = 3, .protocols = "roundrobin range");
    struct ask *c = JOIN(t, .version = 3, .protocols = "roundrobin range");
    story_pass(t, 6000);
    assert_string_equal(a->protocol, "roundrobin");
    assert_string_equal(b->protocol, "roundrobin");
    assert_ok(c);
    struct ask *d = JOIN(t, .group = "tie", .version = 3, .protocols = "roundrobin range");
    struct ask *e = JOIN(t, .group = "tie", .version = 3, .protocols = "range roundrobin");
    story_pass(t, 6000);
    assert_ok(d);
    assert_ok(e);
    assert_string_equal(d->protocol, "range"); /* bucket 9 of the table; "roundrobin" is in 10 */
    story_end(t);
}

static void group_max_size(void **state) {
    struct story *t = story_begin();
    char ids[2][NAME];
    t->config.group_max_size = 2;
    story_stable(t, "g", 2, ids);
    struct ask *third = JOIN(t, .topics = "t");
    assert_error(third, GROUP_MAX_SIZE_REACHED);
    assert_string_equal(third->member, "");
    assert_pending(JOIN(t, .member = ids[0], .topics = "t")); /* who is in may stay */
    story_end(t);
}

/* A loaded group that is over the limit loses those who rejoin last. */
static void group_max_size_lowered(void **state) {
    struct story *t = story_begin();
    char ids[3][NAME];
    story_stable(t, "g", 3, ids);
    t->config.group_max_size = 2;
    story_restart(t);
    assert_string_equal(story_describe(t, "g", 5)->state, "PreparingRebalance");
    struct ask *a = JOIN(t, .member = ids[0], .topics = "t"), *b = JOIN(t, .member = ids[1], .topics = "t");
    assert_error(JOIN(t, .member = ids[2], .topics = "t"), GROUP_MAX_SIZE_REACHED);
    story_pass(t, 60000);
    assert_ok(a);
    assert_ok(b);
    assert_int_equal(a->members_n, 2);
    story_end(t);
}

/* A new member that waits in a long rebalance is given up after five minutes: its client may be gone. */
static void new_member_timeout(void **state) {
    struct story *t = story_begin();
    char ids[1][NAME];
    struct ask *first = JOIN(t, .topics = "t", .version = 3, .rebalance_ms = 400000, .session_ms = 500000);
    story_pass(t, 3000);
    assert_ok(story_sync(t, "g", first->member, 1, NULL));
    struct ask *b = story_new_member(t, "g", "t", ids[0]);
    story_pass(t, 299999);
    assert_pending(b);
    story_pass(t, 1);
    assert_error(b, UNKNOWN_MEMBER_ID);
    assert_string_equal(b->member, "");
    story_end(t);
}

/* A write that fails is told to those who wait for it. */
static void writes_fail(void **state) {
    struct story *t = story_begin();
    char x[NAME];
    t->append_error = KERR_NOT_ENOUGH_REPLICAS;
    struct ask *lost = JOIN(t, .version = 3, .topics = "t");
    assert_error(lost, COORDINATOR_NOT_AVAILABLE);
    assert_int_equal(group_shard_groups(t->shard), 0);
    t->append_error = KERR_NONE;
    struct ask *a = story_new_member(t, "g", "t", x);
    story_pass(t, 3000);
    assert_ok(a);
    t->append_error = KERR_NOT_LEADER_OR_FOLLOWER;
    struct ask *sync = story_sync(t, "g", x, 1, NULL);
    assert_error(sync, NOT_COORDINATOR);
    assert_string_equal(story_describe(t, "g", 5)->state, "PreparingRebalance");
    t->append_error = KERR_NONE;
    struct ask *b = JOIN(t, .member = x, .topics = "t");
    assert_ok(b);
    assert_int_equal(b->generation, 2);
    t->append_error = KERR_KAFKA_STORAGE_ERROR;
    assert_int_equal(COMMIT(t, .generation = -1, .group = "other")->error, KERR_KAFKA_STORAGE_ERROR);
    assert_int_equal(group_shard_offsets(t->shard), 0);
    story_end(t);
}

/* The assignment is the group's only once it is committed; a rebalance that begins before wins. */
static void commit_is_slow(void **state) {
    struct story *t = story_begin();
    char x[NAME];
    struct ask *a = story_new_member(t, "g", "t", x);
    story_pass(t, 3000);
    assert_ok(a);
    t->hold = true;
    struct ask *sync = story_sync(t, "g", x, 1, NULL);
    assert_pending(sync);
    assert_string_equal(story_describe(t, "g", 5)->state, "CompletingRebalance");
    story_commit(t, KERR_NONE);
    assert_ok(sync);
    assert_string_equal(story_describe(t, "g", 5)->state, "Stable");

    assert_ok(JOIN(t, .member = x, .topics = "t"));
    t->hold = true;
    struct ask *second = story_sync(t, "g", x, 2, NULL);
    struct ask *join = JOIN(t, .member = x, .topics = "u");
    assert_error(second, REBALANCE_IN_PROGRESS);
    assert_ok(join);
    story_commit(t, KERR_NONE);
    assert_string_equal(story_describe(t, "g", 5)->state, "CompletingRebalance");
    assert_int_equal(join->generation, 3);
    story_end(t);
}

/* After a restart members go on as if nothing had been. */
static void survives_restart(void **state) {
    struct story *t = story_begin();
    char ids[3][NAME];
    story_stable(t, "g", 3, ids);
    story_restart(t);
    struct ask *d = story_describe(t, "g", 6);
    assert_string_equal(d->state, "Stable");
    assert_int_equal(d->members_n, 3);
    for (int i = 0; i < 3; i++) {
        char expected[NAME];
        snprintf(expected, sizeof expected, "for-%d", i);
        assert_string_equal(d->metadata[i], expected);
        assert_ok(story_heartbeat(t, "g", ids[i], NULL, 1));
    }
    story_pass(t, 10001);
    assert_string_equal(story_describe(t, "g", 6)->state, "Empty");
    story_end(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_member),
        cmocka_unit_test(old_version_joins_at_once),
        cmocka_unit_test(initial_delay_is_extended),
        cmocka_unit_test(second_member_rebalances),
        cmocka_unit_test(rebalance_timeout),
        cmocka_unit_test(session_expires),
        cmocka_unit_test(everybody_expires),
        cmocka_unit_test(pending_member_holds_rebalance),
        cmocka_unit_test(sync_timeout),
        cmocka_unit_test(leaving),
        cmocka_unit_test(rejoining_without_change),
        cmocka_unit_test(leader_rejoins),
        cmocka_unit_test(wrong_requests),
        cmocka_unit_test(protocol_vote),
        cmocka_unit_test(group_max_size),
        cmocka_unit_test(group_max_size_lowered),
        cmocka_unit_test(new_member_timeout),
        cmocka_unit_test(writes_fail),
        cmocka_unit_test(commit_is_slow),
        cmocka_unit_test(survives_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
