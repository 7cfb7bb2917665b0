/* The shard's timers live in what they belong to; the shard keeps them in one heap. Private to group/. */
#ifndef OTTLA_GROUP_TIMER_H
#define OTTLA_GROUP_TIMER_H

#include "base/heap.h"

struct group_shard;

enum group_timer_kind {
    TIMER_SESSION,      /* a member has not been heard of; owner: classic_member */
    TIMER_PENDING,      /* an id was given out and not used; owner: classic_pending */
    TIMER_INITIAL_JOIN, /* the initial rebalance's delay is over; owner: classic */
    TIMER_JOIN,         /* the members had the time to rejoin; owner: classic */
    TIMER_SYNC,         /* the members had the time to send SyncGroup; owner: classic */
    /* Of a member of a modern group; owner: member_timers. */
    TIMER_MEMBER_SESSION,
    TIMER_MEMBER_REBALANCE,
    TIMER_MEMBER_JOIN,
    TIMER_MEMBER_SYNC,
    TIMER_EXPIRE, /* look for expired offsets; owner: group_shard */
};

struct group_timer {
    struct heap_node node; /* key: monotonic ms */
    enum group_timer_kind kind;
};

/* Sets or moves. */
void group_timer_set(struct group_shard *s, struct group_timer *t, enum group_timer_kind kind, int64_t at_ms);
void group_timer_cancel(struct group_shard *s, struct group_timer *t); /* also when it is not set */

#endif
