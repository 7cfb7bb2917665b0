/* How the handlers of the five share-state APIs ask the share coordinator: one request for each share
 * partition, and the responses in the same order. Source: ShareCoordinatorService. */
#ifndef OTTLA_SERVER_SHARE_STATE_CALL_H
#define OTTLA_SERVER_SHARE_STATE_CALL_H

#include "server/coord_call.h"
#include "share/state.h"

/* Room for n share partitions of a group; fill each by share_state_call_at(), then send. NULL: no memory,
 * request_fail was called. */
struct coord_call *share_state_call_begin(struct request *r, enum share_state_api api, int32_t n);
struct share_state_request *share_state_call_at(struct coord_call *c, int32_t i);
/* Sets the key of each; false: no memory, request_fail was called. */
bool share_state_call_send(struct coord_call *c, void (*finish)(struct request *r));
/* In finish: the i-th response; NULL: no memory, for request_fail. */
const struct share_state_response *share_state_call_response(const struct coord_call *c, int32_t i);

#endif
