/* PushTelemetry (KIP-714): metrics of a client, checked, unpacked, read as OTLP (server/otlp.h) and kept
 * (server/client_metrics.h). What cannot be unpacked or read is INVALID_RECORD; the client then stops. */
#include "server/handlers/handlers.h"

#include "api/push_telemetry.h"
#include "base/strbuf.h"
#include "io/clock.h"
#include "record/compress.h"
#include "server/net.h"
#include "server/telemetry.h"

enum { POINTS_MEMORY = 8 << 20 };

/* Reads and keeps the payload; false: it cannot be read. */
static bool take(struct request *r, const struct push_telemetry_request *in, int64_t max, int64_t now_ms) {
    struct strbuf plain;
    struct arena a;
    struct otlp_points points;
    strbuf_init(&plain, (size_t)max);
    arena_init(&a, POINTS_MEMORY);
    int err = decompress_all(r->net->codec, (enum compression)in->compression_type, in->metrics.p,
                             (size_t)in->metrics.len, false, &plain);
    if (!err) err = otlp_read(plain.s, plain.len, &a, &points);
    client_metrics_store(r->node->client_metrics, &in->client_instance_id, now_ms, err ? NULL : &points);
    strbuf_free(&plain);
    arena_free(&a);
    return !err;
}

void handle_push_telemetry(struct request *r, const struct push_telemetry_request *in) {
    struct push_telemetry_response *out = request_alloc(r, sizeof *out);
    struct client_metrics_who who = telemetry_who(r);
    struct client_push push = {.instance = in->client_instance_id,
                               .subscription = in->subscription_id,
                               .terminating = in->terminating,
                               .compression = in->compression_type,
                               .size = in->metrics.len,
                               .max_size = config_int(r->node->config, CFG_TELEMETRY_MAX_BYTES)};
    int64_t now = clock_wall_ms();
    bool made;
    push_telemetry_response_init(out);
    out->error_code = client_metrics_push(r->node->client_metrics, &who, &push, now, &made);
    telemetry_owns(r, &push.instance, made);
    if (!out->error_code && in->metrics.len > 0 && !take(r, in, push.max_size, now))
        out->error_code = KERR_INVALID_RECORD;
    request_finish(r, out);
}
