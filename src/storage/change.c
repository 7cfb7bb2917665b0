/* Taking away from a log: its start moves, segments age out, the end is cut.
 *
 * Order when segments go: the log start moves first, then each file is renamed to .deleted, then it is
 * forgotten; the files are deleted by logdir_tick after file.delete.delay.ms. A crash in between leaves
 * .deleted files, which the next start removes, and perhaps segments below the log start, which retention
 * finds again. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/log_internal.h"
#include "storage/logdir.h"

static int rename_deleted(struct log *l, int64_t base, const char *suffix) {
    char from[LOG_PATH], to[LOG_PATH + 16];
    log_file_path(l, base, suffix, from);
    snprintf(to, sizeof to, "%s.deleted", from);
    int err = fs_rename(log_fs(l), from, to);
    return err == OE_NOTFOUND ? 0 : err;
}

int log_set_aside(struct log *l, struct segment *s, int64_t now_ms, bool snapshot) {
    static const char *const suffixes[] = {".log", ".index", ".timeindex", ".txnindex"};
    char stem[LOG_PATH];
    int err = 0;
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes && !err; i++)
        err = rename_deleted(l, s->base, suffixes[i]);
    if (!err && snapshot && producers_has_snapshot(&l->open->producers, s->base)) {
        err = rename_deleted(l, s->base, ".snapshot");
        if (!err) producers_forget_snapshot(&l->open->producers, s->base);
    }
    if (err) return err;
    log_file_path(l, s->base, "", stem);
    int64_t due;
    if (__builtin_add_overflow(now_ms, l->config->file_delete_delay_ms, &due)) due = INT64_MAX;
    logdir_delete_later(l->dir, stem, due);
    return 0;
}

int log_remove_segments(struct log *l, int from, int count, int64_t now_ms) {
    memset(l->open->recent, 0, sizeof l->open->recent);
    struct log_open *o = l->open;
    ASSERT(from >= 0 && count >= 0 && from + count <= o->count);
    int err = 0, done = 0;
    o->bound_offset = -1;
    for (; done < count; done++) {
        struct segment *s = &o->segments[from + done];
        if ((err = log_set_aside(l, s, now_ms, true))) break;
        l->size -= s->size;
        segment_close(s);
    }
    memmove(o->segments + from, o->segments + from + done,
            (size_t)(o->count - from - done) * sizeof *o->segments);
    o->count -= done;
    l->cuts++;
    if (done) o->dir_unsynced = true;
    return err;
}

static void move_start(struct log *l, int64_t start) {
    struct log_open *o = l->open;
    ASSERT(start <= l->end);
    if (start <= l->start) return;
    l->start = start;
    if (l->high_watermark < start) log_set_high_watermark(l, start);
    if (l->recovery_point < start) l->recovery_point = start;
    epochs_truncate_start(&o->epochs, start);
    producers_high_watermark(&o->producers, l->high_watermark);
}

int log_delete_records(struct log *l, int64_t new_start) {
    int err = log_open(l, l->last_used);
    if (err) return err;
    ASSERT(!l->open->queued);
    if (new_start > l->high_watermark) return OE_RANGE;
    if (new_start <= l->start) return 0;
    if ((err = logdir_begin_changes(l->dir))) return log_failed(l, err, "deleting records");
    move_start(l, new_start);
    log_check(l);
    return 0;
}

/* ---- retention ---- */

enum reason { BELOW_START, TOO_MUCH, TOO_OLD };

struct retention {
    struct log *l;
    enum reason reason;
    int64_t now_ms, excess;
    int err;
};

static bool expendable(struct retention *r, struct segment *s, bool last) {
    struct log *l = r->l;
    int64_t retention_ms = l->config->retention_ms;
    switch (r->reason) {
    case BELOW_START: return !last && s[1].base <= l->start;
    case TOO_MUCH:
        if (r->excess < (int64_t)s->size) return false;
        r->excess -= s->size;
        return true;
    case TOO_OLD: return r->now_ms - segment_largest_timestamp(l, s, &r->err) > retention_ms;
    }
    return false;
}

/* How many of the first segments go. */
static int count_expendable(struct retention *r) {
    struct log *l = r->l;
    struct log_open *o = l->open;
    int n = 0;
    for (struct segment *s = o->segments; n < o->count; s++, n++) {
        bool last = n == o->count - 1;
        if (l->high_watermark < log_segment_end(l, s)) break;
        if (last && !s->size) break;
        if (!expendable(r, s, last) || r->err) break;
    }
    return n;
}

static int retain(struct log *l, enum reason reason, int64_t now_ms) {
    struct retention r = {l, reason, now_ms, l->size - l->config->retention_bytes, 0};
    static const char *const why[] = {"the log start offset", "retention.bytes", "retention.ms"};
    int n = count_expendable(&r), err = r.err;
    if (err || !n) return err;
    if ((err = logdir_begin_changes(l->dir))) return err;
    if (n == l->open->count && (err = log_roll_at(l, l->open->next_offset, now_ms))) return err;
    LOG_INFO("storage", "%s: deleting %d segments from offset %lld for %s", l->name, n,
             (long long)l->open->segments[0].base, why[reason]);
    move_start(l, l->open->segments[n].base);
    err = log_remove_segments(l, 0, n, now_ms);
    return err ? err : n;
}

