/* See client_metrics.h. Instances are in a map by id and in a list by when they were last heard of. An
 * instance whose subscriptions are older than the newest change is made anew at its next request, with its
 * values; times and errors begin anew then, as in the reference. */
#include "server/client_metrics.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/crc32c.h"
#include "base/hashmap.h"
#include "base/jstring.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "base/random.h"
#include "base/strbuf.h"
#include "config/client_match.h"
#include "config/group_config.h"
#include "metadata/image.h"
#include "record/compress.h"

enum {
    INSTANCES_MAX = 16384,
    SERIES_MAX = 2000,     /* of an instance */
    VALUES_MAX = 64 << 20, /* bytes of all values */
    EXPIRY_MS = 60000,
    INTERVAL_DEFAULT = 300000,
    IDENTITY_MAX = 256, /* bytes of a client id and its kin that are kept */
};

struct subscription {
    char *name;
    int32_t interval_ms;
    struct client_match *match; /* NULL: it was not valid, so it is for nobody */
    char **metrics;
    int32_t metrics_n;
};

struct series {
    double value;
    bool total;
    int64_t time_ms;
    size_t size;
    const char *name, *labels; /* in key */
    char key[];                /* name NUL labels NUL */
};

struct instance {
    struct uuid id;
    char *identity[CLIENT_ATTRIBUTES]; /* NULL: not known */
    int32_t subscription_id, interval_ms;
    uint32_t version; /* of the subscriptions that it was made of */
    char **metrics;
    int32_t metrics_n;
    int64_t last_get_ms, last_push_ms, expires_ms;
    bool terminating;
    int16_t last_error;
    struct hashmap values; /* struct series */
    struct instance *older, *newer;
};

struct client_metrics {
    pthread_mutex_t lock;
    struct random random;
    uint64_t seed;
    struct subscription *subscriptions;
    int32_t subscriptions_n;
    uint32_t version;
    struct hashmap instances; /* by id */
    struct instance *oldest, *newest;
    size_t value_bytes;
};

/* ---- sets of names as Java's HashSet keeps them, because the id of a subscription is a checksum of one ----
 */

static uint32_t spread(const char *s) {
    uint32_t h = (uint32_t)jstring_hash(s, strlen(s));
    return h ^ h >> 16;
}

/* Of a table that has grown by n insertions. */
static uint32_t buckets_of(int32_t n) {
    uint32_t buckets = 16;
    while ((uint32_t)n * 4 > buckets * 3) buckets *= 2;
    return buckets;
}

/* In the order in which a HashSet gives them that grew by these insertions. */
static void java_order(char **v, int32_t n) {
    uint32_t buckets = buckets_of(n);
    for (int32_t i = 1; i < n; i++) { /* stable; sets are short */
        char *s = v[i];
        uint32_t bucket = spread(s) & (buckets - 1);
        int32_t k = i;
        for (; k > 0 && (spread(v[k - 1]) & (buckets - 1)) > bucket; k--) v[k] = v[k - 1];
        v[k] = s;
    }
}

static bool has(char *const *v, int32_t n, const char *s) {
    for (int32_t i = 0; i < n; i++)
        if (strcmp(v[i], s) == 0) return true;
    return false;
}

static void free_names(char **v, int32_t n) {
    for (int32_t i = 0; i < n; i++) free(v[i]);
    free(v);
}

static int32_t java_hash(const struct uuid *u) {
    uint64_t x = get_u64(u->b) ^ get_u64(u->b + 8);
    return (int32_t)((uint32_t)(x >> 32) ^ (uint32_t)x);
}

static int32_t subscription_id(char *const *metrics, int32_t n, int32_t interval_ms, const struct uuid *id) {
    struct strbuf b;
    strbuf_init(&b, SIZE_MAX / 2);
    for (int32_t i = 0; i < n; i++) strbuf_addf(&b, "%s%s", i ? ", " : "[", metrics[i]);
    strbuf_addf(&b, "%s]%d", n ? "" : "[", interval_ms);
    int32_t crc = (int32_t)crc32c(0, b.s, b.len);
    strbuf_free(&b);
    return crc ^ java_hash(id);
}

