#include "server/acceptor.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/listeners.h"
#include "io/loop.h"
#include "io/socket.h"
#include "metadata/image.h"
#include "quota/connections.h"
#include "server/connection.h"
#include "server/connection_limits.h"
#include "server/net.h"
#include "server/node.h"

enum {
    RETRY_MS = 100, /* after running out of descriptors */
    REFUSED_MAX = 1024
};

struct acceptor {
    struct loop_fd io;
    struct acceptors *all;
    struct acceptor *next;
    struct timer retry;
    struct listener_limit limit;
    struct connection_source *rate;
    struct timer slow; /* a connection came too fast: it and those behind it wait */
    struct socket_peer slow_peer;
    int slow_fd;
    _Atomic int refs;       /* the list's and each connection's */
    bool waiting;           /* for room: the listening socket is not looked at */
    struct mail begin, end; /* from the control thread to the first loop */
    char *name;
};

/* Asks a loop to close connections until there is room again. */
struct room_letter {
    struct mail mail;
    struct acceptors *all;
    struct net *net;
    atomic_bool posted;
};

struct acceptors {
    struct node *node;
    struct acceptor *first;
    struct connection_limits limits;
    int backlog, send_bytes, receive_bytes;
    unsigned next_net;
    _Atomic int waiting; /* acceptors that wait for room */
    struct mail wake;    /* to the first loop: somebody has left */
    atomic_bool wake_posted;
    struct room_letter *letters; /* one a loop */
    pthread_mutex_t rates_lock;  /* of rates: the first loop counts, the control thread sets limits */
    pthread_mutex_t list_lock;   /* of the list: the control thread changes it */
    bool running, closed;
    struct connections *rates;
    struct refused *refused;
    int refused_n;
};

/* A connection of an address that comes too fast is kept for the time that its client should wait, then
 * closed: closed at once it would come again at once. */
struct refused {
    struct timer timer;
    struct acceptors *all;
    struct refused *next;
    int fd;
};

/* What travels to the loop that gets the connection. */
struct handover {
    struct mail mail;
    struct net *net;
    struct acceptor *from;
    struct socket_peer peer;
    int fd;
};

static struct loop *home(const struct acceptors *a) { return a->node->nets[0]->loop; }

/* ---- room
 * ----------------------------------------------------------------------------------------------------
 */

/* Somebody has left, or limits have changed: those who wait look again. */
static void on_wake(struct mail *m) {
    struct acceptors *a = (struct acceptors *)((char *)m - offsetof(struct acceptors, wake));
    atomic_store(&a->wake_posted, false);
    pthread_mutex_lock(&a->list_lock);
    for (struct acceptor *l = a->first; l; l = l->next) {
        if (!l->waiting || !connection_limits_room(&a->limits, &l->limit)) continue;
        l->waiting = false;
        atomic_fetch_sub(&a->waiting, 1);
        loop_add(home(a), &l->io, LOOP_READ);
    }
    pthread_mutex_unlock(&a->list_lock);
}

static void wake_waiting(struct acceptors *a) {
    if (atomic_load(&a->waiting) && !atomic_exchange(&a->wake_posted, true)) loop_post(home(a), &a->wake);
}

/* Is there room? Without it the acceptor waits; it counts as waiting before it looks a last time, so that who
 * leaves in between wakes it. */
static bool room(struct acceptor *l) {
    struct acceptors *a = l->all;
    if (connection_limits_room(&a->limits, &l->limit)) return true;
    atomic_fetch_add(&a->waiting, 1);
    l->waiting = true;
    loop_remove(home(a), &l->io);
    LOG_LIMITED(LOG_WARN, "server", "listener %s: max.connections is reached: who comes now waits", l->name);
    if (connection_limits_room(&a->limits, &l->limit)) wake_waiting(a);
    return false;
}

/* The connection of this loop that has been quiet for longest, one that may be told to leave. */
static struct connection *quietest(struct acceptors *a, struct net *n) {
    for (struct connection *c = n->oldest; c; c = c->newer)
        if (!connection_limits_protected(&a->limits, &c->acceptor->limit)) return c;
    return NULL;
}

