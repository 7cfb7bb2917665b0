/* One partition on disk (UnifiedLog, LocalLog of the reference).
 *
 * A log has its own mutex. A function marked [locked] is called with it held (log_lock), one marked [free]
 * takes it itself. A log opens itself on first use and may be closed again when it is idle (log_close_idle);
 * a closed one is a few hundred bytes.
 *
 * Errors: OE_RANGE (offset outside), OE_OFFLINE (its directory has failed), OE_IO/OE_NOSPC (which take the
 * directory offline: everything after answers OE_OFFLINE), OE_CORRUPT, OE_INVALID (the append was refused,
 * see fault).
 *
 * Offsets: log_start ≤ last stable ≤ high watermark ≤ log end. What lies below the high watermark may be
 * shown to consumers; the caller moves it (log_set_high_watermark); appends do not. */
#ifndef OTTLA_STORAGE_LOG_H
#define OTTLA_STORAGE_LOG_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "io/file.h"
#include "record/validate.h"
#include "storage/log_config.h"

struct log;
struct logdir;

void log_lock(struct log *l);
void log_unlock(struct log *l);

/* ---- what it is; any thread ---- */
const char *log_name(const struct log *l);               /* "topic-7", lives as long as the log */
const char *log_topic(const struct log *l, size_t *len); /* "topic" of it, not NUL-ended */
int32_t log_partition(const struct log *l);
struct uuid log_topic_id(const struct log *l); /* zero when not known */
struct logdir *log_dir(const struct log *l);
bool log_is_offline(const struct log *l);
bool log_is_future(const struct log *l); /* being moved between directories */
/* A power cut left it: opening it reads all that lies behind its recovery point, and holds its lock all the
 * while. Becomes false for good once it has been opened. */
bool log_must_be_read(const struct log *l);
/* The configuration is borrowed and must outlive the log or the next set. [free] */
void log_set_config(struct log *l, const struct log_config *c);
const struct log_config *log_config(const struct log *l);

/* Opens it now if it is not open, recovering what must be recovered. [locked] Everything below that is
 * [locked] does so itself. */
int log_open(struct log *l, int64_t now_ms);
/* Closes files and drops memory if nothing is queued; snapshot and index are written. [locked] */
int log_close_idle(struct log *l, int64_t now_ms);
bool log_is_open(const struct log *l);
/* Monotonic time of the caller's choosing that log_close_idle's caller compares. [locked] */
int64_t log_last_used(const struct log *l);

/* ---- offsets; [locked], and the log is open ---- */
int64_t log_start_offset(const struct log *l);
int64_t log_end_offset(const struct log *l);
int64_t log_high_watermark(const struct log *l);
int64_t log_last_stable_offset(const struct log *l);
int64_t log_recovery_point(const struct log *l);
int64_t log_size(const struct log *l); /* bytes of all segments */
int log_segment_count(const struct log *l);
/* Clamped to [start, end]; may go back only by truncation. Returns the value set. */
int64_t log_set_high_watermark(struct log *l, int64_t offset);
/* The checkpointed high watermark of a replica before it is opened or moved. */
int32_t log_latest_epoch(const struct log *l); /* -1: none */

/* ---- append ---- */
struct log_append_args {
    uint8_t *bytes; /* mutable, the caller's until log_write_queue returns */
    size_t len;
    int32_t leader_epoch;
    enum append_origin origin;
    int64_t now_ms;
    int16_t transaction_version; /* of a marker: 0, 1, 2 */
    bool ignore_size;            /* max.message.bytes does not hold */
    bool verify; /* the first batch of a transaction needs a guard (transaction.partition.verification.enable)
                  */
    uint64_t guard;      /* of log_verification_begin; 0: none */
    struct arena *arena; /* lives until log_write_queue returns */
    struct codec *codec;
};

struct log_append_result {
    enum append_fault fault;
    const char *message; /* with a fault; the arena's or constant */
    const struct record_error *errors;
    int error_count;
    int64_t first_offset, last_offset;
    int64_t append_time; /* with message.timestamp.type=LogAppendTime, or of a duplicate; else -1 */
    int64_t max_timestamp;
    int64_t log_start;
    size_t bytes;   /* queued */
    int32_t count;  /* records */
    bool duplicate; /* nothing was queued: the offsets are those of the first time */
};

/* Validates, assigns offsets and queues. 0; OE_INVALID with fault; OE_OFFLINE, OE_IO, OE_NOSPC with FAULT_IO.
 * [locked] The lock is kept from the first append to log_write_queue. When a roll is due or the queue is full
 * it writes what is queued. */
int log_append(struct log *l, const struct log_append_args *a, struct log_append_result *r);
/* As a follower (or Raft) appends: offsets and epochs are in the batches; whole batches of any number. Queues
 * as well. */
int log_append_follower(struct log *l, const struct log_append_args *a, struct log_append_result *r);
/* Writes what is queued, then moves the log end. 0 or an error, after which nothing queued counts. [locked]
 */
