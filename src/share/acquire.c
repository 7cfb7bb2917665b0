/* Acquiring: what was read goes to a member, as far as nobody else has it, it is not done, and the limits
 * allow.
 *
 * Order: what a shorter log took away is archived; batches in flight within the read range, of which
 * something is available; the gaps between them that were never delivered; and what lies behind the end. New
 * records come in whole record batches where the mode allows it: a batch in flight is then what a member gets
 * and gives back with one state.
 *
 * A record that comes close to its delivery limit comes in smaller portions, at last alone, so that a bad
 * record does not take its neighbours along (KIP-1222's throttling): from half of the limit on, at least the
 * third delivery, at most size >> (how far beyond) of its batch are acquired, and nothing else. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "share/partition_internal.h"

enum { LEAST_THROTTLE_COUNT = 2 };

struct acquisition {
    struct share_partition *p;
    const struct share_fetch *f;
    const struct share_limits *l;
    struct share_member *member;
    struct share_acquired_list *out;
    int64_t until;       /* when the locks end */
    int64_t first, last; /* base of what was read; the last offset that may be acquired */
    int32_t room, acquired;
};

static void add(struct share_acquired_list *l, int64_t first, int64_t last, int count) {
    ASSERT(first <= last);
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 8;
        l->v = xrealloc(l->v, l->cap * sizeof *l->v);
    }
    l->v[l->n++] = (struct share_acquired){.first = first, .last = last, .delivery_count = (int16_t)count};
}

static void move_gap(struct share_partition *p, int64_t offset) {
    if (!p->gap) return;
    if (share_gap_active(p) && offset <= p->gap_end)
        p->gap_start = offset;
    else
        p->gap = false;
}

/* ---- new records ---- */

static struct in_flight_batch *new_batch(struct acquisition *a, int64_t first, int64_t last) {
    struct in_flight_batch *b = in_flight_insert(&a->p->batches, first, last);
    bool moved = delivery_move(a->p, &b->whole, RECORD_ACQUIRED, 1, INT16_MAX, a->member);
    ASSERT(moved);
    return b;
}

static void new_locked(struct acquisition *a, int64_t first, int64_t last) {
    delivery_lock(a->p, &new_batch(a, first, last)->whole, a->until);
    add(a->out, first, last, 1);
}

/* Cut where record batches begin, in pieces of at least batch_size. */
static void new_batches(struct acquisition *a, int64_t first, int64_t last) {
    int64_t at = first;
    if (last - first + 1 > a->f->batch_size)
        for (size_t i = 0; i < a->f->batches_n && a->f->batches[i].base <= last; i++) {
            int64_t base = a->f->batches[i].base;
            if (base - at < a->f->batch_size || base <= at) continue;
            new_locked(a, at, base - 1);
            at = base;
        }
    new_locked(a, at, last);
}

/* One batch of all, of which only so many are acquired. */
static int64_t new_limited(struct acquisition *a, int64_t first, int64_t last, int32_t max) {
    if (last - first + 1 <= max) {
        new_locked(a, first, last);
        return last;
    }
    int64_t end = first + max - 1;
    batch_split_locked(a->p, new_batch(a, first, last), end, a->until);
    add(a->out, first, end, 1);
    return end;
}

