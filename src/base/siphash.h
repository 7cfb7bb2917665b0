/* SipHash-2-4 with 128 bits of output (Aumasson and Bernstein): a keyed hash. With a key that nobody outside
 * knows, nobody can choose inputs that collide, and two inputs collide by chance once in 2^128. */
#ifndef OTTLA_BASE_SIPHASH_H
#define OTTLA_BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
    uint64_t k[2];
};

/* out[0] and out[1] are the 16 bytes as little-endian numbers. */
void siphash128(const struct siphash_key *key, const void *bytes, size_t n, uint64_t out[2]);

#endif
