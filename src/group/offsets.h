/* Committed offsets: of each group by topic and partition, and those of open transactions by producer.
 * Private to group/. Changed by replay only. Source: OffsetMetadataManager's Offsets and OpenTransactions.
 *
 * An offset of an open transaction is pending: it is held under its producer id until the transaction's
 * marker, and the group's `open` says which partitions have any, so that a fetch that requires stable offsets
 * can refuse them. */
#ifndef OTTLA_GROUP_OFFSETS_H
#define OTTLA_GROUP_OFFSETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hashmap.h"
#include "base/uuid.h"
#include "wire/types.h"

struct committed {
    int64_t offset, commit_ms, expire_ms; /* expire_ms -1: by the broker's retention */
    int64_t record_offset;                /* of the record in __consumer_offsets */
    int32_t partition, leader_epoch;      /* -1: none */
    struct uuid topic_id;                 /* zero: not known */
    struct kstr metadata;                 /* owned by the store's copy */
};

struct topic_offsets {
    struct kstr name;          /* owned */
    struct hashmap partitions; /* int32_t partition → struct committed */
};

/* Of one group. */
struct offsets {
    struct hashmap topics; /* name → struct topic_offsets */
    struct hashmap open;   /* partition and topic → struct open_partition */
};

/* Producers with a pending offset for a partition. */
struct open_partition {
    int32_t partition;
    int32_t producers_n;
    int64_t *producers;
    uint32_t key_len;
    uint8_t key[]; /* partition, topic */
};

/* All pending offsets of a shard. */
struct pending_offsets {
    struct hashmap producers; /* int64_t producer id → struct producer_offsets */
};

void offsets_init(struct offsets *o, uint64_t seed);
void offsets_free(struct offsets *o);
bool offsets_is_empty(const struct offsets *o); /* neither committed nor pending */
struct topic_offsets *offsets_topic(const struct offsets *o, struct kstr topic);
struct committed *offsets_get(const struct offsets *o, struct kstr topic, int32_t partition);
struct committed *topic_offsets_get(const struct topic_offsets *t, int32_t partition);
/* Copies; true if it is new. */
bool offsets_put(struct offsets *o, struct kstr topic, const struct committed *value);
bool offsets_remove(struct offsets *o, struct kstr topic, int32_t partition); /* true if it was there */
bool offsets_has_open(const struct offsets *o, struct kstr topic, int32_t partition);
struct kstr open_partition_topic(const struct open_partition *p);

void pending_offsets_init(struct pending_offsets *p, uint64_t seed);
void pending_offsets_free(struct pending_offsets *p);
/* group: its id, copied. */
void pending_offsets_put(struct pending_offsets *p, int64_t producer_id, struct kstr group, struct offsets *o,
                         struct kstr topic, const struct committed *value);
/* A tombstone ends what is pending for the partition, too. */
void pending_offsets_drop(struct pending_offsets *p, struct kstr group, struct offsets *o, struct kstr topic,
                          int32_t partition);
/* The transaction of the producer ends. For each pending offset `each` is called, which finds the group. */
struct pending_offset {
    struct kstr group, topic;
    struct committed value;
};
void pending_offsets_end(struct pending_offsets *p, int64_t producer_id,
                         void (*each)(void *ctx, const struct pending_offset *offset), void *ctx);
void offsets_close(struct offsets *o, struct kstr topic, int32_t partition, int64_t producer_id);

#endif
