#include "group/consumer_step.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/own.h"
#include "group/record.h"
#include "records/group.h"

enum { MESSAGE_MAX = 1024 };

void consumer_fail(struct consumer_step *st, int16_t error, const char *format, ...) {
    char text[MESSAGE_MAX];
    va_list args;
    ASSERT(error && !st->error);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    st->error = error;
    st->message = arena_strndup(st->e->arena, text, strlen(text));
}

void consumer_step_end(struct consumer_step *st) {
    if (st->outside && st->c) consumer_free(st->c);
    st->c = NULL;
}

/* --- the group --- */

static void use(struct consumer_step *st, struct consumer *c, bool outside) {
    st->c = c;
    st->outside = outside;
    if (!c) return;
    st->epoch = c->m.epoch;
    st->homogeneous = consumer_homogeneous(c, NULL, NULL, &c->m.topics, c->m.members.count);
}

void consumer_step_open(struct consumer_step *st, struct kstr id, bool create) {
    struct group *g = group_existing(st->s, id);
    if (g && g->type == GROUP_KIND_CONSUMER) {
        use(st, consumer_of(g->modern), false);
    } else if (!create) {
        consumer_fail(st, KERR_GROUP_ID_NOT_FOUND,
                      g ? "Group %.*s is not a consumer group." : "Consumer group %.*s not found.",
                      KSTR_ARG(id));
    } else if (!g) {
        use(st, consumer_create(st->s, id), true);
    } else if (g->classic && g->classic->state == CLASSIC_EMPTY) {
        LOG_INFO("group", "%.*s: an empty classic group becomes a consumer group", KSTR_ARG(id));
        record_group_tombstone(st->s, id);
        use(st, consumer_create(st->s, id), true);
    } else if (g->classic) {
        consumer_from_classic(st, g->classic);
        if (!st->error) use(st, st->c, true);
    } else {
        consumer_fail(st, KERR_GROUP_ID_NOT_FOUND, "Group %.*s is not a consumer group.", KSTR_ARG(id));
    }
}

/* --- the member --- */

static bool has_only_assigned(const struct consumer_step *st, const struct assigned *assigned) {
    if (!st->owned_known) return false;
    for (int32_t t = 0; t < assigned_topics(st->owned); t++) {
        const struct assigned_topic *of = assigned_topic(assigned, &st->owned->topics[t].id);
        for (int32_t i = 0; i < st->owned->topics[t].n; i++)
            if (!assigned_topic_get(of, st->owned->topics[t].partitions[i])) return false;
    }
    return true;
}

/* A member may be one epoch behind, when the answer that moved it got lost. */
static void check_epoch(struct consumer_step *st, const struct consumer_member *m, int32_t epoch) {
    if (epoch == EPOCH_JOIN || epoch == m->m.epoch) return;
    if (epoch < m->m.epoch && epoch == m->m.previous_epoch && has_only_assigned(st, m->assigned)) return;
    LOG_INFO("group", "%.*s: member %.*s is fenced: it is at epoch %d, the coordinator knows it at %d",
             KSTR_ARG(st->c->m.id), KSTR_ARG(m->m.id), epoch, m->m.epoch);
    consumer_fail(st, KERR_FENCED_MEMBER_EPOCH,
                  "The consumer group member has a %s member epoch (%d) than the one known by the group "
                  "coordinator (%d). The member must abandon all its partitions and rejoin.",
                  epoch > m->m.epoch ? "greater" : "smaller", epoch, m->m.epoch);
}

static void set_member(struct consumer_step *st, const struct consumer_member *m) { st->old = st->now = *m; }

void consumer_step_dynamic(struct consumer_step *st, struct kstr id, int32_t epoch, bool joins,
                           bool classic) {
    struct consumer_member *m = consumer_member(st->c, id);
    if (!m && !joins) {
        consumer_fail(st, KERR_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.", KSTR_ARG(id),
                      KSTR_ARG(st->c->m.id));
        return;
    }
    struct consumer_member fresh = consumer_member_new(id);
    set_member(st, m ? m : &fresh);
    if (!classic) check_epoch(st, &st->old, epoch);
    if (!st->error && joins)
        LOG_INFO("group", "%.*s: member %.*s joins with the %s protocol", KSTR_ARG(st->c->m.id), KSTR_ARG(id),
                 classic ? "classic" : "consumer");
}

