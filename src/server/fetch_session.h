/* Fetch sessions (KIP-227): what a consumer fetches, remembered, so that its next request names only what
 * changed and the answer holds only what is new. Reference: FetchManager, FetchContext,
 * FetchSessionCacheShard.
 *
 * The cache is the node's and has a lock; a session is counted, and one request at a time uses it: a second
 * one that comes while the first still waits (a client that gave up and connected anew) gets
 * INVALID_FETCH_SESSION_EPOCH and begins a new session. All sessions together have at most `items`
 * partitions: a new one beyond is none, one that grows beyond ends. At most
 * max.incremental.fetch.session.cache.slots sessions; beyond them the oldest that nobody has used for
 * min.incremental.fetch.session.eviction.ms makes room, or there is no session for the new one. */
#ifndef OTTLA_SERVER_FETCH_SESSION_H
#define OTTLA_SERVER_FETCH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "wire/types.h"

struct arena;
struct fetch_request;

/* One partition that is fetched: in a session, or of one request (then in its arena). */
struct fetch_item {
    struct fetch_item *next, *prev; /* in the order of reading: what had data goes to the end */
    struct kstr topic;              /* len 0: only the id is known */
    struct uuid topic_id;
    int32_t partition, max_bytes, leader_epoch, last_fetched_epoch;
    int64_t fetch_offset;
    int64_t high_watermark, log_start; /* as last answered */
    uint32_t key_len;
    bool repeated; /* while a request is read: it asks for the partition at another place, too */
    const char *key;
};

struct fetch_session {
    struct fetch_session *next_used, *prev_used; /* least recently used first */
    _Atomic int refs;
    int32_t id, epoch; /* the epoch that the next request must have */
    bool uses_ids, busy;
    int64_t used_ms, created_ms;
    struct fetch_item *first, *last;
    int32_t items_n;
    struct fetch_session_index *index;
};

struct fetch_sessions;
struct fetch_sessions *fetch_sessions_create(int slots, int64_t items, int64_t eviction_ms, uint64_t seed);
void fetch_sessions_destroy(struct fetch_sessions *s);

/* What a request means. error: answer with just that. session NULL: everything is in the list `first`
 * (arena's). */
struct fetch_context {
    int16_t error;
    bool full;                     /* a session may be made of it (fetch_context_keep) */
    struct fetch_session *session; /* counted; fetch_context_end */
    struct fetch_item *first;      /* of the session or of the arena */
    int32_t items_n;
};

/* Reads a request (of that version). OE_LIMIT: the arena is full. */
int fetch_context_begin(struct fetch_sessions *s, const struct fetch_request *in, int16_t version,
                        int64_t now_ms, struct arena *a, struct fetch_context *c);
/* A full fetch was answered with the items' high watermarks and log starts: makes the session. Its id, or 0:
 * no room. */
int32_t fetch_context_keep(struct fetch_sessions *s, struct fetch_context *c, bool uses_ids, int64_t now_ms);
/* Incremental: has the partition something to say, compared with the last answer? */
bool fetch_item_says(const struct fetch_context *c, const struct fetch_item *i, int16_t error,
                     int64_t high_watermark, int64_t log_start, bool has_records, bool diverging);
/* The same, and remembers it as the last answer; has_records moves the item to the end of the order. */
bool fetch_item_answer(struct fetch_context *c, struct fetch_item *i, int16_t error, int64_t high_watermark,
                       int64_t log_start, bool has_records, bool diverging);
void fetch_context_end(struct fetch_sessions *s, struct fetch_context *c);
int fetch_sessions_count(struct fetch_sessions *s);

#endif
