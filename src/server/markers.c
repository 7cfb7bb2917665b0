/* Before: handlers/write_txn_markers, txn (by server/coordinators). After: server/own_append, coord.
 *
 * A job of the coordinator's: write → all partitions settled → those that failed for a while again after
 * RETRY_MS, → told. A partition that the metadata does not know any more needs no marker. One whose log has
 * seen a newer epoch of the producer is not this transaction's any more. */
#include "server/markers.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "metadata/image.h"
#include "record/control.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/coordinators.h"
#include "server/error_map.h"
#include "server/node.h"
#include "server/own_append.h"
#include "txn/shard.h"

enum { MARKER_BYTES = 128, RETRY_MS = 100 };

/* ---- one marker ---- */

static void settle(struct marker_write *w) {
    if (atomic_fetch_sub(&w->left, 1) == 1) w->done(w);
}

static void on_flushed(void *arg, int64_t next, int err) { /* worker */
    struct marker_slot *s = arg;
    if (err) s->error = kerr_of_storage(err);
    settle(s->write);
}

static void to_log(struct marker_slot *s) {
    struct marker_write *w = s->write;
    struct replica *p = replicas_get(w->node->replicas, s->topic.s, (size_t)s->topic.len, s->partition);
    uint8_t bytes[MARKER_BYTES];
    struct batch_options o = BATCH_OPTIONS_NONE;
    int64_t next = 0;
    bool waits = false;
    if (!p) {
        s->error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        settle(w);
        return;
    }
    o.producer_id = w->producer_id;
    o.producer_epoch = w->epoch;
    o.transactional = true;
    struct own_append a = {
        .batch = bytes,
        .n = marker_batch_write(bytes, &o, w->commit, w->coordinator_epoch, w->now_ms),
        .transaction_version = w->transaction_version,
        .now_ms = w->now_ms,
        .flushed = on_flushed,
        .arg = s,
    };
    ASSERT(a.n <= sizeof bytes);
    int16_t error = own_append(w->node, p, &a, &next, &waits);
    replica_unref(p);
    if (error) s->error = error; /* else it is the flush's, which may be over by now */
    if (error || !waits) settle(w);
}

static void on_group_done(struct coord_op *op) { /* coordinator's thread */
    struct marker_slot *s = op->owner;
    switch (op->error) {
    case KERR_COORDINATOR_NOT_AVAILABLE:
    case KERR_COORDINATOR_LOAD_IN_PROGRESS:
    case KERR_NOT_COORDINATOR: s->error = KERR_NOT_LEADER_OR_FOLLOWER; break;
    default: s->error = op->error; break;
    }
    settle(s->write);
}

static void to_group(struct marker_slot *s) {
    const struct marker_write *w = s->write;
    s->marker = (struct coord_marker){
        .producer_id = w->producer_id,
        .partition = s->partition,
        .coordinator_epoch = w->coordinator_epoch,
        .epoch = w->epoch,
        .transaction_version = w->transaction_version,
        .commit = w->commit,
    };
    s->op = (struct coord_op){.api = COORD_MARKER, .request = &s->marker, .done = on_group_done, .owner = s};
    coord_submit(coordinators_get(w->node->coordinators, COORDINATOR_GROUP), &s->op, 1);
}

void marker_write_begin(struct marker_write *w) {
    ASSERT(w->n > 0);
    struct kstr offsets = coordinators_topic(w->node->coordinators, COORDINATOR_GROUP);
    w->now_ms = clock_wall_ms();
    atomic_init(&w->left, w->n + 1);
    for (int32_t i = 0; i < w->n; i++) {
        struct marker_slot *s = &w->slots[i];
        s->write = w;
        s->error = KERR_NONE;
        if (kstr_equal(s->topic, offsets))
            to_group(s);
        else
            to_log(s);
    }
    settle(w);
}

/* ---- the coordinator's jobs ---- */

struct markers {
    struct node *node;
    struct loop *loop;
    struct marker_job *jobs; /* all */
    int running;             /* of them are not waiting for their timer */
    bool stopped;
};

struct marker_job {
    struct marker_write write;
    struct markers *all;
    struct marker_job *next, **link;
    struct mail mail;
    struct timer timer;
    struct coord_op op;
    struct txn_marked marked;
    struct kstr id;
    char text[]; /* id and names */
};

static void free_job(struct marker_job *j) {
    *j->link = j->next;
    if (j->next) j->next->link = j->link;
    free(j->write.slots);
    free(j);
}

static void run(struct marker_job *j) {
    j->all->running++;
    marker_write_begin(&j->write);
}

static void on_told(struct coord_op *op) {
    struct marker_job *j = op->owner;
    j->all->running--;
    free_job(j);
}

