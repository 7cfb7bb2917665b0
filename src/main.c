/* ottla: one binary. The first argument is the verb, and the verb's file in cli/ does the rest. */
#include "cli/cli.h"
#include "cli/names/names.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct verb {
    const char *name, *summary;
    int (*run)(int argc, char **argv);
} verbs[] = {
#define VERB(function, name, summary) {name, summary, cli_##function},
#include "cli/verbs.h"
#undef VERB
    {NULL, NULL, NULL},
};

static void print_help(FILE *to) {
    fputs("ottla " OTTLA_VERSION ": Apache Kafka in one binary\n\nusage: ottla VERB [ARGUMENT]...\n\n", to);
    for (const struct verb *v = verbs; v->name; v++) fprintf(to, "  %-14s %s\n", v->name, v->summary);
    fputs("\n`ottla install-kafka-names DIR` makes links with the names of Kafka's tools.", to);
    fputs("\n`ottla VERB --help` explains a verb, with examples.\n", to);
}

int main(int argc, char **argv) {
    signal(SIGPIPE,
           SIG_IGN); /* a closed pipe or connection is an error of the write, not the end of the process */
    int status;
    if (argc > 0 && names_run(argc, argv, &status)) return status;
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    const char *name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help")) {
        print_help(stdout);
        return CLI_DONE;
    }
    if (!strcmp(name, "--version") || !strcmp(name, "-V")) {
        puts("ottla " OTTLA_VERSION);
        return CLI_DONE;
    }
    if (!strcmp(name, "install-kafka-names")) return names_install(argc - 1, argv + 1);
    for (const struct verb *v = verbs; v->name; v++)
        if (!strcmp(v->name, name)) return v->run(argc - 1, argv + 1);
    return cli_wrong_usage("there is no verb '%s'; `ottla --help` lists them", name);
}
