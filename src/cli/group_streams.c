/* Streams groups (KIP-1071): who has which task in which role, and so which partitions of the source topics.
 */
#include <stdlib.h>

#include "api/streams_group_describe.h"
#include "base/kerr.h"
#include "cli/group.h"

static int16_t code_of(const void *response) {
    const struct streams_group_describe_response *r = response;
    return r->groups_n == 1 ? r->groups[0].error_code : 0;
}

static const struct streams_group_describe_response_subtopology *subtopology(
    const struct streams_group_describe_response_described_group *r, struct kstr id) {
    for (int32_t i = 0; r->topology && i < r->topology->subtopologies_n; i++)
        if (kstr_equal(r->topology->subtopologies[i].subtopology_id, id))
            return &r->topology->subtopologies[i];
    return NULL;
}

/* The partition that an active task reads of a topic; one that has fewer partitions is read by other tasks.
 */
static int read_by(struct admin *a, struct group_view *g, int32_t member, struct kstr topic,
                   int32_t partition) {
    struct group_partition *p = group_partition(a, g, topic, partition);
    if (!p) return OE_LIMIT;
    p->member = member;
    g->members[member].partitions++;
    return 0;
}

static int keep_role(struct admin *a, struct group_view *g,
                     const struct streams_group_describe_response_described_group *r, int32_t member,
                     const char *role, const struct streams_group_describe_response_task_ids *ids,
                     int32_t n) {
    int err = 0;
    for (int32_t i = 0; i < n; i++) {
        const struct streams_group_describe_response_subtopology *s = subtopology(r, ids[i].subtopology_id);
        for (int32_t k = 0; k < ids[i].partitions_n && !err; k++) {
            g->tasks[g->tasks_n++] = (struct group_task){.subtopology = ids[i].subtopology_id,
                                                         .partition = ids[i].partitions[k],
                                                         .role = role,
                                                         .member = member};
            bool reads = s && role[0] == 'a';
            for (int32_t t = 0; reads && t < s->source_topics_n && !err; t++)
                err = read_by(a, g, member, s->source_topics[t], ids[i].partitions[k]);
            for (int32_t t = 0; reads && t < s->repartition_source_topics_n && !err; t++)
                err = read_by(a, g, member, s->repartition_source_topics[t].name, ids[i].partitions[k]);
        }
    }
    return err;
}

static int32_t count(const struct streams_group_describe_response_task_ids *ids, int32_t n) {
    int32_t tasks = 0;
    for (int32_t i = 0; i < n; i++) tasks += ids[i].partitions_n;
    return tasks;
}

static int by_task(const void *x, const void *y) {
    const struct group_task *a = x, *b = y;
    int32_t n = a->subtopology.len < b->subtopology.len ? a->subtopology.len : b->subtopology.len;
    int c = n > 0 ? memcmp(a->subtopology.s, b->subtopology.s, (size_t)n) : 0;
    if (!c) c = a->subtopology.len - b->subtopology.len;
    if (c) return c;
    if (a->partition != b->partition) return a->partition < b->partition ? -1 : 1;
    return strcmp(a->role, b->role);
}

static int keep(struct admin *a, struct group_view *g,
                const struct streams_group_describe_response_described_group *r) {
    int32_t tasks = 0;
    int err = 0;
    g->state = r->group_state;
    g->type = KSTR("streams");
    g->assignor = KSTR("");
    g->epoch = r->group_epoch;
    g->assignment_epoch = r->assignment_epoch;
    for (int32_t i = 0; i < r->members_n; i++)
        tasks += count(r->members[i].assignment.active_tasks, r->members[i].assignment.active_tasks_n) +
                 count(r->members[i].assignment.standby_tasks, r->members[i].assignment.standby_tasks_n) +
                 count(r->members[i].assignment.warmup_tasks, r->members[i].assignment.warmup_tasks_n);
    g->members = arena_calloc(&a->arena, (size_t)r->members_n + 1, sizeof *g->members);
    g->tasks = arena_calloc(&a->arena, (size_t)tasks + 1, sizeof *g->tasks);
    if (!g->members || !g->tasks) return OE_LIMIT;
    g->members_n = r->members_n;
    for (int32_t i = 0; i < r->members_n && !err; i++) {
        const struct streams_group_describe_response_member *m = &r->members[i];
        const struct streams_group_describe_response_assignment *s = &m->assignment;
        g->members[i] = (struct group_member){m->member_id,   m->instance_id, m->client_id, m->client_host, 0,
                                              m->member_epoch};
        err = keep_role(a, g, r, i, "active", s->active_tasks, s->active_tasks_n);
        if (!err) err = keep_role(a, g, r, i, "standby", s->standby_tasks, s->standby_tasks_n);
        if (!err) err = keep_role(a, g, r, i, "warm-up", s->warmup_tasks, s->warmup_tasks_n);
    }
    if (g->tasks_n) qsort(g->tasks, (size_t)g->tasks_n, sizeof *g->tasks, by_task);
    return err;
}

int group_ask_streams(struct admin *a, const char *name, struct group_view *g, bool *other) {
    struct streams_group_describe_request q;
    struct streams_group_describe_response r;
    streams_group_describe_request_init(&q);
    q.group_ids = &g->name;
    q.group_ids_n = 1;
    struct client_call call = {.key = API_STREAMS_GROUP_DESCRIBE,
                               .target = CLIENT_GROUP,
                               .name = name,
                               .request = &q,
                               .response = &r,
                               .arena = &a->arena,
                               .error = code_of};
    int err = client_do(a->client, &call);
    *other = err == OE_UNSUPPORTED;
    if (*other) return 0;
    if (err) return admin_done(a, err);
    if (r.groups_n != 1) return cli_fail("%s: the broker's answer does not name the group", name);
    int16_t code = r.groups[0].error_code;
    *other = code == KERR_GROUP_ID_NOT_FOUND || code == KERR_UNSUPPORTED_VERSION;
    if (*other) return 0;
    if (code) return admin_refused(name, code, r.groups[0].error_message);
    return keep(a, g, &r.groups[0]) ? cli_fail("%s: the group is too large", name) : 0;
}
