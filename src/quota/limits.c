#include "quota/limits.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/hashmap.h"
#include "base/mem.h"

struct entry {
    double value;
    size_t key_len;
    uint8_t key[];
};

struct limits {
    struct hashmap entries;
    bool any[QUOTA_TYPES];
};

static const char *const keys[QUOTA_TYPES] = {[QUOTA_PRODUCE] = "producer_byte_rate",
                                              [QUOTA_FETCH] = "consumer_byte_rate",
                                              [QUOTA_REQUEST] = "request_percentage",
                                              [QUOTA_MUTATION] = "controller_mutation_rate"};

int quota_type_of(const char *key) {
    for (int i = 0; i < QUOTA_TYPES; i++)
        if (!strcmp(keys[i], key)) return i;
    return -1;
}

const char *quota_type_key(enum quota_type type) { return keys[type]; }

struct limits *limits_new(uint64_t seed) {
    struct limits *l = xcalloc(1, sizeof *l);
    hashmap_init(&l->entries, seed);
    return l;
}

void limits_free(struct limits *l) {
    if (!l) return;
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&l->entries, &i));) free(e->value);
    hashmap_free(&l->entries);
    free(l);
}

/* type, user's side, client's side, length of the user's name, names. */
enum { KEY_HEAD = 3 + sizeof(int32_t) };

static size_t name_len(enum limit_side side, struct kstr name) {
    return side == SIDE_NAMED && name.len > 0 ? (size_t)name.len : 0;
}

static size_t key_len(const struct limit_entity *e) {
    return KEY_HEAD + name_len(e->user, e->user_name) + name_len(e->client, e->client_name);
}

static void write_key(uint8_t *to, enum quota_type type, const struct limit_entity *e) {
    int32_t user = (int32_t)name_len(e->user, e->user_name),
            client = (int32_t)name_len(e->client, e->client_name);
    to[0] = (uint8_t)type;
    to[1] = (uint8_t)e->user;
    to[2] = (uint8_t)e->client;
    memcpy(to + 3, &user, sizeof user);
    if (user) memcpy(to + KEY_HEAD, e->user_name.s, (size_t)user);
    if (client) memcpy(to + KEY_HEAD + user, e->client_name.s, (size_t)client);
}

void limits_set(struct limits *l, enum quota_type type, const struct limit_entity *e, double value) {
    ASSERT(e->user || e->client);
    struct entry *n = xcalloc(1, sizeof *n + key_len(e));
    n->key_len = key_len(e);
    n->value = value;
    write_key(n->key, type, e);
    struct entry *old = hashmap_get(&l->entries, n->key, n->key_len);
    if (old) {
        old->value = value;
        free(n);
        return;
    }
    hashmap_put(&l->entries, n->key, n->key_len, n);
    l->any[type] = true;
}

bool limits_any(const struct limits *l, enum quota_type type) { return l->any[type]; }

static const struct entry *get(const struct limits *l, enum quota_type type, const struct limit_entity *e) {
    uint8_t small[512], *key = small;
    size_t n = key_len(e);
    if (n > sizeof small) key = xmalloc(n);
    write_key(key, type, e);
    const struct entry *found = hashmap_get(&l->entries, key, n);
    if (key != small) free(key);
    return found;
}

/* The order of precedence. */
static const struct step {
    enum limit_side user, client;
} steps[] = {{SIDE_NAMED, SIDE_NAMED},   {SIDE_NAMED, SIDE_DEFAULT},   {SIDE_NAMED, SIDE_ABSENT},
             {SIDE_DEFAULT, SIDE_NAMED}, {SIDE_DEFAULT, SIDE_DEFAULT}, {SIDE_DEFAULT, SIDE_ABSENT},
             {SIDE_ABSENT, SIDE_NAMED},  {SIDE_ABSENT, SIDE_DEFAULT}};

struct limit_found limits_find(const struct limits *l, enum quota_type type, struct kstr user,
                               struct kstr client_id) {
    for (size_t i = 0; l->any[type] && i < sizeof steps / sizeof *steps; i++) {
        if (steps[i].client && client_id.len <= 0) continue; /* no client id has no limit of its own */
        struct limit_entity e = {steps[i].user, steps[i].client, user, client_id};
        const struct entry *at = get(l, type, &e);
        if (!at) continue;
        return (struct limit_found){steps[i].user != SIDE_ABSENT, steps[i].client != SIDE_ABSENT, at->value};
    }
    return (struct limit_found){.limit = QUOTA_UNLIMITED};
}
