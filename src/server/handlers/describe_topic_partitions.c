/* DescribeTopicPartitions (KIP-966): topics in order of names, a page at a time; the cursor names where the
 * next page begins. DescribeTopicPartitionsRequestHandler, KRaftMetadataCache.describeTopicResponse. */
#include "server/handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "api/describe_topic_partitions.h"
#include "config/config.h"
#include "metadata/image.h"
#include "metadata/topic_name.h"
#include "server/node.h"
#include "server/operations.h"

struct page {
    struct request *request;
    const struct image *image;
    const struct describe_topic_partitions_request *in;
    struct describe_topic_partitions_response *out;
    struct kstr *names; /* in order, none twice */
    int32_t n, left;    /* left: partitions that the page still takes */
    bool all;
};

static int compare_names(const void *a, const void *b) {
    const struct kstr *x = a, *y = b;
    int32_t n = x->len < y->len ? x->len : y->len;
    int c = n > 0 ? memcmp(x->s, y->s, (size_t)n) : 0;
    return c ? c : x->len - y->len;
}

/* The names of the page and of those after it, from the cursor on. 0, or the error. */
static int16_t list_names(struct page *p) {
    const struct describe_topic_partitions_request_cursor *cursor = p->in->cursor;
    struct kstr first = cursor ? cursor->topic_name : KSTR("");
    size_t total = (size_t)p->in->topics_n;
    const struct topic **topics = NULL;
    if (p->all) topics = image_topics_sorted(p->image, &p->request->arena, &total);
    p->names = request_array(p->request, total, sizeof *p->names);
    if (!p->names || (p->all && total && !topics)) return KERR_UNKNOWN_SERVER_ERROR;
    for (size_t i = 0; i < total; i++) {
        struct kstr name =
            p->all ? (struct kstr){topics[i]->name, topics[i]->name_len} : p->in->topics[i].name;
        if (compare_names(&name, &first) >= 0) p->names[p->n++] = name;
    }
    qsort(p->names, (size_t)p->n, sizeof *p->names, compare_names);
    int32_t kept = 0;
    for (int32_t i = 0; i < p->n; i++)
        if (!kept || compare_names(&p->names[i], &p->names[kept - 1])) p->names[kept++] = p->names[i];
    p->n = kept;
    bool there = !cursor || p->all || (kept && kstr_equal(p->names[0], first));
    return there && (!cursor || cursor->partition_index >= 0) ? 0 : KERR_INVALID_REQUEST;
}

static void answer_partition(
    int32_t index, const struct partition *p,
    struct describe_topic_partitions_response_describe_topic_partitions_response_partition *o) {
    describe_topic_partitions_response_describe_topic_partitions_response_partition_init(o);
    o->partition_index = index;
    o->leader_id = p->leader;
    o->leader_epoch = p->leader_epoch;
    o->error_code = p->leader == NO_LEADER ? KERR_LEADER_NOT_AVAILABLE : KERR_NONE;
    o->replica_nodes = (int32_t *)(uintptr_t)p->replicas;
    o->replica_nodes_n = p->replicas_n;
    o->isr_nodes = (int32_t *)(uintptr_t)p->isr;
    o->isr_nodes_n = p->isr_n;
    o->eligible_leader_replicas = (int32_t *)(uintptr_t)p->elr;
    o->eligible_leader_replicas_n = p->elr_n;
    o->last_known_elr = (int32_t *)(uintptr_t)p->last_known_elr;
    o->last_known_elr_n = p->last_known_elr_n;
}

static void list_offline(
    struct page *page, const struct partition *p,
    struct describe_topic_partitions_response_describe_topic_partitions_response_partition *o) {
    for (int32_t i = 0; i < p->replicas_n; i++) {
        const struct broker *b = image_broker(page->image, p->replicas[i]);
        if (b && !b->fenced && broker_endpoint(b, request_listener(page->request))) continue;
        if (!o->offline_replicas)
            o->offline_replicas = request_array(page->request, (size_t)p->replicas_n, sizeof(int32_t));
        if (o->offline_replicas) o->offline_replicas[o->offline_replicas_n++] = p->replicas[i];
    }
}

