/* A streams group of KIP-1071: the application's topology, its members and which tasks they have. Private to
 * group/; changed by replay only, but for what is named "not of records". Source: StreamsGroup,
 * StreamsGroupMember.
 *
 * What holds (streams_check):
 *  1. no active task is assigned to two members, or to one while another has yet to give it up;
 *  2. m.topics counts the topics of the topology: sources, repartition topics, changelogs. */
#ifndef OTTLA_GROUP_STREAMS_H
#define OTTLA_GROUP_STREAMS_H

#include "group/modern.h"
#include "group/tasks.h"
#include "group/topology.h"

struct streams_pair {
    struct kstr key, value;
};

/* In order of keys. */
struct streams_pairs {
    struct streams_pair *list;
    int32_t n;
};

struct streams_member {
    struct modern_member m; /* topics: unused */
    int32_t rebalance_timeout_ms, topology_epoch;
    struct kstr process;
    bool has_endpoint; /* for interactive queries; then with: */
    uint16_t port;
    struct kstr host;
    struct streams_pairs tags;
    struct tasks assigned, revoking;
};

struct streams_target {
    struct kstr member; /* owned */
    struct tasks tasks;
};

struct streams {
    struct modern m;             /* targets: unused */
    int32_t validated_epoch;     /* of the topology whose topics were found to be right; -1: they are not */
    struct topology *topology;   /* NULL: none yet */
    struct hashmap targets;      /* member id → struct streams_target */
    struct streams_pairs config; /* what the last group epoch was made with */
    /* Not of records. */
    struct configured *configured; /* NULL: not since the load */
    struct kstr shutdown_by;       /* the member that wants the application to end; null: none */
    int32_t endpoint_epoch;
};

extern const struct modern_kind streams_kind;

static inline struct streams *streams_of(struct modern *m) { return (struct streams *)m; }
static inline struct streams_member *streams_member(const struct streams *g, struct kstr id) {
    return (struct streams_member *)modern_member(&g->m, id);
}
struct streams *streams_create(struct group_shard *s, struct kstr id);
void streams_free(struct streams *g);
/* What a member is before its first record. */
struct streams_member streams_member_new(struct kstr id);
bool streams_member_equal(const struct streams_member *a, const struct streams_member *b); /* all fields */
const struct streams_target *streams_target(const struct streams *g, struct kstr member);
/* Whether somebody, other than in the role of an active task only the process, has the task now. */
bool streams_task_taken(const struct streams *g, const struct task *t, enum task_role role,
                        struct kstr process);
const char *streams_state(const struct modern *m);
/* Whether the group, which has members, reads the topic: then its offsets are kept. */
bool streams_reads(const struct modern *m, struct kstr topic);
void streams_check(const struct streams *g);
bool streams_pairs_equal(const struct streams_pairs *a, const struct streams_pairs *b);
/* What assignments are made with: num.standby.replicas; in scratch. */
struct streams_pairs streams_config(struct group_shard *s, struct kstr group);
int32_t streams_standbys(const struct group_shard *s, struct kstr group);

/* --- records (streams_record.c) --- */

void record_streams_member(struct group_shard *s, struct kstr group, const struct streams_member *m);
struct streams_epoch {
    int32_t epoch, validated_epoch;
    int64_t metadata_hash;
    const struct streams_pairs *config;
};
void record_streams_epoch(struct group_shard *s, struct kstr group, const struct streams_epoch *e);
void record_streams_topology(struct group_shard *s, struct kstr group,
                             const struct streams_group_topology_value *v);
void record_streams_target(struct group_shard *s, struct kstr group, struct kstr member,
                           const struct tasks *target);
void record_streams_target_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t ms);
void record_streams_current(struct group_shard *s, struct kstr group, const struct streams_member *m);
/* The three of a member. */
void record_streams_member_gone(struct group_shard *s, struct kstr group, struct kstr member);
void record_streams_gone(struct group_shard *s, const struct streams *g); /* all of the group */

/* --- offsets (streams_offsets.c) --- */

struct streams_committer {
    struct kstr member, instance;
    int32_t epoch;
    bool transactional;
    int16_t version;
};
/* 0 or a code of kerr. *behind: the member if it is behind its epoch; then each partition is to be checked.
 */
int16_t streams_may_commit(const struct streams *g, const struct streams_committer *by,
                           const struct streams_member **behind);
int16_t streams_may_commit_partition(const struct streams *g, const struct streams_member *behind,
                                     int32_t epoch, struct kstr topic, int32_t partition);
int16_t streams_may_fetch(const struct streams *g, struct kstr member, int32_t epoch);

/* --- steps --- */

/* The answer to a heartbeat, and the internal topics that are to be created (in the request's arena). */
struct streams_heartbeat_result; /* group/shard.h */

void streams_heartbeat_step(struct group_shard *s, const struct group_event *e);
void streams_describe_step(struct group_shard *s, const struct group_event *e);
void streams_due(struct group_shard *s, struct modern *m, struct kstr member, enum member_timer which,
                 int32_t epoch);
int32_t streams_session_ms(const struct group_shard *s, struct kstr group);
/* The first assignment waits for others to join. */
bool streams_delayed(struct group_shard *s, struct kstr group);

/* A target assignment for the group's epoch in the making (streams_target.c). */
struct streams_assigning {
    struct group_shard *s;
    struct streams *g;
    const struct streams_member *now; /* a member that is new or changed; NULL: none */
    const struct configured *configured;
    int32_t epoch, standbys;
};
/* Writes what differs. *mine: what `now` is to have, in scratch. false: no memory. */
bool streams_assign(const struct streams_assigning *a, struct tasks *mine);

struct streams_reconciling {
    struct group_shard *s;
    const struct streams *g;
    struct streams_member *m; /* changed; what it holds is borrowed */
    int32_t target_epoch;
    const struct tasks *target;
    const struct tasks *owned; /* what the member says it has; NULL: it does not say */
};
/* Brings the member as near to the target as it can get now (streams_reconcile.c). 0,
 * KERR_FENCED_MEMBER_EPOCH or KERR_UNKNOWN_SERVER_ERROR (no memory). */
int16_t streams_reconcile(struct streams_reconciling *r);

#endif
