#include "cli/offsets.h"

#include <stdlib.h>

#include "api/list_offsets.h"
#include "base/assert.h"
#include "base/kerr.h"

static int compare_strings(struct kstr a, struct kstr b) {
    int n = memcmp(a.s, b.s, (size_t)(a.len < b.len ? a.len : b.len));
    return n ? n : (a.len > b.len) - (a.len < b.len);
}

static int by_leader(const void *x, const void *y) {
    const struct offset_at *a = *(struct offset_at *const *)x, *b = *(struct offset_at *const *)y;
    if (a->leader != b->leader) return a->leader < b->leader ? -1 : 1;
    int n = compare_strings(a->topic, b->topic);
    return n ? n : (a->partition > b->partition) - (a->partition < b->partition);
}

/* The queries of one leader, in order of topics, as a request. */
static int fill(struct admin *a, struct list_offsets_request *r, struct offset_at *const *q, int n) {
    r->topics = arena_calloc(&a->arena, (size_t)n, sizeof *r->topics);
    struct list_offsets_request_list_offsets_partition *p = arena_calloc(&a->arena, (size_t)n, sizeof *p);
    if (!r->topics || !p) return OE_LIMIT;
    struct list_offsets_request_list_offsets_topic *t = NULL;
    for (int i = 0; i < n; i++, p++) {
        if (!t || !kstr_equal(t->name, q[i]->topic)) {
            t = &r->topics[r->topics_n++];
            *t = (struct list_offsets_request_list_offsets_topic){.name = q[i]->topic, .partitions = p};
        }
        list_offsets_request_list_offsets_partition_init(p);
        p->partition_index = q[i]->partition;
        p->timestamp = q[i]->timestamp;
        t->partitions_n++;
    }
    return 0;
}

static void keep(const struct list_offsets_response *r, struct offset_at *const *q, int n) {
    for (int i = 0; i < n; i++) q[i]->error = KERR_UNKNOWN_SERVER_ERROR;
    for (int32_t t = 0; t < r->topics_n; t++)
        for (int32_t j = 0; j < r->topics[t].partitions_n; j++) {
            const struct list_offsets_response_list_offsets_partition_response *p =
                &r->topics[t].partitions[j];
            struct offset_at key = {.topic = r->topics[t].name,
                                    .partition = p->partition_index,
                                    .leader = q[0]->leader},
                             *k = &key;
            struct offset_at *const *found = bsearch(&k, q, (size_t)n, sizeof(struct offset_at *), by_leader);
            if (!found) continue;
            (*found)->error = p->error_code;
            (*found)->offset = p->offset;
        }
}

static int ask_leader(struct admin *a, struct offset_at **q, int n, bool committed) {
    struct list_offsets_request request;
    struct list_offsets_response response;
    list_offsets_request_init(&request);
    request.replica_id = -1;
    request.isolation_level = committed;
    request.timeout_ms = a->timeout_ms;
    if (fill(a, &request, q, n)) return cli_fail("too many partitions");
    int status = admin_call(a, &(struct client_call){.key = API_LIST_OFFSETS,
                                                     .target = CLIENT_NODE,
                                                     .node = q[0]->leader,
                                                     .request = &request,
                                                     .response = &response,
                                                     .arena = &a->arena});
    if (!status) keep(&response, q, n);
    return status;
}

int offsets_ask(struct admin *a, struct offset_at *q, int n, bool committed) {
    struct offset_at **sorted = arena_calloc(&a->arena, (size_t)n + 1, sizeof *sorted);
    int status = 0;
    if (!sorted) return cli_fail("too many partitions");
    for (int i = 0; i < n; i++) {
        sorted[i] = &q[i];
        q[i].offset = -1;
        q[i].error = KERR_LEADER_NOT_AVAILABLE;
    }
    qsort(sorted, (size_t)n, sizeof(struct offset_at *), by_leader);
    for (int i = 0, end; i < n && !status; i = end) {
        for (end = i; end < n && sorted[end]->leader == sorted[i]->leader;) end++;
        if (sorted[i]->leader >= 0) status = ask_leader(a, sorted + i, end - i, committed);
    }
    return status;
}

struct offset_at *offsets_of_topics(struct admin *a, const struct metadata_response *r, int64_t timestamp,
                                    int *n) {
    size_t count = 0;
    for (int32_t t = 0; t < r->topics_n; t++) count += (size_t)r->topics[t].partitions_n;
    struct offset_at *q = arena_calloc(&a->arena, count + 1, sizeof *q);
    *n = 0;
    for (int32_t t = 0; q && t < r->topics_n; t++)
        for (int32_t i = 0; i < r->topics[t].partitions_n; i++) {
            const struct metadata_response_metadata_response_partition *p = &r->topics[t].partitions[i];
            q[(*n)++] = (struct offset_at){.topic = r->topics[t].name,
                                           .partition = p->partition_index,
                                           .leader = p->leader_id,
                                           .timestamp = timestamp};
        }
    return q;
}
