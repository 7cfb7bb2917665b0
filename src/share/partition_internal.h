/* What the parts of a share partition share. Private to share/. */
#ifndef OTTLA_SHARE_PARTITION_INTERNAL_H
#define OTTLA_SHARE_PARTITION_INTERNAL_H

#include "base/hashmap.h"
#include "share/in_flight.h"
#include "share/partition.h"

/* Somebody who holds locks. Lives while a delivery names it. */
struct share_member {
    struct kstr id; /* owned */
    struct delivery *first;
    int32_t refs; /* deliveries that name it, now or in case a write fails */
};

struct share_partition {
    struct in_flight batches;
    struct heap locks; /* of deliveries, by the ms when they end */
    struct hashmap members;
    /* [start, end]: what is in flight, while there are batches. Without: both are the next offset to fetch.
     */
    int64_t start, end;
    /* While the end is still `gap_end`, that of the state that was loaded: offsets from gap_start on that no
     * batch has were never delivered. */
    bool gap;
    int64_t gap_end, gap_start;
    int32_t complete; /* offsets in flight, from start on, that are final */
    int32_t state_epoch;
    uint32_t last_write;
    bool loaded;
};

/* ---- deliveries (delivery.c) ---- */

struct share_member *share_member_get(struct share_partition *p, struct kstr id);
/* Gives back a reference that was taken by hand (refs++). */
void share_member_put(struct share_partition *p, struct share_member *m);
struct share_member *share_member_find(const struct share_partition *p, struct kstr id);
/* A lock for the member that ends at `until`; the delivery's member must be that or NULL. */
void delivery_lock(struct share_partition *p, struct delivery *d, int64_t until);
void delivery_unlock(struct share_partition *p, struct delivery *d);
/* To another state and holder (NULL: nobody); +1 in `more` counts a delivery. Back to AVAILABLE at the limit
 * becomes ARCHIVED. false: no such transition, nothing happened. */
bool delivery_move(struct share_partition *p, struct delivery *d, enum record_state to, int more,
                   int32_t limit, struct share_member *member);
/* The same, to be undone if the write fails. */
bool delivery_begin(struct share_partition *p, struct delivery *d, enum record_state to, int32_t limit,
                    uint32_t write);
void delivery_end(struct share_partition *p, struct delivery *d, bool ok);
/* Archived for good: its offset has gone from the log, or is of an aborted transaction. */
void delivery_archive(struct share_partition *p, struct delivery *d);
/* An own state for each offset of the batch, with the same lock, or locks for those up to last_locked only
 * (those behind are as before they were acquired). */
void batch_split(struct share_partition *p, struct in_flight_batch *b);
void batch_split_locked(struct share_partition *p, struct in_flight_batch *b, int64_t last_locked,
                        int64_t until);
/* Frees it; what it holds is let go. */
void batch_drop(struct share_partition *p, struct in_flight_batch *b);

/* ---- the window (partition.c) ---- */

bool share_gap_active(const struct share_partition *p);
/* Of [first, last], how many offsets count as in flight. */
int32_t share_counted(const struct share_partition *p, int64_t first, int64_t last);
/* Forgets what is final at the start. true: the start moved. */
bool share_advance(struct share_partition *p);
/* Archives what is in state `from` of [first, last], in batches from the one that has `first` on. true: there
 * was any. */
bool share_archive(struct share_partition *p, int64_t first, int64_t last, enum record_state from,
                   bool count_complete);
static inline bool batch_within(const struct in_flight_batch *b, int64_t first, int64_t last) {
    return b->first >= first && b->last <= last;
}
/* The start lies inside of the batch. */
static inline bool batch_over_start(const struct share_partition *p, const struct in_flight_batch *b) {
    return b->first < p->start && b->last >= p->start;
}

#endif
