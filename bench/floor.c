/* floor: what any process must do at the least to take the load of bench/load.c: the line that a broker is
 * measured against.
 *
 * Produce: receive, check the batch's CRC-32C, put the base offset and leader epoch into it, write it to the
 * partition's file (the page cache), answer. Fetch: find the position by division, send the file's part with
 * sendfile(); at the log end wait until data comes or the time is over. One thread, one epoll. It is no
 * broker: no index, no segment, no producer state, no configuration, no other check; all batches of a topic
 * must be of one size and record count, as those of load are.
 *
 *   floor -p PORT -d DIR      a partition is the file DIR/TOPIC-N; those that are there are served again
 *
 * What the least includes: all whole requests of one recv() are handled together, their batches for one
 * partition go out in one pwritev(), their answers in one send(). A connection holds a buffer only while a
 * part of a request waits in it.
 *
 * Invariants:
 *  1. answers of a connection leave in the order of its requests: `answers` is empty whenever no connection
 * is being read;
 *  2. bytes that a batch lies in are not moved before flush_writes();
 *  3. a connection has at most one Fetch in flight (load's have), so a file's part is only ever the end of
 * what is sent. Whatever else arrives ends the connection. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "api/api_versions.h"
#include "api/create_topics.h"
#include "api/delete_topics.h"
#include "api/keys.h"
#include "api/list_offsets.h"
#include "api/metadata.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "io/clock.h"
#include "record/batch.h"
#include "wire/writer.h"

enum {
    BUFFER = 4 << 20,
    RECEIVE = 256 << 10,
    SPARES = 64,
    WRITES_MAX = 64,
    TOPICS_MAX = 1000,
    NAME_MAX_LEN = 249,
    EVENTS = 256
};
/* The only versions that are known, and all that load uses: the last without tagged fields. */
static const struct row {
    int16_t key, version;
} known[] = {{API_PRODUCE, 8},       {API_FETCH, 11},        {API_LIST_OFFSETS, 5}, {API_METADATA, 8},
             {API_CREATE_TOPICS, 4}, {API_DELETE_TOPICS, 3}, {API_API_VERSIONS, 0}};
enum { KNOWN = sizeof known / sizeof *known };

struct partition {
    int fd;
    int64_t bytes, next; /* what is written, the next offset */
    int32_t batch_bytes, batch_records;
};

struct topic {
    char name[NAME_MAX_LEN + 1];
    int32_t name_len, count;
    struct partition *partitions;
};

struct connection {
    int fd;
    uint8_t *in; /* BUFFER bytes, of which from..to are not handled yet; NULL: nothing waits */
    size_t from, to;
    bool blocked;  /* the socket is full; nothing is read until rest and the file's part are out */
    uint8_t *rest; /* of the answers */
    size_t rest_len;
    int file; /* ... and behind them this much of this file */
    int64_t file_at, file_left;
    struct topic *topic; /* of the Fetch that waits, else NULL; its partition, offset and limit */
    int32_t index, correlation, most;
    int64_t offset, deadline;                      /* deadline: monotonic ms */
    struct connection *waits_before, *waits_after; /* the list of connections whose Fetch waits */
};

struct floor {
    const char *dir;
    int port, epoll, topics_n, spares_n, writes_n, grown_n;
    struct topic topics[TOPICS_MAX];
    struct connection *waiting;
    uint8_t *spares[SPARES];
    uint8_t *answers; /* BUFFER bytes */
    size_t answers_len;
    struct partition *writes_to; /* whose batches `writes` are, offsets given and not written yet */
    struct iovec writes[WRITES_MAX];
    struct partition *grown[WRITES_MAX]; /* where data came while somebody waits */
};

_Noreturn static void die(const char *what) {
    perror(what);
    exit(1);
}

/* ---- topics ---- */

