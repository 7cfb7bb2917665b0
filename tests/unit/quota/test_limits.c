/* Which limit counts for a client: all eight levels, each hiding those behind it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "quota/limits.h"

static const struct level {
    enum limit_side user, client;
} levels[] = {{SIDE_NAMED, SIDE_NAMED},   {SIDE_NAMED, SIDE_DEFAULT},   {SIDE_NAMED, SIDE_ABSENT},
              {SIDE_DEFAULT, SIDE_NAMED}, {SIDE_DEFAULT, SIDE_DEFAULT}, {SIDE_DEFAULT, SIDE_ABSENT},
              {SIDE_ABSENT, SIDE_NAMED},  {SIDE_ABSENT, SIDE_DEFAULT}};
enum { LEVELS = 8 };

static void set(struct limits *l, int level, const char *user, const char *client, double value) {
    limits_set(
        l, QUOTA_FETCH,
        &(struct limit_entity){levels[level].user, levels[level].client, kstr_of(user), kstr_of(client)},
        value);
}

static void the_most_specific_counts(void **state) {
    for (int most = 0; most < LEVELS; most++) {
        struct limits *l = limits_new(1);
        for (int i = most; i < LEVELS; i++) set(l, i, "alice", "app", 100 + i);
        set(l, 0, "bob", "app", 1);
        set(l, 2, "bob", "app", 1);
        set(l, 6, "alice", "other", 1);
        struct limit_found f = limits_find(l, QUOTA_FETCH, KSTR("alice"), KSTR("app"));
        assert_true(f.limit == 100 + most);
        assert_int_equal(f.by_user, levels[most].user != SIDE_ABSENT);
        assert_int_equal(f.by_client, levels[most].client != SIDE_ABSENT);
        limits_free(l);
    }
}

static void types_are_apart(void **state) {
    struct limits *l = limits_new(1);
    set(l, 7, "", "", 5);
    assert_true(limits_any(l, QUOTA_FETCH));
    assert_false(limits_any(l, QUOTA_PRODUCE));
    assert_true(limits_find(l, QUOTA_PRODUCE, KSTR("a"), KSTR("b")).limit == QUOTA_UNLIMITED);
    assert_true(limits_find(l, QUOTA_FETCH, KSTR("a"), KSTR("b")).limit == 5);
    limits_free(l);
}

static void without_a_client_id_only_the_user_counts(void **state) {
    struct limits *l = limits_new(1);
    set(l, 1, "alice", "", 1);
    set(l, 7, "", "", 2);
    assert_true(limits_find(l, QUOTA_FETCH, KSTR("alice"), KSTR("")).limit == QUOTA_UNLIMITED);
    assert_true(limits_find(l, QUOTA_FETCH, KSTR("alice"), KSTR_NULL).limit == QUOTA_UNLIMITED);
    set(l, 2, "alice", "", 3);
    assert_true(limits_find(l, QUOTA_FETCH, KSTR("alice"), KSTR("")).limit == 3);
    limits_free(l);
}

static void names_are_not_confused(void **state) {
    struct limits *l = limits_new(1);
    set(l, 0, "ab", "c", 1);
    assert_true(limits_find(l, QUOTA_FETCH, KSTR("a"), KSTR("bc")).limit == QUOTA_UNLIMITED);
    set(l, 0, "ab", "c", 9);
    assert_true(limits_find(l, QUOTA_FETCH, KSTR("ab"), KSTR("c")).limit == 9);
    limits_free(l);
}

static void keys(void **state) {
    for (int i = 0; i < QUOTA_TYPES; i++)
        assert_int_equal(quota_type_of(quota_type_key((enum quota_type)i)), i);
    assert_int_equal(quota_type_of("connection_creation_rate"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_most_specific_counts),
        cmocka_unit_test(types_are_apart),
        cmocka_unit_test(without_a_client_id_only_the_user_counts),
        cmocka_unit_test(names_are_not_confused),
        cmocka_unit_test(keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
