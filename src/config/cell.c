/* The cell of the newest snapshot. A reader adds one to the count in the word's upper 16 bits and gets the
 * pointer in the same step; then counts itself in at the snapshot, and takes its one out of the word again. A
 * writer that swaps the word meanwhile moves the counts it found there to the old snapshot before it drops
 * its own reference, so the snapshot outlives every reader; a reader that finds another pointer in the word
 * drops the count that was moved. It may do so before the writer has moved it: so a snapshot in a cell holds
 * READERS_MAX references more, and the writer takes back those that were not readers.
 *
 * Invariants: 1. fewer than 65,536 threads are between the two steps; 2. a snapshot is in a cell at most once
 * in its life, so an equal pointer means the same stay. */
#include "base/assert.h"
#include "config/internal.h"

#define POINTER_MASK ((UINT64_C(1) << 48) - 1)
#define ONE_READER (UINT64_C(1) << 48)
enum { READERS_MAX = 1 << 16 };

static struct config *pointer_of(uint64_t word) { return (struct config *)(uintptr_t)(word & POINTER_MASK); }

static uint64_t first_word(struct config *c) {
    ASSERT(((uintptr_t)c & ~POINTER_MASK) == 0 && !c->published);
    c->published = true;
    atomic_fetch_add(&c->refs, READERS_MAX);
    return (uintptr_t)c;
}

void config_cell_init(struct config_cell *cell, struct config *c) { atomic_init(&cell->word, first_word(c)); }

static void retire(uint64_t word) {
    struct config *old = pointer_of(word);
    atomic_fetch_sub(&old->refs, READERS_MAX - (unsigned)(word >> 48));
    config_unref(old);
}

void config_cell_set(struct config_cell *cell, struct config *c) {
    retire(atomic_exchange(&cell->word, first_word(c)));
}

void config_cell_free(struct config_cell *cell) { retire(atomic_exchange(&cell->word, 0)); }

struct config *config_cell_get(struct config_cell *cell) {
    uint64_t word = atomic_fetch_add(&cell->word, ONE_READER) + ONE_READER;
    struct config *c = pointer_of(word);
    ASSERT(c);
    config_ref(c);
    while (pointer_of(word) == c)
        if (atomic_compare_exchange_weak(&cell->word, &word, word - ONE_READER)) return c;
    config_unref(c); /* the count in the word was moved to c */
    return c;
}
