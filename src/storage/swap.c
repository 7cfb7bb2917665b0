/* A cleaned segment takes the place of the ones that it was made of (LocalLog.replaceSegments). With the
 * log's lock, in this order, so that a crash at any point leaves what recover.c (and Kafka) finishes or
 * drops:
 *
 *   1. .cleaned → .swap     its files. Before the last of them there is a .cleaned left: all is dropped
 *   2. old → .deleted       each old segment's files. From here on there is a .swap: it is finished
 *   3. .swap → no suffix    the .log first: what lies in the range of a .log.swap is deleted at a start
 *
 * Readers that hold an old file keep it; it goes after file.delete.delay.ms. The producers' snapshots at the
 * old bases go, except the one at the new segment's base. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "storage/clean_internal.h"
#include "storage/logdir.h"

static const char *const kinds[] = {".log", ".index", ".timeindex", ".txnindex"};

/* All files of the new segment get another suffix. */
static int rename_all(struct log *l, const struct segment *s, const char *from, const char *to) {
    char old[LOG_PATH], new[LOG_PATH], suffix[32];
    int err = 0;
    for (int i = 0; i < 4 && !err; i++) {
        if (i == 3 && !s->has_aborts) break;
        snprintf(suffix, sizeof suffix, "%s%s", kinds[i], from);
        log_file_path(l, s->base, suffix, old);
        snprintf(suffix, sizeof suffix, "%s%s", kinds[i], to);
        log_file_path(l, s->base, suffix, new);
        err = fs_rename(log_fs(l), old, new);
    }
    return err;
}

static int keep_time(struct log *l, const struct segment *s) {
    char path[LOG_PATH];
    log_file_path(l, s->base, ".log.cleaned", path);
    return fs_set_mtime(log_fs(l), path, s->mtime_ms);
}

/* Where the sources are among the segments; −1: not all of them are there any more. */
static int find_sources(struct cleaning *c, int first, int count) {
    struct log_open *o = c->log->open;
    if (!o || c->log->cuts != c->cuts) return -1;
    struct segment *s = log_floor(c->log, c->sources[first].base);
    int at = s ? (int)(s - o->segments) : -1;
    if (at < 0 || at + count >= o->count) return -1;
    for (int i = 0; i < count; i++)
        if (o->segments[at + i].base != c->sources[first + i].base) return -1;
    return at;
}

static int swap(struct cleaning *c, int at, int count, struct segment *s) {
    struct log *l = c->log;
    struct log_open *o = l->open;
    int err = keep_time(l, s);
    if (!err) err = rename_all(l, s, ".cleaned", ".swap");
    for (int i = 0; i < count && !err; i++)
        err = log_set_aside(l, &o->segments[at + i], c->options->now_ms, i > 0);
    if (!err) err = rename_all(l, s, ".swap", "");
    if (err) return err;
    for (int i = 0; i < count; i++) {
        l->size -= o->segments[at + i].size;
        segment_close(&o->segments[at + i]);
    }
    l->size += s->size;
    segment_close(s); /* opened again when it is read */
    o->segments[at] = *s;
    memmove(o->segments + at + 1, o->segments + at + count,
            (size_t)(o->count - at - count) * sizeof *o->segments);
    o->count -= count - 1;
    o->bound_offset = -1;
    o->dir_unsynced = true;
    log_check(l);
    return 0;
}

int clean_swap(struct cleaning *c, int first, int count, struct segment *s) {
    struct log *l = c->log;
    char dir[LOG_PATH];
    log_path(l, dir);
    log_lock(l);
    int at = l->deleted || logdir_is_offline(l->dir) ? -1 : find_sources(c, first, count);
    int err = at < 0 ? OE_AGAIN : swap(c, at, count, s);
    log_unlock(l);
    if (at < 0) clean_segment_drop(c, s);
    if (!err) err = fs_sync_dir(log_fs(l), dir);
    return err == OE_NOTFOUND && l->deleted ? OE_AGAIN : err;
}
