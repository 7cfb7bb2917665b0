/* Private to storage/: what a log is made of. See log.h for the contract and the files for their parts:
 *   log.c        open, close, offsets            append.c     validate, queue, write, roll
 *   flush.c      group commit                    read.c       slices
 *   lookup.c     times                           change.c     truncate, retain
 *   recover.c    from files to a log             segment.c    one segment
 *   index.c      producers.c      epochs.c       logdir.c     checkpoint.c     boot.c
 *   clean.c      what is compacted: clean_range.c, clean_map.c, clean_batch.c, clean_segment.c, swap.c
 *
 * Invariants of an open log, asserted by log_check:
 *  1. segments are ascending by base, the last one is active; the next one's base ≥ the end of the one
 * before.
 *  2. start ≤ end ≤ next; high watermark in [start, end]; recovery point ≤ end.
 *  3. what is queued fits behind the active segment and is not visible: end moves only after it is written.
 *  4. an index entry never names a batch that is not in the file. */
#ifndef OTTLA_STORAGE_LOG_INTERNAL_H
#define OTTLA_STORAGE_LOG_INTERNAL_H

#include "storage/epochs.h"
#include "storage/index.h"
#include "storage/log.h"
#include "storage/producers.h"

enum {
    LOG_PATH = 1400, /* bytes of any path; a log.dir may have LOG_DIR_PATH of them */
    LOG_DIR_PATH = 1024,
    QUEUE_MAX = 62,            /* batches; with its array in one small allocation */
    PERSIST_BYTES = 16 << 20,  /* index tails go to their files at least this often */
    SNAPSHOT_BYTES = 64 << 20, /* and producers to a snapshot, where a batch counts */
    SNAPSHOT_PER_BATCH = 2048, /* as this much more: each must be read again, however small */
};
enum { NOT_KNOWN = -2 };
enum { RECENT_BATCHES = 8 }; /* a power of two */

/* Where a batch lies in its segment. */
struct batch_place {
    int64_t base_offset, last_offset;
    uint32_t position, size; /* size 0: no batch */
    int8_t magic;
};
#define CUT_FILE ".ottla-cut"

struct segment {
    int64_t base;
    struct file *file; /* NULL: not open */
    struct index offsets, times;
    int64_t max_timestamp, max_timestamp_offset; /* NOT_KNOWN; −1: no records */
    int64_t first_timestamp;                     /* of its first batch; NOT_KNOWN; −1: none */
    int64_t last_time_entry;                     /* timestamp of the last entry in times; −1: none */
    int64_t created_ms, mtime_ms;
    uint32_t size, since_entry; /* bytes; since the last index entry */
    bool indexed;               /* the indexes are loaded */
    bool has_aborts;            /* there is a .txnindex */
    bool writable;              /* file */
};

/* How much of a log on disk is to be believed; recover.c. */
enum log_trust { TRUST_ALL, TRUST_WRITES, TRUST_FLUSHED };

struct log_open {
    struct segment *segments;
    int count, cap;
    struct iovec *queue; /* QUEUE_MAX, while there is something */
    int queued;
    uint32_t queued_bytes;
    int64_t next_offset; /* behind what is queued */
    struct producers producers;
    struct epochs epochs;
    struct txn_end *aborts; /* for the transaction index, with the next write */
    int abort_count, abort_cap;
    int64_t unpersisted, since_snapshot; /* bytes */
    int64_t jitter_ms;
    int64_t unflushed_since; /* ms; INT64_MAX: nothing */
    int64_t bound_offset;    /* the last bound looked up, and where it was */
    int64_t bound_base;
    uint32_t bound_position;
    struct batch_place
        recent[RECENT_BATCHES]; /* of the active segment, the last written: consumers read at the end */
    unsigned recent_next;
    pthread_cond_t flushed;
    int flush_waiters;
    bool flushing, dir_unsynced, rolled;
};

struct log {
    pthread_mutex_t lock;
    struct logdir *_Atomic dir; /* changes, with the lock, when the log is moved */
    const struct log_config *config;
    struct log_open *open; /* NULL: closed */
    struct uuid topic_id;
    int64_t start, end, high_watermark, recovery_point, last_used, size;
    int64_t cut_offset;                     /* of the .ottla-cut file; −1: there is none */
    int64_t clean_point;                    /* below it the log is compacted; −1: nothing is known */
    int64_t clean_seen_end, clean_again_ms; /* cleaner.c: when it was looked at, when to look again */
    int32_t partition, latest_epoch;
    uint32_t cuts; /* how often segments were taken away other than by cleaning */
    uint16_t topic_len;
    uint8_t trust;             /* enum log_trust, of what is on disk, until it has been opened */
    bool on_disk;              /* its directory exists */
    bool metadata;             /* partition.metadata is known to be there */
    bool future, known;        /* known: end and start are right though it is closed */
    bool start_inside;         /* the start lies within the first segment: only the checkpoint knows it */
    bool cleaning;             /* its segments stay until that is over, unless the log is cut or deleted */
    bool uncleanable;          /* a cleaning failed, and would again */
    bool cut_known;            /* a recovery point since the cut is being written */
    _Atomic bool deleted;      /* renamed to -delete, or about to be, set with the lock; only pins keep it */
    _Atomic bool unverified;   /* a crash left it, and it has not been opened since */
    _Atomic bool must_be_read; /* the crash was a power cut */
    _Atomic int pins;          /* of logdir.c's own walks, and logdir_hold */
    char name[];
};

