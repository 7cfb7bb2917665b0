/* What became of share partitions whose state was to be initialized; topics that are gone. Source:
 * GroupMetadataManager.initializeShareGroupState, uninitializeShareGroupState, maybeCleanupShareGroupState.
 */
#include "base/kerr.h"
#include "base/log.h"
#include "group/own.h"
#include "group/share_answer.h"
#include "group/share_group.h"

static struct assigned *minus(struct group_shard *s, const struct assigned *a, const struct assigned *b) {
    struct assigned_builder left = assigned_begin(&s->scratch);
    for (int32_t t = 0; t < assigned_topics(a); t++) {
        const struct assigned_topic *without = assigned_topic(b, &a->topics[t].id);
        for (int32_t i = 0; i < a->topics[t].n; i++)
            if (!assigned_topic_get(without, a->topics[t].partitions[i]))
                assigned_add(&left, &a->topics[t].id, a->topics[t].partitions[i], 0);
    }
    struct assigned *out = assigned_finish(&left, false);
    s->out_of_memory |= left.failed;
    return out;
}

static struct assigned *plus(struct group_shard *s, const struct assigned *a, const struct assigned *b) {
    struct assigned_builder both = assigned_begin(&s->scratch);
    assigned_add_all(&both, a);
    assigned_add_all(&both, b);
    struct assigned *out = assigned_finish(&both, false);
    s->out_of_memory |= both.failed;
    return out;
}

static struct uuid *deleting_of(struct group_shard *s, const struct share_group *g) {
    struct uuid *list = arena_calloc(&s->scratch, (size_t)g->deleting.n + 1, sizeof *list);
    s->out_of_memory |= !list;
    for (int32_t i = 0; list && i < g->deleting.n; i++) list[i] = g->deleting.topics[i].id;
    return list;
}

void share_states_step(struct group_shard *s, const struct group_event *e) {
    const struct group_share_states *q = e->request;
    struct share_group *g = share_find(s, q->group);
    struct assigned_builder b = assigned_begin(&s->scratch);
    for (int32_t i = 0; i < q->topics_n; i++)
        assigned_add_topic(&b, &q->topics[i].id, q->topics[i].partitions, q->topics[i].partitions_n, NULL, 0);
    struct assigned *said = assigned_finish(&b, false);
    s->out_of_memory |= b.failed;
    if (!g) {
        step_fail(s, KERR_GROUP_ID_NOT_FOUND);
        return;
    }
    if (said && (q->initialized || g->initializing.partitions)) {
        struct assigned *initialized =
            q->initialized ? plus(s, g->initialized.partitions, said) : g->initialized.partitions;
        struct uuid *deleting = deleting_of(s, g);
        struct assigned *initializing = minus(s, g->initializing.partitions, said);
        if (!s->out_of_memory)
            record_share_states(s, g, g->m.id, initializing, initialized, deleting, g->deleting.n);
        LOG_INFO("group", "%.*s: %lld share partitions %s", KSTR_ARG(q->group), (long long)said->partitions_n,
                 q->initialized ? "are initialized" : "could not be initialized");
    }
    step_answer(s, (void *)(uintptr_t)q);
}

static struct assigned *without_topics(struct group_shard *s, const struct assigned *a,
                                       const struct uuid *ids, int32_t n) {
    struct assigned_builder b = assigned_begin(&s->scratch);
    for (int32_t t = 0; t < assigned_topics(a); t++) {
        bool gone = false;
        for (int32_t i = 0; i < n; i++) gone |= uuid_equal(&ids[i], &a->topics[t].id);
        if (!gone) assigned_add_topic(&b, &a->topics[t].id, a->topics[t].partitions, a->topics[t].n, NULL, 0);
    }
    struct assigned *out = assigned_finish(&b, false);
    s->out_of_memory |= b.failed;
    return out;
}

void share_forget_topics(struct group_shard *s, const struct share_group *g, const struct uuid *ids,
                         int32_t n) {
    bool any = false;
    struct uuid *deleting = deleting_of(s, g);
    int32_t kept = 0;
    for (int32_t i = 0; i < n; i++)
        any |= assigned_topic(g->initializing.partitions, &ids[i]) ||
               assigned_topic(g->initialized.partitions, &ids[i]);
    for (int32_t k = 0; deleting && k < g->deleting.n; k++) {
        bool gone = false;
        for (int32_t i = 0; i < n; i++) gone |= uuid_equal(&ids[i], &g->deleting.topics[k].id);
        any |= gone;
        if (!gone) deleting[kept++] = g->deleting.topics[k].id;
    }
    if (!any || s->out_of_memory) return;
    struct assigned *initializing = without_topics(s, g->initializing.partitions, ids, n);
    struct assigned *initialized = without_topics(s, g->initialized.partitions, ids, n);
    if (!s->out_of_memory) record_share_states(s, g, g->m.id, initializing, initialized, deleting, kept);
}
