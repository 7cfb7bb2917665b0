#include "base/heap.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

static void set(struct heap *h, size_t i, struct heap_node *n) {
    h->nodes[i] = n;
    n->place = i + 1;
}

static void sift_up(struct heap *h, size_t i, struct heap_node *n) {
    for (; i > 0 && h->nodes[(i - 1) / 2]->key > n->key; i = (i - 1) / 2) set(h, i, h->nodes[(i - 1) / 2]);
    set(h, i, n);
}

static void sift_down(struct heap *h, size_t i, struct heap_node *n) {
    for (size_t child; (child = 2 * i + 1) < h->count; i = child) {
        if (child + 1 < h->count && h->nodes[child + 1]->key < h->nodes[child]->key) child++;
        if (h->nodes[child]->key >= n->key) break;
        set(h, i, h->nodes[child]);
    }
    set(h, i, n);
}

void heap_free(struct heap *h) {
    free(h->nodes);
    *h = (struct heap){0};
}

void heap_insert(struct heap *h, struct heap_node *n) {
    ASSERT(n->place == 0);
    if (h->count == h->cap) {
        h->cap = h->cap ? h->cap * 2 : 16;
        h->nodes = xrealloc(h->nodes, h->cap * sizeof *h->nodes);
    }
    sift_up(h, h->count++, n);
}

void heap_remove(struct heap *h, struct heap_node *n) {
    ASSERT(n->place > 0 && n->place <= h->count && h->nodes[n->place - 1] == n);
    size_t i = n->place - 1;
    struct heap_node *last = h->nodes[--h->count];
    n->place = 0;
    if (last == n) return;
    if (i > 0 && h->nodes[(i - 1) / 2]->key > last->key)
        sift_up(h, i, last);
    else
        sift_down(h, i, last);
}
