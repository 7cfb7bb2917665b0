/* From files to a log: what is believed, what is read, what is repaired (LogLoader, LogSegment.recover).
 *
 * Trust: how the directory was left (logdir.c, boot.c).
 *   TRUST_ALL      a clean stop, or we closed the log ourselves in this run
 *   TRUST_WRITES   a crash, but the machine has run on (same boot id in .ottla-boot): every completed write
 *                  is there
 *   TRUST_FLUSHED  the machine may have lost power: only what lies below the recovery point is there
 *
 *  row | found                               | done
 *  ----+-------------------------------------+---------------------------------------------------------
 *   1  | TRUST_ALL, indexes good             | headers from the last index entry on, for the end offset;
 *      |                                     | nothing is written
 *   2  | TRUST_WRITES, indexes good          | batches from the last index entry on are checked, a torn
 *      |                                     | tail is cut
 *   3  | TRUST_FLUSHED                       | from the segment with the record before the recovery point
 *      |                                     | on: the first bad batch is cut, later segments are set
 *      |                                     | aside; indexes, aborts, epochs, producers are made anew
 *   4  | 1 or 2, index missing, wrong, zeros | as row 3 for the active segment; others when first used
 *   5  | 1, and the tail is no whole batch   | as row 2
 *   6  | 3, a segment does not begin where   | it and all later ones are set aside, because something is
 *      | the one before it ends              | missing; compacted, now or below the clean point: gaps are
 *      |                                     | usual
 *   7  | no segment                          | an empty log at the log start
 *   8  | end below the log start             | all segments are set aside, an empty log at the log start
 *   9  | epochs unreadable                   | made anew from all headers
 *  10  | producer snapshot not usable        | the one before it, and the headers from there on
 *  11  | .deleted, .cleaned                  | deleted; so is a .swap at or above a .cleaned
 *  12  | .swap                               | what it replaces is deleted, then it gets its name
 *  13  | an index without its .log           | deleted
 *  14  | .ottla-cut: a truncation may be     | as row 3, from the offset that it names on, however the
 *      | half done                           | stop was
 *
 * Rows 2 and 4 rely on append.c's order of writes. After recovery the recovery point is where it was: what
 * was read from the page cache is not on disk yet; log_flush moves it. */
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

/* ---- names ---- */

enum kind { LOG, INDEX, TIMEINDEX, TXNINDEX, SNAPSHOT, KINDS };
enum state { LIVE, DELETED, CLEANED, SWAP, STATES };
static const char *const kind_suffix[] = {".log", ".index", ".timeindex", ".txnindex", ".snapshot"};
static const char *const state_suffix[] = {"", ".deleted", ".cleaned", ".swap"};

struct name {
    int64_t base;
    enum kind kind;
    enum state state;
};
struct names {
    struct name *at;
    int count, cap;
    bool cut;
};

static bool parse_name(const char *s, struct name *n) {
    int64_t base = 0;
    for (int i = 0; i < 20; i++) {
        if (s[i] < '0' || s[i] > '9' || base > (INT64_MAX - 9) / 10) return false;
        base = 10 * base + (s[i] - '0');
    }
    n->base = base;
    for (int k = 0; k < KINDS; k++) {
        size_t len = strlen(kind_suffix[k]);
        if (strncmp(s + 20, kind_suffix[k], len)) continue;
        for (int t = 0; t < STATES; t++)
            if (!strcmp(s + 20 + len, state_suffix[t])) {
                n->kind = (enum kind)k;
                n->state = (enum state)t;
                return true;
            }
    }
    return false;
}

static void see_name(void *to, const char *s, bool is_dir) {
    struct names *all = to;
    struct name n;
    all->cut |= !strcmp(s, CUT_FILE);
    if (is_dir || strlen(s) < 20 || !parse_name(s, &n)) return;
    if (all->count == all->cap) {
        all->cap = all->cap ? 2 * all->cap : 16;
        all->at = xrealloc(all->at, (size_t)all->cap * sizeof *all->at);
    }
    all->at[all->count++] = n;
}

