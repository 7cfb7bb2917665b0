/* A fetch that waits for more bytes: its place in the replicas that it reads, its time limit, and how it is
 * woken.
 *
 * Owned by the request's network loop. Appending threads only mark it (with a replica's log lock held) and
 * send it to its loop; there `look` is called at the end of a burst, and decides: fetch_wait_end() and
 * answer, or go on waiting. */
#ifndef OTTLA_SERVER_FETCH_WAIT_H
#define OTTLA_SERVER_FETCH_WAIT_H

#include <stdbool.h>
#include <stdint.h>

struct fetch_wait;
struct net;
struct replica;
struct request;

/* Starts to wait on n replicas (each is referenced) until `until` (monotonic ms). The caller then looks once
 * more by itself, since bytes may have come between its reading and this call. */
struct fetch_wait *fetch_wait_begin(struct request *r, struct replica **replicas, int n, int64_t until,
                                    void (*look)(struct request *r, bool expired));
/* Any thread: look again, for another reason than an append. The caller knows that it has not ended. */
void fetch_wait_signal(struct fetch_wait *w);
/* Ends the waiting and frees it. */
void fetch_wait_end(struct fetch_wait *w);
/* For net: the next of the list of woken ones, and the call of `look`. */
struct fetch_wait *fetch_wait_next_woken(const struct fetch_wait *w);
void fetch_wait_look(struct fetch_wait *w);
/* The loop that runs on this thread, or NULL: who wakes its own loop's fetch sends no mail. */
void fetch_wait_this_thread(struct net *n);

#endif
