/* The share partitions of this node: one for each share group and partition that is fetched, with its pure
 * state (share/partition.h), the reading and writing of that state through the share coordinator, and the
 * timer of its locks. Source: SharePartitionManager, SharePartitionCache, DefaultStatePersister.
 *
 * A share partition has a mutex, which is taken before a log's lock and never with another's; its timer runs
 * on the network loop that opened it. Counted: the table holds one reference, each fetch that waits, each
 * write under way and a running timer one more. */
#ifndef OTTLA_SERVER_SHARES_H
#define OTTLA_SERVER_SHARES_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "io/loop.h"
#include "server/share_settings.h"
#include "share/partition.h"

struct fetch_wait;
struct image_delta;
struct net;
struct node;
struct replica;
struct share_sessions;
struct shares;

enum shared_state {
    SHARED_LOADING,
    SHARED_ACTIVE,
    SHARED_FAILED, /* could not be loaded; out of the table, the next fetch tries anew */
    SHARED_FENCED, /* this node leads the partition no more, or the group has gone; out of the table */
};

/* Somebody who wants to know when more may be acquired. */
struct share_waiter {
    struct share_waiter *next, *prev;
    struct fetch_wait *wait;
};

struct shared_partition {
    _Atomic int refs;
    struct shares *shares;
    struct shared_partition *next, *prev; /* of all, under the table's lock */
    struct net *home;
    struct replica *replica; /* a reference */
    struct kstr group;       /* in key, as are the next two */
    struct uuid topic;
    int32_t index, leader_epoch;
    pthread_mutex_t lock; /* of what follows */
    enum shared_state state;
    int16_t error; /* of SHARED_FAILED */
    struct share_partition *core;
    struct share_limits limits; /* as last used */
    struct share_waiter *waiters;
    int64_t armed; /* when the timer fires; INT64_MAX: it does not run */
    bool arming;   /* the mail is on its way */
    struct timer timer;
    struct mail mail;
    size_t key_len;
    char key[];
};

struct shares *shares_create(struct node *n);
/* Before coordinators_quiet: what cannot be written from now on has failed. */
void shares_stop(struct shares *s);
/* After the network loops and the coordinators have ended: who still waits is answered, by letters. */
void shares_settle(struct shares *s);
/* After the last letter was read on all loops. */
void shares_destroy(struct shares *s);
/* Control thread: the metadata changed. */
void shares_apply(struct shares *s, const struct image_delta *delta);
struct share_sessions *shares_sessions(struct shares *s);

/* Each with a reference. get: NULL when it is not open. open: opens and begins to load it; NULL with *error
 * when this node does not lead the partition. Network loop of `home`. */
struct shared_partition *shares_get(struct shares *s, struct kstr group, const struct uuid *topic,
                                    int32_t index);
struct shared_partition *shares_open(struct shares *s, struct net *home, struct kstr group,
                                     const struct uuid *topic, int32_t index, int16_t *error);
void shared_unref(struct shared_partition *p);

void shared_lock(struct shared_partition *p);
void shared_unlock(struct shared_partition *p);
/* [locked] To know of changes; then look once more. */
void shared_wait(struct shared_partition *p, struct share_waiter *w);
void shared_unwait(struct shared_partition *p, struct share_waiter *w);
/* [locked] Something can be acquired that could not before. */
void shared_wake(struct shared_partition *p);
/* [locked] Locks were added or renewed: the timer follows. */
void shared_arm(struct shared_partition *p);
/* [locked] Writes w, which is given up; `done` (may be NULL) is told of the end, on any thread, with 0
 * or the error for the client. A write without batches ends at once, before this returns. */
void shared_write(struct shared_partition *p, struct share_write *w, void (*done)(void *arg, int16_t error),
                  void *arg);

/* A connection has closed; link is freed (NULL: nothing). */
struct share_link;
void shares_disconnected(struct shares *s, struct share_link *link);
/* Ends the member's session and gives back what it has. */
void shares_end_session(struct shares *s, struct kstr group, struct kstr member);

#endif
