/* OpenTelemetry's MetricsData (OTLP, opentelemetry/proto/metrics/v1), which clients push (KIP-714), as a flat
 * list of numbers: gauges and sums as they are; histograms and summaries as NAME.count and NAME.sum. */
#ifndef OTTLA_SERVER_OTLP_H
#define OTTLA_SERVER_OTLP_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

enum otlp_kind {
    OTLP_GAUGE,
    OTLP_DELTA, /* what came since the last push */
    OTLP_TOTAL, /* what came in all */
};

enum { OTLP_POINTS_MAX = 10000 }; /* of one payload */

struct otlp_point {
    const char *name, *labels; /* labels: a="b",c="d" in Prometheus' notation; resource first */
    double value;
    enum otlp_kind kind;
};

struct otlp_points {
    struct otlp_point *v; /* in the arena */
    int32_t n;
};

/* 0 or OE_MALFORMED. What is too much (points, labels of one point, memory of the arena) is left out: the
 * payload was good. */
int otlp_read(const void *bytes, size_t n, struct arena *a, struct otlp_points *to);

#endif
