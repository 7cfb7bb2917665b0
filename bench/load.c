/* load: makes load for a broker and measures what the broker does with it, not what a client costs. One
 * thread, one epoll; batches and requests are encoded once and sent again and again, and of the answers only
 * errors, offsets and batch headers are read.
 *
 *   load create  -p PORT -t TOPIC -n PARTITIONS [-R replicas] [-k name=value]...
 *   load produce -p PORT -t TOPIC -n PARTITIONS [-c connections] [-i in flight] [-b batch bytes] [-s record
 * bytes] [-a acks]
 *                [-d seconds] [-m MiB] [-r requests/s] [-S] [-P pid]
 *   load fetch   -p PORT -t TOPIC -n PARTITIONS [-c connections] [-f fetch bytes] [-m MiB] [-d seconds] [-l]
 * [-v] [-P pid] load e2e     -p PORT -t TOPIC [-s record bytes] [-r records/s] [-a acks] [-d seconds] [-P
 * pid] load connect -p PORT -c connections [-P pid] load offsets -p PORT -t TOPIC -n PARTITIONS load delete
 * -p PORT -t TOPIC
 *
 * Connection j works on partition j mod PARTITIONS at that partition's leader; with -S a connection's
 * requests go round the partitions of its leader. Hot requests are Produce 8 and Fetch 11, the last versions
 * without tagged fields.
 *
 * produce without -r keeps -i requests in flight on each connection (closed loop). With -r, and in e2e, the
 * load is open-loop: request n is due at start + n / rate, and its latency counts from then, so that a pause
 * of the broker is charged to every request that had to wait for it; `missed` counts those that were due and
 * could not be sent at all. With acks 0 nothing is answered: each connection ends with one request of acks 1,
 * and the run lasts until that is answered. Checks: no answer holds an error; after produce the log has grown
 * by what was acknowledged; fetched batches follow each other without a gap (-v: and have the right CRC); e2e
 * reads exactly what was sent. fetch ends at the log end as it was at the start; -l begins again, until -m or
 * -d.
 *
 * The last line is KEY=VALUE figures. cpu_s is the CPU time of the process -P, load_cpu_s our own: when that
 * comes near elapsed_s, the figures are this program's limit. Exit status 0, or 1 when a check failed. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "api/keys.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/mem.h"
#include "bench/figures.h"
#include "bench/target.h"
#include "io/clock.h"
#include "record/batch.h"
#include "wire/writer.h"

enum {
    CONNECTIONS_MAX = 20000,
    IN_FLIGHT_MAX = 1024,
    PARTITIONS_MAX = 100000,
    CONFIGS_MAX = 32,
    EVENTS = 256
};
enum { READ_STEP = 64 << 10, ERRORS_MAX = 10000, POLL_MS = 50, FETCH_WAIT_MS = 500 };
static const char client_id[] = "ottla-load";

struct options {
    const char *mode, *topic, *configs[CONFIGS_MAX];
    int port, partitions, connections, in_flight, batch_bytes, record_bytes, acks, fetch_bytes, replicas, pid,
        configs_n;
    bool spread, again, verify;
    double mib, rate, seconds;
};

/* One connection: at most one request is being written (frame from `sent` on); answers come in order. */
struct connection {
    int fd, port, partition;
    bool blocked; /* the socket is full: the rest of the frame waits for EPOLLOUT */
    bool begun;   /* has sent a request */
    uint8_t *frame;
    size_t frame_len, sent;
    size_t partition_at, offset_at; /* where the frame names its partition and, a fetch, its offset */
    uint8_t *in;
    size_t in_len, in_cap;
    int64_t next;               /* offset to fetch */
    int64_t due[IN_FLIGHT_MAX]; /* of the requests in flight, a ring; ns */
    unsigned oldest, in_flight;
};

