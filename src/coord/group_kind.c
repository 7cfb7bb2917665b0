/* Groups, on __consumer_offsets: the runtime's view of group/shard.h. Responses that a shard gives directly
 * (JoinGroup and SyncGroup wait for other members) are valid only during its call, and are copied here. */
#include <stdlib.h>
#include <string.h>

#include "api/consumer_group_heartbeat.h"
#include "api/heartbeat.h"
#include "api/join_group.h"
#include "api/leave_group.h"
#include "api/list_groups.h"
#include "api/offset_commit.h"
#include "api/offset_delete.h"
#include "api/offset_fetch.h"
#include "api/streams_group_heartbeat.h"
#include "api/sync_group.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "coord/coord.h"
#include "group/shard.h"
#include "group/share_answer.h"

struct group_place {
    struct group_shard *shard;
    struct shard_record *records; /* of the last step */
    int32_t cap;
};

/* ---- responses of which the shard keeps the memory ---- */

static bool copy_string(struct arena *a, struct kstr *s) {
    if (s->len <= 0) return true;
    s->s = arena_memdup(a, s->s, (size_t)s->len);
    return s->s;
}

static bool copy_bytes(struct arena *a, struct kbytes *b) {
    if (b->len <= 0) return true;
    b->p = arena_memdup(a, b->p, (size_t)b->len);
    return b->p;
}

static void *copy_join(struct arena *a, const struct join_group_response *from) {
    struct join_group_response *r = arena_memdup(a, from, sizeof *from);
    bool ok = r && copy_string(a, &r->protocol_type) && copy_string(a, &r->protocol_name) &&
              copy_string(a, &r->leader) && copy_string(a, &r->member_id);
    if (!ok || !r->members_n) return ok ? r : NULL;
    r->members = arena_memdup(a, r->members, (size_t)r->members_n * sizeof *r->members);
    for (int32_t i = 0; ok && r->members && i < r->members_n; i++)
        ok = copy_string(a, &r->members[i].member_id) && copy_string(a, &r->members[i].group_instance_id) &&
             copy_bytes(a, &r->members[i].metadata);
    return ok && r->members ? r : NULL;
}

static void *copy_sync(struct arena *a, const struct sync_group_response *from) {
    struct sync_group_response *r = arena_memdup(a, from, sizeof *from);
    bool ok = r && copy_string(a, &r->protocol_type) && copy_string(a, &r->protocol_name) &&
              copy_bytes(a, &r->assignment);
    return ok ? r : NULL;
}

static void reply(void *ctx, void *handle, const void *response) {
    struct coord_op *op = handle;
    ASSERT(op->api == GROUP_API_JOIN || op->api == GROUP_API_SYNC);
    coord_answer(op,
                 op->api == GROUP_API_JOIN ? copy_join(op->arena, response) : copy_sync(op->arena, response));
}

/* ---- life ---- */

static void *create(const struct coord_place *at) {
    struct group_place *g = xcalloc(1, sizeof *g);
    g->shard = group_shard_create(at->config, at->seed, reply, NULL);
    return g;
}

static void destroy(void *shard) {
    struct group_place *g = shard;
    group_shard_free(g->shard);
    free(g->records);
    free(g);
}

static struct group_shard *of(const void *shard) { return ((const struct group_place *)shard)->shard; }
static struct group_now at(struct shard_now now) { return (struct group_now){now.mono, now.wall}; }

static int replay(void *shard, int64_t offset, int64_t producer_id, struct kbytes key, struct kbytes value,
                  struct shard_now now) {
    return group_shard_replay(of(shard), offset, producer_id, key, value, at(now));
}

static void replay_marker(void *shard, int64_t producer_id, bool commit) {
    group_shard_replay_marker(of(shard), producer_id, commit);
}

static void loaded(void *shard, struct shard_now now) { group_shard_loaded(of(shard), at(now)); }
static void unload(void *shard, struct shard_now now) { group_shard_unload(of(shard), at(now)); }

/* ---- steps ---- */

static struct kstr key_of(const struct coord_op *op) {
    switch ((enum group_api)op->api) {
    case GROUP_API_JOIN: return ((const struct join_group_request *)op->request)->group_id;
    case GROUP_API_SYNC: return ((const struct sync_group_request *)op->request)->group_id;
    case GROUP_API_HEARTBEAT: return ((const struct heartbeat_request *)op->request)->group_id;
    case GROUP_API_LEAVE: return ((const struct leave_group_request *)op->request)->group_id;
    case GROUP_API_OFFSET_COMMIT: return ((const struct offset_commit_request *)op->request)->group_id;
    case GROUP_API_TXN_OFFSET_COMMIT:
        return ((const struct group_txn_offset_commit *)op->request)->commit.group_id;
    case GROUP_API_OFFSET_FETCH: return ((const struct group_offset_fetch *)op->request)->group->group_id;
    case GROUP_API_OFFSET_DELETE: return ((const struct offset_delete_request *)op->request)->group_id;
    case GROUP_API_CONSUMER_HEARTBEAT:
        return ((const struct consumer_group_heartbeat_request *)op->request)->group_id;
    case GROUP_API_SHARE_HEARTBEAT:
        return ((const struct share_group_heartbeat_request *)op->request)->group_id;
    case GROUP_API_SHARE_OFFSETS:
    case GROUP_API_SHARE_ALTER:
    case GROUP_API_SHARE_DELETE:
    case GROUP_API_SHARE_DELETED:
    case GROUP_API_SHARE_CLEAR:
    case GROUP_API_SHARE_STATES: return ((const struct group_share_states *)op->request)->group;
    case GROUP_API_STREAMS_HEARTBEAT:
        return ((const struct streams_group_heartbeat_request *)op->request)->group_id;
    case GROUP_API_DESCRIBE:
    case GROUP_API_CONSUMER_DESCRIBE:
    case GROUP_API_SHARE_DESCRIBE:
    case GROUP_API_STREAMS_DESCRIBE:
    case GROUP_API_DELETE: return *(const struct kstr *)op->request;
    case GROUP_API_LIST: break;
    }
    return KSTR_NULL;
}

