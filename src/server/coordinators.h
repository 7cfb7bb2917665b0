/* The group coordinator of this node: its thread, the partitions of __consumer_offsets as coord/ sees them,
 * and how a handler asks it something. */
#ifndef OTTLA_SERVER_COORDINATORS_H
#define OTTLA_SERVER_COORDINATORS_H

#include <stdint.h>

#include "coord/coord.h"
#include "server/request.h"

struct coordinators;
struct image;
struct image_delta;

/* The replicas are there, the loops do not run yet. Starts the thread and the loading of what this node
 * leads. */
struct coordinators *coordinators_start(struct node *n, const struct image *image);
/* Any thread: who waits is answered (NOT_COORDINATOR) and nothing is served any more. Returns when that is
 * so. */
void coordinators_quiet(struct coordinators *c);
/* After coordinators_quiet, and after the network loops have ended. */
void coordinators_destroy(struct coordinators *c);
/* Control thread: the metadata changed; the replicas have followed already. */
void coordinators_apply(struct coordinators *c, const struct image_delta *delta);

/* The partition of __consumer_offsets that a group belongs to. Any thread. */
int32_t coordinators_group_partition(const struct coordinators *c, struct kstr group);

/* What a handler asks: n operations, all done before the request goes on. In the request's arena, as
 * r->state. */
struct group_call {
    struct request *request;
    void (*finish)(struct request *r);
    void *context;   /* the handler's own */
    int32_t n, left; /* left: coordinator's thread */
    struct coord_op ops[];
};

/* Room for n operations; set api and request of each, then send. NULL: no memory (request_fail). */
struct group_call *group_call_begin(struct request *r, int32_t n);
/* Network loop; n > 0. finish runs on the request's loop; an operation's response may be NULL (no memory). */
void group_call_send(struct group_call *c, void (*finish)(struct request *r));
/* One operation whose response is the answer, as it is. */
void group_call_simple(struct request *r, enum group_api api, const void *in);
/* One operation; finish gets the response by group_call_response. */
void group_call_one(struct request *r, enum group_api api, const void *in, void (*finish)(struct request *r));
/* The only operation's response, writable. NULL: no memory, request_fail was called. */
void *group_call_response(struct request *r);

#endif
