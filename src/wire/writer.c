#include "wire/writer.h"

#include <stdlib.h>

#include "base/assert.h"

enum { FIRST_SIZE = 512 };

void writer_init_with(struct writer *w, void *memory, size_t size, size_t limit) {
    uint8_t *m = memory;
    if (size > limit) size = limit;
    *w = (struct writer){.p = m, .end = m ? m + size : NULL, .buf = m, .given = m, .limit = limit};
}

void writer_init(struct writer *w, size_t limit) { writer_init_with(w, NULL, 0, limit); }

void writer_init_counting(struct writer *w) {
    writer_init(w, SIZE_MAX);
    w->counting = true;
    w->p = w->buf = w->trash;
    w->end = w->trash + sizeof w->trash;
}

void writer_free(struct writer *w) {
    if (!w->counting && w->buf != w->given) free(w->buf);
    free(w->splices);
    *w = (struct writer){.limit = w->limit};
}

void writer_reset(struct writer *w) {
    w->p = w->buf;
    w->err = w->splices_n = 0;
    w->counted = w->spliced = 0;
}

uint8_t *writer_detach(struct writer *w, size_t *len) {
    ASSERT(!w->counting && !w->splices_n);
    *len = writer_len(w);
    if (w->err || !*len) return NULL;
    uint8_t *bytes = w->buf;
    if (bytes == w->given) {
        bytes = malloc(*len);
        if (bytes) memcpy(bytes, w->buf, *len);
        w->p = w->buf;
    } else {
        w->p = w->buf = w->end = w->given = NULL;
    }
    return bytes;
}

/* After an error p stays at end, and what is still written goes to the trash. */
void writer_fail(struct writer *w, int err) {
    if (!w->err) w->err = err;
    if (!w->counting) w->end = w->p;
}

/* Makes room for n more bytes; false after an error. */
static bool writer_room(struct writer *w, size_t n) {
    size_t len = writer_len(w), cap = (size_t)(w->end - w->buf);
    if (w->err) return false;
    if (n > w->limit || len > w->limit - n) {
        writer_fail(w, OE_LIMIT);
        return false;
    }
    if (cap - len >= n) return true;
    cap = cap < FIRST_SIZE / 2 ? FIRST_SIZE : cap * 2;
    if (cap < len + n) cap = len + n;
    if (cap > w->limit) cap = w->limit;
    uint8_t *buf = realloc(w->buf == w->given ? NULL : w->buf, cap);
    if (!buf) {
        writer_fail(w, OE_NOMEM);
        return false;
    }
    if (w->buf == w->given && len) memcpy(buf, w->given, len);
    w->buf = buf;
    w->p = buf + len;
    w->end = buf + cap;
    return true;
}

uint8_t *writer_grow(struct writer *w, size_t n) {
    ASSERT(n <= WRITER_RUN_MAX);
    if (w->counting) {
        w->counted += (size_t)(w->p - w->buf);
        w->p = w->buf + n;
        return w->buf;
    }
    if (!writer_room(w, n)) return w->trash;
    w->p += n;
    return w->p - n;
}

void write_raw_slow(struct writer *w, const void *bytes, size_t n) {
    if (w->counting) {
        w->counted += n;
    } else if (writer_room(w, n)) {
        memcpy(w->p, bytes, n);
        w->p += n;
    }
}

void write_uvarint_slow(struct writer *w, uint32_t v) {
    uint8_t bytes[VARLONG_MAX];
    int n = put_uvarlong(bytes, v);
    write_raw(w, bytes, (size_t)n);
}

void writer_splice(struct writer *w, const struct krecords *records) {
    w->spliced += (size_t)records->len;
    if (w->err || w->counting) return;
    if (w->splices_n == w->splices_cap) {
        int cap = w->splices_cap ? w->splices_cap * 2 : 8;
        struct splice *splices = realloc(w->splices, (size_t)cap * sizeof *splices);
        if (!splices) {
            writer_fail(w, OE_NOMEM);
            return;
        }
        w->splices = splices;
        w->splices_cap = cap;
    }
    w->splices[w->splices_n++] =
        (struct splice){.at = writer_len(w), .file = records->file, .pos = records->pos, .len = records->len};
}

/* A tagged field of 128 bytes or more: its size takes more than the one byte that write_tag left. */
void write_tag_close(struct writer *w, size_t at, size_t size) {
    uint8_t bytes[VARLONG_MAX];
    int more = put_uvarlong(bytes, size) - 1;
    if (w->err) return;
    ASSERT(!w->splices_n || w->splices[w->splices_n - 1].at < at);
    if (w->counting) {
        w->counted += (size_t)more;
        return;
    }
    write_raw(w, bytes, (size_t)more);
    if (w->err) return;
    memmove(w->buf + at + more, w->buf + at, size);
    memcpy(w->buf + at - 1, bytes, (size_t)more + 1);
}

void write_i16s(struct writer *w, const int16_t *v, int32_t n) {
    for (int32_t i = 0; i < n; i++) write_i16(w, v[i]);
}

void write_i32s(struct writer *w, const int32_t *v, int32_t n) {
    for (int32_t i = 0; i < n; i++) write_i32(w, v[i]);
}

void write_i64s(struct writer *w, const int64_t *v, int32_t n) {
    for (int32_t i = 0; i < n; i++) write_i64(w, v[i]);
}
