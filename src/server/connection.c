/* Bytes to requests, answers to bytes.
 *
 * A burst: one recv(), all whole requests in it are run, what produce requests gathered is written, and all
 * answers that are then in order leave in one send(). A request that is not API_PIPELINED runs alone: it
 * begins when all earlier ones of the connection are answered and nothing is read behind it until it is, as
 * the reference does by muting; so what a connection can make the server hold is bounded by MAX_IN_FLIGHT
 * requests.
 *
 * Input buffers are large, shared by the loop's connections and given back at the end of a burst; a part of a
 * request that is small moves to a block of its own size, so that many slow senders take little memory.
 *
 * Before memory is taken for more, request_memory.h is asked: who must wait is put on the loop's list, and
 * goes on from there.
 *
 * What the socket does not take waits in `out`, in pieces of memory and of files; while it waits nothing is
 * read.
 *
 * Before: io/loop. After: server/dispatch. */
#include "server/client_metrics.h"
#include "server/connection.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/file.h"
#include "server/acceptor.h"
#include "server/dispatch.h"
#include "server/measure.h"
#include "server/net.h"
#include "server/node.h"
#include "server/throttle.h"
#include "server/shares.h"

enum { MAX_IN_FLIGHT = 256, SMALL_PART = 64 << 10, MAX_SENDFILE = 1 << 20 };

/* A buffer with the bytes [from, to) that are not handled yet. */
struct inbuf {
    size_t from, to, cap;
    size_t counted; /* of net_hold */
    uint8_t bytes[];
};

struct outpiece {
    struct outpiece *next;
    struct file *file; /* NULL: bytes in memory behind this */
    int64_t at;
    size_t left, sent;
    uint8_t bytes[];
};

static void update_interest(struct connection *c) {
    uint32_t want = c->out_first ? LOOP_WRITE : c->retry_listed ? 0 : LOOP_READ;
    if (want == c->interest) return;
    c->interest = want;
    loop_change(c->net->loop, &c->io, want);
}

/* ---- input buffers
 * -------------------------------------------------------------------------------------------------- */

static struct inbuf *inbuf_new(struct net *n, size_t cap) {
    if (cap <= INBUF_SIZE && n->spare_count) {
        struct inbuf *b = n->spare[--n->spare_count];
        b->from = b->to = 0;
        return b;
    }
    if (cap < INBUF_SIZE) cap = INBUF_SIZE;
    struct inbuf *b =
        malloc(sizeof *b + cap); /* beyond the allocator's mmap threshold: pages come when they are written */
    if (b) *b = (struct inbuf){.cap = cap};
    return b;
}

static void inbuf_free(struct net *n, struct inbuf *b) {
    if (!b) return;
    if (b->counted) net_hold(n, -(int64_t)b->counted);
    b->counted = 0;
    if (b->cap == INBUF_SIZE && n->spare_count < POOLED_BUFFERS)
        n->spare[n->spare_count++] = b;
    else
        free(b);
}

/* Gives the connection a buffer that has room for `need` bytes from `from` on. 0 or an error. */
static int make_room(struct connection *c, size_t need) {
    struct inbuf *b = c->in;
    if (b && b->cap - b->from >= need && b->cap - b->to >= 1) return 0;
    if (b && b->cap >= need) {
        memmove(b->bytes, b->bytes + b->from, b->to - b->from);
        b->to -= b->from;
        b->from = 0;
        return 0;
    }
    struct inbuf *bigger = inbuf_new(c->net, need);
    if (!bigger) return OE_NOMEM;
    if (b) {
        memcpy(bigger->bytes, b->bytes + b->from, b->to - b->from);
        bigger->to = b->to - b->from;
        inbuf_free(c->net, b);
    }
    c->in = bigger;
    return 0;
}

/* A buffer that stays with its connection between bursts; of a large one the pages that were written count.
 */
static void count_in(struct net *n, struct inbuf *b) {
    if (b->counted >= b->to) return;
    net_hold(n, (int64_t)(b->to - b->counted));
    b->counted = b->to;
}

/* ---- memory
 * -------------------------------------------------------------------------------------------------------- */

static void begin_slice(struct connection *c) {
    struct net *n = c->net;
    c->turn_bytes = 0;
    loop_timer_set(n->loop, &n->turn_timer, loop_now(n->loop) + TURN_MS);
}

