/* 1. pending ⇔ next holds a transition whose target may follow the state (the table below), or whose record
 *    has just been replayed.
 * 2. An id in Empty has no partitions; one in a Complete state neither.
 * 3. An epoch never goes back while the producer id stays. */
#include "txn/entry.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"

#define AFTER(state) (1u << (state))

/* From which states each may come. */
static const uint8_t previous[TXN_STATES] = {
    [TXN_EMPTY] = AFTER(TXN_EMPTY) | AFTER(TXN_COMPLETE_COMMIT) | AFTER(TXN_COMPLETE_ABORT),
    [TXN_ONGOING] =
        AFTER(TXN_ONGOING) | AFTER(TXN_EMPTY) | AFTER(TXN_COMPLETE_COMMIT) | AFTER(TXN_COMPLETE_ABORT),
    [TXN_PREPARE_COMMIT] = AFTER(TXN_ONGOING),
    [TXN_PREPARE_ABORT] =
        AFTER(TXN_ONGOING) | AFTER(TXN_EMPTY) | AFTER(TXN_COMPLETE_COMMIT) | AFTER(TXN_COMPLETE_ABORT),
    [TXN_COMPLETE_COMMIT] = AFTER(TXN_PREPARE_COMMIT),
    [TXN_COMPLETE_ABORT] = AFTER(TXN_PREPARE_ABORT),
    [TXN_DEAD] = AFTER(TXN_EMPTY) | AFTER(TXN_COMPLETE_COMMIT) | AFTER(TXN_COMPLETE_ABORT),
};

static const char *const names[TXN_STATES] = {"Empty",        "Ongoing",          "PrepareCommit",
                                              "PrepareAbort", "CompleteCommit",   "CompleteAbort",
                                              "Dead",         "PrepareEpochFence"};

const char *txn_state_name(enum txn_state s) {
    ASSERT(s >= 0 && s < TXN_STATES);
    return names[s];
}

enum txn_state txn_state_of_name(struct kstr name) {
    int s = 0;
    while (s < TXN_STATES && !kstr_is(name, names[s])) s++;
    return (enum txn_state)s;
}

struct txn_entry *txn_entry_create(struct kstr id, int64_t producer_id, int32_t timeout_ms, int64_t now_ms) {
    struct txn_entry *e = xcalloc(1, sizeof *e);
    ASSERT(id.len > 0);
    e->id = (struct kstr){xstrndup(id.s, (size_t)id.len), id.len};
    e->now = (struct txn_values){
        .producer_id = producer_id,
        .prev_producer_id = TXN_NO_ID,
        .next_producer_id = TXN_NO_ID,
        .epoch = TXN_NO_EPOCH,
        .last_epoch = TXN_NO_EPOCH,
        .timeout_ms = timeout_ms,
        .state = TXN_EMPTY,
        .start_ms = -1,
        .update_ms = now_ms,
    };
    return e;
}

void txn_entry_free(struct txn_entry *e) {
    txn_partitions_free(&e->now.partitions);
    txn_partitions_free(&e->next.partitions);
    free((char *)(uintptr_t)e->id.s);
    free(e);
}

void txn_entry_check(const struct txn_entry *e) {
    const struct txn_values *v = &e->now;
    ASSERT(e->id.len > 0 && v->state < TXN_DEAD);
    ASSERT(v->producer_id >= 0 && v->epoch >= TXN_NO_EPOCH && v->last_epoch >= TXN_NO_EPOCH);
    ASSERT(v->state != TXN_EMPTY || txn_partitions_empty(&v->partitions));
    ASSERT(e->pending || txn_partitions_empty(&e->next.partitions));
    ASSERT(!e->replayed || e->pending);
    ASSERT(!e->pending || e->replayed || previous[e->next.state] & AFTER(v->state));
    if (!e->pending || e->replayed || e->next.state == TXN_DEAD) return;
    ASSERT(e->next.epoch >= 0 && e->next.producer_id >= 0);
    ASSERT(e->next.producer_id != v->producer_id || e->next.epoch >= v->epoch);
}

/* ---- transitions ---- */

static struct txn_values *begin(struct txn_entry *e, enum txn_state to) {
    ASSERT(!e->pending);
    ASSERT(previous[to] & AFTER(e->now.state));
    e->next = e->now;
    e->next.partitions = (struct txn_partitions){0};
    e->next.state = to;
    e->next.prev_producer_id = e->now.producer_id;
    e->pending = true;
    return &e->next;
}

