#include "wire/reader.h"

const uint8_t reader_zeros[READER_RUN_MAX];

void reader_fail(struct reader *r, int err) {
    if (!r->err) r->err = err;
    r->p = r->end;
}

uint32_t read_uvarint_slow(struct reader *r) {
    uint32_t v = 0;
    int n = get_uvarint(r->p, r->end, &v);
    if (!n) {
        reader_fail(r, reader_left(r) < VARINT_MAX ? OE_SHORT : OE_MALFORMED);
        return 0;
    }
    r->p += n;
    return v;
}

void read_skip_tags(struct reader *r, uint32_t tags) {
    for (; tags && !r->err; tags--) {
        uint32_t tag;
        const uint8_t *end = read_tag(r, &tag);
        r->p = r->end;
        read_tag_end(r, end);
    }
}

/* n * size bytes of input and as much memory; false when there is nothing to do or no room. */
static bool read_block(struct reader *r, struct arena *a, int32_t n, size_t size, const uint8_t **from,
                       void **to) {
    if (n <= 0 || r->err) return false;
    size_t bytes = (size_t)n * size;
    if (reader_left(r) < bytes) {
        reader_fail(r, OE_SHORT);
        return false;
    }
    *to = arena_alloc(a, bytes);
    if (!*to) {
        reader_fail(r, OE_LIMIT);
        return false;
    }
    *from = r->p;
    r->p += bytes;
    return true;
}

int8_t *read_i8s(struct reader *r, struct arena *a, int32_t n) {
    const uint8_t *from;
    void *to = NULL;
    if (!read_block(r, a, n, 1, &from, &to)) return NULL;
    return memcpy(to, from, (size_t)n);
}

int16_t *read_i16s(struct reader *r, struct arena *a, int32_t n) {
    const uint8_t *from;
    void *to = NULL;
    if (!read_block(r, a, n, 2, &from, &to)) return NULL;
    int16_t *v = to;
    for (int32_t i = 0; i < n; i++) v[i] = get_i16(from + 2 * (size_t)i);
    return v;
}

int32_t *read_i32s(struct reader *r, struct arena *a, int32_t n) {
    const uint8_t *from;
    void *to = NULL;
    if (!read_block(r, a, n, 4, &from, &to)) return NULL;
    int32_t *v = to;
    for (int32_t i = 0; i < n; i++) v[i] = get_i32(from + 4 * (size_t)i);
    return v;
}

int64_t *read_i64s(struct reader *r, struct arena *a, int32_t n) {
    const uint8_t *from;
    void *to = NULL;
    if (!read_block(r, a, n, 8, &from, &to)) return NULL;
    int64_t *v = to;
    for (int32_t i = 0; i < n; i++) v[i] = get_i64(from + 8 * (size_t)i);
    return v;
}

struct uuid *read_uuids(struct reader *r, struct arena *a, int32_t n) {
    const uint8_t *from;
    void *to = NULL;
    if (!read_block(r, a, n, sizeof(struct uuid), &from, &to)) return NULL;
    return memcpy(to, from, (size_t)n * sizeof(struct uuid));
}