static int by_base(const void *a, const void *b) {
    const struct name *x = a, *y = b;
    return x->base != y->base ? (x->base > y->base) - (x->base < y->base) : (int)x->kind - (int)y->kind;
}

static void name_path(const struct log *l, const struct name *n, enum state state, char path[LOG_PATH]) {
    char suffix[32];
    snprintf(suffix, sizeof suffix, "%s%s", kind_suffix[n->kind], state_suffix[state]);
    log_file_path(l, n->base, suffix, path);
}

static int delete_name(struct log *l, struct names *all, int i) {
    char path[LOG_PATH];
    int err = logdir_begin_changes(l->dir);
    if (err) return err;
    name_path(l, &all->at[i], all->at[i].state, path);
    err = fs_unlink(log_fs(l), path);
    all->at[i] = all->at[--all->count];
    return err == OE_NOTFOUND ? 0 : err;
}

/* ---- rows 11 and 12: what deletion and compaction left ---- */

static int drop_leftovers(struct log *l, struct names *all) {
    int64_t cleaned = INT64_MAX;
    int err = 0;
    for (int i = 0; i < all->count; i++)
        if (all->at[i].state == CLEANED && all->at[i].base < cleaned) cleaned = all->at[i].base;
    for (int i = all->count - 1; i >= 0 && !err; i--) {
        enum state s = all->at[i].state;
        if (s == DELETED || s == CLEANED || (s == SWAP && all->at[i].base >= cleaned))
            err = delete_name(l, all, i);
    }
    return err;
}

/* The end of a .swap segment's offsets. */
static int swap_end(struct log *l, int64_t base, int64_t *end) {
    char path[LOG_PATH];
    struct file *f;
    log_file_path(l, base, ".log.swap", path);
    *end = base;
    int err = fs_open(log_fs(l), path, FS_READ, &f);
    if (err) return err;
    int64_t size = file_size(f);
    struct scan c;
    const uint8_t *b;
    uint32_t n, at;
    scan_start(&c, f, 0, size < 0 ? 0 : size, false);
    while ((err = scan_next(&c, &b, &n, &at)) > 0) *end = batch_last_offset(b) + 1;
    scan_end(&c);
    file_unref(f);
    return err == OE_CORRUPT ? 0 : err;
}

static int finish_swaps(struct log *l, struct names *all) {
    int64_t from = INT64_MAX, to = INT64_MIN, end;
    int err = 0;
    for (int i = 0; i < all->count; i++) {
        const struct name *n = &all->at[i];
        if (n->state != SWAP || n->kind != LOG) continue;
        if ((err = swap_end(l, n->base, &end))) return err;
        if (n->base < from) from = n->base;
        if (end == n->base) end++; /* all of its records are gone: the old one at its base goes, too */
        if (end > to) to = end;
    }
    for (int i = all->count - 1; i >= 0 && !err; i--) {
        const struct name *n = &all->at[i];
        if (n->state == LIVE && n->base >= from && n->base < to) err = delete_name(l, all, i);
    }
    for (int i = 0; i < all->count && !err; i++) {
        char old[LOG_PATH], new[LOG_PATH];
        if (all->at[i].state != SWAP) continue;
        if ((err = logdir_begin_changes(l->dir))) return err;
        name_path(l, &all->at[i], SWAP, old);
        name_path(l, &all->at[i], LIVE, new);
        err = fs_rename(log_fs(l), old, new);
        all->at[i].state = LIVE;
    }
    return err;
}

/* ---- the segments that are there ---- */

static struct segment *with_base(struct log *l, int64_t base) {
    struct segment *s = log_floor(l, base);
    return s && s->base == base ? s : NULL;
}