/* The end of the record batch that has the offset. */
static int64_t whole_batch_end(const struct share_fetch *f, int64_t offset) {
    size_t low = 0, high = f->batches_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (f->batches[middle].base <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low && offset <= f->batches[low - 1].last ? f->batches[low - 1].last : offset;
}

static void acquire_new(struct acquisition *a, int64_t first, int64_t last) {
    struct share_partition *p = a->p;
    int32_t max = a->room - a->acquired;
    if (!p->batches.count && p->end > first) first = p->end;
    int64_t end = last;
    if (max < last - first + 1) {
        end = whole_batch_end(a->f, first + max - 1);
        if (share_gap_active(p) && end > last) end = last;
    }
    if (first > end) return;
    int64_t taken = end;
    if (a->f->mode == SHARE_RECORD_LIMIT)
        taken = new_limited(a, first, end, max);
    else
        new_batches(a, first, end);
    if (in_flight_first(&p->batches)->first == first) p->start = first;
    if (end > p->end) p->end = end;
    move_gap(p, taken + 1);
    a->acquired += (int32_t)(taken - first + 1);
}

/* ---- what is in flight already ---- */

static int throttle_count(const struct share_limits *l) {
    int half = (l->delivery_count_limit + 1) / 2;
    return half > LEAST_THROTTLE_COUNT ? half : LEAST_THROTTLE_COUNT;
}

/* The record at its last delivery goes alone. */
static bool goes_alone(const struct share_limits *l, int count) {
    return l->delivery_count_limit > 2 && count == l->delivery_count_limit;
}

static void extend(struct share_acquired_list *out, size_t from, int64_t offset, int count) {
    struct share_acquired *x = out->n > from ? &out->v[out->n - 1] : NULL;
    if (x && x->last + 1 == offset && x->delivery_count == count)
        x->last = offset;
    else
        add(out, offset, offset, count);
}

/* Offset by offset; how many. */
static int32_t acquire_offsets(struct acquisition *a, struct in_flight_batch *b) {
    int32_t n = 0, left = a->room - a->acquired;
    int64_t throttled = -1;
    size_t from = a->out->n;
    for (int64_t at = in_flight_available(b, a->first); at >= 0 && at <= a->last;
         at = in_flight_available(b, at + 1)) {
        struct delivery *d = in_flight_at(b, at);
        if (n && goes_alone(a->l, d->count + 1)) break;
        if (throttled < 0 && d->count >= throttle_count(a->l)) {
            int beyond = d->count - throttle_count(a->l) + 1;
            throttled = in_flight_size(b) >> (beyond < 31 ? beyond : 31);
            if (throttled < 1) throttled = 1;
        }
        bool moved = delivery_move(a->p, d, RECORD_ACQUIRED, 1, a->l->delivery_count_limit, a->member);
        ASSERT(moved);
        delivery_lock(a->p, d, a->until);
        extend(a->out, from, at, d->count);
        n++;
        if (goes_alone(a->l, d->count) || n == throttled) break;
        if (a->f->mode == SHARE_RECORD_LIMIT && n == left) break;
    }
    return n;
}

static void acquire_whole(struct acquisition *a, struct in_flight_batch *b) {
    bool moved = delivery_move(a->p, &b->whole, RECORD_ACQUIRED, 1, a->l->delivery_count_limit, a->member);
    ASSERT(moved);
    delivery_lock(a->p, &b->whole, a->until);
    add(a->out, b->first, b->last, b->whole.count);
    a->acquired += (int32_t)in_flight_size(b);
}

static void acquire_batch(struct acquisition *a, struct in_flight_batch *b) {
    bool limited = a->f->mode == SHARE_RECORD_LIMIT && (int64_t)in_flight_size(b) > a->room - a->acquired;
    bool throttle = in_flight_highest(b, a->first, a->last) >= throttle_count(a->l);
    if (throttle && a->acquired) {
        a->room = 0; /* it comes by itself, next time */
        return;
    }
    if (!b->open) return;
    if (!b->offsets && !limited && !throttle && batch_within(b, a->first, a->last)) {
        acquire_whole(a, b);
        return;
    }
    if (!b->offsets) batch_split(a->p, b);
    int32_t n = acquire_offsets(a, b);
    a->acquired += n;
    if (throttle && n) a->room = 0;
}

/* In order, with what was never delivered between them; only after a load. */
static void acquire_with_gaps(struct acquisition *a, struct in_flight_batch *b, int64_t base) {
    while (b && b->first <= a->last && a->acquired < a->room) {
        struct in_flight_batch *next = in_flight_next(b);
        if (share_gap_active(a->p)) {
            if (base < b->first) acquire_new(a, base, b->first - 1);
            base = b->last + 1;
            if (a->acquired >= a->room) return;
        }
        acquire_batch(a, b);
        b = next;
    }
}

static void acquire_in_flight(struct acquisition *a, int64_t from) {
    struct in_flight_batch *b = in_flight_open_from(&a->p->batches, from);
    while (b && b->first <= a->last && a->acquired < a->room) {
        int64_t first = b->first;
        acquire_batch(a, b);
        b = in_flight_open_from(&a->p->batches, first + 1);
    }
}

/* ---- aborted transactions ---- */

static int by_offset(const void *x, const void *y) {
    const struct share_aborted *a = x, *b = y;
    return (a->first_offset > b->first_offset) - (a->first_offset < b->first_offset);
}

/* Cuts [first, last] out of the list from `from` on. */
static void cut(struct share_acquired_list *l, size_t from, int64_t first, int64_t last) {
    struct share_acquired_list kept = {0};
    for (size_t i = from; i < l->n; i++) {
        const struct share_acquired *x = &l->v[i];
        if (x->last < first || x->first > last) {
            add(&kept, x->first, x->last, x->delivery_count);
            continue;
        }
        if (x->first < first) add(&kept, x->first, first - 1, x->delivery_count);
        if (x->last > last) add(&kept, last + 1, x->last, x->delivery_count);
    }
    l->n = from;
    for (size_t i = 0; i < kept.n; i++) add(l, kept.v[i].first, kept.v[i].last, kept.v[i].delivery_count);
    free(kept.v);
}

/* The aborted, by first offset; those of [ended, begun) are open where we are. */
struct aborting {
    struct share_aborted *sorted;
    size_t n, begun, ended;
};

static bool is_aborted(struct aborting *t, const struct share_source *b) {
    bool found = false;
    while (t->begun < t->n && t->sorted[t->begun].first_offset <= b->last) t->begun++;
    for (size_t i = t->ended; i < t->begun; i++) {
        if (t->sorted[i].producer_id != b->producer_id) continue;
        found = true;
        if (!b->abort_marker) break;
        t->sorted[i] = t->sorted[t->ended++];
    }
    return found && !b->abort_marker && b->transactional;
}

static void leave_out_aborted(struct acquisition *a, size_t from) {
    const struct share_fetch *f = a->f;
    struct aborting t = {.sorted = xcalloc(f->aborted_n, sizeof *t.sorted), .n = f->aborted_n};
    for (size_t i = 0; i < t.n; i++) t.sorted[i] = f->aborted[i];
    qsort(t.sorted, t.n, sizeof *t.sorted, by_offset);
    for (size_t i = 0; i < f->batches_n; i++) {
        const struct share_source *b = &f->batches[i];
        if (b->producer_id < 0 || !is_aborted(&t, b)) continue;
        share_archive(a->p, b->base, b->last, RECORD_ACQUIRED, true);
        cut(a->out, from, b->base, b->last);
    }
    free(t.sorted);
    a->acquired = 0;
    for (size_t i = from; i < a->out->n; i++)
        a->acquired += (int32_t)(a->out->v[i].last - a->out->v[i].first + 1);
}

/* ---- all of it ---- */

/* What lies between where the reading began and what was found is not in the log any more. */
static void archive_missing(struct share_partition *p, int64_t fetch_offset, int64_t base) {
    if (p->batches.count && fetch_offset < base)
        share_archive(p, fetch_offset, base - 1, RECORD_AVAILABLE, true);
}

static bool limit(struct acquisition *a, int64_t last_read) {
    struct share_partition *p = a->p;
    int32_t free_locks = a->l->max_record_locks - share_partition_in_flight(p);
    a->last = last_read;
    a->room = a->f->max_records < free_locks ? a->f->max_records : free_locks;
    if (a->room > 0) return true;
    if (a->f->fetch_offset > p->end) return false;
    int64_t again = p->end - a->f->fetch_offset + 1; /* no new locks, but what was locked before */
    a->room = a->f->max_records < again ? a->f->max_records : (int32_t)again;
    if (a->last > p->end) a->last = p->end;
    return true;
}

static void acquire_all(struct acquisition *a) {
    struct share_partition *p = a->p;
    int64_t base = a->first;
    archive_missing(p, a->f->fetch_offset, base);
    struct in_flight_batch *floor = in_flight_floor(&p->batches, base);
    /* A record batch that the log has let go of in part comes whole, unless nothing in flight is before it.
     */
    if (!floor && base < p->start)
        base = p->start;
    else if (floor && floor->last >= base)
        base = floor->first;
    int64_t from = base < a->first ? base : a->first;
    struct in_flight_batch *b = in_flight_above(&p->batches, from - 1);
    struct in_flight_batch *end = in_flight_floor(&p->batches, a->last);
    if (!b || b->first > a->last) {
        acquire_new(a, base, a->last);
        return;
    }
    int64_t covered = end->last;
    if (share_gap_active(p))
        acquire_with_gaps(a, b, base);
    else
        acquire_in_flight(a, from);
    if (a->acquired < a->room && covered < a->last) acquire_new(a, covered + 1, a->last);
}

int64_t share_partition_acquire(struct share_partition *p, const struct share_fetch *f,
                                const struct share_limits *l, int64_t now_ms,
                                struct share_acquired_list *out) {
    struct acquisition a = {.p = p, .f = f, .l = l, .out = out, .until = now_ms + l->lock_duration_ms};
    size_t from = out->n;
    ASSERT(p->loaded);
    if (f->max_records <= 0 || !f->batches_n || f->batches[f->batches_n - 1].last < p->start) return 0;
    a.first = f->batches[0].base;
    if (!limit(&a, f->batches[f->batches_n - 1].last)) return 0;
    a.member = share_member_get(p, f->member);
    a.member->refs++; /* while we use it */
    acquire_all(&a);
    if (out->n > from) {
        move_gap(p, out->v[out->n - 1].last + 1);
        if (f->aborted_n) leave_out_aborted(&a, from);
    }
    share_member_put(p, a.member);
    return a.acquired;
}
