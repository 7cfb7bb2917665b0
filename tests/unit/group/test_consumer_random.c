/* Random lives of a consumer group: members of both protocols that follow it or not, topics that come and go,
 * appends that fail, restarts. After each step: the group's invariants hold (consumer_check: no partition is
 * owned by two members of the group), no partition is used by two members that both are in the group, and no
 * committed offset is lost. At the end all who behave get to a stable group that has everything. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "group/consumer.h"
#include "story.h"

enum { CLIENTS = 5, STEPS = 600, PARTITIONS_MAX = 8 };

/* A consumer: what it believes. */
struct client {
    char id[NAME], instance[8];
    int32_t epoch;   /* 0: not in the group */
    uint32_t has[2]; /* partitions of t and u that it works on */
    int session;     /* ms since it was last heard of */
};

struct play {
    struct story *t;
    struct random random;
    struct client clients[CLIENTS];
    int64_t committed; /* of t-0 */
    int32_t partitions[2];
};

static uint32_t below(struct play *p, uint32_t n) { return (uint32_t)random_below(&p->random, n); }

static void write_mask(char *to, const uint32_t has[2]) {
    to[0] = 0;
    for (int k = 0; k < 2; k++) {
        bool first = true;
        for (int i = 0; i < PARTITIONS_MAX; i++) {
            if (!(has[k] >> i & 1)) continue;
            sprintf(to + strlen(to), first ? "%s%c:%d" : "%s%c%d", first && to[0] ? " " : "",
                    first ? "tu"[k] : ',', i);
            first = false;
        }
    }
}

static void read_mask(const char *s, uint32_t has[2]) {
    uint32_t *at = has;
    has[0] = has[1] = 0;
    for (; *s; s++) {
        if (*s == 't' || *s == 'u') at = &has[*s == 'u'];
        if (*s >= '0' && *s <= '9') *at |= 1u << (*s - '0');
    }
}

static void forget(struct client *c) {
    c->epoch = 0;
    c->has[0] = c->has[1] = 0;
}

static void listen(struct client *c, const struct ask *a) {
    if (a->error == KERR_NONE) {
        c->epoch = a->generation;
        c->session = 0;
        if (a->has_assignment) read_mask(a->given, c->has);
        return;
    }
    if (a->error == KERR_FENCED_MEMBER_EPOCH || a->error == KERR_UNKNOWN_MEMBER_ID ||
        a->error == KERR_FENCED_INSTANCE_ID || a->error == KERR_UNRELEASED_INSTANCE_ID ||
        a->error == KERR_GROUP_ID_NOT_FOUND)
        forget(c);
}

static const char *instance_of(const struct client *c) { return c->instance[0] ? c->instance : NULL; }

static void beat(struct play *p, struct client *c) {
    static const char *const topics[] = {"t", "t u", "u"};
    char owned[200];
    write_mask(owned, c->has);
    if (!c->epoch) {
        static int serial;
        snprintf(c->id, sizeof c->id, "c%d-%d", (int)(c - p->clients), serial++ % 100);
        bool regex = !below(p, 4);
        listen(c, BEAT(p->t, .member = c->id, .instance = instance_of(c),
                       .topics = regex ? NULL : topics[below(p, 3)], .regex = regex ? "[tu]" : NULL));
        return;
    }
    bool full = !below(p, 3);
    listen(c, BEAT(p->t, .member = c->id, .instance = instance_of(c), .epoch = c->epoch,
                   .owned = full || below(p, 2) ? owned : NULL, .topics = full ? topics[below(p, 3)] : NULL,
                   .rebalance_ms = full ? 10000 : 0));
}

/* What the coordinator knows of a client that thinks it is in the group. */
static bool is_member(const struct play *p, const struct client *c) {
    const struct consumer *g = consumer_find(p->t->shard, KSTR("g"));
    return c->epoch && g && consumer_member(g, kstr_of(c->id));
}

