/* Stories of consumer groups (KIP-848): epochs, revocation before assignment, fencing, static members,
 * expressions, migration, and what a coordinator knows after it read the log up to any record. */
#include <stdio.h>
#include <string.h>

#include "group/consumer.h"
#include "story.h"

#define assert_given(ask, text) assert_string_equal((ask)->given, text)

static const struct consumer *group_of(struct story *t) {
    const struct consumer *c = consumer_find(t->shard, KSTR("g"));
    assert_non_null(c);
    consumer_check(c);
    return c;
}

static const char *state_of(struct story *t) { return consumer_state(&group_of(t)->m); }

/* A member joins alone, then another: the first is told to give up, and only then the second gets. */
static void partitions_move(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 4);
    struct ask *a = BEAT(t, .member = "a", .topics = "t");
    assert_ok(a);
    assert_int_equal(a->generation, 2);
    assert_given(a, "t:0,1,2,3");
    a = BEAT(t, .member = "a", .epoch = 2, .owned = "t:0,1,2,3");
    assert_false(a->has_assignment); /* nothing new */
    assert_string_equal(state_of(t), "Stable");

    struct ask *b = BEAT(t, .member = "b", .topics = "t");
    assert_int_equal(b->generation, 3);
    assert_given(b, "");
    assert_string_equal(state_of(t), "Reconciling");
    a = BEAT(t, .member = "a", .epoch = 2, .owned = "t:0,1,2,3");
    assert_int_equal(a->generation, 2); /* stays until it has given up */
    assert_given(a, "t:0,1");
    b = BEAT(t, .member = "b", .epoch = 3, .owned = "");
    assert_false(b->has_assignment);
    a = BEAT(t, .member = "a", .epoch = 2, .owned = "t:0,1");
    assert_int_equal(a->generation, 3);
    b = BEAT(t, .member = "b", .epoch = 3, .owned = "");
    assert_given(b, "t:2,3");
    assert_string_equal(state_of(t), "Stable");

    assert_ok(BEAT(t, .member = "a", .epoch = -1));
    b = BEAT(t, .member = "b", .epoch = 3, .owned = "t:2,3");
    assert_given(b, "t:0,1,2,3");
    assert_int_equal(b->generation, 4);
    story_end(t);
}

/* The answer that moved a member got lost: it may repeat itself, but not claim more than it was given. */
static void epochs_are_fenced(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 2);
    BEAT(t, .member = "a", .topics = "t");
    BEAT(t, .member = "a", .epoch = 2, .topics = "t u"); /* now at 3 */
    assert_ok(BEAT(t, .member = "a", .epoch = 2, .owned = "t:0,1"));
    assert_error(BEAT(t, .member = "a", .epoch = 2), FENCED_MEMBER_EPOCH);
    assert_error(BEAT(t, .member = "a", .epoch = 2, .owned = "t:0,1,2"), FENCED_MEMBER_EPOCH);
    assert_error(BEAT(t, .member = "a", .epoch = 4, .owned = "t:0,1"), FENCED_MEMBER_EPOCH);
    assert_error(BEAT(t, .member = "x", .epoch = 3), UNKNOWN_MEMBER_ID);
    assert_error(BEAT(t, .group = "none", .member = "a", .epoch = 3), GROUP_ID_NOT_FOUND);
    assert_ok(BEAT(t, .member = "a", .epoch = 3, .owned = "t:0,1"));
    story_end(t);
}

