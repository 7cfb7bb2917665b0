/* What a coordinator's pure shard (group/, share/, txn/) and the runtime that drives it (coord/) hand each
 * other: the time, and what a step leaves. */
#ifndef OTTLA_RECORD_SHARD_H
#define OTTLA_RECORD_SHARD_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/types.h"

/* Timers run on the monotonic clock, records carry the wall clock. Both in ms. */
struct shard_now {
    int64_t mono, wall;
};

/* A record of the shard's topic; a null value: a tombstone. Valid until the shard's next step. */
struct shard_record {
    struct kbytes key, value;
};

/* Work for another thread that a step asks for. The runtime calls run there, then gives it back to the shard,
 * which owns it; or drops it if the shard has gone. */
struct shard_job {
    void (*run)(struct shard_job *j);
    void (*drop)(struct shard_job *j);
};

/* What a step leaves. The runtime appends the records as the leader, replays them if that worked, waits until
 * they are committed, tells the shard of it (`after`), and answers. A failed append replays nothing. */
struct shard_result {
    struct shard_record *records;
    int32_t records_n;
    bool replay; /* the records, after they are appended */
    bool atomic; /* the records belong in one batch; otherwise they may be split */
    bool answer; /* the request is answered by response or error; otherwise the shard answers it itself, now
                  * or later */
    bool transactional; /* the batch belongs to the transaction of this producer */
    int16_t producer_epoch;
    int64_t producer_id;
    int16_t error; /* of kerr; the runtime makes the response of it */
    void *response;
    struct shard_job *job; /* NULL: none */
    void *after; /* the shard's own, comes back when the records are committed or lost; NULL: nothing does */
};

#endif
