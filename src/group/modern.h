/* The frame of groups whose members are assigned by the coordinator (KIP-848, 932, 1071): epochs, members,
 * what they are subscribed to, target assignment, timers, and the way of their records. Private to group/.
 * Source: ModernGroup, ModernGroupMember, and the parts of GroupMetadataManager that all its kinds share.
 *
 * Three epochs drive such a group:
 *   group epoch        grows when a subscription, a member or a topic's metadata changes;
 *   assignment epoch   the group epoch that the target assignment was computed for; follows it;
 *   member epoch       the assignment epoch that a member has got to; each member follows on its own.
 * A group is stable when all three agree for all members.
 *
 * All state changes by replay of records. A step reads the group, builds a changed member on the stack, whose
 * strings and sets are borrowed (from the old member, the request, s->scratch), writes records, and answers
 * from the changed member. A group that a step makes, or converts from another kind, is a group of its own
 * outside of the shard until its records are replayed; the step frees it.
 *
 * A new kind plugs in with
 *   1. a struct that begins with struct modern and one that begins with struct modern_member;
 *   2. a struct modern_kind, named in modern_kind_of() (modern.c);
 *   3. a row for each of its record types in the table of modern.c;
 *   4. its steps: an enum group_api, a row in shard.c, error.c (the answer to a failed request) and coord
 * (which group a request is for);
 *   5. its rule for offsets (offset_rules.c), if it has any.
 * Listing, deleting, expiry, metadata changes and member timers then work for it. */
#ifndef OTTLA_GROUP_MODERN_H
#define OTTLA_GROUP_MODERN_H

#include "group/assigned.h"
#include "group/names.h"
#include "group/state.h"

enum member_state { /* as in the records */
                    MEMBER_STABLE = 0,
                    MEMBER_UNREVOKED = 1,  /* has yet to give up partitions */
                    MEMBER_UNRELEASED = 2, /* waits for partitions that others have yet to give up */
                    MEMBER_UNKNOWN = 127,  /* written by a newer release */
};

/* Member epochs with a meaning of their own. */
enum { EPOCH_JOIN = 0, EPOCH_LEAVE = -1, EPOCH_LEAVE_STATIC = -2 };

struct modern_member {
    struct kstr id, instance_id, rack, client_id, client_host; /* instance_id, rack: may be null */
    int32_t epoch, previous_epoch;
    enum member_state state;
    struct names topics; /* subscribed to, sorted */
};

/* How many members are subscribed to a topic, and by how many regular expressions it is matched. */
struct subscription {
    struct kstr name; /* owned */
    int32_t by_name, by_regex;
};

/* What a member should get to. partitions NULL: nothing, which is not the same as no target. */
struct target {
    struct kstr member; /* owned */
    struct assigned *partitions;
};

struct modern {
    const struct modern_kind *kind;
    struct kstr id; /* owned */
    int32_t epoch, assignment_epoch;
    int64_t assignment_ms; /* wall clock; 0: not known */
    int64_t metadata_hash;
    struct hashmap members; /* id → the kind's member, which begins with struct modern_member */
    struct hashmap topics;  /* name → struct subscription */
    struct hashmap targets; /* member id → struct target */
    /* The metadata of the topics is looked at again when wall time is at refresh_ms, or the epoch is below
     * refresh_epoch, which then was never written. */
    int64_t refresh_ms;
    int32_t refresh_epoch;
};

enum member_timer { MEMBER_SESSION, MEMBER_REBALANCE, MEMBER_JOIN, MEMBER_SYNC, MEMBER_TIMERS };

/* What differs from kind to kind. */
struct modern_kind {
    enum group_kind type;
    const char *protocol_type;
    struct modern *(*create)(struct group_shard *s, struct kstr id);
    void (*free)(struct modern *m); /* all of it; begins or ends with modern_free_parts */
    /* A record whose key is of this kind. second: the key's part behind the group, a member or an expression,
     * or null; value NULL: a tombstone. What the decoder makes lives in s->decoding. 0 or OE_CORRUPT. */
    int (*replay)(struct group_shard *s, struct modern *m, int16_t type, struct kstr second,
                  struct reader *value);
    const char *(*state)(const struct modern *m);
    /* Tombstones for all of it, in an order that the reference can replay. */
    void (*delete_records)(struct group_shard *s, const struct modern *m);
    /* After the load: sessions begin. */
    void (*loaded)(struct group_shard *s, struct modern *m);
    /* A member's timer; the member may have gone. `epoch`: as given to modern_timer_set. */
    void (*due)(struct group_shard *s, struct modern *m, struct kstr member, enum member_timer which,
                int32_t epoch);
    /* Whether offsets of the topic are kept because it is read; NULL: if m->topics has it. */
    bool (*reads)(const struct modern *m, struct kstr topic);
};

