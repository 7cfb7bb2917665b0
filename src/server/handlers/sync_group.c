/* SyncGroup: KafkaApis.handleSyncGroupRequest. A follower's answer waits for the leader's assignment. */
#include "server/handlers/handlers.h"

#include "api/sync_group.h"
#include "server/coord_call.h"

enum { FIRST_VERSION_WITH_PROTOCOL = 5 };

void handle_sync_group(struct request *r, const struct sync_group_request *in) {
    if (r->version < FIRST_VERSION_WITH_PROTOCOL ||
        (in->protocol_type.len >= 0 && in->protocol_name.len >= 0)) {
        group_call_simple(r, GROUP_API_SYNC, in);
        return;
    }
    struct sync_group_response *out = request_alloc(r, sizeof *out);
    sync_group_response_init(out);
    out->error_code = KERR_INCONSISTENT_GROUP_PROTOCOL;
    request_finish(r, out);
}
