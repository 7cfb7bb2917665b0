/* A coordinator shard with a log in memory, so that a test reads as a story: who asks what, what time it is,
 * who is answered. */
#ifndef OTTLA_TESTS_GROUP_STORY_H
#define OTTLA_TESTS_GROUP_STORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/kerr.h"
#include "group/shard.h"

enum { MAX_ASKS = 4096, MAX_LOG = 8192, NAME = 80 };

/* A request and, once it is there, its answer; fields by API. */
struct ask {
    enum group_api api;
    struct arena arena;
    bool answered;
    int16_t error;
    int32_t generation, members_n;
    bool skip_assignment;
    char member[NAME], leader[NAME], protocol[NAME], type[NAME], assignment[NAME], state[NAME];
    char members[16][NAME];  /* join: ids; describe: ids; list: group ids */
    int16_t errors[16];      /* leave, commit: each member's or partition's; fetch: each partition's */
    int64_t offsets[16];     /* fetch */
    char metadata[16][NAME]; /* fetch, describe */
    bool has_assignment;     /* beat */
    char given[400];         /* beat, consumer describe of one member: "t:0,1 u:2" */
    char message[200];
    int32_t assignment_epoch; /* consumer describe; generation is the group's epoch */
};

struct story {
    struct group_config config;
    struct group_shard *shard;
    struct group_now now;
    int16_t append_error; /* what the next appends end with */
    bool hold;            /* appended but not committed, until story_commit() */
    struct held {
        struct group_after *after;
        struct ask *ask;
        struct group_result result;
    } held[64];
    int held_n;
    struct logged {
        struct kbytes key, value;
        int64_t producer_id;
    } log[MAX_LOG];
    int log_n;
    struct ask asks[MAX_ASKS];
    int asks_n;
    struct image *image;
};

struct story *story_begin(void);
void story_end(struct story *t);
/* Time passes: timers run when they are due. */
void story_pass(struct story *t, int64_t ms);
/* What was held back is committed, or fails. */
void story_commit(struct story *t, int16_t error);
/* The broker restarts: a new shard from the log. */
void story_restart(struct story *t);
void story_log(struct story *t, struct kbytes key, struct kbytes value, int64_t producer_id);

struct joiner {
    const char *group, *member, *instance, *type,
        *protocols;     /* "range roundrobin": names in order of preference */
    const char *topics; /* of the subscription, "a b"; NULL: the metadata is no subscription */
    int version, session_ms, rebalance_ms;
    bool version_0;
};
/* Defaults for what is not named: group "g", no member id, version 9, type consumer, protocol range, 10 s and
 * 60 s. */
#define JOIN(t, ...) story_join(t, &(struct joiner){__VA_ARGS__})
struct ask *story_join(struct story *t, const struct joiner *j);
/* assignments: "member=bytes member=bytes" or NULL for a follower. */
struct ask *story_sync(struct story *t, const char *group, const char *member, int32_t generation,
                       const char *assignments);
struct ask *story_sync_static(struct story *t, const char *group, const char *member, const char *instance,
                              int32_t generation, const char *assignments);
struct ask *story_heartbeat(struct story *t, const char *group, const char *member, const char *instance,
                            int32_t generation);
struct ask *story_leave(struct story *t, const char *group, const char *member, const char *instance,
                        int version);
struct committer {
    const char *group, *member, *instance, *topic, *metadata;
    int32_t generation, partition;
    int64_t offset, retention_ms;
    int version;
    struct uuid topic_id;
};
/* Defaults: group "g", topic "t", no member, version 9, the broker's retention. generation must be given. */
#define COMMIT(t, ...) story_commit_offset(t, &(struct committer){__VA_ARGS__})
struct ask *story_commit_offset(struct story *t, const struct committer *c);
/* partitions: how many from 0; -1: all offsets of the group. */
struct ask *story_fetch(struct story *t, const char *group, const char *topic, int partitions,
                        bool require_stable);
struct ask *story_fetch_id(struct story *t, const char *group, const char *topic, const struct uuid *id,
                           int partitions);
struct ask *story_delete_offset(struct story *t, const char *group, const char *topic, int32_t partition);
struct ask *story_describe(struct story *t, const char *group, int version);
struct ask *story_list(struct story *t, const char *state, const char *type);
struct ask *story_delete(struct story *t, const char *group);

/* --- groups of KIP-848 --- */

/* A topic is there, with so many partitions; or (0) no more. The coordinator hears of it. */
void story_topic(struct story *t, const char *name, int32_t partitions);
/* A group's own configuration. */
void story_configure(struct story *t, const char *group, const char *key, const char *value);
struct beater {
    const char *group, *member, *instance, *topics, *regex, *assignor, *rack;
    const char *owned; /* "t:0,1 u:2", "" for none, NULL: it does not say */
    int32_t epoch, rebalance_ms;
    int version;
};
/* Defaults: group "g", version 1; with epoch 0 also 10 s to rebalance and nothing owned. */
#define BEAT(t, ...) story_beat(t, &(struct beater){__VA_ARGS__})
struct ask *story_beat(struct story *t, const struct beater *b);
/* members[i] with metadata[i]: what it is assigned, "t:0,1 u:2". */
struct ask *story_describe_consumer(struct story *t, const char *group);
struct ask *story_fetch_as(struct story *t, const char *group, const char *member, int32_t epoch);

/* A heartbeat of a streams group. With epoch 0 a topology goes along: subtopology 0 reads `sources`, and has
 * the changelog if there is one. */
struct streamer {
    const char *group, *member, *process, *sources, *changelog;
    const char *active, *standby; /* "0,1": of subtopology 0; both NULL: it does not say */
    int32_t epoch, topology_epoch;
    bool shutdown;
};
/* Defaults: group "g", process the member's id. given: "0:0,1/0:2", active and standby; state: the statuses.
 */
#define STREAM(t, ...) story_stream(t, &(struct streamer){__VA_ARGS__})
struct ask *story_stream(struct story *t, const struct streamer *b);

/* A dynamic member from its first request to the join that waits. */
struct ask *story_new_member(struct story *t, const char *group, const char *topics, char id[NAME]);
/* A stable group of n members with ids[0] the leader; each gets the assignment "for-<i>". */
void story_stable(struct story *t, const char *group, int n, char ids[][NAME]);

#define assert_pending(ask) assert_false((ask)->answered)
void expect_error(const struct ask *a, int16_t error, const char *file, int line);
#define assert_error(ask, code) expect_error(ask, KERR_##code, __FILE__, __LINE__)
#define assert_ok(ask) expect_error(ask, KERR_NONE, __FILE__, __LINE__)

#endif
