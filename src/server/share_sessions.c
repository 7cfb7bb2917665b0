/* A session is found by group and member; its partitions are a list in the order of fetching, and a map. A
 * connection has at most one link: to the session that was made last by a request on it.
 *
 *  1. A session with a link is that link's; a link's session may have ended (NULL).
 *  2. groups[g].sessions is how many sessions the group has; a group stays while it has sessions or links. */
#include "server/share_sessions.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/hashmap.h"
#include "base/kerr.h"
#include "base/mem.h"

struct item {
    struct item *next, *prev;
    struct share_item is; /* the map's key */
    bool tell;            /* in the next answer even without records */
};

struct group {
    int32_t sessions, links;
    struct kstr name; /* owned; the map's key */
};

struct session {
    struct group *group;
    struct share_link *link;
    int32_t epoch; /* that the next request must have */
    struct item *first, *last;
    struct hashmap items;
    struct kstr member; /* in key */
    size_t key_len;
    char key[]; /* group, NUL, member */
};

struct share_link {
    struct group *group;
    struct session *session; /* NULL: ended */
};

struct share_sessions {
    pthread_mutex_t lock;
    struct hashmap sessions, groups;
    int32_t slots;
    int64_t items, items_max;
    uint64_t seed;
};

struct share_sessions *share_sessions_create(int32_t slots, int64_t items, uint64_t seed) {
    struct share_sessions *s = xcalloc(1, sizeof *s);
    *s = (struct share_sessions){.slots = slots, .items_max = items, .seed = seed};
    pthread_mutex_init(&s->lock, NULL);
    hashmap_init(&s->sessions, seed);
    hashmap_init(&s->groups, seed);
    return s;
}

/* ---- groups ---- */

static struct group *group_get(struct share_sessions *s, struct kstr name) {
    struct group *g = hashmap_get(&s->groups, name.s, (size_t)name.len);
    if (g) return g;
    g = xcalloc(1, sizeof *g);
    g->name = (struct kstr){xstrndup(name.s, (size_t)name.len), name.len};
    hashmap_put(&s->groups, g->name.s, (size_t)g->name.len, g);
    return g;
}

static void group_put(struct share_sessions *s, struct group *g) {
    if (g->sessions || g->links) return;
    hashmap_del(&s->groups, g->name.s, (size_t)g->name.len);
    free((char *)(uintptr_t)g->name.s);
    free(g);
}

/* ---- sessions ---- */

static size_t key_of(struct kstr group, struct kstr member, char **key) {
    size_t len = (size_t)group.len + 1 + (size_t)member.len;
    *key = xmalloc(len);
    memcpy(*key, group.s, (size_t)group.len);
    (*key)[group.len] = 0;
    memcpy(*key + group.len + 1, member.s, (size_t)member.len);
    return len;
}

static struct session *find(struct share_sessions *s, struct kstr group, struct kstr member) {
    char *key;
    size_t len = key_of(group, member, &key);
    struct session *found = hashmap_get(&s->sessions, key, len);
    free(key);
    return found;
}

static void append_item(struct session *x, struct item *i) {
    i->next = NULL;
    i->prev = x->last;
    *(x->last ? &x->last->next : &x->first) = i;
    x->last = i;
}

static void unlink_item(struct session *x, struct item *i) {
    *(i->prev ? &i->prev->next : &x->first) = i->next;
    *(i->next ? &i->next->prev : &x->last) = i->prev;
}

static struct item *find_item(const struct session *x, const struct share_item *is) {
    return hashmap_get(&x->items, is, sizeof *is);
}

static void add_item(struct share_sessions *s, struct session *x, const struct share_item *is, bool tell) {
    if (find_item(x, is)) return;
    struct item *i = xcalloc(1, sizeof *i);
    i->is = *is;
    i->tell = tell;
    append_item(x, i);
    hashmap_put(&x->items, &i->is, sizeof i->is, i);
    s->items++;
}

static void remove_item(struct share_sessions *s, struct session *x, struct item *i) {
    unlink_item(x, i);
    hashmap_del(&x->items, &i->is, sizeof i->is);
    free(i);
    s->items--;
}

