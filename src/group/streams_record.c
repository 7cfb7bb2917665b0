/* Making the records of streams groups. Source: StreamsCoordinatorRecordHelpers. Written versions are 0. */
#include "base/assert.h"
#include "group/own.h"
#include "group/record.h"
#include "group/streams.h"

void record_streams_member(struct group_shard *s, struct kstr group, const struct streams_member *m) {
    struct streams_group_member_metadata_value_endpoint endpoint = {.host = m->host, .port = m->port};
    struct streams_group_member_metadata_value v = {
        .instance_id = m->m.instance_id,
        .rack_id = m->m.rack,
        .client_id = m->m.client_id,
        .client_host = m->m.client_host,
        .rebalance_timeout_ms = m->rebalance_timeout_ms,
        .topology_epoch = m->topology_epoch,
        .process_id = m->process,
        .user_endpoint = m->has_endpoint ? &endpoint : NULL,
        .client_tags = arena_calloc(&s->scratch, (size_t)m->tags.n, sizeof *v.client_tags),
    };
    if (!v.client_tags) {
        s->out_of_memory = true;
        return;
    }
    for (; v.client_tags_n < m->tags.n; v.client_tags_n++) {
        v.client_tags[v.client_tags_n].key = m->tags.list[v.client_tags_n].key;
        v.client_tags[v.client_tags_n].value = m->tags.list[v.client_tags_n].value;
    }
    RECORD_ADD(s, GROUP_STREAMS_GROUP_MEMBER_METADATA, group, m->m.id, streams_group_member_metadata_value,
               &v, 0);
}

void record_streams_epoch(struct group_shard *s, struct kstr group, const struct streams_epoch *e) {
    struct streams_group_metadata_value v = {
        .epoch = e->epoch,
        .metadata_hash = e->metadata_hash,
        .validated_topology_epoch = e->validated_epoch,
        .last_assignment_configs =
            arena_calloc(&s->scratch, (size_t)e->config->n, sizeof *v.last_assignment_configs),
    };
    if (!v.last_assignment_configs) {
        s->out_of_memory = true;
        return;
    }
    for (; v.last_assignment_configs_n < e->config->n; v.last_assignment_configs_n++) {
        const struct streams_pair *p = &e->config->list[v.last_assignment_configs_n];
        v.last_assignment_configs[v.last_assignment_configs_n].key = p->key;
        v.last_assignment_configs[v.last_assignment_configs_n].value = p->value;
    }
    RECORD_ADD(s, GROUP_STREAMS_GROUP_METADATA, group, KSTR_NULL, streams_group_metadata_value, &v, 0);
}

void record_streams_topology(struct group_shard *s, struct kstr group,
                             const struct streams_group_topology_value *v) {
    RECORD_ADD(s, GROUP_STREAMS_GROUP_TOPOLOGY, group, KSTR_NULL, streams_group_topology_value, v, 0);
}

/* One subtopology's tasks: n of the list from `at` on. */
static int32_t *partitions(struct group_shard *s, const struct task_list *l, int32_t at, int32_t n) {
    int32_t *out = arena_alloc(&s->scratch, (size_t)n * sizeof *out);
    for (int32_t i = 0; out && i < n; i++) out[i] = l->list[at + i].partition;
    if (!out) s->out_of_memory = true;
    return out;
}

static int32_t *epochs(struct group_shard *s, const struct task_list *l, int32_t at, int32_t n) {
    int32_t *out = arena_alloc(&s->scratch, (size_t)n * sizeof *out);
    for (int32_t i = 0; out && i < n; i++) out[i] = l->list[at + i].epoch;
    if (!out) s->out_of_memory = true;
    return out;
}

static struct streams_group_target_assignment_member_value_task_ids *target_part(struct group_shard *s,
                                                                                 const struct task_list *l,
                                                                                 int32_t *n) {
    struct streams_group_target_assignment_member_value_task_ids *v =
        arena_calloc(&s->scratch, (size_t)task_list_subtopologies(l), sizeof *v);
    *n = 0;
    if (!v) s->out_of_memory = true;
    for (int32_t at = 0; v && at < l->n; at += v[(*n)++].partitions_n) {
        v[*n].subtopology_id = l->list[at].subtopology;
        v[*n].partitions_n = task_list_run(l, at);
        v[*n].partitions = partitions(s, l, at, v[*n].partitions_n);
    }
    return v;
}

