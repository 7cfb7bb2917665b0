#include "group/topology.h"

#include <stdlib.h>

#include "base/mem.h"
#include "group/modern.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { TOPOLOGY_MAX = 64 << 20 }; /* bytes */

static int by_id(const void *a, const void *b) {
    const struct streams_group_topology_value_subtopology *const *x = a, *const *y = b;
    return names_compare((*x)->subtopology_id, (*y)->subtopology_id);
}

/* The record's form is the copy: its texts are borrowed from the encoded bytes, which the arena holds. */
struct topology *topology_own(const struct streams_group_topology_value *v) {
    struct topology *t = xcalloc(1, sizeof *t);
    size_t size = streams_group_topology_value_size(v, 0);
    struct writer w;
    arena_init(&t->arena, TOPOLOGY_MAX);
    uint8_t *bytes = arena_alloc(&t->arena, size);
    if (!bytes) goto failed;
    writer_init_with(&w, bytes, size, TOPOLOGY_MAX);
    bool written = !streams_group_topology_value_encode(v, &w, 0) && writer_len(&w) == size;
    if (written && w.buf != bytes) memcpy(bytes, w.buf, size);
    writer_free(&w);
    struct reader r = reader_of(bytes, size);
    if (!written || streams_group_topology_value_decode(&t->v, &r, 0, &t->arena)) goto failed;
    t->sorted = arena_calloc(&t->arena, (size_t)t->v.subtopologies_n, sizeof *t->sorted);
    if (!t->sorted) goto failed;
    for (int32_t i = 0; i < t->v.subtopologies_n; i++) t->sorted[i] = &t->v.subtopologies[i];
    if (t->v.subtopologies_n) qsort(t->sorted, (size_t)t->v.subtopologies_n, sizeof *t->sorted, by_id);
    return t;
failed:
    topology_free(t);
    return NULL;
}

void topology_free(struct topology *t) {
    if (!t) return;
    arena_free(&t->arena);
    free(t);
}

static bool same_names(const struct kstr *a, int32_t a_n, const struct kstr *b, int32_t b_n) {
    if (a_n != b_n) return false;
    for (int32_t i = 0; i < a_n; i++)
        if (!kstr_equal(a[i], b[i])) return false;
    return true;
}

static bool same_infos(const struct streams_group_topology_value_topic_info *a, int32_t a_n,
                       const struct streams_group_topology_value_topic_info *b, int32_t b_n) {
    if (a_n != b_n) return false;
    for (int32_t i = 0; i < a_n; i++) {
        if (!kstr_equal(a[i].name, b[i].name) || a[i].partitions != b[i].partitions ||
            a[i].replication_factor != b[i].replication_factor ||
            a[i].topic_configs_n != b[i].topic_configs_n)
            return false;
        for (int32_t k = 0; k < a[i].topic_configs_n; k++)
            if (!kstr_equal(a[i].topic_configs[k].key, b[i].topic_configs[k].key) ||
                !kstr_equal(a[i].topic_configs[k].value, b[i].topic_configs[k].value))
                return false;
    }
    return true;
}

static bool same_indexes(const int16_t *a, int32_t a_n, const int16_t *b, int32_t b_n) {
    return a_n == b_n && (!a_n || !memcmp(a, b, (size_t)a_n * sizeof *a));
}

static bool same_subtopology(const struct streams_group_topology_value_subtopology *a,
                             const struct streams_group_topology_value_subtopology *b) {
    if (!kstr_equal(a->subtopology_id, b->subtopology_id) ||
        !same_names(a->source_topics, a->source_topics_n, b->source_topics, b->source_topics_n) ||
        !same_names(a->source_topic_regex, a->source_topic_regex_n, b->source_topic_regex,
                    b->source_topic_regex_n) ||
        !same_names(a->repartition_sink_topics, a->repartition_sink_topics_n, b->repartition_sink_topics,
                    b->repartition_sink_topics_n) ||
        !same_infos(a->state_changelog_topics, a->state_changelog_topics_n, b->state_changelog_topics,
                    b->state_changelog_topics_n) ||
        !same_infos(a->repartition_source_topics, a->repartition_source_topics_n,
                    b->repartition_source_topics, b->repartition_source_topics_n) ||
        a->copartition_groups_n != b->copartition_groups_n)
        return false;
    for (int32_t i = 0; i < a->copartition_groups_n; i++) {
        const struct streams_group_topology_value_copartition_group *x = &a->copartition_groups[i],
                                                                    *y = &b->copartition_groups[i];
        if (!same_indexes(x->source_topics, x->source_topics_n, y->source_topics, y->source_topics_n) ||
            !same_indexes(x->source_topic_regex, x->source_topic_regex_n, y->source_topic_regex,
                          y->source_topic_regex_n) ||
            !same_indexes(x->repartition_source_topics, x->repartition_source_topics_n,
                          y->repartition_source_topics, y->repartition_source_topics_n))
            return false;
    }
    return true;
}

bool topology_equal(const struct topology *a, const struct topology *b) {
    if (a->v.epoch != b->v.epoch || a->v.subtopologies_n != b->v.subtopologies_n) return false;
    for (int32_t i = 0; i < a->v.subtopologies_n; i++)
        if (!same_subtopology(a->sorted[i], b->sorted[i])) return false;
    return true;
}

void topology_subscriptions(struct hashmap *topics, const struct topology *t, int32_t by) {
    for (int32_t i = 0; i < t->v.subtopologies_n; i++) {
        const struct streams_group_topology_value_subtopology *s = t->sorted[i];
        for (int32_t k = 0; k < s->source_topics_n; k++)
            subscriptions_change(topics, s->source_topics[k], by, 0);
        for (int32_t k = 0; k < s->repartition_source_topics_n; k++)
            subscriptions_change(topics, s->repartition_source_topics[k].name, by, 0);
        for (int32_t k = 0; k < s->state_changelog_topics_n; k++)
            subscriptions_change(topics, s->state_changelog_topics[k].name, by, 0);
    }
}

const struct streams_group_topology_value_subtopology *topology_reader(const struct topology *t,
                                                                       struct kstr topic) {
    const struct streams_group_topology_value_subtopology *found = NULL; /* of several the last */
    for (int32_t i = 0; i < t->v.subtopologies_n; i++) {
        const struct streams_group_topology_value_subtopology *s = t->sorted[i];
        for (int32_t k = 0; k < s->source_topics_n; k++)
            if (kstr_equal(s->source_topics[k], topic)) found = s;
        for (int32_t k = 0; k < s->repartition_source_topics_n; k++)
            if (kstr_equal(s->repartition_source_topics[k].name, topic)) found = s;
    }
    return found;
}