/* Who is silent goes after the session timeout; who does not give up goes after its rebalance timeout. */
static void time_outs(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 2);
    BEAT(t, .member = "a", .topics = "t");
    story_pass(t, 44999);
    assert_int_equal(group_of(t)->m.members.count, 1);
    BEAT(t, .member = "b", .topics = "t");
    story_pass(t, 1);
    assert_int_equal(group_of(t)->m.members.count, 1); /* a has gone */
    struct ask *b = BEAT(t, .member = "b", .epoch = 3, .owned = "");
    assert_given(b, "t:0,1");

    BEAT(t, .member = "c", .topics = "t", .rebalance_ms = 5000);
    b = BEAT(t, .member = "b", .epoch = 4, .owned = "t:0,1");
    assert_given(b, "t:0");
    for (int i = 0; i < 3; i++) { /* it beats, but keeps all */
        story_pass(t, 3000);
        BEAT(t, .member = "b", .epoch = 4, .owned = "t:0,1");
    }
    story_pass(t, 1100);
    assert_error(BEAT(t, .member = "b", .epoch = 4, .owned = "t:0,1"), UNKNOWN_MEMBER_ID);
    struct ask *c = BEAT(t, .member = "c", .epoch = 5, .owned = "");
    assert_given(c, "t:0,1");
    story_end(t);
}

/* A group's own time-out counts, within the broker's limits; so does the time between two assignments. */
static void configuration(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 2);
    story_configure(t, "g", "consumer.session.timeout.ms", "60000");
    BEAT(t, .member = "a", .topics = "t");
    story_pass(t, 59999);
    assert_int_equal(group_of(t)->m.members.count, 1);
    story_pass(t, 1);
    assert_int_equal(group_of(t)->m.members.count, 0);
    story_configure(t, "g", "consumer.assignment.interval.ms", "5000");
    BEAT(t, .member = "a", .topics = "t");
    struct ask *b = BEAT(t, .member = "b", .topics = "t");
    assert_int_equal(b->generation, group_of(t)->m.assignment_epoch);
    assert_string_equal(state_of(t), "Assigning");
    story_pass(t, 5000);
    b = BEAT(t, .member = "b", .epoch = b->generation, .owned = "");
    assert_int_equal(b->generation, group_of(t)->m.epoch);
    t->config.consumer.max_size = 2;
    assert_error(BEAT(t, .member = "c", .topics = "t"), GROUP_MAX_SIZE_REACHED);
    assert_ok(BEAT(t, .member = "a", .topics = "t"));
    story_end(t);
}

/* A static member that leaves for a while keeps its partitions for whoever returns with its instance id. */
static void static_members(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 4);
    assert_ok(BEAT(t, .member = "a", .instance = "i", .topics = "t"));
    assert_error(BEAT(t, .member = "b", .instance = "i", .topics = "t"), UNRELEASED_INSTANCE_ID);
    assert_ok(BEAT(t, .member = "a", .instance = "i", .epoch = -2));
    int32_t epoch = group_of(t)->m.epoch;
    struct ask *d = BEAT(t, .member = "d", .topics = "t");
    assert_given(d, ""); /* the static member's are still its own */
    struct ask *b = BEAT(t, .member = "b", .instance = "i", .topics = "t");
    assert_ok(b);
    assert_given(b, "t:0,1");
    assert_int_equal(group_of(t)->m.epoch, epoch + 1); /* d came, nothing else */
    assert_error(BEAT(t, .member = "a", .instance = "i", .epoch = 2), FENCED_INSTANCE_ID);
    assert_ok(BEAT(t, .member = "b", .instance = "i", .epoch = b->generation, .owned = "t:0,1"));
    d = BEAT(t, .member = "d", .epoch = d->generation, .owned = "");
    assert_given(d, "t:2,3");
    assert_ok(BEAT(t, .member = "b", .instance = "i", .epoch = -2));
    story_pass(t, 44000);
    BEAT(t, .member = "d", .epoch = d->generation, .owned = "t:2,3");
    story_pass(t, 1000); /* it has not come back */
    d = BEAT(t, .member = "d", .epoch = d->generation, .owned = "t:2,3");
    assert_given(d, "t:0,1,2,3");
    story_end(t);
}

