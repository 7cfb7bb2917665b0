/* From members' subscriptions by name to an assignor's input by number. Private to group/. Source:
 * TargetAssignmentBuilder, TopicIds. */
#ifndef OTTLA_GROUP_TARGET_H
#define OTTLA_GROUP_TARGET_H

#include "group/assignor.h"
#include "group/names.h"

struct group_shard;

struct target_member {
    struct kstr id, instance_id;
    struct names topics;
    const struct assigned *current; /* its target until now */
};

/* Fills in the topics that exist and the members; members are in order of ids. in->arena is set. false: no
 * memory. */
bool target_input(struct group_shard *s, struct assign_input *in, const struct target_member *members,
                  int32_t n);

#endif
