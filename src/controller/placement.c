/* See placement.h. */
#include "controller/placement.h"

#include "base/assert.h"
#include "base/kerr.h"

#include <string.h>

/* Brokers of a rack, all fenced or none. `epoch` numbers the partitions since the last shuffle: with each a
 * turn begins one broker further. */
struct broker_list {
    int32_t *ids;
    int32_t n, index, offset, epoch;
};

struct rack {
    const char *name; /* NULL: no rack; sorts first */
    struct broker_list live, fenced;
};

struct racks {
    struct rack *v;
    int32_t n, brokers, live;
    int32_t epoch, offset;
    struct random *random;
};

static int32_t list_next(struct broker_list *l, int32_t epoch) {
    if (l->n == 0) return -1;
    if (l->epoch != epoch) {
        l->epoch = epoch;
        l->index = 0;
        l->offset = (l->offset + 1) % l->n;
    }
    return l->index < l->n ? l->ids[(l->index++ + l->offset) % l->n] : -1;
}

static void list_shuffle(struct broker_list *l, struct random *r) {
    for (int32_t i = l->n - 1; i > 0; i--) {
        int32_t k = (int32_t)random_below(r, (uint64_t)i + 1), t = l->ids[i];
        l->ids[i] = l->ids[k];
        l->ids[k] = t;
    }
}

static void racks_shuffle(struct racks *s) {
    for (int32_t i = s->n - 1; i > 0; i--) {
        int32_t k = (int32_t)random_below(s->random, (uint64_t)i + 1);
        struct rack t = s->v[i];
        s->v[i] = s->v[k];
        s->v[k] = t;
    }
    for (int32_t i = 0; i < s->n; i++) {
        list_shuffle(&s->v[i].live, s->random);
        list_shuffle(&s->v[i].fenced, s->random);
    }
}

static bool usable(const struct broker *b) {
    return !b->in_controlled_shutdown && !(b->cordoned_n > 0 && b->cordoned_n >= b->dirs_n);
}

static int rack_order(const char *a, const char *b) {
    if (!a || !b) return (a != NULL) - (b != NULL);
    return strcmp(a, b);
}

/* The rack of that name, made and put in its place if it is new. */
static struct rack *rack_of(struct racks *s, const char *name, int32_t most, struct arena *a) {
    int32_t at = 0;
    while (at < s->n && rack_order(s->v[at].name, name) < 0) at++;
    if (at < s->n && rack_order(s->v[at].name, name) == 0) return &s->v[at];
    struct rack k = {.name = name};
    k.live.ids = arena_alloc(a, (size_t)most * sizeof(int32_t));
    k.fenced.ids = arena_alloc(a, (size_t)most * sizeof(int32_t));
    if (!k.live.ids || !k.fenced.ids) return NULL;
    memmove(s->v + at + 1, s->v + at, (size_t)(s->n - at) * sizeof k);
    s->v[at] = k;
    s->n++;
    return &s->v[at];
}

static bool racks_init(struct racks *s, const struct image *i, struct random *r, struct arena *a) {
    int32_t n = image_brokers_n(i);
    *s = (struct racks){.random = r, .v = arena_alloc(a, (size_t)(n + 1) * sizeof *s->v)};
    if (!s->v) return false;
    for (int32_t k = 0; k < n; k++) { /* in order of ids, so the lists are sorted */
        const struct broker *b = image_broker_at(i, k);
        if (!usable(b)) continue;
        struct rack *to = rack_of(s, b->rack, n, a);
        if (!to) return false;
        struct broker_list *l = b->fenced ? &to->fenced : &to->live;
        l->ids[l->n++] = b->id;
        s->brokers++;
        s->live += !b->fenced;
    }
    for (int32_t k = 0; k < s->n; k++) {
        struct rack *to = &s->v[k];
        if (to->live.n) to->live.offset = (int32_t)random_below(r, (uint64_t)to->live.n);
        if (to->fenced.n) to->fenced.offset = (int32_t)random_below(r, (uint64_t)to->fenced.n);
    }
    if (s->n) s->offset = (int32_t)random_below(r, (uint64_t)s->n);
    return true;
}

static int32_t rack_next(struct rack *k, int32_t epoch) {
    int32_t id = list_next(&k->live, epoch);
    return id >= 0 ? id : list_next(&k->fenced, epoch);
}

/* One partition: the leader from the next rack with a live broker, the others from the racks in turn, where
 * the leader's rack is left out of the first round. */
static void place_one(struct racks *s, int32_t replication, int32_t *to) {
    if (s->epoch == s->live && s->live > 1) {
        racks_shuffle(s);
        s->epoch = 0;
    }
    if (s->offset == s->n) s->offset = 0;
    int32_t first = s->offset, n = 0, id;
    while ((id = list_next(&s->v[first].live, s->epoch)) < 0) first = (first + 1) % s->n;
    to[n++] = id;
    for (int32_t at = s->offset; n < replication; at = (at + 1) % s->n) {
        if (at == first) {
            first = -1;
            continue;
        }
        if ((id = rack_next(&s->v[at], s->epoch)) >= 0) to[n++] = id;
    }
    s->epoch++;
    s->offset++;
}

int16_t placement_place(const struct image *i, struct random *r, int32_t partitions, int32_t replication,
                        struct arena *a, int32_t **replicas, const char **why) {
    ASSERT(partitions > 0);
    struct racks s;
    if (!racks_init(&s, i, r, a)) return KERR_UNKNOWN_SERVER_ERROR;
    *why = NULL;
    if (replication <= 0)
        *why = arena_printf(a, "Invalid replication factor %d: the replication factor must be positive.",
                            replication);
    else if (s.live == 0)
        *why = "All brokers are currently fenced, or have all their log directories cordoned.";
    else if (replication > s.brokers)
        *why = arena_printf(
            a,
            "The target replication factor of %d cannot be reached because only %d broker(s) are "
            "registered or some brokers have all their log directories cordoned.",
            replication, s.brokers);
    if (*why) return KERR_INVALID_REPLICATION_FACTOR;
    *replicas = arena_alloc(a, (size_t)partitions * (size_t)replication * sizeof **replicas);
    if (!*replicas) return KERR_UNKNOWN_SERVER_ERROR;
    for (int32_t p = 0; p < partitions; p++)
        place_one(&s, replication, *replicas + (size_t)p * (size_t)replication);
    return 0;
}