/* One a turn, so that all loops take their part. */
static void on_room_letter(struct mail *m) {
    struct room_letter *letter = (struct room_letter *)m;
    struct acceptors *a = letter->all;
    atomic_store(&letter->posted, false);
    if (!connection_limits_over(&a->limits)) return;
    struct connection *c = quietest(a, letter->net);
    if (!c) {
        connection_limits_over_none(&a->limits);
        return;
    }
    c->told_to_leave = true;
    connection_close(c, "max.connections is exceeded and others have been quiet for less long");
    if (!atomic_exchange(&letter->posted, true)) loop_post(letter->net->loop, &letter->mail);
}

static void make_room(struct acceptors *a) {
    if (!connection_limits_exceeded(&a->limits)) return;
    for (int i = 0; i < a->node->nets_n; i++)
        if (!atomic_exchange(&a->letters[i].posted, true))
            loop_post(a->node->nets[i]->loop, &a->letters[i].mail);
}

static void set_rates(struct acceptors *a, const struct config *config) {
    pthread_mutex_lock(&a->rates_lock);
    connections_limit_all(a->rates, (int32_t)config_int(config, CFG_MAX_CONNECTION_CREATION_RATE));
    for (struct acceptor *l = a->first; l; l = l->next) {
        const char *own = config_for_listener(config, l->name, NULL, CFG_MAX_CONNECTION_CREATION_RATE);
        connections_limit_listener(l->rate, own ? (int32_t)strtol(own, NULL, 10) : CONNECTION_RATE_UNLIMITED);
    }
    pthread_mutex_unlock(&a->rates_lock);
}

void acceptors_limit_addresses(struct acceptors *a, const struct image *image) {
    struct pmap_iter it;
    char numeric[48];
    pthread_mutex_lock(&a->rates_lock);
    connections_forget_addresses(a->rates);
    pmap_iterate(&image->quotas, &it);
    for (const struct quota_entity *q; (q = pmap_next(&it));) {
        if (q->parts_n != 1 || strcmp(q->parts[0].type, "ip") != 0) continue;
        const char *name = q->parts[0].name;
        if (name && !socket_resolve(name, &numeric)) {
            LOG_WARN("server", "the quota of %s is not in force: it has no address", name);
            continue;
        }
        for (int32_t i = 0; i < q->values_n; i++)
            if (!strcmp(q->values[i].key, "connection_creation_rate"))
                connections_limit_address(a->rates, name ? numeric : NULL, (int32_t)q->values[i].value);
    }
    pthread_mutex_unlock(&a->rates_lock);
}

/* Counts a connection in; false: it is refused. */
static bool enter(struct acceptor *l, const struct socket_peer *peer) {
    struct acceptors *a = l->all;
    int most;
    if (!connection_limits_enter(&a->limits, &l->limit, peer->host, &most)) {
        LOG_LIMITED(LOG_INFO, "server",
                    "refused %s:%d: its address has max.connections.per.ip=%d connections", peer->host,
                    peer->port, most);
        return false;
    }
    atomic_fetch_add(&l->refs, 1);
    if (l->limit.inter_broker) make_room(a);
    return true;
}

static void unref(struct acceptor *l) {
    if (atomic_fetch_sub(&l->refs, 1) != 1) return;
    free(l->name);
    free(l);
}

void acceptor_closed(struct acceptor *from, const struct socket_peer *peer, bool told) {
    struct acceptors *a = from->all;
    connection_limits_leave(&a->limits, &from->limit, peer->host, told);
    wake_waiting(a);
    unref(from);
}

/* ---- life
 * ----------------------------------------------------------------------------------------------------
 */

