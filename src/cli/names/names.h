/* Kafka's command line tools under their own names: options, output and exit status are those of the tools
 * of Apache Kafka 4.3.1 (org.apache.kafka.tools, kafka.admin, kafka.tools), so that scripts go on working.
 * What is different stands in docs/kafka-names.md. */
#ifndef OTTLA_CLI_NAMES_H
#define OTTLA_CLI_NAMES_H

#include <stdbool.h>

#define NAME(name, function, summary) int function(int argc, char **argv);
#include "cli/names/list.h"
#undef NAME

/* Is ottla called by one of Kafka's names (argv[0], with or without a folder in front and .sh behind)? Then
 * runs the tool and leaves its exit status. */
bool names_run(int argc, char **argv, int *status);
/* `ottla install-kafka-names DIR`: links with the names of the tools. */
int names_install(int argc, char **argv);

#endif
