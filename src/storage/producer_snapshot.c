/* <offset>.snapshot, version 1:
 *   0 version 2 | 2 CRC-32C 4 (of what follows it) | 6 number of entries 4 | entries of 46 bytes:
 *   producer id 8, epoch 2, last sequence 4, last offset 8, offset delta 4, timestamp 8,
 *   coordinator epoch 4, first offset of the transaction 8
 *
 * Invariants: 1. `snapshots` is ascending and names files that were there. 2. At most one snapshot is
 * `extra`: ours, taken between segments so that a restart has little to replay; it goes when the next is
 * written. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "record/batch.h"
#include "storage/producers.h"

enum { HEADER = 10, ENTRY = 46, AT_CRC = 2, AT_ENTRIES = 6, FILE_LIMIT = 1 << 30 };

static char *path_of(const char *dir, int64_t offset) {
    return xasprintf("%s/%020lld.snapshot", dir, (long long)offset);
}

static int place(const struct producers *p, int64_t offset) {
    int i = p->snapshot_count;
    while (i && p->snapshots[i - 1] >= offset) i--;
    return i;
}

bool producers_has_snapshot(const struct producers *p, int64_t offset) {
    int i = place(p, offset);
    return i < p->snapshot_count && p->snapshots[i] == offset;
}

void producers_found_snapshot(struct producers *p, int64_t offset) {
    int i = place(p, offset);
    if (i < p->snapshot_count && p->snapshots[i] == offset) return;
    if (p->snapshot_count == p->snapshot_cap) {
        p->snapshot_cap = p->snapshot_cap ? 2 * p->snapshot_cap : 2;
        p->snapshots = xrealloc(p->snapshots, (size_t)p->snapshot_cap * sizeof *p->snapshots);
    }
    memmove(p->snapshots + i + 1, p->snapshots + i, (size_t)(p->snapshot_count - i) * sizeof *p->snapshots);
    p->snapshots[i] = offset;
    p->snapshot_count++;
}

void producers_forget_snapshot(struct producers *p, int64_t offset) {
    int i = place(p, offset);
    if (i == p->snapshot_count || p->snapshots[i] != offset) return;
    memmove(p->snapshots + i, p->snapshots + i + 1, (size_t)(--p->snapshot_count - i) * sizeof *p->snapshots);
    if (p->extra == offset) p->extra = -1;
}

void producers_delete_snapshot(struct producers *p, struct fs *fs, const char *dir, int64_t offset) {
    if (!producers_has_snapshot(p, offset)) return;
    char *path = path_of(dir, offset);
    fs_unlink(fs, path); /* one that stays is found as a stray at the next start */
    free(path);
    producers_forget_snapshot(p, offset);
}

void producers_drop_strays(struct producers *p, struct fs *fs, const char *dir, const int64_t *bases,
                           int count) {
    int64_t stray = -1, newest_base = count ? bases[count - 1] : -1;
    for (int i = 0, b = 0; i < p->snapshot_count;) {
        int64_t offset = p->snapshots[i];
        while (b < count && bases[b] < offset) b++;
        if (b < count && bases[b] == offset) {
            i++;
            continue;
        }
        if (stray >= 0) {
            producers_delete_snapshot(p, fs, dir, stray);
            i--;
        }
        stray = offset;
        i++;
    }
    if (stray >= 0 && count && stray < newest_base)
        producers_delete_snapshot(p, fs, dir, stray);
    else
        p->extra = stray;
}

static struct producer *read_entry(struct producers *p, const uint8_t *b) {
    struct producer *e = xcalloc(1, sizeof *e);
    *e = (struct producer){.id = get_i64(b),
                           .epoch = get_i16(b + 8),
                           .last_timestamp = get_i64(b + 26),
                           .coordinator_epoch = get_i32(b + 34),
                           .txn_first_offset = get_i64(b + 38)};
    if (e->txn_first_offset < 0) e->txn_first_offset = -1;
    if (get_i64(b + 14) >= 0) {
        e->count = 1;
        e->ring[0] =
            (struct producer_batch){get_i64(b + 14), e->last_timestamp, get_i32(b + 10), get_i32(b + 22)};
    }
    return e;
}

