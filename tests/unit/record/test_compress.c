/* Codecs: there and back, limits, damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/random.h"
#include "record/compress.h"

static void fill(uint8_t *p, size_t n, uint64_t seed) {
    struct random r;
    random_seed(&r, seed);
    for (size_t i = 0; i < n; i++)
        p[i] = seed % 2 ? (uint8_t)random_u64(&r) : (uint8_t) "abcdefgh"[random_below(&r, 8)];
}

static void round_trips(void **state) {
    static const size_t sizes[] = {1, 5, 100, 4096, 32768, 32769, 70000, 1000000};
    struct codec *c = codec_create();
    for (int how = 0; how < COMPRESSION_COUNT; how++)
        for (size_t k = 0; k < 2 * sizeof sizes / sizeof *sizes; k++) {
            size_t n = sizes[k / 2];
            uint8_t *in = malloc(n);
            struct strbuf packed, plain;
            int min, max, standard;
            fill(in, n, k);
            compression_levels((enum compression)how, &min, &max, &standard);
            int levels[] = {COMPRESS_LEVEL_DEFAULT, standard, min < -5 ? -5 : min, max > 15 ? 15 : max};
            strbuf_init(&packed, 4 << 20);
            assert_int_equal(compress(c, (enum compression)how, levels[k % 4], in, n, &packed), 0);
            strbuf_init(&plain, n);
            assert_int_equal(decompress_all(c, (enum compression)how, packed.s, packed.len, false, &plain),
                             0);
            assert_int_equal(plain.len, n);
            assert_memory_equal(plain.s, in, n);
            strbuf_free(&plain);
            strbuf_init(&plain, n - 1);
            assert_int_equal(decompress_all(c, (enum compression)how, packed.s, packed.len, false, &plain),
                             OE_LIMIT);
            strbuf_free(&plain);
            strbuf_free(&packed);
            free(in);
        }
    codec_destroy(c);
}

static void cut_short(void **state) {
    struct codec *c = codec_create();
    uint8_t in[5000], out[6000];
    fill(in, sizeof in, 1);
    for (int how = 1; how < COMPRESSION_COUNT; how++) {
        struct strbuf packed;
        strbuf_init(&packed, 1 << 20);
        assert_int_equal(compress(c, (enum compression)how, COMPRESS_LEVEL_DEFAULT, in, sizeof in, &packed),
                         0);
        for (size_t n = 1; n < packed.len; n += 97) {
            int64_t k = 1, got = 0;
            if (decompress_start(c, (enum compression)how, packed.s, n, false) == 0)
                while (got < (int64_t)sizeof out &&
                       (k = decompress_read(c, out + got, sizeof out - (size_t)got)) > 0)
                    got += k;
            assert_true(k < 0 || got < (int64_t)sizeof in);
        }
        strbuf_free(&packed);
    }
    codec_destroy(c);
}

static void damaged(void **state) {
    struct codec *c = codec_create();
    struct random r;
    uint8_t in[3000], out[4096];
    random_seed(&r, 7);
    fill(in, sizeof in, 2);
    for (int how = 1; how < COMPRESSION_COUNT; how++)
        for (int i = 0; i < 300; i++) {
            struct strbuf packed;
            strbuf_init(&packed, 1 << 20);
            assert_int_equal(
                compress(c, (enum compression)how, COMPRESS_LEVEL_DEFAULT, in, sizeof in, &packed), 0);
            packed.s[random_below(&r, packed.len)] ^= (char)(1 + random_below(&r, 255));
            int64_t k, total = 0;
            if (decompress_start(c, (enum compression)how, packed.s, packed.len, false) == 0)
                while ((k = decompress_read(c, out, sizeof out)) > 0 && total < 1 << 20) total += k;
            strbuf_free(&packed);
        }
    codec_destroy(c);
}

static void a_bomb_needs_little_memory(void **state) {
    struct codec *c = codec_create();
    size_t n = 64 << 20;
    uint8_t *in = calloc(1, n), out[4096];
    struct strbuf packed;
    strbuf_init(&packed, 80 << 20);
    assert_int_equal(compress(c, COMPRESSION_ZSTD, 1, in, n, &packed), 0);
    assert_true(packed.len < 100000);
    int64_t k, total = 0;
    assert_int_equal(decompress_start(c, COMPRESSION_ZSTD, packed.s, packed.len, false), 0);
    while ((k = decompress_read(c, out, sizeof out)) > 0) total += k;
    assert_int_equal(total, n);
    /* A snappy block that claims a gigabyte. */
    static const uint8_t claim[] = {0x80, 0x80, 0x80, 0x80, 0x04, 0x00, 'x'};
    assert_int_equal(decompress_start(c, COMPRESSION_SNAPPY, claim, sizeof claim, false), 0);
    assert_int_equal(decompress_read(c, out, sizeof out), OE_MALFORMED);
    strbuf_free(&packed);
    free(in);
    codec_destroy(c);
}

static void names(void **state) {
    assert_string_equal(compression_name(COMPRESSION_LZ4), "lz4");
    assert_int_equal(compression_parse("zstd"), COMPRESSION_ZSTD);
    assert_int_equal(compression_parse("producer"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips), cmocka_unit_test(cut_short),
        cmocka_unit_test(damaged),     cmocka_unit_test(a_bomb_needs_little_memory),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
