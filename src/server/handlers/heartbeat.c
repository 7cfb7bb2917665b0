/* Heartbeat of a member of a classic group: KafkaApis.handleHeartbeatRequest. */
#include "server/handlers/handlers.h"

#include "api/heartbeat.h"
#include "server/coord_call.h"

void handle_heartbeat(struct request *r, const struct heartbeat_request *in) {
    group_call_simple(r, GROUP_API_HEARTBEAT, in);
}
