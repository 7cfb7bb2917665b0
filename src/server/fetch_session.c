#include "server/fetch_session.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "api/fetch.h"
#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/hashmap.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "base/random.h"
#include "server/asked_partition.h"

enum { FINAL_EPOCH = -1, INITIAL_EPOCH = 0, FIRST_VERSION_WITH_IDS = 13, KEY_MAX = 256 + 8 };

struct fetch_session_index {
    struct hashmap by_key;
};

struct fetch_sessions {
    pthread_mutex_t lock;
    struct hashmap by_id;
    struct fetch_session *oldest, *newest;
    int64_t items_n, items_max; /* of all sessions */
    int slots;
    int64_t eviction_ms;
    uint64_t seed;
    struct random random;
};

struct fetch_sessions *fetch_sessions_create(int slots, int64_t items, int64_t eviction_ms, uint64_t seed) {
    struct fetch_sessions *s = xcalloc(1, sizeof *s);
    pthread_mutex_init(&s->lock, NULL);
    hashmap_init(&s->by_id, seed);
    random_seed(&s->random, seed);
    s->seed = seed;
    s->slots = slots;
    s->items_max = items;
    s->eviction_ms = eviction_ms;
    return s;
}

/* ---- items
 * ----------------------------------------------------------------------------------------------------------
 */

static int32_t next_epoch(int32_t epoch) { return epoch == INT32_MAX ? 1 : epoch + 1; }

/* The partition's key: id or name, then the index. */
static uint32_t make_key(char *key, bool ids, struct kstr topic, const struct uuid *id, int32_t partition) {
    uint32_t n = ids ? 16 : (uint32_t)(topic.len < 0 ? 0 : topic.len > 255 ? 255 : topic.len);
    if (n) memcpy(key, ids ? (const char *)id->b : topic.s, n);
    memcpy(key + n, &partition, 4);
    return n + 4;
}

static void set_item(struct fetch_item *i, const struct fetch_request_fetch_partition *p) {
    i->max_bytes = p->partition_max_bytes;
    i->fetch_offset = p->fetch_offset;
    i->leader_epoch = p->current_leader_epoch;
    i->last_fetched_epoch = p->last_fetched_epoch;
}

static void list_append(struct fetch_item **first, struct fetch_item **last, struct fetch_item *i) {
    i->prev = *last;
    i->next = NULL;
    if (*last)
        (*last)->next = i;
    else
        *first = i;
    *last = i;
}

static void list_remove(struct fetch_session *s, struct fetch_item *i) {
    if (i->prev)
        i->prev->next = i->next;
    else
        s->first = i->next;
    if (i->next)
        i->next->prev = i->prev;
    else
        s->last = i->prev;
}

/* A copy that the session owns, with topic and key in the same memory. */
static void session_add(struct fetch_sessions *c, struct fetch_session *s, const struct fetch_item *from) {
    char key[KEY_MAX];
    uint32_t n = make_key(key, s->uses_ids, from->topic, &from->topic_id, from->partition);
    size_t name = from->topic.len > 0 ? (size_t)from->topic.len : 0;
    struct fetch_item *i = xmalloc(sizeof *i + n + name);
    *i = *from;
    char *text = (char *)(i + 1);
    memcpy(text, key, n);
    if (name) memcpy(text + n, from->topic.s, name);
    i->key = text;
    i->key_len = n;
    i->topic = (struct kstr){.s = text + n, .len = (int32_t)name};
    struct fetch_item *before = hashmap_put(&s->index->by_key, i->key, n, i);
    if (before) {
        list_remove(s, before);
        free(before);
    } else {
        s->items_n++;
        c->items_n++;
    }
    list_append(&s->first, &s->last, i);
}

static void session_unref(struct fetch_sessions *c, struct fetch_session *s) {
    if (atomic_fetch_sub(&s->refs, 1) > 1) return;
    c->items_n -= s->items_n;
    for (struct fetch_item *i = s->first, *next; i; i = next) {
        next = i->next;
        free(i);
    }
    hashmap_free(&s->index->by_key);
    free(s->index);
    free(s);
}

/* ---- the cache; with its lock held
 * ------------------------------------------------------------------------------------ */

static void used_remove(struct fetch_sessions *c, struct fetch_session *s) {
    if (s->prev_used)
        s->prev_used->next_used = s->next_used;
    else
        c->oldest = s->next_used;
    if (s->next_used)
        s->next_used->prev_used = s->prev_used;
    else
        c->newest = s->prev_used;
}

static void used_append(struct fetch_sessions *c, struct fetch_session *s, int64_t now) {
    s->used_ms = now;
    s->next_used = NULL;
    s->prev_used = c->newest;
    if (c->newest)
        c->newest->next_used = s;
    else
        c->oldest = s;
    c->newest = s;
}

static void cache_remove(struct fetch_sessions *c, struct fetch_session *s) {
    if (!hashmap_del(&c->by_id, &s->id, sizeof s->id)) return;
    used_remove(c, s);
    session_unref(c, s);
}

static struct fetch_session *cache_get(const struct fetch_sessions *c, int32_t id) {
    return hashmap_get(&c->by_id, &id, sizeof id);
}

