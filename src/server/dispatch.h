/* From a frame to its handler, and from a response to its frame. */
#ifndef OTTLA_SERVER_DISPATCH_H
#define OTTLA_SERVER_DISPATCH_H

#include <stddef.h>
#include <stdint.h>

struct connection;
struct net;
struct request;

/* Parses a frame (without its length) and runs its handler; the request is linked into the connection. When
 * the frame is not a request that can be answered, the connection is marked as closing, with one log line.
 * Loop thread. */
void dispatch_frame(struct connection *c, const uint8_t *frame, size_t n);
/* Appends the answer of a finished request, with length and header, to the loop's output. 0, or an error: no
 * answer can be made and the connection must be closed. */
int dispatch_encode(struct request *r, struct net *n);

#endif