struct run {
    struct options o;
    struct target target;
    struct connection *connections;
    int epoll;
    bool fetching;
    uint8_t *batch;
    size_t batch_len;
    int64_t batch_records;
    int64_t requests, records, errors, missed, bytes,
        issued;                 /* bytes: of batches that were acknowledged or read */
    int64_t start, cpu_from;    /* ns */
    double broker_cpu, own_cpu; /* seconds, when the run began */
    struct histogram latency, ack_latency;
};

static void wrong(struct run *r, const char *what, int64_t detail) {
    if (!r->errors++) fprintf(stderr, "load: %s: %lld\n", what, (long long)detail);
    if (r->errors > ERRORS_MAX) fail("%s: more than %d errors", what, ERRORS_MAX);
}

/* ---- requests ---- */

/* As many records as fit, at least one. */
static void make_batch(struct run *r) {
    struct batch_builder b;
    uint8_t *bytes, *value = xmalloc((size_t)r->o.record_bytes + 1);
    int64_t now = clock_wall_ms();
    for (int i = 0; i < r->o.record_bytes; i++) value[i] = (uint8_t)('A' + (i * 11 + i / 37) % 58);
    batch_builder_init(&b, &BATCH_OPTIONS_NONE, (size_t)r->o.batch_bytes + (size_t)r->o.record_bytes + 1024);
    do {
        if (batch_builder_add(&b, now, NULL, 0, value, (size_t)r->o.record_bytes))
            fail("the batch cannot be built");
        r->batch_records++;
    } while (b.buf.len + (size_t)r->o.record_bytes + 16 <= (size_t)r->o.batch_bytes);
    if (batch_builder_finish(&b, NULL, &bytes, &r->batch_len)) fail("the batch cannot be built");
    r->batch = xmalloc(r->batch_len);
    memcpy(r->batch, bytes, r->batch_len);
    batch_builder_free(&b);
    free(value);
}

static void begin_frame(struct writer *w, int16_t key, int16_t version) {
    writer_init(w, SIZE_MAX);
    write_i32(w, 0); /* length */
    write_i16(w, key);
    write_i16(w, version);
    write_i32(w, 0); /* correlation: answers come in order */
    write_string(w, kstr_of(client_id), false, false);
}

static void end_frame(struct writer *w, struct connection *c) {
    writer_patch_i32(w, 0, (int32_t)(writer_len(w) - 4));
    free(c->frame);
    c->frame = writer_detach(w, &c->frame_len);
    if (!c->frame) fail("a request cannot be encoded");
    c->sent = c->frame_len;
}

static void make_produce(const struct run *r, struct connection *c, int acks) {
    struct writer w;
    begin_frame(&w, API_PRODUCE, 8);
    write_string(&w, KSTR_NULL, false, true); /* transactional id */
    write_i16(&w, (int16_t)acks);
    write_i32(&w, 30000);
    write_i32(&w, 1);
    write_string(&w, kstr_of(r->o.topic), false, false);
    write_i32(&w, 1);
    c->partition_at = writer_len(&w);
    write_i32(&w, c->partition);
    write_i32(&w, (int32_t)r->batch_len);
    write_raw(&w, r->batch, r->batch_len);
    end_frame(&w, c);
}

static void make_fetch(const struct run *r, struct connection *c) {
    struct writer w;
    begin_frame(&w, API_FETCH, 11);
    write_i32(&w, -1); /* a consumer */
    write_i32(&w, FETCH_WAIT_MS);
    write_i32(&w, 1); /* byte at least */
    write_i32(&w, r->o.fetch_bytes);
    write_i8(&w, 0);   /* read uncommitted */
    write_i32(&w, 0);  /* no session */
    write_i32(&w, -1); /* epoch of it */
    write_i32(&w, 1);
    write_string(&w, kstr_of(r->o.topic), false, false);
    write_i32(&w, 1);
    write_i32(&w, c->partition);
    write_i32(&w, -1); /* leader epoch */
    c->offset_at = writer_len(&w);
    write_i64(&w, c->next);
    write_i64(&w, -1); /* log start of a follower */
    write_i32(&w, r->o.fetch_bytes);
    write_i32(&w, 0); /* forgotten topics */
    write_string(&w, KSTR(""), false, false);
    end_frame(&w, c);
}

