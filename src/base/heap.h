/* A binary min-heap of nodes that live inside their owners (timers, deadlines). A node knows its place, so
 * that it can be moved or removed in O(log n). One owner, one thread. */
#ifndef OTTLA_BASE_HEAP_H
#define OTTLA_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    size_t place; /* 1-based; 0: not in a heap */
};

struct heap {
    struct heap_node **nodes;
    size_t count, cap;
};

void heap_free(struct heap *h);
void heap_insert(struct heap *h, struct heap_node *n); /* n is in no heap */
void heap_remove(struct heap *h, struct heap_node *n); /* n is in h */
static inline struct heap_node *heap_min(const struct heap *h) { return h->count ? h->nodes[0] : NULL; }
static inline bool heap_has(const struct heap_node *n) { return n->place != 0; }

#endif
