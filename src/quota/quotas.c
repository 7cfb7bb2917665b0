/* A meter is referenced by the map and by each connection that keeps it. Forgetting takes it out of the map
 * and marks it, so that a connection that still has it asks again; what is recorded in between is lost, which
 * is a record of a client that was idle for an hour. */
#include "quota/quotas.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "quota/bucket.h"

enum { TOUCH_MS = 1000, SWEEP_MS = 600000, NS_PER_PERCENT = 10000000 };
#define LONG_AGO (INT64_MIN / 4)

struct meter {
    atomic_uint refs;
    _Atomic bool forgotten;
    bool shared; /* by newcomers while there are METERS_MAX */
    enum quota_type type;
    const struct rate_window *window;
    _Atomic double limit;
    _Atomic int64_t used_ms; /* to TOUCH_MS */
    _Atomic int64_t throttled_n, throttled_ms;
    struct bucket bucket;  /* of changes; the controller's thread */
    _Atomic double tokens; /* of the bucket, for who looks */
    int32_t user_len, client_len;
    const char *user, *client; /* in key */
    size_t key_len;
    uint8_t *key;
    int shards;
    struct rate *_Atomic rates[];
};

struct quotas_own {
    struct quotas_options options;
    pthread_mutex_t lock; /* of all below */
    struct limits *limits;
    struct hashmap meters;
    struct meter *crowd[QUOTA_TYPES];
    int64_t swept_ms;
};

void quotas_init(struct quotas *q, const struct quotas_options *o) {
    struct quotas_own *own = xcalloc(1, sizeof *own);
    own->options = *o;
    pthread_mutex_init(&own->lock, NULL);
    hashmap_init(&own->meters, o->seed);
    own->limits = limits_new(o->seed);
    atomic_init(&q->set, 0);
    atomic_init(&q->generation, 1);
    q->own = own;
}

void meter_unref(struct meter *m) {
    if (!m || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1) return;
    for (int i = 0; i < m->shards; i++) free(atomic_load(&m->rates[i]));
    free(m->key);
    free(m);
}

void quotas_free(struct quotas *q) {
    struct quotas_own *own = q->own;
    if (!own) return;
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&own->meters, &i));) meter_unref(e->value);
    for (int t = 0; t < QUOTA_TYPES; t++) meter_unref(own->crowd[t]);
    hashmap_free(&own->meters);
    limits_free(own->limits);
    pthread_mutex_destroy(&own->lock);
    free(own);
    q->own = NULL;
}

/* ---- finding ---- */

static struct meter *meter_new(const struct quotas_own *own, enum quota_type type, const void *key,
                               size_t key_len) {
    struct meter *m = xcalloc(1, sizeof *m + (size_t)own->options.shards * sizeof *m->rates);
    atomic_init(&m->refs, 1);
    m->type = type;
    m->window = type == QUOTA_MUTATION ? &own->options.changes_window : &own->options.window;
    m->shards = own->options.shards;
    m->key = xmalloc(key_len + 1);
    if (key_len) memcpy(m->key, key, key_len);
    m->key_len = key_len;
    m->user_len = m->client_len = -1;
    m->bucket.filled_ms = LONG_AGO; /* so it is full */
    return m;
}

/* type, user's length, client's length (-1: not part of it), both. */
enum { KEY_HEAD = 1 + 2 * sizeof(int32_t) };

static uint8_t *make_key(enum quota_type type, struct kstr user, struct kstr client, size_t *len) {
    size_t user_n = user.len > 0 ? (size_t)user.len : 0, client_n = client.len > 0 ? (size_t)client.len : 0;
    uint8_t *key = xmalloc(KEY_HEAD + user_n + client_n);
    key[0] = (uint8_t)type;
    memcpy(key + 1, &user.len, sizeof user.len);
    memcpy(key + 1 + sizeof user.len, &client.len, sizeof client.len);
    if (user_n) memcpy(key + KEY_HEAD, user.s, user_n);
    if (client_n) memcpy(key + KEY_HEAD + user_n, client.s, client_n);
    *len = KEY_HEAD + user_n + client_n;
    return key;
}

