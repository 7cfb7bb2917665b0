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

bool topic_name_is_internal(const char *name, size_t len) {
    static const char *const internal[] = {"__consumer_offsets", "__transaction_state",
                                           "__share_group_state"};
    for (size_t i = 0; i < sizeof internal / sizeof *internal; i++)
        if (strlen(internal[i]) == len && !memcmp(internal[i], name, len)) return true;
    return false;
}
