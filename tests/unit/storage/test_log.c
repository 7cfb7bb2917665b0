/* storage/ on the real file system, in a directory of its own: append, read, roll, look up, retain, truncate,
 * restart. */
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
#include "record/control.h"
#include "record/record.h"
#include "storage/logdir.h"

enum { NOW = 1700000000 };
static const int64_t now = (int64_t)NOW * 1000;

struct env {
    char path[64];
    struct logdir *d;
    struct log *l;
    struct log_config config;
    struct arena arena;
    struct codec *codec;
};

static void open_dir(struct env *e) {
    struct logdir_options o = {.fs = fs_real(), .path = e->path, .config = &e->config, .now_ms = now};
    assert_int_equal(logdir_open(&o, &e->d), 0);
    e->l = logdir_find(e->d, "t-0");
}

static int setup(void **state) {
    struct env *e = calloc(1, sizeof *e);
    strcpy(e->path, "/tmp/ottla-log-XXXXXX");
    assert_non_null(mkdtemp(e->path));
    e->config = LOG_CONFIG_DEFAULT;
    arena_init(&e->arena, 64 << 20);
    e->codec = codec_create();
    open_dir(e);
    struct uuid id = {{1, 2, 3}};
    assert_int_equal(logdir_create_log(e->d, "t", 0, &id, &e->config, &e->l), 0);
    *state = e;
    return 0;
}

static int teardown(void **state) {
    struct env *e = *state;
    char command[128];
    if (e->d) logdir_abandon(e->d);
    arena_free(&e->arena);
    codec_destroy(e->codec);
    snprintf(command, sizeof command, "rm -rf %s", e->path);
    assert_int_equal(system(command), 0);
    free(e);
    return 0;
}

static void restart(struct env *e, bool clean) {
    if (clean)
        assert_int_equal(logdir_close(e->d, now), 0);
    else
        logdir_abandon(e->d);
    open_dir(e);
    assert_non_null(e->l);
    assert_int_equal(logdir_was_clean(e->d), clean);
}

/* A batch of count records of `size` bytes each. */
static uint8_t *make(struct env *e, const struct batch_options *o, int count, size_t size, int64_t timestamp,
                     size_t *n) {
    struct batch_builder b;
    uint8_t *bytes, *copy;
    char value[70000];
    memset(value, 'v', sizeof value);
    batch_builder_init(&b, o, 16 << 20);
    for (int i = 0; i < count; i++)
        assert_int_equal(batch_builder_add(&b, timestamp + i, "k", 1, value, size), 0);
    assert_int_equal(batch_builder_finish(&b, e->codec, &bytes, n), 0);
    copy = arena_memdup(&e->arena, bytes, *n);
    batch_builder_free(&b);
    return copy;
}

static struct log_append_result put(struct env *e, const struct batch_options *o, int count, size_t size,
                                    int64_t ts, int expect) {
    struct log_append_args a = {
        .leader_epoch = 3, .origin = APPEND_CLIENT, .now_ms = now, .arena = &e->arena, .codec = e->codec};
    struct log_append_result r;
    if (o->control) a.origin = APPEND_COORDINATOR;
    a.bytes = make(e, o, count, size, ts, &a.len);
    assert_int_equal(log_append(e->l, &a, &r), expect);
    return r;
}

static void fill(struct env *e, int batches, int count, size_t size) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    for (int i = 0; i < batches; i++) put(e, &o, count, size, now + i, 0);
    assert_int_equal(log_write_queue(e->l, now), 0);
    log_set_high_watermark(e->l, log_end_offset(e->l));
}

/* Reads everything from `from` and checks that offsets follow each other; returns how many records there
 * were. */
