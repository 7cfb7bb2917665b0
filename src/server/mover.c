/* See mover.h. A move:
 *
 *     copying   slices, until nothing is left to copy
 *     telling   the controller is told; until the image says the new directory, copying goes on
 *     finishing the next time that nothing is left, the logs change places; then it is over
 *
 * A move that is given up, or whose logs are deleted or fail, throws its copy away, and the controller is
 * told of the directory that the log is in if it knew of the new one. */
#include "server/mover.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/hashmap.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "io/clock.h"
#include "io/loop.h"
#include "io/worker.h"
#include "metadata/image.h"
#include "metadata/version.h"
#include "record/compress.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/assignments.h"
#include "server/control.h"
#include "server/housekeeping.h"
#include "server/node.h"
#include "storage/log.h"
#include "storage/log_config.h"
#include "storage/logdir.h"
#include "storage/move.h"

enum {
    SLICE = 1 << 20,
    EAGER_AFTER = 50,     /* tries to finish before producers are made to wait for the disk */
    PAUSE_MS = 10,        /* before it is looked at again, when nothing was to be done */
    PREFERRED_MAX = 1000, /* directories that are remembered for partitions that are not there */
};

struct move {
    struct move *next;
    struct replica *replica; /* a reference */
    struct logdir *target;
    struct log *future;
    struct log_config config; /* of future */
    bool told, given_up;
    int tries;
};

struct preferred {
    struct logdir *dir;
    char name[];
};

struct mover {
    struct node *node;
    struct move *first, **last; /* in turn */
    struct job job;
    struct timer timer;
    struct codec *codec;
    struct hashmap preferred; /* "topic-0" → struct preferred */
    int64_t next_ms;          /* when the quota allows the next slice; monotonic */
    bool running, stopped;
    /* of the job */
    bool may_finish;
    int result;
    bool done;
    int64_t moved;
};

/* ---- a slice; a worker ---- */

static void slice(struct job *j) {
    struct mover *m = (struct mover *)((char *)j - offsetof(struct mover, job));
    struct move *v = m->first;
    int64_t now = clock_wall_ms();
    struct log *l = v->replica->log;
    m->done = false;
    m->moved = 0;
    m->result = 0;
    if (replica_recovers(v->replica)) return; /* later */
    log_lock(l);
    if (!v->replica->deleted) m->result = replica_open(v->replica, now);
    log_unlock(l);
    if (!m->result) m->result = log_move_some(l, v->future, SLICE, m->codec, now, &m->moved);
    if (m->result || m->moved || !m->may_finish) return;
    m->result = log_move_finish(l, v->future, v->tries > EAGER_AFTER, now);
    m->done = !m->result;
    if (m->result == OE_AGAIN) m->result = 0;
}

/* ---- the control thread ---- */

static void schedule(struct mover *m, int64_t in_ms) {
    if (m->stopped || m->running || !m->first) return;
    int64_t now = loop_now(m->node->control->loop), at = now + in_ms;
    loop_timer_set(m->node->control->loop, &m->timer, at > m->next_ms ? at : m->next_ms);
}

static const struct uuid *id_of(const struct node *n, const struct logdir *d) {
    for (int i = 0; i < n->logdirs_n; i++)
        if (n->logdirs[i] == d) return &n->directory_ids[i];
    return NULL;
}

/* Does the metadata say that the replica is in this directory? False with *t NULL: the topic is gone. */
static bool known_in(struct mover *m, const struct replica *r, const struct uuid *dir,
                     const struct topic **t) {
    const struct image *image = m->node->image; /* this thread publishes it */
    *t = image_topic_by_id(image, &r->topic->id);
    const struct partition *p = *t ? topic_partition(*t, r->index) : NULL;
    if (image->metadata_version < MV_3_7_IV2) return true;
    for (int32_t i = 0; p && i < p->replicas_n; i++)
        if (p->replicas[i] == m->node->id) return uuid_equal(&p->directories[i], dir);
    return false;
}

static void tell(struct mover *m, const struct replica *r, const struct logdir *d) {
    const struct uuid *dir = id_of(m->node, d);
    const struct topic *t;
    if (!dir || uuid_is_zero(dir) || known_in(m, r, dir, &t) || !t) return;
    assignments_tell(m->node->assignments, t, r->index, dir);
}

static void unlink_first(struct mover *m) {
    struct move *v = m->first;
    m->first = v->next;
    if (!m->first) m->last = &m->first;
    v->next = NULL;
}

static void append(struct mover *m, struct move *v) {
    *m->last = v;
    m->last = &v->next;
}

