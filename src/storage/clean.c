/* Cleaning one log (Cleaner.doClean). In order: what is there (sources, aborted transactions), the map of the
 * dirty part (clean_map.c), then all segments that have something below the map's end, clean ones too, in
 * groups that become one segment each (clean_batch.c, clean_segment.c), each swapped in as it is done
 * (swap.c), from the oldest on: a record never comes back because a newer one that hid it is gone already.
 * Last, the clean point is moved and checkpointed; a crash before costs another cleaning.
 *
 * A segment that holds more than 2^31 offsets (written before Kafka 0.11) is refused, where the reference
 * splits it. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "storage/clean_internal.h"
#include "storage/logdir.h"

/* ---- between two steps ---- */

static bool still_there(const struct cleaning *c) {
    const struct log *l = c->log;
    return !l->deleted && !logdir_is_offline(l->dir) && l->open && l->cuts == c->cuts &&
           l->config->cleanup_compact;
}

static int check(struct cleaning *c) {
    const struct clean_options *o = c->options;
    if (o->stop && o->stop(o->owner)) return OE_AGAIN;
    log_lock(c->log);
    bool there = still_there(c);
    log_unlock(c->log);
    return there ? 0 : OE_AGAIN;
}

int cleaning_moved(struct cleaning *c, int64_t bytes) {
    if ((c->moved += bytes) < c->options->io_bytes) return 0;
    bytes = c->moved;
    c->moved = 0;
    if (c->options->moved) c->options->moved(c->options->owner, bytes);
    return check(c);
}

int cleaning_open(struct cleaning *c, int i, struct file **f) {
    struct log *l = c->log;
    char path[LOG_PATH];
    int err = OE_AGAIN;
    log_lock(l);
    if (still_there(c)) {
        log_file_path(l, c->sources[i].base, ".log", path);
        err = fs_open(log_fs(l), path, FS_READ, f);
    }
    log_unlock(l);
    return err;
}

/* ---- what is there; with the lock ---- */

static int64_t size_of(struct log *l, int64_t base, const char *suffix) {
    struct fs_stat st;
    char path[LOG_PATH];
    log_file_path(l, base, suffix, path);
    return fs_stat(log_fs(l), path, &st) ? 0 : st.size; /* an index that is missing is made when it is used */
}

static int find_sources(struct cleaning *c) {
    struct log *l = c->log;
    struct log_open *o = l->open;
    c->sources = xcalloc((size_t)o->count, sizeof *c->sources);
    for (int i = 0; i + 1 < o->count && o->segments[i].base < c->first_uncleanable; i++) {
        struct clean_source *s = &c->sources[c->count++];
        struct fs_stat st;
        char path[LOG_PATH];
        log_file_path(l, o->segments[i].base, ".log", path);
        int err = fs_stat(log_fs(l), path, &st);
        if (err) return err == OE_NOTFOUND ? OE_IO : err;
        *s = (struct clean_source){.base = o->segments[i].base,
                                   .end = o->segments[i + 1].base,
                                   .size = o->segments[i].size,
                                   .index_bytes = size_of(l, o->segments[i].base, ".index"),
                                   .time_bytes = size_of(l, o->segments[i].base, ".timeindex"),
                                   .mtime_ms = st.mtime_ms};
        if (s->base < c->first_dirty) c->old_horizon_ms = s->mtime_ms - l->config->delete_retention_ms;
    }
    return 0;
}

static int by_first_offset(const void *a, const void *b) {
    const struct abort_entry *x = a, *y = b;
    return (x->first_offset > y->first_offset) - (x->first_offset < y->first_offset);
}

static int find_aborts(struct cleaning *c) {
    struct log *l = c->log;
    bool complete = false;
    for (int i = 0; i < l->open->count && !complete; i++) {
        struct abort_entry *e;
        int n, err = segment_read_aborts(l, &l->open->segments[i], &e, &n);
        if (err) return err;
        if (n) c->aborts = xrealloc(c->aborts, (size_t)(c->abort_count + n) * sizeof *e);
        for (int k = 0; k < n && !complete; k++) {
            if (e[k].last_offset >= l->start && e[k].first_offset < c->first_uncleanable)
                c->aborts[c->abort_count++] = e[k];
            complete = e[k].last_stable >= c->first_uncleanable;
        }
        free(e);
    }
    if (c->abort_count) qsort(c->aborts, (size_t)c->abort_count, sizeof *c->aborts, by_first_offset);
    return 0;
}

static int begin(struct cleaning *c) {
    struct log *l = c->log;
    log_lock(l);
    ASSERT(l->cleaning);
    int err = l->deleted ? OE_AGAIN : log_open(l, l->last_used);
    if (!err) {
        c->config = *l->config;
        c->cuts = l->cuts;
        c->decided = l->high_watermark;
        err = find_sources(c);
    }
    if (!err) err = find_aborts(c);
    log_unlock(l);
    return err;
}

/* ---- groups ---- */

/* How many segments from `first` on become one: their sum is no more than a segment may have. */
static int group_size(const struct cleaning *c, int first, int count) {
    const struct clean_source *s = &c->sources[first];
    int64_t bytes = s->size, index = s->index_bytes, times = s->time_bytes;
    int n = 1;
    for (; first + n < count; n++) {
        const struct clean_source *next = &s[n];
        int64_t last = first + n + 1 < count ? next->end - 1 : c->first_uncleanable - 1;
        bytes += next->size;
        index += next->index_bytes;
        times += next->time_bytes;
        if (bytes > c->config.segment_bytes || index > c->config.segment_index_bytes ||
            times > c->config.segment_index_bytes)
            break;
        if (next->size && last - s->base > INT32_MAX) break;
    }
    return n;
}

