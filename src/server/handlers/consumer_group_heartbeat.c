/* ConsumerGroupHeartbeat: KafkaApis.handleConsumerGroupHeartbeat. */
#include "server/handlers/handlers.h"

#include "api/consumer_group_heartbeat.h"
#include "server/coord_call.h"
#include "server/group_protocols.h"

void handle_consumer_group_heartbeat(struct request *r, const struct consumer_group_heartbeat_request *in) {
    if (group_protocol_enabled(r, "consumer", GROUP_VERSION)) {
        group_call_simple(r, GROUP_API_CONSUMER_HEARTBEAT, in);
        return;
    }
    struct consumer_group_heartbeat_response *out = request_alloc(r, sizeof *out);
    consumer_group_heartbeat_response_init(out);
    out->error_code = KERR_UNSUPPORTED_VERSION;
    out->error_message = kstr_of(kerr_message(KERR_UNSUPPORTED_VERSION));
    request_finish(r, out);
}
