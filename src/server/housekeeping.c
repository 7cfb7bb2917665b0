/* One timer, on the control loop, at the earliest thing that is due; the work itself is one job on a worker
 * at a time. Nothing is armed while no partition has been written since the last round, so an idle node does
 * not wake up. */
#include "server/housekeeping.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "config/config.h"
#include "io/clock.h"
#include "io/worker.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/control.h"
#include "server/node.h"
#include "storage/log.h"
#include "storage/logdir.h"

enum { IDLE_LOG_MS = 10 * 60 * 1000, FIRST_TICK_MS = 1000, LONG_MS = 60 * 60 * 1000 };

struct housekeeping {
    struct node *node;
    struct timer timer;
    struct mail mail;
    struct job job;
    _Atomic bool wake_posted, due_posted;
    _Atomic int64_t wanted,
        armed; /* wall clock: the earliest that housekeeping_due asked for since; when the timer fires */
    struct mail due_mail;
    bool running, again, stopping;
    int64_t next_retention, next_checkpoint, next_tick; /* wall clock; the job's while it runs */
    int64_t retention_every, checkpoint_every;
    bool recovering, told; /* told: that nothing is left to be recovered */
};

/* ---- the work, on a worker
 * -------------------------------------------------------------------------------------------- */

static void retention(struct node *n, int64_t now) {
    size_t count;
    struct replica **all = replicas_all(n->replicas, &count);
    for (size_t i = 0; i < count; i++) {
        struct replica *p = all[i];
        log_lock(p->log);
        if (!p->deleted && !log_is_offline(p->log) &&
            (log_config(p->log)->cleanup_delete || log_is_open(p->log)))
            log_retention(p->log, now);
        if (log_is_open(p->log)) log_expire_producers(p->log, now);
        log_unlock(p->log);
        replica_unref(p);
    }
    free(all);
}

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static void work(struct job *j) {
    struct housekeeping *h = (struct housekeeping *)((char *)j - offsetof(struct housekeeping, job));
    struct node *n = h->node;
    int64_t now = clock_wall_ms();
    h->next_tick = INT64_MAX;
    if (now >= h->next_retention) {
        retention(n, now);
        h->next_retention = now + h->retention_every;
    }
    bool checkpoint = now >= h->next_checkpoint;
    if (checkpoint) h->next_checkpoint = now + h->checkpoint_every;
    h->recovering = false;
    for (int i = 0; i < n->logdirs_n; i++) {
        if (logdir_is_offline(n->logdirs[i])) continue;
        h->recovering |= logdir_recover_one(n->logdirs[i], now);
        if (checkpoint) logdir_checkpoint(n->logdirs[i]);
        h->next_tick = least(h->next_tick, logdir_tick(n->logdirs[i], now, now - IDLE_LOG_MS));
    }
}

/* ---- when; on the control loop
 * ---------------------------------------------------------------------------------------- */

static void arm(struct housekeeping *h) {
    int64_t now = clock_wall_ms(), due = least(least(h->next_retention, h->next_checkpoint), h->next_tick);
    due = least(due, atomic_exchange(&h->wanted, INT64_MAX));
    if (h->recovering) due = now;
    int64_t in = due > now ? due - now : 0;
    atomic_store(&h->armed, due);
    h->next_tick = least(h->next_tick, due); /* should it be armed anew before then */
    loop_timer_set(h->node->control->loop, &h->timer, clock_mono_ms() + (in < LONG_MS ? in : LONG_MS));
}

static void run(struct housekeeping *h) {
    if (h->stopping) return;
    if (h->running) {
        h->again = true;
        return;
    }
    h->running = true;
    workers_submit(h->node->workers, &h->job);
}

static void on_done(struct mail *m) {
    struct housekeeping *h =
        (struct housekeeping *)((char *)m - offsetof(struct housekeeping, job) - offsetof(struct job, mail));
    h->running = false;
    if (!h->recovering && !h->told && !h->stopping) control_recovered(h->node->control);
    h->told |= !h->recovering;
    if (h->again) {
        h->again = false;
        run(h);
    } else if (!h->stopping)
        arm(h);
}

static void on_timer(struct timer *t) {
    run((struct housekeeping *)((char *)t - offsetof(struct housekeeping, timer)));
}

static void on_wake(struct mail *m) {
    struct housekeeping *h = (struct housekeeping *)((char *)m - offsetof(struct housekeeping, mail));
    atomic_store(&h->wake_posted, false);
    run(h);
}

static void on_due_mail(struct mail *m) {
    struct housekeeping *h = (struct housekeeping *)((char *)m - offsetof(struct housekeeping, due_mail));
    atomic_store(&h->due_posted, false);
    if (!h->running && !h->stopping) arm(h); /* a job that runs arms when it is done */
}

void housekeeping_due(struct housekeeping *h, int64_t at) {
    int64_t wanted = atomic_load(&h->wanted);
    while (at < wanted && !atomic_compare_exchange_weak(&h->wanted, &wanted, at))
        ;
    if (at < atomic_load(&h->armed) && !atomic_exchange(&h->due_posted, true))
        loop_post(h->node->control->loop, &h->due_mail);
}

void housekeeping_wake(struct housekeeping *h) {
    if (!atomic_exchange(&h->wake_posted, true)) loop_post(h->node->control->loop, &h->mail);
}

struct housekeeping *housekeeping_start(struct node *n) {
    struct housekeeping *h = xcalloc(1, sizeof *h);
    int64_t now = clock_wall_ms();
    h->node = n;
    h->timer.on_due = on_timer;
    h->mail.deliver = on_wake;
    h->due_mail.deliver = on_due_mail;
    atomic_init(&h->wanted, INT64_MAX);
    h->job = (struct job){.work = work, .reply_to = n->control->loop, .mail.deliver = on_done};
    h->retention_every = config_int(n->config, CFG_LOG_RETENTION_CHECK_INTERVAL_MS);
    h->checkpoint_every = config_int(n->config, CFG_LOG_FLUSH_OFFSET_CHECKPOINT_INTERVAL_MS);
    h->next_retention = now + config_int(n->config, CFG_LOG_INITIAL_TASK_DELAY_MS);
    h->next_checkpoint = now + h->checkpoint_every;
    h->next_tick = now + FIRST_TICK_MS;
    h->recovering = true;
    arm(h);
    return h;
}

void housekeeping_stop(struct housekeeping *h) {
    h->stopping = true;
    loop_timer_cancel(h->node->control->loop, &h->timer);
}

void housekeeping_destroy(struct housekeeping *h) { free(h); }
