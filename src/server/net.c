#include "server/net.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/mem.h"
#include "io/file.h"
#include "record/compress.h"
#include "server/connection.h"
#include "server/fetch_wait.h"
#include "server/measure.h"
#include "server/node.h"

enum {
    OUT_LIMIT = 512 << 20,
    KEEP_OUT = 1 << 20,
    NET_STACK = 1 << 20,
    RETRY_MS = 10,
    RETRY_AT_ONCE = 16,
    PRESSURE_MS = 1000
};

struct request *net_request_new(struct net *n) {
    struct request *r = n->free_requests;
    if (r) {
        n->free_requests = r->next;
        n->free_count--;
    } else
        r = xmalloc(sizeof *r);
    memset(r, 0, offsetof(struct request, arena));
    r->net = n;
    r->node = n->node;
    r->received_ms = loop_now(n->loop);
    arena_init_with(&r->arena, r->memory, sizeof r->memory, SIZE_MAX);
    r->arena.meter = &n->node->request_memory.used;
    return r;
}

void net_request_free(struct net *n, struct request *r) {
    if (r->arena.used) net_retry_soon(n);
    arena_reset(&r->arena);
    image_unref(r->image);
    r->image = NULL;
    if (n->free_count >= POOLED_REQUESTS) {
        free(r);
        return;
    }
    r->next = n->free_requests;
    n->free_requests = r;
    n->free_count++;
}

void net_out_reset(struct net *n) {
    for (int i = 0; i < n->out.splices_n; i++) file_unref(n->out.splices[i].file);
    if (n->out.end - n->out.buf > KEEP_OUT) {
        writer_free(&n->out);
        writer_init(&n->out, OUT_LIMIT);
    } else
        writer_reset(&n->out);
}

void net_burst_end(struct net *n) {
    appender_flush(&n->appender);
    for (struct fetch_wait *w; (w = n->woken);) {
        n->woken = fetch_wait_next_woken(w);
        fetch_wait_look(w);
    }
}

/* connections.max.idle.ms: the list is in order of activity, so only its oldest need be looked at. */
static void on_idle_timer(struct timer *t) {
    struct net *n = (struct net *)((char *)t - offsetof(struct net, idle_timer));
    int64_t limit = n->node->connections_max_idle_ms > 0 ? n->node->connections_max_idle_ms : 1,
            now = loop_now(n->loop);
    for (struct connection *c; (c = n->oldest) && c->active_ms + limit <= now;) {
        if (!c->first) {
            connection_close(c, "idle for connections.max.idle.ms");
            continue;
        }
        c->active_ms = now; /* it waits for us; to the end of the list, which is in order again */
        if (c == n->newest) break;
        n->oldest = c->newer;
        n->oldest->older = NULL;
        c->older = n->newest;
        c->newer = NULL;
        n->newest->newer = c;
        n->newest = c;
    }
    if (n->oldest) loop_timer_set(n->loop, t, n->oldest->active_ms + limit + 1);
}

static void retry_at(struct net *n, int64_t when) { loop_timer_set(n->loop, &n->retry_timer, when); }

/* Some of those who wait, the oldest: each may take all that there is. */
static void on_retry_timer(struct timer *t) {
    struct net *n = (struct net *)((char *)t - offsetof(struct net, retry_timer));
    for (int i = 0; n->retry && i < RETRY_AT_ONCE; i++) {
        struct connection *c = n->retry;
        net_retry_forget(n, c);
        connection_retry(c);
    }
    if (n->retry) retry_at(n, loop_now(n->loop) + RETRY_MS);
}

/* Connections that hold memory that others wait for, and do nothing with it. */
static void on_pressure_timer(struct timer *t) {
    struct net *n = (struct net *)((char *)t - offsetof(struct net, pressure_timer));
    int64_t now = loop_now(n->loop);
    if (request_memory_state(&n->node->request_memory) != MEMORY_FREE)
        for (struct connection *c = n->oldest, *next; c && c->active_ms + STALLED_MS <= now; c = next) {
            next = c->newer;
            if (connection_is_stalled(c))
                connection_close(
                    c, "it keeps a part of a request or of an answer waiting while memory is short");
        }
    if (n->held_bytes) loop_timer_set(n->loop, t, now + PRESSURE_MS);
}

static void on_turn_timer(struct timer *t) {
    struct net *n = (struct net *)((char *)t - offsetof(struct net, turn_timer));
    if (n->turn) connection_turn_over(n->turn);
}

