/* ConsumerGroupHeartbeat: a member joins, says what it wants and has, hears what it is to have, leaves.
 * Source: GroupCoordinatorService.consumerGroupHeartbeat, GroupMetadataManager.consumerGroupHeartbeat. */
#include <stdio.h>

#include "api/consumer_group_heartbeat.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/consumer_step.h"
#include "group/own.h"

enum { MEMBER_ID_VERSION = 1 }; /* from which clients make their own ids */

int32_t consumer_session_ms(const struct group_shard *s, struct kstr group) {
    return modern_setting(s, group, "consumer.session.timeout.ms", &s->config->consumer.session_timeout);
}

/* --- is the request well formed? --- */

static bool blank(struct kstr a) {
    for (int32_t i = 0; i < a.len; i++)
        if ((unsigned char)a.s[i] > ' ') return false;
    return a.len >= 0;
}

static const char *invalid(const struct consumer_group_heartbeat_request *q, int16_t version) {
    bool needs_id = version >= MEMBER_ID_VERSION || q->member_epoch > 0 || q->member_epoch == EPOCH_LEAVE;
    if (needs_id && blank(q->member_id)) return "MemberId can't be empty.";
    if (blank(q->group_id)) return "GroupId can't be empty.";
    if (blank(q->instance_id)) return "InstanceId can't be empty.";
    if (blank(q->rack_id)) return "RackId can't be empty.";
    if (q->member_epoch < EPOCH_LEAVE_STATIC) return "MemberEpoch is invalid.";
    if (q->member_epoch == EPOCH_LEAVE_STATIC && q->instance_id.len < 0) return "InstanceId can't be null.";
    if (q->member_epoch != EPOCH_JOIN) return NULL;
    if (q->rebalance_timeout_ms == -1) return "RebalanceTimeoutMs must be provided in first request.";
    if (q->topic_partitions_n) return "TopicPartitions must be empty when (re-)joining.";
    if (q->subscribed_topic_names_n < 0 && q->subscribed_topic_regex.len < 0)
        return "Either SubscribedTopicNames or SubscribedTopicRegex must be non-null when (re-)joining.";
    return NULL;
}

static const char *const assignor_names[] = {[ASSIGNOR_UNIFORM] = "uniform", [ASSIGNOR_RANGE] = "range"};

static bool supported(const struct group_shard *s, struct kstr assignor) {
    for (int32_t i = 0; i < s->config->consumer.assignors_n; i++)
        if (kstr_is(assignor, assignor_names[s->config->consumer.assignors[i]])) return true;
    return false;
}

static void check_request(struct consumer_step *st, const struct consumer_group_heartbeat_request *q) {
    const struct group_consumer_config *k = &st->s->config->consumer;
    const char *wrong = invalid(q, st->e->version);
    if (wrong)
        consumer_fail(st, KERR_INVALID_REQUEST, "%s", wrong);
    else if (q->server_assignor.len >= 0 && !supported(st->s, q->server_assignor))
        consumer_fail(st, KERR_UNSUPPORTED_ASSIGNOR,
                      "ServerAssignor %.*s is not supported. Supported assignors: %s%s%s.",
                      KSTR_ARG(q->server_assignor), assignor_names[k->assignors[0]],
                      k->assignors_n > 1 ? ", " : "",
                      k->assignors_n > 1 ? assignor_names[k->assignors[1]] : "");
}

/* --- answers --- */

static struct consumer_group_heartbeat_response *response(struct consumer_step *st) {
    struct consumer_group_heartbeat_response *r = arena_alloc(st->e->arena, sizeof *r);
    if (r) consumer_group_heartbeat_response_init(r);
    return r;
}

/* What the state holds does not outlive the step. */
static struct kstr copied(struct consumer_step *st, struct kstr a) {
    struct kstr copy = {.s = a.len > 0 ? arena_memdup(st->e->arena, a.s, (size_t)a.len) : a.s, .len = a.len};
    if (a.len > 0 && !copy.s) st->s->out_of_memory = true;
    return copy;
}

static struct consumer_group_heartbeat_response_assignment *assignment(struct consumer_step *st) {
    const struct assigned *a = st->now.assigned;
    struct arena *arena = st->e->arena;
    struct consumer_group_heartbeat_response_assignment *out = arena_calloc(arena, 1, sizeof *out);
    if (out)
        out->topic_partitions =
            arena_calloc(arena, (size_t)assigned_topics(a), sizeof *out->topic_partitions);
    if (!out || !out->topic_partitions) return NULL;
    for (; out->topic_partitions_n < assigned_topics(a); out->topic_partitions_n++) {
        const struct assigned_topic *t = &a->topics[out->topic_partitions_n];
        struct consumer_group_heartbeat_response_topic_partitions *o =
            &out->topic_partitions[out->topic_partitions_n];
        o->topic_id = t->id;
        o->partitions_n = t->n;
        o->partitions = arena_memdup(arena, t->partitions, (size_t)t->n * sizeof *t->partitions);
        if (!o->partitions) return NULL;
    }
    return out;
}

