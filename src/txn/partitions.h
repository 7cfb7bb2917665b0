/* A set of topic partitions: what belongs to a transaction. Topics by name, partitions ascending. Owns its
 * memory. Private to txn/, but for reading. */
#ifndef OTTLA_TXN_PARTITIONS_H
#define OTTLA_TXN_PARTITIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/types.h"

struct txn_topic {
    struct kstr name; /* owned */
    int32_t *partitions;
    int32_t n, cap;
};

struct txn_partitions {
    struct txn_topic *topics;
    int32_t n, cap;
};

void txn_partitions_free(struct txn_partitions *s); /* leaves an empty set */
struct txn_partitions txn_partitions_copy(const struct txn_partitions *s);
void txn_partitions_add(struct txn_partitions *s, struct kstr topic, int32_t partition);
void txn_partitions_remove(struct txn_partitions *s, struct kstr topic, int32_t partition);
bool txn_partitions_has(const struct txn_partitions *s, struct kstr topic, int32_t partition);
bool txn_partitions_equal(const struct txn_partitions *a, const struct txn_partitions *b);
/* Is all of b in a? */
bool txn_partitions_include(const struct txn_partitions *a, const struct txn_partitions *b);
static inline bool txn_partitions_empty(const struct txn_partitions *s) { return s->n == 0; }
int32_t txn_partitions_count(const struct txn_partitions *s);

#endif
