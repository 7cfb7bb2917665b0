/* Members of KIP-848: ConsumerGroupHeartbeat 1. A member that is told an assignment owns it at once and says
 * so with its next heartbeat. */
#include <stdio.h>
#include <stdlib.h>

#include "api/consumer_group_heartbeat.h"
#include "api/keys.h"
#include "api/metadata.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "bench/rebalance.h"
#include "io/clock.h"

struct consumers {
    struct rebalance frame; /* first: members know it as this */
    struct uuid topic;
};

static void send_heartbeat(struct member *m, int32_t epoch, bool whole) {
    struct rebalance *r = m->r;
    struct kstr topic = kstr_of(r->o->topic);
    struct consumer_group_heartbeat_request request;
    struct consumer_group_heartbeat_request_topic_partitions owned;
    consumer_group_heartbeat_request_init(&request);
    consumer_group_heartbeat_request_topic_partitions_init(&owned);
    request.group_id = kstr_of(r->group);
    request.member_id = kstr_of(m->id);
    request.member_epoch = epoch;
    if (whole) {
        request.rebalance_timeout_ms = 60000;
        request.subscribed_topic_names = &topic;
        request.subscribed_topic_names_n = 1;
        request.server_assignor = KSTR("uniform");
    }
    if (whole || !m->settled) {
        owned.topic_id = ((struct consumers *)r)->topic;
        owned.partitions = m->partitions;
        owned.partitions_n = m->owned;
        request.topic_partitions = &owned;
        request.topic_partitions_n = m->owned ? 1 : 0;
    }
    m->settled = true; /* unless the answer says something else */
    link_send(&m->link, API_CONSUMER_GROUP_HEARTBEAT, 1, &request, whole);
}

static void join(struct member *m) {
    m->generation = 0;
    m->owned = 0;
    if (!m->id[0]) snprintf(m->id, sizeof m->id, "AAAAAAAAAAAAAAAAAA%04d", (int)(m - m->r->members));
    send_heartbeat(m, 0, true);
}

static void leave(struct member *m) { send_heartbeat(m, -1, false); }

static void ask(struct member *m) { send_heartbeat(m, m->generation, false); }

static void on_answer(struct link *l, const struct asked *asked, const void *answer, int64_t now) {
    struct member *m = l->owner;
    const struct consumer_group_heartbeat_response *h = answer;
    (void)now;
    switch (h->error_code) {
    case 0: break;
    case KERR_COORDINATOR_LOAD_IN_PROGRESS:
    case KERR_COORDINATOR_NOT_AVAILABLE:
    case KERR_NOT_COORDINATOR:
        if (!asked->due) fail("ConsumerGroupHeartbeat: error %d", h->error_code);
        join(m);
        return;
    default: fail("ConsumerGroupHeartbeat: error %d", h->error_code);
    }
    if (!m->present) return;
    m->generation = h->member_epoch;
    if (h->assignment) {
        if (h->assignment->topic_partitions_n > 1) fail("an assignment of other topics");
        m->owned = 0;
        if (h->assignment->topic_partitions_n == 1) {
            m->owned = h->assignment->topic_partitions[0].partitions_n;
            if (m->owned > m->r->o->partitions) fail("an assignment of %d partitions", m->owned);
            memcpy(m->partitions, h->assignment->topic_partitions[0].partitions,
                   (size_t)m->owned * sizeof *m->partitions);
        }
        m->settled = false;
    }
    if (m->r->going) ask(m);
}

/* All are in one epoch, which is a new one, and own all partitions between them. */
static bool stable(const struct rebalance *r) {
    int32_t epoch = 0, owned = 0, present = 0;
    for (int i = 0; i < r->o->clients; i++) {
        const struct member *m = &r->members[i];
        if (!m->present) continue;
        present++;
        if (m->generation <= r->before || (epoch && m->generation != epoch) || !m->owned) return false;
        epoch = m->generation;
        owned += m->owned;
    }
    return !present || owned == r->o->partitions;
}

/* Asks for the topic's id. */
static void find_topic(struct consumers *c) {
    struct metadata_request request;
    struct metadata_response response;
    struct metadata_request_metadata_request_topic topic;
    struct arena a;
    struct client_call call = {
        .key = API_METADATA, .target = CLIENT_ANY, .request = &request, .response = &response, .arena = &a};
    arena_init(&a, 16 << 20);
    metadata_request_init(&request);
    metadata_request_metadata_request_topic_init(&topic);
    topic.name = kstr_of(c->frame.o->topic);
    request.topics = &topic;
    request.topics_n = 1;
    if (client_do(c->frame.target.client, &call) || response.topics_n != 1)
        fail("Metadata: %s", client_why(c->frame.target.client));
    c->topic = response.topics[0].topic_id;
    arena_free(&a);
}

int coordinate_consumer(const struct coordinate_options *o) {
    struct consumers *c = xcalloc(1, sizeof *c);
    c->frame = (struct rebalance){
        .o = o, .join = join, .leave = leave, .ask = ask, .stable = stable, .on_answer = on_answer};
    if (o->partitions < o->clients) fail("fewer partitions than members: some would own nothing");
    target_open(&c->frame.target, o->port, o->topic, o->partitions);
    target_create(&c->frame.target, 1, NULL, 0);
    target_wait(&c->frame.target);
    find_topic(c);
    return rebalance_run(&c->frame);
}
