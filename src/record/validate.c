/* Order of checks, as the reference's: the batch's outside (one batch, base offset 0, size, CRC), its header
 * (counts, control, sequence), then each record (key, timestamp). Records of an uncompressed batch are walked
 * in place. Those of a compressed one are walked through a window of fixed size, so that a bomb costs time in
 * proportion to its declared records, not memory.
 *
 * Two things make a compressed batch be built anew: another target codec, and offset deltas that do not count
 * 0, 1, 2, … An uncompressed batch whose deltas do not count is taken as it is: the reference does not look
 * at them either. */
#include "record/validate.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "record/parse.h"
#include "record/record.h"

enum { WINDOW = 16 << 10, ERRORS_MAX = 10000, REBUILD_LIMIT = 128 << 20 };

static int fault(struct validation *v, enum append_fault f, const char *message) {
    v->fault = f;
    v->message = message;
    return OE_INVALID;
}

#define FAULT(v, f, ...) fault(v, f, arena_printf((v)->arena, __VA_ARGS__))

/* ---- the outside of the batch ---- */

static int check_outside(struct validation *v) {
    const uint8_t *b = v->bytes;
    int64_t size = batch_peek(b, v->len);
    if (size < 0) return FAULT(v, FAULT_CORRUPT, "the bytes for %s are no record batch", v->partition);
    if (size == 0 || (uint64_t)size > v->len)
        return FAULT(v, FAULT_INVALID_RECORD, "no whole record batch for %s", v->partition);
    if (batch_magic(b) != 2)
        return FAULT(v, FAULT_INVALID_RECORD, "record format v%d is not accepted for %s", batch_magic(b),
                     v->partition);
    size_t rest = v->len - (size_t)size;
    int64_t next = batch_peek(b + size, rest);
    if (next < 0)
        return FAULT(v, FAULT_CORRUPT, "the bytes after the first batch for %s are no batch", v->partition);
    if (next > 0 && (uint64_t)next <= rest)
        return FAULT(v, FAULT_INVALID_RECORD, "more than one batch for %s", v->partition);
    v->len = (size_t)size;
    if (v->origin == APPEND_CLIENT && batch_base_offset(b) != 0)
        return FAULT(v, FAULT_INVALID_RECORD, "the base offset of a batch for %s is %lld, not 0",
                     v->partition, (long long)batch_base_offset(b));
    if (v->rules->max_bytes && size > v->rules->max_bytes)
        return FAULT(v, FAULT_TOO_LARGE, "a batch of %lld bytes for %s is larger than max.message.bytes=%d",
                     (long long)size, v->partition, v->rules->max_bytes);
    if (crc32c(0, b + BATCH_AT_ATTRIBUTES, v->len - BATCH_AT_ATTRIBUTES) != batch_crc(b))
        return FAULT(v, FAULT_CORRUPT, "wrong CRC of a batch for %s", v->partition);
    if (batch_compression(b) >= COMPRESSION_COUNT)
        return FAULT(v, FAULT_UNSUPPORTED_CODEC, "unknown compression %d for %s", batch_compression(b),
                     v->partition);
    return 0;
}

static int check_header(struct validation *v) {
    const uint8_t *b = v->bytes;
    if (v->origin != APPEND_CLIENT) return 0;
    int64_t from_offsets = (int64_t)batch_last_offset_delta(b) + 1;
    if (from_offsets <= 0)
        return FAULT(v, FAULT_INVALID_RECORD, "invalid last offset delta for %s", v->partition);
    if (batch_count(b) <= 0)
        return FAULT(v, FAULT_INVALID_RECORD, "invalid record count for %s", v->partition);
    if (from_offsets != batch_count(b))
        return FAULT(v, FAULT_INVALID_RECORD, "%d records but %lld offsets in a batch for %s", batch_count(b),
                     (long long)from_offsets, v->partition);
    if (batch_is_control(b))
        return FAULT(v, FAULT_INVALID_RECORD, "clients may not write control records (%s)", v->partition);
    if (batch_producer_id(b) > NO_PRODUCER_ID && batch_base_sequence(b) < 0)
        return FAULT(v, FAULT_INVALID_RECORD, "a producer id with sequence %d for %s", batch_base_sequence(b),
                     v->partition);
    return 0;
}

/* ---- one record ---- */

