/* JoinGroup: KafkaApis.handleJoinGroupRequest. The answer waits for the other members. */
#include "server/handlers/handlers.h"

#include "api/join_group.h"
#include "server/coord_call.h"

enum { FIRST_VERSION_WITH_NULL_NAME = 7 };

/* "" before version 7, null from then on. */
static void finish(struct request *r) {
    struct join_group_response *out = coord_call_response(r);
    if (!out) return;
    if (out->protocol_name.len <= 0)
        out->protocol_name = r->version < FIRST_VERSION_WITH_NULL_NAME ? KSTR("") : KSTR_NULL;
    request_finish(r, out);
}

void handle_join_group(struct request *r, const struct join_group_request *in) {
    group_call_one(r, GROUP_API_JOIN, in, finish);
}
