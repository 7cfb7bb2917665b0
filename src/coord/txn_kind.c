/* Transactions, on __transaction_state: the runtime's view of txn/shard.h. Keys are transactional ids. */
#include <string.h>

#include "api/init_producer_id.h"
#include "api/list_transactions.h"
#include "base/arena.h"
#include "base/assert.h"
#include "coord/coord.h"
#include "txn/shard.h"

static void *create(const struct coord_place *at) {
    return txn_shard_create(at->config, at->env, at->leader_epoch, at->seed);
}

static void destroy(void *shard) { txn_shard_free(shard); }
static void set_epoch(void *shard, int32_t leader_epoch) { txn_shard_set_epoch(shard, leader_epoch); }

static int replay(void *shard, int64_t offset, int64_t producer_id, struct kbytes key, struct kbytes value,
                  struct shard_now now) {
    return txn_shard_replay(shard, key, value);
}

static void loaded(void *shard, struct shard_now now) { txn_shard_loaded(shard, now); }
static void unload(void *shard, struct shard_now now) {} /* it lets nobody wait */

static struct kstr key_of(const struct coord_op *op) {
    switch ((enum txn_api)op->api) {
    case TXN_API_INIT: return ((const struct init_producer_id_request *)op->request)->transactional_id;
    case TXN_API_ADD: return ((const struct txn_add *)op->request)->id;
    case TXN_API_END: return ((const struct txn_end *)op->request)->id;
    case TXN_API_MARKED: return ((const struct txn_marked *)op->request)->id;
    case TXN_API_DESCRIBE: return *(const struct kstr *)op->request;
    case TXN_API_LIST: break;
    }
    return KSTR_NULL;
}

static void step(void *shard, struct coord_op *op, struct shard_now now, struct shard_result *result) {
    struct txn_event e = {.api = (enum txn_api)op->api, .request = op->request, .arena = op->arena};
    txn_shard_step(shard, &e, now, result);
}

static int64_t deadline(const void *shard) { return txn_shard_deadline(shard); }
static bool tick(void *shard, struct shard_now now, struct shard_result *result) {
    return txn_shard_tick(shard, now, result);
}

static void written(void *shard, void *after, int16_t error, struct shard_now now) {
    txn_shard_written(shard, after, error, now);
}

static void *none(const struct coord_op *op) { return txn_list_none(op->request, op->arena); }

/* The room that a list of n has: so it grows by doubling, and its length is all there is to know of it. */
static size_t room(size_t n) {
    size_t cap = 16;
    while (cap < n) cap *= 2;
    return cap;
}

static bool merge(const struct coord_op *op, void **into, void *from) {
    ASSERT(op->api == TXN_API_LIST);
    struct list_transactions_response *all = *into, *some = from;
    size_t have = (size_t)all->transaction_states_n, more = (size_t)some->transaction_states_n;
    if (!have || have + more > room(have)) {
        struct list_transactions_response_transaction_state *both =
            arena_calloc(op->arena, room(have + more), sizeof *both);
        if (!both) return false;
        if (have) memcpy(both, all->transaction_states, have * sizeof *both);
        all->transaction_states = both;
    }
    if (more)
        memcpy(all->transaction_states + have, some->transaction_states,
               more * sizeof *some->transaction_states);
    all->transaction_states_n += some->transaction_states_n;
    return true;
}

static void *error_response(const struct coord_op *op, int16_t error) {
    return txn_error_response((enum txn_api)op->api, op->request, error, op->arena);
}

static int16_t error_for_client(int api, int16_t error) { return txn_error_for_client(error); }
static int64_t count(const void *shard) { return txn_shard_count(shard); }

const struct coord_kind coord_txn_kind = {
    .topic = "__transaction_state",
    .things = "transactional ids",
    .patient = true,
    .create = create,
    .destroy = destroy,
    .set_epoch = set_epoch,
    .replay = replay,
    .loaded = loaded,
    .unload = unload,
    .key = key_of,
    .step = step,
    .merge = merge,
    .none = none,
    .deadline = deadline,
    .tick = tick,
    .written = written,
    .error_response = error_response,
    .error_for_client = error_for_client,
    .count = count,
};