static int add_segments(struct log *l, struct names *all, int64_t now_ms) {
    struct log_open *o = l->open;
    int err = 0;
    if (all->count) qsort(all->at, (size_t)all->count, sizeof *all->at, by_base);
    for (int i = 0; i < all->count && !err; i++) {
        const struct name *n = &all->at[i];
        if (n->kind == SNAPSHOT) producers_found_snapshot(&o->producers, n->base);
        if (n->kind != LOG) continue;
        struct fs_stat st;
        char path[LOG_PATH];
        name_path(l, n, LIVE, path);
        if ((err = fs_stat(log_fs(l), path, &st))) break;
        struct segment *s = log_add_segment(l, n->base, now_ms);
        if (st.size > INT32_MAX) return OE_CORRUPT;
        s->size = (uint32_t)st.size;
        s->mtime_ms = st.mtime_ms;
    }
    for (int i = all->count - 1; i >= 0 && !err; i--) {
        const struct name *n = &all->at[i];
        if (n->kind == LOG || n->kind == SNAPSHOT) continue;
        struct segment *s = with_base(l, n->base);
        if (!s)
            err = delete_name(l, all, i);
        else if (n->kind == TXNINDEX)
            s->has_aborts = true;
    }
    return err;
}

/* Row 14: a truncation that may have been done in part. */
static int read_cut(struct log *l) {
    char path[LOG_PATH + 32], dir[LOG_PATH];
    uint8_t *bytes = NULL;
    size_t n;
    log_path(l, dir);
    snprintf(path, sizeof path, "%s/" CUT_FILE, dir);
    int err = fs_read_all(log_fs(l), path, 64, &bytes, &n);
    if (err && err != OE_LIMIT) return err;
    l->cut_offset = err ? 0 : strtoll((char *)bytes, NULL, 10);
    free(bytes);
    if (l->known) return 0;
    if (l->clean_point > l->cut_offset) logdir_set_clean_point(l, l->cut_offset);
    l->trust = TRUST_FLUSHED;
    if (l->recovery_point > l->cut_offset) l->recovery_point = l->cut_offset;
    return 0;
}

static int find_files(struct log *l, int64_t now_ms) {
    struct names all = {0};
    char dir[LOG_PATH];
    log_path(l, dir);
    int err = fs_list(log_fs(l), dir, see_name, &all);
    if (!err && all.cut) err = read_cut(l);
    if (!err) err = drop_leftovers(l, &all);
    if (!err) err = finish_swaps(l, &all);
    if (!err) err = add_segments(l, &all, now_ms);
    free(all.at);
    return err;
}

/* ---- reading batches of one segment ---- */

struct reading {
    bool check;     /* CRCs and order */
    bool producers; /* update them, and the aborted transactions */
    int64_t end;    /* out: behind the last good batch */
    uint32_t size;  /* out: bytes of good batches */
    bool torn;      /* out */
};

static bool batch_fits(const struct segment *s, const uint8_t *b, uint32_t size, int64_t end) {
    if (batch_check(b, size)) return false;
    int64_t last = batch_last_offset(b);
    int64_t first = batch_magic(b) >= 2 ? batch_base_offset(b) : last;
    return first >= s->base && first >= end && last >= first && last - s->base <= INT32_MAX;
}

static int take_batch(struct log *l, struct segment *s, const uint8_t *b, uint32_t at, uint32_t size,
                      const struct reading *r) {
    struct log_open *o = l->open;
    int err = index_tail_full(&s->offsets) ? log_flush_index(l, s) : 0;
    if (err) return err;
    segment_note((uint32_t)l->config->index_interval_bytes, s, b, at, size);
    if (batch_magic(b) < 2) return 0;
    if (batch_leader_epoch(b) > epochs_latest(&o->epochs))
        epochs_assign(&o->epochs, batch_leader_epoch(b), batch_base_offset(b));
    if (!r->producers) return 0;
    struct txn_end end;
    producers_replay(&o->producers, b, size, &end);
    o->producers.end_offset = batch_last_offset(b) + 1;
    return end.happened && end.aborted ? segment_add_aborts(l, s, &end, 1) : 0;
}

