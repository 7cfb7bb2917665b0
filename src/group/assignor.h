/* Who should get which partitions: pure functions from members, their subscriptions and what they had to what
 * they should have. Private to group/. Source: UniformAssignor, RangeAssignor (KIP-848).
 *
 * All of them give each partition of a topic that has subscribers to exactly one of them. */
#ifndef OTTLA_GROUP_ASSIGNOR_H
#define OTTLA_GROUP_ASSIGNOR_H

#include "base/arena.h"
#include "group/assigned.h"
#include "wire/types.h"

struct assign_topic {
    struct uuid id;
    int32_t partitions_n;
    int32_t first; /* partition p of the topic is number first + p of all: set by assign_input_number */
};

struct assign_member {
    struct kstr id, instance_id; /* instance_id: null if dynamic */
    const int32_t *topics;       /* subscribed to: indices of input.topics, ascending */
    int32_t topics_n;
    const struct assigned *current; /* what it should have until now */
    struct assigned *result;        /* out; in the arena; NULL: nothing */
};

struct assign_input {
    struct arena *arena;         /* for the result and all in between */
    struct assign_topic *topics; /* in order of ids as bytes */
    int32_t topics_n;
    struct assign_member *members; /* in order of ids */
    int32_t members_n;
    bool homogeneous;     /* all members are subscribed to the same topics */
    int32_t partitions_n; /* of all topics: set by assign_input_number */
};

/* All return false without memory. */
/* As even as it can be, and as much as possible stays where it is. */
bool assign_uniform(struct assign_input *in);
bool assign_uniform_uneven(struct assign_input *in); /* the part of it for members with different topics */
/* Of each topic a range of partitions to each of its members, in order of instance and member ids: the same
 * ranges of topics with the same number of partitions go to the same member. */
bool assign_range(struct assign_input *in);

/* For share groups: a partition may go to several members; only those in `assignable` are given. */
bool assign_simple(struct assign_input *in, const struct assigned *assignable);

/* Numbers the partitions of all topics. false: too many. */
bool assign_input_number(struct assign_input *in);
/* The index of a topic, or -1. */
int32_t assign_topic_index(const struct assign_input *in, const struct uuid *id);
bool assign_member_subscribed(const struct assign_member *m, int32_t topic);
/* The results from the owner (index of a member, or -1) of each partition by number. */
bool assign_results(struct assign_input *in, const int32_t *owners);

#endif
