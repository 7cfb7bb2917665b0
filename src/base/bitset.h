/* A set of small integers 0 … n−1 with levels of summaries, 64 to 1: add, remove and "the first member from
 * here on" take O(log n). One owner. */
#ifndef OTTLA_BASE_BITSET_H
#define OTTLA_BASE_BITSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BITSET_LEVELS = 6, BITSET_NONE = UINT32_MAX };

struct bitset {
    uint64_t *words;               /* all levels, the lowest first */
    uint32_t start[BITSET_LEVELS]; /* of a level in words */
    uint32_t size, count;          /* n; members */
    int levels;
};

/* Empty, for 0 … n−1; n > 0. Aborts without memory. */
void bitset_init(struct bitset *b, uint32_t n);
void bitset_free(struct bitset *b);
/* i < n. Both may be called when nothing changes by it. */
void bitset_add(struct bitset *b, uint32_t i);
void bitset_del(struct bitset *b, uint32_t i);
bool bitset_has(const struct bitset *b, uint32_t i);
/* The smallest member that is not less than `from`, or BITSET_NONE. */
uint32_t bitset_next(const struct bitset *b, uint32_t from);

#endif
