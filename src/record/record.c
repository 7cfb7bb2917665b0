#include "record/record.h"

#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "record/legacy.h"
#include "record/parse.h"

static int start_v2(struct record_iter *it, struct codec *c, const uint8_t *b, size_t n) {
    it->base = batch_base_offset(b);
    it->count = batch_count(b);
    it->at = b + BATCH_HEADER;
    it->end = b + n;
    if (it->count < 0) return OE_CORRUPT;
    enum compression how = batch_compression(b);
    if (how == COMPRESSION_NONE) return 0;
    struct codec *own = c ? NULL : codec_create();
    int err = decompress_all(c ? c : own, how, it->at, (size_t)(it->end - it->at), false, &it->plain);
    codec_destroy(own);
    if (err) return err == OE_MALFORMED ? OE_CORRUPT : err;
    it->at = (const uint8_t *)it->plain.s;
    it->end = it->at + it->plain.len;
    return 0;
}

int record_iter_start(struct record_iter *it, struct codec *c, const uint8_t *batch, size_t n, size_t limit) {
    *it = (struct record_iter){.batch = batch};
    strbuf_init(&it->plain, limit);
    int64_t size = batch_peek(batch, n);
    if (size <= 0 || (uint64_t)size > n) return OE_CORRUPT;
    it->magic = batch_magic(batch);
    return it->magic >= 2 ? start_v2(it, c, batch, (size_t)size)
                          : legacy_iter_start(it, c, batch, (size_t)size);
}

int record_iter_next(struct record_iter *it, struct record *r) {
    if (it->magic < 2) return legacy_iter_next(it, r);
    if (it->index == it->count) return it->at == it->end ? 0 : OE_CORRUPT;
    struct raw_record raw;
    if (!it->at || !(it->at = parse_record(it->at, it->end, &raw))) return OE_CORRUPT;
    it->index++;
    int64_t timestamp =
        batch_attrs(it->batch) & BATCH_LOG_APPEND_TIME
            ? batch_max_timestamp_v2(it->batch)
            : (int64_t)((uint64_t)batch_base_timestamp(it->batch) + (uint64_t)raw.timestamp_delta);
    *r = (struct record){.offset = (int64_t)((uint64_t)it->base + (uint64_t)raw.offset_delta),
                         .timestamp = timestamp,
                         .key = raw.key,
                         .value = raw.value,
                         .key_len = raw.key_len,
                         .value_len = raw.value_len,
                         .headers = raw.headers,
                         .headers_len = (size_t)(raw.end - raw.headers),
                         .header_count = raw.header_count};
    return 1;
}

void record_iter_rewind(struct record_iter *it) {
    ASSERT(it->magic >= 2);
    bool plain = batch_compression(it->batch) == COMPRESSION_NONE;
    it->at = plain ? it->batch + BATCH_HEADER : (const uint8_t *)it->plain.s;
    it->end = plain ? it->batch + batch_size(it->batch) : it->at ? it->at + it->plain.len : NULL;
    it->index = 0;
}

void record_iter_end(struct record_iter *it) { strbuf_free(&it->plain); }

bool record_next_header(const uint8_t **at, const uint8_t *end, int32_t *left, struct record_header *h) {
    if (*left <= 0) return false;
    const uint8_t *key, *value, *p = parse_bytes(*at, end, &key, &h->key_len);
    if (p) p = parse_bytes(p, end, &value, &h->value_len);
    ASSERT(p); /* parse_record has been over it */
    h->key = key;
    h->value = value;
    *at = p;
    --*left;
    return true;
}
