#include "storage/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/log_internal.h"
#include "storage/logdir.h"

void log_lock(struct log *l) { pthread_mutex_lock(&l->lock); }
void log_unlock(struct log *l) { pthread_mutex_unlock(&l->lock); }

struct fs *log_fs(const struct log *l) {
    return logdir_fs(l->dir);
}

void log_path(const struct log *l, char path[LOG_PATH]) {
    int n = snprintf(path, LOG_PATH, "%s/%s", logdir_path(l->dir), l->name);
    ASSERT(n > 0 && n < LOG_PATH);
}

void log_file_path(const struct log *l, int64_t base, const char *suffix, char path[LOG_PATH]) {
    int n =
        snprintf(path, LOG_PATH, "%s/%s/%020lld%s", logdir_path(l->dir), l->name, (long long)base, suffix);
    ASSERT(n > 0 && n < LOG_PATH);
}

/* "topic-7", also with ".<id>-future": where the topic ends and which partition it is. */
static bool split_name(const char *name, uint16_t *topic_len, int32_t *partition) {
    const char *end = name + strlen(name), *dot = strrchr(name, '.');
    static const char future[] = "-future";
    if (dot && (size_t)(end - dot) > sizeof future && !strcmp(end - (sizeof future - 1), future)) end = dot;
    const char *dash = end;
    while (dash > name && dash[-1] != '-') dash--;
    if (dash == name || dash == end || dash - 1 == name || end - dash > 10) return false;
    int64_t n = 0;
    for (const char *p = dash; p < end; p++) {
        if (*p < '0' || *p > '9') return false;
        n = 10 * n + (*p - '0');
    }
    if (n > INT32_MAX) return false;
    *topic_len = (uint16_t)(dash - 1 - name);
    *partition = (int32_t)n;
    return true;
}

struct log *log_new(struct logdir *d, const char *name, const struct log_config *c) {
    size_t n = strlen(name);
    uint16_t topic_len;
    int32_t partition;
    if (n > 255 || strchr(name, '/') || !split_name(name, &topic_len, &partition)) return NULL;
    struct log *l = xcalloc(1, sizeof *l + n + 1);
    pthread_mutex_init(&l->lock, NULL);
    l->dir = d;
    l->config = c;
    l->topic_len = topic_len;
    l->partition = partition;
    l->latest_epoch = -1;
    l->cut_offset = l->clean_point = l->clean_seen_end = -1;
    l->future = name[topic_len] && strchr(name + topic_len, '.') != NULL;
    memcpy(l->name, name, n + 1);
    return l;
}

void log_free_open(struct log *l) {
    struct log_open *o = l->open;
    if (!o) return;
    ASSERT(!o->flushing && !o->flush_waiters);
    for (int i = 0; i < o->count; i++) segment_close(&o->segments[i]);
    producers_free(&o->producers);
    epochs_free(&o->epochs);
    pthread_cond_destroy(&o->flushed);
    free(o->segments);
    free(o->queue);
    free(o->aborts);
    free(o);
    l->open = NULL;
}

void log_free(struct log *l) {
    log_free_open(l);
    pthread_mutex_destroy(&l->lock);
    free(l);
}

const char *log_name(const struct log *l) { return l->name; }
const char *log_topic(const struct log *l, size_t *len) {
    *len = l->topic_len;
    return l->name;
}
int32_t log_partition(const struct log *l) { return l->partition; }
struct uuid log_topic_id(const struct log *l) {
    return l->topic_id;
}
struct logdir *log_dir(const struct log *l) {
    return l->dir;
}
bool log_is_offline(const struct log *l) { return logdir_is_offline(l->dir); }
bool log_is_future(const struct log *l) { return l->future; }
bool log_must_be_read(const struct log *l) { return l->must_be_read; }
bool log_is_open(const struct log *l) { return l->open != NULL; }
int64_t log_last_used(const struct log *l) { return l->last_used; }
const struct log_config *log_config(const struct log *l) { return l->config; }

void log_set_config(struct log *l, const struct log_config *c) {
    log_lock(l);
    l->config = c;
    l->clean_again_ms = 0;
    log_unlock(l);
}