static bool take_turn(struct connection *c) {
    struct net *n = c->net;
    if (c->has_turn) return true;
    if (!request_memory_take_turn(&n->node->request_memory, c)) return false;
    ASSERT(!n->turn);
    n->turn = c;
    c->has_turn = true;
    c->turn_used = false;
    begin_slice(c);
    return true;
}

static void end_turn(struct connection *c) {
    struct net *n = c->net;
    if (!c->has_turn) return;
    ASSERT(n->turn == c);
    c->has_turn = false;
    n->turn = NULL;
    loop_timer_cancel(n->loop, &n->turn_timer);
    request_memory_end_turn(&n->node->request_memory, c);
    net_retry_soon(n);
}

void connection_turn_over(struct connection *c) {
    bool fast = !c->first && c->in && c->turn_bytes >= TURN_BYTES;
    if (fast || (c->first && ++c->turns < TURNS))
        begin_slice(c);
    else if (!c->first && c->in && ++c->turns >= TURNS)
        connection_close(c, "its request came too slowly while memory was short");
    else
        end_turn(c);
}

bool connection_is_stalled(const struct connection *c) {
    size_t held = c->in && !c->first ? c->in->counted : 0;
    if (c->retry_listed || c->has_turn) return false;
    for (const struct outpiece *p = c->out_first; p; p = p->next)
        if (!p->file) held += p->left + p->sent;
    return held > SMALL_FRAME;
}

/* Is what has come a part of a small request, as far as can be told? */
static bool small_part(const struct inbuf *b) {
    return !b || b->to - b->from < 4 || get_i32(b->bytes + b->from) <= SMALL_FRAME;
}

/* How many bytes may be read now; 0: none, memory is short. */
static size_t may_receive(struct connection *c) {
    enum memory_state state = request_memory_state(&c->net->node->request_memory);
    if (state == MEMORY_FREE || c->has_turn) return SIZE_MAX;
    if (state == MEMORY_SCARCE && small_part(c->in)) return SMALL_FRAME;
    return take_turn(c) ? SIZE_MAX : 0;
}

/* May a request of that size be decoded and run now? */
static bool may_take_memory(struct connection *c, size_t size) {
    enum memory_state state = request_memory_state(&c->net->node->request_memory);
    return state == MEMORY_FREE || (state == MEMORY_SCARCE && size <= SMALL_FRAME) || take_turn(c);
}

static void wait_for_memory(struct connection *c) {
    if (!c->retry_listed) net_retry_later(c->net, c);
    update_interest(c);
}

/* After a burst: no buffer for nothing, a small one for a small part. */
static void give_back(struct connection *c) {
    struct inbuf *b = c->in;
    size_t left = b->to - b->from;
    if (left > SMALL_PART || (left && b->cap < SMALL_PART)) {
        count_in(c->net, b);
        return;
    }
    struct inbuf *small = NULL;
    if (left) {
        small = malloc(sizeof *small + left);
        if (!small) return;
        *small = (struct inbuf){.to = left, .cap = left};
        memcpy(small->bytes, b->bytes + b->from, left);
        count_in(c->net, small);
    }
    inbuf_free(c->net, b);
    c->in = small;
}

/* ---- sending
 * -------------------------------------------------------------------------------------------------------- */

static void push_out(struct connection *c, struct outpiece *p) {
    p->next = NULL;
    *c->out_last = p;
    c->out_last = &p->next;
}

static void push_bytes(struct connection *c, const uint8_t *bytes, size_t n) {
    if (!n) return;
    struct outpiece *p = malloc(sizeof *p + n);
    if (!p) {
        c->closing = true;
        return;
    }
    *p = (struct outpiece){.left = n};
    net_hold(c->net, (int64_t)n);
    memcpy(p->bytes, bytes, n);
    push_out(c, p);
}

static void push_file(struct connection *c, struct file *f, int64_t at, size_t n) {
    struct outpiece *p = xcalloc(1, sizeof *p);
    p->file = file_ref(f);
    p->at = at;
    p->left = n;
    push_out(c, p);
}

/* Sends a part of a file. What was sent (0: the socket is full), or an error. A file that is no real one is
 * read first. */