/* Reads from a batch's position to the segment's end; the indexes hold what lies before it. */
static int read_batches(struct log *l, struct segment *s, uint32_t from, struct reading *r) {
    struct scan c;
    const uint8_t *b;
    uint32_t size, at;
    int err = segment_open(l, s, false), more;
    if (err) return err;
    r->end = s->base;
    r->size = from;
    r->torn = false;
    scan_start(&c, s->file, from, s->size, r->check);
    while ((more = scan_next(&c, &b, &size, &at)) > 0) {
        if (r->check && !batch_fits(s, b, size, r->end)) {
            more = OE_CORRUPT;
            break;
        }
        if ((err = take_batch(l, s, b, at, size, r))) break;
        r->end = batch_last_offset(b) + 1;
        r->size = at + size;
    }
    scan_end(&c);
    if (!err && more < 0 && more != OE_CORRUPT) err = more;
    r->torn = more == OE_CORRUPT;
    return err;
}

static int cut_tail(struct log *l, struct segment *s, uint32_t size) {
    LOG_WARN("storage", "%s: %u bytes at the end of segment %lld are no whole batches and are cut", l->name,
             s->size - size, (long long)s->base);
    int err = logdir_begin_changes(l->dir);
    if (!err) err = segment_open(l, s, true);
    if (!err) err = file_truncate(s->file, size);
    s->size = size;
    return err;
}

/* ---- rows 1, 2, 4, 5: the active segment ---- */

static int rebuild_active(struct log *l, struct segment *s, struct reading *r) {
    int err = logdir_begin_changes(l->dir);
    if (!err) err = segment_reset_index(l, s);
    r->check = true;
    if (!err) err = read_batches(l, s, 0, r);
    if (!err && r->torn) err = cut_tail(l, s, r->size);
    return err ? err : log_flush_index(l, s);
}

static int recover_active(struct log *l, enum log_trust trust) {
    struct segment *s = log_active(l);
    struct reading r = {.check = trust != TRUST_ALL};
    struct index_entry e;
    int err = segment_load_index(l, s);
    if (err == OE_CORRUPT)
        err = rebuild_active(l, s, &r);
    else if (!err) {
        uint32_t from = 0;
        segment_max_timestamp(l, s, &err);
        if (!err && s->offsets.count)
            err = index_get(&s->offsets, s->offsets.count - 1, &e), from = e.position;
        if (!err) err = read_batches(l, s, from, &r);
        /* A good entry names a good batch; otherwise the index is of no use. */
        if (!err && r.torn && (r.size == from && from > 0)) {
            s->max_timestamp = NOT_KNOWN;
            err = rebuild_active(l, s, &r);
        } else if (!err && r.torn) {
            if (!r.check) LOG_WARN("storage", "%s: stopped cleanly, but its end is torn", l->name);
            err = cut_tail(l, s, r.size);
        }
    }
    if (err) return err;
    l->end = r.end;
    return segment_truncate_aborts(l, s, l->end);
}

/* ---- row 3: from the recovery point on ---- */

static int recover_one(struct log *l, struct segment *s, struct reading *r) {
    *r = (struct reading){.check = true, .producers = true};
    int err = segment_reset_index(l, s);
    if (!err && s->has_aborts) err = segment_truncate_aborts(l, s, INT64_MIN);
    if (!err) err = read_batches(l, s, 0, r);
    if (!err && r->torn) err = cut_tail(l, s, r->size);
    if (!err) err = log_flush_index(l, s);
    return err ? err : segment_finish(l, s);
}

static int drop_from(struct log *l, int first, int64_t now_ms, const char *why) {
    struct log_open *o = l->open;
    if (first == o->count) return 0;
    LOG_WARN("storage", "%s: %d segments from offset %lld on are set aside: %s", l->name, o->count - first,
             (long long)o->segments[first].base, why);
    return log_remove_segments(l, first, o->count - first, now_ms);
}

/* What was cleaned is on disk for good, and has gaps, even if the log is not compacted any more. */
static bool gap_is_usual(const struct log *l, const struct segment *s) {
    return s->base > l->end && (l->config->cleanup_compact || s->base <= l->clean_point);
}

