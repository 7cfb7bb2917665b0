/* Appending. Path: server/handlers/produce → replica → record/validate → here → segment, indexes, producers.
 *
 * log_append checks and assigns, and queues the caller's bytes; log_write_queue gives all of the queue to the
 * file in one call and only then moves the log end. What follows a write, in the order that recovery relies
 * on:
 *   1. the batches are in the .log
 *   2. aborted transactions are in the .txnindex
 *   3. epochs, at some time, are in their file
 *   4. time index entries, then offset index entries, are in theirs
 *   5. perhaps a producer snapshot
 * So whatever the offset index on disk names is in the log, and everything behind its last entry is found by
 * reading the tail.
 *
 * Failures: a refused batch changes nothing. A failed write takes the directory offline; what was queued is
 * dropped; the log end stays; memory may know of producers more than the log holds, which does not matter:
 * nothing is served any more and the next start reads the log. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "record/batch.h"
#include "storage/log_internal.h"
#include "storage/logdir.h"

/* ---- the log's directory ---- */

static int write_metadata(struct log *l) {
    char path[LOG_PATH + 32], text[UUID_TEXT], line[64];
    struct file *f;
    if (l->metadata || uuid_is_zero(&l->topic_id)) return 0;
    log_path(l, path);
    memcpy(path + strlen(path), "/partition.metadata", sizeof "/partition.metadata");
    int n = snprintf(line, sizeof line, "version: 0\ntopic_id: %s", uuid_format(&l->topic_id, text));
    int err = fs_open(log_fs(l), path, FS_WRITE | FS_CREATE | FS_TRUNC, &f);
    if (err) return err;
    err = file_pwrite(f, line, (size_t)n, 0);
    file_unref(f);
    l->metadata = !err;
    l->open->dir_unsynced = true;
    return err;
}

static int make_directory(struct log *l) {
    char path[LOG_PATH];
    if (l->on_disk) return 0;
    log_path(l, path);
    int err = fs_mkdir(log_fs(l), path);
    if (err && err != OE_EXISTS) return err;
    l->on_disk = true;
    l->open->dir_unsynced = true;
    return 0;
}

static int add_active(struct log *l, int64_t base, int64_t now_ms) {
    struct segment *s = log_add_segment(l, base, now_ms);
    int err = segment_create(l, s);
    if (err) {
        l->open->count--;
        return err;
    }
    l->open->dir_unsynced = true;
    return 0;
}

/* The log has a directory and an active segment that can be written. */
static int prepare(struct log *l, int64_t now_ms) {
    int err = log_open(l, now_ms);
    if (err) return err;
    struct log_open *o = l->open;
    if (o->count && log_active(l)->writable && l->metadata) return 0;
    if ((err = logdir_begin_changes(l->dir))) return err;
    if ((err = make_directory(l)) || (err = write_metadata(l))) return err;
    if (!o->count) return add_active(l, o->next_offset, now_ms);
    struct segment *s = log_active(l);
    if ((err = segment_open(l, s, true)) || (err = segment_index(l, s))) return err;
    segment_max_timestamp(l, s, &err);
    return err;
}

/* ---- rolling ---- */

static int64_t segment_age_limit(const struct log *l) {
    const struct log_config *c = l->config;
    bool compact =
        c->cleanup_compact && c->max_compaction_lag_ms > 0 && c->max_compaction_lag_ms < c->segment_ms;
    return compact ? c->max_compaction_lag_ms : c->segment_ms;
}

