/* Groups of one classic member each: they join one after the other, then commits and heartbeats are due at
 * even distances, group after group. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/heartbeat.h"
#include "api/join_group.h"
#include "api/keys.h"
#include "api/offset_commit.h"
#include "api/sync_group.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "bench/coordinate.h"
#include "bench/figures.h"
#include "io/clock.h"

enum { HEARTBEAT_EVERY_S = 3, MISSING_S = 30, JOINING_MAX = 50 };

struct group {
    struct commits *all;
    struct link link;
    char name[64], member[128];
    int32_t generation;
    bool ready;
};

struct commits {
    const struct coordinate_options *o;
    struct exchange x;
    struct target target;
    struct group *groups;
    struct offset_commit_request_offset_commit_request_partition *partitions;
    int ready;
    int64_t from; /* ns; what is due earlier is not counted */
    int64_t sent, answered, counted, missed;
    struct histogram latency;
};

static void join(struct group *g) {
    static const uint8_t metadata[] = {0, 0, 0, 0, 0, 1, 0, 1, 't', 0, 0, 0, 0};
    struct join_group_request request;
    struct join_group_request_join_group_request_protocol protocol;
    join_group_request_init(&request);
    join_group_request_join_group_request_protocol_init(&protocol);
    protocol.name = KSTR("range");
    protocol.metadata = (struct kbytes){metadata, sizeof metadata};
    request.group_id = kstr_of(g->name);
    request.session_timeout_ms = 45000;
    request.rebalance_timeout_ms = 60000;
    request.member_id = kstr_of(g->member);
    request.protocol_type = KSTR("consumer");
    request.protocols = &protocol;
    request.protocols_n = 1;
    link_send(&g->link, API_JOIN_GROUP, 9, &request, 0);
}

static void on_joined(struct group *g, const struct join_group_response *j) {
    struct sync_group_request request;
    struct sync_group_request_sync_group_request_assignment own;
    if (j->error_code == KERR_MEMBER_ID_REQUIRED) {
        if (j->member_id.len >= (int32_t)sizeof g->member) fail("JoinGroup: a long id");
        memcpy(g->member, j->member_id.s, (size_t)j->member_id.len);
        g->member[j->member_id.len] = 0;
    }
    if (j->error_code == KERR_MEMBER_ID_REQUIRED || j->error_code == KERR_COORDINATOR_LOAD_IN_PROGRESS ||
        j->error_code == KERR_COORDINATOR_NOT_AVAILABLE || j->error_code == KERR_NOT_COORDINATOR) {
        join(g);
        return;
    }
    if (j->error_code) fail("JoinGroup: error %d", j->error_code);
    g->generation = j->generation_id;
    sync_group_request_init(&request);
    sync_group_request_sync_group_request_assignment_init(&own);
    own.member_id = kstr_of(g->member);
    own.assignment = (struct kbytes){(const uint8_t *)"\0\0\0\0\0\0\0\0\0\0", 10};
    request.group_id = kstr_of(g->name);
    request.generation_id = g->generation;
    request.member_id = kstr_of(g->member);
    request.protocol_type = KSTR("consumer");
    request.protocol_name = KSTR("range");
    request.assignments = &own;
    request.assignments_n = 1;
    link_send(&g->link, API_SYNC_GROUP, 5, &request, 0);
}

static void on_committed(struct commits *c, const struct asked *asked, const struct offset_commit_response *r,
                         int64_t now) {
    if (r->topics_n != 1 || r->topics[0].partitions_n != c->o->partitions)
        fail("OffsetCommit: no partitions");
    for (int32_t i = 0; i < r->topics[0].partitions_n; i++)
        if (r->topics[0].partitions[i].error_code)
            fail("OffsetCommit: error %d", r->topics[0].partitions[i].error_code);
    c->answered++;
    if (asked->due < c->from) return;
    histogram_add(&c->latency, now - asked->due);
    c->counted++;
}

static void on_answer(struct link *l, const struct asked *asked, const void *answer, int64_t now) {
    struct group *g = l->owner;
    switch (asked->key) {
    case API_JOIN_GROUP: on_joined(g, answer); break;
    case API_SYNC_GROUP:
        if (((const struct sync_group_response *)answer)->error_code)
            fail("SyncGroup: error %d", ((const struct sync_group_response *)answer)->error_code);
        g->ready = true;
        g->all->ready++;
        break;
    case API_OFFSET_COMMIT: on_committed(g->all, asked, answer, now); break;
    default:
        if (((const struct heartbeat_response *)answer)->error_code)
            fail("Heartbeat: error %d", ((const struct heartbeat_response *)answer)->error_code);
    }
}

