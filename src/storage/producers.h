/* Private to storage/: what the log remembers of its producers (ProducerStateManager, ProducerStateEntry,
 * ProducerAppendInfo).
 *
 * For each producer id the epoch, the last five batches (for duplicates), the open transaction. From the
 * transactions follows the first unstable offset: transactions are `ongoing` until their marker, then `done`
 * until the high watermark passes it.
 *
 * Snapshots: <end offset>.snapshot holds the state at that offset; `snapshots` lists those on disk,
 * ascending. */
#ifndef OTTLA_STORAGE_PRODUCERS_H
#define OTTLA_STORAGE_PRODUCERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/hashmap.h"
#include "io/file.h"
#include "record/validate.h"

enum { PRODUCER_BATCHES = 5 };

struct producer_batch {
    int64_t last_offset, timestamp;
    int32_t last_sequence, offset_delta;
};
struct producer {
    int64_t id, last_timestamp, txn_first_offset; /* −1: no transaction */
    int32_t coordinator_epoch;
    int16_t epoch;
    uint8_t count, first; /* of the ring */
    struct producer_batch ring[PRODUCER_BATCHES];
};
struct txn {
    int64_t first_offset, last_offset, producer_id; /* last_offset: of the marker; −1 while it is open */
};
/* A transaction's first batch is being verified with its coordinator (VerificationStateEntry). In memory
 * only. */
struct verification {
    int64_t id, timestamp;
    uint64_t guard;
    int32_t lowest_sequence; /* of what waits: nothing higher may come before it */
    int16_t epoch;
    bool bumps;
};
struct producers {
    struct hashmap map, verifications;
    uint64_t guards;            /* the last one given */
    struct txn *ongoing, *done; /* ascending by first_offset */
    int64_t *snapshots;
    int32_t ongoing_count, ongoing_cap, done_count, done_cap, snapshot_count, snapshot_cap;
    int64_t end_offset;  /* the state holds everything below */
    int64_t snapshot_at; /* the newest snapshot or where loading began */
    int64_t extra;       /* a snapshot of ours between segments; −1: none */
};

/* What a batch would do; from producers_check to producers_apply. */
struct producer_change {
    struct producer *entry;     /* NULL: a new one */
    struct producer_batch seen; /* of a duplicate */
    bool duplicate, marker, commit;
    int32_t coordinator_epoch;
    int64_t timestamp; /* of a marker */
};
/* A transaction that a marker has completed. */
struct txn_end {
    int64_t producer_id, first_offset, last_offset, last_stable;
    bool happened, aborted;
};

void producers_init(struct producers *p, int64_t end_offset);
void producers_free(struct producers *p);
/* Forgets the state, not the list of snapshots. */
void producers_clear(struct producers *p, int64_t end_offset);

/* Who appends, and what is to be checked. */
struct producer_check {
    enum append_origin origin;
    int16_t transaction_version; /* of a marker */
    bool verify;                 /* the first batch of a transaction needs a guard */
    uint64_t guard;
};
/* Checks a batch of magic 2 that has a producer id. FAULT_NONE, or why not (only for origins that are
 * checked). */
enum append_fault producers_check(struct producers *p, const uint8_t *batch, size_t n,
                                  const struct producer_check *how, struct producer_change *c);
/* See log_verification_begin. false: the epoch is too old. */
bool producers_verify(struct producers *p, int64_t id, int16_t epoch, int32_t sequence, bool bumps,
                      int64_t now_ms, uint64_t *guard);
/* Applies what was checked (not a duplicate); the batch has its final offsets now. */
void producers_apply(struct producers *p, const uint8_t *batch, const struct producer_change *c,
                     struct txn_end *end);
/* Both for a batch that is in the log already. A fault is ignored as the reference does for replication. */
void producers_replay(struct producers *p, const uint8_t *batch, size_t n, struct txn_end *end);

/* −1: no unstable offset. */
int64_t producers_first_unstable(const struct producers *p);
void producers_high_watermark(struct producers *p, int64_t offset);
void producers_expire(struct producers *p, int64_t now_ms, int64_t expiration_ms);
bool producers_in_txn(const struct producers *p, int64_t id, int16_t epoch);

/* Snapshots. dir: of the log. */
void producers_found_snapshot(struct producers *p, int64_t offset); /* seen when listing the directory */
/* Keeps those at segment bases and the newest other one (removeStraySnapshots). */
void producers_drop_strays(struct producers *p, struct fs *fs, const char *dir, const int64_t *bases,
                           int count);
/* Drops snapshots > end or ≤ start, loads the newest good one. end_offset says from where to replay. */
int producers_load(struct producers *p, struct fs *fs, const char *dir, int64_t start, int64_t end,
                   int64_t now_ms, int64_t expiration_ms);
/* Writes the state at end_offset unless that was done. extra: between segments, replaces the last extra one.
 */
int producers_snapshot(struct producers *p, struct fs *fs, const char *dir, bool extra, bool durable);
void producers_delete_snapshot(struct producers *p, struct fs *fs, const char *dir, int64_t offset);
bool producers_has_snapshot(const struct producers *p, int64_t offset);
void producers_forget_snapshot(struct producers *p, int64_t offset);

#endif
