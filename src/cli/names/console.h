/* Private to kafka-console-producer and kafka-console-consumer: properties of their command lines, and
 * librdkafka set by them. */
#ifndef OTTLA_CLI_NAMES_CONSOLE_H
#define OTTLA_CLI_NAMES_CONSOLE_H

#include "cli/librdkafka.h"
#include "cli/names/tool.h"

/* An option of key=value that may be repeated, its old name. */
struct console_properties {
    const char *option, *old;
};

/* The value of a name: the last one given, or NULL. */
const char *console_property(const struct tool_run *r, const struct console_properties *p, const char *name);
/* Both names of one option: wrong; the old one alone: a line on stdout. */
bool console_old(struct tool_run *r, const char *now, const char *old);
/* Sets what --command-config and --command-property (old: consumer-property, producer-property) say. What
 * librdkafka does not know is left out with a line on stderr; false: r->why. */
bool console_configure(struct tool_run *r, rd_kafka_conf_t *conf, const char *old_property,
                       const char *old_file);
/* Sets one; false: r->why. */
bool console_set(struct tool_run *r, rd_kafka_conf_t *conf, const char *name, const char *value);
/* Is it "true", whatever the case and spaces? */
bool console_is_true(const char *text);

#endif
