/* A share partition, story by story. */
#include "share_story.h"

#include <stdio.h>

#include "base/err.h"
#include "base/kerr.h"

static void test_accept(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    tell_append(&s, 10);
    tell_append(&s, 5);
    FETCHES(&s, "a", 500, 9, "0-14:1");
    SHOWS(&s, "[0..14] 0-14:A1@a");
    FETCHES(&s, "b", 500, 9, ""); /* the log has no more */
    assert_int_equal(tell_ack(&s, "a", 0, 9, "a"), 0);
    SHOWS(&s, "[0..14] 0-9:+1 10-14:A1@a");
    tell_written(&s, true);
    SHOWS(&s, "[10..14] 10-14:A1@a");
    assert_string_equal(tell_stored(&s), "0: 0-9:+1");
    assert_int_equal(tell_ack(&s, "a", 10, 14, "a"), 0);
    tell_written(&s, true);
    SHOWS(&s, "[15..15]");
    assert_string_equal(tell_stored(&s), "10: 10-14:+1");
    tell_append(&s, 3);
    FETCHES(&s, "b", 500, 9, "15-17:1");
    tell_end(&s);
}

static void test_every_type(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    tell_append(&s, 6);
    FETCHES(&s, "a", 500, 9, "0-5:1");
    assert_int_equal(tell_ack(&s, "a", 0, 5, "njeagn"), 0); /* renew, reject, release, accept, gap, renew */
    SHOWS(&s, "[0..5] 0-0:A1@a 1-1:-1 2-2:.1 3-3:+1 4-4:-1 5-5:A1@a");
    FETCHES(&s, "b", 500, 9, ""); /* what is being written is not available */
    tell_written(&s, true);
    FETCHES(&s, "b", 500, 9, "2-2:2");
    assert_int_equal(tell_ack(&s, "a", 0, 0, "a"), 0);
    tell_written(&s, true);
    SHOWS(&s, "[2..5] 2-2:A2@b 3-3:+1 4-4:-1 5-5:A1@a");
    assert_int_equal(share_partition_complete(s.p), 2);
    tell_end(&s);
}

static void test_refusals(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    assert_int_equal(tell_ack(&s, "a", 0, 0, "a"), KERR_INVALID_RECORD_STATE); /* nothing in flight */
    tell_append(&s, 10);
    tell_append(&s, 10);
    FETCHES(&s, "a", 10, 1, "0-9:1");
    assert_int_equal(tell_ack(&s, "b", 0, 9, "a"), KERR_INVALID_RECORD_STATE);
    assert_int_equal(tell_ack(&s, "b", 3, 4, "a"), KERR_INVALID_RECORD_STATE);
    assert_int_equal(tell_ack(&s, "a", 10, 12, "a"), KERR_INVALID_REQUEST);
    assert_int_equal(tell_ack(&s, "a", 5, 12, "a"), KERR_INVALID_REQUEST);
    SHOWS(&s, "[0..9] 0-9:A1@a");
    /* A later part that is refused undoes the earlier ones. */
    assert_int_equal(tell_acks(&s, "a", "0-4:a 5-12:a"), KERR_INVALID_REQUEST);
    SHOWS(&s, "[0..9] 0-9:A1@a");
    assert_int_equal(share_partition_complete(s.p), 0);
    assert_int_equal(tell_ack(&s, "a", 0, 4, "a"), 0);
    assert_int_equal(tell_ack(&s, "a", 4, 5, "a"), KERR_INVALID_RECORD_STATE); /* 4 is being written */
    tell_written(&s, true);
    assert_int_equal(tell_ack(&s, "a", 0, 4, "a"), 0); /* before the start: passed over */
    assert_int_equal(tell_ack(&s, "a", 3, 6, "a"), 0); /* of which 3 and 4 */
    tell_all_written(&s);
    SHOWS(&s, "[7..9] 7-9:A1@a");
    s.limits.renew = false;
    assert_int_equal(tell_ack(&s, "a", 7, 9, "n"), KERR_INVALID_RECORD_STATE);
    tell_end(&s);
}

static void test_failed_write(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    tell_append(&s, 10);
    FETCHES(&s, "a", 500, 9, "0-9:1");
    assert_int_equal(tell_ack(&s, "a", 0, 9, "a"), 0);
    assert_int_equal(share_partition_complete(s.p), 10);
    tell_written(&s, false);
    SHOWS(&s, "[0..9] 0-9:A1@a");
    assert_int_equal(share_partition_complete(s.p), 0);
    /* The lock's time ends while a write is under way that then fails: nobody has it. */
    assert_int_equal(tell_ack(&s, "a", 0, 9, "a"), 0);
    tell_wait(&s, 30000);
    SHOWS(&s, "[0..9] 0-9:+1");
    tell_written(&s, false);
    SHOWS(&s, "[0..9] 0-9:.1");
    FETCHES(&s, "b", 500, 9, "0-9:2");
    tell_end(&s);
}

