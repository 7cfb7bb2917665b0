/* A classic group: its members, what they support, and where it is in a rebalance. Private to group/.
 * Changes here have no effect outside of the group but on timers of what is removed and on `s->reply` of who
 * is fenced. Source: ClassicGroup, ClassicGroupMember, ClassicGroupState. */
#ifndef OTTLA_GROUP_CLASSIC_H
#define OTTLA_GROUP_CLASSIC_H

#include "base/hashmap.h"
#include "group/timer.h"
#include "wire/types.h"

struct group;
struct group_shard;
struct join_group_request;

enum classic_state { CLASSIC_EMPTY, CLASSIC_PREPARING, CLASSIC_COMPLETING, CLASSIC_STABLE, CLASSIC_DEAD };

struct protocol {
    struct kstr name;
    struct kbytes metadata;
};
/* What a member can speak, its favourite first. The texts live in the same block as the list. */
struct protocols {
    struct protocol *list;
    int32_t n;
};

struct classic_member {
    struct classic *classic;
    struct classic_member *next, *prev;                  /* of classic->members */
    struct kstr id, instance_id, client_id, client_host; /* owned; instance_id null: a dynamic member */
    int32_t rebalance_timeout_ms, session_timeout_ms;
    struct protocols protocols;
    struct kbytes assignment; /* owned */
    void *join, *sync;        /* handles of the requests that wait, or NULL */
    bool is_new;       /* has not yet been told its id: a session timeout removes it even while it waits */
    bool pending_sync; /* of the new generation and has not sent SyncGroup */
    struct group_timer session;
};

/* Got a member id and is expected to join with it. */
struct classic_pending {
    struct classic *classic;
    struct kstr id; /* owned */
    struct group_timer session;
};

struct classic {
    struct group *group;
    enum classic_state state, previous;
    int64_t state_since_ms; /* wall clock; -1: not known */
    int32_t generation;
    struct kstr protocol_type, protocol;   /* owned; null: none */
    struct classic_member *leader;         /* NULL: none */
    struct classic_member *members, *last; /* in order of joining */
    int32_t members_n, awaiting_join, pending_sync;
    bool new_member_added;      /* since the initial rebalance's delay was last set */
    bool topics_known;          /* whether `topics` is what the members are subscribed to */
    struct hashmap by_id;       /* member id → classic_member */
    struct hashmap by_instance; /* instance id → classic_member */
    struct hashmap pending;     /* member id → classic_pending */
    struct hashmap supported;   /* protocol name → struct protocol_count */
    struct hashmap topics;      /* topic name → its owned copy */
    /* The join timer ends the join phase; during a group's first rebalance it is extended while members
     * arrive. */
    struct group_timer join_timer, sync_timer;
    int32_t delay_ms, remaining_ms; /* of the initial rebalance */
    int32_t sync_generation;        /* for which sync_timer was set */
};

extern const char *const classic_state_names[]; /* "Empty", … */

struct classic *classic_create(struct group *g, enum classic_state state, int64_t since_ms, uint64_t seed);
/* No request may wait. */
void classic_free(struct group_shard *s, struct classic *c);

/* Copies; all strings may be borrowed. protocols is taken over. */
struct classic_member *classic_member_create(struct kstr id, struct kstr instance_id, struct kstr client_id,
                                             struct kstr client_host, int32_t rebalance_timeout_ms,
                                             int32_t session_timeout_ms, struct protocols protocols);
/* Adds a member; protocol_type is the group's if this is the first. */
void classic_add(struct group_shard *s, struct classic *c, struct classic_member *m,
                 struct kstr protocol_type, void *join);
/* Removes and frees a member that does not wait for an answer. */
void classic_remove(struct group_shard *s, struct classic *c, struct classic_member *m);
void classic_add_pending(struct classic *c, struct classic_pending *p);
void classic_remove_pending(struct group_shard *s, struct classic *c, struct kstr id);
/* What a member says in JoinGroup when it rejoins. protocols is taken over. */
void classic_update(struct classic *c, struct classic_member *m, struct protocols protocols,
                    int32_t rebalance_timeout_ms, int32_t session_timeout_ms, void *join);
/* Sets or clears (NULL) the join request that waits. */
void classic_await_join(struct classic *c, struct classic_member *m, void *join);
/* Gives a static member a new id (JoinGroup without one); the timer of its session is stopped. */
void classic_rename(struct group_shard *s, struct classic *c, struct classic_member *m, struct kstr new_id);

struct classic_member *classic_member(const struct classic *c, struct kstr id);
struct classic_member *classic_static_member(const struct classic *c, struct kstr instance_id);
bool classic_is_pending(const struct classic *c, struct kstr id);
/* 0, UNKNOWN_MEMBER_ID or FENCED_INSTANCE_ID. */
int16_t classic_validate(const struct classic *c, struct kstr id, struct kstr instance_id,
                         const char *operation);
bool classic_all_joined(const struct classic *c);
int32_t classic_rebalance_timeout(const struct classic *c);
/* Whether a member with these protocols may be in the group. */
bool classic_supports(const struct classic *c, struct kstr type, const struct protocols *p);
/* The protocol that all members support and most of them like best; there is at least one member. */
struct kstr classic_select_protocol(const struct classic *c);
/* The member's metadata for the group's protocol, or null. */
struct kbytes classic_metadata(const struct classic_member *m, struct kstr protocol);
/* Keeps the leader if it has joined, or finds another that has. */
bool classic_elect_joined(struct classic *c);
void classic_transition(struct classic *c, enum classic_state to, int64_t now_ms);
/* A new generation, or an empty group if nobody is there. */
void classic_next_generation(struct classic *c, int64_t now_ms);
void classic_clear_pending_sync(struct classic *c);
void classic_compute_topics(struct classic *c);
bool classic_uses_consumer_protocol(const struct classic *c);
bool classic_subscribed(const struct classic *c, struct kstr topic);
void classic_check(const struct classic *c);

struct protocols protocols_copy(const struct protocol *list, int32_t n);
void protocols_free(struct protocols *p);
bool protocols_equal(const struct protocols *a, const struct protocols *b);

#endif
