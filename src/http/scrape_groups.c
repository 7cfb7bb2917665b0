/* How far groups are behind: for each committed offset the records up to the partition's readable end, and
 * the age of the next one.
 *
 * The coordinator is asked as handlers ask it, some groups at a time; this thread waits for its answers. Then
 * the end of each partition is read, and for those that are behind the header of the batch that comes next.
 * All of it is gathered first (LAGS_MAX of them), because each family's samples stand together. */
#include "http/scrape.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/list_groups.h"
#include "api/offset_fetch.h"
#include "base/mem.h"
#include "coord/coord.h"
#include "group/shard.h"
#include "io/clock.h"
#include "record/batch.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/coordinators.h"
#include "server/node.h"
#include "storage/log.h"

enum { GROUPS_AT_ONCE = 64, LAGS_MAX = 100000, LAGS_A_PIECE = 64, ANSWERS_MAX = 256 << 20 };

struct lag {
    struct kstr group, topic; /* in the arena */
    int32_t partition;
    int64_t committed, records; /* records −1: the partition is not here */
    double seconds;
};

struct group_lags {
    struct arena arena;
    struct lag *v;
    size_t n, room;
    int64_t groups_n;
};

void group_lags_free(struct group_lags *l) {
    if (!l) return;
    arena_free(&l->arena);
    free(l->v);
    free(l);
}

/* ---- asking the coordinator ---- */

struct ask {
    pthread_mutex_t lock;
    pthread_cond_t all;
    int left;
};

static void on_done(struct coord_op *op) { /* coordinator's thread */
    struct ask *ask = op->owner;
    pthread_mutex_lock(&ask->lock);
    if (--ask->left == 0) pthread_cond_signal(&ask->all);
    pthread_mutex_unlock(&ask->lock);
}

/* Asks, and waits until all are answered. */
static void ask_all(struct node *n, struct coord_op *ops, int count) {
    struct ask ask = {.left = count};
    pthread_mutex_init(&ask.lock, NULL);
    pthread_cond_init(&ask.all, NULL);
    for (int i = 0; i < count; i++) {
        ops[i].done = on_done;
        ops[i].owner = &ask;
    }
    coord_submit(coordinators_get(n->coordinators, COORDINATOR_GROUP), ops, count);
    pthread_mutex_lock(&ask.lock);
    while (ask.left) pthread_cond_wait(&ask.all, &ask.lock);
    pthread_mutex_unlock(&ask.lock);
    pthread_cond_destroy(&ask.all);
    pthread_mutex_destroy(&ask.lock);
}

/* ---- where a group stands ---- */

/* When the batch at the slice's start was written, as far as it says: LogAppendTime, else the producer's time
 * of its first record. −1: not known. */
static int64_t time_of(const struct log_slice *slice) {
    uint8_t head[BATCH_HEADER];
    if (file_pread(slice->file, head, sizeof head, slice->position) != (int64_t)sizeof head) return -1;
    if (batch_magic(head) != 2) return -1;
    return batch_attrs(head) & BATCH_LOG_APPEND_TIME ? batch_max_timestamp_v2(head)
                                                     : batch_base_timestamp(head);
}

static void measure(struct replica *p, struct lag *lag) {
    struct log_slice slice = {0};
    int64_t now = clock_wall_ms();
    if (!p->log || replica_recovers(p)) return;
    log_lock(p->log);
    if (!p->deleted && !replica_open(p, now)) {
        int64_t end = log_high_watermark(p->log), start = log_start_offset(p->log);
        int64_t next = lag->committed > start ? lag->committed : start;
        lag->records = end > next ? end - next : 0;
        if (lag->records && log_read(p->log, next, 1, end, true, NULL, &slice)) slice.file = NULL;
    }
    log_unlock(p->log);
    if (!slice.file) return;
    int64_t then = time_of(&slice);
    file_unref(slice.file);
    if (then >= 0 && then < now) lag->seconds = (double)(now - then) / 1000;
}

static struct kstr keep(struct group_lags *l, struct kstr s) {
    char *copy = arena_strndup(&l->arena, s.s ? s.s : "", s.len > 0 ? (size_t)s.len : 0);
    return (struct kstr){copy ? copy : "", copy ? s.len : 0};
}