static int recover_unflushed(struct log *l, int64_t now_ms) {
    struct log_open *o = l->open;
    struct segment *s = log_floor(l, l->recovery_point - 1);
    int i = s ? (int)(s - o->segments) : 0, err = logdir_begin_changes(l->dir);
    char dir[LOG_PATH];
    log_path(l, dir);
    l->end = o->segments[i].base;
    epochs_truncate_end(&o->epochs, l->end);
    if (!err) err = recover_producers(l, l->end, now_ms, false);
    for (; !err && i < o->count; i++) {
        struct reading r;
        if (o->segments[i].base != l->end && !l->config->cleanup_compact)
            return drop_from(l, i, now_ms, "offsets are missing before them");
        if ((err = recover_one(l, &o->segments[i], &r))) break;
        l->end = r.end;
        o->producers.end_offset = r.end;
        if (r.torn) return drop_from(l, i + 1, now_ms, "they come after a damaged batch");
        if (i + 1 < o->count) {
            if (gap_is_usual(l, &o->segments[i + 1])) l->end = o->segments[i + 1].base;
            o->producers.end_offset = l->end;
            err = producers_snapshot(&o->producers, log_fs(l), dir, false, false);
        }
    }
    return err;
}

/* ---- producers ---- */

struct known_aborts {
    const struct segment *segment;
    int64_t last;
};

static int add_abort(struct log *l, struct segment *s, const struct txn_end *t, struct known_aborts *k) {
    if (k->segment != s) {
        struct abort_entry *e;
        int n, err = segment_read_aborts(l, s, &e, &n);
        if (err) return err;
        *k = (struct known_aborts){s, n ? e[n - 1].last_offset : -1};
        free(e);
    }
    if (t->last_offset <= k->last) return 0;
    k->last = t->last_offset;
    return segment_add_aborts(l, s, t, 1);
}

static int replay_segment(struct log *l, struct segment *s, int64_t to, bool add_aborts) {
    struct log_open *o = l->open;
    struct known_aborts known = {0};
    struct batch_place p;
    struct scan c;
    const uint8_t *b;
    uint32_t size, at;
    int found = segment_translate(l, s, o->producers.end_offset, &p);
    if (found <= 0) return found;
    int err = segment_open(l, s, false), more = 0;
    if (err) return err;
    scan_start(&c, s->file, p.position, s->size, false);
    while (!err && (more = scan_next(&c, &b, &size, &at)) > 0) {
        if (batch_base_offset(b) >= to) break;
        struct txn_end end;
        producers_replay(&o->producers, b, size, &end);
        o->producers.end_offset = batch_last_offset(b) + 1;
        if (add_aborts && end.happened && end.aborted) err = add_abort(l, s, &end, &known);
    }
    scan_end(&c);
    return err ? err : more < 0 ? more : 0;
}

/* The state of producers at offset `to`: a snapshot and the batches since. */
int recover_producers(struct log *l, int64_t to, int64_t now_ms, bool add_aborts) {
    struct log_open *o = l->open;
    char dir[LOG_PATH];
    log_path(l, dir);
    int err = producers_load(&o->producers, log_fs(l), dir, l->start, to, now_ms,
                             l->config->producer_id_expiration_ms);
    if (err) return err;
    struct segment *s = o->count ? log_floor(l, o->producers.end_offset) : NULL;
    if (!s) s = o->segments;
    for (; o->count && s < o->segments + o->count && s->base < to && !err; s++) {
        if (o->producers.end_offset < s->base) o->producers.end_offset = s->base;
        err = replay_segment(l, s, to, add_aborts);
    }
    o->producers.end_offset = to;
    return err;
}

/* ---- row 9 ---- */

static int epochs_from_batches(struct log *l) {
    struct log_open *o = l->open;
    int err = 0;
    epochs_clear(&o->epochs);
    for (struct segment *s = o->segments; s < o->segments + o->count && !err; s++) {
        struct scan c;
        const uint8_t *b;
        uint32_t size, at;
        if ((err = segment_open(l, s, false))) break;
        scan_start(&c, s->file, 0, s->size, false);
        while ((err = scan_next(&c, &b, &size, &at)) > 0)
            if (batch_magic(b) >= 2 && batch_leader_epoch(b) > epochs_latest(&o->epochs))
                epochs_assign(&o->epochs, batch_leader_epoch(b), batch_base_offset(b));
        scan_end(&c);
    }
    o->epochs.dirty = true;
    return err;
}

