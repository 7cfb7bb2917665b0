/* Reading the records of one batch (magic 2), or of one message with what it wraps (magic 0 and 1),
 * compressed or not. */
#ifndef OTTLA_RECORD_RECORD_H
#define OTTLA_RECORD_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "record/batch.h"

struct record {
    int64_t offset, timestamp;
    const uint8_t *key, *value; /* NULL: null; borrowed from the batch or the iterator */
    int32_t key_len, value_len; /* -1: null */
    const uint8_t *headers;     /* encoded, without the count */
    size_t headers_len;
    int32_t header_count;
};

struct record_iter {
    struct strbuf plain; /* decompressed records */
    const uint8_t *batch, *at, *end;
    int64_t base; /* of offsets: batch's base, or of a wrapper's relative offsets */
    int32_t index, count;
    int8_t magic;
    bool wrapped;
};

/* batch: n bytes, whole and checked (batch_check), borrowed until the end. limit: bytes that decompression
 * may give. 0, OE_CORRUPT, OE_LIMIT, OE_NOMEM, OE_UNSUPPORTED. The iterator must be ended in any case. */
int record_iter_start(struct record_iter *it, struct codec *c, const uint8_t *batch, size_t n, size_t limit);
/* 1 and the record, 0 at the end, OE_CORRUPT. */
int record_iter_next(struct record_iter *it, struct record *r);
/* To the first record of a batch of magic 2 again, without decompressing it again. */
void record_iter_rewind(struct record_iter *it);
void record_iter_end(struct record_iter *it);
/* Walks headers: *at starts as r->headers, *left as r->header_count. True while there is one; they were
 * checked. */
bool record_next_header(const uint8_t **at, const uint8_t *end, int32_t *left, struct record_header *h);

/* Makes batches of magic 2 from messages of magic 0 or 1 (for a reader: no client of today reads those), to
 * the end of out. The records keep offsets and timestamps. */
int legacy_convert(struct codec *c, const uint8_t *message, size_t n, size_t limit, struct strbuf *out);

#endif