static bool roll_due(struct log *l, uint32_t bytes, int64_t max_timestamp, int64_t last_offset,
                     int64_t now_ms) {
    struct segment *s = log_active(l);
    const struct log_config *c = l->config;
    int err;
    uint64_t size = (uint64_t)s->size + l->open->queued_bytes;
    if (!size) return last_offset - s->base > INT32_MAX;
    if (size + bytes > (uint64_t)c->segment_bytes || last_offset - s->base > INT32_MAX) return true;
    if (s->offsets.count >= (uint32_t)c->segment_index_bytes / OFFSET_ENTRY) return true;
    if (s->times.count + 1 >= (uint32_t)c->segment_index_bytes / TIME_ENTRY) return true;
    int64_t first = segment_first_timestamp(l, s, &err);
    int64_t waited = first >= 0 ? max_timestamp - first : now_ms - s->created_ms;
    return waited > segment_age_limit(l) - l->open->jitter_ms;
}

int log_roll_at(struct log *l, int64_t base, int64_t now_ms) {
    struct log_open *o = l->open;
    int err = log_write_queue(l, now_ms);
    if (err) return err;
    if (o->count) {
        struct segment *s = log_active(l);
        ASSERT(base > s->base && base >= l->end);
        if ((err = segment_index(l, s))) return err;
        segment_max_timestamp(l, s, &err);
        if (err || (err = log_persist(l, false)) || (err = segment_finish(l, s))) return err;
        if (s->writable && l->config->preallocate && (err = file_truncate(s->file, s->size))) return err;
    }
    char dir[LOG_PATH];
    log_path(l, dir);
    o->producers.end_offset = base;
    if ((err = producers_snapshot(&o->producers, log_fs(l), dir, false, false))) return err;
    o->since_snapshot = 0;
    o->rolled = true;
    return add_active(l, base, now_ms);
}

int log_roll(struct log *l, int64_t now_ms) {
    int err = prepare(l, now_ms);
    if (err) return log_failed(l, err, "rolling");
    if (!log_active(l)->size && !l->open->queued) return 0;
    err = log_roll_at(l, l->open->next_offset, now_ms);
    return err ? log_failed(l, err, "rolling") : 0;
}

/* ---- the queue ---- */

void log_drop_queue(struct log *l) {
    struct log_open *o = l->open;
    free(o->queue);
    o->queue = NULL;
    o->queued = 0;
    o->queued_bytes = 0;
    o->abort_count = 0;
    o->next_offset = l->end;
}

static void enqueue(struct log *l, uint8_t *bytes, size_t n, int64_t next_offset, int64_t now_ms) {
    struct log_open *o = l->open;
    struct segment *s = log_active(l);
    ASSERT(o->queued < QUEUE_MAX && next_offset >= o->next_offset);
    if (!o->queue) o->queue = xmalloc(QUEUE_MAX * sizeof *o->queue);
    if (!s->size && !o->queued) s->first_timestamp = batch_max_timestamp(bytes);
    o->queue[o->queued++] = (struct iovec){bytes, n};
    o->queued_bytes += (uint32_t)n;
    o->next_offset = next_offset;
    if (o->unflushed_since == INT64_MAX) o->unflushed_since = now_ms;
}

static void remember_end(struct log_open *o, const struct txn_end *t) {
    if (!t->happened || !t->aborted) return;
    if (o->abort_count == o->abort_cap) {
        o->abort_cap = o->abort_cap ? 2 * o->abort_cap : 2;
        o->aborts = xrealloc(o->aborts, (size_t)o->abort_cap * sizeof *o->aborts);
    }
    o->aborts[o->abort_count++] = *t;
}

/* Room in the queue and in the segment for n bytes more. */
static int make_room(struct log *l, size_t n, int64_t max_timestamp, int64_t first, int64_t last,
                     int64_t now_ms) {
    int err = 0;
    if (roll_due(l, (uint32_t)n, max_timestamp, last, now_ms)) {
        struct segment *s = log_active(l);
        /* An empty segment whose base is too far below what comes is replaced. */
        if (!s->size && !l->open->queued && first > s->base) return log_roll_at(l, first, now_ms);
        if (s->size || l->open->queued) err = log_roll_at(l, first, now_ms);
    } else if (l->open->queued == QUEUE_MAX) {
        err = log_write_queue(l, now_ms);
    }
    return err;
}

