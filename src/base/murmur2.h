/* MurmurHash2 as Kafka's default partitioner uses it (org.apache.kafka.common.utils.Utils.murmur2). */
#ifndef OTTLA_BASE_MURMUR2_H
#define OTTLA_BASE_MURMUR2_H

#include <stddef.h>
#include <stdint.h>

uint32_t murmur2(const void *bytes, size_t n);
/* The partition of a key: (hash & 0x7fffffff) mod count. */
static inline int32_t murmur2_partition(const void *key, size_t n, int32_t count) {
    return (int32_t)((murmur2(key, n) & 0x7fffffff) % (uint32_t)count);
}

#endif
