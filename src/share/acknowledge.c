/* What becomes of acquired records: a member's word, its end, or the end of its time; and the write that
 * makes it last.
 *
 * An acknowledgement is checked and made offset by offset; the first that is not allowed undoes those before
 * it in the same call. What of a batch was archived or lies before the start is passed over. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/kerr.h"
#include "share/partition_internal.h"

struct change {
    struct share_partition *p;
    const struct share_limits *l;
    struct share_write *w;
    struct kstr member;
    int64_t now;
    const char *why;
};

void share_write_free(struct share_write *w) {
    state_batches_free(&w->batches);
    *w = (struct share_write){0};
}

static void start_write(struct share_partition *p, struct share_write *w, bool waits) {
    *w = (struct share_write){0};
    if (!waits) return;
    if (++p->last_write == 0) ++p->last_write;
    w->id = p->last_write;
}

static void note(struct share_write *w, const struct delivery *d) {
    struct state_batch x = {.state = (int8_t)d->state, .delivery_count = d->count};
    delivery_range(d, &x.first, &x.last);
    struct state_batch *before = w->batches.n ? &w->batches.v[w->batches.n - 1] : NULL;
    if (before && before->last + 1 == x.first && before->state == x.state &&
        before->delivery_count == x.delivery_count)
        before->last = x.last;
    else
        state_batches_add(&w->batches, x);
}

static void count_complete(struct share_partition *p, const struct delivery *d) {
    int64_t first, last;
    if (!record_state_final((enum record_state)d->state)) return;
    delivery_range(d, &first, &last);
    p->complete += share_counted(p, first, last);
}

/* Below the start nothing becomes available again. */
static enum record_state released(const struct share_partition *p, const struct delivery *d) {
    int64_t first, last;
    delivery_range(d, &first, &last);
    return last < p->start ? RECORD_ARCHIVED : RECORD_AVAILABLE;
}

/* ---- the end of a write ---- */

static bool end_one(struct share_partition *p, struct delivery *d, uint32_t write, bool ok) {
    int64_t first, last;
    if (d->write != write) return false;
    bool was_final = record_state_final((enum record_state)d->state);
    delivery_end(p, d, ok);
    delivery_range(d, &first, &last);
    if (was_final && !record_state_final((enum record_state)d->state))
        p->complete -= share_counted(p, first, last);
    return true;
}

static void end_range(struct share_partition *p, const struct state_batch *x, uint32_t write, bool ok) {
    struct in_flight_batch *b = in_flight_floor(&p->batches, x->first);
    if (!b || b->last < x->first) b = in_flight_above(&p->batches, x->first);
    for (; b && b->first <= x->last; b = in_flight_next(b)) {
        if (!b->offsets) {
            end_one(p, &b->whole, write, ok);
            continue;
        }
        int64_t at = x->first > b->first ? x->first : b->first, end = x->last < b->last ? x->last : b->last;
        for (; at <= end; at++) end_one(p, in_flight_at(b, at), write, ok);
    }
}

static void end_all(struct share_partition *p, const struct share_write *w, bool ok) {
    for (size_t i = 0; i < w->batches.n; i++) end_range(p, &w->batches.v[i], w->id, ok);
}

bool share_partition_written(struct share_partition *p, const struct share_write *w, bool ok) {
    if (w->id) end_all(p, w, ok);
    if (ok || !w->id) return share_advance(p) || w->id;
    /* What comes back without a lock may lie before the start by now. */
    share_archive(p, INT64_MIN, p->start - 1, RECORD_AVAILABLE, false);
    return true;
}

static void finish_write(struct share_partition *p, struct share_write *w) {
    w->state_epoch = p->state_epoch;
    w->start_offset = p->start;
    w->delivery_complete = p->complete;
}

/* ---- acknowledging ---- */

static int16_t refuse(struct change *c, int16_t code, const char *why) {
    c->why = why;
    return code;
}

static int16_t move_one(struct change *c, struct delivery *d, int8_t type) {
    static const enum record_state becomes[] = {
        [SHARE_GAP] = RECORD_ARCHIVED,
        [SHARE_ACCEPT] = RECORD_ACKNOWLEDGED,
        [SHARE_RELEASE] = RECORD_AVAILABLE,
        [SHARE_REJECT] = RECORD_ARCHIVED,
    };
    if (type == SHARE_RENEW) {
        if (!c->l->renew)
            return refuse(c, KERR_INVALID_RECORD_STATE, "locks cannot be renewed in this group");
        delivery_lock(c->p, d, c->now + c->l->lock_duration_ms);
        return 0;
    }
    ASSERT(type >= SHARE_GAP && type <= SHARE_REJECT);
    if (!delivery_begin(c->p, d, becomes[type], c->l->delivery_count_limit, c->w->id))
        return refuse(c, KERR_INVALID_RECORD_STATE, "the record's state cannot change so");
    note(c->w, d);
    count_complete(c->p, d);
    return 0;
}

static bool holds(const struct change *c, const struct delivery *d) {
    return d->member && kstr_equal(d->member->id, c->member);
}

