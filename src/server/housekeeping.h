/* What a node does from time to time, on workers: retention (log.retention.check.interval.ms), checkpoints
 * (log.flush.offset.checkpoint.interval.ms), deletion of files that are due, closing of idle logs, flushes by
 * time (flush.ms), recovery of logs that nobody has used yet after a crash. Its timers live on the control
 * loop and are only set while there is something to wait for. */
#ifndef OTTLA_SERVER_HOUSEKEEPING_H
#define OTTLA_SERVER_HOUSEKEEPING_H

#include <stdint.h>

struct housekeeping;
struct logdir;
struct node;

struct housekeeping *housekeeping_start(struct node *n);
/* Any thread: something was deleted or is to be settled anew: a round begins, which looks at every log. Not
 * for writes: they have housekeeping_due. */
void housekeeping_wake(struct housekeeping *h);
/* Any thread: a log wants to be flushed at `at` (wall clock), perhaps earlier than anything else that waits
 * (flush.ms). */
void housekeeping_due(struct housekeeping *h, int64_t at);
/* After the control loop has ended: no job begins any more. */
void housekeeping_stop(struct housekeeping *h);
/* After the workers have ended too. */
void housekeeping_destroy(struct housekeeping *h);

#endif
