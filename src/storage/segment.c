/* One segment: <base>.log with its .index, .timeindex and .txnindex (LogSegment, TransactionIndex of the
 * reference).
 *
 * A transaction index entry is 34 bytes: version 2 | producer id 8 | first offset 8 | last offset 8 | last
 * stable offset 8, ascending by last offset. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "record/batch.h"
#include "storage/log_internal.h"

enum { SCAN_CHUNK = 256 << 10, FIND_CHUNK = 4096, ABORT_ENTRY = 34, ABORTS_LIMIT = 256 << 20 };

/* ---- scanning ---- */

void scan_start(struct scan *c, struct file *file, int64_t at, int64_t limit, bool whole) {
    ASSERT(at >= 0 && at <= limit);
    *c = (struct scan){
        .file = file, .at = at, .limit = limit, .whole = whole, .buffer_at = at, .chunk = SCAN_CHUNK};
}

void scan_end(struct scan *c) {
    free(c->buffer);
    c->buffer = NULL;
}

/* Has n bytes at c->at in the buffer, or fewer at the limit. */
static int scan_fill(struct scan *c, size_t n) {
    if (c->at + (int64_t)n > c->limit) n = (size_t)(c->limit - c->at);
    if (c->at >= c->buffer_at && c->at + (int64_t)n <= c->buffer_at + (int64_t)c->have) return 0;
    size_t want = n > c->chunk ? n : c->chunk;
    if (c->at + (int64_t)want > c->limit) want = (size_t)(c->limit - c->at);
    if (want > c->cap) {
        uint8_t *p = realloc(c->buffer, want);
        if (!p) return OE_NOMEM;
        c->buffer = p;
        c->cap = want;
    }
    int64_t k = file_pread(c->file, c->buffer, want, c->at);
    if (k < 0) return (int)k;
    c->buffer_at = c->at;
    c->have = (size_t)k;
    return 0;
}

int scan_next(struct scan *c, const uint8_t **batch, uint32_t *size, uint32_t *at) {
    if (c->at == c->limit) return 0;
    int err = scan_fill(c, BATCH_HEADER);
    if (err) return err;
    size_t have = c->have - (size_t)(c->at - c->buffer_at);
    int64_t n = batch_peek(c->buffer + (c->at - c->buffer_at), have);
    if (n <= 0 || n > c->limit - c->at || n > INT32_MAX) return OE_CORRUPT;
    bool control = have >= BATCH_HEADER && batch_magic(c->buffer + (c->at - c->buffer_at)) >= 2 &&
                   batch_is_control(c->buffer + (c->at - c->buffer_at));
    if (c->whole || control) {
        if ((err = scan_fill(c, (size_t)n))) return err;
        have = c->have - (size_t)(c->at - c->buffer_at);
        if (have < (size_t)n) return OE_CORRUPT;
    }
    *batch = c->buffer + (c->at - c->buffer_at);
    *size = (uint32_t)n;
    *at = (uint32_t)c->at;
    c->at += n;
    return 1;
}

/* ---- files ---- */

int segment_open(struct log *l, struct segment *s, bool writable) {
    if (s->file && (s->writable || !writable)) return 0;
    char path[LOG_PATH];
    struct file *f;
    log_file_path(l, s->base, ".log", path);
    int err = fs_open(log_fs(l), path, writable ? FS_WRITE : FS_READ, &f);
    if (err) return err;
    file_unref(s->file);
    s->file = f;
    s->writable = writable;
    return 0;
}

