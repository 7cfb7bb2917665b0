#include "quota/connections.h"

#include <stdlib.h>
#include <string.h>

#include "base/hashmap.h"
#include "base/mem.h"

enum { ADDRESS_IDLE_MS = 3600 * 1000, SWEEP_MS = 600000 };

struct connection_source {
    struct connection_source *next;
    struct rate *rate;
    int32_t limit;
};

/* An address that has connected while it had a limit, or has a limit of its own. */
struct address {
    struct rate *rate; /* NULL: not yet */
    int64_t used_ms;
    bool own; /* own_limit is set */
    int32_t own_limit;
    char name[];
};

struct connections {
    struct rate_window window;
    struct rate *all;
    int32_t all_limit, address_limit;
    struct connection_source *listeners;
    struct hashmap addresses;
    int64_t swept_ms;
};

struct connections *connections_new(const struct rate_window *w, uint64_t seed) {
    struct connections *c = xcalloc(1, sizeof *c);
    c->window = *w;
    c->all = rate_new(w);
    c->all_limit = c->address_limit = CONNECTION_RATE_UNLIMITED;
    hashmap_init(&c->addresses, seed);
    return c;
}

static void address_free(struct address *a) {
    free(a->rate);
    free(a);
}

void connections_free(struct connections *c) {
    if (!c) return;
    for (struct connection_source *l = c->listeners, *next; l; l = next) {
        next = l->next;
        free(l->rate);
        free(l);
    }
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&c->addresses, &i));) address_free(e->value);
    hashmap_free(&c->addresses);
    free(c->all);
    free(c);
}

struct connection_source *connections_listener(struct connections *c) {
    struct connection_source *l = xcalloc(1, sizeof *l);
    l->rate = rate_new(&c->window);
    l->limit = CONNECTION_RATE_UNLIMITED;
    l->next = c->listeners;
    c->listeners = l;
    return l;
}

/* ---- limits ---- */

void connections_limit_all(struct connections *c, int32_t limit) { c->all_limit = limit; }
void connections_limit_listener(struct connection_source *l, int32_t limit) { l->limit = limit; }

/* Removes addresses without a limit of their own that were last used before that. */
static void remove_addresses(struct connections *c, int64_t before) {
    struct hashmap_entry *e;
    size_t n = 0;
    struct address **gone = xcalloc(c->addresses.count + 1, sizeof(struct address *));
    for (size_t i = 0; (e = hashmap_next(&c->addresses, &i));) {
        struct address *a = e->value;
        if (!a->own && a->used_ms < before) gone[n++] = a;
    }
    for (size_t i = 0; i < n; i++) {
        hashmap_del(&c->addresses, gone[i]->name, strlen(gone[i]->name));
        address_free(gone[i]);
    }
    free(gone);
}

void connections_forget_addresses(struct connections *c) {
    struct hashmap_entry *e;
    c->address_limit = CONNECTION_RATE_UNLIMITED;
    for (size_t i = 0; (e = hashmap_next(&c->addresses, &i));) ((struct address *)e->value)->own = false;
}

static struct address *address_of(struct connections *c, const char *name) {
    size_t len = strlen(name);
    struct address *a = hashmap_get(&c->addresses, name, len);
    if (a) return a;
    a = xcalloc(1, sizeof *a + len + 1);
    memcpy(a->name, name, len);
    hashmap_put(&c->addresses, a->name, len, a);
    return a;
}

void connections_limit_address(struct connections *c, const char *address, int32_t limit) {
    if (!address) {
        c->address_limit = limit;
        return;
    }
    struct address *a = address_of(c, address);
    a->own = true;
    a->own_limit = limit;
}

/* ---- counting ---- */

static int32_t too_fast_ms(const struct connections *c, struct rate *r, int32_t limit, int64_t now) {
    struct rate_total t = rate_total_at(now);
    rate_record(r, &c->window, 1, now);
    rate_add_to(r, &c->window, now, &t);
    int64_t ms = limit == CONNECTION_RATE_UNLIMITED ? 0 : rate_throttle_ms(&t, &c->window, limit, now);
    return (int32_t)(ms < c->window.sample_ms ? ms : c->window.sample_ms);
}

int32_t connections_wait_ms(struct connections *c, struct connection_source *l, bool exempt, int64_t now) {
    int32_t all = exempt ? 0 : too_fast_ms(c, c->all, c->all_limit, now);
    int32_t own = too_fast_ms(c, l->rate, l->limit, now);
    return all > own ? all : own;
}

int32_t connections_refuse_ms(struct connections *c, struct connection_source *l, bool exempt,
                              const char *address, int64_t now) {
    if (now - c->swept_ms >= SWEEP_MS) remove_addresses(c, now - ADDRESS_IDLE_MS);
    if (now - c->swept_ms >= SWEEP_MS) c->swept_ms = now;
    struct address *a = hashmap_get(&c->addresses, address, strlen(address));
    int32_t limit = a && a->own ? a->own_limit : c->address_limit;
    if (limit == CONNECTION_RATE_UNLIMITED) return 0;
    if (!a && c->addresses.count >= ADDRESSES_MAX)
        remove_addresses(c, now - c->window.samples * c->window.sample_ms);
    if (!a && c->addresses.count >= ADDRESSES_MAX)
        return 0; /* more addresses a window than can be told apart */
    if (!a) a = address_of(c, address);
    if (!a->rate) a->rate = rate_new(&c->window);
    a->used_ms = now;
    int32_t ms = too_fast_ms(c, a->rate, limit, now);
    if (!ms) return 0;
    rate_record(a->rate, &c->window, -1, now);
    rate_record(l->rate, &c->window, -1, now);
    if (!exempt) rate_record(c->all, &c->window, -1, now);
    return ms;
}