static struct group_event event_of(struct coord_op *op) {
    return (struct group_event){
        .api = (enum group_api)op->api,
        .version = op->version,
        .client_id = op->client_id,
        .client_host = op->client_host,
        .request = op->request,
        .handle = op,
        .arena = op->arena,
    };
}

static void take(struct group_place *g, const struct group_result *from, struct shard_result *to) {
    if (from->records_n > g->cap) {
        g->cap = 2 * from->records_n;
        free(g->records);
        g->records = xcalloc((size_t)g->cap, sizeof *g->records);
    }
    for (int32_t i = 0; i < from->records_n; i++)
        g->records[i] = (struct shard_record){from->records[i].key, from->records[i].value};
    *to = (struct shard_result){
        .records = g->records,
        .records_n = from->records_n,
        .replay = from->replay,
        .atomic = from->atomic,
        .answer = from->answer,
        .transactional = from->transactional,
        .producer_id = from->producer_id,
        .producer_epoch = from->producer_epoch,
        .error = from->error,
        .response = from->response,
        .job = from->job,
        .after = from->after,
    };
}

static void step(void *shard, struct coord_op *op, struct shard_now now, struct shard_result *result) {
    struct group_event e = event_of(op);
    struct group_result r;
    group_shard_step(of(shard), &e, at(now), &r);
    take(shard, &r, result);
}

static bool tick(void *shard, struct shard_now now, struct shard_result *result) {
    struct group_result r;
    bool any = group_shard_tick(of(shard), at(now), &r);
    if (any) take(shard, &r, result);
    return any;
}

static void topics_deleted(void *shard, const struct kstr *names, const struct uuid *ids, int32_t n,
                           struct shard_now now, struct shard_result *result) {
    struct group_result r;
    group_shard_topics_deleted(of(shard), names, ids, n, at(now), &r);
    take(shard, &r, result);
}

static void metadata(void *shard, struct image *image, const struct kstr *changed, int32_t n, bool added) {
    group_shard_set_image(of(shard), image, changed, n, added);
}

static void written(void *shard, void *after, int16_t error, struct shard_now now) {
    group_shard_written(of(shard), after, error, at(now));
}

static void job_done(void *shard, struct shard_job *job, struct shard_now now, struct shard_result *result) {
    struct group_result r;
    group_shard_job_done(of(shard), job, at(now), &r);
    take(shard, &r, result);
}

static int64_t deadline(const void *shard) { return group_shard_deadline(of(shard)); }
static int64_t count(const void *shard) { return group_shard_groups(of(shard)); }

/* ---- lists ---- */

static void *none(const struct coord_op *op) {
    return arena_calloc(op->arena, 1, sizeof(struct list_groups_response));
}

/* The room that a list of n has: so it grows by doubling, and its length is all there is to know of it. */
static size_t room(size_t n) {
    size_t cap = 16;
    while (cap < n) cap *= 2;
    return cap;
}

static bool merge(const struct coord_op *op, void **into, void *from) {
    ASSERT(op->api == GROUP_API_LIST);
    struct list_groups_response *all = *into, *some = from;
    size_t have = (size_t)all->groups_n, more = (size_t)some->groups_n;
    if (!have || have + more > room(have)) {
        struct list_groups_response_listed_group *both =
            arena_calloc(op->arena, room(have + more), sizeof *both);
        if (!both) return false;
        if (have) memcpy(both, all->groups, have * sizeof *both);
        all->groups = both;
    }
    if (more) memcpy(all->groups + have, some->groups, more * sizeof *some->groups);
    all->groups_n += some->groups_n;
    return true;
}

/* ---- errors ---- */

static void *error_response(const struct coord_op *op, int16_t error) {
    return group_error_response((enum group_api)op->api, op->version, op->request, error, op->arena);
}

static int16_t error_for_client(int api, int16_t error) {
    return group_error_for_client((enum group_api)api, error);
}

const struct coord_kind coord_group_kind = {
    .topic = "__consumer_offsets",
    .things = "groups",
    .create = create,
    .destroy = destroy,
    .replay = replay,
    .replay_marker = replay_marker,
    .loaded = loaded,
    .unload = unload,
    .key = key_of,
    .step = step,
    .merge = merge,
    .none = none,
    .deadline = deadline,
    .tick = tick,
    .job_done = job_done,
    .written = written,
    .topics_deleted = topics_deleted,
    .metadata = metadata,
    .error_response = error_response,
    .error_for_client = error_for_client,
    .count = count,
};