int log_failed(struct log *l, int err, const char *doing) {
    if (err == OE_OFFLINE || err == OE_RANGE || err == OE_NOMEM) return err;
    if (l->deleted)
        return OE_OFFLINE; /* its directory has another name now, which is no failure of the disk */
    LOG_LIMITED(LOG_ERROR, "storage", "%s/%s: %s failed: %s", logdir_path(l->dir), l->name, doing,
                oerr_text(err));
    logdir_fail(l->dir, err);
    return err;
}

void log_check(const struct log *l) {
    const struct log_open *o = l->open;
    ASSERT(l->start >= 0 && l->start <= l->end);
    ASSERT(l->high_watermark >= l->start && l->high_watermark <= l->end);
    ASSERT(l->recovery_point <= l->end);
    if (!o) return;
    ASSERT(o->next_offset >= l->end && (o->queued > 0 || o->next_offset == l->end));
    ASSERT((o->queued == 0) == (o->queue == NULL) && o->queued <= QUEUE_MAX);
    ASSERT(o->count == 0 || log_active(l)->base <= l->end);
    ASSERT(o->count < 2 || o->segments[o->count - 2].base < log_active(l)->base);
}

int log_open(struct log *l, int64_t now_ms) {
    if (now_ms > l->last_used) l->last_used = now_ms;
    if (l->open) return logdir_is_offline(l->dir) ? OE_OFFLINE : 0;
    if (logdir_is_offline(l->dir)) return OE_OFFLINE;
    struct log_open *o = l->open = xcalloc(1, sizeof *o);
    pthread_cond_init(&o->flushed, NULL);
    o->unflushed_since = INT64_MAX;
    o->bound_offset = -1;
    producers_init(&o->producers, l->end);
    int err = l->on_disk ? recover_log(l, now_ms) : 0;
    if (err) {
        log_free_open(l);
        return log_failed(l, err, "opening");
    }
    if (!l->on_disk) {
        l->end = l->start = l->recovery_point = l->high_watermark;
        o->producers.end_offset = o->producers.snapshot_at = l->end;
        epochs_truncate_end(&o->epochs, l->end);
    }
    o->next_offset = l->end;
    /* What was closed before it was flushed is flushed with its names. */
    o->dir_unsynced = o->epochs.unsynced = l->on_disk && l->recovery_point < l->end;
    int64_t most = l->config->segment_jitter_ms < l->config->segment_ms ? l->config->segment_jitter_ms
                                                                        : l->config->segment_ms;
    o->jitter_ms =
        l->config->segment_jitter_ms && most > 0 ? (int64_t)(logdir_random(l->dir) % (uint64_t)most) : 0;
    l->trust = TRUST_ALL;
    l->unverified = l->must_be_read = false;
    l->known = true;
    l->latest_epoch = epochs_latest(&o->epochs);
    log_check(l);
    return 0;
}

int log_close_idle(struct log *l, int64_t now_ms) {
    struct log_open *o = l->open;
    if (!o) return 0;
    if (o->queued || o->flushing || o->flush_waiters || l->cleaning) return OE_AGAIN;
    int err = 0;
    bool offline = logdir_is_offline(l->dir);
    if (o->count && !offline) {
        struct segment *s = log_active(l);
        err = log_persist(l, true);
        if (!err && s->indexed) err = segment_finish(l, s);
        if (!err && s->writable && l->config->preallocate) err = file_truncate(s->file, s->size);
    }
    /* What was appended by an epoch alone would be forgotten: such a log stays open. */
    if (!err && !o->count && o->epochs.count) return OE_AGAIN;
    if (err) log_failed(l, err, "closing");
    if (!err) log_check(l);
    l->latest_epoch = epochs_latest(&o->epochs);
    log_free_open(l);
    return offline ? OE_OFFLINE : err;
}

/* ---- offsets ---- */

int64_t log_start_offset(const struct log *l) { return l->start; }
int64_t log_end_offset(const struct log *l) { return l->end; }
int64_t log_high_watermark(const struct log *l) { return l->high_watermark; }
int64_t log_recovery_point(const struct log *l) { return l->recovery_point; }
int64_t log_flushed_offset(const struct log *l) { return l->recovery_point; }
int64_t log_size(const struct log *l) { return l->size; }
int log_segment_count(const struct log *l) { return l->open ? l->open->count : 0; }
int32_t log_latest_epoch(const struct log *l) {
    return l->open ? epochs_latest(&l->open->epochs) : l->latest_epoch;
}

