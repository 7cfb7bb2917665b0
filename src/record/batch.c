#include "record/batch.h"

#include <isa-l/crc.h>

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/err.h"

enum { RECORD_PREFIX_MAX = 5 + 1 + 10 + 10 + 5 + 5 + 5 };

int32_t sequence_add(int32_t sequence, int32_t n) {
    if (sequence > INT32_MAX - n) return n - (INT32_MAX - sequence) - 1;
    return sequence + n;
}

int32_t batch_last_sequence(const uint8_t *b) {
    int32_t base = batch_base_sequence(b);
    return base == NO_SEQUENCE ? NO_SEQUENCE : sequence_add(base, batch_last_offset_delta(b));
}

int64_t batch_last_offset(const uint8_t *b) {
    return batch_magic(b) >= 2 ? batch_base_offset(b) + batch_last_offset_delta(b) : batch_base_offset(b);
}

int64_t batch_max_timestamp(const uint8_t *b) {
    if (batch_magic(b) >= 2) return batch_max_timestamp_v2(b);
    return batch_magic(b) == 1 ? get_i64(b + 18) : NO_TIMESTAMP;
}

static int32_t smallest(int8_t magic) {
    return magic >= 2 ? BATCH_HEADER : magic == 1 ? LEGACY_HEADER_V1 : LEGACY_HEADER_V0;
}

int64_t batch_peek(const uint8_t *b, size_t n) {
    if (n < BATCH_PREFIX) return 0;
    int8_t magic = batch_magic(b);
    int64_t size = batch_size(b);
    if (magic < 0 || magic > 2 || size < smallest(magic)) return OE_CORRUPT;
    return size;
}

int batch_check(const uint8_t *b, size_t n) {
    int64_t size = batch_peek(b, n);
    if (size <= 0 || (uint64_t)size != n) return OE_CORRUPT;
    if (batch_magic(b) >= 2)
        return crc32c(0, b + BATCH_AT_ATTRIBUTES, n - BATCH_AT_ATTRIBUTES) == batch_crc(b) ? 0 : OE_CORRUPT;
    return crc32_gzip_refl(0, b + 16, n - 16) == get_u32(b + 12) ? 0 : OE_CORRUPT;
}

void batch_set_max_timestamp(uint8_t *b, size_t size, bool log_append_time, int64_t timestamp) {
    ASSERT(batch_magic(b) == 2 && size >= BATCH_HEADER);
    int16_t attrs = batch_attrs(b);
    int16_t want = log_append_time ? attrs | BATCH_LOG_APPEND_TIME : attrs & ~BATCH_LOG_APPEND_TIME;
    if (want == attrs && batch_max_timestamp_v2(b) == timestamp) return;
    put_i16(b + 21, want);
    put_i64(b + 35, timestamp);
    put_u32(b + BATCH_AT_CRC, crc32c(0, b + BATCH_AT_ATTRIBUTES, size - BATCH_AT_ATTRIBUTES));
}

void batch_builder_init(struct batch_builder *b, const struct batch_options *options, size_t limit) {
    *b = (struct batch_builder){.options = *options, .max_timestamp = NO_TIMESTAMP};
    b->last_offset = (int64_t)((uint64_t)options->base_offset - 1); /* may be the least there is */
    strbuf_init(&b->buf, limit);
    if (strbuf_reserve(&b->buf, BATCH_HEADER)) b->buf.len = BATCH_HEADER;
}

static uint8_t *put_bytes(uint8_t *p, const void *bytes, size_t n) {
    if (!bytes) return p + put_varlong(p, -1);
    p += put_varlong(p, (int64_t)n);
    if (n) memcpy(p, bytes, n);
    return p + n;
}

static size_t bytes_size(const void *bytes, size_t n) {
    return bytes ? (size_t)varlong_size((int64_t)n) + n : 1;
}

int batch_builder_add_raw(struct batch_builder *b, int64_t offset, int64_t timestamp, const void *key,
                          size_t key_len, const void *value, size_t value_len, int32_t header_count,
                          const void *header_bytes, size_t header_len) {
    ASSERT(offset > b->last_offset && offset - b->options.base_offset <= INT32_MAX && b->count < INT32_MAX);
    if (!b->count) b->base_timestamp = b->options.delete_horizon ? b->options.horizon_ms : timestamp;
    int64_t ts_delta = (int64_t)((uint64_t)timestamp - (uint64_t)b->base_timestamp),
            offset_delta = offset - b->options.base_offset;
    size_t body = 1 + (size_t)varlong_size(ts_delta) + (size_t)varlong_size(offset_delta) +
                  bytes_size(key, key_len) + bytes_size(value, value_len) +
                  (size_t)varlong_size(header_count) + header_len;
    if (key_len > INT32_MAX || value_len > INT32_MAX || body > INT32_MAX) return OE_LIMIT;
    uint8_t *p = strbuf_reserve(&b->buf, body + VARINT_MAX), *start = p;
    if (!p) return OE_LIMIT;
    p += put_varlong(p, (int64_t)body);
    *p++ = 0;
    p += put_varlong(p, ts_delta);
    p += put_varlong(p, offset_delta);
    p = put_bytes(p, key, key_len);
    p = put_bytes(p, value, value_len);
    p += put_varlong(p, header_count);
    if (header_len) memcpy(p, header_bytes, header_len);
    p += header_len;
    ASSERT((size_t)(p - start) == body + (size_t)varlong_size((int64_t)body));
    b->buf.len += (size_t)(p - start);
    b->last_offset = offset;
    b->count++;
    if (timestamp > b->max_timestamp) b->max_timestamp = timestamp;
    return 0;
}

