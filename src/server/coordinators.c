/* Before: handlers of group APIs, node_publish. After: coord (pure group state behind it), replica,
 * storage/log.
 *
 * The thread's loop is the only one that touches the coordinator. Requests travel to it inside of the
 * request's own memory, and come back by request_resume. Appends are written by that thread under the log's
 * lock, like a producer's. */
#include "server/coordinators.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "config/config.h"
#include "io/clock.h"
#include "metadata/delta.h"
#include "record/batch.h"
#include "record/compress.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/error_map.h"
#include "server/housekeeping.h"
#include "server/node.h"
#include "storage/log.h"

enum { COORDINATOR_STACK = 2 << 20, STOP_RETRY_MS = 5 };

static const struct kstr offsets_topic = {"__consumer_offsets", 18};

struct coordinators {
    struct node *node;
    struct loop *loop;
    pthread_t thread;
    struct coord *group;
    struct coord_config config;
    struct codec *codec;  /* of appends that recompress */
    uint32_t load_buffer; /* offsets.load.buffer.size */
    struct mail stop_mail;
    struct timer stop_timer;
    pthread_mutex_t lock; /* of quiet */
    pthread_cond_t now_quiet;
    bool quiet;
};

/* ---- the log ------------------------------------------------------------------------------------------ */

static struct replica *offsets_replica(struct coordinators *c, int32_t partition) {
    return replicas_get(c->node->replicas, offsets_topic.s, (size_t)offsets_topic.len, partition);
}

/* An append that has to reach the disk before it is acknowledged (flush.messages). */
struct flush_wait {
    struct flush_waiter waiter;
    struct coordinators *owner;
    int32_t partition;
    int64_t next;
};

static void on_flushed(struct flush_waiter *f, int err) { /* worker */
    struct flush_wait *w = (struct flush_wait *)f;
    if (!err) coord_committed(w->owner->group, w->partition, w->next);
    free(w); /* after an error the answers time out: what is written may be lost, or not */
}

static void wait_for_flush(struct coordinators *c, struct replica *p, int32_t partition, int64_t next) {
    struct flush_wait *w = xcalloc(1, sizeof *w);
    *w = (struct flush_wait){.waiter.flushed = on_flushed, .owner = c, .partition = partition, .next = next};
    replica_flush(p, &w->waiter);
}

/* With the log's lock held. */
static int16_t append_locked(struct coordinators *c, struct replica *p, uint8_t *batch, size_t n,
                             int64_t *next, bool *committed) {
    struct arena arena;
    struct log_append_result result = {0};
    if (p->deleted) return KERR_NOT_LEADER_OR_FOLLOWER;
    arena_init(&arena, 16 << 20);
    struct log_append_args args = {
        .bytes = batch,
        .len = n,
        .leader_epoch = p->leader_epoch,
        .origin = APPEND_COORDINATOR,
        .now_ms = loop_wall(c->loop),
        .arena = &arena,
        .codec = c->codec,
    };
    int err = log_append(p->log, &args, &result);
    int16_t code = err == OE_INVALID ? kerr_of_fault(result.fault) : kerr_of_storage(err);
    if (!err) {
        err = log_write_queue(p->log, loop_wall(c->loop));
        code = kerr_of_storage(err);
    }
    arena_free(&arena);
    if (err) return code ? code : KERR_UNKNOWN_SERVER_ERROR;
    *next = result.last_offset + 1;
    *committed = !log_flush_needed(p->log);
    if (*committed)
        replica_advance(p);
    else
        wait_for_flush(c, p, p->index, *next);
    return KERR_NONE;
}

static int16_t append(void *arg, int32_t partition, uint8_t *batch, size_t n, int64_t *next,
                      bool *committed) {
    struct coordinators *c = arg;
    struct replica *p = offsets_replica(c, partition);
    if (!p) return KERR_NOT_LEADER_OR_FOLLOWER;
    log_lock(p->log);
    int16_t code = append_locked(c, p, batch, n, next, committed);
    log_unlock(p->log);
    replica_unref(p);
    if (c->node->housekeeping) housekeeping_wake(c->node->housekeeping);
    return code;
}

static size_t max_batch(void *arg, int32_t partition) {
    struct replica *p = offsets_replica(arg, partition);
    if (!p) return 1 << 20;
    log_lock(p->log);
    size_t max = (size_t)log_config(p->log)->max_message_bytes;
    log_unlock(p->log);
    replica_unref(p);
    return max;
}

/* With the log's lock held: where the next bytes are; slice->file NULL at the end. */
static int find_slice(struct coordinators *c, struct replica *p, int64_t offset, struct log_slice *slice) {
    *slice = (struct log_slice){0};
    if (p->deleted) return OE_CLOSED;
    int err = log_open(p->log, clock_wall_ms());
    if (err) return err;
    int64_t start = log_start_offset(p->log), end = log_end_offset(p->log);
    if (offset < start) offset = start;
    if (offset >= end) return 0;
    return log_read(p->log, offset, c->load_buffer, end, true, NULL, slice);
}

