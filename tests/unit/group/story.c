#include "story.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
#include "api/streams_group_heartbeat.h"
#include "api/sync_group.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "group/streams_result.h"
#include "metadata/delta.h"
#include "metadata/record.h"

static struct kstr str(const char *s) { return kstr_of(s); }

static void keep(char to[NAME], struct kstr s) {
    snprintf(to, NAME, "%.*s", s.len < 0 ? 4 : (int)s.len, s.len < 0 ? "null" : s.s ? s.s : "");
}
static void keep_bytes(char to[NAME], struct kbytes b) { keep(to, (struct kstr){(const char *)b.p, b.len}); }

static void keep_fetch(struct ask *a, const struct offset_fetch_response_offset_fetch_response_group *r) {
    a->error = r->error_code;
    for (int i = 0; i < r->topics_n; i++)
        for (int j = 0; j < r->topics[i].partitions_n && a->members_n < 16; j++, a->members_n++) {
            a->offsets[a->members_n] = r->topics[i].partitions[j].committed_offset;
            a->errors[a->members_n] = r->topics[i].partitions[j].error_code;
            keep(a->metadata[a->members_n], r->topics[i].partitions[j].metadata);
        }
}

static void keep_describe(struct ask *a, const struct describe_groups_response_described_group *r) {
    a->error = r->error_code;
    keep(a->state, r->group_state);
    keep(a->type, r->protocol_type);
    keep(a->protocol, r->protocol_data);
    for (; a->members_n < r->members_n && a->members_n < 16; a->members_n++) {
        keep(a->members[a->members_n], r->members[a->members_n].member_id);
        keep_bytes(a->metadata[a->members_n], r->members[a->members_n].member_assignment);
    }
}

static void keep_join(struct ask *a, const struct join_group_response *r) {
    a->error = r->error_code;
    a->generation = r->generation_id;
    a->members_n = r->members_n;
    a->skip_assignment = r->skip_assignment;
    keep(a->member, r->member_id);
    keep(a->leader, r->leader);
    keep(a->protocol, r->protocol_name);
    keep(a->type, r->protocol_type);
    for (int i = 0; i < r->members_n && i < 16; i++) keep(a->members[i], r->members[i].member_id);
}

/* "t:0,1 u:2": topics are named by the first byte of their ids. */
static void keep_partitions(char *to, size_t size, const struct uuid *id, const int32_t *list, int32_t n) {
    size_t at = strlen(to);
    snprintf(to + at, size - at, "%s%c:", at ? " " : "", id->b[15]);
    for (int32_t i = 0; i < n; i++) {
        at = strlen(to);
        snprintf(to + at, size - at, "%s%d", i ? "," : "", list[i]);
    }
}

static void keep_beat(struct ask *a, const struct consumer_group_heartbeat_response *r) {
    a->error = r->error_code;
    a->generation = r->member_epoch;
    keep(a->member, r->member_id);
    snprintf(a->message, sizeof a->message, "%.*s", r->error_message.len < 0 ? 0 : (int)r->error_message.len,
             r->error_message.s);
    a->has_assignment = r->assignment;
    for (int i = 0; r->assignment && i < r->assignment->topic_partitions_n; i++)
        keep_partitions(a->given, sizeof a->given, &r->assignment->topic_partitions[i].topic_id,
                        r->assignment->topic_partitions[i].partitions,
                        r->assignment->topic_partitions[i].partitions_n);
}

static void keep_consumer(struct ask *a, const struct consumer_group_describe_response_described_group *r) {
    a->error = r->error_code;
    a->generation = r->group_epoch;
    a->assignment_epoch = r->assignment_epoch;
    keep(a->state, r->group_state);
    keep(a->protocol, r->assignor_name);
    for (; a->members_n < r->members_n && a->members_n < 16; a->members_n++) {
        const struct consumer_group_describe_response_member *m = &r->members[a->members_n];
        keep(a->members[a->members_n], m->member_id);
        a->metadata[a->members_n][0] = 0;
        for (int i = 0; i < m->assignment.topic_partitions_n; i++)
            keep_partitions(a->metadata[a->members_n], NAME, &m->assignment.topic_partitions[i].topic_id,
                            m->assignment.topic_partitions[i].partitions,
                            m->assignment.topic_partitions[i].partitions_n);
    }
}