/* A static member that returns gets a new id and keeps its target and what it had. */
static void replace(struct consumer_step *st, const struct consumer_member *before, struct kstr id) {
    struct consumer_member m = *before;
    m.m.id = id;
    m.m.epoch = m.m.previous_epoch = 0;
    set_member(st, &m);
    record_consumer_member_gone(st->s, st->c->m.id, before->m.id);
    record_consumer_member(st->s, st->c->m.id, &m);
    const struct target *t = modern_target(&st->c->m, before->m.id);
    record_consumer_target(st->s, st->c->m.id, id, t ? t->partitions : NULL);
    record_consumer_current(st->s, st->c->m.id, &m);
}

static void join_static(struct consumer_step *st, struct kstr id, struct kstr instance_id, bool classic) {
    const struct consumer_member *before = consumer_static_member(st->c, instance_id);
    if (!before) {
        const struct consumer_member *m = consumer_member(st->c, id);
        struct consumer_member fresh = consumer_member_new(id);
        set_member(st, m ? m : &fresh);
        LOG_INFO("group", "%.*s: static member %.*s (%.*s) joins with the %s protocol", KSTR_ARG(st->c->m.id),
                 KSTR_ARG(instance_id), KSTR_ARG(id), classic ? "classic" : "consumer");
        return;
    }
    if (!classic && !before->classic && before->m.epoch != EPOCH_LEAVE_STATIC) {
        LOG_INFO("group", "%.*s: static member %.*s cannot join as %.*s: %.*s has the instance id",
                 KSTR_ARG(st->c->m.id), KSTR_ARG(instance_id), KSTR_ARG(id), KSTR_ARG(before->m.id));
        consumer_fail(
            st, KERR_UNRELEASED_INSTANCE_ID,
            "Static member %.*s with instance id %.*s cannot join the group because the instance id is "
            "owned by %.*s member.",
            KSTR_ARG(id), KSTR_ARG(instance_id), KSTR_ARG(before->m.id));
        return;
    }
    LOG_INFO("group", "%.*s: static member %.*s is now %.*s, before %.*s", KSTR_ARG(st->c->m.id),
             KSTR_ARG(instance_id), KSTR_ARG(id), KSTR_ARG(before->m.id));
    replace(st, before, id);
}

void consumer_step_static(struct consumer_step *st, struct kstr id, struct kstr instance_id, int32_t epoch,
                          bool joins, bool classic) {
    if (joins) {
        join_static(st, id, instance_id, classic);
        return;
    }
    const struct consumer_member *m = consumer_static_member(st->c, instance_id);
    if (!m) {
        consumer_fail(st, KERR_UNKNOWN_MEMBER_ID, "Instance id %.*s is unknown.", KSTR_ARG(instance_id));
    } else if (!kstr_equal(m->m.id, id)) {
        LOG_INFO("group", "%.*s: member %.*s is fenced: static member %.*s is now %.*s",
                 KSTR_ARG(st->c->m.id), KSTR_ARG(id), KSTR_ARG(instance_id), KSTR_ARG(m->m.id));
        consumer_fail(st, KERR_FENCED_INSTANCE_ID,
                      "Static member %.*s with instance id %.*s was fenced by member %.*s.", KSTR_ARG(id),
                      KSTR_ARG(instance_id), KSTR_ARG(m->m.id));
    } else {
        set_member(st, m);
        if (!classic) check_epoch(st, m, epoch);
    }
}

bool consumer_step_member(struct consumer_step *st) {
    if (consumer_member_equal(&st->old, &st->now)) return false;
    record_consumer_member(st->s, st->c->m.id, &st->now);
    return !names_equal(&st->old.m.topics, &st->now.m.topics);
}

/* --- subscriptions --- */

static bool by_names_only(const struct hashmap *topics, size_t members) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(topics, &i));)
        if ((size_t)((struct subscription *)e->value)->by_name != members) return false;
    return true;
}

static bool by_regex_only(const struct hashmap *topics) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(topics, &i));) {
        const struct subscription *t = e->value;
        if (t->by_regex != 1 || t->by_name > 0) return false;
    }
    return true;
}

