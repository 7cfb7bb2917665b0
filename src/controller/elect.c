/* Elections: by the coming and going of brokers (ReplicationControlManager.generateLeaderAndIsrUpdates), and
 * by request (electLeaders). What becomes of a partition is in partition_change.c. */
#include "api/elect_leaders.h"
#include "base/assert.h"
#include "controller/partition_change.h"
#include "metadata/version.h"
#include "records/metadata.h"

#include <stdlib.h>

static bool in(const int32_t *v, int32_t n, int32_t id) {
    return broker_ids_have((struct broker_ids){(int32_t *)v, n}, id);
}

static bool concerns(const struct partition *p, int32_t remove, int32_t add, int32_t unclean) {
    if (add != NO_LEADER) return p->leader == NO_LEADER;
    int32_t id = remove != NO_LEADER ? remove : unclean;
    return in(p->isr, p->isr_n, id) || (unclean != NO_LEADER && in(p->elr, p->elr_n, id));
}

static void leave_isr(struct partition_change *x) {
    int32_t gone = x->remove != NO_LEADER ? x->remove : x->unclean;
    if (gone != NO_LEADER)
        x->isr = broker_ids_without(x->arena, x->isr.v, x->isr.n, (struct broker_ids){&gone, 1});
}

void elections_add(struct controller *c, int32_t remove, int32_t add, int32_t unclean,
                   struct record_list *records) {
    ASSERT((remove != NO_LEADER) + (add != NO_LEADER) + (unclean != NO_LEADER) == 1);
    struct pmap_iter it;
    pmap_iterate(&c->image->topics_by_id, &it);
    for (const struct topic *t; (t = pmap_next(&it));) {
        for (int32_t i = 0; i < t->partitions_n; i++) {
            struct partition_change x;
            if (!t->partitions[i] || !concerns(t->partitions[i], remove, add, unclean)) continue;
            partition_change_init(&x, c, t, i, records);
            x.remove = remove;
            x.add = add;
            x.unclean = unclean;
            if (unclean_election_allowed(c, t)) x.election = ELECTION_UNCLEAN;
            leave_isr(&x);
            partition_change_add(&x, records);
        }
    }
}

void election_add(struct controller *c, const struct topic *t, int32_t index, int32_t remove,
                  struct record_list *records) {
    struct partition_change x;
    ASSERT(remove != NO_LEADER);
    if (!concerns(t->partitions[index], remove, NO_LEADER, NO_LEADER)) return;
    partition_change_init(&x, c, t, index, records);
    x.remove = remove;
    if (unclean_election_allowed(c, t)) x.election = ELECTION_UNCLEAN;
    leave_isr(&x);
    partition_change_add(&x, records);
}

int16_t controller_recovered(struct controller *c, int32_t broker, int64_t epoch,
                             struct record_list *records) {
    int16_t code = broker_check_epoch(c->image, broker, epoch);
    struct pmap_iter it;
    if (code) return code;
    records->atomic = false;
    pmap_iterate(&c->image->topics_by_id, &it);
    for (const struct topic *t; (t = pmap_next(&it));)
        for (int32_t i = 0; i < t->partitions_n; i++) {
            const struct partition *p = t->partitions[i];
            if (!p || p->leader != broker || p->leader_recovery_state != RECOVERING) continue;
            struct partition_change_record rec;
            partition_change_record_init(&rec);
            rec.topic_id = t->id;
            rec.partition_id = i;
            rec.leader_recovery_state = RECOVERED;
            record_add_partition_change(records, mv_partition_version(c->image->metadata_version), &rec);
        }
    return 0;
}

/* ---- by request ---- */

enum { PREFERRED = 0, UNCLEAN = 1 }; /* ElectionType */

struct work {
    struct controller *c;
    struct arena *arena;
    struct elect_leaders_response *response;
    struct record_list *records;
    int8_t type;
};

static struct api_error elect_one(struct work *w, struct kstr name, int32_t index) {
    const struct topic *t = image_topic_by_name(w->c->image, name.s, (size_t)name.len);
    const struct partition *p = t ? topic_partition(t, index) : NULL;
    if (!t)
        return api_error_printf(w->arena, KERR_UNKNOWN_TOPIC_OR_PARTITION, "No such topic as %.*s",
                                (int)name.len, name.s);
    if (!p)
        return api_error_printf(w->arena, KERR_UNKNOWN_TOPIC_OR_PARTITION, "No such partition as %s-%d",
                                t->name, index);
    if (w->type == PREFERRED ? p->leader == p->replicas[0] : p->leader != NO_LEADER)
        return api_error_of(KERR_ELECTION_NOT_NEEDED);
    struct partition_change x;
    partition_change_init(&x, w->c, t, index, w->records);
    x.election = w->type == PREFERRED ? ELECTION_PREFERRED : ELECTION_UNCLEAN;
    if (partition_change_add(&x, w->records)) return API_OK;
    return api_error_of(w->type == PREFERRED ? KERR_PREFERRED_LEADER_NOT_AVAILABLE
                                             : KERR_ELIGIBLE_LEADERS_NOT_AVAILABLE);
}

