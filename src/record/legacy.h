/* Private to record/: messages of magic 0 and 1 (LegacyRecord, AbstractLegacyRecordBatch).
 *
 *   0 offset 8      8 size 4      12 CRC-32 4 (of what follows)      16 magic 1      17 attributes 1
 *   magic 1: 18 timestamp 8
 *   then key length 4, key, value length 4, value
 *
 * A compressed message's value is a set of messages. Its offset is the last one inside; for magic 1 the inner
 * offsets are relative, so that inner + (wrapper - last inner) is the true one; for magic 0 they are true. */
#ifndef OTTLA_RECORD_LEGACY_H
#define OTTLA_RECORD_LEGACY_H

#include "record/record.h"

int legacy_iter_start(struct record_iter *it, struct codec *c, const uint8_t *message, size_t n);
int legacy_iter_next(struct record_iter *it, struct record *r);

#endif