int segment_create(struct log *l, struct segment *s) {
    char path[LOG_PATH];
    ASSERT(!s->file && !s->size);
    static const char *const others[] = {".index", ".timeindex", ".txnindex"};
    log_file_path(l, s->base, ".log", path);
    int err = fs_open(log_fs(l), path, FS_WRITE | FS_CREATE | FS_EXCL, &s->file);
    if (err == OE_EXISTS) { /* left by a roll that did not come to its end */
        LOG_WARN("storage", "%s: %s exists already and is emptied", l->name, path);
        err = fs_open(log_fs(l), path, FS_WRITE | FS_CREATE | FS_TRUNC, &s->file);
        for (size_t i = 0; !err && i < sizeof others / sizeof *others; i++) {
            log_file_path(l, s->base, others[i], path);
            err = fs_unlink(log_fs(l), path);
            if (err == OE_NOTFOUND) err = 0;
        }
    }
    if (err) return err;
    if (l->config->preallocate && (err = file_allocate(s->file, l->config->segment_bytes))) return err;
    s->writable = s->indexed = true;
    s->max_timestamp = s->max_timestamp_offset = s->first_timestamp = s->last_time_entry = -1;
    index_init(&s->offsets, OFFSET_ENTRY, NULL);
    index_init(&s->times, TIME_ENTRY, NULL);
    return 0;
}

void segment_close(struct segment *s) {
    file_unref(s->file);
    s->file = NULL;
    if (s->indexed) {
        index_close(&s->offsets);
        index_close(&s->times);
    }
    s->indexed = s->writable = false;
}

/* ---- indexes ---- */

static int open_index(struct log *l, struct segment *s, const char *suffix, uint8_t entry, struct index *x) {
    char path[LOG_PATH];
    struct file *f = NULL;
    log_file_path(l, s->base, suffix, path);
    int err = fs_open(log_fs(l), path, FS_WRITE, &f);
    if (err) return err;
    err = index_init(x, entry, f);
    if (err) index_close(x);
    return err;
}

/* Do the last entries point into the segment? */
static int check_ends(struct segment *s) {
    struct index_entry e;
    int err;
    s->last_time_entry = -1;
    if (s->offsets.count) {
        if ((err = index_get(&s->offsets, s->offsets.count - 1, &e))) return err;
        if (e.position >= s->size || (s->offsets.count > 1 && !e.position) || e.offset > INT32_MAX)
            return OE_CORRUPT;
    }
    if (s->times.count) {
        if ((err = index_get(&s->times, s->times.count - 1, &e))) return err;
        if (e.offset > INT32_MAX) return OE_CORRUPT;
        s->last_time_entry = e.timestamp;
    }
    return 0;
}

int segment_load_index(struct log *l, struct segment *s) {
    if (s->indexed) return 0;
    int err = open_index(l, s, ".index", OFFSET_ENTRY, &s->offsets);
    if (!err) {
        err = open_index(l, s, ".timeindex", TIME_ENTRY, &s->times);
        if (err == OE_NOTFOUND) err = OE_CORRUPT;
        if (!err && (err = check_ends(s))) index_close(&s->times);
        if (err) index_close(&s->offsets);
    }
    s->indexed = !err;
    return err == OE_NOTFOUND ? OE_CORRUPT : err;
}

int segment_index(struct log *l, struct segment *s) {
    int err = segment_load_index(l, s);
    if (err != OE_CORRUPT) return err;
    LOG_WARN("storage", "%s: the index of segment %lld is missing or wrong and is built anew", l->name,
             (long long)s->base);
    if ((err = logdir_begin_changes(l->dir))) return err;
    return segment_rebuild_index(l, s);
}

/* Adds what a batch that is now in the file means for the indexes. */
void segment_note(uint32_t interval, struct segment *s, const uint8_t *b, uint32_t position, uint32_t size) {
    int64_t timestamp = batch_max_timestamp(b), last = batch_last_offset(b);
    ASSERT(s->max_timestamp != NOT_KNOWN && last >= s->base);
    if (timestamp > s->max_timestamp) {
        s->max_timestamp = timestamp;
        s->max_timestamp_offset = last;
    }
    if (s->since_entry > interval) {
        index_add(&s->offsets,
                  &(struct index_entry){.offset = (uint32_t)(last - s->base), .position = position});
        if (s->max_timestamp > s->last_time_entry) {
            s->last_time_entry = s->max_timestamp;
            index_add(&s->times,
                      &(struct index_entry){.timestamp = s->max_timestamp,
                                            .offset = (uint32_t)(s->max_timestamp_offset - s->base)});
        }
        s->since_entry = 0;
    }
    s->since_entry += size;
}