/* ---- answers: frame is without its length ---- */

static int16_t produce_error(const struct run *r, const uint8_t *frame, size_t n) {
    size_t at = 4 + 4 + 2 + strlen(r->o.topic) + 4 + 4; /* correlation, topics, name, partitions, index */
    if (n < at + 2) fail("a Produce response of %zu bytes", n);
    return get_i16(frame + at);
}

/* The batches of a Fetch response with one partition; NULL when there are none. */
static const uint8_t *fetched(struct run *r, const uint8_t *frame, size_t n, size_t *len) {
    const uint8_t *end = frame + n, *p = frame + 4 + 4; /* correlation, throttle */
    *len = 0;
    if (n < 18) fail("a Fetch response of %zu bytes", n);
    if (get_i16(p)) wrong(r, "Fetch: error", get_i16(p));
    p += 2 + 4;
    if (get_i32(p) != 1) return NULL;
    p += 4;
    if (end - p < 2 || end - p < 2 + get_i16(p) + 4 + 4 + 2 + 24 + 4)
        fail("a Fetch response of %zu bytes", n);
    p += 2 + get_i16(p) + 4 + 4; /* name, one partition, its index */
    int16_t error = get_i16(p);
    p += 2 + 24; /* error, high watermark, last stable offset, log start */
    int32_t aborted = get_i32(p);
    p += 4 + (aborted > 0 ? 16 * (ptrdiff_t)aborted : 0) + 4;
    if (end - p < 4 || end - p < 4 + (ptrdiff_t)get_i32(p)) fail("a Fetch response of %zu bytes", n);
    if (error) wrong(r, "Fetch: error", error);
    *len = error || get_i32(p) < 0 ? 0 : (size_t)get_i32(p);
    return *len ? p + 4 : NULL;
}

/* Counts the whole batches from c->next on and moves it behind them. Returns the records. */
static int64_t take(struct run *r, struct connection *c, const uint8_t *p, size_t n) {
    int64_t taken = 0;
    bool whole = false;
    while (n >= BATCH_HEADER) {
        size_t len = (size_t)get_u32(p + 8) + 12;
        int64_t base = get_i64(p), behind = base + get_i32(p + 23) + 1;
        if (len < BATCH_HEADER) fail("a batch of %zu bytes at offset %lld", len, (long long)base);
        if (len > n) break;
        if (base > c->next) wrong(r, "Fetch: a gap before offset", base);
        if (r->o.verify && crc32c(0, p + 21, len - 21) != get_u32(p + 17))
            wrong(r, "Fetch: wrong CRC at offset", base);
        if (behind > c->next) {
            taken += get_i32(p + 57);
            r->bytes += (int64_t)len;
            c->next = behind;
        }
        whole = true;
        p += len;
        n -= len;
    }
    if (!whole && n) wrong(r, "Fetch: no whole batch in bytes", (int64_t)n);
    r->records += taken;
    return taken;
}

/* ---- connections ---- */

static void watch(const struct run *r, struct connection *c, bool blocked) {
    if (c->blocked == blocked) return;
    c->blocked = blocked;
    struct epoll_event e = {.events = blocked ? EPOLLIN | EPOLLOUT : EPOLLIN, .data.ptr = c};
    epoll_ctl(r->epoll, EPOLL_CTL_MOD, c->fd, &e);
}

/* Writes the rest of the frame, as far as the socket takes it. */
static void push(const struct run *r, struct connection *c) {
    while (c->sent < c->frame_len) {
        ssize_t n = write(c->fd, c->frame + c->sent, c->frame_len - c->sent);
        if (n < 0 && errno == EAGAIN) {
            watch(r, c, true);
            return;
        }
        if (n <= 0) fail("write: %s", strerror(errno));
        c->sent += (size_t)n;
    }
    watch(r, c, false);
}

