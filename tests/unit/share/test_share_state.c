/* The share coordinator's shard: what requests write, what a replay of it knows, at every prefix of the log.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/kerr.h"
#include "base/random.h"
#include "share/state.h"

enum { RECORDS = 4000, UPDATES = 3 };

static const struct uuid topic = {{1}}, gone = {{2}};

struct world {
    struct share_state *s;
    struct share_state_config config;
    struct share_state_env env;
    struct shard_now now;
    struct arena arena;
    struct shard_record log[RECORDS]; /* copies */
    int log_n;
    int64_t pruned;
};

static bool exists(void *arg, const struct uuid *id, int32_t partition) {
    return (uuid_equal(id, &topic) || uuid_equal(id, &gone)) && partition < 4;
}

static void prune(void *arg, int32_t partition, int64_t offset) {
    struct world *w = arg;
    assert_int_equal(partition, 7);
    w->pruned = offset;
}

static struct world *begin(void) {
    struct world *w = calloc(1, sizeof *w);
    w->config = (struct share_state_config){
        .snapshot_updates = UPDATES, .prune_interval_ms = 1000, .cold_interval_ms = 700};
    w->env = (struct share_state_env){w, exists, prune};
    w->now = (struct shard_now){.mono = 10000, .wall = 1000000};
    w->s = share_state_create(&w->config, &w->env, 7, 1);
    w->pruned = -1;
    share_state_loaded(w->s, w->now);
    arena_init(&w->arena, 1 << 24);
    return w;
}

static void end(struct world *w) {
    for (int i = 0; i < w->log_n; i++) {
        free((void *)(uintptr_t)w->log[i].key.p);
        free((void *)(uintptr_t)w->log[i].value.p);
    }
    share_state_free(w->s);
    arena_free(&w->arena);
    free(w);
}

static struct kbytes copy(struct kbytes b) {
    if (b.len < 0) return b;
    uint8_t *p = malloc((size_t)b.len + 1);
    memcpy(p, b.p, (size_t)b.len);
    return (struct kbytes){p, b.len};
}

static void take(struct world *w, const struct shard_result *r) {
    for (int32_t i = 0; i < r->records_n; i++) {
        assert_true(w->log_n < RECORDS);
        w->log[w->log_n] = (struct shard_record){copy(r->records[i].key), copy(r->records[i].value)};
        int err = share_state_replay(w->s, w->log_n, r->records[i].key, r->records[i].value);
        assert_int_equal(err, 0);
        w->log_n++;
    }
    share_state_written(w->s, r->after, 0);
}

static const struct share_state_response *ask(struct world *w, enum share_state_api api,
                                              struct share_state_request in) {
    struct shard_result r;
    if (!in.group.s) in.group = KSTR("g");
    if (uuid_is_zero(&in.topic)) in.topic = topic;
    share_state_step(w->s, api, &in, &w->arena, w->now, &r);
    assert_true(r.answer && r.response);
    const struct share_state_response *out = r.response;
    if (out->error) assert_int_equal(r.records_n, 0);
    take(w, &r);
    return out;
}

/* "epoch/start: first-last:state,count …", or the error's name. */
static const char *shows(struct share_state *s, struct kstr group, const struct uuid *id, int32_t partition) {
    static char text[2048];
    struct arena a;
    struct shard_result r;
    arena_init(&a, 1 << 20);
    share_state_step(s, SHARE_STATE_READ,
                     &(struct share_state_request){
                         .group = group, .topic = *id, .partition = partition, .leader_epoch = -1},
                     &a, (struct shard_now){0}, &r);
    const struct share_state_response *out = r.response;
    size_t len = out->error ? (size_t)snprintf(text, sizeof text, "%s", kerr_name(out->error))
                            : (size_t)snprintf(text, sizeof text, "%d/%lld:", out->state_epoch,
                                               (long long)out->start_offset);
    for (size_t i = 0; i < out->batches_n; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, " %lld-%lld:%d,%d",
                                (long long)out->batches[i].first, (long long)out->batches[i].last,
                                out->batches[i].state, out->batches[i].delivery_count);
    arena_free(&a);
    return text;
}

static const char *read_one(struct world *w) { return shows(w->s, KSTR("g"), &topic, 0); }