int segment_flush_index(struct log *l, struct segment *s) {
    char path[LOG_PATH];
    ASSERT(s->indexed);
    log_file_path(l, s->base, ".timeindex", path);
    int err = index_flush(&s->times, log_fs(l), path);
    if (err) return err;
    log_file_path(l, s->base, ".index", path);
    return index_flush(&s->offsets, log_fs(l), path);
}

int segment_finish(struct log *l, struct segment *s) {
    ASSERT(s->indexed);
    int err = index_tail_full(&s->times) ? segment_flush_index(l, s) : 0;
    if (err) return err;
    if (s->max_timestamp > s->last_time_entry) {
        s->last_time_entry = s->max_timestamp;
        index_add(&s->times, &(struct index_entry){.timestamp = s->max_timestamp,
                                                   .offset = (uint32_t)(s->max_timestamp_offset - s->base)});
    }
    return segment_flush_index(l, s);
}

int segment_reset_index(struct log *l, struct segment *s) {
    char path[LOG_PATH];
    static const char *const suffixes[] = {".index", ".timeindex"};
    struct index *x[] = {&s->offsets, &s->times};
    if (s->indexed) {
        index_close(&s->offsets);
        index_close(&s->times);
    }
    s->indexed = false;
    for (int i = 0; i < 2; i++) {
        struct file *f = NULL;
        log_file_path(l, s->base, suffixes[i], path);
        int err = fs_open(log_fs(l), path, FS_WRITE | FS_CREATE | FS_TRUNC, &f);
        if (!err) err = index_init(x[i], i ? TIME_ENTRY : OFFSET_ENTRY, f);
        if (err) {
            if (i) index_close(x[0]);
            return err;
        }
    }
    s->indexed = true;
    s->max_timestamp = s->max_timestamp_offset = s->last_time_entry = -1;
    s->since_entry = 0;
    return 0;
}

/* From the headers of all batches; the segment's size is right. */
int segment_rebuild_index(struct log *l, struct segment *s) {
    int err = segment_open(l, s, false);
    if (!err) err = segment_reset_index(l, s);
    if (err) return err;
    struct scan c;
    const uint8_t *b;
    uint32_t size, at;
    scan_start(&c, s->file, 0, s->size, false);
    while ((err = scan_next(&c, &b, &size, &at)) > 0) {
        if (index_tail_full(&s->offsets) && (err = segment_flush_index(l, s))) break;
        segment_note((uint32_t)l->config->index_interval_bytes, s, b, at, size);
    }
    scan_end(&c);
    return err ? err : segment_finish(l, s);
}

/* ---- what a segment says about itself ---- */

int64_t segment_max_timestamp(struct log *l, struct segment *s, int *err) {
    *err = 0;
    if (s->max_timestamp != NOT_KNOWN) return s->max_timestamp;
    if ((*err = segment_index(l, s))) return -1;
    if (s->max_timestamp != NOT_KNOWN) return s->max_timestamp;
    struct index_entry e = {.timestamp = -1};
    if (s->times.count) *err = index_get(&s->times, s->times.count - 1, &e);
    s->max_timestamp = e.timestamp;
    s->max_timestamp_offset = s->times.count ? s->base + e.offset : -1;
    return s->max_timestamp;
}

int64_t segment_largest_timestamp(struct log *l, struct segment *s, int *err) {
    int64_t ts = segment_max_timestamp(l, s, err);
    if (*err || ts >= 0) return ts;
    struct fs_stat st;
    char path[LOG_PATH];
    log_file_path(l, s->base, ".log", path);
    *err = fs_stat(log_fs(l), path, &st);
    return *err ? -1 : st.mtime_ms;
}