static void name_meter(struct meter *m) {
    memcpy(&m->user_len, m->key + 1, sizeof m->user_len);
    memcpy(&m->client_len, m->key + 1 + sizeof m->user_len, sizeof m->client_len);
    m->user = (const char *)m->key + KEY_HEAD;
    m->client = m->user + (m->user_len > 0 ? m->user_len : 0);
}

static int64_t window_ms(const struct rate_window *w) { return w->samples * w->sample_ms; }

static void forget(struct quotas_own *own, struct meter *m) {
    atomic_store(&m->forgotten, true);
    hashmap_del(&own->meters, m->key, m->key_len);
    meter_unref(m);
}

/* Forgets those that were last used before their time. A bucket is full after a window, too. */
static void forget_idle(struct quotas_own *own, int64_t now, bool crowded) {
    struct hashmap_entry *e;
    size_t n = 0, room = own->meters.count;
    struct meter **idle = xcalloc(room + 1, sizeof(struct meter *));
    for (size_t i = 0; (e = hashmap_next(&own->meters, &i));) {
        struct meter *m = e->value;
        int64_t limit = crowded ? window_ms(m->window) + TOUCH_MS : METER_IDLE_MS;
        if (now - atomic_load(&m->used_ms) > limit) idle[n++] = m;
    }
    for (size_t i = 0; i < n; i++) forget(own, idle[i]);
    free(idle);
}

static void sweep(struct quotas_own *own, int64_t now) {
    if (now - own->swept_ms < SWEEP_MS) return;
    own->swept_ms = now;
    forget_idle(own, now, false);
}

static struct meter *crowd_of(struct quotas_own *own, enum quota_type type) {
    if (own->crowd[type]) return own->crowd[type];
    own->crowd[type] = meter_new(own, type, "", 0);
    own->crowd[type]->shared = true;
    return own->crowd[type];
}

static struct meter *find(struct quotas_own *own, enum quota_type type, struct kstr user, struct kstr client,
                          int64_t now) {
    size_t len;
    uint8_t *key = make_key(type, user, client, &len);
    struct meter *m = hashmap_get(&own->meters, key, len);
    if (!m && own->meters.count >= METERS_MAX) forget_idle(own, now, true);
    if (!m && own->meters.count >= METERS_MAX) m = crowd_of(own, type);
    if (!m) {
        m = meter_new(own, type, key, len);
        name_meter(m);
        hashmap_put(&own->meters, m->key, m->key_len, m);
    }
    free(key);
    return m;
}

struct meter *quotas_meter(struct quotas *q, enum quota_type type, struct kstr user, struct kstr client_id,
                           int64_t now) {
    struct quotas_own *own = q->own;
    struct meter *m = NULL;
    pthread_mutex_lock(&own->lock);
    sweep(own, now);
    struct limit_found f = limits_find(own->limits, type, user, client_id);
    if (f.limit < QUOTA_UNLIMITED) {
        m = find(own, type, f.by_user ? user : KSTR_NULL, f.by_client ? client_id : KSTR_NULL, now);
        atomic_store(&m->limit, f.limit);
        atomic_store(&m->used_ms, now);
        atomic_fetch_add(&m->refs, 1);
    }
    pthread_mutex_unlock(&own->lock);
    return m;
}

bool meter_is_live(const struct meter *m) {
    return !atomic_load_explicit(&m->forgotten, memory_order_relaxed);
}

/* ---- limits ---- */

static struct kstr named(const char *s, int32_t len) { return len < 0 ? KSTR("") : (struct kstr){s, len}; }

void quotas_apply(struct quotas *q, struct limits *limits) {
    struct quotas_own *own = q->own;
    uint32_t set = 0;
    for (int t = 0; t < QUOTA_TYPES; t++) set |= limits_any(limits, t) ? 1u << t : 0;
    pthread_mutex_lock(&own->lock);
    struct limits *before = own->limits;
    own->limits = limits;
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&own->meters, &i));) {
        struct meter *m = e->value;
        struct limit_found f =
            limits_find(limits, m->type, named(m->user, m->user_len), named(m->client, m->client_len));
        atomic_store(&m->limit, f.limit);
    }
    atomic_store(&q->set, set);
    atomic_fetch_add_explicit(&q->generation, 1, memory_order_release);
    pthread_mutex_unlock(&own->lock);
    limits_free(before);
}

