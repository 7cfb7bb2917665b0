/* Cleaning a compacted log, on a simulated disk: what is left of it is compared as text, a batch a line:
 *   base..last [marks] offset:key=value … */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/random.h"
#include "io/sim_disk.h"
#include "record/control.h"
#include "record/record.h"
#include "storage/cleaner.h"
#include "storage/log_internal.h"
#include "storage/logdir.h"
#include "storage/offset_map.h"

enum { DAY = 86400000 };
static const int64_t start = INT64_C(1700000000000);

struct env {
    struct sim_disk *disk;
    struct logdir *d;
    struct log *l;
    struct log_config config;
    struct arena arena;
    struct codec *codec;
    struct clean_stats stats;
    struct clean_options options;
    int64_t now;
    struct strbuf text;
    int sequences[16];
};

static void open_dir(struct env *e) {
    struct logdir_options o = {
        .fs = sim_disk_fs(e->disk), .path = "/d", .config = &e->config, .now_ms = e->now};
    assert_int_equal(logdir_open(&o, &e->d), 0);
    e->l = logdir_find(e->d, "t-0");
}

static int setup(void **state) {
    struct env *e = calloc(1, sizeof *e);
    log_set_level(LOG_FATAL);
    e->now = start;
    e->disk = sim_disk_create(1);
    sim_disk_set_time(e->disk, e->now);
    e->config = LOG_CONFIG_DEFAULT;
    e->config.cleanup_delete = false;
    e->config.cleanup_compact = true;
    e->config.min_cleanable_dirty_ratio = 0;
    e->config.delete_retention_ms = DAY;
    e->options =
        (struct clean_options){.map_bytes = 1 << 20, .load_factor = 0.9, .io_bytes = 4096, .seed = 7};
    arena_init(&e->arena, 64 << 20);
    strbuf_init(&e->text, 1 << 20);
    e->codec = codec_create();
    open_dir(e);
    struct uuid id = {{1, 2, 3}};
    assert_int_equal(logdir_create_log(e->d, "t", 0, &id, &e->config, &e->l), 0);
    *state = e;
    return 0;
}

static int teardown(void **state) {
    struct env *e = *state;
    if (e->d) logdir_abandon(e->d);
    sim_disk_destroy(e->disk);
    arena_free(&e->arena);
    strbuf_free(&e->text);
    codec_destroy(e->codec);
    free(e);
    return 0;
}

static void pass(struct env *e, int64_t ms) {
    e->now += ms;
    sim_disk_set_time(e->disk, e->now);
}

/* ---- writing ---- */

static void append(struct env *e, const uint8_t *bytes, size_t n, enum append_origin origin) {
    struct log_append_args a = {.bytes = arena_memdup(&e->arena, bytes, n),
                                .len = n,
                                .leader_epoch = 0,
                                .origin = origin,
                                .now_ms = e->now,
                                .arena = &e->arena,
                                .codec = e->codec};
    struct log_append_result r;
    assert_int_equal(log_append(e->l, &a, &r), 0);
    assert_int_equal(log_write_queue(e->l, e->now), 0);
    log_set_high_watermark(e->l, log_end_offset(e->l));
}

/* "a=1 b=2 c" (c: a tombstone); producer 0: none, otherwise its id; transactional when `txn`. */
static void put_with(struct env *e, const char *records, int producer, bool txn, enum compression how) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct batch_builder b;
    uint8_t *bytes;
    size_t n;
    o.compression = how;
    if (producer) {
        o.producer_id = producer;
        o.producer_epoch = 0;
        o.base_sequence = e->sequences[producer];
        o.transactional = txn;
    }
    batch_builder_init(&b, &o, 1 << 20);
    for (const char *p = records; *p;) {
        size_t len = strcspn(p, " "), key = strcspn(p, "= ");
        const char *value = key < len ? p + key + 1 : NULL;
        assert_int_equal(batch_builder_add(&b, e->now, p, key, value, value ? len - key - 1 : 0), 0);
        p += len;
        p += strspn(p, " ");
    }
    if (producer) e->sequences[producer] += b.count;
    assert_int_equal(batch_builder_finish(&b, e->codec, &bytes, &n), 0);
    append(e, bytes, n, APPEND_CLIENT);
    batch_builder_free(&b);
}
static void put(struct env *e, const char *records) { put_with(e, records, 0, false, COMPRESSION_NONE); }
static void put_txn(struct env *e, const char *records, int producer) {
    put_with(e, records, producer, true, COMPRESSION_NONE);
}
static void end_txn(struct env *e, int producer, bool commit) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    uint8_t bytes[128];
    o.producer_id = producer;
    o.producer_epoch = 0;
    o.transactional = true;
    append(e, bytes, marker_batch_write(bytes, &o, commit, 1, e->now), APPEND_COORDINATOR);
}
static void roll(struct env *e) { assert_int_equal(log_roll(e->l, e->now), 0); }

