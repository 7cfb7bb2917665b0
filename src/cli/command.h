/* Commands as tables: what a command is called, takes and does. Parsing, --help and the shells' completion
 * all come from these tables, so an option is written down once.
 *
 * A command either has commands of its own (topic → create, list, …) or runs. Every command knows --help;
 * those with CLI_CLIENT also know -b/--bootstrap-server, --timeout-ms; those with CLI_JSON --json. */
#ifndef OTTLA_CLI_COMMAND_H
#define OTTLA_CLI_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/cli.h"

enum cli_flags {
    CLI_CLIENT = 1, /* talks to a cluster */
    CLI_JSON = 2,   /* can print JSON */
};

/* What the shell offers where an option's value or an argument goes. */
enum cli_hint { HINT_NONE, HINT_FILE, HINT_DIR, HINT_TOPIC, HINT_GROUP };

struct cli_option {
    char letter; /* 0: none */
    const char *name;
    const char *value;   /* what --help calls its value; NULL: it has none */
    const char *help;    /* one line */
    const char *choices; /* "none gzip …": what the value may be; NULL: anything */
    enum cli_hint hint;
};

struct cli_example {
    const char *line, *what;
};

struct cli;

struct cli_command {
    const char *name;
    const char *arguments; /* as --help shows them: "TOPIC..." */
    const char *summary;
    int (*run)(struct cli *c);
    const struct cli_command *commands; /* ends with a {0}; NULL: it runs */
    const struct cli_option *options;   /* ends with a {0}; NULL: none of its own */
    const struct cli_example *examples; /* ends with a {0} */
    const char *details;                /* more for --help, or NULL */
    unsigned flags;
    enum cli_hint hint; /* of the arguments */
    int least, most;    /* arguments; most -1: any number */
};

/* A parsed command line. */
struct cli {
    const struct cli_command *command;
    char path[64]; /* "topic create" */
    struct cli_setting {
        const struct cli_option *option;
        const char *value; /* of argv; "" without value */
    } * settings;
    int settings_n;
    char **args; /* of argv */
    int args_n;
    bool json;
    int failed; /* status of the first wrong value that a cli_number or its like met; 0: none */
};

/* What a verb's function does: finds the command, parses, shows help or runs it. */
int cli_run(const struct cli_command *verb, int argc, char **argv);
/* The parser alone: 0 and *out filled (cli_free), or CLI_USAGE after one line, or CLI_DONE + 100 when help
 * was asked for. */
int cli_parse(const struct cli_command *verb, int argc, char **argv, struct cli *out);
void cli_free(struct cli *c);

/* The last value given, or NULL. The option is one of the command's; "" for one without value that was given.
 */
const char *cli_get(const struct cli *c, const char *option);
static inline bool cli_has(const struct cli *c, const char *option) { return cli_get(c, option) != 0; }
/* One value after the other: at starts with 0; NULL at the end. */
const char *cli_next(const struct cli *c, const char *option, int *at);
/* A whole number in [min, max], or `standard` when it was not given. A wrong one: one line, c->failed,
 * `standard`. */
int64_t cli_number(struct cli *c, const char *option, int64_t min, int64_t max, int64_t standard);
/* As above, with k, m, g (1024) behind it allowed. */
int64_t cli_size(struct cli *c, const char *option, int64_t min, int64_t max, int64_t standard);
/* "2026-01-31", "2026-01-31T12:00:00[.123][Z]" (else local time), milliseconds since 1970, or "1h" ago (s, m,
 * h, d). 0 or OE_MALFORMED. */
int cli_parse_time(const char *text, int64_t now_ms, int64_t *ms);
/* Digits of a number in [min, max], nothing else. 0, OE_MALFORMED or OE_RANGE. */
int cli_parse_number(const char *text, int64_t min, int64_t max, int64_t *v);

/* The options that flags add, ended by a {0}. */
const struct cli_option *cli_common_options(unsigned flag);

#endif
