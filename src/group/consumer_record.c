/* Making the records of consumer groups. Source: GroupCoordinatorRecordHelpers. Written versions are 0. */
#include "base/assert.h"
#include "group/consumer.h"
#include "group/own.h"
#include "group/record.h"
#include "records/group.h"

static struct consumer_group_member_metadata_value_classic_member_metadata *classic_part(
    struct group_shard *s, const struct consumer_member *m) {
    struct consumer_group_member_metadata_value_classic_member_metadata *v =
        arena_calloc(&s->scratch, 1, sizeof *v);
    if (v)
        v->supported_protocols =
            arena_calloc(&s->scratch, (size_t)m->protocols.n, sizeof *v->supported_protocols);
    if (!v || !v->supported_protocols) {
        s->out_of_memory = true;
        return NULL;
    }
    v->session_timeout_ms = m->classic_session_ms;
    for (; v->supported_protocols_n < m->protocols.n; v->supported_protocols_n++) {
        const struct protocol *p = &m->protocols.list[v->supported_protocols_n];
        v->supported_protocols[v->supported_protocols_n].name = p->name;
        v->supported_protocols[v->supported_protocols_n].metadata = p->metadata;
    }
    return v;
}

void record_consumer_member(struct group_shard *s, struct kstr group, const struct consumer_member *m) {
    struct consumer_group_member_metadata_value v = {
        .instance_id = m->m.instance_id,
        .rack_id = m->m.rack,
        .client_id = m->m.client_id,
        .client_host = m->m.client_host,
        .subscribed_topic_names = m->m.topics.list,
        .subscribed_topic_names_n = m->m.topics.n,
        .subscribed_topic_regex = m->regex,
        .rebalance_timeout_ms = m->rebalance_timeout_ms,
        .server_assignor = m->assignor,
        .classic_member_metadata = m->classic ? classic_part(s, m) : NULL,
    };
    RECORD_ADD(s, GROUP_CONSUMER_GROUP_MEMBER_METADATA, group, m->m.id, consumer_group_member_metadata_value,
               &v, 0);
}

void record_consumer_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t hash) {
    struct consumer_group_metadata_value v = {.epoch = epoch, .metadata_hash = hash};
    RECORD_ADD(s, GROUP_CONSUMER_GROUP_METADATA, group, KSTR_NULL, consumer_group_metadata_value, &v, 0);
}

void record_consumer_target(struct group_shard *s, struct kstr group, struct kstr member,
                            const struct assigned *target) {
    struct consumer_group_target_assignment_member_value v = {.topic_partitions_n = assigned_topics(target)};
    v.topic_partitions = arena_calloc(&s->scratch, (size_t)v.topic_partitions_n, sizeof *v.topic_partitions);
    if (!v.topic_partitions) {
        s->out_of_memory = true;
        return;
    }
    for (int32_t i = 0; i < v.topic_partitions_n; i++) {
        v.topic_partitions[i].topic_id = target->topics[i].id;
        v.topic_partitions[i].partitions = target->topics[i].partitions;
        v.topic_partitions[i].partitions_n = target->topics[i].n;
    }
    RECORD_ADD(s, GROUP_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER, group, member,
               consumer_group_target_assignment_member_value, &v, 0);
}

void record_consumer_target_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t ms) {
    struct consumer_group_target_assignment_metadata_value v = {.assignment_epoch = epoch,
                                                                .assignment_timestamp = ms};
    RECORD_ADD(s, GROUP_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA, group, KSTR_NULL,
               consumer_group_target_assignment_metadata_value, &v, 0);
}

static struct consumer_group_current_member_assignment_value_topic_partitions *current_part(
    struct group_shard *s, const struct assigned *a) {
    struct consumer_group_current_member_assignment_value_topic_partitions *v =
        arena_calloc(&s->scratch, (size_t)assigned_topics(a), sizeof *v);
    if (!v) s->out_of_memory = true;
    for (int32_t i = 0; v && i < assigned_topics(a); i++) {
        v[i].topic_id = a->topics[i].id;
        v[i].partitions = a->topics[i].partitions;
        v[i].assignment_epochs = a->topics[i].epochs;
        v[i].partitions_n = v[i].assignment_epochs_n = a->topics[i].n;
    }
    return v;
}