/* ---- cleaning and reading ---- */

static int clean(struct env *e) {
    struct clean_pick p;
    double ratio;
    if (!cleaner_pick(&e->d, 1, e->now, &p, &ratio)) return 1;
    assert_ptr_equal(p.log, e->l);
    assert_true(ratio > 0 && ratio <= 1 && p.cleanable == 1);
    e->options.now_ms = e->now;
    return cleaner_clean(&p, &e->options, &e->stats);
}

static void describe(struct env *e, const uint8_t *b, size_t n) {
    struct record_iter it;
    struct record r;
    assert_int_equal(batch_check(b, n), 0);
    strbuf_addf(&e->text, "%lld..%lld", (long long)batch_base_offset(b), (long long)batch_last_offset(b));
    if (batch_producer_id(b) >= 0) strbuf_addf(&e->text, " p%lld", (long long)batch_producer_id(b));
    if (batch_is_control(b)) strbuf_adds(&e->text, " marker");
    if (batch_has_horizon(b))
        strbuf_addf(&e->text, " until+%lldh", (long long)((batch_base_timestamp(b) - start) / 3600000));
    if (batch_compression(b)) strbuf_addf(&e->text, " %s", compression_name(batch_compression(b)));
    assert_int_equal(record_iter_start(&it, e->codec, b, n, 1 << 20), 0);
    int more;
    while ((more = record_iter_next(&it, &r)) > 0) {
        if (batch_is_control(b)) {
            strbuf_adds(&e->text, " *");
            continue;
        }
        assert_true(r.timestamp >= start && r.timestamp <= e->now);
        strbuf_addf(&e->text, " %lld:%.*s", (long long)r.offset, (int)r.key_len, (const char *)r.key);
        if (r.value) strbuf_addf(&e->text, "=%.*s", (int)r.value_len, (const char *)r.value);
    }
    assert_int_equal(more, 0);
    record_iter_end(&it);
    strbuf_adds(&e->text, "\n");
}

/* The whole log, as a consumer reads it. */
static const char *content(struct env *e) {
    int64_t at = log_start_offset(e->l), end = log_end_offset(e->l);
    strbuf_reset(&e->text);
    strbuf_adds(&e->text, "");
    while (at < end) {
        struct log_slice s;
        assert_int_equal(log_read(e->l, at, 1 << 20, end, true, NULL, &s), 0);
        if (!s.file) break;
        uint8_t *bytes = malloc(s.len);
        assert_int_equal(file_pread(s.file, bytes, s.len, s.position), s.len);
        for (size_t p = 0; p < s.len;) {
            int64_t size = batch_peek(bytes + p, s.len - p);
            assert_true(size > 0 && p + (size_t)size <= s.len);
            describe(e, bytes + p, (size_t)size);
            at = batch_last_offset(bytes + p) + 1;
            p += (size_t)size;
        }
        free(bytes);
        file_unref(s.file);
    }
    return strbuf_str(&e->text);
}
#define assert_content(e, text) assert_string_equal(content(e), text)

static char *file_text(struct env *e, const char *path) {
    uint8_t *bytes;
    size_t n;
    if (fs_read_all(sim_disk_fs(e->disk), path, 1 << 20, &bytes, &n)) return NULL;
    char *text = arena_strndup(&e->arena, (char *)bytes, n);
    free(bytes);
    return text;
}
static bool exists(struct env *e, const char *name) {
    struct fs_stat st;
    char path[128];
    snprintf(path, sizeof path, "/d/t-0/%s", name);
    return !fs_stat(sim_disk_fs(e->disk), path, &st);
}

static void restart(struct env *e, bool clean_stop) {
    if (clean_stop)
        assert_int_equal(logdir_close(e->d, e->now), 0);
    else
        logdir_abandon(e->d);
    open_dir(e);
    assert_non_null(e->l);
    log_lock(e->l);
    assert_int_equal(log_open(e->l, e->now), 0);
    log_set_high_watermark(e->l, log_end_offset(e->l));
    log_unlock(e->l);
}

/* ---- keys ---- */

