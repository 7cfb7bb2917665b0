/* Group commit: one flush job of a replica runs at a time. Whoever comes while it runs waits for the next
 * one, which covers all of them: n concurrent appends cost at most two fdatasync(). */
#include "replica/replica.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "io/clock.h"
#include "replica/replicas.h"
#include "storage/log.h"

struct replica *replica_ref(struct replica *p) {
    int before = atomic_fetch_add(&p->refs, 1);
    ASSERT(before > 0);
    return p;
}

void replica_unref(struct replica *p) {
    int before = atomic_fetch_sub(&p->refs, 1);
    ASSERT(before > 0);
    if (before > 1) return;
    ASSERT(!p->waiters && !p->flush_next && !p->flush_now);
    if (p->deleted) p->release_log(p->release_arg, p->log);
    replica_topic_unref(p->topic);
    free(p);
}

int replica_open(struct replica *p, int64_t now_ms) {
    if (log_is_open(p->log)) return log_is_offline(p->log) ? OE_OFFLINE : 0;
    int err = log_open(p->log, now_ms);
    if (err) return err;
    log_set_high_watermark(p->log, log_end_offset(p->log));
    if (log_latest_epoch(p->log) < p->leader_epoch) log_assign_epoch(p->log, p->leader_epoch);
    return 0;
}

static void recover(struct job *j) { /* on a worker */
    struct replica *p = (struct replica *)((char *)j - offsetof(struct replica, recover_job));
    log_lock(p->log);
    if (!p->deleted) replica_open(p, clock_wall_ms()); /* a failure takes the directory offline */
    log_unlock(p->log);
    atomic_store(&p->recovering, false);
    replica_unref(p);
}

bool replica_recovers(struct replica *p) {
    if (!log_must_be_read(p->log) || log_is_offline(p->log)) return false;
    if (atomic_exchange(&p->recovering, true)) return true;
    p->recover_job = (struct job){.work = recover};
    replica_ref(p);
    workers_submit(p->workers, &p->recover_job);
    return true;
}

void replica_wait(struct replica *p, struct waiter *w) {
    w->prev = NULL;
    w->next = p->waiters;
    if (w->next) w->next->prev = w;
    p->waiters = w;
}

void replica_unwait(struct replica *p, struct waiter *w) {
    if (w->prev)
        w->prev->next = w->next;
    else {
        ASSERT(p->waiters == w);
        p->waiters = w->next;
    }
    if (w->next) w->next->prev = w->prev;
    w->next = w->prev = NULL;
}

void replica_wake(struct replica *p) {
    for (struct waiter *w = p->waiters; w; w = w->next) w->wake(w);
}

void replica_advance(struct replica *p) {
    log_set_high_watermark(p->log, log_end_offset(p->log));
    replica_wake(p);
}

bool replica_enough_in_sync(const struct replica *p) {
    int32_t wanted = log_config(p->log)->min_insync_replicas;
    return p->isr_n >= (wanted < p->replicas_n ? wanted : p->replicas_n);
}

static void run_flush(struct job *j) { /* on a worker */
    struct replica *p = (struct replica *)((char *)j - offsetof(struct replica, flush_job));
    int err = log_flush(p->log, clock_wall_ms());
    log_lock(p->log);
    struct flush_waiter *done = p->flush_now;
    if (!err && log_flushed_offset(p->log) > log_high_watermark(p->log)) {
        log_set_high_watermark(p->log, log_flushed_offset(p->log));
        replica_wake(p);
    }
    p->flush_now = p->flush_next;
    p->flush_next = NULL;
    p->flushing = p->flush_now != NULL;
    bool again = p->flushing;
    log_unlock(p->log);
    for (struct flush_waiter *f = done, *next; f; f = next) {
        next = f->next;
        f->flushed(f, err);
    }
    if (again)
        workers_submit(p->workers, &p->flush_job); /* with the same reference */
    else
        replica_unref(p);
}

void replica_flush(struct replica *p, struct flush_waiter *f) {
    struct flush_waiter **list = p->flushing ? &p->flush_next : &p->flush_now;
    f->next = *list;
    *list = f;
    if (p->flushing) return;
    p->flushing = true;
    p->flush_job = (struct job){.work = run_flush};
    replica_ref(p);
    workers_submit(p->workers, &p->flush_job);
}