static void end_session(struct share_sessions *s, struct session *x) {
    while (x->first) remove_item(s, x, x->first);
    hashmap_free(&x->items);
    hashmap_del(&s->sessions, x->key, x->key_len);
    if (x->link) x->link->session = NULL;
    x->group->sessions--;
    group_put(s, x->group);
    free(x);
}

static void set_link(struct share_sessions *s, struct share_link **link, struct session *x) {
    if (!*link) *link = xcalloc(1, sizeof **link);
    struct share_link *l = *link;
    if (l->session) l->session->link = NULL;
    x->group->links++;
    if (l->group) {
        l->group->links--;
        group_put(s, l->group);
    }
    l->group = x->group;
    l->session = x;
    x->link = l;
}

static struct session *start_session(struct share_sessions *s, struct kstr group, struct kstr member,
                                     struct share_link **link) {
    char *key;
    size_t len = key_of(group, member, &key);
    struct session *x = xcalloc(1, sizeof *x + len);
    memcpy(x->key, key, len);
    free(key);
    x->key_len = len;
    x->member = (struct kstr){x->key + group.len + 1, member.len};
    x->epoch = SHARE_EPOCH_FIRST + 1;
    hashmap_init(&x->items, s->seed);
    hashmap_put(&s->sessions, x->key, x->key_len, x);
    x->group = group_get(s, group);
    x->group->sessions++;
    set_link(s, link, x);
    return x;
}

static int32_t next_epoch(int32_t epoch) { return epoch == INT32_MAX ? 1 : epoch + 1; }

/* ---- requests ---- */

static bool list_items(const struct session *x, struct arena *a, struct share_context *c) {
    c->items = arena_calloc(a, x->items.count, sizeof *c->items);
    if (!c->items) return false;
    for (const struct item *i = x->first; i; i = i->next) c->items[c->items_n++] = i->is;
    return true;
}

static bool fetch_new(struct share_sessions *s, struct kstr group, struct kstr member,
                      const struct share_item *items, int32_t n, struct share_link **link, struct arena *a,
                      struct share_context *c) {
    struct session *old = find(s, group, member);
    if (old) end_session(s, old);
    if (s->sessions.count >= (size_t)s->slots || s->items + n > s->items_max) {
        c->error = KERR_SHARE_SESSION_LIMIT_REACHED;
        c->limited = true;
        return true;
    }
    struct session *x = start_session(s, group, member, link);
    for (int32_t i = 0; i < n; i++) add_item(s, x, &items[i], false);
    c->next_epoch = x->epoch;
    return list_items(x, a, c);
}

static bool fetch_more(struct share_sessions *s, struct session *x, int32_t epoch,
                       const struct share_item *items, int32_t n, const struct share_item *forget,
                       int32_t forget_n, struct arena *a, struct share_context *c) {
    if (!x || x->epoch != epoch || s->items + n > s->items_max) {
        c->error = !x                  ? KERR_SHARE_SESSION_NOT_FOUND
                   : x->epoch != epoch ? KERR_INVALID_SHARE_SESSION_EPOCH
                                       : KERR_SHARE_SESSION_LIMIT_REACHED;
        return true;
    }
    for (int32_t i = 0; i < n; i++) add_item(s, x, &items[i], true);
    for (int32_t i = 0; i < forget_n; i++) {
        struct item *gone = find_item(x, &forget[i]);
        if (gone) remove_item(s, x, gone);
    }
    x->epoch = next_epoch(x->epoch);
    c->incremental = true;
    c->next_epoch = x->epoch;
    return list_items(x, a, c);
}

bool share_sessions_fetch(struct share_sessions *s, struct kstr group, struct kstr member, int32_t epoch,
                          bool acknowledges, const struct share_item *items, int32_t items_n,
                          const struct share_item *forget, int32_t forget_n, struct share_link **link,
                          struct arena *a, struct share_context *c) {
    bool ok = true;
    *c = (struct share_context){0};
    pthread_mutex_lock(&s->lock);
    if (epoch == SHARE_EPOCH_LAST) {
        if (!find(s, group, member)) c->error = KERR_SHARE_SESSION_NOT_FOUND;
    } else if (epoch == SHARE_EPOCH_FIRST) {
        if (acknowledges)
            c->error = KERR_INVALID_REQUEST;
        else
            ok = fetch_new(s, group, member, items, items_n, link, a, c);
    } else
        ok = fetch_more(s, find(s, group, member), epoch, items, items_n, forget, forget_n, a, c);
    pthread_mutex_unlock(&s->lock);
    return ok;
}