void record_streams_target(struct group_shard *s, struct kstr group, struct kstr member,
                           const struct tasks *t) {
    struct streams_group_target_assignment_member_value v = {0};
    v.active_tasks = target_part(s, &t->of[TASK_ACTIVE], &v.active_tasks_n);
    v.standby_tasks = target_part(s, &t->of[TASK_STANDBY], &v.standby_tasks_n);
    v.warmup_tasks = target_part(s, &t->of[TASK_WARMUP], &v.warmup_tasks_n);
    if (s->out_of_memory) return;
    RECORD_ADD(s, GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER, group, member,
               streams_group_target_assignment_member_value, &v, 0);
}

void record_streams_target_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t ms) {
    struct streams_group_target_assignment_metadata_value v = {.assignment_epoch = epoch,
                                                               .assignment_timestamp = ms};
    RECORD_ADD(s, GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_METADATA, group, KSTR_NULL,
               streams_group_target_assignment_metadata_value, &v, 0);
}

static struct streams_group_current_member_assignment_value_task_ids *current_part(struct group_shard *s,
                                                                                   const struct task_list *l,
                                                                                   bool with_epochs,
                                                                                   int32_t *n) {
    struct streams_group_current_member_assignment_value_task_ids *v =
        arena_calloc(&s->scratch, (size_t)task_list_subtopologies(l), sizeof *v);
    *n = 0;
    if (!v) s->out_of_memory = true;
    for (int32_t at = 0; v && at < l->n; at += v[(*n)++].partitions_n) {
        v[*n].subtopology_id = l->list[at].subtopology;
        v[*n].partitions_n = task_list_run(l, at);
        v[*n].partitions = partitions(s, l, at, v[*n].partitions_n);
        v[*n].assignment_epochs_n = with_epochs ? v[*n].partitions_n : -1;
        if (with_epochs) v[*n].assignment_epochs = epochs(s, l, at, v[*n].partitions_n);
    }
    return v;
}

void record_streams_current(struct group_shard *s, struct kstr group, const struct streams_member *m) {
    const struct tasks *a = &m->assigned, *p = &m->revoking;
    struct streams_group_current_member_assignment_value v = {
        .member_epoch = m->m.epoch,
        .previous_member_epoch = m->m.previous_epoch,
        .state = (int8_t)(m->m.state == MEMBER_UNKNOWN ? MEMBER_UNKNOWN : m->m.state + 1),
    };
    v.active_tasks = current_part(s, &a->of[TASK_ACTIVE], true, &v.active_tasks_n);
    v.standby_tasks = current_part(s, &a->of[TASK_STANDBY], false, &v.standby_tasks_n);
    v.warmup_tasks = current_part(s, &a->of[TASK_WARMUP], false, &v.warmup_tasks_n);
    v.active_tasks_pending_revocation =
        current_part(s, &p->of[TASK_ACTIVE], true, &v.active_tasks_pending_revocation_n);
    v.standby_tasks_pending_revocation =
        current_part(s, &p->of[TASK_STANDBY], false, &v.standby_tasks_pending_revocation_n);
    v.warmup_tasks_pending_revocation =
        current_part(s, &p->of[TASK_WARMUP], false, &v.warmup_tasks_pending_revocation_n);
    if (s->out_of_memory) return;
    RECORD_ADD(s, GROUP_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT, group, m->m.id,
               streams_group_current_member_assignment_value, &v, 0);
}

void record_streams_member_gone(struct group_shard *s, struct kstr group, struct kstr member) {
    record_tombstone(s, GROUP_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT, group, member);
    record_tombstone(s, GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER, group, member);
    record_tombstone(s, GROUP_STREAMS_GROUP_MEMBER_METADATA, group, member);
}

static void members_gone(struct group_shard *s, const struct streams *g, int16_t type) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&g->m.members, &i));)
        record_tombstone(s, type, g->m.id, ((const struct modern_member *)e->value)->id);
}

/* The reference replays them one by one and refuses to drop what still has something. */
void record_streams_gone(struct group_shard *s, const struct streams *g) {
    members_gone(s, g, GROUP_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT);
    members_gone(s, g, GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER);
    record_tombstone(s, GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_METADATA, g->m.id, KSTR_NULL);
    members_gone(s, g, GROUP_STREAMS_GROUP_MEMBER_METADATA);
    record_tombstone(s, GROUP_STREAMS_GROUP_METADATA, g->m.id, KSTR_NULL);
    record_tombstone(s, GROUP_STREAMS_GROUP_TOPOLOGY, g->m.id, KSTR_NULL);
}