static void newest_of_each_key(void **state) {
    struct env *e = *state;
    put(e, "a=1 b=1 c=1");
    put(e, "a=2");
    roll(e);
    put(e, "b=2 d=1");
    put(e, "a=3");
    roll(e);
    put(e, "a=4");
    assert_int_equal(clean(e), 0);
    assert_content(e, "0..2 2:c=1\n4..5 4:b=2 5:d=1\n6..6 6:a=3\n7..7 7:a=4\n");
    assert_int_equal(log_segment_count(e->l), 2);
    assert_int_equal(e->stats.to, 7);
    assert_int_equal(e->stats.messages_read, 7);
    assert_int_equal(e->stats.messages_written, 4);
    assert_int_equal(log_start_offset(e->l), 0);
    assert_int_equal(clean(e), 1); /* nothing is dirty */
    assert_string_equal(file_text(e, "/d/cleaner-offset-checkpoint"), "0\n1\nt 0 7\n");
}

static void last_offset_of_a_round_is_kept(void **state) {
    struct env *e = *state;
    put(e, "a=1");
    put(e, "a=2");
    roll(e);
    put(e, "a=3");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "2..2 2:a=3\n");
    put(e, "b=1");
    put_with(e, "a=4", 1, false, COMPRESSION_NONE);
    put_with(e, "a=5", 1, false, COMPRESSION_NONE);
    put(e, "b=2 b=3");
    roll(e);
    put(e, "x=1");
    roll(e);
    assert_int_equal(clean(e), 0);
    /* 5 is the producer's last one and stays for its sequence */
    assert_content(e, "5..5 p1 5:a=5\n6..7 7:b=3\n8..8 8:x=1\n");
}

static void batches_of_active_producers(void **state) {
    struct env *e = *state;
    put_with(e, "a=1", 1, false, COMPRESSION_NONE);
    put_with(e, "a=2", 2, false, COMPRESSION_NONE);
    put_with(e, "a=3", 1, false, COMPRESSION_NONE);
    put(e, "a=4");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "1..1 p2\n2..2 p1\n3..3 3:a=4\n");
    /* An empty batch: a header, everything but records, no compression. */
    struct log_slice s;
    uint8_t b[BATCH_HEADER];
    assert_int_equal(log_read(e->l, 2, 1 << 20, 4, true, NULL, &s), 0);
    assert_int_equal(file_pread(s.file, b, sizeof b, s.position), sizeof b);
    file_unref(s.file);
    assert_int_equal(batch_size(b), BATCH_HEADER);
    assert_int_equal(batch_count(b), 0);
    assert_int_equal(batch_base_sequence(b), 1);
    assert_int_equal(batch_base_timestamp(b), -1);
    assert_int_equal(batch_max_timestamp_v2(b), start);
    /* The sequence is known after a restart that reads the log alone. */
    restart(e, false);
    put_with(e, "b=1", 1, false, COMPRESSION_NONE);
    pass(e, 2 * DAY);
    log_expire_producers(e->l, e->now);
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "3..3 3:a=4\n4..4 p1 4:b=1\n");
}

static void compressed_batches_keep_their_codec(void **state) {
    struct env *e = *state;
    for (int how = COMPRESSION_NONE; how < COMPRESSION_COUNT; how++) {
        put_with(e, "a=1 b=1 c=1", 0, false, (enum compression)how);
        put_with(e, "a=2", 0, false, (enum compression)how);
    }
    roll(e);
    put(e, "c=9");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "16..18 zstd 17:b=1\n19..19 zstd 19:a=2\n20..20 20:c=9\n");
}

static void a_map_that_is_full_ends_the_round(void **state) {
    struct env *e = *state;
    e->options.map_bytes = 4 * OFFSET_MAP_ENTRY;
    e->options.load_factor = 0.8; /* three keys */
    put(e, "a=1 b=1 c=1 a=2");
    put(e, "d=1 e=1 a=3");
    roll(e);
    put(e, "b=2");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_int_equal(e->stats.to, 3); /* the fourth record found the map full */
    assert_content(e, "0..3 0:a=1 1:b=1 2:c=1 3:a=2\n4..6 4:d=1 5:e=1 6:a=3\n7..7 7:b=2\n");
    assert_int_equal(clean(e), 0);
    assert_int_equal(e->stats.to, 6);
    assert_content(e, "0..3 1:b=1 2:c=1 3:a=2\n4..6 4:d=1 5:e=1 6:a=3\n7..7 7:b=2\n");
    assert_int_equal(clean(e), 0);
    assert_int_equal(e->stats.to, 8);
    assert_content(e, "0..3 2:c=1\n4..6 4:d=1 5:e=1 6:a=3\n7..7 7:b=2\n");
}

