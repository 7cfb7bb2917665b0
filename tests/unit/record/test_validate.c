/* What may be appended, and what is done to it (LogValidator's rules). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/crc32c.h"
#include "base/err.h"
#include "record/control.h"
#include "record/record.h"
#include "record/validate.h"

static const int64_t now = 1000000;
static struct arena arena;
static struct codec *codec;
static struct record_rules rules;

static int setup(void **state) {
    arena_init(&arena, 64 << 20);
    codec = codec_create();
    rules = (struct record_rules){.target_compression = -1,
                                  .level = COMPRESS_LEVEL_DEFAULT,
                                  .before_max_ms = INT64_MAX,
                                  .after_max_ms = 1000,
                                  .max_bytes = 1 << 20};
    return 0;
}
static int teardown(void **state) {
    arena_free(&arena);
    codec_destroy(codec);
    return 0;
}

static uint8_t *make(enum compression how, int count, int64_t ts, const char *key, size_t size, size_t *n) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct batch_builder b;
    uint8_t *bytes;
    char *value = calloc(1, size + 1);
    o.compression = how;
    batch_builder_init(&b, &o, 8 << 20);
    for (int i = 0; i < count; i++)
        assert_int_equal(batch_builder_add(&b, ts + i, key, key ? strlen(key) : 0, value, size), 0);
    assert_int_equal(batch_builder_finish(&b, codec, &bytes, n), 0);
    bytes = arena_memdup(&arena, bytes, *n);
    batch_builder_free(&b);
    free(value);
    return bytes;
}

static void sum(uint8_t *b) {
    put_u32(b + BATCH_AT_CRC,
            crc32c(0, b + BATCH_AT_ATTRIBUTES, (size_t)batch_size(b) - BATCH_AT_ATTRIBUTES));
}

static struct validation check(uint8_t *b, size_t n, enum append_fault expect) {
    struct validation v = {.bytes = b,
                           .len = n,
                           .rules = &rules,
                           .partition = "t-0",
                           .leader_epoch = 7,
                           .offset = 500,
                           .now_ms = now,
                           .arena = &arena,
                           .codec = codec};
    int err = record_validate(&v);
    assert_int_equal(v.fault, expect);
    assert_int_equal(err, expect ? OE_INVALID : 0);
    if (expect)
        assert_non_null(v.message);
    else
        assert_int_equal(batch_check(v.bytes, v.len), 0);
    return v;
}

static void patched_in_place(void **state) {
    for (int how = 0; how < COMPRESSION_COUNT; how++)
        for (size_t size = 10; size < 200000; size *= 20) {
            size_t n;
            uint8_t *b = make((enum compression)how, 5, now, "k", size, &n);
            rules.max_bytes = 8 << 20;
            struct validation v = check(b, n, FAULT_NONE);
            assert_ptr_equal(v.bytes, b);
            assert_int_equal(batch_base_offset(b), 500);
            assert_int_equal(batch_leader_epoch(b), 7);
            assert_int_equal(v.next_offset, 505);
            assert_int_equal(v.max_timestamp, now + 4);
            assert_int_equal(batch_max_timestamp(b), now + 4);
        }
}

static void refused(void **state) {
    size_t n;
    uint8_t *b = make(COMPRESSION_NONE, 3, now, "k", 10, &n), *c;
#define COPY c = arena_memdup(&arena, b, n)
    COPY, c[n - 1] ^= 1, check(c, n, FAULT_CORRUPT);
    COPY, check(c, n - 1, FAULT_INVALID_RECORD);
    COPY, c[16] = 1, check(c, n, FAULT_INVALID_RECORD);
    COPY, c[16] = 3, check(c, n, FAULT_CORRUPT);
    COPY, put_i64(c, 5), check(c, n, FAULT_INVALID_RECORD);
    COPY, put_i32(c + 57, 4), sum(c), check(c, n, FAULT_INVALID_RECORD);
    COPY, put_i32(c + 57, 4), put_i32(c + 23, 3), sum(c), check(c, n, FAULT_INVALID_RECORD);
    COPY, put_i32(c + 57, 2), put_i32(c + 23, 1), sum(c), check(c, n, FAULT_INVALID_RECORD);
    COPY, put_i32(c + 57, 0), put_i32(c + 23, -1), sum(c), check(c, n, FAULT_INVALID_RECORD);
    COPY, put_i16(c + 21, BATCH_CONTROL), sum(c), check(c, n, FAULT_INVALID_RECORD);
    COPY, put_i16(c + 21, 6), sum(c), check(c, n, FAULT_UNSUPPORTED_CODEC);
    COPY, put_i16(c + 21, COMPRESSION_GZIP), sum(c), check(c, n, FAULT_UNSUPPORTED_CODEC);
    COPY, put_i64(c + 43, 5), sum(c), check(c, n, FAULT_INVALID_RECORD); /* a producer without sequence */
    uint8_t *two = arena_alloc(&arena, 2 * n);
    memcpy(two, b, n), memcpy(two + n, b, n);
    check(two, 2 * n, FAULT_INVALID_RECORD);
    rules.max_bytes = (int32_t)n - 1;
    COPY, check(c, n, FAULT_TOO_LARGE);
    rules.max_bytes = (int32_t)n;
    COPY, check(c, n, FAULT_NONE);
}

