/* The shard: which groups there are, which step is for whom, timers.
 *
 * A step fills `s->result`; what it needs only until the next step is in `s->scratch`. A step that runs out
 * of memory answers its request with UNKNOWN_SERVER_ERROR and writes nothing. */
#include "group/shard.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/consumer.h"
#include "group/own.h"
#include "group/record.h"
#include "group/share_group.h"
#include "group/state.h"
#include "group/streams.h"
#include "metadata/image.h"

enum {
    SCRATCH_LIMIT = 512 << 20
}; /* bytes: a group's record holds the metadata and assignment of all its members */

const char *const group_kind_names[] = {"", "classic", "consumer", "share", "streams"};

struct group_shard *group_shard_create(const struct group_config *config, uint64_t seed,
                                       group_reply_fn *reply, void *reply_ctx) {
    struct group_shard *s = xcalloc(1, sizeof *s);
    *s = (struct group_shard){.config = config, .reply = reply, .reply_ctx = reply_ctx};
    random_seed(&s->random, seed);
    s->seed = random_u64(&s->random);
    hashmap_init(&s->groups, s->seed);
    hashmap_init(&s->member_timers, s->seed);
    hashmap_init(&s->topic_hashes, s->seed);
    hashmap_init(&s->regex_jobs, s->seed);
    s->topics_added = -1;
    pending_offsets_init(&s->pending, s->seed);
    arena_init_with(&s->scratch, s->scratch_first, sizeof s->scratch_first, SCRATCH_LIMIT);
    arena_init_with(&s->decoding, s->decoding_first, sizeof s->decoding_first, SCRATCH_LIMIT);
    return s;
}

static void free_group(struct group_shard *s, struct group *g) {
    if (g->classic) classic_free(s, g->classic);
    if (g->modern) g->modern->kind->free(g->modern);
    offsets_free(&g->offsets);
    kstr_disown(&g->id);
    free(g);
}

void group_shard_free(struct group_shard *s) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&s->groups, &i));) free_group(s, e->value);
    hashmap_free(&s->groups);
    pending_offsets_free(&s->pending);
    group_timer_cancel(s, &s->expire_timer);
    consumer_drop_prepared(s);
    modern_timers_free(s);
    hashmap_free(&s->regex_jobs); /* the jobs themselves are dropped when they have run */
    topic_hashes_free(s);
    image_unref(s->image);
    ASSERT(!s->timers.count);
    heap_free(&s->timers);
    arena_free(&s->scratch);
    arena_free(&s->decoding);
    free(s);
}

/* --- groups --- */

struct group *group_find(const struct group_shard *s, struct kstr id) {
    return hashmap_get(&s->groups, id.s, (size_t)id.len);
}

struct group *group_existing(const struct group_shard *s, struct kstr id) {
    struct group *g = group_find(s, id);
    return g && g->type != GROUP_KIND_NONE ? g : NULL;
}

struct group *group_find_or_add(struct group_shard *s, struct kstr id) {
    struct group *g = group_find(s, id);
    if (g) return g;
    g = xcalloc(1, sizeof *g);
    g->id = kstr_own(id);
    offsets_init(&g->offsets, s->seed);
    hashmap_put(&s->groups, g->id.s, (size_t)g->id.len, g);
    return g;
}

struct classic *group_make_classic(struct group_shard *s, struct group *g) {
    ASSERT(g->type == GROUP_KIND_NONE);
    g->type = GROUP_KIND_CLASSIC;
    g->classic = classic_create(g, CLASSIC_EMPTY, s->now.wall, s->seed);
    return g->classic;
}

void group_free_if_nothing(struct group_shard *s, struct group *g) {
    if (g->type != GROUP_KIND_NONE || !offsets_is_empty(&g->offsets)) return;
    hashmap_del(&s->groups, g->id.s, (size_t)g->id.len);
    free_group(s, g);
}

void group_dissolve(struct group_shard *s, struct group *g) {
    if (g->classic) classic_free(s, g->classic);
    if (g->modern) g->modern->kind->free(g->modern);
    g->classic = NULL;
    g->modern = NULL;
    g->type = GROUP_KIND_NONE;
    group_free_if_nothing(s, g);
}

bool group_is_empty(const struct group *g) {
    if (g->classic) return g->classic->state == CLASSIC_EMPTY;
    if (g->modern) return g->modern->members.count == 0;
    return true;
}

bool group_is_simple(const struct group *g) {
    return g->classic && g->classic->protocol_type.len < 0 && g->classic->state == CLASSIC_EMPTY &&
           !g->classic->pending.count;
}

