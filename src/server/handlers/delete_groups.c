/* DeleteGroups: empty groups with their offsets. KafkaApis.handleDeleteGroupsRequest,
 * GroupCoordinatorService.deleteGroups. A name that is there twice counts once.
 *
 * In turn: the group coordinator says which share partitions each group has states of (only a share group
 * has), the share coordinator deletes them, the group coordinator deletes the groups of which all that went
 * well. */
#include "server/handlers/handlers.h"

#include "api/delete_groups.h"
#include "base/hashmap.h"
#include "group/share_answer.h"
#include "server/node.h"
#include "server/share_state_call.h"

struct deletion {
    struct group_share_states asked; /* the group alone */
    struct group_share_states gone;  /* its share partitions */
    int16_t error;                   /* of its share partitions */
};

struct deletions {
    struct deletion *groups;
    int32_t n;
    struct delete_groups_response *out;
};

static void fail(struct request *r) { request_fail(r, "out of memory"); }

/* ---- the answers of the coordinators, last to first ---- */

static void on_deleted(struct request *r) {
    struct coord_call *call = r->state;
    const struct deletions *d = call->context;
    for (int32_t i = 0; i < call->n; i++) {
        const struct delete_groups_response_deletable_group_result *g = call->ops[i].response;
        if (!g) {
            fail(r);
            return;
        }
        d->out->results[d->out->results_n++] = *g;
    }
    request_finish(r, d->out);
}

static void delete_groups(struct request *r, struct deletions *d) {
    struct coord_call *call = coord_call_begin(r, COORDINATOR_GROUP, d->n);
    if (!call) {
        fail(r);
        return;
    }
    call->context = d;
    call->n = 0;
    for (int32_t i = 0; i < d->n; i++) {
        struct deletion *g = &d->groups[i];
        if (g->error) {
            struct delete_groups_response_deletable_group_result *o = &d->out->results[d->out->results_n++];
            delete_groups_response_deletable_group_result_init(o);
            o->group_id = g->asked.group;
            o->error_code = g->error;
            continue;
        }
        call->ops[call->n].api = GROUP_API_DELETE;
        call->ops[call->n++].request = &g->asked.group;
    }
    call->left = call->n;
    if (call->n)
        coord_call_send(call, on_deleted);
    else
        request_finish(r, d->out);
}

static int32_t partitions_of(const struct group_share_states *s) {
    int32_t n = 0;
    for (int32_t t = 0; t < s->topics_n; t++) n += s->topics[t].partitions_n;
    return n;
}

static void on_states_gone(struct request *r) {
    struct coord_call *call = r->state;
    struct deletions *d = call->context;
    int32_t at = 0;
    for (int32_t i = 0; i < d->n; i++) {
        struct deletion *g = &d->groups[i];
        for (int32_t left = partitions_of(&g->gone); left; left--) {
            const struct share_state_response *s = share_state_call_response(call, at++);
            if (!g->error) g->error = s ? s->error : KERR_UNKNOWN_SERVER_ERROR;
        }
    }
    delete_groups(r, d);
}

static void delete_states(struct request *r, struct deletions *d, int32_t n) {
    struct coord_call *call = share_state_call_begin(r, SHARE_STATE_DELETE, n);
    int32_t at = 0;
    if (!call) return;
    call->context = d;
    for (int32_t i = 0; i < d->n; i++) {
        const struct group_share_states *gone = &d->groups[i].gone;
        for (int32_t t = 0; t < gone->topics_n; t++)
            for (int32_t p = 0; p < gone->topics[t].partitions_n; p++) {
                struct share_state_request *s = share_state_call_at(call, at++);
                s->group = d->groups[i].asked.group;
                s->topic = gone->topics[t].id;
                s->partition = gone->topics[t].partitions[p];
            }
    }
    share_state_call_send_patiently(call, on_states_gone);
}

static void on_told(struct request *r) {
    struct coord_call *call = r->state;
    struct deletions *d = call->context;
    int32_t n = 0;
    for (int32_t i = 0; i < d->n; i++) {
        const struct group_share_offsets *o = call->ops[i].response;
        if (!o) {
            fail(r);
            return;
        }
        d->groups[i].error = o->error;
        if (!o->error) d->groups[i].gone = o->states;
        n += partitions_of(&d->groups[i].gone);
    }
    if (n)
        delete_states(r, d, n);
    else
        delete_groups(r, d);
}

/* ---- the request ---- */

static struct deletions *list(struct request *r, const struct delete_groups_request *in) {
    struct deletions *d = request_alloc(r, sizeof *d);
    struct hashmap seen;
    d->out = request_alloc(r, sizeof *d->out);
    delete_groups_response_init(d->out);
    d->out->results = request_array(r, (size_t)in->groups_names_n, sizeof *d->out->results);
    d->groups = request_array(r, (size_t)in->groups_names_n, sizeof *d->groups);
    if (!d->out->results || !d->groups) return NULL;
    hashmap_init(&seen, r->node->seed);
    for (int32_t i = 0; i < in->groups_names_n; i++) {
        struct kstr *name = &in->groups_names[i];
        if (!hashmap_put(&seen, name->s, (size_t)name->len, name)) d->groups[d->n++].asked.group = *name;
    }
    hashmap_free(&seen);
    return d;
}

void handle_delete_groups(struct request *r, const struct delete_groups_request *in) {
    struct deletions *d = list(r, in);
    if (d && d->n == 0) {
        request_finish(r, d->out);
        return;
    }
    struct coord_call *call = d ? coord_call_begin(r, COORDINATOR_GROUP, d->n) : NULL;
    if (!call) {
        fail(r);
        return;
    }
    call->context = d;
    for (int32_t i = 0; i < d->n; i++) {
        call->ops[i].api = GROUP_API_SHARE_CLEAR;
        call->ops[i].request = &d->groups[i].asked;
    }
    coord_call_send(call, on_told);
}
