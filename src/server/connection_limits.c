/* Invariants: 1. count is the sum of the listeners' counts and of the addresses'; 2. an address without
 * connections has no entry; 3. 0 <= leaving <= count. */
#include "server/connection_limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "config/text.h"
#include "io/connect.h"

/* Connections of one address. */
struct from_address {
    int count;
    char host[];
};

/* max.connections.per.ip.overrides */
struct address_limit {
    char host[CONNECT_ADDRESS];
    int max;
};

void connection_limits_init(struct connection_limits *l, uint64_t seed) {
    *l = (struct connection_limits){.max = INT32_MAX, .max_per_ip = INT32_MAX};
    pthread_mutex_init(&l->lock, NULL);
    hashmap_init(&l->by_host, seed);
}

void connection_limits_free(struct connection_limits *l) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&l->by_host, &i));) free(e->value);
    hashmap_free(&l->by_host);
    free(l->overrides);
    pthread_mutex_destroy(&l->lock);
}

/* "host:count, …"; config/ has checked the form. A host is given by its address or its name. */
static struct address_limit *parse_overrides(const struct config *c, int *n) {
    struct arena a;
    arena_init(&a, SIZE_MAX);
    struct config_list list = text_list(&a, config_string(c, CFG_MAX_CONNECTIONS_PER_IP_OVERRIDES));
    struct address_limit *out = xcalloc((size_t)list.n + 1, sizeof *out);
    *n = 0;
    for (int32_t i = 0; i < list.n; i++) {
        const char *colon = strrchr(list.items[i], ':');
        int64_t max;
        if (!colon || !text_integer(text_trim(&a, colon + 1), INT32_MIN, INT32_MAX, &max)) continue;
        const char *host = text_trim(&a, text_copy_n(&a, list.items[i], (size_t)(colon - list.items[i])));
        struct address_limit *o = &out[*n];
        if (connect_address(host, o->host)) {
            LOG_ERROR("config",
                      "max.connections.per.ip.overrides: no address is known for %s; its limit is left out",
                      host);
            continue;
        }
        o->max = (int)max;
        ++*n;
    }
    arena_free(&a);
    return out;
}

void connection_limits_set(struct connection_limits *l, const struct config *c) {
    int n;
    struct address_limit *overrides = parse_overrides(c, &n), *before;
    pthread_mutex_lock(&l->lock);
    l->max = (int)config_int(c, CFG_MAX_CONNECTIONS);
    l->max_per_ip = (int)config_int(c, CFG_MAX_CONNECTIONS_PER_IP);
    before = l->overrides;
    l->overrides = overrides;
    l->overrides_n = n;
    pthread_mutex_unlock(&l->lock);
    free(before);
}

void connection_limits_set_listener(struct connection_limits *l, struct listener_limit *one,
                                    const struct config *c) {
    int64_t max;
    const char *text = config_for_listener(c, one->name, NULL, CFG_MAX_CONNECTIONS);
    struct arena a;
    arena_init(&a, SIZE_MAX);
    if (!text || !text_integer(text_trim(&a, text), INT32_MIN, INT32_MAX, &max)) max = INT32_MAX;
    arena_free(&a);
    pthread_mutex_lock(&l->lock);
    one->max = (int)max;
    pthread_mutex_unlock(&l->lock);
}

static void count_listeners(struct connection_limits *l, int change) {
    pthread_mutex_lock(&l->lock);
    l->listeners_n += change;
    ASSERT(l->listeners_n >= 0);
    pthread_mutex_unlock(&l->lock);
}

void connection_limits_add_listener(struct connection_limits *l) { count_listeners(l, 1); }
void connection_limits_remove_listener(struct connection_limits *l) { count_listeners(l, -1); }

static bool is_protected(const struct connection_limits *l, const struct listener_limit *one) {
    return one->inter_broker && l->listeners_n > 1;
}

bool connection_limits_protected(struct connection_limits *l, const struct listener_limit *one) {
    pthread_mutex_lock(&l->lock);
    bool yes = is_protected(l, one);
    pthread_mutex_unlock(&l->lock);
    return yes;
}

bool connection_limits_room(struct connection_limits *l, const struct listener_limit *one) {
    pthread_mutex_lock(&l->lock);
    bool room = one->count < one->max && (is_protected(l, one) || l->count < l->max);
    pthread_mutex_unlock(&l->lock);
    return room;
}

static int most_of(const struct connection_limits *l, const char *host) {
    for (int i = 0; i < l->overrides_n; i++)
        if (!strcmp(l->overrides[i].host, host)) return l->overrides[i].max;
    return l->max_per_ip;
}

bool connection_limits_enter(struct connection_limits *l, struct listener_limit *one, const char *host,
                             int *most) {
    size_t len = strlen(host);
    pthread_mutex_lock(&l->lock);
    struct from_address *f = hashmap_get(&l->by_host, host, len);
    *most = most_of(l, host);
    bool ok = (f ? f->count : 0) < *most;
    if (ok && !f) {
        f = xcalloc(1, sizeof *f + len + 1);
        memcpy(f->host, host, len);
        hashmap_put(&l->by_host, f->host, len, f);
    }
    if (ok) {
        f->count++;
        one->count++;
        l->count++;
    }
    pthread_mutex_unlock(&l->lock);
    return ok;
}

void connection_limits_leave(struct connection_limits *l, struct listener_limit *one, const char *host,
                             bool told) {
    size_t len = strlen(host);
    pthread_mutex_lock(&l->lock);
    struct from_address *f = hashmap_get(&l->by_host, host, len);
    ASSERT(f && f->count > 0 && one->count > 0 && l->count > 0 && l->leaving >= told);
    one->count--;
    l->count--;
    l->leaving -= told;
    if (--f->count == 0) {
        hashmap_del(&l->by_host, host, len);
        free(f);
    }
    pthread_mutex_unlock(&l->lock);
}

bool connection_limits_exceeded(struct connection_limits *l) {
    pthread_mutex_lock(&l->lock);
    bool exceeded = l->count - l->leaving > l->max;
    pthread_mutex_unlock(&l->lock);
    return exceeded;
}

bool connection_limits_over(struct connection_limits *l) {
    pthread_mutex_lock(&l->lock);
    bool over = l->count - l->leaving > l->max;
    l->leaving += over;
    pthread_mutex_unlock(&l->lock);
    return over;
}

void connection_limits_over_none(struct connection_limits *l) {
    pthread_mutex_lock(&l->lock);
    ASSERT(l->leaving > 0);
    l->leaving--;
    pthread_mutex_unlock(&l->lock);
}