static int by_id(const void *a, const void *b) {
    const struct last_record *x = a, *y = b;
    return (x->producer_id > y->producer_id) - (x->producer_id < y->producer_id);
}

/* The active producers as they are now. */
static int find_last_records(struct cleaning *c, struct last_record **out, size_t *n) {
    struct log *l = c->log;
    struct hashmap_entry *e;
    int err = OE_AGAIN;
    *n = 0;
    *out = NULL;
    log_lock(l);
    if (still_there(c)) {
        struct hashmap *map = &l->open->producers.map;
        *out = xmalloc((map->count + 1) * sizeof **out);
        for (size_t i = 0; (e = hashmap_next(map, &i));) {
            const struct producer *p = e->value;
            int last = (p->first + p->count - 1) % PRODUCER_BATCHES;
            (*out)[(*n)++] = (struct last_record){p->id, p->count ? p->ring[last].last_offset : -1, p->epoch};
        }
        err = 0;
    }
    log_unlock(l);
    if (*n) qsort(*out, *n, sizeof **out, by_id);
    return err;
}

static int clean_group(struct cleaning *c, struct clean_txns *txns, int first, int count) {
    struct last_record *last;
    struct segment new;
    struct clean_filter f = {.map = &c->map,
                             .txns = txns,
                             .round_end = c->first_uncleanable,
                             .now_ms = c->options->now_ms,
                             .delete_retention_ms = c->config.delete_retention_ms,
                             .codec = c->codec,
                             .stats = c->stats};
    int err = find_last_records(c, &last, &f.last_count);
    f.last = last;
    if (!err) err = clean_segment_write(c, &f, first, count, &new);
    if (!err) err = clean_swap(c, first, count, &new);
    free(f.aborts);
    free(last);
    c->stats->segments_before += count;
    c->stats->segments_after++;
    return err;
}

static int clean_groups(struct cleaning *c) {
    struct clean_txns txns;
    int count = 0, err = 0;
    while (count < c->count && c->sources[count].base <= c->map.latest) count++;
    clean_txns_init(&txns, c->aborts, c->abort_count);
    for (int i = 0; i < count && !err;) {
        int n = group_size(c, i, count);
        err = clean_group(c, &txns, i, n);
        i += n;
    }
    clean_txns_free(&txns);
    return err;
}

/* ---- the whole ---- */

/* A record may hide an older one only when a power cut can take away neither it nor the marker that commits
 * it, which may lie anywhere below the high watermark. (The reference leaves that to its replicas.) */
static int make_durable(struct cleaning *c) {
    log_lock(c->log);
    int err = !still_there(c) ? OE_AGAIN : c->log->recovery_point < c->decided;
    log_unlock(c->log);
    if (err > 0) err = log_flush(c->log, c->options->now_ms);
    return err ? err : check(c);
}

static int clean(struct cleaning *c) {
    const struct clean_options *o = c->options;
    int err = begin(c);
    if (err) return err;
    int64_t dirty = c->first_uncleanable - c->first_dirty;
    err = offset_map_init(&c->map, o->map_bytes, o->load_factor, dirty > 0 ? dirty : 0, o->seed);
    if (!err) err = clean_map_build(c);
    if (!err) err = make_durable(c);
    if (!err) err = clean_groups(c);
    c->stats->to = c->map.latest + 1;
    c->stats->map_use = c->map.limit ? (double)c->map.count / (double)c->map.limit : 0;
    return err;
}

/* The cleaning is over: the clean point, or why there is none. */
static int conclude(struct log *l, int err, const struct clean_stats *s) {
    struct logdir *d = l->dir;
    log_lock(l);
    l->cleaning = false;
    bool there = !l->deleted && !logdir_is_offline(d);
    if (!err && there && s->to > l->clean_point && s->to <= l->end) logdir_set_clean_point(l, s->to);
    if (err == OE_IO || err == OE_NOSPC) log_failed(l, err, "cleaning");
    bool bad =
        there && (err == OE_CORRUPT || err == OE_LIMIT || err == OE_UNSUPPORTED || err == OE_MALFORMED);
    l->uncleanable |= bad;
    log_unlock(l);
    if (bad)
        LOG_ERROR("cleaner", "%s/%s cannot be cleaned and is left alone from now on: %s", logdir_path(d),
                  l->name, oerr_text(err));
    return !err && there ? logdir_write_clean_points(d) : err;
}

int cleaner_clean(struct clean_pick *p, const struct clean_options *o, struct clean_stats *s) {
    struct cleaning c = {.log = p->log,
                         .options = o,
                         .stats = s,
                         .first_dirty = p->first_dirty,
                         .first_uncleanable = p->first_uncleanable,
                         .old_horizon_ms = INT64_MIN,
                         .map.latest = -1};
    ASSERT(o->io_bytes > 0);
    *s = (struct clean_stats){.from = p->first_dirty, .to = p->first_dirty};
    c.codec = codec_create();
    int err = clean(&c);
    if (c.moved && o->moved) o->moved(o->owner, c.moved);
    offset_map_free(&c.map);
    codec_destroy(c.codec);
    free(c.sources);
    free(c.aborts);
    err = conclude(p->log, err, s);
    logdir_release(p->log);
    p->log = NULL;
    return err;
}
