/* A record batch as bytes (DefaultRecordBatch and, for magic 0 and 1, the message sets before it). The
 * accessors read the header where it lies; the caller has checked that BATCH_HEADER bytes are there.
 *
 *    0 base offset 8        8 length 4 (of what follows it)      12 leader epoch 4      16 magic 1
 *   17 CRC-32C 4 (of what follows it)      21 attributes 2       23 last offset delta 4
 *   27 base timestamp 8    35 max timestamp 8     43 producer id 8     51 producer epoch 2
 *   53 base sequence 4     57 record count 4      61 records
 *
 * Base offset, length and leader epoch are outside of the CRC: a broker patches them without reading the
 * rest. */
#ifndef OTTLA_RECORD_BATCH_H
#define OTTLA_RECORD_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/strbuf.h"
#include "record/compress.h"

enum {
    BATCH_OVERHEAD = 12, /* bytes that `length` does not count */
    BATCH_HEADER = 61,
    BATCH_PREFIX = 17, /* enough to know size and magic */
    BATCH_AT_CRC = 17,
    BATCH_AT_ATTRIBUTES = 21, /* and where what the CRC covers begins */
    LEGACY_HEADER_V0 = 26,    /* offset, size, crc, magic, attributes, key length, value length */
    LEGACY_HEADER_V1 = 34,
};

enum batch_attributes {
    BATCH_COMPRESSION_MASK = 0x07,
    BATCH_LOG_APPEND_TIME = 0x08,
    BATCH_TRANSACTIONAL = 0x10,
    BATCH_CONTROL = 0x20,
    BATCH_DELETE_HORIZON = 0x40,
};

enum {
    NO_TIMESTAMP = -1,
    NO_PRODUCER_ID = -1,
    NO_PRODUCER_EPOCH = -1,
    NO_SEQUENCE = -1,
    NO_LEADER_EPOCH = -1
};

/* Any magic. */
static inline int64_t batch_base_offset(const uint8_t *b) { return get_i64(b); }
static inline int32_t batch_length(const uint8_t *b) { return get_i32(b + 8); }
static inline int64_t batch_size(const uint8_t *b) { return (int64_t)get_i32(b + 8) + BATCH_OVERHEAD; }
static inline int8_t batch_magic(const uint8_t *b) { return (int8_t)b[16]; }
/* Magic 2. */
static inline int32_t batch_leader_epoch(const uint8_t *b) { return get_i32(b + 12); }
static inline uint32_t batch_crc(const uint8_t *b) { return get_u32(b + 17); }
static inline int16_t batch_attrs(const uint8_t *b) { return get_i16(b + 21); }
static inline int32_t batch_last_offset_delta(const uint8_t *b) { return get_i32(b + 23); }
static inline int64_t batch_base_timestamp(const uint8_t *b) { return get_i64(b + 27); }
static inline int64_t batch_max_timestamp_v2(const uint8_t *b) { return get_i64(b + 35); }
static inline int64_t batch_producer_id(const uint8_t *b) { return get_i64(b + 43); }
static inline int16_t batch_producer_epoch(const uint8_t *b) { return get_i16(b + 51); }
static inline int32_t batch_base_sequence(const uint8_t *b) { return get_i32(b + 53); }
static inline int32_t batch_count(const uint8_t *b) { return get_i32(b + 57); }
static inline enum compression batch_compression(const uint8_t *b) {
    return (enum compression)(batch_attrs(b) & BATCH_COMPRESSION_MASK);
}
static inline bool batch_is_control(const uint8_t *b) { return batch_attrs(b) & BATCH_CONTROL; }
static inline bool batch_has_horizon(const uint8_t *b) { return batch_attrs(b) & BATCH_DELETE_HORIZON; }
static inline bool batch_is_transactional(const uint8_t *b) { return batch_attrs(b) & BATCH_TRANSACTIONAL; }
/* The sequence of its last record; NO_SEQUENCE without producer. Wraps at 2^31 as the reference's. */
int32_t batch_last_sequence(const uint8_t *b);
int32_t sequence_add(int32_t sequence, int32_t n);
/* Any magic: the last offset and the largest timestamp. For magic 0 and 1 a message's own offset is its last,
 * and a message needs LEGACY_HEADER_V1 bytes for its timestamp (NO_TIMESTAMP for magic 0). */
