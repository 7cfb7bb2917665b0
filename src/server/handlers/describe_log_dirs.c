/* DescribeLogDirs: each log directory with its partitions and their sizes, and the disk's.
 * KafkaApis.handleDescribeLogDirsRequest, ReplicaManager.describeLogDirs. A log that nobody has used since
 * the start is opened to know its size, so it runs on a worker. */
#include "server/handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "api/describe_log_dirs.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/space.h"
#include "io/worker.h"
#include "metadata/version.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/mover.h"
#include "server/node.h"
#include "storage/log.h"
#include "storage/logdir.h"

struct describe {
    struct job job;
    struct request *request;
    const struct describe_log_dirs_request *in;
    struct describe_log_dirs_response out;
    struct replica **replicas; /* those asked for, with references, neighbours of one topic */
    size_t n;
    struct log **futures; /* copies on their way, held */
    size_t futures_n;
    int16_t metadata_version;
};

static int by_place(const void *x, const void *y) {
    const struct replica *a = *(struct replica *const *)x, *b = *(struct replica *const *)y;
    if (a->topic != b->topic) return a->topic < b->topic ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

static size_t named_count(const struct describe_log_dirs_request *in) {
    size_t n = 0;
    for (int32_t t = 0; t < in->topics_n; t++) n += (size_t)in->topics[t].partitions_n;
    return n;
}

/* Those that are named, once each. */
static void take_named(struct describe *d) {
    struct replicas *all = d->request->node->replicas;
    size_t found = 0;
    d->replicas = xcalloc(named_count(d->in), sizeof(struct replica *));
    for (int32_t t = 0; t < d->in->topics_n; t++) {
        const struct describe_log_dirs_request_describable_log_dir_topic *asked = &d->in->topics[t];
        for (int32_t i = 0; i < asked->partitions_n; i++) {
            struct replica *p =
                replicas_get(all, asked->topic.s, (size_t)asked->topic.len, asked->partitions[i]);
            if (p) d->replicas[found++] = p;
        }
    }
    if (found) qsort(d->replicas, found, sizeof(struct replica *), by_place);
    for (size_t i = 0; i < found; i++)
        if (d->n && d->replicas[d->n - 1] == d->replicas[i])
            replica_unref(d->replicas[i]);
        else
            d->replicas[d->n++] = d->replicas[i];
}

static void see_future(void *to, struct log *l) {
    struct describe *d = to;
    if (!log_is_future(l)) return;
    d->futures = xrealloc(d->futures, (d->futures_n + 1) * sizeof *d->futures);
    logdir_hold(l);
    d->futures[d->futures_n++] = l;
}

/* The copy of the replica's log that is on its way to the directory, or NULL. */
static struct log *future_of(const struct describe *d, const struct replica *p, const struct logdir *dir) {
    for (size_t i = 0; i < d->futures_n; i++) {
        size_t len;
        const char *topic = log_topic(d->futures[i], &len);
        if (log_dir(d->futures[i]) == dir && len == (size_t)p->topic->name_len &&
            !memcmp(topic, p->topic->name, len) && log_partition(d->futures[i]) == p->index)
            return d->futures[i];
    }
    return NULL;
}

static void fill_partitions(struct describe *d, const struct logdir *dir,
                            struct describe_log_dirs_response_describe_log_dirs_result *o) {
    const struct replica_topic *last = NULL;
    struct describe_log_dirs_response_describe_log_dirs_partition *partitions =
        request_array(d->request, d->n, sizeof *partitions);
    o->topics = request_array(d->request, d->n, sizeof *o->topics);
    if (!partitions || !o->topics) return;
    for (size_t i = 0; i < d->n; i++) {
        struct replica *p = d->replicas[i];
        struct log *future = log_dir(p->log) == dir ? NULL : future_of(d, p, dir);
        if (log_dir(p->log) != dir && !future) continue;
        if (p->topic != last) {
            struct describe_log_dirs_response_describe_log_dirs_topic *t = &o->topics[o->topics_n++];
            const char *name = arena_strndup(&d->request->arena, p->topic->name, (size_t)p->topic->name_len);
            t->name = name ? (struct kstr){name, p->topic->name_len}
                           : KSTR(""); /* the topic may go before the answer has left */
            t->partitions = partitions;
            last = p->topic;
        }
        log_lock(p->log);
        int64_t size = replica_open(p, clock_wall_ms()) ? 0 : log_size(p->log), end = log_end_offset(p->log);
        log_unlock(p->log);
        struct describe_log_dirs_response_describe_log_dirs_partition one = {.partition_index = p->index,
                                                                             .partition_size = size};
        if (future) {
            log_lock(future);
            one.partition_size = log_size(future);
            one.offset_lag = end - log_end_offset(future);
            log_unlock(future);
            one.is_future_key = true;
        }
        *partitions++ = one;
        o->topics[o->topics_n - 1].partitions_n++;
    }
}

static void work(struct job *j) { /* a worker */
    struct describe *d = (struct describe *)j;
    struct node *n = d->request->node;
    if (d->in->topics_n < 0)
        d->replicas = replicas_all(n->replicas, &d->n);
    else
        take_named(d);
    for (int i = 0; i < n->logdirs_n; i++) logdir_each(n->logdirs[i], see_future, d);
    d->out.results = request_array(d->request, (size_t)n->logdirs_n, sizeof *d->out.results);
    for (int i = 0; d->out.results && i < n->logdirs_n; i++) {
        struct describe_log_dirs_response_describe_log_dirs_result *o = &d->out.results[d->out.results_n++];
        const char *path = logdir_path(n->logdirs[i]);
        char *absolute = realpath(path, NULL);
        describe_log_dirs_response_describe_log_dirs_result_init(o);
        const char *copy =
            arena_strndup(&d->request->arena, absolute ? absolute : path, strlen(absolute ? absolute : path));
        o->log_dir = copy ? kstr_of(copy) : KSTR("");
        free(absolute);
        if (logdir_is_offline(n->logdirs[i])) {
            o->error_code = KERR_KAFKA_STORAGE_ERROR;
            continue;
        }
        disk_space(path, &o->total_bytes, &o->usable_bytes);
        o->is_cordoned = d->metadata_version >= MV_4_3_IV0 && log_dir_is_cordoned(n, n->logdirs[i]);
        fill_partitions(d, n->logdirs[i], o);
    }
    for (size_t i = 0; i < d->n; i++) replica_unref(d->replicas[i]);
    free(d->replicas);
    for (size_t i = 0; i < d->futures_n; i++) logdir_release(d->futures[i]);
    free(d->futures);
}

static void finish(struct request *r) { request_finish(r, &((struct describe *)r->state)->out); }

static void done(struct job *j) {
    work(j);
    request_resume(((struct describe *)j)->request, finish);
}

void handle_describe_log_dirs(struct request *r, const struct describe_log_dirs_request *in) {
    struct describe *d = request_alloc(r, sizeof *d);
    describe_log_dirs_response_init(&d->out);
    d->request = r;
    d->in = in;
    d->metadata_version = request_image(r)->metadata_version;
    d->job.work = done;
    r->state = d;
    workers_submit(r->node->workers, &d->job);
}