int batch_builder_add_full(struct batch_builder *b, int64_t offset, int64_t timestamp, const void *key,
                           size_t key_len, const void *value, size_t value_len,
                           const struct record_header *headers, int header_count) {
    size_t n = 0;
    for (int i = 0; i < header_count; i++)
        n += bytes_size(headers[i].key, (size_t)headers[i].key_len) +
             bytes_size(headers[i].value, (size_t)headers[i].value_len);
    uint8_t small[256] = {0}, *bytes = n <= sizeof small ? small : malloc(n), *p = bytes;
    if (!bytes) return OE_NOMEM;
    for (int i = 0; i < header_count; i++) {
        p = put_bytes(p, headers[i].key, (size_t)headers[i].key_len);
        p = put_bytes(p, headers[i].value, (size_t)headers[i].value_len);
    }
    ASSERT((size_t)(p - bytes) == n);
    int err =
        batch_builder_add_raw(b, offset, timestamp, key, key_len, value, value_len, header_count, bytes, n);
    if (bytes != small) free(bytes);
    return err;
}

int batch_builder_add(struct batch_builder *b, int64_t timestamp, const void *key, size_t key_len,
                      const void *value, size_t value_len) {
    return batch_builder_add_raw(b, b->last_offset + 1, timestamp, key, key_len, value, value_len, 0, NULL,
                                 0);
}

static int compress_body(struct batch_builder *b, struct codec *codec) {
    const struct batch_options *o = &b->options;
    struct strbuf out;
    strbuf_init(&out, b->buf.limit + (b->buf.limit >> 3) + 4096);
    int err = strbuf_reserve(&out, BATCH_HEADER) ? 0 : OE_NOMEM;
    if (!err) {
        out.len = BATCH_HEADER;
        struct codec *c = codec ? codec : codec_create();
        err = compress(c, o->compression, o->level, b->buf.s + BATCH_HEADER, b->buf.len - BATCH_HEADER, &out);
        if (!codec) codec_destroy(c);
    }
    if (err) {
        strbuf_free(&out);
        return err;
    }
    strbuf_free(&b->buf);
    b->buf = out;
    return 0;
}

int batch_builder_finish(struct batch_builder *b, struct codec *codec, uint8_t **bytes, size_t *n) {
    const struct batch_options *o = &b->options;
    ASSERT(b->count > 0 && b->last_offset >= o->base_offset);
    if (!strbuf_ok(&b->buf)) return OE_LIMIT;
    if (o->compression != COMPRESSION_NONE) {
        int err = compress_body(b, codec);
        if (err) return err;
    }
    if (b->buf.len > INT32_MAX) return OE_LIMIT;
    uint8_t *h = (uint8_t *)b->buf.s;
    put_i64(h, o->base_offset);
    put_i32(h + 8, (int32_t)(b->buf.len - BATCH_OVERHEAD));
    put_i32(h + 12, o->leader_epoch);
    h[16] = 2;
    put_i16(h + 21,
            (int16_t)((int)o->compression | (o->log_append_time ? BATCH_LOG_APPEND_TIME : 0) |
                      (o->transactional ? BATCH_TRANSACTIONAL : 0) | (o->control ? BATCH_CONTROL : 0) |
                      (o->delete_horizon ? BATCH_DELETE_HORIZON : 0)));
    put_i32(h + 23, (int32_t)(b->last_offset - o->base_offset));
    put_i64(h + 27, b->base_timestamp);
    put_i64(h + 35, o->log_append_time ? o->append_time : b->max_timestamp);
    put_i64(h + 43, o->producer_id);
    put_i16(h + 51, o->producer_epoch);
    put_i32(h + 53, o->base_sequence);
    put_i32(h + 57, b->count);
    put_u32(h + BATCH_AT_CRC, crc32c(0, h + BATCH_AT_ATTRIBUTES, b->buf.len - BATCH_AT_ATTRIBUTES));
    *bytes = h;
    *n = b->buf.len;
    return 0;
}

void batch_write_empty(uint8_t *to, const uint8_t *batch) {
    ASSERT(batch_magic(batch) == 2);
    memcpy(to, batch, BATCH_HEADER);
    put_i32(to + 8, BATCH_HEADER - BATCH_OVERHEAD);
    put_i16(to + 21, (int16_t)(batch_attrs(batch) & ~(BATCH_COMPRESSION_MASK | BATCH_DELETE_HORIZON)));
    put_i64(to + 27, NO_TIMESTAMP);
    put_i32(to + 57, 0);
    put_u32(to + BATCH_AT_CRC, crc32c(0, to + BATCH_AT_ATTRIBUTES, BATCH_HEADER - BATCH_AT_ATTRIBUTES));
}

void batch_builder_free(struct batch_builder *b) { strbuf_free(&b->buf); }
