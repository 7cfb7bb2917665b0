/* ottla cluster. */
#ifndef OTTLA_CLI_CLUSTER_H
#define OTTLA_CLI_CLUSTER_H

#include "cli/command.h"

extern const struct cli_command cli_cluster_command;

#endif
