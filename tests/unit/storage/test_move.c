/* A log moves between directories, on a simulated disk that loses power at every point of it. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/log.h"
#include "io/file.h"
#include "io/sim_disk.h"
#include "record/batch.h"
#include "record/compress.h"
#include "storage/logdir.h"
#include "storage/move.h"

static const int64_t start = INT64_C(1700000000000);

struct env {
    struct sim_disk *disk;
    struct logdir *a, *b;
    struct log *l;
    struct log_config config, own;
    struct codec *codec;
    int64_t now, flushed; /* every offset below was durable */
};

static int open_dirs(struct env *e) {
    struct logdir_options o = {.fs = sim_disk_fs(e->disk), .config = &e->config, .now_ms = e->now};
    o.path = "/a";
    int err = logdir_open(&o, &e->a);
    o.path = "/b";
    return err ? err : logdir_open(&o, &e->b);
}

static void begin(struct env *e, uint64_t seed) {
    log_set_level(LOG_FATAL);
    *e = (struct env){.now = start, .disk = sim_disk_create(seed), .config = LOG_CONFIG_DEFAULT};
    sim_disk_set_time(e->disk, e->now);
    e->config.segment_bytes = 600;
    e->codec = codec_create();
    assert_int_equal(open_dirs(e), 0);
    struct uuid id = {{1, 2, 3}};
    assert_int_equal(logdir_create_log(e->a, "t", 0, &id, &e->config, &e->l), 0);
}

static void end(struct env *e) {
    logdir_abandon(e->a);
    logdir_abandon(e->b);
    sim_disk_destroy(e->disk);
    codec_destroy(e->codec);
}

/* Appends n records, a batch each; 0 or what failed. */
static int append(struct env *e, int n) {
    int err = 0;
    for (int i = 0; i < n && !err; i++) {
        struct batch_options o = BATCH_OPTIONS_NONE;
        struct batch_builder b;
        struct arena a;
        uint8_t *bytes;
        size_t size;
        char value[64];
        struct log_append_result r;
        arena_init(&a, 1 << 20);
        batch_builder_init(&b, &o, 1 << 20);
        snprintf(value, sizeof value, "value %d %40d", i, i);
        assert_int_equal(batch_builder_add(&b, e->now, "k", 1, value, strlen(value)), 0);
        assert_int_equal(batch_builder_finish(&b, e->codec, &bytes, &size), 0);
        struct log_append_args args = {.bytes = bytes,
                                       .len = size,
                                       .leader_epoch = 3,
                                       .origin = APPEND_CLIENT,
                                       .now_ms = e->now,
                                       .arena = &a,
                                       .codec = e->codec};
        log_lock(e->l);
        err = log_append(e->l, &args, &r);
        if (!err) err = log_write_queue(e->l, e->now);
        if (!err) log_set_high_watermark(e->l, log_end_offset(e->l));
        log_unlock(e->l);
        batch_builder_free(&b);
        arena_free(&a);
    }
    return err;
}

static int flush(struct env *e) {
    int64_t to = log_end_offset(e->l);
    int err = log_flush(e->l, e->now);
    if (!err) e->flushed = to;
    return err;
}

/* Moves it to /b while more is written; 0 or what failed. */
static int move(struct env *e) {
    struct log *f;
    int64_t moved;
    int err = log_move_begin(e->l, e->b, &e->own, &f);
    if (err) return err;
    for (int step = 0; !err && step < 100; step++) {
        err = log_move_some(e->l, f, 500, e->codec, e->now, &moved);
        if (!err && step == 2) err = append(e, 2);
        if (!err && step == 3) err = flush(e);
        if (err || moved > 0) continue;
        err = log_move_finish(e->l, f, step > 20, e->now);
        if (!err) return 0;
        if (err == OE_AGAIN) err = 0;
    }
    log_move_cancel(f, e->now);
    return err ? err : OE_AGAIN;
}

/* Offsets are without gaps from the log's start to its end. */
static void check_log(struct env *e, struct log *l, int64_t least_end) {
    log_lock(l);
    assert_int_equal(log_open(l, e->now), 0);
    assert_true(log_end_offset(l) >= least_end);
    for (int64_t at = log_start_offset(l); at < log_end_offset(l);) {
        struct log_slice s;
        assert_int_equal(log_read(l, at, 1, log_end_offset(l), true, NULL, &s), 0);
        assert_int_equal(s.offset, at);
        uint8_t bytes[1000];
        assert_true(s.len <= sizeof bytes);
        assert_int_equal(file_pread(s.file, bytes, s.len, s.position), s.len);
        assert_int_equal(batch_check(bytes, s.len), 0);
        file_unref(s.file);
        at++;
    }
    log_unlock(l);
}

