/* The records of a share partition that are on their way: batches of neighbouring offsets, ordered, each with
 * one state for all of its offsets or, once they went different ways, one for each. Private to share/.
 * Source: InFlightBatch, InFlightState, and the map of SharePartition.
 *
 * What costs: everything here takes O(log n) of batches and offsets, but for splitting a batch, which is paid
 * once for each of its offsets. */
#ifndef OTTLA_SHARE_IN_FLIGHT_H
#define OTTLA_SHARE_IN_FLIGHT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bitset.h"
#include "base/heap.h"
#include "share/state_batch.h"

struct share_member;

enum { DELIVERY_COUNTS = 33 }; /* what is counted apart; higher ones together with the last */

/* The state of an offset, or of a whole batch. */
struct delivery {
    struct heap_node lock; /* in the partition's heap while somebody holds it */
    struct in_flight_batch *batch;
    struct delivery *next, *prev;    /* of the holder's */
    struct share_member *member;     /* who has acquired it; NULL: nobody */
    struct share_member *was_member; /* of before the write, like those behind it */
    uint32_t write;                  /* the write under way that changes it; 0: none */
    int16_t count;                   /* of deliveries */
    int16_t was_limit;
    uint8_t state, was; /* enum record_state */
    bool lock_ended;    /* its time ran out while a write was under way */
    bool archived;      /* for good, whatever becomes of a write */
};

struct in_flight_batch {
    struct in_flight_batch *left, *right, *parent;
    uint64_t priority;
    int64_t first, last;
    bool open, open_below; /* has something available; has it or a batch in the tree below */
    uint32_t settled;      /* so many of the first offsets are final */
    struct delivery whole; /* while offsets == NULL */
    struct delivery *offsets;
    struct bitset available;                      /* of the offsets */
    uint32_t available_by_count[DELIVERY_COUNTS]; /* how many of them with which count */
};

struct in_flight {
    struct in_flight_batch *root;
    size_t count;
};

/* The batch that begins at or before the offset; the next that begins behind it; NULL: there is none. */
struct in_flight_batch *in_flight_floor(const struct in_flight *f, int64_t offset);
struct in_flight_batch *in_flight_above(const struct in_flight *f, int64_t offset);
struct in_flight_batch *in_flight_first(const struct in_flight *f);
struct in_flight_batch *in_flight_last(const struct in_flight *f);
struct in_flight_batch *in_flight_next(const struct in_flight_batch *b);
struct in_flight_batch *in_flight_prev(const struct in_flight_batch *b);
/* The first batch with something available that begins at `from` or behind. */
struct in_flight_batch *in_flight_open_from(const struct in_flight *f, int64_t from);

/* A new batch, with `whole` all zero; no batch overlaps it. */
struct in_flight_batch *in_flight_insert(struct in_flight *f, int64_t first, int64_t last);
/* Takes it out and frees it; no lock, member or write may point into it. */
void in_flight_remove(struct in_flight *f, struct in_flight_batch *b);
/* Room for a state an offset, copied from the whole (not its lock, member or write, which are the caller's to
 * move). */
void in_flight_split(struct in_flight_batch *b);

static inline uint32_t in_flight_size(const struct in_flight_batch *b) {
    return (uint32_t)(b->last - b->first + 1);
}
static inline bool delivery_available(const struct delivery *d) {
    return d->state == RECORD_AVAILABLE && !d->write;
}
static inline struct delivery *in_flight_at(struct in_flight_batch *b, int64_t offset) {
    return b->offsets ? &b->offsets[offset - b->first] : &b->whole;
}
/* The offsets that a state speaks of. */
void delivery_range(const struct delivery *d, int64_t *first, int64_t *last);

/* Around every change of state, write or count: in_flight_before(d); …; in_flight_after(d). */
void in_flight_before(struct delivery *d);
void in_flight_after(struct delivery *d);
/* The smallest available offset from `from` on within the batch, or −1. */
int64_t in_flight_available(const struct in_flight_batch *b, int64_t from);
/* The highest delivery count of what is available within [first, last], or −1. */
int in_flight_highest(const struct in_flight_batch *b, int64_t first, int64_t last);

#endif