/* Topics come, grow and go. */
static void metadata(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 1);
    struct ask *a = BEAT(t, .member = "a", .topics = "t u");
    assert_given(a, "t:0");
    story_topic(t, "t", 2);
    a = BEAT(t, .member = "a", .epoch = 2, .owned = "t:0");
    assert_int_equal(a->generation, 3);
    assert_given(a, "t:0,1");
    story_topic(t, "v", 1); /* of no interest */
    a = BEAT(t, .member = "a", .epoch = 3, .owned = "t:0,1");
    assert_int_equal(a->generation, 3);
    story_topic(t, "u", 1);
    a = BEAT(t, .member = "a", .epoch = 3, .owned = "t:0,1");
    assert_given(a, "t:0,1 u:0");
    story_topic(t, "t", 0);
    a = BEAT(t, .member = "a", .epoch = 4, .owned = "u:0");
    assert_given(a, "u:0");
    assert_int_equal(a->generation, 5);
    story_restart(t); /* the hash is in the log: nothing changes */
    a = BEAT(t, .member = "a", .epoch = 5, .owned = "u:0");
    assert_int_equal(a->generation, 5);
    story_end(t);
}

static void expressions(void **state) {
    struct story *t = story_begin();
    story_topic(t, "aa", 1);
    story_topic(t, "bb", 1);
    struct ask *m = BEAT(t, .member = "m", .regex = "a.*|c.*");
    assert_int_equal(m->generation, 1); /* the topics are looked up meanwhile */
    m = BEAT(t, .member = "m", .epoch = 1, .owned = "");
    assert_int_equal(m->generation, 2);
    assert_given(m, "a:0");
    story_topic(t, "cc", 1);
    m = BEAT(t, .member = "m", .epoch = 2, .owned = "a:0");
    assert_int_equal(m->generation, 2); /* it was looked up less than ten seconds ago */
    story_pass(t, 10001);
    BEAT(t, .member = "m", .epoch = 2, .owned = "a:0");
    m = BEAT(t, .member = "m", .epoch = 2, .owned = "a:0");
    assert_given(m, "a:0 c:0");
    assert_error(BEAT(t, .member = "n", .regex = "("), INVALID_REGULAR_EXPRESSION);
    story_restart(t);
    assert_int_equal(group_of(t)->resolved.count, 1);
    assert_true(modern_subscribed(&group_of(t)->m, KSTR("cc")));
    m = BEAT(t, .member = "m", .epoch = 3, .regex = "", .topics = "bb", .owned = "a:0 c:0");
    assert_given(m, "");
    assert_int_equal(group_of(t)->resolved.count, 0);
    m = BEAT(t, .member = "m", .epoch = m->generation, .owned = "");
    assert_given(m, "b:0");
    assert_ok(BEAT(t, .member = "m", .epoch = -1));
    story_end(t);
}

static void offsets(void **state) {
    struct story *t = story_begin();
    story_topic(t, "t", 2);
    struct uuid id = {{[0] = 1, [15] = 't'}};
    BEAT(t, .member = "a", .topics = "t");
    assert_ok(COMMIT(t, .member = "a", .generation = 2, .offset = 5, .topic_id = id));
    assert_error(COMMIT(t, .member = "a", .generation = 1, .topic_id = id), STALE_MEMBER_EPOCH);
    assert_error(COMMIT(t, .member = "a", .generation = 3, .topic_id = id), STALE_MEMBER_EPOCH);
    assert_error(COMMIT(t, .member = "x", .generation = 2, .topic_id = id), UNKNOWN_MEMBER_ID);
    assert_error(COMMIT(t, .member = "a", .generation = 2, .version = 8, .topic_id = id),
                 UNSUPPORTED_VERSION);
    BEAT(t, .member = "a", .epoch = 2, .topics = "t u");
    assert_ok(COMMIT(t, .member = "a", .generation = 2, .offset = 6, .topic_id = id)); /* its own since 2 */
    assert_ok(story_fetch_as(t, "g", "a", 3));
    assert_error(story_fetch_as(t, "g", "a", 2), STALE_MEMBER_EPOCH);
    assert_error(story_fetch_as(t, "g", "x", 3), UNKNOWN_MEMBER_ID);
    assert_int_equal(story_fetch(t, "g", "t", 1, false)->offsets[0], 6);
    struct ask *d = story_delete_offset(t, "g", "t", 0);
    assert_int_equal(d->errors[0], KERR_GROUP_SUBSCRIBED_TO_TOPIC);
    assert_ok(BEAT(t, .member = "a", .epoch = -1));
    story_pass(t, 8ll * 24 * 3600 * 1000); /* the offsets expire, and the group with them */
    assert_null(consumer_find(t->shard, KSTR("g")));
    story_restart(t);
    assert_int_equal(group_shard_groups(t->shard), 0);
    story_end(t);
}