/* ---- subscriptions ---- */

static void subscription_init(struct subscription *s, const struct config_set *set) {
    struct arena a;
    struct client_metrics_config c;
    arena_init(&a, SIZE_MAX);
    struct config_pair *pairs = arena_calloc(&a, (size_t)set->n + 1, sizeof *pairs);
    ASSERT(pairs);
    for (int32_t i = 0; i < set->n; i++)
        pairs[i] = (struct config_pair){set->entries[i].name, set->entries[i].value};
    client_metrics_resolve(pairs, set->n, &a, &c);
    *s = (struct subscription){.name = xstrdup(set->resource), .interval_ms = c.interval_ms};
    const char *illegal;
    client_match_compile(c.match, &s->match, &illegal);
    s->metrics = xcalloc((size_t)c.metrics.n + 1, sizeof *s->metrics);
    for (int32_t i = 0; i < c.metrics.n; i++)
        if (!has(s->metrics, s->metrics_n, c.metrics.items[i]))
            s->metrics[s->metrics_n++] = xstrdup(c.metrics.items[i]);
    java_order(s->metrics, s->metrics_n);
    arena_free(&a);
}

static void subscriptions_free(struct subscription *v, int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        client_match_free(v[i].match);
        free_names(v[i].metrics, v[i].metrics_n);
        free(v[i].name);
    }
    free(v);
}

/* In the order in which a ConcurrentHashMap gives them, which decides who names a metric first. */
static void order_subscriptions(struct subscription *v, int32_t n) {
    uint32_t mask = buckets_of(n) - 1;
    for (int32_t i = 1; i < n; i++) {
        struct subscription s = v[i];
        uint32_t bucket = spread(s.name) & mask;
        int32_t k = i;
        for (; k > 0; k--) {
            uint32_t before = spread(v[k - 1].name) & mask;
            if (before < bucket || (before == bucket && strcmp(v[k - 1].name, s.name) < 0)) break;
            v[k] = v[k - 1];
        }
        v[k] = s;
    }
}

void client_metrics_configure(struct client_metrics *m, const struct image *image) {
    struct pmap_iter it;
    int32_t n = 0, room = 0;
    struct subscription *v = NULL;
    pmap_iterate(&image->configs, &it);
    for (const struct config_set *s; (s = pmap_next(&it));) {
        if (s->type != CONFIG_CLIENT_METRICS || s->n == 0) continue;
        if (n == room) v = xrealloc(v, (size_t)(room = room * 2 + 8) * sizeof *v);
        subscription_init(&v[n++], s);
    }
    order_subscriptions(v, n);
    pthread_mutex_lock(&m->lock);
    struct subscription *old = m->subscriptions;
    int32_t old_n = m->subscriptions_n;
    m->subscriptions = v;
    m->subscriptions_n = n;
    m->version++;
    pthread_mutex_unlock(&m->lock);
    subscriptions_free(old, old_n);
}

/* ---- instances ---- */

static void evaluate(struct client_metrics *m, struct instance *i) {
    bool all = false;
    int32_t room = 0;
    free_names(i->metrics, i->metrics_n);
    i->metrics = NULL;
    i->metrics_n = 0;
    i->interval_ms = INTERVAL_DEFAULT;
    for (int32_t k = 0; k < m->subscriptions_n; k++) {
        const struct subscription *s = &m->subscriptions[k];
        if (!s->match || !client_match(s->match, (const char *const *)i->identity)) continue;
        if (s->interval_ms < i->interval_ms) i->interval_ms = s->interval_ms;
        for (int32_t j = 0; j < s->metrics_n; j++) {
            all |= strcmp(s->metrics[j], "*") == 0;
            if (has(i->metrics, i->metrics_n, s->metrics[j])) continue;
            if (i->metrics_n == room)
                i->metrics = xrealloc(i->metrics, (size_t)(room = room * 2 + 8) * sizeof *i->metrics);
            i->metrics[i->metrics_n++] = xstrdup(s->metrics[j]);
        }
    }
    if (all) { /* everything: the rest says nothing more */
        free_names(i->metrics, i->metrics_n);
        i->metrics = xcalloc(1, sizeof *i->metrics);
        i->metrics[0] = xstrdup("*");
        i->metrics_n = 1;
    }
    java_order(i->metrics, i->metrics_n);
    i->subscription_id = subscription_id(i->metrics, i->metrics_n, i->interval_ms, &i->id);
    i->version = m->version;
    i->last_get_ms = i->last_push_ms = 0;
    i->terminating = false;
    i->last_error = 0;
}

