/* See batches.h. */
#include "kraft/batches.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "record/record.h"

enum {
    PLAIN_LIMIT = 64 << 20, /* bytes that a compressed batch may give */
    RECORD_OVERHEAD = 32,   /* more than a record needs beside its value */
};

static int finish_batch(struct batch_builder *b, struct strbuf *out) {
    uint8_t *bytes;
    size_t n;
    int err = batch_builder_finish(b, NULL, &bytes, &n);
    if (!err) strbuf_add(out, bytes, n);
    batch_builder_free(b);
    return err ? err : strbuf_ok(out) ? 0 : OE_LIMIT;
}

/* How many records from the i-th on go into one batch. 0: the first is too large. */
static int32_t batch_fill(const struct record_list *l, int32_t i) {
    size_t bytes = BATCH_HEADER;
    int32_t n = 0;
    for (; i + n < l->n && (l->atomic || n < KRAFT_BATCH_RECORDS); n++) {
        bytes += l->v[i + n].len + RECORD_OVERHEAD;
        if (bytes > KRAFT_BATCH_MAX) break;
    }
    return n;
}

int batches_build(const struct record_list *l, int64_t base, int32_t epoch, int64_t timestamp,
                  struct strbuf *out) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct batch_builder b;
    o.leader_epoch = epoch;
    for (int32_t i = 0; i < l->n;) {
        int32_t n = batch_fill(l, i);
        if (n == 0 || (l->atomic && n < l->n)) return OE_LIMIT;
        int err = 0;
        o.base_offset = base + i;
        batch_builder_init(&b, &o, KRAFT_BATCH_MAX);
        for (int32_t end = i + n; i < end && !err; i++)
            err = batch_builder_add(&b, timestamp, NULL, 0, l->v[i].data, l->v[i].len);
        if (err)
            batch_builder_free(&b);
        else
            err = finish_batch(&b, out);
        if (err) return err;
    }
    return 0;
}

int batches_control(const struct control_value *v, int32_t n, int64_t base, int32_t epoch, int64_t timestamp,
                    struct strbuf *out) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    struct batch_builder b;
    ASSERT(n > 0);
    o.base_offset = base;
    o.leader_epoch = epoch;
    o.control = true;
    batch_builder_init(&b, &o, KRAFT_BATCH_MAX);
    for (int32_t i = 0; i < n; i++) {
        uint8_t key[4]; /* version 0, type */
        put_i16(key, 0);
        put_i16(key + 2, (int16_t)v[i].type);
        int err = batch_builder_add(&b, timestamp, key, sizeof key, v[i].value, v[i].len);
        if (err) {
            batch_builder_free(&b);
            return err;
        }
    }
    return finish_batch(&b, out);
}

static int visit(const struct batch_visitor *v, const uint8_t *batch, const struct record *r) {
    if (!batch_is_control(batch)) {
        if (!r->value) return OE_CORRUPT;
        int32_t epoch = batch_leader_epoch(batch);
        return v->record ? v->record(v->ctx, r->offset, epoch, r->timestamp, r->value, (size_t)r->value_len)
                         : 0;
    }
    if (!r->key || r->key_len < 4 || !r->value) return OE_CORRUPT;
    enum control_type type = (enum control_type)get_i16(r->key + 2);
    return v->control ? v->control(v->ctx, r->offset, type, r->value, (size_t)r->value_len) : 0;
}

static int walk_batch(const uint8_t *batch, size_t n, struct codec *codec, const struct batch_visitor *v) {
    if (batch_check(batch, n) || batch_magic(batch) != 2) return OE_CORRUPT;
    struct record_iter it;
    struct record r;
    int err = record_iter_start(&it, codec, batch, n, PLAIN_LIMIT), more = 0;
    while (!err && (more = record_iter_next(&it, &r)) > 0) err = visit(v, batch, &r);
    record_iter_end(&it);
    if (!err && more < 0) err = more;
    if (!err && v->end)
        v->end(v->ctx, batch_last_offset(batch) + 1, batch_leader_epoch(batch), batch_max_timestamp(batch));
    return err;
}

int batches_walk(const uint8_t *bytes, size_t n, struct codec *codec, const struct batch_visitor *v,
                 size_t *used) {
    *used = 0;
    while (*used < n) {
        int64_t size = batch_peek(bytes + *used, n - *used);
        if (size < 0) return OE_CORRUPT;
        if (size == 0 || (uint64_t)size > n - *used) return 0;
        int err = walk_batch(bytes + *used, (size_t)size, codec, v);
        if (err) return err;
        *used += (size_t)size;
    }
    return 0;
}