/* The results of one topic; false: no memory. quiet: those that need no election are left out. */
static bool elect_topic(struct work *w, struct kstr name, const int32_t *partitions, int32_t n, bool quiet) {
    struct elect_leaders_response_replica_election_result *to =
        &w->response->replica_election_results[w->response->replica_election_results_n];
    elect_leaders_response_replica_election_result_init(to);
    to->topic = name;
    to->partition_result = arena_calloc(w->arena, (size_t)n, sizeof *to->partition_result);
    if (!to->partition_result) return false;
    w->response->replica_election_results_n++;
    for (int32_t i = 0; i < n; i++) {
        int32_t index = partitions ? partitions[i] : i;
        struct api_error e = elect_one(w, name, index);
        if (quiet && e.code == KERR_ELECTION_NOT_NEEDED) continue;
        struct elect_leaders_response_partition_result *p = &to->partition_result[to->partition_result_n++];
        elect_leaders_response_partition_result_init(p);
        p->partition_id = index;
        p->error_code = e.code;
        p->error_message = kstr_of(e.message);
    }
    return true;
}

static bool room_for_topics(struct work *w, size_t n) {
    struct elect_leaders_response *out = w->response;
    out->replica_election_results = arena_calloc(w->arena, n, sizeof *out->replica_election_results);
    return out->replica_election_results != NULL;
}

static bool elect_all(struct work *w) {
    struct pmap_iter it;
    if (!room_for_topics(w, image_topics_n(w->c->image))) return false;
    pmap_iterate(&w->c->image->topics_by_id, &it);
    for (const struct topic *t; (t = pmap_next(&it));) {
        struct kstr name = {arena_strndup(w->arena, t->name, (size_t)t->name_len), t->name_len};
        if (!name.s || !elect_topic(w, name, NULL, t->partitions_n, true)) return false;
    }
    return true;
}

static bool elect_named(struct work *w, const struct elect_leaders_request *request) {
    if (!room_for_topics(w, (size_t)request->topic_partitions_n)) return false;
    for (int32_t i = 0; i < request->topic_partitions_n; i++) {
        const struct elect_leaders_request_topic_partitions *t = &request->topic_partitions[i];
        if (!elect_topic(w, t->topic, t->partitions, t->partitions_n, false)) return false;
    }
    return true;
}

/* All that was asked for, with the error that concerns all. */
static void fail_all(struct work *w, const struct elect_leaders_request *request, struct api_error e) {
    record_list_truncate(w->records, 0);
    elect_leaders_response_init(w->response);
    w->response->error_code = e.code;
    if (request->topic_partitions_n <= 0 || !room_for_topics(w, (size_t)request->topic_partitions_n)) return;
    for (int32_t i = 0; i < request->topic_partitions_n; i++) {
        const struct elect_leaders_request_topic_partitions *t = &request->topic_partitions[i];
        struct elect_leaders_response_replica_election_result *to =
            &w->response->replica_election_results[w->response->replica_election_results_n++];
        elect_leaders_response_replica_election_result_init(to);
        to->topic = t->topic;
        to->partition_result = arena_calloc(w->arena, (size_t)t->partitions_n, sizeof *to->partition_result);
        for (int32_t k = 0; to->partition_result && k < t->partitions_n; k++)
            to->partition_result[to->partition_result_n++] = (struct elect_leaders_response_partition_result){
                t->partitions[k], e.code, kstr_of(e.message)};
    }
}

void controller_elect_leaders(struct controller *c, const struct controller_context *x,
                              const struct elect_leaders_request *request,
                              struct elect_leaders_response *response, struct record_list *records) {
    struct work w = {c, x->arena, response, records, request->election_type};
    elect_leaders_response_init(response);
    if (request->topic_partitions_n == 0) return;
    if (w.type != PREFERRED && w.type != UNCLEAN) {
        fail_all(&w, request,
                 api_error_printf(x->arena, KERR_INVALID_REQUEST, "Unknown election type %d", w.type));
        return;
    }
    bool ok = request->topic_partitions_n < 0 ? elect_all(&w) : elect_named(&w, request);
    if (ok && records->n > MAX_RECORDS_PER_OP)
        fail_all(&w, request, api_error_of(KERR_POLICY_VIOLATION));
    else if (!ok)
        fail_all(&w, request, api_error_of(KERR_UNKNOWN_SERVER_ERROR));
    records->atomic = false;
}