int32_t group_shard_groups(const struct group_shard *s) {
    int32_t n = 0;
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&s->groups, &i));)
        n += ((struct group *)e->value)->type != GROUP_KIND_NONE;
    return n;
}

int64_t group_shard_offsets(const struct group_shard *s) { return s->offsets_n; }

/* --- steps --- */

void step_reply(struct group_shard *s, void *handle, const void *response) {
    ASSERT(handle && response);
    s->reply(s->reply_ctx, handle, response);
}

void step_answer(struct group_shard *s, void *response) {
    ASSERT(!s->result->answer);
    if (!response) s->out_of_memory = true;
    s->result->answer = true;
    s->result->response = response;
}

void step_fail(struct group_shard *s, int16_t error) {
    ASSERT(!s->result->answer && error != KERR_NONE);
    s->result->answer = true;
    s->result->error = error;
}

static void begin(struct group_shard *s, struct group_now now, struct group_result *result) {
    ASSERT(!s->result);
    arena_reset(&s->scratch);
    consumer_drop_prepared(s);
    *result = (struct group_result){.replay = true, .atomic = true};
    s->now = now;
    s->result = result;
    s->out_of_memory = false;
}

static void end(struct group_shard *s) {
    struct group_result *r = s->result;
    s->result = NULL;
    if (!s->out_of_memory) return;
    LOG_ERROR("group", "a step needs too much memory and is not done");
    r->records_n = 0;
    r->response = NULL;
    if (r->answer) r->error = KERR_UNKNOWN_SERVER_ERROR;
    struct group_after *after = r->after;
    r->after = NULL;
    group_shard_written(s, after, KERR_UNKNOWN_SERVER_ERROR, s->now);
}

void group_shard_step(struct group_shard *s, const struct group_event *event, struct group_now now,
                      struct group_result *result) {
    static void (*const steps[])(struct group_shard *, const struct group_event *) = {
        [GROUP_API_JOIN] = join_step,
        [GROUP_API_SYNC] = sync_step,
        [GROUP_API_HEARTBEAT] = heartbeat_step,
        [GROUP_API_LEAVE] = leave_step,
        [GROUP_API_OFFSET_COMMIT] = offset_commit_step,
        [GROUP_API_TXN_OFFSET_COMMIT] = offset_commit_step,
        [GROUP_API_OFFSET_FETCH] = offset_fetch_step,
        [GROUP_API_OFFSET_DELETE] = offset_delete_step,
        [GROUP_API_DESCRIBE] = describe_step,
        [GROUP_API_LIST] = list_step,
        [GROUP_API_DELETE] = delete_step,
        [GROUP_API_CONSUMER_HEARTBEAT] = consumer_heartbeat_step,
        [GROUP_API_SHARE_HEARTBEAT] = share_heartbeat_step,
        [GROUP_API_SHARE_DESCRIBE] = share_describe_step,
        [GROUP_API_SHARE_STATES] = share_states_step,
        [GROUP_API_SHARE_OFFSETS] = share_offsets_list_step,
        [GROUP_API_SHARE_ALTER] = share_offsets_alter_step,
        [GROUP_API_SHARE_DELETE] = share_offsets_delete_step,
        [GROUP_API_SHARE_DELETED] = share_offsets_deleted_step,
        [GROUP_API_SHARE_CLEAR] = share_offsets_clear_step,
        [GROUP_API_CONSUMER_DESCRIBE] = consumer_describe_step,
        [GROUP_API_STREAMS_HEARTBEAT] = streams_heartbeat_step,
        [GROUP_API_STREAMS_DESCRIBE] = streams_describe_step,
    };
    ASSERT(event->handle && event->arena && event->api < sizeof steps / sizeof *steps);
    begin(s, now, result);
    steps[event->api](s, event);
    end(s);
}

struct group_record *step_record(struct group_shard *s) {
    struct group_result *r = s->result;
    if ((r->records_n & (r->records_n - 1)) == 0) { /* the capacity is the next power of two */
        size_t cap = r->records_n ? (size_t)r->records_n * 2 : 1;
        struct group_record *more = arena_alloc(&s->scratch, cap * sizeof *more);
        if (!more) {
            s->out_of_memory = true;
            return NULL;
        }
        if (r->records_n) memcpy(more, r->records, (size_t)r->records_n * sizeof *more);
        r->records = more;
    }
    struct group_record *record = &r->records[r->records_n++];
    *record = (struct group_record){.value = KBYTES_NULL};
    return record;
}

