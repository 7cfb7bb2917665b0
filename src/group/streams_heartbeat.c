/* StreamsGroupHeartbeat: a member joins with its topology, says which tasks it has, hears which it is to
 * have, and what is wrong with the group. Source: GroupCoordinatorService.streamsGroupHeartbeat,
 * GroupMetadataManager.streamsGroupHeartbeat.
 *
 *   1. the member, as it describes itself; a change is a new group epoch;
 *   2. the topology: the first one counts, others must be the same (or older: then the member is told);
 *   3. the topics: what is missing, wrong, or to be created (topology_configure);
 *   4. the target assignment, if the group epoch is ahead of it; the first waits for
 *      streams.initial.rebalance.delay.ms, so that those who start together are assigned together;
 *   5. the member's way to its target (streams_reconcile).
 *
 * The delay's timer is the group's: it is kept as that of a member without id, which no member can have. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/own.h"
#include "group/record.h"
#include "group/streams.h"
#include "group/streams_result.h"
#include "metadata/image.h"

enum { STATUSES_MAX = 4, MESSAGE_MAX = 1024 };

struct beat {
    struct group_shard *s;
    const struct group_event *e;
    const struct streams_group_heartbeat_request *q;
    struct streams *g;
    bool outside;                   /* g is not in the shard (yet): freed at the end */
    struct streams_member old, now; /* before and after; what they hold is borrowed */
    struct tasks owned;             /* what the member says it has */
    bool owned_known;
    struct topology *fresh;          /* the request's, if it becomes the group's; freed at the end */
    const struct topology *topology; /* the group's, after this step */
    int32_t epoch;                   /* the group's, after this step */
    bool bump;
    struct streams_group_heartbeat_response_status statuses[STATUSES_MAX];
    int32_t statuses_n;
    int16_t error; /* the step failed: its records are dropped */
    const char *message;
};