/* ---- writing ---- */

static void note_recent(struct log_open *o, const uint8_t *b, uint32_t position, uint32_t size) {
    struct batch_place *p = &o->recent[o->recent_next++ % RECENT_BATCHES];
    *p = (struct batch_place){batch_base_offset(b), batch_last_offset(b), position, size, batch_magic(b)};
}

static void note_all(struct log *l, struct segment *s, const uint8_t *b, size_t n) {
    for (size_t at = 0; at < n;) {
        int64_t size = batch_size(b + at);
        ASSERT(size > 0 && (uint64_t)size <= n - at);
        segment_note((uint32_t)l->config->index_interval_bytes, s, b + at, s->size, (uint32_t)size);
        note_recent(l->open, b + at, s->size, (uint32_t)size);
        s->size += (uint32_t)size;
        at += (size_t)size;
    }
}

int log_flush_index(struct log *l, struct segment *s) {
    char dir[LOG_PATH];
    log_path(l, dir);
    int err = epochs_write(&l->open->epochs, log_fs(l), dir, false);
    return err || !s || !s->indexed ? err : segment_flush_index(l, s);
}

int log_persist(struct log *l, bool snapshot) {
    struct log_open *o = l->open;
    char dir[LOG_PATH];
    log_path(l, dir);
    int err = log_flush_index(l, o->count ? log_active(l) : NULL);
    o->unpersisted = 0;
    if (err || !snapshot) return err;
    ASSERT(!o->queued);
    o->producers.end_offset = l->end;
    o->since_snapshot = 0;
    return producers_snapshot(&o->producers, log_fs(l), dir, true, false);
}

static int persist_if_due(struct log *l, size_t bytes, int64_t batches) {
    struct log_open *o = l->open;
    struct segment *s = log_active(l);
    o->unpersisted += (int64_t)bytes;
    o->since_snapshot += (int64_t)bytes + batches * SNAPSHOT_PER_BATCH;
    bool snapshot = o->since_snapshot >= SNAPSHOT_BYTES;
    if (snapshot || o->unpersisted >= PERSIST_BYTES) return log_persist(l, snapshot);
    /* The next write may add an entry for each of its batches. */
    uint32_t room = s->offsets.count - s->offsets.on_disk + QUEUE_MAX;
    return room >= INDEX_TAIL_MAX ? log_persist(l, false) : 0;
}

static int write_queue(struct log *l) {
    struct log_open *o = l->open;
    struct segment *s = log_active(l);
    struct iovec iov[QUEUE_MAX];
    ASSERT(s->writable && s->indexed && (uint64_t)s->size + o->queued_bytes <= INT32_MAX);
    memcpy(iov, o->queue, (size_t)o->queued * sizeof *iov);
    int err = file_pwritev(s->file, iov, o->queued, s->size);
    if (err) return err;
    if (o->abort_count && (err = segment_add_aborts(l, s, o->aborts, o->abort_count))) return err;
    uint32_t before = s->size, bytes = o->queued_bytes;
    int64_t batches = o->queued;
    for (int i = 0; i < o->queued; i++) note_all(l, s, o->queue[i].iov_base, o->queue[i].iov_len);
    ASSERT(s->size == before + bytes);
    l->size += bytes;
    l->end = o->next_offset;
    o->producers.end_offset = l->end;
    log_drop_queue(l);
    return persist_if_due(l, bytes, batches);
}

int log_write_queue(struct log *l, int64_t now_ms) {
    if (!l->open || !l->open->queued) return 0;
    int err = logdir_is_offline(l->dir) ? OE_OFFLINE : write_queue(l);
    if (err) {
        if (l->open->queued) log_drop_queue(l);
        return log_failed(l, err, "appending");
    }
    log_check(l);
    return 0;
}

/* ---- append as leader ---- */

static int refuse(struct log_append_result *r, enum append_fault fault, const char *message) {
    r->fault = fault;
    r->message = message;
    return OE_INVALID;
}

