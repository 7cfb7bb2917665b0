/* Packs an object with its lists and strings into one piece of memory: run the same filling twice, first to
 * measure (to is NULL, nothing is written), then to copy. Private to metadata/. */
#ifndef OTTLA_METADATA_PACK_H
#define OTTLA_METADATA_PACK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct packer {
    uint8_t *to; /* NULL: only measure */
    size_t at;
};

/* n bytes at a multiple of align (a power of two). NULL while measuring. */
static inline void *pack(struct packer *p, const void *from, size_t n, size_t align) {
    p->at = (p->at + align - 1) & ~(align - 1);
    uint8_t *to = p->to ? p->to + p->at : NULL;
    if (to && n) memcpy(to, from, n);
    p->at += n;
    return to;
}

/* n characters and a NUL. */
static inline const char *pack_text(struct packer *p, const char *s, size_t n) {
    char *to = pack(p, s, n, 1);
    pack(p, "", 1, 1);
    return to;
}

/* A string or NULL. */
static inline const char *pack_str(struct packer *p, const char *s) {
    return s ? pack_text(p, s, strlen(s)) : NULL;
}

#endif