static void answer_error(struct consumer_step *st) {
    struct consumer_group_heartbeat_response *r = response(st);
    st->s->result->records_n = 0;
    if (r) {
        r->error_code = st->error;
        r->error_message = kstr_of(st->message);
    }
    step_answer(st->s, r);
}

/* --- the steps --- */

static void read_owned(struct consumer_step *st, const struct consumer_group_heartbeat_request *q) {
    struct assigned_builder b = assigned_begin(&st->s->scratch);
    st->owned_known = q->topic_partitions_n >= 0;
    for (int32_t i = 0; i < q->topic_partitions_n; i++)
        assigned_add_topic(&b, &q->topic_partitions[i].topic_id, q->topic_partitions[i].partitions,
                           q->topic_partitions[i].partitions_n, NULL, 0);
    st->owned = assigned_finish(&b, false);
    if (b.failed) consumer_fail(st, KERR_UNKNOWN_SERVER_ERROR, "The request is too large.");
}

static void read_member(struct consumer_step *st, const struct consumer_group_heartbeat_request *q) {
    struct consumer_member *m = &st->now;
    if (q->instance_id.len >= 0) m->m.instance_id = q->instance_id;
    if (q->rack_id.len >= 0) m->m.rack = q->rack_id;
    if (q->rebalance_timeout_ms != -1) m->rebalance_timeout_ms = q->rebalance_timeout_ms;
    if (q->server_assignor.len >= 0) m->assignor = q->server_assignor;
    if (q->subscribed_topic_regex.len >= 0) m->regex = q->subscribed_topic_regex;
    if (q->subscribed_topic_names_n >= 0 &&
        !names_sort(&st->s->scratch, q->subscribed_topic_names, q->subscribed_topic_names_n, &m->m.topics))
        consumer_fail(st, KERR_UNKNOWN_SERVER_ERROR, "The request is too large.");
    m->m.client_id = st->e->client_id.len < 0 ? KSTR("") : st->e->client_id;
    m->m.client_host = st->e->client_host;
    m->classic = false;
    m->classic_session_ms = 0;
    m->protocols = (struct protocols){0};
}

static void check_room(struct consumer_step *st, struct kstr member_id) {
    int32_t max = st->s->config->consumer.max_size;
    if (st->c->m.members.count < (size_t)max || (member_id.len && consumer_member(st->c, member_id))) return;
    consumer_fail(st, KERR_GROUP_MAX_SIZE_REACHED,
                  "The consumer group has reached its maximum capacity of %d members.", max);
}

static struct kstr new_member_id(struct consumer_step *st) {
    char *text = arena_alloc(st->e->arena, UUID_TEXT);
    struct uuid id = uuid_random(&st->s->random);
    if (!text) {
        consumer_fail(st, KERR_UNKNOWN_SERVER_ERROR, "There is not enough memory.");
        return KSTR("");
    }
    return kstr_of(uuid_format(&id, text));
}

static void find_member(struct consumer_step *st, const struct consumer_group_heartbeat_request *q) {
    bool joins = q->member_epoch == EPOCH_JOIN;
    struct kstr id = q->member_id.len ? q->member_id : new_member_id(st);
    if (st->error) return;
    read_owned(st, q);
    if (st->error) return;
    if (q->instance_id.len < 0)
        consumer_step_dynamic(st, id, q->member_epoch, joins, false);
    else
        consumer_step_static(st, id, q->instance_id, q->member_epoch, joins, false);
    if (!st->error) read_member(st, q);
}

static void change(struct consumer_step *st) {
    bool topics = consumer_step_member(st);
    enum regex_change regex = consumer_step_regex(st);
    if (st->error) return;
    bool bump = topics || regex == REGEX_CHANGED_RESOLVED;
    if (bump || modern_metadata_expired(st->s, &st->c->m))
        consumer_step_metadata(st, bump, "a member's subscription changed");
    const struct assigned *target;
    int32_t target_epoch = consumer_step_target(st, &target);
    if (st->error) return;
    consumer_step_reconcile(st, target_epoch, target, topics || regex != REGEX_SAME);
}

