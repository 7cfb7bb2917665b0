/* Command lines: what is accepted, what is refused, with which status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/err.h"
#include "cli/command.h"

static int ran; /* the last status that run() was asked for */

static int run(struct cli *c) {
    ran++;
    return c->args_n;
}

static const struct cli_option options[] = {
    {'p', "partitions", "N", "how many"},
    {'c', "config", "K=V", "a config"},
    {0, "dry", NULL, "do nothing"},
    {'z', "codec", "CODEC", "which", "none gzip"},
    {0},
};
static const struct cli_command commands[] = {
    {"create", "TOPIC...", "make", run, NULL, options, NULL, NULL, CLI_CLIENT | CLI_JSON, HINT_TOPIC, 1, 2},
    {0},
};
static const struct cli_command verb = {"topic", .summary = "topics", .commands = commands};

#define PARSE(c, ...) parse(c, (char *[]){"topic", __VA_ARGS__, NULL})

static int parse(struct cli *c, char **argv) {
    int argc = 0;
    while (argv[argc]) argc++;
    return cli_parse(&verb, argc, argv, c);
}

static void accepts(void **state) {
    struct cli c;
    assert_int_equal(
        PARSE(&c, "create", "a", "-p3", "--config=x=1", "-c", "y=2", "--dry", "--json", "--", "-b"), 0);
    assert_string_equal(c.path, "topic create");
    assert_int_equal(c.args_n, 2);
    assert_string_equal(c.args[1], "-b"); /* behind -- nothing is an option */
    assert_true(c.json);
    assert_true(cli_has(&c, "dry"));
    assert_false(cli_has(&c, "codec"));
    assert_int_equal(cli_number(&c, "partitions", 1, 10, 7), 3);
    int at = 0;
    assert_string_equal(cli_next(&c, "config", &at), "x=1");
    assert_string_equal(cli_next(&c, "config", &at), "y=2");
    assert_null(cli_next(&c, "config", &at));
    assert_string_equal(cli_get(&c, "config"), "y=2"); /* the last one wins */
    assert_int_equal(c.failed, 0);
    cli_free(&c);
}

static void negative_values_are_no_options(void **state) {
    struct cli c;
    assert_int_equal(PARSE(&c, "create", "a", "-p", "-5"), 0);
    assert_int_equal(cli_number(&c, "partitions", -10, 10, 0), -5);
    assert_int_equal(cli_number(&c, "partitions", 0, 10, 1), 1);
    assert_int_equal(c.failed, CLI_USAGE);
    cli_free(&c);
}

static void refuses(void **state) {
    struct cli c;
    assert_int_equal(PARSE(&c, "make"), CLI_USAGE);                  /* no such command */
    assert_int_equal(PARSE(&c, "create"), CLI_USAGE);                /* too few arguments */
    assert_int_equal(PARSE(&c, "create", "a", "b", "c"), CLI_USAGE); /* too many */
    assert_int_equal(PARSE(&c, "create", "a", "--nope"), CLI_USAGE); /* no such option */
    assert_int_equal(PARSE(&c, "create", "a", "-x"), CLI_USAGE);
    assert_int_equal(PARSE(&c, "create", "a", "-p"), CLI_USAGE);         /* its value is missing */
    assert_int_equal(PARSE(&c, "create", "a", "--dry=1"), CLI_USAGE);    /* it has none */
    assert_int_equal(PARSE(&c, "create", "a", "-z", "lzma"), CLI_USAGE); /* not one of the choices */
    assert_int_equal(PARSE(&c, "create", "a", "-z", "gzi"), CLI_USAGE);
    assert_int_equal(PARSE(&c, "create", "a", "-z", "gzip"), 0);
    cli_free(&c);
}

static void runs(void **state) {
    char *argv[] = {"topic", "create", "a", "b", NULL}, *help[] = {"topic", "create", "--help", NULL};
    ran = 0;
    assert_int_equal(cli_run(&verb, 4, argv), 2);
    assert_int_equal(ran, 1);
    assert_int_equal(cli_run(&verb, 3, help), CLI_DONE);
    assert_int_equal(ran, 1);
}

static void sizes(void **state) {
    static const struct {
        char *text;
        int64_t v; /* -1: refused */
    } rows[] = {{"0", 0},    {"17", 17}, {"4k", 4096},         {"2M", 2 << 20}, {"1g", 1 << 30}, {"k", -1},
                {"4kk", -1}, {"-1", -1}, {"99999999999g", -1}, {"", -1},        {"8x", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cli c;
        assert_int_equal(PARSE(&c, "create", "a", "-p", rows[i].text), 0);
        assert_int_equal(cli_size(&c, "partitions", 0, INT64_MAX, -1), rows[i].v);
        assert_int_equal(c.failed, rows[i].v < 0 ? CLI_USAGE : 0);
        cli_free(&c);
    }
}

static void times(void **state) {
    static const struct {
        const char *text;
        int64_t ms; /* -1: refused */
    } rows[] = {{"1700000000000", 1700000000000},
                {"2h", 10000000 - 7200000},
                {"1s", 9999000},
                {"2023-11-14T22:13:20Z", 1700000000000},
                {"2023-11-14T22:13:20.5Z", 1700000000500},
                {"2023-11-14T22:13Z", 1699999980000},
                {"2023-11-14Z", 1699920000000},
                {"yesterday", -1},
                {"2023-11-14T22:13:20Zx", -1},
                {"2023-13-14Z", -1},
                {"h", -1},
                {"", -1}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = -1;
        assert_int_equal(cli_parse_time(rows[i].text, 10000000, &ms), rows[i].ms < 0 ? OE_MALFORMED : 0);
        if (rows[i].ms >= 0) assert_int_equal(ms, rows[i].ms);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepts), cmocka_unit_test(negative_values_are_no_options),
        cmocka_unit_test(refuses), cmocka_unit_test(runs),
        cmocka_unit_test(sizes),   cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
