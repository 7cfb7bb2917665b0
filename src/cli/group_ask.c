/* What a group is: ConsumerGroupDescribe first (KIP-848), DescribeGroups when it is not one of those,
 * OffsetFetch for what is committed. OffsetFetch and OffsetCommit are kept at the last version that goes by
 * topic names. */
#include <stdlib.h>

#include "api/consumer_group_describe.h"
#include "api/describe_groups.h"
#include "api/offset_fetch.h"
#include "api/share_group_describe.h"
#include "base/kerr.h"
#include "cli/group.h"
#include "records/consumer_protocol.h"

enum { OFFSET_FETCH_BY_NAME = 9 };

struct group_partition *group_partition(struct admin *a, struct group_view *g, struct kstr topic,
                                        int32_t partition) {
    for (int32_t i = 0; i < g->partitions_n; i++)
        if (g->partitions[i].partition == partition && kstr_equal(g->partitions[i].topic, topic))
            return &g->partitions[i];
    if (g->partitions_n == g->partitions_cap) {
        int32_t cap = g->partitions_cap ? g->partitions_cap * 2 : 64;
        struct group_partition *more = arena_calloc(&a->arena, (size_t)cap, sizeof *more);
        if (!more) return NULL;
        if (g->partitions_n) memcpy(more, g->partitions, (size_t)g->partitions_n * sizeof *more);
        g->partitions = more;
        g->partitions_cap = cap;
    }
    struct group_partition *p = &g->partitions[g->partitions_n++];
    *p = (struct group_partition){.topic = topic,
                                  .partition = partition,
                                  .leader = -1,
                                  .committed = -1,
                                  .start = -1,
                                  .end = -1,
                                  .member = -1,
                                  .leader_epoch = -1,
                                  .metadata = KSTR_NULL};
    return p;
}

static int assign(struct admin *a, struct group_view *g, int32_t member, struct kstr topic, const int32_t *v,
                  int32_t n) {
    for (int32_t i = 0; i < n; i++) {
        struct group_partition *p = group_partition(a, g, topic, v[i]);
        if (!p) return OE_LIMIT;
        p->member = member;
    }
    g->members[member].partitions += n;
    return 0;
}

/* ---- consumer groups ---- */

static int16_t consumer_code(const void *response) {
    const struct consumer_group_describe_response *r = response;
    return r->groups_n == 1 ? r->groups[0].error_code : 0;
}

static int keep_consumer(struct admin *a, struct group_view *g,
                         const struct consumer_group_describe_response_described_group *r) {
    g->state = r->group_state;
    g->type = KSTR("consumer");
    g->assignor = r->assignor_name;
    g->epoch = r->group_epoch;
    g->assignment_epoch = r->assignment_epoch;
    g->described = r;
    g->members = arena_calloc(&a->arena, (size_t)r->members_n + 1, sizeof *g->members);
    if (!g->members) return OE_LIMIT;
    g->members_n = r->members_n;
    for (int32_t i = 0; i < r->members_n; i++) {
        const struct consumer_group_describe_response_member *m = &r->members[i];
        g->members[i] = (struct group_member){m->member_id,   m->instance_id, m->client_id, m->client_host, 0,
                                              m->member_epoch};
        for (int32_t t = 0; t < m->assignment.topic_partitions_n; t++) {
            const struct consumer_group_describe_response_topic_partitions *p =
                &m->assignment.topic_partitions[t];
            int err = assign(a, g, i, p->topic_name, p->partitions, p->partitions_n);
            if (err) return err;
        }
    }
    return 0;
}

/* ---- classic groups ---- */

static int16_t classic_code(const void *response) {
    const struct describe_groups_response *r = response;
    return r->groups_n == 1 ? r->groups[0].error_code : 0;
}