static void open_partition(struct floor *f, struct topic *t, int32_t i) {
    struct partition *p = &t->partitions[i];
    char *path = xasprintf("%s/%s-%d", f->dir, t->name, i);
    uint8_t first[BATCH_HEADER];
    struct stat s;
    p->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (p->fd < 0 || fstat(p->fd, &s)) die(path);
    if (s.st_size >= BATCH_HEADER && pread(p->fd, first, sizeof first, 0) == (ssize_t)sizeof first) {
        p->batch_bytes = get_i32(first + 8) + 12;
        p->batch_records = get_i32(first + 57);
        int64_t batches = s.st_size / p->batch_bytes; /* a torn one at the end is written over */
        p->bytes = batches * p->batch_bytes;
        p->next = batches * p->batch_records;
    }
    free(path);
}

static struct topic *find(struct floor *f, const char *name, int32_t len) {
    for (int i = 0; i < f->topics_n; i++) {
        struct topic *t = &f->topics[i];
        if (t->name_len != len || memcmp(t->name, name, (size_t)len)) continue;
        return t;
    }
    return NULL;
}

static int16_t create(struct floor *f, const char *name, int32_t len, int32_t count) {
    if (find(f, name, len)) return KERR_TOPIC_ALREADY_EXISTS;
    if (f->topics_n == TOPICS_MAX || len < 1 || len > NAME_MAX_LEN || count < 1) return KERR_INVALID_REQUEST;
    struct topic *t = &f->topics[f->topics_n++];
    *t = (struct topic){
        .name_len = len, .count = count, .partitions = xcalloc((size_t)count, sizeof *t->partitions)};
    memcpy(t->name, name, (size_t)len);
    for (int32_t i = 0; i < count; i++) open_partition(f, t, i);
    return 0;
}

static void stop_waiting(struct floor *f, struct connection *c) {
    if (!c->topic) return;
    *(c->waits_before ? &c->waits_before->waits_after : &f->waiting) = c->waits_after;
    if (c->waits_after) c->waits_after->waits_before = c->waits_before;
    c->topic = NULL;
}

/* Topics stay where they are in the array for as long as a Fetch waits for one of them. */
static int16_t delete (struct floor *f, const char *name, int32_t len) {
    struct topic *t = find(f, name, len);
    if (!t) return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    for (struct connection *c = f->waiting, *after; c; c = after) {
        after = c->waits_after;
        stop_waiting(f, c);
    }
    for (int32_t i = 0; i < t->count; i++) {
        char *path = xasprintf("%s/%s-%d", f->dir, t->name, i);
        unlink(path);
        close(t->partitions[i].fd);
        free(path);
    }
    free(t->partitions);
    *t = f->topics[--f->topics_n];
    return 0;
}

/* The files of an earlier run. The directory gives them in any order: a topic's highest number is its count.
 */
static void reopen(struct floor *f) {
    DIR *d = opendir(f->dir);
    if (!d) die(f->dir);
    for (int pass = 0; pass < 2; pass++) {
        rewinddir(d);
        for (struct dirent *e; (e = readdir(d));) {
            const char *dash = strrchr(e->d_name, '-');
            if (!dash || dash == e->d_name || dash - e->d_name > NAME_MAX_LEN) continue;
            int32_t number = (int32_t)strtol(dash + 1, NULL, 10), len = (int32_t)(dash - e->d_name);
            struct topic *t = find(f, e->d_name, len);
            if (!t && f->topics_n < TOPICS_MAX) {
                t = &f->topics[f->topics_n++];
                *t = (struct topic){.name_len = len};
                memcpy(t->name, e->d_name, (size_t)len);
            }
            if (t && number >= t->count) t->count = number + 1;
        }
    }
    closedir(d);
    for (int i = 0; i < f->topics_n; i++) {
        struct topic *t = &f->topics[i];
        t->partitions = xcalloc((size_t)t->count, sizeof *t->partitions);
        for (int32_t k = 0; k < t->count; k++) open_partition(f, t, k);
    }
}

/* ---- sending ---- */