static void record_errors(void **state) {
    size_t n;
    struct validation v;
    uint8_t *b = make(COMPRESSION_NONE, 5, now + 998, "k", 10, &n);
    v = check(b, n, FAULT_INVALID_TIMESTAMP);
    assert_int_equal(v.error_count, 2);
    assert_int_equal(v.errors[0].index, 3);
    assert_int_equal(v.errors[1].index, 4);
    rules.before_max_ms = 100;
    b = make(COMPRESSION_LZ4, 5, now - 102, "k", 10, &n);
    v = check(b, n, FAULT_INVALID_TIMESTAMP);
    assert_int_equal(v.error_count, 2);
    rules.compacted = true;
    b = make(COMPRESSION_NONE, 3, now, NULL, 10, &n);
    v = check(b, n, FAULT_INVALID_RECORD);
    assert_int_equal(v.error_count, 3);
    assert_int_equal(v.errors[2].index, 2);
    b = make(COMPRESSION_SNAPPY, 3, now, "", 10, &n);
    check(b, n, FAULT_NONE);
}

static void append_time(void **state) {
    size_t n;
    rules.log_append_time = true;
    uint8_t *b = make(COMPRESSION_NONE, 5, 77, "k", 10, &n);
    struct validation v = check(b, n, FAULT_NONE);
    assert_int_equal(v.max_timestamp, now);
    assert_int_equal(batch_max_timestamp(b), now);
    assert_true(batch_attrs(b) & BATCH_LOG_APPEND_TIME);
    b = make(COMPRESSION_NONE, 5, 77, "k", 10, &n);
    batch_set_max_timestamp(b, n, true, 77);
    check(b, n, FAULT_INVALID_TIMESTAMP);
    rules.log_append_time = false;
    b = make(COMPRESSION_NONE, 1, 77, "k", 10, &n);
    batch_set_max_timestamp(b, n, false, 99999); /* a wrong maximum is put right */
    assert_int_equal(check(b, n, FAULT_NONE).max_timestamp, 77);
}

static void compressed_anew(void **state) {
    for (int from = 0; from < COMPRESSION_COUNT; from++)
        for (int to = 0; to < COMPRESSION_COUNT; to++) {
            size_t n;
            struct record_iter it;
            struct record r;
            uint8_t *b = make((enum compression)from, 50, now, "key", 100, &n);
            rules.target_compression = to;
            struct validation v = check(b, n, FAULT_NONE);
            assert_int_equal(v.rebuilt, from != to);
            assert_int_equal(batch_compression(v.bytes), to);
            assert_int_equal(batch_leader_epoch(v.bytes), 7);
            assert_int_equal(v.next_offset, 550);
            assert_int_equal(record_iter_start(&it, codec, v.bytes, v.len, 1 << 20), 0);
            for (int i = 0; i < 50; i++) {
                assert_int_equal(record_iter_next(&it, &r), 1);
                assert_int_equal(r.offset, 500 + i);
                assert_int_equal(r.timestamp, now + i);
            }
            assert_int_equal(record_iter_next(&it, &r), 0);
            record_iter_end(&it);
        }
    size_t n;
    uint8_t *b = make(COMPRESSION_ZSTD, 1000, now, "key", 1000, &n);
    rules.target_compression = COMPRESSION_NONE;
    rules.max_bytes = 100000;
    check(b, n, FAULT_TOO_LARGE);
}

static void a_bomb(void **state) {
    size_t n;
    rules.max_bytes = 1 << 20;
    uint8_t *b = make(COMPRESSION_ZSTD, 1, now, "key", 7 << 20, &n);
    assert_true(n < 10000);
    check(b, n, FAULT_NONE);
    /* One record is declared; more follow. */
    b = make(COMPRESSION_GZIP, 3, now, "key", 20000, &n);
    put_i32(b + 57, 1), put_i32(b + 23, 0), sum(b);
    check(b, n, FAULT_INVALID_RECORD);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(patched_in_place, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(record_errors, setup, teardown),
        cmocka_unit_test_setup_teardown(append_time, setup, teardown),
        cmocka_unit_test_setup_teardown(compressed_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(a_bomb, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
