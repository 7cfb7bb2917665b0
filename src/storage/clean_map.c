/* From the dirty part of a log to the newest offset of each key (Cleaner.buildOffsetMap). Records of aborted
 * transactions do not count. When the map is full the round ends there: what lies above stays as it is and is
 * dirty still. */
#include <stdlib.h>

#include "base/err.h"
#include "base/mem.h"
#include "record/record.h"
#include "storage/clean_internal.h"

enum { PLAIN_LIMIT = 256 << 20 };

/* 1: the map was full before the last record. */
static int add_records(struct cleaning *c, const uint8_t *b, size_t n) {
    struct record_iter it;
    struct record r;
    int more = record_iter_start(&it, c->codec, b, n, PLAIN_LIMIT);
    if (!more)
        while ((more = record_iter_next(&it, &r)) > 0) {
            if (!r.key || r.offset < c->first_dirty) continue;
            if (r.offset > batch_last_offset(b) || r.offset < 0) {
                more = OE_CORRUPT;
                break;
            }
            if (offset_map_full(&c->map)) break;
            offset_map_put(&c->map, r.key, (size_t)r.key_len, r.offset);
        }
    record_iter_end(&it);
    return more;
}

static int add_batch(struct cleaning *c, struct clean_txns *txns, const uint8_t *b, size_t n) {
    int more = 0;
    if (batch_check(b, n)) return OE_CORRUPT;
    if (batch_magic(b) >= 2 && batch_is_control(b)) {
        struct abort_entry kept;
        bool discard, has_kept;
        int err = clean_txns_control(txns, b, n, &discard, &kept, &has_kept);
        if (err) return err;
    } else if (!clean_txns_data(txns, b) && batch_last_offset(b) >= c->first_dirty) {
        more = add_records(c, b, n);
    }
    if (!more && batch_last_offset(b) > c->map.latest && batch_last_offset(b) >= c->first_dirty)
        c->map.latest = batch_last_offset(b);
    return more;
}

static int add_segment(struct cleaning *c, struct clean_txns *txns, int i) {
    struct scan scan;
    struct file *file;
    const uint8_t *b;
    uint32_t size, at;
    int more, err = cleaning_open(c, i, &file);
    if (err) return err;
    scan_start(&scan, file, 0, c->sources[i].size, true);
    scan.chunk = (size_t)c->options->io_bytes;
    while ((more = scan_next(&scan, &b, &size, &at)) > 0) {
        if ((more = cleaning_moved(c, size)) || (more = add_batch(c, txns, b, size))) break;
        c->stats->map_bytes_read += size;
    }
    scan_end(&scan);
    file_unref(file);
    if (!more && c->sources[i].end - 1 > c->map.latest) c->map.latest = c->sources[i].end - 1;
    return more;
}

int clean_map_build(struct cleaning *c) {
    struct clean_txns txns;
    int first = 0, skip = 0, more = 0;
    while (first < c->count && c->sources[first].end <= c->first_dirty) first++;
    if (first == c->count) return 0;
    /* Transactions that ended below would be taken for open ones. */
    struct abort_entry *aborts = xcalloc((size_t)c->abort_count + 1, sizeof *aborts);
    for (int i = 0; i < c->abort_count; i++)
        if (c->aborts[i].last_offset >= c->sources[first].base) aborts[skip++] = c->aborts[i];
    clean_txns_init(&txns, aborts, skip);
    for (int i = first; i < c->count && !more; i++) more = add_segment(c, &txns, i);
    clean_txns_free(&txns);
    free(aborts);
    return more < 0 ? more : 0;
}