static void put(struct floor *f, const void *bytes, size_t n) {
    memcpy(f->answers + f->answers_len, bytes, n);
    f->answers_len += n;
}
static void put16(struct floor *f, int16_t v) {
    put_i16(f->answers + f->answers_len, v);
    f->answers_len += 2;
}
static void put32(struct floor *f, int32_t v) {
    put_i32(f->answers + f->answers_len, v);
    f->answers_len += 4;
}
static void put64(struct floor *f, int64_t v) {
    put_i64(f->answers + f->answers_len, v);
    f->answers_len += 8;
}

/* Sends the answers (or what was left of them) and the file's part. What the socket does not take stays with
 * the connection. */
static void flush(struct floor *f, struct connection *c) {
    const uint8_t *bytes = c->rest ? c->rest : f->answers;
    size_t len = c->rest ? c->rest_len : f->answers_len, sent = 0;
    ssize_t n = 0;
    while (sent < len && (n = send(c->fd, bytes + sent, len - sent, c->file_left ? MSG_MORE : 0)) > 0)
        sent += (size_t)n;
    while (sent == len && c->file_left &&
           (n = sendfile(c->fd, c->file, &c->file_at, (size_t)c->file_left)) > 0)
        c->file_left -= n;
    uint8_t *rest = sent < len ? xmalloc(len - sent) : NULL;
    if (rest) memcpy(rest, bytes + sent, len - sent);
    if (c->rest)
        free(c->rest);
    else
        f->answers_len = 0;
    c->rest = rest;
    c->rest_len = len - sent;
    bool blocked = rest || c->file_left;
    if (blocked != c->blocked) {
        struct epoll_event e = {.events = blocked ? EPOLLOUT : EPOLLIN, .data.ptr = c};
        epoll_ctl(f->epoll, EPOLL_CTL_MOD, c->fd, &e);
        c->blocked = blocked;
    }
}

/* ---- Fetch ---- */

static void answer_fetch(struct floor *f, struct connection *c, const struct topic *t, const uint8_t *name,
                         int32_t index, int16_t error) {
    const struct partition *p = error ? NULL : &t->partitions[index];
    int64_t at = 0, len = 0;
    if (p && c->offset < p->next) {
        at = c->offset / p->batch_records * p->batch_bytes;
        int64_t fits = c->most / p->batch_bytes * (int64_t)p->batch_bytes;
        len = p->bytes - at < fits ? p->bytes - at : fits ? fits : p->batch_bytes;
    }
    int32_t name_len = t ? t->name_len : get_i16(name);
    int64_t end = p ? p->next : -1;
    put32(f, 4 + 4 + 2 + 4 + 4 + 2 + name_len + 4 + 4 + 2 + 8 + 8 + 8 + 4 + 4 + 4 + (int32_t)len);
    put32(f, c->correlation);
    put32(f, 0); /* throttle */
    put16(f, 0);
    put32(f, 0); /* no session */
    put32(f, 1);
    put16(f, (int16_t)name_len);
    put(f, t ? t->name : (const char *)name + 2, (size_t)name_len);
    put32(f, 1);
    put32(f, index);
    put16(f, error);
    put64(f, end); /* high watermark, last stable offset, log start */
    put64(f, end);
    put64(f, 0);
    put32(f, 0);  /* aborted transactions */
    put32(f, -1); /* preferred replica */
    put32(f, (int32_t)len);
    if (!len) return;
    c->file = p->fd;
    c->file_at = at;
    c->file_left = len;
}

/* body: behind the header. False: not what load sends. */
static bool handle_fetch(struct floor *f, struct connection *c, int32_t correlation, const uint8_t *body,
                         const uint8_t *end) {
    if (end - body < 31 || c->topic || c->file_left) return false;
    const uint8_t *name = body + 4 + 4 + 4 + 4 + 1 + 4 + 4 + 4;
    int32_t wait = get_i32(body + 4), name_len = get_i16(name);
    const uint8_t *p = name + 2 + name_len + 4;
    if (name_len < 0 || end - p < 32) return false;
    struct topic *t = find(f, (const char *)name + 2, name_len);
    int32_t index = get_i32(p);
    c->correlation = correlation;
    c->offset = get_i64(p + 8);
    c->most = get_i32(p + 24);
    bool there = t && index >= 0 && index < t->count;
    if (!there || c->offset < t->partitions[index].next) {
        answer_fetch(f, c, there ? t : NULL, name, index, there ? 0 : KERR_UNKNOWN_TOPIC_OR_PARTITION);
        return true;
    }
    c->topic = t;
    c->index = index;
    c->deadline = clock_mono_ms() + wait;
    c->waits_before = NULL;
    c->waits_after = f->waiting;
    if (f->waiting) f->waiting->waits_before = c;
    f->waiting = c;
    return true;
}

