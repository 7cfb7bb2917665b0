#include "metrics/histogram.h"

#define MS 1000000LL

const int64_t histogram_bounds[HISTOGRAM_BUCKETS - 1] = {
    MS / 50, MS / 20, MS / 10, MS / 4,   MS / 2,   MS,        5 * MS / 2, 5 * MS,
    10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 1000 * MS, 5000 * MS,  30000 * MS};

void histogram_record_long(struct histogram *h, int64_t ns) {
    int low = 0, high = HISTOGRAM_BUCKETS - 1;
    while (low < high) {
        int middle = (low + high) / 2;
        if (ns <= histogram_bounds[middle])
            high = middle;
        else
            low = middle + 1;
    }
    counter_add(&h->counts[low], 1);
    counter_add(&h->sum_ns, ns);
}

void histogram_add_to(const struct histogram *h, struct histogram_view *v) {
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
        int64_t n = counter_get(&h->counts[i]);
        v->counts[i] += n;
        v->count += n;
    }
    v->sum_ns += counter_get(&h->sum_ns);
}
