/* Answers to requests that failed as a whole. Source: getErrorResponse of the reference's requests, as
 * GroupCoordinatorService uses them. */
#include "api/consumer_group_describe.h"
#include "api/consumer_group_heartbeat.h"
#include "api/delete_groups.h"
#include "api/describe_groups.h"
#include "api/heartbeat.h"
#include "api/join_group.h"
#include "api/leave_group.h"
#include "api/list_groups.h"
#include "api/offset_commit.h"
#include "api/offset_delete.h"
#include "api/offset_fetch.h"
#include "api/share_group_describe.h"
#include "api/share_group_heartbeat.h"
#include "api/streams_group_describe.h"
#include "api/sync_group.h"
#include "base/kerr.h"
#include "group/own.h"
#include "group/share_answer.h"
#include "group/state.h"
#include "group/streams_result.h"

enum { FETCH_ERROR_VERSION = 2 }; /* of OffsetFetch: before it errors are on each partition */

static void *join_error(int16_t error, struct arena *a) {
    struct join_group_response *r = arena_alloc(a, sizeof *r);
    if (!r) return NULL;
    join_group_response_init(r);
    r->error_code = error;
    r->protocol_name = KSTR_NULL;
    return r;
}

static void *sync_error(int16_t error, struct arena *a) {
    struct sync_group_response *r = arena_alloc(a, sizeof *r);
    if (!r) return NULL;
    sync_group_response_init(r);
    r->error_code = error;
    return r;
}

static void *heartbeat_error(int16_t error, struct arena *a) {
    struct heartbeat_response *r = arena_calloc(a, 1, sizeof *r);
    if (r) r->error_code = error;
    return r;
}

static void *leave_error(int16_t version, const struct leave_group_request *q, int16_t error,
                         struct arena *a) {
    struct leave_group_response *r = arena_calloc(a, 1, sizeof *r);
    if (!r) return NULL;
    r->error_code = error;
    if (error != KERR_UNKNOWN_MEMBER_ID || version < 3) return r;
    r->error_code = KERR_NONE; /* the group does not exist: nobody is a member */
    r->members = arena_calloc(a, (size_t)q->members_n, sizeof *r->members);
    if (!r->members) return NULL;
    for (; r->members_n < q->members_n; r->members_n++)
        r->members[r->members_n] = (struct leave_group_response_member_response){
            .member_id = q->members[r->members_n].member_id,
            .group_instance_id = q->members[r->members_n].group_instance_id,
            .error_code = error,
        };
    return r;
}

static void *commit_error(const struct offset_commit_request *q, int16_t error, struct arena *a) {
    struct offset_commit_response *r = arena_calloc(a, 1, sizeof *r);
    if (!r || !(r->topics = arena_calloc(a, (size_t)q->topics_n, sizeof *r->topics))) return NULL;
    for (; r->topics_n < q->topics_n; r->topics_n++) {
        struct offset_commit_response_offset_commit_response_topic *t = &r->topics[r->topics_n];
        const struct offset_commit_request_offset_commit_request_topic *asked = &q->topics[r->topics_n];
        t->name = asked->name;
        t->topic_id = asked->topic_id;
        if (!(t->partitions = arena_calloc(a, (size_t)asked->partitions_n, sizeof *t->partitions)))
            return NULL;
        for (; t->partitions_n < asked->partitions_n; t->partitions_n++) {
            t->partitions[t->partitions_n].partition_index =
                asked->partitions[t->partitions_n].partition_index;
            t->partitions[t->partitions_n].error_code = error;
        }
    }
    return r;
}

static void *fetch_error(int16_t version, const struct group_offset_fetch *q, int16_t error,
                         struct arena *a) {
    struct offset_fetch_response_offset_fetch_response_group *r = arena_calloc(a, 1, sizeof *r);
    if (!r) return NULL;
    r->group_id = q->group->group_id;
    if (version >= FETCH_ERROR_VERSION) {
        r->error_code = error;
        return r;
    }
    if (!(r->topics = arena_calloc(a, (size_t)q->group->topics_n, sizeof *r->topics))) return NULL;
    for (; r->topics_n < q->group->topics_n; r->topics_n++) {
        const struct offset_fetch_request_offset_fetch_request_topics *asked = &q->group->topics[r->topics_n];
        struct offset_fetch_response_offset_fetch_response_topics *t = &r->topics[r->topics_n];
        t->name = asked->name;
        if (!(t->partitions = arena_calloc(a, (size_t)asked->partition_indexes_n, sizeof *t->partitions)))
            return NULL;
        for (; t->partitions_n < asked->partition_indexes_n; t->partitions_n++)
            t->partitions[t->partitions_n] = (struct offset_fetch_response_offset_fetch_response_partitions){
                .partition_index = asked->partition_indexes[t->partitions_n],
                .committed_offset = -1,
                .committed_leader_epoch = -1,
                .error_code = error,
            };
    }
    return r;
}

static void *share_offsets_error(int16_t error, struct arena *a) {
    struct group_share_offsets *r = arena_calloc(a, 1, sizeof *r);
    if (r) r->error = error;
    return r;
}

static void *offset_delete_error(int16_t error, struct arena *a) {
    struct offset_delete_response *r = arena_calloc(a, 1, sizeof *r);
    if (r) r->error_code = error;
    return r;
}

static void *describe_error(const struct kstr *id, int16_t error, struct arena *a) {
    struct describe_groups_response_described_group *r = arena_alloc(a, sizeof *r);
    if (!r) return NULL;
    describe_groups_response_described_group_init(r);
    r->group_id = *id;
    r->error_code = error;
    return r;
}

