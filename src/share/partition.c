/* The window of a share partition: from its start, the first offset that is not done, to its end, the last
 * that is on its way.
 *
 *  1. Without batches start == end: the next offset to fetch. With batches the last one ends at end, or the
 * log's start has passed it.
 *  2. Behind the end nothing was ever acquired. Within [start, end] an offset without a batch was skipped:
 * not in the log any more, or (gap) not delivered before this state was loaded.
 *  3. complete counts the offsets of [start, end] that are final.
 *
 * The start moves over what is final when a write ends (share_advance), and over what the log no longer has
 * (share_partition_log_start). */
#include "share/partition.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "share/partition_internal.h"

struct share_partition *share_partition_create(void) {
    struct share_partition *p = xcalloc(1, sizeof *p);
    hashmap_init(&p->members, 0x5eed0fa5ull);
    return p;
}

static void drop_all(struct share_partition *p) {
    for (struct in_flight_batch *b; (b = in_flight_first(&p->batches));) batch_drop(p, b);
}

void share_partition_destroy(struct share_partition *p) {
    if (!p) return;
    drop_all(p);
    ASSERT(!p->members.count && !p->locks.count);
    hashmap_free(&p->members);
    heap_free(&p->locks);
    free(p);
}

/* ---- the state that was written ---- */

static bool plausible(const struct state_batch *b, int64_t start, int64_t before) {
    if (b->first < start || b->last < b->first || b->last - b->first >= INT32_MAX - 1) return false;
    return b->first > before && b->state >= RECORD_AVAILABLE && b->state <= RECORD_ARCHIVED;
}

int share_partition_load(struct share_partition *p, int64_t start, int32_t state_epoch,
                         const struct state_batch *batches, size_t n) {
    ASSERT(!p->loaded);
    int64_t before = start - 1;
    for (size_t i = 0; i < n; i++) {
        if (!plausible(&batches[i], start, before)) return OE_CORRUPT;
        before = batches[i].last;
    }
    p->start = p->end = start;
    p->state_epoch = state_epoch;
    before = start - 1;
    for (size_t i = 0; i < n; i++) {
        const struct state_batch *s = &batches[i];
        if (!p->gap && s->first > before + 1) {
            p->gap = true;
            p->gap_start = before + 1;
        }
        before = s->last;
        struct in_flight_batch *b = in_flight_insert(&p->batches, s->first, s->last);
        in_flight_before(&b->whole);
        /* Nobody holds anything after a load; one that says so was not written by a broker. */
        b->whole.state = record_state_final(s->state) ? (uint8_t)s->state : RECORD_AVAILABLE;
        b->whole.count = s->delivery_count;
        in_flight_after(&b->whole);
        if (record_state_final(s->state)) p->complete += (int32_t)(s->last - s->first + 1);
    }
    p->loaded = true;
    if (n) p->end = p->gap_end = before;
    share_advance(p);
    return 0;
}

/* ---- where to read ---- */

bool share_gap_active(const struct share_partition *p) { return p->gap && p->gap_end == p->end; }

static bool nothing_ahead(const struct share_partition *p) {
    const struct in_flight_batch *last = in_flight_last(&p->batches);
    return !last || p->start > last->last;
}

/* The first offset from gap_start on that no batch has, if it comes before the batch `until` does. −1: none.
 */
static int64_t find_gap(const struct share_partition *p, const struct in_flight_batch *until) {
    int64_t at = p->gap_start;
    struct in_flight_batch *b = in_flight_floor(&p->batches, at);
    for (b = b ? b : in_flight_first(&p->batches); b; b = in_flight_next(b)) {
        if (until && b->first > until->first) return -1;
        if (b->first > at) return at;
        if (b->last + 1 > at) at = b->last + 1;
    }
    return -1;
}

int64_t share_partition_next_fetch(const struct share_partition *p) {
    if (nothing_ahead(p)) return p->end;
    const struct in_flight_batch *open = in_flight_open_from(&p->batches, INT64_MIN);
    if (share_gap_active(p)) {
        int64_t gap = find_gap(p, open);
        if (gap >= 0) return gap;
    }
    return open ? in_flight_available(open, open->first) : p->end + 1;
}

