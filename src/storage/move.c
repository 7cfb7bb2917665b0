/* See move.h. What must hold when the logs change places, under both locks (the first log's is taken first):
 *   1. both end at the same offset, and nothing is queued, flushed or cleaned;
 *   2. what was durable in the first is durable in the second, names included.
 * Then the directories are renamed, the new one first: at every moment one of the two is whole on the disk
 * under the log's name. */
#include "storage/move.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "record/batch.h"
#include "storage/log_internal.h"
#include "storage/logdir.h"

enum { FUTURE_SUFFIX = 1 + 32 + 7, NAME_MAX_BYTES = 255, ARENA_MAX = 256 << 20 };

bool log_move_name_fits(size_t topic_len, int32_t partition) {
    int digits = 1;
    for (int32_t p = partition; p >= 10; p /= 10) digits++;
    return topic_len + 1 + (size_t)digits + FUTURE_SUFFIX <= NAME_MAX_BYTES;
}

int log_move_begin(struct log *l, struct logdir *to, struct log_config *own, struct log **future) {
    if (logdir_find(to, l->name)) return OE_EXISTS;
    int err = logdir_create_future(to, l, future);
    if (err) return err;
    logdir_hold(*future);
    log_lock(l);
    *own = *l->config;
    log_unlock(l);
    log_set_config(*future, own);
    return 0;
}

/* The bytes of a slice, in memory of the caller's. */
static int read_slice(struct log_slice *s, uint8_t **bytes) {
    *bytes = NULL;
    if (!s->file) return 0;
    *bytes = malloc(s->len);
    int64_t n = *bytes ? file_pread(s->file, *bytes, s->len, s->position) : OE_NOMEM;
    file_unref(s->file);
    s->file = NULL;
    if (n == s->len) return 0;
    free(*bytes);
    *bytes = NULL;
    return n < 0 ? (int)n : OE_CORRUPT;
}

/* What comes next of the first log. [its lock] */
static int next_slice(struct log *l, int64_t from, uint32_t max_bytes, int64_t now_ms, struct log_slice *s) {
    if (l->deleted) return OE_OFFLINE;
    int err = log_open(l, now_ms);
    if (!err && from < l->start) from = l->start; /* retention was faster */
    return err ? err : log_read(l, from, max_bytes, l->end, true, NULL, s);
}

static int append(struct log *f, uint8_t *bytes, const struct log_slice *s, struct codec *codec,
                  int64_t now_ms) {
    struct arena a;
    struct log_append_result r;
    arena_init(&a, ARENA_MAX);
    struct log_append_args args = {.bytes = bytes,
                                   .len = s->len,
                                   .leader_epoch = INT32_MAX,
                                   .origin = APPEND_REPLICATION,
                                   .now_ms = now_ms,
                                   .ignore_size = true,
                                   .arena = &a,
                                   .codec = codec};
    int err = log_append_follower(f, &args, &r);
    if (!err) err = log_write_queue(f, now_ms);
    if (err == OE_INVALID) {
        LOG_WARN("storage", "%s: what is moved cannot be written at offset %lld: %s", f->name,
                 (long long)s->offset, r.message ? r.message : "");
        err = OE_CORRUPT;
    }
    arena_free(&a);
    return err;
}

int log_move_some(struct log *l, struct log *f, uint32_t max_bytes, struct codec *codec, int64_t now_ms,
                  int64_t *moved) {
    struct log_slice s = {0};
    uint8_t *bytes = NULL;
    *moved = 0;
    log_lock(f);
    int err = f->deleted ? OE_OFFLINE : log_open(f, now_ms);
    int64_t from = f->end;
    bool empty = !err && !f->open->count;
    log_unlock(f);
    if (err) return err;
    log_lock(l);
    err = next_slice(l, from, max_bytes, now_ms, &s);
    int64_t start = l->start, high = l->high_watermark;
    log_unlock(l);
    if (!err) err = read_slice(&s, &bytes);
    log_lock(f);
    if (!err && f->deleted) err = OE_OFFLINE;
    int64_t at = s.len ? s.offset : from < start ? start : from;
    /* It begins where the first batch does, or again behind a gap that retention made. */
    if (!err && (empty ? at != f->end : at < f->end || from < start)) err = log_truncate_fully(f, at, now_ms);
    if (!err && s.len) err = append(f, bytes, &s, codec, now_ms);
    if (!err) log_set_high_watermark(f, high);
    if (!err) *moved = s.len;
    log_unlock(f);
    free(bytes);
    return err;
}

/* May they change places now? [both locks] */
static int ready(struct log *l, struct log *f, int64_t now_ms) {
    if (l->deleted || f->deleted) return OE_OFFLINE;
    if (l->dir == f->dir) return OE_EXISTS; /* another move was faster */
    int err = log_open(l, now_ms);
    if (!err) err = log_open(f, now_ms);
    if (err) return err;
    if (l->open->queued || l->end != f->end || f->recovery_point < l->recovery_point) return OE_AGAIN;
    if (l->open->flushing || l->open->flush_waiters || l->cleaning) return OE_AGAIN;
    if (f->start >= l->start) return 0;
    log_set_high_watermark(f, f->end);
    return log_delete_records(f, l->start);
}

static int close_both(struct log *l, struct log *f, int64_t now_ms) {
    struct log *both[] = {l, f};
    for (int i = 0; i < 2; i++) {
        int err = both[i]->open->count ? log_close_idle(both[i], now_ms) : 0;
        if (err) return err;
        log_free_open(both[i]); /* one without segments: an epoch is all that it can have, see below */
    }
    return 0;
}

int log_move_finish(struct log *l, struct log *f, bool eager, int64_t now_ms) {
    int err = log_flush(f, now_ms);
    if (err) return err;
    log_lock(l);
    if (eager) err = log_flush(f, now_ms);
    log_lock(f);
    if (!err) err = ready(l, f, now_ms);
    if (!err) {
        int32_t epoch = log_latest_epoch(l);
        int64_t high = l->high_watermark;
        err = close_both(l, f, now_ms);
        if (!err) err = logdir_replace(l, f, now_ms);
        if (!err) f = NULL;
        int reopened = log_open(l, now_ms);
        if (!reopened) log_set_high_watermark(l, high);
        if (!reopened && log_latest_epoch(l) < epoch) log_assign_epoch(l, epoch);
    }
    if (f) log_unlock(f);
    log_unlock(l);
    return err;
}

void log_move_cancel(struct log *f, int64_t now_ms) {
    log_lock(f);
    bool gone = f->deleted;
    f->config = logdir_config(f->dir);
    log_unlock(f);
    if (!gone) logdir_delete_log(f, now_ms);
    logdir_release(f);
}
