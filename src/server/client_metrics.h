/* Client metrics (KIP-714): who is asked for what, how often they may come, and a sink that keeps the last
 * values that each client has pushed, for the metrics that this node shows.
 *
 * Subscriptions are the CLIENT_METRICS configurations. A client that asks gets an instance: its identity, the
 * union of the subscriptions that match it, and their id, a checksum of these, which a push must name. An
 * instance ends with the connection that made it, when it was not heard of for three intervals (at least a
 * minute), or as the least recently heard of more than 16,384.
 *
 * Any thread. Bounded: instances, series of an instance, bytes of all values. Reference:
 * ClientMetricsManager, ClientMetricsInstance. */
#ifndef OTTLA_SERVER_CLIENT_METRICS_H
#define OTTLA_SERVER_CLIENT_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "server/otlp.h"
#include "wire/types.h"

struct client_metrics;
struct image;

struct client_metrics_who { /* NULL or null: not known, which matches no pattern */
    struct kstr client_id;
    const char *software_name, *software_version, *address;
    int port;
};

struct client_subscription {
    int32_t id, interval_ms;
    struct kstr *metrics; /* in the arena */
    int32_t metrics_n;
};

struct client_push {
    struct uuid instance;
    int32_t subscription;
    bool terminating;
    int8_t compression;
    int64_t size, max_size; /* telemetry.max.bytes */
};

struct client_metrics *client_metrics_create(uint64_t seed);
void client_metrics_destroy(struct client_metrics *m);
/* Control thread: the subscriptions of an image. */
void client_metrics_configure(struct client_metrics *m, const struct image *image);

/* GetTelemetrySubscriptions: a zero *instance becomes a new id. A Kafka error code; 0: *to is filled in.
 * *made: the instance now belongs to this connection. now_ms: wall clock. */
int16_t client_metrics_subscribe(struct client_metrics *m, const struct client_metrics_who *who,
                                 struct uuid *instance, int64_t now_ms, struct arena *a,
                                 struct client_subscription *to, bool *made);
/* PushTelemetry: may it come, and is it what was asked for? 0: the payload is to be read now. */
int16_t client_metrics_push(struct client_metrics *m, const struct client_metrics_who *who,
                            const struct client_push *push, int64_t now_ms, bool *made);
/* What was read of it; NULL: it could not be read. */
void client_metrics_store(struct client_metrics *m, const struct uuid *instance, int64_t now_ms,
                          const struct otlp_points *points);
/* The connection that made the instance has gone. */
void client_metrics_left(struct client_metrics *m, const struct uuid *instance);

/* What is known of a client, borrowed during the call. */
struct client_metrics_value {
    struct uuid instance;
    const char *client_id, *software_name, *software_version, *address; /* "" when not known */
    const char *name, *labels; /* as in otlp.h; those of the client come beside them */
    double value;
    bool total;      /* a counter: deltas were added up since the instance began */
    int64_t time_ms; /* of the push */
};
/* All values that are kept, under the lock: `see` must be short and not call back. */
void client_metrics_each(struct client_metrics *m,
                         void (*see)(void *ctx, const struct client_metrics_value *v), void *ctx);

#endif