static void next_page(struct page *p, struct kstr topic, int32_t partition) {
    p->out->next_cursor = request_alloc(p->request, sizeof *p->out->next_cursor);
    p->out->next_cursor->topic_name = topic;
    p->out->next_cursor->partition_index = partition;
}

/* The partitions of one topic from `first` on, as many as the page takes. False: the page is full. */
static bool answer_topic(
    struct page *p, const struct topic *t, int32_t first,
    struct describe_topic_partitions_response_describe_topic_partitions_response_topic *o) {
    int32_t end = t->partitions_n - first > p->left ? first + p->left : t->partitions_n;
    o->name = (struct kstr){t->name, t->name_len};
    o->topic_id = t->id;
    o->is_internal = topic_name_is_internal(t->name, (size_t)t->name_len);
    o->topic_authorized_operations = OPERATIONS_TOPIC;
    if (first >= end) return true;
    o->partitions = request_array(p->request, (size_t)(end - first), sizeof *o->partitions);
    for (int32_t i = first; o->partitions && i < end; i++) {
        if (!t->partitions[i]) continue;
        answer_partition(i, t->partitions[i], &o->partitions[o->partitions_n]);
        list_offline(p, t->partitions[i], &o->partitions[o->partitions_n++]);
    }
    p->left -= end - first;
    if (end < t->partitions_n) next_page(p, o->name, end);
    return end == t->partitions_n;
}

static void answer_missing(
    struct kstr name, struct describe_topic_partitions_response_describe_topic_partitions_response_topic *o) {
    o->name = name;
    o->error_code = topic_name_valid(name.s, (size_t)name.len) ? KERR_UNKNOWN_TOPIC_OR_PARTITION
                                                               : KERR_INVALID_TOPIC_EXCEPTION;
    o->is_internal = topic_name_is_internal(name.s, (size_t)name.len);
    o->topic_authorized_operations = OPERATIONS_TOPIC;
}

static void fill(struct page *p) {
    p->out->topics = request_array(p->request, (size_t)p->n, sizeof *p->out->topics);
    const struct describe_topic_partitions_request_cursor *cursor = p->in->cursor;
    for (int32_t i = 0; p->out->topics && i < p->n; i++) {
        if (p->left == 0) {
            next_page(p, p->names[i], 0);
            return;
        }
        const struct topic *t = image_topic_by_name(p->image, p->names[i].s, (size_t)p->names[i].len);
        if (!t && p->all) continue;
        struct describe_topic_partitions_response_describe_topic_partitions_response_topic *o =
            &p->out->topics[p->out->topics_n++];
        describe_topic_partitions_response_describe_topic_partitions_response_topic_init(o);
        int32_t first = cursor && kstr_equal(cursor->topic_name, p->names[i]) ? cursor->partition_index : 0;
        if (!t)
            answer_missing(p->names[i], o);
        else if (!answer_topic(p, t, first, o))
            return;
    }
}

/* DescribeTopicPartitionsRequest.getErrorResponse: each topic that was asked for, with the error. */
static void refuse(struct page *p, int16_t error) {
    p->out->topics = request_array(p->request, (size_t)p->in->topics_n, sizeof *p->out->topics);
    for (int32_t i = 0; p->out->topics && i < p->in->topics_n; i++) {
        struct describe_topic_partitions_response_describe_topic_partitions_response_topic *o =
            &p->out->topics[p->out->topics_n++];
        describe_topic_partitions_response_describe_topic_partitions_response_topic_init(o);
        o->name = p->in->topics[i].name;
        o->error_code = error;
    }
}

void handle_describe_topic_partitions(struct request *r, const struct describe_topic_partitions_request *in) {
    struct page p = {.request = r, .image = request_image(r), .in = in, .all = in->topics_n == 0};
    int32_t limit = (int32_t)config_int(r->node->config, CFG_MAX_REQUEST_PARTITION_SIZE_LIMIT);
    p.left = in->response_partition_limit < limit ? in->response_partition_limit : limit;
    if (p.left < 1) p.left = 1;
    p.out = request_alloc(r, sizeof *p.out);
    describe_topic_partitions_response_init(p.out);
    int16_t error = list_names(&p);
    if (error)
        refuse(&p, error);
    else
        fill(&p);
    request_finish(r, p.out);
}
