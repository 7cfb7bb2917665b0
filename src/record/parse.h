/* Private to record/: one record of magic 2 in memory. It is read once on every append, so it is small and
 * inline. */
#ifndef OTTLA_RECORD_PARSE_H
#define OTTLA_RECORD_PARSE_H

#include "base/bytes.h"

struct raw_record {
    int64_t timestamp_delta;
    const uint8_t *key, *value, *headers, *end;
    int32_t offset_delta, key_len, value_len, header_count;
};

static inline const uint8_t *parse_varint(const uint8_t *p, const uint8_t *end, int32_t *v) {
    if (p < end && *p < 0x80) {
        *v = (*p >> 1) ^ -(*p & 1);
        return p + 1;
    }
    int n = get_varint(p, end, v);
    return n ? p + n : NULL;
}

/* A length and that many bytes; −1 is null. */
static inline const uint8_t *parse_bytes(const uint8_t *p, const uint8_t *end, const uint8_t **bytes,
                                         int32_t *len) {
    p = parse_varint(p, end, len);
    if (!p) return NULL;
    if (*len < 0) {
        *bytes = NULL;
        return *len == -1 ? p : NULL;
    }
    if (*len > end - p) return NULL;
    *bytes = p;
    return p + *len;
}

static inline const uint8_t *parse_headers(const uint8_t *p, const uint8_t *end, int32_t count) {
    const uint8_t *bytes;
    int32_t len;
    if (count > end - p) return NULL;
    for (; count && p; count--) {
        if (!(p = parse_bytes(p, end, &bytes, &len)) || len < 0) return NULL;
        p = parse_bytes(p, end, &bytes, &len);
    }
    return p;
}

/* The record that begins at p; returns where the next one begins, NULL when this is none. */
static inline const uint8_t *parse_record(const uint8_t *p, const uint8_t *end, struct raw_record *r) {
    int32_t size;
    if (!(p = parse_varint(p, end, &size)) || size < 0 || size > end - p) return NULL;
    end = r->end = p + size;
    if (p == end) return NULL;
    p++; /* attributes: unused */
    int n = get_varlong(p, end, &r->timestamp_delta);
    if (!n) return NULL;
    p += n;
    if (!(p = parse_varint(p, end, &r->offset_delta))) return NULL;
    if (!(p = parse_bytes(p, end, &r->key, &r->key_len))) return NULL;
    if (!(p = parse_bytes(p, end, &r->value, &r->value_len))) return NULL;
    if (!(p = parse_varint(p, end, &r->header_count)) || r->header_count < 0) return NULL;
    r->headers = p;
    if (r->header_count && !(p = parse_headers(p, end, r->header_count))) return NULL;
    return p == end ? p : NULL;
}

#endif
