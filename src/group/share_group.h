/* A share group (KIP-932): its members and the share partitions whose state is initialized. Private to
 * group/; changed by replay only. Source: ShareGroup, ShareGroupMember, ShareGroupStatePartitionMetadataInfo.
 *
 * A share partition is assigned only when its state is initialized at the share coordinator:
 *   not known ──▶ initializing (a record; the server then asks the share coordinator) ──▶ initialized
 *                      └── failed, or no answer within group.share.initialize.retry.interval.ms ──▶ again
 * Topics whose state is being deleted are `deleting`. */
#ifndef OTTLA_GROUP_SHARE_GROUP_H
#define OTTLA_GROUP_SHARE_GROUP_H

#include "group/modern.h"

struct share_member {
    struct modern_member m;
    struct assigned *assigned;
};

/* A topic with the share partitions that are in a state. */
struct share_topic {
    struct uuid id;
    struct kstr name; /* owned; as it was when it was written */
};

struct share_topics {
    struct assigned *partitions; /* none for `deleting` */
    struct share_topic *topics;
    int32_t n;
    int64_t since_ms; /* wall clock of the replay */
};

struct share_group {
    struct modern m;
    bool has_states; /* there is a record of them */
    struct share_topics initializing, initialized, deleting;
};

extern const struct modern_kind share_kind;

static inline struct share_group *share_of(struct modern *m) { return (struct share_group *)m; }
static inline struct share_group *share_find(const struct group_shard *s, struct kstr id) {
    return (struct share_group *)modern_find(s, id, GROUP_KIND_SHARE);
}
struct share_group *share_create(struct group_shard *s, struct kstr id);
void share_free(struct share_group *g);
static inline struct share_member *share_member(const struct share_group *g, struct kstr id) {
    return (struct share_member *)modern_member(&g->m, id);
}
struct share_member share_member_new(struct kstr id);
bool share_member_equal(const struct share_member *a, const struct share_member *b);

/* --- records --- */

void record_share_member(struct group_shard *s, struct kstr group, const struct share_member *m);
void record_share_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t metadata_hash);
void record_share_target(struct group_shard *s, struct kstr group, struct kstr member,
                         const struct assigned *target);
void record_share_target_epoch(struct group_shard *s, struct kstr group, int32_t epoch, int64_t ms);
void record_share_current(struct group_shard *s, struct kstr group, const struct share_member *m);
/* The states of share partitions; names are looked up in the metadata, or else in `old`. */
void record_share_states(struct group_shard *s, const struct share_group *old, struct kstr group,
                         const struct assigned *initializing, const struct assigned *initialized,
                         const struct uuid *deleting, int32_t deleting_n);
void record_share_member_gone(struct group_shard *s, struct kstr group, struct kstr member);

/* --- steps --- */

void share_heartbeat_step(struct group_shard *s, const struct group_event *e);
void share_describe_step(struct group_shard *s, const struct group_event *e);
void share_offsets_list_step(struct group_shard *s, const struct group_event *e);
void share_offsets_alter_step(struct group_shard *s, const struct group_event *e);
void share_offsets_delete_step(struct group_shard *s, const struct group_event *e);
void share_offsets_deleted_step(struct group_shard *s, const struct group_event *e);
void share_offsets_clear_step(struct group_shard *s, const struct group_event *e);
void share_states_step(struct group_shard *s, const struct group_event *e);
int32_t share_session_ms(const struct group_shard *s, struct kstr group);
void share_due(struct group_shard *s, struct modern *m, struct kstr member, enum member_timer which,
               int32_t epoch);
/* Topics are gone: their states are forgotten. */
void share_forget_topics(struct group_shard *s, const struct share_group *g, const struct uuid *ids,
                         int32_t n);

#endif