static int keep_assignment(struct admin *a, struct group_view *g, int32_t member, struct kbytes bytes) {
    struct reader r = reader_of(bytes.p, bytes.len > 0 ? (size_t)bytes.len : 0);
    struct consumer_protocol_assignment v;
    if (bytes.len < 2) return 0; /* not assigned yet */
    int16_t version = read_i16(&r), last = consumer_protocol_assignment_message.last;
    if (version < 0 ||
        consumer_protocol_assignment_decode(&v, &r, version < last ? version : last, &a->arena))
        return 0; /* of a protocol that is not the consumers' */
    for (int32_t t = 0; t < v.assigned_partitions_n; t++) {
        const struct consumer_protocol_assignment_topic_partition *p = &v.assigned_partitions[t];
        int err = assign(a, g, member, p->topic, p->partitions, p->partitions_n);
        if (err) return err;
    }
    return 0;
}

static int keep_classic(struct admin *a, struct group_view *g,
                        const struct describe_groups_response_described_group *r) {
    g->state = r->group_state;
    g->type = KSTR("classic");
    g->assignor = r->protocol_data;
    g->epoch = g->assignment_epoch = -1;
    g->members = arena_calloc(&a->arena, (size_t)r->members_n + 1, sizeof *g->members);
    if (!g->members) return OE_LIMIT;
    g->members_n = r->members_n;
    for (int32_t i = 0; i < r->members_n; i++) {
        const struct describe_groups_response_described_group_member *m = &r->members[i];
        g->members[i] =
            (struct group_member){m->member_id, m->group_instance_id, m->client_id, m->client_host, 0, -1};
        int err = kstr_is(r->protocol_type, "consumer") ? keep_assignment(a, g, i, m->member_assignment) : 0;
        if (err) return err;
    }
    return 0;
}

static int ask_classic(struct admin *a, const char *name, struct group_view *g, bool *missing) {
    struct describe_groups_request q;
    struct describe_groups_response r;
    describe_groups_request_init(&q);
    q.groups = &g->name;
    q.groups_n = 1;
    int status = admin_call(a, &(struct client_call){.key = API_DESCRIBE_GROUPS,
                                                     .target = CLIENT_GROUP,
                                                     .name = name,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = classic_code});
    if (status) return status;
    if (r.groups_n != 1) return cli_fail("%s: the broker's answer does not name the group", name);
    const struct describe_groups_response_described_group *d = &r.groups[0];
    *missing =
        d->error_code == KERR_GROUP_ID_NOT_FOUND || (!d->error_code && kstr_is(d->group_state, "Dead"));
    if (*missing) return 0;
    if (d->error_code) return admin_refused(name, d->error_code, d->error_message);
    return keep_classic(a, g, d) ? cli_fail("%s: the group is too large", name) : 0;
}

/* ---- share groups ---- */

static int16_t share_code(const void *response) {
    const struct share_group_describe_response *r = response;
    return r->groups_n == 1 ? r->groups[0].error_code : 0;
}

static int keep_share(struct admin *a, struct group_view *g,
                      const struct share_group_describe_response_described_group *r) {
    g->state = r->group_state;
    g->type = KSTR("share");
    g->assignor = r->assignor_name;
    g->epoch = r->group_epoch;
    g->assignment_epoch = r->assignment_epoch;
    g->members = arena_calloc(&a->arena, (size_t)r->members_n + 1, sizeof *g->members);
    if (!g->members) return OE_LIMIT;
    g->members_n = r->members_n;
    for (int32_t i = 0; i < r->members_n; i++) {
        const struct share_group_describe_response_member *m = &r->members[i];
        g->members[i] =
            (struct group_member){m->member_id, KSTR_NULL, m->client_id, m->client_host, 0, m->member_epoch};
        for (int32_t t = 0; t < m->assignment.topic_partitions_n; t++) {
            const struct share_group_describe_response_topic_partitions *p =
                &m->assignment.topic_partitions[t];
            int err = assign(a, g, i, p->topic_name, p->partitions, p->partitions_n);
            if (err) return err;
        }
    }
    return 0;
}

