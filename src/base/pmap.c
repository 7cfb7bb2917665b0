/* See pmap.h. A node has a slot for each of the 32 values of five bits of the hash that is in use (bitmap),
 * in order; a slot is a value or, with its lowest bit set, a node of the next level. Below the last bits of
 * the hash stands a list of values with equal hashes.
 *
 * Invariants: (1) a node is changed only while its count is 1 and every node above it is ours alone; (2) no
 * node is empty; (3) a value stands once in a map. Nothing can fail but memory, which aborts. */
#include "base/pmap.h"

#include "base/assert.h"
#include "base/hashmap.h"
#include "base/mem.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { BITS = 5, LIST_LEVEL = PMAP_DEPTH - 1 };

struct pmap_node {
    atomic_uint refs;
    uint32_t bitmap; /* unused in a list */
    uint32_t n, cap;
    uintptr_t slots[];
};

static bool is_node(uintptr_t slot) { return slot & 1; }
static struct pmap_node *as_node(uintptr_t slot) { return (struct pmap_node *)(slot & ~(uintptr_t)1); }
static uintptr_t node_slot(struct pmap_node *n) { return (uintptr_t)n | 1; }
static void *as_value(uintptr_t slot) { return (void *)slot; }

/* 0 in a list, where no bits are left. */
static uint32_t bit_of(uint64_t hash, int level) {
    return level == LIST_LEVEL ? 0 : (uint32_t)1 << ((hash >> (BITS * level)) & 31);
}
static uint32_t place_of(const struct pmap_node *n, uint32_t bit) {
    return (uint32_t)__builtin_popcount(n->bitmap & (bit - 1));
}
static uint64_t hash_of(const struct pmap_kind *kind, const void *value) {
    size_t len;
    const void *key = kind->key(value, &len);
    return hash_bytes(key, len, 0);
}
static bool key_is(const struct pmap_kind *kind, const void *value, const void *key, size_t len) {
    size_t have;
    const void *k = kind->key(value, &have);
    return have == len && memcmp(k, key, len) == 0;
}

static struct pmap_node *node_new(uint32_t cap) {
    struct pmap_node *n = xmalloc(sizeof *n + cap * sizeof n->slots[0]);
    atomic_init(&n->refs, 1);
    n->bitmap = 0;
    n->n = 0;
    n->cap = cap;
    return n;
}

static void node_unref(const struct pmap_kind *kind, struct pmap_node *n) {
    if (atomic_fetch_sub_explicit(&n->refs, 1, memory_order_acq_rel) != 1) return;
    for (uint32_t i = 0; i < n->n; i++) {
        if (is_node(n->slots[i]))
            node_unref(kind, as_node(n->slots[i]));
        else
            kind->unref(as_value(n->slots[i]));
    }
    free(n);
}

/* The node with the same content that is ours alone; takes over the caller's reference. */
static struct pmap_node *node_own(const struct pmap_kind *kind, struct pmap_node *n) {
    if (atomic_load_explicit(&n->refs, memory_order_acquire) == 1) return n;
    struct pmap_node *c = node_new(n->n + 1);
    c->bitmap = n->bitmap;
    c->n = n->n;
    for (uint32_t i = 0; i < n->n; i++) {
        c->slots[i] = n->slots[i];
        if (is_node(c->slots[i]))
            atomic_fetch_add_explicit(&as_node(c->slots[i])->refs, 1, memory_order_relaxed);
        else
            kind->ref(as_value(c->slots[i]));
    }
    node_unref(kind, n);
    return c;
}

static struct pmap_node *node_insert(struct pmap_node *n, uint32_t at, uintptr_t slot) {
    ASSERT(at <= n->n);
    if (n->n == n->cap) {
        n->cap += n->cap < 8 ? 2 : 8;
        n = xrealloc(n, sizeof *n + n->cap * sizeof n->slots[0]);
    }
    memmove(n->slots + at + 1, n->slots + at, (n->n - at) * sizeof n->slots[0]);
    n->slots[at] = slot;
    n->n++;
    return n;
}

/* Two values whose hashes are equal up to `level`, in a node of it. */
static struct pmap_node *node_of_two(const struct pmap_kind *kind, int level, void *a, uint64_t hash_a,
                                     void *b, uint64_t hash_b) {
    struct pmap_node *n = node_new(2);
    uint32_t bit_a = bit_of(hash_a, level), bit_b = bit_of(hash_b, level);
    if (level == LIST_LEVEL) {
        n->n = 2;
        n->slots[0] = (uintptr_t)a;
        n->slots[1] = (uintptr_t)b;
    } else if (bit_a == bit_b) {
        n->bitmap = bit_a;
        n->n = 1;
        n->slots[0] = node_slot(node_of_two(kind, level + 1, a, hash_a, b, hash_b));
    } else {
        n->bitmap = bit_a | bit_b;
        n->n = 2;
        n->slots[bit_a > bit_b] = (uintptr_t)a;
        n->slots[bit_a < bit_b] = (uintptr_t)b;
    }
    return n;
}

