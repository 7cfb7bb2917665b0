/* The group coordinator's state for one partition of __consumer_offsets: classic groups, committed offsets,
 * and what is known of groups of other kinds. Pure: no I/O, no clock. Source of behaviour:
 * GroupCoordinatorShard, GroupMetadataManager (classic part), OffsetMetadataManager and ClassicGroup of the
 * reference.
 *
 * The driver (coord/) calls one step at a time, on one thread:
 *
 *     group_shard_step(shard, &event, now, &result)      a request
 *     group_shard_tick(shard, now, &result)              the timer that is due first
 *
 * then appends result.records to the partition as one batch, calls group_shard_replay() for each of them if
 * result.replay, and when they are committed group_shard_written(shard, result.after, 0) and, if
 * result.answer, sends the answer. If the append fails nothing is replayed and group_shard_written() is told
 * the error.
 *
 * Two ways to answer a request, by event.handle:
 *   - result.answer: `result.response` (or `result.error`, for group_error_response()) goes out after the
 * commit;
 *   - otherwise group_reply_fn is called, in this step or in a later one (JoinGroup and SyncGroup wait for
 * other members). The response is valid only during the call; the call must not enter the shard. The request
 * may be freed by it.
 *
 * What replay changes: committed and pending offsets, and which groups exist. A classic group's members,
 * generation and rebalance are ordinary state, as in the reference; its record is a snapshot of them that is
 * read at load. */
#ifndef OTTLA_GROUP_SHARD_H
#define OTTLA_GROUP_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "api/offset_commit.h"
#include "base/uuid.h"
#include "record/shard.h"
#include "wire/types.h"

struct arena;
struct group_shard;
struct image;

/* A setting that a group may have its own value of (a GROUP resource), within the broker's limits. */
struct group_setting {
    int32_t value, min, max;
};

enum { ASSIGNORS_MAX = 2 };
enum group_assignor { ASSIGNOR_UNIFORM, ASSIGNOR_RANGE };

/* group.consumer.migration.policy: what may become what while members are there. */
enum group_migration {
    MIGRATION_DISABLED = 0,
    MIGRATION_UPGRADE = 1,   /* classic to consumer */
    MIGRATION_DOWNGRADE = 2, /* and back */
    MIGRATION_BIDIRECTIONAL = 3,
};

/* group.consumer.*, ms. */
struct group_consumer_config {
    struct group_setting session_timeout, heartbeat_interval, assignment_interval;
    int32_t max_size;
    int32_t regex_refresh_interval_ms;
    enum group_migration migration;
    enum group_assignor assignors[ASSIGNORS_MAX]; /* the first is the default */
    int32_t assignors_n;
};

/* group.share.*, ms. */
struct group_share_config {
    struct group_setting session_timeout, heartbeat_interval, assignment_interval;
    int32_t max_size;
    int32_t initialize_retry_interval_ms;
};

/* group.streams.*, ms. */
struct group_streams_config {
    struct group_setting session_timeout, heartbeat_interval, assignment_interval, initial_delay;
    struct group_setting standbys; /* replicas */
    int32_t max_size;
};

/* Milliseconds and bytes; the names are those of the broker's configuration. */
struct group_config {
    int32_t group_initial_rebalance_delay_ms;
    int32_t group_min_session_timeout_ms, group_max_session_timeout_ms;
    int32_t group_max_size;
    int32_t offset_metadata_max_bytes;
    int64_t offsets_retention_ms; /* offsets.retention.minutes */
    int64_t offsets_retention_check_interval_ms;
    struct group_consumer_config consumer;
    struct group_streams_config streams;
    struct group_share_config share;
};

/* Timers run on the monotonic clock, records carry the wall clock. Both in ms. */
struct group_now {
    int64_t mono, wall;
};

enum group_api {
    GROUP_API_JOIN,          /* struct join_group_request → struct join_group_response */
    GROUP_API_SYNC,          /* struct sync_group_request → … */
    GROUP_API_HEARTBEAT,     /* struct heartbeat_request → … */
    GROUP_API_LEAVE,         /* struct leave_group_request → … */
    GROUP_API_OFFSET_COMMIT, /* struct offset_commit_request → …; topic names are set, ids too if they are
                                known */
    GROUP_API_TXN_OFFSET_COMMIT,  /* struct group_txn_offset_commit → struct offset_commit_response */
    GROUP_API_OFFSET_FETCH,       /* struct group_offset_fetch → struct offset_fetch_response_group */
    GROUP_API_OFFSET_DELETE,      /* struct offset_delete_request → … */
    GROUP_API_DESCRIBE,           /* struct kstr, a group id → struct described_group */
    GROUP_API_LIST,               /* struct list_groups_request → struct list_groups_response */
    GROUP_API_DELETE,             /* struct kstr, a group id → struct deletable_group_result */
    GROUP_API_CONSUMER_HEARTBEAT, /* struct consumer_group_heartbeat_request → … */
    GROUP_API_SHARE_HEARTBEAT,    /* struct share_group_heartbeat_request → struct group_share_heartbeat */
    GROUP_API_SHARE_DESCRIBE,     /* struct kstr, a group id → a described_group of ShareGroupDescribe */
    GROUP_API_SHARE_STATES,       /* struct group_share_states → the same: what became of them */
    /* struct group_share_states → struct group_share_offsets: */
    GROUP_API_SHARE_OFFSETS, /* which share partitions have a state; the request's topics are not looked at */
    GROUP_API_SHARE_ALTER,   /* these will be made anew; then GROUP_API_SHARE_STATES */
    GROUP_API_SHARE_DELETE,  /* topics with all their partitions: which to delete; none: nothing is known */
    GROUP_API_SHARE_DELETED, /* these topics are */
    GROUP_API_SHARE_CLEAR,   /* all that the group has states of: which to delete, before GROUP_API_DELETE.
                                Nothing and no error: no share group, or one without states */
    GROUP_API_CONSUMER_DESCRIBE, /* struct kstr, a group id → a described_group of ConsumerGroupDescribe */
    GROUP_API_STREAMS_HEARTBEAT, /* struct streams_group_heartbeat_request → struct streams_heartbeat_result
                                  */
    GROUP_API_STREAMS_DESCRIBE,  /* struct kstr, a group id → a described_group of StreamsGroupDescribe */
};