/* ---- tombstones ---- */

static void tombstones_wait_for_their_horizon(void **state) {
    struct env *e = *state;
    put(e, "a=1 b=1");
    put(e, "a c=1");
    roll(e);
    put(e, "x=1");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "0..1 1:b=1\n2..3 until+24h 2:a 3:c=1\n4..4 4:x=1\n");
    pass(e, DAY - 1000);
    put(e, "x=2");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "0..1 1:b=1\n2..3 until+24h 2:a 3:c=1\n5..5 5:x=2\n");
    pass(e, 1000);
    put(e, "x=3");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "0..1 1:b=1\n2..3 until+24h 3:c=1\n6..6 6:x=3\n");
    assert_int_equal(clean(e), 1);
}

/* ---- transactions ---- */

static void aborted_records_go_at_once(void **state) {
    struct env *e = *state;
    put(e, "a=1 b=1");
    put_txn(e, "a=2", 1);
    put_txn(e, "b=2", 2);
    end_txn(e, 1, false);
    end_txn(e, 2, true);
    put_txn(e, "c=1", 1);
    end_txn(e, 1, true);
    put_txn(e, "d=1", 2);
    end_txn(e, 2, true);
    roll(e);
    put(e, "x=1");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "0..1 0:a=1\n3..3 p2 3:b=2\n4..4 p1 marker *\n5..5 p2 marker *\n6..6 p1 6:c=1\n"
                      "7..7 p1 marker *\n8..8 p2 8:d=1\n9..9 p2 marker *\n10..10 10:x=1\n");
    /* Its data was there when the marker was passed: it stays, and the index entry with it. */
    assert_true(exists(e, "00000000000000000000.txnindex"));
    struct log_slice s;
    assert_int_equal(log_read(e->l, 0, 1 << 20, 10, true, &e->arena, &s), 0);
    assert_int_equal(s.aborted_count, 1);
    assert_int_equal(s.aborted[0].producer_id, 1);
    assert_int_equal(s.aborted[0].first_offset, 2);
    file_unref(s.file);
    /* The next round finds nothing of it: the marker gets a horizon, the entry goes. */
    pass(e, 1000);
    put(e, "x=2");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e,
                   "0..1 0:a=1\n3..3 p2 3:b=2\n4..4 p1 marker until+24h *\n5..5 p2 marker *\n6..6 p1 6:c=1\n"
                   "7..7 p1 marker *\n8..8 p2 8:d=1\n9..9 p2 marker *\n11..11 11:x=2\n");
    assert_false(exists(e, "00000000000000000000.txnindex"));
    pass(e, DAY);
    put(e, "x=3");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "0..1 0:a=1\n3..3 p2 3:b=2\n5..5 p2 marker *\n6..6 p1 6:c=1\n"
                      "7..7 p1 marker *\n8..8 p2 8:d=1\n9..9 p2 marker *\n12..12 12:x=3\n");
}

static void commit_markers_go_after_their_data(void **state) {
    struct env *e = *state;
    put_txn(e, "a=1", 1);
    end_txn(e, 1, true);
    put_txn(e, "b=1", 1);
    end_txn(e, 1, true);
    roll(e);
    put(e, "a=2");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "1..1 p1 marker *\n2..2 p1 2:b=1\n3..3 p1 marker *\n4..4 4:a=2\n");
    put(e, "a=3");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "1..1 p1 marker until+24h *\n2..2 p1 2:b=1\n3..3 p1 marker *\n5..5 5:a=3\n");
    pass(e, DAY + 1);
    put(e, "a=4");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "2..2 p1 2:b=1\n3..3 p1 marker *\n6..6 6:a=4\n");
}

/* The last thing of a producer is a marker after all of its data went: its epoch must stay known. */
static void a_producers_last_marker_is_kept(void **state) {
    struct env *e = *state;
    put_txn(e, "a=1", 1);
    end_txn(e, 1, false);
    roll(e);
    put(e, "x=1");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "0..0 p1\n1..1 p1 marker *\n2..2 2:x=1\n");
    restart(e, true);
    for (int i = 2; i < 5; i++) { /* the empty batch counts as data: the marker stays as long as it */
        char text[16];
        snprintf(text, sizeof text, "x=%d", i);
        pass(e, DAY / 3);
        put(e, text);
        roll(e);
        assert_int_equal(clean(e), 0);
    }
    assert_content(e, "0..0 p1\n1..1 p1 marker *\n5..5 5:x=4\n");
}

