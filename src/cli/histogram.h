/* Latencies of a benchmark: buckets of at most 1/64 of their value, from 1 to 2^40 (microseconds, say). */
#ifndef OTTLA_CLI_HISTOGRAM_H
#define OTTLA_CLI_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_SUB = 64, HISTOGRAM_SLOTS = HISTOGRAM_SUB * 36 };

struct histogram {
    uint64_t count, slots[HISTOGRAM_SLOTS];
    int64_t max, sum;
};

void histogram_add(struct histogram *h, int64_t v);
/* The value that `part` (0 to 1) of all are not above, up to the width of its bucket; 0 when empty. */
int64_t histogram_at(const struct histogram *h, double part);

#endif
