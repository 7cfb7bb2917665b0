#include "server/asked_partition.h"

#include <stdlib.h>
#include <string.h>

static int compare_text(struct kstr a, struct kstr b) {
    int32_t n = a.len < b.len ? a.len : b.len;
    int order = n > 0 ? memcmp(a.s, b.s, (size_t)n) : 0;
    return order ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_topics(const struct asked_partition *a, const struct asked_partition *b) {
    int order =
        a->topic.s == b->topic.s && a->topic.len == b->topic.len ? 0 : compare_text(a->topic, b->topic);
    return order ? order : memcmp(a->id.b, b->id.b, sizeof a->id.b);
}

static int compare(const struct asked_partition *a, const struct asked_partition *b) {
    int order = compare_topics(a, b);
    return order ? order : (a->partition > b->partition) - (a->partition < b->partition);
}

static int compare_places(const void *x, const void *y) {
    const struct asked_partition *a = x, *b = y;
    int order = compare(a, b);
    return order ? order : (a->at > b->at) - (a->at < b->at);
}

bool asked_same_topic(const struct asked_partition *a, const struct asked_partition *b) {
    return compare_topics(a, b) == 0;
}

bool asked_same(const struct asked_partition *a, const struct asked_partition *b) {
    return compare(a, b) == 0;
}

bool asked_before(const struct asked_partition *a, const struct asked_partition *b) {
    return compare(a, b) < 0;
}

void asked_sort(struct asked_partition *asked, size_t n) {
    for (size_t i = 1; i < n; i++)
        if (!asked_before(&asked[i - 1], &asked[i])) {
            qsort(asked, n, sizeof *asked, compare_places);
            return;
        }
}
