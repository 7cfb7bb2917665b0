/* GetTelemetrySubscriptions (KIP-714): what this client is asked for (server/client_metrics.h). */
#include "server/handlers/handlers.h"

#include "api/get_telemetry_subscriptions.h"
#include "io/clock.h"
#include "record/compress.h"
#include "server/telemetry.h"

void handle_get_telemetry_subscriptions(struct request *r,
                                        const struct get_telemetry_subscriptions_request *in) {
    static const int8_t compressions[] = {COMPRESSION_ZSTD, COMPRESSION_LZ4, COMPRESSION_GZIP,
                                          COMPRESSION_SNAPPY};
    struct get_telemetry_subscriptions_response *out = request_alloc(r, sizeof *out);
    struct client_metrics_who who = telemetry_who(r);
    struct uuid instance = in->client_instance_id;
    struct client_subscription found;
    bool made;
    get_telemetry_subscriptions_response_init(out);
    out->error_code = client_metrics_subscribe(r->node->client_metrics, &who, &instance, clock_wall_ms(),
                                               &r->arena, &found, &made);
    telemetry_owns(r, &instance, made);
    if (!out->error_code) {
        out->client_instance_id = instance;
        out->subscription_id = found.id;
        out->accepted_compression_types = (int8_t *)compressions;
        out->accepted_compression_types_n = sizeof compressions;
        out->push_interval_ms = found.interval_ms;
        out->telemetry_max_bytes = (int32_t)config_int(r->node->config, CFG_TELEMETRY_MAX_BYTES);
        out->delta_temporality = true;
        out->requested_metrics = found.metrics;
        out->requested_metrics_n = found.metrics_n;
    }
    request_finish(r, out);
}
