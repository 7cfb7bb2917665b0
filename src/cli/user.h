/* ottla user. */
#ifndef OTTLA_CLI_USER_H
#define OTTLA_CLI_USER_H

#include "cli/command.h"

extern const struct cli_command cli_user_command;

#endif
