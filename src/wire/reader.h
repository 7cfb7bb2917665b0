/* Reads Kafka's primitive types from bytes that nobody has checked.
 *
 * 1. p <= end; nothing is read at or behind end.
 * 2. The first error sticks: it sets err and p = end. From then on every read gives zero, empty or null, so
 * that generated code checks once a struct or loop and not once a field.
 * 3. Memory comes from the arena alone, and only after the count was compared with the bytes that are left.
 * Errors: OE_SHORT the bytes end too early; OE_MALFORMED a length, count or tag that cannot be; OE_LIMIT the
 * arena is full. */
#ifndef OTTLA_WIRE_READER_H
#define OTTLA_WIRE_READER_H

#include <stddef.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/uuid.h"
#include "wire/types.h"

struct reader {
    const uint8_t *p, *end; /* borrowed */
    int err;                /* 0 or a negative oerr */
};

enum { READER_RUN_MAX = 128 };                     /* the most bytes of one read_run */
extern const uint8_t reader_zeros[READER_RUN_MAX]; /* what a failed read_run gives */

/* p may be NULL when n is 0. */
static inline struct reader reader_of(const void *p, size_t n) {
    return (struct reader){.p = p, .end = n ? (const uint8_t *)p + n : p};
}
static inline size_t reader_left(const struct reader *r) { return (size_t)(r->end - r->p); }

/* Slow paths, out of line. */
void reader_fail(struct reader *r, int err);
uint32_t read_uvarint_slow(struct reader *r);
/* Skips a section of tagged fields of which none is known. */
void read_skip_tags(struct reader *r, uint32_t tags);
/* An array of n fixed-size elements in host order; NULL when n <= 0 or after an error. */
int16_t *read_i16s(struct reader *r, struct arena *a, int32_t n);
int32_t *read_i32s(struct reader *r, struct arena *a, int32_t n);
int64_t *read_i64s(struct reader *r, struct arena *a, int32_t n);
int8_t *read_i8s(struct reader *r, struct arena *a, int32_t n);
struct uuid *read_uuids(struct reader *r, struct arena *a, int32_t n);

/* The next n <= READER_RUN_MAX bytes; zeros after an error. Never NULL. */
static inline const uint8_t *read_run(struct reader *r, size_t n) {
    const uint8_t *p = r->p;
    if (__builtin_expect((size_t)(r->end - p) < n, 0)) {
        reader_fail(r, OE_SHORT);
        return reader_zeros;
    }
    r->p = p + n;
    return p;
}

static inline double get_f64(const uint8_t *p) {
    uint64_t bits = get_u64(p);
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}
static inline struct uuid get_uuid(const uint8_t *p) {
    struct uuid u;
    memcpy(u.b, p, sizeof u.b);
    return u;
}

static inline bool read_bool(struct reader *r) { return *read_run(r, 1) != 0; }
static inline int8_t read_i8(struct reader *r) { return (int8_t)*read_run(r, 1); }
static inline int16_t read_i16(struct reader *r) { return get_i16(read_run(r, 2)); }
static inline uint16_t read_u16(struct reader *r) { return get_u16(read_run(r, 2)); }
static inline int32_t read_i32(struct reader *r) { return get_i32(read_run(r, 4)); }
static inline uint32_t read_u32(struct reader *r) { return get_u32(read_run(r, 4)); }
static inline int64_t read_i64(struct reader *r) { return get_i64(read_run(r, 8)); }
static inline double read_f64(struct reader *r) { return get_f64(read_run(r, 8)); }
static inline struct uuid read_uuid(struct reader *r) { return get_uuid(read_run(r, 16)); }

static inline uint32_t read_uvarint(struct reader *r) {
    if (__builtin_expect(r->p < r->end && *r->p < 0x80, 1)) return *r->p++;
    return read_uvarint_slow(r);
}

/* A length of at most `max` whose bytes are there; -1 for null. `classic` is the length in front of a
 * non-compact value. */
static inline int32_t read_checked(struct reader *r, int64_t len, bool nullable, int64_t max) {
    if (__builtin_expect(len < 0, 0)) {
        if (!nullable) reader_fail(r, OE_MALFORMED);
        return nullable ? -1 : 0;
    }
    if (__builtin_expect(len > (int64_t)(r->end - r->p) || len > max, 0)) {
        reader_fail(r, len > max ? OE_MALFORMED : OE_SHORT);
        return 0;
    }
    return (int32_t)len;
}

static inline struct kstr read_string(struct reader *r, bool flexible, bool nullable) {
    int64_t len = flexible ? (int64_t)read_uvarint(r) - 1 : read_i16(r);
    if (__builtin_expect(r->err, 0)) return (struct kstr){0};
    struct kstr s = {.len = read_checked(r, len, nullable, INT16_MAX)};
    if (s.len >= 0) {
        s.s = (const char *)r->p;
        r->p += s.len;
    }
    return s;
}

static inline struct kbytes read_bytes(struct reader *r, bool flexible, bool nullable) {
    int64_t len = flexible ? (int64_t)read_uvarint(r) - 1 : read_i32(r);
    if (__builtin_expect(r->err, 0)) return (struct kbytes){0};
    struct kbytes b = {.len = read_checked(r, len, nullable, INT32_MAX)};
    if (b.len >= 0) {
        b.p = r->p;
        r->p += b.len;
    }
    return b;
}

static inline struct krecords read_records(struct reader *r, bool flexible, bool nullable) {
    struct kbytes b = read_bytes(r, flexible, nullable);
    return (struct krecords){.p = b.p, .len = b.len};
}

/* The number of elements of an array, each at least `least` bytes long; -1 for null, 0 after an error. */
static inline int32_t read_count(struct reader *r, bool flexible, bool nullable, uint32_t least) {
    int64_t n = flexible ? (int64_t)read_uvarint(r) - 1 : read_i32(r);
    if (__builtin_expect(r->err, 0)) return 0;
    if (__builtin_expect(n > 0 && n * (int64_t)least > (int64_t)(r->end - r->p), 0)) {
        reader_fail(r, OE_SHORT);
        return 0;
    }
    return read_checked(r, n, nullable, INT32_MAX);
}

/* Memory for n elements, not cleared; NULL when n <= 0 or after an error. */
static inline void *read_array(struct reader *r, struct arena *a, int32_t n, size_t size) {
    if (n <= 0 || r->err) return NULL;
    void *p = arena_alloc(a, (size_t)n * size);
    if (__builtin_expect(!p, 0)) reader_fail(r, OE_LIMIT);
    return p;
}

/* Whether a nullable struct is there. */
static inline bool read_present(struct reader *r) { return read_i8(r) > 0; }

/* Begins a tagged field: its tag, and r narrowed to its bytes. Returns the end to give to read_tag_end. */
static inline const uint8_t *read_tag(struct reader *r, uint32_t *tag) {
    const uint8_t *end = r->end;
    *tag = read_uvarint(r);
    uint32_t size = read_uvarint(r);
    if (size > reader_left(r))
        reader_fail(r, OE_SHORT);
    else
        r->end = r->p + size;
    return end;
}
static inline void read_tag_end(struct reader *r, const uint8_t *end) {
    bool whole = r->p == r->end;
    r->end = end;
    if (r->err)
        r->p = end;
    else if (!whole)
        reader_fail(r, OE_MALFORMED);
}
/* A section of tagged fields of which none is known. */
static inline void read_no_tags(struct reader *r) {
    uint32_t tags = read_uvarint(r);
    if (__builtin_expect(tags, 0)) read_skip_tags(r, tags);
}

#endif