static void an_open_transaction_bounds_it(void **state) {
    struct env *e = *state;
    put(e, "a=1");
    roll(e);
    put(e, "a=2");
    put_txn(e, "a=3", 1);
    roll(e);
    put(e, "a=4");
    roll(e);
    assert_int_equal(log_last_stable_offset(e->l), 2);
    assert_int_equal(clean(e), 0);
    assert_int_equal(e->stats.to, 1); /* the segment that holds the last stable offset is not touched */
    assert_content(e, "0..0 0:a=1\n1..1 1:a=2\n2..2 p1 2:a=3\n3..3 3:a=4\n");
    end_txn(e, 1, true);
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "2..2 p1\n3..3 3:a=4\n4..4 p1 marker *\n");
}

/* ---- when, and what ---- */

static void lags_and_ratio(void **state) {
    struct env *e = *state;
    e->config.min_compaction_lag_ms = 10000;
    put(e, "a=1");
    roll(e);
    put(e, "a=2");
    roll(e);
    assert_int_equal(clean(e), 1);
    pass(e, 5000);
    put(e, "a=3");
    roll(e);
    pass(e, 5000);
    assert_int_equal(clean(e), 0); /* the first two are old enough */
    assert_content(e, "1..1 1:a=2\n2..2 2:a=3\n");
    pass(e, 10000);
    e->config.min_cleanable_dirty_ratio = 0.9;
    assert_int_equal(clean(e), 1);
    e->config.max_compaction_lag_ms = 1000000;
    assert_int_equal(clean(e), 1);
    pass(e, 1000000);
    assert_int_equal(clean(e), 0);
    assert_content(e, "2..2 2:a=3\n");
}

static void only_compacted_topics(void **state) {
    struct env *e = *state;
    put(e, "a=1 a=2");
    roll(e);
    e->config.cleanup_compact = false;
    assert_int_equal(clean(e), 1);
    e->config.cleanup_compact = true;
    e->config.cleanup_delete = true;
    assert_int_equal(clean(e), 0);
    assert_content(e, "0..1 1:a=2\n");
}

static void segments_are_grouped(void **state) {
    struct env *e = *state;
    char text[64];
    for (int i = 0; i < 12; i++) {
        snprintf(text, sizeof text, "k%d=%040d", i, i);
        put(e, text);
        roll(e);
    }
    int64_t one = log_size(e->l) / 12;
    e->config.segment_bytes = (int32_t)(3 * one + 20);
    assert_int_equal(clean(e), 0);
    assert_int_equal(log_segment_count(e->l), 5);
    assert_int_equal(e->stats.segments_before, 12);
    assert_int_equal(e->stats.segments_after, 4);
    for (int i = 0; i < 12; i++) {
        struct log_slice s;
        assert_int_equal(log_read(e->l, i, 1, 12, true, NULL, &s), 0);
        assert_int_equal(s.offset, i);
        file_unref(s.file);
    }
    assert_true(exists(e, "00000000000000000003.log"));
    assert_false(exists(e, "00000000000000000004.log"));
    assert_false(exists(e, "00000000000000000004.snapshot"));
    assert_true(exists(e, "00000000000000000003.snapshot"));
    assert_true(exists(e, "00000000000000000004.log.deleted"));
    logdir_tick(e->d, e->now + 60001, 0);
    assert_false(exists(e, "00000000000000000004.log.deleted"));
    assert_false(exists(e, "00000000000000000003.log.deleted"));
    assert_true(exists(e, "00000000000000000003.log"));
    restart(e, true);
    assert_int_equal(log_segment_count(e->l), 5);
}

/* Offsets of one segment span less than 2^31. */
static void offsets_that_are_far_apart(void **state) {
    struct env *e = *state;
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct batch_builder b;
    for (int i = 0; i < 3; i++) {
        uint8_t *bytes;
        size_t n;
        struct log_append_result r;
        o.base_offset = i * INT64_C(1500000000);
        batch_builder_init(&b, &o, 1 << 20);
        assert_int_equal(batch_builder_add_raw(&b, o.base_offset, e->now, "k", 1, "v", 1, 0, NULL, 0), 0);
        assert_int_equal(batch_builder_finish(&b, NULL, &bytes, &n), 0);
        struct log_append_args a = {.bytes = arena_memdup(&e->arena, bytes, n),
                                    .len = n,
                                    .origin = APPEND_REPLICATION,
                                    .now_ms = e->now,
                                    .arena = &e->arena};
        assert_int_equal(log_append_follower(e->l, &a, &r), 0);
        assert_int_equal(log_write_queue(e->l, e->now), 0);
        batch_builder_free(&b);
        roll(e);
    }
    log_set_high_watermark(e->l, log_end_offset(e->l));
    assert_int_equal(clean(e), 0);
    assert_int_equal(e->stats.segments_after, 2);
    assert_content(e, "3000000000..3000000000 3000000000:k=v\n");
}