static void *list_error(int16_t error, struct arena *a) {
    struct list_groups_response *r = arena_calloc(a, 1, sizeof *r);
    if (r) r->error_code = error;
    return r;
}

static void *delete_error(const struct kstr *id, int16_t error, struct arena *a) {
    struct delete_groups_response_deletable_group_result *r = arena_calloc(a, 1, sizeof *r);
    if (!r) return NULL;
    r->group_id = *id;
    r->error_code = error;
    return r;
}

static void *consumer_heartbeat_error(int16_t error, struct arena *a) {
    struct consumer_group_heartbeat_response *r = arena_alloc(a, sizeof *r);
    if (!r) return NULL;
    consumer_group_heartbeat_response_init(r);
    r->error_code = error;
    r->error_message = kstr_of(kerr_message(error));
    return r;
}

static void *consumer_describe_error(const struct kstr *id, int16_t error, struct arena *a) {
    struct consumer_group_describe_response_described_group *r = arena_alloc(a, sizeof *r);
    if (!r) return NULL;
    consumer_group_describe_response_described_group_init(r);
    r->group_id = *id;
    r->error_code = error;
    return r;
}

static void *share_heartbeat_error(int16_t error, struct arena *a) {
    struct group_share_heartbeat *r = arena_calloc(a, 1, sizeof *r);
    if (!r) return NULL;
    share_group_heartbeat_response_init(&r->response);
    r->response.error_code = error;
    r->response.error_message = kstr_of(kerr_message(error));
    return r;
}

static void *share_describe_error(const struct kstr *id, int16_t error, struct arena *a) {
    struct share_group_describe_response_described_group *r = arena_alloc(a, sizeof *r);
    if (!r) return NULL;
    share_group_describe_response_described_group_init(r);
    r->group_id = *id;
    r->error_code = error;
    return r;
}

static void *streams_heartbeat_error(int16_t error, struct arena *a) {
    struct streams_heartbeat_result *r = arena_calloc(a, 1, sizeof *r);
    if (!r) return NULL;
    streams_group_heartbeat_response_init(&r->response);
    r->response.error_code = error;
    r->response.error_message = kstr_of(kerr_message(error));
    return r;
}

static void *streams_describe_error(const struct kstr *id, int16_t error, struct arena *a) {
    struct streams_group_describe_response_described_group *r = arena_alloc(a, sizeof *r);
    if (!r) return NULL;
    streams_group_describe_response_described_group_init(r);
    r->group_id = *id;
    r->error_code = error;
    return r;
}

void *group_error_response(enum group_api api, int16_t version, const void *request, int16_t error,
                           struct arena *arena) {
    switch (api) {
    case GROUP_API_JOIN: return join_error(error, arena);
    case GROUP_API_SYNC: return sync_error(error, arena);
    case GROUP_API_HEARTBEAT: return heartbeat_error(error, arena);
    case GROUP_API_LEAVE: return leave_error(version, request, error, arena);
    case GROUP_API_OFFSET_COMMIT: return commit_error(request, error, arena);
    case GROUP_API_TXN_OFFSET_COMMIT:
        return commit_error(&((const struct group_txn_offset_commit *)request)->commit, error, arena);
    case GROUP_API_OFFSET_FETCH: return fetch_error(version, request, error, arena);
    case GROUP_API_OFFSET_DELETE: return offset_delete_error(error, arena);
    case GROUP_API_DESCRIBE: return describe_error(request, error, arena);
    case GROUP_API_LIST: return list_error(error, arena);
    case GROUP_API_DELETE: return delete_error(request, error, arena);
    case GROUP_API_CONSUMER_HEARTBEAT: return consumer_heartbeat_error(error, arena);
    case GROUP_API_SHARE_HEARTBEAT: return share_heartbeat_error(error, arena);
    case GROUP_API_SHARE_DESCRIBE: return share_describe_error(request, error, arena);
    case GROUP_API_SHARE_OFFSETS:
    case GROUP_API_SHARE_ALTER:
    case GROUP_API_SHARE_DELETE:
    case GROUP_API_SHARE_DELETED:
    case GROUP_API_SHARE_CLEAR: return share_offsets_error(error, arena);
    case GROUP_API_SHARE_STATES: return (void *)(uintptr_t)request;
    case GROUP_API_CONSUMER_DESCRIBE: return consumer_describe_error(request, error, arena);
    case GROUP_API_STREAMS_HEARTBEAT: return streams_heartbeat_error(error, arena);
    case GROUP_API_STREAMS_DESCRIBE: return streams_describe_error(request, error, arena);
    }
    return NULL;
}

int16_t group_error_for_client(enum group_api api, int16_t error) {
    /* A heartbeat to a group that is being loaded is as good as heard. */
    if (api == GROUP_API_HEARTBEAT && error == KERR_COORDINATOR_LOAD_IN_PROGRESS) return KERR_NONE;
    if (error == KERR_NETWORK_EXCEPTION) return KERR_COORDINATOR_LOAD_IN_PROGRESS;
    int16_t mapped = after_client_error(error);
    /* Older consumers do not retry OffsetFetch on COORDINATOR_NOT_AVAILABLE, but they look for the
     * coordinator anew. */
    if (api == GROUP_API_OFFSET_FETCH && mapped != error && mapped == KERR_COORDINATOR_NOT_AVAILABLE)
        return KERR_NOT_COORDINATOR;
    return mapped;
}
