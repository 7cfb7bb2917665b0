/* Members of the classic protocol: JoinGroup 9 → SyncGroup 5, heartbeats 4 until one says that the group
 * rebalances. The first member of a generation hands out one partition each. */
#include <stdlib.h>

#include "api/heartbeat.h"
#include "api/join_group.h"
#include "api/keys.h"
#include "api/leave_group.h"
#include "api/sync_group.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "bench/rebalance.h"

static const uint8_t METADATA[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 0}; /* version, topics, user data */

static void join(struct member *m) {
    struct join_group_request request;
    struct join_group_request_join_group_request_protocol protocol;
    join_group_request_init(&request);
    join_group_request_join_group_request_protocol_init(&protocol);
    protocol.name = KSTR("range");
    protocol.metadata = (struct kbytes){METADATA, sizeof METADATA};
    request.group_id = kstr_of(m->r->group);
    request.session_timeout_ms = 45000;
    request.rebalance_timeout_ms = 60000;
    request.member_id = kstr_of(m->id);
    request.protocol_type = KSTR("consumer");
    request.protocols = &protocol;
    request.protocols_n = 1;
    m->settled = false;
    link_send(&m->link, API_JOIN_GROUP, 9, &request, 0);
}

static void leave(struct member *m) {
    struct leave_group_request request;
    struct leave_group_request_member_identity identity;
    leave_group_request_init(&request);
    leave_group_request_member_identity_init(&identity);
    identity.member_id = kstr_of(m->id);
    request.group_id = kstr_of(m->r->group);
    request.members = &identity;
    request.members_n = 1;
    link_send(&m->link, API_LEAVE_GROUP, 5, &request, 0);
}

static void ask(struct member *m) {
    struct heartbeat_request request;
    heartbeat_request_init(&request);
    request.group_id = kstr_of(m->r->group);
    request.generation_id = m->generation;
    request.member_id = kstr_of(m->id);
    link_send(&m->link, API_HEARTBEAT, 4, &request, 0);
}

/* j: members, if this one is the leader. */
static void sync_group(struct member *m, const struct join_group_response *j) {
    struct sync_group_request request;
    struct sync_group_request_sync_group_request_assignment *assignments =
        xcalloc((size_t)j->members_n + 1, sizeof *assignments);
    static const uint8_t assignment[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 1, 0, 0, 0, 7, 0, 0, 0, 0};
    sync_group_request_init(&request);
    request.group_id = kstr_of(m->r->group);
    request.generation_id = m->generation;
    request.member_id = kstr_of(m->id);
    request.protocol_type = KSTR("consumer");
    request.protocol_name = KSTR("range");
    for (int32_t i = 0; i < j->members_n; i++) {
        sync_group_request_sync_group_request_assignment_init(&assignments[i]);
        assignments[i].member_id = j->members[i].member_id;
        assignments[i].assignment = (struct kbytes){assignment, sizeof assignment};
    }
    request.assignments = assignments;
    request.assignments_n = j->members_n;
    link_send(&m->link, API_SYNC_GROUP, 5, &request, 0);
    free(assignments);
}

static void on_joined(struct member *m, const struct join_group_response *j) {
    switch (j->error_code) {
    case 0: break;
    case KERR_MEMBER_ID_REQUIRED:
        if (j->member_id.len >= (int32_t)sizeof m->id) fail("JoinGroup: a long id");
        memcpy(m->id, j->member_id.s, (size_t)j->member_id.len);
        m->id[j->member_id.len] = 0;
        /* fall through */
    case KERR_COORDINATOR_LOAD_IN_PROGRESS:
    case KERR_COORDINATOR_NOT_AVAILABLE:
    case KERR_NOT_COORDINATOR:
    case KERR_REBALANCE_IN_PROGRESS: join(m); return;
    default: fail("JoinGroup: error %d", j->error_code);
    }
    m->generation = j->generation_id;
    sync_group(m, j);
}

static void on_answer(struct link *l, const struct asked *asked, const void *answer, int64_t now) {
    struct member *m = l->owner;
    const struct heartbeat_response *h = answer;
    const struct sync_group_response *s = answer;
    const struct leave_group_response *left = answer;
    (void)now;
    switch (asked->key) {
    case API_JOIN_GROUP: on_joined(m, answer); return;
    case API_SYNC_GROUP:
        if (!s->error_code) {
            m->settled = true;
            /* an older generation: the next is on its way */
            if (m->r->going && m->generation <= m->r->before) ask(m);
        } else if (s->error_code == KERR_REBALANCE_IN_PROGRESS || s->error_code == KERR_ILLEGAL_GENERATION) {
            join(m);
        } else {
            fail("SyncGroup: error %d", s->error_code);
        }
        return;
    case API_LEAVE_GROUP:
        if (left->error_code) fail("LeaveGroup: error %d", left->error_code);
        m->id[0] = 0;
        m->generation = -1;
        return;
    default: break;
    }
    if (h->error_code == KERR_REBALANCE_IN_PROGRESS || h->error_code == KERR_ILLEGAL_GENERATION)
        join(m);
    else if (h->error_code)
        fail("Heartbeat: error %d", h->error_code);
    else if (m->r->going)
        ask(m);
}

/* All hold an assignment of one generation, which is a new one. */
static bool stable(const struct rebalance *r) {
    int32_t generation = 0;
    for (int i = 0; i < r->o->clients; i++) {
        const struct member *m = &r->members[i];
        if (!m->present) continue;
        if (!m->settled || m->generation <= r->before || (generation && m->generation != generation))
            return false;
        generation = m->generation;
    }
    return true;
}

int coordinate_classic(const struct coordinate_options *o) {
    struct rebalance *r = xcalloc(1, sizeof *r);
    *r = (struct rebalance){
        .o = o, .join = join, .leave = leave, .ask = ask, .stable = stable, .on_answer = on_answer};
    return rebalance_run(r);
}