int log_retention(struct log *l, int64_t now_ms) {
    int err = log_open(l, now_ms), total = 0;
    if (err) return err;
    ASSERT(!l->open->queued);
    if (l->cleaning) return 0; /* the next round */
    const struct log_config *c = l->config;
    err = retain(l, BELOW_START, now_ms);
    if (err > 0) total += err;
    if (err >= 0 && c->cleanup_delete && c->retention_bytes >= 0) {
        err = retain(l, TOO_MUCH, now_ms);
        if (err > 0) total += err;
    }
    if (err >= 0 && c->cleanup_delete && c->retention_ms >= 0) {
        err = retain(l, TOO_OLD, now_ms);
        if (err > 0) total += err;
    }
    if (err < 0) return log_failed(l, err, "retention");
    log_check(l);
    return total;
}

/* ---- truncation ---- */

static void cut_path(const struct log *l, char path[LOG_PATH + 32]) {
    log_path(l, path);
    size_t n = strlen(path);
    snprintf(path + n, LOG_PATH + 32 - n, "/" CUT_FILE);
}

/* A cut changes many files and may leave any mixture of them behind. .ottla-cut, written before it, says from
 * where on nothing is to be believed; it goes when a recovery point that is low enough has been checkpointed.
 */
static int announce_cut(struct log *l, int64_t offset) {
    char path[LOG_PATH + 32], text[32];
    if (l->clean_point > offset) logdir_set_clean_point(l, offset);
    l->cuts++;
    if (!l->on_disk) return 0;
    if (l->cut_offset >= 0 && l->cut_offset < offset) offset = l->cut_offset;
    cut_path(l, path);
    int n = snprintf(text, sizeof text, "%lld\n", (long long)offset);
    int err = fs_write_atomic(log_fs(l), path, text, (size_t)n);
    if (err) return err;
    l->cut_offset = offset;
    l->cut_known = false;
    return 0;
}

void log_cut_done(struct log *l) {
    char path[LOG_PATH + 32];
    if (l->cut_offset < 0 || !l->cut_known || !l->on_disk) return;
    log_path(l, path);
    /* Names that the cut took away must not come back without it: snapshots of another history. */
    if (fs_sync_dir(log_fs(l), path)) return;
    cut_path(l, path);
    fs_unlink(log_fs(l), path); /* one that stays costs a slower recovery */
    l->cut_offset = -1;
}

/* A flush that runs would count what is appended after the cut as flushed. */
static void wait_for_flush(struct log *l) {
    while (l->open->flushing) {
        l->open->flush_waiters++;
        pthread_cond_wait(&l->open->flushed, &l->lock);
        l->open->flush_waiters--;
    }
}

static int truncate_fully(struct log *l, int64_t start, int64_t now_ms) {
    struct log_open *o = l->open;
    struct producers *p = &o->producers;
    char dir[LOG_PATH];
    log_path(l, dir);
    int err = log_remove_segments(l, 0, o->count, now_ms);
    if (err) return err;
    epochs_clear(&o->epochs);
    while (p->snapshot_count)
        producers_delete_snapshot(p, log_fs(l), dir, p->snapshots[p->snapshot_count - 1]);
    producers_clear(p, start);
    p->snapshot_at = start;
    p->extra = -1;
    l->start = l->end = l->high_watermark = l->recovery_point = o->next_offset = start;
    o->unflushed_since = INT64_MAX;
    o->dir_unsynced = l->on_disk;
    if (l->on_disk && (err = log_persist(l, false))) return err;
    return 0;
}

int log_truncate_fully(struct log *l, int64_t new_start, int64_t now_ms) {
    int err = log_open(l, now_ms);
    if (err) return err;
    ASSERT(!l->open->queued);
    wait_for_flush(l);
    err = logdir_begin_changes(l->dir);
    if (!err) err = announce_cut(l, 0);
    if (!err) err = truncate_fully(l, new_start, now_ms);
    if (err) return log_failed(l, err, "truncating");
    log_check(l);
    return 0;
}

static int truncate_to(struct log *l, int64_t offset, int64_t now_ms) {
    struct log_open *o = l->open;
    struct segment *s = log_floor(l, offset);
    ASSERT(s);
    int keep = (int)(s - o->segments) + 1;
    int err = log_remove_segments(l, keep, o->count - keep, now_ms);
    if (err) return err;
    s = log_active(l);
    uint32_t before = s->size;
    if ((err = segment_truncate(l, s, offset, now_ms))) return err;
    l->size -= before - s->size;
    l->end = o->next_offset = offset;
    o->dir_unsynced = true; /* the next flush makes the cut itself durable */
    o->bound_offset = -1;
    if (l->recovery_point > offset) l->recovery_point = offset;
    if (l->start > offset) l->start = offset;
    if (l->high_watermark > offset) l->high_watermark = offset;
    epochs_truncate_end(&o->epochs, offset);
    if ((err = log_persist(l, false))) return err;
    return recover_producers(l, offset, now_ms, false);
}

int log_truncate_to(struct log *l, int64_t offset, int64_t now_ms) {
    int err = log_open(l, now_ms);
    if (err) return err;
    ASSERT(offset >= 0 && !l->open->queued);
    wait_for_flush(l);
    if (offset >= l->end) {
        epochs_truncate_end(&l->open->epochs, l->end);
        return 0;
    }
    if (!l->open->count || l->open->segments[0].base > offset) return log_truncate_fully(l, offset, now_ms);
    err = logdir_begin_changes(l->dir);
    if (!err) err = announce_cut(l, offset);
    if (!err) err = truncate_to(l, offset, now_ms);
    if (err) return log_failed(l, err, "truncating");
    log_check(l);
    return 0;
}