static bool make_room(struct fetch_sessions *c, int64_t now, int32_t items_n) {
    if ((int)c->by_id.count < c->slots) return true;
    struct fetch_session *s = c->oldest;
    if (!s) return false;
    bool stale = now - s->used_ms > c->eviction_ms;
    bool smaller = now - s->created_ms > c->eviction_ms && s->items_n <= items_n;
    if (!stale && !smaller) return false;
    cache_remove(c, s);
    return true;
}

void fetch_sessions_destroy(struct fetch_sessions *s) {
    while (s->oldest) cache_remove(s, s->oldest);
    hashmap_free(&s->by_id);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

int fetch_sessions_count(struct fetch_sessions *s) {
    pthread_mutex_lock(&s->lock);
    int n = (int)s->by_id.count;
    pthread_mutex_unlock(&s->lock);
    return n;
}

/* ---- a request
 * ----------------------------------------------------------------------------------------------------------
 */

static struct fetch_item *new_item(struct arena *a, const struct fetch_request_fetch_topic *topic,
                                   const struct fetch_request_fetch_partition *asked) {
    struct fetch_item *i = arena_calloc(a, 1, sizeof *i);
    if (!i) return NULL;
    i->topic = topic->topic;
    i->topic_id = topic->topic_id;
    i->partition = asked->partition;
    i->high_watermark = i->log_start = -1;
    set_item(i, asked);
    return i;
}

static struct asked_partition asked_of(const struct fetch_item *i) {
    return (struct asked_partition){
        .topic = i->topic, .id = i->topic_id, .partition = i->partition, .ask = i};
}

/* Each partition once: where it is asked for first, as it is asked for last. */
static int drop_repeated(struct arena *a, struct fetch_context *c) {
    struct asked_partition *asked = arena_calloc(a, (size_t)c->items_n, sizeof *asked);
    struct fetch_item *last = NULL, *next;
    int32_t n = 0;
    if (!asked) return OE_LIMIT;
    for (struct fetch_item *i = c->first; i; i = i->next, n++) {
        asked[n] = asked_of(i);
        asked[n].at = n;
    }
    ASSERT(n == c->items_n);
    asked_sort(asked, (size_t)n);
    for (int32_t first = 0, i = 1; i < n; i++) {
        if (!asked_same(&asked[first], &asked[i])) {
            first = i;
            continue;
        }
        struct fetch_item *kept = (struct fetch_item *)(uintptr_t)asked[first].ask,
                          *again = (struct fetch_item *)(uintptr_t)asked[i].ask;
        kept->max_bytes = again->max_bytes;
        kept->fetch_offset = again->fetch_offset;
        kept->leader_epoch = again->leader_epoch;
        kept->last_fetched_epoch = again->last_fetched_epoch;
        again->repeated = true;
    }
    struct fetch_item *item = c->first;
    c->first = NULL;
    c->items_n = 0;
    for (; item; item = next) {
        next = item->next;
        if (item->repeated) continue;
        list_append(&c->first, &last, item);
        c->items_n++;
    }
    return 0;
}

static bool comes_before(const struct fetch_item *a, const struct fetch_item *b) {
    struct asked_partition x = asked_of(a), y = asked_of(b);
    return asked_before(&x, &y);
}

/* All partitions of the request, as items of the arena. */
static int read_items(const struct fetch_request *in, struct arena *a, struct fetch_context *c) {
    struct fetch_item *last = NULL;
    bool ordered = true; /* then none is there twice */
    for (int32_t t = 0; t < in->topics_n; t++)
        for (int32_t p = 0; p < in->topics[t].partitions_n; p++) {
            struct fetch_item *i = new_item(a, &in->topics[t], &in->topics[t].partitions[p]);
            if (!i) return OE_LIMIT;
            ordered = ordered && (!last || comes_before(last, i));
            list_append(&c->first, &last, i);
            c->items_n++;
        }
    return ordered ? 0 : drop_repeated(a, c);
}

static void forget_items(struct fetch_sessions *c, struct fetch_session *s, const struct fetch_request *in) {
    char key[KEY_MAX];
    for (int32_t t = 0; t < in->forgotten_topics_data_n; t++) {
        const struct fetch_request_forgotten_topic *topic = &in->forgotten_topics_data[t];
        for (int32_t p = 0; p < topic->partitions_n; p++) {
            uint32_t n = make_key(key, s->uses_ids, topic->topic, &topic->topic_id, topic->partitions[p]);
            struct fetch_item *i = hashmap_del(&s->index->by_key, key, n);
            if (!i) continue;
            list_remove(s, i);
            s->items_n--;
            c->items_n--;
            free(i);
        }
    }
}

/* An incremental request's changes: partitions that are new or are asked differently. False: there are too
 * many. */
static bool update_items(struct fetch_sessions *c, struct fetch_session *s, const struct fetch_request *in) {
    char key[KEY_MAX];
    for (int32_t t = 0; t < in->topics_n; t++) {
        const struct fetch_request_fetch_topic *topic = &in->topics[t];
        for (int32_t p = 0; p < topic->partitions_n; p++) {
            const struct fetch_request_fetch_partition *asked = &topic->partitions[p];
            uint32_t n = make_key(key, s->uses_ids, topic->topic, &topic->topic_id, asked->partition);
            struct fetch_item *i = hashmap_get(&s->index->by_key, key, n);
            if (i) {
                set_item(i, asked);
                continue;
            }
            struct fetch_item fresh = {.topic = topic->topic,
                                       .topic_id = topic->topic_id,
                                       .partition = asked->partition,
                                       .high_watermark = -1,
                                       .log_start = -1};
            set_item(&fresh, asked);
            if (c->items_n >= c->items_max) return false;
            session_add(c, s, &fresh);
        }
    }
    forget_items(c, s, in);
    return true;
}

/* With the lock held. 0 or the error to answer. */
static int16_t resume(struct fetch_sessions *cache, const struct fetch_request *in, int16_t version,
                      int64_t now, struct fetch_context *c) {
    struct fetch_session *s = cache_get(cache, in->session_id);
    if (!s) return KERR_FETCH_SESSION_ID_NOT_FOUND;
    if (s->epoch != in->session_epoch || s->busy) return KERR_INVALID_FETCH_SESSION_EPOCH;
    if (s->uses_ids != (version >= FIRST_VERSION_WITH_IDS)) return KERR_FETCH_SESSION_TOPIC_ID_ERROR;
    if (!update_items(cache, s, in)) {
        cache_remove(cache, s);
        return KERR_FETCH_SESSION_ID_NOT_FOUND;
    }
    if (!s->items_n) {
        cache_remove(cache, s);
        return 0;
    }
    used_remove(cache, s);
    used_append(cache, s, now);
    s->epoch = next_epoch(s->epoch);
    atomic_fetch_add(&s->refs, 1);
    s->busy = true;
    c->session = s;
    c->first = s->first;
    c->items_n = s->items_n;
    return 0;
}

int fetch_context_begin(struct fetch_sessions *cache, const struct fetch_request *in, int16_t version,
                        int64_t now_ms, struct arena *a, struct fetch_context *c) {
    *c = (struct fetch_context){0};
    if (in->session_epoch == FINAL_EPOCH || in->session_epoch == INITIAL_EPOCH) {
        if (in->session_id) {
            pthread_mutex_lock(&cache->lock);
            struct fetch_session *s = cache_get(cache, in->session_id);
            if (s) cache_remove(cache, s);
            pthread_mutex_unlock(&cache->lock);
        }
        c->full = in->session_epoch == INITIAL_EPOCH;
        return read_items(in, a, c);
    }
    pthread_mutex_lock(&cache->lock);
    c->error = resume(cache, in, version, now_ms, c);
    pthread_mutex_unlock(&cache->lock);
    if (c->error || c->session) return 0;
    return read_items(in, a, c);
}

int32_t fetch_context_keep(struct fetch_sessions *cache, struct fetch_context *c, bool uses_ids,
                           int64_t now_ms) {
    pthread_mutex_lock(&cache->lock);
    if (cache->items_n + c->items_n > cache->items_max || !make_room(cache, now_ms, c->items_n)) {
        pthread_mutex_unlock(&cache->lock);
        return 0;
    }
    struct fetch_session *s = xcalloc(1, sizeof *s);
    s->index = xcalloc(1, sizeof *s->index);
    hashmap_init(&s->index->by_key, cache->seed);
    atomic_init(&s->refs, 1);
    s->uses_ids = uses_ids;
    s->created_ms = now_ms;
    s->epoch = next_epoch(INITIAL_EPOCH);
    do s->id = (int32_t)(1 + random_below(&cache->random, INT32_MAX - 1));
    while (cache_get(cache, s->id));
    for (struct fetch_item *i = c->first; i; i = i->next) session_add(cache, s, i);
    hashmap_put(&cache->by_id, &s->id, sizeof s->id, s);
    used_append(cache, s, now_ms);
    int32_t id = s->id;
    pthread_mutex_unlock(&cache->lock);
    return id;
}

bool fetch_item_says(const struct fetch_context *c, const struct fetch_item *i, int16_t error,
                     int64_t high_watermark, int64_t log_start, bool has_records, bool diverging) {
    return !c->session || has_records || error || diverging || i->high_watermark != high_watermark ||
           i->log_start != log_start;
}

bool fetch_item_answer(struct fetch_context *c, struct fetch_item *i, int16_t error, int64_t high_watermark,
                       int64_t log_start, bool has_records, bool diverging) {
    bool says = fetch_item_says(c, i, error, high_watermark, log_start, has_records, diverging);
    i->high_watermark = error ? -1 : high_watermark;
    i->log_start = log_start;
    if (has_records && c->session && c->session->last != i) {
        list_remove(c->session, i);
        list_append(&c->session->first, &c->session->last, i);
    }
    return says;
}

void fetch_context_end(struct fetch_sessions *cache, struct fetch_context *c) {
    if (!c->session) return;
    pthread_mutex_lock(&cache->lock);
    c->session->busy = false;
    session_unref(cache, c->session);
    pthread_mutex_unlock(&cache->lock);
    c->session = NULL;
}
