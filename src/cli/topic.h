/* Private to the topic verb. */
#ifndef OTTLA_CLI_TOPIC_H
#define OTTLA_CLI_TOPIC_H

#include "cli/admin.h"

extern const struct cli_command cli_topic_command;
int topic_describe(struct cli *c);
/* Topics of a Metadata response by name, for qsort. */
int topic_compare(const void *a, const void *b);

#endif