static void answer_waiting(struct floor *f, struct connection *c) {
    const struct topic *t = c->topic;
    stop_waiting(f, c);
    answer_fetch(f, c, t, NULL, c->index, 0);
    flush(f, c);
}

static void wake(struct floor *f) {
    while (f->grown_n) {
        const struct partition *p = f->grown[--f->grown_n];
        for (struct connection *c = f->waiting, *after; c; c = after) {
            after = c->waits_after;
            if (&c->topic->partitions[c->index] == p) answer_waiting(f, c);
        }
    }
}

/* Answers what has waited long enough. Returns the milliseconds until the next one, -1 when none waits. */
static int expire(struct floor *f) {
    int64_t now = f->waiting ? clock_mono_ms() : 0, next = -1;
    for (struct connection *c = f->waiting, *after; c; c = after) {
        after = c->waits_after;
        if (c->deadline <= now)
            answer_waiting(f, c);
        else if (next < 0 || c->deadline - now < next)
            next = c->deadline - now;
    }
    return (int)next;
}

/* ---- Produce ---- */

static void flush_writes(struct floor *f) {
    struct partition *p = f->writes_to;
    struct iovec *v = f->writes, *end = v + f->writes_n;
    while (v < end) {
        ssize_t n = pwritev(p->fd, v, (int)(end - v), p->bytes);
        if (n <= 0) die("pwritev");
        p->bytes += n;
        for (; v < end && (size_t)n >= v->iov_len; v++) n -= (ssize_t)v->iov_len;
        if (v < end) {
            v->iov_base = (uint8_t *)v->iov_base + n;
            v->iov_len -= (size_t)n;
        }
    }
    f->writes_n = 0;
}

/* Gives the batch its offset and puts it to those that are written next. Returns the offset. */
static int64_t take(struct floor *f, struct partition *p, uint8_t *batch, int32_t len) {
    if (f->writes_n && (f->writes_to != p || f->writes_n == WRITES_MAX)) flush_writes(f);
    if (!p->batch_bytes) {
        p->batch_bytes = len;
        p->batch_records = get_i32(batch + 57);
    }
    int64_t base = p->next;
    put_i64(batch, base);
    put_i32(batch + 12, 0); /* leader epoch */
    p->next += p->batch_records;
    f->writes_to = p;
    f->writes[f->writes_n++] = (struct iovec){batch, (size_t)len};
    if (f->waiting && f->grown_n < WRITES_MAX) f->grown[f->grown_n++] = p;
    return base;
}

static bool handle_produce(struct floor *f, int32_t correlation, uint8_t *body, const uint8_t *end) {
    if (end - body < 18) return false;
    int32_t id_len = get_i16(body);
    uint8_t *name = body + 2 + (id_len > 0 ? id_len : 0) + 2 + 4 + 4;
    if (end - name < 2) return false;
    int32_t name_len = get_i16(name);
    uint8_t *p = name + 2 + name_len + 4;
    if (name_len < 0 || end - p < 8 + BATCH_HEADER) return false;
    int32_t index = get_i32(p), len = get_i32(p + 4);
    uint8_t *batch = p + 8;
    if (len < BATCH_HEADER || len > end - batch) return false;
    const struct topic *t = find(f, (const char *)name + 2, name_len);
    int16_t acks = get_i16(name - 10), error = 0;
    int64_t base = -1;
    if (!t || index < 0 || index >= t->count)
        error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
    else if (crc32c(0, batch + 21, (size_t)len - 21) != get_u32(batch + 17))
        error = KERR_CORRUPT_MESSAGE;
    else
        base = take(f, &t->partitions[index], batch, len);
    if (!acks) return true;
    put32(f, 4 + 4 + 2 + name_len + 4 + 4 + 2 + 8 + 8 + 8 + 4 + 2 + 4);
    put32(f, correlation);
    put32(f, 1);
    put(f, name, 2 + (size_t)name_len);
    put32(f, 1);
    put32(f, index);
    put16(f, error);
    put64(f, base);
    put64(f, -1); /* append time */
    put64(f, 0);  /* log start */
    put32(f, 0);  /* record errors */
    put16(f, -1); /* message */
    put32(f, 0);  /* throttle */
    return true;
}

