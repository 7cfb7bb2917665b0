#include "group/streams.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "group/own.h"
#include "group/record.h"
#include "metadata/image.h"
#include "wire/reader.h"

/* --- pairs --- */

bool streams_pairs_equal(const struct streams_pairs *a, const struct streams_pairs *b) {
    if (a->n != b->n) return false;
    for (int32_t i = 0; i < a->n; i++)
        if (!kstr_equal(a->list[i].key, b->list[i].key) || !kstr_equal(a->list[i].value, b->list[i].value))
            return false;
    return true;
}

static struct streams_pairs pairs_own(const struct streams_pairs *p) {
    struct streams_pairs copy = {.list = p->n ? xcalloc((size_t)p->n, sizeof *copy.list) : NULL};
    for (; copy.n < p->n; copy.n++) {
        copy.list[copy.n].key = kstr_own(p->list[copy.n].key);
        copy.list[copy.n].value = kstr_own(p->list[copy.n].value);
    }
    return copy;
}

static void pairs_free(struct streams_pairs *p) {
    for (int32_t i = 0; i < p->n; i++) {
        kstr_disown(&p->list[i].key);
        kstr_disown(&p->list[i].value);
    }
    free(p->list);
    *p = (struct streams_pairs){0};
}

/* --- configuration --- */

int32_t streams_session_ms(const struct group_shard *s, struct kstr group) {
    return modern_setting(s, group, "streams.session.timeout.ms", &s->config->streams.session_timeout);
}

int32_t streams_standbys(const struct group_shard *s, struct kstr group) {
    return modern_setting(s, group, "streams.num.standby.replicas", &s->config->streams.standbys);
}

struct streams_pairs streams_config(struct group_shard *s, struct kstr group) {
    struct streams_pairs p = {.list = arena_alloc(&s->scratch, sizeof *p.list), .n = 1};
    char *value = arena_printf(&s->scratch, "%d", streams_standbys(s, group));
    if (!p.list || !value) {
        s->out_of_memory = true;
        return (struct streams_pairs){0};
    }
    p.list[0] = (struct streams_pair){KSTR("num.standby.replicas"), kstr_of(value)};
    return p;
}

/* --- life --- */

struct streams *streams_create(struct group_shard *s, struct kstr id) {
    struct streams *g = xcalloc(1, sizeof *g);
    modern_init(&g->m, &streams_kind, id, s->seed);
    hashmap_init(&g->targets, s->seed);
    g->shutdown_by = KSTR_NULL;
    return g;
}

static struct modern *create(struct group_shard *s, struct kstr id) { return &streams_create(s, id)->m; }

static void free_member(struct streams_member *m) {
    modern_member_free_parts(&m->m);
    kstr_disown(&m->process);
    kstr_disown(&m->host);
    pairs_free(&m->tags);
    tasks_free(&m->assigned);
    tasks_free(&m->revoking);
    free(m);
}

static void free_target(struct streams_target *t) {
    kstr_disown(&t->member);
    tasks_free(&t->tasks);
    free(t);
}

void streams_free(struct streams *g) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&g->m.members, &i));) free_member(e->value);
    for (size_t i = 0; (e = hashmap_next(&g->targets, &i));) free_target(e->value);
    hashmap_free(&g->targets);
    topology_free(g->topology);
    configured_free(g->configured);
    pairs_free(&g->config);
    kstr_disown(&g->shutdown_by);
    modern_free_parts(&g->m);
    free(g);
}

static void free_modern(struct modern *m) { streams_free(streams_of(m)); }

/* --- members --- */

struct streams_member streams_member_new(struct kstr id) {
    return (struct streams_member){
        .m = {.id = id,
              .instance_id = KSTR_NULL,
              .rack = KSTR_NULL,
              .client_id = KSTR(""),
              .client_host = KSTR(""),
              .state = MEMBER_STABLE},
        .rebalance_timeout_ms = -1,
        .topology_epoch = -1,
        .process = KSTR(""),
        .host = KSTR_NULL,
    };
}

bool streams_member_equal(const struct streams_member *a, const struct streams_member *b) {
    return kstr_equal(a->m.id, b->m.id) && kstr_equal(a->m.instance_id, b->m.instance_id) &&
           kstr_equal(a->m.rack, b->m.rack) && kstr_equal(a->m.client_id, b->m.client_id) &&
           kstr_equal(a->m.client_host, b->m.client_host) && a->m.epoch == b->m.epoch &&
           a->m.previous_epoch == b->m.previous_epoch && a->m.state == b->m.state &&
           a->rebalance_timeout_ms == b->rebalance_timeout_ms && a->topology_epoch == b->topology_epoch &&
           kstr_equal(a->process, b->process) && a->has_endpoint == b->has_endpoint &&
           (!a->has_endpoint || (a->port == b->port && kstr_equal(a->host, b->host))) &&
           streams_pairs_equal(&a->tags, &b->tags) && tasks_equal(&a->assigned, &b->assigned, true) &&
           tasks_equal(&a->revoking, &b->revoking, true);
}

