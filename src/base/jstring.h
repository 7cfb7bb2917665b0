/* What Java says of a string that we hold as UTF-8: its length in UTF-16 units and its hash code. Both are
 * part of Kafka's behaviour (partition of a group, limit on offset metadata). Invalid bytes count as U+FFFD,
 * as in Java's decoder. */
#ifndef OTTLA_BASE_JSTRING_H
#define OTTLA_BASE_JSTRING_H

#include <stddef.h>
#include <stdint.h>

/* String.length(). */
int64_t jstring_length(const char *s, size_t n);
/* String.hashCode(). */
int32_t jstring_hash(const char *s, size_t n);
/* org.apache.kafka.common.utils.Utils.abs(hashCode()) % count: the partition of an internal topic that owns
 * the key. */
int32_t jstring_partition(const char *s, size_t n, int32_t count);

#endif