static struct share_state_request write_of(int64_t start, const struct state_batch *b) {
    return (struct share_state_request){
        .start_offset = start, .leader_epoch = 0, .batches = b, .batches_n = 1};
}

/* Whether a log record is a snapshot (key type 0) or an update. */
static const char *types(const struct world *w) {
    static char text[64];
    for (int i = 0; i < w->log_n; i++) text[i] = "SU"[w->log[i].key.p[1]], text[i + 1] = 0;
    return text;
}

static void test_snapshots(void **state) {
    struct world *w = begin();
    (void)state;
    assert_string_equal(read_one(w), "INVALID_REQUEST");
    ask(w, SHARE_STATE_INITIALIZE, (struct share_state_request){.state_epoch = 1, .start_offset = 0});
    assert_string_equal(read_one(w), "1/0:");
    for (int i = 0; i < 9; i++) {
        struct state_batch b = {i * 10, i * 10 + 9, 1, RECORD_ACKNOWLEDGED};
        struct share_state_request in = write_of(i < 5 ? -1 : 20, &b);
        in.state_epoch = 1;
        assert_int_equal(ask(w, SHARE_STATE_WRITE, in)->error, 0);
    }
    assert_string_equal(types(w), "SUUUSUUUSU");
    assert_string_equal(read_one(w), "1/20: 20-89:2,1");
    end(w);
}

