/* From a classic to a consumer group and back while members are there (KIP-848,
 * group.consumer.migration.policy).
 *
 * Upgrade: the first member that joins a classic group of consumers with the new protocol makes it a consumer
 * group: generation becomes group epoch, each member stays what it is and has what the leader gave it.
 * Whoever waits in JoinGroup or SyncGroup is sent to rejoin, and goes on with the classic protocol until it
 * is restarted with the new one.
 *
 * Downgrade: when the last member of the new protocol goes, the rest becomes a classic group in the
 * generation of the group epoch. Its record holds less than its members said (one protocol of those they
 * support), so the step keeps the classic group that it made for the record's replay to take (s->prepared),
 * which follows at once; if the append fails the next step drops it.
 *
 * Source: convertToConsumerGroup, convertToClassicGroup, validateOnlineUpgrade, validateOnlineDowngrade…,
 * ConsumerGroup.fromClassicGroup, ClassicGroup.fromConsumerGroup. */
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/consumer_step.h"
#include "group/embedded.h"
#include "group/own.h"
#include "group/record.h"
#include "metadata/image.h"

/* --- upgrade --- */

static const char *cannot_upgrade(const struct group_shard *s, const struct classic *c) {
    if (!(s->config->consumer.migration & MIGRATION_UPGRADE)) return "online upgrade is disabled";
    if (!classic_uses_consumer_protocol(c)) return "the group does not use the consumer embedded protocol";
    if (c->members_n > s->config->consumer.max_size)
        return "the group size exceeds the consumer group maximum size";
    return NULL;
}

static void send_to_rejoin(struct group_shard *s, struct classic *c) {
    for (struct classic_member *m = c->members; m; m = m->next) {
        rebalance_reply_join(s, m, KERR_REBALANCE_IN_PROGRESS, m->id);
        rebalance_reply_sync(s, m, KERR_REBALANCE_IN_PROGRESS);
    }
}

static void malformed(struct consumer_step *st, struct kstr group) {
    consumer_fail(
        st, KERR_GROUP_ID_NOT_FOUND,
        "Cannot upgrade classic group %.*s to consumer group because the embedded consumer protocol is "
        "malformed.",
        KSTR_ARG(group));
}

/* What the leader gave the member. */
static struct assigned *assignment_of(struct consumer_step *st, const struct classic *c,
                                      const struct classic_member *m, bool owned) {
    struct consumer_protocol_assignment a;
    if (m->assignment.len <= 0) return NULL;
    if (!embedded_assignment(&st->s->scratch, m->assignment, &a)) {
        malformed(st, c->group->id);
        return NULL;
    }
    if (a.user_data.len > 0) {
        consumer_fail(
            st, KERR_GROUP_ID_NOT_FOUND,
            "Cannot upgrade classic group %.*s to consumer group because an unsupported custom assignor "
            "is in use. Please refer to the documentation or switch to a default assignor before "
            "re-attempting the upgrade.",
            KSTR_ARG(c->group->id));
        return NULL;
    }
    struct assigned_builder b = assigned_begin(&st->s->scratch);
    for (int32_t i = 0; i < a.assigned_partitions_n; i++) {
        struct kstr name = a.assigned_partitions[i].topic;
        const struct topic *t =
            st->s->image ? image_topic_by_name(st->s->image, name.s, (size_t)name.len) : NULL;
        if (t)
            assigned_add_topic(&b, &t->id, a.assigned_partitions[i].partitions,
                               a.assigned_partitions[i].partitions_n, NULL, c->generation);
    }
    return assigned_finish(&b, owned);
}

static void take_member(struct consumer_step *st, const struct classic *c,
                        const struct classic_member *from) {
    struct consumer_protocol_subscription sub;
    struct consumer_member m = consumer_member_new(from->id);
    m.assigned = assignment_of(st, c, from, false);
    if (st->error) return;
    if (!embedded_subscription(&st->s->scratch, classic_metadata(from, c->protocol), &sub) ||
        !names_sort(&st->s->scratch, sub.topics, sub.topics_n, &m.m.topics)) {
        malformed(st, c->group->id);
        return;
    }
    m.m.epoch = m.m.previous_epoch = c->generation;
    m.m.instance_id = from->instance_id;
    m.m.rack = sub.rack_id.len > 0 ? sub.rack_id : KSTR_NULL;
    m.m.client_id = from->client_id;
    m.m.client_host = from->client_host;
    m.rebalance_timeout_ms = from->rebalance_timeout_ms;
    m.classic = true;
    m.classic_session_ms = from->session_timeout_ms;
    m.protocols = from->protocols;
    modern_target_set(&st->c->m, from->id, assignment_of(st, c, from, true));
    consumer_put(st->c, &m);
}