int64_t log_last_stable_offset(const struct log *l) {
    if (!l->open) return l->high_watermark;
    int64_t first = producers_first_unstable(&l->open->producers);
    if (first >= 0 && first < l->start) first = l->start;
    return first >= 0 && first < l->high_watermark ? first : l->high_watermark;
}

int64_t log_set_high_watermark(struct log *l, int64_t offset) {
    if (offset < l->start) offset = l->start;
    if (offset > l->end) offset = l->end;
    l->high_watermark = offset;
    if (l->open && l->open->producers.done_count) producers_high_watermark(&l->open->producers, offset);
    return offset;
}

struct segment *log_floor(const struct log *l, int64_t offset) {
    struct log_open *o = l->open;
    int lo = 0, hi = o->count;
    while (lo < hi) {
        int mid = lo + (hi - lo) / 2;
        if (o->segments[mid].base <= offset)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo ? &o->segments[lo - 1] : NULL;
}

int64_t log_segment_end(const struct log *l, const struct segment *s) {
    const struct log_open *o = l->open;
    ASSERT(s >= o->segments && s < o->segments + o->count);
    return s + 1 < o->segments + o->count ? s[1].base : l->end;
}

struct segment *log_add_segment(struct log *l, int64_t base, int64_t now_ms) {
    struct log_open *o = l->open;
    ASSERT(!o->count || log_active(l)->base < base);
    if (o->count == o->cap) {
        o->cap = o->cap ? 2 * o->cap : 1;
        o->segments = xrealloc(o->segments, (size_t)o->cap * sizeof *o->segments);
    }
    struct segment *s = &o->segments[o->count++];
    *s = (struct segment){.base = base,
                          .max_timestamp = NOT_KNOWN,
                          .max_timestamp_offset = NOT_KNOWN,
                          .first_timestamp = NOT_KNOWN,
                          .last_time_entry = -1,
                          .created_ms = now_ms};
    s->offsets.entry = OFFSET_ENTRY;
    s->times.entry = TIME_ENTRY;
    return s;
}

/* ---- epochs and producers ---- */

void log_epoch_end(const struct log *l, int32_t epoch, int32_t *found_epoch, int64_t *end_offset) {
    ASSERT(l->open);
    epochs_end_of(&l->open->epochs, epoch, l->end, found_epoch, end_offset);
}

int32_t log_epoch_for_offset(const struct log *l, int64_t offset) {
    ASSERT(l->open);
    return epochs_for_offset(&l->open->epochs, offset);
}

int log_assign_epoch(struct log *l, int32_t epoch) {
    int err = log_open(l, l->last_used);
    if (err) return err;
    ASSERT(!l->open->queued);
    epochs_assign(&l->open->epochs, epoch, l->end);
    return 0;
}

void log_expire_producers(struct log *l, int64_t now_ms) {
    if (l->open) producers_expire(&l->open->producers, now_ms, l->config->producer_id_expiration_ms);
}

bool log_has_transaction(struct log *l, int64_t producer_id, int16_t epoch) {
    return !log_open(l, l->last_used) && producers_in_txn(&l->open->producers, producer_id, epoch);
}

int log_verification_begin(struct log *l, int64_t producer_id, int16_t epoch, int32_t sequence, bool bumps,
                           int64_t now_ms, uint64_t *guard) {
    int err = log_open(l, now_ms);
    if (err) return err;
    bool ok = producers_verify(&l->open->producers, producer_id, epoch, sequence, bumps, now_ms, guard);
    return ok ? 0 : OE_INVALID;
}

int log_producers(struct log *l, struct arena *a, struct log_producer **p, int *n) {
    int err = log_open(l, l->last_used);
    if (err) return err;
    struct hashmap *map = &l->open->producers.map;
    struct hashmap_entry *e;
    *n = 0;
    if (!(*p = arena_alloc(a, (map->count + 1) * sizeof **p))) return OE_LIMIT;
    for (size_t i = 0; (e = hashmap_next(map, &i));) {
        const struct producer *x = e->value;
        int last = (x->first + x->count - 1) % PRODUCER_BATCHES;
        (*p)[(*n)++] =
            (struct log_producer){.producer_id = x->id,
                                  .last_timestamp = x->last_timestamp,
                                  .txn_first_offset = x->txn_first_offset,
                                  .last_sequence = x->count ? x->ring[last].last_sequence : NO_SEQUENCE,
                                  .coordinator_epoch = x->coordinator_epoch,
                                  .epoch = x->epoch};
    }
    return 0;
}
