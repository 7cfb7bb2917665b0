/* Share state, on __share_group_state: the runtime's view of the share coordinator's shards. Its APIs are not
 * served yet, so a shard holds nothing: it reads its log at load, and is never asked. Keys are
 * "group:topicId:partition" (SharePartitionKey.asCoordinatorKey). */
#include <stdlib.h>

#include "base/mem.h"
#include "coord/coord.h"

struct share_place {
    int32_t partition;
};

static void *create(const struct coord_place *at) {
    struct share_place *s = xcalloc(1, sizeof *s);
    s->partition = at->partition;
    return s;
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

const struct coord_kind coord_share_kind = {
    .topic = "__share_group_state",
    .things = "share partitions",
    .create = create,
    .destroy = free,
    .replay = replay,
    .loaded = loaded,
    .unload = unload,
    .deadline = deadline,
    .tick = tick,
    .count = count,
};
