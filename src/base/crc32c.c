/* CRC-32C with the processor's own instruction. The instruction takes three cycles and one can start each
 * cycle, so three stretches of the input are summed at once and then joined: a CRC is linear, so "what it
 * becomes when n zero bytes follow" is a table for each of its four bytes. The tables are made once, before
 * main(). */
#include "base/crc32c.h"

#include <stdbool.h>
#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#define STEP64(crc, x) _mm_crc32_u64(crc, x)
#define STEP8(crc, x) _mm_crc32_u8((uint32_t)(crc), x)
#elif defined(__aarch64__)
#include <arm_acle.h>
#define STEP64(crc, x) __crc32cd((uint32_t)(crc), x)
#define STEP8(crc, x) __crc32cb((uint32_t)(crc), x)
#else
#error "crc32c: only x86-64 and arm64"
#endif

enum { LONG = 2048, SHORT = 128 };

static uint32_t after_long[4][256], after_short[4][256];

static void make_table(uint32_t table[4][256], int zeros) {
    uint32_t bit[32];
    for (int i = 0; i < 32; i++) {
        uint32_t crc = 1u << i;
        for (int k = 0; k < zeros; k++) crc = STEP8(crc, 0);
        bit[i] = crc;
    }
    for (int byte = 0; byte < 4; byte++)
        for (int v = 0; v < 256; v++)
            for (int i = 0; i < 8; i++)
                if (v >> i & 1) table[byte][v] ^= bit[8 * byte + i];
}

__attribute__((constructor)) static void make_tables(void) {
    make_table(after_long, LONG);
    make_table(after_short, SHORT);
}

static inline uint64_t load64(const uint8_t *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

static inline uint64_t shift(uint32_t table[4][256], uint64_t crc) {
    return table[0][crc & 255] ^ table[1][crc >> 8 & 255] ^ table[2][crc >> 16 & 255] ^
           table[3][crc >> 24 & 255];
}

static inline uint64_t three(uint64_t a, const uint8_t *p, size_t block, uint32_t table[4][256]) {
    uint64_t b = 0, c = 0;
    for (size_t i = 0; i < block; i += 8) {
        a = STEP64(a, load64(p + i));
        b = STEP64(b, load64(p + block + i));
        c = STEP64(c, load64(p + 2 * block + i));
    }
    return shift(table, shift(table, a) ^ b) ^ c;
}

uint32_t crc32c(uint32_t crc, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    uint64_t a = (uint32_t)~crc;
    for (; n >= 3 * LONG; p += 3 * LONG, n -= 3 * LONG) a = three(a, p, LONG, after_long);
    for (; n >= 3 * SHORT; p += 3 * SHORT, n -= 3 * SHORT) a = three(a, p, SHORT, after_short);
    for (; n >= 8; p += 8, n -= 8) a = STEP64(a, load64(p));
    for (; n; n--) a = STEP8(a, *p++);
    return ~(uint32_t)a;
}