static void test_locks(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    tell_append(&s, 4);
    tell_append(&s, 4);
    FETCHES(&s, "a", 4, 1, "0-3:1");
    tell_wait(&s, 10000);
    FETCHES(&s, "b", 4, 1, "4-7:1");
    assert_int_equal(share_partition_deadline(s.p), 30000);
    assert_int_equal(tell_ack(&s, "a", 1, 1, "n"), 0); /* until 40,000 */
    tell_wait(&s, 20000);
    SHOWS(&s, "[0..7] 0-0:.1 1-1:A1@a 2-3:.1 4-7:A1@b");
    assert_string_equal((tell_all_written(&s), tell_stored(&s)), "0: 0-0:.1 2-3:.1");
    FETCHES(&s, "b", 500, 9, "0-0:2 2-3:2");
    tell_wait(&s, 10000);
    SHOWS(&s, "[0..7] 0-0:A2@b 1-1:.1 2-3:A2@b 4-7:.1");
    tell_end(&s);
}

/* From half of the limit on in smaller and smaller portions, the last time alone; then archived. */
static void test_delivery_limit(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    tell_append(&s, 8);
    for (int i = 1; i <= 3; i++) {
        char expected[16];
        snprintf(expected, sizeof expected, "0-7:%d", i);
        FETCHES(&s, "a", 500, 9, expected);
        tell_release(&s, "a");
        tell_all_written(&s);
    }
    FETCHES(&s, "a", 500, 9, "0-3:4"); /* 8 >> 1 */
    FETCHES(&s, "b", 500, 9, "4-7:4");
    tell_release(&s, "a");
    tell_release(&s, "b");
    tell_all_written(&s);
    FETCHES(&s, "a", 500, 9, "0-0:5");
    FETCHES(&s, "a", 500, 9, "1-1:5");
    tell_release(&s, "a");
    SHOWS(&s, "[0..7] 0-1:-5 2-7:.4");
    tell_all_written(&s);
    SHOWS(&s, "[2..7] 2-7:.4");
    tell_wait(&s, 0);
    FETCHES(&s, "a", 500, 9, "2-2:5");
    tell_wait(&s, 30000); /* so does the end of a lock */
    tell_all_written(&s);
    SHOWS(&s, "[3..7] 3-7:.4");
    tell_end(&s);
}

static void test_room(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    s.limits.max_record_locks = 100;
    for (int i = 0; i < 20; i++) tell_append(&s, 10);
    FETCHES(&s, "a", 500, 20, "0-99:1");
    FETCHES(&s, "b", 500, 20, "full");
    assert_int_equal(tell_ack(&s, "a", 50, 59, "a"), 0);
    tell_all_written(&s);
    FETCHES(&s, "b", 500, 20, "full"); /* the window counts, not what is in it */
    assert_int_equal(tell_ack(&s, "a", 20, 29, "e"), 0);
    tell_all_written(&s);
    FETCHES(&s, "b", 500, 20, "20-29:2"); /* again is always possible */
    assert_int_equal(tell_ack(&s, "a", 0, 19, "a"), 0);
    tell_all_written(&s);
    FETCHES(&s, "b", 500, 20, "100-119:1");
    tell_end(&s);
}

static void test_modes(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    for (int i = 0; i < 6; i++) tell_append(&s, 10);
    FETCHES(&s, "a", 15, 9, "0-19:1"); /* whole record batches */
    s.batch_size = 5;
    FETCHES(&s, "a", 20, 9, "20-29:1 30-39:1"); /* cut where record batches begin */
    s.batch_size = 500;
    s.mode = SHARE_RECORD_LIMIT;
    FETCHES(&s, "a", 5, 9, "40-44:1");
    SHOWS(&s, "[0..49] 0-44:A1@a 45-49:.0");
    FETCHES(&s, "b", 8, 9, "45-49:1 50-52:1");
    FETCHES(&s, "b", 3, 9, "53-55:1");
    tell_release(&s, "a");
    tell_all_written(&s);
    FETCHES(&s, "c", 7, 9, "0-6:2"); /* of a whole batch that was given back */
    tell_end(&s);
}

