/* Stories of single transactions: both versions, fencing, epochs that are used up, time, failures of the log,
 * and the bytes of the records. */
#include <string.h>

#include "world.h"

#include "api/init_producer_id.h"
#include "api/list_transactions.h"

#define CLIENT(name, of_version)                                                                             \
    (struct client) { .id = (name), .version = (of_version) }

static void commits_and_aborts(void **state) {
    for (int version = 1; version <= 2; version++) {
        struct world *w = world_begin();
        struct client c = CLIENT("a", version);
        assert_int_equal(world_init(w, &c), 0);
        assert_int_equal(c.epoch, 0);
        if (version == 1) assert_int_equal(world_produce(w, &c, 0, 1), KERR_TRANSACTION_ABORTABLE);
        for (int p = 0; p < 2 && version == 1; p++) assert_int_equal(world_add(w, &c, p), 0);
        assert_int_equal(world_produce(w, &c, 0, 1), 0);
        assert_int_equal(world_produce(w, &c, 1, 1), 0);
        assert_string_equal(world_state(w, "a"), "Ongoing");
        assert_int_equal(world_end_txn(w, &c, true), 0);
        assert_string_equal(world_state(w, "a"), "PrepareCommit");
        assert_int_equal(c.epoch, version == 1 ? 0 : 1);
        assert_int_equal(world_add(w, &c, 3), KERR_CONCURRENT_TRANSACTIONS);
        assert_int_equal(world_fate(w, 1, 0), FATE_OPEN);
        world_settle(w);
        assert_string_equal(world_state(w, "a"), "CompleteCommit");
        assert_int_equal(world_fate(w, 1, 0), FATE_COMMITTED);
        assert_int_equal(world_fate(w, 1, 1), FATE_COMMITTED);
        if (version == 1) assert_int_equal(world_add(w, &c, 2), 0);
        assert_int_equal(world_produce(w, &c, 2, 2), 0);
        assert_int_equal(world_end_txn(w, &c, false), 0);
        world_settle(w);
        assert_string_equal(world_state(w, "a"), "CompleteAbort");
        assert_int_equal(world_fate(w, 2, 2), FATE_ABORTED);
        world_end(w);
    }
}

/* The answer to an end was lost. */
static void repeated_end_never_ends_the_next(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 2), old;
    world_init(w, &c);
    world_produce(w, &c, 0, 1);
    old = c;
    assert_int_equal(world_end_txn(w, &c, true), 0);
    struct client again = old;
    assert_int_equal(world_end_txn(w, &again, true), KERR_CONCURRENT_TRANSACTIONS);
    world_settle(w);
    assert_int_equal(world_end_txn(w, &again, true), 0);
    assert_int_equal(again.epoch, c.epoch); /* it learns what it missed */
    again = old;
    assert_int_equal(world_end_txn(w, &again, false), KERR_INVALID_TXN_STATE);
    assert_int_equal(world_produce(w, &c, 1, 2), 0); /* the next transaction */
    again = old;
    assert_int_equal(world_end_txn(w, &again, true), KERR_PRODUCER_FENCED);
    assert_string_equal(world_state(w, "a"), "Ongoing");
    world_end(w);
}

/* KAFKA-14402: a record that was verified before the marker, and appended after it. */
static void late_record_begins_nothing(void **state) {
    for (int version = 1; version <= 2; version++) {
        struct world *w = world_begin();
        struct client c = CLIENT("a", version), old;
        int guard;
        world_init(w, &c);
        world_add(w, &c, 0);
        assert_int_equal(world_verify(w, &c, 0, &guard), 0);
        old = c;
        assert_int_equal(world_end_txn(w, &c, false), 0);
        world_settle(w);
        assert_int_not_equal(world_append(w, &old, 0, 1, guard), 0);
        assert_int_equal(world_fate(w, 1, 0), FATE_NONE);
        world_end(w);
    }
}

static void a_second_producer_fences(void **state) {
    for (int level = 0; level <= 2; level++) {
        struct world *w = world_begin();
        struct client first = CLIENT("a", level < 2 ? 1 : 2), second = first;
        w->version = (int16_t)level;
        world_init(w, &first);
        world_add(w, &first, 0);
        assert_int_equal(world_produce(w, &first, 0, 1), 0);
        assert_int_equal(world_init(w, &second), KERR_CONCURRENT_TRANSACTIONS);
        assert_string_equal(world_state(w, "a"), "PrepareAbort");
        assert_int_equal(world_init(w, &second), KERR_CONCURRENT_TRANSACTIONS);
        world_settle(w);
        assert_int_equal(world_fate(w, 1, 0), FATE_ABORTED);
        assert_int_equal(world_init(w, &second), 0);
        assert_int_equal(second.producer_id, first.producer_id);
        assert_int_equal(second.epoch, 2);
        assert_int_equal(world_end_txn(w, &first, true), KERR_PRODUCER_FENCED);
        assert_int_equal(world_produce(w, &first, 0, 2), KERR_INVALID_PRODUCER_EPOCH);
        world_end(w);
    }
}

