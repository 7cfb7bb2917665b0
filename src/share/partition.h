/* A share partition: what one share group has of one topic partition that this node leads. Which records are
 * on their way to whom, for how long, how often; which are done. Pure: no I/O, no clock. Source of behaviour:
 * SharePartition (KIP-932, KIP-1155, KIP-1206, KIP-1222) of the reference.
 *
 * The driver (server/share_*) has it under one lock. States, as the reference's SharePartitionState: the
 * driver loads the state that __share_group_state has (share_partition_load), and from then on calls
 *
 *     share_partition_acquire       records that were read go to a member
 *     share_partition_acknowledge   a member says what became of them
 *     share_partition_release       a member has gone
 *     share_partition_expire        the time of locks is over
 *     share_partition_log_start     the log begins later now
 *
 * Acknowledge, release and expire leave a struct share_write: what has to be written to __share_group_state.
 * An acknowledgement counts, and is answered, once that is done: share_partition_written(). Until then its
 * offsets can be neither acquired nor acknowledged again; if it fails they are as they were before. */
#ifndef OTTLA_SHARE_PARTITION_H
#define OTTLA_SHARE_PARTITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "share/state_batch.h"
#include "wire/types.h"

struct share_partition;

/* Of the group's configuration and the broker's; may differ from call to call. */
struct share_limits {
    int32_t max_record_locks;     /* share.partition.max.record.locks */
    int32_t delivery_count_limit; /* share.delivery.count.limit */
    int32_t lock_duration_ms;     /* share.record.lock.duration.ms */
    bool renew;                   /* share.renew.acknowledge.enable */
};

enum share_acquire_mode { SHARE_BATCH_OPTIMIZED = 0, SHARE_RECORD_LIMIT = 1 };

/* A record batch that was read. */
struct share_source {
    int64_t base, last, producer_id; /* −1: no producer */
    bool transactional, abort_marker;
};

struct share_aborted {
    int64_t producer_id, first_offset;
};

struct share_fetch {
    struct kstr member;
    enum share_acquire_mode mode;
    int32_t batch_size, max_records;
    int64_t fetch_offset;               /* where the reading began: share_partition_next_fetch() */
    const struct share_source *batches; /* in order */
    size_t batches_n;
    const struct share_aborted *aborted; /* with read_committed: those that touch the batches */
    size_t aborted_n;
};

/* Records that a member has acquired. */
struct share_acquired {
    int64_t first, last;
    int16_t delivery_count;
};

struct share_acquired_list { /* owner frees v */
    struct share_acquired *v;
    size_t n, cap;
};

enum share_acknowledge_type { SHARE_GAP = 0, SHARE_ACCEPT, SHARE_RELEASE, SHARE_REJECT, SHARE_RENEW };

struct share_acknowledgement {
    int64_t first, last;
    const int8_t *types; /* one for all, or one for each offset; checked: known, and that many */
    int32_t types_n;
};

/* What must be written, and with which values beside it. */
struct share_write {
    uint32_t id; /* for share_partition_written(); 0: nothing waits for it */
    int32_t state_epoch, delivery_complete;
    int64_t start_offset;
    struct state_batches batches; /* n 0: nothing to write. The caller's: share_write_free() */
};

struct share_partition *share_partition_create(void);
void share_partition_destroy(struct share_partition *p);

/* start: known or, where it was never set, what share.auto.offset.reset says. 0, or OE_CORRUPT: no such state
 * can have been written; p is then not loaded. Once. */
int share_partition_load(struct share_partition *p, int64_t start, int32_t state_epoch,
                         const struct state_batch *batches, size_t n);

/* Where the next reading begins. */
int64_t share_partition_next_fetch(const struct share_partition *p);
/* Is there room for more locks, or something to acquire again? */
bool share_partition_can_acquire(const struct share_partition *p, const struct share_limits *l);
/* The last offset that could possibly be acquired by a fetch of so many records ends in the record batch with
 * this offset: later batches need not be looked at. */
int64_t share_partition_reach(const struct share_partition *p, int64_t fetch_offset, int32_t max_records);
/* Adds what was acquired to out. The number of offsets (those of gaps and markers too). */
int64_t share_partition_acquire(struct share_partition *p, const struct share_fetch *f,
                                const struct share_limits *l, int64_t now_ms,
                                struct share_acquired_list *out);

/* All or nothing. 0, or a code of kerr with a sentence in *why: then there is nothing to write. */
int16_t share_partition_acknowledge(struct share_partition *p, struct kstr member,
                                    const struct share_acknowledgement *a, size_t n,
                                    const struct share_limits *l, int64_t now_ms, struct share_write *w,
                                    const char **why);
void share_partition_release(struct share_partition *p, struct kstr member, const struct share_limits *l,
                             struct share_write *w);
/* When the first lock ends (monotonic), or INT64_MAX. */
int64_t share_partition_deadline(const struct share_partition *p);
/* Locks that ended by now. Effective at once; w is written so that delivery counts are remembered. */
void share_partition_expire(struct share_partition *p, const struct share_limits *l, int64_t now_ms,
                            struct share_write *w);
/* The write of w (of one of the three above) is in the log, or failed. true: more may be fetched than
 * before. */
bool share_partition_written(struct share_partition *p, const struct share_write *w, bool ok);
void share_write_free(struct share_write *w);

/* The log's start is above what would be fetched next. */
void share_partition_log_start(struct share_partition *p, int64_t offset);

/* For tests, metrics and messages. */
int64_t share_partition_start(const struct share_partition *p);
int64_t share_partition_end(const struct share_partition *p);
int32_t share_partition_complete(const struct share_partition *p);
int32_t share_partition_in_flight(const struct share_partition *p); /* offsets */
/* Of one offset: its state, or −1 when it is not in flight; *count may be NULL. */
int share_partition_state(const struct share_partition *p, int64_t offset, int *count, struct kstr *member);
/* Asserts all that must hold. O(n). */
void share_partition_check(const struct share_partition *p);

#endif
