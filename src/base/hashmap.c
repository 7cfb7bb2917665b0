#include "base/hashmap.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

enum { FIRST_CAP = 16 };

static inline uint64_t mix(uint64_t a, uint64_t b) {
    __uint128_t x = (__uint128_t)a * b;
    return (uint64_t)x ^ (uint64_t)(x >> 64);
}

uint64_t hash_bytes(const void *key, size_t n, uint64_t seed) {
    const uint8_t *p = key;
    const uint64_t k0 = 0x9e3779b97f4a7c15ull, k1 = 0xd6e8feb86659fd93ull;
    uint64_t h = seed ^ mix(n ^ k0, k1), x;
    for (; n >= 8; p += 8, n -= 8) {
        memcpy(&x, p, 8);
        h = mix(h ^ x, k0);
    }
    if (n) {
        x = 0;
        memcpy(&x, p, n);
        h = mix(h ^ x, k1);
    }
    return mix(h ^ k1, k0);
}

void hashmap_init(struct hashmap *m, uint64_t seed) { *m = (struct hashmap){.seed = seed}; }

void hashmap_free(struct hashmap *m) {
    free(m->entries);
    *m = (struct hashmap){.seed = m->seed};
}

static size_t find_slot(const struct hashmap *m, const void *key, size_t n, uint32_t hash) {
    size_t i = hash & (m->cap - 1);
    for (;; i = (i + 1) & (m->cap - 1)) {
        const struct hashmap_entry *e = &m->entries[i];
        if (!e->value) return i;
        if (e->hash == hash && e->key_len == n && !memcmp(e->key, key, n)) return i;
    }
}

static uint32_t hash_of(const struct hashmap *m, const void *key, size_t n) {
    ASSERT(n <= UINT32_MAX);
    return (uint32_t)hash_bytes(key, n, m->seed);
}

void *hashmap_get(const struct hashmap *m, const void *key, size_t key_len) {
    if (!m->count) return NULL;
    return m->entries[find_slot(m, key, key_len, hash_of(m, key, key_len))].value;
}

static void grow(struct hashmap *m) {
    struct hashmap old = *m;
    m->cap = old.cap ? old.cap * 2 : FIRST_CAP;
    m->entries = xcalloc(m->cap, sizeof *m->entries);
    for (size_t i = 0; i < old.cap; i++) {
        struct hashmap_entry *e = &old.entries[i];
        if (e->value) m->entries[find_slot(m, e->key, e->key_len, e->hash)] = *e;
    }
    free(old.entries);
}

void *hashmap_put(struct hashmap *m, const void *key, size_t key_len, void *value) {
    ASSERT(value);
    if ((m->count + 1) * 4 > m->cap * 3) grow(m);
    uint32_t hash = hash_of(m, key, key_len);
    struct hashmap_entry *e = &m->entries[find_slot(m, key, key_len, hash)];
    void *before = e->value;
    m->count += !before;
    *e = (struct hashmap_entry){.key = key, .value = value, .key_len = (uint32_t)key_len, .hash = hash};
    return before;
}

void *hashmap_del(struct hashmap *m, const void *key, size_t key_len) {
    if (!m->count) return NULL;
    size_t hole = find_slot(m, key, key_len, hash_of(m, key, key_len)), mask = m->cap - 1;
    void *before = m->entries[hole].value;
    if (!before) return NULL;
    for (size_t i = (hole + 1) & mask; m->entries[i].value; i = (i + 1) & mask) {
        size_t home = m->entries[i].hash & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) { /* it may move back into the hole */
            m->entries[hole] = m->entries[i];
            hole = i;
        }
    }
    m->entries[hole].value = NULL;
    m->count--;
    return before;
}

struct hashmap_entry *hashmap_next(const struct hashmap *m, size_t *at) {
    for (; *at < m->cap; ++*at)
        if (m->entries[*at].value) return &m->entries[(*at)++];
    return NULL;
}
