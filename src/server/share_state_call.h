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
/* As share_state_call_send, but where the coordinator is not there yet (its topic is being made, its
 * partition loads) it tries again, for a while: as the reference's persister for a request of its own. */
bool share_state_call_send_patiently(struct coord_call *c, void (*finish)(struct request *r));
/* Sets the key of each; false: no memory, request_fail was called. */
bool share_state_call_send(struct coord_call *c, void (*finish)(struct request *r));
/* In finish: the i-th response; NULL: no memory, for request_fail. */
const struct share_state_response *share_state_call_response(const struct coord_call *c, int32_t i);
/* What an answer says of a share partition. */
struct share_state_answer {
    const struct share_state_request *asked;
    const struct share_state_response *got;
    bool new_topic; /* of another topic than the one before */
};
/* In finish: all of them by topic and partition; of a share partition that was asked for twice the later one.
 * NULL: no memory, for request_fail. */
const struct share_state_answer *share_state_call_answers(const struct coord_call *c, int32_t *n);
/* The coordinator's error goes away by itself. */
bool share_state_comes_later(int16_t error);
/* Any thread: the share coordinator's topic is made, if it is not there. */
void share_state_make_topic(struct node *n);

#endif
