/* Making appends durable. One flush runs at a time for a log; whoever comes meanwhile waits for it and, when
 * it began too early to cover him, one of those who wait runs the next for all of them. The fsyncs run
 * without the log's lock.
 *
 * A flush covers, in this order: the .log of every segment that reaches above the recovery point, the indexes
 * and snapshots of those that are not active any more, epochs, and the names in the directory. Then the
 * recovery point moves: below it everything, indexes included, may be believed after a power cut (recover.c),
 * except in the segment with the record before it, and later ones, which are read. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/log_internal.h"
#include "storage/logdir.h"

struct work {
    struct file **files;
    int count, cap;
    int64_t target;
    bool dir;
    char path[LOG_PATH];
};

static void add(struct work *w, struct file *f) {
    if (w->count == w->cap) {
        w->cap = w->cap ? 2 * w->cap : 4;
        w->files = xrealloc(w->files, (size_t)w->cap * sizeof *w->files);
    }
    w->files[w->count++] = f;
}

static int add_path(struct log *l, struct work *w, int64_t base, const char *suffix) {
    char path[LOG_PATH];
    struct file *f;
    log_file_path(l, base, suffix, path);
    int err = fs_open(log_fs(l), path, FS_WRITE, &f);
    if (!err) add(w, f);
    return err == OE_NOTFOUND ? 0 : err;
}

static int add_segment(struct log *l, struct work *w, struct segment *s, bool active) {
    int err = segment_open(l, s, active);
    if (err) return err;
    add(w, file_ref(s->file));
    if (s->has_aborts && (err = add_path(l, w, s->base, ".txnindex"))) return err;
    if (active) return 0;
    if ((err = add_path(l, w, s->base, ".index"))) return err;
    return add_path(l, w, s->base, ".timeindex");
}

/* With the lock: what is to be synced. */
static int collect(struct log *l, struct work *w) {
    struct log_open *o = l->open;
    int err = epochs_write(&o->epochs, log_fs(l), w->path, true);
    if (err) return err;
    /* −1: a segment that ended at the recovery point may have been finished since. */
    struct segment *first = o->count ? log_floor(l, l->recovery_point - 1) : NULL;
    if (!first && o->count) first = o->segments;
    for (struct segment *s = first; s && s < o->segments + o->count; s++) {
        bool active = s == log_active(l);
        if ((err = add_segment(l, w, s, active))) return err;
        if (s->base > l->recovery_point && producers_has_snapshot(&o->producers, s->base) &&
            (err = add_path(l, w, s->base, ".snapshot")))
            return err;
    }
    if (o->dir_unsynced && l->metadata) {
        char path[LOG_PATH + 32];
        struct file *f;
        memcpy(path, w->path, sizeof w->path);
        memcpy(path + strlen(path), "/partition.metadata", sizeof "/partition.metadata");
        err = fs_open(log_fs(l), path, FS_WRITE, &f);
        if (!err) add(w, f);
        if (err == OE_NOTFOUND) err = 0;
    }
    w->dir = o->dir_unsynced;
    o->dir_unsynced = false;
    return err;
}

/* Without the lock. */
static int sync_all(struct fs *fs, const char *parent, struct work *w) {
    int err = 0;
    for (int i = 0; i < w->count && !err; i++) err = file_datasync(w->files[i]);
    if (!err && w->dir) err = fs_sync_dir(fs, w->path);
    if (!err && w->dir) err = fs_sync_dir(fs, parent);
    return err;
}

static int run_flush(struct log *l, int64_t now_ms) {
    struct log_open *o = l->open;
    struct work w = {.target = l->end};
    log_path(l, w.path);
    o->flushing = true;
    int64_t unflushed = o->unflushed_since;
    bool rolled = o->rolled;
    o->unflushed_since = INT64_MAX;
    o->rolled = false;
    int err = collect(l, &w);
    if (!err) {
        log_unlock(l);
        err = sync_all(log_fs(l), logdir_path(l->dir), &w);
        log_lock(l);
    }
    ASSERT(l->open == o && o->flushing);
    o->flushing = false;
    if (err) {
        o->unflushed_since = unflushed;
        o->rolled = rolled;
        o->dir_unsynced |= w.dir;
    } else {
        if (w.target > l->end) w.target = l->end; /* truncated meanwhile */
        if (w.target > l->recovery_point) l->recovery_point = w.target;
        if (l->end > w.target && o->unflushed_since == INT64_MAX) o->unflushed_since = now_ms;
    }
    for (int i = 0; i < w.count; i++) file_unref(w.files[i]);
    free(w.files);
    pthread_cond_broadcast(&o->flushed);
    return err ? log_failed(l, err, "flushing") : 0;
}

int log_flush(struct log *l, int64_t now_ms) {
    log_lock(l);
    int err = l->deleted ? OE_OFFLINE : log_open(l, now_ms);
    int64_t target = l->end;
    while (!err && (l->recovery_point < target || l->open->dir_unsynced)) {
        if (!l->open->flushing) {
            err = run_flush(l, now_ms);
            break;
        }
        l->open->flush_waiters++;
        pthread_cond_wait(&l->open->flushed, &l->lock);
        l->open->flush_waiters--;
        if (logdir_is_offline(l->dir)) err = OE_OFFLINE;
        if (target > l->end) target = l->end;
    }
    log_unlock(l);
    return err;
}

bool log_flush_needed(const struct log *l) {
    return l->open && l->end - l->recovery_point >= l->config->flush_messages;
}

int64_t log_flush_due(const struct log *l) {
    const struct log_open *o = l->open;
    if (!o || l->end == l->recovery_point) return INT64_MAX;
    if (o->rolled) return 0;
    if (l->config->flush_ms == INT64_MAX || o->unflushed_since == INT64_MAX) return INT64_MAX;
    int64_t due;
    return __builtin_add_overflow(o->unflushed_since, l->config->flush_ms, &due) ? INT64_MAX : due;
}