static void end_move(struct mover *m, struct move *v) {
    v->replica->moving = false;
    for (struct move *o = m->first; o; o = o->next)
        if (o->replica == v->replica) v->replica->moving = true;
    if (!v->replica->moving) tell(m, v->replica, log_dir(v->replica->log));
    replica_unref(v->replica);
    free(v);
}

static void give_up(struct mover *m, struct move *v) {
    log_move_cancel(v->future, clock_wall_ms());
    housekeeping_wake(m->node->housekeeping);
    end_move(m, v);
}

static void note_bytes(struct mover *m) {
    struct config *c = node_config(m->node);
    int64_t rate = config_int(c, CFG_REPLICA_ALTER_LOG_DIRS_IO_MAX_BYTES_PER_SECOND);
    config_unref(c);
    int64_t now = loop_now(m->node->control->loop);
    if (m->next_ms < now) m->next_ms = now;
    if (rate < INT64_MAX / 1000 && rate > 0) m->next_ms += m->moved * 1000 / rate;
}

static void slice_done(struct mail *mail) {
    struct job *j = (struct job *)((char *)mail - offsetof(struct job, mail));
    struct mover *m = (struct mover *)((char *)j - offsetof(struct mover, job));
    struct move *v = m->first;
    m->running = false;
    if (m->stopped) return;
    int64_t pause = m->moved ? 0 : PAUSE_MS;
    unlink_first(m);
    note_bytes(m);
    if (m->done) {
        LOG_INFO("storage", "%s has moved to %s", log_name(v->replica->log), logdir_path(v->target));
        housekeeping_wake(m->node->housekeeping);
        end_move(m, v);
    } else if (m->result || v->given_up) {
        if (m->result && !v->replica->deleted)
            LOG_WARN("storage", "%s does not move to %s: %s", log_name(v->replica->log),
                     logdir_path(v->target), oerr_text(m->result));
        give_up(m, v);
    } else {
        if (!m->moved) {
            v->tries += m->may_finish;
            if (!v->told) tell(m, v->replica, v->target);
            v->told = true;
        }
        append(m, v);
    }
    schedule(m, pause);
}

static void on_timer(struct timer *t) {
    struct mover *m = (struct mover *)((char *)t - offsetof(struct mover, timer));
    struct move *v = m->first;
    if (m->stopped || m->running || !v) return;
    const struct topic *topic;
    m->may_finish = v->told && !v->given_up && known_in(m, v->replica, id_of(m->node, v->target), &topic);
    m->running = true;
    m->job.work = slice;
    m->job.reply_to = m->node->control->loop;
    m->job.mail.deliver = slice_done;
    workers_submit(m->node->workers, &m->job);
}

static int16_t begin(struct mover *m, struct replica *r, struct logdir *target) {
    struct move *v = xcalloc(1, sizeof *v);
    int err = log_move_begin(r->log, target, &v->config, &v->future);
    if (err) {
        free(v);
        return err == OE_INVALID ? KERR_INVALID_TOPIC_EXCEPTION : KERR_KAFKA_STORAGE_ERROR;
    }
    v->replica = replica_ref(r);
    v->target = target;
    r->moving = true;
    append(m, v);
    schedule(m, 0);
    return 0;
}

/* ---- requests ---- */

static bool is_path(const struct logdir *d, struct kstr path) {
    char real[PATH_MAX];
    if (kstr_is(path, logdir_path(d))) return true;
    return realpath(logdir_path(d), real) && kstr_is(path, real);
}

static struct logdir *dir_of(const struct node *n, struct kstr path) {
    for (int i = 0; i < n->logdirs_n; i++)
        if (is_path(n->logdirs[i], path)) return n->logdirs[i];
    return NULL;
}

static bool any_offline(const struct node *n) {
    for (int i = 0; i < n->logdirs_n; i++)
        if (logdir_is_offline(n->logdirs[i])) return true;
    return false;
}

bool log_dir_is_cordoned(struct node *n, const struct logdir *d) {
    struct config *c = node_config(n);
    bool found = false;
    if (!config_is_null(c, CFG_CORDONED_LOG_DIRS)) {
        struct config_list list = config_list(c, CFG_CORDONED_LOG_DIRS);
        for (int32_t i = 0; i < list.n; i++)
            found |= strcmp(list.items[i], "*") == 0 || is_path(d, kstr_of(list.items[i]));
    }
    config_unref(c);
    return found;
}

struct logdir *mover_preferred(struct mover *m, const char *name) {
    const struct preferred *p = hashmap_get(&m->preferred, name, strlen(name));
    return p ? p->dir : NULL;
}

