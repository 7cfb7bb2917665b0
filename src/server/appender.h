/* Gathers the batches that one burst of a network loop appends, so that batches for one partition are written
 * together.
 *
 * From the first batch until appender_flush() the replica's log lock is held; only one replica gathers at a
 * time, and a batch for another one writes the first. Nothing blocks in between but the write to the page
 * cache. Network loop only. */
#ifndef OTTLA_SERVER_APPENDER_H
#define OTTLA_SERVER_APPENDER_H

#include <stdbool.h>

struct net;
struct replica;
struct request;

enum { APPENDER_SLOTS = 64 };

/* Told for each batch once it is written: err 0, or what the write failed with. must_flush: it has to reach
 * the disk before it is acknowledged (flush.messages); the listener then calls replica_flush by itself. The
 * log's lock is held. */
struct append_listener {
    void (*written)(struct append_listener *l, struct replica *p, int err, bool must_flush);
};

struct appender {
    struct net *net;
    struct replica *replica; /* gathering, its log is locked; NULL: nothing is gathered */
    int count;
    struct append_listener *slots[APPENDER_SLOTS];
};

void appender_init(struct appender *a, struct net *n);
/* Makes p the replica that gathers, and locks its log. */
void appender_begin(struct appender *a, struct replica *p);
/* After a batch was queued with log_append on the gathering replica. */
void appender_add(struct appender *a, struct append_listener *l);
/* Writes what is gathered, tells the listeners, wakes who waits for records, unlocks. Nothing gathered:
 * nothing done. */
void appender_flush(struct appender *a);

#endif
