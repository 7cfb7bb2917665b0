/* States: waiting → signalled (in net->woken, or in a mail) → looked at → waiting | ended. A wait that ends
 * while it is signalled is freed by whoever takes it out of the list or delivers the mail. */
#include "server/fetch_wait.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"
#include "io/loop.h"
#include "replica/replica.h"
#include "server/net.h"
#include "server/request.h"
#include "storage/log.h"

struct fetch_waiter {
    struct waiter in_replica;
    struct fetch_wait *owner;
    struct replica *replica;
};

struct fetch_wait {
    struct request *request; /* NULL: ended */
    struct net *net;
    void (*look)(struct request *r, bool expired);
    struct timer timer;
    struct mail mail;
    struct fetch_wait *next_woken;
    _Atomic bool signalled;
    int n;
    struct fetch_waiter waiters[];
};

static _Thread_local struct net *this_net;

void fetch_wait_this_thread(struct net *n) { this_net = n; }

void fetch_wait_signal(struct fetch_wait *w) {
    if (atomic_exchange(&w->signalled, true)) return;
    if (this_net == w->net) {
        w->next_woken = w->net->woken;
        w->net->woken = w;
    } else
        loop_post(w->net->loop, &w->mail);
}

static void wake(struct waiter *in_replica) { /* any thread, log lock held */
    fetch_wait_signal(((struct fetch_waiter *)in_replica)->owner);
}

struct fetch_wait *fetch_wait_next_woken(const struct fetch_wait *w) {
    return w->next_woken;
}

void fetch_wait_look(struct fetch_wait *w) {
    atomic_store(&w->signalled, false);
    if (w->request)
        w->look(w->request, false);
    else
        free(w);
}

static void on_mail(struct mail *m) {
    struct fetch_wait *w = (struct fetch_wait *)((char *)m - offsetof(struct fetch_wait, mail));
    fetch_wait_look(w);
}

static void on_timer(struct timer *t) {
    struct fetch_wait *w = (struct fetch_wait *)((char *)t - offsetof(struct fetch_wait, timer));
    w->look(w->request, true);
}

struct fetch_wait *fetch_wait_begin(struct request *r, struct replica **replicas, int n, int64_t until,
                                    void (*look)(struct request *r, bool expired)) {
    struct fetch_wait *w = xcalloc(1, sizeof *w + (size_t)n * sizeof *w->waiters);
    w->request = r;
    w->net = r->net;
    w->look = look;
    w->timer.on_due = on_timer;
    w->mail.deliver = on_mail;
    w->n = n;
    for (int i = 0; i < n; i++) {
        struct fetch_waiter *f = &w->waiters[i];
        *f = (struct fetch_waiter){.in_replica.wake = wake, .owner = w, .replica = replica_ref(replicas[i])};
        log_lock(replicas[i]->log);
        replica_wait(replicas[i], &f->in_replica);
        log_unlock(replicas[i]->log);
    }
    loop_timer_set(w->net->loop, &w->timer, until);
    return w;
}

void fetch_wait_end(struct fetch_wait *w) {
    loop_timer_cancel(w->net->loop, &w->timer);
    for (int i = 0; i < w->n; i++) {
        struct replica *p = w->waiters[i].replica;
        log_lock(p->log);
        replica_unwait(p, &w->waiters[i].in_replica);
        log_unlock(p->log);
        replica_unref(p);
    }
    w->request = NULL;
    if (!atomic_load(&w->signalled)) free(w);
}
