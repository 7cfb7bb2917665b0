/* Big-endian numbers in bytes, and Kafka's variable-length integers. The caller has checked that the bytes
 * are there, except for the varint readers, which check themselves. */
#ifndef OTTLA_BASE_BYTES_H
#define OTTLA_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_u16(const void *p) {
    uint16_t x;
    memcpy(&x, p, 2);
    return __builtin_bswap16(x);
}
static inline uint32_t get_u32(const void *p) {
    uint32_t x;
    memcpy(&x, p, 4);
    return __builtin_bswap32(x);
}
static inline uint64_t get_u64(const void *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return __builtin_bswap64(x);
}
static inline int16_t get_i16(const void *p) { return (int16_t)get_u16(p); }
static inline int32_t get_i32(const void *p) { return (int32_t)get_u32(p); }
static inline int64_t get_i64(const void *p) { return (int64_t)get_u64(p); }
static inline void put_u16(void *p, uint16_t v) {
    v = __builtin_bswap16(v);
    memcpy(p, &v, 2);
}
static inline void put_u32(void *p, uint32_t v) {
    v = __builtin_bswap32(v);
    memcpy(p, &v, 4);
}
static inline void put_u64(void *p, uint64_t v) {
    v = __builtin_bswap64(v);
    memcpy(p, &v, 8);
}
static inline void put_i16(void *p, int16_t v) { put_u16(p, (uint16_t)v); }
static inline void put_i32(void *p, int32_t v) { put_u32(p, (uint32_t)v); }
static inline void put_i64(void *p, int64_t v) { put_u64(p, (uint64_t)v); }

enum { VARINT_MAX = 5, VARLONG_MAX = 10 }; /* bytes */

/* Reads an unsigned varint of at most 64 (or 32) bits. Returns the bytes used, 0 when it is cut short or too
 * long. */
static inline int get_uvarlong(const uint8_t *p, const uint8_t *end, uint64_t *v) {
    uint64_t x = 0;
    for (int i = 0; i < VARLONG_MAX && p + i < end; i++) {
        x |= (uint64_t)(p[i] & 0x7f) << (7 * i);
        if (p[i] < 0x80) {
            if (i == VARLONG_MAX - 1 && p[i] > 1) return 0;
            *v = x;
            return i + 1;
        }
    }
    return 0;
}
static inline int get_uvarint(const uint8_t *p, const uint8_t *end, uint32_t *v) {
    uint32_t x = 0;
    for (int i = 0; i < VARINT_MAX && p + i < end; i++) {
        x |= (uint32_t)(p[i] & 0x7f) << (7 * i);
        if (p[i] < 0x80) {
            if (i == VARINT_MAX - 1 && p[i] > 0x0f) return 0;
            *v = x;
            return i + 1;
        }
    }
    return 0;
}
/* Zigzag varints, as in records. */
static inline int get_varint(const uint8_t *p, const uint8_t *end, int32_t *v) {
    uint32_t u;
    int n = get_uvarint(p, end, &u);
    if (n) *v = (int32_t)(u >> 1) ^ -(int32_t)(u & 1);
    return n;
}
static inline int get_varlong(const uint8_t *p, const uint8_t *end, int64_t *v) {
    uint64_t u;
    int n = get_uvarlong(p, end, &u);
    if (n) *v = (int64_t)(u >> 1) ^ -(int64_t)(u & 1);
    return n;
}
/* Writes; returns the bytes used (at most VARLONG_MAX). */
static inline int put_uvarlong(uint8_t *p, uint64_t v) {
    int n = 0;
    for (; v >= 0x80; v >>= 7) p[n++] = (uint8_t)(v | 0x80);
    p[n++] = (uint8_t)v;
    return n;
}
static inline int put_varlong(uint8_t *p, int64_t v) {
    return put_uvarlong(p, ((uint64_t)v << 1) ^ (uint64_t)(v >> 63));
}
static inline int uvarlong_size(uint64_t v) { return v ? (70 - __builtin_clzll(v)) / 7 : 1; }
static inline int varlong_size(int64_t v) { return uvarlong_size(((uint64_t)v << 1) ^ (uint64_t)(v >> 63)); }

#endif
