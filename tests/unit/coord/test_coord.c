/* The coordinator runtime over partitions in memory: loading, commits that are late or fail, timeouts, who is
 * asked. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "api/describe_groups.h"
#include "api/heartbeat.h"
#include "api/join_group.h"
#include "api/list_groups.h"
#include "api/offset_commit.h"
#include "api/offset_fetch.h"
#include "base/err.h"
#include "base/jstring.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "coord/coord.h"
#include "group/shard.h"
#include "io/worker.h"
#include "record/control.h"
#include "record/record.h"

enum { PARTITIONS = 4, OPS = 256 };

struct part { /* one log */
    struct strbuf bytes;
    int64_t next;
    int appends;
};

struct world {
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows, which both threads use */
    pthread_cond_t news;
    struct loop *loop;
    struct workers *workers;
    struct coord *coord;
    struct coord_config config;
    struct group_config group;
    struct part parts[PARTITIONS];
    int16_t append_error;
    bool slow; /* appended, not committed */
    _Atomic bool slow_load;
    int read_error;
    size_t max_batch;
    struct ask {
        struct coord_op op;
        struct arena arena;
        struct world *world;
        bool answered;
    } asks[OPS];
    int asks_n;
};

static int16_t fake_append(void *arg, int32_t partition, const struct coord_batch *b, int64_t *next,
                           bool *committed) {
    struct world *w = arg;
    uint8_t *batch = b->bytes;
    size_t n = b->n;
    struct part *p = &w->parts[partition];
    pthread_mutex_lock(&w->lock);
    int16_t error = w->append_error;
    if (error) {
        pthread_mutex_unlock(&w->lock);
        return error;
    }
    assert_int_equal(batch_check(batch, n), 0);
    assert_true(b->guard == 0);
    batch_set_base_offset(batch, p->next);
    p->next = batch_last_offset(batch) + 1;
    p->appends++;
    strbuf_add(&p->bytes, batch, n);
    *next = p->next;
    *committed = !w->slow;
    pthread_mutex_unlock(&w->lock);
    return 0;
}

static size_t fake_max_batch(void *arg, int32_t partition) { return ((struct world *)arg)->max_batch; }

static int read_batch(struct world *w, const struct part *p, int64_t offset, struct strbuf *to) {
    if (w->read_error) return w->read_error;
    for (size_t at = 0; at < p->bytes.len;) {
        const uint8_t *b = (const uint8_t *)p->bytes.s + at;
        size_t n = (size_t)batch_size(b);
        if (batch_last_offset(b) >= offset) {
            strbuf_add(to, b, n);
            return 0;
        }
        at += n;
    }
    return 0;
}

/* One batch a read, to see that the loader goes on. */
static int fake_read(void *arg, int32_t partition, int64_t offset, struct strbuf *to) {
    struct world *w = arg;
    while (w->slow_load) nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    pthread_mutex_lock(&w->lock);
    int err = read_batch(w, &w->parts[partition], offset, to);
    pthread_mutex_unlock(&w->lock);
    return err;
}

static void begin_coord(struct world *w) {
    struct coord_log_ops ops = {
        .arg = w, .append = fake_append, .max_batch = fake_max_batch, .read = fake_read};
    w->coord = coord_create(w->loop, w->workers, &w->config, &ops, PARTITIONS, 1);
}

static void *loop_thread(void *arg) {
    loop_run(((struct world *)arg)->loop);
    return NULL;
}

static struct world *begin(void) {
    struct world *w = xcalloc(1, sizeof *w);
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->news, NULL);
    w->loop = loop_create();
    w->workers = workers_create(2);
    w->max_batch = 1 << 20;
    w->group = (struct group_config){.group_initial_rebalance_delay_ms = 10,
                                     .group_min_session_timeout_ms = 10,
                                     .group_max_session_timeout_ms = 1800000,
                                     .group_max_size = INT32_MAX,
                                     .offset_metadata_max_bytes = 4096,
                                     .offsets_retention_ms = 1ll << 40,
                                     .offsets_retention_check_interval_ms = 600000};
    w->config =
        (struct coord_config){.kind = &coord_group_kind, .shard = &w->group, .write_timeout_ms = 20000};
    for (int i = 0; i < PARTITIONS; i++) strbuf_init(&w->parts[i].bytes, 1 << 24);
    begin_coord(w);
    pthread_create(&w->thread, NULL, loop_thread, w);
    return w;
}