static void keep_tasks(struct ask *a, const struct streams_group_heartbeat_response_task_ids *ids,
                       int32_t n) {
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; k < ids[i].partitions_n; k++) {
            size_t at = strlen(a->given);
            bool first = !at || a->given[at - 1] == '/';
            if (!k)
                snprintf(a->given + at, sizeof a->given - at, "%s%.*s:%d", first ? "" : " ",
                         (int)ids[i].subtopology_id.len, ids[i].subtopology_id.s, ids[i].partitions[k]);
            else
                snprintf(a->given + at, sizeof a->given - at, ",%d", ids[i].partitions[k]);
        }
}

static void keep_stream(struct ask *a, const struct streams_group_heartbeat_response *r) {
    a->error = r->error_code;
    a->generation = r->member_epoch;
    keep(a->member, r->member_id);
    snprintf(a->message, sizeof a->message, "%.*s", r->error_message.len < 0 ? 0 : (int)r->error_message.len,
             r->error_message.s);
    a->has_assignment = r->active_tasks_n >= 0;
    keep_tasks(a, r->active_tasks, r->active_tasks_n);
    strcat(a->given, "/");
    keep_tasks(a, r->standby_tasks, r->standby_tasks_n);
    for (int32_t i = 0; i < r->status_n; i++)
        sprintf(a->state + strlen(a->state), "%s%d", i ? " " : "", r->status[i].status_code);
}

static void keep_others(struct ask *a, const void *response) {
    if (a->api == GROUP_API_STREAMS_HEARTBEAT) {
        keep_stream(a, &((const struct streams_heartbeat_result *)response)->response);
        return;
    }
    if (a->api == GROUP_API_CONSUMER_HEARTBEAT) {
        keep_beat(a, response);
    } else if (a->api == GROUP_API_CONSUMER_DESCRIBE) {
        keep_consumer(a, response);
    } else if (a->api == GROUP_API_LEAVE) {
        const struct leave_group_response *r = response;
        a->error = r->error_code;
        for (int i = 0; i < r->members_n; i++) a->errors[i] = r->members[i].error_code;
    } else if (a->api == GROUP_API_OFFSET_COMMIT) {
        const struct offset_commit_response *r = response;
        a->error = r->topics[0].partitions[0].error_code;
    } else if (a->api == GROUP_API_OFFSET_DELETE) {
        const struct offset_delete_response *r = response;
        a->error = r->error_code;
        if (r->topics_n) a->errors[0] = r->topics[0].partitions[0].error_code;
    } else if (a->api == GROUP_API_LIST) {
        const struct list_groups_response *r = response;
        a->error = r->error_code;
        for (; a->members_n < r->groups_n && a->members_n < 16; a->members_n++) {
            keep(a->members[a->members_n], r->groups[a->members_n].group_id);
            keep(a->state, r->groups[a->members_n].group_state);
            keep(a->type, r->groups[a->members_n].group_type);
        }
    } else {
        a->error = ((const struct delete_groups_response_deletable_group_result *)response)->error_code;
    }
}

static void on_reply(void *ctx, void *handle, const void *response) {
    struct ask *a = handle;
    assert_false(a->answered); /* nobody is answered twice */
    assert_non_null(response);
    a->answered = true;
    if (a->api == GROUP_API_JOIN) {
        keep_join(a, response);
    } else if (a->api == GROUP_API_SYNC) {
        const struct sync_group_response *r = response;
        a->error = r->error_code;
        keep_bytes(a->assignment, r->assignment);
        keep(a->protocol, r->protocol_name);
    } else if (a->api == GROUP_API_HEARTBEAT) {
        a->error = ((const struct heartbeat_response *)response)->error_code;
    } else if (a->api == GROUP_API_OFFSET_FETCH) {
        keep_fetch(a, response);
    } else if (a->api == GROUP_API_DESCRIBE) {
        keep_describe(a, response);
    } else {
        keep_others(a, response);
    }
    if (a->api == GROUP_API_JOIN || a->api == GROUP_API_SYNC)
        arena_free(&a->arena); /* as a server would: the request is gone */
}