struct acceptors *acceptors_create(struct node *n) {
    struct acceptors *a = xcalloc(1, sizeof *a);
    connection_limits_init(&a->limits, n->seed);
    connection_limits_set(&a->limits, n->config);
    a->node = n;
    pthread_mutex_init(&a->rates_lock, NULL);
    pthread_mutex_init(&a->list_lock, NULL);
    a->rates =
        connections_new(&(struct rate_window){(int32_t)config_int(n->config, CFG_QUOTA_WINDOW_NUM),
                                              config_int(n->config, CFG_QUOTA_WINDOW_SIZE_SECONDS) * 1000},
                        n->seed);
    a->wake.deliver = on_wake;
    a->letters = xcalloc((size_t)n->nets_n, sizeof *a->letters);
    for (int i = 0; i < n->nets_n; i++) {
        a->letters[i].mail.deliver = on_room_letter;
        a->letters[i].all = a;
        a->letters[i].net = n->nets[i];
    }
    a->backlog = (int)config_int(n->config, CFG_SOCKET_LISTEN_BACKLOG_SIZE);
    a->send_bytes = (int)config_int(n->config, CFG_SOCKET_SEND_BUFFER_BYTES);
    a->receive_bytes = (int)config_int(n->config, CFG_SOCKET_RECEIVE_BUFFER_BYTES);
    return a;
}

const char *acceptor_name(const struct acceptor *a) { return a->name; }

static void on_handover(struct mail *m) {
    struct handover *h = (struct handover *)m;
    connection_open(h->net, h->from, h->fd, &h->peer);
    free(h);
}

static void hand_over(struct acceptor *from, int fd, const struct socket_peer *peer) {
    struct node *n = from->all->node;
    unsigned turn = from->all->next_net++ % (unsigned)atomic_load(&n->nets_used);
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
    loop_add(home(a->all), &a->io, LOOP_READ);
}

/* ---- how fast
 * ----------------------------------------------------------------------------------------------------
 */

static int64_t now_of(const struct acceptors *a) { return loop_now(home(a)); }

/* How long the newest connection must wait, ms. */
static int32_t wait_ms(struct acceptor *l) {
    struct acceptors *a = l->all;
    bool exempt = connection_limits_protected(&a->limits, &l->limit);
    pthread_mutex_lock(&a->rates_lock);
    int32_t ms = connections_wait_ms(a->rates, l->rate, exempt, now_of(a));
    pthread_mutex_unlock(&a->rates_lock);
    return ms;
}

static void close_refused(struct timer *t) {
    struct refused *r = (struct refused *)((char *)t - offsetof(struct refused, timer));
    struct refused **p = &r->all->refused;
    while (*p != r) p = &(*p)->next;
    *p = r->next;
    r->all->refused_n--;
    socket_close(r->fd);
    free(r);
}

static void refuse(struct acceptors *a, int fd, int32_t ms) {
    if (a->refused_n == REFUSED_MAX) {
        socket_close(fd);
        return;
    }
    struct refused *r = xcalloc(1, sizeof *r);
    *r = (struct refused){.timer.on_due = close_refused, .all = a, .next = a->refused, .fd = fd};
    a->refused = r;
    a->refused_n++;
    loop_timer_set(home(a), &r->timer, now_of(a) + ms);
}

/* The connection is counted in and gets its loop, or is refused. */
static void admit(struct acceptor *l, int fd, const struct socket_peer *peer) {
    struct acceptors *a = l->all;
    bool exempt = connection_limits_protected(&a->limits, &l->limit);
    pthread_mutex_lock(&a->rates_lock);
    int32_t ms = connections_refuse_ms(a->rates, l->rate, exempt, peer->host, now_of(a));
    pthread_mutex_unlock(&a->rates_lock);
    if (ms) {
        LOG_LIMITED(LOG_INFO, "server", "refused %s:%d: its address exceeds its connection_creation_rate",
                    peer->host, peer->port);
        refuse(a, fd, ms);
    } else if (enter(l, peer))
        hand_over(l, fd, peer);
    else
        socket_close(fd);
}

static void on_slow(struct timer *t) {
    struct acceptor *l = (struct acceptor *)((char *)t - offsetof(struct acceptor, slow));
    int fd = l->slow_fd;
    l->slow_fd = -1;
    loop_add(home(l->all), &l->io, LOOP_READ);
    admit(l, fd, &l->slow_peer);
}