bool consumer_homogeneous(const struct consumer *c, const struct consumer_member *old,
                          const struct consumer_member *now, const struct hashmap *topics, size_t members) {
    struct kstr before = old && consumer_has_regex(old) ? old->regex : KSTR_NULL;
    struct kstr after = now && consumer_has_regex(now) ? now->regex : KSTR_NULL;
    size_t different = c->regexes.count;
    bool changed = !kstr_equal(before, after);
    if (changed && before.len >= 0) different -= said_count(&c->regexes, before) == 1;
    if (changed && after.len >= 0) different += said_count(&c->regexes, after) == 0;
    if (!different) return by_names_only(topics, members);
    if (different > 1) return false;
    struct hashmap_entry *e;
    size_t with = 0, i = 0;
    while ((e = hashmap_next(&c->regexes, &i))) with += (size_t)((struct said *)e->value)->n;
    if (changed) with = with + (after.len >= 0) - (before.len >= 0);
    return with == members && by_regex_only(topics);
}

/* The group's subscriptions with the changed member instead of the old one. */
static struct hashmap changed_topics(const struct consumer_step *st) {
    struct hashmap topics = subscriptions_copy(&st->c->m.topics);
    subscriptions_of(&topics, &st->old.m.topics, -1);
    subscriptions_of(&topics, &st->now.m.topics, 1);
    if (!consumer_has_regex(&st->old) || kstr_equal(st->old.regex, st->now.regex)) return topics;
    const struct resolved *r = consumer_resolved(st->c, st->old.regex);
    if (said_count(&st->c->regexes, st->old.regex) != 1) return topics;
    for (int32_t i = 0; r && i < r->topics.n; i++) subscriptions_change(&topics, r->topics.list[i], 0, -1);
    return topics;
}

void consumer_step_metadata(struct consumer_step *st, bool bump, const char *why) {
    struct hashmap topics = changed_topics(st);
    int64_t hash = metadata_hash(st->s, &topics);
    bool is_new =
        !consumer_member(st->c, st->now.m.id) && !consumer_static_member(st->c, st->now.m.instance_id);
    st->homogeneous =
        consumer_homogeneous(st->c, &st->old, &st->now, &topics, st->c->m.members.count + is_new);
    subscriptions_free(&topics);
    if (hash != st->c->m.metadata_hash && !bump) why = "the topics' metadata changed";
    if (hash != st->c->m.metadata_hash) bump = true;
    if (bump) {
        st->epoch++;
        record_consumer_epoch(st->s, st->c->m.id, st->epoch, hash);
        LOG_INFO("group", "%.*s: epoch %d (%s)", KSTR_ARG(st->c->m.id), st->epoch, why);
    }
    modern_metadata_checked(st->s, &st->c->m, st->epoch);
    if (st->c->has_partition_metadata)
        record_tombstone(st->s, GROUP_CONSUMER_GROUP_PARTITION_METADATA, st->c->m.id, KSTR_NULL);
}

/* --- leaving --- */

void consumer_fence(struct group_shard *s, struct consumer *c, struct consumer_member *const *members,
                    int32_t n) {
    if (!n) return;
    if (consumer_downgrades_without(s, c, members, n)) {
        consumer_to_classic(s, c, members, n, NULL, "the last member of the consumer protocol left");
        return;
    }
    struct hashmap topics = subscriptions_copy(&c->m.topics);
    for (int32_t i = 0; i < n; i++) {
        record_consumer_member_gone(s, c->m.id, members[i]->m.id);
        subscriptions_of(&topics, &members[i]->m.topics, -1);
    }
    for (int32_t i = 0; i < n; i++) {
        if (!consumer_has_regex(members[i])) continue;
        int32_t same = 0;
        bool first = true;
        for (int32_t k = 0; k < n; k++)
            if (kstr_equal(members[k]->regex, members[i]->regex)) {
                same++;
                first &= k >= i;
            }
        if (!first || same != said_count(&c->regexes, members[i]->regex)) continue;
        record_tombstone(s, GROUP_CONSUMER_GROUP_REGULAR_EXPRESSION, c->m.id, members[i]->regex);
        const struct resolved *r = consumer_resolved(c, members[i]->regex);
        for (int32_t k = 0; r && k < r->topics.n; k++)
            subscriptions_change(&topics, r->topics.list[k], 0, -1);
    }
    record_consumer_epoch(s, c->m.id, c->m.epoch + 1, metadata_hash(s, &topics));
    LOG_INFO("group", "%.*s: epoch %d (%d members are gone)", KSTR_ARG(c->m.id), c->m.epoch + 1, n);
    subscriptions_free(&topics);
}
