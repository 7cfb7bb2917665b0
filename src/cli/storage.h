/* ottla storage: the log directories of a node. */
#ifndef OTTLA_CLI_STORAGE_H
#define OTTLA_CLI_STORAGE_H

struct cli_command;
extern const struct cli_command cli_storage_command;

#endif