static void slow_down(struct acceptor *l, int fd, const struct socket_peer *peer, int32_t ms) {
    LOG_LIMITED(LOG_INFO, "server",
                "listener %s: max.connection.creation.rate is reached: who comes now waits", l->name);
    l->slow_fd = fd;
    l->slow_peer = *peer;
    loop_remove(home(l->all), &l->io);
    loop_timer_set(home(l->all), &l->slow, now_of(l->all) + ms);
}

static void on_accept(struct loop_fd *f, uint32_t events) {
    struct acceptor *a = (struct acceptor *)((char *)f - offsetof(struct acceptor, io));
    struct loop *l = home(a->all);
    while (room(a)) {
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
        int32_t ms = wait_ms(a);
        if (ms) {
            slow_down(a, fd, &peer, ms);
            return;
        }
        admit(a, fd, &peer);
    }
}

static struct acceptor *open_one(struct acceptors *a, const struct listener *l, const struct config *config,
                                 int *port, const char **why) {
    int fd = socket_listen(l->host, port, a->backlog, why);
    if (fd < 0) return NULL;
    struct acceptor *n = xcalloc(1, sizeof *n);
    n->io = (struct loop_fd){.on_events = on_accept, .fd = fd};
    n->retry.on_due = on_retry;
    n->slow.on_due = on_slow;
    n->slow_fd = -1;
    pthread_mutex_lock(&a->rates_lock);
    n->rate = connections_listener(a->rates);
    pthread_mutex_unlock(&a->rates_lock);
    n->all = a;
    n->name = xstrdup(l->name);
    atomic_init(&n->refs, 1);
    n->limit = (struct listener_limit){.name = n->name, .max = INT32_MAX, .inter_broker = l->inter_broker};
    connection_limits_add_listener(&a->limits);
    connection_limits_set_listener(&a->limits, &n->limit, config);
    return n;
}

int acceptors_listen(struct acceptors *a, const struct listener *l, int *port, const char **why) {
    struct acceptor *n = open_one(a, l, a->node->config, port, why);
    if (!n) return OE_IO;
    n->next = a->first;
    a->first = n;
    set_rates(a, a->node->config);
    return 0;
}

/* The first loop, or when it has ended: the listening socket goes; it may be looked away from. */
static void close_one(struct acceptor *l) {
    struct acceptors *a = l->all;
    if (l->io.fd < 0) return;
    bool looks_away = l->waiting || heap_has(&l->retry.node) || l->slow_fd >= 0;
    loop_timer_cancel(home(a), &l->retry);
    loop_timer_cancel(home(a), &l->slow);
    if (l->slow_fd >= 0) socket_close(l->slow_fd);
    l->slow_fd = -1;
    if (!looks_away) loop_remove(home(a), &l->io);
    if (l->waiting) atomic_fetch_sub(&a->waiting, 1);
    l->waiting = false;
    socket_close(l->io.fd);
    l->io.fd = -1;
}

void acceptors_close(struct acceptors *a) {
    for (struct refused *r; (r = a->refused);) {
        loop_timer_cancel(home(a), &r->timer);
        a->refused = r->next;
        a->refused_n--;
        socket_close(r->fd);
        free(r);
    }
    pthread_mutex_lock(&a->list_lock);
    a->closed = true;
    for (struct acceptor *l = a->first; l; l = l->next) close_one(l);
    pthread_mutex_unlock(&a->list_lock);
}

/* ---- listeners that come and go at run time
 * ----------------------------------------------------------------------------------------------------
 */

static void on_begin(struct mail *m) {
    struct acceptor *l = (struct acceptor *)((char *)m - offsetof(struct acceptor, begin));
    if (l->io.fd >= 0) loop_add(home(l->all), &l->io, LOOP_READ);
}

struct farewell {
    struct mail mail;
    struct acceptor *from;
    struct net *net;
};

static void on_farewell(struct mail *m) {
    struct farewell *f = (struct farewell *)m;
    net_close_from(f->net, f->from);
    unref(f->from);
    free(f);
}