/* Runs on the loop's thread and waits for it. */
struct visit {
    struct mail mail;
    struct world *world;
    void (*fn)(struct world *w);
    bool done;
};

static void on_visit(struct mail *m) {
    struct visit *v = (struct visit *)m;
    v->fn(v->world);
    pthread_mutex_lock(&v->world->lock);
    v->done = true;
    pthread_cond_broadcast(&v->world->news);
    pthread_mutex_unlock(&v->world->lock);
}

static void visit(struct world *w, void (*fn)(struct world *w)) {
    struct visit v = {.mail.deliver = on_visit, .world = w, .fn = fn};
    loop_post(w->loop, &v.mail);
    pthread_mutex_lock(&w->lock);
    while (!v.done) pthread_cond_wait(&w->news, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static void destroy_coord(struct world *w) { coord_destroy(w->coord); }

static void end(struct world *w) {
    visit(w, destroy_coord);
    loop_stop(w->loop);
    pthread_join(w->thread, NULL);
    workers_destroy(w->workers);
    loop_destroy(w->loop);
    for (int i = 0; i < PARTITIONS; i++) strbuf_free(&w->parts[i].bytes);
    for (int i = 0; i < w->asks_n; i++) {
        assert_true(w->asks[i].answered);
        arena_free(&w->asks[i].arena);
    }
    pthread_cond_destroy(&w->news);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

static void pause_ms(int ms) {
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000l}, NULL);
}

static bool is_answered(struct ask *a) {
    pthread_mutex_lock(&a->world->lock);
    bool answered = a->answered;
    pthread_mutex_unlock(&a->world->lock);
    return answered;
}

static struct ask *await(struct ask *a) {
    pthread_mutex_lock(&a->world->lock);
    while (!a->answered) pthread_cond_wait(&a->world->news, &a->world->lock);
    pthread_mutex_unlock(&a->world->lock);
    return a;
}

static void on_done(struct coord_op *op) {
    struct ask *a = (struct ask *)op;
    pthread_mutex_lock(&a->world->lock);
    assert_false(a->answered);
    op->guard = UINT64_MAX; /* the owner's again, who may free it */
    a->answered = true;
    pthread_cond_broadcast(&a->world->news);
    pthread_mutex_unlock(&a->world->lock);
}

static struct ask *submit(struct world *w, enum group_api api, int version, const void *request) {
    struct ask *a = &w->asks[w->asks_n++];
    assert_true(w->asks_n <= OPS);
    a->answered = false;
    arena_init(&a->arena, 1 << 20);
    a->world = w;
    a->op = (struct coord_op){.api = api,
                              .version = (int16_t)version,
                              .client_id = KSTR("client"),
                              .client_host = KSTR("/127.0.0.1"),
                              .request = request,
                              .arena = &a->arena,
                              .done = on_done};
    coord_submit(w->coord, &a->op, 1);
    return a;
}

static struct offset_commit_request *commit_request(struct arena *a, const char *group, int64_t offset) {
    struct offset_commit_request *q = arena_calloc(a, 1, sizeof *q);
    offset_commit_request_init(q);
    q->group_id = kstr_of(group);
    q->topics = arena_calloc(a, 1, sizeof *q->topics);
    q->topics_n = 1;
    q->topics[0].name = KSTR("t");
    q->topics[0].partitions = arena_calloc(a, 1, sizeof *q->topics[0].partitions);
    q->topics[0].partitions_n = 1;
    q->topics[0].partitions[0].committed_offset = offset;
    q->topics[0].partitions[0].committed_leader_epoch = -1;
    q->topics[0].partitions[0].committed_metadata = KSTR_NULL;
    return q;
}

static struct ask *commit(struct world *w, const char *group, int64_t offset) {
    static struct arena requests; /* small, lives as long as the test program */
    if (!requests.limit) arena_init(&requests, 1 << 24);
    return submit(w, GROUP_API_OFFSET_COMMIT, 8, commit_request(&requests, group, offset));
}

static int16_t commit_error(const struct ask *a) {
    return ((const struct offset_commit_response *)a->op.response)->topics[0].partitions[0].error_code;
}

static int64_t fetch(struct world *w, const char *group, int16_t *error) {
    int32_t index = 0;
    struct offset_fetch_request_offset_fetch_request_topics t = {
        .name = KSTR("t"), .partition_indexes = &index, .partition_indexes_n = 1};
    struct offset_fetch_request_offset_fetch_request_group g = {
        .group_id = kstr_of(group), .member_id = KSTR_NULL, .member_epoch = -1, .topics = &t, .topics_n = 1};
    struct group_offset_fetch q = {.group = &g, .require_stable = true};
    struct ask *a = submit(w, GROUP_API_OFFSET_FETCH, 8, &q);
    const struct offset_fetch_response_offset_fetch_response_group *r = await(a)->op.response;
    *error = r->error_code;
    if (*error) return -2;
    *error = r->topics[0].partitions[0].error_code;
    return r->topics[0].partitions[0].committed_offset;
}

static int part_of(const char *group) { return jstring_partition(group, strlen(group), PARTITIONS); }

/* Until nothing loads any more. */
static void settle(struct world *w) {
    static const struct list_groups_request q;
    for (;;) {
        struct ask *a = await(submit(w, GROUP_API_LIST, 5, &q));
        if (((const struct list_groups_response *)a->op.response)->error_code == KERR_NONE) return;
        arena_free(&a->arena);
        w->asks_n--;
        pause_ms(2);
    }
}

static void elect_all(struct world *w) {
    for (int i = 0; i < PARTITIONS; i++) coord_elected(w->coord, i, 0);
    settle(w);
}

static void elect(struct world *w, int part) {
    coord_elected(w->coord, part, 0);
    settle(w);
}

static int16_t committed(struct world *w, const char *group, int64_t offset) {
    return commit_error(await(commit(w, group, offset)));
}

/* Who is not the coordinator says so; after the election it loads and serves. */
static void election(void **state) {
    struct world *w = begin();
    assert_int_equal(committed(w, "g", 1), KERR_NOT_COORDINATOR);
    w->slow_load = true;
    coord_elected(w->coord, part_of("g"), 0);
    assert_int_equal(committed(w, "g", 1), KERR_COORDINATOR_LOAD_IN_PROGRESS);
    w->slow_load = false;
    settle(w);
    assert_int_equal(committed(w, "g", 1), KERR_NONE);
    coord_resigned(w->coord, part_of("g"));
    assert_int_equal(committed(w, "g", 1), KERR_NOT_COORDINATOR);
    end(w);
}

/* Resigned while it loads: the load ends, then it is gone. */
static void resign_while_loading(void **state) {
    struct world *w = begin();
    w->slow_load = true;
    coord_elected(w->coord, part_of("g"), 0);
    coord_resigned(w->coord, part_of("g"));
    assert_int_equal(committed(w, "g", 1), KERR_COORDINATOR_LOAD_IN_PROGRESS);
    w->slow_load = false;
    settle(w);
    assert_int_equal(committed(w, "g", 1), KERR_NOT_COORDINATOR);
    end(w);
}

/* Heartbeats are taken as heard while the group loads. */
static void heartbeat_while_loading(void **state) {
    struct world *w = begin();
    struct heartbeat_request q = {
        .group_id = KSTR("g"), .member_id = KSTR("m"), .group_instance_id = KSTR_NULL};
    w->slow_load = true;
    coord_elected(w->coord, part_of("g"), 0);
    struct ask *a = await(submit(w, GROUP_API_HEARTBEAT, 4, &q));
    assert_int_equal(((const struct heartbeat_response *)a->op.response)->error_code, KERR_NONE);
    w->slow_load = false;
    settle(w);
    struct ask *b = await(submit(w, GROUP_API_HEARTBEAT, 4, &q));
    assert_int_equal(((const struct heartbeat_response *)b->op.response)->error_code, KERR_UNKNOWN_MEMBER_ID);
    end(w);
}

/* Everything is there after a restart, over several batches. */
static void reload(void **state) {
    struct world *w = begin();
    int16_t error;
    elect_all(w);
    for (int i = 0; i < 10; i++) assert_int_equal(committed(w, "g", i), KERR_NONE);
    visit(w, destroy_coord);
    begin_coord(w);
    elect_all(w);
    assert_int_equal(fetch(w, "g", &error), 9);
    assert_int_equal(error, KERR_NONE);
    assert_int_equal(w->parts[part_of("g")].next, 10);
    end(w);
}

/* The answer waits for the commit, and so does who reads behind it. */
static void late_commit(void **state) {
    struct world *w = begin();
    int16_t error;
    int part = part_of("g");
    elect_all(w);
    w->slow = true;
    struct ask *a = commit(w, "g", 5), *b = commit(w, "g", 6);
    pause_ms(30);
    assert_false(is_answered(a));
    coord_committed(w->coord, part, 1);
    await(a);
    pause_ms(20);
    assert_false(is_answered(b));
    coord_committed(w->coord, part, 2);
    assert_int_equal(commit_error(await(b)), KERR_NONE);
    w->slow = false;
    assert_int_equal(fetch(w, "g", &error), 6);
    end(w);
}

static void commit_times_out(void **state) {
    struct world *w = begin();
    w->config.write_timeout_ms = 20;
    elect_all(w);
    w->slow = true;
    assert_int_equal(committed(w, "g", 5), KERR_COORDINATOR_NOT_AVAILABLE);
    coord_committed(w->coord, part_of("g"), 1); /* late, and nobody waits */
    settle(w);
    end(w);
}

/* A refused append changes nothing and is told in the coordinator's words. */
static void append_fails(void **state) {
    struct world *w = begin();
    int16_t error;
    elect_all(w);
    const int16_t cases[][2] = {{KERR_NOT_LEADER_OR_FOLLOWER, KERR_NOT_COORDINATOR},
                                {KERR_KAFKA_STORAGE_ERROR, KERR_NOT_COORDINATOR},
                                {KERR_NOT_ENOUGH_REPLICAS, KERR_COORDINATOR_NOT_AVAILABLE},
                                {KERR_MESSAGE_TOO_LARGE, KERR_UNKNOWN_SERVER_ERROR}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        w->append_error = cases[i][0];
        assert_int_equal(committed(w, "g", 5), cases[i][1]);
    }
    w->append_error = 0;
    assert_int_equal(fetch(w, "g", &error), -1);
    end(w);
}

static struct join_group_request join_request(struct join_group_request_join_group_request_protocol *p) {
    struct join_group_request q;
    join_group_request_init(&q);
    *p = (struct join_group_request_join_group_request_protocol){.name = KSTR("range"),
                                                                 .metadata = {(const uint8_t *)"m", 1}};
    q.group_id = KSTR("g");
    q.session_timeout_ms = 10000;
    q.rebalance_timeout_ms = 10000;
    q.protocol_type = KSTR("consumer");
    q.protocols = p;
    q.protocols_n = 1;
    return q;
}

/* Resigning answers those who wait. */
static void resign_while_waiting(void **state) {
    struct world *w = begin();
    struct join_group_request_join_group_request_protocol p;
    struct join_group_request q = join_request(&p);
    w->group.group_initial_rebalance_delay_ms = 5000;
    elect_all(w);
    w->slow = true;
    struct ask *a = commit(w, "g", 5), *b = submit(w, GROUP_API_JOIN, 3, &q);
    pause_ms(20);
    assert_false(is_answered(a));
    assert_false(is_answered(b));
    coord_resigned(w->coord, part_of("g"));
    assert_int_equal(commit_error(await(a)), KERR_NOT_COORDINATOR);
    assert_int_equal(((const struct join_group_response *)await(b)->op.response)->error_code,
                     KERR_NOT_COORDINATOR);
    end(w);
}

/* A shard that answers within its step and writes, too: the request may be gone before the records are
 * written. */
static void answered_before_it_is_written(void **state) {
    struct world *w = begin();
    struct join_group_request_join_group_request_protocol p;
    struct join_group_request q = join_request(&p);
    elect_all(w);
    struct ask *a = await(submit(w, GROUP_API_JOIN, 4, &q));
    assert_int_equal(((const struct join_group_response *)a->op.response)->error_code,
                     KERR_MEMBER_ID_REQUIRED);
    settle(w);
    assert_int_equal(w->parts[part_of("g")].appends, 1); /* the new group */
    end(w);
}

/* The timers of the shards run on the loop: the initial rebalance ends, and the answer outlives the shard's
 * state. */
static void join_by_timer(void **state) {
    struct world *w = begin();
    struct join_group_request_join_group_request_protocol p;
    struct join_group_request q = join_request(&p);
    elect_all(w);
    struct ask *a = await(submit(w, GROUP_API_JOIN, 3, &q));
    coord_resigned(w->coord, part_of("g"));
    settle(w);
    const struct join_group_response *r = a->op.response;
    assert_int_equal(r->error_code, KERR_NONE);
    assert_int_equal(r->members_n, 1);
    assert_true(kstr_equal(r->member_id, r->leader));
    assert_true(kstr_is(r->protocol_name, "range"));
    assert_memory_equal(r->members[0].metadata.p, "m", 1);
    end(w);
}

static void list_all(void **state) {
    struct world *w = begin();
    char group[8];
    struct list_groups_request q = {0};
    elect_all(w);
    for (int i = 0; i < PARTITIONS * 2; i++) {
        snprintf(group, sizeof group, "g%d", i);
        assert_int_equal(committed(w, group, 1), KERR_NONE);
    }
    struct ask *a = await(submit(w, GROUP_API_LIST, 5, &q));
    assert_int_equal(((const struct list_groups_response *)a->op.response)->groups_n, PARTITIONS * 2);
    w->slow_load = true;
    coord_resigned(w->coord, 0);
    coord_elected(w->coord, 0, 0);
    struct ask *b = await(submit(w, GROUP_API_LIST, 5, &q));
    assert_int_equal(((const struct list_groups_response *)b->op.response)->error_code,
                     KERR_COORDINATOR_LOAD_IN_PROGRESS);
    w->slow_load = false;
    settle(w);
    end(w);
}

static void ignore_done(struct coord_op *op) { assert_non_null(op->response); }

/* Several requests of one submission, each answered by itself. */
static void many_at_once(void **state) {
    struct world *w = begin();
    struct kstr ids[3] = {KSTR("a"), KSTR("b"), KSTR("c")};
    struct coord_op ops[3];
    struct arena arena;
    elect_all(w);
    assert_int_equal(committed(w, "b", 1), KERR_NONE);
    arena_init(&arena, 1 << 20);
    for (int i = 0; i < 3; i++)
        ops[i] = (struct coord_op){.api = GROUP_API_DESCRIBE,
                                   .version = 6,
                                   .request = &ids[i],
                                   .arena = &arena,
                                   .done = ignore_done};
    coord_submit(w->coord, ops, 3);
    settle(w);
    const struct describe_groups_response_described_group *r = ops[1].response;
    assert_int_equal(r->error_code, KERR_NONE);
    assert_true(kstr_is(r->group_state, "Empty"));
    r = ops[2].response;
    assert_int_equal(r->error_code, KERR_GROUP_ID_NOT_FOUND);
    arena_free(&arena);
    end(w);
}

/* Expiry may write more than a batch holds: it is split. */
static void large_expiry(void **state) {
    struct world *w = begin();
    char group[8];
    int part = part_of("g"), groups = 0;
    struct list_groups_request q = {0};
    w->group.offsets_retention_ms = 1;
    w->group.offsets_retention_check_interval_ms = 500;
    w->max_batch = 200;
    elect(w, part);
    for (int i = 0; i < 60; i++) {
        snprintf(group, sizeof group, "g%d", i);
        if (part_of(group) != part) continue;
        assert_int_equal(committed(w, group, 1), KERR_NONE);
        groups++;
    }
    assert_true(groups > 5);
    for (struct ask *a = NULL; !a || ((const struct list_groups_response *)a->op.response)->groups_n;) {
        if (a) arena_free(&a->arena);
        w->asks_n -= a != NULL;
        pause_ms(100);
        a = await(submit(w, GROUP_API_LIST, 5, &q));
    }
    assert_true(w->parts[part].appends >=
                groups + groups / 2); /* two tombstones a group, at most four in a batch */
    end(w);
}

static void log_batch(struct world *w, int part, int64_t producer_id, const char *partition_and_offset) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct batch_builder b;
    uint8_t *bytes,
        key[] = {0, 1, 0, 1, 'g', 0, 1, 't', 0, 0, 0, 0},
        value[] = {0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    size_t n;
    int64_t next;
    bool committed;
    key[11] = (uint8_t)(partition_and_offset[0] - '0');
    value[9] = (uint8_t)(partition_and_offset[1] - '0');
    o.producer_id = producer_id;
    o.producer_epoch = producer_id < 0 ? -1 : 0;
    o.transactional = producer_id >= 0;
    o.compression = COMPRESSION_GZIP;
    struct codec *codec = codec_create();
    batch_builder_init(&b, &o, 1 << 16);
    assert_int_equal(batch_builder_add(&b, 1, key, sizeof key, value, sizeof value), 0);
    assert_int_equal(batch_builder_finish(&b, codec, &bytes, &n), 0);
    assert_int_equal(fake_append(w, part, &(struct coord_batch){.bytes = bytes, .n = n}, &next, &committed),
                     0);
    batch_builder_free(&b);
    codec_destroy(codec);
}

static void log_marker(struct world *w, int part, int64_t producer_id, bool commit_it) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    uint8_t bytes[200];
    int64_t next;
    bool committed;
    o.producer_id = producer_id;
    o.producer_epoch = 0;
    o.transactional = true;
    size_t n = marker_batch_write(bytes, &o, commit_it, 0, 1);
    assert_int_equal(fake_append(w, part, &(struct coord_batch){.bytes = bytes, .n = n}, &next, &committed),
                     0);
}

