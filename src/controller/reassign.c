/* AlterPartitionReassignments, ListPartitionReassignments (ReplicationControlManager). A partition gets new
 * replicas beside those it has; it keeps both until the new ones are in sync, when partition_change.c ends
 * the reassignment. A change that is reached at once (an order, or what is in sync already) ends in the same
 * record. Without replicas: the reassignment that goes on is cancelled. */
#include "api/alter_partition_reassignments.h"
#include "api/list_partition_reassignments.h"
#include "base/assert.h"
#include "controller/partition_change.h"

#include <stdlib.h>

#define TARGET struct alter_partition_reassignments_request_reassignable_partition

struct work {
    struct controller *c;
    struct arena *arena;
    struct record_list *records;
    bool any_replication; /* allow.replication.factor.change */
};

static bool in_progress(const struct partition *p) { return p->adding_n > 0 || p->removing_n > 0; }

static struct broker_ids view(const int32_t *v, int32_t n) { return (struct broker_ids){(int32_t *)v, n}; }

/* Back to the replicas of before. If nobody of them is in sync, the first one counts as it: data may be lost,
 * so the topic must allow unclean elections. */
static struct api_error cancel(struct work *w, const struct topic *t, int32_t index) {
    const struct partition *p = topic_partition(t, index);
    if (!in_progress(p)) return (struct api_error){KERR_NO_REASSIGNMENT_IN_PROGRESS, NULL};
    struct partition_change x;
    partition_change_init(&x, w->c, t, index, w->records);
    x.replicas = broker_ids_without(x.arena, p->replicas, p->replicas_n, x.adding);
    x.isr = broker_ids_without(x.arena, p->isr, p->isr_n, x.adding);
    bool unclean = unclean_election_allowed(w->c, t);
    if (x.replicas.n == 0)
        return (struct api_error){KERR_INVALID_REPLICA_ASSIGNMENT,
                                  "Invalid replica assignment: addingReplicas contains all replicas."};
    if (x.isr.n == 0 && !unclean)
        return api_error_printf(
            w->arena, KERR_INVALID_REPLICA_ASSIGNMENT,
            "Unable to revert partition assignment for %s:%d: it would need an unclean leader election.",
            t->name, index);
    if (x.isr.n == 0) x.isr = broker_ids_copy(x.arena, x.replicas.v, 1);
    if (unclean) x.election = ELECTION_UNCLEAN;
    x.adding.n = x.removing.n = 0;
    partition_change_add(&x, w->records);
    return API_OK;
}

/* How many replicas the partition has when what goes on has ended. */
static int32_t replication(const struct partition *p) {
    int32_t n = 0;
    struct broker_ids removing = view(p->removing, p->removing_n);
    for (int32_t i = 0; i < p->replicas_n; i++) n += !broker_ids_have(removing, p->replicas[i]);
    return n;
}

