/* Kafka's error codes (org.apache.kafka.common.protocol.Errors), from schema/errors. They are part of the
 * protocol: only server/ and the pure protocol cores (controller, group, coord) speak them; storage, record
 * and io return oerr. */
#ifndef OTTLA_BASE_KERR_H
#define OTTLA_BASE_KERR_H

#include <stdint.h>

enum kerr {
#define X(name, code, retriable, message) KERR_##name = code,
#include "kerr_list.h"
#undef X
};

/* "UNKNOWN_TOPIC_OR_PARTITION", or "UNKNOWN(n)"-like text for a code that is not known. Never NULL. */
const char *kerr_name(int16_t code);
/* The reference's standard message for the code. Never NULL. */
const char *kerr_message(int16_t code);

#endif
