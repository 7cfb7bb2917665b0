#include "group/target.h"

#include <stdlib.h>

#include "group/state.h"
#include "metadata/image.h"

/* A topic that somebody is subscribed to and that exists. */
struct wanted_topic {
    const struct topic *topic;
    int32_t index;
};

struct builder {
    const struct group_shard *s;
    struct assign_input *in;
    const struct target_member *members;
    struct hashmap topics; /* name → struct wanted_topic */
};

static int by_topic_id(const void *a, const void *b) {
    return memcmp(((const struct assign_topic *)a)->id.b, ((const struct assign_topic *)b)->id.b, 16);
}

static int by_value(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

static bool add_topics(struct builder *b, const struct names *names) {
    for (int32_t i = 0; i < names->n; i++) {
        struct kstr name = names->list[i];
        const struct topic *t =
            b->s->image ? image_topic_by_name(b->s->image, name.s, (size_t)name.len) : NULL;
        if (!t || hashmap_get(&b->topics, name.s, (size_t)name.len)) continue;
        struct wanted_topic *w = arena_calloc(b->in->arena, 1, sizeof *w);
        if (!w) return false;
        w->topic = t;
        hashmap_put(&b->topics, t->name, (size_t)t->name_len, w);
    }
    return true;
}

/* Most groups want the same everywhere. */
static bool like_before(const struct builder *b, int32_t m) {
    return m && names_equal(&b->members[m].topics, &b->members[m - 1].topics);
}

static bool collect_topics(struct builder *b, int32_t n) {
    struct hashmap_entry *e;
    for (int32_t m = 0; m < n; m++)
        if (!like_before(b, m) && !add_topics(b, &b->members[m].topics)) return false;
    b->in->topics = arena_calloc(b->in->arena, b->topics.count + 1, sizeof *b->in->topics);
    if (!b->in->topics) return false;
    b->in->topics_n = 0;
    for (size_t i = 0; (e = hashmap_next(&b->topics, &i));) {
        const struct topic *t = ((struct wanted_topic *)e->value)->topic;
        b->in->topics[b->in->topics_n++] =
            (struct assign_topic){.id = t->id, .partitions_n = t->partitions_n};
    }
    qsort(b->in->topics, (size_t)b->in->topics_n, sizeof *b->in->topics, by_topic_id);
    for (size_t i = 0; (e = hashmap_next(&b->topics, &i));) {
        struct wanted_topic *w = e->value;
        w->index = assign_topic_index(b->in, &w->topic->id);
    }
    return true;
}

static bool number_topics(struct builder *b, int32_t m) {
    struct assign_member *out = &b->in->members[m];
    if (like_before(b, m)) {
        out->topics = b->in->members[m - 1].topics;
        out->topics_n = b->in->members[m - 1].topics_n;
        return true;
    }
    const struct names *names = &b->members[m].topics;
    int32_t *list = arena_calloc(b->in->arena, (size_t)names->n + 1, sizeof *list), n = 0;
    if (!list) return false;
    for (int32_t i = 0; i < names->n; i++) {
        struct wanted_topic *w = hashmap_get(&b->topics, names->list[i].s, (size_t)names->list[i].len);
        if (w) list[n++] = w->index;
    }
    qsort(list, (size_t)n, sizeof *list, by_value);
    out->topics = list;
    out->topics_n = n;
    return true;
}

static bool fill(struct builder *b, int32_t n) {
    b->in->members = arena_calloc(b->in->arena, (size_t)n + 1, sizeof *b->in->members);
    if (!b->in->members || !collect_topics(b, n)) return false;
    b->in->members_n = n;
    for (int32_t m = 0; m < n; m++) {
        b->in->members[m].id = b->members[m].id;
        b->in->members[m].instance_id = b->members[m].instance_id;
        b->in->members[m].current = b->members[m].current;
        if (!number_topics(b, m)) return false;
    }
    return true;
}

bool target_input(struct group_shard *s, struct assign_input *in, const struct target_member *members,
                  int32_t n) {
    struct builder b = {.s = s, .in = in, .members = members};
    hashmap_init(&b.topics, s->seed);
    bool ok = fill(&b, n);
    hashmap_free(&b.topics);
    return ok;
}