static int16_t acknowledge_offsets(struct change *c, struct in_flight_batch *b,
                                   const struct share_acknowledgement *a) {
    int64_t first = a->first > c->p->start ? a->first : c->p->start;
    int64_t end = a->last < b->last ? a->last : b->last;
    for (int64_t at = first > b->first ? first : b->first; at <= end; at++) {
        struct delivery *d = in_flight_at(b, at);
        if (d->state != RECORD_ACQUIRED)
            return refuse(c, KERR_INVALID_RECORD_STATE, "the record is not acquired");
        if (!holds(c, d)) return refuse(c, KERR_INVALID_RECORD_STATE, "another member has the record");
        int16_t error = move_one(c, d, a->types[a->types_n > 1 ? at - a->first : 0]);
        if (error) return error;
    }
    return 0;
}

/* A batch with one state is somebody's as a whole. */
static int16_t check_whole(struct change *c, const struct delivery *d) {
    if (!d->member) return refuse(c, KERR_INVALID_RECORD_STATE, "the records are not acquired");
    if (!holds(c, d)) return refuse(c, KERR_INVALID_RECORD_STATE, "another member has the records");
    ASSERT(d->state == RECORD_ACQUIRED && !d->write);
    return 0;
}

static int16_t acknowledge_batch(struct change *c, struct in_flight_batch *b,
                                 const struct share_acknowledgement *a) {
    if (b->last < c->p->start) return 0;
    if (!b->offsets) {
        int16_t error = check_whole(c, &b->whole);
        if (error) return error;
        if (batch_within(b, a->first, a->last) && a->types_n == 1 && !batch_over_start(c->p, b))
            return move_one(c, &b->whole, a->types[0]);
        batch_split(c->p, b);
    }
    return acknowledge_offsets(c, b, a);
}

static int16_t acknowledge_one(struct change *c, const struct share_acknowledgement *a) {
    struct in_flight *f = &c->p->batches;
    if (a->last < c->p->start) return 0; /* the log has moved on */
    struct in_flight_batch *b = in_flight_floor(f, a->first);
    if (!b && a->first < c->p->start) b = in_flight_floor(f, c->p->start);
    if (!b) return refuse(c, KERR_INVALID_RECORD_STATE, "there are no such records in flight");
    struct in_flight_batch *end = in_flight_floor(f, a->last);
    if (end->last < a->first) return refuse(c, KERR_INVALID_REQUEST, "the first offset was not acquired");
    if (a->last > end->last) return refuse(c, KERR_INVALID_REQUEST, "the last offset was not acquired");
    int16_t error = 0;
    for (; !error && b && b->first <= a->last; b = in_flight_next(b)) error = acknowledge_batch(c, b, a);
    return error;
}

int16_t share_partition_acknowledge(struct share_partition *p, struct kstr member,
                                    const struct share_acknowledgement *a, size_t n,
                                    const struct share_limits *l, int64_t now_ms, struct share_write *w,
                                    const char **why) {
    struct change c = {.p = p, .l = l, .w = w, .member = member, .now = now_ms};
    int16_t error = 0;
    ASSERT(p->loaded);
    start_write(p, w, true);
    for (size_t i = 0; !error && i < n; i++) error = acknowledge_one(&c, &a[i]);
    if (error) {
        end_all(p, w, false);
        share_write_free(w);
        *why = c.why;
        return error;
    }
    finish_write(p, w);
    return 0;
}

/* ---- releasing ---- */

static int by_first(const void *x, const void *y) {
    const struct state_batch *a = x, *b = y;
    return (a->first > b->first) - (a->first < b->first);
}

void share_partition_release(struct share_partition *p, struct kstr member, const struct share_limits *l,
                             struct share_write *w) {
    struct share_member *m = share_member_find(p, member);
    start_write(p, w, true);
    if (m) m->refs++;
    while (m && m->first) {
        struct delivery *d = m->first;
        if (!d->batch->offsets && batch_over_start(p, d->batch)) {
            batch_split(p, d->batch);
            continue;
        }
        bool begun = delivery_begin(p, d, released(p, d), l->delivery_count_limit, w->id);
        ASSERT(begun);
        note(w, d);
        count_complete(p, d);
    }
    if (m) share_member_put(p, m);
    if (w->batches.n) qsort(w->batches.v, w->batches.n, sizeof *w->batches.v, by_first);
    finish_write(p, w);
}

/* ---- the end of locks ---- */

static void expire_one(struct share_partition *p, struct delivery *d, const struct share_limits *l,
                       struct share_write *w) {
    heap_remove(&p->locks, &d->lock);
    if (d->write) {
        d->lock_ended = true;
        return;
    }
    ASSERT(d->state == RECORD_ACQUIRED);
    bool moved = delivery_move(p, d, released(p, d), 0, l->delivery_count_limit, NULL);
    ASSERT(moved);
    note(w, d);
    count_complete(p, d);
}

void share_partition_expire(struct share_partition *p, const struct share_limits *l, int64_t now_ms,
                            struct share_write *w) {
    start_write(p, w, false);
    for (struct heap_node *n; (n = heap_min(&p->locks)) && n->key <= now_ms;) {
        struct delivery *d = (struct delivery *)((char *)n - offsetof(struct delivery, lock));
        if (!d->batch->offsets && batch_over_start(p, d->batch) && !d->write)
            batch_split(p, d->batch);
        else
            expire_one(p, d, l, w);
    }
    if (w->batches.n) qsort(w->batches.v, w->batches.n, sizeof *w->batches.v, by_first);
    finish_write(p, w);
}
