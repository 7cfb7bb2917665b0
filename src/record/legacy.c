#include "record/legacy.h"

#include <string.h>

#include "base/assert.h"
#include "base/err.h"

enum { AT_ATTRIBUTES = 17, AT_TIMESTAMP = 18 };

static int header_size(int8_t magic) { return magic == 0 ? 18 : 26; } /* up to the key's length */

/* Key and value of one whole message. */
static int fields(const uint8_t *m, size_t n, struct record *r) {
    const uint8_t *p = m + header_size(batch_magic(m)), *end = m + n;
    if (end - p < 8) return OE_CORRUPT;
    r->key_len = get_i32(p);
    p += 4;
    if (r->key_len < -1 || r->key_len > end - p - 4) return OE_CORRUPT;
    r->key = r->key_len < 0 ? NULL : p;
    if (r->key) p += r->key_len;
    r->value_len = get_i32(p);
    p += 4;
    if (r->value_len < -1 || r->value_len > end - p) return OE_CORRUPT;
    r->value = r->value_len < 0 ? NULL : p;
    return 0;
}

/* Offset of the last message inside; checks that the set is made of whole messages. */
static int last_inner(const struct record_iter *it, int64_t *last) {
    const uint8_t *p = it->at;
    if (p == it->end) return OE_CORRUPT;
    while (p < it->end) {
        int64_t size = batch_peek(p, (size_t)(it->end - p));
        if (size <= 0 || size > it->end - p || batch_magic(p) != it->magic) return OE_CORRUPT;
        *last = batch_base_offset(p);
        p += size;
    }
    return 0;
}

int legacy_iter_start(struct record_iter *it, struct codec *c, const uint8_t *m, size_t n) {
    it->at = m;
    it->end = m + n;
    enum compression how = (enum compression)(m[AT_ATTRIBUTES] & BATCH_COMPRESSION_MASK);
    if (how == COMPRESSION_NONE) return 0;
    if (how >= COMPRESSION_ZSTD) return OE_UNSUPPORTED;
    struct record outer;
    int err = fields(m, n, &outer);
    if (err || !outer.value) return OE_CORRUPT;
    struct codec *own = c ? NULL : codec_create();
    err = decompress_all(c ? c : own, how, outer.value, (size_t)outer.value_len, it->magic == 0, &it->plain);
    codec_destroy(own);
    if (err) return err == OE_MALFORMED ? OE_CORRUPT : err;
    it->wrapped = true;
    it->at = (const uint8_t *)it->plain.s;
    it->end = it->at ? it->at + it->plain.len : NULL;
    int64_t last = 0;
    if ((err = last_inner(it, &last))) return err;
    it->base = it->magic == 1 ? batch_base_offset(m) - last : 0;
    return 0;
}

int legacy_iter_next(struct record_iter *it, struct record *r) {
    if (it->at == it->end) return 0;
    const uint8_t *m = it->at;
    int64_t size = batch_peek(m, (size_t)(it->end - m));
    if (size <= 0 || size > it->end - m || batch_magic(m) != it->magic) return OE_CORRUPT;
    *r = (struct record){.offset = batch_base_offset(m) + it->base, .timestamp = batch_max_timestamp(m)};
    /* A wrapper with the log's append time gives it to all that is inside. */
    if (it->wrapped && it->batch[AT_ATTRIBUTES] & BATCH_LOG_APPEND_TIME)
        r->timestamp = get_i64(it->batch + AT_TIMESTAMP);
    if (it->wrapped && (m[AT_ATTRIBUTES] & BATCH_COMPRESSION_MASK)) return OE_CORRUPT;
    int err = fields(m, (size_t)size, r);
    if (err) return err;
    it->at += size;
    it->index++;
    return 1;
}

int legacy_convert(struct codec *c, const uint8_t *message, size_t n, size_t limit, struct strbuf *out) {
    struct record_iter it;
    struct batch_builder b;
    struct record r;
    bool started = false;
    int err = record_iter_start(&it, c, message, n, limit), more = 0;
    struct batch_options o = BATCH_OPTIONS_NONE;
    o.leader_epoch = NO_LEADER_EPOCH;
    while (!err && (more = record_iter_next(&it, &r)) > 0) {
        if (!started) {
            o.base_offset = r.offset;
            batch_builder_init(&b, &o, limit);
            started = true;
        }
        if (r.offset <= b.last_offset || r.offset - o.base_offset > INT32_MAX)
            err = OE_CORRUPT;
        else
            err = batch_builder_add_full(&b, r.offset, r.timestamp, r.key, (size_t)(r.key ? r.key_len : 0),
                                         r.value, (size_t)(r.value ? r.value_len : 0), NULL, 0);
    }
    if (!err && more < 0) err = more;
    if (!err && started) {
        uint8_t *bytes;
        size_t len;
        if (!(err = batch_builder_finish(&b, c, &bytes, &len))) {
            strbuf_add(out, bytes, len);
            if (!strbuf_ok(out)) err = OE_LIMIT;
        }
    }
    if (started) batch_builder_free(&b);
    record_iter_end(&it);
    return err;
}