static ssize_t send_file(struct connection *c, struct file *f, int64_t at, size_t n) {
    if (n > MAX_SENDFILE) n = MAX_SENDFILE;
    if (file_fd(f) >= 0) {
        ssize_t sent = socket_sendfile(c->io.fd, file_fd(f), at, n);
        if (sent == 0) return OE_CORRUPT; /* the file is shorter than the log said */
        return sent == OE_AGAIN ? 0 : sent;
    }
    uint8_t part[8192];
    int64_t got = file_pread(f, part, n < sizeof part ? n : sizeof part, at);
    if (got <= 0) return got ? (ssize_t)got : OE_CORRUPT;
    ssize_t sent = socket_send(c->io.fd, part, (size_t)got, true);
    return sent == OE_AGAIN ? 0 : sent;
}

static void pop_out(struct connection *c) {
    struct outpiece *p = c->out_first;
    c->out_first = p->next;
    if (!c->out_first) c->out_last = &c->out_first;
    if (p->file)
        file_unref(p->file);
    else
        net_hold(c->net, -(int64_t)(p->left + p->sent));
    free(p);
}

/* Sends what waits, as far as the socket takes it. 0 or an error. */
static int send_waiting(struct connection *c) {
    for (struct outpiece *p; (p = c->out_first);) {
        ssize_t n = p->file ? send_file(c, p->file, p->at, p->left)
                            : socket_send(c->io.fd, p->bytes + p->sent, p->left, p->next != NULL);
        if (n == OE_AGAIN || n == 0) return 0;
        if (n < 0) return (int)n;
        p->at += n;
        p->sent += (size_t)n;
        p->left -= (size_t)n;
        if (!p->left) pop_out(c);
    }
    return 0;
}

/* Sends the bytes [*from, to) of the burst's answers; what is left goes into the queue. 0 or an error. */
static int send_bytes(struct connection *c, const uint8_t *bytes, size_t n, bool more) {
    while (n && !c->out_first) {
        ssize_t sent = socket_send(c->io.fd, bytes, n, more);
        if (sent == OE_AGAIN) break;
        if (sent < 0) return (int)sent;
        bytes += sent;
        n -= (size_t)sent;
    }
    push_bytes(c, bytes, n);
    return 0;
}

static int send_splice(struct connection *c, const struct splice *s) {
    int64_t at = s->pos;
    size_t n = (size_t)s->len;
    while (n && !c->out_first) {
        ssize_t sent = send_file(c, s->file, at, n);
        if (sent < 0) return (int)sent;
        if (sent == 0) break;
        at += sent;
        n -= (size_t)sent;
    }
    if (n) push_file(c, s->file, at, n);
    return 0;
}

/* Sends the burst's answers: memory and, between, slices of files. */
static void send_answers(struct connection *c) {
    struct writer *w = &c->net->out;
    size_t at = 0;
    int err = 0;
    for (int i = 0; i < w->splices_n && !err; i++) {
        struct splice *s = &w->splices[i];
        err = send_bytes(c, w->buf + at, s->at - at, true);
        if (!err) err = send_splice(c, s);
        at = s->at;
    }
    if (!err) err = send_bytes(c, w->buf + at, writer_len(w) - at, false);
    net_out_reset(c->net);
    if (err == OE_CORRUPT)
        LOG_LIMITED(LOG_ERROR, "server", "a segment file is shorter than its log; connection closed");
    if (err) c->closing = true;
}

/* Takes the finished requests off the front, in order, and sends their answers; also on a connection that
 * closes for something that came behind them. */
static void drain(struct connection *c) {
    struct net *n = c->net;
    int64_t now = n->measures && c->first && c->first->done ? clock_mono_ns() : 0;
    for (struct request *r; (r = c->first) && r->done && !r->failed;) {
        if (r->timing) measure_answered(n->measures, r, now);
        if (!r->silent && dispatch_encode(r, n)) {
            c->closing = true;
            net_out_reset(n);
            return;
        }
        c->first = r->next;
        if (!c->first) c->last = &c->first;
        c->in_flight--;
        if (c->alone == r) c->alone = NULL;
        net_request_free(n, r);
    }
    if (writer_len(&n->out)) send_answers(c);
}

/* The burst is over and its buffer goes: what stays takes a copy of what it still needs. */
static void detach_waiting(struct connection *c) {
    for (struct request *r = c->first; r; r = r->next) {
        if (r->detach) r->detach(r);
        r->detach = NULL;
    }
}

