/* Groups of the kinds that are not served yet (KIP-848 consumer, share and streams groups): their records
 * stay in the log as they are. What is kept here is which keys have a value, so that such a group is listed,
 * counts as empty or not, and can be deleted, which takes a tombstone for each key. Private to group/. */
#ifndef OTTLA_GROUP_FOREIGN_H
#define OTTLA_GROUP_FOREIGN_H

#include "group/state.h"

struct foreign {
    enum group_kind type;
    int32_t members_n;
    struct hashmap keys; /* key bytes → struct foreign_key */
};

void foreign_free(struct foreign *f);
static inline int32_t foreign_members(const struct foreign *f) { return f->members_n; }
/* Replays a record of such a group. 0 or OE_CORRUPT. type: of the key. */
int foreign_replay(struct group_shard *s, int16_t type, struct kbytes key, struct kbytes value);
/* Whether the member is known. */
bool foreign_has_member(const struct foreign *f, struct kstr member_id);
const char *foreign_state(const struct foreign *f);
/* Tombstones for all that is left of it. */
void foreign_delete_records(struct group_shard *s, const struct foreign *f);
/* Which kind of group has records of this type; GROUP_KIND_NONE for types that are not known. */
enum group_kind foreign_type(int16_t record_type);

#endif