/* Reads once, then gives each whole answer to `on`. */
static void pull(struct run *r, struct connection *c,
                 void (*on)(struct run *, struct connection *, const uint8_t *, size_t)) {
    size_t want = c->in_len >= 4 ? 4 + (size_t)get_u32(c->in) : 0, at = 0;
    if (want < c->in_len + READ_STEP) want = c->in_len + READ_STEP;
    if (c->in_cap < want) {
        c->in_cap = want + want / 4;
        c->in = xrealloc(c->in, c->in_cap);
    }
    ssize_t n = read(c->fd, c->in + c->in_len, c->in_cap - c->in_len);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) fail("the broker closed a connection");
    c->in_len += (size_t)n;
    while (c->in_len - at >= 4 && c->in_len - at - 4 >= get_u32(c->in + at)) {
        size_t len = get_u32(c->in + at);
        on(r, c, c->in + at + 4, len);
        at += 4 + len;
    }
    if (at && at < c->in_len) memmove(c->in, c->in + at, c->in_len - at);
    c->in_len -= at;
}

static void join(struct run *r, struct connection *c, int partition) {
    c->partition = partition;
    c->port = r->target.port[partition];
    c->next = r->target.first[partition];
    c->fd = target_connect(c->port, false);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, c->fd, &e)) fail("epoll_ctl: %s", strerror(errno));
}

static void begin(struct run *r, int connections) {
    target_wait(&r->target);
    r->epoll = epoll_create1(EPOLL_CLOEXEC);
    r->connections = xcalloc((size_t)connections, sizeof *r->connections);
}

static void start_clock(struct run *r) {
    r->broker_cpu = process_cpu_s(r->o.pid);
    r->own_cpu = own_cpu_s();
    r->start = clock_mono_ns();
}

/* until: ns, when to come back at the latest; not after POLL_MS. */
static void serve(struct run *r, int64_t until,
                  void (*on)(struct run *, struct connection *, const uint8_t *, size_t)) {
    struct epoll_event events[EVENTS];
    int64_t ns = until - clock_mono_ns();
    if (ns < 0) ns = 0;
    if (ns > POLL_MS * INT64_C(1000000)) ns = POLL_MS * INT64_C(1000000);
    struct timespec t = {.tv_nsec = (long)ns};
    int n = epoll_pwait2(r->epoll, events, EVENTS, &t, NULL);
    if (n < 0 && errno != EINTR) fail("epoll_pwait2: %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        if (events[i].events & EPOLLOUT) push(r, events[i].data.ptr);
        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) pull(r, events[i].data.ptr, on);
    }
}

/* Ends the line of figures that the caller began. */
static int report(const struct run *r, double elapsed, double cpu, double load_cpu) {
    double mib = (double)r->bytes / (1 << 20), per_gib = mib > 0 ? cpu * 1024 / mib : 0;
    const struct histogram *h = &r->latency;
    printf("mib_s=%.1f records_s=%.0f requests_s=%.0f p50_ms=%.3f p99_ms=%.3f p999_ms=%.3f max_ms=%.3f ",
           mib / elapsed, (double)r->records / elapsed, (double)r->requests / elapsed, histogram_ms(h, .5),
           histogram_ms(h, .99), histogram_ms(h, .999), histogram_ms(h, 1));
    printf("elapsed_s=%.6f mib=%.0f errors=%lld missed=%lld cpu_s=%.3f cpu_s_per_gib=%.3f "
           "cpu_us_per_request=%.2f ",
           elapsed, mib, (long long)r->errors, (long long)r->missed, cpu, per_gib,
           r->requests ? cpu * 1e6 / (double)r->requests : 0);
    printf("rss_mib=%.1f peak_rss_mib=%.1f load_cpu_s=%.3f\n", process_memory_mib(r->o.pid, "VmRSS"),
           process_memory_mib(r->o.pid, "VmHWM"), load_cpu);
    return r->errors ? 1 : 0;
}

static int finish(const struct run *r, int64_t end, double cpu) {
    return report(r, (double)(end - r->start) / 1e9, cpu - r->broker_cpu, own_cpu_s() - r->own_cpu);
}

