#include "group/names.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"

int names_compare(struct kstr a, struct kstr b) {
    int32_t n = a.len < b.len ? a.len : b.len;
    int c = n > 0 ? memcmp(a.s, b.s, (size_t)n) : 0;
    return c ? c : a.len - b.len;
}

static int compare(const void *a, const void *b) {
    return names_compare(*(const struct kstr *)a, *(const struct kstr *)b);
}

bool names_sort(struct arena *a, const struct kstr *list, int32_t n, struct names *out) {
    *out = (struct names){0};
    if (n <= 0) return true;
    out->list = arena_alloc(a, (size_t)n * sizeof *list);
    if (!out->list) return false;
    memcpy(out->list, list, (size_t)n * sizeof *list);
    qsort(out->list, (size_t)n, sizeof *list, compare);
    for (int32_t i = 0; i < n; i++)
        if (!i || !kstr_equal(out->list[i], out->list[out->n - 1])) out->list[out->n++] = out->list[i];
    return true;
}

struct names names_own(const struct names *names) {
    size_t bytes = 0;
    if (!names->n) return (struct names){0};
    for (int32_t i = 0; i < names->n; i++) bytes += (size_t)names->list[i].len;
    struct names own = {.list = xmalloc((size_t)names->n * sizeof *own.list + bytes + 1), .n = names->n};
    char *at = (char *)(own.list + own.n);
    for (int32_t i = 0; i < own.n; i++) {
        own.list[i] = (struct kstr){.s = at, .len = names->list[i].len};
        if (own.list[i].len) memcpy(at, names->list[i].s, (size_t)own.list[i].len);
        at += own.list[i].len;
    }
    return own;
}

void names_free(struct names *names) {
    free(names->list);
    *names = (struct names){0};
}

bool names_equal(const struct names *a, const struct names *b) {
    if (a->n != b->n) return false;
    for (int32_t i = 0; i < a->n; i++)
        if (!kstr_equal(a->list[i], b->list[i])) return false;
    return true;
}

bool names_has(const struct names *names, struct kstr name) {
    int32_t from = 0, to = names->n;
    while (from < to) {
        int32_t middle = from + (to - from) / 2;
        int c = names_compare(names->list[middle], name);
        if (!c) return true;
        if (c < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return false;
}
