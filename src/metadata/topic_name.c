#include "metadata/topic_name.h"

#include <string.h>

static bool legal(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool topic_name_valid(const char *name, size_t len) {
    if (len == 0 || len > TOPIC_NAME_MAX) return false;
    if (name[0] == '.' && (len == 1 || (len == 2 && name[1] == '.'))) return false;
    for (size_t i = 0; i < len; i++)
        if (!legal(name[i])) return false;
    return true;
}

const char *topic_name_problem(struct kstr name, struct arena *a) {
    static const char start[] = "Topic name is invalid: ";
    const char *text;
    if (name.len <= 0) return "Topic name is invalid: the empty string is not allowed";
    if (topic_name_valid(name.s, (size_t)name.len)) return NULL;
    if (kstr_is(name, ".") || kstr_is(name, ".."))
        text = arena_printf(a, "%s'%.*s' is not allowed", start, name.len, name.s);
    else if (name.len > TOPIC_NAME_MAX)
        text = arena_printf(a, "%sthe length of '%.*s' is longer than the max allowed length %d", start,
                            name.len, name.s, TOPIC_NAME_MAX);
    else
        text = arena_printf(
            a, "%s'%.*s' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'",
            start, name.len, name.s);
    return text ? text : "Topic name is invalid";
}

bool topic_name_is_internal(const char *name, size_t len) {
    static const char *const internal[] = {"__consumer_offsets", "__transaction_state",
                                           "__share_group_state"};
    for (size_t i = 0; i < sizeof internal / sizeof *internal; i++)
        if (strlen(internal[i]) == len && !memcmp(internal[i], name, len)) return true;
    return false;
}