bool txn_prepare_increment(struct txn_entry *e, int32_t timeout_ms, int16_t expected, int64_t now_ms) {
    ASSERT(!txn_epoch_exhausted(e->now.epoch));
    int16_t epoch = (int16_t)(e->now.epoch + 1), last = TXN_NO_EPOCH;
    if (expected >= 0 && (e->now.epoch == TXN_NO_EPOCH || expected == e->now.epoch)) {
        last = e->now.epoch;
    } else if (expected >= 0 && expected == e->now.last_epoch) { /* the answer to this was lost */
        epoch = e->now.epoch;
        last = e->now.last_epoch;
    } else if (expected >= 0) {
        return false;
    }
    struct txn_values *v = begin(e, TXN_EMPTY);
    v->epoch = epoch;
    v->last_epoch = last;
    v->timeout_ms = timeout_ms;
    v->start_ms = -1;
    v->update_ms = now_ms;
    txn_entry_check(e);
    return true;
}

void txn_prepare_rotation(struct txn_entry *e, int64_t producer_id, int32_t timeout_ms, bool record_last,
                          int64_t now_ms) {
    struct txn_values *v = begin(e, TXN_EMPTY);
    ASSERT(producer_id >= 0 && producer_id != e->now.producer_id);
    v->producer_id = producer_id;
    v->epoch = 0;
    v->last_epoch = record_last ? e->now.epoch : TXN_NO_EPOCH;
    v->timeout_ms = timeout_ms;
    v->start_ms = -1;
    v->update_ms = now_ms;
    txn_entry_check(e);
}

void txn_prepare_add(struct txn_entry *e, const struct txn_partitions *add, int16_t client_version,
                     int64_t now_ms) {
    struct txn_values *v = begin(e, TXN_ONGOING);
    if (e->now.state != TXN_ONGOING) v->start_ms = now_ms;
    v->update_ms = now_ms;
    v->client_version = client_version;
    v->partitions = txn_partitions_copy(&e->now.partitions);
    for (int32_t i = 0; i < add->n; i++)
        for (int32_t k = 0; k < add->topics[i].n; k++)
            txn_partitions_add(&v->partitions, add->topics[i].name, add->topics[i].partitions[k]);
    txn_entry_check(e);
}

void txn_prepare_end(struct txn_entry *e, enum txn_state to, int16_t client_version, int64_t next_producer_id,
                     bool no_partition_added, int64_t now_ms) {
    ASSERT(to == TXN_PREPARE_COMMIT || to == TXN_PREPARE_ABORT);
    struct txn_values *v = begin(e, to);
    if (client_version >= TXN_VERSION_BUMPS) {
        if (e->now.epoch == INT16_MAX)
            LOG_ERROR("txn", "%.*s: producer %lld is ended at its last epoch", (int)e->id.len, e->id.s,
                      (long long)e->now.producer_id);
        else
            v->epoch = (int16_t)(e->now.epoch + 1);
        v->last_epoch = e->now.epoch;
    }
    if (no_partition_added) v->start_ms = now_ms;
    v->next_producer_id = next_producer_id;
    v->update_ms = now_ms;
    v->client_version = client_version;
    v->partitions = txn_partitions_copy(&e->now.partitions);
    txn_entry_check(e);
}

void txn_prepare_complete(struct txn_entry *e, int64_t now_ms) {
    ASSERT(txn_preparing(e));
    e->failed_fence = false;
    struct txn_values *v =
        begin(e, e->now.state == TXN_PREPARE_COMMIT ? TXN_COMPLETE_COMMIT : TXN_COMPLETE_ABORT);
    if (e->now.client_version >= TXN_VERSION_BUMPS && e->now.next_producer_id != TXN_NO_ID) {
        v->producer_id = e->now.next_producer_id;
        v->epoch = 0;
    }
    v->next_producer_id = TXN_NO_ID;
    v->update_ms = now_ms;
    txn_entry_check(e);
}

void txn_prepare_dead(struct txn_entry *e) {
    begin(e, TXN_DEAD);
    txn_entry_check(e);
}

int16_t txn_fence_epoch(const struct txn_entry *e) {
    bool keep = e->failed_fence || e->now.epoch == INT16_MAX;
    return keep ? e->now.epoch : (int16_t)(e->now.epoch + 1);
}

void txn_complete(struct txn_entry *e) {
    ASSERT(e->pending && !e->replayed && e->next.state != TXN_DEAD);
    struct txn_values before = e->now;
    e->now = e->next;
    e->next = before; /* to be freed when it is settled */
    e->replayed = true;
    txn_entry_check(e);
}

void txn_settle(struct txn_entry *e) {
    ASSERT(e->pending);
    txn_partitions_free(&e->next.partitions);
    e->pending = e->replayed = false;
    txn_entry_check(e);
}
