/* The command line: `ottla VERB …`. A verb is a function that gets its own arguments (argv[0] is the verb)
 * and returns the exit status. Results go to stdout; what went wrong goes to stderr in one line: what, where,
 * what to do. */
#ifndef OTTLA_CLI_CLI_H
#define OTTLA_CLI_CLI_H

enum cli_exit { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

#define VERB(function, name, summary) int cli_##function(int argc, char **argv);
#include "cli/verbs.h"
#undef VERB

/* One line on stderr, "ottla: " in front; returns CLI_FAILED and CLI_USAGE. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_wrong_usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
