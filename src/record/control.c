#include "record/control.h"

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "record/parse.h"

enum { KEY_SIZE = 4, MARKER_SIZE = 6 };

size_t control_batch_write(uint8_t *to, const struct batch_options *options, enum control_type type,
                           int64_t timestamp, const void *value, size_t value_len) {
    ASSERT(type >= CONTROL_ABORT && type <= CONTROL_KRAFT_VOTERS && value_len < INT32_MAX / 2);
    size_t body = 1 + 1 + 1 + 1 + KEY_SIZE + (size_t)varlong_size((int64_t)value_len) + value_len + 1;
    uint8_t *p = to + BATCH_HEADER;
    p += put_varlong(p, (int64_t)body);
    memset(p, 0, 3); /* attributes, deltas */
    p += 3;
    p += put_varlong(p, KEY_SIZE);
    put_i16(p, 0);
    put_i16(p + 2, (int16_t)type);
    p += KEY_SIZE;
    p += put_varlong(p, (int64_t)value_len);
    if (value_len) memcpy(p, value, value_len);
    p += value_len;
    *p++ = 0;
    size_t n = (size_t)(p - to);
    put_i64(to, options->base_offset);
    put_i32(to + 8, (int32_t)(n - BATCH_OVERHEAD));
    put_i32(to + 12, options->leader_epoch);
    to[16] = 2;
    put_i16(to + 21, (int16_t)(BATCH_CONTROL | (options->transactional ? BATCH_TRANSACTIONAL : 0)));
    put_i32(to + 23, 0);
    put_i64(to + 27, timestamp);
    put_i64(to + 35, timestamp);
    put_i64(to + 43, options->producer_id);
    put_i16(to + 51, options->producer_epoch);
    put_i32(to + 53, options->base_sequence);
    put_i32(to + 57, 1);
    put_u32(to + BATCH_AT_CRC, crc32c(0, to + BATCH_AT_ATTRIBUTES, n - BATCH_AT_ATTRIBUTES));
    ASSERT(n <= control_batch_size(value_len));
    return n;
}

size_t marker_batch_write(uint8_t *to, const struct batch_options *options, bool commit,
                          int32_t coordinator_epoch, int64_t timestamp) {
    ASSERT(options->producer_id >= 0 && options->transactional);
    uint8_t value[MARKER_SIZE];
    put_i16(value, 0);
    put_i32(value + 2, coordinator_epoch);
    return control_batch_write(to, options, commit ? CONTROL_COMMIT : CONTROL_ABORT, timestamp, value,
                               sizeof value);
}

int control_read(const uint8_t *batch, size_t n, struct control_record *c) {
    struct raw_record r;
    if (n < BATCH_HEADER || batch_magic(batch) != 2 || !batch_is_control(batch) || batch_count(batch) < 1 ||
        batch_compression(batch) != COMPRESSION_NONE)
        return OE_CORRUPT;
    if (!parse_record(batch + BATCH_HEADER, batch + n, &r) || r.key_len < KEY_SIZE) return OE_CORRUPT;
    *c = (struct control_record){.type = CONTROL_UNKNOWN, .type_raw = get_i16(r.key + 2), .value = r.value};
    c->value_len = r.value_len;
    c->timestamp = (int64_t)((uint64_t)batch_base_timestamp(batch) + (uint64_t)r.timestamp_delta);
    if (c->type_raw >= CONTROL_ABORT && c->type_raw <= CONTROL_KRAFT_VOTERS)
        c->type = (enum control_type)c->type_raw;
    if (c->type == CONTROL_ABORT || c->type == CONTROL_COMMIT) {
        if (r.value_len < MARKER_SIZE) return OE_CORRUPT;
        c->coordinator_epoch = get_i32(r.value + 2);
    }
    return 0;
}
