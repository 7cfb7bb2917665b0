/* What the offsets APIs of share groups ask of the group coordinator: which share partitions have a state,
 * and that it will be made anew or deleted at the share coordinator. Source:
 * GroupMetadataManager.alterShareGroupOffsets, sharePartitionsEligibleForOffsetDeletion,
 * completeDeleteShareGroupOffsets, initializedShareGroupPartitions, shareGroupBuildPartitionDeleteRequest.
 *
 *   alter:  initializing (a record) → the server asks the share coordinator → GROUP_API_SHARE_STATES
 *   delete: deleting (a record)     → the server asks the share coordinator → GROUP_API_SHARE_DELETED
 *
 *   clear:  the same of all topics; then the group itself is deleted (GROUP_API_DELETE)
 *
 * Only a group without members is changed. */
#include "base/kerr.h"
#include "group/own.h"
#include "group/share_answer.h"
#include "group/share_group.h"
#include "metadata/image.h"

enum { FIRST_EPOCH = 1 }; /* of a group that this makes */

static struct group_share_offsets *refused(int16_t error, struct arena *arena) {
    struct group_share_offsets *o = arena_calloc(arena, 1, sizeof *o);
    if (o) o->error = error;
    return o;
}

/* The answer with room for the partitions of n topics; NULL: out of memory is noted. */
static struct group_share_offsets *new_answer(struct group_shard *s, const struct group_event *e, int32_t n) {
    const struct group_share_states *q = e->request;
    struct group_share_offsets *o = arena_calloc(e->arena, 1, sizeof *o);
    if (o) o->states.topics = arena_calloc(e->arena, (size_t)n + 1, sizeof *o->states.topics);
    if (!o || !o->states.topics) {
        s->out_of_memory = true;
        return NULL;
    }
    o->states.group = q->group;
    return o;
}

static void copy_topic(struct group_shard *s, struct arena *arena, struct group_share_offsets *o,
                       const struct uuid *id, const int32_t *partitions, int32_t n) {
    struct group_share_topic *t = &o->states.topics[o->states.topics_n];
    int32_t *copy = arena_alloc(arena, ((size_t)n + 1) * sizeof *copy);
    if (!copy) {
        s->out_of_memory = true;
        return;
    }
    for (int32_t i = 0; i < n; i++) copy[i] = partitions[i];
    *t = (struct group_share_topic){.id = *id, .partitions = copy, .partitions_n = n};
    o->states.topics_n++;
}

/* 0, or why the group cannot be changed. */
static int16_t check(const struct group_shard *s, struct kstr group, bool may_be_new) {
    const struct group *g = group_existing(s, group);
    if (!g) return may_be_new ? 0 : KERR_GROUP_ID_NOT_FOUND;
    if (g->type != GROUP_KIND_SHARE) return KERR_GROUP_ID_NOT_FOUND;
    return g->modern->members.count ? KERR_NON_EMPTY_GROUP : 0;
}

static void refuse(struct group_shard *s, const struct group_event *e, int16_t error) {
    step_answer(s, refused(error, e->arena));
}

/* ---- which there are ---- */

void share_offsets_list_step(struct group_shard *s, const struct group_event *e) {
    const struct group_share_states *q = e->request;
    const struct share_group *g = share_find(s, q->group);
    const struct assigned *a = g ? g->initialized.partitions : NULL;
    struct group_share_offsets *o = new_answer(s, e, assigned_topics(a));
    for (int32_t t = 0; o && t < assigned_topics(a); t++)
        copy_topic(s, e->arena, o, &a->topics[t].id, a->topics[t].partitions, a->topics[t].n);
    step_answer(s, o);
}

/* ---- alter ---- */

static bool among(const struct group_share_states *q, const struct uuid *id) {
    for (int32_t i = 0; i < q->topics_n; i++)
        if (uuid_equal(&q->topics[i].id, id)) return true;
    return false;
}

/* The deleting topics of g (may be NULL), without those of q or (add) with them. */
static struct uuid *deleting(struct group_shard *s, const struct share_group *g,
                             const struct group_share_states *q, bool add, int32_t *n) {
    int32_t had = g ? g->deleting.n : 0;
    struct uuid *list = arena_calloc(&s->scratch, (size_t)had + (size_t)q->topics_n + 1, sizeof *list);
    *n = 0;
    s->out_of_memory |= !list;
    for (int32_t i = 0; list && i < had; i++)
        if (!among(q, &g->deleting.topics[i].id)) list[(*n)++] = g->deleting.topics[i].id;
    for (int32_t i = 0; list && add && i < q->topics_n; i++)
        if (q->topics[i].partitions_n) list[(*n)++] = q->topics[i].id;
    return list;
}

