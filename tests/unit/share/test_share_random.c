/* Several members that fetch, acknowledge, forget, leave; writes that are slow or fail; a log that grows and
 * is cut; a leader that starts anew from what was written, at any moment. What must hold:
 *
 *  1. no offset is given to two members at a time (share_partition_check, and the bookkeeping here),
 *  2. what was acknowledged in a write that succeeded is never delivered again, also not after a restart,
 *  3. every offset is in the end acknowledged, archived at the delivery limit, or was cut off the log. */
#include "share_story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"

enum { MEMBERS = 4, OFFSETS = 2000, STEPS = 1200 };

struct play {
    struct share_story s;
    struct random random;
    bool done[OFFSETS];    /* accepted or rejected, and written */
    int16_t seen[OFFSETS]; /* deliveries as the members saw them, since the last restart at least */
    int64_t end;
};

static const char *const members[MEMBERS] = {"a", "b", "c", "d"};

static uint64_t below(struct play *p, uint64_t n) { return random_below(&p->random, n); }

static void grow(struct play *p) {
    int64_t n = 1 + (int64_t)below(p, 15);
    if (p->end + n > OFFSETS || p->s.log_n == STORY_BATCHES) return;
    tell_append(&p->s, n);
    p->end += n;
}

static void on_acquired(struct play *p, const char *member, int64_t first, int64_t last, int count) {
    for (int64_t at = first; at <= last; at++) {
        struct kstr holder;
        int deliveries;
        assert_false(p->done[at]);
        assert_int_equal(share_partition_state(p->s.p, at, &deliveries, &holder), RECORD_ACQUIRED);
        assert_true(kstr_is(holder, member));
        assert_int_equal(deliveries, count);
        assert_true(count <= p->s.limits.delivery_count_limit);
        assert_true(count > p->seen[at]); /* one more than the last time */
        p->seen[at] = (int16_t)count;
    }
}

static void fetch(struct play *p) {
    const char *member = members[below(p, MEMBERS)];
    p->s.mode = below(p, 3) ? SHARE_BATCH_OPTIMIZED : SHARE_RECORD_LIMIT;
    p->s.batch_size = 1 + (int32_t)below(p, 40);
    int32_t max = 1 + (int32_t)below(p, 60);
    const char *got = tell_fetch(&p->s, member, max, 1 + (int)below(p, 8));
    if (!strcmp(got, "full") || !strcmp(got, "log start")) return;
    int64_t acquired = 0;
    for (int n = 0; *got; got += n) {
        long long first, last;
        int count;
        assert_int_equal(sscanf(got, " %lld-%lld:%d%n", &first, &last, &count, &n), 3);
        on_acquired(p, member, first, last, count);
        acquired += last - first + 1;
    }
    if (p->s.mode == SHARE_RECORD_LIMIT) assert_true(acquired <= max);
}

/* Some of what the member has, or something else by mistake. */
static void acknowledge(struct play *p) {
    const char *member = members[below(p, MEMBERS)];
    int64_t first = share_partition_start(p->s.p), end = share_partition_end(p->s.p);
    struct kstr holder;
    while (first <= end && (share_partition_state(p->s.p, first, NULL, &holder) != RECORD_ACQUIRED ||
                            !kstr_is(holder, member) || !below(p, 4)))
        first++;
    if (first > end) return;
    int64_t last = first;
    while (last < end && last - first < 30 &&
           share_partition_state(p->s.p, last + 1, NULL, &holder) == RECORD_ACQUIRED &&
           kstr_is(holder, member) && below(p, 12))
        last++;
    if (!below(p, 15)) last += (int64_t)below(p, 4); /* perhaps not its own */
    char types[64];
    size_t n = below(p, 2) ? 1 : (size_t)(last - first + 1);
    for (size_t i = 0; i < n; i++) types[i] = "aaaaejgn"[below(p, 8)];
    types[n] = 0;
    tell_ack(&p->s, member, first, last, types);
}

static void end_write(struct play *p) {
    if (!p->s.writes_n) return;
    bool ok = below(p, 5) > 0;
    const struct share_write *w = &p->s.writes[0];
    for (size_t i = 0; ok && i < w->batches.n; i++)
        for (int64_t at = w->batches.v[i].first; at <= w->batches.v[i].last; at++)
            if (record_state_final(w->batches.v[i].state)) p->done[at] = true;
    tell_written(&p->s, ok);
}

static void restart(struct play *p) {
    tell_restart(&p->s);
    for (int i = 0; i < OFFSETS; i++) p->seen[i] = 0; /* deliveries that nobody ended were not written */
    if (share_partition_start(p->s.p) < p->s.log_start) share_partition_log_start(p->s.p, p->s.log_start);
    for (int64_t at = share_partition_start(p->s.p); at < p->end; at++) {
        int state = share_partition_state(p->s.p, at, NULL, NULL);
        if (p->done[at]) assert_true(state == RECORD_ACKNOWLEDGED || state == RECORD_ARCHIVED);
    }
}

static void cut(struct play *p) {
    int64_t to = share_partition_start(p->s.p) + (int64_t)below(p, 20);
    if (to >= p->end || to <= p->s.log_start) return;
    tell_log_start(&p->s, to);
    share_partition_log_start(p->s.p, to);
    share_partition_check(p->s.p);
}

static void step(struct play *p) {
    uint64_t k = below(p, 100);
    if (k < 12)
        grow(p);
    else if (k < 40)
        fetch(p);
    else if (k < 75)
        acknowledge(p);
    else if (k < 92)
        end_write(p);
    else if (k < 94)
        tell_release(&p->s, members[below(p, MEMBERS)]);
    else if (k < 97)
        tell_wait(&p->s, (int64_t)below(p, 12000));
    else if (k < 98)
        cut(p);
    else if (k < 99)
        restart(p);
    while (p->s.writes_n > STORY_WRITES - 8) end_write(p);
}

/* Everybody behaves from now on: all that was written gets done. */
static void settle(struct play *p) {
    tell_all_written(&p->s);
    tell_wait(&p->s, p->s.limits.lock_duration_ms);
    tell_all_written(&p->s);
    for (int round = 0; round < 3 * OFFSETS && share_partition_start(p->s.p) < p->end; round++) {
        const char *got = tell_fetch(&p->s, "z", 100, 20);
        char copy[8192], *save = NULL;
        snprintf(copy, sizeof copy, "%s", got);
        if (!strcmp(copy, "full") || !strcmp(copy, "log start")) continue;
        for (char *part = strtok_r(copy, " ", &save); part; part = strtok_r(NULL, " ", &save)) {
            long long first, last;
            assert_int_equal(sscanf(part, "%lld-%lld", &first, &last), 2);
            for (long long at = first; at <= last; at++) assert_false(p->done[at]);
            assert_int_equal(tell_ack(&p->s, "z", first, last, "a"), 0);
            tell_all_written(&p->s);
        }
    }
    assert_int_equal(share_partition_start(p->s.p), p->end);
}

static void test_random(void **state) {
    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        struct play *p = calloc(1, sizeof *p);
        random_seed(&p->random, seed);
        tell_begin(&p->s);
        p->s.limits.max_record_locks = 100;
        p->s.limits.delivery_count_limit = 2 + (int32_t)below(p, 4);
        for (int i = 0; i < STEPS; i++) step(p);
        settle(p);
        tell_end(&p->s);
        free(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
