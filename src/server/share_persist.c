/* A job travels: network loop → coordinator's thread (share_state_step) → back: a write ends there, a load
 * ends on the share partition's home loop, which may look into the log for where to begin. While the
 * coordinator is not there (its topic is being made, its partition loads), the job waits on the home loop and
 * tries again. */
#include "server/share_persist.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "coord/coord.h"
#include "metadata/image.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/coordinators.h"
#include "server/error_map.h"
#include "server/net.h"
#include "server/node.h"
#include "server/share_state_call.h"
#include "server/shares_internal.h"
#include "storage/log.h"

enum {
    FIRST_RETRY_MS = 20,
    LAST_RETRY_MS = 1000,
    GIVE_UP_MS = 30000,
    ARENA_MAX = 256 << 20, /* a state that was written fits */
    START_UNKNOWN = -1,
};

struct persist {
    struct shared_partition *p; /* a reference */
    struct coord_op op;
    struct share_state_request in;
    struct arena arena;
    struct share_write write; /* SHARE_STATE_WRITE */
    void (*done)(void *arg, int16_t error);
    void *arg;
    struct timer timer;
    struct mail mail;
    int64_t retry_ms, waited_ms;
    struct persist *next, *prev; /* of those that wait to try again */
};

static void submit(struct persist *j);

static void free_job(struct persist *j) {
    shared_unref(j->p);
    share_write_free(&j->write);
    arena_free(&j->arena);
    free(j);
}

/* What a client is told (SharePartition.fetchPersisterError). */
static int16_t for_client(int16_t error) {
    switch (error) {
    case KERR_NONE:
    case KERR_GROUP_ID_NOT_FOUND:
    case KERR_UNKNOWN_TOPIC_OR_PARTITION: return error;
    case KERR_NOT_COORDINATOR:
    case KERR_COORDINATOR_NOT_AVAILABLE:
    case KERR_COORDINATOR_LOAD_IN_PROGRESS: return KERR_COORDINATOR_NOT_AVAILABLE;
    case KERR_FENCED_LEADER_EPOCH:
    case KERR_FENCED_STATE_EPOCH: return KERR_NOT_LEADER_OR_FOLLOWER;
    default: return KERR_UNKNOWN_SERVER_ERROR;
    }
}

/* Somebody else leads it, or nobody wants it any more. */
static bool fences(int16_t error) {
    return error == KERR_NOT_LEADER_OR_FOLLOWER || error == KERR_GROUP_ID_NOT_FOUND ||
           error == KERR_UNKNOWN_TOPIC_OR_PARTITION;
}

/* ---- again ---- */

static void list_in(struct persist *j) {
    struct shares *s = j->p->shares;
    pthread_mutex_lock(&s->lock);
    j->prev = NULL;
    j->next = s->retries;
    if (j->next) j->next->prev = j;
    s->retries = j;
    pthread_mutex_unlock(&s->lock);
}

static void list_out(struct persist *j) {
    struct shares *s = j->p->shares;
    pthread_mutex_lock(&s->lock);
    *(j->prev ? &j->prev->next : &s->retries) = j->next;
    if (j->next) j->next->prev = j->prev;
    pthread_mutex_unlock(&s->lock);
}

static struct persist *list_pop(struct shares *s) {
    pthread_mutex_lock(&s->lock);
    struct persist *j = s->retries;
    if (j) s->retries = j->next;
    if (j && j->next) j->next->prev = NULL;
    pthread_mutex_unlock(&s->lock);
    return j;
}

static void on_again(struct timer *t) {
    struct persist *j = (struct persist *)((char *)t - offsetof(struct persist, timer));
    list_out(j);
    submit(j);
}

static void on_wait(struct mail *m) { /* home loop */
    struct persist *j = (struct persist *)((char *)m - offsetof(struct persist, mail));
    j->timer.on_due = on_again;
    list_in(j);
    loop_timer_set(j->p->home->loop, &j->timer, loop_now(j->p->home->loop) + j->retry_ms);
    j->waited_ms += j->retry_ms;
    j->retry_ms = j->retry_ms * 2 < LAST_RETRY_MS ? j->retry_ms * 2 : LAST_RETRY_MS;
}

static bool try_again(struct persist *j, int16_t error) {
    struct shares *s = j->p->shares;
    if (!share_state_comes_later(error) || atomic_load(&s->stopping) || j->waited_ms >= GIVE_UP_MS)
        return false;
    share_state_make_topic(s->node);
    j->mail.deliver = on_wait;
    loop_post(j->p->home->loop, &j->mail);
    return true;
}

/* ---- a load ---- */

/* Where share.auto.offset.reset says, with the log's lock held. */
static int16_t first_offset(struct shared_partition *p, const struct share_settings *s, int64_t *start) {
    struct log *log = p->replica->log;
    struct log_position at = {-1, -1, -1};
    int64_t now = loop_wall(p->home->loop);
    if (p->replica->deleted) return KERR_UNKNOWN_TOPIC_OR_PARTITION;
    int err = replica_open(p->replica, now);
    if (err) return kerr_of_storage(err);
    switch (s->start) {
    case SHARE_START_LATEST: *start = log_high_watermark(log); return 0;
    case SHARE_START_EARLIEST: *start = log_start_offset(log); return 0;
    case SHARE_START_BY_DURATION:
        err = log_offset_for_timestamp(log, now - s->start_duration_ms, p->home->codec, &at);
        if (err) return kerr_of_storage(err);
        if (at.offset < 0 || at.offset >= log_high_watermark(log)) return KERR_OFFSET_NOT_AVAILABLE;
        *start = at.offset;
        return 0;
    }
    return KERR_UNKNOWN_SERVER_ERROR;
}