static void prefer(struct mover *m, struct kstr topic, int32_t partition, struct logdir *d) {
    char *name = xasprintf("%.*s-%d", (int)topic.len, topic.s, partition);
    struct preferred *p = hashmap_get(&m->preferred, name, strlen(name));
    if (!p && m->preferred.count < PREFERRED_MAX) {
        p = xcalloc(1, sizeof *p + strlen(name) + 1);
        memcpy(p->name, name, strlen(name) + 1);
        hashmap_put(&m->preferred, p->name, strlen(name), p);
    }
    if (p) p->dir = d;
    free(name);
}

static struct move *move_of(const struct mover *m, const struct replica *r) {
    for (struct move *v = m->first; v; v = v->next)
        if (v->replica == r && !v->given_up) return v;
    return NULL;
}

static void stop_move(struct mover *m, struct move *v) {
    v->given_up = true;
    if (m->running && v == m->first) return; /* when its slice has ended */
    struct move **at = &m->first;
    while (*at != v) at = &(*at)->next;
    *at = v->next;
    if (!*at) m->last = at;
    give_up(m, v);
}

static int16_t move_replica(struct mover *m, struct replica *r, struct logdir *target) {
    if (log_is_offline(r->log)) return KERR_KAFKA_STORAGE_ERROR;
    struct move *v = move_of(m, r);
    if (v && v->target == target) return 0;
    if (v) stop_move(m, v);
    if (log_dir(r->log) == target) return 0;
    return any_offline(m->node) ? KERR_KAFKA_STORAGE_ERROR : begin(m, r, target);
}

int16_t mover_move(struct mover *m, struct kstr topic, int32_t partition, struct kstr path) {
    struct node *n = m->node;
    if (!log_move_name_fits((size_t)topic.len, partition)) return KERR_INVALID_TOPIC_EXCEPTION;
    struct logdir *target = dir_of(n, path);
    if (!target) return KERR_LOG_DIR_NOT_FOUND;
    if (logdir_is_offline(target)) return KERR_KAFKA_STORAGE_ERROR;
    if (log_dir_is_cordoned(n, target)) return KERR_INVALID_REPLICA_ASSIGNMENT;
    struct replica *r = replicas_get(n->replicas, topic.s ? topic.s : "", (size_t)topic.len, partition);
    if (!r) {
        bool known = image_partition(n->image, topic.s ? topic.s : "", (size_t)topic.len, partition) != NULL;
        prefer(m, topic, partition, target);
        return known ? KERR_REPLICA_NOT_AVAILABLE : KERR_UNKNOWN_TOPIC_OR_PARTITION;
    }
    int16_t error = move_replica(m, r, target);
    replica_unref(r);
    return error;
}

/* ---- life ---- */

struct found {
    struct log **logs;
    size_t n;
};

static void see(void *to, struct log *l) {
    struct found *f = to;
    if (!log_is_future(l)) return;
    f->logs = xrealloc(f->logs, (f->n + 1) * sizeof(struct log *));
    f->logs[f->n++] = l;
}

void mover_load(struct mover *m) {
    for (int i = 0; i < m->node->logdirs_n; i++) {
        struct logdir *d = m->node->logdirs[i];
        struct found f = {0};
        if (logdir_is_offline(d)) continue;
        logdir_each(d, see, &f);
        for (size_t k = 0; k < f.n; k++) {
            size_t len;
            const char *topic = log_topic(f.logs[k], &len);
            struct replica *r = replicas_get(m->node->replicas, topic, len, log_partition(f.logs[k]));
            LOG_INFO("storage", "%s/%s was not finished; it begins anew", logdir_path(d),
                     log_name(f.logs[k]));
            logdir_delete_log(f.logs[k], clock_wall_ms());
            if (r && log_dir(r->log) != d && !move_of(m, r)) begin(m, r, d);
            if (r) replica_unref(r);
        }
        free(f.logs);
    }
}

struct mover *mover_create(struct node *n) {
    struct mover *m = xcalloc(1, sizeof *m);
    m->node = n;
    m->last = &m->first;
    m->timer.on_due = on_timer;
    m->codec = codec_create();
    hashmap_init(&m->preferred, n->seed);
    return m;
}

void mover_stop(struct mover *m) { m->stopped = true; }

void mover_destroy(struct mover *m) {
    if (!m) return;
    for (struct move *v; (v = m->first);) {
        unlink_first(m);
        log_set_config(v->future, m->node->default_settings);
        logdir_release(v->future);
        replica_unref(v->replica);
        free(v);
    }
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&m->preferred, &i));) free(e->value);
    hashmap_free(&m->preferred);
    codec_destroy(m->codec);
    free(m);
}