static int by_id(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static struct broker_ids sorted_difference(struct arena *a, struct broker_ids all, struct broker_ids gone) {
    struct broker_ids l = broker_ids_without(a, all.v, all.n, gone);
    qsort(l.v, (size_t)l.n, sizeof *l.v, by_id);
    return l;
}

static struct api_error change(struct work *w, const struct topic *t, const TARGET *to) {
    const struct partition *p = topic_partition(t, to->partition_index);
    struct api_error e = assignment_check(w->c->image, to->replicas, to->replicas_n, 0, w->arena);
    if (api_failed(e)) return e;
    if (!w->any_replication && replication(p) != to->replicas_n)
        return api_error_printf(w->arena, KERR_INVALID_REPLICATION_FACTOR,
                                "The replication factor is changed from %d to %d", replication(p),
                                to->replicas_n);
    struct partition_change x;
    partition_change_init(&x, w->c, t, to->partition_index, w->records);
    struct broker_ids now = view(p->replicas, p->replicas_n), then = view(to->replicas, to->replicas_n);
    struct broker_ids removing = sorted_difference(x.arena, now, then);
    struct broker_ids adding = sorted_difference(x.arena, then, now);
    struct broker_ids all = {arena_alloc(x.arena, (size_t)(then.n + removing.n) * sizeof(int32_t)), 0};
    ASSERT(all.v);
    for (int32_t i = 0; i < then.n; i++) all.v[all.n++] = then.v[i];
    for (int32_t i = 0; i < removing.n; i++) all.v[all.n++] = removing.v[i];
    x.replicas = all;
    if (removing.n > 0) x.removing = removing; /* those of before stay otherwise */
    if (adding.n > 0) x.adding = adding;
    partition_change_add(&x, w->records);
    return API_OK;
}

static struct api_error alter(struct work *w, struct kstr name, const TARGET *to) {
    const struct topic *t = image_topic_by_name(w->c->image, name.s, (size_t)name.len);
    if (!t)
        return api_error_printf(w->arena, KERR_UNKNOWN_TOPIC_OR_PARTITION,
                                "Unable to find a topic named %.*s.", (int)name.len, name.s);
    if (!topic_partition(t, to->partition_index))
        return api_error_printf(w->arena, KERR_UNKNOWN_TOPIC_OR_PARTITION, "Unable to find partition %s:%d.",
                                t->name, to->partition_index);
    return to->replicas_n < 0 ? cancel(w, t, to->partition_index) : change(w, t, to);
}

static bool alter_topic(struct work *w,
                        const struct alter_partition_reassignments_request_reassignable_topic *t,
                        struct alter_partition_reassignments_response_reassignable_topic_response *to) {
    alter_partition_reassignments_response_reassignable_topic_response_init(to);
    to->name = t->name;
    to->partitions = arena_calloc(w->arena, (size_t)t->partitions_n, sizeof *to->partitions);
    for (int32_t k = 0; to->partitions && k < t->partitions_n; k++) {
        struct api_error e = w->records->n < MAX_RECORDS_PER_OP
                                 ? alter(w, t->name, &t->partitions[k])
                                 : api_error_of(KERR_UNKNOWN_SERVER_ERROR); /* as the reference's full list */
        struct alter_partition_reassignments_response_reassignable_partition_response *p =
            &to->partitions[to->partitions_n++];
        alter_partition_reassignments_response_reassignable_partition_response_init(p);
        p->partition_index = t->partitions[k].partition_index;
        p->error_code = e.code;
        p->error_message = kstr_of(e.message);
    }
    return to->partitions != NULL;
}

void controller_alter_partition_reassignments(struct controller *c, const struct controller_context *x,
                                              const struct alter_partition_reassignments_request *request,
                                              struct alter_partition_reassignments_response *response,
                                              struct record_list *records) {
    struct work w = {c, x->arena, records, request->allow_replication_factor_change};
    alter_partition_reassignments_response_init(response);
    if (request->topics_n == 0) return;
    response->error_message = KSTR_NULL;
    response->allow_replication_factor_change = request->allow_replication_factor_change;
    response->responses = arena_calloc(x->arena, (size_t)request->topics_n, sizeof *response->responses);
    bool ok = response->responses != NULL;
    for (int32_t i = 0; ok && i < request->topics_n; i++)
        ok = alter_topic(&w, &request->topics[i], &response->responses[response->responses_n++]);
    records->atomic = true;
    if (ok) return;
    record_list_truncate(records, 0);
    alter_partition_reassignments_response_init(response);
    response->error_code = KERR_UNKNOWN_SERVER_ERROR;
    response->error_message = KSTR_NULL;
}

/* ---- what goes on ---- */

static bool list_topic(const struct topic *t, const int32_t *partitions, int32_t n, struct arena *a,
                       struct list_partition_reassignments_response *response) {
    struct list_partition_reassignments_response_ongoing_topic_reassignment *to =
        &response->topics[response->topics_n];
    list_partition_reassignments_response_ongoing_topic_reassignment_init(to);
    to->partitions = arena_calloc(a, (size_t)n, sizeof *to->partitions);
    if (!to->partitions) return false;
    for (int32_t i = 0; i < n; i++) {
        int32_t index = partitions ? partitions[i] : i;
        const struct partition *p = topic_partition(t, index);
        if (!p || !in_progress(p)) continue;
        struct list_partition_reassignments_response_ongoing_partition_reassignment *o =
            &to->partitions[to->partitions_n++];
        list_partition_reassignments_response_ongoing_partition_reassignment_init(o);
        o->partition_index = index;
        o->replicas = (int32_t *)p->replicas;
        o->replicas_n = p->replicas_n;
        o->adding_replicas = (int32_t *)p->adding;
        o->adding_replicas_n = p->adding_n;
        o->removing_replicas = (int32_t *)p->removing;
        o->removing_replicas_n = p->removing_n;
    }
    if (to->partitions_n == 0) return true;
    to->name = kstr_of(t->name);
    response->topics_n++;
    return true;
}

void reassignments_list(const struct image *image, struct arena *a,
                        const struct list_partition_reassignments_request *request,
                        struct list_partition_reassignments_response *response) {
    list_partition_reassignments_response_init(response);
    response->error_message = KSTR_NULL;
    size_t n = request->topics_n < 0 ? image_topics_n(image) : (size_t)request->topics_n;
    response->topics = arena_calloc(a, n, sizeof *response->topics);
    bool ok = response->topics != NULL;
    for (int32_t i = 0; ok && i < request->topics_n; i++) {
        const struct list_partition_reassignments_request_list_partition_reassignments_topics *q =
            &request->topics[i];
        const struct topic *t = image_topic_by_name(image, q->name.s, (size_t)q->name.len);
        if (t) ok = list_topic(t, q->partition_indexes, q->partition_indexes_n, a, response);
    }
    struct pmap_iter it;
    if (ok && request->topics_n < 0) pmap_iterate(&image->topics_by_id, &it);
    for (const struct topic *t; ok && request->topics_n < 0 && (t = pmap_next(&it));)
        ok = list_topic(t, NULL, t->partitions_n, a, response);
    if (ok) return;
    response->topics_n = 0;
    response->error_code = KERR_UNKNOWN_SERVER_ERROR;
}