static void old_messages_become_batches(void **state) {
    struct env *e = *state;
    static const uint8_t v1[] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0};
    for (int i = 0; i < 3; i++) {
        uint8_t m[64] = {0}, *p = m + sizeof v1;
        struct log_append_result r;
        memcpy(m, v1, sizeof v1);
        put_i64(m, i);
        put_i64(p, e->now);
        put_i32(p + 8, 1);
        p[12] = i == 1 ? 'b' : 'a';
        put_i32(p + 13, i == 2 ? -1 : 1);
        if (i != 2) p[17] = 'v';
        size_t n = sizeof v1 + (i == 2 ? 17 : 18);
        put_i32(m + 8, (int32_t)n - 12);
        uint32_t crc = 0xffffffff; /* CRC-32 of zlib, bit by bit */
        for (size_t k = 16; k < n; k++)
            for (int bit = (crc ^= m[k], 0); bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
        put_u32(m + 12, ~crc);
        struct log_append_args a = {.bytes = arena_memdup(&e->arena, m, n),
                                    .len = n,
                                    .origin = APPEND_REPLICATION,
                                    .now_ms = e->now,
                                    .arena = &e->arena};
        assert_int_equal(log_append_follower(e->l, &a, &r), 0);
    }
    assert_int_equal(log_write_queue(e->l, e->now), 0);
    log_set_high_watermark(e->l, log_end_offset(e->l));
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "1..1 1:b=v\n2..2 until+24h 2:a\n");
}

/* ---- what goes wrong ---- */

static void a_damaged_batch_makes_it_uncleanable(void **state) {
    struct env *e = *state;
    put(e, "a=1");
    put(e, "a=2");
    roll(e);
    struct file *f;
    assert_int_equal(fs_open(sim_disk_fs(e->disk), "/d/t-0/00000000000000000000.log", FS_WRITE, &f), 0);
    assert_int_equal(file_pwrite(f, "?", 1, BATCH_HEADER + 5), 0);
    file_unref(f);
    assert_int_equal(clean(e), OE_CORRUPT);
    assert_int_equal(logdir_uncleanable(e->d), 1);
    assert_int_equal(clean(e), 1);
    assert_false(logdir_is_offline(e->d));
    assert_int_equal(log_end_offset(e->l), 2);
    assert_false(exists(e, "00000000000000000000.log.cleaned"));
}

static bool cut(void *owner) {
    struct env *e = owner;
    log_lock(e->l);
    if (log_end_offset(e->l) == 2) assert_int_equal(log_truncate_to(e->l, 1, e->now), 0);
    log_unlock(e->l);
    return false;
}
static bool ended(void *owner) { return true; }
static bool deleted(void *owner) {
    struct env *e = owner;
    if (e->l && !e->l->deleted) assert_int_equal(logdir_delete_log(e->l, e->now), 0);
    return false;
}

static void what_changes_meanwhile(void **state) {
    struct env *e = *state;
    put(e, "a=1");
    roll(e);
    put(e, "a=2");
    e->options.owner = e;
    e->options.stop = ended;
    assert_int_equal(clean(e), OE_AGAIN);
    e->options.stop = cut;
    assert_int_equal(clean(e), OE_AGAIN);
    assert_content(e, "0..0 0:a=1\n");
    e->options.stop = NULL;
    assert_int_equal(clean(e), 0);
    put(e, "a=3");
    roll(e);
    e->options.stop = deleted;
    logdir_hold(e->l);
    assert_int_equal(clean(e), OE_AGAIN);
    assert_int_equal(logdir_uncleanable(e->d), 0);
    logdir_release(e->l);
    e->l = NULL;
    assert_string_equal(file_text(e, "/d/cleaner-offset-checkpoint"), "0\n0\n");
}

