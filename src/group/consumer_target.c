/* The target assignment: what each member should have at the group's epoch. Source: TargetAssignmentBuilder,
 * GroupMetadataManager.maybeUpdateTargetAssignment. */
#include <stdlib.h>

#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/assignor.h"
#include "group/consumer_step.h"
#include "group/own.h"
#include "metadata/image.h"

/* A topic that somebody is subscribed to and that exists. */
struct wanted_topic {
    const struct topic *topic;
    int32_t index;
};

/* Input in the making. */
struct target_builder {
    struct consumer_step *st;
    struct arena *arena;
    struct assign_input in;
    const struct consumer_member **members; /* of in.members */
    struct hashmap topics;                  /* name → struct wanted_topic */
    struct names *subscriptions;            /* of each member; of equal neighbours the same list */
};

static int by_id(const void *a, const void *b) {
    return names_compare((*(const struct consumer_member *const *)a)->m.id,
                         (*(const struct consumer_member *const *)b)->m.id);
}

static int by_topic_id(const void *a, const void *b) {
    return memcmp(((const struct assign_topic *)a)->id.b, ((const struct assign_topic *)b)->id.b, 16);
}

static int by_value(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

/* The group's members with the changed one, without the one that it takes the place of. */
static bool collect_members(struct target_builder *b) {
    struct consumer_step *st = b->st;
    const struct consumer_member *replaced = consumer_static_member(st->c, st->now.m.instance_id);
    struct hashmap_entry *e;
    int32_t n = 0;
    b->members = arena_calloc(b->arena, st->c->m.members.count + 1, sizeof *b->members);
    if (!b->members) return false;
    for (size_t i = 0; (e = hashmap_next(&st->c->m.members, &i));)
        if (e->value != replaced && !kstr_equal(((struct consumer_member *)e->value)->m.id, st->now.m.id))
            b->members[n++] = e->value;
    b->members[n++] = &st->now;
    qsort(b->members, (size_t)n, sizeof *b->members, by_id);
    b->in.members_n = n;
    b->in.members = arena_calloc(b->arena, (size_t)n, sizeof *b->in.members);
    b->subscriptions = arena_calloc(b->arena, (size_t)n, sizeof *b->subscriptions);
    return b->in.members && b->subscriptions;
}

/* Names and what the regular expression matches. */
static bool subscription_of(struct target_builder *b, const struct consumer_member *m, struct names *out) {
    const struct resolved *r = consumer_has_regex(m) ? consumer_resolved(b->st->c, m->regex) : NULL;
    *out = m->m.topics;
    if (!r || !r->topics.n) return true;
    struct kstr *all = arena_alloc(b->arena, (size_t)(m->m.topics.n + r->topics.n) * sizeof *all);
    if (!all) return false;
    if (m->m.topics.n) memcpy(all, m->m.topics.list, (size_t)m->m.topics.n * sizeof *all);
    memcpy(all + m->m.topics.n, r->topics.list, (size_t)r->topics.n * sizeof *all);
    return names_sort(b->arena, all, m->m.topics.n + r->topics.n, out);
}

static bool add_topics(struct target_builder *b, const struct names *names) {
    for (int32_t i = 0; i < names->n; i++) {
        struct kstr name = names->list[i];
        const struct topic *t =
            b->st->s->image ? image_topic_by_name(b->st->s->image, name.s, (size_t)name.len) : NULL;
        if (!t || hashmap_get(&b->topics, name.s, (size_t)name.len)) continue;
        struct wanted_topic *w = arena_calloc(b->arena, 1, sizeof *w);
        if (!w) return false;
        w->topic = t;
        hashmap_put(&b->topics, t->name, (size_t)t->name_len, w);
    }
    return true;
}

static bool same_subscription(const struct consumer_member *a, const struct consumer_member *b) {
    return names_equal(&a->m.topics, &b->m.topics) && consumer_has_regex(a) == consumer_has_regex(b) &&
           (!consumer_has_regex(a) || kstr_equal(a->regex, b->regex));
}

static bool collect_topics(struct target_builder *b) {
    struct hashmap_entry *e;
    for (int32_t m = 0; m < b->in.members_n; m++) {
        if (m && same_subscription(b->members[m], b->members[m - 1])) {
            b->subscriptions[m] = b->subscriptions[m - 1];
            continue;
        }
        if (!subscription_of(b, b->members[m], &b->subscriptions[m]) || !add_topics(b, &b->subscriptions[m]))
            return false;
    }
    b->in.topics = arena_calloc(b->arena, b->topics.count, sizeof *b->in.topics);
    if (!b->in.topics) return false;
    for (size_t i = 0; (e = hashmap_next(&b->topics, &i));) {
        const struct topic *t = ((struct wanted_topic *)e->value)->topic;
        b->in.topics[b->in.topics_n++] = (struct assign_topic){.id = t->id, .partitions_n = t->partitions_n};
    }
    qsort(b->in.topics, (size_t)b->in.topics_n, sizeof *b->in.topics, by_topic_id);
    for (size_t i = 0; (e = hashmap_next(&b->topics, &i));) {
        struct wanted_topic *w = e->value;
        w->index = assign_topic_index(&b->in, &w->topic->id);
    }
    return true;
}

static bool number_topics(struct target_builder *b, int32_t m) {
    struct assign_member *out = &b->in.members[m];
    if (m && b->subscriptions[m].list == b->subscriptions[m - 1].list &&
        b->subscriptions[m].n == b->subscriptions[m - 1].n) {
        out->topics = b->in.members[m - 1].topics;
        out->topics_n = b->in.members[m - 1].topics_n;
        return true;
    }
    const struct names *names = &b->subscriptions[m];
    int32_t *list = arena_calloc(b->arena, (size_t)names->n, sizeof *list), n = 0;
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

static bool fill_members(struct target_builder *b) {
    for (int32_t m = 0; m < b->in.members_n; m++) {
        const struct consumer_member *from = b->members[m];
        struct assign_member *out = &b->in.members[m];
        out->id = from->m.id;
        out->instance_id = from->m.instance_id;
        const struct target *t = modern_target(&b->st->c->m, from->m.id);
        out->current = t ? t->partitions : NULL;
        if (from == &b->st->now && from->m.instance_id.len >= 0) { /* it may have had another id */
            const struct consumer_member *before = consumer_static_member(b->st->c, from->m.instance_id);
            if (before) out->current = consumer_target(b->st->c, from->m.id, from->m.instance_id);
        }
        if (!number_topics(b, m)) return false;
    }
    return true;
}

static bool compute(struct target_builder *b, bool range) {
    hashmap_init(&b->topics, b->st->s->seed);
    bool ok = collect_members(b) && collect_topics(b) && fill_members(b) &&
              (range ? assign_range(&b->in) : assign_uniform(&b->in));
    hashmap_free(&b->topics);
    return ok;
}

/* Writes what differs; the changed member's is *mine. */
static void write_target(struct target_builder *b, const struct assigned **mine) {
    struct consumer_step *st = b->st;
    int32_t changed = 0;
    for (int32_t m = 0; m < b->in.members_n; m++) {
        const struct target *before = modern_target(&st->c->m, b->in.members[m].id);
        if (b->members[m] == &st->now) *mine = b->in.members[m].result;
        if (before && assigned_equal(before->partitions, b->in.members[m].result, false)) continue;
        record_consumer_target(st->s, st->c->m.id, b->in.members[m].id, b->in.members[m].result);
        changed++;
    }
    record_consumer_target_epoch(st->s, st->c->m.id, st->epoch, st->s->now.wall);
    LOG_INFO("group", "%.*s: target assignment of epoch %d: %d members, %d topics, %d members get others",
             KSTR_ARG(st->c->m.id), st->epoch, b->in.members_n, b->in.topics_n, changed);
}

static bool may_compute(const struct consumer_step *st) {
    int32_t interval = modern_setting(st->s, st->c->m.id, "consumer.assignment.interval.ms",
                                      &st->s->config->consumer.assignment_interval);
    return st->c->m.assignment_ms == 0 || interval == 0 ||
           st->s->now.wall >= st->c->m.assignment_ms + interval;
}

int32_t consumer_step_target(struct consumer_step *st, const struct assigned **target) {
    *target = consumer_target(st->c, st->now.m.id, st->now.m.instance_id);
    if (st->c->m.assignment_epoch >= st->epoch || !may_compute(st)) return st->c->m.assignment_epoch;
    struct kstr assignor = consumer_assignor(st->s, st->c, &st->old, &st->now);
    struct target_builder b = {.st = st, .arena = &st->s->scratch, .in = {.arena = &st->s->scratch}};
    b.in.homogeneous = st->homogeneous;
    if (!compute(&b, kstr_is(assignor, "range"))) {
        consumer_fail(st, KERR_UNKNOWN_SERVER_ERROR, "The group is too large to be assigned.");
        return st->c->m.assignment_epoch;
    }
    write_target(&b, target);
    return st->epoch;
}
