#include "server/request_memory.h"

#include <stddef.h>

#include "base/assert.h"
#include "io/machine.h"

/* Without queued.max.request.bytes: a quarter of the machine's memory, at most this, and at least room for a
 * few of the largest requests. */
static const int64_t MOST = INT64_C(1) << 30;
enum { LEAST_REQUESTS = 2 };

static int64_t spare(int64_t largest) {
    int64_t quarter = machine_memory() / 4;
    int64_t limit = quarter == 0 || quarter > MOST ? MOST : quarter;
    return limit > largest * LEAST_REQUESTS ? limit : largest * LEAST_REQUESTS;
}

void request_memory_init(struct request_memory *m, int64_t configured, int64_t largest) {
    atomic_init(&m->used, 0);
    atomic_init(&m->turn, NULL);
    m->limit = configured > 0 ? configured : spare(largest);
    ASSERT(m->limit > 0);
}

bool request_memory_take_turn(struct request_memory *m, struct connection *c) {
    struct connection *nobody = NULL;
    return atomic_compare_exchange_strong(&m->turn, &nobody, c);
}

void request_memory_end_turn(struct request_memory *m, struct connection *c) {
    ASSERT(atomic_load(&m->turn) == c);
    atomic_store(&m->turn, NULL);
}