/* What the classic leader gives: every member all of its topic's partitions, in the clients' own words. */
static void classic_assignment(char *to, size_t size, const char *member) {
    /* "t": 2 partitions; written as text it cannot be, so stories use the empty assignment */
    snprintf(to, size, "%s=", member);
}

/* A classic group with two members; one is restarted with the new protocol, then the other; and back. */
static void migration(void **state) {
    struct story *t = story_begin();
    char ids[2][NAME], assignments[200];
    story_topic(t, "t", 4);
    struct ask *j = story_new_member(t, "g", "t", ids[0]);
    story_pass(t, 10000);
    assert_ok(j);
    classic_assignment(assignments, sizeof assignments, ids[0]);
    assert_ok(story_sync(t, "g", ids[0], 1, assignments));

    struct ask *b = BEAT(t, .member = "b", .topics = "t");
    assert_ok(b);
    assert_int_equal(b->generation, 2);
    const struct consumer *c = group_of(t);
    assert_int_equal(c->classic_n, 1);
    assert_error(story_heartbeat(t, "g", ids[0], NULL, 1), REBALANCE_IN_PROGRESS);
    struct ask *again = JOIN(t, .member = ids[0], .topics = "t");
    assert_ok(again);
    assert_int_equal(again->generation, 2);
    assert_string_equal(again->protocol, "range");
    assert_ok(story_sync(t, "g", ids[0], 2, NULL));
    assert_ok(story_heartbeat(t, "g", ids[0], NULL, 2));
    assert_error(story_heartbeat(t, "g", "b", NULL, 2), UNKNOWN_MEMBER_ID);
    story_restart(t);
    assert_int_equal(group_of(t)->classic_n, 1);

    assert_ok(BEAT(t, .member = "b", .epoch = -1)); /* the last of its kind */
    assert_null(consumer_find(t->shard, KSTR("g")));
    struct ask *d = story_describe(t, "g", 6);
    assert_string_equal(d->state, "PreparingRebalance");
    assert_string_equal(d->members[0], ids[0]);
    again = JOIN(t, .member = ids[0], .topics = "t");
    assert_ok(again);
    assert_int_equal(again->generation, 3);
    classic_assignment(assignments, sizeof assignments, ids[0]);
    assert_ok(story_sync(t, "g", ids[0], 3, assignments));
    story_restart(t);
    assert_string_equal(story_describe(t, "g", 6)->state, "Stable");
    story_end(t);
}

/* An append that fails leaves a group that would have become classic as it was. */
static void migration_that_is_not_written(void **state) {
    struct story *t = story_begin();
    char id[NAME], assignments[200];
    story_topic(t, "t", 2);
    story_new_member(t, "g", "t", id);
    story_pass(t, 10000);
    classic_assignment(assignments, sizeof assignments, id);
    story_sync(t, "g", id, 1, assignments);
    t->append_error = KERR_NOT_ENOUGH_REPLICAS;
    assert_error(BEAT(t, .member = "b", .topics = "t"), NOT_ENOUGH_REPLICAS);
    assert_string_equal(story_describe(t, "g", 6)->state, "Stable");
    t->append_error = 0;
    assert_ok(BEAT(t, .member = "b", .topics = "t"));
    t->append_error = KERR_NOT_ENOUGH_REPLICAS;
    assert_error(BEAT(t, .member = "b", .epoch = -1), NOT_ENOUGH_REPLICAS);
    assert_int_equal(group_of(t)->m.members.count, 2);
    t->append_error = 0;
    assert_ok(BEAT(t, .member = "b", .epoch = -1));
    assert_string_equal(story_describe(t, "g", 6)->state, "PreparingRebalance");
    t->config.consumer.migration = MIGRATION_DISABLED;
    assert_error(BEAT(t, .member = "b", .topics = "t"), GROUP_ID_NOT_FOUND);
    story_end(t);
}