void record_consumer_current(struct group_shard *s, struct kstr group, const struct consumer_member *m) {
    struct consumer_group_current_member_assignment_value v = {
        .member_epoch = m->m.epoch,
        .previous_member_epoch = m->m.previous_epoch,
        .state = (int8_t)m->m.state,
        .assigned_partitions = current_part(s, m->assigned),
        .assigned_partitions_n = assigned_topics(m->assigned),
        .partitions_pending_revocation = current_part(s, m->revoking),
        .partitions_pending_revocation_n = assigned_topics(m->revoking),
    };
    if (s->out_of_memory) return;
    RECORD_ADD(s, GROUP_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT, group, m->m.id,
               consumer_group_current_member_assignment_value, &v, 0);
}

void record_consumer_regex(struct group_shard *s, struct kstr group, const struct resolved *r) {
    struct consumer_group_regular_expression_value v = {
        .topics = r->topics.list, .topics_n = r->topics.n, .version = r->version, .timestamp = r->ms};
    RECORD_ADD(s, GROUP_CONSUMER_GROUP_REGULAR_EXPRESSION, group, r->regex,
               consumer_group_regular_expression_value, &v, 0);
}

void record_consumer_member_gone(struct group_shard *s, struct kstr group, struct kstr member) {
    record_tombstone(s, GROUP_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT, group, member);
    record_tombstone(s, GROUP_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER, group, member);
    record_tombstone(s, GROUP_CONSUMER_GROUP_MEMBER_METADATA, group, member);
}

static void members_gone(struct group_shard *s, const struct consumer *c, int16_t type, struct kstr leaving,
                         struct kstr joining) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&c->m.members, &i));) {
        struct kstr id = ((const struct modern_member *)e->value)->id;
        record_tombstone(s, type, c->m.id, leaving.len >= 0 && kstr_equal(id, leaving) ? joining : id);
    }
}

/* The reference replays them one by one and refuses to drop what still has something: members after what is
 * assigned to them, the group last. */
void record_consumer_gone(struct group_shard *s, const struct consumer *c, struct kstr leaving,
                          struct kstr joining) {
    struct hashmap_entry *e;
    members_gone(s, c, GROUP_CONSUMER_GROUP_CURRENT_MEMBER_ASSIGNMENT, leaving, joining);
    members_gone(s, c, GROUP_CONSUMER_GROUP_TARGET_ASSIGNMENT_MEMBER, leaving, joining);
    record_tombstone(s, GROUP_CONSUMER_GROUP_TARGET_ASSIGNMENT_METADATA, c->m.id, KSTR_NULL);
    members_gone(s, c, GROUP_CONSUMER_GROUP_MEMBER_METADATA, leaving, joining);
    for (size_t i = 0; (e = hashmap_next(&c->resolved, &i));)
        record_tombstone(s, GROUP_CONSUMER_GROUP_REGULAR_EXPRESSION, c->m.id,
                         ((const struct resolved *)e->value)->regex);
    record_tombstone(s, GROUP_CONSUMER_GROUP_PARTITION_METADATA, c->m.id, KSTR_NULL);
    record_tombstone(s, GROUP_CONSUMER_GROUP_METADATA, c->m.id, KSTR_NULL);
}

void record_consumer_all(struct group_shard *s, const struct consumer *c) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&c->m.members, &i));) record_consumer_member(s, c->m.id, e->value);
    record_consumer_epoch(s, c->m.id, c->m.epoch, c->m.metadata_hash);
    for (size_t i = 0; (e = hashmap_next(&c->m.members, &i));) {
        struct kstr id = ((const struct modern_member *)e->value)->id;
        const struct target *t = modern_target(&c->m, id);
        record_consumer_target(s, c->m.id, id, t ? t->partitions : NULL);
    }
    record_consumer_target_epoch(s, c->m.id, c->m.assignment_epoch, c->m.assignment_ms);
    for (size_t i = 0; (e = hashmap_next(&c->m.members, &i));) record_consumer_current(s, c->m.id, e->value);
}