/* Whole batches only: the slice may end within one. */
static void cut_to_batches(struct strbuf *b) {
    size_t at = 0;
    for (int64_t size;
         (size = batch_peek((const uint8_t *)b->s + at, b->len - at)) > 0 && (size_t)size <= b->len - at;)
        at += (size_t)size;
    if (at) b->len = at; /* none: let the caller see what cannot be a batch */
}

static int read_slice(const struct log_slice *slice, struct strbuf *to) {
    uint8_t *room = strbuf_reserve(to, slice->len);
    if (!room) return OE_LIMIT;
    int64_t n = file_pread(slice->file, room, slice->len, slice->position);
    if (n < 0) return (int)n;
    to->len += (size_t)n;
    cut_to_batches(to);
    return 0;
}

static int read_log(void *arg, int32_t partition, int64_t offset, struct strbuf *to) { /* worker */
    struct coordinators *c = arg;
    struct log_slice slice;
    struct replica *p = offsets_replica(c, partition);
    if (!p) return OE_NOTFOUND;
    log_lock(p->log);
    int err = find_slice(c, p, offset, &slice);
    log_unlock(p->log);
    if (!err && slice.file) err = read_slice(&slice, to);
    file_unref(slice.file);
    replica_unref(p);
    return err;
}

/* ---- which partitions are ours ------------------------------------------------------------------------ */

static bool leads(const struct coordinators *c, const struct topic *t, int32_t i) {
    return t && i < t->partitions_n && t->partitions[i] && t->partitions[i]->leader == c->node->id;
}

static void compare(struct coordinators *c, const struct topic *before, const struct topic *after) {
    int32_t n = after ? after->partitions_n : 0;
    /* The number of partitions counts from when the topic is first seen: later ones would move groups to
     * other partitions. */
    if (!before && after) coord_set_partitions(c->group, after->partitions_n);
    if (before && before->partitions_n > n) n = before->partitions_n;
    for (int32_t i = 0; i < n; i++) {
        bool was = leads(c, before, i), is = leads(c, after, i);
        if (was && (!is || !uuid_equal(&before->id, &after->id))) {
            coord_resigned(c->group, i);
            was = false;
        }
        if (is && !was) coord_elected(c->group, i);
    }
}

static struct kstr name_of(const struct topic *t) { return (struct kstr){t->name, t->name_len}; }

static void tell_deleted(struct coordinators *c, const struct image_delta *delta) {
    struct kstr *names = xcalloc((size_t)delta->topics_n + 1, sizeof *names);
    struct uuid *ids = xcalloc((size_t)delta->topics_n + 1, sizeof *ids);
    int32_t n = 0;
    for (int32_t i = 0; i < delta->topics_n; i++) {
        const struct topic_change *t = &delta->topics[i];
        if (!t->before || t->after || kstr_equal(name_of(t->before), offsets_topic)) continue;
        names[n] = name_of(t->before);
        ids[n++] = t->id;
    }
    if (n) coord_topics_deleted(c->group, names, ids, n);
    free(names);
    free(ids);
}

void coordinators_apply(struct coordinators *c, const struct image_delta *delta) {
    for (int32_t i = 0; i < delta->topics_n; i++) {
        const struct topic *any = delta->topics[i].after ? delta->topics[i].after : delta->topics[i].before;
        if (any && kstr_equal(name_of(any), offsets_topic))
            compare(c, delta->topics[i].before, delta->topics[i].after);
    }
    tell_deleted(c, delta);
}

/* ---- life --------------------------------------------------------------------------------------------- */

static struct coord_config settings(const struct config *k) {
    return (struct coord_config){
        .group =
            {
                .group_initial_rebalance_delay_ms =
                    (int32_t)config_int(k, CFG_GROUP_INITIAL_REBALANCE_DELAY_MS),
                .group_min_session_timeout_ms = (int32_t)config_int(k, CFG_GROUP_MIN_SESSION_TIMEOUT_MS),
                .group_max_session_timeout_ms = (int32_t)config_int(k, CFG_GROUP_MAX_SESSION_TIMEOUT_MS),
                .group_max_size = (int32_t)config_int(k, CFG_GROUP_MAX_SIZE),
                .offset_metadata_max_bytes = (int32_t)config_int(k, CFG_OFFSET_METADATA_MAX_BYTES),
                .offsets_retention_ms = config_int(k, CFG_OFFSETS_RETENTION_MINUTES) * 60000,
                .offsets_retention_check_interval_ms = config_int(k, CFG_OFFSETS_RETENTION_CHECK_INTERVAL_MS),
            },
        .offsets_commit_timeout_ms = (int32_t)config_int(k, CFG_OFFSETS_COMMIT_TIMEOUT_MS),
        .compression = (int32_t)config_int(k, CFG_OFFSETS_TOPIC_COMPRESSION_CODEC),
    };
}

static void *run(void *arg) {
    loop_run(((struct coordinators *)arg)->loop);
    return NULL;
}

static void start_thread(struct coordinators *c) {
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, COORDINATOR_STACK);
    int e = pthread_create(&c->thread, &attr, run, c);
    ASSERT(e == 0);
    pthread_attr_destroy(&attr);
    pthread_setname_np(c->thread, "coordinator");
}