int64_t segment_first_timestamp(struct log *l, struct segment *s, int *err) {
    uint8_t header[BATCH_HEADER];
    *err = 0;
    if (s->first_timestamp != NOT_KNOWN) return s->first_timestamp;
    s->first_timestamp = -1;
    if (!s->size || (*err = segment_open(l, s, false))) return -1;
    int64_t k = file_pread(s->file, header, sizeof header, 0);
    if (k < 0)
        *err = (int)k;
    else if (batch_peek(header, (size_t)k) > 0 && k >= LEGACY_HEADER_V0)
        s->first_timestamp = batch_max_timestamp(header);
    return s->first_timestamp;
}

/* ---- from offset to position ---- */

int segment_find(struct log *l, struct segment *s, int64_t offset, uint32_t from, struct batch_place *p) {
    uint8_t chunk[FIND_CHUNK];
    int64_t chunk_at = 0, have = 0;
    int err = segment_open(l, s, false);
    if (err) return err;
    for (uint32_t at = from; at < s->size;) {
        int64_t need = s->size - at < BATCH_HEADER ? s->size - at : BATCH_HEADER;
        if (at < chunk_at || at + need > chunk_at + have) {
            have = file_pread(s->file, chunk, s->size - at < sizeof chunk ? s->size - at : sizeof chunk, at);
            if (have < need) return have < 0 ? (int)have : OE_CORRUPT;
            chunk_at = at;
        }
        const uint8_t *b = chunk + (at - chunk_at);
        int64_t size = batch_peek(b, (size_t)need);
        if (size <= 0 || size > s->size - at) return OE_CORRUPT;
        if (batch_last_offset(b) >= offset) {
            *p = (struct batch_place){batch_base_offset(b), batch_last_offset(b), at, (uint32_t)size,
                                      batch_magic(b)};
            return 1;
        }
        at += (uint32_t)size;
    }
    return 0;
}

/* Among the last batches written. Their offsets are ascending, so the one that holds the offset is it. */
static bool find_recent(const struct log *l, const struct segment *s, int64_t offset, struct batch_place *p) {
    if (s != log_active(l)) return false;
    for (unsigned i = 0; i < RECENT_BATCHES; i++) {
        const struct batch_place *r = &l->open->recent[i];
        if (!r->size || offset < r->base_offset || offset > r->last_offset || r->base_offset < s->base ||
            r->magic < 2)
            continue;
        ASSERT((uint64_t)r->position + r->size <= s->size);
        *p = *r;
        return true;
    }
    return false;
}

int segment_translate(struct log *l, struct segment *s, int64_t offset, struct batch_place *p) {
    struct index_entry e = {0};
    if (find_recent(l, s, offset, p)) return 1;
    int err = segment_index(l, s);
    if (err) return err;
    int found = index_floor(&s->offsets, BY_OFFSET, offset - s->base, &e, NULL);
    if (found < 0) return found;
    return segment_find(l, s, offset, found ? e.position : 0, p);
}

/* ---- aborted transactions ---- */

int segment_read_aborts(struct log *l, struct segment *s, struct abort_entry **entries, int *n) {
    char path[LOG_PATH];
    uint8_t *bytes = NULL;
    size_t len;
    *entries = NULL;
    *n = 0;
    if (!s->has_aborts) return 0;
    log_file_path(l, s->base, ".txnindex", path);
    int err = fs_read_all(log_fs(l), path, ABORTS_LIMIT, &bytes, &len);
    if (err) return err == OE_NOTFOUND ? 0 : err;
    int count = (int)(len / ABORT_ENTRY);
    struct abort_entry *e = xcalloc((size_t)count + 1, sizeof *e);
    for (int i = 0; i < count; i++) {
        const uint8_t *b = bytes + (size_t)i * ABORT_ENTRY;
        e[i] = (struct abort_entry){get_i64(b + 2), get_i64(b + 10), get_i64(b + 18), get_i64(b + 26)};
    }
    free(bytes);
    *entries = e;
    *n = count;
    return 0;
}

