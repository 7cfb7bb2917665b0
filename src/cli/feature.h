/* ottla feature. */
#ifndef OTTLA_CLI_FEATURE_H
#define OTTLA_CLI_FEATURE_H

#include "cli/command.h"

extern const struct cli_command cli_feature_command;

#endif
