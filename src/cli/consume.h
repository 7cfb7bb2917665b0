/* The consume verb's table, for completion. */
#ifndef OTTLA_CLI_CONSUME_H
#define OTTLA_CLI_CONSUME_H

#include "cli/command.h"

extern const struct cli_command cli_consume_command;

#endif
