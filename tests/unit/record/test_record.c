/* Batches built and read, control batches, old messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <isa-l/crc.h>

#include "base/err.h"
#include "record/control.h"
#include "record/record.h"

static void built_and_read(void **state) {
    struct codec *codec = codec_create();
    for (int how = 0; how < COMPRESSION_COUNT; how++) {
        struct batch_options o = BATCH_OPTIONS_NONE;
        struct batch_builder b;
        struct record_iter it;
        struct record r;
        uint8_t *bytes;
        size_t n;
        o.base_offset = 1000;
        o.compression = (enum compression)how;
        batch_builder_init(&b, &o, 1 << 20);
        struct record_header h[] = {{"k", "v", 1, 1}, {"null", NULL, 4, 0}};
        assert_int_equal(batch_builder_add(&b, 500, "key", 3, "value", 5), 0);
        assert_int_equal(batch_builder_add_full(&b, 1001, 400, NULL, 0, "", 0, h, 2), 0);
        assert_int_equal(batch_builder_add(&b, 600, "", 0, NULL, 0), 0);
        assert_int_equal(batch_builder_finish(&b, codec, &bytes, &n), 0);
        assert_int_equal(batch_check(bytes, n), 0);
        assert_int_equal(batch_last_offset(bytes), 1002);
        assert_int_equal(batch_max_timestamp(bytes), 600);
        assert_int_equal(record_iter_start(&it, codec, bytes, n, 1 << 20), 0);
        assert_int_equal(record_iter_next(&it, &r), 1);
        assert_int_equal(r.timestamp, 500);
        assert_memory_equal(r.value, "value", 5);
        assert_int_equal(record_iter_next(&it, &r), 1);
        assert_int_equal(r.offset, 1001);
        assert_int_equal(r.timestamp, 400);
        assert_null(r.key);
        assert_int_equal(r.value_len, 0);
        const uint8_t *at = r.headers;
        int32_t left = r.header_count;
        struct record_header got;
        assert_true(record_next_header(&at, r.headers + r.headers_len, &left, &got));
        assert_memory_equal(got.value, "v", 1);
        assert_true(record_next_header(&at, r.headers + r.headers_len, &left, &got));
        assert_null(got.value);
        assert_false(record_next_header(&at, r.headers + r.headers_len, &left, &got));
        assert_int_equal(record_iter_next(&it, &r), 1);
        assert_null(r.value);
        assert_non_null(r.key);
        assert_int_equal(record_iter_next(&it, &r), 0);
        record_iter_end(&it);
        bytes[n - 1] ^= 1;
        assert_int_equal(batch_check(bytes, n), OE_CORRUPT);
        batch_builder_free(&b);
    }
    codec_destroy(codec);
}

static void sequences_wrap(void **state) {
    assert_int_equal(sequence_add(INT32_MAX, 1), 0);
    assert_int_equal(sequence_add(INT32_MAX - 1, 3), 1);
    assert_int_equal(sequence_add(5, 3), 8);
}

static void markers(void **state) {
    uint8_t b[128];
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct control_record c;
    o.producer_id = 9;
    o.producer_epoch = 2;
    o.transactional = true;
    size_t n = marker_batch_write(b, &o, true, 77, 1234);
    assert_int_equal(n, 78); /* as the reference's */
    assert_int_equal(batch_check(b, n), 0);
    assert_int_equal(control_read(b, n, &c), 0);
    assert_int_equal(c.type, CONTROL_COMMIT);
    assert_int_equal(c.coordinator_epoch, 77);
    assert_int_equal(c.timestamp, 1234);
    assert_true(batch_is_transactional(b) && batch_is_control(b));
}

/* One message of magic 0 or 1. */
static size_t message(uint8_t *to, int8_t magic, uint8_t attrs, int64_t offset, int64_t ts, const char *key,
                      const void *value, size_t value_len) {
    uint8_t *p = to + 17;
    *p++ = attrs;
    if (magic == 1) put_i64(p, ts), p += 8;
    put_i32(p, key ? (int32_t)strlen(key) : -1);
    p += 4;
    if (key) memcpy(p, key, strlen(key)), p += strlen(key);
    put_i32(p, (int32_t)value_len);
    memcpy(p + 4, value, value_len);
    p += 4 + value_len;
    put_i64(to, offset);
    put_i32(to + 8, (int32_t)(p - to - 12));
    to[16] = (uint8_t)magic;
    put_u32(to + 12, crc32_gzip_refl(0, to + 16, (uint64_t)(p - to - 16)));
    return (size_t)(p - to);
}

static void old_messages(void **state) {
    struct codec *codec = codec_create();
    for (int8_t magic = 0; magic < 2; magic++)
        for (int how = 0; how < COMPRESSION_ZSTD; how++) {
            uint8_t inner[500], outer[1000];
            size_t n = 0;
            for (int i = 0; i < 3; i++)
                n += message(inner + n, magic, 0, how && magic == 1 ? i : 100 + i, 50 + i,
                             i == 1 ? NULL : "k", "value", 5);
            if (how) {
                struct strbuf packed;
                strbuf_init(&packed, 10000);
                assert_int_equal(
                    compress(codec, (enum compression)how, COMPRESS_LEVEL_DEFAULT, inner, n, &packed), 0);
                n = message(outer, magic, (uint8_t)how, 102, 52, NULL, packed.s, packed.len);
                strbuf_free(&packed);
            } else {
                n = message(outer, magic, 0, 100, 50, "k", "value", 5);
            }
            assert_int_equal(batch_check(outer, n), 0);
            assert_int_equal(batch_last_offset(outer), how ? 102 : 100);
            struct record_iter it;
            struct record r;
            int count = 0;
            assert_int_equal(record_iter_start(&it, codec, outer, n, 10000), 0);
            while (record_iter_next(&it, &r) > 0) {
                assert_int_equal(r.offset, 100 + count);
                assert_int_equal(r.timestamp, magic ? 50 + count : -1);
                assert_int_equal(r.value_len, 5);
                assert_true((r.key == NULL) == (count == 1));
                count++;
            }
            assert_int_equal(count, how ? 3 : 1);
            record_iter_end(&it);
            struct strbuf out;
            strbuf_init(&out, 10000);
            assert_int_equal(legacy_convert(codec, outer, n, 10000, &out), 0);
            assert_int_equal(batch_check((uint8_t *)out.s, out.len), 0);
            assert_int_equal(batch_base_offset((uint8_t *)out.s), 100);
            assert_int_equal(batch_count((uint8_t *)out.s), count);
            strbuf_free(&out);
        }
    codec_destroy(codec);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(built_and_read), cmocka_unit_test(sequences_wrap),
                                       cmocka_unit_test(markers), cmocka_unit_test(old_messages)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
