#include "group/tasks.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/mem.h"
#include "group/names.h"

int task_compare(const struct task *a, const struct task *b) {
    int c = names_compare(a->subtopology, b->subtopology);
    if (c) return c;
    return a->partition < b->partition ? -1 : a->partition > b->partition;
}

static int compare(const void *a, const void *b) { return task_compare(a, b); }

void task_list_sort(struct task_list *l) {
    int32_t kept = 0;
    bool sorted = true;
    for (int32_t i = 1; i < l->n && sorted; i++) sorted = task_compare(&l->list[i - 1], &l->list[i]) <= 0;
    if (!sorted) qsort(l->list, (size_t)l->n, sizeof *l->list, compare);
    for (int32_t i = 0; i < l->n; i++) {
        if (i + 1 < l->n && !task_compare(&l->list[i], &l->list[i + 1])) continue;
        l->list[kept++] = l->list[i];
    }
    l->n = kept;
}

const struct task *task_list_find(const struct task_list *l, struct kstr subtopology, int32_t partition) {
    const struct task wanted = {.subtopology = subtopology, .partition = partition};
    int32_t from = 0, to = l->n;
    while (from < to) {
        int32_t middle = from + (to - from) / 2;
        int c = task_compare(&l->list[middle], &wanted);
        if (!c) return &l->list[middle];
        if (c < 0)
            from = middle + 1;
        else
            to = middle;
    }
    return NULL;
}

bool task_list_equal(const struct task_list *a, const struct task_list *b, bool with_epochs) {
    if (a->n != b->n) return false;
    for (int32_t i = 0; i < a->n; i++)
        if (task_compare(&a->list[i], &b->list[i]) || (with_epochs && a->list[i].epoch != b->list[i].epoch))
            return false;
    return true;
}

bool task_list_meets(const struct task_list *a, const struct task_list *b) {
    for (int32_t i = 0, k = 0; i < a->n && k < b->n;) {
        int c = task_compare(&a->list[i], &b->list[k]);
        if (!c) return true;
        i += c < 0;
        k += c > 0;
    }
    return false;
}

struct task_list task_list_room(struct arena *a, int32_t n) {
    return (struct task_list){.list = arena_alloc(a, (size_t)n * sizeof(struct task))};
}

int32_t task_list_run(const struct task_list *l, int32_t at) {
    int32_t n = 1;
    while (at + n < l->n && kstr_equal(l->list[at].subtopology, l->list[at + n].subtopology)) n++;
    return n;
}

int32_t task_list_subtopologies(const struct task_list *l) {
    int32_t n = 0;
    for (int32_t i = 0; i < l->n; i += task_list_run(l, i)) n++;
    return n;
}

/* A copy in one block, each subtopology's name once. */
static struct task_list own(const struct task_list *l) {
    size_t bytes = 1;
    if (!l->n) return (struct task_list){0};
    for (int32_t i = 0; i < l->n; i += task_list_run(l, i)) bytes += (size_t)l->list[i].subtopology.len;
    struct task_list copy = {.list = xmalloc((size_t)l->n * sizeof *copy.list + bytes), .n = l->n};
    char *at = (char *)(copy.list + copy.n);
    memcpy(copy.list, l->list, (size_t)l->n * sizeof *copy.list);
    for (int32_t i = 0; i < l->n;) {
        struct kstr name = l->list[i].subtopology;
        if (name.len > 0) memcpy(at, name.s, (size_t)name.len);
        for (int32_t run = task_list_run(l, i); run; run--, i++) copy.list[i].subtopology.s = at;
        at += name.len;
    }
    return copy;
}

bool tasks_equal(const struct tasks *a, const struct tasks *b, bool with_epochs) {
    for (int r = 0; r < TASK_ROLES; r++)
        if (!task_list_equal(&a->of[r], &b->of[r], with_epochs && r == TASK_ACTIVE)) return false;
    return true;
}

bool tasks_meet(const struct tasks *a, const struct tasks *b) {
    for (int r = 0; r < TASK_ROLES; r++)
        if (task_list_meets(&a->of[r], &b->of[r])) return true;
    return false;
}

struct tasks tasks_own(const struct tasks *t) {
    struct tasks copy;
    for (int r = 0; r < TASK_ROLES; r++) copy.of[r] = own(&t->of[r]);
    return copy;
}

void tasks_free(struct tasks *t) {
    for (int r = 0; r < TASK_ROLES; r++) free(t->of[r].list);
    *t = (struct tasks){0};
}