static int read_epochs(struct log *l, bool *rebuild) {
    char dir[LOG_PATH];
    log_path(l, dir);
    int err = epochs_read(&l->open->epochs, log_fs(l), dir);
    *rebuild = err == OE_CORRUPT;
    if (!*rebuild) return err;
    LOG_WARN("storage", "%s: leader-epoch-checkpoint is unreadable and is made anew", l->name);
    epochs_clear(&l->open->epochs);
    return 0;
}

static void read_topic_id(struct log *l) {
    char path[LOG_PATH + 32];
    uint8_t *bytes;
    size_t n;
    struct uuid id;
    log_path(l, path);
    memcpy(path + strlen(path), "/partition.metadata", sizeof "/partition.metadata");
    l->metadata = false;
    if (fs_read_all(log_fs(l), path, 4096, &bytes, &n)) return;
    char *at = strstr((char *)bytes, "topic_id:"), text[UUID_TEXT] = "";
    if (at && sscanf(at + 9, " %22s", text) == 1 && !uuid_parse(text, &id) && !uuid_is_zero(&id)) {
        /* What the metadata says is right; a different id on disk is for the caller to see. */
        l->topic_id = id;
        l->metadata = true;
    }
    free(bytes);
}

static int empty_log(struct log *l, int64_t now_ms) {
    struct log_open *o = l->open;
    if (o->count) {
        int err = logdir_begin_changes(l->dir);
        if (!err) err = drop_from(l, 0, now_ms, "they lie below the log start");
        if (err) return err;
    }
    l->end = l->start;
    l->recovery_point = l->end;
    epochs_clear(&o->epochs);
    char dir[LOG_PATH];
    log_path(l, dir);
    return producers_load(&o->producers, log_fs(l), dir, l->start, l->start, now_ms, 0);
}

static int drop_stray_snapshots(struct log *l) {
    struct log_open *o = l->open;
    char dir[LOG_PATH];
    log_path(l, dir);
    if (!o->producers.snapshot_count) return 0;
    int64_t *bases = xmalloc(((size_t)o->count + 1) * sizeof *bases);
    for (int i = 0; i < o->count; i++) bases[i] = o->segments[i].base;
    producers_drop_strays(&o->producers, log_fs(l), dir, bases, o->count);
    free(bases);
    return 0;
}

int recover_log(struct log *l, int64_t now_ms) {
    struct log_open *o = l->open;
    bool rebuild_epochs = false;
    read_topic_id(l);
    int err = find_files(l, now_ms);
    enum log_trust trust = (enum log_trust)l->trust;
    if (err || (err = read_epochs(l, &rebuild_epochs))) return err;
    if (!o->count)
        err = empty_log(l, now_ms);
    else if (trust == TRUST_FLUSHED)
        err = recover_unflushed(l, now_ms);
    else
        err = recover_active(l, trust);
    if (err) return err;
    if (!o->count || l->end < l->start) err = empty_log(l, now_ms);
    if (!err && rebuild_epochs) err = epochs_from_batches(l);
    if (err) return err;
    if (trust == TRUST_ALL && !l->known) l->recovery_point = l->end;
    if (l->recovery_point > l->end) l->recovery_point = l->end;
    epochs_truncate_end(&o->epochs, l->end);
    if (o->count && l->start < o->segments[0].base) l->start = o->segments[0].base;
    epochs_truncate_start(&o->epochs, l->start);
    l->size = 0;
    for (int i = 0; i < o->count; i++) l->size += o->segments[i].size;
    drop_stray_snapshots(l);
    if (o->count && trust != TRUST_FLUSHED &&
        (err = recover_producers(l, l->end, now_ms, trust == TRUST_WRITES)))
        return err;
    log_set_high_watermark(l, l->high_watermark);
    producers_high_watermark(&o->producers, l->high_watermark);
    /* A crash must not cost the same work again. */
    return o->count && trust == TRUST_FLUSHED ? log_persist(l, true) : 0;
}
