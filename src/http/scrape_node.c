/* The cluster as the metadata knows it; quotas; the process. */
#include "http/scrape.h"

#include <stdatomic.h>

#include "io/clock.h"
#include "io/process.h"
#include "metadata/image.h"
#include "server/net.h"
#include "server/node.h"

enum { BROKER_RUNNING = 3, BROKER_LEAVING = 6, METERS_SHOWN = 1000 };

/* ---- cluster ---- */

struct numbers {
    int64_t partitions, offline, not_preferred;
};

static void count_topics(const struct image *image, struct numbers *n) {
    struct pmap_iter it;
    pmap_iterate(&image->topics_by_name, &it);
    for (const struct topic *t; (t = pmap_next(&it));)
        for (int32_t i = 0; i < t->partitions_n; i++) {
            const struct partition *p = t->partitions[i];
            if (!p) continue;
            n->partitions++;
            n->offline += p->leader == NO_LEADER;
            n->not_preferred += p->replicas_n > 0 && p->leader != p->replicas[0];
        }
}

bool scrape_cluster(struct scrape *s) {
    const struct image *image = s->image;
    struct numbers n = {0};
    int64_t fenced = 0, connections = 0, brokers = image_brokers_n(image);
    for (int32_t i = 0; i < brokers; i++) fenced += image_broker_at(image, i)->fenced;
    for (int i = 0; i < s->node->nets_n; i++)
        connections += atomic_load_explicit(&s->node->nets[i]->connections, memory_order_relaxed);
    count_topics(image, &n);
    metric_one(&s->out, METRIC_CONNECTIONS, (double)connections);
    metric_one(&s->out, METRIC_REQUEST_MEMORY,
               (double)atomic_load_explicit(&s->node->request_memory.used, memory_order_relaxed));
    metric_one(&s->out, METRIC_ACTIVE_CONTROLLER, 1); /* of a quorum of one */
    metric_one(&s->out, METRIC_ACTIVE_BROKERS, (double)(brokers - fenced));
    metric_one(&s->out, METRIC_FENCED_BROKERS, (double)fenced);
    metric_one(&s->out, METRIC_TOPICS, (double)image_topics_n(image));
    metric_one(&s->out, METRIC_PARTITIONS, (double)n.partitions);
    metric_one(&s->out, METRIC_OFFLINE_PARTITIONS, (double)n.offline);
    metric_one(&s->out, METRIC_IMBALANCE, (double)n.not_preferred);
    metric_one(&s->out, METRIC_RAFT_EPOCH, image->epoch);
    metric_one(&s->out, METRIC_RAFT_LEADER, s->node->id);
    metric_one(&s->out, METRIC_METADATA_APPLIED, (double)image->offset);
    metric_one(&s->out, METRIC_METADATA_TIME, (double)image->timestamp_ms);
    metric_one(&s->out, METRIC_METADATA_VERSION, image->metadata_version);
    metric_one(&s->out, METRIC_BROKER_STATE, s->leaving ? BROKER_LEAVING : BROKER_RUNNING);
    return false;
}

/* ---- quotas ---- */

static const enum metric_id of_quotas[] = {METRIC_QUOTA_LIMIT, METRIC_QUOTA_RATE, METRIC_QUOTA_THROTTLED,
                                           METRIC_QUOTA_THROTTLE_MS};
enum { OF_QUOTAS = sizeof of_quotas / sizeof *of_quotas };

static void add_meter(void *arg, const struct meter_view *v) {
    struct scrape *s = arg;
    if (s->at++ >= METERS_SHOWN) return;
    enum metric_id id = of_quotas[s->family];
    const struct metric_label labels[] = {
        {"quota", kstr_of(quota_type_key(v->type))}, {"user", v->user}, {"client_id", v->client_id}, {0}};
    if (id == METRIC_QUOTA_LIMIT)
        metric_sample(&s->out, id, labels, v->limit);
    else if (id == METRIC_QUOTA_RATE)
        metric_sample(&s->out, id, labels, v->per_second);
    else
        metric_int(&s->out, id, labels, id == METRIC_QUOTA_THROTTLED ? v->throttled_n : v->throttled_ms);
}

bool scrape_quotas(struct scrape *s) {
    metric_head(&s->out, of_quotas[s->family]);
    s->at = 0;
    quotas_each(&s->node->quotas, clock_mono_ms(), add_meter, s);
    return ++s->family < OF_QUOTAS;
}

/* ---- process ---- */

bool scrape_process(struct scrape *s) {
    struct process_usage u;
    process_usage(&u);
    metric_one(&s->out, METRIC_RESIDENT, (double)u.resident_bytes);
    metric_one(&s->out, METRIC_CPU, u.cpu_seconds);
    metric_one(&s->out, METRIC_DESCRIPTORS, (double)u.descriptors);
    metric_one(&s->out, METRIC_DESCRIPTORS_MAX, (double)u.descriptors_max);
    metric_one(&s->out, METRIC_STARTED, u.started);
    metric_head(&s->out, METRIC_BUILD);
    const struct metric_label labels[] = {{"version", KSTR(OTTLA_VERSION)}, {0}};
    metric_int(&s->out, METRIC_BUILD, labels, 1);
    return false;
}