static struct streams_member *find_or_add(struct streams *g, struct kstr id) {
    struct streams_member *m = streams_member(g, id);
    if (m) return m;
    m = xmalloc(sizeof *m);
    *m = streams_member_new(kstr_own(id));
    m->m.client_id = kstr_own(KSTR(""));
    m->m.client_host = kstr_own(KSTR(""));
    m->process = kstr_own(KSTR(""));
    hashmap_put(&g->m.members, m->m.id.s, (size_t)m->m.id.len, m);
    return m;
}

static void remove_member(struct streams *g, struct kstr id) {
    struct streams_member *m = hashmap_del(&g->m.members, id.s, (size_t)id.len);
    if (m) free_member(m);
    if (g->m.members.count || g->shutdown_by.len < 0) return;
    LOG_INFO("group", "%.*s: nobody is left; the request to shut down is forgotten", KSTR_ARG(g->m.id));
    kstr_disown(&g->shutdown_by);
}

const struct streams_target *streams_target(const struct streams *g, struct kstr member) {
    return member.len >= 0 ? hashmap_get(&g->targets, member.s, (size_t)member.len) : NULL;
}

static bool has(const struct streams_member *m, const struct task *t, enum task_role role) {
    return task_list_find(&m->assigned.of[role], t->subtopology, t->partition) ||
           task_list_find(&m->revoking.of[role], t->subtopology, t->partition);
}

/* All members are looked at for a task that changes hands: there are few of those, and nothing has to be kept
 * in step. */
bool streams_task_taken(const struct streams *g, const struct task *t, enum task_role role,
                        struct kstr process) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&g->m.members, &i));) {
        const struct streams_member *m = e->value;
        bool same_process = kstr_equal(m->process, process);
        if ((role == TASK_ACTIVE || same_process) && has(m, t, TASK_ACTIVE)) return true;
        if (same_process && (has(m, t, TASK_STANDBY) || has(m, t, TASK_WARMUP))) return true;
    }
    return false;
}

const char *streams_state(const struct modern *m) {
    const struct streams *g = (const struct streams *)m;
    struct hashmap_entry *e;
    if (!m->members.count) return "Empty";
    if (!g->topology || g->topology->v.epoch != g->validated_epoch) return "NotReady";
    if (m->epoch > m->assignment_epoch) return "Assigning";
    for (size_t i = 0; (e = hashmap_next(&m->members, &i));)
        if (!member_reconciled(e->value, m->assignment_epoch)) return "Reconciling";
    return "Stable";
}

bool streams_reads(const struct modern *m, struct kstr topic) {
    const struct streams *g = (const struct streams *)m;
    return m->members.count && g->topology && topology_reader(g->topology, topic);
}

void streams_check(const struct streams *g) {
    struct hashmap_entry *e, *o;
    for (size_t i = 0; (e = hashmap_next(&g->m.members, &i));)
        for (size_t k = 0; (o = hashmap_next(&g->m.members, &k));) {
            const struct streams_member *a = e->value, *b = o->value;
            if (a != b) ASSERT(!task_list_meets(&a->assigned.of[TASK_ACTIVE], &b->assigned.of[TASK_ACTIVE]));
            ASSERT(!task_list_meets(&a->assigned.of[TASK_ACTIVE], &b->revoking.of[TASK_ACTIVE]));
        }
    if (!g->topology) ASSERT(!g->m.topics.count);
}

/* --- replay --- */

static int replay_epoch(struct group_shard *s, struct streams *g, struct reader *r) {
    struct streams_group_metadata_value v;
    if (!r) return 0;
    if (streams_group_metadata_value_decode(&v, r, read_i16(r), &s->decoding)) return OE_CORRUPT;
    g->m.epoch = v.epoch;
    g->m.metadata_hash = v.metadata_hash;
    g->validated_epoch = v.validated_topology_epoch;
    int32_t n = v.last_assignment_configs_n < 0 ? 0 : v.last_assignment_configs_n;
    struct streams_pairs p = {.list = arena_calloc(&s->decoding, (size_t)n, sizeof *p.list)};
    if (!p.list) return OE_NOMEM;
    for (; p.n < n; p.n++)
        p.list[p.n] =
            (struct streams_pair){v.last_assignment_configs[p.n].key, v.last_assignment_configs[p.n].value};
    pairs_free(&g->config);
    g->config = pairs_own(&p);
    return 0;
}

