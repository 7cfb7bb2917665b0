/* A key is its type (int16, always 0) and the key message's version 0; a value is the version (int16) and the
 * message. Version 1, with what transaction.version 2 needs to recover, is written from feature level 1 on.
 * The last epoch before a bump is not recorded: it is known until the coordinator restarts. */
#include "txn/record.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "records/txn.h"
#include "wire/reader.h"
#include "wire/writer.h"

enum { KEY_TYPE = 0, VALUE_VERSIONS = 2 };

struct kbytes txn_record_key(struct arena *a, struct kstr id) {
    struct transaction_log_key key = {.transactional_id = id};
    size_t size = 2 + transaction_log_key_size(&key, 0);
    struct writer w;
    void *memory = arena_alloc(a, size);
    if (!memory) return KBYTES_NULL;
    writer_init_with(&w, memory, size, size);
    write_i16(&w, KEY_TYPE);
    transaction_log_key_encode(&key, &w, 0);
    ASSERT(!w.err && w.buf == w.given);
    return (struct kbytes){w.buf, (int32_t)writer_len(&w)};
}

struct kbytes txn_record_value(struct arena *a, const struct txn_values *v, int16_t version) {
    ASSERT(v->state < TXN_DEAD && v->producer_id >= 0 && v->epoch >= 0);
    ASSERT(v->state != TXN_EMPTY || txn_partitions_empty(&v->partitions));
    int16_t written = version >= 1 ? 1 : 0;
    struct transaction_log_value out;
    transaction_log_value_init(&out);
    out.producer_id = v->producer_id;
    out.producer_epoch = v->epoch;
    out.transaction_timeout_ms = v->timeout_ms;
    out.transaction_status = (int8_t)v->state;
    out.transaction_last_update_timestamp_ms = v->update_ms;
    out.transaction_start_timestamp_ms = v->start_ms;
    if (written >= 1) {
        out.client_transaction_version = v->client_version;
        out.previous_producer_id = v->prev_producer_id;
        out.next_producer_id = v->next_producer_id;
    }
    out.transaction_partitions_n = v->state == TXN_EMPTY ? -1 : v->partitions.n;
    if (v->state != TXN_EMPTY) {
        out.transaction_partitions =
            arena_calloc(a, (size_t)v->partitions.n + 1, sizeof *out.transaction_partitions);
        if (!out.transaction_partitions) return KBYTES_NULL;
    }
    for (int32_t i = 0; i < v->partitions.n; i++) {
        const struct txn_topic *t = &v->partitions.topics[i];
        out.transaction_partitions[i] = (struct transaction_log_value_partitions_schema){
            .topic = t->name, .partition_ids = t->partitions, .partition_ids_n = t->n};
    }
    size_t size = 2 + transaction_log_value_size(&out, written);
    struct writer w;
    void *memory = arena_alloc(a, size);
    if (!memory) return KBYTES_NULL;
    writer_init_with(&w, memory, size, size);
    write_i16(&w, written);
    transaction_log_value_encode(&out, &w, written);
    ASSERT(!w.err && w.buf == w.given);
    return (struct kbytes){w.buf, (int32_t)writer_len(&w)};
}

int txn_record_read_key(struct arena *a, struct kbytes key, bool *known, struct kstr *id) {
    struct transaction_log_key k;
    if (key.len < 2) return OE_CORRUPT;
    struct reader r = reader_of(key.p, (size_t)key.len);
    *known = read_i16(&r) == KEY_TYPE;
    if (!*known) return 0;
    transaction_log_key_init(&k);
    if (transaction_log_key_decode(&k, &r, 0, a) || k.transactional_id.len <= 0) return OE_CORRUPT;
    *id = k.transactional_id;
    return 0;
}

int txn_record_read_value(struct arena *a, struct kbytes value, bool *known, struct txn_values *v) {
    struct transaction_log_value in;
    if (value.len < 2) return OE_CORRUPT;
    struct reader r = reader_of(value.p, (size_t)value.len);
    int16_t version = read_i16(&r);
    *known = version >= 0 && version < VALUE_VERSIONS;
    if (!*known) return 0;
    transaction_log_value_init(&in);
    if (transaction_log_value_decode(&in, &r, version, a)) return OE_CORRUPT;
    if (in.transaction_status < 0 || in.transaction_status >= TXN_DEAD || in.producer_id < 0 ||
        in.producer_epoch < 0)
        return OE_CORRUPT;
    *v = (struct txn_values){
        .producer_id = in.producer_id,
        .prev_producer_id = in.previous_producer_id,
        .next_producer_id = in.next_producer_id,
        .epoch = in.producer_epoch,
        .last_epoch = TXN_NO_EPOCH,
        .client_version = in.client_transaction_version,
        .timeout_ms = in.transaction_timeout_ms,
        .state = (enum txn_state)in.transaction_status,
        .start_ms = in.transaction_start_timestamp_ms,
        .update_ms = in.transaction_last_update_timestamp_ms,
    };
    if (v->state == TXN_EMPTY) return 0;
    for (int32_t i = 0; i < in.transaction_partitions_n; i++) {
        const struct transaction_log_value_partitions_schema *t = &in.transaction_partitions[i];
        for (int32_t k = 0; t->topic.len >= 0 && k < t->partition_ids_n; k++)
            txn_partitions_add(&v->partitions, t->topic, t->partition_ids[k]);
    }
    return 0;
}