static void commit(struct group *g, int64_t offset, int64_t due) {
    struct commits *c = g->all;
    struct offset_commit_request request;
    struct offset_commit_request_offset_commit_request_topic topic;
    offset_commit_request_init(&request);
    offset_commit_request_offset_commit_request_topic_init(&topic);
    for (int i = 0; i < c->o->partitions; i++) c->partitions[i].committed_offset = offset;
    topic.name = kstr_of(c->o->topic);
    topic.partitions = c->partitions;
    topic.partitions_n = c->o->partitions;
    request.group_id = kstr_of(g->name);
    request.generation_id_or_member_epoch = g->generation;
    request.member_id = kstr_of(g->member);
    request.topics = &topic;
    request.topics_n = 1;
    link_send(&g->link, API_OFFSET_COMMIT, 9, &request, due);
    c->sent++;
}

static void heartbeat(struct group *g) {
    struct heartbeat_request request;
    heartbeat_request_init(&request);
    request.group_id = kstr_of(g->name);
    request.generation_id = g->generation;
    request.member_id = kstr_of(g->member);
    link_send(&g->link, API_HEARTBEAT, 4, &request, 0);
}

static void set_up(struct commits *c) {
    int n = c->o->clients, begun = 0;
    target_open(&c->target, c->o->port, c->o->topic, c->o->partitions);
    target_create(&c->target, 1, NULL, 0);
    target_wait(&c->target);
    exchange_open(&c->x, c->o->port);
    exchange_await_coordinator(&c->x, c->o->topic, 0);
    c->groups = xcalloc((size_t)n, sizeof *c->groups);
    c->partitions = xcalloc((size_t)c->o->partitions, sizeof *c->partitions);
    for (int i = 0; i < c->o->partitions; i++) {
        offset_commit_request_offset_commit_request_partition_init(&c->partitions[i]);
        c->partitions[i].partition_index = i;
    }
    int64_t until = clock_mono_ns() + 2 * MISSING_S * INT64_C(1000000000);
    while (c->ready < n) {
        for (; begun < n && begun - c->ready < JOINING_MAX; begun++) {
            struct group *g = &c->groups[begun];
            g->all = c;
            snprintf(g->name, sizeof g->name, "%.40s-%d", c->o->topic, begun);
            link_open(&c->x, &g->link, g, on_answer);
            join(g);
        }
        if (clock_mono_ns() > until) fail("%d groups are not stable", n - c->ready);
        exchange_serve(&c->x, INT64_MAX);
    }
}

/* What is due at step k of `steps` in a second: commits, and between them heartbeats of every third second.
 */
static void issue(struct commits *c, int64_t k, int64_t due) {
    int64_t n = c->o->clients, second = k / (2 * n), g = k / 2 % n;
    struct group *group = &c->groups[k % 2 ? (g + n / 2) % n : g];
    if (group->link.in_flight == LINK_IN_FLIGHT_MAX)
        c->missed++;
    else if (k % 2 == 0)
        commit(group, second, due);
    else if ((second + g) % HEARTBEAT_EVERY_S == 0)
        heartbeat(group);
}

int coordinate_commits(const struct coordinate_options *o) {
    struct commits *c = xcalloc(1, sizeof *c);
    c->o = o;
    double before = process_memory_mib(o->pid, "VmRSS");
    set_up(c);
    double joined = process_memory_mib(o->pid, "VmRSS");
    struct cost cost = cost_begin(o->pid);
    int64_t total = INT64_C(2) * (o->warm_up + o->seconds) * o->clients, k = 0;
    int64_t step = 1000000000 / (2 * o->clients), start = cost.start,
            uncounted = INT64_C(2) * o->warm_up * o->clients;
    c->from = uncounted ? INT64_MAX : 0;
    while (k < total || c->answered < c->sent) {
        int64_t now = clock_mono_ns();
        if (now > start + total * step + MISSING_S * INT64_C(1000000000))
            fail("answers are missing %d s after the end", MISSING_S);
        if (k == uncounted && c->from == INT64_MAX &&
            c->answered == c->sent) { /* no debts from the warm-up */
            cost = cost_begin(o->pid);
            c->from = cost.start;
            start = cost.start - k * step;
        }
        int64_t stop = c->from == INT64_MAX ? uncounted : total;
        for (; k < stop && start + k * step <= now; k++) issue(c, k, start + k * step);
        exchange_serve(&c->x, k < stop ? start + k * step : INT64_MAX);
    }
    printf("commit_p50_ms=%.3f commit_p99_ms=%.3f commit_p999_ms=%.3f commit_max_ms=%.3f missed=%lld ",
           histogram_ms(&c->latency, .5), histogram_ms(&c->latency, .99), histogram_ms(&c->latency, .999),
           histogram_ms(&c->latency, 1), (long long)c->missed);
    printf("idle_rss_mib=%.1f joined_rss_mib=%.1f kib_per_group=%.2f ", before, joined,
           (process_memory_mib(o->pid, "VmRSS") - before) * 1024 / o->clients);
    cost_print(&cost, o->pid, c->counted, "commit");
    return c->missed ? 1 : 0;
}