static void test_epochs(void **state) {
    struct world *w = begin();
    struct state_batch b = {0, 9, 1, RECORD_ACKNOWLEDGED};
    struct share_state_request in = write_of(-1, &b);
    (void)state;
    ask(w, SHARE_STATE_INITIALIZE, (struct share_state_request){.state_epoch = 3});
    in.state_epoch = 2;
    assert_int_equal(ask(w, SHARE_STATE_WRITE, in)->error, KERR_FENCED_STATE_EPOCH);
    assert_int_equal(ask(w, SHARE_STATE_READ, (struct share_state_request){.leader_epoch = 5})->error, 0);
    assert_string_equal(types(w), "SU"); /* the epoch is remembered */
    in.state_epoch = 3;
    in.leader_epoch = 4;
    assert_int_equal(ask(w, SHARE_STATE_WRITE, in)->error, KERR_FENCED_LEADER_EPOCH);
    assert_int_equal(ask(w, SHARE_STATE_READ, (struct share_state_request){.leader_epoch = 4})->error,
                     KERR_FENCED_LEADER_EPOCH);
    in.leader_epoch = 5;
    assert_int_equal(ask(w, SHARE_STATE_WRITE, in)->error, 0);
    in.partition = 4;
    assert_int_equal(ask(w, SHARE_STATE_WRITE, in)->error, KERR_INVALID_REQUEST);
    assert_int_equal(ask(w, SHARE_STATE_SUMMARY, in)->error, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(ask(w, SHARE_STATE_INITIALIZE, in)->error, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    struct state_batch upside_down = {9, 0, 1, RECORD_ACKNOWLEDGED};
    in = write_of(-1, &upside_down);
    in.state_epoch = 3;
    in.leader_epoch = 5;
    assert_int_equal(ask(w, SHARE_STATE_WRITE, in)->error, KERR_INVALID_REQUEST);
    end(w);
}

static void tick_all(struct world *w, int64_t ms) {
    struct shard_result r;
    w->now.mono += ms;
    w->now.wall += ms;
    while (share_state_deadline(w->s) <= w->now.mono) {
        assert_true(share_state_tick(w->s, w->now, &r));
        take(w, &r);
    }
    assert_false(share_state_tick(w->s, w->now, &r));
}

static void test_cold_and_pruned(void **state) {
    struct world *w = begin();
    (void)state;
    for (int32_t i = 0; i < 3; i++)
        ask(w, SHARE_STATE_INITIALIZE, (struct share_state_request){.partition = i, .start_offset = 5});
    tick_all(w, 600);
    assert_int_equal(w->log_n, 3);
    tick_all(w, 100);
    assert_string_equal(types(w), "SSSSSS"); /* nobody wrote them for 700 ms */
    tick_all(w, 300);
    assert_int_equal(w->pruned, 3); /* before that, nothing counts */
    tick_all(w, 700);
    assert_string_equal(types(w), "SSSSSS"); /* all are cold */
    ask(w, SHARE_STATE_DELETE, (struct share_state_request){.partition = 1});
    assert_string_equal(types(w), "SSSSSSS");
    ask(w, SHARE_STATE_DELETE, (struct share_state_request){.partition = 1});
    assert_int_equal(w->log_n, 7); /* there is nothing to delete */
    assert_int_equal(share_state_count(w->s), 2);
    end(w);
}

static void test_topic_deleted(void **state) {
    struct world *w = begin();
    struct shard_result r;
    (void)state;
    ask(w, SHARE_STATE_INITIALIZE, (struct share_state_request){.start_offset = 5});
    ask(w, SHARE_STATE_INITIALIZE, (struct share_state_request){.topic = gone});
    ask(w, SHARE_STATE_INITIALIZE, (struct share_state_request){.topic = gone, .group = KSTR("other")});
    share_state_topics_deleted(w->s, &gone, 1, w->now, &r);
    assert_int_equal(r.records_n, 2);
    take(w, &r);
    assert_int_equal(share_state_count(w->s), 1);
    assert_string_equal(read_one(w), "0/5:");
    end(w);
}

/* A shard that replays the first n records knows what the first one knew after them; also when what was
 * pruned is not in its log any more. */
static void replay_prefix(struct world *w, int n, int64_t from, const char *expected[4]) {
    struct share_state *s = share_state_create(&w->config, &w->env, 7, 99);
    for (int i = (int)from; i < n; i++)
        assert_int_equal(share_state_replay(s, i, w->log[i].key, w->log[i].value), 0);
    for (int32_t p = 0; p < 4; p++) assert_string_equal(shows(s, KSTR("g"), &topic, p), expected[p]);
    share_state_free(s);
}

static void change(struct world *w, struct random *r) {
    struct state_batch b = {.delivery_count = (int16_t)(1 + random_below(r, 3)),
                            .state = (int8_t)(random_below(r, 3) * 2)};
    b.first = (int64_t)random_below(r, 100);
    b.last = b.first + (int64_t)random_below(r, 10);
    struct share_state_request in =
        write_of(random_below(r, 2) ? -1 : (int64_t)random_below(r, 30), random_below(r, 10) ? &b : NULL);
    if (!in.batches) in.batches_n = 0;
    in.partition = (int32_t)random_below(r, 4);
    in.state_epoch = in.leader_epoch = -1;
    uint64_t k = random_below(r, 30);
    ask(w, k == 0 ? SHARE_STATE_INITIALIZE : k == 1 ? SHARE_STATE_DELETE : SHARE_STATE_WRITE, in);
    if (!random_below(r, 10)) tick_all(w, (int64_t)random_below(r, 400));
}

static void test_prefixes(void **state) {
    struct random r;
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct world *w = begin();
        random_seed(&r, seed);
        for (int32_t p = 0; p < 4; p++)
            ask(w, SHARE_STATE_INITIALIZE, (struct share_state_request){.partition = p});
        for (int i = 0; i < 150; i++) {
            change(w, &r);
            arena_reset(&w->arena);
            char known[4][2048];
            const char *expected[4];
            for (int32_t p = 0; p < 4; p++) expected[p] = strcpy(known[p], shows(w->s, KSTR("g"), &topic, p));
            replay_prefix(w, w->log_n, 0, expected);
            if (w->pruned > 0) replay_prefix(w, w->log_n, w->pruned, expected);
        }
        end(w);
    }
}

static void test_bad_records(void **state) {
    struct world *w = begin();
    static const uint8_t short_key[] = {0}, half[] = {0, 0, 0, 5, 'x'}, later[] = {0, 9, 1, 2};
    (void)state;
    assert_int_equal(share_state_replay(w->s, 0, (struct kbytes){short_key, 1}, KBYTES_NULL) == 0, 0);
    assert_int_equal(share_state_replay(w->s, 0, (struct kbytes){half, 5}, KBYTES_NULL) == 0, 0);
    assert_int_equal(share_state_replay(w->s, 0, (struct kbytes){later, 4}, KBYTES_NULL), 0);
    end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_snapshots),       cmocka_unit_test(test_epochs),
        cmocka_unit_test(test_cold_and_pruned), cmocka_unit_test(test_topic_deleted),
        cmocka_unit_test(test_prefixes),        cmocka_unit_test(test_bad_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
