/* This node's replica of one partition: its log, who waits for it, and the flushes that its producers wait
 * for.
 *
 * The log's lock (log_lock) protects everything here but the immutable identity. A replica is counted: the
 * table of replicas holds one reference, every waiter and running flush one more; a network loop that has
 * looked one up may use it without a reference until the end of its burst (replicas.c frees only after each
 * loop has passed a burst's end). */
#ifndef OTTLA_REPLICA_REPLICA_H
#define OTTLA_REPLICA_REPLICA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "io/worker.h"
#include "metrics/counter.h"

struct log;
struct replica;
struct replica_topic;

/* Somebody who wants to know when more can be read. `wake` is called with the log's lock held, on the thread
 * that wrote; it must be quick and must not unlink itself. */
struct waiter {
    struct waiter *next, *prev;
    void (*wake)(struct waiter *w);
};

/* Somebody who waits until the log is on the disk up to an offset. `flushed` is called on a worker thread
 * without locks. */
struct flush_waiter {
    struct flush_waiter *next;
    void (*flushed)(struct flush_waiter *f, int err);
};

struct replica {
    _Atomic int refs;
    int32_t index;
    struct replica_topic *topic;
    struct log *log;
    int32_t leader_epoch; /* under the log's lock, like the two behind it */
    int32_t replicas_n, isr_n;
    struct counter bytes_in, messages_in; /* likewise: what was written while the node measures */
    _Atomic int64_t bytes_out;            /* what fetches were answered with */
    bool deleted;                         /* under the log's lock: the topic is gone */
    bool flushing;                        /* a flush job is running */
    _Atomic bool recovering;              /* a job opens the log */
    _Atomic bool moving; /* to another directory: who moves it tells the controller where it is */
    struct waiter *waiters;
    struct flush_waiter *flush_next, *flush_now; /* wait for the next job; for the running one */
    struct job flush_job, recover_job;
    struct workers *workers;
    void (*release_log)(void *arg, struct log *log); /* with the last reference, when it was deleted */
    void *release_arg;
};

struct replica *replica_ref(struct replica *p);
void replica_unref(struct replica *p);

/* Any thread, without the log's lock: must the log be recovered first, which takes too long for a network
 * loop? Then a worker does it. Whoever asks comes back later, and until then does not take the log's lock. */
bool replica_recovers(struct replica *p);

/* The rest: with the log's lock held. */
/* Opens the log if it is not open, and takes its end as the high watermark, which a leader without followers
 * may, and as the start of the leader's epoch. 0 or what log_open returns. Before any offset of the log is
 * asked for. */
int replica_open(struct replica *p, int64_t now_ms);
void replica_wait(struct replica *p, struct waiter *w);
void replica_unwait(struct replica *p, struct waiter *w);
/* The log's readable end (high watermark, last stable offset) or start moved, or the replica is gone: wakes
 * all. */
void replica_wake(struct replica *p);
/* After an append without a wish to wait for the disk: the high watermark follows the log end (the ISR is
 * this node). */
void replica_advance(struct replica *p);
/* Are enough replicas in sync for acks=all? More than there are at all are never asked for
 * (Partition.effectiveMinIsr). */
bool replica_enough_in_sync(const struct replica *p);
/* After an append that must be on the disk first: when it is, the high watermark follows and f is told.
 * Appends that come while a flush runs share the next one. */
void replica_flush(struct replica *p, struct flush_waiter *f);

#endif
