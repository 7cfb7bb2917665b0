/* Patterns that users write: what matches, what is refused in whose syntax, what a hostile one may cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/err.h"
#include "base/regex.h"

static bool matches(enum regex_syntax syntax, const char *pattern, const char *s) {
    struct regex *r;
    assert_int_equal(regex_compile(syntax, pattern, strlen(pattern), &r, NULL), 0);
    bool yes = regex_matches(r, s, strlen(s));
    regex_free(r);
    return yes;
}

static void a_text_matches_as_a_whole(void **state) {
    static const struct {
        const char *pattern, *s;
        bool matches;
    } rows[] = {
        {"11.1.*", "11.1.7", true},
        {"11.1.*", "x11.1.7", false},
        {"b-[0-9]", "b-123", false},
        {"b-[0-9]+", "b-123", true},
        {"", "", true},
        {"", "a", false},
        {"a|ab", "ab", true},
        {"[^]a]+", "xyz", true},
        {"\\Q(*)\\E", "(*)", true},
        {"\xc3\xa9.", "\xc3\xa9\xc3\xa9", true},
        {".", "\xff", false},
        {"(?i)KAFKA", "kafka", true},
        {"a\nb", "a\nb", true},
        {"a$", "a\n", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int syntax = REGEX_JAVA; syntax <= REGEX_RE2; syntax++)
            if (matches((enum regex_syntax)syntax, rows[i].pattern, rows[i].s) != rows[i].matches)
                fail_msg("%s on \"%s\"", rows[i].pattern, rows[i].s);
    assert_true(matches(REGEX_JAVA, "(a)\\1", "aa"));
    assert_true(matches(REGEX_JAVA, "[{]\\p{Lu}{2,}\\{a{0}", "{AB{"));
    assert_true(matches(REGEX_JAVA, "(?=a).b", "ab") == true);
    assert_true(matches(REGEX_RE2, "(?P<name>a)b", "ab"));
}

static void what_is_not_known_is_refused(void **state) {
    static const char *const both[] = {"(",       "[a",    "*a",       "a)",      "(*FAIL)", "(*UTF)a",
                                       "(?R)",    "(?1)a", "(a)(?-1)", "(?|a|b)", "a\\g{1}", "a\\Kb",
                                       "(?(1)a)", "\xff",  "a{2,1}",   "(?C1)a",  "(?&x)"};
    static const char *const not_java[] = {"a{", "{", "a{x}", "a{2", "(?P<name>a)"};
    static const char *const not_re2[] = {"(a)\\1",  "(?=a)", "(?!a)", "(?<=a)b",
                                          "(?<!a)b", "(?>a)", "a++",   "a{1}+"};
    char why[REGEX_WHY];
    struct regex *r;
    for (size_t i = 0; i < sizeof both / sizeof *both; i++)
        for (int syntax = REGEX_JAVA; syntax <= REGEX_RE2; syntax++) {
            if (regex_compile((enum regex_syntax)syntax, both[i], strlen(both[i]), &r, why) != OE_INVALID)
                fail_msg("%s", both[i]);
            assert_null(r);
            assert_true(why[0]);
        }
    for (size_t i = 0; i < sizeof not_java / sizeof *not_java; i++)
        assert_int_equal(regex_compile(REGEX_JAVA, not_java[i], strlen(not_java[i]), &r, why), OE_INVALID);
    for (size_t i = 0; i < sizeof not_re2 / sizeof *not_re2; i++)
        assert_int_equal(regex_compile(REGEX_RE2, not_re2[i], strlen(not_re2[i]), &r, why), OE_INVALID);
}

static void a_hostile_pattern_ends(void **state) {
    char text[4096], *pattern = malloc(REGEX_LONGEST + 1);
    struct regex *r;
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    clock_t start = clock();
    assert_false(matches(REGEX_JAVA, "(a+)+b", text));
    assert_false(matches(REGEX_JAVA, "((a*)*)*b", text));
    assert_true((double)(clock() - start) / CLOCKS_PER_SEC < 5);
    memset(pattern, '(', REGEX_LONGEST);
    assert_int_equal(regex_compile(REGEX_JAVA, pattern, REGEX_LONGEST, &r, NULL), OE_INVALID);
    assert_int_equal(regex_compile(REGEX_JAVA, pattern, REGEX_LONGEST + 1, &r, NULL), OE_LIMIT);
    free(pattern);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_matches_as_a_whole),
        cmocka_unit_test(what_is_not_known_is_refused),
        cmocka_unit_test(a_hostile_pattern_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
