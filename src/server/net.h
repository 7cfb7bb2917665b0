/* A network loop: a thread that owns connections and runs their requests. N of them, all alike. */
#ifndef OTTLA_SERVER_NET_H
#define OTTLA_SERVER_NET_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "io/loop.h"
#include "server/appender.h"
#include "server/request.h"
#include "wire/writer.h"

struct acceptor;
struct codec;
struct inbuf;
struct node;
struct fetch_wait;
struct measures;

enum { INBUF_SIZE = 4 << 20, RECV_SIZE = 256 << 10, POOLED_BUFFERS = 8, POOLED_REQUESTS = 64 };

struct net {
    struct loop *loop;
    struct node *node;
    int index;
    pthread_t thread;
    struct appender appender;    /* the produce batches of the running burst */
    struct writer out;           /* the answers of the running burst */
    struct connection *bursting; /* whose burst is running */
    struct inbuf *spare[POOLED_BUFFERS];
    int spare_count;
    struct request *free_requests;
    int free_count;
    struct connection *oldest, *newest; /* by last activity; for connections.max.idle.ms */
    struct timer idle_timer;
    struct connection *retry,
        **retry_last; /* read nothing while too many bytes are queued; who came first is first */
    struct timer retry_timer;
    int64_t held_bytes; /* parts of requests and of answers, of node->request_memory */
    struct timer pressure_timer;
    struct connection *turn; /* of this loop's, which has the turn (request_memory) */
    struct timer turn_timer;
    _Atomic int connections;
    struct mail retire;
    atomic_bool retiring;
    struct codec *codec;       /* for recompression and looking into compressed batches */
    struct fetch_wait *woken;  /* fetches to look at again at the end of the burst */
    struct measures *measures; /* owned; NULL: nothing is measured */
    struct request *handling;  /* in its handler, since; while quotas on time are set */
    int64_t handling_since;    /* ns */
};

/* Counts parts of requests and of answers that stay; bytes < 0: they have gone. */
void net_hold(struct net *n, int64_t bytes);
/* The connection goes on after a moment: memory is short. */
void net_retry_later(struct net *n, struct connection *c);
void net_retry_forget(struct net *n, struct connection *c);
/* Memory was given back: those who wait need not wait for the timer. */
void net_retry_soon(struct net *n);
/* Arms the timer of connections.max.idle.ms. */
void net_watch_idle(struct net *n);
/* The answers were sent or are to be dropped: forgets them and the references to files in them. */
void net_out_reset(struct net *n);
/* Any thread: when it is not used any more (node->nets_used), its connections are closed. */
void net_retire(struct net *n);
/* Its thread: closes the connections that came by the acceptor. */
void net_close_from(struct net *n, const struct acceptor *a);
struct net *net_create(struct node *node, int index);
void net_start(struct net *n);
/* Any thread: closes the connections and ends the thread; net_join waits for it. */
void net_stop(struct net *n);
void net_join(struct net *n);
/* Any thread, after everyone who writes to its loop has ended: reads the last letters, so that each request
 * finds its end. */
bool net_settle(struct net *n);
void net_destroy(struct net *n);

struct request *net_request_new(struct net *n);
void net_request_free(struct net *n, struct request *r);
/* The end of a burst: writes what is gathered and looks again at the fetches that it woke. */
void net_burst_end(struct net *n);

#endif
