/* The target assignment: what each member should have at the group's epoch. Source: TargetAssignmentBuilder,
 * GroupMetadataManager.maybeUpdateTargetAssignment. */
#include <stdlib.h>

#include "base/kerr.h"
#include "base/log.h"
#include "group/consumer_step.h"
#include "group/own.h"
#include "group/target.h"

/* Names and what the regular expression matches. */
static bool subscription_of(struct consumer_step *st, const struct consumer_member *m, struct names *out) {
    const struct resolved *r = consumer_has_regex(m) ? consumer_resolved(st->c, m->regex) : NULL;
    struct arena *a = &st->s->scratch;
    *out = m->m.topics;
    if (!r || !r->topics.n) return true;
    struct kstr *all = arena_alloc(a, (size_t)(m->m.topics.n + r->topics.n) * sizeof *all);
    if (!all) return false;
    if (m->m.topics.n) memcpy(all, m->m.topics.list, (size_t)m->m.topics.n * sizeof *all);
    memcpy(all + m->m.topics.n, r->topics.list, (size_t)r->topics.n * sizeof *all);
    return names_sort(a, all, m->m.topics.n + r->topics.n, out);
}

static bool add(struct consumer_step *st, const struct consumer_member *m, struct target_member *out) {
    const struct target *t = modern_target(&st->c->m, m->m.id);
    *out = (struct target_member){
        .id = m->m.id, .instance_id = m->m.instance_id, .current = t ? t->partitions : NULL};
    /* A static member that returns may have had another id. */
    if (m == &st->now && consumer_static_member(st->c, m->m.instance_id))
        out->current = consumer_target(st->c, m->m.id, m->m.instance_id);
    return subscription_of(st, m, &out->topics);
}

static int by_id(const void *a, const void *b) {
    return names_compare(((const struct target_member *)a)->id, ((const struct target_member *)b)->id);
}

/* The group's members with the changed one, without the one that it takes the place of. NULL: no memory. */
static struct target_member *members_of(struct consumer_step *st, int32_t *n) {
    const struct consumer_member *replaced = consumer_static_member(st->c, st->now.m.instance_id);
    struct target_member *list = arena_calloc(&st->s->scratch, st->c->m.members.count + 1, sizeof *list);
    struct hashmap_entry *e;
    bool ok = list;
    *n = 0;
    for (size_t i = 0; ok && (e = hashmap_next(&st->c->m.members, &i));) {
        const struct consumer_member *m = e->value;
        if (m != replaced && !kstr_equal(m->m.id, st->now.m.id)) ok = add(st, m, &list[(*n)++]);
    }
    if (!ok || !add(st, &st->now, &list[(*n)++])) return NULL;
    qsort(list, (size_t)*n, sizeof *list, by_id);
    return list;
}

static bool compute(struct consumer_step *st, struct assign_input *in, bool range) {
    int32_t n;
    struct target_member *members = members_of(st, &n);
    return members && target_input(st->s, in, members, n) && (range ? assign_range(in) : assign_uniform(in));
}

/* Writes what differs; the changed member's is *mine. */
static void write_target(struct consumer_step *st, const struct assign_input *in,
                         const struct assigned **mine) {
    int32_t changed = 0;
    for (int32_t m = 0; m < in->members_n; m++) {
        const struct target *before = modern_target(&st->c->m, in->members[m].id);
        if (kstr_equal(in->members[m].id, st->now.m.id)) *mine = in->members[m].result;
        if (before && assigned_equal(before->partitions, in->members[m].result, false)) continue;
        record_consumer_target(st->s, st->c->m.id, in->members[m].id, in->members[m].result);
        changed++;
    }
    record_consumer_target_epoch(st->s, st->c->m.id, st->epoch, st->s->now.wall);
    LOG_INFO("group", "%.*s: target assignment of epoch %d: %d members, %d topics, %d members get others",
             KSTR_ARG(st->c->m.id), st->epoch, in->members_n, in->topics_n, changed);
}

int32_t consumer_step_target(struct consumer_step *st, const struct assigned **target) {
    *target = consumer_target(st->c, st->now.m.id, st->now.m.instance_id);
    if (st->c->m.assignment_epoch >= st->epoch ||
        !modern_may_assign(st->s, &st->c->m, "consumer.assignment.interval.ms",
                           &st->s->config->consumer.assignment_interval))
        return st->c->m.assignment_epoch;
    struct kstr assignor = consumer_assignor(st->s, st->c, &st->old, &st->now);
    struct assign_input in = {.arena = &st->s->scratch, .homogeneous = st->homogeneous};
    if (!compute(st, &in, kstr_is(assignor, "range"))) {
        consumer_fail(st, KERR_UNKNOWN_SERVER_ERROR, "The group is too large to be assigned.");
        return st->c->m.assignment_epoch;
    }
    write_target(st, &in, target);
    return st->epoch;
}