/* NULL: groups of this type are not modern. */
const struct modern_kind *modern_kind_of(enum group_kind type);
/* The group of an id if it is of that kind; NULL. */
struct modern *modern_find(const struct group_shard *s, struct kstr id, enum group_kind type);
bool modern_replayed(int16_t record_type); /* whether modern_replay is for it */
/* key: behind the type. 0 or OE_CORRUPT. */
int modern_replay(struct group_shard *s, int16_t record_type, struct reader *key, struct kbytes value);

void modern_init(struct modern *m, const struct modern_kind *kind, struct kstr id, uint64_t seed);
/* Everything but the members themselves (the map of them, not what it points to) and m. */
void modern_free_parts(struct modern *m);
void modern_member_free_parts(struct modern_member *m);

static inline struct modern_member *modern_member(const struct modern *m, struct kstr id) {
    return id.len >= 0 ? hashmap_get(&m->members, id.s, (size_t)id.len) : NULL;
}
static inline bool modern_subscribed(const struct modern *m, struct kstr topic) {
    return hashmap_get(&m->topics, topic.s, (size_t)topic.len) != NULL;
}
static inline bool modern_reads(const struct modern *m, struct kstr topic) {
    return m->kind->reads ? m->kind->reads(m, topic) : modern_subscribed(m, topic);
}
bool member_reconciled(const struct modern_member *m, int32_t assignment_epoch);

/* --- subscriptions --- */

void subscriptions_change(struct hashmap *topics, struct kstr name, int32_t by_name, int32_t by_regex);
/* All of a member's names, with +1 or -1. */
void subscriptions_of(struct hashmap *topics, const struct names *names, int32_t by_name);
struct hashmap subscriptions_copy(const struct hashmap *topics);
void subscriptions_free(struct hashmap *topics);

/* --- target assignment --- */

/* Whether the time since the last assignment is long enough for another; key: of the group's own setting. */
bool modern_may_assign(const struct group_shard *s, const struct modern *m, const char *key,
                       const struct group_setting *interval);

const struct target *modern_target(const struct modern *m, struct kstr member);
/* partitions: taken over, owned; NULL: empty. */
void modern_target_set(struct modern *m, struct kstr member, struct assigned *partitions);
void modern_target_drop(struct modern *m, struct kstr member);

/* --- metadata of topics (metadata_hash.c) --- */

/* What the topics' ids, partitions and racks add up to (KIP-1101): Utils.computeGroupHash. */
int64_t metadata_hash(struct group_shard *s, const struct hashmap *topics);
bool modern_metadata_expired(const struct group_shard *s, const struct modern *m);
void modern_metadata_checked(const struct group_shard *s, struct modern *m, int32_t epoch);

/* --- timers of members; kept by ids, so that a member can have one before its record is replayed --- */

void modern_timer_set(struct group_shard *s, struct kstr group, struct kstr member, enum member_timer which,
                      int64_t ms, int32_t epoch);
void modern_timer_set_if_absent(struct group_shard *s, struct kstr group, struct kstr member,
                                enum member_timer which, int64_t ms);
bool modern_timer_is_set(struct group_shard *s, struct kstr group, struct kstr member,
                         enum member_timer which);
void modern_timer_cancel(struct group_shard *s, struct kstr group, struct kstr member,
                         enum member_timer which);
void modern_timers_cancel(struct group_shard *s, struct kstr group, struct kstr member);
void modern_timer_due(struct group_shard *s, struct group_timer *t);
/* What a timer wrote could not be written: it is due again soon. */
void modern_timer_written(struct group_shard *s, const struct group_after *a, int16_t error);
void modern_timers_free(struct group_shard *s);

/* --- configuration --- */

/* The group's own value of a key of GROUP resources, or the broker's. */
int32_t modern_setting(const struct group_shard *s, struct kstr group, const char *key,
                       const struct group_setting *broker);

#endif