int log_write_queue(struct log *l, int64_t now_ms);
/* After log_write_queue: must acknowledgements wait for log_flush (flush.messages)? [locked] */
bool log_flush_needed(const struct log *l);
/* When flush.ms asks for the next flush; INT64_MAX: not. [locked] */
int64_t log_flush_due(const struct log *l);
/* Makes everything below the log end (when it begins) durable; callers that come meanwhile share the next
 * one. Blocks: on a worker. [free] 0 or an error. */
int log_flush(struct log *l, int64_t now_ms);
/* Everything below is on disk for good. [locked] */
int64_t log_flushed_offset(const struct log *l);

/* ---- read ---- */
struct aborted_txn {
    int64_t producer_id, first_offset;
};
struct log_slice {
    struct file *file; /* a reference that the caller gives up (file_unref); NULL when there is nothing */
    int64_t position;
    uint32_t len;
    uint32_t first_batch_len; /* 0 when nothing; len < it: a part of one batch */
    int64_t offset;           /* of the first batch */
    bool legacy; /* messages of magic 0 or 1 are in it: convert before sending (legacy_convert) */
    struct aborted_txn *aborted; /* the arena's; only with `aborted_to` */
    int aborted_count;
};
/* Reads from one segment: from the batch that holds `offset`, at most max_bytes (at least one batch when
 * min_one), nothing at or above `bound` (high watermark, last stable offset or log end). aborted_to: arena
 * for the aborted transactions (read_committed) or NULL. 0, OE_RANGE. [locked] */
int log_read(struct log *l, int64_t offset, uint32_t max_bytes, int64_t bound, bool min_one,
             struct arena *aborted_to, struct log_slice *s);
/* Bytes between two offsets, as far as the index knows them without reading; for "is there enough yet".
 * [locked] */
int64_t log_bytes_between(struct log *l, int64_t from, int64_t to);

/* ---- look up; [locked] ---- */
struct log_position {
    int64_t offset, timestamp; /* -1: none */
    int32_t leader_epoch;      /* -1: none */
};
/* The first record with timestamp ≥ ts and offset ≥ log start; offset −1 when there is none. codec may be
 * NULL. */
int log_offset_for_timestamp(struct log *l, int64_t ts, struct codec *codec, struct log_position *p);
int log_earliest(struct log *l, struct log_position *p);
int log_latest(struct log *l, struct log_position *p);
/* The record with the largest timestamp. */
int log_max_timestamp(struct log *l, struct codec *codec, struct log_position *p);
/* Where the epoch ended (LeaderEpochFileCache.endOffsetFor): epoch −1 and offset −1 when unknown. */
void log_epoch_end(const struct log *l, int32_t epoch, int32_t *found_epoch, int64_t *end_offset);
int32_t log_epoch_for_offset(const struct log *l, int64_t offset);

/* ---- change; [locked] ---- */
/* DeleteRecords: moves the log start (≤ high watermark: OE_RANGE beyond). Segments go with log_retention. */
int log_delete_records(struct log *l, int64_t new_start);
int log_truncate_to(struct log *l, int64_t offset, int64_t now_ms);
int log_truncate_fully(struct log *l, int64_t new_start, int64_t now_ms);
/* Deletes what retention allows; files are renamed now and deleted after file.delete.delay.ms by logdir_tick.
 * Returns the number of segments or an error. */
int log_retention(struct log *l, int64_t now_ms);
int log_roll(struct log *l, int64_t now_ms);
/* Assigns an epoch when a replica becomes leader: the epoch starts at the log end. */
int log_assign_epoch(struct log *l, int32_t epoch);
void log_expire_producers(struct log *l, int64_t now_ms);

/* ---- producers; [locked] ---- */
struct log_producer {
    int64_t producer_id, last_timestamp, txn_first_offset; /* −1: no transaction */
    int32_t last_sequence, coordinator_epoch;
    int16_t epoch;
};
int log_producers(struct log *l, struct arena *a, struct log_producer **p, int *n);
/* Is a transaction of this producer and epoch open? */
bool log_has_transaction(struct log *l, int64_t producer_id, int16_t epoch);
/* Before the first batch of a transaction is appended, the transaction coordinator is asked whether the
 * partition belongs to it, and its answer counts only if nothing of the producer was written meanwhile: so a
 * late batch never begins a transaction that has ended (KIP-890). *guard: for that append; 0: the transaction
 * is open, there is nothing to ask. bumps: the producer has a new epoch in each transaction. 0; OE_INVALID:
 * the epoch is older than the log's; or what opening gave. (UnifiedLog.maybeStartTransactionVerification) */
int log_verification_begin(struct log *l, int64_t producer_id, int16_t epoch, int32_t sequence, bool bumps,
                           int64_t now_ms, uint64_t *guard);

#endif