static void tell(struct marker_job *j, bool fenced) {
    j->marked = (struct txn_marked){.id = j->id,
                                    .producer_id = j->write.producer_id,
                                    .epoch = j->write.epoch,
                                    .coordinator_epoch = j->write.coordinator_epoch,
                                    .fenced = fenced};
    j->op = (struct coord_op){.api = TXN_API_MARKED, .request = &j->marked, .done = on_told, .owner = j};
    coord_submit(coordinators_get(j->all->node->coordinators, COORDINATOR_TXN), &j->op, 1);
}

/* Is there such a partition at all? */
static bool exists(const struct image *i, const struct marker_slot *s) {
    const struct topic *t = image_topic_by_name(i, s->topic.s, (size_t)s->topic.len);
    return t && s->partition >= 0 && s->partition < t->partitions_n && t->partitions[s->partition];
}

/* Keeps the slots that have to be tried again. */
static bool sort_out(struct marker_job *j, bool *fenced) {
    struct image *image = node_image(j->all->node);
    int32_t kept = 0;
    for (int32_t i = 0; i < j->write.n; i++) {
        const struct marker_slot *s = &j->write.slots[i];
        if (s->error == KERR_NONE || !exists(image, s)) continue;
        *fenced |= s->error == KERR_TRANSACTION_COORDINATOR_FENCED;
        bool over = s->error == KERR_INVALID_PRODUCER_EPOCH;
        LOG_LIMITED(LOG_WARN, "txn", "%.*s: the marker for %.*s-%d: %s%s", (int)j->id.len, j->id.s,
                    (int)s->topic.len, s->topic.s, s->partition, kerr_name(s->error),
                    over ? "; it has a newer epoch and needs none" : "");
        if (over || *fenced) continue;
        j->write.slots[kept++] = *s;
    }
    j->write.n = kept;
    image_unref(image);
    return kept > 0;
}

static void on_settled(struct mail *m) {
    struct marker_job *j = (struct marker_job *)((char *)m - offsetof(struct marker_job, mail));
    bool fenced = false, again = sort_out(j, &fenced);
    if (fenced || !again) {
        tell(j, fenced);
        return;
    }
    j->all->running--;
    if (j->all->stopped)
        free_job(j);
    else
        loop_timer_set(j->all->loop, &j->timer, loop_now(j->all->loop) + RETRY_MS);
}

static void on_done(struct marker_write *w) { /* any thread */
    struct marker_job *j = (struct marker_job *)((char *)w - offsetof(struct marker_job, write));
    j->mail.deliver = on_settled;
    loop_post(j->all->loop, &j->mail);
}

static void on_retry(struct timer *t) {
    run((struct marker_job *)((char *)t - offsetof(struct marker_job, timer)));
}

static struct kstr copy(char **at, struct kstr s) {
    struct kstr to = {*at, s.len};
    memcpy(*at, s.s, (size_t)s.len);
    *at += s.len;
    return to;
}

void markers_send(struct markers *m, const struct txn_markers *what) {
    const struct txn_partitions *p = what->partitions;
    size_t text = (size_t)what->id.len;
    if (m->stopped) return; /* who takes over sends them */
    for (int32_t i = 0; i < p->n; i++) text += (size_t)p->topics[i].name.len;
    struct marker_job *j = xcalloc(1, sizeof *j + text);
    char *at = j->text;
    j->all = m;
    j->id = copy(&at, what->id);
    j->timer.on_due = on_retry;
    j->write = (struct marker_write){
        .node = m->node,
        .producer_id = what->producer_id,
        .coordinator_epoch = what->coordinator_epoch,
        .epoch = what->epoch,
        .transaction_version = what->version,
        .commit = what->commit,
        .slots = xcalloc((size_t)txn_partitions_count(p), sizeof *j->write.slots),
        .done = on_done,
    };
    for (int32_t i = 0; i < p->n; i++) {
        struct kstr name = copy(&at, p->topics[i].name);
        for (int32_t k = 0; k < p->topics[i].n; k++)
            j->write.slots[j->write.n++] =
                (struct marker_slot){.topic = name, .partition = p->topics[i].partitions[k]};
    }
    j->next = m->jobs;
    j->link = &m->jobs;
    if (m->jobs) m->jobs->link = &j->next;
    m->jobs = j;
    run(j);
}

struct markers *markers_create(struct node *n, struct loop *loop) {
    struct markers *m = xcalloc(1, sizeof *m);
    *m = (struct markers){.node = n, .loop = loop};
    return m;
}

bool markers_stop(struct markers *m) {
    m->stopped = true;
    return m->running == 0;
}

void markers_destroy(struct markers *m) {
    ASSERT(m->running == 0);
    for (struct marker_job *j = m->jobs, *next; j; j = next) { /* all wait for their timers */
        next = j->next;
        loop_timer_cancel(m->loop, &j->timer);
        free(j->write.slots);
        free(j);
    }
    free(m);
}