static void unlist(struct client_metrics *m, struct instance *i) {
    *(i->older ? &i->older->newer : &m->oldest) = i->newer;
    *(i->newer ? &i->newer->older : &m->newest) = i->older;
    i->older = i->newer = NULL;
}

static void list_newest(struct client_metrics *m, struct instance *i) {
    i->older = m->newest;
    *(m->newest ? &m->newest->newer : &m->oldest) = i;
    m->newest = i;
}

static void forget(struct client_metrics *m, struct instance *i) {
    hashmap_del(&m->instances, i->id.b, sizeof i->id.b);
    unlist(m, i);
    size_t at = 0;
    for (struct hashmap_entry *e; (e = hashmap_next(&i->values, &at));) {
        m->value_bytes -= ((struct series *)e->value)->size;
        free(e->value);
    }
    hashmap_free(&i->values);
    for (int k = 0; k < CLIENT_ATTRIBUTES; k++) free(i->identity[k]);
    free_names(i->metrics, i->metrics_n);
    free(i);
}

/* A copy that is not longer than IDENTITY_MAX; NULL for null. */
static char *kept(const char *s, int32_t len) {
    if (!s || len < 0) return NULL;
    return xstrndup(s, len < IDENTITY_MAX ? (size_t)len : IDENTITY_MAX);
}

static struct instance *make(struct client_metrics *m, const struct uuid *id,
                             const struct client_metrics_who *w) {
    char text[UUID_TEXT], port[16];
    struct instance *i = xcalloc(1, sizeof *i);
    i->id = *id;
    snprintf(port, sizeof port, "%d", w->port);
    const char *given[CLIENT_ATTRIBUTES] = {[CLIENT_INSTANCE_ID] = uuid_format(id, text),
                                            [CLIENT_SOFTWARE_NAME] = w->software_name,
                                            [CLIENT_SOFTWARE_VERSION] = w->software_version,
                                            [CLIENT_SOURCE_ADDRESS] = w->address,
                                            [CLIENT_SOURCE_PORT] = port};
    for (int k = 0; k < CLIENT_ATTRIBUTES; k++)
        i->identity[k] = k == CLIENT_ID ? kept(w->client_id.s ? w->client_id.s : "", w->client_id.len)
                         : given[k]     ? kept(given[k], (int32_t)strlen(given[k]))
                                        : NULL;
    hashmap_init(&i->values, m->seed);
    hashmap_put(&m->instances, i->id.b, sizeof i->id.b, i);
    list_newest(m, i);
    evaluate(m, i);
    return i;
}

static void purge(struct client_metrics *m, int64_t now_ms) {
    while (m->instances.count > INSTANCES_MAX) forget(m, m->oldest);
    for (struct instance *i = m->oldest, *next; i && i->expires_ms - EXPIRY_MS < now_ms; i = next) {
        next = i->newer; /* with a long interval one may stay longer than its turn */
        if (i->expires_ms <= now_ms) forget(m, i);
    }
}

static struct instance *find(const struct client_metrics *m, const struct uuid *id) {
    return hashmap_get(&m->instances, id->b, sizeof id->b);
}