/* Offsets that are pending until the transaction's marker. */
struct group_txn_offset_commit {
    struct offset_commit_request commit; /* as of GROUP_API_OFFSET_COMMIT */
    int64_t producer_id;
    int16_t producer_epoch;
};

/* One group of an OffsetFetch request. */
struct group_offset_fetch {
    const struct offset_fetch_request_offset_fetch_request_group *group;
    bool require_stable;
};

/* A request. Everything is borrowed until it is answered. */
struct group_event {
    enum group_api api;
    int16_t version;         /* of the request */
    struct kstr client_id;   /* may be null */
    struct kstr client_host; /* as Java prints an address: "/127.0.0.1" */
    const void *request;
    void *handle;        /* goes back with the answer; not NULL */
    struct arena *arena; /* for result.response */
};

/* A record of __consumer_offsets; a null value: a tombstone. Valid until the next step. */
struct group_record {
    struct kbytes key, value;
};

struct group_after;

struct group_result {
    struct group_record *records;
    int32_t records_n;
    bool replay;        /* the records, after they are appended */
    bool atomic;        /* the records belong in one batch; otherwise they may be split */
    bool answer;        /* the request is answered by response or error */
    bool transactional; /* the records belong to a transaction of this producer */
    int16_t producer_epoch;
    int64_t producer_id;
    int16_t error;
    void *response;
    struct shard_job *job;     /* to be run on another thread, then group_shard_job_done; NULL: none */
    struct group_after *after; /* for group_shard_written(); may be NULL */
};

typedef void group_reply_fn(void *ctx, void *handle, const void *response);

/* config is borrowed and may change between steps. seed: for member ids and hash tables. */
struct group_shard *group_shard_create(const struct group_config *config, uint64_t seed,
                                       group_reply_fn *reply, void *reply_ctx);
/* No request may wait: call group_shard_unload() first if it was loaded. */
void group_shard_free(struct group_shard *s);

/* Load: replay everything that the partition's log holds, then say that it was all.
 * Loaded members get a full session; a group over group.max.size starts a rebalance. */
int group_shard_replay(struct group_shard *s, int64_t offset, int64_t producer_id, struct kbytes key,
                       struct kbytes value,
                       struct group_now now); /* 0 or OE_CORRUPT; producer_id -1: not transactional */
void group_shard_replay_marker(struct group_shard *s, int64_t producer_id, bool commit);
void group_shard_loaded(struct group_shard *s, struct group_now now);
/* The partition has gone elsewhere: waiting requests are answered with NOT_COORDINATOR. */
void group_shard_unload(struct group_shard *s, struct group_now now);

void group_shard_step(struct group_shard *s, const struct group_event *event, struct group_now now,
                      struct group_result *result);
/* Topics that were deleted: their offsets are forgotten. ids[i] belongs to names[i]. */
void group_shard_topics_deleted(struct group_shard *s, const struct kstr *names, const struct uuid *ids,
                                int32_t n, struct group_now now, struct group_result *result);
/* The newest metadata of the cluster; takes a reference. changed: names of topics that were created, deleted
 * or changed since the last one; added: there is a new one among them. Not while the shard loads. */
void group_shard_set_image(struct group_shard *s, struct image *image, const struct kstr *changed, int32_t n,
                           bool added);
/* When the next timer is due (monotonic), or INT64_MAX. */
int64_t group_shard_deadline(const struct group_shard *s);
/* Runs the one timer that is due first; false if none is due. */
bool group_shard_tick(struct group_shard *s, struct group_now now, struct group_result *result);
/* A job has run; takes it over. */
void group_shard_job_done(struct group_shard *s, struct shard_job *job, struct group_now now,
                          struct group_result *result);
/* The records of a step are committed (error 0), or could not be appended (a code of kerr, as the log gave
 * it). Frees after; NULL does nothing. */
void group_shard_written(struct group_shard *s, struct group_after *after, int16_t error,
                         struct group_now now);

/* The answer to a request that failed as a whole, in arena (NULL if that is full). */
void *group_error_response(enum group_api api, int16_t version, const void *request, int16_t error,
                           struct arena *arena);
/* What a client is told when the coordinator's write or lookup failed with `error`
 * (CoordinatorOperationExceptionHelper). */
int16_t group_error_for_client(enum group_api api, int16_t error);

/* For tests and metrics. */
int32_t group_shard_groups(const struct group_shard *s);
int64_t group_shard_offsets(const struct group_shard *s);

#endif
