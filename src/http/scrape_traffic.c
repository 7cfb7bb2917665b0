/* Bytes and records in and out, of all topics and of each; requests by API. */
#include "http/scrape.h"

#include <stdatomic.h>

#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/measure.h"
#include "server/net.h"
#include "server/node.h"
#include "wire/api.h"

enum { TOPICS_A_PIECE = 64 };

/* ---- produce and fetch ---- */

static int64_t of_all_loops(const struct node *n, size_t offset) {
    int64_t sum = 0;
    for (int i = 0; i < n->nets_n; i++)
        sum += counter_get((const struct counter *)((const char *)n->nets[i]->measures + offset));
    return sum;
}

static int64_t of_replica(const struct replica *p, enum metric_id id) {
    if (id == METRIC_BYTES_IN) return counter_get(&p->bytes_in);
    if (id == METRIC_MESSAGES_IN) return counter_get(&p->messages_in);
    return atomic_load_explicit(&p->bytes_out, memory_order_relaxed);
}

/* The next topics: replicas of one are neighbours. */
static void add_topics(struct scrape *s, enum metric_id id) {
    for (int n = 0; n < TOPICS_A_PIECE && s->at < s->replicas_n; n++) {
        const struct replica_topic *t = s->replicas[s->at]->topic;
        int64_t sum = 0;
        for (; s->at < s->replicas_n && s->replicas[s->at]->topic == t; s->at++)
            sum += of_replica(s->replicas[s->at], id);
        const struct metric_label labels[] = {{"topic", {t->name, t->name_len}}, {0}};
        metric_int(&s->out, id, labels, sum);
    }
}

static const struct {
    enum metric_id id;
    size_t offset; /* in struct measures */
    bool by_topic;
} families[] = {{METRIC_BYTES_IN, offsetof(struct measures, bytes_in), true},
                {METRIC_MESSAGES_IN, offsetof(struct measures, messages_in), true},
                {METRIC_BYTES_OUT, offsetof(struct measures, bytes_out), true},
                {METRIC_TOTAL_PRODUCE, offsetof(struct measures, produced), false},
                {METRIC_FAILED_PRODUCE, offsetof(struct measures, produce_failed), false},
                {METRIC_TOTAL_FETCH, offsetof(struct measures, fetched), false},
                {METRIC_FAILED_FETCH, offsetof(struct measures, fetch_failed), false},
                {METRIC_CONNECTIONS_MADE, offsetof(struct measures, connections), false}};
enum { FAMILIES = sizeof families / sizeof *families };

bool scrape_traffic(struct scrape *s) {
    enum metric_id id = families[s->family].id;
    if (s->at == 0) {
        metric_head(&s->out, id);
        metric_int(&s->out, id, NULL, of_all_loops(s->node, families[s->family].offset));
    }
    if (families[s->family].by_topic && s->replicas_n) {
        add_topics(s, id);
        if (s->at < s->replicas_n) return true;
    }
    s->at = 0;
    return ++s->family < FAMILIES;
}

/* ---- requests ---- */

static const struct {
    enum metric_id id;
    size_t offset; /* in struct api_measures */
    bool histogram;
} of_apis[] = {{METRIC_REQUESTS, offsetof(struct api_measures, requests), false},
               {METRIC_REQUEST_BYTES, offsetof(struct api_measures, bytes), false},
               {METRIC_QUEUE_MS, offsetof(struct api_measures, queue), true},
               {METRIC_LOCAL_MS, offsetof(struct api_measures, local), true},
               {METRIC_REMOTE_MS, offsetof(struct api_measures, remote), true},
               {METRIC_RESPONSE_QUEUE_MS, offsetof(struct api_measures, response_queue), true},
               {METRIC_TOTAL_MS, offsetof(struct api_measures, total), true}};
enum { OF_APIS = sizeof of_apis / sizeof *of_apis };

static void add_api(struct scrape *s, const struct api *api) {
    struct histogram_view view = {0};
    int64_t sum = 0;
    bool any = false;
    for (int i = 0; i < s->node->nets_n; i++) {
        const struct api_measures *a =
            atomic_load_explicit(&s->node->nets[i]->measures->apis[api->key], memory_order_acquire);
        if (!a) continue;
        any = true;
        const void *at = (const char *)a + of_apis[s->family].offset;
        if (of_apis[s->family].histogram)
            histogram_add_to(at, &view);
        else
            sum += counter_get(at);
    }
    const struct metric_label labels[] = {{"request", kstr_of(api->name)}, {0}};
    if (any && of_apis[s->family].histogram)
        metric_histogram(&s->out, of_apis[s->family].id, labels, &view);
    else if (any)
        metric_int(&s->out, of_apis[s->family].id, labels, sum);
}

bool scrape_requests(struct scrape *s) {
    metric_head(&s->out, of_apis[s->family].id);
    for (int i = 0; i < apis_n; i++)
        if (apis[i].key >= 0 && apis[i].key < HANDLER_KEYS) add_api(s, &apis[i]);
    return ++s->family < OF_APIS;
}
