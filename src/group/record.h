/* The records of __consumer_offsets that classic groups and offsets are kept in: making them, and applying
 * them. Private to group/. Source: GroupCoordinatorRecordHelpers, CoordinatorRecordType;
 * schema/records/group. */
#ifndef OTTLA_GROUP_RECORD_H
#define OTTLA_GROUP_RECORD_H

#include "group/state.h"
#include "wire/writer.h"

/* The group as it is, with the assignments that `after` holds, or (NULL) the members' own. */
void record_group(struct group_shard *s, const struct classic *c, const struct group_after *assignments);
/* A group that was just made and has nothing yet. */
void record_new_group(struct group_shard *s, const struct classic *c);
void record_group_tombstone(struct group_shard *s, struct kstr group);
void record_offset(struct group_shard *s, struct kstr group, struct kstr topic, const struct committed *c);
void record_offset_tombstone(struct group_shard *s, struct kstr group, struct kstr topic, int32_t partition);

/* --- for records of other kinds --- */

/* The key of a type whose key message has one string or two (second null: one). */
struct kbytes record_key(struct group_shard *s, int16_t type, struct kstr group, struct kstr second);
/* A tombstone. */
void record_tombstone(struct group_shard *s, int16_t type, struct kstr group, struct kstr second);
/* A writer of a value of `size` bytes behind its version, from scratch; false: no memory, the step fails. */
bool record_value_begin(struct group_shard *s, struct writer *w, size_t size, int16_t version);
struct kbytes record_value_end(struct writer *w);
/* Writes a record whose value is *v, a struct of message `name`. */
#define RECORD_ADD(s, type, group, second, name, v, version)                                                 \
    do {                                                                                                     \
        struct writer writer_;                                                                               \
        struct group_record *record_ = step_record(s);                                                       \
        if (!record_ || !record_value_begin(s, &writer_, name##_size(v, version), version)) break;           \
        name##_encode(v, &writer_, version);                                                                 \
        record_->value = record_value_end(&writer_);                                                         \
        record_->key = record_key(s, type, group, second);                                                   \
    } while (0)

#endif