int32_t share_partition_in_flight(const struct share_partition *p) {
    return p->batches.count ? (int32_t)(p->end - p->start + 1) : 0;
}

bool share_partition_can_acquire(const struct share_partition *p, const struct share_limits *l) {
    if (share_partition_next_fetch(p) != p->end + 1) return true;
    return share_partition_in_flight(p) < l->max_record_locks;
}

int64_t share_partition_reach(const struct share_partition *p, int64_t fetch_offset, int32_t max_records) {
    int64_t from = fetch_offset > p->end ? fetch_offset : p->end;
    return from + (max_records > 0 ? max_records : 0);
}

/* ---- the start ---- */

int32_t share_counted(const struct share_partition *p, int64_t first, int64_t last) {
    if (last < p->start) return 0;
    return (int32_t)(last - (first > p->start ? first : p->start) + 1);
}

static bool is_final(const struct delivery *d) {
    return !d->write && record_state_final((enum record_state)d->state);
}

/* Is what lies at the start final? */
static bool can_advance(const struct share_partition *p) {
    struct in_flight_batch *b = in_flight_floor(&p->batches, p->start);
    if (!b) return false; /* a gap that can still be acquired */
    if (b->offsets && b->last < p->start) return false;
    return is_final(in_flight_at(b, p->start));
}

/* How far everything is final: the last such offset, or −1; *counted: how many of them count as complete. */
static int64_t final_until(struct share_partition *p, int32_t *counted) {
    int64_t last = -1;
    *counted = 0;
    for (struct in_flight_batch *b = in_flight_first(&p->batches); b; b = in_flight_next(b)) {
        if (share_gap_active(p) && b->last >= p->gap_start) return last;
        if (!b->offsets) {
            if (!is_final(&b->whole)) return last;
            last = b->last;
            *counted += share_counted(p, b->first, b->last);
            continue;
        }
        while (b->settled < in_flight_size(b) && is_final(&b->offsets[b->settled])) b->settled++;
        if (b->settled) {
            last = b->first + b->settled - 1;
            *counted += share_counted(p, b->first, last);
        }
        if (b->settled < in_flight_size(b)) return last;
    }
    return last;
}

static void drop_before(struct share_partition *p, const struct in_flight_batch *end) {
    for (struct in_flight_batch *b; (b = in_flight_first(&p->batches)) && b != end;) batch_drop(p, b);
}

bool share_advance(struct share_partition *p) {
    int32_t counted;
    if (!can_advance(p)) return false;
    int64_t last = final_until(p, &counted);
    if (last == -1) return false;
    int64_t cached = in_flight_last(&p->batches)->last;
    if (last == cached) {
        drop_all(p);
        p->start = p->end = cached + 1;
        p->complete = 0;
        return true;
    }
    struct in_flight_batch *b = in_flight_floor(&p->batches, last);
    if (last == b->last) {
        b = in_flight_next(b);
        if (b->first > p->start) p->start = b->first;
        if (share_gap_active(p) && p->gap_start < p->start) p->start = p->gap_start;
    } else if (last + 1 > p->start)
        p->start = last + 1;
    p->complete -= counted;
    drop_before(p, b);
    return true;
}

/* ---- what the log no longer has ---- */

static bool archive_offsets(struct share_partition *p, struct in_flight_batch *b, int64_t first, int64_t last,
                            enum record_state from, bool count_complete) {
    bool any = false;
    int64_t at = first > b->first ? first : b->first, end = last < b->last ? last : b->last;
    for (; at <= end; at++) {
        struct delivery *d = in_flight_at(b, at);
        if (d->state != from) continue;
        delivery_archive(p, d);
        if (count_complete) p->complete++;
        any = true;
    }
    return any;
}