/* The instance, made if there is none, up to date with the subscriptions. */
static struct instance *instance_of(struct client_metrics *m, const struct uuid *id,
                                    const struct client_metrics_who *w, int64_t now_ms, bool *made) {
    struct instance *i = find(m, id);
    if (i && i->expires_ms <= now_ms) {
        forget(m, i);
        i = NULL;
    }
    *made = !i || i->version != m->version;
    if (!i)
        i = make(m, id, w);
    else if (*made)
        evaluate(m, i);
    int64_t expiry = (int64_t)i->interval_ms * 3;
    i->expires_ms = now_ms + (expiry > EXPIRY_MS ? expiry : EXPIRY_MS);
    unlist(m, i);
    list_newest(m, i);
    purge(m, now_ms);
    return i;
}

/* ---- requests ---- */

static bool may_ask(struct instance *i, int64_t now_ms) {
    int64_t last = i->last_get_ms > i->last_push_ms ? i->last_get_ms : i->last_push_ms;
    if (now_ms - last >= i->interval_ms) {
        i->last_get_ms = now_ms;
        return true;
    }
    return i->last_error == KERR_UNKNOWN_SUBSCRIPTION_ID ||
           i->last_error == KERR_UNSUPPORTED_COMPRESSION_TYPE;
}

static bool copy_names(const struct instance *i, struct arena *a, struct client_subscription *to) {
    to->metrics = arena_calloc(a, (size_t)i->metrics_n + 1, sizeof *to->metrics);
    for (int32_t k = 0; to->metrics && k < i->metrics_n; k++) {
        const char *s = arena_strndup(a, i->metrics[k], strlen(i->metrics[k]));
        if (!s) return false;
        to->metrics[to->metrics_n++] = kstr_of(s);
    }
    return to->metrics != NULL;
}

int16_t client_metrics_subscribe(struct client_metrics *m, const struct client_metrics_who *who,
                                 struct uuid *instance, int64_t now_ms, struct arena *a,
                                 struct client_subscription *to, bool *made) {
    int16_t error = 0;
    pthread_mutex_lock(&m->lock);
    while (uuid_is_zero(instance)) {
        *instance = uuid_random(&m->random);
        if (find(m, instance)) *instance = (struct uuid){{0}};
    }
    struct instance *i = instance_of(m, instance, who, now_ms, made);
    if (!may_ask(i, now_ms)) {
        error = KERR_THROTTLING_QUOTA_EXCEEDED;
    } else {
        i->last_error = 0;
        *to = (struct client_subscription){.id = i->subscription_id, .interval_ms = i->interval_ms};
        if (!copy_names(i, a, to)) error = KERR_UNKNOWN_SERVER_ERROR;
    }
    pthread_mutex_unlock(&m->lock);
    return error;
}

/* A push may follow a request for the subscription at once, as clients spread their first one. */
static bool may_push(struct instance *i, int64_t now_ms) {
    if (i->last_get_ms <= i->last_push_ms && now_ms - i->last_push_ms < i->interval_ms) return false;
    i->last_push_ms = now_ms;
    return true;
}

static int16_t check_push(struct instance *i, const struct client_push *p, int64_t now_ms) {
    if (i->terminating) return KERR_INVALID_REQUEST; /* it had said that it goes */
    if (!may_push(i, now_ms) && !p->terminating) return KERR_THROTTLING_QUOTA_EXCEEDED;
    if (p->subscription != i->subscription_id) return KERR_UNKNOWN_SUBSCRIPTION_ID;
    if (p->compression < 0 || p->compression >= COMPRESSION_COUNT) return KERR_UNSUPPORTED_COMPRESSION_TYPE;
    return p->size > p->max_size ? KERR_TELEMETRY_TOO_LARGE : 0;
}

static bool reserved(const struct uuid *id) {
    return uuid_is_zero(id) || uuid_equal(id, &(struct uuid){{[15] = 1}});
}

