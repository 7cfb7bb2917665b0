/* `--add-scram` of formatting: "SCRAM-SHA-256=[name=alice,password=…,iterations=…,salt=…]" to a record
 * (org.apache.kafka.metadata.storage.ScramParser; RFC 5802). */
#ifndef OTTLA_KRAFT_SCRAM_ARGUMENT_H
#define OTTLA_KRAFT_SCRAM_ARGUMENT_H

#include "base/random.h"
#include "metadata/record.h"

/* Adds a UserScramCredentialRecord. OE_INVALID with *why: one line, to be free()d. */
int scram_argument_add(const char *argument, struct random *random, struct record_list *to, char **why);

#endif