static int replay_topology(struct group_shard *s, struct streams *g, struct reader *r) {
    struct streams_group_topology_value v;
    struct topology *t = NULL;
    if (r && streams_group_topology_value_decode(&v, r, read_i16(r), &s->decoding)) return OE_CORRUPT;
    if (r && !(t = topology_own(&v))) return OE_NOMEM;
    if (g->topology) topology_subscriptions(&g->m.topics, g->topology, -1);
    topology_free(g->topology);
    g->topology = t;
    if (t) topology_subscriptions(&g->m.topics, t, 1);
    return 0;
}

static int replay_member(struct group_shard *s, struct streams *g, struct kstr id, struct reader *r) {
    struct streams_group_member_metadata_value v;
    if (!r) {
        remove_member(g, id);
        return 0;
    }
    if (streams_group_member_metadata_value_decode(&v, r, read_i16(r), &s->decoding)) return OE_CORRUPT;
    struct streams_pairs tags = {.list =
                                     arena_calloc(&s->decoding, (size_t)v.client_tags_n, sizeof *tags.list)};
    if (!tags.list) return OE_NOMEM;
    for (; tags.n < v.client_tags_n; tags.n++)
        tags.list[tags.n] = (struct streams_pair){v.client_tags[tags.n].key, v.client_tags[tags.n].value};
    struct streams_member *m = find_or_add(g, id);
    kstr_set(&m->m.instance_id, v.instance_id);
    kstr_set(&m->m.rack, v.rack_id);
    kstr_set(&m->m.client_id, v.client_id);
    kstr_set(&m->m.client_host, v.client_host);
    kstr_set(&m->process, v.process_id);
    m->rebalance_timeout_ms = v.rebalance_timeout_ms;
    m->topology_epoch = v.topology_epoch;
    m->has_endpoint = v.user_endpoint;
    m->port = v.user_endpoint ? v.user_endpoint->port : 0;
    kstr_set(&m->host, v.user_endpoint ? v.user_endpoint->host : KSTR_NULL);
    pairs_free(&m->tags);
    m->tags = pairs_own(&tags);
    return 0;
}

static bool read_target_role(struct group_shard *s,
                             const struct streams_group_target_assignment_member_value_task_ids *v, int32_t n,
                             struct task_list *out) {
    int32_t all = 0;
    for (int32_t i = 0; i < n; i++) all += v[i].partitions_n;
    *out = task_list_room(&s->decoding, all);
    if (!out->list) return false;
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; k < v[i].partitions_n; k++)
            out->list[out->n++] =
                (struct task){.subtopology = v[i].subtopology_id, .partition = v[i].partitions[k]};
    task_list_sort(out);
    return true;
}