/* ---- produce and fetch ---- */

static void next_partition(const struct run *r, struct connection *c) {
    do c->partition = (c->partition + 1) % r->o.partitions;
    while (r->target.port[c->partition] != c->port);
    put_i32(c->frame + c->partition_at, c->partition);
}

static void acknowledged(struct run *r) {
    r->requests++;
    r->records += r->batch_records;
    r->bytes += (int64_t)r->batch_len;
}

/* Sends the connection's request once more. */
static void issue(struct run *r, struct connection *c, int64_t due) {
    if (r->fetching)
        put_i64(c->frame + c->offset_at, c->next);
    else if (r->o.spread && c->begun)
        next_partition(r, c);
    c->begun = true;
    c->sent = 0;
    r->issued += (int64_t)r->batch_len;
    if (r->fetching || r->o.acks) {
        c->due[(c->oldest + c->in_flight) % IN_FLIGHT_MAX] = due;
        c->in_flight++;
    } else {
        acknowledged(r); /* drain() makes sure that it arrived */
    }
    push(r, c);
}

static void on_answer(struct run *r, struct connection *c, const uint8_t *frame, size_t n) {
    if (!c->in_flight) fail("an answer that was not asked for");
    histogram_add(&r->latency, clock_mono_ns() - c->due[c->oldest]);
    c->oldest = (c->oldest + 1) % IN_FLIGHT_MAX;
    c->in_flight--;
    if (!r->fetching) {
        int16_t error = produce_error(r, frame, n);
        if (!error)
            acknowledged(r);
        else
            wrong(r, "Produce: error", error);
        return;
    }
    size_t len;
    const uint8_t *batches = fetched(r, frame, n, &len);
    r->requests++;
    if (batches) take(r, c, batches, len);
    if (r->o.again && c->next >= r->target.end[c->partition]) c->next = r->target.first[c->partition];
}

/* Open loop: sends what is due, the connections in turn. False: none can take another one now. */
static bool issue_due(struct run *r, int64_t now, int64_t *n, int *turn) {
    int64_t due;
    for (; (due = r->start + (int64_t)((double)*n * 1e9 / r->o.rate)) <= now; ++*n) {
        int tries = 0;
        struct connection *c;
        do {
            if (tries++ == r->o.connections) return false;
            c = &r->connections[*turn];
            *turn = (*turn + 1) % r->o.connections;
        } while (c->blocked || c->in_flight == IN_FLIGHT_MAX);
        issue(r, c, due);
    }
    return true;
}

static bool enough(const struct run *r) {
    return r->o.mib > 0 && (double)(r->fetching ? r->bytes : r->issued) >= r->o.mib * (1 << 20);
}

/* Closed loop: fills up what a connection may have in flight. */
static void refill(struct run *r, struct connection *c) {
    if (r->fetching) {
        if (!c->in_flight && !c->blocked && c->next < r->target.end[c->partition])
            issue(r, c, clock_mono_ns());
        return;
    }
    for (int k = 0; k < r->o.in_flight && !c->blocked && (int)c->in_flight < r->o.in_flight && !enough(r);
         k++)
        issue(r, c, clock_mono_ns());
}

static void work(struct run *r) {
    int64_t until = r->start + (int64_t)(r->o.seconds * 1e9), sent = 0;
    int turn = 0;
    bool open_loop = !r->fetching && r->o.rate > 0, silent = !r->fetching && !r->o.acks, done = false;
    for (;;) {
        int64_t now = clock_mono_ns(), wake = INT64_MAX;
        if (!done && (now >= until || enough(r))) {
            done = true;
            if (open_loop && (double)(now - r->start) / 1e9 * r->o.rate > (double)sent)
                r->missed = (int64_t)((double)(now - r->start) / 1e9 * r->o.rate) - sent;
        }
        if (!done && open_loop && issue_due(r, now, &sent, &turn))
            wake = r->start + (int64_t)((double)sent * 1e9 / r->o.rate);
        int64_t waiting = 0;
        for (int i = 0; i < r->o.connections; i++) {
            struct connection *c = &r->connections[i];
            if (!done && !open_loop) refill(r, c);
            waiting += c->in_flight + (c->blocked && !r->fetching);
            if (silent && !open_loop && !c->blocked) wake = 0;
        }
        if (r->fetching ? done || !waiting : done && (silent || !waiting)) return;
        serve(r, wake, on_answer);
        if (done && clock_mono_ns() > until + INT64_C(30000000000))
            fail("answers are missing 30 s after the end");
    }
}

