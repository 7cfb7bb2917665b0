/* Control batches: what the broker and Raft write into a log for themselves (KIP-98, KIP-595, KIP-630,
 * KIP-853). */
#ifndef OTTLA_RECORD_CONTROL_H
#define OTTLA_RECORD_CONTROL_H

#include <stddef.h>
#include <stdint.h>

#include "record/batch.h"

enum control_type {
    CONTROL_ABORT = 0,
    CONTROL_COMMIT = 1,
    CONTROL_LEADER_CHANGE = 2,
    CONTROL_SNAPSHOT_HEADER = 3,
    CONTROL_SNAPSHOT_FOOTER = 4,
    CONTROL_KRAFT_VERSION = 5,
    CONTROL_KRAFT_VOTERS = 6,
    CONTROL_UNKNOWN = -1,
};

/* A control batch of one record: key {version 0, type}, value as given (already encoded). Room:
 * control_batch_size(). */
static inline size_t control_batch_size(size_t value_len) {
    return BATCH_HEADER + 5 + 2 + 1 + 10 + 1 + 4 + 5 + value_len + 1;
}
/* Returns the bytes written. options->control is implied. */
size_t control_batch_write(uint8_t *to, const struct batch_options *options, enum control_type type,
                           int64_t timestamp, const void *value, size_t value_len);
/* A transaction marker (EndTransactionMarker). Room: control_batch_size(6). */
size_t marker_batch_write(uint8_t *to, const struct batch_options *options, bool commit,
                          int32_t coordinator_epoch, int64_t timestamp);

/* The first record of a control batch that is not compressed. 0 or OE_CORRUPT. */
struct control_record {
    enum control_type type;
    int16_t type_raw;
    int32_t coordinator_epoch; /* of markers */
    int64_t timestamp;
    const uint8_t *value;
    int32_t value_len;
};
int control_read(const uint8_t *batch, size_t n, struct control_record *c);

#endif