/* ---- what is asked beside the load: by the generated codec ---- */

static int metadata(struct floor *f, struct reader *r, struct writer *w, struct arena *a) {
    struct metadata_request request;
    struct metadata_response response;
    struct metadata_response_metadata_response_broker broker;
    int32_t one = 1;
    if (metadata_request_decode(&request, r, 8, a)) return -1;
    metadata_response_init(&response);
    metadata_response_metadata_response_broker_init(&broker);
    broker.node_id = response.controller_id = 1;
    broker.host = KSTR("127.0.0.1");
    broker.port = f->port;
    response.brokers = &broker;
    response.brokers_n = 1;
    response.topics_n = request.topics_n > 0 ? request.topics_n : 0;
    response.topics = xcalloc((size_t)response.topics_n + 1, sizeof *response.topics);
    for (int i = 0; i < response.topics_n; i++) {
        struct metadata_response_metadata_response_topic *x = &response.topics[i];
        const struct topic *t = find(f, request.topics[i].name.s, request.topics[i].name.len);
        metadata_response_metadata_response_topic_init(x);
        x->name = request.topics[i].name;
        x->error_code = t ? 0 : KERR_UNKNOWN_TOPIC_OR_PARTITION;
        x->partitions_n = t ? t->count : 0;
        x->partitions = xcalloc((size_t)x->partitions_n + 1, sizeof *x->partitions);
        for (int32_t k = 0; k < x->partitions_n; k++) {
            metadata_response_metadata_response_partition_init(&x->partitions[k]);
            x->partitions[k].partition_index = k;
            x->partitions[k].leader_id = 1;
            x->partitions[k].replica_nodes = x->partitions[k].isr_nodes = &one;
            x->partitions[k].replica_nodes_n = x->partitions[k].isr_nodes_n = 1;
        }
    }
    int err = metadata_response_encode(&response, w, 8);
    for (int i = 0; i < response.topics_n; i++) free(response.topics[i].partitions);
    free(response.topics);
    return err;
}

static int list_offsets(struct floor *f, struct reader *r, struct writer *w, struct arena *a) {
    struct list_offsets_request request;
    struct list_offsets_response response;
    struct list_offsets_response_list_offsets_topic_response topic;
    if (list_offsets_request_decode(&request, r, 5, a) || request.topics_n != 1) return -1;
    const struct topic *t = find(f, request.topics->name.s, request.topics->name.len);
    int32_t n = request.topics->partitions_n;
    list_offsets_response_init(&response);
    list_offsets_response_list_offsets_topic_response_init(&topic);
    response.topics = &topic;
    response.topics_n = 1;
    topic.name = request.topics->name;
    topic.partitions = xcalloc((size_t)n + 1, sizeof *topic.partitions);
    topic.partitions_n = n;
    for (int32_t i = 0; i < n; i++) {
        struct list_offsets_response_list_offsets_partition_response *x = &topic.partitions[i];
        int32_t index = request.topics->partitions[i].partition_index;
        bool there = t && index >= 0 && index < t->count;
        list_offsets_response_list_offsets_partition_response_init(x);
        x->partition_index = index;
        x->error_code = there ? 0 : KERR_UNKNOWN_TOPIC_OR_PARTITION;
        if (there) x->offset = request.topics->partitions[i].timestamp == -2 ? 0 : t->partitions[index].next;
    }
    int err = list_offsets_response_encode(&response, w, 5);
    free(topic.partitions);
    return err;
}

