/* Strings and bytes that the group state owns: copies with malloc, freed by their owner. Private to group/.
 */
#ifndef OTTLA_GROUP_OWN_H
#define OTTLA_GROUP_OWN_H

#include <stdlib.h>

#include "base/mem.h"
#include "wire/types.h"

static inline bool kstr_null(struct kstr a) { return a.len < 0; }
static inline struct kstr kstr_own(struct kstr a) {
    if (a.len < 0) return KSTR_NULL;
    return (struct kstr){.s = xstrndup(a.s ? a.s : "", (size_t)a.len), .len = a.len};
}
static inline void kstr_disown(struct kstr *a) {
    free((char *)(uintptr_t)a->s);
    *a = KSTR_NULL;
}
static inline void kstr_set(struct kstr *to, struct kstr from) {
    struct kstr copy = kstr_own(from);
    kstr_disown(to);
    *to = copy;
}
static inline struct kbytes kbytes_own(struct kbytes a) {
    if (a.len <= 0) return (struct kbytes){.len = a.len};
    uint8_t *p = xmalloc((size_t)a.len);
    memcpy(p, a.p, (size_t)a.len);
    return (struct kbytes){.p = p, .len = a.len};
}
static inline void kbytes_disown(struct kbytes *a) {
    free((uint8_t *)(uintptr_t)a->p);
    *a = (struct kbytes){0};
}

/* For "%.*s". */
#define KSTR_ARG(a) ((a).len < 0 ? 0 : (int)(a).len), ((a).s ? (a).s : "")

#endif
