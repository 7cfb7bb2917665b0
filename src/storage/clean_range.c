/* Which part of a log is clean, dirty, not to be touched (LogCleanerManager.cleanableOffsets, LogToClean).
 *
 *     log start …… first dirty …… first uncleanable …… active segment
 *      └─ clean ──┘└─ cleanable ─┘└─ not yet ─────────────────────────
 *
 * First dirty is the clean point, which is checkpointed. First uncleanable is the base of the segment that
 * holds the least of: the last stable offset, the active segment's base, the first dirty segment with a
 * record younger than min.compaction.lag.ms. */
#include "base/assert.h"
#include "base/log.h"
#include "storage/clean_internal.h"
#include "storage/logdir.h"

/* The first segment of those that reach `offset`, at most the active one. */
static int segment_of(const struct log *l, int64_t offset) {
    const struct segment *s = log_floor(l, offset);
    return s ? (int)(s - l->open->segments) : 0;
}

static int64_t later(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? INT64_MAX : r;
}

/* A clean point outside of the log is of no use: the whole log is dirty. */
static int64_t first_dirty(struct log *l) {
    int64_t point = l->clean_point;
    if (point < 0) return l->start;
    if (point >= l->start && point <= l->end) return point;
    if (point > l->end || !l->config->cleanup_delete)
        LOG_WARN("cleaner", "%s: the clean point %lld is not within [%lld, %lld]; the log is cleaned anew",
                 l->name, (long long)point, (long long)l->start, (long long)l->end);
    logdir_set_clean_point(l, l->start);
    return l->start;
}

/* min.compaction.lag.ms: the base of the first dirty segment that is too young, or `limit`. */
static int64_t too_young(struct log *l, int64_t now_ms, struct clean_range *r, int64_t limit, int *err) {
    struct log_open *o = l->open;
    int64_t lag = l->config->min_compaction_lag_ms;
    if (lag <= 0 || r->first_dirty > log_active(l)->base) return limit;
    for (int i = segment_of(l, r->first_dirty); i < o->count - 1; i++) {
        int64_t largest = segment_largest_timestamp(l, &o->segments[i], err);
        if (*err) return limit;
        if (largest <= now_ms - lag) continue;
        int64_t when = later(largest, lag);
        if (when < r->again_ms) r->again_ms = when;
        return o->segments[i].base < limit ? o->segments[i].base : limit;
    }
    return limit;
}

/* max.compaction.lag.ms: how long the oldest dirty record has waited beyond it. */
static int64_t overdue(struct log *l, int64_t now_ms, struct clean_range *r, int *err) {
    struct log_open *o = l->open;
    int64_t lag = l->config->max_compaction_lag_ms, earliest = INT64_MAX;
    if (lag == INT64_MAX || r->first_dirty > log_active(l)->base) return 0;
    if (lag < 0) lag = 0;
    for (int i = segment_of(l, r->first_dirty); i < o->count - 1; i++) {
        int64_t first = segment_first_timestamp(l, &o->segments[i], err);
        if (*err) return 0;
        if (first > 0 && first < earliest) earliest = first;
    }
    int64_t when = later(earliest, lag);
    if (when >= now_ms && when < r->again_ms) r->again_ms = when + 1;
    return when < now_ms ? now_ms - when : 0;
}

static void count_bytes(struct log *l, struct clean_range *r, int64_t uncleanable) {
    struct log_open *o = l->open;
    int last = uncleanable > log_active(l)->base ? o->count - 1 : segment_of(l, uncleanable);
    r->first_uncleanable = o->segments[last].base;
    int64_t from = r->first_dirty < r->first_uncleanable ? r->first_dirty : r->first_uncleanable;
    for (int i = from == r->first_uncleanable ? last : segment_of(l, from); i < last; i++)
        r->cleanable_bytes += o->segments[i].size;
    for (int i = 0; i < o->count && o->segments[i].base < r->first_dirty; i++)
        r->clean_bytes += o->segments[i].size;
}

int clean_range(struct log *l, int64_t now_ms, struct clean_range *r) {
    struct log_open *o = l->open;
    int err = 0;
    *r = (struct clean_range){.again_ms = INT64_MAX};
    ASSERT(o);
    if (!o->count) return 0;
    r->first_dirty = first_dirty(l);
    int64_t limit = log_last_stable_offset(l);
    if (log_active(l)->base < limit) limit = log_active(l)->base;
    limit = too_young(l, now_ms, r, limit, &err);
    if (err) return err;
    if (limit < r->first_dirty) limit = r->first_dirty;
    r->delay_ms = overdue(l, now_ms, r, &err);
    if (err) return err;
    count_bytes(l, r, limit);
    int64_t total = r->clean_bytes + r->cleanable_bytes;
    if (!total) return 0;
    r->ratio = (double)r->cleanable_bytes / (double)total;
    r->due = (r->delay_ms > 0 && r->cleanable_bytes > 0) || r->ratio > l->config->min_cleanable_dirty_ratio;
    return 0;
}
