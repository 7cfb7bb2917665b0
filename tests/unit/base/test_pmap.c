/* The persistent map against a plain array: put, replace, delete, sharing, and values whose hashes are equal.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/hashmap.h"
#include "base/mem.h"
#include "base/pmap.h"
#include "base/random.h"

/* The map under test with a hash of our choice, so that values with equal hashes can be had. */
static uint64_t chosen_hash(const void *key, size_t n, uint64_t seed);
#define hash_bytes chosen_hash
#include "base/pmap.c"
#undef hash_bytes

#include <stdlib.h>
#include <string.h>

static uint64_t hash_mask = UINT64_MAX;
static uint64_t chosen_hash(const void *key, size_t n, uint64_t seed) {
    return hash_bytes(key, n, seed) & hash_mask;
}

struct item {
    int refs;
    uint32_t key;
    int value;
};

static const void *item_key(const void *v, size_t *len) {
    *len = sizeof(uint32_t);
    return &((const struct item *)v)->key;
}
static void item_ref(void *v) { ((struct item *)v)->refs++; }
static int freed;
static void item_unref(void *v) {
    struct item *i = v;
    if (--i->refs == 0) {
        freed++;
        free(i);
    }
}
static const struct pmap_kind kind = {item_key, item_ref, item_unref};

static struct item *item_new(uint32_t key, int value) {
    struct item *i = xmalloc(sizeof *i);
    *i = (struct item){1, key, value};
    return i;
}

static int value_of(const struct pmap *m, uint32_t key) {
    struct item *i = pmap_get(m, &key, sizeof key);
    return i ? i->value : -1;
}

enum { KEYS = 500 };

static void agree(const struct pmap *m, const int *model) {
    size_t n = 0, seen = 0;
    for (uint32_t k = 0; k < KEYS; k++) {
        assert_int_equal(value_of(m, k), model[k]);
        n += model[k] >= 0;
    }
    assert_int_equal(m->count, n);
    struct pmap_iter it;
    pmap_iterate(m, &it);
    for (struct item *i; (i = pmap_next(&it)); seen++) assert_int_equal(model[i->key], i->value);
    assert_int_equal(seen, n);
}

static void random_changes_agree_with_a_model(void **state) {
    struct random r;
    random_seed(&r, 7);
    struct pmap m;
    pmap_init(&m, &kind);
    int model[KEYS];
    for (int i = 0; i < KEYS; i++) model[i] = -1;
    for (int i = 0; i < 20000; i++) {
        uint32_t k = (uint32_t)random_below(&r, KEYS);
        if (random_below(&r, 3) > 0) {
            pmap_put(&m, item_new(k, i));
            model[k] = i;
        } else {
            pmap_del(&m, &k, sizeof k);
            model[k] = -1;
        }
        if (i % 1000 == 0) agree(&m, model);
    }
    agree(&m, model);
    for (uint32_t k = 0; k < KEYS; k++) pmap_del(&m, &k, sizeof k);
    assert_int_equal(m.count, 0);
    assert_null(m.root);
    pmap_free(&m);
}

static void a_share_keeps_what_it_saw(void **state) {
    struct pmap m, old[10];
    pmap_init(&m, &kind);
    int model[10][KEYS], now[KEYS], made = 0;
    freed = 0;
    for (int i = 0; i < KEYS; i++) now[i] = -1;
    for (int s = 0; s < 10; s++) {
        for (uint32_t k = 0; k < KEYS; k += (uint32_t)s + 1, made++) {
            pmap_put(&m, item_new(k, s));
            now[k] = s;
        }
        uint32_t gone = (uint32_t)s * 7;
        pmap_del(&m, &gone, sizeof gone);
        now[gone] = -1;
        old[s] = pmap_share(&m);
        memcpy(model[s], now, sizeof now);
    }
    for (int s = 0; s < 10; s++) agree(&old[s], model[s]);
    pmap_free(&m);
    for (int s = 9; s >= 0; s--) {
        agree(&old[s], model[s]);
        pmap_free(&old[s]);
    }
    assert_int_equal(freed, made); /* nothing leaked, nothing freed twice */
}

static void equal_hashes(void **state) {
    hash_mask = 0x8000000000000003;
    random_changes_agree_with_a_model(state);
    a_share_keeps_what_it_saw(state);
    hash_mask = UINT64_MAX;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_changes_agree_with_a_model),
        cmocka_unit_test(a_share_keeps_what_it_saw),
        cmocka_unit_test(equal_hashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
