/* Making the records of share groups. Source: GroupCoordinatorRecordHelpers. Written versions are 0. */
#include "group/record.h"
#include "group/share_group.h"
#include "metadata/image.h"
#include "records/group.h"

void record_share_member(struct group_shard *s, struct kstr group, const struct share_member *m) {
    struct share_group_member_metadata_value v = {
        .rack_id = m->m.rack,
        .client_id = m->m.client_id,
        .client_host = m->m.client_host,
        .subscribed_topic_names = m->m.topics.list,
        .subscribed_topic_names_n = m->m.topics.n,
    };
    RECORD_ADD(s, GROUP_SHARE_GROUP_MEMBER_METADATA, group, m->m.id, share_group_member_metadata_value, &v,
               0);
}

void record_share_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t hash) {
    struct share_group_metadata_value v = {.epoch = epoch, .metadata_hash = hash};
    RECORD_ADD(s, GROUP_SHARE_GROUP_METADATA, group, KSTR_NULL, share_group_metadata_value, &v, 0);
}

void record_share_target(struct group_shard *s, struct kstr group, struct kstr member,
                         const struct assigned *target) {
    struct share_group_target_assignment_member_value v = {.topic_partitions_n = assigned_topics(target)};
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
    RECORD_ADD(s, GROUP_SHARE_GROUP_TARGET_ASSIGNMENT_MEMBER, group, member,
               share_group_target_assignment_member_value, &v, 0);
}

void record_share_target_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t ms) {
    struct share_group_target_assignment_metadata_value v = {.assignment_epoch = epoch,
                                                             .assignment_timestamp = ms};
    RECORD_ADD(s, GROUP_SHARE_GROUP_TARGET_ASSIGNMENT_METADATA, group, KSTR_NULL,
               share_group_target_assignment_metadata_value, &v, 0);
}

void record_share_current(struct group_shard *s, struct kstr group, const struct share_member *m) {
    struct share_group_current_member_assignment_value v = {
        .member_epoch = m->m.epoch,
        .previous_member_epoch = m->m.previous_epoch,
        .state = (int8_t)m->m.state,
        .assigned_partitions_n = assigned_topics(m->assigned),
    };
    v.assigned_partitions =
        arena_calloc(&s->scratch, (size_t)v.assigned_partitions_n, sizeof *v.assigned_partitions);
    if (!v.assigned_partitions) {
        s->out_of_memory = true;
        return;
    }
    for (int32_t i = 0; i < v.assigned_partitions_n; i++) {
        v.assigned_partitions[i].topic_id = m->assigned->topics[i].id;
        v.assigned_partitions[i].partitions = m->assigned->topics[i].partitions;
        v.assigned_partitions[i].partitions_n = m->assigned->topics[i].n;
    }
    RECORD_ADD(s, GROUP_SHARE_GROUP_CURRENT_MEMBER_ASSIGNMENT, group, m->m.id,
               share_group_current_member_assignment_value, &v, 0);
}

static bool find_name(const struct share_topics *t, const struct uuid *id, struct kstr *name) {
    for (int32_t i = 0; i < t->n; i++) {
        if (!uuid_equal(&t->topics[i].id, id)) continue;
        *name = t->topics[i].name;
        return true;
    }
    return false;
}

static struct kstr name_of(const struct group_shard *s, const struct share_group *old,
                           const struct uuid *id) {
    struct kstr name = KSTR("<UNKNOWN>");
    const struct topic *t = s->image ? image_topic_by_id(s->image, id) : NULL;
    if (t) return (struct kstr){t->name, t->name_len};
    if (old && !find_name(&old->initialized, id, &name) && !find_name(&old->initializing, id, &name))
        find_name(&old->deleting, id, &name);
    return name;
}

static struct share_group_state_partition_metadata_value_topic_partitions_info *infos(
    struct group_shard *s, const struct share_group *old, const struct assigned *a) {
    struct share_group_state_partition_metadata_value_topic_partitions_info *v =
        arena_calloc(&s->scratch, (size_t)assigned_topics(a), sizeof *v);
    if (!v) s->out_of_memory = true;
    for (int32_t i = 0; v && i < assigned_topics(a); i++) {
        v[i].topic_id = a->topics[i].id;
        v[i].topic_name = name_of(s, old, &a->topics[i].id);
        v[i].partitions = a->topics[i].partitions;
        v[i].partitions_n = a->topics[i].n;
    }
    return v;
}

void record_share_states(struct group_shard *s, const struct share_group *old, struct kstr group,
                         const struct assigned *initializing, const struct assigned *initialized,
                         const struct uuid *deleting, int32_t deleting_n) {
    struct share_group_state_partition_metadata_value v = {
        .initializing_topics = infos(s, old, initializing),
        .initializing_topics_n = assigned_topics(initializing),
        .initialized_topics = infos(s, old, initialized),
        .initialized_topics_n = assigned_topics(initialized),
        .deleting_topics = arena_calloc(&s->scratch, (size_t)deleting_n, sizeof *v.deleting_topics),
        .deleting_topics_n = deleting_n,
    };
    s->out_of_memory |= !v.deleting_topics;
    if (s->out_of_memory) return;
    for (int32_t i = 0; i < deleting_n; i++) {
        v.deleting_topics[i].topic_id = deleting[i];
        v.deleting_topics[i].topic_name = name_of(s, old, &deleting[i]);
    }
    RECORD_ADD(s, GROUP_SHARE_GROUP_STATE_PARTITION_METADATA, group, KSTR_NULL,
               share_group_state_partition_metadata_value, &v, 0);
}

void record_share_member_gone(struct group_shard *s, struct kstr group, struct kstr member) {
    record_tombstone(s, GROUP_SHARE_GROUP_CURRENT_MEMBER_ASSIGNMENT, group, member);
    record_tombstone(s, GROUP_SHARE_GROUP_TARGET_ASSIGNMENT_MEMBER, group, member);
    record_tombstone(s, GROUP_SHARE_GROUP_MEMBER_METADATA, group, member);
}