/* A group that is neither a consumer nor a classic one. */
static int ask_share(struct admin *a, const char *name, struct group_view *g, bool *missing) {
    struct share_group_describe_request q;
    struct share_group_describe_response r;
    share_group_describe_request_init(&q);
    q.group_ids = &g->name;
    q.group_ids_n = 1;
    int err = client_do(a->client, &(struct client_call){.key = API_SHARE_GROUP_DESCRIBE,
                                                         .target = CLIENT_GROUP,
                                                         .name = name,
                                                         .request = &q,
                                                         .response = &r,
                                                         .arena = &a->arena,
                                                         .error = share_code});
    *missing = true;
    if (err || r.groups_n != 1 || r.groups[0].error_code) return 0;
    *missing = false;
    return keep_share(a, g, &r.groups[0]) ? cli_fail("%s: the group is too large", name) : 0;
}

static int ask_others(struct admin *a, const char *name, struct group_view *g, bool *missing) {
    bool other;
    int status = group_ask_streams(a, name, g, &other);
    if (status || !other) return status;
    status = ask_classic(a, name, g, missing);
    return status || !*missing ? status : ask_share(a, name, g, missing);
}

int group_ask(struct admin *a, const char *name, struct group_view *g, bool *missing) {
    struct consumer_group_describe_request q;
    struct consumer_group_describe_response r;
    memset(g, 0, sizeof *g);
    g->name = kstr_of(name);
    *missing = false;
    consumer_group_describe_request_init(&q);
    q.group_ids = &g->name;
    q.group_ids_n = 1;
    struct client_call call = {.key = API_CONSUMER_GROUP_DESCRIBE,
                               .target = CLIENT_GROUP,
                               .name = name,
                               .request = &q,
                               .response = &r,
                               .arena = &a->arena,
                               .error = consumer_code};
    int err = client_do(a->client, &call);
    if (err == OE_UNSUPPORTED) return ask_others(a, name, g, missing);
    if (err) return admin_done(a, err);
    if (r.groups_n != 1) return cli_fail("%s: the broker's answer does not name the group", name);
    int16_t code = r.groups[0].error_code;
    if (code == KERR_GROUP_ID_NOT_FOUND || code == KERR_UNSUPPORTED_VERSION)
        return ask_others(a, name, g, missing);
    if (code) return admin_refused(name, code, r.groups[0].error_message);
    return keep_consumer(a, g, &r.groups[0]) ? cli_fail("%s: the group is too large", name) : 0;
}

/* ---- offsets ---- */

static int16_t fetch_code(const void *response) {
    const struct offset_fetch_response *r = response;
    return r->groups_n == 1 ? r->groups[0].error_code : r->error_code;
}

static int keep_committed(struct admin *a, struct group_view *g, struct kstr topic, int32_t partition,
                          int64_t offset, int32_t epoch, struct kstr metadata) {
    if (offset < 0) return 0;
    struct group_partition *p = group_partition(a, g, topic, partition);
    if (!p) return OE_LIMIT;
    p->committed = offset;
    p->leader_epoch = epoch;
    p->metadata = metadata;
    return 0;
}

static int keep_offsets(struct admin *a, struct group_view *g, const struct offset_fetch_response *r) {
    int err = 0;
    for (int32_t t = 0; t < r->topics_n && !err; t++)
        for (int32_t i = 0; i < r->topics[t].partitions_n && !err; i++) {
            const struct offset_fetch_response_offset_fetch_response_partition *p =
                &r->topics[t].partitions[i];
            err = keep_committed(a, g, r->topics[t].name, p->partition_index, p->committed_offset,
                                 p->committed_leader_epoch, p->metadata);
        }
    for (int32_t t = 0; r->groups_n == 1 && t < r->groups[0].topics_n && !err; t++)
        for (int32_t i = 0; i < r->groups[0].topics[t].partitions_n && !err; i++) {
            const struct offset_fetch_response_offset_fetch_response_partitions *p =
                &r->groups[0].topics[t].partitions[i];
            err = keep_committed(a, g, r->groups[0].topics[t].name, p->partition_index, p->committed_offset,
                                 p->committed_leader_epoch, p->metadata);
        }
    return err;
}

