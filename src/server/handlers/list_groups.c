/* ListGroups: the groups that this node coordinates. KafkaApis.handleListGroupsRequest. */
#include "server/handlers/handlers.h"

#include "api/list_groups.h"
#include "server/coord_call.h"

void handle_list_groups(struct request *r, const struct list_groups_request *in) {
    group_call_simple(r, GROUP_API_LIST, in);
}
