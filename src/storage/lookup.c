/* From time to offset, for ListOffsets: the time index names a batch, its records are read for the first that
 * is late enough. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "record/record.h"
#include "storage/log_internal.h"

enum { PLAIN_LIMIT = 256 << 20 };

/* What to look for in a batch. */
struct wanted {
    int64_t timestamp, from;
    bool exact; /* this timestamp, else this or later */
};

static bool suits(const struct wanted *w, int64_t timestamp) {
    return w->exact ? timestamp == w->timestamp : timestamp >= w->timestamp;
}

/* 1 and the position when a record of the batch suits. */
static int search_batch(const uint8_t *b, uint32_t size, const struct wanted *w, struct codec *codec,
                        struct log_position *p) {
    struct record_iter it;
    struct record r;
    int more = record_iter_start(&it, codec, b, size, PLAIN_LIMIT);
    if (!more)
        while ((more = record_iter_next(&it, &r)) > 0)
            if (suits(w, r.timestamp) && r.offset >= w->from) break;
    if (more > 0)
        *p = (struct log_position){r.offset, r.timestamp,
                                   batch_magic(b) >= 2 ? batch_leader_epoch(b) : NO_LEADER_EPOCH};
    record_iter_end(&it);
    return more;
}

static int search_segment(struct log *l, struct segment *s, uint32_t position, const struct wanted *w,
                          struct codec *codec, struct log_position *p) {
    struct scan c;
    const uint8_t *b;
    uint32_t size, at;
    int err = segment_open(l, s, false), more;
    if (err) return err;
    scan_start(&c, s->file, position, s->size, true);
    while ((more = scan_next(&c, &b, &size, &at)) > 0) {
        int64_t max = batch_max_timestamp(b);
        if (!suits(w, max) || batch_last_offset(b) < w->from) continue;
        if ((more = search_batch(b, size, w, codec, p))) break;
    }
    scan_end(&c);
    return more;
}

static int position_of(struct log *l, struct segment *s, int64_t offset, uint32_t *position) {
    struct index_entry e;
    int err = segment_index(l, s);
    if (err) return err;
    int found = index_floor(&s->offsets, BY_OFFSET, offset - s->base, &e, NULL);
    *position = found > 0 ? e.position : 0;
    return found < 0 ? found : 0;
}

static int search_by_time(struct log *l, struct segment *s, int64_t ts, struct codec *codec,
                          struct log_position *p) {
    struct index_entry e;
    uint32_t position;
    int err = segment_index(l, s);
    int found = err ? err : index_floor(&s->times, BY_TIMESTAMP, ts, &e, NULL);
    if (found < 0) return found;
    int64_t from = found ? s->base + e.offset : s->base;
    if (from < l->start) from = l->start;
    if ((err = position_of(l, s, from, &position))) return err;
    return search_segment(l, s, position, &(struct wanted){ts, l->start, false}, codec, p);
}

int log_offset_for_timestamp(struct log *l, int64_t ts, struct codec *codec, struct log_position *p) {
    *p = (struct log_position){-1, -1, -1};
    int err = log_open(l, l->last_used);
    if (err) return err;
    struct log_open *o = l->open;
    for (struct segment *s = o->segments; s < o->segments + o->count; s++) {
        int64_t largest = segment_largest_timestamp(l, s, &err);
        if (err) return log_failed(l, err, "looking up a time");
        if (largest < ts) continue;
        int found = search_by_time(l, s, ts, codec, p);
        if (found < 0) return log_failed(l, found, "looking up a time");
        if (found) break; /* else its late records are below the log start */
    }
    return 0;
}

int log_earliest(struct log *l, struct log_position *p) {
    int err = log_open(l, l->last_used);
    *p = (struct log_position){l->start, -1, -1};
    if (err) return err;
    const struct epochs *e = &l->open->epochs;
    if (e->count && e->at[0].offset <= l->start) p->leader_epoch = e->at[0].epoch;
    return 0;
}

int log_latest(struct log *l, struct log_position *p) {
    int err = log_open(l, l->last_used);
    *p = (struct log_position){l->end, -1, -1};
    if (!err) p->leader_epoch = epochs_latest(&l->open->epochs);
    return err;
}

int log_max_timestamp(struct log *l, struct codec *codec, struct log_position *p) {
    *p = (struct log_position){-1, -1, -1};
    int err = log_open(l, l->last_used);
    if (err) return err;
    struct log_open *o = l->open;
    struct segment *best = NULL;
    int64_t max = -1;
    for (struct segment *s = o->segments; s < o->segments + o->count; s++) {
        int64_t ts = segment_max_timestamp(l, s, &err);
        if (err) return log_failed(l, err, "looking up the latest record");
        if (ts > max) {
            max = ts;
            best = s;
        }
    }
    uint32_t position;
    if (!best) return 0;
    err = position_of(l, best, best->max_timestamp_offset, &position);
    if (!err) err = search_segment(l, best, position, &(struct wanted){max, 0, true}, codec, p);
    return err < 0 ? log_failed(l, err, "looking up the latest record") : 0;
}
