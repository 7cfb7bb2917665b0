/* How often a time was how long, of one thread, as struct counter: any thread may read, who looks adds up. */
#ifndef OTTLA_METRICS_HISTOGRAM_H
#define OTTLA_METRICS_HISTOGRAM_H

#include "metrics/counter.h"

enum { HISTOGRAM_BUCKETS = 17 }; /* the last has no upper bound */

struct histogram {
    struct counter counts[HISTOGRAM_BUCKETS];
    struct counter sum_ns;
};

/* Upper bounds, ns; a time that is equal belongs to the bucket. */
extern const int64_t histogram_bounds[HISTOGRAM_BUCKETS - 1];

void histogram_record_long(struct histogram *h, int64_t ns);
/* Most times are short. */
static inline void histogram_record(struct histogram *h, int64_t ns) {
    if (ns > histogram_bounds[0]) {
        histogram_record_long(h, ns);
        return;
    }
    counter_add(&h->counts[0], 1);
    counter_add(&h->sum_ns, ns);
}

/* Several added up. */
struct histogram_view {
    int64_t counts[HISTOGRAM_BUCKETS], count, sum_ns;
};
void histogram_add_to(const struct histogram *h, struct histogram_view *v);

#endif
