#include "storage/producers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "record/batch.h"
#include "record/control.h"

/* ---- transactions, in arrays: there are few at a time ---- */

static void txn_insert(struct txn **at, int32_t *count, int32_t *cap, const struct txn *t) {
    if (*count == *cap) {
        *cap = *cap ? 2 * *cap : 2;
        *at = xrealloc(*at, (size_t)*cap * sizeof **at);
    }
    int32_t i = *count;
    while (i && (*at)[i - 1].first_offset > t->first_offset) i--;
    ASSERT(!i || (*at)[i - 1].first_offset < t->first_offset);
    memmove(*at + i + 1, *at + i, (size_t)(*count - i) * sizeof **at);
    (*at)[i] = *t;
    ++*count;
}

static void txn_begin(struct producers *p, int64_t id, int64_t first_offset) {
    txn_insert(&p->ongoing, &p->ongoing_count, &p->ongoing_cap, &(struct txn){first_offset, -1, id});
}

/* The last stable offset once the producer's transaction has ended with the marker at last_offset. */
static int64_t stable_after(const struct producers *p, int64_t id, int64_t last_offset) {
    for (int32_t i = 0; i < p->ongoing_count; i++)
        if (p->ongoing[i].producer_id != id) return p->ongoing[i].first_offset;
    return last_offset + 1;
}

static void txn_finish(struct producers *p, int64_t first_offset, int64_t last_offset) {
    int32_t i = 0;
    while (i < p->ongoing_count && p->ongoing[i].first_offset != first_offset) i++;
    ASSERT(i < p->ongoing_count);
    struct txn t = p->ongoing[i];
    memmove(p->ongoing + i, p->ongoing + i + 1, (size_t)(--p->ongoing_count - i) * sizeof t);
    t.last_offset = last_offset;
    txn_insert(&p->done, &p->done_count, &p->done_cap, &t);
}

int64_t producers_first_unstable(const struct producers *p) {
    int64_t a = p->ongoing_count ? p->ongoing[0].first_offset : INT64_MAX;
    int64_t b = p->done_count ? p->done[0].first_offset : INT64_MAX;
    int64_t first = a < b ? a : b;
    return first == INT64_MAX ? -1 : first;
}

void producers_high_watermark(struct producers *p, int64_t offset) {
    int32_t kept = 0;
    for (int32_t i = 0; i < p->done_count; i++)
        if (p->done[i].last_offset >= offset) p->done[kept++] = p->done[i];
    p->done_count = kept;
}

/* ---- entries ---- */

void producers_init(struct producers *p, int64_t end_offset) {
    *p = (struct producers){.end_offset = end_offset, .snapshot_at = end_offset, .extra = -1};
    hashmap_init(&p->map, 0x70726f6475636572);
    hashmap_init(&p->verifications, 0x7665726966696564);
}

static void free_all(struct hashmap *m) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(m, &i));) free(e->value);
    hashmap_free(m);
}

void producers_clear(struct producers *p, int64_t end_offset) {
    free_all(&p->map);
    free_all(&p->verifications);
    hashmap_init(&p->map, 0x70726f6475636572);
    hashmap_init(&p->verifications, 0x7665726966696564);
    p->ongoing_count = p->done_count = 0;
    p->end_offset = end_offset;
}

void producers_free(struct producers *p) {
    producers_clear(p, 0);
    hashmap_free(&p->map);
    hashmap_free(&p->verifications);
    free(p->ongoing);
    free(p->done);
    free(p->snapshots);
    *p = (struct producers){.extra = -1};
}

static struct producer *find(const struct producers *p, int64_t id) {
    return hashmap_get(&p->map, &id, sizeof id);
}

static struct producer *add(struct producers *p, int64_t id) {
    struct producer *e = xcalloc(1, sizeof *e);
    *e = (struct producer){.id = id,
                           .last_timestamp = NO_TIMESTAMP,
                           .txn_first_offset = -1,
                           .coordinator_epoch = -1,
                           .epoch = NO_PRODUCER_EPOCH};
    void *before = hashmap_put(&p->map, &e->id, sizeof e->id, e);
    ASSERT(!before);
    return e;
}

static struct producer_batch *batch_at(struct producer *e, int i) {
    ASSERT(i >= 0 && i < e->count && e->count <= PRODUCER_BATCHES);
    return &e->ring[(e->first + i) % PRODUCER_BATCHES];
}
static int32_t last_sequence(struct producer *e) {
    return e->count ? batch_at(e, e->count - 1)->last_sequence : NO_SEQUENCE;
}

static void add_batch(struct producer *e, int16_t epoch, const struct producer_batch *b) {
    if (e->epoch != epoch) e->count = e->first = 0;
    e->epoch = epoch;
    if (e->count == PRODUCER_BATCHES)
        e->first = (uint8_t)((e->first + 1) % PRODUCER_BATCHES);
    else
        e->count++;
    *batch_at(e, e->count - 1) = *b;
}

