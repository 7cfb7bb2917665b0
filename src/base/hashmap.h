/* A hash map from bytes to a pointer: open addressing, linear probing, deletion by shifting back, load at
 * most 3/4. Keys are borrowed: they must live, unchanged, as long as their entry (usually inside the value).
 * Iteration order is that of the table; the map must not change during it. The seed makes the order of
 * hostile keys unpredictable. One owner. */
#ifndef OTTLA_BASE_HASHMAP_H
#define OTTLA_BASE_HASHMAP_H

#include <stddef.h>
#include <stdint.h>

struct hashmap_entry {
    const void *key;
    void *value; /* NULL: the slot is empty */
    uint32_t key_len, hash;
};

struct hashmap {
    struct hashmap_entry *entries;
    size_t count, cap; /* cap: 0 or a power of two */
    uint64_t seed;
};

void hashmap_init(struct hashmap *m, uint64_t seed);
void hashmap_free(struct hashmap *m); /* not the keys or values */
/* The value, or NULL. */
void *hashmap_get(const struct hashmap *m, const void *key, size_t key_len);
/* Sets key to value (not NULL); returns the value that was there before, or NULL. Aborts without memory. */
void *hashmap_put(struct hashmap *m, const void *key, size_t key_len, void *value);
/* Removes; returns the value that was there, or NULL. */
void *hashmap_del(struct hashmap *m, const void *key, size_t key_len);
/* for (size_t i = 0; (e = hashmap_next(m, &i));) … */
struct hashmap_entry *hashmap_next(const struct hashmap *m, size_t *at);
/* The hash itself, 64 bits, also for others. */
uint64_t hash_bytes(const void *key, size_t n, uint64_t seed);

#endif
