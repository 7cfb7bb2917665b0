/* Invariants:
 *   1. samples[0 .. used) have been begun; current < used, or used is 0.
 *   2. A sample whose last record is older than the whole window counts nothing and is no start of it.
 *   3. Readers of other threads may see a sample at the moment when it begins anew: for that moment they
 * count it as empty or as it was, never more than was recorded. */
#include "quota/rate.h"

#include "base/assert.h"
#include "base/mem.h"

static int32_t samples_of(const struct rate_window *w) {
    return w->samples < RATE_SAMPLES_MAX ? w->samples : RATE_SAMPLES_MAX;
}

struct rate *rate_new(const struct rate_window *w) {
    ASSERT(w->samples > 0 && w->sample_ms > 0);
    int32_t room = samples_of(w) + 1;
    struct rate *r = xcalloc(1, sizeof *r + (size_t)room * sizeof *r->samples);
    r->room = room;
    return r;
}

static int64_t get(const _Atomic int64_t *from) { return atomic_load_explicit(from, memory_order_relaxed); }
static void set(_Atomic int64_t *to, int64_t v) { atomic_store_explicit(to, v, memory_order_relaxed); }

static struct rate_sample *begin(struct rate *r, int32_t at, int64_t now) {
    struct rate_sample *s = &r->samples[at];
    r->current = at;
    set(&s->sum, 0);
    set(&s->start, now);
    set(&s->last, now);
    if (at >= atomic_load_explicit(&r->used, memory_order_relaxed))
        atomic_store_explicit(&r->used, at + 1, memory_order_release);
    return s;
}

void rate_record(struct rate *r, const struct rate_window *w, int64_t value, int64_t now) {
    struct rate_sample *s = &r->samples[r->current];
    if (!atomic_load_explicit(&r->used, memory_order_relaxed))
        s = begin(r, 0, now);
    else if (now - get(&s->start) >= w->sample_ms)
        s = begin(r, (r->current + 1) % r->room, now);
    set(&s->sum, get(&s->sum) + value);
    set(&s->last, now);
}

void rate_add_to(const struct rate *r, const struct rate_window *w, int64_t now, struct rate_total *t) {
    int64_t expires = samples_of(w) * w->sample_ms;
    int32_t used = atomic_load_explicit(&r->used, memory_order_acquire);
    for (int32_t i = 0; i < used; i++) {
        const struct rate_sample *s = &r->samples[i];
        int64_t start = get(&s->start);
        if (now - get(&s->last) >= expires) continue;
        t->sum += get(&s->sum);
        if (start < t->oldest) t->oldest = start;
    }
}

int64_t rate_covers_ms(const struct rate_total *t, const struct rate_window *w, int64_t now) {
    int64_t elapsed = now - t->oldest, full = elapsed / w->sample_ms, least = samples_of(w) - 1;
    if (full < least) elapsed += (least - full) * w->sample_ms;
    return elapsed > 1 ? elapsed : 1;
}

double rate_per_second(const struct rate_total *t, const struct rate_window *w, int64_t now) {
    return (double)t->sum / ((double)rate_covers_ms(t, w, now) / 1000.0);
}

int64_t rate_throttle_ms(const struct rate_total *t, const struct rate_window *w, double limit, int64_t now) {
    double per_second = rate_per_second(t, w, now);
    if (per_second <= limit) return 0;
    double ms = (per_second - limit) / limit * (double)rate_covers_ms(t, w, now) + 0.5;
    return ms < (double)INT32_MAX ? (int64_t)ms : INT32_MAX;
}
