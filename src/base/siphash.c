#include "base/siphash.h"

#include <endian.h>
#include <string.h>

struct state {
    uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int b) { return (x << b) | (x >> (64 - b)); }

static inline void rounds(struct state *s, int n) {
    while (n--) {
        s->v0 += s->v1;
        s->v2 += s->v3;
        s->v1 = rotl(s->v1, 13) ^ s->v0;
        s->v3 = rotl(s->v3, 16) ^ s->v2;
        s->v0 = rotl(s->v0, 32);
        s->v2 += s->v1;
        s->v0 += s->v3;
        s->v1 = rotl(s->v1, 17) ^ s->v2;
        s->v3 = rotl(s->v3, 21) ^ s->v0;
        s->v2 = rotl(s->v2, 32);
    }
}

static inline void absorb(struct state *s, uint64_t word) {
    s->v3 ^= word;
    rounds(s, 2);
    s->v0 ^= word;
}

void siphash128(const struct siphash_key *key, const void *bytes, size_t n, uint64_t out[2]) {
    struct state s = {key->k[0] ^ 0x736f6d6570736575, key->k[1] ^ 0x646f72616e646f6d ^ 0xee,
                      key->k[0] ^ 0x6c7967656e657261, key->k[1] ^ 0x7465646279746573};
    const uint8_t *p = bytes;
    uint64_t word;
    size_t left = n;
    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        absorb(&s, le64toh(word));
    }
    word = (uint64_t)n << 56;
    for (size_t i = 0; i < left; i++) word |= (uint64_t)p[i] << (8 * i);
    absorb(&s, word);
    s.v2 ^= 0xee;
    rounds(&s, 4);
    out[0] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
    s.v1 ^= 0xdd;
    rounds(&s, 4);
    out[1] = s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