static int64_t read_all(struct env *e, int64_t from) {
    int64_t at = from, end = log_end_offset(e->l);
    while (at < end) {
        struct log_slice s;
        assert_int_equal(log_read(e->l, at, 100000, end, true, NULL, &s), 0);
        assert_non_null(s.file);
        uint8_t *bytes = malloc(s.len);
        assert_int_equal(file_pread(s.file, bytes, s.len, s.position), s.len);
        for (size_t p = 0; p + BATCH_HEADER <= s.len;) {
            int64_t size = batch_peek(bytes + p, s.len - p);
            assert_true(size > 0);
            if (p + (size_t)size > s.len) break;
            assert_int_equal(batch_check(bytes + p, (size_t)size), 0);
            assert_true(batch_base_offset(bytes + p) <= at);
            at = batch_last_offset(bytes + p) + 1;
            p += (size_t)size;
        }
        free(bytes);
        file_unref(s.file);
    }
    assert_int_equal(at, end);
    return at - from;
}

static void append_and_read(void **state) {
    struct env *e = *state;
    fill(e, 10, 5, 100);
    assert_int_equal(log_end_offset(e->l), 50);
    assert_int_equal(read_all(e, 0), 50);
    assert_int_equal(read_all(e, 37), 13);
    struct log_slice s;
    assert_int_equal(log_read(e->l, 51, 1000, 50, true, NULL, &s), OE_RANGE);
    assert_int_equal(log_read(e->l, 50, 1000, 50, true, NULL, &s), 0);
    assert_null(s.file);
    /* Less than a batch, and a bound in the middle. */
    assert_int_equal(log_read(e->l, 0, 10, 50, false, NULL, &s), 0);
    assert_int_equal(s.len, 10);
    assert_true(s.first_batch_len > 500);
    file_unref(s.file);
    assert_int_equal(log_read(e->l, 0, 1 << 20, 5, true, NULL, &s), 0);
    assert_int_equal(s.len, s.first_batch_len);
    file_unref(s.file);
    assert_int_equal(log_bytes_between(e->l, 0, 50), log_size(e->l));
    assert_int_equal(log_bytes_between(e->l, 5, 10), s.first_batch_len);
    assert_int_equal(log_epoch_for_offset(e->l, 7), 3);
}

static void clean_restart(void **state) {
    struct env *e = *state;
    fill(e, 300, 5, 1000);
    restart(e, true);
    assert_int_equal(log_open(e->l, now), 0);
    assert_int_equal(log_end_offset(e->l), 1500);
    assert_int_equal(log_recovery_point(e->l), 1500);
    assert_int_equal(log_high_watermark(e->l), 1500);
    struct uuid id = log_topic_id(e->l);
    assert_int_equal(id.b[2], 3);
    assert_int_equal(read_all(e, 0), 1500);
    fill(e, 10, 5, 1000);
    restart(e, true);
    assert_int_equal(log_open(e->l, now), 0);
    assert_int_equal(read_all(e, 3), 1547);
    assert_int_equal(log_latest_epoch(e->l), 3);
    /* A start that changes nothing stays clean. */
    restart(e, true);
    logdir_abandon(e->d);
    open_dir(e);
    assert_true(logdir_was_clean(e->d));
}

static void killed(void **state) {
    struct env *e = *state;
    e->config.segment_bytes = 1 << 20;
    fill(e, 3000, 1, 1000);
    restart(e, false);
    assert_int_equal(log_open(e->l, now), 0);
    assert_int_equal(log_end_offset(e->l), 3000);
    assert_int_equal(log_segment_count(e->l), 4);
    assert_int_equal(read_all(e, 0), 3000);
    assert_int_equal(log_flush(e->l, now), 0);
    assert_int_equal(log_recovery_point(e->l), 3000);
    restart(e, true);
    assert_int_equal(log_open(e->l, now), 0);
    assert_int_equal(read_all(e, 1500), 1500);
}

static void torn_tail(void **state) {
    struct env *e = *state;
    fill(e, 100, 1, 1000);
    int64_t size = log_size(e->l);
    char path[128];
    snprintf(path, sizeof path, "%s/t-0/00000000000000000000.log", e->path);
    assert_int_equal(truncate(path, size - 7), 0);
    restart(e, false);
    assert_int_equal(log_open(e->l, now), 0);
    assert_int_equal(log_end_offset(e->l), 99);
    assert_int_equal(read_all(e, 0), 99);
    fill(e, 1, 1, 1000);
    assert_int_equal(read_all(e, 0), 100);
}

