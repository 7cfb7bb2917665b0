#include "base/arena.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum { FIRST_BLOCK = 4096, LARGEST_STEP = 1 << 20 };

struct arena_block {
    struct arena_block *next;
    size_t size; /* of the bytes behind this header */
};

void arena_init_with(struct arena *a, void *memory, size_t size, size_t limit) {
    ASSERT(((uintptr_t)memory & 7) == 0);
    *a = (struct arena){.at = memory, .first = memory, .first_size = size & ~(size_t)7, .limit = limit};
    a->end = memory ? a->at + a->first_size : NULL;
}

void arena_init(struct arena *a, size_t limit) { arena_init_with(a, NULL, 0, limit); }

void *arena_grow(struct arena *a, size_t n) {
    size_t size = a->used < FIRST_BLOCK ? FIRST_BLOCK : a->used < LARGEST_STEP ? a->used : LARGEST_STEP;
    if (n > a->limit || a->used > a->limit - n) return NULL;
    if (size < n) size = n;
    if (size > a->limit - a->used) size = a->limit - a->used;
    struct arena_block *b = malloc(sizeof *b + size);
    if (!b) return NULL;
    b->next = a->blocks;
    b->size = size;
    a->blocks = b;
    a->used += size;
    if (a->meter) atomic_fetch_add_explicit(a->meter, (int64_t)size, memory_order_relaxed);
    uint8_t *p = (uint8_t *)(b + 1);
    a->at = p + n;
    a->end = p + size;
    return p;
}

void arena_reset(struct arena *a) {
    for (struct arena_block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    if (a->meter && a->used) atomic_fetch_sub_explicit(a->meter, (int64_t)a->used, memory_order_relaxed);
    a->blocks = NULL;
    a->used = 0;
    a->at = a->first;
    a->end = a->first ? a->first + a->first_size : NULL;
}

void arena_free(struct arena *a) {
    arena_reset(a);
    a->at = a->end = a->first = NULL;
    a->first_size = 0;
}

void *arena_calloc(struct arena *a, size_t count, size_t size) {
    size_t n;
    if (__builtin_mul_overflow(count, size, &n) || n > SIZE_MAX - 8) return NULL;
    void *p = arena_alloc(a, n);
    if (p) memset(p, 0, n);
    return p;
}

void *arena_memdup(struct arena *a, const void *bytes, size_t n) {
    void *p = arena_alloc(a, n);
    if (p && n) memcpy(p, bytes, n);
    return p;
}

char *arena_strndup(struct arena *a, const char *s, size_t n) {
    char *p = n < SIZE_MAX ? arena_alloc(a, n + 1) : NULL;
    if (!p) return NULL;
    if (n) memcpy(p, s, n);
    p[n] = 0;
    return p;
}

char *arena_printf(struct arena *a, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    char *p = n < 0 ? NULL : arena_alloc(a, (size_t)n + 1);
    if (!p) return NULL;
    va_start(args, format);
    vsnprintf(p, (size_t)n + 1, format, args);
    va_end(args);
    return p;
}
