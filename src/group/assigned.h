/* A set of partitions by topic, each with an epoch: what a member is assigned, gives up or should get.
 * Immutable once made; NULL is the empty set. Topics are in order of their ids, partitions ascending.
 * Private to group/. Source: the Map<Uuid, Map<Integer, Integer>> of ConsumerGroupMember, and Assignment. */
#ifndef OTTLA_GROUP_ASSIGNED_H
#define OTTLA_GROUP_ASSIGNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

struct arena;

struct assigned_topic {
    struct uuid id;
    int32_t n;
    int32_t *partitions, *epochs; /* n each */
};

struct assigned {
    bool owned;       /* on the heap; else in an arena */
    int32_t topics_n; /* at least one */
    int64_t partitions_n;
    struct assigned_topic topics[];
};

/* Collects partitions in any order; of two with the same topic and number the later counts. The arena holds
 * what is collected, and the set if it is finished there. */
struct assigned_builder {
    struct arena *arena;
    struct assigned_item {
        struct uuid id;
        int32_t partition, epoch;
        uint32_t order;
    } * items;
    uint32_t n, cap;
    bool failed; /* no memory */
};

static inline struct assigned_builder assigned_begin(struct arena *a) {
    return (struct assigned_builder){.arena = a};
}
void assigned_add(struct assigned_builder *b, const struct uuid *id, int32_t partition, int32_t epoch);
/* All of a topic. epochs NULL: `epoch` for each. */
void assigned_add_topic(struct assigned_builder *b, const struct uuid *id, const int32_t *partitions,
                        int32_t n, const int32_t *epochs, int32_t epoch);
void assigned_add_all(struct assigned_builder *b, const struct assigned *a);
/* owned: on the heap and the caller's, else in the arena. NULL: empty, or
 * b->failed. */
struct assigned *assigned_finish(struct assigned_builder *b, bool owned);

void assigned_free(struct assigned *a);
/* The same partitions; with_epochs: at the same epochs. */
bool assigned_equal(const struct assigned *a, const struct assigned *b, bool with_epochs);
const struct assigned_topic *assigned_topic(const struct assigned *a, const struct uuid *id);
/* The epoch of a partition of the topic (which may be NULL), or NULL. */
const int32_t *assigned_topic_get(const struct assigned_topic *t, int32_t partition);
static inline const int32_t *assigned_get(const struct assigned *a, const struct uuid *id,
                                          int32_t partition) {
    return assigned_topic_get(assigned_topic(a, id), partition);
}
static inline int32_t assigned_topics(const struct assigned *a) { return a ? a->topics_n : 0; }

#endif
