/* Share sessions: which partitions a member of a share group fetches, remembered between its requests, and
 * which connection it came by: when that closes, what the member has acquired is given back. Source:
 * ShareSessionCache, ShareSession, SharePartitionManager.newContext, ShareSessionContext.
 *
 * One lock for all; every function may be called by any thread. At most `slots` sessions, with at most
 * `items` partitions together. */
#ifndef OTTLA_SERVER_SHARE_SESSIONS_H
#define OTTLA_SERVER_SHARE_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "wire/types.h"

struct arena;
struct share_link;
struct share_sessions;

enum { SHARE_EPOCH_FIRST = 0, SHARE_EPOCH_LAST = -1 };

struct share_item {
    struct uuid topic;
    int32_t partition;
};

/* What a request means. error: answer with just that, and with `limited` only after its time to wait. */
struct share_context {
    int16_t error;
    bool limited;
    bool incremental;         /* of a session that was there before */
    int32_t next_epoch;       /* that the session has now */
    struct share_item *items; /* to fetch, in order; the arena's */
    int32_t items_n;
};

/* A partition of the answer. */
struct share_answer {
    struct share_item item;
    bool has_records, has_error;
};

struct share_sessions *share_sessions_create(int32_t slots, int64_t items, uint64_t seed);
void share_sessions_destroy(struct share_sessions *s);

/* ShareFetch: `items` are those of the request, `forget` those that it fetches no more. *link is the
 * connection's. false: the arena is full. */
bool share_sessions_fetch(struct share_sessions *s, struct kstr group, struct kstr member, int32_t epoch,
                          bool acknowledges, const struct share_item *items, int32_t items_n,
                          const struct share_item *forget, int32_t forget_n, struct share_link **link,
                          struct arena *a, struct share_context *c);
/* ShareAcknowledge: 0 or the error. */
int16_t share_sessions_acknowledge(struct share_sessions *s, struct kstr group, struct kstr member,
                                   int32_t epoch);
/* Before the answer to an incremental fetch: which of these partitions are in it (kept[i]). 0, or
 * INVALID_SHARE_SESSION_EPOCH: another request went on with the session. */
int16_t share_sessions_answer(struct share_sessions *s, struct kstr group, struct kstr member,
                              const struct share_context *c, const struct share_answer *answers, int32_t n,
                              bool *kept);

/* The end of a session: its partitions, in memory that the caller frees (NULL: there is no such session). */
struct share_item *share_sessions_end(struct share_sessions *s, struct kstr group, struct kstr member,
                                      int32_t *n);
/* The connection has closed: whose session ends by that (copies that the caller frees; member.s NULL:
 * nobody's), and whether the group has no session any more. Frees the link; false: it was none. */
bool share_sessions_disconnect(struct share_sessions *s, struct share_link *link, struct kstr *group,
                               struct kstr *member);
bool share_sessions_group_empty(struct share_sessions *s, struct kstr group);
/* Share groups were switched off. */
void share_sessions_clear(struct share_sessions *s);

#endif