static void a_log_moves_while_it_is_written(void **state) {
    struct env e;
    begin(&e, 1);
    assert_int_equal(append(&e, 20), 0);
    assert_int_equal(flush(&e), 0);
    log_lock(e.l);
    assert_int_equal(log_delete_records(e.l, 3), 0);
    log_unlock(e.l);
    assert_int_equal(move(&e), 0);
    assert_ptr_equal(log_dir(e.l), e.b);
    assert_ptr_equal(logdir_find(e.b, "t-0"), e.l);
    assert_null(logdir_find(e.a, "t-0"));
    assert_int_equal(logdir_count(e.b), 1);
    log_lock(e.l);
    assert_int_equal(log_start_offset(e.l), 3);
    assert_int_equal(log_end_offset(e.l), 22);
    assert_int_equal(log_high_watermark(e.l), 22);
    assert_int_equal(log_latest_epoch(e.l), 3);
    log_unlock(e.l);
    check_log(&e, e.l, 22);
    assert_int_equal(append(&e, 5), 0);
    check_log(&e, e.l, 27);
    e.b = e.a; /* and back */
    struct logdir *away = log_dir(e.l);
    assert_int_equal(move(&e), 0);
    check_log(&e, e.l, 29);
    logdir_tick(e.a, e.now + 100000, 0);
    logdir_tick(away, e.now + 100000, 0);
    e.b = away;
    end(&e);
}

static void an_empty_log_moves(void **state) {
    struct env e;
    struct log *f;
    int64_t moved;
    begin(&e, 2);
    log_lock(e.l);
    assert_int_equal(log_assign_epoch(e.l, 4), 0);
    log_unlock(e.l);
    assert_int_equal(log_move_begin(e.l, e.b, &e.own, &f), 0);
    assert_true(log_is_future(f));
    assert_int_equal(log_move_some(e.l, f, 100, e.codec, e.now, &moved), 0);
    assert_int_equal(moved, 0);
    assert_int_equal(log_move_finish(e.l, f, false, e.now), 0);
    assert_ptr_equal(log_dir(e.l), e.b);
    assert_int_equal(log_latest_epoch(e.l), 4);
    assert_int_equal(append(&e, 2), 0);
    check_log(&e, e.l, 2);
    end(&e);
}

static void one_that_is_given_up_leaves_nothing(void **state) {
    struct env e;
    struct log *f;
    int64_t moved;
    begin(&e, 3);
    assert_int_equal(append(&e, 20), 0);
    assert_int_equal(log_move_begin(e.l, e.b, &e.own, &f), 0);
    assert_int_equal(log_move_some(e.l, f, 300, e.codec, e.now, &moved), 0);
    assert_true(moved > 0);
    assert_int_equal(log_move_finish(e.l, f, true, e.now), OE_AGAIN);
    log_move_cancel(f, e.now);
    assert_int_equal(logdir_count(e.b), 0);
    check_log(&e, e.l, 20);
    end(&e);
}

/* After a cut: the log is in one of the directories, or in both, and whatever was durable is there. */
static void check_after_cut(struct env *e) {
    logdir_abandon(e->a);
    logdir_abandon(e->b);
    sim_disk_restart(e->disk);
    assert_int_equal(open_dirs(e), 0);
    struct log *in_a = logdir_find(e->a, "t-0"), *in_b = logdir_find(e->b, "t-0");
    assert_true(in_a || in_b || e->flushed == 0);
    if (in_a) check_log(e, in_a, e->flushed);
    if (in_b) check_log(e, in_b, e->flushed);
}

static void faults(enum sim_fault fault) {
    for (int64_t n = 1, done = 0; !done; n++) {
        struct env e;
        begin(&e, (uint64_t)n);
        assert_int_equal(append(&e, 20), 0);
        assert_int_equal(flush(&e), 0);
        sim_disk_fault_at(e.disk, n, fault);
        int err = move(&e);
        done = !sim_disk_faulted(e.disk);
        if (done) assert_int_equal(err, 0);
        if (!done && fault >= SIM_KILL) check_after_cut(&e);
        if (!done && fault < SIM_KILL) {
            sim_disk_fault_at(e.disk, 0, SIM_NONE);
            sim_disk_cut(e.disk);
            check_after_cut(&e);
        }
        end(&e);
    }
}