static struct kbytes copy(struct kbytes b) {
    if (b.len < 0) return KBYTES_NULL;
    uint8_t *p = xmalloc((size_t)b.len + 1);
    if (b.len) memcpy(p, b.p, (size_t)b.len);
    return (struct kbytes){p, b.len};
}

void story_log(struct story *t, struct kbytes key, struct kbytes value, int64_t producer_id) {
    assert_true(t->log_n < MAX_LOG);
    t->log[t->log_n++] = (struct logged){copy(key), copy(value), producer_id};
}

static void finish(struct story *t, struct held *h, int16_t error) {
    group_shard_written(t->shard, h->after, error, t->now);
    if (!h->ask || !h->result.answer) return;
    on_reply(NULL, h->ask, h->result.response);
}

static void write_result(struct story *t, struct group_result *r, const struct group_event *e) {
    struct held h = {.after = r->after, .ask = e ? e->handle : NULL, .result = *r};
    if (r->answer && r->error)
        h.result.response = group_error_response(e->api, e->version, e->request, r->error, e->arena);
    if (r->records_n && t->append_error) {
        if (r->answer) {
            h.result.response =
                group_error_response(e->api, e->version, e->request, t->append_error, e->arena);
            assert_non_null(h.result.response);
        }
        finish(t, &h, t->append_error);
        return;
    }
    for (int i = 0; i < r->records_n; i++) {
        story_log(t, r->records[i].key, r->records[i].value, -1);
        if (r->replay)
            assert_int_equal(group_shard_replay(t->shard, t->log_n - 1, -1, r->records[i].key,
                                                r->records[i].value, t->now),
                             0);
    }
    if (t->hold && r->records_n)
        t->held[t->held_n++] = h;
    else
        finish(t, &h, KERR_NONE);
}

/* A job runs at once, and comes back. */
static void run_job(struct story *t, struct shard_job *job) {
    struct group_result r;
    if (!job) return;
    job->run(job);
    group_shard_job_done(t->shard, job, t->now, &r);
    write_result(t, &r, NULL);
    assert_null(r.job);
}

void story_commit(struct story *t, int16_t error) {
    for (int i = 0; i < t->held_n; i++) finish(t, &t->held[i], error);
    t->held_n = 0;
    t->hold = false;
}

static struct ask *new_ask(struct story *t, enum group_api api) {
    assert_true(t->asks_n < MAX_ASKS);
    struct ask *a = &t->asks[t->asks_n++];
    *a = (struct ask){.api = api};
    arena_init(&a->arena, 1 << 20);
    return a;
}

static struct ask *step(struct story *t, struct ask *a, int version, const void *request) {
    struct group_result r;
    struct group_event e = {
        .api = a->api,
        .version = (int16_t)version,
        .client_id = str("client"),
        .client_host = str("/127.0.0.1"),
        .request = request,
        .handle = a,
        .arena = &a->arena,
    };
    group_shard_step(t->shard, &e, t->now, &r);
    write_result(t, &r, &e);
    run_job(t, r.job);
    return a;
}