int aborts_append(struct file *f, const struct txn_end *t, int n) {
    int64_t size = file_size(f);
    size_t bytes = (size_t)n * ABORT_ENTRY;
    uint8_t *b = xmalloc(bytes + 1);
    for (int i = 0; i < n; i++) {
        uint8_t *p = b + (size_t)i * ABORT_ENTRY;
        put_i16(p, 0);
        put_i64(p + 2, t[i].producer_id);
        put_i64(p + 10, t[i].first_offset);
        put_i64(p + 18, t[i].last_offset);
        put_i64(p + 26, t[i].last_stable);
    }
    int err = size < 0 ? (int)size : file_pwrite(f, b, bytes, size - size % ABORT_ENTRY);
    free(b);
    return err;
}

int segment_add_aborts(struct log *l, struct segment *s, const struct txn_end *t, int n) {
    char path[LOG_PATH];
    struct file *f;
    log_file_path(l, s->base, ".txnindex", path);
    int err = fs_open(log_fs(l), path, FS_WRITE | FS_CREATE, &f);
    if (err) return err;
    err = aborts_append(f, t, n);
    file_unref(f);
    if (!s->has_aborts) l->open->dir_unsynced = true;
    s->has_aborts = true;
    return err;
}

int segment_truncate_aborts(struct log *l, struct segment *s, int64_t offset) {
    struct abort_entry *e;
    int n, keep = 0;
    int err = segment_read_aborts(l, s, &e, &n);
    if (err || !s->has_aborts) return err;
    while (keep < n && e[keep].last_offset < offset) keep++;
    free(e);
    char path[LOG_PATH];
    struct file *f;
    log_file_path(l, s->base, ".txnindex", path);
    err = fs_open(log_fs(l), path, FS_WRITE, &f);
    if (err) return err == OE_NOTFOUND ? 0 : err;
    err = file_truncate(f, (int64_t)keep * ABORT_ENTRY);
    file_unref(f);
    return err;
}

/* ---- truncation ---- */

static int truncate_indexes(struct segment *s, int64_t offset) {
    struct index *x[] = {&s->offsets, &s->times};
    int64_t relative = offset - s->base;
    for (int i = 0; i < 2; i++) {
        struct index_entry e;
        uint32_t n = 0;
        int found = index_floor(x[i], BY_OFFSET, relative, &e, &n);
        if (found < 0) return found;
        int err = index_truncate(x[i], !found ? 0 : e.offset == relative ? n : n + 1);
        if (err) return err;
    }
    return 0;
}

/* The largest timestamp once the indexes have been cut: their last entry or a batch behind it. */
static int find_max_timestamp(struct log *l, struct segment *s) {
    struct index_entry e = {.timestamp = -1}, o = {0};
    int err, found;
    if (s->times.count && (err = index_get(&s->times, s->times.count - 1, &e))) return err;
    s->last_time_entry = e.timestamp;
    s->max_timestamp = e.timestamp;
    s->max_timestamp_offset = s->times.count ? s->base + e.offset : -1;
    if ((found = index_floor(&s->offsets, BY_OFFSET, s->times.count ? e.offset : 0, &o, NULL)) < 0)
        return found;
    struct scan c;
    const uint8_t *b;
    uint32_t size, at;
    scan_start(&c, s->file, found ? o.position : 0, s->size, false);
    while ((err = scan_next(&c, &b, &size, &at)) > 0) {
        if (batch_max_timestamp(b) <= s->max_timestamp) continue;
        s->max_timestamp = batch_max_timestamp(b);
        s->max_timestamp_offset = batch_last_offset(b);
    }
    scan_end(&c);
    return err;
}

int segment_truncate(struct log *l, struct segment *s, int64_t offset, int64_t now_ms) {
    struct batch_place p;
    int err = segment_open(l, s, true);
    int found = err ? err : segment_translate(l, s, offset, &p);
    if (found < 0) return found;
    memset(l->open->recent, 0, sizeof l->open->recent);
    if ((err = truncate_indexes(s, offset)) || (err = segment_truncate_aborts(l, s, offset))) return err;
    if (found) {
        if ((err = file_truncate(s->file, p.position))) return err;
        s->size = p.position;
    }
    s->since_entry = 0;
    s->first_timestamp = s->size ? s->first_timestamp : -1;
    if (!s->size) s->created_ms = now_ms;
    return find_max_timestamp(l, s);
}
