/* What requests take together: states, the turn, and arenas that are metered. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/arena.h"
#include "server/request_memory.h"

enum { MB = 1 << 20, LIMIT = 8 * MB };

static void states_follow_what_is_used(void **state) {
    struct request_memory m;
    request_memory_init(&m, LIMIT, MB);
    assert_int_equal(m.limit, LIMIT);
    static const struct {
        int64_t add;
        enum memory_state then;
    } steps[] = {{0, MEMORY_FREE}, {LIMIT - 1, MEMORY_FREE}, {1, MEMORY_SCARCE}, {LIMIT - 1, MEMORY_SCARCE},
                 {1, MEMORY_OUT},  {-LIMIT, MEMORY_SCARCE},  {-1, MEMORY_FREE}};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        request_memory_add(&m, steps[i].add);
        assert_int_equal(request_memory_state(&m), steps[i].then);
    }
}

static void there_is_a_limit_when_none_is_given(void **state) {
    struct request_memory m;
    request_memory_init(&m, -1, 100 * MB);
    assert_true(m.limit >= 200 * MB && m.limit <= INT64_C(1) << 30);
    request_memory_init(&m, -1, INT32_MAX);
    assert_true(m.limit >= INT64_C(2) * INT32_MAX);
}

static void one_has_the_turn(void **state) {
    struct request_memory m;
    struct connection *a = (void *)&m.used, *b = (void *)&m.limit; /* never followed */
    request_memory_init(&m, LIMIT, MB);
    assert_true(request_memory_take_turn(&m, a));
    assert_false(request_memory_take_turn(&m, b));
    request_memory_end_turn(&m, a);
    assert_true(request_memory_take_turn(&m, b));
}

static void arenas_are_metered(void **state) {
    struct request_memory m;
    struct arena a, b;
    uint64_t first[16];
    request_memory_init(&m, LIMIT, MB);
    arena_init_with(&a, first, sizeof first, 4 * MB);
    arena_init(&b, SIZE_MAX);
    a.meter = b.meter = &m.used;
    assert_non_null(arena_alloc(&a, sizeof first)); /* the owner's memory is not counted */
    assert_int_equal(m.used, 0);
    assert_non_null(arena_alloc(&a, 3 * MB));
    assert_int_equal(m.used, 3 * MB);
    assert_null(arena_alloc(&a, 3 * MB)); /* nor is what it does not get */
    assert_int_equal(m.used, 3 * MB);
    assert_non_null(arena_alloc(&b, 9 * MB));
    assert_int_equal(request_memory_state(&m), MEMORY_SCARCE);
    arena_reset(&a);
    assert_int_equal(m.used, 9 * MB);
    arena_free(&b);
    assert_int_equal(m.used, 0);
    arena_free(&a);
    assert_int_equal(m.used, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(states_follow_what_is_used),
        cmocka_unit_test(there_is_a_limit_when_none_is_given),
        cmocka_unit_test(one_has_the_turn),
        cmocka_unit_test(arenas_are_metered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