int16_t share_sessions_acknowledge(struct share_sessions *s, struct kstr group, struct kstr member,
                                   int32_t epoch) {
    int16_t error = 0;
    if (epoch == SHARE_EPOCH_FIRST) return KERR_INVALID_SHARE_SESSION_EPOCH;
    pthread_mutex_lock(&s->lock);
    struct session *x = find(s, group, member);
    if (!x)
        error = KERR_SHARE_SESSION_NOT_FOUND;
    else if (epoch != SHARE_EPOCH_LAST && x->epoch != epoch)
        error = KERR_INVALID_SHARE_SESSION_EPOCH;
    else if (epoch != SHARE_EPOCH_LAST)
        x->epoch = next_epoch(x->epoch);
    pthread_mutex_unlock(&s->lock);
    return error;
}

static bool answer_item(struct session *x, const struct share_answer *a) {
    struct item *i = find_item(x, &a->item);
    if (!i) return false; /* forgotten */
    bool keep = a->has_records || i->tell || a->has_error;
    i->tell = a->has_error;
    if (a->has_records) { /* the others come first the next time */
        unlink_item(x, i);
        append_item(x, i);
    }
    return keep;
}

int16_t share_sessions_answer(struct share_sessions *s, struct kstr group, struct kstr member,
                              const struct share_context *c, const struct share_answer *answers, int32_t n,
                              bool *kept) {
    int16_t error = 0;
    ASSERT(c->incremental);
    pthread_mutex_lock(&s->lock);
    struct session *x = find(s, group, member);
    if (!x || x->epoch != c->next_epoch)
        error = KERR_INVALID_SHARE_SESSION_EPOCH;
    else
        for (int32_t i = 0; i < n; i++) kept[i] = answer_item(x, &answers[i]);
    pthread_mutex_unlock(&s->lock);
    return error;
}

/* ---- the end ---- */

struct share_item *share_sessions_end(struct share_sessions *s, struct kstr group, struct kstr member,
                                      int32_t *n) {
    struct share_item *items = NULL;
    *n = 0;
    pthread_mutex_lock(&s->lock);
    struct session *x = find(s, group, member);
    if (x) {
        items = xcalloc(x->items.count + 1, sizeof *items);
        for (const struct item *i = x->first; i; i = i->next) items[(*n)++] = i->is;
        end_session(s, x);
    }
    pthread_mutex_unlock(&s->lock);
    return items;
}

bool share_sessions_disconnect(struct share_sessions *s, struct share_link *link, struct kstr *group,
                               struct kstr *member) {
    if (!link) return false;
    pthread_mutex_lock(&s->lock);
    struct group *g = link->group;
    struct session *x = link->session;
    *group = (struct kstr){xstrndup(g->name.s, (size_t)g->name.len), g->name.len};
    *member =
        x ? (struct kstr){xstrndup(x->member.s, (size_t)x->member.len), x->member.len} : (struct kstr){0};
    if (x) x->link = NULL;
    g->links--;
    group_put(s, g);
    pthread_mutex_unlock(&s->lock);
    free(link);
    return true;
}

bool share_sessions_group_empty(struct share_sessions *s, struct kstr group) {
    pthread_mutex_lock(&s->lock);
    const struct group *g = hashmap_get(&s->groups, group.s, (size_t)group.len);
    bool empty = !g || !g->sessions;
    pthread_mutex_unlock(&s->lock);
    return empty;
}

static struct session *any(struct share_sessions *s) {
    size_t at = 0;
    struct hashmap_entry *e = hashmap_next(&s->sessions, &at);
    return e ? e->value : NULL;
}

void share_sessions_clear(struct share_sessions *s) {
    pthread_mutex_lock(&s->lock);
    for (struct session *x; (x = any(s));) end_session(s, x);
    pthread_mutex_unlock(&s->lock);
}

void share_sessions_destroy(struct share_sessions *s) {
    if (!s) return;
    share_sessions_clear(s);
    ASSERT(!s->groups.count); /* no connection is left */
    hashmap_free(&s->sessions);
    hashmap_free(&s->groups);
    pthread_mutex_destroy(&s->lock);
    free(s);
}