/* A log with transactions: committed, aborted, open. */
static void load_transactions(void **state) {
    struct world *w = begin();
    int16_t error;
    int part = part_of("g");
    log_batch(w, part, -1, "01");
    log_batch(w, part, 7, "02");
    log_marker(w, part, 7, false);
    elect_all(w);
    assert_int_equal(fetch(w, "g", &error), 1);
    coord_resigned(w->coord, part);
    settle(w);
    log_batch(w, part, 7, "03");
    log_batch(w, part, 8, "04");
    log_marker(w, part, 7, true);
    elect(w, part);
    assert_int_equal(fetch(w, "g", &error), -1);
    assert_int_equal(error, KERR_UNSTABLE_OFFSET_COMMIT);
    coord_resigned(w->coord, part);
    settle(w);
    log_marker(w, part, 8, false);
    elect(w, part);
    assert_int_equal(fetch(w, "g", &error), 3);
    assert_int_equal(error, KERR_NONE);
    end(w);
}

/* A log that cannot be read is not served; the next election tries again. */
static void load_fails(void **state) {
    struct world *w = begin();
    int16_t error;
    int part = part_of("g");
    w->read_error = OE_CORRUPT;
    elect_all(w);
    assert_int_equal(fetch(w, "g", &error), -2);
    assert_int_equal(error, KERR_NOT_COORDINATOR);
    w->read_error = 0;
    log_batch(w, part, -1, "01");
    w->parts[part].bytes.s[40] ^= 1; /* under the CRC */
    elect_all(w);
    assert_int_equal(fetch(w, "g", &error), -2);
    w->parts[part].bytes.s[40] ^= 1;
    elect_all(w);
    assert_int_equal(fetch(w, "g", &error), 1);
    end(w);
}

static void topics_deleted(void **state) {
    struct world *w = begin();
    int16_t error;
    struct kstr names[2] = {KSTR("other"), KSTR("t")};
    struct uuid ids[2] = {{{1}}, {{2}}};
    elect_all(w);
    assert_int_equal(committed(w, "g", 4), KERR_NONE);
    coord_topics_deleted(w->coord, names, ids, 2);
    assert_int_equal(fetch(w, "g", &error), -1);
    end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(election),
        cmocka_unit_test(resign_while_loading),
        cmocka_unit_test(heartbeat_while_loading),
        cmocka_unit_test(reload),
        cmocka_unit_test(late_commit),
        cmocka_unit_test(commit_times_out),
        cmocka_unit_test(append_fails),
        cmocka_unit_test(resign_while_waiting),
        cmocka_unit_test(answered_before_it_is_written),
        cmocka_unit_test(join_by_timer),
        cmocka_unit_test(list_all),
        cmocka_unit_test(many_at_once),
        cmocka_unit_test(large_expiry),
        cmocka_unit_test(load_transactions),
        cmocka_unit_test(load_fails),
        cmocka_unit_test(topics_deleted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
