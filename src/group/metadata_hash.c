/* What a group knows of its topics' metadata is a hash (KIP-1101), kept in the group's record; a group whose
 * hash is no longer right gets a new epoch. Computed as the reference does, so that a group goes on with the
 * same epoch when the coordinator moves: XXH3-64 over a topic's id, name, partitions and their racks, and
 * over the topics' hashes in order of names. Numbers little-endian; a text is its UTF-16 units and then their
 * number (hash4j). Source: Utils.computeTopicHash, computeGroupHash. */
#include <stdlib.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "base/assert.h"
#include "base/mem.h"
#include "group/modern.h"
#include "group/own.h"
#include "metadata/image.h"

struct topic_hash {
    struct kstr name; /* owned */
    uint64_t hash;
};

static void put_number(XXH3_state_t *h, uint64_t v, size_t bytes) {
    uint8_t le[8];
    for (size_t i = 0; i < bytes; i++) le[i] = (uint8_t)(v >> (8 * i));
    XXH3_64bits_update(h, le, bytes);
}

static void put_uuid_half(XXH3_state_t *h, const uint8_t *half) {
    uint64_t v = 0;
    for (int i = 0; i < 8; i++) v = v << 8 | half[i];
    put_number(h, v, 8);
}

/* The next code point of UTF-8 that was checked when it was written; anything else counts as U+FFFD. */
static uint32_t next_code_point(const uint8_t **p, const uint8_t *end) {
    uint32_t c = *(*p)++;
    int more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc0 ? 1 : -1;
    if (more < 0 || end - *p < more) return 0xfffd;
    if (more) c &= 0x3fu >> more;
    for (; more; more--) c = c << 6 | (*(*p)++ & 0x3f);
    return c;
}

/* Returns how many UTF-16 units it has. */
static uint32_t put_units(XXH3_state_t *h, const char *s, size_t n) {
    const uint8_t *p = (const uint8_t *)s, *end = p + n;
    uint32_t units = 0;
    while (p < end) {
        uint32_t c = next_code_point(&p, end);
        units += 1 + (c >= 0x10000);
        if (!h) continue;
        if (c >= 0x10000) {
            put_number(h, 0xd800 + ((c - 0x10000) >> 10), 2);
            put_number(h, 0xdc00 + ((c - 0x10000) & 0x3ff), 2);
        } else {
            put_number(h, c, 2);
        }
    }
    return units;
}

static void put_text(XXH3_state_t *h, const char *s, size_t n) { put_number(h, put_units(h, s, n), 4); }

static int compare_racks(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void put_racks(XXH3_state_t *h, const struct image *image, const struct partition *p) {
    const char **racks = xcalloc((size_t)p->replicas_n + 1, sizeof *racks);
    size_t n = 0;
    for (int32_t i = 0; i < p->replicas_n; i++) {
        const struct broker *b = image_broker(image, p->replicas[i]);
        if (b && b->rack) racks[n++] = b->rack;
    }
    qsort(racks, n, sizeof *racks, compare_racks);
    for (size_t i = 0; i < n; i++) {
        put_number(h, put_units(NULL, racks[i], strlen(racks[i])), 4);
        put_text(h, racks[i], strlen(racks[i]));
    }
    free(racks);
}

static uint64_t hash_topic(const struct image *image, const struct topic *t) {
    XXH3_state_t *h = XXH3_createState();
    if (!h) abort();
    XXH3_64bits_reset(h);
    put_number(h, 0, 1); /* the version of this hash */
    put_uuid_half(h, t->id.b);
    put_uuid_half(h, t->id.b + 8);
    put_text(h, t->name, (size_t)t->name_len);
    put_number(h, (uint32_t)t->partitions_n, 4);
    for (int32_t i = 0; i < t->partitions_n; i++) {
        put_number(h, (uint32_t)i, 4);
        if (t->partitions[i]) put_racks(h, image, t->partitions[i]);
    }
    uint64_t hash = XXH3_64bits_digest(h);
    XXH3_freeState(h);
    return hash;
}

static const struct topic_hash *topic_hash(struct group_shard *s, const struct topic *t) {
    struct topic_hash *known = hashmap_get(&s->topic_hashes, t->name, (size_t)t->name_len);
    if (known) return known;
    known = xcalloc(1, sizeof *known);
    known->name = kstr_own((struct kstr){t->name, t->name_len});
    known->hash = hash_topic(s->image, t);
    hashmap_put(&s->topic_hashes, known->name.s, (size_t)known->name.len, known);
    return known;
}

static void free_topic_hash(struct topic_hash *t) {
    kstr_disown(&t->name);
    free(t);
}

void topic_hash_forget(struct group_shard *s, struct kstr topic) {
    struct topic_hash *t = hashmap_del(&s->topic_hashes, topic.s, (size_t)topic.len);
    if (t) free_topic_hash(t);
}

void topic_hashes_free(struct group_shard *s) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&s->topic_hashes, &i));) free_topic_hash(e->value);
    hashmap_free(&s->topic_hashes);
}

static int compare_names(const void *a, const void *b) {
    const struct topic_hash *const *x = a, *const *y = b;
    return names_compare((*x)->name, (*y)->name);
}

int64_t metadata_hash(struct group_shard *s, const struct hashmap *topics) {
    const struct topic_hash **known = xcalloc(topics->count + 1, sizeof *known);
    struct hashmap_entry *e;
    size_t n = 0;
    for (size_t i = 0; s->image && (e = hashmap_next(topics, &i));) {
        const struct subscription *wanted = e->value;
        const struct topic *t = image_topic_by_name(s->image, wanted->name.s, (size_t)wanted->name.len);
        if (t) known[n++] = topic_hash(s, t);
    }
    qsort(known, n, sizeof *known, compare_names);
    uint8_t *all = xcalloc(n + 1, 8);
    for (size_t i = 0; i < n; i++)
        for (int b = 0; b < 8; b++) all[i * 8 + (size_t)b] = (uint8_t)(known[i]->hash >> (8 * b));
    int64_t hash = n ? (int64_t)XXH3_64bits(all, n * 8) : 0;
    free(all);
    free(known);
    return hash;
}

enum { REFRESH_MS = INT32_MAX }; /* changes are told; this is for what was missed */

bool modern_metadata_expired(const struct group_shard *s, const struct modern *m) {
    return s->now.wall >= m->refresh_ms || m->epoch < m->refresh_epoch;
}

void modern_metadata_checked(const struct group_shard *s, struct modern *m, int32_t epoch) {
    m->refresh_ms = s->now.wall + REFRESH_MS;
    m->refresh_epoch = epoch;
}