static void check(struct play *p) {
    const struct consumer *g = consumer_find(p->t->shard, KSTR("g"));
    if (g) consumer_check(g);
    uint32_t used[2] = {0};
    for (int i = 0; i < CLIENTS; i++) {
        if (!is_member(p, &p->clients[i])) continue;
        for (int k = 0; k < 2; k++) {
            assert_int_equal(used[k] & p->clients[i].has[k], 0);
            used[k] |= p->clients[i].has[k];
        }
    }
    if (p->committed >= 0) assert_int_equal(story_fetch(p->t, "g", "t", 1, false)->offsets[0], p->committed);
}

static void commit(struct play *p, const struct client *c) {
    int64_t offset = (int64_t)below(p, 1000);
    struct uuid id = {{[0] = 1, [15] = 't'}};
    struct ask *a = COMMIT(p->t, .member = c->id, .generation = c->epoch, .offset = offset, .topic_id = id);
    if (a->answered && a->error == KERR_NONE) p->committed = offset;
}

static void change_topic(struct play *p) {
    int k = (int)below(p, 2);
    if (p->partitions[k] == PARTITIONS_MAX) return;
    story_topic(p->t, k ? "u" : "t", ++p->partitions[k]);
}

static void act(struct play *p) {
    struct client *c = &p->clients[below(p, CLIENTS)];
    switch (below(p, 24)) {
    case 0:
        listen(c, BEAT(p->t, .member = c->id, .instance = instance_of(c), .epoch = -1));
        forget(c);
        break;
    case 1:
        if (instance_of(c)) BEAT(p->t, .member = c->id, .instance = instance_of(c), .epoch = -2);
        forget(c);
        break;
    case 2: forget(c); break; /* it crashes */
    case 3: change_topic(p); break;
    case 4: story_pass(p->t, 1000 * (int64_t)below(p, 20)); break;
    case 5: p->t->append_error = below(p, 3) ? KERR_NONE : KERR_NOT_ENOUGH_REPLICAS; break;
    case 6:
    case 7: commit(p, c); break;
    case 8:
        if (!below(p, 4)) story_restart(p->t);
        break;
    default: beat(p, c);
    }
}

/* All follow the protocol: in a few rounds the group is stable and everything is with somebody. */
static void calm_down(struct play *p) {
    p->t->append_error = KERR_NONE;
    for (int i = 0; i < CLIENTS; i++) forget(&p->clients[i]);
    story_pass(p->t, 61000);
    story_topic(p->t, "t", PARTITIONS_MAX);
    for (int i = 0; i < CLIENTS; i++) {
        struct client *c = &p->clients[i];
        snprintf(c->id, sizeof c->id, "last-%d", i);
        struct ask *a = BEAT(p->t, .member = c->id, .instance = instance_of(c), .topics = "t");
        assert_ok(a);
        listen(c, a);
        assert_true(c->epoch > 0);
    }
    for (int round = 0; round < 6; round++)
        for (int i = 0; i < CLIENTS; i++) {
            struct client *c = &p->clients[i];
            char owned[200];
            write_mask(owned, c->has);
            listen(c, BEAT(p->t, .member = c->id, .instance = instance_of(c), .epoch = c->epoch,
                           .owned = owned));
            check(p);
        }
    struct ask *d = story_describe_consumer(p->t, "g");
    assert_string_equal(d->state, "Stable");
    uint32_t all = 0;
    for (int i = 0; i < CLIENTS; i++) all |= p->clients[i].has[0];
    assert_int_equal(all, (1u << PARTITIONS_MAX) - 1);
}

static void one_life(uint64_t seed) {
    struct play p = {.t = story_begin(), .committed = -1, .partitions = {1, 1}};
    random_seed(&p.random, seed);
    story_topic(p.t, "t", 1);
    story_topic(p.t, "u", 1);
    for (int i = 0; i < CLIENTS; i += 2)
        snprintf(p.clients[i].instance, sizeof p.clients[i].instance, "i%d", i);
    for (int i = 0; i < STEPS; i++) {
        act(&p);
        check(&p);
    }
    calm_down(&p);
    story_end(p.t);
}

static void random_lives(void **state) {
    for (uint64_t seed = 1; seed <= 60; seed++) one_life(seed);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(random_lives)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