struct story *story_begin(void) {
    struct story *t = xcalloc(1, sizeof *t);
    t->config = (struct group_config){
        .group_initial_rebalance_delay_ms = 3000,
        .group_min_session_timeout_ms = 6000,
        .group_max_session_timeout_ms = 1800000,
        .group_max_size = INT32_MAX,
        .offset_metadata_max_bytes = 4096,
        .offsets_retention_ms = 7ll * 24 * 3600 * 1000,
        .offsets_retention_check_interval_ms = 600000,
        .streams =
            {
                .session_timeout = {45000, 45000, 60000},
                .heartbeat_interval = {5000, 5000, 15000},
                .initial_delay = {0, 0, INT32_MAX},
                .standbys = {0, 0, 2},
                .max_size = INT32_MAX,
            },
        .consumer =
            {
                .session_timeout = {45000, 45000, 60000},
                .heartbeat_interval = {5000, 5000, 15000},
                .assignment_interval = {0, 0, 15000},
                .max_size = INT32_MAX,
                .regex_refresh_interval_ms = 600000,
                .migration = MIGRATION_BIDIRECTIONAL,
                .assignors = {ASSIGNOR_UNIFORM, ASSIGNOR_RANGE},
                .assignors_n = 2,
            },
    };
    t->image = image_empty();
    t->now = (struct group_now){.mono = 5000, .wall = 1700000000000};
    t->shard = group_shard_create(&t->config, 1, on_reply, t);
    group_shard_set_image(t->shard, t->image, NULL, 0, false);
    group_shard_loaded(t->shard, t->now);
    return t;
}

void story_end(struct story *t) {
    story_commit(t, KERR_NONE);
    group_shard_unload(t->shard, t->now);
    group_shard_free(t->shard);
    image_unref(t->image);
    for (int i = 0; i < t->asks_n; i++) {
        assert_true(t->asks[i].answered); /* nobody waits for ever */
        arena_free(&t->asks[i].arena);
    }
    for (int i = 0; i < t->log_n; i++) {
        free((void *)(uintptr_t)t->log[i].key.p);
        free((void *)(uintptr_t)t->log[i].value.p);
    }
    free(t);
}

void story_pass(struct story *t, int64_t ms) {
    struct group_result r;
    int64_t until = t->now.mono + ms, at;
    while ((at = group_shard_deadline(t->shard)) <= until) {
        int64_t by = at > t->now.mono ? at - t->now.mono : 0;
        t->now.mono += by;
        t->now.wall += by;
        assert_true(group_shard_tick(t->shard, t->now, &r));
        write_result(t, &r, NULL);
    }
    t->now.wall += until - t->now.mono;
    t->now.mono = until;
}

void story_restart(struct story *t) {
    group_shard_unload(t->shard, t->now);
    group_shard_free(t->shard);
    t->shard = group_shard_create(&t->config, 2 + (uint64_t)t->log_n, on_reply, t);
    group_shard_set_image(t->shard, t->image, NULL, 0, false);
    for (int i = 0; i < t->log_n; i++)
        assert_int_equal(
            group_shard_replay(t->shard, i, t->log[i].producer_id, t->log[i].key, t->log[i].value, t->now),
            0);
    group_shard_loaded(t->shard, t->now);
}

/* --- requests --- */

static int words(const char *s, struct kstr *to, int max) {
    int n = 0;
    for (size_t len; s && *s && n < max; s += len + (s[len] == ' ')) {
        len = strcspn(s, " ");
        to[n++] = (struct kstr){s, (int32_t)len};
    }
    return n;
}

static struct kbytes subscription(struct ask *a, const char *topics) {
    struct kstr names[8];
    uint8_t *b = arena_alloc(&a->arena, 512), *p = b;
    int n = words(topics, names, 8);
    put_i16(p, 3);
    put_i32(p + 2, n);
    p += 6;
    for (int i = 0; i < n; i++) {
        put_i16(p, (int16_t)names[i].len);
        memcpy(p + 2, names[i].s, (size_t)names[i].len);
        p += 2 + names[i].len;
    }
    put_i32(p, -1);      /* user data */
    put_i32(p + 4, 0);   /* owned partitions */
    put_i32(p + 8, -1);  /* generation */
    put_i16(p + 12, -1); /* rack */
    return (struct kbytes){b, (int32_t)(p + 14 - b)};
}