static int replay_target(struct group_shard *s, struct streams *g, struct kstr id, struct reader *r) {
    struct streams_group_target_assignment_member_value v;
    struct tasks tasks;
    if (r && streams_group_target_assignment_member_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    if (r && (!read_target_role(s, v.active_tasks, v.active_tasks_n, &tasks.of[TASK_ACTIVE]) ||
              !read_target_role(s, v.standby_tasks, v.standby_tasks_n, &tasks.of[TASK_STANDBY]) ||
              !read_target_role(s, v.warmup_tasks, v.warmup_tasks_n, &tasks.of[TASK_WARMUP])))
        return OE_NOMEM;
    struct streams_target *t = hashmap_del(&g->targets, id.s, (size_t)id.len);
    if (t) free_target(t);
    if (!r) return 0;
    t = xcalloc(1, sizeof *t);
    *t = (struct streams_target){.member = kstr_own(id), .tasks = tasks_own(&tasks)};
    hashmap_put(&g->targets, t->member.s, (size_t)t->member.len, t);
    return 0;
}

static int replay_target_epoch(struct group_shard *s, struct streams *g, struct reader *r) {
    struct streams_group_target_assignment_metadata_value v = {.assignment_epoch = -1};
    if (r && streams_group_target_assignment_metadata_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    g->m.assignment_epoch = v.assignment_epoch;
    g->m.assignment_ms = v.assignment_timestamp;
    return 0;
}

/* Before tasks had an epoch of their own the member's counts. */
static bool read_current_role(struct group_shard *s,
                              const struct streams_group_current_member_assignment_value_task_ids *v,
                              int32_t n, int32_t epoch, struct task_list *out) {
    int32_t all = 0;
    for (int32_t i = 0; i < n; i++) all += v[i].partitions_n;
    *out = task_list_room(&s->decoding, all);
    if (!out->list) return false;
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; k < v[i].partitions_n; k++)
            out->list[out->n++] = (struct task){
                .subtopology = v[i].subtopology_id,
                .partition = v[i].partitions[k],
                .epoch = v[i].assignment_epochs_n == v[i].partitions_n ? v[i].assignment_epochs[k] : epoch};
    task_list_sort(out);
    return true;
}

/* In records a stable member is 1, not 0 as in those of other kinds. */
static enum member_state state_of(int8_t value) {
    return value >= 1 && value <= 3 ? (enum member_state)(value - 1) : MEMBER_UNKNOWN;
}

static void set_current(struct streams_member *m, int32_t epoch, int32_t previous, enum member_state state,
                        const struct tasks *assigned, const struct tasks *revoking) {
    m->m.epoch = epoch;
    m->m.previous_epoch = previous;
    m->m.state = state;
    tasks_free(&m->assigned);
    tasks_free(&m->revoking);
    m->assigned = tasks_own(assigned);
    m->revoking = tasks_own(revoking);
}

static int replay_current(struct group_shard *s, struct streams *g, struct kstr id, struct reader *r) {
    struct streams_group_current_member_assignment_value v;
    struct tasks a = {0}, p = {0};
    if (!r) {
        struct streams_member *m = streams_member(g, id);
        if (m) set_current(m, EPOCH_LEAVE, EPOCH_LEAVE, m->m.state, &a, &p);
        return 0;
    }
    if (streams_group_current_member_assignment_value_decode(&v, r, read_i16(r), &s->decoding))
        return OE_CORRUPT;
    const struct {
        const struct streams_group_current_member_assignment_value_task_ids *ids;
        int32_t n;
        struct task_list *to;
    } parts[] = {
        {v.active_tasks, v.active_tasks_n, &a.of[TASK_ACTIVE]},
        {v.standby_tasks, v.standby_tasks_n, &a.of[TASK_STANDBY]},
        {v.warmup_tasks, v.warmup_tasks_n, &a.of[TASK_WARMUP]},
        {v.active_tasks_pending_revocation, v.active_tasks_pending_revocation_n, &p.of[TASK_ACTIVE]},
        {v.standby_tasks_pending_revocation, v.standby_tasks_pending_revocation_n, &p.of[TASK_STANDBY]},
        {v.warmup_tasks_pending_revocation, v.warmup_tasks_pending_revocation_n, &p.of[TASK_WARMUP]},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (!read_current_role(s, parts[i].ids, parts[i].n, v.member_epoch, parts[i].to)) return OE_NOMEM;
    set_current(find_or_add(g, id), v.member_epoch, v.previous_member_epoch, state_of(v.state), &a, &p);
    return 0;
}

static int replay(struct group_shard *s, struct modern *m, int16_t type, struct kstr second,
                  struct reader *r) {
    struct streams *g = streams_of(m);
    switch (type) {
    case GROUP_STREAMS_GROUP_METADATA: return replay_epoch(s, g, r);
    case GROUP_STREAMS_GROUP_TOPOLOGY: return replay_topology(s, g, r);
    case GROUP_STREAMS_GROUP_MEMBER_METADATA: return replay_member(s, g, second, r);
    case GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_METADATA: return replay_target_epoch(s, g, r);
    case GROUP_STREAMS_GROUP_TARGET_ASSIGNMENT_MEMBER: return replay_target(s, g, second, r);
    default:
        ASSERT(type == GROUP_STREAMS_GROUP_CURRENT_MEMBER_ASSIGNMENT);
        return replay_current(s, g, second, r);
    }
}

static void delete_records(struct group_shard *s, const struct modern *m) {
    record_streams_gone(s, (const struct streams *)m);
    modern_timers_cancel(s, m->id, KSTR(""));
}

static void loaded(struct group_shard *s, struct modern *m) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&m->members, &i));) {
        const struct streams_member *member = e->value;
        modern_timer_set(s, m->id, member->m.id, MEMBER_SESSION, streams_session_ms(s, m->id), 0);
        if (member->m.state == MEMBER_UNREVOKED)
            modern_timer_set(s, m->id, member->m.id, MEMBER_REBALANCE, member->rebalance_timeout_ms,
                             member->m.epoch);
    }
}

const struct modern_kind streams_kind = {
    .type = GROUP_KIND_STREAMS,
    .protocol_type = "streams",
    .create = create,
    .free = free_modern,
    .replay = replay,
    .state = streams_state,
    .delete_records = delete_records,
    .loaded = loaded,
    .due = streams_due,
    .reads = streams_reads,
};