void group_shard_topics_deleted(struct group_shard *s, const struct kstr *names, const struct uuid *ids,
                                int32_t n, struct group_now now, struct group_result *result) {
    begin(s, now, result);
    result->atomic = false;
    struct hashmap_entry *e, *p;
    for (size_t i = 0; (e = hashmap_next(&s->groups, &i));) {
        struct group *g = e->value;
        if (g->type == GROUP_KIND_SHARE && g->modern) share_forget_topics(s, share_of(g->modern), ids, n);
        for (int32_t t = 0; t < n; t++) {
            struct topic_offsets *topic = offsets_topic(&g->offsets, names[t]);
            for (size_t j = 0; topic && (p = hashmap_next(&topic->partitions, &j));) {
                struct committed *c = p->value;
                if (uuid_is_zero(&c->topic_id) || uuid_equal(&c->topic_id, &ids[t]))
                    record_offset_tombstone(s, g->id, names[t], c->partition);
            }
            for (size_t j = 0; (p = hashmap_next(&g->offsets.open, &j));) {
                struct open_partition *o = p->value;
                if (kstr_equal(open_partition_topic(o), names[t]) &&
                    !(topic && topic_offsets_get(topic, o->partition)))
                    record_offset_tombstone(s, g->id, names[t], o->partition);
            }
        }
    }
    end(s);
}

/* --- metadata --- */

static bool concerns(const struct modern *m, const struct kstr *topics, int32_t n) {
    for (int32_t i = 0; i < n; i++)
        if (modern_subscribed(m, topics[i])) return true;
    return false;
}

void group_shard_set_image(struct group_shard *s, struct image *image, const struct kstr *changed, int32_t n,
                           bool added) {
    struct hashmap_entry *e;
    image_unref(s->image);
    s->image = image_ref(image);
    if (added || s->topics_added < 0) s->topics_added = image->offset;
    for (int32_t i = 0; i < n; i++) topic_hash_forget(s, changed[i]);
    for (size_t i = 0; n && (e = hashmap_next(&s->groups, &i));) {
        struct modern *m = ((struct group *)e->value)->modern;
        if (!m || !concerns(m, changed, n)) continue;
        m->refresh_ms = 0; /* the next heartbeat looks */
        m->refresh_epoch = 0;
    }
}

/* --- timers --- */

void group_timer_set(struct group_shard *s, struct group_timer *t, enum group_timer_kind kind,
                     int64_t at_ms) {
    group_timer_cancel(s, t);
    t->kind = kind;
    t->node.key = at_ms;
    heap_insert(&s->timers, &t->node);
}

void group_timer_cancel(struct group_shard *s, struct group_timer *t) {
    if (heap_has(&t->node)) heap_remove(&s->timers, &t->node);
}

int64_t group_shard_deadline(const struct group_shard *s) {
    struct heap_node *n = heap_min(&s->timers);
    return n ? n->key : INT64_MAX;
}

static void set_expire_timer(struct group_shard *s) {
    group_timer_set(s, &s->expire_timer, TIMER_EXPIRE,
                    s->now.mono + s->config->offsets_retention_check_interval_ms);
}

/* Expired offsets, and the groups that have neither members nor offsets left. */
static void expire_all(struct group_shard *s) {
    struct hashmap_entry *e;
    s->result->atomic = false;
    for (size_t i = 0; (e = hashmap_next(&s->groups, &i));) {
        struct group *g = e->value;
        if (g->type == GROUP_KIND_NONE || g->type == GROUP_KIND_SHARE) continue;
        if (offset_expire(s, g) && group_is_empty(g)) group_delete_records(s, g);
    }
    if (s->result->records_n) LOG_INFO("group", "expiring: %d tombstones", s->result->records_n);
    set_expire_timer(s);
}

#define OWNER(t, type, member) ((type *)((char *)(t)-offsetof(type, member)))

static void due(struct group_shard *s, struct group_timer *t) {
    switch (t->kind) {
    case TIMER_SESSION: session_expired(s, OWNER(t, struct classic_member, session)); break;
    case TIMER_PENDING: pending_expired(s, OWNER(t, struct classic_pending, session)); break;
    case TIMER_INITIAL_JOIN: rebalance_initial_due(s, OWNER(t, struct classic, join_timer)); break;
    case TIMER_JOIN: rebalance_complete_join(s, OWNER(t, struct classic, join_timer)); break;
    case TIMER_SYNC: rebalance_sync_due(s, OWNER(t, struct classic, sync_timer)); break;
    case TIMER_MEMBER_SESSION:
    case TIMER_MEMBER_REBALANCE:
    case TIMER_MEMBER_JOIN:
    case TIMER_MEMBER_SYNC: modern_timer_due(s, t); break;
    case TIMER_EXPIRE: expire_all(s); break;
    }
}

