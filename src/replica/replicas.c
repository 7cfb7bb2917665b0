#include "replica/replicas.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "metadata/delta.h"
#include "metadata/image.h"
#include "metadata/topic_name.h"
#include "replica/replica.h"
#include "storage/log.h"

struct replicas {
    pthread_rwlock_t lock; /* by_name, by_id and each topic's `replicas` */
    struct hashmap by_name, by_id;
    int32_t node_id;
    struct replicas_ops ops;
    struct workers *workers;
};

/* What a change took out, until the loops have passed. */
struct removed {
    struct replica **replicas;
    struct replica **old_array; /* of a topic that grew */
    int32_t count;
    struct replica_topic *topic;
    struct log_config *old_config;
};

struct replicas *replicas_create(int32_t node_id, const struct replicas_ops *ops, struct workers *workers) {
    struct replicas *rs = xcalloc(1, sizeof *rs);
    pthread_rwlock_init(&rs->lock, NULL);
    hashmap_init(&rs->by_name, (uintptr_t)rs);
    hashmap_init(&rs->by_id, (uintptr_t)rs);
    rs->node_id = node_id;
    rs->ops = *ops;
    rs->workers = workers;
    return rs;
}

void replica_topic_unref(struct replica_topic *t) {
    if (atomic_fetch_sub(&t->refs, 1) > 1) return;
    free(t->replicas);
    free(t->config);
    free(t);
}

/* The place of this node in the partition's replicas, or -1. */
static int32_t own_place(const struct replicas *rs, const struct partition *p) {
    for (int32_t i = 0; p && i < p->replicas_n; i++)
        if (p->replicas[i] == rs->node_id) return i;
    return -1;
}

static struct replica *new_replica(struct replicas *rs, struct replica_topic *t, int32_t index,
                                   const struct partition *in) {
    int32_t place = own_place(rs, in);
    if (place < 0) return NULL;
    struct log *log = rs->ops.open_log(rs->ops.arg, t, index, &in->directories[place]);
    if (!log) return NULL;
    struct replica *p = xcalloc(1, sizeof *p);
    atomic_init(&p->refs, 1);
    p->index = index;
    p->topic = t;
    atomic_fetch_add(&t->refs, 1);
    p->log = log;
    p->leader_epoch = in->leader_epoch;
    p->replicas_n = in->replicas_n;
    p->isr_n = in->isr_n;
    p->workers = rs->workers;
    p->release_log = rs->ops.release_log;
    p->release_arg = rs->ops.arg;
    return p;
}

static void add_topic(struct replicas *rs, const struct topic *from, const struct image *image) {
    struct replica_topic *t = xcalloc(1, sizeof *t + (size_t)from->name_len + 1);
    atomic_init(&t->refs, 1);
    t->id = from->id;
    t->name_len = from->name_len;
    memcpy(t->name, from->name, (size_t)from->name_len);
    t->internal = topic_name_is_internal(t->name, (size_t)t->name_len);
    t->config = rs->ops.config_of(rs->ops.arg, t->name, image);
    t->count = from->partitions_n;
    t->replicas = xcalloc((size_t)t->count, sizeof *t->replicas);
    for (int32_t i = 0; i < t->count; i++) t->replicas[i] = new_replica(rs, t, i, from->partitions[i]);
    pthread_rwlock_wrlock(&rs->lock);
    hashmap_put(&rs->by_name, t->name, (size_t)t->name_len, t);
    hashmap_put(&rs->by_id, t->id.b, sizeof t->id.b, t);
    pthread_rwlock_unlock(&rs->lock);
}

static void free_removed(void *arg) {
    struct removed *gone = arg;
    for (int32_t i = 0; i < gone->count; i++) {
        if (gone->replicas[i]) replica_unref(gone->replicas[i]);
    }
    if (gone->topic) replica_topic_unref(gone->topic);
    free(gone->replicas);
    free(gone->old_array);
    free(gone->old_config);
    free(gone);
}

static void remove_topic(struct replicas *rs, const struct topic *from) {
    pthread_rwlock_wrlock(&rs->lock);
    struct replica_topic *t = hashmap_del(&rs->by_id, from->id.b, sizeof from->id.b);
    if (t && hashmap_get(&rs->by_name, t->name, (size_t)t->name_len) == t)
        hashmap_del(&rs->by_name, t->name, (size_t)t->name_len);
    pthread_rwlock_unlock(&rs->lock);
    if (!t) return;
    struct removed *gone = xcalloc(1, sizeof *gone);
    *gone = (struct removed){.count = t->count, .topic = t};
    gone->replicas = xcalloc((size_t)t->count, sizeof *gone->replicas);
    for (int32_t i = 0; i < t->count; i++) {
        struct replica *p = gone->replicas[i] = t->replicas[i];
        if (!p) continue;
        log_lock(p->log);
        p->deleted = true;
        replica_wake(p);
        log_unlock(p->log);
        rs->ops.delete_log(rs->ops.arg, p->log); /* at once: the next topic may have this one's name */
    }
    rs->ops.quiesce(rs->ops.arg, free_removed, gone);
}

static void change_partition(struct replica *p, const struct partition *after) {
    log_lock(p->log);
    bool fenced = p->leader_epoch != after->leader_epoch;
    p->leader_epoch = after->leader_epoch;
    p->replicas_n = after->replicas_n;
    p->isr_n = after->isr_n;
    if (fenced) replica_wake(p);
    log_unlock(p->log);
}