/* The fence's record cannot be written: the epoch that is burnt is not burnt twice. */
static void a_fence_that_fails(void **state) {
    struct world *w = world_begin();
    struct client first = CLIENT("a", 1), second = first;
    w->version = 1;
    world_init(w, &first);
    world_add(w, &first, 0);
    w->append_error = KERR_NOT_ENOUGH_REPLICAS;
    for (int i = 0; i < 5; i++) assert_int_equal(world_init(w, &second), KERR_NOT_ENOUGH_REPLICAS);
    w->append_error = 0;
    assert_int_equal(world_init(w, &second), KERR_CONCURRENT_TRANSACTIONS);
    world_settle(w);
    assert_int_equal(world_init(w, &second), 0);
    assert_int_equal(second.epoch, 2);
    world_end(w);
}

/* KIP-360. */
static void a_producer_recovers(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 1);
    world_init(w, &c);
    struct client old = c;
    assert_int_equal(world_init_as(w, &c, old.producer_id, old.epoch), 0);
    assert_int_equal(c.epoch, 1);
    assert_int_equal(world_init_as(w, &c, old.producer_id, old.epoch), 0); /* the answer was lost */
    assert_int_equal(c.epoch, 1);
    assert_int_equal(world_init_as(w, &c, old.producer_id, 1), 0);
    assert_int_equal(c.epoch, 2);
    assert_int_equal(world_init_as(w, &c, old.producer_id, old.epoch), KERR_PRODUCER_FENCED);
    assert_int_equal(world_init_as(w, &c, old.producer_id + 1, 2), KERR_PRODUCER_FENCED);
    world_restart(w, -1);
    assert_int_equal(world_init_as(w, &c, old.producer_id, 1), KERR_PRODUCER_FENCED); /* no more known */
    world_end(w);
}

static void epochs_are_used_up(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 2);
    world_init(w, &c);
    int64_t first = c.producer_id;
    for (int i = 0; i < INT16_MAX - 1; i++) {
        assert_int_equal(c.producer_id, first);
        assert_int_equal(c.epoch, i);
        assert_int_equal(world_end_txn(w, &c, false), 0);
        world_pass(w, 1);
        if (i % 5000 == 0) world_restart(w, -1);
    }
    assert_int_equal(c.epoch, INT16_MAX - 1);
    assert_int_equal(world_produce(w, &c, 0, 1), 0);
    struct client old = c;
    w->next_id = -1;
    assert_int_equal(world_end_txn(w, &c, true), KERR_COORDINATOR_LOAD_IN_PROGRESS);
    w->next_id = 77;
    assert_int_equal(world_end_txn(w, &c, true), 0);
    assert_int_equal(c.producer_id, 77);
    assert_int_equal(c.epoch, 0);
    world_restart(w, -1); /* the new id is in the record */
    world_settle(w);
    assert_int_equal(world_fate(w, 1, 0), FATE_COMMITTED);
    struct client again = old;
    assert_int_equal(world_end_txn(w, &again, true), 0);
    assert_int_equal(again.producer_id, 77);
    assert_int_equal(world_produce(w, &c, 0, 2), 0);
    assert_int_equal(world_produce(w, &old, 1, 3), KERR_INVALID_PRODUCER_ID_MAPPING);
    world_end(w);
}

static void init_rotates_a_used_up_epoch(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 1);
    w->version = 1;
    for (int i = 0; i < INT16_MAX; i++) assert_int_equal(world_init(w, &c), 0);
    assert_int_equal(c.epoch, INT16_MAX - 1);
    int64_t first = c.producer_id;
    assert_int_equal(world_init(w, &c), 0);
    assert_int_not_equal(c.producer_id, first);
    assert_int_equal(c.epoch, 0);
    struct client late = c;
    assert_int_equal(world_init_as(w, &late, first, INT16_MAX - 1), KERR_PRODUCER_FENCED);
    world_end(w);
}

static void time_aborts(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 2);
    world_init(w, &c);
    world_produce(w, &c, 0, 1);
    world_pass(w, 59000);
    assert_string_equal(world_state(w, "a"), "Ongoing");
    world_pass(w, 12000);
    assert_string_equal(world_state(w, "a"), "PrepareAbort");
    world_settle(w);
    assert_string_equal(world_state(w, "a"), "CompleteAbort");
    assert_int_equal(world_fate(w, 1, 0), FATE_ABORTED);
    assert_int_equal(world_produce(w, &c, 0, 2), KERR_INVALID_PRODUCER_EPOCH);
    world_end(w);
}

