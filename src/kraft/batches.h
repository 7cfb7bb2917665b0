/* Batches of the metadata log and its snapshots: building them from records, walking through what was read.
 */
#ifndef OTTLA_KRAFT_BATCHES_H
#define OTTLA_KRAFT_BATCHES_H

#include "base/strbuf.h"
#include "metadata/record.h"
#include "record/compress.h"
#include "record/control.h"

#include <stddef.h>
#include <stdint.h>

enum {
    KRAFT_BATCH_MAX = 8 << 20,   /* bytes of a batch (KafkaRaftClient.MAX_BATCH_SIZE_BYTES) */
    KRAFT_BATCH_RECORDS = 10000, /* the most records of one, unless it is atomic */
};

/* Adds the list's records as one batch if it is atomic, else as many as it takes. OE_LIMIT: too large for
 * one. */
int batches_build(const struct record_list *l, int64_t base, int32_t epoch, int64_t timestamp,
                  struct strbuf *out);

struct control_value {
    enum control_type type;
    const void *value;
    size_t len;
};
/* Adds one control batch of these records. 0 or OE_LIMIT. */
int batches_control(const struct control_value *v, int32_t n, int64_t base, int32_t epoch, int64_t timestamp,
                    struct strbuf *out);

/* What batches_walk calls for each record; an error ends the walk. `end`: after each batch, the offset behind
 * it. NULL: not called. */
struct batch_visitor {
    void *ctx;
    int (*record)(void *ctx, int64_t offset, int32_t epoch, int64_t timestamp, const uint8_t *value,
                  size_t len);
    int (*control)(void *ctx, int64_t offset, enum control_type type, const uint8_t *value, size_t len);
    void (*end)(void *ctx, int64_t next_offset, int32_t epoch, int64_t timestamp);
};
/* Walks whole batches in n bytes, checking their CRC; *used: bytes of them, fewer than n when the last is cut
 * short. 0, a visitor's error, OE_CORRUPT. */
int batches_walk(const uint8_t *bytes, size_t n, struct codec *codec, const struct batch_visitor *v,
                 size_t *used);

#endif
