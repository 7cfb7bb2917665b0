/* ConsumerGroupDescribe of one group. Source: GroupMetadataManager.consumerGroupDescribe,
 * ConsumerGroup.asDescribedGroup. */
#include "api/consumer_group_describe.h"
#include "base/kerr.h"
#include "group/consumer.h"
#include "group/own.h"
#include "metadata/image.h"

/* What is copied into the response; `failed` when there is no memory. */
struct describing {
    struct group_shard *s;
    struct arena *arena;
    bool failed;
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

/* What of a topic is in either set; a topic that is gone is left out. */
static void add_topic(struct describing *d, struct consumer_group_describe_response_assignment *out,
                      const struct assigned_topic *a, const struct assigned_topic *b) {
    const struct topic *t = d->s->image ? image_topic_by_id(d->s->image, a ? &a->id : &b->id) : NULL;
    if (!t) return;
    struct consumer_group_describe_response_topic_partitions *o =
        &out->topic_partitions[out->topic_partitions_n++];
    o->topic_id = t->id;
    o->topic_name = copied(d, (struct kstr){t->name, t->name_len});
    o->partitions = array(d, (a ? a->n : 0) + (b ? b->n : 0), sizeof *o->partitions);
    if (!o->partitions) return;
    for (int32_t i = 0; a && i < a->n; i++) o->partitions[o->partitions_n++] = a->partitions[i];
    for (int32_t i = 0; b && i < b->n; i++) o->partitions[o->partitions_n++] = b->partitions[i];
}

static void assignment(struct describing *d, struct consumer_group_describe_response_assignment *out,
                       const struct assigned *a, const struct assigned *b) {
    out->topic_partitions = array(d, assigned_topics(a) + assigned_topics(b), sizeof *out->topic_partitions);
    if (!out->topic_partitions) return;
    for (int32_t i = 0; i < assigned_topics(a); i++)
        add_topic(d, out, &a->topics[i], assigned_topic(b, &a->topics[i].id));
    for (int32_t i = 0; i < assigned_topics(b); i++)
        if (!assigned_topic(a, &b->topics[i].id)) add_topic(d, out, NULL, &b->topics[i]);
}

static void member(struct describing *d, const struct consumer *c, const struct consumer_member *m,
                   struct consumer_group_describe_response_member *out) {
    const struct target *target = modern_target(&c->m, m->m.id);
    consumer_group_describe_response_member_init(out);
    out->member_id = copied(d, m->m.id);
    out->instance_id = copied(d, m->m.instance_id);
    out->rack_id = copied(d, m->m.rack);
    out->member_epoch = m->m.epoch;
    out->client_id = copied(d, m->m.client_id);
    out->client_host = copied(d, m->m.client_host);
    out->subscribed_topic_regex = copied(d, m->regex);
    out->subscribed_topic_names = array(d, m->m.topics.n, sizeof *out->subscribed_topic_names);
    for (int32_t i = 0; out->subscribed_topic_names && i < m->m.topics.n; i++)
        out->subscribed_topic_names[out->subscribed_topic_names_n++] = copied(d, m->m.topics.list[i]);
    assignment(d, &out->assignment, m->assigned, m->revoking);
    assignment(d, &out->target_assignment, target ? target->partitions : NULL, NULL);
    out->member_type = m->classic ? 0 : 1;
}

static void group(struct describing *d, const struct consumer *c,
                  struct consumer_group_describe_response_described_group *r) {
    struct hashmap_entry *e;
    r->group_state = kstr_of(consumer_state(&c->m));
    r->group_epoch = c->m.epoch;
    r->assignment_epoch = c->m.assignment_epoch;
    r->assignor_name = consumer_assignor(d->s, c, NULL, NULL);
    r->members = array(d, (int32_t)c->m.members.count, sizeof *r->members);
    for (size_t i = 0; r->members && (e = hashmap_next(&c->m.members, &i));)
        member(d, c, e->value, &r->members[r->members_n++]);
}

void consumer_describe_step(struct group_shard *s, const struct group_event *e) {
    const struct kstr *id = e->request;
    struct consumer *c = consumer_find(s, *id);
    struct describing d = {.s = s, .arena = e->arena};
    struct consumer_group_describe_response_described_group *r = arena_alloc(e->arena, sizeof *r);
    if (r) {
        consumer_group_describe_response_described_group_init(r);
        r->group_id = *id;
        if (c) {
            group(&d, c, r);
        } else {
            r->error_code = KERR_GROUP_ID_NOT_FOUND;
            r->error_message = kstr_of(arena_printf(
                e->arena,
                group_existing(s, *id) ? "Group %.*s is not a consumer group." : "Group %.*s not found.",
                KSTR_ARG(*id)));
        }
    }
    step_answer(s, d.failed ? NULL : r);
}
