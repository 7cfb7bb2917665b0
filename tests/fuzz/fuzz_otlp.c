/* OTLP payloads of client metrics: any bytes are read within bounds, and what is kept can be shown. */
#include <string.h>

#include "base/assert.h"
#include "server/otlp.h"
#include "fuzz.h"

enum { MEMORY = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena a;
    struct otlp_points points;
    arena_init(&a, MEMORY);
    int err = otlp_read(data, size, &a, &points);
    ASSERT(points.n >= 0 && points.n <= OTLP_POINTS_MAX);
    for (int32_t i = 0; i < points.n; i++) {
        ASSERT(strlen(points.v[i].name) > 0);
        ASSERT(!strchr(points.v[i].labels, '\n'));
    }
    ASSERT(err <= 0);
    arena_free(&a);
    return 0;
}