static int create_topics(struct floor *f, struct reader *r, struct writer *w, struct arena *a) {
    struct create_topics_request request;
    struct create_topics_response response;
    struct create_topics_response_creatable_topic_result result;
    if (create_topics_request_decode(&request, r, 4, a) || request.topics_n != 1) return -1;
    create_topics_response_init(&response);
    create_topics_response_creatable_topic_result_init(&result);
    result.name = request.topics->name;
    result.error_code = create(f, result.name.s, result.name.len, request.topics->num_partitions);
    response.topics = &result;
    response.topics_n = 1;
    return create_topics_response_encode(&response, w, 4);
}

static int delete_topics(struct floor *f, struct reader *r, struct writer *w, struct arena *a) {
    struct delete_topics_request request;
    struct delete_topics_response response;
    struct delete_topics_response_deletable_topic_result result;
    if (delete_topics_request_decode(&request, r, 3, a) || request.topic_names_n != 1) return -1;
    delete_topics_response_init(&response);
    delete_topics_response_deletable_topic_result_init(&result);
    result.name = request.topic_names[0];
    result.error_code = delete (f, result.name.s, result.name.len);
    response.responses = &result;
    response.responses_n = 1;
    return delete_topics_response_encode(&response, w, 3);
}

/* A newer version gets the error that makes a client ask again with version 0. */
static int api_versions(struct writer *w, int16_t version) {
    struct api_versions_response response;
    struct api_versions_response_api_version rows[KNOWN];
    api_versions_response_init(&response);
    response.error_code = version ? KERR_UNSUPPORTED_VERSION : 0;
    response.api_keys = rows;
    response.api_keys_n = KNOWN;
    for (int i = 0; i < KNOWN; i++) {
        api_versions_response_api_version_init(&rows[i]);
        rows[i].api_key = known[i].key;
        rows[i].min_version = rows[i].max_version = known[i].version;
    }
    return api_versions_response_encode(&response, w, 0);
}

static bool handle_control(struct floor *f, int16_t key, int16_t version, int32_t correlation,
                           struct reader body) {
    struct arena a;
    struct writer w;
    int err = -1;
    arena_init(&a, 64 << 20);
    writer_init(&w, BUFFER - (64 << 10));
    if (key == API_API_VERSIONS) err = api_versions(&w, version);
    if (key == API_METADATA && version == 8) err = metadata(f, &body, &w, &a);
    if (key == API_LIST_OFFSETS && version == 5) err = list_offsets(f, &body, &w, &a);
    if (key == API_CREATE_TOPICS && version == 4) err = create_topics(f, &body, &w, &a);
    if (key == API_DELETE_TOPICS && version == 3) err = delete_topics(f, &body, &w, &a);
    if (!err && f->answers_len + 8 + writer_len(&w) > BUFFER) err = -1;
    if (!err) {
        put32(f, 4 + (int32_t)writer_len(&w));
        put32(f, correlation);
        put(f, w.buf, writer_len(&w));
    }
    writer_free(&w);
    arena_free(&a);
    return !err;
}

/* One whole request of n bytes without its length. False ends the connection. */
static bool handle(struct floor *f, struct connection *c, uint8_t *p, size_t n) {
    if (n < 10 || f->answers_len > BUFFER - (64 << 10)) return false;
    int16_t key = get_i16(p), version = get_i16(p + 2), id_len = get_i16(p + 8);
    int32_t correlation = get_i32(p + 4);
    uint8_t *body = p + 10 + (id_len > 0 ? id_len : 0), *end = p + n;
    if (body > end) return false;
    if (key == API_PRODUCE && version == 8) return handle_produce(f, correlation, body, end);
    if (f->writes_n) flush_writes(f);
    if (key == API_FETCH && version == 11) return handle_fetch(f, c, correlation, body, end);
    return handle_control(f, key, version, correlation, reader_of(body, (size_t)(end - body)));
}

