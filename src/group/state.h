/* The shard and what it knows of one group id. Private to group/. */
#ifndef OTTLA_GROUP_STATE_H
#define OTTLA_GROUP_STATE_H

#include "base/arena.h"
#include "base/random.h"
#include "group/classic.h"
#include "group/offsets.h"
#include "group/shard.h"

/* Kinds of groups: GroupType of the reference. */
enum group_kind {
    GROUP_KIND_NONE,
    GROUP_KIND_CLASSIC,
    GROUP_KIND_CONSUMER,
    GROUP_KIND_SHARE,
    GROUP_KIND_STREAMS
};
extern const char *const group_kind_names[]; /* "classic", …; GROUP_KIND_NONE: "" */

struct image;
struct modern;
struct reader;

/* GROUP_KIND_NONE: the group does not exist, only offsets of it do; such a thing is left by a transaction
 * that committed offsets for a group which was then deleted. */
struct group {
    struct kstr id; /* owned */
    enum group_kind type;
    struct classic *classic; /* if it is one */
    struct modern *modern;   /* a group of the newer kinds */
    struct offsets offsets;
};

struct group_shard {
    const struct group_config *config;
    group_reply_fn *reply;
    void *reply_ctx;
    struct random random;
    uint64_t seed;
    struct hashmap groups; /* id → struct group */
    struct pending_offsets pending;
    int64_t offsets_n;
    struct heap timers;
    struct group_timer expire_timer;
    struct hashmap member_timers;   /* of modern groups; modern.c */
    struct image *image;            /* the newest metadata, a reference; NULL: none yet */
    struct hashmap topic_hashes;    /* name → struct topic_hash, of what is in `image` */
    struct hashmap regex_jobs;      /* id of a group → its job that is under way; topic_regex.h */
    int64_t topics_added;           /* offset of the newest image that brought a new topic; -1: none yet */
    struct classic *prepared;       /* for the replay of this step's group record; consumer_convert.c */
    const char *prepared_rebalance; /* why it then has to rebalance; NULL: it has not */
    /* Of the step under way. */
    struct arena scratch;  /* records, and responses that go through reply */
    struct arena decoding; /* of the record that is replayed */
    uint64_t scratch_first[256], decoding_first[64];
    struct group_now now;
    struct group_result *result;
    bool out_of_memory; /* scratch or the request's arena is full: the step fails */
};

/* The group, also if it is of type GROUP_KIND_NONE; NULL. */
struct group *group_find(const struct group_shard *s, struct kstr id);
/* As above, but of a type. */
struct group *group_existing(const struct group_shard *s, struct kstr id);
struct group *group_find_or_add(struct group_shard *s, struct kstr id);
/* Makes a group of type GROUP_KIND_NONE an empty classic one. */
struct classic *group_make_classic(struct group_shard *s, struct group *g);
/* The group is gone; frees it if no offsets are left. */
void group_dissolve(struct group_shard *s, struct group *g);
void group_free_if_nothing(struct group_shard *s, struct group *g);
bool group_is_empty(const struct group *g); /* no members */
/* Holds offsets that were committed without members; gives way to a group of any kind. */
bool group_is_simple(const struct group *g);

/* What a step sends and writes. */
void step_reply(struct group_shard *s, void *handle, const void *response);
void step_answer(struct group_shard *s, void *response); /* after the commit */
void step_fail(struct group_shard *s, int16_t error);    /* the request as a whole */
/* The next record, cleared; aborts never: NULL if there is no memory. */
struct group_record *step_record(struct group_shard *s);

/* metadata_hash.c */
void topic_hash_forget(struct group_shard *s, struct kstr topic);
void topic_hashes_free(struct group_shard *s);

/* join.c, session.c */
void join_step(struct group_shard *s, const struct group_event *e);
void sync_step(struct group_shard *s, const struct group_event *e);
void heartbeat_step(struct group_shard *s, const struct group_event *e);
void leave_step(struct group_shard *s, const struct group_event *e);
void session_set(struct group_shard *s, struct classic_member *m, int64_t timeout_ms);
void session_expired(struct group_shard *s, struct classic_member *m);
void pending_expired(struct group_shard *s, struct classic_pending *p);

/* rebalance.c */
void rebalance_prepare(struct group_shard *s, struct classic *c, const char *reason);
void rebalance_prepare_or_complete(struct group_shard *s, struct classic *c, const char *reason);
void rebalance_maybe_complete(struct group_shard *s, struct classic *c);
void rebalance_complete_join(struct group_shard *s, struct classic *c);
void rebalance_initial_due(struct group_shard *s, struct classic *c);
void rebalance_sync_due(struct group_shard *s, struct classic *c);
void rebalance_reply_join(struct group_shard *s, struct classic_member *m, int16_t error,
                          struct kstr member_id);
void rebalance_join_done(struct group_shard *s, struct classic_member *m, bool with_members,
                         bool skip_assignment);
void rebalance_reply_sync(struct group_shard *s, struct classic_member *m, int16_t error);
void rebalance_reset_assignments(struct group_shard *s, struct classic *c, int16_t error);
/* The answer to a member that is in the current generation; the list of members is in scratch. false: no
 * memory. */
struct join_group_response;
bool rebalance_join_response(struct group_shard *s, struct classic_member *m, bool with_members,
                             struct join_group_response *r);

/* offset_steps.c */
void offset_commit_step(struct group_shard *s, const struct group_event *e);
void offset_fetch_step(struct group_shard *s, const struct group_event *e);
void offset_delete_step(struct group_shard *s, const struct group_event *e);
/* Tombstones for all offsets of the group. */
void offset_delete_all(struct group_shard *s, struct group *g);
/* Tombstones for what is expired; true if nothing remains. */
bool offset_expire(struct group_shard *s, struct group *g);

/* admin.c */
void describe_step(struct group_shard *s, const struct group_event *e);
void list_step(struct group_shard *s, const struct group_event *e);
void delete_step(struct group_shard *s, const struct group_event *e);
/* Tombstones of the group itself. */
void group_delete_records(struct group_shard *s, struct group *g);

/* What is to be done once the records of a step are committed, or could not be. Owns its copies. */
enum after_kind { AFTER_SYNC, AFTER_STATIC_JOIN, AFTER_NEW_GROUP, AFTER_MEMBER_TIMER };
struct after_assignment {
    struct kstr member_id;
    struct kbytes bytes;
};
struct group_after {
    enum after_kind kind;
    struct kstr group_id;
    int32_t generation;
    struct after_assignment *assignments; /* AFTER_SYNC */
    int32_t assignments_n;
    struct kstr member_id, old_member_id, instance_id, old_leader_id; /* AFTER_STATIC_JOIN */
    struct protocols old_protocols;
    int32_t old_rebalance_timeout_ms, old_session_timeout_ms;
    int timer; /* AFTER_MEMBER_TIMER, with generation as its epoch: enum member_timer */
    int16_t version;
    void *handle; /* AFTER_STATIC_JOIN, AFTER_NEW_GROUP: who waits, or NULL if answered */
};
struct group_after *after_create(struct group_shard *s, enum after_kind kind, const struct classic *c);
void after_free(struct group_after *a);
/* What an append error becomes for the members of a classic group. */
int16_t after_client_error(int16_t error);
void sync_written(struct group_shard *s, struct group_after *a, int16_t error);
void join_written(struct group_shard *s, struct group_after *a, int16_t error);

#endif
