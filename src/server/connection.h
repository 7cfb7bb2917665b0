/* A client's connection: frames in, answers out, in the order of the requests. Owned by one network loop; its
 * thread only. */
#ifndef OTTLA_SERVER_CONNECTION_H
#define OTTLA_SERVER_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "io/loop.h"
#include "io/socket.h"
#include "server/request.h"

struct net;
struct inbuf;
struct outpiece;
struct share_link;
struct acceptor;
struct throttle;

struct connection {
    struct loop_fd io;
    uint32_t interest; /* the loop's events now */
    struct net *net;
    struct acceptor *acceptor;
    struct socket_peer peer;
    struct inbuf *in; /* NULL: no part of a request is waiting */
    struct request *first, **last;
    int in_flight;                          /* requests not answered yet */
    struct outpiece *out_first, **out_last; /* what the socket did not take */
    bool closing;                           /* closed at the end of the burst */
    bool busy;                              /* inside connection_process: finish without draining */
    struct request *alone;                  /* nothing begins before it is answered; see request_run_alone */
    bool held;                              /* a whole request in `in` waits for those before it */
    bool retry_listed;                      /* waits for memory, in net's list */
    bool whole_waits;                       /* and a whole request of it is in `in` */
    bool has_turn, turn_used;               /* request_memory: used when a request has begun in it */
    int turns;                              /* that were too slow, since the last whole request */
    size_t turn_bytes;                      /* read in this one */
    bool throttled;                         /* nothing new begins: server/throttle */
    bool told_to_leave;                     /* max.connections */
    struct connection *next_retry;
    struct throttle *throttle;        /* owned, NULL while no quota is set */
    struct connection *older, *newer; /* in net's list by last activity */
    int64_t active_ms;
    struct share_link *share;               /* the share session that was begun on it; owned, may be NULL */
    int64_t read_ns;                        /* when the first bytes that wait were read; server/measure */
    char *software_name, *software_version; /* of ApiVersions; owned, may be NULL */
    struct uuid client_instance;            /* of client metrics, that ends with it; zero: none */
};

/* Takes over fd. */
void connection_open(struct net *n, struct acceptor *from, int fd, const struct socket_peer *peer);
/* Closes now; waiting requests are cancelled or go on as orphans. `why` NULL: the peer closed, nothing is
 * logged. */
void connection_close(struct connection *c, const char *why);
/* It may go on after net_retry_later. */
void connection_retry(struct connection *c);
/* Does it hold more memory than a small request, and wait for its peer? */
bool connection_is_stalled(const struct connection *c);
/* TURN_MS have passed: its turn goes on, ends, or it is closed. */
void connection_turn_over(struct connection *c);
/* A request of this connection is done: sends what is in order (unless a burst is running, which does so at
 * its end). */
void connection_answer(struct connection *c);

#endif
