/* Meters: who shares one, what a change of limits does, and that they end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "quota/quotas.h"

#include <pthread.h>
#include <stdio.h>

static const struct quotas_options options = {
    .shards = 4, .window = {11, 1000}, .changes_window = {11, 1000}, .seed = 7};

static void set(struct limits *l, enum quota_type type, const char *user, const char *client, double value) {
    struct limit_entity e = {.user = user ? *user ? SIDE_NAMED : SIDE_DEFAULT : SIDE_ABSENT,
                             .client = client ? *client ? SIDE_NAMED : SIDE_DEFAULT : SIDE_ABSENT,
                             .user_name = kstr_of(user ? user : ""),
                             .client_name = kstr_of(client ? client : "")};
    limits_set(l, type, &e, value);
}

static void one(struct quotas *q, enum quota_type type, const char *user, const char *client, double value) {
    struct limits *l = limits_new(1);
    set(l, type, user, client, value);
    quotas_apply(q, l);
}

static void nothing_is_set_at_first(void **state) {
    struct quotas q;
    quotas_init(&q, &options);
    assert_int_equal(quotas_set(&q), 0);
    assert_null(quotas_meter(&q, QUOTA_PRODUCE, KSTR("u"), KSTR("c"), 0));
    one(&q, QUOTA_REQUEST, NULL, "c", 5);
    assert_int_equal(quotas_set(&q), 1 << QUOTA_REQUEST);
    quotas_apply(&q, limits_new(1));
    assert_int_equal(quotas_set(&q), 0);
    quotas_free(&q);
}

static void users_share_the_default_of_a_user_each_has_its_own(void **state) {
    struct quotas q;
    quotas_init(&q, &options);
    one(&q, QUOTA_PRODUCE, "", NULL, 1000);
    struct meter *a = quotas_meter(&q, QUOTA_PRODUCE, KSTR("u"), KSTR("c1"), 0);
    struct meter *b = quotas_meter(&q, QUOTA_PRODUCE, KSTR("u"), KSTR("c2"), 0);
    struct meter *c = quotas_meter(&q, QUOTA_PRODUCE, KSTR("v"), KSTR("c1"), 0);
    assert_ptr_equal(a, b);
    assert_ptr_not_equal(a, c);
    assert_int_equal(quotas_meters(&q), 2);
    meter_record(a, 0, 9000, 5); /* loops add up */
    meter_record(b, 1, 1500, 5);
    assert_int_equal(meter_record_throttle(b, 3, 1500, 5), 2000);
    assert_int_equal(meter_record_throttle(c, 3, 1500, 5), 0);
    meter_unref(a);
    meter_unref(b);
    meter_unref(c);
    quotas_free(&q);
}

static void a_new_limit_counts_what_was_used_before(void **state) {
    struct quotas q;
    quotas_init(&q, &options);
    one(&q, QUOTA_FETCH, NULL, "c", 10000);
    uint32_t generation = quotas_generation(&q);
    struct meter *m = quotas_meter(&q, QUOTA_FETCH, KSTR("u"), KSTR("c"), 0);
    assert_int_equal(meter_record_throttle(m, 0, 20000, 0), 0);
    assert_true(meter_most(m) == 100000.0);
    one(&q, QUOTA_FETCH, NULL, "c", 1000);
    assert_true(quotas_generation(&q) != generation);
    assert_int_equal(meter_record_throttle(m, 0, 0, 0), 10000);
    meter_unref(m);
    quotas_free(&q);
}

static void time_is_a_percentage_and_waits_one_sample_at_most(void **state) {
    struct quotas q;
    quotas_init(&q, &options);
    one(&q, QUOTA_REQUEST, NULL, "c", 1);
    struct meter *m = quotas_meter(&q, QUOTA_REQUEST, KSTR("u"), KSTR("c"), 0);
    assert_int_equal(meter_record_throttle(m, 0, 100000000, 0), 0); /* 0.1 s of 10 s */
    assert_int_equal(meter_record_throttle(m, 0, 5000000, 0), 500);
    assert_int_equal(meter_record_throttle(m, 0, 1000000000, 0), 1000);
    meter_unref(m);
    quotas_free(&q);
}

