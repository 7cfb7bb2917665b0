/* Percentiles are right to the width of a bucket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/histogram.h"

static struct histogram h;

static void near(int64_t got, int64_t wanted) {
    assert_true(got >= wanted);
    assert_true(got <= wanted + wanted / HISTOGRAM_SUB);
}

static void percentiles(void **state) {
    h = (struct histogram){0};
    assert_int_equal(histogram_at(&h, 0.5), 0);
    for (int64_t v = 1; v <= 100000; v++) histogram_add(&h, v);
    near(histogram_at(&h, 0.5), 50000);
    near(histogram_at(&h, 0.99), 99000);
    near(histogram_at(&h, 0.999), 99900);
    assert_int_equal(histogram_at(&h, 1), 100000);
    assert_int_equal(histogram_at(&h, 0.00001), 1);
    assert_int_equal(h.count, 100000);
    assert_int_equal(h.sum, 100000LL * 100001 / 2);
}

static void extremes(void **state) {
    for (int bit = 0; bit < 63; bit++) {
        h = (struct histogram){0};
        histogram_add(&h, INT64_C(1) << bit);
        assert_int_equal(histogram_at(&h, 0.5), INT64_C(1) << bit); /* never above the largest */
    }
    h = (struct histogram){0};
    histogram_add(&h, -5);
    assert_int_equal(histogram_at(&h, 1), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(percentiles), cmocka_unit_test(extremes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