static void fail(struct beat *b, int16_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void fail(struct beat *b, int16_t error, const char *format, ...) {
    char text[MESSAGE_MAX];
    va_list args;
    ASSERT(error && !b->error);
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    b->error = error;
    b->message = text[0] ? arena_strndup(b->e->arena, text, strlen(text)) : NULL;
}

/* What went wrong is ours: the client is not told more. */
static void fail_inside(struct beat *b) { fail(b, KERR_UNKNOWN_SERVER_ERROR, "%s", ""); }

static void add_status(struct beat *b, enum streams_status code, const char *detail) {
    ASSERT(b->statuses_n < STATUSES_MAX);
    if (!detail) b->s->out_of_memory = true;
    b->statuses[b->statuses_n++] = (struct streams_group_heartbeat_response_status){
        .status_code = (int8_t)code, .status_detail = kstr_of(detail ? detail : "")};
}

/* --- is the request well formed? --- */

static bool blank(struct kstr a) {
    for (int32_t i = 0; i < a.len; i++)
        if ((unsigned char)a.s[i] > ' ') return false;
    return a.len >= 0;
}

static const char *unsupported(const struct streams_group_heartbeat_request *q) {
    if (q->instance_id.len >= 0) return "Static membership is not yet supported.";
    if (q->task_offsets_n >= 0) return "TaskOffsets are not supported yet.";
    if (q->task_end_offsets_n >= 0) return "TaskEndOffsets are not supported yet.";
    if (q->warmup_tasks_n > 0) return "WarmupTasks are not supported yet.";
    for (int32_t i = 0; q->topology && i < q->topology->subtopologies_n; i++)
        if (q->topology->subtopologies[i].source_topic_regex_n)
            return "Regular expressions for source topics are not supported yet.";
    return NULL;
}

static const char *invalid_join(const struct streams_group_heartbeat_request *q) {
    if (q->rebalance_timeout_ms == -1) return "RebalanceTimeoutMs must be provided in first request.";
    if (q->active_tasks_n) return "ActiveTasks must be empty when (re-)joining."; /* and not null */
    if (q->standby_tasks_n) return "StandbyTasks must be empty when (re-)joining.";
    if (q->warmup_tasks_n) return "WarmupTasks must be empty when (re-)joining.";
    return q->topology ? NULL : "Topology must be non-null when (re-)joining.";
}

static const char *invalid_tasks(const struct streams_group_heartbeat_request *q) {
    int given = (q->active_tasks_n >= 0) + (q->standby_tasks_n >= 0) + (q->warmup_tasks_n >= 0);
    if (given && given < 3) return "If one task-type is non-null, all must be non-null.";
    if (q->member_epoch != EPOCH_JOIN && q->topology)
        return "Topology can only be provided when (re-)joining.";
    return NULL;
}

static void check_changelogs(struct beat *b) {
    for (int32_t i = 0; i < b->q->topology->subtopologies_n; i++) {
        const struct streams_group_heartbeat_request_subtopology *t = &b->q->topology->subtopologies[i];
        for (int32_t k = 0; k < t->state_changelog_topics_n; k++) {
            if (!t->state_changelog_topics[k].partitions) continue;
            fail(b, KERR_STREAMS_INVALID_TOPOLOGY,
                 "Changelog topic %.*s must have an undefined partition count, but it is set to %d.",
                 KSTR_ARG(t->state_changelog_topics[k].name), t->state_changelog_topics[k].partitions);
            return;
        }
    }
}

static void check_request(struct beat *b) {
    const struct streams_group_heartbeat_request *q = b->q;
    const char *wrong = unsupported(q);
    if (!wrong && blank(q->member_id)) wrong = "MemberId can't be empty.";
    if (!wrong && blank(q->group_id)) wrong = "GroupId can't be empty.";
    if (!wrong && blank(q->rack_id)) wrong = "RackId can't be empty.";
    if (!wrong && q->member_epoch == EPOCH_JOIN) {
        wrong = invalid_join(q);
        if (!wrong) check_changelogs(b);
        if (b->error) return;
    } else if (!wrong && q->member_epoch == EPOCH_LEAVE_STATIC) {
        wrong = "InstanceId can't be null.";
    } else if (!wrong && q->member_epoch < EPOCH_LEAVE_STATIC) {
        fail(b, KERR_INVALID_REQUEST, "MemberEpoch is %d, but must be greater than or equal to -2.",
             q->member_epoch);
        return;
    }
    if (!wrong) wrong = invalid_tasks(q);
    if (wrong) fail(b, KERR_INVALID_REQUEST, "%s", wrong);
}

/* --- the group --- */

static void open_group(struct beat *b) {
    struct kstr id = b->q->group_id;
    struct group *g = group_existing(b->s, id);
    int32_t max = b->s->config->streams.max_size;
    bool joins = b->q->member_epoch == EPOCH_JOIN;
    if (g && g->type == GROUP_KIND_STREAMS) {
        b->g = streams_of(g->modern);
    } else if (g && !(joins && g->classic && g->classic->state == CLASSIC_EMPTY)) {
        fail(b, KERR_GROUP_ID_NOT_FOUND, "Group %.*s is not a streams group.", KSTR_ARG(id));
    } else if (!joins) {
        fail(b, KERR_GROUP_ID_NOT_FOUND, "Streams group %.*s not found.", KSTR_ARG(id));
    } else {
        if (g) LOG_INFO("group", "%.*s: an empty classic group becomes a streams group", KSTR_ARG(id));
        if (g) record_group_tombstone(b->s, id);
        b->g = streams_create(b->s, id);
        b->outside = true;
    }
    if (b->error) return;
    b->epoch = b->g->m.epoch;
    if (joins && b->g->m.members.count >= (size_t)max)
        fail(b, KERR_GROUP_MAX_SIZE_REACHED,
             "The streams group has reached its maximum capacity of %d members.", max);
}

/* --- the member --- */

static struct task_list read_tasks(struct beat *b, const struct streams_group_heartbeat_request_task_ids *ids,
                                   int32_t n) {
    int32_t all = 0;
    for (int32_t i = 0; i < n; i++) all += ids[i].partitions_n;
    struct task_list l = task_list_room(&b->s->scratch, all);
    if (!l.list) b->s->out_of_memory = true;
    for (int32_t i = 0; l.list && i < n; i++)
        for (int32_t k = 0; k < ids[i].partitions_n; k++)
            l.list[l.n++] =
                (struct task){.subtopology = ids[i].subtopology_id, .partition = ids[i].partitions[k]};
    task_list_sort(&l);
    return l;
}

static bool has_only_assigned(const struct beat *b, const struct tasks *assigned) {
    if (!b->owned_known) return false;
    for (int r = 0; r < TASK_ROLES; r++)
        for (int32_t i = 0; i < b->owned.of[r].n; i++)
            if (!task_list_find(&assigned->of[r], b->owned.of[r].list[i].subtopology,
                                b->owned.of[r].list[i].partition))
                return false;
    return true;
}

/* A member may be one epoch behind, when the answer that moved it got lost. */
static void check_epoch(struct beat *b, const struct streams_member *m) {
    int32_t epoch = b->q->member_epoch;
    if (epoch == EPOCH_JOIN || epoch == m->m.epoch) return;
    if (epoch < m->m.epoch && epoch == m->m.previous_epoch && has_only_assigned(b, &m->assigned)) return;
    LOG_INFO("group", "%.*s: member %.*s is fenced: it is at epoch %d, the coordinator knows it at %d",
             KSTR_ARG(b->g->m.id), KSTR_ARG(m->m.id), epoch, m->m.epoch);
    fail(b, KERR_FENCED_MEMBER_EPOCH,
         "The streams group member has a %s member epoch (%d) than the one known by the group coordinator "
         "(%d). The member must abandon all its partitions and rejoin.",
         epoch > m->m.epoch ? "greater" : "smaller", epoch, m->m.epoch);
}

static int by_key(const void *a, const void *b) {
    return names_compare(((const struct streams_pair *)a)->key, ((const struct streams_pair *)b)->key);
}

static void read_tags(struct beat *b) {
    const struct streams_group_heartbeat_request *q = b->q;
    struct streams_pairs tags = {
        .list = arena_calloc(&b->s->scratch, (size_t)q->client_tags_n, sizeof *tags.list)};
    if (!tags.list) {
        b->s->out_of_memory = true;
        return;
    }
    for (; tags.n < q->client_tags_n; tags.n++)
        tags.list[tags.n] = (struct streams_pair){q->client_tags[tags.n].key, q->client_tags[tags.n].value};
    if (tags.n) qsort(tags.list, (size_t)tags.n, sizeof *tags.list, by_key);
    for (int32_t i = 1; i < tags.n; i++)
        if (kstr_equal(tags.list[i].key, tags.list[i - 1].key)) {
            fail_inside(b);
            return;
        }
    b->now.tags = tags;
}

static void find_member(struct beat *b) {
    const struct streams_group_heartbeat_request *q = b->q;
    const struct streams_member *m = streams_member(b->g, q->member_id);
    struct streams_member fresh = streams_member_new(q->member_id);
    if (!m && q->member_epoch != EPOCH_JOIN) {
        fail(b, KERR_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.", KSTR_ARG(q->member_id),
             KSTR_ARG(q->group_id));
        return;
    }
    b->owned_known = q->active_tasks_n >= 0 && q->standby_tasks_n >= 0 && q->warmup_tasks_n >= 0;
    b->owned.of[TASK_ACTIVE] = read_tasks(b, q->active_tasks, q->active_tasks_n);
    b->owned.of[TASK_STANDBY] = read_tasks(b, q->standby_tasks, q->standby_tasks_n);
    b->owned.of[TASK_WARMUP] = read_tasks(b, q->warmup_tasks, q->warmup_tasks_n);
    b->old = b->now = m ? *m : fresh;
    check_epoch(b, &b->old);
    if (!b->error && q->member_epoch == EPOCH_JOIN)
        LOG_INFO("group", "%.*s: member %.*s joins with the streams protocol", KSTR_ARG(q->group_id),
                 KSTR_ARG(q->member_id));
}

static void read_member(struct beat *b) {
    const struct streams_group_heartbeat_request *q = b->q;
    struct streams_member *m = &b->now;
    if (q->rack_id.len >= 0) m->m.rack = q->rack_id;
    if (q->rebalance_timeout_ms != -1) m->rebalance_timeout_ms = q->rebalance_timeout_ms;
    if (q->topology) m->topology_epoch = q->topology->epoch;
    if (q->process_id.len >= 0) m->process = q->process_id;
    if (q->user_endpoint) {
        m->has_endpoint = true;
        m->host = q->user_endpoint->host;
        m->port = q->user_endpoint->port;
    }
    m->m.client_id = b->e->client_id.len < 0 ? KSTR("") : b->e->client_id;
    m->m.client_host = b->e->client_host;
    if (q->client_tags_n >= 0) read_tags(b);
    if (b->error || streams_member_equal(&b->old, m)) return;
    record_streams_member(b->s, b->g->m.id, m);
    b->bump = true;
}

/* --- the topology --- */

static struct streams_group_topology_value_topic_info *read_infos(
    struct beat *b, const struct streams_group_heartbeat_request_topic_info *from, int32_t n) {
    struct arena *a = &b->s->scratch;
    struct streams_group_topology_value_topic_info *to = arena_calloc(a, (size_t)n, sizeof *to);
    for (int32_t i = 0; to && i < n; i++) {
        to[i].name = from[i].name;
        to[i].partitions = from[i].partitions;
        to[i].replication_factor = from[i].replication_factor;
        to[i].topic_configs = arena_calloc(a, (size_t)from[i].topic_configs_n, sizeof *to[i].topic_configs);
        if (!to[i].topic_configs) return NULL;
        for (int32_t k = 0; k < from[i].topic_configs_n; k++) {
            to[i].topic_configs[k].key = from[i].topic_configs[k].key;
            to[i].topic_configs[k].value = from[i].topic_configs[k].value;
        }
        to[i].topic_configs_n = from[i].topic_configs_n;
    }
    return to;
}

static bool read_subtopology(struct beat *b, const struct streams_group_heartbeat_request_subtopology *from,
                             struct streams_group_topology_value_subtopology *to) {
    *to = (struct streams_group_topology_value_subtopology){
        .subtopology_id = from->subtopology_id,
        .source_topics = from->source_topics,
        .source_topics_n = from->source_topics_n,
        .repartition_sink_topics = from->repartition_sink_topics,
        .repartition_sink_topics_n = from->repartition_sink_topics_n,
        .state_changelog_topics = read_infos(b, from->state_changelog_topics, from->state_changelog_topics_n),
        .state_changelog_topics_n = from->state_changelog_topics_n,
        .repartition_source_topics =
            read_infos(b, from->repartition_source_topics, from->repartition_source_topics_n),
        .repartition_source_topics_n = from->repartition_source_topics_n,
        .copartition_groups =
            arena_calloc(&b->s->scratch, (size_t)from->copartition_groups_n, sizeof *to->copartition_groups),
        .copartition_groups_n = from->copartition_groups_n,
    };
    for (int32_t i = 0; to->copartition_groups && i < from->copartition_groups_n; i++)
        to->copartition_groups[i] = (struct streams_group_topology_value_copartition_group){
            .source_topics = from->copartition_groups[i].source_topics,
            .source_topics_n = from->copartition_groups[i].source_topics_n,
            .source_topic_regex = from->copartition_groups[i].source_topic_regex,
            .source_topic_regex_n = from->copartition_groups[i].source_topic_regex_n,
            .repartition_source_topics = from->copartition_groups[i].repartition_source_topics,
            .repartition_source_topics_n = from->copartition_groups[i].repartition_source_topics_n,
        };
    return to->state_changelog_topics && to->repartition_source_topics && to->copartition_groups;
}

/* NULL: b->error is set. */
static struct topology *read_topology(struct beat *b) {
    const struct streams_group_heartbeat_request_topology *from = b->q->topology;
    struct streams_group_topology_value v = {.epoch = from->epoch, .subtopologies_n = from->subtopologies_n};
    v.subtopologies = arena_calloc(&b->s->scratch, (size_t)v.subtopologies_n, sizeof *v.subtopologies);
    bool ok = v.subtopologies && from->epoch >= 0;
    for (int32_t i = 0; ok && i < v.subtopologies_n; i++)
        ok = read_subtopology(b, &from->subtopologies[i], &v.subtopologies[i]);
    struct topology *t = ok ? topology_own(&v) : NULL;
    for (int32_t i = 1; t && ok && i < t->v.subtopologies_n; i++)
        ok = !kstr_equal(t->sorted[i]->subtopology_id, t->sorted[i - 1]->subtopology_id);
    if (t && ok) return t;
    topology_free(t);
    fail_inside(b);
    return NULL;
}

static void find_topology(struct beat *b) {
    b->topology = b->g->topology;
    struct topology *t = b->q->topology ? read_topology(b) : NULL;
    if (b->error) return;
    if (t && !b->topology) {
        LOG_INFO("group", "%.*s: the topology is that of member %.*s, epoch %d", KSTR_ARG(b->g->m.id),
                 KSTR_ARG(b->now.m.id), t->v.epoch);
        record_streams_topology(b->s, b->g->m.id, &t->v);
        b->topology = b->fresh = t;
        return;
    }
    if (!b->topology) {
        fail_inside(b);
    } else if (t && b->topology->v.epoch <= t->v.epoch && !topology_equal(b->topology, t)) {
        fail(b, KERR_INVALID_REQUEST, "Topology updates are not supported yet.");
    } else if (b->now.topology_epoch < b->topology->v.epoch) {
        add_status(b, STREAMS_STALE_TOPOLOGY,
                   arena_printf(b->e->arena,
                                "The member's topology epoch %d is behind the group's topology epoch %d.",
                                b->now.topology_epoch, b->topology->v.epoch));
    }
    topology_free(t);
}

/* --- the topics --- */

static void configure(struct beat *b) {
    struct configured *c;
    const char *message;
    int16_t error = topology_configure(b->topology, b->s->image, &c, &message);
    if (error) {
        fail(b, error, "%s", message ? message : "");
        configured_free(c);
        return;
    }
    LOG_INFO("group", "%.*s: topology of epoch %d: %s", KSTR_ARG(b->g->m.id), b->topology->v.epoch,
             c->status == STREAMS_READY ? "all topics are there" : c->detail);
    configured_free(b->g->configured);
    b->g->configured = c;
}

/* *hash: of the topics' metadata, as it is now known. */
static void check_topics(struct beat *b, int64_t *hash) {
    struct streams *g = b->g;
    bool anew = !g->topology || !g->configured;
    *hash = g->m.metadata_hash;
    if (!anew && !modern_metadata_expired(b->s, &g->m)) return;
    struct hashmap topics;
    hashmap_init(&topics, b->s->seed);
    topology_subscriptions(&topics, b->topology, 1);
    *hash = metadata_hash(b->s, &topics);
    subscriptions_free(&topics);
    if (*hash != g->m.metadata_hash) b->bump = true;
    if (anew || *hash != g->m.metadata_hash) configure(b);
}

static void check_owned(struct beat *b, const struct streams_group_heartbeat_request_task_ids *ids,
                        int32_t n) {
    for (int32_t i = 0; i < n && !b->error; i++) {
        const struct configured_subtopology *sub = configured_find(b->g->configured, ids[i].subtopology_id);
        if (!sub)
            fail(b, KERR_INVALID_REQUEST, "Subtopology %.*s does not exist in the topology.",
                 KSTR_ARG(ids[i].subtopology_id));
        for (int32_t k = 0; !b->error && k < ids[i].partitions_n; k++)
            if (ids[i].partitions[k] < 0 || ids[i].partitions[k] >= sub->tasks_n)
                fail(b, KERR_INVALID_REQUEST,
                     "Task %d for subtopology %.*s is invalid. Number of tasks for this subtopology: %d",
                     ids[i].partitions[k], KSTR_ARG(ids[i].subtopology_id), sub->tasks_n);
    }
}

static void check_all_owned(struct beat *b) {
    check_owned(b, b->q->active_tasks, b->q->active_tasks_n);
    if (!b->error) check_owned(b, b->q->standby_tasks, b->q->standby_tasks_n);
    if (!b->error) check_owned(b, b->q->warmup_tasks, b->q->warmup_tasks_n);
}

static void settle_epoch(struct beat *b, int64_t hash) {
    struct streams *g = b->g;
    struct streams_pairs config = streams_config(b->s, g->m.id);
    int32_t validated = g->configured->status == STREAMS_READY ? b->topology->v.epoch : -1;
    if (validated != g->validated_epoch || !streams_pairs_equal(&config, &g->config)) b->bump = true;
    if (b->bump) {
        b->epoch++;
        record_streams_epoch(
            b->s, g->m.id,
            &(struct streams_epoch){
                .epoch = b->epoch, .validated_epoch = validated, .metadata_hash = hash, .config = &config});
        LOG_INFO("group", "%.*s: epoch %d", KSTR_ARG(g->m.id), b->epoch);
    }
    modern_metadata_checked(b->s, &g->m, b->epoch);
}

/* --- the assignment --- */

bool streams_delayed(struct group_shard *s, struct kstr group) {
    return modern_timer_is_set(s, group, KSTR(""), MEMBER_JOIN);
}

static void delay_first(struct beat *b) {
    int32_t delay = modern_setting(b->s, b->g->m.id, "streams.initial.rebalance.delay.ms",
                                   &b->s->config->streams.initial_delay);
    if (!b->g->m.members.count && delay > 0)
        modern_timer_set_if_absent(b->s, b->g->m.id, KSTR(""), MEMBER_JOIN, delay);
}

static bool too_soon(const struct group_shard *s, const struct streams *g) {
    int32_t interval =
        modern_setting(s, g->m.id, "streams.assignment.interval.ms", &s->config->streams.assignment_interval);
    return g->m.assignment_ms && interval && s->now.wall < g->m.assignment_ms + interval;
}

/* Returns the epoch that *target is for. */
static int32_t find_target(struct beat *b, struct tasks *target) {
    struct streams *g = b->g;
    const struct streams_target *last = streams_target(g, b->now.m.id);
    *target = (struct tasks){0};
    if (streams_delayed(b->s, g->m.id)) {
        add_status(b, STREAMS_ASSIGNMENT_DELAYED,
                   "Assignment delayed due to the configured initial rebalance delay.");
        return g->m.assignment_epoch;
    }
    if (last) *target = last->tasks;
    if (g->m.assignment_epoch >= b->epoch) return g->m.assignment_epoch;
    if (too_soon(b->s, g)) {
        add_status(b, STREAMS_ASSIGNMENT_DELAYED,
                   "Assignment delayed due to the configured assignment interval.");
        return g->m.assignment_epoch;
    }
    const struct streams_assigning a = {.s = b->s,
                                        .g = g,
                                        .now = &b->now,
                                        .configured = g->configured,
                                        .epoch = b->epoch,
                                        .standbys = streams_standbys(b->s, g->m.id)};
    if (!streams_assign(&a, target)) fail_inside(b);
    return b->epoch;
}

static void reconcile(struct beat *b) {
    struct tasks target;
    struct streams_reconciling r = {.s = b->s, .g = b->g, .m = &b->now, .target = &target};
    r.target_epoch = find_target(b, &target);
    if (b->error) return;
    r.owned = b->owned_known ? &b->owned : NULL;
    int16_t error = streams_reconcile(&r);
    if (error == KERR_FENCED_MEMBER_EPOCH)
        fail(b, error,
             "The streams group member is in a unknown state. The member must abandon all its tasks and "
             "rejoin.");
    else if (error)
        fail_inside(b);
}

/* --- answers --- */

static struct streams_heartbeat_result *result(struct beat *b) {
    struct streams_heartbeat_result *r = arena_calloc(b->e->arena, 1, sizeof *r);
    if (r) streams_group_heartbeat_response_init(&r->response);
    return r;
}

/* What the state holds does not outlive the step. */
static struct kstr copied(struct beat *b, struct kstr a) {
    struct kstr copy = {.s = a.len > 0 ? arena_memdup(b->e->arena, a.s, (size_t)a.len) : a.s, .len = a.len};
    if (a.len > 0 && !copy.s) b->s->out_of_memory = true;
    return copy;
}

static void *array(struct beat *b, int32_t n, size_t size) {
    void *p = arena_calloc(b->e->arena, (size_t)n, size);
    if (!p) b->s->out_of_memory = true;
    return p;
}

static int32_t *numbers(struct beat *b, const struct task_list *l, int32_t at, int32_t n) {
    int32_t *out = array(b, n, sizeof *out);
    for (int32_t i = 0; out && i < n; i++) out[i] = l->list[at + i].partition;
    return out;
}

static struct streams_group_heartbeat_response_task_ids *task_ids(struct beat *b, const struct task_list *l,
                                                                  int32_t *n) {
    struct streams_group_heartbeat_response_task_ids *out = array(b, task_list_subtopologies(l), sizeof *out);
    *n = 0;
    for (int32_t at = 0; out && at < l->n; at += out[(*n)++].partitions_n) {
        out[*n].subtopology_id = copied(b, l->list[at].subtopology);
        out[*n].partitions_n = task_list_run(l, at);
        out[*n].partitions = numbers(b, l, at, out[*n].partitions_n);
    }
    return out;
}

static void answer_tasks(struct beat *b, struct streams_group_heartbeat_response *r) {
    const struct tasks *t = &b->now.assigned;
    if (b->q->member_epoch != EPOCH_JOIN && tasks_equal(t, &b->old.assigned, true)) return;
    r->active_tasks = task_ids(b, &t->of[TASK_ACTIVE], &r->active_tasks_n);
    r->standby_tasks = task_ids(b, &t->of[TASK_STANDBY], &r->standby_tasks_n);
    r->warmup_tasks = task_ids(b, &t->of[TASK_WARMUP], &r->warmup_tasks_n);
    if (b->now.has_endpoint) b->g->endpoint_epoch++;
}

/* A topic that a subtopology reads, with the partitions that n of its tasks come to. */
static void add_partitions(struct beat *b, struct kstr topic, const struct task_list *l, int32_t at,
                           int32_t n, struct streams_group_heartbeat_response_topic_partition *out,
                           int32_t *out_n) {
    const struct topic *t = b->s->image ? image_topic_by_name(b->s->image, topic.s, (size_t)topic.len) : NULL;
    if (!t) return;
    out[*out_n].topic = copied(b, topic);
    out[*out_n].partitions = numbers(b, l, at, n);
    out[(*out_n)++].partitions_n = n < t->partitions_n ? n : t->partitions_n;
}

static struct streams_group_heartbeat_response_topic_partition *topic_partitions(struct beat *b,
                                                                                 const struct task_list *l,
                                                                                 int32_t *n) {
    int32_t all = 0;
    *n = 0;
    for (int32_t at = 0; at < l->n; at += task_list_run(l, at)) {
        const struct configured_subtopology *s = configured_find(b->g->configured, l->list[at].subtopology);
        if (s) all += s->from->source_topics_n + s->from->repartition_source_topics_n;
    }
    struct streams_group_heartbeat_response_topic_partition *out = array(b, all, sizeof *out);
    for (int32_t at = 0, run; out && at < l->n; at += run) {
        const struct configured_subtopology *s = configured_find(b->g->configured, l->list[at].subtopology);
        run = task_list_run(l, at);
        for (int32_t i = 0; s && i < s->from->source_topics_n; i++)
            add_partitions(b, s->from->source_topics[i], l, at, run, out, n);
        for (int32_t i = 0; s && i < s->from->repartition_source_topics_n; i++)
            add_partitions(b, s->from->repartition_source_topics[i].name, l, at, run, out, n);
    }
    return out;
}

static void add_endpoint(struct beat *b, const struct streams_member *m,
                         struct streams_group_heartbeat_response *r) {
    if (!m->has_endpoint) return;
    struct streams_group_heartbeat_response_endpoint_to_partitions *o =
        &r->partitions_by_user_endpoint[r->partitions_by_user_endpoint_n++];
    o->user_endpoint.host = copied(b, m->host);
    o->user_endpoint.port = m->port;
    o->active_partitions = topic_partitions(b, &m->assigned.of[TASK_ACTIVE], &o->active_partitions_n);
    o->standby_partitions = topic_partitions(b, &m->assigned.of[TASK_STANDBY], &o->standby_partitions_n);
}

/* Where interactive queries find what is read by whom. */
static void answer_endpoints(struct beat *b, struct streams_group_heartbeat_response *r) {
    struct hashmap_entry *e;
    if (!b->outside) r->endpoint_information_epoch = b->g->endpoint_epoch;
    if (b->g->endpoint_epoch == b->q->endpoint_information_epoch) return;
    r->partitions_by_user_endpoint =
        array(b, (int32_t)b->g->m.members.count + 1, sizeof *r->partitions_by_user_endpoint);
    r->partitions_by_user_endpoint_n = 0;
    for (size_t i = 0; r->partitions_by_user_endpoint && (e = hashmap_next(&b->g->m.members, &i));)
        if (!kstr_equal(((struct modern_member *)e->value)->id, b->now.m.id)) add_endpoint(b, e->value, r);
    if (r->partitions_by_user_endpoint) add_endpoint(b, &b->now, r);
}

static void answer_missing(struct beat *b, struct streams_heartbeat_result *r) {
    const struct configured *c = b->g->configured;
    r->topics = array(b, c->missing_n, sizeof *r->topics);
    for (; r->topics && r->topics_n < c->missing_n; r->topics_n++) {
        const struct create_topics_request_creatable_topic *from = &c->missing[r->topics_n];
        struct create_topics_request_creatable_topic *to = &r->topics[r->topics_n];
        *to = *from;
        to->name = copied(b, from->name);
        to->configs = array(b, from->configs_n, sizeof *to->configs);
        for (int32_t i = 0; to->configs && i < from->configs_n; i++) {
            to->configs[i].name = copied(b, from->configs[i].name);
            to->configs[i].value = copied(b, from->configs[i].value);
        }
    }
}

static void answer_statuses(struct beat *b, struct streams_group_heartbeat_response *r) {
    const struct configured *c = b->g->configured;
    if (c->status != STREAMS_READY)
        add_status(b, c->status, arena_strndup(b->e->arena, c->detail, strlen(c->detail)));
    if (b->g->shutdown_by.len >= 0)
        add_status(b, STREAMS_SHUTDOWN_APPLICATION,
                   arena_printf(b->e->arena,
                                "Streams group member %.*s encountered a fatal error and requested a "
                                "shutdown for the entire application.",
                                KSTR_ARG(b->g->shutdown_by)));
    r->status = array(b, b->statuses_n, sizeof *r->status);
    r->status_n = r->status ? b->statuses_n : 0;
    if (r->status_n) memcpy(r->status, b->statuses, (size_t)r->status_n * sizeof *r->status);
}

static void answer(struct beat *b) {
    struct streams_heartbeat_result *r = result(b);
    if (r) {
        r->response.member_id = copied(b, b->now.m.id);
        r->response.member_epoch = b->now.m.epoch;
        r->response.heartbeat_interval_ms = r->heartbeat_interval_ms = modern_setting(
            b->s, b->g->m.id, "streams.heartbeat.interval.ms", &b->s->config->streams.heartbeat_interval);
        answer_tasks(b, &r->response);
        answer_endpoints(b, &r->response);
        answer_missing(b, r);
        answer_statuses(b, &r->response);
    }
    step_answer(b->s, r);
}

static void answer_error(struct beat *b) {
    struct streams_heartbeat_result *r = result(b);
    b->s->result->records_n = 0;
    if (r) {
        r->response.error_code = b->error;
        r->response.error_message = kstr_of(b->message);
    }
    step_answer(b->s, r);
}

/* --- the steps --- */

static void ask_shutdown(struct streams *g, struct kstr member) {
    if (g->shutdown_by.len >= 0) return;
    LOG_INFO("group", "%.*s: member %.*s wants the application to shut down", KSTR_ARG(g->m.id),
             KSTR_ARG(member));
    g->shutdown_by = kstr_own(member);
}

static void change(struct beat *b) {
    int64_t hash;
    open_group(b);
    if (!b->error) find_member(b);
    if (!b->error) read_member(b);
    if (!b->error) find_topology(b);
    if (!b->error) check_topics(b, &hash);
    if (!b->error && b->g->configured->status == STREAMS_READY) check_all_owned(b);
    if (b->error) return;
    settle_epoch(b, hash);
    delay_first(b);
    reconcile(b);
}

static void beat(struct beat *b) {
    change(b);
    if (b->error) return;
    modern_timer_set(b->s, b->g->m.id, b->now.m.id, MEMBER_SESSION, streams_session_ms(b->s, b->g->m.id), 0);
    if (b->q->shutdown_application) ask_shutdown(b->g, b->now.m.id);
    answer(b);
}

/* A member is gone: the group gets a new epoch. */
static void fence(struct group_shard *s, const struct streams *g, struct kstr member) {
    record_streams_member_gone(s, g->m.id, member);
    record_streams_epoch(s, g->m.id,
                         &(struct streams_epoch){.epoch = g->m.epoch + 1,
                                                 .validated_epoch = g->validated_epoch,
                                                 .metadata_hash = g->m.metadata_hash,
                                                 .config = &g->config});
    LOG_INFO("group", "%.*s: epoch %d (a member is gone)", KSTR_ARG(g->m.id), g->m.epoch + 1);
    modern_timers_cancel(s, g->m.id, member);
}

static void leave(struct beat *b) {
    struct kstr id = b->q->group_id;
    struct group *g = group_existing(b->s, id);
    if (!g || g->type != GROUP_KIND_STREAMS) {
        fail(b, KERR_GROUP_ID_NOT_FOUND, g ? "Group %.*s is not a streams group." : "Group %.*s not found.",
             KSTR_ARG(id));
        return;
    }
    b->g = streams_of(g->modern);
    if (b->q->shutdown_application) ask_shutdown(b->g, b->q->member_id);
    const struct streams_member *m = streams_member(b->g, b->q->member_id);
    if (!m) {
        fail(b, KERR_UNKNOWN_MEMBER_ID, "Member %.*s is not a member of group %.*s.",
             KSTR_ARG(b->q->member_id), KSTR_ARG(id));
        return;
    }
    struct streams_heartbeat_result *r = result(b);
    LOG_INFO("group", "%.*s: member %.*s left", KSTR_ARG(id), KSTR_ARG(m->m.id));
    if (r) {
        r->response.member_id = copied(b, m->m.id);
        r->response.member_epoch = b->q->member_epoch;
    }
    fence(b->s, b->g, m->m.id);
    step_answer(b->s, r);
}

void streams_heartbeat_step(struct group_shard *s, const struct group_event *e) {
    struct beat b = {.s = s, .e = e, .q = e->request};
    check_request(&b);
    if (!b.error && b.q->member_epoch == EPOCH_LEAVE)
        leave(&b);
    else if (!b.error)
        beat(&b);
    if (b.error) answer_error(&b);
    if (b.outside) streams_free(b.g);
    topology_free(b.fresh);
}

/* --- timers --- */

/* The delay is over: those who have joined by now are assigned. */
static void assign_delayed(struct group_shard *s, struct streams *g) {
    struct tasks nobodys;
    if (!g->m.members.count || g->m.epoch <= g->m.assignment_epoch || !g->configured) return;
    if (too_soon(s, g)) return;
    const struct streams_assigning a = {
        .s = s,
        .g = g,
        .configured = g->configured,
        .epoch = g->m.epoch,
        .standbys = g->config.n ? (int32_t)strtol(g->config.list[0].value.s, NULL, 10) : 0};
    if (!streams_assign(&a, &nobodys)) s->out_of_memory = true;
}

void streams_due(struct group_shard *s, struct modern *m, struct kstr member, enum member_timer which,
                 int32_t epoch) {
    if (!member.len) {
        assign_delayed(s, streams_of(m));
        return;
    }
    const struct streams_member *gone = streams_member(streams_of(m), member);
    if (!gone || (which == MEMBER_REBALANCE && gone->m.epoch != epoch)) return;
    LOG_INFO("group", "%.*s: member %.*s is fenced at epoch %d: %s", KSTR_ARG(m->id), KSTR_ARG(member),
             gone->m.epoch,
             which == MEMBER_SESSION ? "its session expired"
                                     : "it has not given up its tasks within its rebalance timeout");
    fence(s, streams_of(m), member);
}
