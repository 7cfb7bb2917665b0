/* See version.h. */
#include "metadata/version.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* By level from MV_FIRST on. changed: the release changed records of the log
 * (MetadataVersion.didMetadataChange). */
static const struct {
    const char *name;
    bool changed;
} versions[] = {
    {"3.3-IV3", true},  {"3.4-IV0", true},  {"3.5-IV0", false}, {"3.5-IV1", false}, {"3.5-IV2", true},
    {"3.6-IV0", false}, {"3.6-IV1", true},  {"3.6-IV2", true},  {"3.7-IV0", true},  {"3.7-IV1", false},
    {"3.7-IV2", true},  {"3.7-IV3", false}, {"3.7-IV4", false}, {"3.8-IV0", false}, {"3.9-IV0", false},
    {"4.0-IV0", false}, {"4.0-IV1", true},  {"4.0-IV2", false}, {"4.0-IV3", false}, {"4.1-IV0", false},
    {"4.1-IV1", false}, {"4.2-IV0", false}, {"4.2-IV1", false}, {"4.3-IV0", true},  {"4.4-IV0", false},
};
enum { VERSIONS = sizeof versions / sizeof versions[0] };
_Static_assert((int)VERSIONS == MV_TESTING - MV_FIRST + 1, "a name for each level");

const char *metadata_version_name(int16_t level) {
    return level >= MV_FIRST && level <= MV_TESTING ? versions[level - MV_FIRST].name : NULL;
}

int16_t metadata_version_parse(const char *text) {
    for (int i = 0; i < VERSIONS; i++)
        if (strcmp(text, versions[i].name) == 0) return (int16_t)(MV_FIRST + i);
    const char *dot = strchr(text, '.'), *second = dot ? strchr(dot + 1, '.') : NULL;
    size_t n = second ? (size_t)(second - text) : strlen(text);
    for (int i = VERSIONS - 1; i >= 0; i--) /* "4.3" and "4.3.1": the last of the release */
        if (n > 2 && strncmp(text, versions[i].name, n) == 0 && versions[i].name[n] == '-')
            return (int16_t)(MV_FIRST + i);
    return 0;
}

const char *metadata_version_names(void) {
    return "3.3-IV3, 3.4-IV0, 3.5-IV0, 3.5-IV1, 3.5-IV2, 3.6-IV0, 3.6-IV1, 3.6-IV2, 3.7-IV0, 3.7-IV1, "
           "3.7-IV2, "
           "3.7-IV3, 3.7-IV4, 3.8-IV0, 3.9-IV0, 4.0-IV0, 4.0-IV1, 4.0-IV2, 4.0-IV3, 4.1-IV0, 4.1-IV1, "
           "4.2-IV0, "
           "4.2-IV1, 4.3-IV0";
}

bool metadata_version_changed(int16_t from, int16_t to) {
    int16_t low = from < to ? from : to, high = from < to ? to : from;
    for (int16_t v = high; v > low; v--)
        if (versions[v - MV_FIRST].changed) return true;
    return false;
}

const struct feature features[] = {
    {ELR_VERSION, 1, {0, MV_4_1_IV0}, {0, MV_4_0_IV1}},
    {GROUP_VERSION, 1, {0, MV_4_0_IV0}, {0, 0}},
    {KRAFT_VERSION, 1, {0, MV_3_9_IV0}, {0, 0}},
    {SHARE_VERSION, 1, {0, MV_4_2_IV0}, {0, 0}},
    {STREAMS_VERSION, 1, {0, MV_4_2_IV1}, {0, 0}},
    {TRANSACTION_VERSION, 2, {0, MV_4_0_IV2, MV_4_0_IV2}, {0, 0, 0}},
};
const int features_n = sizeof features / sizeof features[0];

const struct feature *feature_find(const char *name) {
    for (int i = 0; i < features_n; i++)
        if (strcmp(features[i].name, name) == 0) return &features[i];
    return NULL;
}

int16_t feature_default(const struct feature *f, int16_t mv) {
    int16_t level = 0;
    while (level < f->latest && f->bootstrap_mv[level + 1] <= mv) level++;
    return level;
}
