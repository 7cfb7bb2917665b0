/* Random producers, some of them zombies; markers that are late or lost with their coordinator; appends that
 * fail; time. Always: the records of one transaction are all committed or all aborted; committed, if its
 * producer was told so; nothing stays open. */
#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "world.h"

enum { IDS = 3, CLIENTS = 6, STEPS = 4000, SEEDS = 40 };

struct actor {
    struct client c, guard_client;
    bool ready;
    int token;                       /* of its transaction; 0: none */
    int guard, guarded, guard_token; /* a record that is verified and on its way: its partition + 1 */
};

struct play {
    struct world *w;
    struct random random;
    struct actor actors[CLIENTS];
    int tokens;
    uint8_t told[WORLD_TOKENS]; /* what a producer heard: FATE_COMMITTED, FATE_ABORTED */
};

static uint64_t below(struct play *p, uint64_t n) { return random_below(&p->random, n); }

static void write(struct play *p, struct actor *a) {
    int partition = (int)below(p, WORLD_PARTITIONS), guard;
    if (!a->token) a->token = ++p->tokens;
    assert_true(p->tokens < WORLD_TOKENS - 1);
    if (a->c.version == 1 && world_add(p->w, &a->c, partition)) return;
    if (world_verify(p->w, &a->c, partition, &guard)) return;
    if (!guard || below(p, 3)) { /* what needs no answer is written at once */
        world_append(p->w, &a->c, partition, a->token, guard);
        return;
    }
    a->guard = guard;
    a->guarded = partition + 1;
    a->guard_token = a->token;
    a->guard_client = a->c;
}

static void finish(struct play *p, struct actor *a) {
    bool commit = below(p, 2);
    /* A producer ends nothing before its records are acknowledged. Version 1 relies on that (and on sequence
     * numbers); from version 2 on a record that comes too late has an old epoch. */
    if (a->guarded && a->c.version == 1 && a->guard_client.epoch == a->c.epoch) return;
    struct client before = a->c;
    int16_t error = world_end_txn(p->w, &a->c, commit);
    if (!error && a->token) p->told[a->token] = commit ? FATE_COMMITTED : FATE_ABORTED;
    if (!error && below(p, 8) == 0) a->c = before; /* the answer is lost */
    if (error == KERR_CONCURRENT_TRANSACTIONS || error == KERR_NOT_ENOUGH_REPLICAS) return;
    if (error) a->ready = false;
    a->token = 0;
}

static void act(struct play *p) {
    struct actor *a = &p->actors[below(p, CLIENTS)];
    switch (below(p, 20)) {
    case 0:
        if (!world_init(p->w, &a->c)) {
            a->ready = true;
            a->token = 0;
        }
        break;
    case 1:
        if (a->ready && !a->token && !world_init_as(p->w, &a->c, a->c.producer_id, a->c.epoch))
            a->guarded = 0;
        break;
    case 2:
    case 3:
    case 4:
        if (a->ready) finish(p, a);
        break;
    case 5:
    case 6:
    case 7:
        if (p->w->jobs_n) world_deliver(p->w, (int)below(p, (uint64_t)p->w->jobs_n));
        break;
    case 8:
        if (p->w->jobs_n) { /* a part of them, and then the coordinator forgets */
            int job = (int)below(p, (uint64_t)p->w->jobs_n), partition = (int)below(p, WORLD_PARTITIONS);
            if (p->w->jobs[job].to[partition]) world_mark(p->w, job, partition);
        }
        break;
    case 9:
        if (a->guarded) world_append(p->w, &a->guard_client, a->guarded - 1, a->guard_token, a->guard);
        a->guarded = 0;
        break;
    case 10: world_pass(p->w, (int64_t)below(p, 3000)); break;
    case 11:
        if (below(p, 10) == 0) world_pass(p->w, 80000);
        break;
    case 12:
        if (below(p, 10) == 0) world_restart(p->w, -1);
        break;
    case 13: p->w->append_error = below(p, 4) ? KERR_NONE : KERR_NOT_ENOUGH_REPLICAS; break;
    default:
        if (a->ready) write(p, a);
    }
}

static void check_fates(const struct play *p, bool over) {
    for (int t = 1; t <= p->tokens; t++) {
        bool committed = false, aborted = false, open = false;
        for (int i = 0; i < WORLD_PARTITIONS; i++) {
            enum fate f = world_fate(p->w, t, i);
            committed |= f == FATE_COMMITTED;
            aborted |= f == FATE_ABORTED;
            open |= f == FATE_OPEN;
        }
        assert_false(committed && aborted);
        if (p->told[t] == FATE_COMMITTED) assert_false(aborted);
        if (p->told[t] == FATE_ABORTED) assert_false(committed);
        if (over) assert_false(open);
    }
    assert_int_equal(p->w->mixed, 0);
}

static void play(uint64_t seed, int version) {
    static const char *const ids[IDS] = {"a", "b", "c"};
    struct play *p = test_calloc(1, sizeof *p);
    p->w = world_begin();
    p->w->version = (int16_t)version;
    random_seed(&p->random, seed);
    for (int i = 0; i < CLIENTS; i++)
        p->actors[i].c = (struct client){.id = ids[i % IDS], .version = version < 2 ? 1 : 2};
    for (int i = 0; i < STEPS; i++) {
        act(p);
        if (i % 100 == 0) check_fates(p, false);
    }
    p->w->append_error = KERR_NONE;
    world_settle(p->w);
    world_pass(p->w, 200000); /* what nobody ended, time does */
    world_settle(p->w);
    check_fates(p, true);
    for (int i = 0; i < IDS; i++) {
        const char *state = world_state(p->w, ids[i]);
        assert_true(!*state || !strcmp(state, "Empty") || !strncmp(state, "Complete", 8));
    }
    world_end(p->w);
    test_free(p);
}

static void atomic(void **state) {
    for (int version = 0; version <= 2; version++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            if (version == 0 && seed > 10) break;
            play(seed * 31 + (uint64_t)version, version);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(atomic)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