struct walk {
    struct validation *v;
    int64_t base_timestamp,
        appended;           /* appended: the time of a batch with LogAppendTime, else NO_TIMESTAMP */
    int64_t oldest, newest; /* what is accepted with CreateTime */
    int64_t max_timestamp;
    int32_t index;
    bool create_time, compacted, producer_append_time, in_place, bad_timestamp;
};

static void record_fault(struct walk *w, const char *message) {
    struct validation *v = w->v;
    if (v->error_count == ERRORS_MAX) return;
    if (!(v->error_count & (v->error_count - 1))) { /* the array grows at powers of two */
        size_t n = v->error_count ? 2 * (size_t)v->error_count : 1;
        struct record_error *more = arena_alloc(v->arena, n * sizeof *more);
        if (!more) return;
        if (v->error_count) memcpy(more, v->errors, (size_t)v->error_count * sizeof *more);
        v->errors = more;
    }
    v->errors[v->error_count++] = (struct record_error){w->index, message};
}

static int64_t sub_saturated(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_sub_overflow(a, b, &r) ? (b > 0 ? INT64_MIN : INT64_MAX) : r;
}
static int64_t add_saturated(int64_t a, int64_t b) {
    int64_t r;
    return __builtin_add_overflow(a, b, &r) ? (b > 0 ? INT64_MAX : INT64_MIN) : r;
}

static void walk_start(struct walk *w, struct validation *v) {
    const uint8_t *b = v->bytes;
    const struct record_rules *r = v->rules;
    *w = (struct walk){
        .v = v, .base_timestamp = batch_base_timestamp(b), .max_timestamp = NO_TIMESTAMP, .in_place = true};
    w->producer_append_time = batch_attrs(b) & BATCH_LOG_APPEND_TIME;
    w->appended = w->producer_append_time ? batch_max_timestamp_v2(b) : NO_TIMESTAMP;
    w->create_time = !r->log_append_time;
    w->compacted = r->compacted;
    w->oldest = sub_saturated(v->now_ms, r->before_max_ms);
    w->newest = add_saturated(v->now_ms, r->after_max_ms);
}

static inline void walk_record(struct walk *w, int64_t timestamp_delta, int32_t offset_delta, bool has_key) {
    int64_t ts = (int64_t)((uint64_t)w->base_timestamp + (uint64_t)timestamp_delta);
    if (__builtin_expect(w->producer_append_time, 0)) ts = w->appended;
    if (__builtin_expect(w->compacted && !has_key, 0)) {
        record_fault(w, "a compacted topic needs a key in each record");
    } else if (w->create_time && ts != NO_TIMESTAMP) {
        if (__builtin_expect(ts < w->oldest || ts > w->newest, 0)) {
            record_fault(w, arena_printf(w->v->arena, "timestamp %lld is not within [%lld, %lld]",
                                         (long long)ts, (long long)w->oldest, (long long)w->newest));
            w->bad_timestamp = true;
        }
    } else if (__builtin_expect(w->producer_append_time, 0)) {
        record_fault(w, "a producer may not set the timestamp type LogAppendTime");
        w->bad_timestamp = true;
    }
    if (offset_delta != w->index) w->in_place = false;
    if (ts > w->max_timestamp) w->max_timestamp = ts;
    w->index++;
}

static int walk_plain(struct walk *w) {
    const uint8_t *p = w->v->bytes + BATCH_HEADER, *end = w->v->bytes + w->v->len;
    int32_t count = batch_count(w->v->bytes);
    struct raw_record r;
    for (int32_t i = 0; i < count; i++) {
        if (!(p = parse_record(p, end, &r)))
            return FAULT(w->v, FAULT_INVALID_RECORD, "record %d of a batch for %s is malformed", i,
                         w->v->partition);
        walk_record(w, r.timestamp_delta, r.offset_delta, r.key != NULL);
    }
    if (count > 0 && p != end)
        return FAULT(w->v, FAULT_INVALID_RECORD, "bytes are left after the records of a batch for %s",
                     w->v->partition);
    return 0;
}

/* ---- compressed records through a window ---- */

struct window {
    struct codec *codec;
    uint8_t *at, *end;
    bool ended;
    int err;
    uint8_t buf[WINDOW];
};

/* At least n bytes at w->at, or what is left. n ≤ WINDOW. Returns the bytes there. */
static size_t window_fill(struct window *w, size_t n) {
    size_t have = (size_t)(w->end - w->at);
    if (have >= n || w->ended) return have;
    memmove(w->buf, w->at, have);
    w->at = w->buf;
    while (have < n) {
        int64_t k = decompress_read(w->codec, w->buf + have, WINDOW - have);
        if (k <= 0) {
            w->ended = true;
            w->err = (int)k;
            break;
        }
        have += (size_t)k;
    }
    w->end = w->buf + have;
    return have;
}