/* ---- receiving
 * ------------------------------------------------------------------------------------------------------ */

/* May another request begin? */
static bool may_begin(const struct connection *c, const struct handler *h) {
    if (!c->first) return true;
    if (c->alone) return false;
    if (!h || !(h->flags & API_PIPELINED) || c->in_flight >= MAX_IN_FLIGHT) return false;
    return (c->first->handler->flags & API_PIPELINED) != 0; /* behind one that runs alone nothing begins */
}

/* Runs the whole requests of the buffer as far as they may begin. */
static void run_requests(struct connection *c) {
    struct net *n = c->net;
    c->held = c->whole_waits = false;
    while (c->in && !c->closing && !c->out_first && !c->throttled) {
        struct inbuf *b = c->in;
        size_t have = b->to - b->from;
        if (have < 4) return;
        int32_t size = get_i32(b->bytes + b->from);
        if (size < 0 || size > n->node->max_request_bytes) {
            LOG_LIMITED(LOG_WARN, "server",
                        "%s:%d sent a frame of %d bytes (socket.request.max.bytes=%d); closed", c->peer.host,
                        c->peer.port, size, n->node->max_request_bytes);
            c->closing = true;
            return;
        }
        if (have - 4 < (size_t)size) return;
        const struct handler *h = size >= 2 ? handler_find(get_i16(b->bytes + b->from + 4)) : NULL;
        if (c->first && !may_begin(c, h)) {
            appender_flush(&n->appender); /* what the earlier ones wait for may be just this */
            drain(c);
            c->held = !may_begin(c, h);
            if (c->closing || c->held) return;
        }
        if (!may_take_memory(c, (size_t)size)) {
            c->whole_waits = true;
            wait_for_memory(c);
            return;
        }
        if (!h || !(h->flags & API_PIPELINED)) appender_flush(&n->appender);
        c->turn_used = true;
        c->turns = 0;
        dispatch_frame(c, b->bytes + b->from + 4, (size_t)size);
        b->from += 4 + (size_t)size;
    }
}

static void touch(struct connection *c) {
    struct net *n = c->net;
    c->active_ms = loop_now(n->loop);
    if (n->newest == c) return;
    if (c->older)
        c->older->newer = c->newer;
    else if (n->oldest == c)
        n->oldest = c->newer;
    if (c->newer) c->newer->older = c->older;
    c->older = n->newest;
    c->newer = NULL;
    if (n->newest)
        n->newest->newer = c;
    else
        n->oldest = c;
    n->newest = c;
}

/* Runs what is in the buffer, writes, answers. The connection may be closed after it. */
static void process(struct connection *c) {
    struct net *n = c->net;
    ASSERT(!n->bursting);
    n->bursting = c;
    c->busy = true;
    if (n->measures) measure_burst(n->measures);
    run_requests(c);
    int64_t since = throttle_clock(c);
    appender_flush(&n->appender);
    drain(c);
    if (since) throttle_spent(c, since);
    detach_waiting(c);
    c->busy = false;
    n->bursting = NULL;
    if (c->in) give_back(c);
    if (c->turn_used && !c->first) end_turn(c);
    if (c->closing)
        connection_close(c, NULL);
    else
        update_interest(c);
}

/* 0: bytes came, or none are there now; else the connection is at its end. */
static int receive(struct connection *c, size_t most) {
    struct inbuf *b = c->in;
    size_t want = RECV_SIZE;
    if (b && b->to - b->from >= 4) {
        size_t whole = 4 + (size_t)get_i32(b->bytes + b->from), have = b->to - b->from;
        if (whole > have && whole - have > want) want = whole - have;
        size_t step =
            have > INBUF_SIZE ? have : INBUF_SIZE - have; /* a large frame gets its room as its bytes come */
        if (want > step && step >= RECV_SIZE) want = step;
    }
    if (want > most) want = most;
    int err = make_room(c, (b ? b->to - b->from : 0) + want);
    if (err) return err;
    b = c->in;
    if (want > b->cap - b->to) want = b->cap - b->to;
    ssize_t got = socket_recv(c->io.fd, b->bytes + b->to, want);
    if (got == OE_AGAIN) return 0;
    if (got <= 0) return OE_CLOSED;
    b->to += (size_t)got;
    c->turn_bytes += (size_t)got;
    return 0;
}

