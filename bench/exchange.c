#include "bench/exchange.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "api/find_coordinator.h"
#include "api/keys.h"
#include "base/mem.h"
#include "bench/figures.h"
#include "bench/target.h"
#include "io/clock.h"

enum { EVENTS = 256, READ_STEP = 64 << 10, POLL_NS = 50000000, ANSWER_MAX = 64 << 20, COORDINATOR_S = 60 };

void exchange_open(struct exchange *x, int port) {
    *x = (struct exchange){.port = port, .epoll = epoll_create1(EPOLL_CLOEXEC)};
    if (x->epoll < 0) fail("epoll_create1: %s", strerror(errno));
    arena_init(&x->arena, ANSWER_MAX);
    writer_init(&x->writer, ANSWER_MAX);
    for (int i = 0; i < messages_n; i++) {
        const struct message *m = messages[i];
        if (m->kind != MESSAGE_REQUEST && m->kind != MESSAGE_RESPONSE) continue;
        if (m->type < 0 || m->type >= KEYS_MAX) fail("there is an API key %d", m->type);
        *(m->kind == MESSAGE_REQUEST ? &x->requests[m->type] : &x->responses[m->type]) = m;
    }
}

void exchange_close(struct exchange *x) {
    arena_free(&x->arena);
    writer_free(&x->writer);
    close(x->epoll);
}

void link_open(struct exchange *x, struct link *l, void *owner,
               void (*on_answer)(struct link *, const struct asked *, const void *, int64_t)) {
    *l = (struct link){.x = x, .owner = owner, .on_answer = on_answer, .fd = target_connect(x->port, false)};
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = l};
    if (epoll_ctl(x->epoll, EPOLL_CTL_ADD, l->fd, &e)) fail("epoll_ctl: %s", strerror(errno));
}

void link_close(struct link *l) {
    close(l->fd);
    free(l->in);
}

/* Requests are smaller than what a socket buffers, and whoever sends waits for the answers. */
void link_send(struct link *l, int16_t key, int16_t version, const void *request, int64_t due) {
    struct writer *w = &l->x->writer;
    const struct message *m = l->x->requests[key];
    if (l->in_flight == LINK_IN_FLIGHT_MAX) fail("too many requests in flight");
    writer_reset(w);
    write_i32(w, 0); /* length */
    write_i16(w, key);
    write_i16(w, version);
    write_i32(w, 0); /* correlation: answers come in order */
    write_string(w, KSTR("ottla-load"), false, false);
    if (version >= m->flexible) write_uvarint(w, 0); /* tags */
    if (m->encode(request, w, version)) fail("%s %d cannot be encoded", m->name, version);
    writer_patch_i32(w, 0, (int32_t)(writer_len(w) - 4));
    ssize_t n = write(l->fd, w->buf, writer_len(w));
    if (n != (ssize_t)writer_len(w)) fail("write: %s", n < 0 ? strerror(errno) : "the socket is full");
    l->asked[(l->oldest + l->in_flight++) % LINK_IN_FLIGHT_MAX] = (struct asked){key, version, due};
    l->x->requests_n++;
}

static void answered(struct link *l, const uint8_t *frame, size_t n) {
    if (!l->in_flight) fail("an answer that was not asked for");
    struct asked asked = l->asked[l->oldest];
    const struct message *m = l->x->responses[asked.key];
    struct reader r = reader_of(frame, n);
    l->oldest = (l->oldest + 1) % LINK_IN_FLIGHT_MAX;
    l->in_flight--;
    read_i32(&r); /* correlation */
    if (asked.version >= m->flexible && asked.key != API_API_VERSIONS) read_skip_tags(&r, read_uvarint(&r));
    arena_reset(&l->x->arena);
    void *answer = arena_alloc(&l->x->arena, m->shape->size);
    if (!answer || m->decode(answer, &r, asked.version, &l->x->arena))
        fail("%s %d cannot be decoded", m->name, asked.version);
    l->on_answer(l, &asked, answer, clock_mono_ns());
}

static void pull(struct link *l) {
    size_t want = l->in_len >= 4 ? 4 + (size_t)get_u32(l->in) : 0, at = 0;
    if (want < l->in_len + READ_STEP) want = l->in_len + READ_STEP;
    if (want > ANSWER_MAX) fail("an answer of %zu bytes", want);
    if (l->in_cap < want) {
        l->in_cap = want + want / 4;
        l->in = xrealloc(l->in, l->in_cap);
    }
    ssize_t n = read(l->fd, l->in + l->in_len, l->in_cap - l->in_len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) fail("the broker closed a connection");
    l->in_len += (size_t)n;
    while (l->in_len - at >= 4 && l->in_len - at - 4 >= get_u32(l->in + at)) {
        size_t len = get_u32(l->in + at);
        answered(l, l->in + at + 4, len);
        at += 4 + len;
    }
    if (at && at < l->in_len) memmove(l->in, l->in + at, l->in_len - at);
    l->in_len -= at;
}

void exchange_serve(struct exchange *x, int64_t until) {
    struct epoll_event events[EVENTS];
    int64_t ns = until - clock_mono_ns();
    if (ns < 0) ns = 0;
    if (ns > POLL_NS) ns = POLL_NS;
    struct timespec t = {.tv_nsec = (long)ns};
    int n = epoll_pwait2(x->epoll, events, EVENTS, &t, NULL);
    if (n < 0 && errno != EINTR) fail("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < n; i++) pull(events[i].data.ptr);
}

static void on_coordinator(struct link *l, const struct asked *asked, const void *answer, int64_t now) {
    const struct find_coordinator_response *f = answer;
    (void)asked;
    (void)now;
    *(int *)l->owner = f->error_code;
}

void exchange_await_coordinator(struct exchange *x, const char *name, int kind) {
    struct find_coordinator_request request;
    struct link l;
    int error = -1, tries = 0;
    link_open(x, &l, &error, on_coordinator);
    find_coordinator_request_init(&request);
    request.key = kstr_of(name);
    request.key_type = (int8_t)kind;
    while (error) {
        if (tries++ > COORDINATOR_S * 20) fail("no coordinator of %s: error %d", name, error);
        if (tries > 1) clock_sleep_ms(50);
        link_send(&l, API_FIND_COORDINATOR, 3, &request, 0);
        while (l.in_flight) exchange_serve(x, INT64_MAX);
    }
    link_close(&l);
}
