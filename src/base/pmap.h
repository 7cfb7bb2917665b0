/* A persistent map: a hash trie (32-way) of counted objects, copied on write. Sharing a map costs one
 * reference; changing a shared map copies only the path to the change, changing one that nobody shares
 * changes it in place. So a snapshot is free, the cost of a change does not grow with the map, and filling a
 * new map is as cheap as with an ordinary hash table.
 *
 * A value is an object that holds its own key and a count of references (struct pmap_kind says how to reach
 * both). The map owns one reference to each of its values. A map that nobody changes may be read by any
 * number of threads; a `struct pmap` variable itself has one owner. Iteration order is that of the hashes.
 * Aborts without memory. */
#ifndef OTTLA_BASE_PMAP_H
#define OTTLA_BASE_PMAP_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct pmap_node;

struct pmap_kind {
    const void *(*key)(const void *value, size_t *len);
    void (*ref)(void *value);
    void (*unref)(void *value);
};

struct pmap {
    const struct pmap_kind *kind;
    struct pmap_node *root; /* NULL when empty */
    size_t count;
};

void pmap_init(struct pmap *m, const struct pmap_kind *kind);
/* Another map with the same values; m and the copy then change independently. Thread-safe against other
 * shares of the same nodes, not against a change of m. */
struct pmap pmap_share(const struct pmap *m);
void pmap_free(struct pmap *m);
/* The value (still the map's), or NULL. */
void *pmap_get(const struct pmap *m, const void *key, size_t len);
/* Adds the value or replaces that with the same key; the caller's reference becomes the map's. */
void pmap_put(struct pmap *m, void *value);
/* Removes; does nothing when the key is not there. */
void pmap_del(struct pmap *m, const void *key, size_t len);

enum { PMAP_DEPTH = 14 }; /* levels: 13 of hash bits, one of equal hashes */

struct pmap_iter {
    struct {
        const struct pmap_node *node;
        uint32_t at;
    } stack[PMAP_DEPTH];
    int depth;
};

/* struct pmap_iter it; pmap_iterate(&m, &it); while ((v = pmap_next(&it))) … ; the map must not change
 * meanwhile. */
void pmap_iterate(const struct pmap *m, struct pmap_iter *it);
void *pmap_next(struct pmap_iter *it);

#endif