/* acks 0: a last request of each connection that is answered, and so all before it have arrived. */
static void on_drained(struct run *r, struct connection *c, const uint8_t *frame, size_t n) {
    int16_t error = produce_error(r, frame, n);
    if (error) wrong(r, "Produce: error", error);
    c->in_flight = 0;
    acknowledged(r);
}

static void drain(struct run *r) {
    int64_t until = clock_mono_ns() + INT64_C(60000000000);
    int waiting = r->o.connections;
    bool *asked = xcalloc((size_t)r->o.connections, sizeof *asked);
    while (waiting) {
        waiting = 0;
        for (int i = 0; i < r->o.connections; i++) {
            struct connection *c = &r->connections[i];
            if (!c->blocked && !asked[i]) {
                make_produce(r, c, 1);
                asked[i] = true;
                c->in_flight = 1;
                c->sent = 0;
                push(r, c);
            }
            waiting += !asked[i] || c->in_flight;
        }
        if (waiting) serve(r, INT64_MAX, on_drained);
        if (clock_mono_ns() > until) fail("answers are missing 60 s after the end");
    }
    free(asked);
}

/* What was acknowledged must be in the log; with replicas a little later. */
static void check_growth(struct run *r, int64_t before) {
    int64_t until = clock_mono_ms() + 5000, grown = 0;
    while (clock_mono_ms() < until) {
        if (target_read_end(&r->target) &&
            (grown = target_sum(&r->target, r->target.end) - before) >= r->records)
            return;
        clock_sleep_ms(100);
    }
    wrong(r, "records that were acknowledged and are not in the log", r->records - grown);
}

static int produce_or_fetch(struct run *r) {
    make_batch(r);
    begin(r, r->o.connections);
    for (int i = 0; i < r->o.connections; i++) {
        struct connection *c = &r->connections[i];
        /* with -S evenly spaced, so that connections do not follow each other through the partitions */
        join(r, c,
             r->o.spread ? (int)((int64_t)i * r->o.partitions / r->o.connections) : i % r->o.partitions);
        if (r->fetching)
            make_fetch(r, c);
        else
            make_produce(r, c, r->o.acks);
    }
    int64_t before = target_sum(&r->target, r->target.end);
    start_clock(r);
    work(r);
    if (!r->fetching && !r->o.acks) drain(r);
    int64_t end = clock_mono_ns();
    double cpu = process_cpu_s(r->o.pid);
    if (!r->fetching) check_growth(r, before);
    if (r->fetching && !r->records) fail("there is nothing to fetch in %s", r->o.topic);
    return finish(r, end, cpu);
}

/* ---- end to end: one connection writes at a fixed rate, another waits for what was written ---- */

struct e2e {
    struct run run; /* first: the answers' functions get it */
    int64_t *due, produced, acked, consumed;
};

static void on_e2e(struct run *r, struct connection *c, const uint8_t *frame, size_t n) {
    struct e2e *e = (struct e2e *)r;
    int64_t now = clock_mono_ns();
    if (c == &r->connections[0]) {
        int16_t error = produce_error(r, frame, n);
        if (error) wrong(r, "Produce: error", error);
        if (e->acked == e->produced) fail("more answers than requests");
        histogram_add(&r->ack_latency, now - e->due[e->acked++]);
        return;
    }
    size_t len;
    const uint8_t *batches = fetched(r, frame, n, &len);
    int64_t taken = batches ? take(r, c, batches, len) : 0;
    if (e->consumed + taken > e->produced) fail("more records than were sent");
    while (taken-- > 0) histogram_add(&r->latency, now - e->due[e->consumed++]);
    put_i64(c->frame + c->offset_at, c->next);
    c->sent = 0;
    push(r, c);
}

