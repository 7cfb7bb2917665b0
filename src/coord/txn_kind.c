/* Transactions, on __transaction_state: the runtime's view of the transaction coordinator's shards. Its APIs
 * are not served yet, so a shard holds nothing. Keys are transactional ids. */
#include <stdlib.h>

#include "base/mem.h"
#include "coord/coord.h"

struct txn_place {
    int32_t partition;
};

static void *create(const struct coord_place *at) {
    struct txn_place *t = xcalloc(1, sizeof *t);
    t->partition = at->partition;
    return t;
}

static int replay(void *shard, int64_t offset, int64_t producer_id, struct kbytes key, struct kbytes value,
                  struct shard_now now) {
    return 0;
}

static void loaded(void *shard, struct shard_now now) {}
static void unload(void *shard, struct shard_now now) {}
static int64_t deadline(const void *shard) { return INT64_MAX; }
static bool tick(void *shard, struct shard_now now, struct shard_result *result) { return false; }
static int64_t count(const void *shard) { return 0; }

const struct coord_kind coord_txn_kind = {
    .topic = "__transaction_state",
    .things = "transactional ids",
    .create = create,
    .destroy = free,
    .replay = replay,
    .loaded = loaded,
    .unload = unload,
    .deadline = deadline,
    .tick = tick,
    .count = count,
};
