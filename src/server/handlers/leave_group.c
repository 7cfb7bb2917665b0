/* LeaveGroup: KafkaApis.handleLeaveGroupRequest. */
#include "server/handlers/handlers.h"

#include "api/leave_group.h"
#include "server/coord_call.h"

void handle_leave_group(struct request *r, const struct leave_group_request *in) {
    group_call_simple(r, GROUP_API_LEAVE, in);
}
