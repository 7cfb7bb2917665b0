/* The bench verb's table, for completion. */
#ifndef OTTLA_CLI_BENCH_H
#define OTTLA_CLI_BENCH_H

#include "cli/command.h"

extern const struct cli_command cli_bench_command;

#endif