static void roll_and_retain(void **state) {
    struct env *e = *state;
    e->config.segment_bytes = 100000;
    e->config.retention_bytes = 250000;
    fill(e, 100, 10, 1000);
    int segments = log_segment_count(e->l);
    assert_int_equal(segments, 12);
    assert_true(log_retention(e->l, now + 1000) > 0);
    assert_true(log_size(e->l) >= 250000 && log_size(e->l) < 350000);
    assert_true(log_start_offset(e->l) > 0);
    struct log_slice s;
    assert_int_equal(log_read(e->l, 0, 1000, 1000, true, NULL, &s), OE_RANGE);
    read_all(e, log_start_offset(e->l));
    int64_t start = log_start_offset(e->l);
    restart(e, true);
    assert_int_equal(log_open(e->l, now), 0);
    assert_int_equal(log_start_offset(e->l), start);
    e->config.retention_bytes = -1;
    e->config.retention_ms = 1000;
    assert_true(log_retention(e->l, now + 100000) > 0);
    assert_int_equal(log_start_offset(e->l), 1000);
    assert_int_equal(log_size(e->l), 0);
    fill(e, 1, 10, 1000);
    assert_int_equal(read_all(e, 1000), 10);
}

static void delete_records(void **state) {
    struct env *e = *state;
    fill(e, 10, 10, 100);
    assert_int_equal(log_delete_records(e->l, 101), OE_RANGE);
    assert_int_equal(log_delete_records(e->l, 55), 0);
    assert_int_equal(log_start_offset(e->l), 55);
    restart(e, true);
    assert_int_equal(log_open(e->l, now), 0);
    assert_int_equal(log_start_offset(e->l), 55);
    assert_int_equal(read_all(e, 55), 45);
    struct log_position p;
    assert_int_equal(log_earliest(e->l, &p), 0);
    assert_int_equal(p.offset, 55);
    assert_int_equal(p.leader_epoch, 3);
}

static void times(void **state) {
    struct env *e = *state;
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct log_position p;
    e->config.segment_bytes = 60000;
    for (int i = 0; i < 100; i++) {
        o.compression = (enum compression)(i % COMPRESSION_COUNT);
        put(e, &o, 10, 500, now + 100 * i, 0);
    }
    assert_int_equal(log_write_queue(e->l, now), 0);
    for (int again = 0; again < 2; again++) {
        assert_true(log_segment_count(e->l) > 1);
        assert_int_equal(log_offset_for_timestamp(e->l, now + 4203, e->codec, &p), 0);
        assert_int_equal(p.offset, 423);
        assert_int_equal(p.timestamp, now + 4203);
        assert_int_equal(log_offset_for_timestamp(e->l, now + 4250, e->codec, &p), 0);
        assert_int_equal(p.offset, 430);
        assert_int_equal(log_offset_for_timestamp(e->l, 0, e->codec, &p), 0);
        assert_int_equal(p.offset, 0);
        assert_int_equal(log_offset_for_timestamp(e->l, now + 10000, e->codec, &p), 0);
        assert_int_equal(p.offset, -1);
        assert_int_equal(log_max_timestamp(e->l, e->codec, &p), 0);
        assert_int_equal(p.offset, 999);
        assert_int_equal(p.leader_epoch, 3);
        restart(e, true);
        assert_int_equal(log_open(e->l, now), 0);
    }
}