static void the_clean_point(void **state) {
    struct env *e = *state;
    put(e, "a=1");
    roll(e);
    put(e, "b=1");
    roll(e);
    put(e, "c=1");
    assert_int_equal(clean(e), 0);
    restart(e, true);
    assert_int_equal(clean(e), 1); /* it is remembered */
    log_lock(e->l);
    assert_int_equal(log_truncate_to(e->l, 1, e->now), 0);
    log_unlock(e->l);
    assert_int_equal(logdir_checkpoint(e->d), 0);
    assert_string_equal(file_text(e, "/d/cleaner-offset-checkpoint"), "0\n1\nt 0 1\n");
    /* One that is beyond the end, or below the start, counts for nothing. */
    struct strbuf line;
    strbuf_init(&line, 100);
    strbuf_adds(&line, "t 0 99\n");
    assert_int_equal(logdir_close(e->d, e->now), 0);
    assert_int_equal(
        fs_write_atomic(sim_disk_fs(e->disk), "/d/cleaner-offset-checkpoint", "0\n1\nt 0 99\n", 11), 0);
    strbuf_free(&line);
    open_dir(e);
    log_lock(e->l);
    assert_int_equal(log_open(e->l, e->now), 0);
    log_unlock(e->l);
    put(e, "a=2");
    roll(e);
    assert_int_equal(clean(e), 0);
    assert_content(e, "1..1 1:a=2\n");
}

static void a_reader_keeps_the_old_file(void **state) {
    struct env *e = *state;
    put(e, "a=1 a=2");
    roll(e);
    struct log_slice s;
    assert_int_equal(log_read(e->l, 0, 1 << 20, 2, true, NULL, &s), 0);
    uint8_t before[300], after[300];
    assert_int_equal(file_pread(s.file, before, s.len, s.position), s.len);
    assert_int_equal(clean(e), 0);
    logdir_tick(e->d, e->now + 60001, 0);
    assert_int_equal(file_pread(s.file, after, s.len, s.position), s.len);
    assert_memory_equal(before, after, s.len);
    file_unref(s.file);
}

static void times_can_be_looked_up(void **state) {
    struct env *e = *state;
    struct log_position p;
    for (int i = 0; i < 50; i++) {
        char text[32];
        snprintf(text, sizeof text, "k%d=%d", i % 7, i);
        put(e, text);
        pass(e, 1000);
        if (i % 10 == 9) roll(e);
    }
    e->config.index_interval_bytes = 100;
    int64_t mtime = 0;
    struct fs_stat st;
    assert_int_equal(fs_stat(sim_disk_fs(e->disk), "/d/t-0/00000000000000000040.log", &st), 0);
    mtime = st.mtime_ms;
    pass(e, DAY);
    assert_int_equal(clean(e), 0);
    assert_int_equal(fs_stat(sim_disk_fs(e->disk), "/d/t-0/00000000000000000000.log", &st), 0);
    assert_int_equal(st.mtime_ms, mtime); /* as old as what it replaces */
    assert_int_equal(log_offset_for_timestamp(e->l, start + 44500, NULL, &p), 0);
    assert_int_equal(p.offset, 45);
    assert_int_equal(log_offset_for_timestamp(e->l, start, NULL, &p), 0);
    assert_int_equal(p.offset, 43);
    assert_int_equal(log_max_timestamp(e->l, NULL, &p), 0);
    assert_int_equal(p.offset, 49);
}

/* ---- at random, against a model ---- */

enum { KEYS = 12 };
static void random_histories(void **state) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        void *s;
        setup(&s);
        struct env *e = s;
        struct random r;
        int newest[KEYS], value = 0;
        bool tombstone[KEYS];
        memset(newest, -1, sizeof newest);
        random_seed(&r, seed);
        e->config.segment_bytes = 600;
        e->options.map_bytes = 24 * (2 + (int64_t)random_below(&r, 20));
        for (int step = 0; step < 150; step++) {
            char text[200] = "";
            int k[3], n = 1 + (int)random_below(&r, 3);
            bool abort = random_below(&r, 6) == 0, txn = abort || random_below(&r, 4) == 0;
            bool gone = random_below(&r, 8) == 0;
            for (int i = 0; i < n; i++) {
                k[i] = (int)random_below(&r, KEYS);
                snprintf(text + strlen(text), sizeof text - strlen(text), gone ? "k%d " : "k%d=%d ", k[i],
                         value + i);
            }
            int producer = txn ? 1 + (int)random_below(&r, 2) : 0;
            put_with(e, text, producer, txn, (enum compression)random_below(&r, COMPRESSION_COUNT));
            if (txn) end_txn(e, producer, !abort);
            for (int i = 0; i < n && !abort; i++) newest[k[i]] = value + i, tombstone[k[i]] = gone;
            value += n;
            pass(e, (int64_t)random_below(&r, DAY / 20));
            if (random_below(&r, 5) == 0) clean(e);
            if (random_below(&r, 20) == 0) restart(e, random_below(&r, 2));
        }
        roll(e);
        for (int i = 0; i < 2000 && !clean(e); i++)
            ;
        roll(e);
        int found[KEYS], count[KEYS] = {0};
        memset(found, -1, sizeof found);
        const char *p = content(e);
        for (; (p = strchr(p, 'k')); p++) {
            int key, v;
            if (p[-1] != ':') continue;
            if (sscanf(p, "k%d=%d", &key, &v) == 2)
                found[key] = v;
            else if (sscanf(p, "k%d", &key) == 1)
                found[key] = -1;
            count[key]++;
        }
        for (int i = 0; i < KEYS; i++) {
            if (newest[i] >= 0 && !tombstone[i] && found[i] != newest[i])
                fail_msg("seed %llu: key %d is %d, not %d\n%s", (unsigned long long)seed, i, found[i],
                         newest[i], content(e));
            if (newest[i] >= 0 && tombstone[i]) assert_int_equal(found[i], -1);
            if (count[i] > 1)
                fail_msg("seed %llu: key %d is there %d times\n%s", (unsigned long long)seed, i, count[i],
                         content(e));
        }
        teardown(&s);
    }
}

