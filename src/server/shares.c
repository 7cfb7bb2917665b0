/* Before: handlers/share_fetch, handlers/share_acknowledge, connection (its end), node_publish. After:
 * share_persist (the share coordinator), share/partition.
 *
 * States: LOADING → ACTIVE | FAILED; LOADING, ACTIVE → FENCED. Only LOADING and ACTIVE ones are in the table.
 */
#include "server/shares.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hashmap.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "metadata/delta.h"
#include "replica/replica.h"
#include "server/fetch_wait.h"
#include "server/lookup.h"
#include "server/net.h"
#include "server/node.h"
#include "server/share_persist.h"
#include "server/share_sessions.h"
#include "server/shares_internal.h"
#include "storage/log.h"

enum { SESSION_ITEMS = 1 << 20 };

struct shares *shares_create(struct node *n) {
    struct shares *s = xcalloc(1, sizeof *s);
    s->node = n;
    pthread_mutex_init(&s->lock, NULL);
    hashmap_init(&s->table, n->seed);
    s->sessions = share_sessions_create((int32_t)config_int(n->config, CFG_GROUP_SHARE_MAX_SHARE_SESSIONS),
                                        SESSION_ITEMS, n->seed);
    return s;
}

void shares_stop(struct shares *s) { atomic_store(&s->stopping, true); }
void shares_settle(struct shares *s) { share_persist_end_all(s); }
struct share_sessions *shares_sessions(struct shares *s) {
    return s->sessions;
}

/* ---- one share partition ---- */

