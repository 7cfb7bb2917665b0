/* ottla quota. */
#ifndef OTTLA_CLI_QUOTA_H
#define OTTLA_CLI_QUOTA_H

#include "cli/command.h"

extern const struct cli_command cli_quota_command;

#endif
