/* ottla share. */
#ifndef OTTLA_CLI_SHARE_H
#define OTTLA_CLI_SHARE_H

#include "cli/command.h"

extern const struct cli_command cli_share_command;

#endif