static bool window_skip(struct window *w, int64_t n) {
    while (n > 0) {
        size_t have = window_fill(w, 1);
        if (!have) return false;
        if ((int64_t)have > n) have = (size_t)n;
        w->at += have;
        n -= (int64_t)have;
    }
    return true;
}

static bool window_varlong(struct window *w, int64_t *left, int64_t *v) {
    window_fill(w, VARLONG_MAX);
    int n = get_varlong(w->at, w->end, v);
    if (!n || n > *left) return false;
    w->at += n;
    *left -= n;
    return true;
}

static bool window_bytes(struct window *w, int64_t *left, int64_t *len) {
    if (!window_varlong(w, left, len) || *len < -1 || *len > *left) return false;
    if (*len <= 0) return true;
    *left -= *len;
    return window_skip(w, *len);
}

/* A record too long for the window, its `left` bytes still to come. */
static bool walk_long(struct walk *k, struct window *w, int64_t left) {
    int64_t ts, offset, len, key_len, headers;
    if (left < 1 || !window_skip(w, 1)) return false;
    left--;
    if (!window_varlong(w, &left, &ts) || !window_varlong(w, &left, &offset) ||
        !window_bytes(w, &left, &key_len) || !window_bytes(w, &left, &len) ||
        !window_varlong(w, &left, &headers) || headers < 0 || headers > left)
        return false;
    for (; headers; headers--)
        if (!window_bytes(w, &left, &len) || len < 0 || !window_bytes(w, &left, &len)) return false;
    if (left || offset < INT32_MIN || offset > INT32_MAX) return false;
    walk_record(k, ts, (int32_t)offset, key_len >= 0);
    return true;
}

static bool walk_next(struct walk *k, struct window *w) {
    size_t have = window_fill(w, VARINT_MAX);
    int32_t size;
    int n = get_varint(w->at, w->end, &size);
    if (!n || size < 0) return false;
    if ((size_t)n + (size_t)size > have && (size_t)n + (size_t)size <= WINDOW)
        have = window_fill(w, (size_t)n + (size_t)size);
    if ((size_t)n + (size_t)size > have) {
        w->at += n;
        return walk_long(k, w, size);
    }
    struct raw_record r;
    const uint8_t *next = parse_record(w->at, w->end, &r);
    if (!next) return false;
    w->at += next - w->at;
    walk_record(k, r.timestamp_delta, r.offset_delta, r.key != NULL);
    return true;
}

static int walk_compressed(struct walk *k) {
    struct validation *v = k->v;
    struct window w;
    w.codec = v->codec;
    w.at = w.end = w.buf;
    w.ended = false;
    w.err = 0;
    int32_t count = batch_count(v->bytes);
    if (v->len == BATCH_HEADER &&
        batch_compression(v->bytes) == COMPRESSION_ZSTD) /* no frame is an empty stream only here */
        return FAULT(v, FAULT_INVALID_RECORD, "no records in a batch for %s", v->partition);
    if (v->len == BATCH_HEADER || decompress_start(v->codec, batch_compression(v->bytes),
                                                   v->bytes + BATCH_HEADER, v->len - BATCH_HEADER, false))
        return FAULT(v, FAULT_UNSUPPORTED_CODEC, "the records of a batch for %s cannot be decompressed",
                     v->partition);
    for (int32_t i = 0; i < count; i++) {
        if (walk_next(k, &w)) continue;
        if (w.err)
            return FAULT(v, FAULT_UNSUPPORTED_CODEC, "the records of a batch for %s cannot be decompressed",
                         v->partition);
        return FAULT(v, FAULT_INVALID_RECORD, "record %d of a batch for %s is malformed", i, v->partition);
    }
    if (count > 0 && window_fill(&w, 1))
        return FAULT(v, FAULT_INVALID_RECORD, "bytes are left after the records of a batch for %s",
                     v->partition);
    return 0;
}

/* ---- the result ---- */

static int record_faults(struct walk *w) {
    struct validation *v = w->v;
    if (!v->error_count) return 0;
    if (w->bad_timestamp)
        return FAULT(v, FAULT_INVALID_TIMESTAMP, "%d records for %s refused for their timestamps",
                     v->error_count, v->partition);
    return FAULT(v, FAULT_INVALID_RECORD, "%d records for %s refused, the first: %s", v->error_count,
                 v->partition, v->errors[0].message);
}

