/* The tasks of a streams group (KIP-1071): a task is a partition of a subtopology, in one of three roles.
 * Private to group/. Source: TasksTuple, TasksTupleWithEpochs, TaskId.
 *
 * A list is in order of subtopology (as bytes) and partition, without doubles. Texts and lists are borrowed
 * unless they were made by task_list_own. */
#ifndef OTTLA_GROUP_TASKS_H
#define OTTLA_GROUP_TASKS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/types.h"

struct arena;

enum task_role { TASK_ACTIVE, TASK_STANDBY, TASK_WARMUP, TASK_ROLES };

struct task {
    struct kstr subtopology;
    int32_t partition;
    int32_t epoch; /* since which it is assigned; counts for active ones */
};

struct task_list {
    struct task *list;
    int32_t n;
};

struct tasks {
    struct task_list of[TASK_ROLES];
};

int task_compare(const struct task *a, const struct task *b);
/* Puts the tasks in order, in place; of equal ones one is kept. */
void task_list_sort(struct task_list *l);
const struct task *task_list_find(const struct task_list *l, struct kstr subtopology, int32_t partition);
bool task_list_equal(const struct task_list *a, const struct task_list *b, bool with_epochs);
/* Whether some task is in both. */
bool task_list_meets(const struct task_list *a, const struct task_list *b);
/* A list with room for n; list NULL: no memory. */
struct task_list task_list_room(struct arena *a, int32_t n);
/* How many of the tasks from `at` on are of the same subtopology. */
int32_t task_list_run(const struct task_list *l, int32_t at);
/* How many subtopologies there are. */
int32_t task_list_subtopologies(const struct task_list *l);

static inline bool tasks_empty(const struct tasks *t) {
    return !t->of[TASK_ACTIVE].n && !t->of[TASK_STANDBY].n && !t->of[TASK_WARMUP].n;
}
/* Epochs of active tasks count if with_epochs; of others never. */
bool tasks_equal(const struct tasks *a, const struct tasks *b, bool with_epochs);
bool tasks_meet(const struct tasks *a, const struct tasks *b); /* in the same role */
struct tasks tasks_own(const struct tasks *t);
void tasks_free(struct tasks *t);

#endif
