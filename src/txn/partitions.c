#include "txn/partitions.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/mem.h"

static int compare(struct kstr a, struct kstr b) {
    int32_t n = a.len < b.len ? a.len : b.len;
    int c = n > 0 ? memcmp(a.s, b.s, (size_t)n) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

/* Where the topic is or belongs. */
static int32_t place_of(const struct txn_partitions *s, struct kstr topic, bool *found) {
    int32_t low = 0, high = s->n;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        int c = compare(s->topics[middle].name, topic);
        if (!c) {
            *found = true;
            return middle;
        }
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

static int32_t index_of(const struct txn_topic *t, int32_t partition, bool *found) {
    int32_t low = 0, high = t->n;
    while (low < high) {
        int32_t middle = low + (high - low) / 2;
        if (t->partitions[middle] < partition)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < t->n && t->partitions[low] == partition;
    return low;
}

static void topic_free(struct txn_topic *t) {
    free((char *)(uintptr_t)t->name.s);
    free(t->partitions);
}

void txn_partitions_free(struct txn_partitions *s) {
    for (int32_t i = 0; i < s->n; i++) topic_free(&s->topics[i]);
    free(s->topics);
    *s = (struct txn_partitions){0};
}

static struct kstr own(struct kstr a) {
    ASSERT(a.len >= 0);
    return (struct kstr){xstrndup(a.s ? a.s : "", (size_t)a.len), a.len};
}

struct txn_partitions txn_partitions_copy(const struct txn_partitions *s) {
    struct txn_partitions to = {.n = s->n, .cap = s->n};
    if (!s->n) return to;
    to.topics = xcalloc((size_t)s->n, sizeof *to.topics);
    for (int32_t i = 0; i < s->n; i++) {
        const struct txn_topic *from = &s->topics[i];
        struct txn_topic *t = &to.topics[i];
        *t = (struct txn_topic){.name = own(from->name), .n = from->n, .cap = from->n};
        t->partitions = xcalloc((size_t)t->n, sizeof *t->partitions);
        memcpy(t->partitions, from->partitions, (size_t)t->n * sizeof *t->partitions);
    }
    return to;
}

static struct txn_topic *topic_for(struct txn_partitions *s, struct kstr topic) {
    bool found;
    int32_t at = place_of(s, topic, &found);
    if (found) return &s->topics[at];
    if (s->n == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 4;
        s->topics = xrealloc(s->topics, (size_t)s->cap * sizeof *s->topics);
    }
    memmove(s->topics + at + 1, s->topics + at, (size_t)(s->n - at) * sizeof *s->topics);
    s->n++;
    s->topics[at] = (struct txn_topic){.name = own(topic)};
    return &s->topics[at];
}

void txn_partitions_add(struct txn_partitions *s, struct kstr topic, int32_t partition) {
    struct txn_topic *t = topic_for(s, topic);
    bool found;
    int32_t at = index_of(t, partition, &found);
    if (found) return;
    if (t->n == t->cap) {
        t->cap = t->cap ? 2 * t->cap : 4;
        t->partitions = xrealloc(t->partitions, (size_t)t->cap * sizeof *t->partitions);
    }
    memmove(t->partitions + at + 1, t->partitions + at, (size_t)(t->n - at) * sizeof *t->partitions);
    t->partitions[at] = partition;
    t->n++;
}

void txn_partitions_remove(struct txn_partitions *s, struct kstr topic, int32_t partition) {
    bool found;
    int32_t place = place_of(s, topic, &found);
    if (!found) return;
    struct txn_topic *t = &s->topics[place];
    int32_t at = index_of(t, partition, &found);
    if (!found) return;
    memmove(t->partitions + at, t->partitions + at + 1, (size_t)(t->n - at - 1) * sizeof *t->partitions);
    if (--t->n) return;
    topic_free(t);
    memmove(s->topics + place, s->topics + place + 1, (size_t)(s->n - place - 1) * sizeof *s->topics);
    s->n--;
}

bool txn_partitions_has(const struct txn_partitions *s, struct kstr topic, int32_t partition) {
    bool found;
    int32_t at = place_of(s, topic, &found);
    if (found) index_of(&s->topics[at], partition, &found);
    return found;
}

bool txn_partitions_include(const struct txn_partitions *a, const struct txn_partitions *b) {
    for (int32_t i = 0; i < b->n; i++)
        for (int32_t k = 0; k < b->topics[i].n; k++)
            if (!txn_partitions_has(a, b->topics[i].name, b->topics[i].partitions[k])) return false;
    return true;
}

int32_t txn_partitions_count(const struct txn_partitions *s) {
    int32_t n = 0;
    for (int32_t i = 0; i < s->n; i++) n += s->topics[i].n;
    return n;
}

bool txn_partitions_equal(const struct txn_partitions *a, const struct txn_partitions *b) {
    return txn_partitions_count(a) == txn_partitions_count(b) && txn_partitions_include(a, b);
}
