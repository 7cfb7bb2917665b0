/* Which clients a subscription of client metrics is for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "config/client_match.h"

static const char *const who[CLIENT_ATTRIBUTES] = {
    [CLIENT_INSTANCE_ID] = "Uuid-of-it",          [CLIENT_ID] = "app-1",
    [CLIENT_SOFTWARE_NAME] = "apache-kafka-java", [CLIENT_SOFTWARE_VERSION] = NULL,
    [CLIENT_SOURCE_ADDRESS] = "10.0.0.7",         [CLIENT_SOURCE_PORT] = "51000"};

#define LIST(...)                                                                                            \
    (struct config_list) {                                                                                   \
        .items = (const char *const[]){__VA_ARGS__},                                                         \
        .n = sizeof((const char *[]){__VA_ARGS__}) / sizeof(char *)                                          \
    }

static bool is_for(struct config_list items) {
    struct client_match *m;
    const char *illegal = NULL;
    assert_int_equal(client_match_compile(items, &m, &illegal), 0);
    bool yes = client_match(m, who);
    client_match_free(m);
    return yes;
}

static const char *refused(struct config_list items) {
    struct client_match *m;
    const char *illegal = NULL;
    assert_int_equal(client_match_compile(items, &m, &illegal), OE_INVALID);
    assert_null(m);
    return illegal;
}

static void all_that_is_named_must_match(void **state) {
    assert_true(is_for((struct config_list){0}));
    assert_true(is_for(LIST("client_id=app-.*")));
    assert_false(is_for(LIST("client_id=app")));
    assert_true(is_for(LIST(" client_id = app-[0-9] ", "client_source_address=10[.]0[.]0[.][0-9]+")));
    assert_false(is_for(LIST("client_id=app-1", "client_source_port=5")));
    assert_true(is_for(
        LIST("client_source_port=51\\d+", "client_software_name=.*java", "client_instance_id=Uuid.*")));
    assert_false(is_for(LIST("client_software_version=.*")));         /* nobody knows it */
    assert_true(is_for(LIST("client_id=nobody", "client_id=app-1"))); /* the last one counts */
}

static void what_is_no_pattern_is_refused(void **state) {
    static const char *const wrong[] = {"client_id",     "client_id=",  "=a",          "client=a",
                                        "client_id=a=b", "client_id=(", "client_id=[a"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_string_equal(refused(LIST("client_id=fine", wrong[i])), wrong[i]);
    assert_true(is_for(LIST("client_id=app-1=="))); /* as String.split has it */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_that_is_named_must_match),
        cmocka_unit_test(what_is_no_pattern_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
