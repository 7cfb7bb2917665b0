/* The batches are a treap by first offset: a search tree whose shape comes of hashed priorities. A node knows
 * whether anything below it is available, so that the next such batch is found from the root.
 *
 *  1. first ≤ last; batches do not overlap.
 *  2. A parent's priority is not less than its children's.
 *  3. open: whole is available, or (split) `available` has a member. open_below: open, or of a child. */
#include "share/in_flight.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"

/* ---- the tree ---- */

struct in_flight_batch *in_flight_floor(const struct in_flight *f, int64_t offset) {
    struct in_flight_batch *best = NULL;
    for (struct in_flight_batch *b = f->root; b; b = b->first <= offset ? b->right : b->left)
        if (b->first <= offset) best = b;
    return best;
}

struct in_flight_batch *in_flight_above(const struct in_flight *f, int64_t offset) {
    struct in_flight_batch *best = NULL;
    for (struct in_flight_batch *b = f->root; b; b = b->first > offset ? b->left : b->right)
        if (b->first > offset) best = b;
    return best;
}

struct in_flight_batch *in_flight_first(const struct in_flight *f) {
    struct in_flight_batch *b = f->root;
    while (b && b->left) b = b->left;
    return b;
}

struct in_flight_batch *in_flight_last(const struct in_flight *f) {
    struct in_flight_batch *b = f->root;
    while (b && b->right) b = b->right;
    return b;
}

struct in_flight_batch *in_flight_next(const struct in_flight_batch *b) {
    if (b->right) {
        struct in_flight_batch *n = b->right;
        while (n->left) n = n->left;
        return n;
    }
    while (b->parent && b->parent->right == b) b = b->parent;
    return b->parent;
}

struct in_flight_batch *in_flight_prev(const struct in_flight_batch *b) {
    if (b->left) {
        struct in_flight_batch *n = b->left;
        while (n->right) n = n->right;
        return n;
    }
    while (b->parent && b->parent->left == b) b = b->parent;
    return b->parent;
}

static bool open_below(const struct in_flight_batch *b) { return b && b->open_below; }

static void refresh(struct in_flight_batch *b) {
    b->open_below = b->open || open_below(b->left) || open_below(b->right);
}

static void refresh_up(struct in_flight_batch *b) {
    for (; b; b = b->parent) refresh(b);
}

struct in_flight_batch *in_flight_open_from(const struct in_flight *f, int64_t from) {
    struct in_flight_batch *b = f->root, *turn = NULL; /* turn: the last node where we went left */
    while (b) {
        if (b->first >= from) {
            turn = b;
            b = b->left;
        } else
            b = b->right;
    }
    /* Upwards through what is not before `from`, each node with its right side. */
    for (b = turn; b; b = b->parent) {
        if (b->first < from) continue;
        if (b->open) return b;
        if (!open_below(b->right)) continue;
        b = b->right;
        while (open_below(b->left) || !b->open) b = open_below(b->left) ? b->left : b->right;
        return b;
    }
    return NULL;
}

static uint64_t scatter(uint64_t x) { /* splitmix64 */
    x += 0x9e3779b97f4a7c15ull;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ x >> 27) * 0x94d049bb133111ebull;
    return x ^ x >> 31;
}

static struct in_flight_batch **link_of(struct in_flight *f, struct in_flight_batch *b) {
    if (!b->parent) return &f->root;
    return b->parent->left == b ? &b->parent->left : &b->parent->right;
}

/* b takes its parent's place. */
static void rotate_up(struct in_flight *f, struct in_flight_batch *b) {
    struct in_flight_batch *p = b->parent;
    *link_of(f, p) = b;
    b->parent = p->parent;
    p->parent = b;
    if (p->left == b) {
        p->left = b->right;
        if (p->left) p->left->parent = p;
        b->right = p;
    } else {
        p->right = b->left;
        if (p->right) p->right->parent = p;
        b->left = p;
    }
    refresh(p);
    refresh(b);
}

static void check_neighbours(const struct in_flight_batch *b) {
    const struct in_flight_batch *before = in_flight_prev(b), *behind = in_flight_next(b);
    ASSERT(!before || before->last < b->first);
    ASSERT(!behind || behind->first > b->last);
}

