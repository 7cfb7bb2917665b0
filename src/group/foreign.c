#include "group/foreign.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "group/own.h"
#include "records/group.h"
#include "wire/reader.h"

struct foreign_key {
    int16_t type;
    struct kbytes bytes; /* owned */
};

/* rank: tombstones are written in this order, so that the reference can replay them: what refers to members
 * before the members, and the group itself last. */
static const struct kind {
    enum group_kind group;
    bool member;
    int8_t rank;
} kinds[] = {
    [GROUP_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT] = {GROUP_KIND_STREAMS, false, 0},
    [GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER] = {GROUP_KIND_STREAMS, false, 1},
    [GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_METADATA] = {GROUP_KIND_STREAMS, false, 2},
    [GROUP_STREAMS_GROUP_MEMBER_METADATA] = {GROUP_KIND_STREAMS, true, 3},
    [GROUP_STREAMS_GROUP_TOPOLOGY] = {GROUP_KIND_STREAMS, false, 4},
    [GROUP_STREAMS_GROUP_METADATA] = {GROUP_KIND_STREAMS, false, 5},
};
enum { RANKS = 6 };

static const struct kind *kind_of(int16_t type) {
    return type >= 0 && (size_t)type < sizeof kinds / sizeof *kinds ? &kinds[type] : &kinds[0];
}

enum group_kind foreign_type(int16_t record_type) { return kind_of(record_type)->group; }

static void free_key(struct foreign_key *k) {
    kbytes_disown(&k->bytes);
    free(k);
}

void foreign_free(struct foreign *f) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&f->keys, &i));) free_key(e->value);
    hashmap_free(&f->keys);
    free(f);
}

static struct foreign *foreign_create(enum group_kind type, uint64_t seed) {
    struct foreign *f = xcalloc(1, sizeof *f);
    f->type = type;
    hashmap_init(&f->keys, seed);
    return f;
}

static void add_key(struct foreign *f, int16_t type, struct kbytes key) {
    if (hashmap_get(&f->keys, key.p, (size_t)key.len)) return;
    struct foreign_key *k = xcalloc(1, sizeof *k);
    *k = (struct foreign_key){.type = type, .bytes = kbytes_own(key)};
    hashmap_put(&f->keys, k->bytes.p, (size_t)k->bytes.len, k);
    f->members_n += kind_of(type)->member;
}

static void drop_key(struct foreign *f, struct kbytes key) {
    struct foreign_key *k = hashmap_del(&f->keys, key.p, (size_t)key.len);
    if (!k) return;
    f->members_n -= kind_of(k->type)->member;
    free_key(k);
}

/* The group as one of `type`; a simple group gives way. NULL: a group of another kind has the id. */
static struct foreign *become(struct group_shard *s, struct group *g, enum group_kind type) {
    if (g->type == type) return g->foreign;
    if (g->type != GROUP_KIND_NONE && !group_is_simple(g)) return NULL;
    if (g->classic) classic_free(s, g->classic);
    g->classic = NULL;
    g->type = type;
    return g->foreign = foreign_create(type, s->seed);
}

int foreign_replay(struct group_shard *s, int16_t type, struct kbytes key, struct kbytes value) {
    const struct kind *kind = kind_of(type);
    struct reader r = reader_of(key.p, (size_t)key.len);
    if (kind->group == GROUP_KIND_NONE) {
        LOG_LIMITED(LOG_WARN, "group", "a record of unknown type %d in __consumer_offsets is ignored", type);
        return 0;
    }
    read_i16(&r);
    struct kstr id = read_string(&r, false, false); /* every key begins with the group's id */
    if (r.err) return OE_CORRUPT;
    struct group *g = value.len < 0 ? group_existing(s, id) : group_find_or_add(s, id);
    if (value.len < 0) {
        if (!g || g->type != kind->group) return 0;
        drop_key(g->foreign, key);
        if (kind->rank == RANKS - 1) group_dissolve(s, g);
        return 0;
    }
    struct foreign *f = become(s, g, kind->group);
    if (!f) return OE_CORRUPT;
    add_key(f, type, key);
    return 0;
}

bool foreign_has_member(const struct foreign *f, struct kstr member_id) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&f->keys, &i));) {
        struct foreign_key *k = e->value;
        if (!kind_of(k->type)->member) continue;
        struct reader r = reader_of(k->bytes.p + 2, (size_t)k->bytes.len - 2);
        read_string(&r, false, false);
        if (kstr_equal(read_string(&r, false, false), member_id) && !r.err) return true;
    }
    return false;
}

const char *foreign_state(const struct foreign *f) { return f->members_n ? "Stable" : "Empty"; }

void foreign_delete_records(struct group_shard *s, const struct foreign *f) {
    struct hashmap_entry *e;
    for (int rank = 0; rank < RANKS; rank++)
        for (size_t i = 0; (e = hashmap_next(&f->keys, &i));) {
            const struct foreign_key *k = e->value;
            if (kind_of(k->type)->rank != rank) continue;
            struct group_record *r = step_record(s);
            if (!r) return;
            uint8_t *copy = arena_memdup(&s->scratch, k->bytes.p, (size_t)k->bytes.len);
            r->key = (struct kbytes){.p = copy, .len = copy ? k->bytes.len : -1};
            s->out_of_memory |= !copy;
        }
}