static int16_t find_start(struct shared_partition *p, int64_t *start) {
    struct share_settings settings;
    struct image *image = node_image(p->shares->node);
    share_settings_get(p->shares->node, image, p->group, &settings);
    image_unref(image);
    log_lock(p->replica->log);
    int16_t error = first_offset(p, &settings, start);
    log_unlock(p->replica->log);
    return error;
}

static int16_t load(struct shared_partition *p, const struct share_state_response *from) {
    int64_t start = from->start_offset;
    int16_t error = start == START_UNKNOWN ? find_start(p, &start) : 0;
    if (error) return error;
    shared_lock(p);
    int err = p->state == SHARED_LOADING
                  ? share_partition_load(p->core, start, from->state_epoch, from->batches, from->batches_n)
                  : 0;
    if (!err && p->state == SHARED_LOADING) {
        p->state = SHARED_ACTIVE;
        shared_wake(p);
    }
    shared_unlock(p);
    return err ? KERR_UNKNOWN_SERVER_ERROR : KERR_NONE;
}

static void end_load(struct persist *j) {
    const struct share_state_response *from = j->op.response;
    int16_t error = from ? for_client(from->error) : KERR_UNKNOWN_SERVER_ERROR;
    if (!error) error = load(j->p, from);
    if (error) {
        LOG_LIMITED(LOG_WARN, "share", "group %.*s, partition %d of %s: its state cannot be loaded: %s",
                    (int)j->p->group.len, j->p->group.s, j->p->index, j->p->replica->topic->name,
                    from && from->why ? from->why : kerr_name(error));
        shared_remove(j->p, SHARED_FAILED, error);
    }
    free_job(j);
}

static void on_loaded(struct mail *m) { /* home loop */
    end_load((struct persist *)((char *)m - offsetof(struct persist, mail)));
}

/* ---- a write ---- */

static void end_write(struct shared_partition *p, const struct share_write *w, bool ok) {
    shared_lock(p);
    bool wake = share_partition_written(p->core, w, ok);
    if (wake) shared_wake(p);
    shared_unlock(p);
}

static void on_written(struct persist *j, int16_t error) { /* coordinator's thread */
    end_write(j->p, &j->write, !error);
    if (error)
        LOG_LIMITED(LOG_WARN, "share", "group %.*s, partition %d of %s: its state cannot be written: %s",
                    (int)j->p->group.len, j->p->group.s, j->p->index, j->p->replica->topic->name,
                    kerr_name(error));
    if (fences(error)) shared_remove(j->p, SHARED_FENCED, KERR_NONE);
    if (j->done) j->done(j->arg, error);
    free_job(j);
}

/* ---- both ---- */

static void on_done(struct coord_op *op) { /* coordinator's thread */
    struct persist *j = op->owner;
    const struct share_state_response *r = op->response;
    int16_t error = r ? r->error : KERR_UNKNOWN_SERVER_ERROR;
    if (try_again(j, error)) return;
    if (op->api == SHARE_STATE_WRITE) {
        on_written(j, for_client(error));
        return;
    }
    j->mail.deliver = on_loaded;
    loop_post(j->p->home->loop, &j->mail);
}

static void submit(struct persist *j) {
    arena_reset(&j->arena);
    j->in.key = share_state_key(j->in.group, &j->in.topic, j->in.partition, &j->arena);
    ASSERT(j->in.key.len > 0);
    j->op.response = NULL;
    j->op.answered = false;
    coord_submit(coordinators_get(j->p->shares->node->coordinators, COORDINATOR_SHARE), &j->op, 1);
}

static struct persist *new_job(struct shared_partition *p, enum share_state_api api) {
    struct persist *j = xcalloc(1, sizeof *j);
    *j = (struct persist){.p = shared_ref(p), .retry_ms = FIRST_RETRY_MS};
    arena_init(&j->arena, ARENA_MAX);
    j->in = (struct share_state_request){
        .group = p->group, .topic = p->topic, .partition = p->index, .leader_epoch = p->leader_epoch};
    j->op = (struct coord_op){
        .api = (int)api, .request = &j->in, .arena = &j->arena, .done = on_done, .owner = j};
    return j;
}

void share_persist_load(struct shared_partition *p) { submit(new_job(p, SHARE_STATE_READ)); }

void shared_write(struct shared_partition *p, struct share_write *w, void (*done)(void *arg, int16_t error),
                  void *arg) {
    if (!w->batches.n) {
        share_write_free(w);
        if (done) done(arg, KERR_NONE);
        return;
    }
    struct persist *j = new_job(p, SHARE_STATE_WRITE);
    j->write = *w;
    *w = (struct share_write){0};
    j->done = done;
    j->arg = arg;
    j->in.state_epoch = j->write.state_epoch;
    j->in.start_offset = j->write.start_offset;
    j->in.delivery_complete = j->write.delivery_complete;
    j->in.batches = j->write.batches.v;
    j->in.batches_n = j->write.batches.n;
    submit(j);
}

void share_persist_end_all(struct shares *s) {
    for (struct persist *j; (j = list_pop(s));) {
        if (j->op.api == SHARE_STATE_WRITE)
            on_written(j, KERR_COORDINATOR_NOT_AVAILABLE);
        else
            end_load(j); /* with the answer that made it wait */
    }
}