struct in_flight_batch *in_flight_insert(struct in_flight *f, int64_t first, int64_t last) {
    struct in_flight_batch *b = xcalloc(1, sizeof *b), **at = &f->root, *parent = NULL;
    ASSERT(first <= last && last - first < INT32_MAX);
    while (*at) {
        parent = *at;
        ASSERT(parent->first != first);
        at = first < parent->first ? &parent->left : &parent->right;
    }
    *at = b;
    b->parent = parent;
    b->first = first;
    b->last = last;
    b->priority = scatter((uint64_t)first);
    b->whole.batch = b;
    while (b->parent && b->parent->priority < b->priority) rotate_up(f, b);
    f->count++;
    check_neighbours(b);
    in_flight_after(&b->whole);
    return b;
}

void in_flight_remove(struct in_flight *f, struct in_flight_batch *b) {
    while (b->left || b->right) {
        struct in_flight_batch *l = b->left, *r = b->right;
        rotate_up(f, !r || (l && l->priority >= r->priority) ? l : r);
    }
    *link_of(f, b) = NULL;
    refresh_up(b->parent);
    f->count--;
    for (uint32_t i = 0, n = b->offsets ? in_flight_size(b) : 1; i < n; i++) {
        const struct delivery *d = b->offsets ? &b->offsets[i] : &b->whole;
        ASSERT(!heap_has(&d->lock) && !d->member && !d->write);
    }
    if (b->offsets) bitset_free(&b->available);
    free(b->offsets);
    free(b);
}

/* ---- what is available ---- */

static uint32_t slot(const struct delivery *d) {
    if (d->count < 0) return 0;
    return d->count < DELIVERY_COUNTS ? (uint32_t)d->count : DELIVERY_COUNTS - 1;
}

static void set_open(struct in_flight_batch *b, bool open) {
    if (b->open == open && b->open_below >= open) return;
    b->open = open;
    for (; b; b = b->parent) {
        bool was = b->open_below;
        refresh(b);
        if (was == b->open_below) return;
    }
}

void in_flight_before(struct delivery *d) {
    struct in_flight_batch *b = d->batch;
    if (b->offsets && delivery_available(d)) b->available_by_count[slot(d)]--;
}

void in_flight_after(struct delivery *d) {
    struct in_flight_batch *b = d->batch;
    if (!b->offsets) {
        set_open(b, delivery_available(d));
        return;
    }
    if (delivery_available(d)) {
        b->available_by_count[slot(d)]++;
        bitset_add(&b->available, (uint32_t)(d - b->offsets));
    } else
        bitset_del(&b->available, (uint32_t)(d - b->offsets));
    set_open(b, b->available.count > 0);
}

void in_flight_split(struct in_flight_batch *b) {
    ASSERT(!b->offsets);
    uint32_t n = in_flight_size(b);
    b->offsets = xcalloc(n, sizeof *b->offsets);
    bitset_init(&b->available, n);
    for (uint32_t i = 0; i < n; i++) {
        struct delivery *d = &b->offsets[i];
        *d = (struct delivery){
            .batch = b, .state = b->whole.state, .count = b->whole.count, .archived = b->whole.archived};
        if (delivery_available(d)) {
            b->available_by_count[slot(d)]++;
            bitset_add(&b->available, i);
        }
    }
    set_open(b, b->available.count > 0);
}

void delivery_range(const struct delivery *d, int64_t *first, int64_t *last) {
    const struct in_flight_batch *b = d->batch;
    *first = b->offsets ? b->first + (d - b->offsets) : b->first;
    *last = b->offsets ? *first : b->last;
}

int64_t in_flight_available(const struct in_flight_batch *b, int64_t from) {
    if (from < b->first) from = b->first;
    if (from > b->last) return -1;
    if (!b->offsets) return b->open ? from : -1;
    uint32_t i = bitset_next(&b->available, (uint32_t)(from - b->first));
    return i == BITSET_NONE ? -1 : b->first + i;
}

int in_flight_highest(const struct in_flight_batch *b, int64_t first, int64_t last) {
    if (!b->offsets) return b->open ? b->whole.count : -1;
    int highest = -1;
    if (first <= b->first && last >= b->last) {
        for (int i = DELIVERY_COUNTS - 1; i >= 0; i--)
            if (b->available_by_count[i]) return i;
        return -1;
    }
    for (int64_t at = in_flight_available(b, first); at >= 0 && at <= last;
         at = in_flight_available(b, at + 1))
        if (b->offsets[at - b->first].count > highest) highest = b->offsets[at - b->first].count;
    return highest;
}
