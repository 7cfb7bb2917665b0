#include "server/topic_errors.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/hashmap.h"
#include "base/mem.h"

enum { TOPICS_MAX = 1000 }; /* with a reason; more are tried again at once */

struct topic_error {
    char *topic, *why; /* why NULL: it is being created */
    int64_t until_ms;
};

struct topic_errors {
    pthread_mutex_t lock;
    struct hashmap topics; /* name → struct topic_error */
};

struct topic_errors *topic_errors_create(uint64_t seed) {
    struct topic_errors *t = xcalloc(1, sizeof *t);
    pthread_mutex_init(&t->lock, NULL);
    hashmap_init(&t->topics, seed);
    return t;
}

static void forget(struct topic_errors *t, struct topic_error *e) {
    hashmap_del(&t->topics, e->topic, strlen(e->topic));
    free(e->topic);
    free(e->why);
    free(e);
}

void topic_errors_free(struct topic_errors *t) {
    struct hashmap_entry *e;
    if (!t) return;
    for (size_t i = 0; (e = hashmap_next(&t->topics, &i)); i = 0) forget(t, e->value);
    hashmap_free(&t->topics);
    pthread_mutex_destroy(&t->lock);
    free(t);
}

static struct topic_error *find(const struct topic_errors *t, struct kstr topic) {
    return hashmap_get(&t->topics, topic.s, (size_t)topic.len);
}

static void forget_expired(struct topic_errors *t, int64_t now_ms) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&t->topics, &i));) {
        struct topic_error *known = e->value;
        if (!known->why || known->until_ms > now_ms) continue;
        forget(t, known);
        i = 0;
    }
}

bool topic_errors_begin(struct topic_errors *t, struct kstr topic, int64_t now_ms) {
    pthread_mutex_lock(&t->lock);
    forget_expired(t, now_ms);
    bool free_to_try = !find(t, topic) && t->topics.count < TOPICS_MAX;
    if (free_to_try) {
        struct topic_error *e = xcalloc(1, sizeof *e);
        e->topic = xstrndup(topic.s, (size_t)topic.len);
        hashmap_put(&t->topics, e->topic, (size_t)topic.len, e);
    }
    pthread_mutex_unlock(&t->lock);
    return free_to_try;
}

void topic_errors_end(struct topic_errors *t, struct kstr topic, const char *why, int64_t until_ms) {
    pthread_mutex_lock(&t->lock);
    struct topic_error *e = find(t, topic);
    ASSERT(e && !e->why);
    if (why) {
        e->why = xstrdup(why);
        e->until_ms = until_ms;
    } else {
        forget(t, e);
    }
    pthread_mutex_unlock(&t->lock);
}

const char *topic_errors_get(struct topic_errors *t, struct kstr topic, int64_t now_ms, struct arena *arena) {
    pthread_mutex_lock(&t->lock);
    const struct topic_error *e = find(t, topic);
    const char *why =
        e && e->why && e->until_ms > now_ms ? arena_strndup(arena, e->why, strlen(e->why)) : NULL;
    pthread_mutex_unlock(&t->lock);
    return why;
}
