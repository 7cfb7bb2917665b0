/* The rules, for a batch:
 *
 *   its records all go    it is of an aborted transaction; or it is a marker whose transaction has nothing
 *                         left and whose delete horizon has passed
 *   a record goes         it is not the newest of its key; or it is a tombstone whose horizon has passed.
 *                         What lies above the map's last offset always stays
 *   a batch without       goes, unless it is the last one of an active producer (its sequence or epoch
 *   records               would be forgotten) or ends where the cleaned part ends (its offset would be)
 *   a horizon is set      on a batch that keeps a tombstone, or a marker of an empty transaction, and has
 *                         none yet: now + delete.retention.ms, in place of the base timestamp (KIP-534)
 *
 * A batch that keeps everything and needs no horizon is copied as it is; else it is built anew with its
 * codec, its producer, its last offset. Messages of magic 0 and 1 become batches of magic 2. Unlike the
 * reference's, our CRCs are checked before: a batch that is damaged must not get a new, right one. */
#include "storage/clean_batch.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "record/record.h"

enum { PLAIN_LIMIT = 256 << 20, LEGACY_ATTRIBUTES = 17 };

/* What happens to a batch. */
struct verdict {
    bool drop_records;
    bool keep_empty;
    bool empty_marker; /* a marker whose transaction has nothing left */
};

/* Which records stay. */
struct kept {
    uint64_t *bits;
    int32_t total, count;
    bool tombstones;
};

static void keep_abort(struct clean_filter *f, const struct abort_entry *a) {
    if (f->abort_count == f->abort_cap) {
        f->abort_cap = f->abort_cap ? 2 * f->abort_cap : 8;
        f->aborts = xrealloc(f->aborts, (size_t)f->abort_cap * sizeof *f->aborts);
    }
    f->aborts[f->abort_count++] =
        (struct txn_end){a->producer_id, a->first_offset, a->last_offset, a->last_stable, true, true};
}

static bool is_last_of_producer(const struct clean_filter *f, const uint8_t *b) {
    size_t lo = 0, hi = f->last_count;
    int64_t id = batch_producer_id(b);
    if (id < 0) return false;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (f->last[mid].producer_id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == f->last_count || f->last[lo].producer_id != id) return false;
    if (f->last[lo].offset >= 0) return batch_last_offset(b) == f->last[lo].offset;
    return batch_is_control(b) && batch_producer_epoch(b) == f->last[lo].epoch;
}

static int judge(struct clean_filter *f, const uint8_t *b, size_t n, struct verdict *v) {
    bool control = batch_magic(b) >= 2 && batch_is_control(b), discard;
    if (control) {
        struct abort_entry kept;
        bool has_kept;
        int err = clean_txns_control(f->txns, b, n, &discard, &kept, &has_kept);
        if (err) return err;
        if (has_kept) keep_abort(f, &kept);
        v->drop_records = discard && batch_has_horizon(b) && batch_base_timestamp(b) <= f->now_ms;
    } else {
        v->drop_records = discard = clean_txns_data(f->txns, b);
    }
    v->empty_marker = control && discard;
    v->keep_empty =
        batch_magic(b) >= 2 && (is_last_of_producer(f, b) || batch_last_offset(b) + 1 == f->round_end);
    return 0;
}

static bool record_stays(struct clean_filter *f, const uint8_t *b, const struct record *r) {
    if (r->offset > f->map->latest) return true;
    if (!r->key) {
        f->stats->invalid++;
        return false;
    }
    if (r->offset < offset_map_get(f->map, r->key, (size_t)r->key_len)) return false;
    if (r->value) return true;
    if (batch_magic(b) < 2) return f->keep_old_tombstones;
    return !batch_has_horizon(b) || f->now_ms < batch_base_timestamp(b);
}

static int choose(struct clean_filter *f, struct record_iter *it, const uint8_t *b, const struct verdict *v,
                  struct kept *k) {
    bool control = batch_magic(b) >= 2 && batch_is_control(b);
    struct record r;
    int more, cap = 0;
    while ((more = record_iter_next(it, &r)) > 0) {
        if (k->total / 64 == cap) {
            int grown = cap ? 2 * cap : 16;
            uint64_t *bits = realloc(k->bits, (size_t)grown * sizeof *bits);
            if (!bits) return OE_NOMEM;
            memset(bits + cap, 0, (size_t)(grown - cap) * sizeof *bits);
            k->bits = bits;
            cap = grown;
        }
        int32_t i = k->total++;
        if (v->drop_records || (!control && !record_stays(f, b, &r))) continue;
        k->bits[i / 64] |= UINT64_C(1) << (i % 64);
        k->count++;
        k->tombstones |= !r.value;
    }
    return more;
}

