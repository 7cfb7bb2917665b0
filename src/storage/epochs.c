#include "storage/epochs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/strbuf.h"

enum { FILE_LIMIT = 64 << 20, LINE_MAX_BYTES = 40 };
#define FILE_NAME "leader-epoch-checkpoint"

void epochs_free(struct epochs *e) {
    free(e->at);
    *e = (struct epochs){0};
}

static void check(const struct epochs *e) {
    for (int i = e->count - 1; i > 0 && i > e->count - 3; i--) {
        ASSERT(e->at[i].epoch > e->at[i - 1].epoch);
        ASSERT(e->at[i].offset > e->at[i - 1].offset);
    }
}

void epochs_assign(struct epochs *e, int32_t epoch, int64_t offset) {
    ASSERT(epoch >= 0 && offset >= 0);
    if (e->count) {
        const struct epoch_start *last = &e->at[e->count - 1];
        if (last->epoch == epoch && last->offset <= offset) return;
    }
    while (e->count && (e->at[e->count - 1].epoch >= epoch || e->at[e->count - 1].offset >= offset))
        e->count--;
    if (e->count == e->cap) {
        e->cap = e->cap ? 2 * e->cap : 1;
        e->at = xrealloc(e->at, (size_t)e->cap * sizeof *e->at);
    }
    e->at[e->count++] = (struct epoch_start){offset, epoch};
    e->dirty = true;
    check(e);
}

void epochs_truncate_end(struct epochs *e, int64_t end) {
    while (e->count && e->at[e->count - 1].offset >= end) {
        e->count--;
        e->dirty = true;
    }
}

void epochs_truncate_start(struct epochs *e, int64_t start) {
    int n = 0;
    while (n < e->count && e->at[n].offset <= start) n++;
    if (!n || (n == 1 && e->at[0].offset == start)) return;
    n--; /* the epoch that is current at start stays and begins there */
    memmove(e->at, e->at + n, (size_t)(e->count - n) * sizeof *e->at);
    e->count -= n;
    e->at[0].offset = start;
    e->dirty = true;
    check(e);
}

void epochs_clear(struct epochs *e) {
    e->dirty |= e->count > 0;
    e->count = 0;
}

void epochs_end_of(const struct epochs *e, int32_t epoch, int64_t log_end, int32_t *found, int64_t *end) {
    *found = -1;
    *end = -1;
    if (epoch < 0) return;
    if (epoch == epochs_latest(e)) {
        *found = epoch;
        *end = log_end;
        return;
    }
    int higher = 0;
    while (higher < e->count && e->at[higher].epoch <= epoch) higher++;
    if (higher == e->count) return;
    *found = higher ? e->at[higher - 1].epoch : epoch;
    *end = e->at[higher].offset;
}

int32_t epochs_for_offset(const struct epochs *e, int64_t offset) {
    int32_t epoch = -1;
    for (int i = 0; i < e->count && e->at[i].offset <= offset; i++) epoch = e->at[i].epoch;
    return epoch;
}

int epochs_read(struct epochs *e, struct fs *fs, const char *dir) {
    uint8_t *bytes = NULL;
    size_t n;
    char *path = xasprintf("%s/" FILE_NAME, dir);
    int err = fs_read_all(fs, path, FILE_LIMIT, &bytes, &n);
    free(path);
    if (err) return err == OE_NOTFOUND ? 0 : err;
    char *at = (char *)bytes, *next;
    int64_t expected = -1;
    if (n) {
        long version = strtol(at, &next, 10);
        if (next == at || version != 0) err = OE_CORRUPT;
        at = next;
        expected = strtoll(at, &next, 10);
        if (next == at && !err) expected = 0; /* as the reference: a file that ends here is empty */
        at = next;
    }
    while (!err && n) {
        long long epoch = strtoll(at, &next, 10);
        if (next == at) break;
        at = next;
        long long offset = strtoll(at, &next, 10);
        if (next == at || epoch < 0 || epoch > INT32_MAX || offset < 0)
            err = OE_CORRUPT;
        else
            epochs_assign(e, (int32_t)epoch, offset), expected--;
        at = next;
    }
    if (!err && n && (expected != 0 || at[strspn(at, " \r\n")])) err = OE_CORRUPT;
    free(bytes);
    e->dirty = false;
    e->exists = true;
    return err;
}

int epochs_write(struct epochs *e, struct fs *fs, const char *dir, bool durable) {
    struct strbuf b;
    if (!e->dirty && !(durable && e->unsynced)) return 0;
    durable |= e->exists;
    strbuf_init(&b, (size_t)(e->count + 2) * LINE_MAX_BYTES);
    strbuf_addf(&b, "0\n%d\n", e->count);
    for (int i = 0; i < e->count; i++)
        strbuf_addf(&b, "%d %lld\n", e->at[i].epoch, (long long)e->at[i].offset);
    ASSERT(strbuf_ok(&b));
    char *path = xasprintf("%s/" FILE_NAME, dir);
    int err = durable ? fs_write_atomic(fs, path, b.s, b.len) : fs_replace(fs, path, b.s, b.len);
    free(path);
    strbuf_free(&b);
    if (err) return err;
    e->dirty = false;
    e->unsynced = !durable;
    e->exists |= durable;
    return 0;
}
