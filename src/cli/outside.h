/* Files, directories and the environment, for config.providers of a node's configuration. */
#ifndef OTTLA_CLI_OUTSIDE_H
#define OTTLA_CLI_OUTSIDE_H

#include "config/outside.h"

const struct config_outside *cli_outside(void);

#endif
