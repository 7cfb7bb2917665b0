/* The coordinator dies after each record of the log, with each set of the markers written: whoever takes over
 * brings the transaction to the same end. */
#include <string.h>

#include "world.h"

/* One transaction over three partitions; stops when the log has `records` records (of this transaction's
 * part), with the markers in `marked` written. */
static void play(int version, bool commit, int records, unsigned marked) {
    struct world *w = world_begin();
    struct client c = {.id = "a", .version = version};
    assert_int_equal(world_init(w, &c), 0);
    for (int p = 0; p < 3; p++) {
        assert_int_equal(world_add(w, &c, p), 0);
        assert_int_equal(world_produce(w, &c, p, 1), 0);
    }
    int open = w->log_n;
    assert_int_equal(open, 4);
    struct client old = c;
    assert_int_equal(world_end_txn(w, &c, commit), 0);
    assert_int_equal(w->log_n, open + 1);
    bool prepared = records > open;
    for (int p = 0; prepared && p < 3; p++)
        if (marked & 1u << p) world_mark(w, 0, p);
    if (records > open + 1) world_deliver(w, 0);
    int whole = w->log_n;
    world_restart(w, records < whole ? records : whole);
    world_settle(w);

    enum fate wanted = prepared && commit ? FATE_COMMITTED : FATE_ABORTED;
    if (records < 1) {
        assert_string_equal(world_state(w, "a"), "");
    } else if (!prepared) {
        /* The end was not written: nobody was told that it was. Time or the next producer aborts. */
        struct client next = {.id = "a", .version = version};
        if (records > 1) assert_string_equal(world_state(w, "a"), "Ongoing");
        while (world_init(w, &next)) world_settle(w);
        assert_int_not_equal(world_end_txn(w, &old, commit), 0);
    } else {
        assert_string_equal(world_state(w, "a"), commit ? "CompleteCommit" : "CompleteAbort");
        if (version == 2) {
            assert_int_equal(world_end_txn(w, &old, commit), 0); /* and asked again it says so */
            assert_int_equal(old.epoch, c.epoch);
        }
        assert_int_equal(world_produce(w, &c, 3, 2), version == 1 ? KERR_TRANSACTION_ABORTABLE : 0);
    }
    for (int p = 0; p < 3 && records >= open; p++) assert_int_equal(world_fate(w, 1, p), wanted);
    assert_int_equal(w->mixed, 0);
    world_end(w);
}

static void every_prefix(void **state) {
    for (int version = 1; version <= 2; version++)
        for (int commit = 0; commit <= 1; commit++)
            for (int records = 0; records <= 6; records++)
                for (unsigned marked = 0; marked < 8; marked++) play(version, commit, records, marked);
}

/* The same for a fence, at each level of transaction.version. */
static void every_prefix_of_a_fence(void **state) {
    for (int level = 0; level <= 2; level++)
        for (int cut = 0; cut < 3; cut++) {
            struct world *w = world_begin();
            struct client a = {.id = "a", .version = level < 2 ? 1 : 2}, b = a;
            w->version = (int16_t)level;
            world_init(w, &a);
            world_add(w, &a, 0);
            world_produce(w, &a, 0, 1);
            int open = w->log_n;
            assert_int_equal(world_init(w, &b), KERR_CONCURRENT_TRANSACTIONS);
            if (cut == 2) world_deliver(w, 0);
            world_restart(w, open + cut);
            world_settle(w);
            while (world_init(w, &b)) world_settle(w);
            assert_true(b.epoch > a.epoch);
            assert_int_equal(world_fate(w, 1, 0), FATE_ABORTED);
            assert_int_equal(world_produce(w, &a, 0, 2), KERR_INVALID_PRODUCER_EPOCH);
            world_end(w);
        }
}

/* A coordinator that is asked to go on in a newer epoch of its partition says so in its markers. */
static void newer_epoch(void **state) {
    struct world *w = world_begin();
    struct client c = {.id = "a", .version = 2};
    world_init(w, &c);
    world_produce(w, &c, 0, 1);
    txn_shard_set_epoch(w->shard, 9);
    world_end_txn(w, &c, true);
    assert_int_equal(w->jobs[0].coordinator_epoch, 9);
    world_settle(w);
    world_end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_prefix),
        cmocka_unit_test(every_prefix_of_a_fence),
        cmocka_unit_test(newer_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
