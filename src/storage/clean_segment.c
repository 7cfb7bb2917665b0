/* One new segment out of a few old ones: <base>.log.cleaned and its indexes, durable before anything is
 * renamed. Nobody else knows the files; only making them takes the log's lock, because the log's directory
 * may be renamed at any time. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "storage/clean_internal.h"
#include "storage/logdir.h"

static const char *const suffixes[] = {".log.cleaned", ".index.cleaned", ".timeindex.cleaned",
                                       ".txnindex.cleaned"};

static void remove_files(struct cleaning *c, int64_t base) {
    struct log *l = c->log;
    char path[LOG_PATH];
    log_lock(l);
    for (int i = 0; i < 4 && !l->deleted; i++) {
        log_file_path(l, base, suffixes[i], path);
        fs_unlink(log_fs(l), path); /* what stays is deleted at the next start */
    }
    log_unlock(l);
}

void clean_segment_drop(struct cleaning *c, struct segment *s) {
    segment_close(s);
    remove_files(c, s->base);
}

static int create(struct cleaning *c, int which, int64_t base, struct file **f) {
    struct log *l = c->log;
    char path[LOG_PATH];
    log_lock(l);
    int err = l->deleted || logdir_is_offline(l->dir) ? OE_AGAIN : logdir_begin_changes(l->dir);
    log_file_path(l, base, suffixes[which], path);
    if (!err) err = fs_open(log_fs(l), path, FS_WRITE | FS_CREATE | FS_TRUNC, f);
    log_unlock(l);
    return err;
}

static int make_files(struct cleaning *c, struct segment *s) {
    struct file *offsets, *times;
    int err = create(c, 0, s->base, &s->file);
    if (!err && !(err = create(c, 1, s->base, &offsets)))
        err = index_init(&s->offsets, OFFSET_ENTRY, offsets);
    if (!err && !(err = create(c, 2, s->base, &times))) err = index_init(&s->times, TIME_ENTRY, times);
    return err;
}

static int flush_indexes(struct segment *s) {
    int err = index_flush(&s->times, NULL, NULL);
    return err ? err : index_flush(&s->offsets, NULL, NULL);
}

/* What has been gathered goes to the file, then into the indexes. */
static int write_out(struct cleaning *c, struct segment *s, struct strbuf *out) {
    const uint8_t *b = (const uint8_t *)out->s;
    if (!out->len) return 0;
    if (s->size + (uint64_t)out->len > INT32_MAX) return OE_LIMIT;
    int err = file_pwrite(s->file, b, out->len, s->size);
    for (size_t at = 0; !err && at < out->len;) {
        int64_t n = batch_size(b + at);
        ASSERT(n > 0 && (uint64_t)n <= out->len - at);
        if (index_tail_full(&s->offsets)) err = flush_indexes(s);
        segment_note((uint32_t)c->config.index_interval_bytes, s, b + at, s->size, (uint32_t)n);
        s->size += (uint32_t)n;
        at += (size_t)n;
    }
    c->stats->bytes_written += (int64_t)out->len;
    if (!err) err = cleaning_moved(c, (int64_t)out->len);
    strbuf_reset(out);
    return err;
}

static int copy_segment(struct cleaning *c, struct clean_filter *f, int i, struct segment *s,
                        struct strbuf *out) {
    struct scan scan;
    struct file *file;
    const uint8_t *b;
    uint32_t size, at;
    int more, err = cleaning_open(c, i, &file);
    if (err) return err;
    scan_start(&scan, file, 0, c->sources[i].size, true);
    scan.chunk = (size_t)c->options->io_bytes;
    while ((more = scan_next(&scan, &b, &size, &at)) > 0) {
        if ((more = cleaning_moved(c, size))) break;
        if ((more = batch_check(b, size)) || batch_last_offset(b) - s->base > INT32_MAX) {
            more = OE_CORRUPT;
            break;
        }
        if ((more = clean_batch(f, b, size, out))) break;
        c->stats->bytes_read += size;
        if (out->len >= (size_t)c->options->io_bytes && (more = write_out(c, s, out))) break;
    }
    scan_end(&scan);
    file_unref(file);
    return more;
}

/* The rest of the indexes, the transactions, and everything on disk. */
static int finish(struct cleaning *c, struct clean_filter *f, struct segment *s) {
    struct file *txns = NULL;
    int err = flush_indexes(s);
    if (!err && s->max_timestamp > s->last_time_entry) {
        s->last_time_entry = s->max_timestamp;
        index_add(&s->times, &(struct index_entry){.timestamp = s->max_timestamp,
                                                   .offset = (uint32_t)(s->max_timestamp_offset - s->base)});
        err = flush_indexes(s);
    }
    if (!err && f->abort_count && !(err = create(c, 3, s->base, &txns))) {
        err = aborts_append(txns, f->aborts, f->abort_count);
        s->has_aborts = true;
    }
    if (!err) err = file_datasync(s->file);
    if (!err) err = file_datasync(s->offsets.file);
    if (!err) err = file_datasync(s->times.file);
    if (!err && txns) err = file_datasync(txns);
    file_unref(txns);
    return err;
}

int clean_segment_write(struct cleaning *c, struct clean_filter *f, int first, int count, struct segment *s) {
    struct strbuf out;
    *s = (struct segment){.base = c->sources[first].base,
                          .max_timestamp = -1,
                          .max_timestamp_offset = -1,
                          .first_timestamp = NOT_KNOWN,
                          .last_time_entry = -1,
                          .created_ms = c->options->now_ms,
                          .mtime_ms = c->sources[first + count - 1].mtime_ms,
                          .indexed = true,
                          .writable = true,
                          .offsets.entry = OFFSET_ENTRY,
                          .times.entry = TIME_ENTRY};
    strbuf_init(&out, SIZE_MAX / 2);
    remove_files(c, s->base);
    int err = make_files(c, s);
    for (int i = first; i < first + count && !err; i++) {
        /* As the reference: messages without a horizon are judged by when the clean part was last changed. */
        f->keep_old_tombstones = c->sources[i].mtime_ms > c->old_horizon_ms;
        err = copy_segment(c, f, i, s, &out);
    }
    if (!err) err = write_out(c, s, &out);
    strbuf_free(&out);
    if (!err) err = finish(c, f, s);
    if (!err) return 0;
    clean_segment_drop(c, s);
    return err;
}