static void idle_ids_are_forgotten(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 2), b = CLIENT("b", 2);
    world_init(w, &c);
    world_init(w, &b);
    world_produce(w, &b, 0, 1);
    w->config.transactional_id_expiration_ms = 10000;
    world_pass(w, 3700000);
    assert_string_equal(world_state(w, "a"), "");
    int64_t before = c.producer_id;
    assert_string_not_equal(world_state(w, "b"), ""); /* its time-out was news of it */
    world_restart(w, -1);
    assert_string_equal(world_state(w, "a"), "");
    assert_int_equal(world_end_txn(w, &c, true), KERR_INVALID_PRODUCER_ID_MAPPING);
    assert_int_equal(world_init(w, &c), 0);
    assert_int_not_equal(c.producer_id, before);
    world_end(w);
}

static void pending_until_committed(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 1);
    world_init(w, &c);
    w->hold = true;
    assert_int_equal(world_add(w, &c, 0), 0);
    assert_int_equal(world_add(w, &c, 1), KERR_CONCURRENT_TRANSACTIONS);
    assert_int_equal(world_init(w, &c), KERR_CONCURRENT_TRANSACTIONS);
    world_release(w);
    assert_int_equal(world_add(w, &c, 1), 0);
    w->hold = true;
    assert_int_equal(world_end_txn(w, &c, true), 0);
    assert_int_equal(w->jobs_n, 0); /* no marker before the outcome is certain */
    world_release(w);
    assert_int_equal(w->jobs_n, 1);
    world_end(w);
}

static void completion_is_written_again(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 2);
    world_init(w, &c);
    world_produce(w, &c, 0, 1);
    world_end_txn(w, &c, true);
    w->append_error = KERR_NOT_ENOUGH_REPLICAS;
    world_deliver(w, 0);
    world_pass(w, 1000);
    assert_string_equal(world_state(w, "a"), "PrepareCommit");
    assert_int_equal(world_produce(w, &c, 0, 2), KERR_CONCURRENT_TRANSACTIONS);
    w->append_error = 0;
    world_pass(w, 1000);
    assert_string_equal(world_state(w, "a"), "CompleteCommit");
    world_end(w);
}

static void two_phase_commit(void **state) {
    struct world *w = world_begin();
    struct init_producer_id_request q;
    struct shard_result r;
    init_producer_id_request_init(&q);
    q.transactional_id = KSTR("a");
    q.transaction_timeout_ms = 1;
    q.enable2_pc = true;
    struct txn_event e = {.api = TXN_API_INIT, .request = &q, .arena = &w->arena};
    txn_shard_step(w->shard, &e, w->now, &r);
    struct init_producer_id_response *out = r.response;
    assert_int_equal(out->error_code, KERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
    w->config.transaction_two_phase_commit_enable = true;
    q.keep_prepared_txn = true;
    txn_shard_step(w->shard, &e, w->now, &r);
    out = r.response;
    assert_int_equal(out->error_code, KERR_UNSUPPORTED_VERSION);
    q.keep_prepared_txn = false;
    txn_shard_step(w->shard, &e, w->now, &r);
    out = r.response;
    assert_int_equal(out->error_code, 0);
    assert_int_equal(txn_shard_replay(w->shard, r.records[0].key, r.records[0].value), 0);
    txn_shard_written(w->shard, r.after, 0, w->now);
    struct client c = {.id = "a", .version = 2, .producer_id = out->producer_id, .epoch = 0};
    assert_int_equal(world_produce(w, &c, 0, 1), 0);
    world_pass(w, 2000000000);
    assert_string_equal(world_state(w, "a"), "Ongoing"); /* never times out */
    world_end(w);
}

/* As the reference writes them: TransactionLogKey 0; TransactionLogValue 0 and 1. */
static void bytes_of_records(void **state) {
    static const uint8_t key[] = {0, 0, 0, 1, 'a'};
    static const uint8_t v0[] = {
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,    0,    0,    0xea, 0x60, 1, 0, 0, 0,    1,    0,    1,    't',
        0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0x02, 0, 0, 1, 0x8b, 0xcf, 0xe5, 0x68, 0x02};
    struct world *w = world_begin();
    struct client c = CLIENT("a", 1);
    w->version = 0;
    world_init(w, &c);
    assert_int_equal(world_add(w, &c, 3), 0);
    assert_int_equal(w->log_n, 2);
    assert_int_equal(w->log[1].key.len, (int)sizeof key);
    assert_memory_equal(w->log[1].key.p, key, sizeof key);
    assert_int_equal(w->log[1].value.len, (int)sizeof v0);
    assert_memory_equal(w->log[1].value.p, v0, sizeof v0);
    assert_int_equal(w->log[0].value.p[17], 0xff); /* no partitions in Empty: null */
    w->version = 2;
    assert_int_equal(world_add(w, &c, 2), 0);
    assert_int_equal(w->log[2].value.p[1], 1);
    world_end(w);
}

static void level_0_knows_no_epochs(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 2);
    w->version = 0;
    assert_int_equal(world_init(w, &c), 0);
    assert_int_equal(world_produce(w, &c, 0, 1), KERR_UNSUPPORTED_VERSION);
    assert_int_equal(world_end_txn(w, &c, false), KERR_UNSUPPORTED_VERSION);
    w->version = 1;
    assert_int_equal(world_produce(w, &c, 0, 1), 0);
    assert_int_equal(world_end_txn(w, &c, true), 0);
    world_settle(w);
    assert_int_equal(world_fate(w, 1, 0), FATE_COMMITTED);
    world_end(w);
}