static void change_topic(struct replicas *rs, const struct topic *after) {
    struct replica_topic *t = hashmap_get(&rs->by_id, after->id.b, sizeof after->id.b);
    if (!t) return;
    for (int32_t i = 0; i < t->count; i++)
        if (t->replicas[i] && after->partitions[i]) change_partition(t->replicas[i], after->partitions[i]);
    if (after->partitions_n <= t->count) return;
    struct replica **more = xcalloc((size_t)after->partitions_n, sizeof *more);
    memcpy(more, t->replicas, (size_t)t->count * sizeof *more);
    for (int32_t i = t->count; i < after->partitions_n; i++)
        more[i] = new_replica(rs, t, i, after->partitions[i]);
    struct removed *gone = xcalloc(1, sizeof *gone);
    *gone = (struct removed){.old_array = t->replicas};
    pthread_rwlock_wrlock(&rs->lock);
    t->replicas = more;
    t->count = after->partitions_n;
    pthread_rwlock_unlock(&rs->lock);
    rs->ops.quiesce(rs->ops.arg, free_removed, gone);
}

static void reconfigure(struct replicas *rs, struct replica_topic *t, const struct image *image) {
    struct removed *gone = xcalloc(1, sizeof *gone);
    gone->old_config = t->config;
    t->config = rs->ops.config_of(rs->ops.arg, t->name, image);
    for (int32_t i = 0; i < t->count; i++)
        if (t->replicas[i]) log_set_config(t->replicas[i]->log, t->config);
    rs->ops.quiesce(rs->ops.arg, free_removed, gone);
}

void replicas_reconfigure(struct replicas *rs, const struct image *image, const char *topic) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&rs->by_id, &i));) {
        struct replica_topic *t = e->value;
        if (!topic || !strcmp(t->name, topic)) reconfigure(rs, t, image);
    }
}

void replicas_apply(struct replicas *rs, const struct image_delta *delta) {
    for (int32_t i = 0; i < delta->topics_n; i++) {
        const struct topic_change *c = &delta->topics[i];
        if (!c->after)
            remove_topic(rs, c->before);
        else if (!c->before)
            add_topic(rs, c->after, delta->after);
        else
            change_topic(rs, c->after);
    }
}

void replicas_load(struct replicas *rs, const struct image *image) {
    struct arena a;
    size_t n = 0;
    arena_init(&a, SIZE_MAX / 2);
    const struct topic **topics = image_topics_sorted(image, &a, &n);
    ASSERT(topics || !n);
    for (size_t i = 0; i < n; i++) add_topic(rs, topics[i], image);
    arena_free(&a);
}

/* With the lock held. */
static struct replica *at(const struct replica_topic *t, int32_t index, enum replica_missing *why) {
    struct replica *p = t && index >= 0 && index < t->count ? t->replicas[index] : NULL;
    *why = p                                ? REPLICA_THERE
           : !t                             ? NO_SUCH_TOPIC
           : index < 0 || index >= t->count ? NO_SUCH_PARTITION
                                            : NO_LOG_HERE;
    return p;
}

struct replica *replicas_find(struct replicas *rs, const char *name, size_t len, int32_t index,
                              enum replica_missing *why) {
    pthread_rwlock_rdlock(&rs->lock);
    struct replica *p = at(hashmap_get(&rs->by_name, name, len), index, why);
    pthread_rwlock_unlock(&rs->lock);
    return p;
}

struct replica *replicas_find_by_id(struct replicas *rs, const struct uuid *id, int32_t index,
                                    enum replica_missing *why) {
    pthread_rwlock_rdlock(&rs->lock);
    struct replica *p = at(hashmap_get(&rs->by_id, id->b, sizeof id->b), index, why);
    pthread_rwlock_unlock(&rs->lock);
    return p;
}

struct replica *replicas_get(struct replicas *rs, const char *name, size_t len, int32_t index) {
    enum replica_missing why;
    pthread_rwlock_rdlock(&rs->lock);
    struct replica *p = at(hashmap_get(&rs->by_name, name, len), index, &why);
    if (p) replica_ref(p);
    pthread_rwlock_unlock(&rs->lock);
    return p;
}

struct replica **replicas_all(struct replicas *rs, size_t *n) {
    struct hashmap_entry *e;
    size_t room = 1;
    pthread_rwlock_rdlock(&rs->lock);
    for (size_t i = 0; (e = hashmap_next(&rs->by_id, &i));)
        room += (size_t)((struct replica_topic *)e->value)->count;
    struct replica **all = xcalloc(room, sizeof(struct replica *));
    *n = 0;
    for (size_t i = 0; (e = hashmap_next(&rs->by_id, &i));) {
        struct replica_topic *t = e->value;
        for (int32_t k = 0; k < t->count; k++)
            if (t->replicas[k]) all[(*n)++] = replica_ref(t->replicas[k]);
    }
    pthread_rwlock_unlock(&rs->lock);
    return all;
}

void replicas_destroy(struct replicas *rs) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&rs->by_id, &i));) {
        struct replica_topic *t = e->value;
        for (int32_t k = 0; k < t->count; k++)
            if (t->replicas[k]) replica_unref(t->replicas[k]);
        replica_topic_unref(t);
    }
    hashmap_free(&rs->by_name);
    hashmap_free(&rs->by_id);
    pthread_rwlock_destroy(&rs->lock);
    free(rs);
}