void consumer_from_classic(struct consumer_step *st, struct classic *c) {
    struct group_shard *s = st->s;
    const char *why = cannot_upgrade(s, c);
    if (why) {
        LOG_INFO("group", "%.*s: cannot become a consumer group: %s", KSTR_ARG(c->group->id), why);
        consumer_fail(st, KERR_GROUP_ID_NOT_FOUND,
                      "Cannot upgrade classic group %.*s to consumer group because %s.",
                      KSTR_ARG(c->group->id), why);
        return;
    }
    send_to_rejoin(s, c);
    if (kstr_null(c->protocol)) { /* its first rebalance has not ended */
        consumer_fail(st, KERR_UNKNOWN_SERVER_ERROR, "%s", kerr_message(KERR_UNKNOWN_SERVER_ERROR));
        return;
    }
    record_group_tombstone(s, c->group->id);
    st->c = consumer_create(s, c->group->id);
    st->outside = true;
    st->c->m.epoch = st->c->m.assignment_epoch = c->generation;
    for (const struct classic_member *m = c->members; m && !st->error; m = m->next) take_member(st, c, m);
    if (st->error) return;
    st->c->m.metadata_hash = metadata_hash(s, &st->c->m.topics);
    record_consumer_all(s, st->c);
    for (const struct classic_member *m = c->members; m; m = m->next)
        modern_timer_set(s, st->c->m.id, m->id, MEMBER_SESSION, m->session_timeout_ms, 0);
    LOG_INFO("group", "%.*s: the classic group of generation %d with %d members becomes a consumer group",
             KSTR_ARG(c->group->id), c->generation, c->members_n);
}

/* --- downgrade --- */

static bool may_downgrade(const struct group_shard *s, const struct consumer *c, int32_t left) {
    const char *why = NULL;
    if (!(s->config->consumer.migration & MIGRATION_DOWNGRADE)) why = "online downgrade is disabled";
    if (left > s->config->group_max_size) why = "it is larger than group.max.size";
    if (why) LOG_INFO("group", "%.*s: cannot become a classic group: %s", KSTR_ARG(c->m.id), why);
    return !why;
}

bool consumer_downgrades_without(const struct group_shard *s, const struct consumer *c,
                                 struct consumer_member *const *gone, int32_t n) {
    int32_t left = (int32_t)c->m.members.count - n, classic = c->classic_n;
    for (int32_t i = 0; i < n; i++) classic -= gone[i]->classic;
    return left > 0 && classic == left && may_downgrade(s, c, left);
}

bool consumer_downgrades_by(const struct group_shard *s, const struct consumer *c,
                            const struct consumer_member *replaced) {
    int32_t members = (int32_t)c->m.members.count;
    return !replaced->classic && c->classic_n == members - 1 && may_downgrade(s, c, members);
}

static void add_classic(struct group_shard *s, struct classic *k, const struct consumer_member *m) {
    classic_add(s, k,
                classic_member_create(m->m.id, m->m.instance_id, m->m.client_id, m->m.client_host,
                                      m->rebalance_timeout_ms, m->classic_session_ms,
                                      protocols_copy(m->protocols.list, m->protocols.n)),
                KSTR("consumer"), NULL);
}

static bool is_one_of(const struct consumer_member *m, struct consumer_member *const *list, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        if (list[i] == m) return true;
    return false;
}

static void assign_classic(struct group_shard *s, const struct consumer *c, struct classic *k,
                           const struct consumer_member *joining, const struct consumer_member *replaced) {
    for (struct classic_member *m = k->members; m; m = m->next) {
        struct kstr id = joining && kstr_equal(m->id, joining->m.id) ? replaced->m.id : m->id;
        const struct target *t = modern_target(&c->m, id);
        struct kbytes a =
            embedded_encode(s, &s->scratch, t ? t->partitions : NULL, classic_metadata(m, k->protocol));
        if (a.len < 0) s->out_of_memory = true; /* its subscription was read when it joined */
        m->assignment = kbytes_own(a);
    }
}

void consumer_to_classic(struct group_shard *s, struct consumer *c, struct consumer_member *const *leaving,
                         int32_t n, const struct consumer_member *joining, const char *rebalance) {
    struct kstr nobody = KSTR_NULL;
    const struct consumer_member *replaced =
        joining ? consumer_static_member(c, joining->m.instance_id) : NULL;
    struct hashmap_entry *e;
    ASSERT(!joining || replaced);
    record_consumer_gone(s, c, replaced ? replaced->m.id : nobody, joining ? joining->m.id : nobody);
    struct classic *k = classic_create(group_find(s, c->m.id), CLASSIC_STABLE, s->now.wall, s->seed);
    k->generation = c->m.epoch;
    for (size_t i = 0; (e = hashmap_next(&c->m.members, &i));)
        if (e->value != replaced && !is_one_of(e->value, leaving, n)) add_classic(s, k, e->value);
    if (joining) add_classic(s, k, joining);
    kstr_set(&k->protocol, classic_select_protocol(k));
    classic_compute_topics(k);
    assign_classic(s, c, k, joining, replaced);
    record_group(s, k, NULL);
    ASSERT(!s->prepared);
    s->prepared = k;
    s->prepared_rebalance = rebalance;
    LOG_INFO("group", "%.*s: becomes a classic group of %d members in generation %d%s%s", KSTR_ARG(c->m.id),
             k->members_n, k->generation, rebalance ? ", " : "", rebalance ? rebalance : "");
}

bool consumer_take_prepared(struct group_shard *s, struct group *g) {
    struct classic *k = s->prepared;
    if (!k) return false;
    ASSERT(!g->classic && g->type == GROUP_KIND_NONE);
    s->prepared = NULL;
    g->type = GROUP_KIND_CLASSIC;
    g->classic = k;
    k->group = g;
    for (struct classic_member *m = k->members; m; m = m->next) session_set(s, m, m->session_timeout_ms);
    if (s->prepared_rebalance) rebalance_prepare(s, k, s->prepared_rebalance);
    return true;
}

void consumer_drop_prepared(struct group_shard *s) {
    if (s->prepared) classic_free(s, s->prepared);
    s->prepared = NULL;
}