static void truncation(void **state) {
    struct env *e = *state;
    e->config.segment_bytes = 50000;
    fill(e, 100, 10, 200);
    assert_int_equal(log_truncate_to(e->l, 500, now), 0);
    assert_int_equal(log_end_offset(e->l), 500);
    assert_int_equal(log_high_watermark(e->l), 500);
    assert_int_equal(read_all(e, 0), 500);
    fill(e, 10, 10, 200);
    assert_int_equal(read_all(e, 490), 110);
    assert_int_equal(log_truncate_fully(e->l, 5000, now), 0);
    assert_int_equal(log_start_offset(e->l), 5000);
    fill(e, 1, 10, 200);
    assert_int_equal(log_end_offset(e->l), 5010);
    restart(e, false);
    assert_int_equal(log_open(e->l, now), 0);
    assert_int_equal(log_start_offset(e->l), 5000);
    assert_int_equal(log_end_offset(e->l), 5010);
}

static void idempotence(void **state) {
    struct env *e = *state;
    struct batch_options o = BATCH_OPTIONS_NONE;
    o.producer_id = 77;
    o.producer_epoch = 1;
    for (int i = 0; i < 8; i++) {
        o.base_sequence = 10 * i;
        assert_int_equal(put(e, &o, 10, 10, now, 0).first_offset, 10 * i);
    }
    assert_int_equal(log_write_queue(e->l, now), 0);
    for (int again = 0; again < 2; again++) {
        o.base_sequence = 70;
        struct log_append_result r = put(e, &o, 10, 10, now, 0);
        assert_true(r.duplicate);
        assert_int_equal(r.first_offset, 70);
        o.base_sequence = 90;
        assert_int_equal(put(e, &o, 10, 10, now, OE_INVALID).fault, FAULT_OUT_OF_ORDER_SEQUENCE);
        o.producer_epoch = 0;
        assert_int_equal(put(e, &o, 10, 10, now, OE_INVALID).fault, FAULT_PRODUCER_EPOCH);
        o.producer_epoch = 1;
        assert_int_equal(log_write_queue(e->l, now), 0);
        if (!again) restart(e, false);
    }
    o.base_sequence = 40;
    assert_int_equal(put(e, &o, 10, 10, now, 0).first_offset, 40); /* five batches are remembered */
    o.base_sequence = 20;
    put(e, &o, 10, 10, now, OE_INVALID);
    o.base_sequence = 80;
    assert_int_equal(put(e, &o, 10, 10, now, 0).first_offset, 80);
    log_write_queue(e->l, now);
}

static void marker(struct env *e, int64_t id, bool commit) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    o.producer_id = id;
    o.producer_epoch = 0;
    o.transactional = true;
    uint8_t *b = arena_alloc(&e->arena, control_batch_size(6));
    struct log_append_args a = {.bytes = b,
                                .len = marker_batch_write(b, &o, commit, 1, now),
                                .leader_epoch = 3,
                                .origin = APPEND_COORDINATOR,
                                .now_ms = now,
                                .arena = &e->arena,
                                .codec = e->codec};
    struct log_append_result r;
    assert_int_equal(log_append(e->l, &a, &r), 0);
    assert_int_equal(log_write_queue(e->l, now), 0);
}

static void transactions(void **state) {
    struct env *e = *state;
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct log_slice s;
    o.producer_id = 5;
    o.producer_epoch = 0;
    o.base_sequence = 0;
    o.transactional = true;
    fill(e, 1, 3, 10);         /* 0..2 */
    put(e, &o, 5, 10, now, 0); /* 3..7, open */
    o.producer_id = 6;
    put(e, &o, 5, 10, now, 0); /* 8..12, open */
    assert_int_equal(log_write_queue(e->l, now), 0);
    log_set_high_watermark(e->l, 13);
    assert_int_equal(log_last_stable_offset(e->l), 3);
    assert_true(log_has_transaction(e->l, 5, 0));
    marker(e, 5, false); /* 13 */
    log_set_high_watermark(e->l, 14);
    assert_int_equal(log_last_stable_offset(e->l), 8);
    restart(e, false);
    assert_int_equal(log_open(e->l, now), 0);
    log_set_high_watermark(e->l, 14);
    assert_int_equal(log_last_stable_offset(e->l), 8);
    marker(e, 6, true); /* 14 */
    log_set_high_watermark(e->l, 15);
    assert_int_equal(log_last_stable_offset(e->l), 15);
    assert_int_equal(log_read(e->l, 0, 100000, 15, true, &e->arena, &s), 0);
    assert_int_equal(s.aborted_count, 1);
    assert_int_equal(s.aborted[0].producer_id, 5);
    assert_int_equal(s.aborted[0].first_offset, 3);
    file_unref(s.file);
    assert_int_equal(log_read(e->l, 14, 100000, 15, true, &e->arena, &s), 0);
    assert_int_equal(s.aborted_count, 0);
    file_unref(s.file);
}