/* A storm: a hundred members join at once, and all get to the same epoch. */
static void join_storm(void **state) {
    struct story *t = story_begin();
    enum { MEMBERS = 100, PARTITIONS = 250 };
    char name[MEMBERS][8], owned[MEMBERS][400];
    int32_t epoch[MEMBERS], partitions = 0;
    story_topic(t, "t", PARTITIONS);
    for (int i = 0; i < MEMBERS; i++) {
        snprintf(name[i], sizeof name[i], "m%02d", i);
        struct ask *a = BEAT(t, .member = name[i], .topics = "t");
        epoch[i] = a->generation;
        snprintf(owned[i], sizeof owned[i], "%s", i ? a->given : "t:0");
    }
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < MEMBERS; i++) {
            struct ask *a = BEAT(t, .member = name[i], .epoch = epoch[i], .owned = owned[i]);
            assert_ok(a);
            epoch[i] = a->generation;
            if (a->has_assignment) snprintf(owned[i], sizeof owned[i], "%s", a->given);
        }
    assert_string_equal(state_of(t), "Stable");
    for (int i = 0; i < MEMBERS; i++) {
        int32_t n = 1;
        for (const char *s = owned[i]; *s; s++) n += *s == ',';
        assert_in_range(n, PARTITIONS / MEMBERS, PARTITIONS / MEMBERS + 1);
        partitions += n;
    }
    assert_int_equal(partitions, PARTITIONS);
    story_end(t);
}

/* The coordinator may stop behind any record: what it then loads is a group in order. */
static void every_prefix(void **state) {
    struct story *t = story_begin();
    char id[NAME], assignments[200];
    story_topic(t, "t", 4);
    story_topic(t, "u", 2);
    story_new_member(t, "g", "t", id);
    story_pass(t, 10000);
    classic_assignment(assignments, sizeof assignments, id);
    story_sync(t, "g", id, 1, assignments);
    BEAT(t, .member = "a", .topics = "t u", .instance = "i");
    JOIN(t, .member = id, .topics = "t");
    BEAT(t, .member = "b", .regex = "u|t");
    BEAT(t, .member = "b", .epoch = 2, .owned = "");
    BEAT(t, .member = "a", .epoch = 2, .owned = "", .instance = "i");
    BEAT(t, .member = "a", .epoch = -2, .instance = "i");
    BEAT(t, .member = "c", .topics = "t", .instance = "i");
    BEAT(t, .member = "c", .epoch = -1, .instance = "i");
    BEAT(t, .member = "b", .epoch = -1);
    story_delete(t, "g");
    for (int n = 0; n <= t->log_n; n++) {
        struct group_shard *s = group_shard_create(&t->config, 9, NULL, NULL);
        group_shard_set_image(s, t->image, NULL, 0, false);
        for (int i = 0; i < n; i++)
            assert_int_equal(group_shard_replay(s, i, -1, t->log[i].key, t->log[i].value, t->now), 0);
        group_shard_loaded(s, t->now);
        const struct consumer *c = consumer_find(s, KSTR("g"));
        if (c) consumer_check(c);
        group_shard_unload(s, t->now);
        group_shard_free(s);
    }
    story_end(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(partitions_move), cmocka_unit_test(epochs_are_fenced),
        cmocka_unit_test(time_outs),       cmocka_unit_test(configuration),
        cmocka_unit_test(static_members),  cmocka_unit_test(metadata),
        cmocka_unit_test(expressions),     cmocka_unit_test(offsets),
        cmocka_unit_test(migration),       cmocka_unit_test(migration_that_is_not_written),
        cmocka_unit_test(join_storm),      cmocka_unit_test(every_prefix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
