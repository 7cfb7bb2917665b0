/* A sorted list of distinct names. Private to group/. */
#ifndef OTTLA_GROUP_NAMES_H
#define OTTLA_GROUP_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/types.h"

struct arena;

struct names {
    struct kstr *list;
    int32_t n;
};

/* As bytes; a name that begins another comes first. */
int names_compare(struct kstr a, struct kstr b);
/* A sorted list without doubles of n names that stay where they are. The list is in the arena; false: no
 * memory. */
bool names_sort(struct arena *a, const struct kstr *list, int32_t n, struct names *out);
/* A copy in one block, texts and all; `names` must be sorted. Free with names_free. */
struct names names_own(const struct names *names);
void names_free(struct names *names);
bool names_equal(const struct names *a, const struct names *b);
bool names_has(const struct names *names, struct kstr name);

#endif