static void free_shared(struct shared_partition *p) {
    share_partition_destroy(p->core);
    replica_unref(p->replica);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

struct shared_partition *shared_ref(struct shared_partition *p) {
    atomic_fetch_add(&p->refs, 1);
    return p;
}

void shared_unref(struct shared_partition *p) {
    if (atomic_fetch_sub(&p->refs, 1) != 1) return;
    struct shares *s = p->shares;
    pthread_mutex_lock(&s->lock);
    *(p->prev ? &p->prev->next : &s->all) = p->next;
    if (p->next) p->next->prev = p->prev;
    pthread_mutex_unlock(&s->lock);
    ASSERT(!p->waiters && p->armed == INT64_MAX);
    free_shared(p);
}

void shares_destroy(struct shares *s) {
    if (!s) return;
    /* Timers do not run any more, and letters were read: what holds a reference now is a timer or the table.
     */
    for (struct shared_partition *p = s->all, *next; p; p = next) {
        next = p->next;
        free_shared(p);
    }
    share_sessions_destroy(s->sessions);
    hashmap_free(&s->table);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

void shared_lock(struct shared_partition *p) { pthread_mutex_lock(&p->lock); }
void shared_unlock(struct shared_partition *p) { pthread_mutex_unlock(&p->lock); }

void shared_wait(struct shared_partition *p, struct share_waiter *w) {
    w->prev = NULL;
    w->next = p->waiters;
    if (w->next) w->next->prev = w;
    p->waiters = w;
}

void shared_unwait(struct shared_partition *p, struct share_waiter *w) {
    *(w->prev ? &w->prev->next : &p->waiters) = w->next;
    if (w->next) w->next->prev = w->prev;
}

void shared_wake(struct shared_partition *p) {
    for (struct share_waiter *w = p->waiters; w; w = w->next) fetch_wait_signal(w->wait);
}

/* ---- the timer of its locks ---- */

static struct shared_partition *of_timer(struct timer *t) {
    return (struct shared_partition *)((char *)t - offsetof(struct shared_partition, timer));
}

/* On the home loop, locked: true: a reference is to be given up, after the lock. */
static bool set_timer(struct shared_partition *p) {
    int64_t due = p->state == SHARED_ACTIVE ? share_partition_deadline(p->core) : INT64_MAX;
    bool ran = p->armed != INT64_MAX, runs = due != INT64_MAX;
    if (due == p->armed) return false;
    p->armed = due;
    if (runs)
        loop_timer_set(p->home->loop, &p->timer, due);
    else
        loop_timer_cancel(p->home->loop, &p->timer);
    if (runs && !ran) shared_ref(p);
    return ran && !runs;
}

static void on_timer(struct timer *t) {
    struct shared_partition *p = of_timer(t);
    struct share_write w;
    struct image *image = node_image(p->shares->node);
    struct share_settings settings;
    share_settings_get(p->shares->node, image, p->group, &settings);
    image_unref(image);
    shared_ref(p);
    shared_lock(p);
    p->armed = INT64_MAX;
    if (p->state == SHARED_ACTIVE) {
        p->limits = settings.limits;
        share_partition_expire(p->core, &p->limits, loop_now(p->home->loop), &w);
        shared_write(p, &w, NULL, NULL);
        shared_wake(p);
    }
    set_timer(p);
    shared_unlock(p);
    shared_unref(p);
    shared_unref(p); /* the timer's, which is taken anew if it runs again */
}

static void on_mail(struct mail *m) {
    struct shared_partition *p =
        (struct shared_partition *)((char *)m - offsetof(struct shared_partition, mail));
    shared_lock(p);
    p->arming = false;
    bool drop = set_timer(p);
    shared_unlock(p);
    if (drop) shared_unref(p);
    shared_unref(p); /* the letter's */
}

void shared_arm(struct shared_partition *p) {
    int64_t due = p->state == SHARED_ACTIVE ? share_partition_deadline(p->core) : INT64_MAX;
    /* A timer that fires too early finds nothing to do; one that fires too late would let locks live on. */
    if (p->arming || (p->state == SHARED_ACTIVE && due >= p->armed)) return;
    if (due == INT64_MAX && p->armed == INT64_MAX) return;
    p->arming = true;
    shared_ref(p);
    loop_post(p->home->loop, &p->mail);
}

/* ---- the table ---- */

static size_t key_of(struct kstr group, const struct uuid *topic, int32_t index, char **key) {
    size_t len = sizeof *topic + sizeof index + (size_t)group.len;
    *key = xmalloc(len);
    memcpy(*key, topic, sizeof *topic);
    memcpy(*key + sizeof *topic, &index, sizeof index);
    memcpy(*key + sizeof *topic + sizeof index, group.s, (size_t)group.len);
    return len;
}

struct shared_partition *shares_get(struct shares *s, struct kstr group, const struct uuid *topic,
                                    int32_t index) {
    char *key;
    size_t len = key_of(group, topic, index, &key);
    pthread_mutex_lock(&s->lock);
    struct shared_partition *p = hashmap_get(&s->table, key, len);
    if (p) shared_ref(p);
    pthread_mutex_unlock(&s->lock);
    free(key);
    return p;
}

static struct shared_partition *make(struct shares *s, struct net *home, struct kstr group,
                                     const struct uuid *topic, int32_t index, struct replica *replica) {
    char *key;
    size_t len = key_of(group, topic, index, &key);
    struct shared_partition *p = xcalloc(1, sizeof *p + len);
    *p =
        (struct shared_partition){.shares = s, .home = home, .topic = *topic, .index = index, .key_len = len};
    memcpy(p->key, key, len);
    free(key);
    p->group = (struct kstr){p->key + len - group.len, group.len};
    p->replica = replica_ref(replica);
    log_lock(replica->log);
    p->leader_epoch = replica->leader_epoch;
    log_unlock(replica->log);
    p->core = share_partition_create();
    p->armed = INT64_MAX;
    p->timer.on_due = on_timer;
    p->mail.deliver = on_mail;
    atomic_init(&p->refs, 2); /* the table's and the caller's */
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

struct shared_partition *shares_open(struct shares *s, struct net *home, struct kstr group,
                                     const struct uuid *topic, int32_t index, int16_t *error) {
    struct shared_partition *p = shares_get(s, group, topic, index);
    if (p) return p;
    struct replica *replica = lookup_by_id(s->node, topic, index, error);
    if (!replica) return NULL;
    struct shared_partition *made = make(s, home, group, topic, index, replica);
    pthread_mutex_lock(&s->lock);
    p = hashmap_get(&s->table, made->key, made->key_len);
    if (p)
        shared_ref(p);
    else {
        hashmap_put(&s->table, made->key, made->key_len, made);
        made->next = s->all;
        if (s->all) s->all->prev = made;
        s->all = made;
    }
    pthread_mutex_unlock(&s->lock);
    if (p) { /* another loop was faster */
        free_shared(made);
        return p;
    }
    share_persist_load(made);
    return made;
}

void shared_remove(struct shared_partition *p, enum shared_state why, int16_t error) {
    struct shares *s = p->shares;
    shared_lock(p);
    bool was_in = p->state == SHARED_LOADING || p->state == SHARED_ACTIVE;
    if (was_in) {
        p->state = why;
        p->error = error;
        shared_wake(p);
        shared_arm(p);
    }
    shared_unlock(p);
    if (!was_in) return;
    pthread_mutex_lock(&s->lock);
    if (hashmap_get(&s->table, p->key, p->key_len) == p) hashmap_del(&s->table, p->key, p->key_len);
    pthread_mutex_unlock(&s->lock);
    int before = atomic_fetch_sub(&p->refs, 1); /* the table's */
    ASSERT(before > 1);                         /* the caller has one of its own */
}

/* References to all for which `wanted`; the array is the caller's. */
static struct shared_partition **list(struct shares *s,
                                      bool (*wanted)(const struct shared_partition *, const void *),
                                      const void *arg, size_t *n) {
    size_t at = 0;
    struct hashmap_entry *e;
    *n = 0;
    pthread_mutex_lock(&s->lock);
    struct shared_partition **all = xcalloc(s->table.count + 1, sizeof *all);
    while ((e = hashmap_next(&s->table, &at)))
        if (wanted(e->value, arg)) all[(*n)++] = shared_ref(e->value);
    pthread_mutex_unlock(&s->lock);
    return all;
}

static void fence_all(struct shares *s, bool (*wanted)(const struct shared_partition *, const void *),
                      const void *arg) {
    size_t n;
    struct shared_partition **all = list(s, wanted, arg, &n);
    for (size_t i = 0; i < n; i++) {
        shared_remove(all[i], SHARED_FENCED, KERR_NONE);
        shared_unref(all[i]);
    }
    free(all);
}

/* ---- members that go ---- */

static void release(struct shares *s, struct shared_partition *p, struct kstr member,
                    const struct share_limits *limits) {
    struct share_write w;
    shared_lock(p);
    if (p->state == SHARED_ACTIVE) {
        share_partition_release(p->core, member, limits, &w);
        shared_write(p, &w, NULL, NULL);
    }
    shared_unlock(p);
}

void shares_end_session(struct shares *s, struct kstr group, struct kstr member) {
    int32_t n;
    struct share_item *items = share_sessions_end(s->sessions, group, member, &n);
    struct image *image = node_image(s->node);
    struct share_settings settings;
    share_settings_get(s->node, image, group, &settings);
    image_unref(image);
    for (int32_t i = 0; i < n; i++) {
        struct shared_partition *p = shares_get(s, group, &items[i].topic, items[i].partition);
        if (!p) continue;
        release(s, p, member, &settings.limits);
        shared_unref(p);
    }
    free(items);
}

static bool of_group(const struct shared_partition *p, const void *group) {
    return kstr_equal(p->group, *(const struct kstr *)group);
}

void shares_disconnected(struct shares *s, struct share_link *link) {
    struct kstr group, member;
    if (!link) return;
    if (!share_sessions_disconnect(s->sessions, link, &group, &member)) return;
    if (member.s) shares_end_session(s, group, member);
    if (share_sessions_group_empty(s->sessions, group)) fence_all(s, of_group, &group);
    free((char *)(uintptr_t)group.s);
    free((char *)(uintptr_t)member.s);
}

/* ---- the metadata ---- */

struct moved {
    const struct topic_change *topic;
    int32_t node;
};

static bool led_no_more(const struct shared_partition *p, const void *arg) {
    const struct moved *m = arg;
    const struct topic *t = m->topic->after;
    if (!uuid_equal(&p->topic, &m->topic->id)) return false;
    const struct partition *now = t && uuid_equal(&t->id, &p->topic) ? topic_partition(t, p->index) : NULL;
    return !now || now->leader != m->node || now->leader_epoch != p->leader_epoch;
}

static bool every(const struct shared_partition *p, const void *arg) { return true; }

void shares_apply(struct shares *s, const struct image_delta *delta) {
    for (int32_t i = 0; i < delta->topics_n; i++) {
        struct moved m = {&delta->topics[i], s->node->id};
        if (delta->topics[i].before) fence_all(s, led_no_more, &m);
    }
    if (!delta->features_changed || share_groups_enabled(delta->after)) return;
    share_sessions_clear(s->sessions);
    fence_all(s, every, NULL);
}