struct coordinators *coordinators_start(struct node *n, const struct image *image) {
    struct coordinators *c = xcalloc(1, sizeof *c);
    struct coord_log_ops ops = {.arg = c, .append = append, .max_batch = max_batch, .read = read_log};
    const struct topic *t = image_topic_by_name(image, offsets_topic.s, (size_t)offsets_topic.len);
    *c = (struct coordinators){
        .node = n,
        .loop = loop_create(),
        .config = settings(n->config),
        .codec = codec_create(),
        .load_buffer = (uint32_t)config_int(n->config, CFG_OFFSETS_LOAD_BUFFER_SIZE),
    };
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->now_quiet, NULL);
    c->group = coord_create(c->loop, n->workers, &c->config, &ops,
                            (int32_t)config_int(n->config, CFG_OFFSETS_TOPIC_NUM_PARTITIONS), n->seed);
    compare(c, NULL, t);
    start_thread(c);
    return c;
}

static void try_to_stop(struct coordinators *c) {
    if (!coord_stop(c->group)) { /* a load must come to its end */
        loop_timer_set(c->loop, &c->stop_timer, loop_now(c->loop) + STOP_RETRY_MS);
        return;
    }
    pthread_mutex_lock(&c->lock);
    c->quiet = true;
    pthread_cond_signal(&c->now_quiet);
    pthread_mutex_unlock(&c->lock);
}

static void on_stop_timer(struct timer *t) {
    try_to_stop((struct coordinators *)((char *)t - offsetof(struct coordinators, stop_timer)));
}

static void on_stop(struct mail *m) {
    try_to_stop((struct coordinators *)((char *)m - offsetof(struct coordinators, stop_mail)));
}

void coordinators_quiet(struct coordinators *c) {
    c->stop_timer.on_due = on_stop_timer;
    c->stop_mail.deliver = on_stop;
    loop_post(c->loop, &c->stop_mail);
    pthread_mutex_lock(&c->lock);
    while (!c->quiet) pthread_cond_wait(&c->now_quiet, &c->lock);
    pthread_mutex_unlock(&c->lock);
}

void coordinators_destroy(struct coordinators *c) {
    ASSERT(c->quiet);
    loop_stop(c->loop);
    pthread_join(c->thread, NULL);
    coord_destroy(c->group);
    codec_destroy(c->codec);
    loop_destroy(c->loop);
    pthread_cond_destroy(&c->now_quiet);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

int32_t coordinators_group_partition(const struct coordinators *c, struct kstr group) {
    return coord_partition_of(c->group, group);
}

/* ---- calls -------------------------------------------------------------------------------------------- */

/* As java.net.InetAddress prints it: "/127.0.0.1", "/0:0:0:0:0:0:0:1". */
static struct kstr java_address(struct request *r) {
    struct in6_addr a;
    const char *host = request_host(r);
    if (inet_pton(AF_INET6, host, &a) != 1) return kstr_of(arena_printf(&r->arena, "/%s", host));
    unsigned g[8];
    for (int i = 0; i < 8; i++) g[i] = (unsigned)a.s6_addr[2 * i] << 8 | a.s6_addr[2 * i + 1];
    return kstr_of(
        arena_printf(&r->arena, "/%x:%x:%x:%x:%x:%x:%x:%x", g[0], g[1], g[2], g[3], g[4], g[5], g[6], g[7]));
}

static void on_done(struct coord_op *op) { /* coordinator's thread */
    struct group_call *c = op->owner;
    if (--c->left == 0) request_resume(c->request, c->finish);
}

struct group_call *group_call_begin(struct request *r, int32_t n) {
    struct group_call *c = request_array(r, 1, sizeof *c + (size_t)n * sizeof c->ops[0]);
    if (!c) return NULL;
    struct kstr host = java_address(r);
    c->request = r;
    c->n = c->left = n;
    for (int32_t i = 0; i < n; i++)
        c->ops[i] = (struct coord_op){
            .version = r->version,
            .client_id = r->client_id,
            .client_host = host,
            .arena = &r->arena,
            .done = on_done,
            .owner = c,
        };
    r->state = c;
    return c;
}

void group_call_send(struct group_call *c, void (*finish)(struct request *r)) {
    c->finish = finish;
    coord_submit(c->request->node->coordinators->group, c->ops, c->n);
}

void group_call_one(struct request *r, enum group_api api, const void *in,
                    void (*finish)(struct request *r)) {
    struct group_call *c = group_call_begin(r, 1);
    if (!c) {
        request_fail(r, "out of memory");
        return;
    }
    c->ops[0].api = api;
    c->ops[0].request = in;
    group_call_send(c, finish);
}

void *group_call_response(struct request *r) {
    struct group_call *c = r->state;
    ASSERT(c->n == 1);
    if (!c->ops[0].response) request_fail(r, "out of memory");
    return (void *)(uintptr_t)c->ops[0].response;
}

static void finish_simple(struct request *r) {
    const void *out = group_call_response(r);
    if (out) request_finish(r, out);
}

void group_call_simple(struct request *r, enum group_api api, const void *in) {
    group_call_one(r, api, in, finish_simple);
}
