/* Metrics as text in Prometheus' format (version 0.0.4): families of schema/metrics, each with its help and
 * type before its samples. */
#ifndef OTTLA_METRICS_TEXT_H
#define OTTLA_METRICS_TEXT_H

#include <stdint.h>

#include "base/strbuf.h"
#include "metrics/histogram.h"
#include "wire/types.h"

enum metric_id {
#define METRIC(id, name, type, help) METRIC_##id,
#include "metric_list.h"
#undef METRIC
    METRICS
};

const char *metric_name(enum metric_id id);

/* The lines before the first sample of a family. */
void metric_head(struct strbuf *to, enum metric_id id);

struct metric_label {
    const char *name;
    struct kstr value;
};
/* One sample; the labels end with one without name; NULL: none. */
void metric_sample(struct strbuf *to, enum metric_id id, const struct metric_label *labels, double value);
/* more: labels behind those (there is one at least), ready made: ,name="value"… */
void metric_sample_with(struct strbuf *to, enum metric_id id, const struct metric_label *labels,
                        const char *more, double value);
void metric_int(struct strbuf *to, enum metric_id id, const struct metric_label *labels, int64_t value);
/* The samples of a histogram, in ms. */
void metric_histogram(struct strbuf *to, enum metric_id id, const struct metric_label *labels,
                      const struct histogram_view *v);
/* Head and only sample. */
void metric_one(struct strbuf *to, enum metric_id id, double value);

#endif
