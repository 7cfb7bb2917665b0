/* The records of __consumer_offsets that classic groups and offsets are kept in: making them, and applying
 * them. Private to group/. Source: GroupCoordinatorRecordHelpers, CoordinatorRecordType;
 * schema/records/group. */
#ifndef OTTLA_GROUP_RECORD_H
#define OTTLA_GROUP_RECORD_H

#include "group/state.h"

/* The group as it is, with the assignments that `after` holds, or (NULL) the members' own. */
void record_group(struct group_shard *s, const struct classic *c, const struct group_after *assignments);
/* A group that was just made and has nothing yet. */
void record_new_group(struct group_shard *s, const struct classic *c);
void record_group_tombstone(struct group_shard *s, struct kstr group);
void record_offset(struct group_shard *s, struct kstr group, struct kstr topic, const struct committed *c);
void record_offset_tombstone(struct group_shard *s, struct kstr group, struct kstr topic, int32_t partition);

#endif
