/* Writes Kafka's primitive types into a growing buffer with a limit.
 *
 * 1. buf <= p <= end; the bytes from buf to p are written.
 * 2. The first error sticks in err; later writes go nowhere. Check err (or what X_encode returns) once at the
 * end.
 * 3. Record data that lies in a file is not copied: the writer notes a splice, whose bytes belong between
 * buf[at - 1] and buf[at]. Splices are in the order of `at`; writer_total() counts their bytes, writer_len()
 * does not. Errors: OE_LIMIT beyond the limit; OE_NOMEM; OE_INVALID a null or an oversized value where the
 * message has no room for it. One owner, one thread. */
#ifndef OTTLA_WIRE_WRITER_H
#define OTTLA_WIRE_WRITER_H

#include <stddef.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/uuid.h"
#include "wire/types.h"

struct splice {
    size_t at; /* bytes of the buffer that go before it */
    void *file;
    int64_t pos; /* of the file */
    int32_t len; /* bytes */
};

enum { WRITER_RUN_MAX = 128 }; /* the most bytes of one write_run */

struct writer {
    uint8_t *p, *end, *buf;
    uint8_t *given; /* the owner's first memory or NULL; never freed here */
    size_t limit;   /* bytes, splices not counted */
    int err;        /* 0 or a negative oerr */
    bool counting;  /* nothing is kept, see writer_init_counting */
    size_t counted; /* when counting: bytes that are gone from the buffer */
    struct splice *splices;
    int splices_n, splices_cap;
    size_t spliced; /* bytes of all splices */
    uint8_t trash[WRITER_RUN_MAX];
};

void writer_init(struct writer *w, size_t limit);
/* The first `size` bytes go to `memory` (borrowed, outlives the writer); beyond them the writer allocates. */
void writer_init_with(struct writer *w, void *memory, size_t size, size_t limit);
/* A writer that only counts: writer_total() is right, the bytes are lost. */
void writer_init_counting(struct writer *w);
void writer_free(struct writer *w);
/* Forgets the bytes, splices and error, keeps the memory. */
void writer_reset(struct writer *w);
/* The bytes, which the caller now owns and frees, len in *len; NULL after an error or when nothing was
 * written. The writer starts afresh; its splices must have been taken before. */
uint8_t *writer_detach(struct writer *w, size_t *len);

/* Slow paths, out of line. */
void writer_fail(struct writer *w, int err);
uint8_t *writer_grow(struct writer *w, size_t n);
void write_raw_slow(struct writer *w, const void *bytes, size_t n);
void write_uvarint_slow(struct writer *w, uint32_t v);
void writer_splice(struct writer *w, const struct krecords *records);
void write_tag_close(struct writer *w, size_t at, size_t size);
void write_i16s(struct writer *w, const int16_t *v, int32_t n);
void write_i32s(struct writer *w, const int32_t *v, int32_t n);
void write_i64s(struct writer *w, const int64_t *v, int32_t n);

static inline size_t writer_len(const struct writer *w) { return w->counted + (size_t)(w->p - w->buf); }
/* Bytes on the wire: the buffer's and the splices'. */
static inline size_t writer_total(const struct writer *w) { return writer_len(w) + w->spliced; }

/* Room for n <= WRITER_RUN_MAX bytes, already counted as written. Never NULL. */
static inline uint8_t *write_run(struct writer *w, size_t n) {
    uint8_t *p = w->p;
    if (__builtin_expect((size_t)(w->end - p) < n, 0)) return writer_grow(w, n);
    w->p = p + n;
    return p;
}

static inline void put_f64(uint8_t *p, double d) {
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    put_u64(p, bits);
}
static inline void put_uuid(uint8_t *p, struct uuid u) { memcpy(p, u.b, sizeof u.b); }

static inline void write_bool(struct writer *w, bool v) { *write_run(w, 1) = v; }
static inline void write_i8(struct writer *w, int8_t v) { *write_run(w, 1) = (uint8_t)v; }
static inline void write_i16(struct writer *w, int16_t v) { put_i16(write_run(w, 2), v); }
static inline void write_u16(struct writer *w, uint16_t v) { put_u16(write_run(w, 2), v); }
static inline void write_i32(struct writer *w, int32_t v) { put_i32(write_run(w, 4), v); }
static inline void write_u32(struct writer *w, uint32_t v) { put_u32(write_run(w, 4), v); }
static inline void write_i64(struct writer *w, int64_t v) { put_i64(write_run(w, 8), v); }
static inline void write_f64(struct writer *w, double v) { put_f64(write_run(w, 8), v); }
static inline void write_uuid(struct writer *w, struct uuid v) { put_uuid(write_run(w, 16), v); }

static inline void write_uvarint(struct writer *w, uint32_t v) {
    if (__builtin_expect(v < 0x80, 1))
        *write_run(w, 1) = (uint8_t)v;
    else
        write_uvarint_slow(w, v);
}

static inline void write_raw(struct writer *w, const void *bytes, size_t n) {
    if (__builtin_expect((size_t)(w->end - w->p) < n, 0)) {
        write_raw_slow(w, bytes, n);
    } else if (n) {
        memcpy(w->p, bytes, n);
        w->p += n;
    }
}

/* Overwrites what was written before at offset `at` of the buffer (not when counting). */
static inline void writer_patch_i32(struct writer *w, size_t at, int32_t v) {
    if (!w->err && !w->counting) put_i32(w->buf + at, v);
}

/* The length or count n in front of a value, -1 for null. */
static inline void write_length(struct writer *w, int32_t n, bool flexible, bool nullable) {
    if (__builtin_expect(n < 0 && !nullable, 0)) writer_fail(w, OE_INVALID);
    if (flexible)
        write_uvarint(w, (uint32_t)n + 1);
    else
        write_i32(w, n);
}

static inline void write_string(struct writer *w, struct kstr s, bool flexible, bool nullable) {
    if (__builtin_expect(s.len > INT16_MAX || (s.len < 0 && !nullable), 0)) writer_fail(w, OE_INVALID);
    if (flexible)
        write_uvarint(w, (uint32_t)s.len + 1);
    else
        write_i16(w, (int16_t)s.len);
    if (s.len > 0) write_raw(w, s.s, (size_t)s.len);
}

static inline void write_bytes(struct writer *w, struct kbytes b, bool flexible, bool nullable) {
    write_length(w, b.len, flexible, nullable);
    if (b.len > 0) write_raw(w, b.p, (size_t)b.len);
}

static inline void write_records(struct writer *w, const struct krecords *r, bool flexible, bool nullable) {
    write_length(w, r->len, flexible, nullable);
    if (r->len <= 0) return;
    if (r->file)
        writer_splice(w, r);
    else
        write_raw(w, r->p, (size_t)r->len);
}

/* A tagged field: its tag and, by write_tag_end, the size of what was written between them. */
static inline size_t write_tag(struct writer *w, uint32_t tag) {
    write_uvarint(w, tag);
    write_i8(w, 0);
    return writer_len(w);
}
static inline void write_tag_end(struct writer *w, size_t at) {
    size_t size = writer_len(w) - at;
    if (__builtin_expect(size < 0x80 && !w->err && !w->counting, 1))
        w->buf[at - 1] = (uint8_t)size;
    else
        write_tag_close(w, at, size);
}

#endif