void share_offsets_alter_step(struct group_shard *s, const struct group_event *e) {
    const struct group_share_states *q = e->request;
    const struct share_group *g = share_find(s, q->group);
    int16_t error = check(s, q->group, true);
    if (error) {
        refuse(s, e, error);
        return;
    }
    struct group_share_offsets *o = new_answer(s, e, 0);
    struct assigned_builder b = assigned_begin(&s->scratch);
    int32_t n;
    if (g) assigned_add_all(&b, g->initializing.partitions);
    for (int32_t i = 0; i < q->topics_n; i++)
        assigned_add_topic(&b, &q->topics[i].id, q->topics[i].partitions, q->topics[i].partitions_n, NULL, 0);
    struct assigned *initializing = assigned_finish(&b, false);
    struct uuid *gone = deleting(s, g, q, false, &n);
    s->out_of_memory |= b.failed;
    if (o && q->topics_n && !s->out_of_memory)
        record_share_states(s, g, q->group, initializing, g ? g->initialized.partitions : NULL, gone, n);
    if (o) o->states.epoch = g ? g->m.epoch : FIRST_EPOCH;
    step_answer(s, o);
}

/* ---- delete ---- */

static bool is_deleting(const struct share_group *g, const struct uuid *id) {
    for (int32_t i = 0; i < g->deleting.n; i++)
        if (uuid_equal(&g->deleting.topics[i].id, id)) return true;
    return false;
}

/* What is to be deleted of each topic: what is initialized, all of a topic that is being deleted, or nothing.
 */
static void choose(struct group_shard *s, const struct group_event *e, const struct share_group *g,
                   struct group_share_offsets *o) {
    const struct group_share_states *q = e->request;
    for (int32_t i = 0; i < q->topics_n; i++) {
        const struct group_share_topic *t = &q->topics[i];
        const struct assigned_topic *a = assigned_topic(g->initialized.partitions, &t->id);
        if (a)
            copy_topic(s, e->arena, o, &t->id, a->partitions, a->n);
        else
            copy_topic(s, e->arena, o, &t->id, t->partitions, is_deleting(g, &t->id) ? t->partitions_n : 0);
    }
}

static struct assigned *without(struct group_shard *s, const struct assigned *a,
                                const struct group_share_states *q) {
    struct assigned_builder b = assigned_begin(&s->scratch);
    for (int32_t t = 0; t < assigned_topics(a); t++)
        if (!among(q, &a->topics[t].id))
            assigned_add_topic(&b, &a->topics[t].id, a->topics[t].partitions, a->topics[t].n, NULL, 0);
    struct assigned *out = assigned_finish(&b, false);
    s->out_of_memory |= b.failed;
    return out;
}

void share_offsets_delete_step(struct group_shard *s, const struct group_event *e) {
    const struct group_share_states *q = e->request;
    const struct share_group *g = share_find(s, q->group);
    int16_t error = check(s, q->group, false);
    if (error) {
        refuse(s, e, error);
        return;
    }
    struct group_share_offsets *o = new_answer(s, e, q->topics_n);
    if (o && g->has_states) {
        int32_t n;
        o->known = true;
        choose(s, e, g, o);
        struct assigned *left = without(s, g->initialized.partitions, q);
        struct uuid *gone = deleting(s, g, &o->states, true, &n);
        if (!s->out_of_memory) record_share_states(s, g, q->group, g->initializing.partitions, left, gone, n);
    }
    step_answer(s, o);
}

void share_offsets_deleted_step(struct group_shard *s, const struct group_event *e) {
    const struct group_share_states *q = e->request;
    const struct share_group *g = share_find(s, q->group);
    struct group_share_offsets *o = new_answer(s, e, 0);
    int32_t n;
    if (o && g && g->has_states) {
        struct uuid *gone = deleting(s, g, q, false, &n);
        if (!s->out_of_memory)
            record_share_states(s, g, q->group, g->initializing.partitions, g->initialized.partitions, gone,
                                n);
    }
    step_answer(s, o);
}

/* ---- the group is to be deleted ---- */

/* What has a state, or was to get one; of a topic whose deletion did not come to an end, all partitions. A
 * topic that is gone has no states either. */
static struct assigned *all_of(struct group_shard *s, const struct share_group *g) {
    struct assigned_builder b = assigned_begin(&s->scratch);
    assigned_add_all(&b, g->initialized.partitions);
    assigned_add_all(&b, g->initializing.partitions);
    for (int32_t i = 0; i < g->deleting.n; i++) {
        const struct uuid *id = &g->deleting.topics[i].id;
        const struct topic *t = s->image ? image_topic_by_id(s->image, id) : NULL;
        for (int32_t p = 0; t && p < t->partitions_n; p++) assigned_add(&b, id, p, 0);
    }
    struct assigned *all = assigned_finish(&b, false);
    s->out_of_memory |= b.failed;
    return all;
}

void share_offsets_clear_step(struct group_shard *s, const struct group_event *e) {
    const struct group_share_states *q = e->request;
    const struct share_group *g = share_find(s, q->group);
    if (g && g->m.members.count) {
        refuse(s, e, KERR_NON_EMPTY_GROUP);
        return;
    }
    const struct assigned *all = g && g->has_states ? all_of(s, g) : NULL;
    struct group_share_offsets *o = new_answer(s, e, assigned_topics(all));
    for (int32_t t = 0; o && t < assigned_topics(all); t++)
        copy_topic(s, e->arena, o, &all->topics[t].id, all->topics[t].partitions, all->topics[t].n);
    struct uuid *gone = o ? deleting(s, NULL, &o->states, true, &(int32_t){0}) : NULL;
    if (gone && g && g->has_states && !s->out_of_memory)
        record_share_states(s, g, q->group, NULL, NULL, gone, o->states.topics_n);
    step_answer(s, o);
}
