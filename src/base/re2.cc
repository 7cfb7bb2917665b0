#include "base/re2.h"

#include <re2/re2.h>

#include <set>
#include <string>

struct re2_pattern {
    explicit re2_pattern(const re2::StringPiece &pattern, const RE2::Options &options) : compiled(pattern, options) {}
    RE2 compiled;
};

/* What RE2/J calls it. */
static const char *describe(RE2::ErrorCode code) {
    switch (code) {
    case RE2::ErrorBadEscape: return "invalid escape sequence";
    case RE2::ErrorBadCharClass: return "invalid character class";
    case RE2::ErrorBadCharRange: return "invalid character class range";
    case RE2::ErrorMissingBracket: return "missing closing ]";
    case RE2::ErrorMissingParen: return "missing closing )";
    case RE2::ErrorUnexpectedParen: return "missing closing )";
    case RE2::ErrorTrailingBackslash: return "trailing backslash at end of expression";
    case RE2::ErrorRepeatArgument: return "missing argument to repetition operator";
    case RE2::ErrorRepeatSize: return "invalid repeat count";
    case RE2::ErrorRepeatOp: return "invalid nested repetition operator";
    case RE2::ErrorBadPerlOp: return "invalid or unsupported Perl syntax";
    case RE2::ErrorBadUTF8: return "invalid UTF-8";
    case RE2::ErrorBadNamedCapture: return "invalid named capture";
    default: return "internal error";
    }
}

/* The end of a character class that begins at `at`. */
static size_t skip_class(const std::string &p, size_t at) {
    size_t i = at + 1;
    if (i < p.size() && p[i] == '^') i++;
    if (i < p.size() && p[i] == ']') i++;
    for (; i < p.size() && p[i] != ']'; i++) {
        if (p[i] == '\\') i++;
        if (p[i] == '[' && i + 1 < p.size() && p[i + 1] == ':') {
            size_t end = p.find(":]", i + 2);
            if (end != std::string::npos) i = end + 1;
        }
    }
    return i < p.size() ? i + 1 : p.size();
}

static size_t skip_escape(const std::string &p, size_t at) {
    if (at + 1 >= p.size() || p[at + 1] != 'Q') return at + 2;
    size_t end = p.find("\\E", at + 2);
    return end == std::string::npos ? p.size() : end + 2;
}

/* What RE2/J knows and RE2 (before 2023) does not: (?<name>…) is (?P<name>…), and a name is given once. */
static bool translate(const std::string &p, std::string *out) {
    std::set<std::string> names;
    for (size_t i = 0, next; i < p.size(); i = next) {
        next = p[i] == '\\' ? skip_escape(p, i) : p[i] == '[' ? skip_class(p, i) : i + 1;
        if (next > p.size()) next = p.size();
        if (p[i] != '(' || p.compare(i, 2, "(?") != 0) {
            out->append(p, i, next - i);
            continue;
        }
        bool is_short = p.compare(i, 3, "(?<") == 0 && i + 3 < p.size() && p[i + 3] != '=' && p[i + 3] != '!';
        bool is_long = p.compare(i, 4, "(?P<") == 0;
        size_t from = i + (is_long ? 4 : 3), end = is_short || is_long ? p.find('>', from) : std::string::npos;
        if (end == std::string::npos) {
            out->append("(");
            continue;
        }
        if (!names.insert(p.substr(from, end - from)).second) return false;
        out->append("(?P<");
        next = from;
    }
    return true;
}

struct re2_pattern *re2_compile(const char *pattern, size_t len, const char **error) {
    RE2::Options options;
    options.set_log_errors(false);
    std::string translated;
    if (!translate(std::string(pattern, len), &translated)) {
        *error = "duplicate capture group name";
        return nullptr;
    }
    struct re2_pattern *r = new struct re2_pattern(translated, options);
    if (r->compiled.ok()) return r;
    *error = describe(r->compiled.error_code());
    delete r;
    return nullptr;
}

bool re2_matches(const struct re2_pattern *r, const char *text, size_t len) {
    return RE2::FullMatch(re2::StringPiece(text, len), r->compiled);
}

void re2_free(struct re2_pattern *r) { delete r; }
