/* Transaction markers: written to the partitions of a transaction that has ended. For WriteTxnMarkers, once;
 * for our own transaction coordinator, until they are all written. */
#ifndef OTTLA_SERVER_MARKERS_H
#define OTTLA_SERVER_MARKERS_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/coord.h"

struct codec;
struct loop;
struct markers;
struct node;
struct txn_markers;

/* One marker and where it goes. The owner keeps it until `done`, which may be called at once, and on any
 * thread. */
struct marker_slot {
    struct kstr topic;
    int32_t partition;
    int16_t error; /* of kerr, when done */
    /* private */
    struct marker_write *write;
    struct coord_op op;
    struct coord_marker marker;
};

struct marker_write {
    struct node *node;
    int64_t producer_id, now_ms;
    int32_t coordinator_epoch;
    int16_t epoch, transaction_version;
    bool commit;
    int32_t n;
    struct marker_slot *slots;
    void (*done)(struct marker_write *w);
    void *owner;
    _Atomic int32_t left; /* private */
};

/* Any thread but a network loop within a burst that gathers. __consumer_offsets is written by the group
 * coordinator, which acts upon the marker. */
void marker_write_begin(struct marker_write *w);

/* The transaction coordinator's. Its thread, but for create and destroy. */
struct markers *markers_create(struct node *n, struct loop *loop);
/* What is written comes back to the coordinator as TXN_API_MARKED. Copies. */
void markers_send(struct markers *m, const struct txn_markers *what);
/* Nothing is begun any more. true: nothing is under way, markers_destroy may follow. */
bool markers_stop(struct markers *m);
void markers_destroy(struct markers *m);

#endif
