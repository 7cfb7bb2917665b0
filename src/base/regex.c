#include "base/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* Steps of a match; stack is not used, memory in KiB. */
enum { MOST_STEPS = 1000000, MOST_DEPTH = 10000, MOST_KIB = 4096 };

/* Behind "(?": what neither knows, and what RE2 does not. */
static const char *const foreign_groups[] = {"R", "&", "P>", "P=", "+", "|", "C", "(", "0",
                                             "1", "2", "3",  "4",  "5", "6", "7", "8", "9"};
static const char *const around_groups[] = {"=", "!", "<=", "<!", ">"};

static bool starts_with_one(const char *s, size_t n, const char *const *words, size_t words_n) {
    for (size_t i = 0; i < words_n; i++) {
        size_t len = strlen(words[i]);
        if (n >= len && !memcmp(s, words[i], len)) return true;
    }
    return false;
}
#define ONE_OF(s, n, words) starts_with_one(s, n, words, sizeof(words) / sizeof *(words))

/* Quantifiers that give nothing back: a++, a*+, a?+, a{2}+. */
static bool is_possessive(const char *s, size_t at, size_t n) {
    return at + 1 < n && strchr("+*?}", s[at]) && s[at + 1] == '+';
}

/* The escape at s[at] = '\\': does the syntax know it? */
static bool escape_is_known(enum regex_syntax syntax, char c) {
    if (strchr("gK", c)) return false; /* references by number in PCRE2's way; the match begins here */
    return syntax == REGEX_JAVA || !strchr("123456789kGRXZ", c);
}

/* s[at] = '{': does it repeat what stands before it? Java knows no other use of it, PCRE2 takes it literally.
 */
static bool is_repetition(const char *s, size_t at, size_t n) {
    size_t i = at + 1, first = i;
    while (i < n && s[i] >= '0' && s[i] <= '9') i++;
    if (at == 0 || i == first) return false;
    if (i < n && s[i] == ',')
        for (i++; i < n && s[i] >= '0' && s[i] <= '9';) i++;
    return i < n && s[i] == '}';
}

/* Where the escape at s[at] = '\\' ends: \p{…} and its like, or one character. */
static size_t escape_end(const char *s, size_t at, size_t n) {
    if (at + 2 >= n || s[at + 2] != '{' || !strchr("pPxNko", s[at + 1])) return at + 1;
    const char *close = memchr(s + at, '}', n - at);
    return close ? (size_t)(close - s) : at + 1;
}

static const char *why_foreign(enum regex_syntax syntax, const char *s, size_t n) {
    bool in_class = false;
    for (size_t i = 0; i < n; i++) {
        if (s[i] == '\\' && i + 1 < n && s[i + 1] == 'Q') { /* literal up to \E */
            const char *end = memmem(s + i, n - i, "\\E", 2);
            if (!end) return NULL;
            i = (size_t)(end - s) + 1;
        } else if (s[i] == '\\') {
            if (i + 1 < n && !in_class && !escape_is_known(syntax, s[i + 1]))
                return "an escape that is not known";
            i = escape_end(s, i, n);
        } else if (in_class) {
            in_class = s[i] != ']';
        } else if (s[i] == '[') {
            in_class = true;
            if (i + 1 < n && s[i + 1] == '^') i++;
            if (i + 1 < n && s[i + 1] == ']') i++; /* stands for itself */
        } else if (s[i] == '(' && i + 1 < n && s[i + 1] == '*') {
            return "a quantifier without anything before it";
        } else if (s[i] == '(' && i + 2 < n && s[i + 1] == '?') {
            if (ONE_OF(s + i + 2, n - i - 2, foreign_groups) || (syntax == REGEX_JAVA && s[i + 2] == 'P') ||
                (s[i + 2] == '-' && i + 3 < n && s[i + 3] >= '0' && s[i + 3] <= '9'))
                return "a group that is not known";
            if (syntax == REGEX_RE2 && ONE_OF(s + i + 2, n - i - 2, around_groups)) return "looking around";
        } else if (syntax == REGEX_JAVA && s[i] == '{' && !is_repetition(s, i, n)) {
            return "a repetition that is none";
        } else if (syntax == REGEX_RE2 && is_possessive(s, i, n)) {
            return "a possessive quantifier";
        }
    }
    return NULL;
}

int regex_compile(enum regex_syntax syntax, const char *pattern, size_t n, struct regex **out,
                  char why[REGEX_WHY]) {
    *out = NULL;
    if (why) why[0] = 0;
    if (n > REGEX_LONGEST) return OE_LIMIT;
    const char *foreign = why_foreign(syntax, pattern, n);
    if (foreign) {
        if (why) snprintf(why, REGEX_WHY, "%s", foreign);
        return OE_INVALID;
    }
    int error;
    PCRE2_SIZE at;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern, n,
                                     PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_NEVER_BACKSLASH_C,
                                     &error, &at, NULL);
    *out = (struct regex *)code;
    if (!code && why) pcre2_get_error_message(error, (PCRE2_UCHAR *)why, REGEX_WHY);
    return code ? 0 : OE_INVALID;
}

bool regex_matches(const struct regex *r, const char *s, size_t n) {
    const pcre2_code *code = (const pcre2_code *)r;
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    pcre2_match_data *found = pcre2_match_data_create(1, NULL);
    int got = PCRE2_ERROR_NOMEMORY;
    if (limits && found) {
        pcre2_set_match_limit(limits, MOST_STEPS);
        pcre2_set_depth_limit(limits, MOST_DEPTH);
        pcre2_set_heap_limit(limits, MOST_KIB);
        got = pcre2_match(code, (PCRE2_SPTR)s, n, 0, 0, found, limits);
    }
    pcre2_match_data_free(found);
    pcre2_match_context_free(limits);
    return got >= 0;
}

void regex_free(struct regex *r) { pcre2_code_free((pcre2_code *)r); }