static int io_fault(struct log *l, struct log_append_result *r, int err, const char *doing) {
    r->fault = FAULT_IO;
    r->message = "the log directory has failed";
    return log_failed(l, err, doing);
}

static int validate(struct log *l, const struct log_append_args *a, struct validation *v,
                    struct log_append_result *r) {
    const struct log_config *c = l->config;
    struct record_rules rules = {.target_compression = c->compression,
                                 .level = c->compression >= 0 ? c->level[c->compression] : 0,
                                 .compacted = c->cleanup_compact,
                                 .log_append_time = c->log_append_time,
                                 .before_max_ms = c->timestamp_before_max_ms,
                                 .after_max_ms = c->timestamp_after_max_ms,
                                 .max_bytes = a->ignore_size ? 0 : c->max_message_bytes};
    *v = (struct validation){.bytes = a->bytes,
                             .len = a->len,
                             .rules = &rules,
                             .partition = l->name,
                             .origin = a->origin,
                             .leader_epoch = a->leader_epoch,
                             .offset = l->open->next_offset,
                             .now_ms = a->now_ms,
                             .arena = a->arena,
                             .codec = a->codec};
    int err = record_validate(v);
    v->rules = NULL;
    if (!err && v->len > (uint64_t)c->segment_bytes) {
        v->fault = FAULT_LIST_TOO_LARGE;
        v->message = "the batch is larger than segment.bytes";
        err = OE_INVALID;
    }
    if (!err) return 0;
    r->errors = v->errors;
    r->error_count = v->error_count;
    return refuse(r, v->fault, v->message);
}

static const char *producer_text(enum append_fault f) {
    switch (f) {
    case FAULT_OUT_OF_ORDER_SEQUENCE: return "the sequence number does not follow the producer's last one";
    case FAULT_PRODUCER_EPOCH: return "the producer's epoch is older than the last one seen";
    case FAULT_TXN_STATE: return "a record outside of the producer's open transaction";
    case FAULT_COORDINATOR_FENCED: return "the marker is of a transaction coordinator that was replaced";
    default: return "a control batch without a transaction marker";
    }
}

int log_append(struct log *l, const struct log_append_args *a, struct log_append_result *r) {
    ASSERT(a->origin == APPEND_CLIENT || a->origin == APPEND_COORDINATOR);
    *r = (struct log_append_result){
        .first_offset = -1, .last_offset = -1, .append_time = -1, .max_timestamp = -1};
    int err = prepare(l, a->now_ms);
    if (err) return io_fault(l, r, err, "opening");
    struct log_open *o = l->open;
    struct validation v;
    r->log_start = l->start;
    if ((err = validate(l, a, &v, r))) return err;
    int64_t last = v.next_offset - 1;
    struct producer_change change = {.entry = NULL};
    bool producer = batch_producer_id(v.bytes) >= 0;
    if (producer) {
        struct producer_check how = {a->origin, a->transaction_version, a->verify, a->guard};
        enum append_fault f = producers_check(&o->producers, v.bytes, v.len, &how, &change);
        if (f != FAULT_NONE) return refuse(r, f, producer_text(f));
        if (change.duplicate) {
            r->duplicate = true;
            r->last_offset = change.seen.last_offset;
            r->first_offset = change.seen.last_offset - change.seen.offset_delta;
            r->append_time = r->max_timestamp = change.seen.timestamp;
            return 0;
        }
    }
    if ((err = make_room(l, v.len, v.max_timestamp, v.offset, last, a->now_ms)))
        return io_fault(l, r, err, "rolling");
    epochs_assign(&o->epochs, a->leader_epoch, v.offset);
    if (producer) {
        struct txn_end end;
        producers_apply(&o->producers, v.bytes, &change, &end);
        remember_end(o, &end);
    }
    enqueue(l, v.bytes, v.len, v.next_offset, a->now_ms);
    r->first_offset = v.offset;
    r->last_offset = last;
    r->max_timestamp = v.max_timestamp;
    r->append_time = l->config->log_append_time ? a->now_ms : -1;
    r->bytes = v.len;
    r->count = v.count;
    return 0;
}

