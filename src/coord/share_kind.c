/* Share state, on __share_group_state: the runtime's view of share/state.h. A request is one share partition;
 * its key decides where it belongs. Config and env are struct share_state_config and share_state_env. */
#include <stdlib.h>

#include "base/kerr.h"
#include "coord/coord.h"
#include "share/state.h"

static void *create(const struct coord_place *at) {
    return share_state_create(at->config, at->env, at->partition, at->seed);
}

static void destroy(void *shard) { share_state_free(shard); }

static int replay(void *shard, int64_t offset, int64_t producer_id, struct kbytes key, struct kbytes value,
                  struct shard_now now) {
    return share_state_replay(shard, offset, key, value);
}

static void loaded(void *shard, struct shard_now now) { share_state_loaded(shard, now); }
static void unload(void *shard, struct shard_now now) {}

static struct kstr key_of(const struct coord_op *op) {
    return ((const struct share_state_request *)op->request)->key;
}

static void step(void *shard, struct coord_op *op, struct shard_now now, struct shard_result *result) {
    share_state_step(shard, (enum share_state_api)op->api, op->request, op->arena, now, result);
}

static int64_t deadline(const void *shard) { return share_state_deadline(shard); }

static bool tick(void *shard, struct shard_now now, struct shard_result *result) {
    return share_state_tick(shard, now, result);
}

static void written(void *shard, void *after, int16_t error, struct shard_now now) {
    share_state_written(shard, after, error);
}

static void topics_deleted(void *shard, const struct kstr *names, const struct uuid *ids, int32_t n,
                           struct shard_now now, struct shard_result *result) {
    share_state_topics_deleted(shard, ids, n, now, result);
}

static void *error_response(const struct coord_op *op, int16_t error) {
    return share_state_error(error, "the share group's state could not be read or written", op->arena);
}

/* CoordinatorOperationExceptionHelper */
static int16_t error_for_client(int api, int16_t error) {
    switch (error) {
    case KERR_UNKNOWN_TOPIC_OR_PARTITION:
    case KERR_NOT_ENOUGH_REPLICAS:
    case KERR_REQUEST_TIMED_OUT: return KERR_COORDINATOR_NOT_AVAILABLE;
    case KERR_NOT_LEADER_OR_FOLLOWER:
    case KERR_KAFKA_STORAGE_ERROR: return KERR_NOT_COORDINATOR;
    case KERR_MESSAGE_TOO_LARGE:
    case KERR_RECORD_LIST_TOO_LARGE:
    case KERR_INVALID_FETCH_SIZE: return KERR_UNKNOWN_SERVER_ERROR;
    default: return error;
    }
}

static int64_t count(const void *shard) { return share_state_count(shard); }

const struct coord_kind coord_share_kind = {
    .topic = "__share_group_state",
    .things = "share partitions",
    .create = create,
    .destroy = destroy,
    .replay = replay,
    .loaded = loaded,
    .unload = unload,
    .key = key_of,
    .step = step,
    .deadline = deadline,
    .tick = tick,
    .written = written,
    .topics_deleted = topics_deleted,
    .error_response = error_response,
    .error_for_client = error_for_client,
    .count = count,
};
