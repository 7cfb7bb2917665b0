#include "storage/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"

enum { TAIL_FIRST = 8, BLOCK = 512 /* entries read at once */ };

static void decode(const struct index *x, const uint8_t *p, struct index_entry *e) {
    if (x->entry == OFFSET_ENTRY)
        *e = (struct index_entry){0, get_u32(p), get_u32(p + 4)};
    else
        *e = (struct index_entry){get_i64(p), get_u32(p + 8), 0};
}

static int64_t key_of(const struct index_entry *e, enum index_key key) {
    return key == BY_OFFSET ? e->offset : key == BY_POSITION ? e->position : e->timestamp;
}

int index_get(struct index *x, uint32_t n, struct index_entry *e) {
    uint8_t b[TIME_ENTRY];
    ASSERT(n < x->count);
    if (n >= x->on_disk) {
        decode(x, x->tail + (size_t)(n - x->on_disk) * x->entry, e);
        return 0;
    }
    int64_t k = file_pread(x->file, b, x->entry, (int64_t)n * x->entry);
    if (k != x->entry) return k < 0 ? (int)k : OE_IO;
    decode(x, b, e);
    return 0;
}

int index_init(struct index *x, uint8_t entry, struct file *file) {
    ASSERT(entry == OFFSET_ENTRY || entry == TIME_ENTRY);
    *x = (struct index){.file = file, .entry = entry};
    if (!file) return 0;
    int64_t size = file_size(file);
    if (size < 0) return (int)size;
    if (size % entry || size / entry > INT32_MAX) return OE_CORRUPT;
    x->on_disk = x->count = (uint32_t)(size / entry);
    struct index_entry first, before, last;
    if (x->count < 2) return 0;
    int err = index_get(x, 0, &first);
    if (!err) err = index_get(x, x->count - 2, &before);
    if (!err) err = index_get(x, x->count - 1, &last);
    if (err) return err;
    /* Zeros at the end are the space that Kafka reserves for a segment that it did not get to close. */
    if (last.offset <= before.offset && entry == OFFSET_ENTRY) return OE_CORRUPT;
    if (last.offset < first.offset || last.position < first.position || last.timestamp < before.timestamp)
        return OE_CORRUPT;
    return 0;
}

/* Binary search in n entries at p: how many have key ≤ target. */
static uint32_t search(const struct index *x, const uint8_t *p, uint32_t n, enum index_key key,
                       int64_t target) {
    uint32_t lo = 0, hi = n;
    struct index_entry e;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        decode(x, p + (size_t)mid * x->entry, &e);
        if (key_of(&e, key) <= target)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* How many of the entries in the file have key ≤ target: entries first, then one block at once. */
static int search_disk(struct index *x, enum index_key key, int64_t target, uint32_t *count) {
    uint8_t block[BLOCK * TIME_ENTRY];
    struct index_entry e;
    uint32_t lo = 0, hi = x->on_disk;
    while (hi - lo > BLOCK) {
        uint32_t mid = lo + (hi - lo) / 2;
        int err = index_get(x, mid, &e);
        if (err) return err;
        if (key_of(&e, key) <= target)
            lo = mid + 1;
        else
            hi = mid;
    }
    size_t n = (size_t)(hi - lo) * x->entry;
    int64_t k = n ? file_pread(x->file, block, n, (int64_t)lo * x->entry) : 0;
    if (k != (int64_t)n) return k < 0 ? (int)k : OE_IO;
    *count = lo + search(x, block, hi - lo, key, target);
    return 0;
}

int index_floor(struct index *x, enum index_key key, int64_t target, struct index_entry *e, uint32_t *at) {
    ASSERT((key == BY_TIMESTAMP) == (x->entry == TIME_ENTRY) || key == BY_OFFSET);
    uint32_t n = search(x, x->tail, x->count - x->on_disk, key, target);
    if (n)
        n += x->on_disk;
    else if (x->on_disk) {
        int err = search_disk(x, key, target, &n);
        if (err) return err;
    }
    if (!n) return 0;
    if (at) *at = n - 1;
    int err = index_get(x, n - 1, e);
    return err ? err : 1;
}

void index_add(struct index *x, const struct index_entry *e) {
    ASSERT(!index_tail_full(x));
    uint32_t n = x->count - x->on_disk;
    if (n == x->cap) {
        x->cap = x->cap ? (uint16_t)(2 * x->cap) : TAIL_FIRST;
        x->tail = xrealloc(x->tail, (size_t)x->cap * x->entry);
    }
    uint8_t *p = x->tail + (size_t)n * x->entry;
    if (x->entry == OFFSET_ENTRY) {
        put_u32(p, e->offset);
        put_u32(p + 4, e->position);
    } else {
        put_i64(p, e->timestamp);
        put_u32(p + 8, e->offset);
    }
    x->count++;
}

int index_flush(struct index *x, struct fs *fs, const char *path) {
    uint32_t n = x->count - x->on_disk;
    int err = x->file ? 0 : fs_open(fs, path, FS_WRITE | FS_CREATE, &x->file);
    if (err) return err;
    if (!n) return 0;
    err = file_pwrite(x->file, x->tail, (size_t)n * x->entry, (int64_t)x->on_disk * x->entry);
    if (err) return err;
    x->on_disk = x->count;
    free(x->tail);
    x->tail = NULL;
    x->cap = 0;
    return 0;
}

int index_truncate(struct index *x, uint32_t n) {
    ASSERT(n <= x->count);
    int err = n < x->on_disk ? file_truncate(x->file, (int64_t)n * x->entry) : 0;
    if (err) return err;
    x->count = n;
    if (n < x->on_disk) x->on_disk = n;
    return 0;
}

void index_close(struct index *x) {
    file_unref(x->file);
    free(x->tail);
    *x = (struct index){.entry = x->entry};
}
