/* Properties of the assignors on random groups: each partition exactly once and only to a subscriber,
 * balance, stickiness. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "base/random.h"
#include "group/assignor.h"

enum { TOPICS_MAX = 8, MEMBERS_MAX = 12 };

struct world {
    struct arena arena;
    struct random random;
    struct assign_input in;
    struct assign_topic topics[TOPICS_MAX];
    struct assign_member members[MEMBERS_MAX];
    int32_t subscribed[MEMBERS_MAX][TOPICS_MAX];
    char names[MEMBERS_MAX][8];
};

static int32_t below(struct world *w, int32_t n) { return (int32_t)random_below(&w->random, (uint64_t)n); }

static void subscribe(struct world *w, int32_t m, bool all) {
    w->members[m].topics = w->subscribed[m];
    w->members[m].topics_n = 0;
    for (int32_t t = 0; t < w->in.topics_n; t++)
        if (all || below(w, 2)) w->subscribed[m][w->members[m].topics_n++] = t;
}

static void begin(struct world *w, uint64_t seed, bool homogeneous) {
    *w = (struct world){.in = {.homogeneous = homogeneous}};
    random_seed(&w->random, seed);
    arena_init(&w->arena, 64 << 20);
    w->in.arena = &w->arena;
    w->in.topics = w->topics;
    w->in.members = w->members;
    w->in.topics_n = 1 + below(w, TOPICS_MAX);
    w->in.members_n = 1 + below(w, MEMBERS_MAX);
    for (int32_t t = 0; t < w->in.topics_n; t++) {
        w->topics[t].id.b[15] = (uint8_t)(t + 1);
        w->topics[t].partitions_n = below(w, 12);
    }
    for (int32_t m = 0; m < MEMBERS_MAX; m++) {
        snprintf(w->names[m], sizeof w->names[m], "m%02d", m);
        w->members[m].id = kstr_of(w->names[m]);
        w->members[m].instance_id = below(w, 3) ? KSTR_NULL : kstr_of(w->names[m]);
        subscribe(w, m, homogeneous);
    }
}

static int32_t size(const struct assigned *a) { return a ? (int32_t)a->partitions_n : 0; }

static void check_each_once(struct world *w) {
    for (int32_t t = 0; t < w->in.topics_n; t++) {
        int32_t subscribers = 0;
        for (int32_t m = 0; m < w->in.members_n; m++)
            subscribers += assign_member_subscribed(&w->members[m], t);
        for (int32_t p = 0; p < w->topics[t].partitions_n; p++) {
            int owners = 0;
            for (int32_t m = 0; m < w->in.members_n; m++) {
                bool has = assigned_get(w->members[m].result, &w->topics[t].id, p);
                owners += has;
                if (has) assert_true(assign_member_subscribed(&w->members[m], t));
            }
            assert_int_equal(owners, subscribers > 0);
        }
    }
    int32_t given = 0, wanted = 0;
    for (int32_t m = 0; m < w->in.members_n; m++) given += size(w->members[m].result);
    for (int32_t t = 0; t < w->in.topics_n; t++) {
        bool any = false;
        for (int32_t m = 0; m < w->in.members_n; m++) any |= assign_member_subscribed(&w->members[m], t);
        if (any) wanted += w->topics[t].partitions_n;
    }
    assert_int_equal(given, wanted); /* nothing that is not there */
}

static void check_balance(const struct world *w) {
    int32_t least = INT32_MAX, most = 0;
    for (int32_t m = 0; m < w->in.members_n; m++) {
        int32_t n = size(w->members[m].result);
        if (n < least) least = n;
        if (n > most) most = n;
    }
    assert_true(most - least <= 1);
}

/* The assignment becomes what members have. */
static void settle(struct world *w) {
    for (int32_t m = 0; m < w->in.members_n; m++) w->members[m].current = w->members[m].result;
}

static int32_t moved(const struct world *w) {
    int32_t n = 0;
    for (int32_t m = 0; m < w->in.members_n; m++) {
        const struct assigned *now = w->members[m].result;
        for (int32_t t = 0; t < assigned_topics(now); t++)
            for (int32_t i = 0; i < now->topics[t].n; i++)
                n += !assigned_get(w->members[m].current, &now->topics[t].id, now->topics[t].partitions[i]);
    }
    return n;
}

static void check_unchanged(struct world *w) {
    settle(w);
    assert_true(assign_uniform(&w->in));
    assert_int_equal(moved(w), 0);
}

static void uniform_of_equals(void **state) {
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct world w;
        begin(&w, seed, true);
        assert_true(assign_uniform(&w.in));
        check_each_once(&w);
        check_balance(&w);
        check_unchanged(&w);
        int32_t total = 0;
        for (int32_t t = 0; t < w.in.topics_n; t++) total += w.topics[t].partitions_n;
        if (w.in.members_n < MEMBERS_MAX) { /* one more: only what it gets moves */
            w.members[w.in.members_n++].current = NULL;
            assert_true(assign_uniform(&w.in));
            check_each_once(&w);
            check_balance(&w);
            assert_int_equal(moved(&w), size(w.members[w.in.members_n - 1].result));
            assert_true(moved(&w) <= total / w.in.members_n + 1);
            settle(&w);
        }
        if (w.in.members_n > 1) { /* the last goes: only what it had moves */
            int32_t had = size(w.members[--w.in.members_n].current);
            assert_true(assign_uniform(&w.in));
            check_each_once(&w);
            check_balance(&w);
            assert_int_equal(moved(&w), had);
        }
        w.topics[0].partitions_n += 3; /* a topic grows */
        settle(&w);
        assert_true(assign_uniform(&w.in));
        check_each_once(&w);
        check_balance(&w);
        arena_free(&w.arena);
    }
}

/* No subscriber of a topic with partitions to spare has two more than another. */
static void check_nearly_balanced(struct world *w) {
    for (int32_t t = 0; t < w->in.topics_n; t++)
        for (int32_t a = 0; a < w->in.members_n; a++)
            for (int32_t b = 0; b < w->in.members_n; b++) {
                if (!assign_member_subscribed(&w->members[a], t) ||
                    !assign_member_subscribed(&w->members[b], t))
                    continue;
                if (!assigned_topic(w->members[a].result, &w->topics[t].id)) continue;
                assert_true(size(w->members[a].result) - size(w->members[b].result) <= 1);
            }
}

static void uniform_of_others(void **state) {
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct world w;
        begin(&w, seed, false);
        assert_true(assign_uniform(&w.in));
        check_each_once(&w);
        check_nearly_balanced(&w);
        check_unchanged(&w);
        subscribe(&w, 0, false); /* one wants others */
        assert_true(assign_uniform(&w.in));
        check_each_once(&w);
        check_nearly_balanced(&w);
        arena_free(&w.arena);
    }
}

static void range(void **state) {
    for (uint64_t seed = 1; seed <= 400; seed++) {
        struct world w;
        begin(&w, seed, seed % 2);
        assert_true(assign_input_number(&w.in));
        assert_true(assign_range(&w.in));
        check_each_once(&w);
        for (int32_t m = 0; m < w.in.members_n; m++) {
            const struct assigned *a = w.members[m].result;
            for (int32_t t = 0; t < assigned_topics(a); t++)
                assert_int_equal(a->topics[t].partitions[a->topics[t].n - 1] - a->topics[t].partitions[0],
                                 a->topics[t].n - 1);
        }
        arena_free(&w.arena);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_of_equals),
        cmocka_unit_test(uniform_of_others),
        cmocka_unit_test(range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