struct ask *story_join(struct story *t, const struct joiner *j) {
    struct ask *a = new_ask(t, GROUP_API_JOIN);
    struct kstr names[8];
    struct join_group_request *q = arena_alloc(&a->arena, sizeof *q);
    join_group_request_init(q);
    q->group_id = str(j->group ? j->group : "g");
    q->member_id = str(j->member ? j->member : "");
    q->group_instance_id = str(j->instance);
    q->protocol_type = str(j->type ? j->type : "consumer");
    q->session_timeout_ms = j->session_ms ? j->session_ms : 10000;
    q->rebalance_timeout_ms = j->rebalance_ms ? j->rebalance_ms : 60000;
    q->protocols_n = words(j->protocols ? j->protocols : "range", names, 8);
    q->protocols = arena_calloc(&a->arena, 8, sizeof *q->protocols);
    for (int i = 0; i < q->protocols_n; i++) {
        q->protocols[i].name = names[i];
        q->protocols[i].metadata =
            j->topics ? subscription(a, j->topics) : (struct kbytes){(const uint8_t *)"meta", 4};
    }
    return step(t, a, j->version_0 ? 0 : j->version ? j->version : 9, q);
}

struct ask *story_sync_static(struct story *t, const char *group, const char *member, const char *instance,
                              int32_t generation, const char *assignments) {
    struct ask *a = new_ask(t, GROUP_API_SYNC);
    struct kstr pairs[16];
    struct sync_group_request *q = arena_alloc(&a->arena, sizeof *q);
    sync_group_request_init(q);
    q->group_id = str(group);
    q->member_id = str(member);
    q->group_instance_id = str(instance);
    q->generation_id = generation;
    q->protocol_type = str("consumer");
    q->protocol_name = str("range");
    q->assignments = arena_calloc(&a->arena, 16, sizeof *q->assignments);
    for (int n = words(assignments, pairs, 16); q->assignments_n < n; q->assignments_n++) {
        const char *eq = memchr(pairs[q->assignments_n].s, '=', (size_t)pairs[q->assignments_n].len);
        int32_t head = (int32_t)(eq - pairs[q->assignments_n].s);
        q->assignments[q->assignments_n].member_id = (struct kstr){pairs[q->assignments_n].s, head};
        q->assignments[q->assignments_n].assignment =
            (struct kbytes){(const uint8_t *)eq + 1, pairs[q->assignments_n].len - head - 1};
    }
    return step(t, a, 5, q);
}

struct ask *story_sync(struct story *t, const char *group, const char *member, int32_t generation,
                       const char *assignments) {
    return story_sync_static(t, group, member, NULL, generation, assignments);
}

struct ask *story_heartbeat(struct story *t, const char *group, const char *member, const char *instance,
                            int32_t generation) {
    struct heartbeat_request q = {.group_id = str(group),
                                  .generation_id = generation,
                                  .member_id = str(member),
                                  .group_instance_id = str(instance)};
    return step(t, new_ask(t, GROUP_API_HEARTBEAT), 4, &q);
}

struct ask *story_leave(struct story *t, const char *group, const char *member, const char *instance,
                        int version) {
    struct leave_group_request_member_identity m = {
        .member_id = str(member), .group_instance_id = str(instance), .reason = KSTR_NULL};
    struct leave_group_request q = {
        .group_id = str(group), .member_id = str(member), .members = &m, .members_n = version >= 3};
    return step(t, new_ask(t, GROUP_API_LEAVE), version, &q);
}

struct ask *story_commit_offset(struct story *t, const struct committer *c) {
    struct offset_commit_request_offset_commit_request_partition p = {
        .partition_index = c->partition,
        .committed_offset = c->offset,
        .committed_leader_epoch = -1,
        .committed_metadata = str(c->metadata),
    };
    struct offset_commit_request_offset_commit_request_topic topic = {
        .name = str(c->topic ? c->topic : "t"), .topic_id = c->topic_id, .partitions = &p, .partitions_n = 1};
    struct offset_commit_request q = {
        .group_id = str(c->group ? c->group : "g"),
        .generation_id_or_member_epoch = c->generation,
        .member_id = str(c->member ? c->member : ""),
        .group_instance_id = str(c->instance),
        .retention_time_ms = c->retention_ms ? c->retention_ms : -1,
        .topics = &topic,
        .topics_n = 1,
    };
    return step(t, new_ask(t, GROUP_API_OFFSET_COMMIT), c->version ? c->version : 9, &q);
}