/* Something is in flight that nothing may pass: the bytes stay in the socket. */
static bool muted(const struct connection *c) {
    if (c->throttled) return true;
    return c->first && (c->held || c->alone || !(c->first->handler->flags & API_PIPELINED) ||
                        c->in_flight >= MAX_IN_FLIGHT);
}

static void on_events(struct loop_fd *f, uint32_t events) {
    struct connection *c = (struct connection *)((char *)f - offsetof(struct connection, io));
    struct net *n = c->net;
    if (events & LOOP_HANGUP) {
        connection_close(c, NULL);
        return;
    }
    if (events & LOOP_WRITE) {
        touch(c);
        int err = send_waiting(c);
        if (err) {
            connection_close(c, NULL);
            return;
        }
        if (!c->out_first) process(c);
        net_burst_end(n);
        return;
    }
    if (muted(c)) { /* do not be told again before it is answered */
        if (socket_peer_gone(f->fd)) {
            connection_close(c, NULL);
            return;
        }
        c->interest = 0;
        loop_change(n->loop, &c->io, 0);
        return;
    }
    size_t most = may_receive(c);
    if (!most) {
        wait_for_memory(c);
        return;
    }
    touch(c);
    if (n->measures && !c->in) c->read_ns = clock_mono_ns();
    if (receive(c, most)) {
        connection_close(c, NULL);
        return;
    }
    process(c);
    net_burst_end(n);
}

/* ---- life
 * -----------------------------------------------------------------------------------------------------------
 */

void connection_open(struct net *n, struct acceptor *from, int fd, const struct socket_peer *peer) {
    struct connection *c = xcalloc(1, sizeof *c);
    c->io = (struct loop_fd){.on_events = on_events, .fd = fd};
    c->net = n;
    c->acceptor = from;
    c->peer = *peer;
    c->last = &c->first;
    c->out_last = &c->out_first;
    c->interest = LOOP_READ;
    n->connections++;
    if (n->measures) counter_add(&n->measures->connections, 1);
    touch(c);
    net_watch_idle(n);
    if (loop_add(n->loop, &c->io, LOOP_READ)) connection_close(c, "epoll failed");
}

void connection_retry(struct connection *c) {
    struct net *n = c->net;
    if (c->whole_waits && !c->out_first) {
        process(c);
        net_burst_end(n);
    } else
        update_interest(c);
}

static void forget(struct connection *c) {
    struct net *n = c->net;
    if (c->retry_listed) net_retry_forget(n, c);
    end_turn(c);
    if (c->older)
        c->older->newer = c->newer;
    else
        n->oldest = c->newer;
    if (c->newer)
        c->newer->older = c->older;
    else
        n->newest = c->older;
    n->connections--;
    acceptor_closed(c->acceptor, &c->peer, c->told_to_leave);
}

void connection_close(struct connection *c, const char *why) {
    ASSERT(!c->busy);
    struct net *n = c->net;
    if (why) LOG_LIMITED(LOG_INFO, "server", "closing %s:%d: %s", c->peer.host, c->peer.port, why);
    loop_remove(n->loop, &c->io);
    socket_close(c->io.fd);
    while (c->out_first) pop_out(c);
    inbuf_free(n, c->in);
    for (struct request *r = c->first, *next; r; r = next) {
        next = r->next;
        r->conn = NULL;
        r->next = NULL;
        if (r->done)
            net_request_free(n, r);
        else {
            r->orphan = true;
            if (r->cancel) r->cancel(r);
        }
    }
    throttle_free(n, c->throttle);
    forget(c);
    if (!uuid_is_zero(&c->client_instance)) client_metrics_left(n->node->client_metrics, &c->client_instance);
    shares_disconnected(n->node->shares, c->share);
    free(c->software_name);
    free(c->software_version);
    free(c);
}

void connection_answer(struct connection *c) {
    if (c->busy) return;
    bool was_blocked = c->out_first != NULL;
    if (c->in && !was_blocked)
        process(c);
    else {
        drain(c);
        if (c->turn_used && !c->first) end_turn(c);
        if (c->closing)
            connection_close(c, NULL);
        else
            update_interest(c);
    }
}