/* The first sequence of a batch, from its last. */
static int32_t first_sequence(const struct producer_batch *b) {
    return b->last_sequence >= b->offset_delta
               ? b->last_sequence - b->offset_delta
               : (int32_t)(INT32_MAX - (b->offset_delta - b->last_sequence) + 1);
}

static const struct producer_batch *find_duplicate(struct producer *e, const uint8_t *b) {
    if (batch_producer_epoch(b) != e->epoch) return NULL;
    for (int i = 0; i < e->count; i++) {
        const struct producer_batch *seen = batch_at(e, i);
        if (first_sequence(seen) == batch_base_sequence(b) && seen->last_sequence == batch_last_sequence(b))
            return seen;
    }
    return NULL;
}

static bool follows(int32_t last, int32_t next) {
    return (int64_t)last + 1 == next || (next == 0 && last == INT32_MAX);
}

/* ---- verification of a transaction's first batch ---- */

static struct verification *verification_of(const struct producers *p, int64_t id) {
    return hashmap_get(&p->verifications, &id, sizeof id);
}

static void end_verification(struct producers *p, int64_t id) {
    free(hashmap_del(&p->verifications, &id, sizeof id));
}

bool producers_verify(struct producers *p, int64_t id, int16_t epoch, int32_t sequence, bool bumps,
                      int64_t now_ms, uint64_t *guard) {
    const struct producer *e = find(p, id);
    *guard = 0;
    if (e && epoch < e->epoch) return false;
    if (producers_in_txn(p, id, epoch)) return true;
    struct verification *v = verification_of(p, id);
    if (!v) {
        v = xcalloc(1, sizeof *v);
        /* Not one that a log which was closed in between has given. */
        p->guards = p->guards ? p->guards + 1 : (uint64_t)now_ms << 20;
        *v = (struct verification){.id = id,
                                   .timestamp = now_ms,
                                   .guard = p->guards,
                                   .lowest_sequence = sequence,
                                   .epoch = epoch,
                                   .bumps = bumps};
        void *before = hashmap_put(&p->verifications, &v->id, sizeof v->id, v);
        ASSERT(!before);
    }
    if (epoch > v->epoch || (epoch == v->epoch && sequence < v->lowest_sequence)) {
        v->epoch = epoch;
        v->lowest_sequence = sequence;
    }
    *guard = v->guard;
    return true;
}

static enum append_fault check_sequence(const struct producers *p, struct producer *e, const uint8_t *b) {
    const struct verification *v = verification_of(p, batch_producer_id(b));
    int32_t next = batch_base_sequence(b);
    if (v && v->bumps && next != 0 && (!e || !e->count)) return FAULT_OUT_OF_ORDER_SEQUENCE;
    if (v && next > v->lowest_sequence) return FAULT_OUT_OF_ORDER_SEQUENCE;
    if (!e || e->epoch == NO_PRODUCER_EPOCH) return FAULT_NONE;
    bool ok = batch_producer_epoch(b) != e->epoch ? next == 0 : follows(last_sequence(e), next);
    return ok ? FAULT_NONE : FAULT_OUT_OF_ORDER_SEQUENCE;
}

static enum append_fault check_data(const struct producers *p, struct producer *e, const uint8_t *b,
                                    const struct producer_check *how) {
    int64_t id = batch_producer_id(b);
    int16_t epoch = batch_producer_epoch(b);
    bool transactional = batch_is_transactional(b);
    if (how->origin == APPEND_REPLICATION)
        return e && e->txn_first_offset >= 0 && !transactional ? FAULT_TXN_STATE : FAULT_NONE;
    if (e && epoch < e->epoch) return FAULT_PRODUCER_EPOCH;
    if (transactional && how->verify && !producers_in_txn(p, id, epoch)) {
        const struct verification *v = verification_of(p, id);
        if (!v || !how->guard || v->guard != how->guard) return FAULT_TXN_STATE;
    }
    if (how->origin == APPEND_CLIENT) {
        enum append_fault f = check_sequence(p, e, b);
        if (f != FAULT_NONE) return f;
    }
    return e && e->txn_first_offset >= 0 && !transactional ? FAULT_TXN_STATE : FAULT_NONE;
}

static enum append_fault check_marker(const struct producer *e, const uint8_t *b, enum append_origin origin,
                                      int16_t version, const struct producer_change *c) {
    int16_t epoch = batch_producer_epoch(b);
    if (!e || origin == APPEND_REPLICATION) return FAULT_NONE;
    /* From transaction version 2 on each transaction has its own epoch; the same marker may come twice. */
    bool retry = epoch == e->epoch && (e->txn_first_offset < 0 || epoch == INT16_MAX);
    if (version >= 2 ? epoch <= e->epoch && !retry : epoch < e->epoch) return FAULT_PRODUCER_EPOCH;
    return e->coordinator_epoch > c->coordinator_epoch ? FAULT_COORDINATOR_FENCED : FAULT_NONE;
}

