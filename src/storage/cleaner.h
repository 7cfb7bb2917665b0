/* Log cleaning: of the records of a compacted log that have the same key only the newest stays (LogCleaner,
 * LogCleanerManager, Cleaner).
 *
 * cleaner_pick chooses a log and marks it, cleaner_clean cleans it and lets go of it. Any number of threads
 * may do so, each with its own pick. The work is done without the log's lock: only segments that are complete
 * and below the last stable offset are read, and what replaces them is swapped in with the lock held for a
 * few renames. A log that is cut, deleted or closed meanwhile is left as it is.
 *
 * A log whose cleaning finds something that is not as it should be (a damaged batch) is marked uncleanable,
 * once, with a line in the log, and not tried again until the next start. An error of the disk takes the
 * directory offline. */
#ifndef OTTLA_STORAGE_CLEANER_H
#define OTTLA_STORAGE_CLEANER_H

#include <stdbool.h>
#include <stdint.h>

struct log;
struct logdir;

struct clean_pick {
    struct log *log;
    int64_t first_dirty, first_uncleanable;
    double ratio;         /* of bytes that are not clean */
    int64_t max_delay_ms; /* the longest that a log has waited beyond max.compaction.lag.ms */
    int cleanable;        /* logs that could be cleaned now */
};

struct clean_options {
    int64_t now_ms;
    int64_t map_bytes; /* of one cleaner's keys: log.cleaner.dedupe.buffer.size / log.cleaner.threads */
    double load_factor;
    int32_t io_bytes; /* of its reading buffer, and of its writing buffer */
    uint64_t seed;    /* random */
    /* Asked between reads: true ends the cleaning. Told of bytes read or written: may sleep. Both may be
     * NULL.
     */
    bool (*stop)(void *owner);
    void (*moved)(void *owner, int64_t bytes);
    void *owner;
};

struct clean_stats {
    int64_t from, to; /* what was dirty; all below `to` is clean now */
    int64_t map_bytes_read, bytes_read, bytes_written;
    int64_t messages_read, messages_written, invalid;
    int segments_before, segments_after;
    double map_use; /* of the keys that the map may hold */
};

/* The log that needs it most. 1: marked as being cleaned and held; 0: none. max_ratio (may be NULL): of the
 * dirtiest log, cleanable or not. */
int cleaner_pick(struct logdir *const *dirs, int n, int64_t now_ms, struct clean_pick *p, double *max_ratio);
/* 0; OE_AGAIN: ended early; or why not. The pick is over in any case. */
int cleaner_clean(struct clean_pick *p, const struct clean_options *o, struct clean_stats *s);

/* For metrics: the uncleanable logs of a directory. */
int logdir_uncleanable(struct logdir *d);

#endif