static int parse(struct producers *p, const uint8_t *b, size_t n, int64_t now_ms, int64_t expiration_ms) {
    if (n < HEADER || get_i16(b) != 1) return OE_CORRUPT;
    int32_t count = get_i32(b + AT_ENTRIES);
    if (count < 0 || (n - HEADER) / ENTRY < (size_t)count) return OE_CORRUPT;
    if (crc32c(0, b + AT_ENTRIES, n - AT_ENTRIES) != get_u32(b + AT_CRC)) return OE_CORRUPT;
    for (int32_t i = 0; i < count; i++) {
        struct producer *e = read_entry(p, b + HEADER + (size_t)i * ENTRY);
        bool old = e->txn_first_offset < 0 && now_ms - e->last_timestamp >= expiration_ms;
        if (e->id < 0 || old) {
            free(e);
            continue;
        }
        free(hashmap_put(&p->map, &e->id, sizeof e->id, e));
        if (e->txn_first_offset < 0) continue;
        if (p->ongoing_count == p->ongoing_cap) {
            p->ongoing_cap = p->ongoing_cap ? 2 * p->ongoing_cap : 2;
            p->ongoing = xrealloc(p->ongoing, (size_t)p->ongoing_cap * sizeof *p->ongoing);
        }
        p->ongoing[p->ongoing_count++] = (struct txn){e->txn_first_offset, -1, e->id};
    }
    return 0;
}

static int by_first_offset(const void *a, const void *b) {
    int64_t x = ((const struct txn *)a)->first_offset, y = ((const struct txn *)b)->first_offset;
    return (x > y) - (x < y);
}

int producers_load(struct producers *p, struct fs *fs, const char *dir, int64_t start, int64_t end,
                   int64_t now_ms, int64_t expiration_ms) {
    for (int i = p->snapshot_count - 1; i >= 0; i--)
        if (p->snapshots[i] > end || p->snapshots[i] <= start)
            producers_delete_snapshot(p, fs, dir, p->snapshots[i]);
    producers_clear(p, start);
    p->snapshot_at = start;
    while (p->snapshot_count) {
        int64_t offset = p->snapshots[p->snapshot_count - 1];
        uint8_t *bytes = NULL;
        size_t n = 0;
        char *path = path_of(dir, offset);
        int err = fs_read_all(fs, path, FILE_LIMIT, &bytes, &n);
        free(path);
        if (!err) err = parse(p, bytes, n, now_ms, expiration_ms);
        free(bytes);
        if (!err) {
            if (p->ongoing_count)
                qsort(p->ongoing, (size_t)p->ongoing_count, sizeof *p->ongoing, by_first_offset);
            p->end_offset = p->snapshot_at = offset;
            return 0;
        }
        if (err != OE_CORRUPT && err != OE_NOTFOUND && err != OE_LIMIT) return err;
        LOG_WARN("storage", "%s: the producer snapshot at %lld is not usable (%s): taking the one before",
                 dir, (long long)offset, oerr_text(err));
        producers_clear(p, start);
        producers_delete_snapshot(p, fs, dir, offset);
    }
    return 0;
}

static void write_entry(uint8_t *b, const struct producer *e) {
    const struct producer_batch none = {-1, 0, NO_SEQUENCE, 0};
    const struct producer_batch *last =
        e->count ? &e->ring[(e->first + e->count - 1) % PRODUCER_BATCHES] : &none;
    put_i64(b, e->id);
    put_i16(b + 8, e->epoch);
    put_i32(b + 10, last->last_sequence);
    put_i64(b + 14, last->last_offset);
    put_i32(b + 22, last->offset_delta);
    put_i64(b + 26, e->last_timestamp);
    put_i32(b + 34, e->coordinator_epoch);
    put_i64(b + 38, e->txn_first_offset);
}

int producers_snapshot(struct producers *p, struct fs *fs, const char *dir, bool extra, bool durable) {
    if (p->end_offset <= p->snapshot_at) return 0;
    size_t n = HEADER + p->map.count * ENTRY;
    uint8_t *b = xmalloc(n), *at = b + HEADER;
    struct hashmap_entry *e;
    put_i16(b, 1);
    put_i32(b + AT_ENTRIES, (int32_t)p->map.count);
    for (size_t i = 0; (e = hashmap_next(&p->map, &i)); at += ENTRY) write_entry(at, e->value);
    ASSERT(at == b + n);
    put_u32(b + AT_CRC, crc32c(0, b + AT_ENTRIES, n - AT_ENTRIES));
    struct file *f = NULL;
    char *path = path_of(dir, p->end_offset);
    int err = fs_open(fs, path, FS_WRITE | FS_CREATE | FS_TRUNC, &f);
    if (!err) err = file_pwrite(f, b, n, 0);
    if (!err && durable) err = file_datasync(f);
    file_unref(f);
    free(path);
    free(b);
    if (err) return err;
    int64_t before = p->extra;
    producers_found_snapshot(p, p->end_offset);
    p->snapshot_at = p->end_offset;
    if (before >= 0 && before != p->end_offset) producers_delete_snapshot(p, fs, dir, before);
    p->extra = extra ? p->end_offset : -1;
    return 0;
}
