/* Rates over windows and buckets of tokens, by the numbers of the reference's arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "quota/bucket.h"
#include "quota/rate.h"

#include <stdlib.h>

static const struct rate_window ten = {11, 1000}; /* the default: 10 full samples and the running one */

static struct rate_total total(struct rate *r, int64_t now) {
    struct rate_total t = rate_total_at(now);
    rate_add_to(r, &ten, now, &t);
    return t;
}

static void a_first_burst_is_spread_over_the_window(void **state) {
    struct rate *r = rate_new(&ten);
    rate_record(r, &ten, 12000, 5000);
    struct rate_total t = total(r, 5000);
    assert_int_equal(rate_covers_ms(&t, &ten, 5000), 10000);
    assert_true(rate_per_second(&t, &ten, 5000) == 1200.0);
    assert_int_equal(rate_throttle_ms(&t, &ten, 1000, 5000), 2000);
    assert_int_equal(rate_throttle_ms(&t, &ten, 1200, 5000), 0);
    t = total(r, 5500); /* the running sample counts by its part */
    assert_int_equal(rate_covers_ms(&t, &ten, 5500), 10500);
    t = total(r, 7000); /* and what is not there yet as full ones */
    assert_int_equal(rate_covers_ms(&t, &ten, 7000), 10000);
    t = total(r, 15500);
    assert_int_equal(rate_covers_ms(&t, &ten, 15500), 10500);
    free(r);
}

static void samples_end_and_expire(void **state) {
    struct rate *r = rate_new(&ten);
    for (int64_t now = 0; now < 30000; now += 250) rate_record(r, &ten, 100, now);
    struct rate_total t = total(r, 29750);
    double per_second = rate_per_second(&t, &ten, 29750); /* 400 a second, the running sample counted whole */
    assert_true(per_second > 390 && per_second < 415);
    t = total(r, 29750 + 10999);
    assert_int_equal(t.sum, 400); /* the last sample is seen until its last record is 11 s old */
    t = total(r, 29750 + 11000);
    assert_int_equal(t.sum, 0);
    assert_int_equal(t.oldest, 29750 + 11000);
    free(r);
}

static void what_is_taken_back_was_never_there(void **state) {
    struct rate *r = rate_new(&ten);
    rate_record(r, &ten, 500, 100);
    rate_record(r, &ten, 70000, 200);
    rate_record(r, &ten, -70000, 200);
    assert_int_equal(total(r, 200).sum, 500);
    free(r);
}

static void shards_add_up_to_one_rate(void **state) {
    struct rate *all = rate_new(&ten), *part[3];
    for (int i = 0; i < 3; i++) part[i] = rate_new(&ten);
    for (int64_t now = 0; now < 60000; now += 100) {
        rate_record(all, &ten, now % 7 * 10, now);
        rate_record(part[now / 100 % 3], &ten, now % 7 * 10, now);
        struct rate_total one = total(all, now), sum = rate_total_at(now);
        for (int i = 0; i < 3; i++) rate_add_to(part[i], &ten, now, &sum);
        double a = rate_per_second(&one, &ten, now), b = rate_per_second(&sum, &ten, now);
        assert_true(b > a * 0.9 - 1 && b < a * 1.1 + 1); /* samples begin at slightly other times */
        if (now < 10000) assert_int_equal(one.sum, sum.sum);
    }
    for (int i = 0; i < 3; i++) free(part[i]);
    free(all);
}

static void one_sample_alone(void **state) {
    const struct rate_window w = {1, 1000};
    struct rate *r = rate_new(&w);
    struct rate_total t = rate_total_at(10);
    rate_record(r, &w, 5, 10);
    rate_add_to(r, &w, 10, &t);
    assert_int_equal(rate_covers_ms(&t, &w, 10), 1); /* never nothing */
    assert_true(rate_per_second(&t, &w, 10) == 5000.0);
    free(r);
}

static void a_limit_of_nothing_is_forever(void **state) {
    struct rate *r = rate_new(&ten);
    rate_record(r, &ten, 1, 10);
    struct rate_total t = total(r, 10);
    assert_int_equal(rate_throttle_ms(&t, &ten, 0, 10), INT32_MAX);
    free(r);
}

static void a_bucket_goes_below_zero_once(void **state) {
    struct bucket b = {.filled_ms = -1000000};
    double burst = bucket_burst(5, 11, 1000);
    assert_true(burst == 55.0);
    bucket_take(&b, 5, burst, 60, 0);
    assert_true(b.tokens == -5.0);
    assert_int_equal(bucket_throttle_ms(&b, 5), 1000);
    bucket_fill(&b, 5, burst, 400);
    assert_int_equal(bucket_throttle_ms(&b, 5), 600);
    bucket_fill(&b, 5, burst, 1000);
    assert_int_equal(bucket_throttle_ms(&b, 5), 0);
    bucket_fill(&b, 5, burst, 1000000);
    assert_true(b.tokens == burst); /* never fuller than full */
    bucket_take(&b, 5, burst, -10, 1000000);
    assert_true(b.tokens == burst);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_burst_is_spread_over_the_window),
        cmocka_unit_test(samples_end_and_expire),
        cmocka_unit_test(what_is_taken_back_was_never_there),
        cmocka_unit_test(shards_add_up_to_one_rate),
        cmocka_unit_test(one_sample_alone),
        cmocka_unit_test(a_limit_of_nothing_is_forever),
        cmocka_unit_test(a_bucket_goes_below_zero_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