static void idle_close(void **state) {
    struct env *e = *state;
    fill(e, 100, 5, 100);
    assert_int_equal(log_close_idle(e->l, now), 0);
    assert_false(log_is_open(e->l));
    fill(e, 100, 5, 100);
    assert_int_equal(log_end_offset(e->l), 1000);
    assert_int_equal(read_all(e, 0), 1000);
    assert_int_equal(log_recovery_point(e->l), 0);
    assert_int_equal(log_close_idle(e->l, now), 0);
    assert_int_equal(log_flush(e->l, now), 0);
    assert_int_equal(log_recovery_point(e->l), 1000);
}

static void topic_deletion(void **state) {
    struct env *e = *state;
    fill(e, 10, 5, 100);
    assert_int_equal(logdir_delete_log(e->l, now), 0);
    assert_null(logdir_find(e->d, "t-0"));
    assert_int_equal(logdir_tick(e->d, now, 0), now + 60000);
    assert_int_equal(logdir_tick(e->d, now + 60000, 0), INT64_MAX);
    struct log *l;
    assert_int_equal(logdir_create_log(e->d, "t", 0, NULL, &e->config, &l), 0);
    e->l = l;
    fill(e, 1, 5, 100);
    assert_int_equal(log_end_offset(l), 5);
}

/* ---- the rows of recover.c that need damage by hand ---- */

static void shell(struct env *e, const char *what) {
    char command[256];
    snprintf(command, sizeof command, "cd %s/t-0 && %s", e->path, what);
    assert_int_equal(system(command), 0);
}

/* Stops, damages, starts, and finds the records [start, end). */
static void damage(struct env *e, bool clean, const char *what, int64_t start, int64_t end) {
    if (clean)
        assert_int_equal(logdir_close(e->d, now), 0);
    else
        logdir_abandon(e->d);
    shell(e, what);
    open_dir(e);
    assert_int_equal(log_open(e->l, now), 0);
    assert_int_equal(log_start_offset(e->l), start);
    assert_int_equal(log_end_offset(e->l), end);
    assert_int_equal(read_all(e, start), end - start);
    fill(e, 1, 1, 10);
    assert_int_equal(log_end_offset(e->l), end + 1);
}

static void row_4_index_missing_or_wrong(void **state) {
    struct env *e = *state;
    fill(e, 100, 1, 1000);
    damage(e, true, "rm *.index", 0, 100);
    damage(e, false, "rm *.timeindex", 0, 101);
    damage(e, true, "printf xxx >> 00000000000000000000.index", 0, 102);
    damage(e, false, "truncate -s 10485760 00000000000000000000.index", 0, 103); /* Kafka's zeros */
    damage(e, true, "truncate -s 10485756 00000000000000000000.timeindex", 0, 104);
}

static void row_5_clean_but_torn(void **state) {
    struct env *e = *state;
    fill(e, 100, 1, 1000);
    damage(e, true, "printf garbage >> 00000000000000000000.log", 0, 100);
}

static void row_7_and_13_no_segment(void **state) {
    struct env *e = *state;
    fill(e, 10, 1, 1000);
    damage(e, true, "rm *.log && touch 00000000000000000007.index", 0, 0);
    damage(e, true, "touch 00000000000000000007.index", 0, 1);
    shell(e, "test ! -e 00000000000000000007.index");
}

static void row_8_end_below_start(void **state) {
    struct env *e = *state;
    fill(e, 100, 1, 1000);
    assert_int_equal(log_delete_records(e->l, 50), 0);
    damage(e, true, "truncate -s 10640 00000000000000000000.log && rm *.index *.timeindex", 50, 50);
}

