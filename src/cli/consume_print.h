/* How `ottla consume` prints a record. */
#ifndef OTTLA_CLI_CONSUME_PRINT_H
#define OTTLA_CLI_CONSUME_PRINT_H

#include "cli/librdkafka.h"

#include "base/strbuf.h"

enum consume_format { CONSUME_VALUE, CONSUME_KEY_VALUE, CONSUME_JSON };

/* Appends the record and its end of line. delimiter: between key and value. A null value is an empty line, in
 * JSON null. What is not UTF-8 goes to JSON as keyBase64, valueBase64. */
void consume_print(struct strbuf *out, const rd_kafka_message_t *m, enum consume_format format,
                   const char *delimiter, size_t delimiter_len);

#endif