bool group_shard_tick(struct group_shard *s, struct group_now now, struct group_result *result) {
    struct heap_node *n = heap_min(&s->timers);
    if (!n || n->key > now.mono) return false;
    begin(s, now, result);
    heap_remove(&s->timers, n);
    due(s, OWNER(n, struct group_timer, node));
    end(s);
    return true;
}

void group_shard_job_done(struct group_shard *s, struct shard_job *job, struct group_now now,
                          struct group_result *result) {
    begin(s, now, result);
    result->atomic = true;
    consumer_regex_done(s, job);
    end(s);
}

/* --- load and unload --- */

void group_shard_loaded(struct group_shard *s, struct group_now now) {
    struct group_result none;
    struct hashmap_entry *e;
    begin(s, now, &none);
    for (size_t i = 0; (e = hashmap_next(&s->groups, &i));) {
        struct group *g = e->value;
        struct classic *c = g->classic;
        if (g->modern) g->modern->kind->loaded(s, g->modern);
        if (!c) continue;
        for (struct classic_member *m = c->members; m; m = m->next) session_set(s, m, m->session_timeout_ms);
        if (c->members_n > s->config->group_max_size)
            rebalance_prepare(s, c, "the group was loaded and is larger than group.max.size");
    }
    set_expire_timer(s);
    end(s);
    ASSERT(!none.records_n); /* nobody waits yet, so no rebalance ends */
}

void group_shard_unload(struct group_shard *s, struct group_now now) {
    struct group_result none;
    struct hashmap_entry *e;
    begin(s, now, &none);
    for (size_t i = 0; (e = hashmap_next(&s->groups, &i));) {
        struct classic *c = ((struct group *)e->value)->classic;
        if (!c) continue;
        for (struct classic_member *m = c->members; m; m = m->next) {
            rebalance_reply_join(s, m, KERR_NOT_COORDINATOR, m->id);
            rebalance_reply_sync(s, m, KERR_NOT_COORDINATOR);
        }
        classic_transition(c, CLASSIC_DEAD, now.wall);
    }
    end(s);
}

/* --- after the write --- */

struct group_after *after_create(struct group_shard *s, enum after_kind kind, const struct classic *c) {
    ASSERT(!s->result->after);
    struct group_after *a = xcalloc(1, sizeof *a);
    *a = (struct group_after){
        .kind = kind,
        .group_id = kstr_own(c->group->id),
        .generation = c->generation,
        .member_id = KSTR_NULL,
        .old_member_id = KSTR_NULL,
        .instance_id = KSTR_NULL,
        .old_leader_id = KSTR_NULL,
    };
    s->result->after = a;
    s->result->replay = false;
    return a;
}

void after_free(struct group_after *a) {
    for (int32_t i = 0; i < a->assignments_n; i++) {
        kstr_disown(&a->assignments[i].member_id);
        kbytes_disown(&a->assignments[i].bytes);
    }
    free(a->assignments);
    kstr_disown(&a->group_id);
    kstr_disown(&a->member_id);
    kstr_disown(&a->old_member_id);
    kstr_disown(&a->instance_id);
    kstr_disown(&a->old_leader_id);
    protocols_free(&a->old_protocols);
    free(a);
}

void group_shard_written(struct group_shard *s, struct group_after *after, int16_t error,
                         struct group_now now) {
    struct group_result ignored; /* a failed write starts a rebalance at most, which writes nothing yet */
    if (!after) return;
    begin(s, now, &ignored);
    if (after->kind == AFTER_MEMBER_TIMER)
        modern_timer_written(s, after, error);
    else if (after->kind == AFTER_SYNC)
        sync_written(s, after, error);
    else
        join_written(s, after, error);
    end(s);
    ASSERT(!ignored.after);
    after_free(after);
}

int16_t after_client_error(int16_t error) {
    switch (error) {
    case KERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KERR_NOT_ENOUGH_REPLICAS:
    case KERR_REQUEST_TIMED_OUT: return KERR_COORDINATOR_NOT_AVAILABLE;
    case KERR_NOT_LEADER_OR_FOLLOWER:
    case KERR_KAFKA_STORAGE_ERROR: return KERR_NOT_COORDINATOR;
    case KERR_MESSAGE_TOO_LARGE:
    case KERR_RECORD_LIST_TOO_LARGE:
    case KERR_INVALID_FETCH_SIZE: return KERR_UNKNOWN_SERVER_ERROR;
    default: return error;
    }
}