bool share_archive(struct share_partition *p, int64_t first, int64_t last, enum record_state from,
                   bool count_complete) {
    bool any = false;
    struct in_flight_batch *b = in_flight_floor(&p->batches, first);
    if (!b) b = in_flight_first(&p->batches);
    for (; b && b->first <= last; b = in_flight_next(b)) {
        if (b->last < first) continue;
        if (!b->offsets && b->whole.state != from) continue;
        if (!b->offsets && batch_within(b, first, last)) {
            delivery_archive(p, &b->whole);
            if (count_complete) p->complete += (int32_t)in_flight_size(b);
            any = true;
            continue;
        }
        if (!b->offsets) batch_split(p, b);
        any |= archive_offsets(p, b, first, last, from, count_complete);
    }
    return any;
}

/* How many offsets of [start, to) are final. */
static int32_t final_before(const struct share_partition *p, int64_t to) {
    int32_t n = 0;
    for (struct in_flight_batch *b = in_flight_first(&p->batches); b && b->first < to;
         b = in_flight_next(b)) {
        int64_t first = b->first > p->start ? b->first : p->start, last = b->last < to ? b->last : to - 1;
        if (!b->offsets && record_state_final((enum record_state)b->whole.state) && first <= last)
            n += (int32_t)(last - first + 1);
        for (int64_t at = first; b->offsets && at <= last; at++)
            n += record_state_final((enum record_state)in_flight_at(b, at)->state);
    }
    return n;
}

void share_partition_log_start(struct share_partition *p, int64_t offset) {
    if (offset <= p->start) return;
    if (!p->batches.count) {
        p->start = p->end = offset;
        p->complete = 0;
        return;
    }
    int32_t passed = final_before(p, offset);
    share_archive(p, p->start, offset - 1, RECORD_AVAILABLE, false);
    p->start = offset;
    if (p->gap_start < offset) p->gap_start = offset; /* what is not in the log is no gap to fetch */
    p->complete -= passed;
    if (p->end < offset) p->end = offset;
}

/* ---- locks ---- */

int64_t share_partition_deadline(const struct share_partition *p) {
    const struct heap_node *first = heap_min(&p->locks);
    return first ? first->key : INT64_MAX;
}

/* ---- to look at ---- */

int64_t share_partition_start(const struct share_partition *p) { return p->start; }
int64_t share_partition_end(const struct share_partition *p) { return p->end; }
int32_t share_partition_complete(const struct share_partition *p) { return p->complete; }

int share_partition_state(const struct share_partition *p, int64_t offset, int *count, struct kstr *member) {
    struct in_flight_batch *b = in_flight_floor(&p->batches, offset);
    if (!b || b->last < offset) return -1;
    const struct delivery *d = in_flight_at(b, offset);
    if (count) *count = d->count;
    if (member) *member = d->member ? d->member->id : KSTR("");
    return d->state;
}

static int32_t check_delivery(const struct share_partition *p, const struct delivery *d) {
    ASSERT(!d->member || (d->state == RECORD_ACQUIRED && !d->write));
    ASSERT(!d->was_member || d->write);
    ASSERT(d->state != RECORD_ACQUIRED || d->member);
    ASSERT(!heap_has(&d->lock) || d->state == RECORD_ACQUIRED || d->write);
    int64_t first, last;
    delivery_range(d, &first, &last);
    return record_state_final((enum record_state)d->state) ? share_counted(p, first, last) : 0;
}

void share_partition_check(const struct share_partition *p) {
    int64_t before = INT64_MIN;
    int32_t complete = 0;
    ASSERT(p->batches.count || (p->start == p->end && !p->complete));
    for (struct in_flight_batch *b = in_flight_first(&p->batches); b; b = in_flight_next(b)) {
        uint32_t open = 0;
        ASSERT(b->first > before && b->last >= b->first);
        before = b->last;
        for (uint32_t i = 0, n = b->offsets ? in_flight_size(b) : 1; i < n; i++) {
            const struct delivery *d = b->offsets ? &b->offsets[i] : &b->whole;
            ASSERT(d->batch == b);
            complete += check_delivery(p, d);
            open += delivery_available(d);
        }
        ASSERT(b->open == (open > 0) && (!b->offsets || b->available.count == open));
        ASSERT(in_flight_open_from(&p->batches, b->first) != NULL || !b->open);
    }
    ASSERT(p->complete == complete);
    ASSERT(!p->batches.count || before <= p->end);
}
