/* What must hold for any bytes that are given to a decoder; shared by the hostile-input test and the fuzzer.
 */
#ifndef OTTLA_TESTS_CHECK_MESSAGE_H
#define OTTLA_TESTS_CHECK_MESSAGE_H

#include "wire/message.h"

/* Decodes n bytes with at most `memory` bytes of arena. If they decode, the message encodes, and what comes
 * out decodes and encodes to itself. Aborts when that is not so. Returns what decode returned. */
int check_message(const struct message *m, int16_t version, const uint8_t *bytes, size_t n, size_t memory);

#endif
