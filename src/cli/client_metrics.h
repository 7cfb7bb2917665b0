/* ottla client-metrics. */
#ifndef OTTLA_CLI_CLIENT_METRICS_H
#define OTTLA_CLI_CLIENT_METRICS_H

#include "cli/command.h"

extern const struct cli_command cli_client_metrics_command;

#endif
