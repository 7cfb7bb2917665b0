/* What a network loop measures for /metrics. A loop has its own counters (metrics/counter.h); without an HTTP
 * listener it has none, and nothing is measured.
 *
 * A request's time is cut into: queue (from the read of its bytes), its handler, remote (until it is done),
 * and the wait for its turn to be answered. The clock is read once for each of them, and a handler begins
 * when the one before it has ended. Loop thread, if nothing else is said. */
#ifndef OTTLA_SERVER_MEASURE_H
#define OTTLA_SERVER_MEASURE_H

#include <stdint.h>

#include "metrics/counter.h"
#include "metrics/histogram.h"
#include "server/request.h"

struct api_measures {
    struct counter requests, bytes;
    struct histogram queue, local, remote, response_queue, total;
};

struct measures {
    int64_t at_ns; /* the end of what was measured last */
    struct counter connections, bytes_in, messages_in, bytes_out;
    struct counter produced, produce_failed, fetched, fetch_failed; /* partitions of requests */
    struct api_measures *_Atomic apis[HANDLER_KEYS];                /* NULL: never asked */
};

/* Of a request, in its arena; ns. */
struct timing {
    int64_t read, began, handled, done; /* done 0: when it was handled */
    uint32_t bytes;
};

struct measures *measures_new(void);
void measures_free(struct measures *m); /* NULL: nothing */

/* Where net->measures is not NULL: a burst begins; before and after a handler; done; to be answered at `now`.
 */
void measure_burst(struct measures *m);
void measure_begin(struct measures *m, struct request *r, int64_t read_ns, size_t bytes);
void measure_handled(struct measures *m, struct request *r);
void measure_done(struct request *r);
void measure_answered(struct measures *m, const struct request *r, int64_t now);

#endif
