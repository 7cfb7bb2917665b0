#include "base/random.h"

#include <string.h>

#include "base/assert.h"

static inline uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

void random_seed(struct random *r, uint64_t seed) {
    for (int i = 0; i < 4; i++) { /* splitmix64, so that near seeds give far states */
        uint64_t z = seed += 0x9e3779b97f4a7c15ull;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        r->s[i] = z ^ (z >> 31);
    }
}

uint64_t random_u64(struct random *r) {
    uint64_t *s = r->s, result = rotl(s[1] * 5, 7) * 9, t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t random_below(struct random *r, uint64_t n) {
    ASSERT(n > 0);
    return (uint64_t)(((__uint128_t)random_u64(r) * n) >> 64);
}

void random_bytes(struct random *r, void *to, size_t n) {
    for (uint8_t *p = to; n;) {
        uint64_t x = random_u64(r);
        size_t k = n < 8 ? n : 8;
        memcpy(p, &x, k);
        p += k, n -= k;
    }
}
