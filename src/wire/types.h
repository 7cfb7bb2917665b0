/* The values of messages that C has no type for. All of them borrow: from a request's buffer after decoding,
 * from whoever filled the struct before encoding. {0} is the empty value, len -1 is null. */
#ifndef OTTLA_WIRE_TYPES_H
#define OTTLA_WIRE_TYPES_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* UTF-8 as it came, not ended by a NUL. */
struct kstr {
    const char *s;
    int32_t len;
};

struct kbytes {
    const uint8_t *p;
    int32_t len;
};

/* Record batches: len bytes at p or, when file is set, len bytes of that file from pos. What file points at
 * is between those who fill and who send it (the codec only hands it on, see struct splice in wire/writer.h).
 * Decoding always gives p. */
struct krecords {
    const uint8_t *p;
    int32_t len;
    void *file;
    int64_t pos;
};

#define KSTR_NULL ((struct kstr){.len = -1})
#define KBYTES_NULL ((struct kbytes){.len = -1})
/* A kstr of a string literal. */
#define KSTR(literal) ((struct kstr){"" literal, (int32_t)sizeof(literal) - 1})

/* s: NUL-ended, shorter than 2 GiB; NULL gives null. */
static inline struct kstr kstr_of(const char *s) {
    return s ? (struct kstr){s, (int32_t)strlen(s)} : KSTR_NULL;
}
static inline bool kstr_equal(struct kstr a, struct kstr b) {
    return a.len == b.len && (a.len <= 0 || !memcmp(a.s, b.s, (size_t)a.len));
}
/* The same as a NUL-ended string. */
static inline bool kstr_is(struct kstr a, const char *s) { return kstr_equal(a, kstr_of(s)); }

#endif