static void what_cannot_be_read(void **state) {
    struct world *w = world_begin();
    struct client c = CLIENT("a", 2);
    world_init(w, &c);
    struct txn_shard *s = txn_shard_create(&w->config, &w->env, 1, 1);
    uint8_t later_key[] = {0, 9, 1, 2}, later_value[] = {0, 9, 1, 2};
    assert_int_equal(txn_shard_replay(s, (struct kbytes){later_key, 4}, KBYTES_NULL), 0);
    assert_int_equal(txn_shard_replay(s, w->log[0].key, (struct kbytes){later_value, 4}), 0);
    assert_int_equal(txn_shard_count(s), 0);
    for (int32_t n = 0; n < w->log[0].value.len; n++)
        assert_int_not_equal(txn_shard_replay(s, w->log[0].key, (struct kbytes){w->log[0].value.p, n}), 0);
    for (int32_t n = 0; n < w->log[0].key.len; n++)
        assert_int_not_equal(txn_shard_replay(s, (struct kbytes){w->log[0].key.p, n}, w->log[0].value), 0);
    assert_int_equal(txn_shard_replay(s, w->log[0].key, w->log[0].value), 0);
    assert_int_equal(txn_shard_count(s), 1);
    txn_shard_free(s);
    world_end(w);
}

static bool ends_in_b(void *arg, struct kstr id) { return id.s[id.len - 1] == 'b'; }

static void lists(void **state) {
    struct world *w = world_begin();
    struct client a = CLIENT("a", 2), b = CLIENT("ab", 2);
    struct list_transactions_request q;
    struct shard_result r;
    world_init(w, &a);
    world_init(w, &b);
    world_produce(w, &b, 0, 1);
    world_pass(w, 500);
    list_transactions_request_init(&q);
    struct txn_list l = {.request = &q};
    struct txn_event e = {.api = TXN_API_LIST, .request = &l, .arena = &w->arena};
    txn_shard_step(w->shard, &e, w->now, &r);
    assert_int_equal(((struct list_transactions_response *)r.response)->transaction_states_n, 2);
    l.matches = ends_in_b;
    txn_shard_step(w->shard, &e, w->now, &r);
    assert_int_equal(((struct list_transactions_response *)r.response)->transaction_states_n, 1);
    l.matches = NULL;
    struct kstr states[] = {KSTR("Ongoing"), KSTR("What")};
    q.state_filters = states;
    q.state_filters_n = 2;
    q.duration_filter = 400;
    txn_shard_step(w->shard, &e, w->now, &r);
    assert_int_equal(((struct list_transactions_response *)r.response)->transaction_states_n, 1);
    q.duration_filter = 40000;
    txn_shard_step(w->shard, &e, w->now, &r);
    assert_int_equal(((struct list_transactions_response *)r.response)->transaction_states_n, 0);
    assert_int_equal(txn_list_none(&l, &w->arena)->unknown_state_filters_n, 1);
    world_end(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_and_aborts),
        cmocka_unit_test(repeated_end_never_ends_the_next),
        cmocka_unit_test(late_record_begins_nothing),
        cmocka_unit_test(a_second_producer_fences),
        cmocka_unit_test(a_fence_that_fails),
        cmocka_unit_test(a_producer_recovers),
        cmocka_unit_test(epochs_are_used_up),
        cmocka_unit_test(init_rotates_a_used_up_epoch),
        cmocka_unit_test(time_aborts),
        cmocka_unit_test(idle_ids_are_forgotten),
        cmocka_unit_test(pending_until_committed),
        cmocka_unit_test(completion_is_written_again),
        cmocka_unit_test(two_phase_commit),
        cmocka_unit_test(bytes_of_records),
        cmocka_unit_test(level_0_knows_no_epochs),
        cmocka_unit_test(what_cannot_be_read),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
