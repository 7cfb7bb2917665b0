#include "group/assigned.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"

enum { FIRST_CAPACITY = 16 };

static bool grow(struct assigned_builder *b) {
    uint32_t cap = b->cap ? b->cap * 2 : FIRST_CAPACITY;
    struct assigned_item *more = arena_alloc(b->arena, cap * sizeof *more);
    if (!more) {
        b->failed = true;
        return false;
    }
    if (b->n) memcpy(more, b->items, b->n * sizeof *more);
    b->items = more;
    b->cap = cap;
    return true;
}

void assigned_add(struct assigned_builder *b, const struct uuid *id, int32_t partition, int32_t epoch) {
    if (b->n == b->cap && !grow(b)) return;
    b->items[b->n] = (struct assigned_item){.id = *id, .partition = partition, .epoch = epoch, .order = b->n};
    b->n++;
}

void assigned_add_topic(struct assigned_builder *b, const struct uuid *id, const int32_t *partitions,
                        int32_t n, const int32_t *epochs, int32_t epoch) {
    for (int32_t i = 0; i < n; i++) assigned_add(b, id, partitions[i], epochs ? epochs[i] : epoch);
}

void assigned_add_all(struct assigned_builder *b, const struct assigned *a) {
    for (int32_t i = 0; i < assigned_topics(a); i++)
        assigned_add_topic(b, &a->topics[i].id, a->topics[i].partitions, a->topics[i].n, a->topics[i].epochs,
                           0);
}

static int compare(const void *x, const void *y) {
    const struct assigned_item *a = x, *b = y;
    int c = memcmp(a->id.b, b->id.b, sizeof a->id.b);
    if (c) return c;
    if (a->partition != b->partition) return a->partition < b->partition ? -1 : 1;
    return a->order < b->order ? -1 : a->order > b->order;
}

static bool same(const struct assigned_item *a, const struct assigned_item *b) {
    return uuid_equal(&a->id, &b->id) && a->partition == b->partition;
}

/* Sorts, keeps the last of equal ones, counts the topics. */
static int32_t settle(struct assigned_builder *b) {
    uint32_t kept = 0;
    int32_t topics = 0;
    bool sorted = true;
    for (uint32_t i = 1; i < b->n && sorted; i++) sorted = compare(&b->items[i - 1], &b->items[i]) <= 0;
    if (!sorted) qsort(b->items, b->n, sizeof *b->items, compare);
    for (uint32_t i = 0; i < b->n; i++) {
        if (i + 1 < b->n && same(&b->items[i], &b->items[i + 1])) continue;
        topics += !kept || !uuid_equal(&b->items[kept - 1].id, &b->items[i].id);
        b->items[kept++] = b->items[i];
    }
    b->n = kept;
    return topics;
}

static void fill(struct assigned *a, const struct assigned_item *items, uint32_t n) {
    int32_t *partitions = (int32_t *)(void *)(a->topics + a->topics_n), *epochs = partitions + n;
    struct assigned_topic *t = a->topics;
    for (uint32_t i = 0; i < n; i++) {
        bool next = i && !uuid_equal(&items[i].id, &items[i - 1].id);
        if (next) t++;
        if (!i || next)
            *t = (struct assigned_topic){
                .id = items[i].id, .partitions = partitions + i, .epochs = epochs + i};
        t->partitions[t->n] = items[i].partition;
        t->epochs[t->n++] = items[i].epoch;
    }
    ASSERT(t + 1 == a->topics + a->topics_n);
}

struct assigned *assigned_finish(struct assigned_builder *b, bool owned) {
    if (b->failed || !b->n) return NULL;
    int32_t topics = settle(b);
    size_t size = sizeof(struct assigned) + (size_t)topics * sizeof(struct assigned_topic) +
                  (size_t)b->n * 2 * sizeof(int32_t);
    struct assigned *a = owned ? xmalloc(size) : arena_alloc(b->arena, size);
    if (!a) {
        b->failed = true;
        return NULL;
    }
    a->owned = owned;
    a->topics_n = topics;
    a->partitions_n = b->n;
    fill(a, b->items, b->n);
    return a;
}

void assigned_free(struct assigned *a) {
    if (!a) return;
    ASSERT(a->owned);
    free(a);
}

bool assigned_equal(const struct assigned *a, const struct assigned *b, bool with_epochs) {
    if (a == b) return true;
    if (!a || !b || a->topics_n != b->topics_n || a->partitions_n != b->partitions_n) return false;
    for (int32_t i = 0; i < a->topics_n; i++) {
        const struct assigned_topic *x = &a->topics[i], *y = &b->topics[i];
        if (!uuid_equal(&x->id, &y->id) || x->n != y->n) return false;
        if (memcmp(x->partitions, y->partitions, (size_t)x->n * sizeof *x->partitions)) return false;
        if (with_epochs && memcmp(x->epochs, y->epochs, (size_t)x->n * sizeof *x->epochs)) return false;
    }
    return true;
}

const struct assigned_topic *assigned_topic(const struct assigned *a, const struct uuid *id) {
    int32_t from = 0, to = assigned_topics(a);
    while (from < to) {
        int32_t middle = from + (to - from) / 2;
        int c = memcmp(a->topics[middle].id.b, id->b, sizeof id->b);
        if (!c) return &a->topics[middle];
        if (c < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

const int32_t *assigned_topic_get(const struct assigned_topic *t, int32_t partition) {
    int32_t from = 0, to = t ? t->n : 0;
    while (from < to) {
        int32_t middle = from + (to - from) / 2;
        if (t->partitions[middle] == partition) return &t->epochs[middle];
        if (t->partitions[middle] < partition)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}
