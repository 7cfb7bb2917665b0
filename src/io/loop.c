/* Descriptors by epoll, level-triggered. The mailbox is a lock-free stack that senders push to and the loop
 * takes whole and turns round; only the push onto an empty stack writes to the eventfd, so a burst of mail
 * wakes the loop once.
 *
 * A descriptor may be removed while its event of the same epoll_wait() is still to be handled: loop_remove()
 * blanks it. */
#include "io/loop.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"

enum { EVENTS = 256 };

_Static_assert(LOOP_READ == (int)EPOLLIN && LOOP_WRITE == (int)EPOLLOUT, "epoll's bits");
_Static_assert(LOOP_HANGUP == ((int)EPOLLERR | (int)EPOLLHUP), "epoll's bits");

struct loop {
    int epoll_fd;
    struct loop_fd wake; /* the eventfd */
    struct heap timers;
    int64_t now, wall;
    struct epoll_event events[EVENTS];
    int event_count, event_at; /* those of the running epoll_wait */
    _Atomic(struct mail *) mailbox;
    _Atomic bool stopping;
    void (*end)(void *arg);
    void *end_arg;
};

static void on_wake(struct loop_fd *f, uint32_t events) {
    uint64_t count;
    ssize_t n = read(f->fd, &count, sizeof count);
    (void)n;
}

struct loop *loop_create(void) {
    struct loop *l = xcalloc(1, sizeof *l);
    l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    l->wake = (struct loop_fd){.on_events = on_wake, .fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    ASSERT(l->epoll_fd >= 0 && l->wake.fd >= 0);
    int err = loop_add(l, &l->wake, LOOP_READ);
    ASSERT(err == 0);
    l->now = clock_mono_ms();
    l->wall = clock_wall_ms();
    return l;
}

void loop_destroy(struct loop *l) {
    close(l->wake.fd);
    close(l->epoll_fd);
    heap_free(&l->timers);
    free(l);
}

void loop_at_end(struct loop *l, void (*end)(void *arg), void *arg) {
    l->end = end;
    l->end_arg = arg;
}

int64_t loop_now(const struct loop *l) { return l->now; }
int64_t loop_wall(const struct loop *l) { return l->wall; }

static int control(struct loop *l, int op, struct loop_fd *f, uint32_t events) {
    struct epoll_event e = {.events = events, .data.ptr = f};
    return epoll_ctl(l->epoll_fd, op, f->fd, &e);
}

int loop_add(struct loop *l, struct loop_fd *f, uint32_t events) {
    if (control(l, EPOLL_CTL_ADD, f, events) == 0) return 0;
    LOG_LIMITED(LOG_ERROR, "io", "epoll_ctl add: %s", strerror(errno));
    return OE_IO;
}

void loop_change(struct loop *l, struct loop_fd *f, uint32_t events) {
    int n = control(l, EPOLL_CTL_MOD, f, events);
    ASSERT(n == 0);
}

void loop_remove(struct loop *l, struct loop_fd *f) {
    control(l, EPOLL_CTL_DEL, f, 0);
    for (int i = l->event_at; i < l->event_count; i++)
        if (l->events[i].data.ptr == f) l->events[i].data.ptr = NULL;
}

void loop_timer_set(struct loop *l, struct timer *t, int64_t at) {
    if (heap_has(&t->node)) heap_remove(&l->timers, &t->node);
    t->node.key = at;
    heap_insert(&l->timers, &t->node);
}

void loop_timer_cancel(struct loop *l, struct timer *t) {
    if (heap_has(&t->node)) heap_remove(&l->timers, &t->node);
}

void loop_post(struct loop *l, struct mail *m) {
    struct mail *first = atomic_load_explicit(&l->mailbox, memory_order_relaxed);
    do m->next = first;
    while (!atomic_compare_exchange_weak_explicit(&l->mailbox, &first, m, memory_order_release,
                                                  memory_order_relaxed));
    if (first) return;
    uint64_t one = 1;
    ssize_t n = write(l->wake.fd, &one, sizeof one);
    (void)n;
}

void loop_stop(struct loop *l) {
    atomic_store(&l->stopping, true);
    uint64_t one = 1;
    ssize_t n = write(l->wake.fd, &one, sizeof one);
    (void)n;
}

bool loop_deliver(struct loop *l) {
    if (!atomic_load_explicit(&l->mailbox, memory_order_relaxed)) return false;
    struct mail *m = atomic_exchange_explicit(&l->mailbox, NULL, memory_order_acquire), *first = NULL;
    while (m) { /* newest first: turn round */
        struct mail *next = m->next;
        m->next = first;
        first = m;
        m = next;
    }
    while (first) {
        m = first;
        first = m->next;
        m->deliver(m);
    }
    return true;
}

static void fire_timers(struct loop *l) {
    for (struct heap_node *n; (n = heap_min(&l->timers)) && n->key <= l->now;) {
        heap_remove(&l->timers, n);
        struct timer *t = (struct timer *)((char *)n - offsetof(struct timer, node));
        t->on_due(t);
    }
}

static int wait_ms(const struct loop *l) {
    if (atomic_load_explicit(&l->mailbox, memory_order_relaxed)) return 0;
    const struct heap_node *n = heap_min(&l->timers);
    if (!n) return -1;
    int64_t left = n->key - clock_mono_ms();
    return left <= 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

void loop_run(struct loop *l) {
    while (!atomic_load_explicit(&l->stopping, memory_order_relaxed)) {
        int n = epoll_wait(l->epoll_fd, l->events, EVENTS, wait_ms(l));
        ASSERT(n >= 0 || errno == EINTR);
        l->now = clock_mono_ms();
        l->wall = clock_wall_ms();
        l->event_count = n > 0 ? n : 0;
        for (l->event_at = 0; l->event_at < l->event_count;) {
            struct epoll_event *e = &l->events[l->event_at++];
            struct loop_fd *f = e->data.ptr;
            if (f) f->on_events(f, e->events);
        }
        fire_timers(l);
        loop_deliver(l);
        if (l->end) l->end(l->end_arg);
    }
    loop_deliver(l);
}
