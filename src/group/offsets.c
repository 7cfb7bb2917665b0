/* Invariants:
 *  1. a topic in `topics` has at least one partition.
 *  2. a producer is in open_partition of (group, topic, partition) exactly if it has a pending offset there.
 */
#include "group/offsets.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "group/own.h"

void offsets_init(struct offsets *o, uint64_t seed) {
    hashmap_init(&o->topics, seed);
    hashmap_init(&o->open, seed);
}

static void free_committed(struct committed *c) {
    kstr_disown(&c->metadata);
    free(c);
}

static void free_topic(struct topic_offsets *t) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&t->partitions, &i));) free_committed(e->value);
    hashmap_free(&t->partitions);
    kstr_disown(&t->name);
    free(t);
}

static void free_open(struct open_partition *p) {
    free(p->producers);
    free(p);
}

void offsets_free(struct offsets *o) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&o->topics, &i));) free_topic(e->value);
    for (size_t i = 0; (e = hashmap_next(&o->open, &i));) free_open(e->value);
    hashmap_free(&o->topics);
    hashmap_free(&o->open);
}

bool offsets_is_empty(const struct offsets *o) { return !o->topics.count && !o->open.count; }

struct topic_offsets *offsets_topic(const struct offsets *o, struct kstr topic) {
    return hashmap_get(&o->topics, topic.s, (size_t)topic.len);
}

struct committed *topic_offsets_get(const struct topic_offsets *t, int32_t partition) {
    return hashmap_get(&t->partitions, &partition, sizeof partition);
}

struct committed *offsets_get(const struct offsets *o, struct kstr topic, int32_t partition) {
    struct topic_offsets *t = offsets_topic(o, topic);
    return t ? topic_offsets_get(t, partition) : NULL;
}

static struct committed *committed_create(void) {
    struct committed *c = xcalloc(1, sizeof *c);
    c->metadata = KSTR_NULL;
    return c;
}

static void assign(struct committed *to, const struct committed *from) {
    struct kstr metadata = to->metadata;
    *to = *from;
    if (kstr_equal(metadata, from->metadata)) {
        to->metadata = metadata;
        return;
    }
    to->metadata = kstr_own(from->metadata);
    kstr_disown(&metadata);
}

bool offsets_put(struct offsets *o, struct kstr topic, const struct committed *value) {
    struct topic_offsets *t = offsets_topic(o, topic);
    if (!t) {
        t = xcalloc(1, sizeof *t);
        t->name = kstr_own(topic);
        hashmap_init(&t->partitions, o->topics.seed);
        hashmap_put(&o->topics, t->name.s, (size_t)t->name.len, t);
    }
    struct committed *c = topic_offsets_get(t, value->partition);
    bool is_new = !c;
    if (is_new) c = committed_create();
    assign(c, value);
    if (is_new) hashmap_put(&t->partitions, &c->partition, sizeof c->partition, c);
    return is_new;
}

bool offsets_remove(struct offsets *o, struct kstr topic, int32_t partition) {
    struct topic_offsets *t = offsets_topic(o, topic);
    struct committed *c = t ? hashmap_del(&t->partitions, &partition, sizeof partition) : NULL;
    if (!c) return false;
    free_committed(c);
    if (!t->partitions.count) {
        hashmap_del(&o->topics, t->name.s, (size_t)t->name.len);
        free_topic(t);
    }
    return true;
}

/* --- pending --- */

/* A key in bytes: numbers and strings one after the other. The last one needs no length. */
static size_t open_key_size(struct kstr topic) { return 4 + (size_t)topic.len; }
static void open_key(uint8_t *key, struct kstr topic, int32_t partition) {
    put_i32(key, partition);
    if (topic.len) memcpy(key + 4, topic.s, (size_t)topic.len);
}

static struct open_partition *find_open(const struct offsets *o, struct kstr topic, int32_t partition) {
    if (!o->open.count) return NULL;
    uint8_t *key = xmalloc(open_key_size(topic));
    open_key(key, topic, partition);
    struct open_partition *p = hashmap_get(&o->open, key, open_key_size(topic));
    free(key);
    return p;
}

bool offsets_has_open(const struct offsets *o, struct kstr topic, int32_t partition) {
    return find_open(o, topic, partition) != NULL;
}

struct kstr open_partition_topic(const struct open_partition *p) {
    return (struct kstr){.s = (const char *)p->key + 4, .len = (int32_t)p->key_len - 4};
}