enum append_fault producers_check(struct producers *p, const uint8_t *b, size_t n,
                                  const struct producer_check *how, struct producer_change *c) {
    ASSERT(n >= BATCH_HEADER && batch_magic(b) == 2 && batch_producer_id(b) >= 0);
    *c = (struct producer_change){.entry = find(p, batch_producer_id(b))};
    if (batch_is_control(b)) {
        struct control_record r;
        if (batch_count(b) == 0) return FAULT_NONE;
        if (control_read(b, n, &r) || (r.type != CONTROL_ABORT && r.type != CONTROL_COMMIT))
            return FAULT_INVALID_RECORD;
        c->marker = true;
        c->commit = r.type == CONTROL_COMMIT;
        c->coordinator_epoch = r.coordinator_epoch;
        c->timestamp = r.timestamp;
        return check_marker(c->entry, b, how->origin, how->transaction_version, c);
    }
    if (how->origin == APPEND_CLIENT && c->entry) {
        const struct producer_batch *seen = find_duplicate(c->entry, b);
        if (seen) {
            c->duplicate = true;
            c->seen = *seen;
            return FAULT_NONE;
        }
    }
    return check_data(p, c->entry, b, how);
}

static void apply_marker(struct producers *p, struct producer *e, const uint8_t *b,
                         const struct producer_change *c, struct txn_end *end) {
    int16_t epoch = batch_producer_epoch(b);
    if (e->txn_first_offset >= 0) {
        int64_t last = batch_base_offset(b);
        *end = (struct txn_end){e->id, e->txn_first_offset, last, stable_after(p, e->id, last),
                                true,  !c->commit};
        txn_finish(p, e->txn_first_offset, last);
    }
    if (e->epoch != epoch) e->count = e->first = 0;
    e->epoch = epoch;
    e->coordinator_epoch = c->coordinator_epoch;
    e->txn_first_offset = -1;
    e->last_timestamp = c->timestamp;
}

void producers_apply(struct producers *p, const uint8_t *b, const struct producer_change *c,
                     struct txn_end *end) {
    ASSERT(!c->duplicate);
    *end = (struct txn_end){.happened = false};
    if (batch_is_control(b) && !c->marker) return;
    if (batch_is_transactional(b)) end_verification(p, batch_producer_id(b));
    struct producer *e = c->entry ? c->entry : add(p, batch_producer_id(b));
    ASSERT(e->id == batch_producer_id(b));
    if (c->marker) {
        apply_marker(p, e, b, c, end);
        return;
    }
    struct producer_batch add = {batch_last_offset(b), batch_max_timestamp_v2(b), batch_last_sequence(b),
                                 batch_last_offset_delta(b)};
    add_batch(e, batch_producer_epoch(b), &add);
    e->last_timestamp = add.timestamp;
    if (batch_is_transactional(b) && e->txn_first_offset < 0) {
        e->txn_first_offset = batch_base_offset(b);
        txn_begin(p, e->id, e->txn_first_offset);
    }
}

void producers_replay(struct producers *p, const uint8_t *b, size_t n, struct txn_end *end) {
    struct producer_change c;
    end->happened = false;
    if (batch_magic(b) < 2) return;
    struct producer_check how = {.origin = APPEND_REPLICATION};
    if (batch_producer_id(b) >= 0 && producers_check(p, b, n, &how, &c) != FAULT_INVALID_RECORD)
        producers_apply(p, b, &c, end);
}

static bool expired(const void *x, int64_t now_ms, int64_t expiration_ms) {
    const struct producer *e = x;
    return e->txn_first_offset < 0 && now_ms - e->last_timestamp >= expiration_ms;
}

/* Takes one out that `old` says is; false: there is none. The map moves under an iteration. */
static bool expire_one(struct hashmap *m, bool (*old)(const void *x, int64_t now_ms, int64_t limit),
                       int64_t now_ms, int64_t limit) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(m, &i));) {
        if (!old(e->value, now_ms, limit)) continue;
        int64_t id;
        ASSERT(e->key_len == sizeof id);
        memcpy(&id, e->key, sizeof id);
        free(hashmap_del(m, &id, sizeof id));
        return true;
    }
    return false;
}

static bool verification_expired(const void *x, int64_t now_ms, int64_t limit) {
    return now_ms - ((const struct verification *)x)->timestamp >= limit;
}

void producers_expire(struct producers *p, int64_t now_ms, int64_t expiration_ms) {
    while (expire_one(&p->map, expired, now_ms, expiration_ms)) continue;
    while (expire_one(&p->verifications, verification_expired, now_ms, expiration_ms)) continue;
}

bool producers_in_txn(const struct producers *p, int64_t id, int16_t epoch) {
    const struct producer *e = find(p, id);
    return e && e->txn_first_offset >= 0 && e->epoch == epoch;
}