static void add(struct scrape *s, struct kstr group, struct kstr topic, int32_t partition,
                int64_t committed) {
    struct group_lags *l = s->lags;
    if (committed < 0 || l->n == LAGS_MAX) return;
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        l->v = xrealloc(l->v, l->room * sizeof *l->v);
    }
    struct lag *lag = &l->v[l->n++];
    *lag = (struct lag){
        .group = group, .topic = topic, .partition = partition, .committed = committed, .records = -1};
    struct replica *p = replicas_get(s->node->replicas, topic.s, (size_t)topic.len, partition);
    if (!p) return;
    measure(p, lag);
    replica_unref(p);
}

static void add_group(struct scrape *s, const struct offset_fetch_response_offset_fetch_response_group *g,
                      struct kstr group) {
    if (!g || g->error_code) return;
    for (int32_t t = 0; t < g->topics_n; t++) {
        struct kstr topic = keep(s->lags, g->topics[t].name);
        for (int32_t i = 0; i < g->topics[t].partitions_n; i++)
            add(s, group, topic, g->topics[t].partitions[i].partition_index,
                g->topics[t].partitions[i].committed_offset);
    }
}

/* Some groups, at most GROUPS_AT_ONCE. */
static void ask_groups(struct scrape *s, const struct list_groups_response_listed_group *groups, int count) {
    struct coord_op ops[GROUPS_AT_ONCE];
    struct group_offset_fetch asked[GROUPS_AT_ONCE];
    struct offset_fetch_request_offset_fetch_request_group which[GROUPS_AT_ONCE];
    struct arena answers;
    arena_init(&answers, ANSWERS_MAX);
    for (int i = 0; i < count; i++) {
        offset_fetch_request_offset_fetch_request_group_init(&which[i]);
        which[i].group_id = groups[i].group_id;
        which[i].topics_n = -1;
        asked[i] = (struct group_offset_fetch){.group = &which[i]};
        ops[i] = (struct coord_op){
            .api = GROUP_API_OFFSET_FETCH, .version = 9, .request = &asked[i], .arena = &answers};
    }
    ask_all(s->node, ops, count);
    for (int i = 0; i < count; i++) add_group(s, ops[i].response, keep(s->lags, groups[i].group_id));
    arena_free(&answers);
}

static void gather(struct scrape *s) {
    struct list_groups_request in;
    struct arena answer;
    s->lags = xcalloc(1, sizeof *s->lags);
    arena_init(&s->lags->arena, ANSWERS_MAX);
    arena_init(&answer, ANSWERS_MAX);
    list_groups_request_init(&in);
    struct coord_op op = {.api = GROUP_API_LIST, .version = 5, .request = &in, .arena = &answer};
    ask_all(s->node, &op, 1);
    const struct list_groups_response *out = op.response;
    int32_t n = out && out->groups_n > 0 ? out->groups_n : 0;
    s->lags->groups_n = n;
    for (int32_t i = 0; i < n; i += GROUPS_AT_ONCE)
        ask_groups(s, &out->groups[i], n - i < GROUPS_AT_ONCE ? n - i : GROUPS_AT_ONCE);
    arena_free(&answer);
}

/* ---- telling ---- */

static const enum metric_id of_lags[] = {METRIC_GROUP_LAG, METRIC_GROUP_LAG_SECONDS, METRIC_GROUP_OFFSET};
enum { OF_LAGS = sizeof of_lags / sizeof *of_lags };

static void add_sample(struct scrape *s, enum metric_id id, const struct lag *lag) {
    char number[16];
    snprintf(number, sizeof number, "%d", lag->partition);
    const struct metric_label labels[] = {
        {"group", lag->group}, {"topic", lag->topic}, {"partition", kstr_of(number)}, {0}};
    if (id == METRIC_GROUP_OFFSET)
        metric_int(&s->out, id, labels, lag->committed);
    else if (lag->records < 0)
        return;
    else if (id == METRIC_GROUP_LAG)
        metric_int(&s->out, id, labels, lag->records);
    else
        metric_sample(&s->out, id, labels, lag->seconds);
}

bool scrape_groups(struct scrape *s) {
    enum metric_id id = of_lags[s->family];
    if (!s->lags) {
        gather(s);
        metric_one(&s->out, METRIC_GROUPS, (double)s->lags->groups_n);
    }
    if (s->at == 0) metric_head(&s->out, id);
    for (int n = 0; n < LAGS_A_PIECE && s->at < s->lags->n; n++) add_sample(s, id, &s->lags->v[s->at++]);
    if (s->at < s->lags->n) return true;
    s->at = 0;
    return ++s->family < OF_LAGS;
}