/* ---- a topic is deleted while its log changes places; on a real disk, because that may be used by two
 * threads ---- */

struct mover {
    struct log *l, *f;
    pthread_barrier_t *together;
    int64_t now;
    int err;
};

static void *finish_move(void *arg) {
    struct mover *m = arg;
    pthread_barrier_wait(m->together);
    m->err = log_move_finish(m->l, m->f, false, m->now);
    return NULL;
}

static void delete_and_move(struct env *e, int round) {
    char name[16];
    struct uuid id = {{1, 2, 3}};
    struct mover m = {.now = e->now};
    pthread_barrier_t together;
    pthread_t thread;
    int64_t moved = 1;
    snprintf(name, sizeof name, "t%d", round);
    assert_int_equal(logdir_create_log(e->a, name, 0, &id, &e->config, &e->l), 0);
    assert_int_equal(append(e, 2), 0);
    assert_int_equal(log_move_begin(e->l, e->b, &e->own, &m.f), 0);
    while (moved) assert_int_equal(log_move_some(e->l, m.f, 5000, e->codec, e->now, &moved), 0);
    m.l = e->l;
    m.together = &together;
    logdir_hold(e->l);
    pthread_barrier_init(&together, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, finish_move, &m), 0);
    pthread_barrier_wait(&together);
    if (round % 2) usleep((useconds_t)(round * 10)); /* sometimes the one is first, sometimes the other */
    assert_int_equal(logdir_delete_log(e->l, e->now), 0);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&together);
    assert_true(m.err == 0 || m.err == OE_OFFLINE);
    if (m.err) log_move_cancel(m.f, e->now);
    assert_int_equal(logdir_count(e->a) + logdir_count(e->b), 0);
    logdir_release(e->l);
    e->l = NULL;
}

static void a_log_is_deleted_while_it_changes_places(void **state) {
    char folder[] = "/tmp/test_move.XXXXXX", a[64], b[64];
    struct env e = {.now = start, .config = LOG_CONFIG_DEFAULT};
    assert_non_null(mkdtemp(folder));
    snprintf(a, sizeof a, "%s/a", folder);
    snprintf(b, sizeof b, "%s/b", folder);
    assert_int_equal(fs_mkdir(fs_real(), a), 0);
    assert_int_equal(fs_mkdir(fs_real(), b), 0);
    e.codec = codec_create();
    struct logdir_options o = {.fs = fs_real(), .config = &e.config, .now_ms = e.now, .path = a};
    assert_int_equal(logdir_open(&o, &e.a), 0);
    o.path = b;
    assert_int_equal(logdir_open(&o, &e.b), 0);
    for (int round = 0; round < 40; round++) delete_and_move(&e, round);
    logdir_tick(e.a, INT64_MAX, 0); /* what was deleted */
    logdir_tick(e.b, INT64_MAX, 0);
    logdir_abandon(e.a);
    logdir_abandon(e.b);
    codec_destroy(e.codec);
    assert_int_equal(fs_remove_tree(fs_real(), a), 0);
    assert_int_equal(fs_remove_tree(fs_real(), b), 0);
    assert_int_equal(rmdir(folder), 0);
}

static void power_is_cut_at_every_point(void **state) { faults(SIM_POWER_CUT); }
static void it_is_killed_at_every_point(void **state) { faults(SIM_KILL); }
static void every_write_fails(void **state) { faults(SIM_EIO); }
static void the_disk_is_full_at_every_point(void **state) { faults(SIM_NOSPC); }

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_log_moves_while_it_is_written),
                                       cmocka_unit_test(an_empty_log_moves),
                                       cmocka_unit_test(one_that_is_given_up_leaves_nothing),
                                       cmocka_unit_test(power_is_cut_at_every_point),
                                       cmocka_unit_test(it_is_killed_at_every_point),
                                       cmocka_unit_test(every_write_fails),
                                       cmocka_unit_test(the_disk_is_full_at_every_point),
                                       cmocka_unit_test(a_log_is_deleted_while_it_changes_places)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
