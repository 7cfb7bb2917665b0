/* What a line of `ottla produce` becomes; the text helpers that it and consume use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/err.h"
#include "cli/produce.h"
#include "cli/text.h"

static void same(const void *got, size_t n, const char *wanted) {
    assert_non_null(got);
    assert_int_equal(n, strlen(wanted));
    assert_memory_equal(got, wanted, n);
}

static void split(void **state) {
    struct produce_record r;
    produce_record_init(&r);
    produce_split(&r, "key::value::more", 16, "::", 2);
    same(r.key, r.key_len, "key");
    same(r.value, r.value_len, "value::more");
    produce_split(&r, "value", 5, "::", 2);
    assert_null(r.key);
    same(r.value, r.value_len, "value");
    produce_split(&r, "a:b", 3, NULL, 0);
    assert_null(r.key);
    produce_split(&r, ":", 1, ":", 1);
    assert_non_null(r.key);
    assert_int_equal(r.key_len, 0);
    assert_int_equal(r.value_len, 0);
    produce_record_free(&r);
}

static int json(struct produce_record *r, const char *line) {
    char why[200];
    produce_record_reset(r);
    return produce_parse_json(r, line, strlen(line), why);
}

static void json_lines(void **state) {
    struct produce_record r;
    produce_record_init(&r);
    assert_int_equal(
        json(&r, "{\"topic\":\"t\",\"offset\":4,\"key\":\"k\",\"value\":{\"a\":[1,null]},\"partition\":3,"
                 "\"timestamp\":17,\"headers\":{\"x\":\"1\",\"y\":null}}"),
        0);
    same(r.key, r.key_len, "k");
    same(r.value, r.value_len, "{\"a\":[1,null]}");
    assert_int_equal(r.partition, 3);
    assert_int_equal(r.timestamp, 17);
    assert_int_equal(r.headers_n, 2);
    same(r.headers[0].value, r.headers[0].value_len, "1");
    assert_null(r.headers[1].value);
    assert_int_equal(json(&r, "{\"key\":5,\"valueBase64\":\"AAH/\"}"), 0);
    same(r.key, r.key_len, "5");
    assert_int_equal(r.value_len, 3);
    assert_memory_equal(r.value, "\0\1\377", 3);
    assert_int_equal(
        json(&r, "{\"headers\":[[\"a\",\"1\"],[\"a\",{\"base64\":\"/w==\"}],[\"b\",null]],\"value\":[0.1]}"),
        0);
    assert_int_equal(r.headers_n, 3);
    same(r.headers[1].name, r.headers[1].name_len, "a");
    same(r.headers[1].value, r.headers[1].value_len, "\377");
    assert_null(r.headers[2].value);
    assert_int_equal(json(&r, "{\"key\":null}"), 0);
    assert_null(r.key);
    assert_null(r.value);
    assert_int_equal(r.partition, -1);
    produce_record_free(&r);
}

static void json_refused(void **state) {
    static const char *const lines[] = {"",
                                        "x",
                                        "[]",
                                        "{\"partition\":-2}",
                                        "{\"partition\":\"1\"}",
                                        "{\"headers\":[[\"a\"]]}",
                                        "{\"headers\":{\"a\":{\"base64\":\"!\"}}}",
                                        "{\"headers\":{\"a\":1}}",
                                        "{\"valueBase64\":\"A\"}",
                                        "{\"valueBase64\":7}",
                                        "{\"timestamp\":\"now\"}",
                                        "{\"key\":1,\"key\":2}",
                                        "{} x"};
    struct produce_record r;
    produce_record_init(&r);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        assert_int_equal(json(&r, lines[i]), OE_MALFORMED);
    produce_record_free(&r);
}

static void utf8(void **state) {
    assert_true(utf8_is_valid("aé€😀", 1 + 2 + 3 + 4));
    assert_true(utf8_is_valid("", 0));
    assert_false(utf8_is_valid("\xc3", 1));     /* cut */
    assert_false(utf8_is_valid("\x80", 1));     /* begins inside */
    assert_false(utf8_is_valid("\xc0\x80", 2)); /* too long a form */
    assert_false(utf8_is_valid("\xe0\x80\x80", 3));
    assert_false(utf8_is_valid("\xed\xa0\x80", 3));     /* a surrogate */
    assert_false(utf8_is_valid("\xf4\x90\x80\x80", 4)); /* beyond U+10FFFF */
}

static void base64(void **state) {
    uint8_t bytes[40];
    for (size_t n = 0; n < sizeof bytes; n++) {
        struct strbuf text, back;
        strbuf_init(&text, 1000);
        strbuf_init(&back, 1000);
        for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)(i * 77 + n);
        base64_add(&text, bytes, n);
        assert_int_equal(text.len, (n + 2) / 3 * 4);
        assert_int_equal(base64_decode(strbuf_str(&text), text.len, &back), 0);
        assert_int_equal(back.len, n);
        if (n) assert_memory_equal(back.s, bytes, n);
        strbuf_free(&text);
        strbuf_free(&back);
    }
    struct strbuf out;
    strbuf_init(&out, 100);
    assert_int_equal(base64_decode("AA=A", 4, &out), OE_MALFORMED);
    assert_int_equal(base64_decode("=AAA", 4, &out), OE_MALFORMED);
    assert_int_equal(base64_decode("A===", 4, &out), OE_MALFORMED);
    assert_int_equal(base64_decode("AA==AAAA", 8, &out), OE_MALFORMED);
    strbuf_free(&out);
}

static void escapes(void **state) {
    char text[] = "a\\t\\n\\\\\\x41\\0b", wrong[] = "\\q", cut[] = "\\x4", end[] = "\\";
    assert_int_equal(unescape(text), 7);
    assert_memory_equal(text, "a\t\n\\A\0b", 7);
    assert_int_equal(unescape(wrong), -1);
    assert_int_equal(unescape(cut), -1);
    assert_int_equal(unescape(end), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split), cmocka_unit_test(json_lines), cmocka_unit_test(json_refused),
        cmocka_unit_test(utf8),  cmocka_unit_test(base64),     cmocka_unit_test(escapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