static int end_to_end(struct e2e *e) {
    struct run *r = &e->run;
    if (r->o.rate <= 0) r->o.rate = 1000;
    r->o.batch_bytes = 1;
    make_batch(r);
    begin(r, 2);
    int64_t total = (int64_t)(r->o.rate * r->o.seconds), first = r->target.end[0];
    struct connection *out = &r->connections[0], *in = &r->connections[1];
    e->due = xcalloc((size_t)total + 1, sizeof *e->due);
    join(r, out, 0);
    make_produce(r, out, r->o.acks);
    join(r, in, 0);
    in->next = first;
    make_fetch(r, in);
    in->sent = 0;
    push(r, in);
    start_clock(r);
    while (e->consumed < total || (r->o.acks && e->acked < total)) {
        int64_t now = clock_mono_ns(), due;
        if ((double)(now - r->start) / 1e9 > r->o.seconds + 30)
            fail("records are missing 30 s after the end: %lld", (long long)(total - e->consumed));
        while (e->produced < total && !out->blocked &&
               (due = r->start + (int64_t)((double)e->produced * 1e9 / r->o.rate)) <= now) {
            e->due[e->produced++] = due;
            out->sent = 0;
            push(r, out);
        }
        bool more = e->produced < total && !out->blocked;
        serve(r, more ? r->start + (int64_t)((double)e->produced * 1e9 / r->o.rate) : INT64_MAX, on_e2e);
    }
    int64_t end = clock_mono_ns();
    double cpu = process_cpu_s(r->o.pid);
    if (in->next - first != total) wrong(r, "records read that were not sent", in->next - first - total);
    r->requests = total; /* CPU time counts per record, sent and read */
    printf("ack_p50_ms=%.3f ack_p99_ms=%.3f ack_p999_ms=%.3f ", histogram_ms(&r->ack_latency, .5),
           histogram_ms(&r->ack_latency, .99), histogram_ms(&r->ack_latency, .999));
    return finish(r, end, cpu);
}

/* ---- the rest ---- */

static int connect_many(struct run *r) {
    static const uint8_t ask[] = {0, 0, 0, 10, 0, 18,  0,
                                  0, 0, 0, 0,  0, 255, 255}; /* ApiVersions 0, no client id */
    double before = process_memory_mib(r->o.pid, "VmRSS");
    int64_t start = clock_mono_ns();
    for (int i = 0; i < r->o.connections; i++) {
        uint8_t answer[8192];
        int fd = target_connect(r->o.port, true);
        if (write(fd, ask, sizeof ask) != sizeof ask) fail("write: %s", strerror(errno));
        for (size_t got = 0; got < 4 || got - 4 < get_u32(answer);) {
            ssize_t n = read(fd, answer + got, sizeof answer - got);
            if (n <= 0) fail("connection %d was closed", i);
            got += (size_t)n;
        }
    }
    double elapsed = (double)(clock_mono_ns() - start) / 1e9, after = process_memory_mib(r->o.pid, "VmRSS");
    printf("connections=%d elapsed_s=%.3f rss_before_mib=%.1f rss_after_mib=%.1f kib_per_connection=%.2f\n",
           r->o.connections, elapsed, before, after, (after - before) * 1024 / r->o.connections);
    return 0;
}

static int create(struct run *r) {
    const int32_t *ids;
    int n;
    if (client_nodes(r->target.client, &ids, &n)) fail("Metadata: %s", client_why(r->target.client));
    int64_t start = clock_mono_ns();
    target_create(&r->target, r->o.replicas, r->o.configs, r->o.configs_n);
    int64_t created = clock_mono_ns();
    target_wait(&r->target);
    printf("partitions=%d create_s=%.4f leaders_s=%.4f rss_mib=%.1f\n", r->o.partitions,
           (double)(created - start) / 1e9, (double)(clock_mono_ns() - start) / 1e9,
           process_memory_mib(r->o.pid, "VmRSS"));
    return 0;
}