static void row_9_epochs(void **state) {
    struct env *e = *state;
    fill(e, 10, 1, 1000);
    damage(e, true, "echo nonsense > leader-epoch-checkpoint", 0, 10);
    assert_int_equal(log_epoch_for_offset(e->l, 4), 3);
}

static void row_10_snapshots(void **state) {
    struct env *e = *state;
    struct batch_options o = BATCH_OPTIONS_NONE;
    o.producer_id = 4;
    o.producer_epoch = 0;
    o.base_sequence = 0;
    put(e, &o, 10, 10, now, 0);
    assert_int_equal(log_write_queue(e->l, now), 0);
    damage(e, true, "for f in *.snapshot; do printf xx > $f; done", 0, 10);
    assert_true(put(e, &o, 10, 10, now, 0).duplicate);
    damage(e, false, "rm -f *.snapshot", 0, 11);
    assert_true(put(e, &o, 10, 10, now, 0).duplicate);
}

static void row_11_and_12_leftovers(void **state) {
    struct env *e = *state;
    e->config.segment_bytes = 20000;
    fill(e, 50, 1, 1000); /* segments of 18 records */
    assert_int_equal(log_segment_count(e->l), 3);
    damage(e, true, "touch 00000000000000000003.log.deleted 00000000000000000000.index.cleaned", 0, 50);
    shell(e, "test ! -e 00000000000000000003.log.deleted -a ! -e 00000000000000000000.index.cleaned");
    /* The first segment has been compacted into a copy of itself. */
    damage(e, true, "cp 00000000000000000000.log 00000000000000000000.log.swap", 0, 51);
    shell(e, "test ! -e 00000000000000000000.log.swap");
    /* A swap that belongs to an unfinished cleaning goes. */
    damage(
        e, true,
        "cp 00000000000000000000.log 00000000000000000000.log.swap && touch 00000000000000000000.log.cleaned",
        0, 52);
    shell(e, "test ! -e 00000000000000000000.log.swap");
}

static void row_6_and_14_gap_after_a_cut(void **state) {
    struct env *e = *state;
    e->config.segment_bytes = 20000;
    fill(e, 50, 1, 1000);
    const char *second = "rm $(ls *.log | sed -n 2p) && echo 18 > .ottla-cut";
    assert_int_equal(log_segment_count(e->l), 3);
    damage(e, true, second, 0, 18);
    assert_int_equal(log_segment_count(e->l), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(append_and_read, setup, teardown),
        cmocka_unit_test_setup_teardown(clean_restart, setup, teardown),
        cmocka_unit_test_setup_teardown(killed, setup, teardown),
        cmocka_unit_test_setup_teardown(torn_tail, setup, teardown),
        cmocka_unit_test_setup_teardown(roll_and_retain, setup, teardown),
        cmocka_unit_test_setup_teardown(delete_records, setup, teardown),
        cmocka_unit_test_setup_teardown(times, setup, teardown),
        cmocka_unit_test_setup_teardown(truncation, setup, teardown),
        cmocka_unit_test_setup_teardown(idempotence, setup, teardown),
        cmocka_unit_test_setup_teardown(transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(idle_close, setup, teardown),
        cmocka_unit_test_setup_teardown(topic_deletion, setup, teardown),
        cmocka_unit_test_setup_teardown(row_4_index_missing_or_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(row_5_clean_but_torn, setup, teardown),
        cmocka_unit_test_setup_teardown(row_7_and_13_no_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(row_8_end_below_start, setup, teardown),
        cmocka_unit_test_setup_teardown(row_9_epochs, setup, teardown),
        cmocka_unit_test_setup_teardown(row_10_snapshots, setup, teardown),
        cmocka_unit_test_setup_teardown(row_11_and_12_leftovers, setup, teardown),
        cmocka_unit_test_setup_teardown(row_6_and_14_gap_after_a_cut, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