/* Behind what was handed over before: the connections of the listener end with it. */
static void on_end(struct mail *m) {
    struct acceptor *l = (struct acceptor *)((char *)m - offsetof(struct acceptor, end));
    struct node *n = l->all->node;
    close_one(l);
    for (int i = 0; i < n->nets_n; i++) {
        struct farewell *f = xmalloc(sizeof *f);
        *f = (struct farewell){.mail.deliver = on_farewell, .from = l, .net = n->nets[i]};
        atomic_fetch_add(&l->refs, 1);
        loop_post(n->nets[i]->loop, &f->mail);
    }
    connection_limits_remove_listener(&l->all->limits);
    unref(l);
}

static bool is_open(const struct acceptors *a, const char *name) {
    for (const struct acceptor *l = a->first; l; l = l->next)
        if (!strcmp(l->name, name)) return true;
    return false;
}

/* With the list's lock. */
static void add_listener(struct acceptors *a, const struct listener *one, const struct config *config) {
    const char *why = NULL;
    int port = one->port;
    if (one->protocol != PROTOCOL_PLAINTEXT) {
        LOG_ERROR("server", "listener %s is not opened: %s is not there yet, only PLAINTEXT", one->name,
                  security_protocol_name(one->protocol));
        return;
    }
    struct acceptor *l = open_one(a, one, config, &port, &why);
    if (!l) {
        LOG_ERROR("server", "listener %s is not opened: cannot listen on %s:%d: %s", one->name, one->host,
                  one->port, why);
        return;
    }
    l->next = a->first;
    a->first = l;
    l->begin.deliver = on_begin;
    loop_post(home(a), &l->begin);
    LOG_INFO("server", "listener %s serves on %s:%d from now on", one->name, one->host, port);
}

/* With the list's lock. */
static void follow_listeners(struct acceptors *a, const struct config *config) {
    const struct listeners *wanted = config_listeners(config);
    for (struct acceptor **p = &a->first, *l; (l = *p);) {
        if (listeners_find(wanted, l->name)) {
            p = &l->next;
            continue;
        }
        LOG_INFO("server", "listener %s is closed, and its connections", l->name);
        *p = l->next;
        l->end.deliver = on_end;
        loop_post(home(a), &l->end);
    }
    for (int32_t i = 0; i < wanted->n; i++)
        if (!wanted->items[i].controller && !is_open(a, wanted->items[i].name))
            add_listener(a, &wanted->items[i], config);
}

/* With the list's lock. */
static void follow(struct acceptors *a, const struct config *config) {
    if (a->running && !a->closed) follow_listeners(a, config);
    for (struct acceptor *l = a->first; l; l = l->next)
        connection_limits_set_listener(&a->limits, &l->limit, config);
    set_rates(a, config);
}

void acceptors_reconfigure(struct acceptors *a) {
    struct config *config = node_config(a->node);
    connection_limits_set(&a->limits, config);
    pthread_mutex_lock(&a->list_lock);
    follow(a, config);
    pthread_mutex_unlock(&a->list_lock);
    config_unref(config);
    wake_waiting(a);
    make_room(a);
}

void acceptors_start(struct acceptors *a) {
    struct config *config = node_config(a->node);
    pthread_mutex_lock(&a->list_lock);
    for (struct acceptor *l = a->first; l; l = l->next) loop_add(home(a), &l->io, LOOP_READ);
    a->running = true;
    follow(a, config);
    pthread_mutex_unlock(&a->list_lock);
    config_unref(config);
}

void acceptors_destroy(struct acceptors *a) {
    for (struct acceptor *l = a->first, *next; l; l = next) {
        next = l->next;
        if (l->io.fd >= 0) socket_close(l->io.fd);
        unref(l);
    }
    connection_limits_free(&a->limits);
    connections_free(a->rates);
    pthread_mutex_destroy(&a->rates_lock);
    pthread_mutex_destroy(&a->list_lock);
    free(a->letters);
    free(a);
}
