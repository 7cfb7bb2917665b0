/* Private to kafka-consumer-groups. */
#ifndef OTTLA_CLI_NAMES_CONSUMER_GROUPS_H
#define OTTLA_CLI_NAMES_CONSUMER_GROUPS_H

#include "cli/group.h"
#include "cli/names/tool.h"

/* The groups of --group, or of --all-groups; the arena's. false: r->why. */
bool consumer_groups_named(struct tool_run *r, struct kstr **v, int32_t *n);
/* "topic" or "topic:0,1" with the partitions that it names, added to g. false: r->why, or r->status for a
 * wrong one. missing: the topic does not exist (r->code then is the error). */
bool consumer_groups_partitions(struct tool_run *r, const char *text, struct group_view *g);
/* One line on stdout, "\nError: " in front. */
void consumer_groups_error(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A helper of cli/group.h failed: its text in r->why; returns false. */
bool consumer_groups_failed(struct tool_run *r);

bool consumer_groups_describe(struct tool_run *r);
bool consumer_groups_reset(struct tool_run *r);

#endif