struct ask *story_fetch_id(struct story *t, const char *group, const char *topic, const struct uuid *id,
                           int partitions) {
    int32_t indexes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct offset_fetch_request_offset_fetch_request_topics asked = {
        .name = str(topic), .topic_id = *id, .partition_indexes = indexes, .partition_indexes_n = partitions};
    struct offset_fetch_request_offset_fetch_request_group g = {
        .group_id = str(group), .member_id = KSTR_NULL, .member_epoch = -1, .topics = &asked, .topics_n = 1};
    struct group_offset_fetch q = {.group = &g, .require_stable = false};
    return step(t, new_ask(t, GROUP_API_OFFSET_FETCH), 10, &q);
}

struct ask *story_fetch(struct story *t, const char *group, const char *topic, int partitions,
                        bool require_stable) {
    int32_t indexes[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    struct offset_fetch_request_offset_fetch_request_topics asked = {
        .name = str(topic), .partition_indexes = indexes, .partition_indexes_n = partitions};
    struct offset_fetch_request_offset_fetch_request_group g = {
        .group_id = str(group), .member_id = KSTR_NULL, .member_epoch = -1, .topics = &asked, .topics_n = 1};
    if (partitions < 0) g.topics_n = -1;
    struct group_offset_fetch q = {.group = &g, .require_stable = require_stable};
    return step(t, new_ask(t, GROUP_API_OFFSET_FETCH), 9, &q);
}

struct ask *story_delete_offset(struct story *t, const char *group, const char *topic, int32_t partition) {
    struct offset_delete_request_offset_delete_request_partition p = {.partition_index = partition};
    struct offset_delete_request_offset_delete_request_topic asked = {
        .name = str(topic), .partitions = &p, .partitions_n = 1};
    struct offset_delete_request q = {.group_id = str(group), .topics = &asked, .topics_n = 1};
    return step(t, new_ask(t, GROUP_API_OFFSET_DELETE), 0, &q);
}

struct ask *story_describe(struct story *t, const char *group, int version) {
    struct kstr id = str(group);
    return step(t, new_ask(t, GROUP_API_DESCRIBE), version, &id);
}

struct ask *story_list(struct story *t, const char *state, const char *type) {
    struct kstr s = str(state), y = str(type);
    struct list_groups_request q = {.states_filter = &s,
                                    .states_filter_n = state != NULL,
                                    .types_filter = &y,
                                    .types_filter_n = type != NULL};
    return step(t, new_ask(t, GROUP_API_LIST), 5, &q);
}

struct ask *story_delete(struct story *t, const char *group) {
    struct kstr id = str(group);
    return step(t, new_ask(t, GROUP_API_DELETE), 2, &id);
}

struct ask *story_new_member(struct story *t, const char *group, const char *topics, char id[NAME]) {
    struct ask *first = JOIN(t, .group = group, .topics = topics);
    assert_error(first, MEMBER_ID_REQUIRED);
    memcpy(id, first->member, NAME);
    return JOIN(t, .group = group, .member = id, .topics = topics);
}

void story_stable(struct story *t, const char *group, int n, char ids[][NAME]) {
    struct ask *joins[16], *syncs[16];
    char assignments[1024] = "";
    for (int i = 0; i < n; i++) joins[i] = story_new_member(t, group, "t", ids[i]);
    story_pass(t, 10000);
    for (int i = 0; i < n; i++) {
        assert_ok(joins[i]);
        sprintf(assignments + strlen(assignments), "%s%s=for-%d", i ? " " : "", ids[i], i);
    }
    for (int i = n - 1; i >= 0; i--)
        syncs[i] = story_sync(t, group, ids[i], joins[i]->generation, i ? NULL : assignments);
    for (int i = 0; i < n; i++) assert_ok(syncs[i]);
}

void expect_error(const struct ask *a, int16_t error, const char *file, int line) {
    if (!a->answered) {
        print_error("%s:%d: not answered\n", file, line);
        _fail(file, line);
    }
    if (a->error == error) return;
    print_error("%s:%d: answered %s, not %s\n", file, line, kerr_name(a->error), kerr_name(error));
    _fail(file, line);
}

/* --- groups of KIP-848 --- */

/* A topic's id ends with the first letter of its name, so that a story can be read. */
static struct uuid id_of(char letter) { return (struct uuid){{[0] = 1, [15] = (uint8_t)letter}}; }

static void change_image(struct story *t, struct record_list *l, struct kstr changed, bool added) {
    struct image_delta *d = delta_begin(t->image);
    for (int32_t i = 0; i < l->n; i++)
        assert_int_equal(delta_replay(d, l->v[i].data, l->v[i].len, t->image->offset + 1 + i, 1), 0);
    delta_finish(d, 1000);
    image_unref(t->image);
    t->image = image_ref(d->after);
    delta_free(d);
    group_shard_set_image(t->shard, t->image, &changed, changed.len > 0, added);
}

void story_topic(struct story *t, const char *name, int32_t partitions) {
    struct record_list l;
    struct uuid id = id_of(name[0]), dir = id_of('d');
    const struct topic *known = image_topic_by_name(t->image, name, strlen(name));
    int32_t replica = 1;
    record_list_init(&l);
    if (!partitions) record_add_remove_topic(&l, 0, &(struct remove_topic_record){.topic_id = id});
    if (!known) record_add_topic(&l, 0, &(struct topic_record){.name = str(name), .topic_id = id});
    for (int32_t i = known ? known->partitions_n : 0; i < partitions; i++) {
        struct partition_record p;
        partition_record_init(&p);
        p.partition_id = i;
        p.topic_id = id;
        p.replicas = p.isr = &replica;
        p.replicas_n = p.isr_n = 1;
        p.leader = 1;
        p.directories = &dir;
        p.directories_n = 1;
        record_add_partition(&l, 2, &p);
    }
    change_image(t, &l, str(name), !known);
    record_list_free(&l);
}

void story_configure(struct story *t, const char *group, const char *key, const char *value) {
    struct record_list l;
    record_list_init(&l);
    record_add_config(&l, 0, &(struct config_record){CONFIG_GROUP, str(group), str(key), str(value)});
    change_image(t, &l, KSTR(""), false);
    record_list_free(&l);
}

static void read_owned(struct ask *a, const char *owned, struct consumer_group_heartbeat_request *q) {
    struct kstr list[8];
    if (!owned) return;
    q->topic_partitions = arena_calloc(&a->arena, 8, sizeof *q->topic_partitions);
    q->topic_partitions_n = words(owned, list, 8);
    for (int i = 0; i < q->topic_partitions_n; i++) {
        const char *s = list[i].s + 1, *end = list[i].s + list[i].len;
        q->topic_partitions[i].topic_id = id_of(list[i].s[0]);
        q->topic_partitions[i].partitions = arena_calloc(&a->arena, 64, sizeof(int32_t));
        while (s < end && (*s == ':' || *s == ','))
            q->topic_partitions[i].partitions[q->topic_partitions[i].partitions_n++] =
                (int32_t)strtol(s + 1, (char **)(uintptr_t)&s, 10);
    }
}

static struct streams_group_heartbeat_request_task_ids *read_tasks(struct ask *a, const char *numbers,
                                                                   int32_t *n) {
    struct streams_group_heartbeat_request_task_ids *ids = arena_calloc(&a->arena, 1, sizeof *ids);
    ids->subtopology_id = str("0");
    ids->partitions = arena_calloc(&a->arena, strlen(numbers) + 1, sizeof *ids->partitions);
    for (const char *s = numbers; *s; s += strcspn(s, ",") + (s[strcspn(s, ",")] == ','))
        ids->partitions[ids->partitions_n++] = (int32_t)strtol(s, NULL, 10);
    *n = *numbers ? 1 : 0;
    return ids;
}

struct ask *story_stream(struct story *t, const struct streamer *b) {
    struct ask *a = new_ask(t, GROUP_API_STREAMS_HEARTBEAT);
    struct kstr sources[8];
    struct streams_group_heartbeat_request_topic_info changelog;
    struct streams_group_heartbeat_request_subtopology sub;
    struct streams_group_heartbeat_request_topology topology = {
        .epoch = b->topology_epoch, .subtopologies = &sub, .subtopologies_n = 1};
    struct streams_group_heartbeat_request q;
    streams_group_heartbeat_request_init(&q);
    streams_group_heartbeat_request_subtopology_init(&sub);
    streams_group_heartbeat_request_topic_info_init(&changelog);
    q.group_id = str(b->group ? b->group : "g");
    q.member_id = str(b->member);
    q.member_epoch = b->epoch;
    q.shutdown_application = b->shutdown;
    sub.subtopology_id = str("0");
    sub.source_topics = sources;
    sub.source_topics_n = words(b->sources, sources, 8);
    if (b->changelog) {
        changelog.name = str(b->changelog);
        sub.state_changelog_topics = &changelog;
        sub.state_changelog_topics_n = 1;
    }
    const char *active = b->active, *standby = b->standby;
    if (!b->epoch) {
        q.rebalance_timeout_ms = 10000;
        q.topology = &topology;
        q.process_id = str(b->process ? b->process : b->member);
        active = standby = "";
    }
    if (active || standby) {
        q.active_tasks = read_tasks(a, active ? active : "", &q.active_tasks_n);
        q.standby_tasks = read_tasks(a, standby ? standby : "", &q.standby_tasks_n);
        q.warmup_tasks_n = 0;
    }
    return step(t, a, 0, &q);
}

struct ask *story_beat(struct story *t, const struct beater *b) {
    struct ask *a = new_ask(t, GROUP_API_CONSUMER_HEARTBEAT);
    struct kstr names[8];
    struct consumer_group_heartbeat_request *q = arena_alloc(&a->arena, sizeof *q);
    consumer_group_heartbeat_request_init(q);
    q->group_id = str(b->group ? b->group : "g");
    q->member_id = str(b->member ? b->member : "");
    q->member_epoch = b->epoch;
    q->instance_id = str(b->instance);
    q->rack_id = str(b->rack);
    q->rebalance_timeout_ms = b->rebalance_ms ? b->rebalance_ms : b->epoch ? -1 : 10000;
    q->subscribed_topic_regex = str(b->regex);
    q->server_assignor = str(b->assignor);
    read_owned(a, b->owned ? b->owned : b->epoch ? NULL : "", q);
    if (b->topics) {
        q->subscribed_topic_names_n = words(b->topics, names, 8);
        q->subscribed_topic_names = arena_memdup(&a->arena, names, sizeof names);
    }
    return step(t, a, b->version ? b->version - 1 : 1, q);
}

struct ask *story_describe_consumer(struct story *t, const char *group) {
    struct kstr id = str(group);
    return step(t, new_ask(t, GROUP_API_CONSUMER_DESCRIBE), 1, &id);
}

struct ask *story_fetch_as(struct story *t, const char *group, const char *member, int32_t epoch) {
    struct offset_fetch_request_offset_fetch_request_group g = {
        .group_id = str(group), .member_id = str(member), .member_epoch = epoch, .topics_n = -1};
    struct group_offset_fetch q = {.group = &g};
    return step(t, new_ask(t, GROUP_API_OFFSET_FETCH), 9, &q);
}