static void test_log_start(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    for (int i = 0; i < 5; i++) tell_append(&s, 10);
    s.batch_size = 10;
    FETCHES(&s, "a", 20, 9, "0-9:1 10-19:1");
    FETCHES(&s, "b", 20, 9, "20-29:1 30-39:1");
    tell_release(&s, "a");
    assert_int_equal(tell_ack(&s, "b", 20, 29, "a"), 0);
    tell_all_written(&s);
    tell_log_start(&s, 25);
    FETCHES(&s, "c", 500, 9, "log start");
    SHOWS(&s, "[25..39] 25-29:+1 30-39:A1@b");
    assert_int_equal(share_partition_complete(s.p), 5);
    FETCHES(&s, "c", 500, 9, "40-49:1");
    tell_log_start(&s, 45);
    share_partition_log_start(s.p, 45);
    share_partition_check(s.p);
    SHOWS(&s, "[45..49] 45-49:A1@c");
    assert_int_equal(tell_ack(&s, "c", 40, 49, "a"), 0);
    tell_release(&s, "b"); /* gone from the log: archived, not available */
    tell_all_written(&s);
    SHOWS(&s, "[45..49] 45-49:+1"); /* 40-44 were passed over */
    tell_wait(&s, 30000);
    tell_all_written(&s);
    SHOWS(&s, "[50..50]");
    tell_end(&s);
}

/* Offsets that compaction took out between two fetches. */
static void test_missing(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    for (int i = 0; i < 4; i++) tell_append(&s, 10);
    s.batch_size = 10;
    FETCHES(&s, "a", 30, 9, "0-9:1 10-19:1 20-29:1");
    tell_release(&s, "a");
    tell_all_written(&s);
    s.log[1] = s.log[2]; /* 0-9 stays, 10-19 is gone, and so is 0-9 */
    s.log[0] = s.log[2];
    s.log[2] = s.log[3];
    FETCHES(&s, "a", 500, 9, "20-29:2 30-39:1");
    SHOWS(&s, "[0..39] 0-19:-1 20-29:A2@a 30-39:A1@a");
    assert_int_equal(tell_ack(&s, "a", 20, 39, "a"), 0);
    tell_all_written(&s);
    SHOWS(&s, "[40..40]");
    tell_end(&s);
}

static void test_gaps_after_load(void **state) {
    struct share_story s;
    (void)state;
    tell_begin(&s);
    for (int i = 0; i < 5; i++) tell_append(&s, 10);
    s.batch_size = 10;
    FETCHES(&s, "a", 40, 9, "0-9:1 10-19:1 20-29:1 30-39:1");
    assert_int_equal(tell_acks(&s, "a", "5-14:a 30-34:e"), 0);
    tell_all_written(&s);
    assert_string_equal(tell_stored(&s), "0: 5-14:+1 30-34:.1");
    tell_restart(&s);
    SHOWS(&s, "[0..34] 5-14:+1 30-34:.1");
    FETCHES(&s, "b", 8, 9, "0-4:1 15-19:1");
    SHOWS(&s, "[0..34] 0-4:A1@b 5-14:+1 15-19:A1@b 30-34:.1");
    FETCHES(&s, "b", 500, 9, "20-29:1 30-34:2 35-49:1");
    assert_int_equal(tell_ack(&s, "b", 0, 49, "a"), KERR_INVALID_RECORD_STATE); /* 5-14 are done */
    assert_int_equal(tell_acks(&s, "b", "0-4:a 15-49:a"), 0);
    tell_all_written(&s);
    SHOWS(&s, "[50..50]");
    tell_end(&s);
}

static void test_aborted(void **state) {
    struct share_story s;
    static const struct share_aborted aborted[] = {{.producer_id = 7, .first_offset = 5}};
    (void)state;
    tell_begin(&s);
    s.aborted = aborted;
    s.aborted_n = 1;
    for (int i = 0; i < 6; i++) tell_append(&s, 5);
    for (int i = 1; i < 4; i++) s.log[i].producer_id = 7, s.log[i].transactional = true;
    s.log[2].producer_id = 8; /* another's, committed */
    s.log[3].abort_marker = true;
    s.log[4].producer_id = 7; /* the producer's next transaction */
    s.log[4].transactional = true;
    FETCHES(&s, "a", 500, 9, "0-4:1 10-29:1");
    SHOWS(&s, "[0..29] 0-4:A1@a 5-9:-1 10-29:A1@a");
    assert_int_equal(share_partition_complete(s.p), 5);
    tell_end(&s);
}

static void test_bad_state(void **state) {
    static const struct state_batch bad[][2] = {{{5, 9, 1, 0}, {0, 3, 1, 0}},
                                                {{9, 5, 1, 0}, {10, 11, 1, 0}},
                                                {{5, 9, 1, 7}, {10, 11, 1, 0}},
                                                {{5, 9, 1, 0}, {9, 11, 1, 0}}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct share_partition *p = share_partition_create();
        assert_int_equal(share_partition_load(p, 5, 0, bad[i], 2), OE_CORRUPT);
        share_partition_destroy(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accept),
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_failed_write),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_delivery_limit),
        cmocka_unit_test(test_room),
        cmocka_unit_test(test_modes),
        cmocka_unit_test(test_log_start),
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_gaps_after_load),
        cmocka_unit_test(test_aborted),
        cmocka_unit_test(test_bad_state),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
