/* Threads for what blocks: fsync, recovery, deletion of files. Jobs run in any order; each says on which loop
 * it ends. A thread is started when a job waits and all others are busy, up to a maximum, and ends when it
 * has been idle for long. */
#ifndef OTTLA_IO_WORKER_H
#define OTTLA_IO_WORKER_H

#include "io/loop.h"

struct workers;

/* A job's place in its owner. `work` runs on a worker; then `mail` is posted to `reply_to` (when that is not
 * NULL). */
struct job {
    void (*work)(struct job *j);
    struct loop *reply_to;
    struct mail mail;
    struct job *next;
};

struct workers *workers_create(int max_threads);
/* Any thread. */
void workers_submit(struct workers *w, struct job *j);
/* Waits for all submitted jobs and those that they submit, then ends the threads. */
void workers_destroy(struct workers *w);

#endif