static int rebuild_records(struct validation *v, struct batch_builder *b, size_t limit) {
    struct record_iter it;
    struct record r;
    int more = 0, err = record_iter_start(&it, v->codec, v->bytes, v->len, limit);
    while (!err && (more = record_iter_next(&it, &r)) > 0)
        err = batch_builder_add_raw(b, v->next_offset++, r.timestamp, r.key, (size_t)(r.key ? r.key_len : 0),
                                    r.value, (size_t)(r.value ? r.value_len : 0), r.header_count, r.headers,
                                    r.headers_len);
    record_iter_end(&it);
    return err ? err : more;
}

/* A new batch in the arena. The records are known to be good. */
static int rebuild(struct validation *v, enum compression target) {
    const uint8_t *old = v->bytes;
    if (batch_count(old) <= 0) /* a client's was refused before; nobody else's is built anew without any */
        return FAULT(v, FAULT_INVALID_RECORD, "no records in a batch for %s", v->partition);
    struct batch_options o = {.base_offset = v->offset,
                              .leader_epoch = v->leader_epoch,
                              .compression = target,
                              .level = v->rules->level,
                              .log_append_time = v->rules->log_append_time,
                              .append_time = v->now_ms,
                              .transactional = batch_is_transactional(old),
                              .control = batch_is_control(old),
                              .producer_id = batch_producer_id(old),
                              .producer_epoch = batch_producer_epoch(old),
                              .base_sequence = batch_base_sequence(old)};
    size_t limit = REBUILD_LIMIT, n = 0;
    if (target == COMPRESSION_NONE && v->rules->max_bytes) limit = (size_t)v->rules->max_bytes + BATCH_HEADER;
    struct batch_builder b;
    uint8_t *bytes = NULL;
    batch_builder_init(&b, &o, limit);
    v->next_offset = v->offset;
    int err = rebuild_records(v, &b, limit);
    if (!err) err = batch_builder_finish(&b, v->codec, &bytes, &n);
    if (!err && v->rules->max_bytes && n > (size_t)v->rules->max_bytes) err = OE_LIMIT;
    if (!err) {
        ASSERT(b.last_offset + 1 == v->next_offset && b.count == batch_count(old));
        v->max_timestamp = o.log_append_time ? v->now_ms : b.max_timestamp;
        v->bytes = arena_memdup(v->arena, bytes, n);
        v->len = n;
        v->rebuilt = true;
    }
    batch_builder_free(&b);
    if (err == OE_LIMIT)
        return FAULT(v, FAULT_TOO_LARGE, "a batch for %s is too large once it is compressed anew",
                     v->partition);
    if (err || !v->bytes) return fault(v, FAULT_MEMORY, "no memory to compress a batch anew");
    return 0;
}

static void patch(struct validation *v, int64_t max_timestamp) {
    bool append_time = v->rules->log_append_time;
    v->max_timestamp = append_time ? v->now_ms : max_timestamp;
    /* The last offset is what counts: base = last − delta, for deltas that do not begin at 0, too. */
    v->next_offset = v->offset + v->count;
    batch_set_base_offset(v->bytes, v->next_offset - 1 - batch_last_offset_delta(v->bytes));
    batch_set_leader_epoch(v->bytes, v->leader_epoch);
    batch_set_max_timestamp(v->bytes, v->len, append_time, v->max_timestamp);
}

int record_validate(struct validation *v) {
    v->fault = FAULT_NONE;
    v->message = NULL;
    v->errors = NULL;
    v->error_count = 0;
    v->rebuilt = false;
    int err = check_outside(v);
    if (err || (err = check_header(v))) return err;
    enum compression source = batch_compression(v->bytes);
    enum compression target =
        v->rules->target_compression < 0 ? source : (enum compression)v->rules->target_compression;
    struct walk w;
    walk_start(&w, v);
    err = source == COMPRESSION_NONE ? walk_plain(&w) : walk_compressed(&w);
    if (err || (err = record_faults(&w))) return err;
    v->count = batch_count(v->bytes);
    ASSERT(w.index == v->count || v->count <= 0);
    /* Control records stay plain whatever the topic asks for. */
    bool same = source == target || (source == COMPRESSION_NONE && batch_is_control(v->bytes));
    if (same && (source == COMPRESSION_NONE || w.in_place)) {
        patch(v, w.max_timestamp);
        return 0;
    }
    return rebuild(v, target);
}