static void strict_changes_are_refused_below_zero(void **state) {
    struct quotas q;
    int32_t ms;
    quotas_init(&q, &options);
    one(&q, QUOTA_MUTATION, NULL, "c", 2);
    struct meter *m = quotas_meter(&q, QUOTA_MUTATION, KSTR("u"), KSTR("c"), 0);
    assert_true(meter_take(m, 30, true, 0, &ms)); /* full: 22 */
    assert_int_equal(ms, 0);
    assert_false(meter_take(m, 1, true, 0, &ms));
    assert_int_equal(ms, 4000);
    assert_true(meter_take(m, 2, false, 0, &ms)); /* older clients only wait */
    assert_int_equal(ms, 5000);
    assert_false(meter_take(m, 1, true, 4999, &ms));
    assert_true(meter_take(m, 1, true, 5001, &ms));
    meter_unref(m);
    quotas_free(&q);
}

static void idle_meters_are_forgotten(void **state) {
    struct quotas q;
    quotas_init(&q, &options);
    one(&q, QUOTA_PRODUCE, NULL, "", 10);
    struct meter *old = quotas_meter(&q, QUOTA_PRODUCE, KSTR("u"), KSTR("old"), 0);
    struct meter *busy = quotas_meter(&q, QUOTA_PRODUCE, KSTR("u"), KSTR("busy"), 0);
    int64_t later = METER_IDLE_MS + 600001;
    meter_record(busy, 0, 1, later - 1000);
    meter_unref(quotas_meter(&q, QUOTA_PRODUCE, KSTR("u"), KSTR("new"), later));
    assert_false(meter_is_live(old));
    assert_true(meter_is_live(busy));
    assert_int_equal(quotas_meters(&q), 2);
    meter_unref(old);
    meter_unref(busy);
    quotas_free(&q);
}

static void their_number_is_bounded(void **state) {
    struct quotas q;
    char name[32];
    quotas_init(&q, &options);
    one(&q, QUOTA_PRODUCE, NULL, "", 10);
    struct meter *crowd[2];
    for (int i = 0; i < METERS_MAX + 2; i++) {
        snprintf(name, sizeof name, "client-%d", i);
        struct meter *m = quotas_meter(&q, QUOTA_PRODUCE, KSTR("u"), kstr_of(name), 1000);
        if (i >= METERS_MAX) crowd[i - METERS_MAX] = m;
        if (i < METERS_MAX) meter_unref(m);
    }
    assert_int_equal(quotas_meters(&q), METERS_MAX);
    assert_ptr_equal(crowd[0], crowd[1]); /* newcomers share one */
    meter_unref(crowd[0]);
    meter_unref(crowd[1]);
    struct meter *m = quotas_meter(&q, QUOTA_PRODUCE, KSTR("u"), KSTR("later"), 20000);
    assert_int_equal(quotas_meters(&q), 1); /* the others are out of their windows: they count for nothing */
    meter_unref(m);
    quotas_free(&q);
}

struct loop_of {
    struct meter *m;
    int shard;
};

static void *records(void *arg) {
    struct loop_of *l = arg;
    for (int i = 0; i < 100000; i++) meter_record_throttle(l->m, l->shard, 3, i / 50);
    return NULL;
}

static void count_bytes(void *arg, const struct meter_view *v) { *(double *)arg = v->per_second; }

static void threads_lose_nothing(void **state) {
    struct quotas q;
    pthread_t threads[4];
    struct loop_of loops[4];
    double per_second = 0;
    quotas_init(&q, &options);
    one(&q, QUOTA_PRODUCE, "u", NULL, 1000);
    struct meter *m = quotas_meter(&q, QUOTA_PRODUCE, KSTR("u"), KSTR("c"), 0);
    for (int i = 0; i < 4; i++) loops[i] = (struct loop_of){m, i};
    for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, records, &loops[i]);
    for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
    quotas_each(&q, 2000, count_bytes, &per_second);
    assert_true(per_second == 4 * 100000 * 3 / 10.0); /* two samples of ten, all in the window */
    meter_unref(m);
    quotas_free(&q);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_set_at_first),
        cmocka_unit_test(users_share_the_default_of_a_user_each_has_its_own),
        cmocka_unit_test(a_new_limit_counts_what_was_used_before),
        cmocka_unit_test(time_is_a_percentage_and_waits_one_sample_at_most),
        cmocka_unit_test(strict_changes_are_refused_below_zero),
        cmocka_unit_test(idle_meters_are_forgotten),
        cmocka_unit_test(their_number_is_bounded),
        cmocka_unit_test(threads_lose_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