/* log.c */
void log_path(const struct log *l, char path[LOG_PATH]);
void log_file_path(const struct log *l, int64_t base, const char *suffix, char path[LOG_PATH]);
struct fs *log_fs(const struct log *l);
void log_check(const struct log *l);
/* Takes the directory offline for an error of the disk; returns err. */
int log_failed(struct log *l, int err, const char *doing);
struct log *log_new(struct logdir *d, const char *name, const struct log_config *c);
void log_free(struct log *l); /* closes without writing */
void log_free_open(struct log *l);
static inline struct segment *log_active(const struct log *l) {
    return &l->open->segments[l->open->count - 1];
}
struct segment *log_floor(const struct log *l, int64_t offset); /* NULL: below the first */
/* Where the segment's offsets end: the next one's base or the log end. */
int64_t log_segment_end(const struct log *l, const struct segment *s);
struct segment *log_add_segment(struct log *l, int64_t base, int64_t now_ms);

/* segment.c: the log is open; errors are not reported to the directory yet */
int segment_open(struct log *l, struct segment *s, bool writable);
int segment_index(struct log *l, struct segment *s);      /* loads the indexes, or rebuilds them */
int segment_load_index(struct log *l, struct segment *s); /* OE_CORRUPT when they must be rebuilt */
int segment_reset_index(struct log *l, struct segment *s);
int segment_rebuild_index(struct log *l, struct segment *s);
int segment_create(struct log *l, struct segment *s); /* a new file for it */
/* interval: index.interval.bytes */
void segment_note(uint32_t interval, struct segment *s, const uint8_t *batch, uint32_t position,
                  uint32_t size);
int segment_flush_index(struct log *l, struct segment *s);
int segment_finish(struct log *l, struct segment *s); /* the last time entry, and indexes to their files */
void segment_close(struct segment *s);
int64_t segment_max_timestamp(struct log *l, struct segment *s, int *err);
int64_t segment_largest_timestamp(struct log *l, struct segment *s, int *err); /* or its file's time */
int64_t segment_first_timestamp(struct log *l, struct segment *s, int *err);
/* The first batch at or after `from` whose last offset is ≥ offset. 1 and its place, 0 when there is none, or
 * an error. */
int segment_find(struct log *l, struct segment *s, int64_t offset, uint32_t from, struct batch_place *p);
int segment_translate(struct log *l, struct segment *s, int64_t offset,
                      struct batch_place *p); /* with the index */
int segment_truncate(struct log *l, struct segment *s, int64_t offset, int64_t now_ms);
int segment_add_aborts(struct log *l, struct segment *s, const struct txn_end *t, int n);
int segment_truncate_aborts(struct log *l, struct segment *s, int64_t offset);
struct abort_entry {
    int64_t producer_id, first_offset, last_offset, last_stable;
};
int aborts_append(struct file *f, const struct txn_end *t, int n);
int segment_read_aborts(struct log *l, struct segment *s, struct abort_entry **e,
                        int *n); /* the caller frees */

/* Reading batches one after another. */
struct scan {
    struct file *file;
    int64_t at, limit, buffer_at;
    uint8_t *buffer;
    size_t chunk, cap, have; /* chunk: bytes that are read at once */
    bool whole;              /* all bytes of each batch, else its header; of a control batch always all */
};
void scan_start(struct scan *c, struct file *file, int64_t at, int64_t limit, bool whole);
/* 1 and a batch at position *at; 0 at the limit; OE_CORRUPT when what is there is no whole batch; OE_IO,
 * OE_NOMEM. */
int scan_next(struct scan *c, const uint8_t **batch, uint32_t *size, uint32_t *at);
void scan_end(struct scan *c);

/* append.c */
int log_roll_at(struct log *l, int64_t base, int64_t now_ms);
int log_flush_index(struct log *l, struct segment *s); /* epochs first; s may be NULL */
int log_persist(struct log *l, bool snapshot);
void log_drop_queue(struct log *l);
/* recover.c */
int recover_log(struct log *l, int64_t now_ms);
int recover_producers(struct log *l, int64_t to, int64_t now_ms, bool add_aborts);
/* change.c */
void log_cut_done(struct log *l); /* a recovery point below the cut is on disk */
int log_remove_segments(struct log *l, int from, int count, int64_t now_ms);
/* Renames the segment's files to .deleted, to be deleted later; snapshot: the producers' at its base, too. */
int log_set_aside(struct log *l, struct segment *s, int64_t now_ms, bool snapshot);

/* logdir.c */
struct fs *logdir_fs(const struct logdir *d);
/* The log that will take l's place when it is moved there: "<name>.<32 hex digits>-future". */
int logdir_create_future(struct logdir *to, const struct log *l, struct log **future);
/* Both closed, with both locks: f's directory takes l's name, l's gets another and is deleted later; l is the
 * log of f's directory then. f is as deleted, unlocked and let go. On an error l is as it was. */
int logdir_replace(struct log *l, struct log *f, int64_t now_ms);
/* Of logs whose topic is not known; lives as long as the directory. */
const struct log_config *logdir_config(const struct logdir *d);
/* Before anything in the directory is changed in this run. */
int logdir_begin_changes(struct logdir *d);
/* Deletes <stem>.<ext>.deleted for all extensions at due_ms. */
void logdir_delete_later(struct logdir *d, const char *stem, int64_t due_ms);
uint64_t logdir_random(struct logdir *d);
/* With the log's lock: −1 forgets it. Goes to the file with logdir_write_clean_points or the next checkpoint.
 */
void logdir_set_clean_point(struct log *l, int64_t offset);
/* Without any: cleaner-offset-checkpoint. 0 or an error, which takes the directory offline. */
int logdir_write_clean_points(struct logdir *d);

#endif
