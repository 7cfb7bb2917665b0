/* Histograms and the text format: names, labels and help that need escaping, numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "metrics/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static struct strbuf out;

static int begin(void **state) {
    strbuf_init(&out, 1 << 20);
    return 0;
}
static int end(void **state) {
    strbuf_free(&out);
    return 0;
}

static void a_time_falls_into_its_bucket(void **state) {
    struct histogram h = {0};
    struct histogram_view v = {0};
    histogram_record(&h, 0);
    for (int i = 0; i < HISTOGRAM_BUCKETS - 1; i++) histogram_record(&h, histogram_bounds[i]);
    for (int i = 0; i < HISTOGRAM_BUCKETS - 1; i++) histogram_record(&h, histogram_bounds[i] + 1);
    histogram_record(&h, INT64_C(1) << 60);
    histogram_add_to(&h, &v);
    assert_int_equal(v.count, 2 * (HISTOGRAM_BUCKETS - 1) + 2);
    for (int i = 0; i < HISTOGRAM_BUCKETS; i++)
        assert_int_equal(v.counts[i], 2); /* its bound and just above the one before */
    for (int i = 1; i < HISTOGRAM_BUCKETS - 1; i++)
        assert_true(histogram_bounds[i] > histogram_bounds[i - 1]);
}

static void shards_are_added(void **state) {
    struct histogram a = {0}, b = {0};
    struct histogram_view v = {0};
    histogram_record(&a, 1000);
    histogram_record(&b, 2000);
    histogram_add_to(&a, &v);
    histogram_add_to(&b, &v);
    assert_int_equal(v.count, 2);
    assert_int_equal(v.sum_ns, 3000);
}

static void buckets_are_cumulative(void **state) {
    struct histogram h = {0};
    struct histogram_view v = {0};
    const struct metric_label labels[] = {{"request", KSTR("Fetch")}, {0}};
    histogram_record(&h, 30000);
    histogram_record(&h, 2000000);
    histogram_record(&h, INT64_C(60000000000));
    histogram_add_to(&h, &v);
    metric_histogram(&out, METRIC_TOTAL_MS, labels, &v);
    const char *text = strbuf_str(&out);
    assert_non_null(
        strstr(text, "kafka_network_requestmetrics_totaltimems_bucket{request=\"Fetch\",le=\"0.02\"} 0\n"));
    assert_non_null(
        strstr(text, "kafka_network_requestmetrics_totaltimems_bucket{request=\"Fetch\",le=\"0.05\"} 1\n"));
    assert_non_null(
        strstr(text, "kafka_network_requestmetrics_totaltimems_bucket{request=\"Fetch\",le=\"2.5\"} 2\n"));
    assert_non_null(
        strstr(text, "kafka_network_requestmetrics_totaltimems_bucket{request=\"Fetch\",le=\"+Inf\"} 3\n"));
    assert_non_null(
        strstr(text, "kafka_network_requestmetrics_totaltimems_sum{request=\"Fetch\"} 60002.03\n"));
    assert_non_null(strstr(text, "kafka_network_requestmetrics_totaltimems_count{request=\"Fetch\"} 3\n"));
}

static void values_are_escaped(void **state) {
    const struct metric_label labels[] = {{"topic", KSTR("a\"b\\c\nd")}, {"partition", KSTR_NULL}, {0}};
    metric_int(&out, METRIC_LOG_SIZE, labels, -5);
    assert_string_equal(strbuf_str(&out),
                        "kafka_log_log_size{topic=\"a\\\"b\\\\c\\nd\",partition=\"\"} -5\n");
}

static void numbers(void **state) {
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0, "0"},
                 {1.5, "1.5"},
                 {1e15, "1e+15"},
                 {NAN, "NaN"},
                 {INFINITY, "+Inf"},
                 {-INFINITY, "-Inf"},
                 {123456789012, "123456789012"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char wanted[100];
        strbuf_reset(&out);
        metric_sample(&out, METRIC_CPU, NULL, cases[i].v);
        snprintf(wanted, sizeof wanted, "process_cpu_seconds_total %s\n", cases[i].text);
        assert_string_equal(strbuf_str(&out), wanted);
    }
}

static void heads(void **state) {
    for (int i = 0; i < METRICS; i++) {
        strbuf_reset(&out);
        metric_head(&out, (enum metric_id)i);
        const char *text = strbuf_str(&out);
        assert_memory_equal(text, "# HELP ", 7);
        assert_non_null(strstr(text, "\n# TYPE "));
        assert_null(strchr(strstr(text, "\n# TYPE ") + 8, '#'));
    }
    assert_string_equal(metric_name(METRIC_BYTES_IN), "kafka_server_brokertopicmetrics_bytesin_total");
    assert_string_equal(metric_name(METRIC_RAFT_EPOCH), "kafka_server_raft_metrics_current_epoch");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_time_falls_into_its_bucket),
        cmocka_unit_test(shards_are_added),
        cmocka_unit_test_setup_teardown(buckets_are_cumulative, begin, end),
        cmocka_unit_test_setup_teardown(values_are_escaped, begin, end),
        cmocka_unit_test_setup_teardown(numbers, begin, end),
        cmocka_unit_test_setup_teardown(heads, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
