/* The client quotas of a node: limits, and what each user and client id has used of them. A meter is what
 * those who share a limit have used; a connection keeps pointers to its meters, so that a request costs no
 * look-up.
 *
 * Threads: meters are found under a lock; that is once for a connection and client id, and again after the
 * limits have changed. Recording needs none: each network loop has a shard of its own in a meter
 * (quota/rate.h). While no quota is set quotas_set() is 0 and nothing else is ever called.
 *
 * A meter that nobody has used for an hour is forgotten, or when there are METERS_MAX of them, one that has
 * not been used within the window, which no longer counts for anything. When all of them are in use,
 * newcomers of a type share one meter. Reference: ClientQuotaManager, ClientRequestQuotaManager,
 * ControllerMutationQuotaManager, SensorAccess. */
#ifndef OTTLA_QUOTA_QUOTAS_H
#define OTTLA_QUOTA_QUOTAS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "quota/limits.h"
#include "quota/rate.h"

enum { METERS_MAX = 65536, METER_IDLE_MS = 3600 * 1000 };

struct meter; /* counted */

struct quotas {
    _Atomic uint32_t set;        /* bit per enum quota_type: some limit is set; read with quotas_set() */
    _Atomic uint32_t generation; /* of the limits: another one, and meters must be asked for again */
    struct quotas_own *own;
};

struct quotas_options {
    int shards;                        /* recorders: network loops */
    struct rate_window window;         /* quota.window.* */
    struct rate_window changes_window; /* controller.quota.window.* */
    uint64_t seed;
};

void quotas_init(struct quotas *q, const struct quotas_options *o);
void quotas_free(struct quotas *q); /* every meter has been given back */
/* The limits from now on; takes them over. Meters go on with what they have counted. */
void quotas_apply(struct quotas *q, struct limits *limits);
static inline uint32_t quotas_set(const struct quotas *q) {
    return atomic_load_explicit(&q->set, memory_order_relaxed);
}
static inline uint32_t quotas_generation(const struct quotas *q) {
    return atomic_load_explicit(&q->generation, memory_order_acquire);
}

/* Any thread: the meter of a client with a reference, or NULL: it has no limit. */
struct meter *quotas_meter(struct quotas *q, enum quota_type type, struct kstr user, struct kstr client_id,
                           int64_t now);
void meter_unref(struct meter *m); /* NULL: nothing */
/* False: it was forgotten while the caller held it; ask again. */
bool meter_is_live(const struct meter *m);

/* Any thread that owns the shard. Units: bytes; for QUOTA_REQUEST nanoseconds of a loop's time. */
void meter_record(struct meter *m, int shard, int64_t value, int64_t now);
/* Records, and says for how long the client must be silent, ms; 0: it is within its limit. A request's time
 * makes it wait for at most one sample. */
int32_t meter_record_throttle(struct meter *m, int shard, int64_t value, int64_t now);
/* The client is made to wait: for the metrics. */
void meter_throttled(struct meter *m, int32_t ms);
/* More than this at once is above the limit whatever else was recorded. */
double meter_most(const struct meter *m);

/* Changes of topics, one thread (the controller's). n: partitions. Strict: takes nothing when the bucket is
 * below zero and returns false; else takes, and returns true. *throttle_ms: until it is no longer below zero.
 */
bool meter_take(struct meter *m, double n, bool strict, int64_t now, int32_t *throttle_ms);

/* For the metrics: each meter, under the lock. */
struct meter_view {
    enum quota_type type;
    struct kstr user, client_id; /* length −1: not part of who shares it */
    double limit, per_second;    /* request time in percent; of changes: tokens left */
    int64_t throttled_n, throttled_ms;
};
void quotas_each(struct quotas *q, int64_t now, void (*see)(void *arg, const struct meter_view *v),
                 void *arg);
size_t quotas_meters(struct quotas *q);

#endif
