/* How a handler asks a coordinator something: requests to it travel inside of the handler's request, and come
 * back on its loop. */
#ifndef OTTLA_SERVER_COORD_CALL_H
#define OTTLA_SERVER_COORD_CALL_H

#include <stdint.h>

#include "coord/coord.h"
#include "group/shard.h"
#include "server/coordinators.h"
#include "server/request.h"

/* n operations, all done before the request goes on. In the request's arena, as r->state. */
struct coord_call {
    struct request *request;
    void (*finish)(struct request *r);
    void *context; /* the handler's own */
    enum coordinator_kind kind;
    int32_t n, left; /* left: coordinator's thread */
    struct coord_op ops[];
};

/* Room for n operations; set api and request of each, then send. NULL: no memory (request_fail). */
struct coord_call *coord_call_begin(struct request *r, enum coordinator_kind kind, int32_t n);
/* Network loop; n > 0. finish runs on the request's loop; an operation's response may be NULL (no memory). */
void coord_call_send(struct coord_call *c, void (*finish)(struct request *r));
/* One operation whose response is the answer, as it is. */
void coord_call_simple(struct request *r, enum coordinator_kind kind, int api, const void *in);
/* One operation; finish gets the response by coord_call_response. */
void coord_call_one(struct request *r, enum coordinator_kind kind, int api, const void *in,
                    void (*finish)(struct request *r));
/* The only operation's response, writable. NULL: no memory, request_fail was called. */
void *coord_call_response(struct request *r);

static inline void group_call_simple(struct request *r, enum group_api api, const void *in) {
    coord_call_simple(r, COORDINATOR_GROUP, (int)api, in);
}
static inline void group_call_one(struct request *r, enum group_api api, const void *in,
                                  void (*finish)(struct request *r)) {
    coord_call_one(r, COORDINATOR_GROUP, (int)api, in, finish);
}

#endif
