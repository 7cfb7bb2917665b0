/* How ranges of states come together. The expected lists were worked out by the rules of
 * PersisterStateBatchCombiner; a random test compares with offset-by-offset bookkeeping. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "share/state_batch.h"

/* "0-9:21" is offsets 0 to 9, state 2, count 1. */
static struct state_batches parse(const char *text) {
    struct state_batches b = {0};
    for (int n; *text; text += n) {
        long long first, last;
        char state, count;
        assert_int_equal(sscanf(text, " %lld-%lld:%c%c%n", &first, &last, &state, &count, &n), 4);
        state_batches_add(&b,
                          (struct state_batch){first, last, (int16_t)(count - '0'), (int8_t)(state - '0')});
    }
    return b;
}

static void check(const char *known, const char *more, int64_t start, const char *expected) {
    struct state_batches a = parse(known), b = parse(more), out = {0};
    char text[512] = "";
    state_batches_combine(a.v, a.n, b.v, b.n, start, &out);
    for (size_t i = 0, len = 0; i < out.n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%lld-%lld:%d%d", i ? " " : "",
                                (long long)out.v[i].first, (long long)out.v[i].last, out.v[i].state,
                                out.v[i].delivery_count);
    assert_string_equal(text, expected);
    state_batches_free(&a);
    state_batches_free(&b);
    state_batches_free(&out);
}

static void test_combine(void **state) {
    (void)state;
    check("", "", 0, "");
    check("0-9:01", "", -1, "0-9:01");
    check("0-9:01", "10-19:01", -1, "0-19:01");
    check("0-9:01", "11-19:01", -1, "0-9:01 11-19:01");
    check("0-9:01", "10-19:02", -1, "0-9:01 10-19:02");
    check("0-9:01", "5-14:01", -1, "0-14:01");
    check("0-9:01", "0-9:02", -1, "0-9:02");
    check("0-9:02", "0-9:01", -1, "0-9:02");
    check("0-9:01", "3-5:21", -1, "0-2:01 3-5:21 6-9:01");
    check("0-9:21", "3-5:01", -1, "0-9:21");
    check("0-9:01", "5-14:02", -1, "0-4:01 5-14:02");
    check("0-9:02", "5-14:01", -1, "0-9:02 10-14:01");
    check("0-9:01", "0-4:02", -1, "0-4:02 5-9:01");
    check("0-4:01", "0-9:02", -1, "0-9:02");
    check("0-4:02", "0-9:01", -1, "0-4:02 5-9:01");
    check("0-9:01", "5-9:41", -1, "0-4:01 5-9:41");
    /* pruned by the start offset */
    check("0-9:21 10-19:01", "", 5, "5-9:21 10-19:01");
    check("0-9:21 10-19:01", "20-29:01", 10, "10-29:01");
    check("0-9:21", "", 10, "");
    /* in any order */
    check("", "5-5:21 3-3:21 4-4:21", -1, "3-5:21");
    check("0-99:01", "10-10:02 20-20:02", -1, "0-9:01 10-10:02 11-19:01 20-20:02 21-99:01");
    /* what was finished before its equal neighbour came to be stays apart, until the next time */
    check("0-4:21 5-9:01", "5-9:21", -1, "0-4:21 5-9:21");
    check("0-4:21 5-9:21", "20-20:01", -1, "0-9:21 20-20:01");
}

enum { SPAN = 60 };

static int say(const struct state_batch *b) { return b->delivery_count * 8 + b->state; }

static void put(int *model, const struct state_batch *b) {
    for (int64_t at = b->first; at <= b->last; at++)
        if (say(b) > model[at]) model[at] = say(b);
}

static void compare(const struct state_batches *b, const int *model, int64_t start) {
    int seen[SPAN];
    for (int i = 0; i < SPAN; i++) seen[i] = -1;
    for (size_t i = 0; i < b->n; i++) {
        assert_true(!i || b->v[i].first > b->v[i - 1].last);
        for (int64_t at = b->v[i].first; at <= b->v[i].last; at++) seen[at] = say(&b->v[i]);
    }
    for (int i = 0; i < SPAN; i++) assert_int_equal(seen[i], i < start ? -1 : model[i]);
}

static void test_random(void **state) {
    struct random r;
    (void)state;
    random_seed(&r, 7);
    for (int round = 0; round < 300; round++) {
        struct state_batches known = {0};
        int model[SPAN];
        int64_t start = -1;
        for (int i = 0; i < SPAN; i++) model[i] = -1;
        for (int step = 0; step < 20; step++) {
            struct state_batches more = {0}, out = {0};
            for (uint64_t n = random_below(&r, 4); n; n--) {
                int64_t first = (int64_t)random_below(&r, SPAN), length = (int64_t)random_below(&r, 12);
                struct state_batch b = {first, first + length < SPAN ? first + length : SPAN - 1,
                                        (int16_t)(1 + random_below(&r, 3)),
                                        (int8_t)(random_below(&r, 3) * 2)};
                state_batches_add(&more, b);
                put(model, &b);
            }
            if (!random_below(&r, 5)) start += (int64_t)random_below(&r, 4);
            state_batches_combine(known.v, known.n, more.v, more.n, start, &out);
            compare(&out, model, start);
            state_batches_free(&known);
            state_batches_free(&more);
            known = out;
        }
        state_batches_free(&known);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_combine), cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
