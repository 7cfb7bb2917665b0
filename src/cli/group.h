/* Private to the group verb: what is known of one group, in one form for all kinds.
 * All of it is the arena's. */
#ifndef OTTLA_CLI_GROUP_H
#define OTTLA_CLI_GROUP_H

#include "cli/offsets.h"

struct group_member {
    struct kstr id, instance, client, host; /* instance may be null */
    int32_t partitions;                     /* how many are assigned */
    int32_t epoch;                          /* the member's; -1: it has none (classic protocol) */
};

/* A partition that the group has an offset of, or that is assigned to a member. */
struct group_partition {
    struct kstr topic;
    int32_t partition, leader;
    int64_t committed;    /* -1: none */
    int64_t start, end;   /* -1: not known */
    int32_t member;       /* index of members; -1: nobody's */
    int32_t leader_epoch; /* of the committed offset; -1: none */
    struct kstr metadata;
};

/* A task of a streams group. */
struct group_task {
    struct kstr subtopology;
    int32_t partition, member; /* index of members */
    const char *role;          /* "active", "standby", "warm-up" */
};

struct consumer_group_describe_response_described_group;
struct list_groups_response_listed_group;

struct group_view {
    struct kstr name, state, type, assignor;
    int32_t epoch, assignment_epoch; /* -1: none (classic) */
    const struct consumer_group_describe_response_described_group
        *described; /* members in the same order; NULL: not of the type consumer */
    struct group_member *members;
    int32_t members_n;
    struct group_task *tasks; /* in order */
    int32_t tasks_n;
    struct group_partition *partitions; /* by topic and number */
    int32_t partitions_n, partitions_cap;
};

/* State and members. missing: the group does not exist, which is no error here. 0 or an exit status. */
int group_ask(struct admin *a, const char *name, struct group_view *g, bool *missing);
/* As group_ask, of a streams group; *other: it is none, or the broker knows of no such groups. */
int group_ask_streams(struct admin *a, const char *name, struct group_view *g, bool *other);
/* Adds the committed offsets. */
int group_ask_committed(struct admin *a, struct group_view *g);
/* Sorts the partitions, which group_ask_ends does as well. */
void group_sort(struct group_view *g);
/* Sorts the partitions and asks for their leaders, first and last offsets. */
int group_ask_ends(struct admin *a, struct group_view *g);
/* The partition, added if it is new. NULL without memory. */
struct group_partition *group_partition(struct admin *a, struct group_view *g, struct kstr topic,
                                        int32_t partition);

/* The groups of all nodes, by name. 0 or an exit status. */
int group_ask_list(struct admin *a, struct list_groups_response_listed_group **v, int32_t *n);
/* Commits to[i] for each partition of the view. *code: Kafka's error of the first that was refused. 0 or an
 * exit status. */
int group_commit(struct admin *a, const struct group_view *g, const int64_t *to, int16_t *code);

int group_reset(struct cli *c);
extern const struct cli_option group_reset_options[];
extern const struct cli_command cli_group_command;

#endif
