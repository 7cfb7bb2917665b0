/* An arena: memory that is freed all at once, at the end of a request or of a piece of work. One owner, one
 * thread.
 *
 * The first `inline_size` bytes may come from the owner (arena_init_with), so that a small request allocates
 * nothing. A limit bounds what hostile input can make it grow to; beyond it arena_alloc returns NULL and the
 * caller OE_LIMIT. */
#ifndef OTTLA_BASE_ARENA_H
#define OTTLA_BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

struct arena_block;

struct arena {
    uint8_t *at, *end;          /* free bytes of the newest block */
    struct arena_block *blocks; /* newest first; freed by arena_free and arena_reset */
    uint8_t *first;             /* the owner's inline memory or NULL */
    size_t first_size;
    size_t used, limit; /* bytes of blocks; limit in bytes */
    _Atomic int64_t
        *meter; /* where others see what the blocks take, or NULL; set by the owner before the first */
};

/* limit: the most bytes that the blocks may take together. */
void arena_init(struct arena *a, size_t limit);
/* As above, and the first `size` bytes at `memory` (8-aligned, borrowed, outlives the arena) are used before
 * any block. */
void arena_init_with(struct arena *a, void *memory, size_t size, size_t limit);
/* Slow path of arena_alloc. */
void *arena_grow(struct arena *a, size_t n);
/* Forgets everything, keeps nothing but the inline memory. */
void arena_reset(struct arena *a);
void arena_free(struct arena *a);

/* n bytes, 8-aligned, not cleared; NULL beyond the limit or without memory. n may be 0. */
static inline void *arena_alloc(struct arena *a, size_t n) {
    n = (n + 7) & ~(size_t)7;
    if (n <= (size_t)(a->end - a->at)) {
        void *p = a->at;
        a->at += n;
        return p;
    }
    return arena_grow(a, n);
}
/* count × size bytes, cleared; NULL on overflow or beyond the limit. */
void *arena_calloc(struct arena *a, size_t count, size_t size);
/* Copies; NULL beyond the limit. arena_strndup ends the copy with a NUL. */
void *arena_memdup(struct arena *a, const void *bytes, size_t n);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
