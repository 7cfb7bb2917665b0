/* ShareGroupDescribe of one group. Source: GroupMetadataManager.shareGroupDescribe,
 * ShareGroup.asDescribedGroup.
 */
#include "api/share_group_describe.h"
#include "base/kerr.h"
#include "group/own.h"
#include "group/share_group.h"
#include "metadata/image.h"

struct describing {
    struct group_shard *s;
    struct arena *arena;
    bool failed; /* no memory */
};

static struct kstr copied(struct describing *d, struct kstr a) {
    if (a.len <= 0) return a;
    struct kstr copy = {.s = arena_memdup(d->arena, a.s, (size_t)a.len), .len = a.len};
    d->failed |= !copy.s;
    return copy.s ? copy : (struct kstr){0};
}

static void *array(struct describing *d, int32_t n, size_t size) {
    void *p = arena_calloc(d->arena, (size_t)n, size);
    d->failed |= !p;
    return p;
}

static void assignment(struct describing *d, struct share_group_describe_response_assignment *out,
                       const struct assigned *a) {
    out->topic_partitions = array(d, assigned_topics(a), sizeof *out->topic_partitions);
    for (int32_t i = 0; out->topic_partitions && i < assigned_topics(a); i++) {
        const struct topic *t = d->s->image ? image_topic_by_id(d->s->image, &a->topics[i].id) : NULL;
        if (!t) continue;
        struct share_group_describe_response_topic_partitions *o =
            &out->topic_partitions[out->topic_partitions_n++];
        o->topic_id = t->id;
        o->topic_name = copied(d, (struct kstr){t->name, t->name_len});
        o->partitions = array(d, a->topics[i].n, sizeof *o->partitions);
        for (int32_t k = 0; o->partitions && k < a->topics[i].n; k++)
            o->partitions[o->partitions_n++] = a->topics[i].partitions[k];
    }
}

static void member(struct describing *d, const struct share_member *m,
                   struct share_group_describe_response_member *out) {
    share_group_describe_response_member_init(out);
    out->member_id = copied(d, m->m.id);
    out->rack_id = copied(d, m->m.rack);
    out->member_epoch = m->m.epoch;
    out->client_id = copied(d, m->m.client_id);
    out->client_host = copied(d, m->m.client_host);
    out->subscribed_topic_names = array(d, m->m.topics.n, sizeof *out->subscribed_topic_names);
    for (int32_t i = 0; out->subscribed_topic_names && i < m->m.topics.n; i++)
        out->subscribed_topic_names[out->subscribed_topic_names_n++] = copied(d, m->m.topics.list[i]);
    assignment(d, &out->assignment, m->assigned);
}

static void group(struct describing *d, const struct share_group *g,
                  struct share_group_describe_response_described_group *r) {
    struct hashmap_entry *e;
    r->group_state = kstr_of(g->m.kind->state(&g->m));
    r->group_epoch = g->m.epoch;
    r->assignment_epoch = g->m.assignment_epoch;
    r->assignor_name = KSTR("simple");
    r->members = array(d, (int32_t)g->m.members.count, sizeof *r->members);
    for (size_t i = 0; r->members && (e = hashmap_next(&g->m.members, &i));)
        member(d, e->value, &r->members[r->members_n++]);
}

void share_describe_step(struct group_shard *s, const struct group_event *e) {
    const struct kstr *id = e->request;
    struct share_group *g = share_find(s, *id);
    struct describing d = {.s = s, .arena = e->arena};
    struct share_group_describe_response_described_group *r = arena_alloc(e->arena, sizeof *r);
    if (r) {
        share_group_describe_response_described_group_init(r);
        r->group_id = *id;
        if (g) {
            group(&d, g, r);
        } else {
            r->error_code = KERR_GROUP_ID_NOT_FOUND;
            r->error_message = kstr_of(arena_printf(
                e->arena,
                group_existing(s, *id) ? "Group %.*s is not a share group." : "Group %.*s not found.",
                KSTR_ARG(*id)));
        }
    }
    step_answer(s, d.failed ? NULL : r);
}