/* ---- connections ---- */

static void close_connection(struct floor *f, struct connection *c) {
    if (f->writes_n) flush_writes(f);
    f->answers_len = 0;
    stop_waiting(f, c);
    close(c->fd);
    free(c->in);
    free(c->rest);
    free(c);
}

/* Room behind `to` for the rest of the request that has begun, else for RECEIVE bytes. 0: no request may be
 * so large. */
static size_t make_room(struct connection *c) {
    size_t have = c->to - c->from, want = RECEIVE;
    if (have >= 4) {
        size_t whole = 4 + (size_t)get_u32(c->in + c->from);
        if (whole > BUFFER) return 0;
        if (whole - have > want) want = whole - have;
    }
    if (c->to + want > BUFFER) {
        memmove(c->in, c->in + c->from, have);
        c->from = 0;
        c->to = have;
    }
    return want < BUFFER - c->to ? want : BUFFER - c->to;
}

/* Receives once and handles the whole requests. False ends the connection. */
static bool read_requests(struct floor *f, struct connection *c) {
    if (!c->in) {
        c->in = f->spares_n ? f->spares[--f->spares_n] : xmalloc(BUFFER);
        c->from = c->to = 0;
    }
    size_t room = make_room(c);
    ssize_t n = room ? recv(c->fd, c->in + c->to, room, 0) : 0;
    if (n < 0 && errno == EAGAIN) return true;
    if (n <= 0) return false;
    c->to += (size_t)n;
    while (c->to - c->from >= 4) {
        size_t len = get_u32(c->in + c->from);
        if (c->to - c->from - 4 < len) break;
        if (!handle(f, c, c->in + c->from + 4, len)) return false;
        c->from += 4 + len;
    }
    if (f->writes_n) flush_writes(f);
    if (f->answers_len || c->file_left) flush(f, c);
    wake(f);
    if (c->from == c->to && f->spares_n < SPARES) {
        f->spares[f->spares_n++] = c->in;
        c->in = NULL;
    } else if (c->from &&
               c->to - c->from <= RECEIVE / 4) { /* little is left: to the front, which the caches hold */
        memmove(c->in, c->in + c->from, c->to - c->from);
        c->to -= c->from;
        c->from = 0;
    }
    return true;
}

static void accept_all(struct floor *f, int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *c = xcalloc(1, sizeof *c);
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (epoll_ctl(f->epoll, EPOLL_CTL_ADD, fd, &e)) die("epoll_ctl");
    }
}

static int listen_on(int port) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 4096)) die("listen");
    return fd;
}

static void serve(struct floor *f, int listener) {
    struct epoll_event events[EVENTS], e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(f->epoll, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        int n = epoll_wait(f->epoll, events, EVENTS, expire(f));
        for (int i = 0; i < n; i++) {
            struct connection *c = events[i].data.ptr;
            bool good = true;
            if (!c)
                accept_all(f, listener);
            else if (events[i].events & (EPOLLERR | EPOLLHUP))
                good = false;
            else if (events[i].events & EPOLLOUT)
                flush(f, c);
            else
                good = read_requests(f, c);
            if (!good) close_connection(f, c);
        }
    }
}

int main(int argc, char **argv) {
    struct floor *f = xcalloc(1, sizeof *f);
    struct rlimit files;
    for (int o; (o = getopt(argc, argv, "p:d:")) != -1;)
        if (o == 'p')
            f->port = (int)strtol(optarg, NULL, 10);
        else if (o == 'd')
            f->dir = optarg;
    if (!f->port || !f->dir) {
        fputs("usage: floor -p PORT -d DIR\n", stderr);
        return 2;
    }
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    signal(SIGPIPE, SIG_IGN);
    f->answers = xmalloc(BUFFER);
    f->epoll = epoll_create1(EPOLL_CLOEXEC);
    reopen(f);
    serve(f, listen_on(f->port));
}
