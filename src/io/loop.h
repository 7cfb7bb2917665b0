/* An event loop: one thread, its descriptors, timers and mailbox.
 *
 * Everything here is called on the loop's own thread, except loop_post() and loop_stop(), which any thread
 * may call. An iteration: wait → descriptors → due timers → mail → the end function. A loop without work
 * sleeps without a time limit: idle costs nothing. */
#ifndef OTTLA_IO_LOOP_H
#define OTTLA_IO_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/heap.h"

struct loop;

/* A descriptor's place in its owner. `on_events` gets the bits LOOP_READ, LOOP_WRITE, LOOP_HANGUP. */
enum { LOOP_READ = 1, LOOP_WRITE = 4, LOOP_HANGUP = 8 | 16 };
struct loop_fd {
    void (*on_events)(struct loop_fd *f, uint32_t events);
    int fd;
};

/* A timer's place in its owner; it fires once. node.key is the monotonic millisecond. */
struct timer {
    struct heap_node node;
    void (*on_due)(struct timer *t);
};

/* A message's place in its owner; the sender gives it up until `deliver` is called on the loop's thread. */
struct mail {
    struct mail *next;
    void (*deliver)(struct mail *m);
};

struct loop *loop_create(void);
void loop_destroy(struct loop *l);
/* Runs until loop_stop(). */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
/* Called at the end of each iteration, after the mail. */
void loop_at_end(struct loop *l, void (*end)(void *arg), void *arg);
/* Milliseconds: monotonic and wall clock, read once an iteration. */
int64_t loop_now(const struct loop *l);
int64_t loop_wall(const struct loop *l);

/* 0 or OE_IO. The owner removes the descriptor before it closes it; it may do so inside any callback. */
int loop_add(struct loop *l, struct loop_fd *f, uint32_t events);
void loop_change(struct loop *l, struct loop_fd *f, uint32_t events);
void loop_remove(struct loop *l, struct loop_fd *f);

/* Sets or moves; at: monotonic ms. */
void loop_timer_set(struct loop *l, struct timer *t, int64_t at);
void loop_timer_cancel(struct loop *l, struct timer *t); /* also when it is not set */

/* Any thread. In the order of posting for each sender. */
void loop_post(struct loop *l, struct mail *m);
/* Any thread, when the loop has ended: delivers what was posted after its end. false: there was nothing. */
bool loop_deliver(struct loop *l);

#endif