int16_t client_metrics_push(struct client_metrics *m, const struct client_metrics_who *who,
                            const struct client_push *push, int64_t now_ms, bool *made) {
    *made = false;
    if (reserved(&push->instance)) return KERR_INVALID_REQUEST;
    pthread_mutex_lock(&m->lock);
    struct instance *i = instance_of(m, &push->instance, who, now_ms, made);
    int16_t error = check_push(i, push, now_ms);
    i->last_error = error;
    i->terminating = push->terminating;
    pthread_mutex_unlock(&m->lock);
    return error;
}

static struct series *series_of(struct client_metrics *m, struct instance *i, const struct otlp_point *p) {
    size_t name = strlen(p->name) + 1, labels = strlen(p->labels) + 1,
           size = sizeof(struct series) + name + labels;
    struct series *s = malloc(size);
    if (!s) return NULL;
    *s = (struct series){.size = size};
    memcpy(s->key, p->name, name);
    memcpy(s->key + name, p->labels, labels);
    s->name = s->key;
    s->labels = s->key + name;
    struct series *old = hashmap_get(&i->values, s->key, name + labels);
    if (old || i->values.count >= SERIES_MAX || m->value_bytes + size > VALUES_MAX) {
        free(s);
        return old;
    }
    hashmap_put(&i->values, s->key, name + labels, s);
    m->value_bytes += size;
    return s;
}

void client_metrics_store(struct client_metrics *m, const struct uuid *instance, int64_t now_ms,
                          const struct otlp_points *points) {
    pthread_mutex_lock(&m->lock);
    struct instance *i = find(m, instance);
    if (i && !points) i->last_error = KERR_INVALID_RECORD;
    for (int32_t k = 0; i && points && k < points->n; k++) {
        const struct otlp_point *p = &points->v[k];
        struct series *s = series_of(m, i, p);
        if (!s) continue; /* more than is kept */
        s->value = p->kind == OTLP_DELTA ? s->value + p->value : p->value;
        s->total = p->kind != OTLP_GAUGE;
        s->time_ms = now_ms;
    }
    pthread_mutex_unlock(&m->lock);
}

void client_metrics_left(struct client_metrics *m, const struct uuid *instance) {
    pthread_mutex_lock(&m->lock);
    struct instance *i = find(m, instance);
    if (i) forget(m, i);
    pthread_mutex_unlock(&m->lock);
}

static const char *or_empty(const char *s) { return s ? s : ""; }

void client_metrics_each(struct client_metrics *m,
                         void (*see)(void *ctx, const struct client_metrics_value *v), void *ctx) {
    pthread_mutex_lock(&m->lock);
    for (struct instance *i = m->oldest; i; i = i->newer) {
        size_t at = 0;
        for (struct hashmap_entry *e; (e = hashmap_next(&i->values, &at));) {
            const struct series *s = e->value;
            struct client_metrics_value v = {.instance = i->id,
                                             .client_id = or_empty(i->identity[CLIENT_ID]),
                                             .software_name = or_empty(i->identity[CLIENT_SOFTWARE_NAME]),
                                             .software_version =
                                                 or_empty(i->identity[CLIENT_SOFTWARE_VERSION]),
                                             .address = or_empty(i->identity[CLIENT_SOURCE_ADDRESS]),
                                             .name = s->name,
                                             .labels = s->labels,
                                             .value = s->value,
                                             .total = s->total,
                                             .time_ms = s->time_ms};
            see(ctx, &v);
        }
    }
    pthread_mutex_unlock(&m->lock);
}

/* ---- life ---- */

struct client_metrics *client_metrics_create(uint64_t seed) {
    struct client_metrics *m = xcalloc(1, sizeof *m);
    pthread_mutex_init(&m->lock, NULL);
    random_seed(&m->random, seed);
    m->seed = seed;
    hashmap_init(&m->instances, seed);
    return m;
}

void client_metrics_destroy(struct client_metrics *m) {
    if (!m) return;
    while (m->oldest) forget(m, m->oldest);
    hashmap_free(&m->instances);
    subscriptions_free(m->subscriptions, m->subscriptions_n);
    pthread_mutex_destroy(&m->lock);
    free(m);
}
