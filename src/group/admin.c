/* DescribeGroups, ListGroups, DeleteGroups, each for what is in this shard. Source:
 * GroupMetadataManager.describeGroups, listGroups; GroupCoordinatorShard.deleteGroups. */
#include "api/delete_groups.h"
#include "api/describe_groups.h"
#include "api/list_groups.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/modern.h"
#include "group/own.h"
#include "group/record.h"
#include "group/state.h"

enum {
    NOT_FOUND_VERSION = 6
}; /* of DescribeGroups: before it, a group that is not there is "Dead" without an error */

static const char *state_name(const struct group *g) {
    if (g->modern) return g->modern->kind->state(g->modern);
    return classic_state_names[g->classic->state];
}

/* A copy in the request's arena, {0} without memory, which sets *failed. */
static struct kstr copy_string(const struct group_event *e, struct kstr a, bool *failed) {
    if (a.len <= 0) return a;
    struct kstr copy = {.s = arena_memdup(e->arena, a.s, (size_t)a.len), .len = a.len};
    *failed |= !copy.s;
    return copy.s ? copy : (struct kstr){0};
}

static struct kbytes copy_bytes(const struct group_event *e, struct kbytes a, bool *failed) {
    if (a.len <= 0) return (struct kbytes){0};
    struct kbytes copy = {.p = arena_memdup(e->arena, a.p, (size_t)a.len), .len = a.len};
    *failed |= !copy.p;
    return copy.p ? copy : (struct kbytes){0};
}

/* --- describe --- */

static bool describe_classic(const struct group_event *e, const struct classic *c,
                             struct describe_groups_response_described_group *r) {
    bool failed = false, stable = c->state == CLASSIC_STABLE;
    r->group_state = kstr_of(classic_state_names[c->state]);
    r->protocol_type = copy_string(e, kstr_null(c->protocol_type) ? KSTR("") : c->protocol_type, &failed);
    if (stable && !kstr_null(c->protocol)) r->protocol_data = copy_string(e, c->protocol, &failed);
    r->members = arena_calloc(e->arena, (size_t)c->members_n, sizeof *r->members);
    for (const struct classic_member *m = c->members; m && r->members; m = m->next)
        r->members[r->members_n++] = (struct describe_groups_response_described_group_member){
            .member_id = copy_string(e, m->id, &failed),
            .group_instance_id = copy_string(e, m->instance_id, &failed),
            .client_id = copy_string(e, m->client_id, &failed),
            .client_host = copy_string(e, m->client_host, &failed),
            .member_metadata =
                stable ? copy_bytes(e, classic_metadata(m, c->protocol), &failed) : (struct kbytes){0},
            .member_assignment = copy_bytes(e, m->assignment, &failed),
        };
    return r->members && !failed;
}

static bool describe_missing(const struct group_event *e, const struct group *g, struct kstr id,
                             struct describe_groups_response_described_group *r) {
    r->group_state = KSTR("Dead");
    if (e->version < NOT_FOUND_VERSION) return true;
    char *message = arena_printf(e->arena, g ? "Group %.*s is not a classic group." : "Group %.*s not found.",
                                 KSTR_ARG(id));
    r->error_code = KERR_GROUP_ID_NOT_FOUND;
    r->error_message = kstr_of(message);
    return message;
}

void describe_step(struct group_shard *s, const struct group_event *e) {
    const struct kstr *id = e->request;
    struct group *g = group_existing(s, *id);
    struct describe_groups_response_described_group *r = arena_alloc(e->arena, sizeof *r);
    if (r) {
        describe_groups_response_described_group_init(r);
        r->group_id = *id;
        if (!(g && g->classic ? describe_classic(e, g->classic, r) : describe_missing(e, g, *id, r)))
            r = NULL;
    }
    step_answer(s, r);
}

/* --- list --- */

static char lower(char c) { return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c; }

static bool same_ignoring_case(struct kstr a, const char *b) {
    if (a.len != (int32_t)strlen(b)) return false;
    for (int32_t i = 0; i < a.len; i++)
        if (lower(a.s[i]) != lower(b[i])) return false;
    return true;
}

static struct kstr trimmed(struct kstr a) {
    for (; a.len > 0 && (unsigned char)a.s[0] <= ' '; a.len--) a.s++;
    while (a.len > 0 && (unsigned char)a.s[a.len - 1] <= ' ') a.len--;
    return a;
}

/* The name of a state as filters have it. */
static const char *filter_name(const struct group *g) {
    const char *name = state_name(g);
    return strcmp(name, "NotReady") ? name : "not_ready";
}

static bool is_listed(const struct group *g, const struct list_groups_request *q) {
    bool state = q->states_filter_n <= 0, type = q->types_filter_n <= 0;
    if (g->type == GROUP_KIND_NONE) return false;
    for (int32_t i = 0; i < q->states_filter_n && !state; i++)
        state = same_ignoring_case(trimmed(q->states_filter[i]), filter_name(g));
    for (int32_t i = 0; i < q->types_filter_n && !type; i++)
        type = same_ignoring_case(q->types_filter[i], group_kind_names[g->type]);
    return state && type;
}

static struct kstr protocol_type_of(const struct group *g) {
    if (g->modern) return kstr_of(g->modern->kind->protocol_type);
    if (!g->classic) return kstr_of(group_kind_names[g->type]);
    return kstr_null(g->classic->protocol_type) ? KSTR("") : g->classic->protocol_type;
}

void list_step(struct group_shard *s, const struct group_event *e) {
    struct list_groups_response *r = arena_calloc(e->arena, 1, sizeof *r);
    struct hashmap_entry *entry;
    bool failed = false;
    if (r) r->groups = arena_calloc(e->arena, s->groups.count, sizeof *r->groups);
    for (size_t i = 0; r && r->groups && (entry = hashmap_next(&s->groups, &i));) {
        struct group *g = entry->value;
        if (!is_listed(g, e->request)) continue;
        r->groups[r->groups_n++] = (struct list_groups_response_listed_group){
            .group_id = copy_string(e, g->id, &failed),
            .protocol_type = copy_string(e, protocol_type_of(g), &failed),
            .group_state = kstr_of(state_name(g)),
            .group_type = kstr_of(group_kind_names[g->type]),
        };
    }
    step_answer(s, r && r->groups && !failed ? r : NULL);
}

/* --- delete --- */

void group_delete_records(struct group_shard *s, struct group *g) {
    if (g->modern)
        g->modern->kind->delete_records(s, g->modern);
    else
        record_group_tombstone(s, g->id);
}

static int16_t may_delete(const struct group *g) {
    if (!g) return KERR_GROUP_ID_NOT_FOUND;
    return group_is_empty(g) ? KERR_NONE : KERR_NON_EMPTY_GROUP;
}

void delete_step(struct group_shard *s, const struct group_event *e) {
    const struct kstr *id = e->request;
    struct group *g = group_existing(s, *id);
    struct delete_groups_response_deletable_group_result *r = arena_calloc(e->arena, 1, sizeof *r);
    if (r) {
        r->group_id = *id;
        r->error_code = may_delete(g);
        if (!r->error_code) {
            LOG_INFO("group", "%.*s: deleted", KSTR_ARG(*id));
            offset_delete_all(s, g);
            group_delete_records(s, g);
        }
    }
    step_answer(s, r);
}