/* ---- recording ---- */

static void touch(struct meter *m, int64_t now) {
    if (now - atomic_load_explicit(&m->used_ms, memory_order_relaxed) >= TOUCH_MS)
        atomic_store_explicit(&m->used_ms, now, memory_order_relaxed);
}

void meter_record(struct meter *m, int shard, int64_t value, int64_t now) {
    ASSERT(shard >= 0 && shard < m->shards);
    struct rate *r = atomic_load_explicit(&m->rates[shard], memory_order_relaxed);
    if (!r) {
        r = rate_new(m->window);
        atomic_store_explicit(&m->rates[shard], r, memory_order_release);
    }
    rate_record(r, m->window, value, now);
    touch(m, now);
}

static struct rate_total total_of(const struct meter *m, int64_t now) {
    struct rate_total t = rate_total_at(now);
    for (int i = 0; i < m->shards; i++) {
        const struct rate *r = atomic_load_explicit(&m->rates[i], memory_order_acquire);
        if (r) rate_add_to(r, m->window, now, &t);
    }
    return t;
}

/* In the units that are recorded. */
static double limit_of(const struct meter *m) {
    double limit = atomic_load_explicit(&m->limit, memory_order_relaxed);
    return m->type == QUOTA_REQUEST ? limit * NS_PER_PERCENT : limit;
}

int32_t meter_record_throttle(struct meter *m, int shard, int64_t value, int64_t now) {
    meter_record(m, shard, value, now);
    struct rate_total t = total_of(m, now);
    int64_t ms = rate_throttle_ms(&t, m->window, limit_of(m), now);
    if (m->type == QUOTA_REQUEST && ms > m->window->sample_ms) ms = m->window->sample_ms;
    return (int32_t)ms;
}

void meter_throttled(struct meter *m, int32_t ms) {
    atomic_fetch_add_explicit(&m->throttled_n, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&m->throttled_ms, ms, memory_order_relaxed);
}

double meter_most(const struct meter *m) {
    return limit_of(m) * (m->window->samples - 1) * ((double)m->window->sample_ms / 1000.0);
}

bool meter_take(struct meter *m, double n, bool strict, int64_t now, int32_t *throttle_ms) {
    ASSERT(m->type == QUOTA_MUTATION);
    double limit = limit_of(m), burst = bucket_burst(limit, m->window->samples, m->window->sample_ms);
    touch(m, now);
    bucket_fill(&m->bucket, limit, burst, now);
    bool take = !strict || m->bucket.tokens >= 0;
    if (take) bucket_take(&m->bucket, limit, burst, n, now);
    *throttle_ms = take && strict ? 0 : (int32_t)bucket_throttle_ms(&m->bucket, limit);
    atomic_store_explicit(&m->tokens, m->bucket.tokens, memory_order_relaxed);
    return take;
}

/* ---- looking ---- */

void quotas_each(struct quotas *q, int64_t now, void (*see)(void *arg, const struct meter_view *v),
                 void *arg) {
    pthread_mutex_lock(&q->own->lock);
    sweep(q->own, now);
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&q->own->meters, &i));) {
        struct meter *m = e->value;
        struct rate_total t = total_of(m, now);
        double per_second = rate_per_second(&t, m->window, now);
        see(arg, &(struct meter_view){.type = m->type,
                                      .user = {m->user, m->user_len},
                                      .client_id = {m->client, m->client_len},
                                      .limit = atomic_load(&m->limit),
                                      .per_second = m->type == QUOTA_REQUEST    ? per_second / NS_PER_PERCENT
                                                    : m->type == QUOTA_MUTATION ? atomic_load(&m->tokens)
                                                                                : per_second,
                                      .throttled_n = atomic_load(&m->throttled_n),
                                      .throttled_ms = atomic_load(&m->throttled_ms)});
    }
    pthread_mutex_unlock(&q->own->lock);
}

size_t quotas_meters(struct quotas *q) {
    pthread_mutex_lock(&q->own->lock);
    size_t n = q->own->meters.count;
    pthread_mutex_unlock(&q->own->lock);
    return n;
}
