/* The state of an offset or batch: who holds it, for how long, and what a write that fails gives back.
 *
 *    AVAILABLE → ACQUIRED                       a member fetches it; the count of deliveries grows
 *    ACQUIRED → AVAILABLE                       released, or the lock ended; at the delivery limit: ARCHIVED
 *    ACQUIRED → ACKNOWLEDGED | ARCHIVED         accepted; rejected, or a gap
 *    any → ARCHIVED                             gone from the log, aborted (delivery_archive)
 *
 * By a write (delivery_begin … delivery_end) the transition is made at once, but while the write is under way
 * nothing else may happen to it; when it fails, the old state and holder come back, unless the lock ended
 * meanwhile: then it is available again.
 *
 *  1. A delivery with a member is ACQUIRED, or was and is in a write; in a member's list if it is ACQUIRED.
 *  2. It has a lock while it is ACQUIRED, and in a write that came from there, unless the lock has ended. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "share/partition_internal.h"

/* ---- members ---- */

struct share_member *share_member_find(const struct share_partition *p, struct kstr id) {
    return hashmap_get(&p->members, id.s, (size_t)id.len);
}

struct share_member *share_member_get(struct share_partition *p, struct kstr id) {
    struct share_member *m = share_member_find(p, id);
    if (m) return m;
    m = xcalloc(1, sizeof *m);
    m->id = (struct kstr){xstrndup(id.s, (size_t)id.len), id.len};
    hashmap_put(&p->members, m->id.s, (size_t)id.len, m);
    return m;
}

static void member_ref(struct share_member *m) {
    if (m) m->refs++;
}

void share_member_put(struct share_partition *p, struct share_member *m) {
    ASSERT(m->refs > 0);
    if (--m->refs) return;
    ASSERT(!m->first);
    hashmap_del(&p->members, m->id.s, (size_t)m->id.len);
    free((char *)(uintptr_t)m->id.s);
    free(m);
}

static void member_unref(struct share_partition *p, struct share_member *m) {
    if (m) share_member_put(p, m);
}

static void list_out(struct delivery *d) {
    if (d->prev)
        d->prev->next = d->next;
    else if (d->member && d->member->first == d)
        d->member->first = d->next;
    if (d->next) d->next->prev = d->prev;
    d->next = d->prev = NULL;
}

static void set_member(struct share_partition *p, struct delivery *d, struct share_member *m) {
    member_ref(m);
    list_out(d);
    member_unref(p, d->member);
    d->member = m;
    if (!m) return;
    d->next = m->first;
    if (m->first) m->first->prev = d;
    m->first = d;
}

/* ---- locks ---- */

void delivery_lock(struct share_partition *p, struct delivery *d, int64_t until) {
    delivery_unlock(p, d);
    d->lock.key = until;
    heap_insert(&p->locks, &d->lock);
}

void delivery_unlock(struct share_partition *p, struct delivery *d) {
    if (heap_has(&d->lock)) heap_remove(&p->locks, &d->lock);
    d->lock_ended = false;
}

/* ---- transitions ---- */

static bool allowed(enum record_state from, enum record_state to) {
    if (from == to || record_state_final(from)) return false;
    return from != RECORD_AVAILABLE || to == RECORD_ACQUIRED;
}

bool delivery_move(struct share_partition *p, struct delivery *d, enum record_state to, int more,
                   int32_t limit, struct share_member *member) {
    if (d->write) return false;
    if (to == RECORD_AVAILABLE && d->count >= limit) to = RECORD_ARCHIVED;
    if (!allowed(d->state, to)) return false;
    in_flight_before(d);
    d->state = (uint8_t)to;
    if (to != RECORD_ARCHIVED) d->count = (int16_t)(d->count + more);
    in_flight_after(d);
    set_member(p, d, member);
    return true;
}

bool delivery_begin(struct share_partition *p, struct delivery *d, enum record_state to, int32_t limit,
                    uint32_t write) {
    uint8_t was = d->state;
    struct share_member *holder = d->member;
    ASSERT(write != 0);
    if (d->write) return false;
    member_ref(holder);
    if (!delivery_move(p, d, to, 0, limit, NULL)) {
        member_unref(p, holder);
        return false;
    }
    in_flight_before(d);
    d->write = write;
    d->was = was;
    d->was_member = holder; /* the reference taken above */
    d->was_limit = (int16_t)limit;
    in_flight_after(d);
    return true;
}

void delivery_end(struct share_partition *p, struct delivery *d, bool ok) {
    struct share_member *holder = d->was_member;
    ASSERT(d->write);
    in_flight_before(d);
    d->write = 0;
    d->was_member = NULL;
    bool back = !ok && !d->archived;
    if (back && d->lock_ended)
        d->state = d->count >= d->was_limit ? RECORD_ARCHIVED : RECORD_AVAILABLE;
    else if (back)
        d->state = d->was;
    in_flight_after(d);
    if (back && !d->lock_ended)
        set_member(p, d, holder);
    else
        delivery_unlock(p, d);
    member_unref(p, holder);
}

void delivery_archive(struct share_partition *p, struct delivery *d) {
    in_flight_before(d);
    d->archived = true;
    d->state = RECORD_ARCHIVED;
    in_flight_after(d);
    set_member(p, d, NULL);
    delivery_unlock(p, d);
}

/* ---- batches ---- */

/* Nothing points at the whole any more; a write that was under way finds nothing to end. */
static void let_go(struct share_partition *p, struct delivery *d) {
    struct share_member *holder = d->was_member;
    delivery_unlock(p, d);
    set_member(p, d, NULL);
    d->was_member = NULL;
    d->write = 0;
    member_unref(p, holder);
}

void batch_split(struct share_partition *p, struct in_flight_batch *b) {
    struct delivery *w = &b->whole;
    struct share_member *holder = w->member;
    bool locked = heap_has(&w->lock);
    int64_t until = w->lock.key;
    in_flight_split(b);
    for (uint32_t i = 0; i < in_flight_size(b); i++) {
        struct delivery *d = &b->offsets[i];
        if (holder) set_member(p, d, holder);
        if (locked && d->state == RECORD_ACQUIRED) delivery_lock(p, d, until);
    }
    let_go(p, w);
}

void batch_split_locked(struct share_partition *p, struct in_flight_batch *b, int64_t last_locked,
                        int64_t until) {
    struct share_member *holder = b->whole.member;
    ASSERT(b->whole.state == RECORD_ACQUIRED && holder && !heap_has(&b->whole.lock));
    in_flight_split(b);
    for (int64_t at = b->first; at <= b->last; at++) {
        struct delivery *d = in_flight_at(b, at);
        if (at <= last_locked) {
            set_member(p, d, holder);
            delivery_lock(p, d, until);
            continue;
        }
        in_flight_before(d);
        d->state = RECORD_AVAILABLE;
        d->count--;
        in_flight_after(d);
    }
    let_go(p, &b->whole);
}

void batch_drop(struct share_partition *p, struct in_flight_batch *b) {
    for (uint32_t i = 0, n = b->offsets ? in_flight_size(b) : 1; i < n; i++)
        let_go(p, b->offsets ? &b->offsets[i] : &b->whole);
    in_flight_remove(&p->batches, b);
}