static int offsets(struct run *r) {
    target_wait(&r->target);
    printf("start=%lld end=%lld\n", (long long)target_sum(&r->target, r->target.first),
           (long long)target_sum(&r->target, r->target.end));
    return 0;
}

static int number(const char *text, int low, int high) {
    char *end;
    long n = strtol(text, &end, 10);
    if (end == text || *end || n < low || n > high)
        fail("'%s' is not a number from %d to %d", text, low, high);
    return (int)n;
}

static double amount(const char *text) {
    char *end;
    double d = strtod(text, &end);
    if (end == text || *end || !(d >= 0)) fail("'%s' is not a number", text);
    return d;
}

static void read_options(struct options *o, int argc, char **argv) {
    *o = (struct options){.mode = argv[1],
                          .topic = "load",
                          .port = 9092,
                          .partitions = 1,
                          .connections = 1,
                          .in_flight = 5,
                          .batch_bytes = 16384,
                          .record_bytes = 100,
                          .acks = 1,
                          .fetch_bytes = 1 << 20,
                          .replicas = 1,
                          .seconds = 10};
    optind = 2;
    for (int c; (c = getopt(argc, argv, "p:t:n:c:i:b:s:a:d:m:r:P:f:R:k:Slv")) != -1;) switch (c) {
        case 'p': o->port = number(optarg, 1, 65535); break;
        case 't': o->topic = optarg; break;
        case 'n': o->partitions = number(optarg, 1, PARTITIONS_MAX); break;
        case 'c': o->connections = number(optarg, 1, CONNECTIONS_MAX); break;
        case 'i': o->in_flight = number(optarg, 1, IN_FLIGHT_MAX); break;
        case 'b': o->batch_bytes = number(optarg, 1, 1 << 28); break;
        case 's': o->record_bytes = number(optarg, 0, 1 << 28); break;
        case 'a': o->acks = number(optarg, -1, 1); break;
        case 'd': o->seconds = amount(optarg); break;
        case 'm': o->mib = amount(optarg); break;
        case 'r': o->rate = amount(optarg); break;
        case 'P': o->pid = number(optarg, 0, INT32_MAX); break;
        case 'f': o->fetch_bytes = number(optarg, 1, 1 << 30); break;
        case 'R': o->replicas = number(optarg, -1, 32767); break;
        case 'k':
            if (o->configs_n == CONFIGS_MAX) fail("more than %d configurations", CONFIGS_MAX);
            o->configs[o->configs_n++] = optarg;
            break;
        case 'S': o->spread = true; break;
        case 'l': o->again = true; break;
        case 'v': o->verify = true; break;
        default: exit(2);
        }
}

static int dispatch(struct e2e *e) {
    struct run *r = &e->run;
    const char *mode = r->o.mode;
    if (!strcmp(mode, "connect")) return connect_many(r);
    if (!strcmp(mode, "e2e")) r->o.partitions = 1;
    target_open(&r->target, r->o.port, r->o.topic, r->o.partitions);
    r->fetching = !strcmp(mode, "fetch");
    if (r->fetching || !strcmp(mode, "produce")) return produce_or_fetch(r);
    if (!strcmp(mode, "e2e")) return end_to_end(e);
    if (!strcmp(mode, "create")) return create(r);
    if (!strcmp(mode, "offsets")) return offsets(r);
    if (strcmp(mode, "delete")) fail("there is no mode %s", mode);
    target_delete(&r->target);
    return 0;
}

int main(int argc, char **argv) {
    if (argc < 2)
        fail("usage: load create|produce|fetch|e2e|connect|offsets|delete [options]; bench/load.c explains "
             "them");
    struct e2e *e = xcalloc(1, sizeof *e);
    struct rlimit files;
    read_options(&e->run.o, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_TIMERSLACK, 1); /* wake when a request is due, not 50 µs later */
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    return dispatch(e);
}
