/* A number that only grows, of one thread; any thread may read it. Several threads have a counter each, and
 * who looks adds them up: so counting is an addition, without a lock or a shared cache line. */
#ifndef OTTLA_METRICS_COUNTER_H
#define OTTLA_METRICS_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

struct counter {
    _Atomic int64_t v;
};

static inline int64_t counter_get(const struct counter *c) {
    return atomic_load_explicit(&c->v, memory_order_relaxed);
}
/* Its own thread. */
static inline void counter_add(struct counter *c, int64_t n) {
    atomic_store_explicit(&c->v, counter_get(c) + n, memory_order_relaxed);
}

#endif
