/* ottla reassign. */
#ifndef OTTLA_CLI_REASSIGN_H
#define OTTLA_CLI_REASSIGN_H

#include "cli/command.h"

extern const struct cli_command cli_reassign_command;

#endif
