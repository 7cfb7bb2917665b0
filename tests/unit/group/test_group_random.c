/* Many random requests from members that remember what they were told, or make mistakes; appends that fail or
 * are slow; time that passes; restarts. The shard checks its invariants itself; here: nobody is answered
 * twice or never (story.c), a restart changes nothing that was written, and members that behave end up
 * stable. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "story.h"

enum { CLIENTS = 6, STEPS = 1500 };

struct client {
    char id[NAME], instance[8];
    int32_t generation;
    bool leads;
    struct ask *join, *sync;
};

struct play {
    struct story *t;
    struct random random;
    struct client clients[CLIENTS];
    const char *group;
};

static uint64_t below(struct play *p, uint64_t n) { return random_below(&p->random, n); }

static const char *instance_of(const struct client *c) { return c->instance[0] ? c->instance : NULL; }

/* What the client learns from answers that have come. */
static void listen(struct client *c) {
    if (c->join && c->join->answered) {
        if (c->join->error == KERR_NONE || c->join->error == KERR_MEMBER_ID_REQUIRED)
            memcpy(c->id, c->join->member, NAME);
        if (c->join->error == KERR_UNKNOWN_MEMBER_ID || c->join->error == KERR_FENCED_INSTANCE_ID)
            c->id[0] = 0;
        c->generation = c->join->generation;
        c->leads = !strcmp(c->join->leader, c->join->member);
        c->join = NULL;
    }
    if (c->sync && c->sync->answered) {
        if (c->sync->error == KERR_UNKNOWN_MEMBER_ID) c->id[0] = 0;
        c->sync = NULL;
    }
}

static void join(struct play *p, struct client *c) {
    static const char *const topics[] = {"t", "t u", "v"};
    if (c->join && below(p, 8)) return; /* sometimes a client asks again without waiting */
    c->join = JOIN(p->t, .group = p->group, .member = c->id, .instance = instance_of(c),
                   .topics = topics[below(p, 3)],
                   .version = c->id[0] || c->instance[0] ? (int)(5 + below(p, 5)) : (int)(1 + below(p, 9)),
                   .rebalance_ms = 15000);
}

static void sync(struct play *p, struct client *c) {
    char assignments[300];
    snprintf(assignments, sizeof assignments, "%s=mine nobody=x", c->id);
    c->sync = story_sync_static(p->t, p->group, c->id, instance_of(c), c->generation,
                                c->leads ? assignments : NULL);
}

static void act(struct play *p) {
    struct client *c = &p->clients[below(p, CLIENTS)];
    struct story *t = p->t;
    listen(c);
    switch (below(p, 16)) {
    case 0:
    case 1:
    case 2: join(p, c); break;
    case 3:
    case 4:
    case 5: sync(p, c); break;
    case 6:
    case 7: story_heartbeat(t, p->group, c->id, instance_of(c), c->generation); break;
    case 8:
        COMMIT(t, .group = p->group, .member = c->id, .instance = instance_of(c), .generation = c->generation,
               .offset = (int64_t)below(p, 1000), .partition = (int32_t)below(p, 3));
        break;
    case 9: story_leave(t, p->group, c->id, instance_of(c), (int)below(p, 6)); break;
    case 10: c->id[0] = 0; break; /* it starts anew */
    case 11: story_pass(t, (int64_t)below(p, 4000)); break;
    case 12: story_pass(t, (int64_t)below(p, 30) ? 500 : 700000); break;
    case 13: t->append_error = below(p, 3) ? KERR_NONE : KERR_NOT_ENOUGH_REPLICAS; break;
    case 14:
        if (t->held_n > 32 || !below(p, 3))
            story_commit(t, below(p, 4) ? KERR_NONE : KERR_REQUEST_TIMED_OUT);
        else
            t->hold = true;
        break;
    case 15:
        if (!below(p, 10))
            story_delete(t, p->group);
        else if (!below(p, 10))
            story_delete_offset(t, p->group, "t", (int32_t)below(p, 3));
        else
            story_describe(t, p->group, 6);
        break;
    }
}

/* Offsets are the same after a restart. */
static void restart(struct play *p) {
    struct ask *before, *after;
    story_commit(p->t, KERR_NONE);
    before = story_fetch(p->t, p->group, "t", 3, true);
    story_restart(p->t);
    after = story_fetch(p->t, p->group, "t", 3, true);
    assert_memory_equal(before->offsets, after->offsets, sizeof before->offsets);
}

/* Everybody follows the protocol: the group becomes stable, with all of them in it. */
static void calm_down(struct play *p) {
    struct story *t = p->t;
    t->append_error = KERR_NONE;
    story_commit(t, KERR_NONE);
    for (int i = 0; i < 2 * CLIENTS; i++) story_pass(t, 30000);
    for (int i = 0; i < CLIENTS; i++) {
        p->clients[i].id[0] = 0;
        p->clients[i].join = p->clients[i].sync = NULL;
    }
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < CLIENTS; i++) {
            struct client *c = &p->clients[i];
            listen(c);
            if (!c->join && (!c->id[0] || c->generation < 0))
                c->join =
                    JOIN(t, .group = p->group, .member = c->id, .instance = instance_of(c), .topics = "t");
        }
    story_pass(t, 9500);
    for (int i = 0; i < CLIENTS; i++) listen(&p->clients[i]);
    for (int i = 0; i < CLIENTS; i++) sync(p, &p->clients[i]);
    struct ask *d = story_describe(t, p->group, 6);
    assert_string_equal(d->state, "Stable");
    assert_int_equal(d->members_n, CLIENTS);
}

static void one_life(uint64_t seed) {
    struct play p = {.t = story_begin(), .group = "g"};
    random_seed(&p.random, seed);
    for (int i = 0; i < CLIENTS; i++)
        if (i % 3 == 0) snprintf(p.clients[i].instance, sizeof p.clients[i].instance, "i%d", i);
    for (int i = 0; i < STEPS; i++) {
        act(&p);
        if (!below(&p, 200)) restart(&p);
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