static void open_add(struct offsets *o, struct kstr topic, int32_t partition, int64_t producer_id) {
    struct open_partition *p = find_open(o, topic, partition);
    if (!p) {
        p = xcalloc(1, sizeof *p + open_key_size(topic));
        p->partition = partition;
        p->key_len = (uint32_t)open_key_size(topic);
        open_key(p->key, topic, partition);
        hashmap_put(&o->open, p->key, p->key_len, p);
    }
    for (int32_t i = 0; i < p->producers_n; i++)
        if (p->producers[i] == producer_id) return;
    p->producers = xrealloc(p->producers, ((size_t)p->producers_n + 1) * sizeof *p->producers);
    p->producers[p->producers_n++] = producer_id;
}

void offsets_close(struct offsets *o, struct kstr topic, int32_t partition, int64_t producer_id) {
    struct open_partition *p = find_open(o, topic, partition);
    for (int32_t i = 0; p && i < p->producers_n; i++)
        if (p->producers[i] == producer_id) p->producers[i] = p->producers[--p->producers_n];
    if (!p || p->producers_n) return;
    hashmap_del(&o->open, p->key, p->key_len);
    free_open(p);
}

struct pending_entry {
    struct pending_offset offset; /* group and topic point into key */
    uint32_t key_len;
    uint8_t key[]; /* length of group, group, partition, topic */
};

struct producer_offsets {
    int64_t id;
    struct hashmap entries; /* key → struct pending_entry */
};

void pending_offsets_init(struct pending_offsets *p, uint64_t seed) { hashmap_init(&p->producers, seed); }

static void free_entry(struct pending_entry *e) {
    kstr_disown(&e->offset.value.metadata);
    free(e);
}

static void free_producer(struct producer_offsets *producer) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&producer->entries, &i));) free_entry(e->value);
    hashmap_free(&producer->entries);
    free(producer);
}

void pending_offsets_free(struct pending_offsets *p) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&p->producers, &i));) free_producer(e->value);
    hashmap_free(&p->producers);
}

static struct pending_entry *entry_create(struct kstr group, struct kstr topic, int32_t partition) {
    size_t len = 8 + (size_t)group.len + (size_t)topic.len;
    struct pending_entry *e = xcalloc(1, sizeof *e + len);
    e->offset.value.metadata = KSTR_NULL;
    uint8_t *at = e->key;
    e->key_len = (uint32_t)len;
    put_i32(at, group.len);
    if (group.len) memcpy(at + 4, group.s, (size_t)group.len);
    e->offset.group = (struct kstr){.s = (char *)at + 4, .len = group.len};
    at += 4 + group.len;
    put_i32(at, partition);
    if (topic.len) memcpy(at + 4, topic.s, (size_t)topic.len);
    e->offset.topic = (struct kstr){.s = (char *)at + 4, .len = topic.len};
    return e;
}

void pending_offsets_put(struct pending_offsets *p, int64_t producer_id, struct kstr group, struct offsets *o,
                         struct kstr topic, const struct committed *value) {
    struct producer_offsets *producer = hashmap_get(&p->producers, &producer_id, sizeof producer_id);
    if (!producer) {
        producer = xcalloc(1, sizeof *producer);
        producer->id = producer_id;
        hashmap_init(&producer->entries, p->producers.seed);
        hashmap_put(&p->producers, &producer->id, sizeof producer->id, producer);
    }
    struct pending_entry *e = entry_create(group, topic, value->partition);
    assign(&e->offset.value, value);
    struct pending_entry *before = hashmap_put(&producer->entries, e->key, e->key_len, e);
    if (before) free_entry(before);
    open_add(o, topic, value->partition, producer_id);
}

static void drop_entry(struct pending_offsets *p, int64_t producer_id, const struct pending_entry *key) {
    struct producer_offsets *producer = hashmap_get(&p->producers, &producer_id, sizeof producer_id);
    struct pending_entry *e = producer ? hashmap_del(&producer->entries, key->key, key->key_len) : NULL;
    if (e) free_entry(e);
}

void pending_offsets_drop(struct pending_offsets *p, struct kstr group, struct offsets *o, struct kstr topic,
                          int32_t partition) {
    struct open_partition *open = find_open(o, topic, partition);
    if (!open) return;
    struct pending_entry *key = entry_create(group, topic, partition);
    for (int32_t i = 0; i < open->producers_n; i++) drop_entry(p, open->producers[i], key);
    free_entry(key);
    hashmap_del(&o->open, open->key, open->key_len);
    free_open(open);
}

void pending_offsets_end(struct pending_offsets *p, int64_t producer_id,
                         void (*each)(void *ctx, const struct pending_offset *offset), void *ctx) {
    struct producer_offsets *producer = hashmap_del(&p->producers, &producer_id, sizeof producer_id);
    if (!producer) return;
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&producer->entries, &i));)
        each(ctx, &((struct pending_entry *)e->value)->offset);
    free_producer(producer);
}
