#include "server/measure.h"

#include <stdlib.h>

#include "base/mem.h"
#include "io/clock.h"

struct measures *measures_new(void) {
    return xcalloc(1, sizeof(struct measures));
}

void measures_free(struct measures *m) {
    if (!m) return;
    for (int i = 0; i < HANDLER_KEYS; i++) free(atomic_load(&m->apis[i]));
    free(m);
}

void measure_burst(struct measures *m) { m->at_ns = clock_mono_ns(); }

void measure_begin(struct measures *m, struct request *r, int64_t read_ns, size_t bytes) {
    r->timing = request_alloc(r, sizeof *r->timing);
    r->timing->began = m->at_ns;
    r->timing->read = read_ns && read_ns < m->at_ns ? read_ns : m->at_ns;
    r->timing->bytes = (uint32_t)bytes;
}

void measure_handled(struct measures *m, struct request *r) {
    m->at_ns = clock_mono_ns();
    r->timing->handled = m->at_ns;
}

void measure_done(struct request *r) {
    if (r->timing->handled) r->timing->done = clock_mono_ns();
}

static struct api_measures *of_api(struct measures *m, int16_t key) {
    struct api_measures *a = atomic_load_explicit(&m->apis[key], memory_order_relaxed);
    if (a) return a;
    a = xcalloc(1, sizeof *a);
    atomic_store_explicit(&m->apis[key], a, memory_order_release);
    return a;
}

void measure_answered(struct measures *m, const struct request *r, int64_t now) {
    const struct timing *t = r->timing;
    struct api_measures *a = of_api(m, r->handler->key);
    int64_t handled = t->handled ? t->handled : now, done = t->done ? t->done : handled;
    counter_add(&a->requests, 1);
    counter_add(&a->bytes, t->bytes);
    histogram_record(&a->queue, t->began - t->read);
    histogram_record(&a->local, handled - t->began);
    histogram_record(&a->remote, done - handled);
    histogram_record(&a->response_queue, now - done);
    histogram_record(&a->total, now - t->read);
}
