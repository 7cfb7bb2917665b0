/* Properties of the assignor of share groups on random groups: only what may be assigned goes to subscribers,
 * each of it to as many members as there are for a partition, evenly; what members have stays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/random.h"
#include "group/assignor.h"

enum { TOPICS_MAX = 5, MEMBERS_MAX = 9, SEEDS = 400 };

struct world {
    struct arena arena;
    struct random random;
    struct assign_input in;
    struct assign_topic topics[TOPICS_MAX];
    struct assign_member members[MEMBERS_MAX];
    int32_t subscribed[MEMBERS_MAX][TOPICS_MAX];
    const struct assigned *assignable;
};

static int32_t below(struct world *w, int32_t n) { return (int32_t)random_below(&w->random, (uint64_t)n); }

/* Most partitions are initialized. */
static void choose_assignable(struct world *w) {
    struct assigned_builder b = assigned_begin(&w->arena);
    for (int32_t t = 0; t < w->in.topics_n; t++)
        for (int32_t p = 0; p < w->topics[t].partitions_n; p++)
            if (below(w, 4)) assigned_add(&b, &w->topics[t].id, p, 0);
    w->assignable = assigned_finish(&b, false);
    assert_false(b.failed);
}

static void begin(struct world *w, uint64_t seed, bool homogeneous) {
    static const char *const names[MEMBERS_MAX] = {"a", "b", "c", "d", "e", "f", "g", "h", "i"};
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
        w->topics[t].partitions_n = below(w, 8);
    }
    for (int32_t m = 0; m < MEMBERS_MAX; m++) {
        w->members[m] = (struct assign_member){
            .id = kstr_of(names[m]), .instance_id = KSTR_NULL, .topics = w->subscribed[m]};
        for (int32_t t = 0; t < w->in.topics_n; t++)
            if (homogeneous || below(w, 2)) w->subscribed[m][w->members[m].topics_n++] = t;
    }
    choose_assignable(w);
}

static int32_t sharers(const struct world *w, int32_t t, int32_t p) {
    int32_t n = 0;
    for (int32_t m = 0; m < w->in.members_n; m++)
        n += assigned_get(w->members[m].result, &w->topics[t].id, p) != NULL;
    return n;
}

static void check_subscribed(const struct world *w) {
    for (int32_t m = 0; m < w->in.members_n; m++) {
        const struct assigned *a = w->members[m].result;
        for (int32_t i = 0; i < assigned_topics(a); i++) {
            int32_t t = assign_topic_index(&w->in, &a->topics[i].id);
            assert_true(t >= 0 && assign_member_subscribed(&w->members[m], t));
            for (int32_t k = 0; k < a->topics[i].n; k++)
                assert_true(assigned_get(w->assignable, &a->topics[i].id, a->topics[i].partitions[k]));
        }
    }
}

/* Partitions that members share: each has somebody, and not more than its part of the members. */
static void check_shared(const struct world *w, int32_t from, int32_t to, int32_t members) {
    int32_t partitions = 0;
    for (int32_t t = from; t < to; t++)
        for (int32_t p = 0; p < w->topics[t].partitions_n; p++)
            partitions += assigned_get(w->assignable, &w->topics[t].id, p) != NULL;
    for (int32_t t = from; t < to; t++)
        for (int32_t p = 0; p < w->topics[t].partitions_n; p++) {
            int32_t n = sharers(w, t, p);
            if (!assigned_get(w->assignable, &w->topics[t].id, p) || !members)
                assert_int_equal(n, 0);
            else
                assert_true(n >= 1 && n <= (members + partitions - 1) / partitions);
        }
}

static void check(struct world *w) {
    assert_true(assign_simple(&w->in, w->assignable));
    check_subscribed(w);
    if (w->in.homogeneous) check_shared(w, 0, w->in.topics_n, w->in.members_n);
    for (int32_t t = 0; t < w->in.topics_n && !w->in.homogeneous; t++) {
        int32_t n = 0;
        for (int32_t m = 0; m < w->in.members_n; m++) n += assign_member_subscribed(&w->members[m], t);
        check_shared(w, t, t + 1, n);
    }
}

/* Asked again, nothing moves. */
static void check_unchanged(struct world *w) {
    for (int32_t m = 0; m < w->in.members_n; m++) w->members[m].current = w->members[m].result;
    check(w);
    for (int32_t m = 0; m < w->in.members_n; m++)
        assert_true(assigned_equal(w->members[m].current, w->members[m].result, false));
}

static void live(bool homogeneous) {
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct world w;
        begin(&w, seed, homogeneous);
        check(&w);
        check_unchanged(&w);
        if (w.in.members_n < MEMBERS_MAX) w.in.members_n++; /* one more comes */
        check(&w);
        if (w.in.members_n > 1) w.in.members_n--; /* and goes */
        check(&w);
        choose_assignable(&w);
        check(&w);
        arena_free(&w.arena);
    }
}

static void with_the_same_topics(void **state) { live(true); }
static void with_topics_of_their_own(void **state) { live(false); }

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_the_same_topics),
        cmocka_unit_test(with_topics_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