int group_ask_committed(struct admin *a, struct group_view *g) {
    struct offset_fetch_request q;
    struct offset_fetch_response r;
    struct offset_fetch_request_offset_fetch_request_group group;
    offset_fetch_request_init(&q);
    offset_fetch_request_offset_fetch_request_group_init(&group);
    q.group_id = group.group_id = g->name;
    q.topics_n = group.topics_n = -1; /* all */
    q.groups = &group;
    q.groups_n = 1;
    int status = admin_call(a, &(struct client_call){.key = API_OFFSET_FETCH,
                                                     .at_most = OFFSET_FETCH_BY_NAME,
                                                     .target = CLIENT_GROUP,
                                                     .name = g->name.s,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = fetch_code});
    if (status) return status;
    int16_t code = fetch_code(&r);
    if (code && code != KERR_GROUP_ID_NOT_FOUND) return admin_refused(g->name.s, code, KSTR_NULL);
    return keep_offsets(a, g, &r) ? cli_fail("%s: too many partitions", g->name.s) : 0;
}

static int compare_partitions(const void *x, const void *y) {
    const struct group_partition *a = x, *b = y;
    int n =
        memcmp(a->topic.s, b->topic.s, (size_t)(a->topic.len < b->topic.len ? a->topic.len : b->topic.len));
    if (n || a->topic.len != b->topic.len) return n ? n : a->topic.len - b->topic.len;
    return (a->partition > b->partition) - (a->partition < b->partition);
}

void group_sort(struct group_view *g) {
    if (g->partitions_n)
        qsort(g->partitions, (size_t)g->partitions_n, sizeof *g->partitions, compare_partitions);
}

/* Leaders of the partitions, by Metadata of their topics. */
static int ask_leaders(struct admin *a, struct group_view *g) {
    struct metadata_response meta;
    char **names = arena_calloc(&a->arena, (size_t)g->partitions_n + 1, sizeof *names);
    int n = 0;
    if (!names) return cli_fail("too many partitions");
    for (int32_t i = 0; i < g->partitions_n; i++)
        if (i == 0 || !kstr_equal(g->partitions[i].topic, g->partitions[i - 1].topic))
            names[n++] = (char *)admin_cstr(a, g->partitions[i].topic);
    int status = admin_metadata(a, names, n, &meta);
    for (int32_t t = 0; !status && t < meta.topics_n; t++)
        for (int32_t k = 0; k < meta.topics[t].partitions_n; k++) {
            struct group_partition key = {.topic = meta.topics[t].name,
                                          .partition = meta.topics[t].partitions[k].partition_index};
            struct group_partition *p =
                bsearch(&key, g->partitions, (size_t)g->partitions_n, sizeof key, compare_partitions);
            if (p) p->leader = meta.topics[t].partitions[k].leader_id;
        }
    return status;
}

int group_ask_ends(struct admin *a, struct group_view *g) {
    if (g->partitions_n == 0) return 0;
    group_sort(g);
    struct offset_at *q = arena_calloc(&a->arena, (size_t)g->partitions_n, sizeof *q);
    if (!q) return cli_fail("too many partitions");
    int status = ask_leaders(a, g);
    for (int which = OFFSET_LATEST; which >= OFFSET_EARLIEST && !status; which--) {
        for (int32_t i = 0; i < g->partitions_n; i++)
            q[i] = (struct offset_at){.topic = g->partitions[i].topic,
                                      .partition = g->partitions[i].partition,
                                      .leader = g->partitions[i].leader,
                                      .timestamp = which};
        status = offsets_ask(a, q, g->partitions_n, false);
        for (int32_t i = 0; i < g->partitions_n && !status; i++) {
            int64_t offset = q[i].error ? -1 : q[i].offset;
            if (which == OFFSET_LATEST)
                g->partitions[i].end = offset;
            else
                g->partitions[i].start = offset;
        }
    }
    return status;
}
