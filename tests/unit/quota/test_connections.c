/* How fast connections may come: all, by listener, by address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "quota/connections.h"

static const struct rate_window ten = {11, 1000};

static void a_burst_waits_one_sample_at_most(void **state) {
    struct connections *c = connections_new(&ten, 1);
    struct connection_source *l = connections_listener(c);
    connections_limit_all(c, 2);
    for (int i = 0; i < 20; i++) assert_int_equal(connections_wait_ms(c, l, false, 0), 0);
    assert_int_equal(connections_wait_ms(c, l, false, 0), 500); /* 21 in 10 s instead of 20 */
    for (int i = 0; i < 20; i++) connections_wait_ms(c, l, false, 0);
    assert_int_equal(connections_wait_ms(c, l, false, 0), 1000);
    connections_free(c);
}

static void listeners_have_their_own(void **state) {
    struct connections *c = connections_new(&ten, 1);
    struct connection_source *slow = connections_listener(c), *fast = connections_listener(c);
    connections_limit_listener(slow, 1);
    for (int i = 0; i < 10; i++) assert_int_equal(connections_wait_ms(c, slow, false, 0), 0);
    assert_int_equal(connections_wait_ms(c, slow, false, 0), 1000);
    assert_int_equal(connections_wait_ms(c, fast, false, 0), 0);
    connections_limit_all(c, 1); /* those of before count */
    assert_int_equal(connections_wait_ms(c, fast, false, 0), 1000);
    assert_int_equal(connections_wait_ms(c, fast, true, 0), 0); /* the brokers' listener is exempt */
    connections_free(c);
}

static void a_refused_address_is_not_counted(void **state) {
    struct connections *c = connections_new(&ten, 1);
    struct connection_source *l = connections_listener(c);
    connections_limit_address(c, NULL, 1);
    connections_limit_address(c, "10.0.0.1", 3);
    connections_limit_all(c, 100);
    int refused = 0;
    for (int i = 0; i < 40; i++) {
        assert_int_equal(connections_wait_ms(c, l, false, 0), 0);
        refused += connections_refuse_ms(c, l, false, "10.0.0.1", 0) > 0;
    }
    assert_int_equal(refused, 10); /* 30 in the window are allowed, and go on being allowed */
    refused = 0;
    for (int i = 0; i < 40; i++) refused += connections_refuse_ms(c, l, false, "10.0.0.2", 0) > 0;
    assert_int_equal(refused, 30);
    connections_limit_all(c, 4); /* 30 + what this test did not announce are counted, not the refused */
    assert_int_equal(connections_wait_ms(c, l, false, 0), 0);
    connections_forget_addresses(c);
    assert_int_equal(connections_refuse_ms(c, l, false, "10.0.0.2", 0), 0);
    connections_free(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_waits_one_sample_at_most),
        cmocka_unit_test(listeners_have_their_own),
        cmocka_unit_test(a_refused_address_is_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
