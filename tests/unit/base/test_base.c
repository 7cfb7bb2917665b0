/* base/: arena, strbuf, hashmap, heap, varints, CRC, UUID, murmur2, error codes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/hashmap.h"
#include "base/heap.h"
#include "base/kerr.h"
#include "base/murmur2.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "base/uuid.h"

static void arena_bounds(void **state) {
    uint64_t memory[16];
    struct arena a;
    arena_init_with(&a, memory, sizeof memory, 10000);
    assert_ptr_equal(arena_alloc(&a, 100), memory);
    assert_non_null(arena_alloc(&a, 9000));
    assert_null(arena_alloc(&a, 9000));
    assert_null(arena_calloc(&a, SIZE_MAX / 2, 4));
    assert_string_equal(arena_printf(&a, "%d-%s", 7, "x"), "7-x");
    arena_reset(&a);
    assert_ptr_equal(arena_alloc(&a, 1), memory);
    arena_free(&a);
}

static void strbuf_limits(void **state) {
    struct strbuf b;
    strbuf_init(&b, 16);
    strbuf_addf(&b, "%s", "0123456789");
    assert_true(strbuf_ok(&b));
    strbuf_adds(&b, "0123456789");
    assert_false(strbuf_ok(&b));
    assert_string_equal(strbuf_str(&b), "0123456789");
    strbuf_free(&b);
    strbuf_init(&b, 100);
    strbuf_add_json(&b, "a\"\n\xc3\xa9\xff", 6);
    assert_string_equal(strbuf_str(&b), "\"a\\\"\\n\xc3\xa9\\u00ff\"");
    strbuf_free(&b);
}

static void hashmap_against_array(void **state) {
    enum { KEYS = 500 };
    static char keys[KEYS][8];
    void *model[KEYS] = {0};
    struct random r;
    struct hashmap m;
    random_seed(&r, 42);
    hashmap_init(&m, 7);
    for (int i = 0; i < KEYS; i++) snprintf(keys[i], sizeof keys[i], "k%d", i);
    for (int step = 0; step < 100000; step++) {
        size_t k = random_below(&r, KEYS);
        void *before = model[k];
        if (random_below(&r, 2))
            assert_ptr_equal(hashmap_put(&m, keys[k], strlen(keys[k]), model[k] = &keys[k]), before);
        else {
            assert_ptr_equal(hashmap_del(&m, keys[k], strlen(keys[k])), before);
            model[k] = NULL;
        }
        k = random_below(&r, KEYS);
        assert_ptr_equal(hashmap_get(&m, keys[k], strlen(keys[k])), model[k]);
    }
    size_t count = 0, at = 0;
    while (hashmap_next(&m, &at)) count++;
    assert_int_equal(count, m.count);
    hashmap_free(&m);
}

static void heap_sorts(void **state) {
    enum { NODES = 300 };
    static struct heap_node nodes[NODES];
    struct heap h = {0};
    struct random r;
    random_seed(&r, 1);
    for (int i = 0; i < NODES; i++) {
        nodes[i].key = (int64_t)random_below(&r, 100);
        heap_insert(&h, &nodes[i]);
    }
    for (int i = 0; i < NODES; i += 3) heap_remove(&h, &nodes[i]);
    int64_t last = -1;
    int left = 0;
    for (struct heap_node *n; (n = heap_min(&h)); left++) {
        assert_true(n->key >= last);
        last = n->key;
        heap_remove(&h, n);
    }
    assert_int_equal(left, NODES - NODES / 3);
    heap_free(&h);
}

static void varints(void **state) {
    int64_t values[] = {0, -1, 1, 63, -64, 64, 300, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        uint8_t b[VARLONG_MAX];
        int64_t v;
        int n = put_varlong(b, values[i]);
        assert_int_equal(n, varlong_size(values[i]));
        assert_int_equal(get_varlong(b, b + n, &v), n);
        assert_true(v == values[i]);
        assert_int_equal(get_varlong(b, b + n - 1, &v), 0);
    }
    uint8_t endless[12];
    memset(endless, 0xff, sizeof endless);
    uint64_t u;
    uint32_t u32;
    assert_int_equal(get_uvarlong(endless, endless + 12, &u), 0);
    assert_int_equal(get_uvarint(endless, endless + 12, &u32), 0);
}

static void crc(void **state) {
    static uint8_t b[50000];
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283);
    for (size_t i = 0; i < sizeof b; i++) b[i] = (uint8_t)(i * 131 + i / 7);
    uint32_t slow = ~0u;
    for (size_t i = 0; i < sizeof b; i++) {
        slow ^= b[i];
        for (int k = 0; k < 8; k++) slow = slow & 1 ? slow >> 1 ^ 0x82f63b78u : slow >> 1;
    }
    assert_int_equal(crc32c(0, b, sizeof b), ~slow);
    assert_int_equal(crc32c(crc32c(0, b, 777), b + 777, sizeof b - 777), ~slow);
}

static void uuids(void **state) {
    struct uuid u, v;
    char text[UUID_TEXT];
    struct random r;
    random_seed(&r, 3);
    assert_int_equal(uuid_parse("MkU3OEVBNTcwNTJENDM2Qk", &u), 0);
    assert_int_equal(u.b[0], '2');
    for (int i = 0; i < 1000; i++) {
        u = uuid_random(&r);
        assert_int_equal(uuid_parse(uuid_format(&u, text), &v), 0);
        assert_true(uuid_equal(&u, &v));
        assert_true(text[0] != '-');
    }
    assert_int_equal(uuid_parse("short", &u), OE_MALFORMED);
    assert_int_equal(uuid_parse("****OEVBNTcwNTJENDM2Qk", &u), OE_MALFORMED);
}

static void murmur(void **state) { /* values of the reference's own test of Utils.murmur2 */
    assert_int_equal((int32_t)murmur2("21", 2), -973932308);
    assert_int_equal((int32_t)murmur2("foobar", 6), -790332482);
    assert_int_equal((int32_t)murmur2("a-little-bit-long-string", 24), -985981536);
}

static void errors(void **state) {
    assert_int_equal(KERR_UNKNOWN_TOPIC_OR_PARTITION, 3);
    assert_string_equal(kerr_name(-1), "UNKNOWN_SERVER_ERROR");
    assert_string_equal(kerr_name(KERR_CORRUPT_MESSAGE), "CORRUPT_MESSAGE");
    assert_string_equal(kerr_name(30000), "UNKNOWN_ERROR_CODE");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arena_bounds),
        cmocka_unit_test(strbuf_limits),
        cmocka_unit_test(hashmap_against_array),
        cmocka_unit_test(heap_sorts),
        cmocka_unit_test(varints),
        cmocka_unit_test(crc),
        cmocka_unit_test(uuids),
        cmocka_unit_test(murmur),
        cmocka_unit_test(errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