static void offset_maps(void **state) {
    struct offset_map m;
    uint64_t out[2];
    uint8_t bytes[16];
    struct siphash_key key = {{0x0706050403020100, 0x0f0e0d0c0b0a0908}};
    siphash128(&key, "", 0, out); /* the authors' vectors */
    memcpy(bytes, out, 16);
    assert_memory_equal(bytes, "\xa3\x81\x7f\x04\xba\x25\xa8\xe6\x6d\xf6\x72\x14\xc7\x55\x02\x93", 16);
    siphash128(&key, "\0", 1, out);
    memcpy(bytes, out, 16);
    assert_memory_equal(bytes, "\xda\x87\xc1\xd8\x6b\x99\xaf\x44\x34\x76\x59\x11\x9b\x22\xfc\x45", 16);
    for (int factor = 1; factor <= 10; factor++) {
        assert_int_equal(offset_map_init(&m, 24 * 1000, factor / 10.0, INT64_MAX, 3), 0);
        int n = factor * 100;
        for (int i = 0; i < n - 1; i++) offset_map_put(&m, &i, sizeof i, i);
        for (int i = 0; i < n - 1; i += 2) offset_map_put(&m, &i, sizeof i, n + i);
        assert_false(offset_map_full(&m));
        offset_map_put(&m, &(int){n - 1}, sizeof n, n - 1);
        assert_true(offset_map_full(&m) && m.latest == 2 * n - 2);
        for (int i = 0; i < 2000; i++)
            assert_int_equal(offset_map_get(&m, &i, sizeof i), i >= n ? -1 : i % 2 ? i : n + i);
        offset_map_free(&m);
    }
    assert_int_equal(offset_map_init(&m, INT64_C(1) << 40, 0.9, 10, 3), 0); /* memory for what is expected */
    assert_true(m.slot_count < 32 && m.limit > 80000000);
    offset_map_free(&m);
    assert_int_equal(offset_map_init(&m, 0, 0, 10, 3), 0);
    assert_false(offset_map_full(&m));
    offset_map_put(&m, "k", 1, 0);
    assert_true(offset_map_full(&m));
    assert_int_equal(offset_map_get(&m, "k", 1), 0);
    assert_int_equal(offset_map_get(&m, "l", 1), -1);
    offset_map_free(&m);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(newest_of_each_key),
        T(last_offset_of_a_round_is_kept),
        T(batches_of_active_producers),
        T(compressed_batches_keep_their_codec),
        T(a_map_that_is_full_ends_the_round),
        T(tombstones_wait_for_their_horizon),
        T(aborted_records_go_at_once),
        T(commit_markers_go_after_their_data),
        T(a_producers_last_marker_is_kept),
        T(an_open_transaction_bounds_it),
        T(lags_and_ratio),
        T(only_compacted_topics),
        T(segments_are_grouped),
        T(offsets_that_are_far_apart),
        T(old_messages_become_batches),
        T(a_damaged_batch_makes_it_uncleanable),
        T(what_changes_meanwhile),
        T(the_clean_point),
        T(a_reader_keeps_the_old_file),
        T(times_can_be_looked_up),
        cmocka_unit_test(random_histories),
        cmocka_unit_test(offset_maps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
