/* A seeded random generator (xoshiro256**): what is random is replayed from its seed. One owner. */
#ifndef OTTLA_BASE_RANDOM_H
#define OTTLA_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t s[4];
};

void random_seed(struct random *r, uint64_t seed);
uint64_t random_u64(struct random *r);
/* Evenly in [0, n); n > 0. */
uint64_t random_below(struct random *r, uint64_t n);
void random_bytes(struct random *r, void *to, size_t n);

#endif
