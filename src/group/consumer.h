/* A consumer group of KIP-848: its members and what they own. Private to group/; changed by replay only.
 * Source: ConsumerGroup, ConsumerGroupMember.
 *
 * Invariants (consumer_check):
 *  1. by_instance holds exactly the members with an instance id.
 *  2. `owned` has an epoch for each partition that a member has or has yet to give up, and no partition
 * twice.
 *  3. classic_n, assignors, regexes, protocols and topics count what the members say. */
#ifndef OTTLA_GROUP_CONSUMER_H
#define OTTLA_GROUP_CONSUMER_H

#include "group/classic.h"
#include "group/modern.h"

struct consumer_member {
    struct modern_member m;
    int32_t rebalance_timeout_ms;
    struct kstr regex, assignor; /* regex: "" or null: none; assignor may be null */
    struct assigned *assigned, *revoking;
    bool classic; /* speaks JoinGroup, SyncGroup, Heartbeat; then with: */
    int32_t classic_session_ms;
    struct protocols protocols;
};

/* How many members say it: an assignor, a regular expression, a protocol. */
struct said {
    struct kstr name; /* owned */
    int32_t n;
};

/* Which topics a regular expression matches. */
struct resolved {
    struct kstr regex; /* owned */
    struct names topics;
    int64_t version, ms; /* of the metadata; wall clock */
};

struct consumer {
    struct modern m;
    struct hashmap by_instance;                   /* instance id → struct consumer_member */
    struct hashmap assignors, regexes, protocols; /* name → struct said */
    struct hashmap resolved;                      /* regular expression → struct resolved */
    struct hashmap owned;                         /* topic and partition → struct owned_partition */
    int32_t classic_n;                            /* members that speak the classic protocol */
    bool has_partition_metadata;                  /* a record of an older release is there */
};

extern const struct modern_kind consumer_kind;

static inline struct consumer *consumer_of(struct modern *m) { return (struct consumer *)m; }
/* NULL: there is none of that kind. */
static inline struct consumer *consumer_find(const struct group_shard *s, struct kstr id) {
    return (struct consumer *)modern_find(s, id, GROUP_KIND_CONSUMER);
}
struct consumer *consumer_create(struct group_shard *s, struct kstr id);
void consumer_free(struct consumer *c);
static inline struct consumer_member *consumer_member(const struct consumer *c, struct kstr id) {
    return (struct consumer_member *)modern_member(&c->m, id);
}
struct consumer_member *consumer_static_member(const struct consumer *c, struct kstr instance_id);
static inline bool consumer_has_regex(const struct consumer_member *m) { return m->regex.len > 0; }
/* What a member is before its first record. */
struct consumer_member consumer_member_new(struct kstr id);
/* All fields. */
bool consumer_member_equal(const struct consumer_member *a, const struct consumer_member *b);
/* Adds a copy of a member, or changes the one with its id to that: for groups outside of the shard. */
void consumer_put(struct consumer *c, const struct consumer_member *m);

int32_t said_count(const struct hashmap *said, struct kstr name);
struct resolved *consumer_resolved(const struct consumer *c, struct kstr regex);
/* The epoch at which a partition is owned, or -1. */
int32_t consumer_partition_epoch(const struct consumer *c, const struct uuid *topic, int32_t partition);
/* The target of a member; of a static one that of whoever has its instance id. */
const struct assigned *consumer_target(const struct consumer *c, struct kstr member, struct kstr instance_id);
/* The assignor that most members want, if `old` becomes `now` (each may be NULL); "uniform" or what is first
 * in the configuration if nobody says. */
struct kstr consumer_assignor(const struct group_shard *s, const struct consumer *c,
                              const struct consumer_member *old, const struct consumer_member *now);
const char *consumer_state(const struct modern *m);
void consumer_check(const struct consumer *c);

/* --- records (consumer_record.c) --- */

void record_consumer_member(struct group_shard *s, struct kstr group, const struct consumer_member *m);
void record_consumer_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t metadata_hash);
void record_consumer_target(struct group_shard *s, struct kstr group, struct kstr member,
                            const struct assigned *target);
void record_consumer_target_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t ms);
void record_consumer_current(struct group_shard *s, struct kstr group, const struct consumer_member *m);
void record_consumer_regex(struct group_shard *s, struct kstr group, const struct resolved *r);
/* The three of a member. */
void record_consumer_member_gone(struct group_shard *s, struct kstr group, struct kstr member);
/* All of the group; who was `leaving` is called `joining` by records of the same step (or both null). */
void record_consumer_gone(struct group_shard *s, const struct consumer *c, struct kstr leaving,
                          struct kstr joining);
/* The group as it is, for one that was converted. */
void record_consumer_all(struct group_shard *s, const struct consumer *c);

/* --- offsets (consumer_offsets.c) --- */

/* Who commits. instance: null if not static. */
struct consumer_committer {
    struct kstr member, instance;
    int32_t epoch; /* or generation */
    bool transactional;
    int16_t version; /* of the request */
};
/* 0 or a code of kerr. *behind: the member if it is behind its epoch; then each partition is to be checked.
 */
int16_t consumer_may_commit(const struct consumer *c, const struct consumer_committer *by,
                            const struct consumer_member **behind);
int16_t consumer_may_commit_partition(const struct consumer_member *behind, int32_t epoch,
                                      const struct uuid *topic, int32_t partition);
int16_t consumer_may_fetch(const struct consumer *c, struct kstr member, int32_t epoch);

/* --- steps --- */

void consumer_heartbeat_step(struct group_shard *s, const struct group_event *e);
void consumer_describe_step(struct group_shard *s, const struct group_event *e);
/* Requests of the classic protocol to a consumer group. */
struct leave_group_request;
struct leave_group_response;
void consumer_join_step(struct group_shard *s, const struct group_event *e, struct consumer *c);
void consumer_sync_step(struct group_shard *s, const struct group_event *e, struct consumer *c);
void consumer_classic_heartbeat_step(struct group_shard *s, const struct group_event *e, struct consumer *c);
/* Fills in r->members, of which there is room. false: no memory. */
bool consumer_classic_leave(struct group_shard *s, struct consumer *c, const struct leave_group_request *q,
                            struct leave_group_response *r);
/* Replay of a classic group's record: it is the one that this step prepared. false: it is not. */
bool consumer_take_prepared(struct group_shard *s, struct group *g);
void consumer_drop_prepared(struct group_shard *s);
/* Its job has run; it is taken over. */
void consumer_regex_done(struct group_shard *s, struct shard_job *job);
/* A member's timer. */
void consumer_due(struct group_shard *s, struct modern *m, struct kstr member, enum member_timer which,
                  int32_t epoch);
int32_t consumer_session_ms(const struct group_shard *s, struct kstr group);

#endif