static struct batch_options options_of(const uint8_t *b, int64_t first_offset) {
    struct batch_options o = BATCH_OPTIONS_NONE;
    if (batch_magic(b) < 2) {
        o.base_offset = first_offset;
        o.leader_epoch = NO_LEADER_EPOCH;
        o.compression = (enum compression)(b[LEGACY_ATTRIBUTES] & BATCH_COMPRESSION_MASK);
        o.log_append_time = batch_magic(b) == 1 && b[LEGACY_ATTRIBUTES] & BATCH_LOG_APPEND_TIME;
        o.append_time = batch_max_timestamp(b);
        return o;
    }
    o.base_offset = batch_base_offset(b);
    o.leader_epoch = batch_leader_epoch(b);
    o.compression = batch_compression(b);
    o.log_append_time = batch_attrs(b) & BATCH_LOG_APPEND_TIME;
    o.append_time = batch_max_timestamp_v2(b);
    o.transactional = batch_is_transactional(b);
    o.control = batch_is_control(b);
    o.producer_id = batch_producer_id(b);
    o.producer_epoch = batch_producer_epoch(b);
    o.base_sequence = batch_base_sequence(b);
    o.delete_horizon = batch_has_horizon(b);
    o.horizon_ms = batch_base_timestamp(b);
    return o;
}

static int add_kept(struct batch_builder *out, struct record_iter *it, const uint8_t *b, const struct kept *k,
                    const struct batch_options *o) {
    struct record r;
    bool started = false;
    int more = 0, err = 0;
    for (int32_t i = 0; !err && (more = record_iter_next(it, &r)) > 0; i++) {
        ASSERT(i < k->total);
        if (!(k->bits[i / 64] >> (i % 64) & 1)) continue;
        if (!started) {
            struct batch_options own = *o;
            if (batch_magic(b) < 2) own.base_offset = r.offset;
            batch_builder_init(out, &own, INT32_MAX);
            started = true;
        }
        if (r.offset <= out->last_offset || r.offset > batch_last_offset(b) ||
            r.offset - out->options.base_offset > INT32_MAX)
            return OE_CORRUPT;
        err = batch_builder_add_raw(out, r.offset, r.timestamp, r.key, (size_t)(r.key ? r.key_len : 0),
                                    r.value, (size_t)(r.value ? r.value_len : 0), r.header_count, r.headers,
                                    r.headers_len);
    }
    return err ? err : more;
}

/* The batch anew with the records that stay; the iterator stands at the first. */
static int rebuild(struct clean_filter *f, struct record_iter *it, const uint8_t *b, const struct kept *k,
                   bool set_horizon, struct strbuf *out) {
    struct batch_options o = options_of(b, 0);
    struct batch_builder builder = {.count = 0};
    uint8_t *bytes;
    size_t n;
    if (set_horizon) {
        o.delete_horizon = true;
        if (__builtin_add_overflow(f->now_ms, f->delete_retention_ms, &o.horizon_ms))
            o.horizon_ms = INT64_MAX;
    }
    int err = add_kept(&builder, it, b, k, &o);
    if (!err) {
        ASSERT(builder.count == k->count);
        if (batch_magic(b) >= 2) builder.last_offset = batch_last_offset(b);
        err = batch_builder_finish(&builder, f->codec, &bytes, &n);
    }
    if (!err) strbuf_add(out, bytes, n);
    batch_builder_free(&builder);
    return err;
}

static int filter(struct clean_filter *f, struct record_iter *it, const uint8_t *b, size_t n,
                  const struct verdict *v, struct kept *k, struct strbuf *out) {
    uint8_t empty[BATCH_HEADER];
    int err = choose(f, it, b, v, k);
    if (err) return err;
    f->stats->messages_read += k->total;
    f->stats->messages_written += k->count;
    if (!k->count) {
        if (!v->keep_empty) return 0;
        batch_write_empty(empty, b);
        strbuf_add(out, empty, sizeof empty);
        return 0;
    }
    bool new = batch_magic(b) >= 2;
    bool set_horizon = (k->tombstones || v->empty_marker) && (!new || !batch_has_horizon(b));
    if (new && k->count == k->total && !set_horizon) {
        strbuf_add(out, b, n);
        return 0;
    }
    if (new) {
        record_iter_rewind(it);
    } else {
        record_iter_end(it);
        if ((err = record_iter_start(it, f->codec, b, n, PLAIN_LIMIT))) return err;
    }
    return rebuild(f, it, b, k, set_horizon, out);
}

int clean_batch(struct clean_filter *f, const uint8_t *b, size_t n, struct strbuf *out) {
    struct verdict v = {.drop_records = false};
    struct kept k = {.bits = NULL};
    struct record_iter it;
    int err = judge(f, b, n, &v);
    if (err || (v.drop_records && !v.keep_empty)) return err;
    err = record_iter_start(&it, f->codec, b, n, PLAIN_LIMIT);
    if (!err) err = filter(f, &it, b, n, &v, &k, out);
    record_iter_end(&it);
    free(k.bits);
    return err || strbuf_ok(out) ? err : OE_NOMEM;
}
