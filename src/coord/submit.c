/* Requests: to which partition, what if that is not here, and the way back.
 * Source: GroupCoordinatorService, CoordinatorRuntime.contextOrThrow. */
#include <string.h>

#include "api/heartbeat.h"
#include "api/join_group.h"
#include "api/leave_group.h"
#include "api/list_groups.h"
#include "api/offset_commit.h"
#include "api/offset_delete.h"
#include "api/offset_fetch.h"
#include "api/sync_group.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "coord/partition.h"

static struct kstr group_of(const struct coord_op *op) {
    switch (op->api) {
    case GROUP_API_JOIN: return ((const struct join_group_request *)op->request)->group_id;
    case GROUP_API_SYNC: return ((const struct sync_group_request *)op->request)->group_id;
    case GROUP_API_HEARTBEAT: return ((const struct heartbeat_request *)op->request)->group_id;
    case GROUP_API_LEAVE: return ((const struct leave_group_request *)op->request)->group_id;
    case GROUP_API_OFFSET_COMMIT: return ((const struct offset_commit_request *)op->request)->group_id;
    case GROUP_API_OFFSET_FETCH: return ((const struct group_offset_fetch *)op->request)->group->group_id;
    case GROUP_API_OFFSET_DELETE: return ((const struct offset_delete_request *)op->request)->group_id;
    case GROUP_API_DESCRIBE:
    case GROUP_API_DELETE: return *(const struct kstr *)op->request;
    case GROUP_API_LIST: break;
    }
    return KSTR("");
}

/* --- the way back --- */

void coord_answer(struct coord_op *op, const void *response) {
    ASSERT(!op->answered);
    op->answered = true;
    op->response = response;
    op->done(op);
}

void coord_answer_error(struct coord_op *op, int16_t error) {
    coord_answer(op, group_error_response(op->api, op->version, op->request, error, op->arena));
}

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

/* What the shard answers directly is valid only now. */
void coord_reply(void *ctx, void *handle, const void *response) {
    struct coord_op *op = handle;
    ASSERT(op->api == GROUP_API_JOIN || op->api == GROUP_API_SYNC);
    coord_answer(op,
                 op->api == GROUP_API_JOIN ? copy_join(op->arena, response) : copy_sync(op->arena, response));
}

/* --- the way in --- */

static struct group_event event_of(struct coord_op *op) {
    return (struct group_event){
        .api = op->api,
        .version = op->version,
        .client_id = op->client_id,
        .client_host = op->client_host,
        .request = op->request,
        .handle = op,
        .arena = op->arena,
    };
}

static void step(struct coord_partition *p, struct coord_op *op) {
    struct group_event e = event_of(op);
    struct group_result r;
    group_shard_step(p->shard, &e, coord_now(p->coord), &r);
    coord_finish_step(p, op, &r);
    coord_partition_set_due(p);
}

static void to_partition(struct coord *c, struct coord_op *op) {
    int32_t index = coord_partition_of(c, group_of(op));
    struct coord_partition *p = index < c->cap ? c->partitions[index] : NULL;
    if (p && p->state == COORD_ACTIVE) {
        step(p, op);
        return;
    }
    int16_t error = p && p->state == COORD_LOADING ? KERR_COORDINATOR_LOAD_IN_PROGRESS : KERR_NOT_COORDINATOR;
    coord_answer_error(op, group_error_for_client(op->api, error));
}

/* The groups of all partitions; one that loads makes the answer incomplete, which is an error. */
static void list_all(struct coord *c, struct coord_op *op) {
    struct list_groups_response *all = arena_calloc(op->arena, 1, sizeof *all);
    int32_t cap = 0;
    for (int32_t i = 0; all && i < c->cap; i++) {
        struct coord_partition *p = c->partitions[i];
        struct group_event e = event_of(op);
        struct group_result r;
        if (!p || p->state == COORD_FAILED) continue;
        if (p->state == COORD_LOADING) {
            coord_answer_error(op, KERR_COORDINATOR_LOAD_IN_PROGRESS);
            return;
        }
        if (!group_shard_groups(p->shard)) continue;
        group_shard_step(p->shard, &e, coord_now(c), &r);
        const struct list_groups_response *some = r.response;
        if (!some) {
            all = NULL;
            break;
        }
        if (all->groups_n + some->groups_n > cap) {
            cap = 2 * (all->groups_n + some->groups_n);
            struct list_groups_response_listed_group *more =
                arena_calloc(op->arena, (size_t)cap, sizeof *more);
            if (more && all->groups_n) memcpy(more, all->groups, (size_t)all->groups_n * sizeof *more);
            if (!more) {
                all = NULL;
                break;
            }
            all->groups = more;
        }
        if (some->groups_n)
            memcpy(all->groups + all->groups_n, some->groups, (size_t)some->groups_n * sizeof *all->groups);
        all->groups_n += some->groups_n;
    }
    coord_answer(op, all);
}

static void on_submitted(struct mail *m) {
    struct coord_op *ops = (struct coord_op *)((char *)m - offsetof(struct coord_op, mail));
    struct coord *c = ops->coord;
    /* The last `done` may free them all. */
    for (int32_t i = 0, n = ops->n; i < n; i++)
        if (ops[i].api == GROUP_API_LIST)
            list_all(c, &ops[i]);
        else
            to_partition(c, &ops[i]);
}

void coord_submit(struct coord *c, struct coord_op *ops, int32_t n) {
    ASSERT(n > 0);
    ops->coord = c;
    ops->n = n;
    ops->mail.deliver = on_submitted;
    loop_post(c->loop, &ops->mail);
}
