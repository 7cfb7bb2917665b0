/* What one request of one member does to a consumer group, in parts that the requests of both protocols put
 * together. Each part reads the group and the member, changes st->now and writes records. Private to group/.
 * Source: the consumer group parts of GroupMetadataManager. */
#ifndef OTTLA_GROUP_CONSUMER_STEP_H
#define OTTLA_GROUP_CONSUMER_STEP_H

#include "group/consumer.h"

struct consumer_step {
    struct group_shard *s;
    const struct group_event *e;
    struct consumer *c;              /* the group */
    bool outside;                    /* c is not in the shard (yet): consumer_step_end frees it */
    struct consumer_member old, now; /* before and after; what they hold is borrowed */
    int32_t epoch;                   /* the group's, after this step */
    bool homogeneous;                /* whether all members then have the same subscription */
    /* The partitions that the member says it has; owned_known false: it does not say. */
    struct assigned *owned;
    bool owned_known;
    int16_t error; /* the step failed: its records are dropped */
    const char *message;
};

/* Any of the functions below may leave an error in st; then the others are not to be called. */
void consumer_fail(struct consumer_step *st, int16_t error, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void consumer_step_end(struct consumer_step *st);

/* The group of this id; made, or converted from a classic one, if the request may do that. */
void consumer_step_open(struct consumer_step *st, struct kstr id, bool create);
/* The member of the request into st->old and st->now. joins: it may be new, or a static member that returns.
 * epoch: what a member of the consumer protocol says it is at. */
void consumer_step_dynamic(struct consumer_step *st, struct kstr id, int32_t epoch, bool joins, bool classic);
void consumer_step_static(struct consumer_step *st, struct kstr id, struct kstr instance_id, int32_t epoch,
                          bool joins, bool classic);

/* Writes what the member says of itself, if that changed. true: it is subscribed to other topics. */
bool consumer_step_member(struct consumer_step *st);

enum regex_change { REGEX_SAME, REGEX_CHANGED, REGEX_CHANGED_RESOLVED };
/* The member's regular expression: forgets one that nobody has any more, asks for what is not resolved. */
enum regex_change consumer_step_regex(struct consumer_step *st);
/* A new group epoch if `bump` or if the metadata of the topics changed. */
void consumer_step_metadata(struct consumer_step *st, bool bump, const char *why);
/* A new target assignment if the group epoch is ahead of it and the interval is over. *target: the member's,
 * in scratch or the group's; returns the epoch that it is for. */
int32_t consumer_step_target(struct consumer_step *st, const struct assigned **target);
/* Brings the member as near to the target as it can get now. */
void consumer_step_reconcile(struct consumer_step *st, int32_t target_epoch, const struct assigned *target,
                             bool subscription_changed);

/* Whether all members have the same subscription, given these counts. */
bool consumer_homogeneous(const struct consumer *c, const struct consumer_member *old,
                          const struct consumer_member *now, const struct hashmap *topics, size_t members);
/* --- migration (consumer_convert.c) --- */

/* st->c: the classic group as a consumer group, whose records are written. */
void consumer_from_classic(struct consumer_step *st, struct classic *c);
/* Whether the group is to become a classic one: without these members, or with a member of the classic
 * protocol instead of that one. */
bool consumer_downgrades_without(const struct group_shard *s, const struct consumer *c,
                                 struct consumer_member *const *gone, int32_t n);
bool consumer_downgrades_by(const struct group_shard *s, const struct consumer *c,
                            const struct consumer_member *replaced);
/* leaving: who is not to be in it; joining: a static member instead of the one with its instance id, or NULL;
 * rebalance: why it has to rebalance at once, or NULL. */
void consumer_to_classic(struct group_shard *s, struct consumer *c, struct consumer_member *const *leaving,
                         int32_t n, const struct consumer_member *joining, const char *rebalance);

/* Members leave or are fenced: their records go, the group gets a new epoch; or, if only members of the
 * classic protocol are left, it becomes a classic group. */
void consumer_fence(struct group_shard *s, struct consumer *c, struct consumer_member *const *members,
                    int32_t n);

#endif