static struct pmap_node *list_put(const struct pmap_kind *kind, struct pmap_node *n, void *value,
                                  bool *added) {
    size_t len;
    const void *key = kind->key(value, &len);
    for (uint32_t i = 0; i < n->n; i++) {
        if (!key_is(kind, as_value(n->slots[i]), key, len)) continue;
        kind->unref(as_value(n->slots[i]));
        n->slots[i] = (uintptr_t)value;
        return n;
    }
    *added = true;
    return node_insert(n, n->n, (uintptr_t)value);
}

static struct pmap_node *node_put(const struct pmap_kind *kind, struct pmap_node *n, int level, uint64_t hash,
                                  void *value, bool *added) {
    n = node_own(kind, n);
    if (level == LIST_LEVEL) return list_put(kind, n, value, added);
    uint32_t bit = bit_of(hash, level), at = place_of(n, bit);
    if (!(n->bitmap & bit)) {
        *added = true;
        n->bitmap |= bit;
        return node_insert(n, at, (uintptr_t)value);
    }
    if (is_node(n->slots[at])) {
        n->slots[at] = node_slot(node_put(kind, as_node(n->slots[at]), level + 1, hash, value, added));
        return n;
    }
    void *other = as_value(n->slots[at]);
    size_t len;
    const void *key = kind->key(value, &len);
    if (key_is(kind, other, key, len)) {
        kind->unref(other);
        n->slots[at] = (uintptr_t)value;
        return n;
    }
    *added = true;
    n->slots[at] = node_slot(node_of_two(kind, level + 1, other, hash_of(kind, other), value, hash));
    return n;
}

/* The node without the key, which is in it; NULL when nothing is left. */
static struct pmap_node *node_del(const struct pmap_kind *kind, struct pmap_node *n, int level, uint64_t hash,
                                  const void *key, size_t len) {
    n = node_own(kind, n);
    uint32_t bit = bit_of(hash, level), at = level == LIST_LEVEL ? 0 : place_of(n, bit);
    if (level == LIST_LEVEL) {
        while (!key_is(kind, as_value(n->slots[at]), key, len)) at++;
    } else if (is_node(n->slots[at])) {
        struct pmap_node *child = node_del(kind, as_node(n->slots[at]), level + 1, hash, key, len);
        if (child) {
            n->slots[at] = node_slot(child);
            return n;
        }
        n->slots[at] = 0;
    }
    ASSERT(at < n->n);
    if (n->slots[at]) kind->unref(as_value(n->slots[at]));
    if (level != LIST_LEVEL) n->bitmap &= ~bit;
    n->n--;
    memmove(n->slots + at, n->slots + at + 1, (n->n - at) * sizeof n->slots[0]);
    if (n->n > 0) return n;
    free(n);
    return NULL;
}

void pmap_init(struct pmap *m, const struct pmap_kind *kind) { *m = (struct pmap){.kind = kind}; }

struct pmap pmap_share(const struct pmap *m) {
    if (m->root) atomic_fetch_add_explicit(&m->root->refs, 1, memory_order_relaxed);
    return *m;
}

void pmap_free(struct pmap *m) {
    if (m->root) node_unref(m->kind, m->root);
    m->root = NULL;
    m->count = 0;
}

void *pmap_get(const struct pmap *m, const void *key, size_t len) {
    const struct pmap_node *n = m->root;
    uint64_t hash = n ? hash_bytes(key, len, 0) : 0;
    for (int level = 0; n; level++) {
        if (level == LIST_LEVEL) {
            for (uint32_t i = 0; i < n->n; i++)
                if (key_is(m->kind, as_value(n->slots[i]), key, len)) return as_value(n->slots[i]);
            return NULL;
        }
        uint32_t bit = bit_of(hash, level);
        if (!(n->bitmap & bit)) return NULL;
        uintptr_t slot = n->slots[place_of(n, bit)];
        if (!is_node(slot)) return key_is(m->kind, as_value(slot), key, len) ? as_value(slot) : NULL;
        n = as_node(slot);
    }
    return NULL;
}

void pmap_put(struct pmap *m, void *value) {
    ASSERT(value && !((uintptr_t)value & 1));
    bool added = false;
    if (!m->root) m->root = node_new(2);
    m->root = node_put(m->kind, m->root, 0, hash_of(m->kind, value), value, &added);
    m->count += added;
}

void pmap_del(struct pmap *m, const void *key, size_t len) {
    if (!pmap_get(m, key, len)) return;
    m->root = node_del(m->kind, m->root, 0, hash_bytes(key, len, 0), key, len);
    m->count--;
    ASSERT((m->count == 0) == (m->root == NULL));
}

void pmap_iterate(const struct pmap *m, struct pmap_iter *it) {
    it->depth = m->root ? 1 : 0;
    it->stack[0].node = m->root;
    it->stack[0].at = 0;
}

void *pmap_next(struct pmap_iter *it) {
    while (it->depth > 0) {
        const struct pmap_node *n = it->stack[it->depth - 1].node;
        uint32_t at = it->stack[it->depth - 1].at++;
        if (at == n->n) {
            it->depth--;
        } else if (is_node(n->slots[at])) {
            ASSERT(it->depth < PMAP_DEPTH);
            it->stack[it->depth].node = as_node(n->slots[at]);
            it->stack[it->depth++].at = 0;
        } else {
            return as_value(n->slots[at]);
        }
    }
    return NULL;
}
