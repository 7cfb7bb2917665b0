/* Which log is cleaned next: of those that may be, the one with the largest part that is dirty
 * (LogCleanerManager.grabFilthiestCompactedLog).
 *
 * A log that is closed is opened to be looked at only when its end has moved since, or when time may have
 * changed the answer (clean_again_ms), so idle logs cost nothing. */
#include "storage/cleaner.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "storage/clean_internal.h"
#include "storage/logdir.h"

struct picking {
    int64_t now_ms;
    struct clean_pick best;
    double max_ratio;
};

static bool is_candidate(const struct log *l, int64_t now_ms) {
    if (l->deleted || l->future || l->cleaning || l->uncleanable || !l->config->cleanup_compact) return false;
    /* One that a crash has left is read by who recovers it, not here. */
    if (!l->on_disk || l->unverified || logdir_is_offline(l->dir)) return false;
    return l->open || l->clean_seen_end != l->end || now_ms >= l->clean_again_ms;
}

/* With the lock. */
static void look(struct picking *p, struct log *l) {
    struct clean_range r;
    bool was_open = l->open != NULL;
    int64_t used = l->last_used;
    if (log_open(l, p->now_ms)) return;
    int err = clean_range(l, p->now_ms, &r);
    if (err) {
        if (err == OE_IO || err == OE_NOSPC) log_failed(l, err, "looking for what to clean");
        return;
    }
    l->clean_seen_end = l->end;
    l->clean_again_ms = r.due ? 0 : r.again_ms;
    if (r.ratio > p->max_ratio) p->max_ratio = r.ratio;
    if (r.delay_ms > p->best.max_delay_ms) p->best.max_delay_ms = r.delay_ms;
    p->best.cleanable += r.due;
    bool better = r.due && (!p->best.log || r.ratio > p->best.ratio);
    if (better) {
        if (p->best.log) logdir_release(p->best.log);
        logdir_hold(l);
        p->best.log = l;
        p->best.first_dirty = r.first_dirty;
        p->best.first_uncleanable = r.first_uncleanable;
        p->best.ratio = r.ratio;
    }
    if (!was_open && !better) log_close_idle(l, p->now_ms);
    if (!was_open) l->last_used = used;
}

static void each(void *to, struct log *l) {
    struct picking *p = to;
    log_lock(l);
    if (is_candidate(l, p->now_ms)) look(p, l);
    log_unlock(l);
}

int cleaner_pick(struct logdir *const *dirs, int n, int64_t now_ms, struct clean_pick *out,
                 double *max_ratio) {
    struct picking p = {.now_ms = now_ms};
    for (int i = 0; i < n; i++)
        if (!logdir_is_offline(dirs[i])) logdir_each(dirs[i], each, &p);
    if (max_ratio) *max_ratio = p.max_ratio;
    *out = p.best;
    if (!out->log) return 0;
    log_lock(out->log);
    bool taken = out->log->cleaning || out->log->deleted;
    if (!taken) out->log->cleaning = true;
    log_unlock(out->log);
    if (!taken) return 1;
    logdir_release(out->log); /* another thread was first, the next round finds another one */
    out->log = NULL;
    return 0;
}

static void count_uncleanable(void *to, struct log *l) {
    log_lock(l);
    *(int *)to += l->uncleanable;
    log_unlock(l);
}

int logdir_uncleanable(struct logdir *d) {
    int n = 0;
    logdir_each(d, count_uncleanable, &n);
    return n;
}