void net_hold(struct net *n, int64_t bytes) {
    request_memory_add(&n->node->request_memory, bytes);
    n->held_bytes += bytes;
    ASSERT(n->held_bytes >= 0);
    if (bytes < 0)
        net_retry_soon(n);
    else if (n->held_bytes && !heap_has(&n->pressure_timer.node))
        loop_timer_set(n->loop, &n->pressure_timer, loop_now(n->loop) + PRESSURE_MS);
}

void net_retry_later(struct net *n, struct connection *c) {
    ASSERT(!c->retry_listed);
    c->retry_listed = true;
    c->next_retry = NULL;
    *n->retry_last = c;
    n->retry_last = &c->next_retry;
    if (!heap_has(&n->retry_timer.node)) retry_at(n, loop_now(n->loop) + RETRY_MS);
}

void net_retry_soon(struct net *n) {
    if (n->retry) retry_at(n, loop_now(n->loop));
}

void net_retry_forget(struct net *n, struct connection *c) {
    for (struct connection **p = &n->retry; *p; p = &(*p)->next_retry)
        if (*p == c) {
            *p = c->next_retry;
            if (!*p) n->retry_last = p;
            c->retry_listed = false;
            return;
        }
}

void net_watch_idle(struct net *n) {
    if (n->node->connections_max_idle_ms >= 0 && n->oldest && !heap_has(&n->idle_timer.node))
        loop_timer_set(n->loop, &n->idle_timer, loop_now(n->loop) + n->node->connections_max_idle_ms);
}

static void on_retire(struct mail *m) {
    struct net *n = (struct net *)((char *)m - offsetof(struct net, retire));
    atomic_store(&n->retiring, false);
    if (n->index < atomic_load(&n->node->nets_used)) return;
    while (n->oldest) connection_close(n->oldest, "num.network.threads has gone down");
}

void net_retire(struct net *n) {
    if (!atomic_exchange(&n->retiring, true)) loop_post(n->loop, &n->retire);
}

void net_close_from(struct net *n, const struct acceptor *a) {
    for (struct connection *c = n->oldest, *next; c; c = next) {
        next = c->newer;
        if (c->acceptor == a) connection_close(c, "its listener has been closed");
    }
}

/* What timers and mail set off. */
static void end_of_iteration(void *arg) { net_burst_end(arg); }

struct net *net_create(struct node *node, int index) {
    struct net *n = xcalloc(1, sizeof *n);
    n->loop = loop_create();
    n->node = node;
    n->index = index;
    n->idle_timer.on_due = on_idle_timer;
    n->retry_timer.on_due = on_retry_timer;
    n->pressure_timer.on_due = on_pressure_timer;
    n->turn_timer.on_due = on_turn_timer;
    n->retry_last = &n->retry;
    n->retire.deliver = on_retire;
    writer_init(&n->out, OUT_LIMIT);
    appender_init(&n->appender, n);
    loop_at_end(n->loop, end_of_iteration, n);
    n->codec = codec_create();
    if (*config_http_listeners(node->config)) n->measures = measures_new();
    return n;
}

static void *run(void *arg) {
    struct net *n = arg;
    fetch_wait_this_thread(n);
    loop_run(n->loop);
    while (n->oldest) connection_close(n->oldest, NULL);
    return NULL;
}

void net_start(struct net *n) {
    char name[16];
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, NET_STACK);
    int e = pthread_create(&n->thread, &attr, run, n);
    ASSERT(e == 0);
    pthread_attr_destroy(&attr);
    snprintf(name, sizeof name, "net-%d", n->index);
    pthread_setname_np(n->thread, name);
}

void net_stop(struct net *n) { loop_stop(n->loop); }
void net_join(struct net *n) { pthread_join(n->thread, NULL); }

bool net_settle(struct net *n) {
    bool any = loop_deliver(n->loop);
    while (n->oldest) connection_close(n->oldest, NULL);
    net_burst_end(n);
    return any;
}

void net_destroy(struct net *n) {
    for (int i = 0; i < n->spare_count; i++) free(n->spare[i]);
    for (struct request *r = n->free_requests, *next; r; r = next) {
        next = r->next;
        free(r);
    }
    writer_free(&n->out);
    codec_destroy(n->codec);
    measures_free(n->measures);
    loop_destroy(n->loop);
    free(n);
}