int64_t batch_last_offset(const uint8_t *b);
int64_t batch_max_timestamp(const uint8_t *b);

/* Looks at the start of n bytes: the size of the batch that begins there, 0 when more bytes are needed to
 * know it, OE_CORRUPT when no batch can begin so. Does not look at the CRC, and the batch may be longer than
 * n. */
int64_t batch_peek(const uint8_t *b, size_t n);
/* Checks a whole batch of n bytes (any magic): length, magic, CRC. 0 or OE_CORRUPT. */
int batch_check(const uint8_t *b, size_t n);

/* Patching in place. Only batch_set_max_timestamp touches bytes under the CRC and sums them anew. */
static inline void batch_set_base_offset(uint8_t *b, int64_t v) { put_i64(b, v); }
static inline void batch_set_leader_epoch(uint8_t *b, int32_t v) { put_i32(b + 12, v); }
/* size: of the whole batch. log_append_time sets the attribute, or clears it. */
void batch_set_max_timestamp(uint8_t *b, size_t size, bool log_append_time, int64_t timestamp);

/* ---- building ---- */

struct batch_options {
    int64_t base_offset;
    int32_t leader_epoch;
    enum compression compression;
    int level; /* COMPRESS_LEVEL_DEFAULT or the codec's */
    bool log_append_time, transactional, control;
    bool delete_horizon;    /* horizon_ms instead of the first timestamp is what the others count from */
    int64_t horizon_ms;     /* (KIP-534) */
    int64_t append_time;    /* with log_append_time */
    int64_t producer_id;    /* NO_PRODUCER_ID for none, */
    int16_t producer_epoch; /* then NO_PRODUCER_EPOCH */
    int32_t base_sequence;  /* and NO_SEQUENCE */
};
/* No producer, no compression, everything else zero. */
#define BATCH_OPTIONS_NONE                                                                                   \
    (struct batch_options) {                                                                                 \
        .level = COMPRESS_LEVEL_DEFAULT, .producer_id = NO_PRODUCER_ID, .producer_epoch = NO_PRODUCER_EPOCH, \
        .base_sequence = NO_SEQUENCE                                                                         \
    }

struct record_header {
    const void *key, *value; /* value NULL: null */
    int32_t key_len, value_len;
};

/* Builds one batch of magic 2. One owner. */
struct batch_builder {
    struct batch_options options;
    struct strbuf buf; /* header and records, not compressed yet */
    int64_t base_timestamp, max_timestamp;
    int64_t last_offset; /* may be set beyond the last record's before the end */
    int32_t count;
};

/* limit: bytes of the batch before compression. */
void batch_builder_init(struct batch_builder *b, const struct batch_options *options, size_t limit);
/* A record at the next offset; key or value NULL is null. 0 or OE_LIMIT. */
int batch_builder_add(struct batch_builder *b, int64_t timestamp, const void *key, size_t key_len,
                      const void *value, size_t value_len);
int batch_builder_add_full(struct batch_builder *b, int64_t offset, int64_t timestamp, const void *key,
                           size_t key_len, const void *value, size_t value_len,
                           const struct record_header *headers, int header_count);
/* As above with the headers already in their encoding: header_bytes begins with the first header, not the
 * count. */
int batch_builder_add_raw(struct batch_builder *b, int64_t offset, int64_t timestamp, const void *key,
                          size_t key_len, const void *value, size_t value_len, int32_t header_count,
                          const void *header_bytes, size_t header_len);
/* The finished batch; at least one record. *bytes lives in the builder until it is freed or started anew.
 * codec may be NULL. */
int batch_builder_finish(struct batch_builder *b, struct codec *codec, uint8_t **bytes, size_t *n);
void batch_builder_free(struct batch_builder *b);
/* The header of a batch of magic 2 that has lost its records: offsets, epochs, producer and sequence stay.
 * BATCH_HEADER bytes. */
void batch_write_empty(uint8_t *to, const uint8_t *batch);

#endif
