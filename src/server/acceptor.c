#include "server/acceptor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/hashmap.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "io/loop.h"
#include "io/socket.h"
#include "server/connection.h"
#include "server/net.h"
#include "server/node.h"

enum { RETRY_MS = 100 }; /* after running out of descriptors */

/* Connections of one address. */
struct from_address {
    int count;
    char host[];
};

struct acceptor {
    struct loop_fd io;
    struct acceptors *all;
    struct acceptor *next;
    struct timer retry;
    char *name;
};

struct acceptors {
    struct node *node;
    struct acceptor *first;
    pthread_mutex_t lock; /* by_host */
    struct hashmap by_host;
    _Atomic int connections;
    int backlog, send_bytes, receive_bytes;
    unsigned next_net;
};

/* What travels to the loop that gets the connection. */
struct handover {
    struct mail mail;
    struct net *net;
    struct acceptor *from;
    struct socket_peer peer;
    int fd;
};

struct acceptors *acceptors_create(struct node *n) {
    struct acceptors *a = xcalloc(1, sizeof *a);
    pthread_mutex_init(&a->lock, NULL);
    hashmap_init(&a->by_host, n->seed);
    a->node = n;
    a->backlog = (int)config_int(n->config, CFG_SOCKET_LISTEN_BACKLOG_SIZE);
    a->send_bytes = (int)config_int(n->config, CFG_SOCKET_SEND_BUFFER_BYTES);
    a->receive_bytes = (int)config_int(n->config, CFG_SOCKET_RECEIVE_BUFFER_BYTES);
    return a;
}

const char *acceptor_name(const struct acceptor *a) { return a->name; }
int acceptors_connections(const struct acceptors *a) { return atomic_load(&a->connections); }

/* max.connections.per.ip.overrides: "host:count,…" */
static int limit_of(const struct config *config, const char *host) {
    const char *p = config_string(config, CFG_MAX_CONNECTIONS_PER_IP_OVERRIDES);
    size_t len = strlen(host);
    for (; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
        while (*p == ' ') p++;
        if (!strncmp(p, host, len) && p[len] == ':') return (int)strtol(p + len + 1, NULL, 10);
    }
    return (int)config_int(config, CFG_MAX_CONNECTIONS_PER_IP);
}

/* Counts a connection in; false: there are too many. */
static bool count_in(struct acceptors *a, const struct socket_peer *peer) {
    size_t len = strlen(peer->host);
    struct config *config = node_config(a->node);
    int64_t most = config_int(config, CFG_MAX_CONNECTIONS);
    int limit = limit_of(config, peer->host);
    config_unref(config);
    if (atomic_load(&a->connections) >= most) {
        LOG_LIMITED(LOG_WARN, "server", "refused %s:%d: max.connections is reached", peer->host, peer->port);
        return false;
    }
    pthread_mutex_lock(&a->lock);
    struct from_address *f = hashmap_get(&a->by_host, peer->host, len);
    bool ok = (f ? f->count : 0) < limit;
    if (ok && !f) {
        f = xcalloc(1, sizeof *f + len + 1);
        memcpy(f->host, peer->host, len);
        hashmap_put(&a->by_host, f->host, len, f);
    }
    if (ok) f->count++;
    pthread_mutex_unlock(&a->lock);
    if (ok)
        atomic_fetch_add(&a->connections, 1);
    else
        LOG_LIMITED(LOG_WARN, "server", "refused %s:%d: max.connections.per.ip=%d is reached", peer->host,
                    peer->port, limit);
    return ok;
}

void acceptor_closed(struct acceptor *from, const struct socket_peer *peer) {
    struct acceptors *a = from->all;
    size_t len = strlen(peer->host);
    atomic_fetch_sub(&a->connections, 1);
    pthread_mutex_lock(&a->lock);
    struct from_address *f = hashmap_get(&a->by_host, peer->host, len);
    if (f && --f->count == 0) {
        hashmap_del(&a->by_host, peer->host, len);
        free(f);
    }
    pthread_mutex_unlock(&a->lock);
}

static void on_handover(struct mail *m) {
    struct handover *h = (struct handover *)m;
    connection_open(h->net, h->from, h->fd, &h->peer);
    free(h);
}

static void hand_over(struct acceptor *from, int fd, const struct socket_peer *peer) {
    struct node *n = from->all->node;
    unsigned turn = from->all->next_net++ % (unsigned)n->nets_n;
    socket_buffers(fd, from->all->send_bytes, from->all->receive_bytes);
    if (turn == 0) { /* this loop */
        connection_open(n->nets[0], from, fd, peer);
        return;
    }
    struct handover *h = xmalloc(sizeof *h);
    *h = (struct handover){
        .mail.deliver = on_handover, .net = n->nets[turn], .from = from, .peer = *peer, .fd = fd};
    loop_post(h->net->loop, &h->mail);
}

static void on_retry(struct timer *t) {
    struct acceptor *a = (struct acceptor *)((char *)t - offsetof(struct acceptor, retry));
    loop_add(a->all->node->nets[0]->loop, &a->io, LOOP_READ);
}

static void on_accept(struct loop_fd *f, uint32_t events) {
    struct acceptor *a = (struct acceptor *)((char *)f - offsetof(struct acceptor, io));
    struct loop *l = a->all->node->nets[0]->loop;
    for (;;) {
        struct socket_peer peer;
        int fd = socket_accept(f->fd, &peer);
        if (fd == OE_AGAIN) return;
        if (fd == OE_LIMIT) { /* ready again and again until something closes: look away for a moment */
            LOG_LIMITED(LOG_ERROR, "server", "out of file descriptors: connections wait");
            loop_remove(l, &a->io);
            loop_timer_set(l, &a->retry, loop_now(l) + RETRY_MS);
            return;
        }
        if (fd < 0) continue;
        if (count_in(a->all, &peer))
            hand_over(a, fd, &peer);
        else
            socket_close(fd);
    }
}

int acceptors_listen(struct acceptors *a, const struct listener *l, int *port, const char **why) {
    int fd = socket_listen(l->host, port, a->backlog, why);
    if (fd < 0) return OE_IO;
    struct acceptor *n = xcalloc(1, sizeof *n);
    n->io = (struct loop_fd){.on_events = on_accept, .fd = fd};
    n->retry.on_due = on_retry;
    n->all = a;
    n->name = xstrdup(l->name);
    n->next = a->first;
    a->first = n;
    return 0;
}

void acceptors_start(struct acceptors *a) {
    for (struct acceptor *l = a->first; l; l = l->next) loop_add(a->node->nets[0]->loop, &l->io, LOOP_READ);
}

void acceptors_close(struct acceptors *a) {
    for (struct acceptor *l = a->first; l; l = l->next) {
        if (l->io.fd < 0) continue;
        loop_timer_cancel(a->node->nets[0]->loop, &l->retry);
        loop_remove(a->node->nets[0]->loop, &l->io);
        socket_close(l->io.fd);
        l->io.fd = -1;
    }
}

void acceptors_destroy(struct acceptors *a) {
    for (struct acceptor *l = a->first, *next; l; l = next) {
        next = l->next;
        if (l->io.fd >= 0) socket_close(l->io.fd);
        free(l->name);
        free(l);
    }
    hashmap_free(&a->by_host);
    pthread_mutex_destroy(&a->lock);
    free(a);
}