/* ---- append as follower ---- */

/* One whole batch whose offsets are given. */
static int check_follower(const struct log *l, const struct log_append_args *a, const uint8_t *b, size_t n,
                          int64_t next, struct log_append_result *r) {
    if (batch_check(b, n)) return refuse(r, FAULT_CORRUPT, "wrong length or CRC of a batch");
    bool v2 = batch_magic(b) >= 2;
    if (a->origin == APPEND_RAFT_LEADER && (!v2 || batch_leader_epoch(b) != a->leader_epoch))
        return refuse(r, FAULT_INVALID_RECORD, "a batch of another leader epoch");
    if ((v2 ? batch_base_offset(b) : batch_last_offset(b)) < next ||
        batch_last_offset(b) < batch_base_offset(b))
        return refuse(r, FAULT_OFFSETS, "the offsets of a batch are below the log end");
    if (n > (uint64_t)l->config->segment_bytes)
        return refuse(r, FAULT_LIST_TOO_LARGE, "the batch is larger than segment.bytes");
    return 0;
}

static int append_given(struct log *l, const struct log_append_args *a, uint8_t *b, size_t n,
                        struct log_append_result *r) {
    struct log_open *o = l->open;
    int64_t last = batch_last_offset(b);
    int64_t first = batch_magic(b) >= 2 ? batch_base_offset(b) : last > INT32_MAX ? last - INT32_MAX : 0;
    if (first < o->next_offset) first = o->next_offset;
    int err = make_room(l, n, batch_max_timestamp(b), first, last, a->now_ms);
    if (err) return io_fault(l, r, err, "rolling");
    if (batch_magic(b) >= 2) {
        struct txn_end end;
        if (batch_leader_epoch(b) >= 0)
            epochs_assign(&o->epochs, batch_leader_epoch(b), batch_base_offset(b));
        producers_replay(&o->producers, b, n, &end);
        remember_end(o, &end);
        r->count += batch_count(b);
    } else {
        epochs_clear(&o->epochs);
        r->count++;
    }
    enqueue(l, b, n, last + 1, a->now_ms);
    if (r->first_offset < 0) r->first_offset = batch_base_offset(b);
    r->last_offset = last;
    r->bytes += n;
    if (batch_max_timestamp(b) > r->max_timestamp) r->max_timestamp = batch_max_timestamp(b);
    return 0;
}

int log_append_follower(struct log *l, const struct log_append_args *a, struct log_append_result *r) {
    ASSERT(a->origin == APPEND_REPLICATION || a->origin == APPEND_RAFT_LEADER);
    *r = (struct log_append_result){
        .first_offset = -1, .last_offset = -1, .append_time = -1, .max_timestamp = -1};
    int err = prepare(l, a->now_ms);
    if (err) return io_fault(l, r, err, "opening");
    r->log_start = l->start;
    for (size_t at = 0; at < a->len;) {
        uint8_t *b = a->bytes + at;
        int64_t size = batch_peek(b, a->len - at);
        if (size < 0) return refuse(r, FAULT_CORRUPT, "bytes that are no batch");
        if (!size || (uint64_t)size > a->len - at) break; /* a response may end within a batch */
        /* A leader that was replaced: what is of a later epoch than ours comes again from the right one. */
        if (a->origin == APPEND_REPLICATION && batch_magic(b) >= 2 && batch_leader_epoch(b) > a->leader_epoch)
            break;
        if ((err = check_follower(l, a, b, (size_t)size, l->open->next_offset, r))) return err;
        if ((err = append_given(l, a, b, (size_t)size, r))) return err;
        at += (size_t)size;
    }
    return 0;
}