static void answer(struct consumer_step *st, const struct consumer_group_heartbeat_request *q) {
    struct group_shard *s = st->s;
    struct consumer_group_heartbeat_response *r = response(st);
    bool full = q->rebalance_timeout_ms != -1 &&
                (q->subscribed_topic_names_n >= 0 || q->subscribed_topic_regex.len >= 0) && st->owned_known;
    if (r) {
        r->member_id = copied(st, st->now.m.id);
        r->member_epoch = st->now.m.epoch;
        r->heartbeat_interval_ms = modern_setting(s, st->c->m.id, "consumer.heartbeat.interval.ms",
                                                  &s->config->consumer.heartbeat_interval);
        if (q->member_epoch == EPOCH_JOIN || full ||
            !assigned_equal(st->old.assigned, st->now.assigned, true)) {
            r->assignment = assignment(st);
            if (!r->assignment) r = NULL;
        }
    }
    step_answer(s, r);
}

static void beat(struct consumer_step *st, const struct consumer_group_heartbeat_request *q) {
    consumer_step_open(st, q->group_id, q->member_epoch == EPOCH_JOIN);
    if (!st->error) check_room(st, q->member_id);
    if (!st->error) find_member(st, q);
    if (!st->error) change(st);
    if (st->error) {
        answer_error(st);
        return;
    }
    modern_timer_set(st->s, st->c->m.id, st->now.m.id, MEMBER_SESSION,
                     consumer_session_ms(st->s, st->c->m.id), 0);
    answer(st, q);
}

/* A static member that will be back keeps its place: others get its partitions when its session ends. */
static void leave_for_a_while(struct consumer_step *st) {
    struct assigned_builder b = assigned_begin(&st->s->scratch);
    struct consumer_member m = st->now;
    for (int32_t t = 0; t < assigned_topics(m.assigned); t++)
        assigned_add_topic(&b, &m.assigned->topics[t].id, m.assigned->topics[t].partitions,
                           m.assigned->topics[t].n, NULL, 0);
    m.assigned = assigned_finish(&b, false);
    st->s->out_of_memory |= b.failed;
    m.revoking = NULL;
    m.m.epoch = EPOCH_LEAVE_STATIC;
    record_consumer_current(st->s, st->c->m.id, &m);
}

static void leave(struct consumer_step *st, const struct consumer_group_heartbeat_request *q) {
    if (!group_existing(st->s, q->group_id))
        consumer_fail(st, KERR_GROUP_ID_NOT_FOUND, "Group %.*s not found.", KSTR_ARG(q->group_id));
    else
        consumer_step_open(st, q->group_id, false);
    if (!st->error && q->instance_id.len < 0)
        consumer_step_dynamic(st, q->member_id, EPOCH_JOIN, false, true);
    else if (!st->error)
        consumer_step_static(st, q->member_id, q->instance_id, EPOCH_JOIN, false, true);
    if (st->error) {
        answer_error(st);
        return;
    }
    bool for_a_while = q->instance_id.len >= 0 && q->member_epoch == EPOCH_LEAVE_STATIC;
    struct consumer_member *m = consumer_member(st->c, st->now.m.id);
    struct consumer_group_heartbeat_response *r = response(st);
    LOG_INFO("group", "%.*s: member %.*s left%s", KSTR_ARG(st->c->m.id), KSTR_ARG(m->m.id),
             for_a_while ? " for a while (static)" : "");
    if (r) {
        r->member_id = copied(st, m->m.id);
        r->member_epoch = q->member_epoch;
    }
    if (for_a_while)
        leave_for_a_while(st);
    else
        consumer_fence(st->s, st->c, &m, 1);
    step_answer(st->s, r);
}

void consumer_heartbeat_step(struct group_shard *s, const struct group_event *e) {
    const struct consumer_group_heartbeat_request *q = e->request;
    struct consumer_step st = {.s = s, .e = e};
    check_request(&st, q);
    if (st.error)
        answer_error(&st);
    else if (q->member_epoch == EPOCH_LEAVE || q->member_epoch == EPOCH_LEAVE_STATIC)
        leave(&st, q);
    else
        beat(&st, q);
    consumer_step_end(&st);
}

void consumer_due(struct group_shard *s, struct modern *m, struct kstr member, enum member_timer which,
                  int32_t epoch) {
    static const char *const reasons[] = {
        [MEMBER_SESSION] = "its session expired",
        [MEMBER_REBALANCE] = "it has not given up its partitions within its rebalance timeout",
        [MEMBER_JOIN] = "it has not rejoined (classic protocol) within its rebalance timeout",
        [MEMBER_SYNC] = "it sent no SyncGroup within its rebalance timeout",
    };
    struct consumer_member *gone = consumer_member(consumer_of(m), member);
    if (!gone || (which == MEMBER_REBALANCE && gone->m.epoch != epoch)) return;
    LOG_INFO("group", "%.*s: member %.*s is fenced at epoch %d: %s", KSTR_ARG(m->id), KSTR_ARG(member),
             gone->m.epoch, reasons[which]);
    consumer_fence(s, consumer_of(m), &gone, 1);
}
