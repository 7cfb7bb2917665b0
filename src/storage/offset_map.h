/* Private to storage/: the newest offset of each key, for cleaning (SkimpyOffsetMap).
 *
 * A key is known by 16 bytes of a keyed hash (base/siphash.h), so an entry is 24 bytes whatever the key's
 * length, as the reference's is with MD5; two keys are taken for one once in 2^128 pairs, and nobody without
 * the map's random key can do better. Robin Hood probing keeps look-ups short when the map is full. The
 * memory comes from the kernel and goes back to it. */
#ifndef OTTLA_STORAGE_OFFSET_MAP_H
#define OTTLA_STORAGE_OFFSET_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/siphash.h"

enum { OFFSET_MAP_ENTRY = 24 };

struct offset_map {
    struct offset_slot *slots;
    size_t slot_count, limit, count; /* limit: keys that it may hold */
    int64_t latest;                  /* offsets up to here have been seen; −1: none */
    struct siphash_key key;
};

/* As many keys as the reference holds in `bytes` filled to load_factor, at least one; memory for no more than
 * `expected`. 0 or OE_NOMEM. */
int offset_map_init(struct offset_map *m, int64_t bytes, double load_factor, int64_t expected, uint64_t seed);
void offset_map_free(struct offset_map *m);
static inline bool offset_map_full(const struct offset_map *m) { return m->count >= m->limit; }
/* The map is not full. A larger offset replaces a smaller one. */
void offset_map_put(struct offset_map *m, const void *key, size_t n, int64_t offset);
/* −1: not in the map. */
int64_t offset_map_get(const struct offset_map *m, const void *key, size_t n);

#endif
