/* Level 0 has a bit a member; a bit of level k+1 says that the word of level k is not 0. The highest level is
 * one word. */
#include "base/bitset.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

void bitset_init(struct bitset *b, uint32_t n) {
    ASSERT(n > 0);
    *b = (struct bitset){.size = n};
    uint32_t words = 0;
    for (uint32_t bits = n;;) {
        uint32_t w = (bits - 1) / 64 + 1;
        ASSERT(b->levels < BITSET_LEVELS);
        b->start[b->levels++] = words;
        words += w;
        if (w == 1) break;
        bits = w;
    }
    b->words = xcalloc(words, sizeof *b->words);
}

void bitset_free(struct bitset *b) {
    free(b->words);
    *b = (struct bitset){0};
}

static uint64_t *word(const struct bitset *b, int level, uint32_t bit) {
    return &b->words[b->start[level] + bit / 64];
}

bool bitset_has(const struct bitset *b, uint32_t i) {
    ASSERT(i < b->size);
    return *word(b, 0, i) >> (i % 64) & 1;
}

void bitset_add(struct bitset *b, uint32_t i) {
    if (bitset_has(b, i)) return;
    b->count++;
    for (int level = 0; level < b->levels; level++, i /= 64) *word(b, level, i) |= 1ull << (i % 64);
}

void bitset_del(struct bitset *b, uint32_t i) {
    if (!bitset_has(b, i)) return;
    b->count--;
    for (int level = 0; level < b->levels; level++, i /= 64) {
        *word(b, level, i) &= ~(1ull << (i % 64));
        if (*word(b, level, i)) return;
    }
}

uint32_t bitset_next(const struct bitset *b, uint32_t from) {
    uint32_t at = from, bits = b->size;
    int level = 0;
    for (;; level++) { /* up, until a word has a bit from here on */
        if (level == b->levels || at >= bits) return BITSET_NONE;
        uint64_t w = *word(b, level, at) & (~0ull << (at % 64));
        if (w) {
            at = at / 64 * 64 + (uint32_t)__builtin_ctzll(w);
            break;
        }
        at = at / 64 + 1;
        bits = (bits - 1) / 64 + 1;
    }
    while (level-- > 0) at = at * 64 + (uint32_t)__builtin_ctzll(b->words[b->start[level] + at]);
    return at;
}
