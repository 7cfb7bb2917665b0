/* One of log.dirs: its logs, checkpoints, marker of a clean stop, lock, and what is to be deleted later
 * (LogManager, LogDirFailureChannel).
 *
 * Thread: logdir_* may be called from any thread unless said otherwise; a logdir has its own mutex, taken
 * before any log's. A directory that fails goes offline as a whole and stays so; the others go on. */
#ifndef OTTLA_STORAGE_LOGDIR_H
#define OTTLA_STORAGE_LOGDIR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/uuid.h"
#include "io/file.h"
#include "storage/log.h"
#include "storage/log_config.h"

struct logdir;

/* meta.properties, version 1 (and 0 when it has no directory.id). */
struct meta_properties {
    int version;
    char cluster_id[128];
    int32_t node_id;
    struct uuid directory_id; /* zero: none */
};
int meta_properties_read(struct fs *fs, const char *dir,
                         struct meta_properties *m); /* OE_NOTFOUND, OE_MALFORMED, … */
int meta_properties_write(struct fs *fs, const char *dir, const struct meta_properties *m);

struct logdir_options {
    struct fs *fs;
    const char *path;                /* copied */
    const struct log_config *config; /* of logs until log_set_config; borrowed */
    int64_t now_ms;
    void (*on_offline)(void *owner, struct logdir *d,
                       int err); /* once, on the thread that met the error; no locks of ours may
                                    be taken in it: post a message */
    void *owner;
};

/* Takes the lock, reads checkpoints and the names of the partitions, nothing of the logs. Makes the directory
 * if it is missing. OE_AGAIN: another process holds it. */
int logdir_open(const struct logdir_options *o, struct logdir **d);
/* A clean stop: closes all logs (flushed), writes checkpoints and the marker. Frees everything. Owner's
 * thread, no one else in it. */
int logdir_close(struct logdir *d, int64_t now_ms);
/* Frees without writing anything: what a kill would leave. For tests and for a directory that is offline. */
void logdir_abandon(struct logdir *d);

const char *logdir_path(const struct logdir *d);
bool logdir_is_offline(const struct logdir *d);
/* Takes it offline by hand (a failed meta.properties, a test). */
void logdir_fail(struct logdir *d, int err);
bool logdir_was_clean(const struct logdir *d);
/* The broker's epoch in the marker of the clean stop that it was opened after (KIP-966: the controller
 * compares it); -1: none. And what logdir_close writes there, before the last log is closed. */
int64_t logdir_clean_epoch(const struct logdir *d);
void logdir_set_broker_epoch(struct logdir *d, int64_t epoch);

/* A log by its directory name ("topic-0"); NULL when there is none. The pointer is good until
 * logdir_delete_log. */
struct log *logdir_find(struct logdir *d, const char *name);
/* Calls each for all logs, those to be deleted and strays left out; the set must not change in it. */
void logdir_each(struct logdir *d, void (*each)(void *to, struct log *l), void *to);
size_t logdir_count(struct logdir *d);
/* A new log, in memory: its directory and files come with its first append. OE_EXISTS, OE_INVALID (a name
 * that is none). */
int logdir_create_log(struct logdir *d, const char *topic, int32_t partition, const struct uuid *topic_id,
                      const struct log_config *config, struct log **l);
/* Renames its directory to …-delete and forgets it; files go after file.delete.delay.ms. Nobody may use the
 * log any more, but a log_flush() may run, which then answers OE_OFFLINE. */
int logdir_delete_log(struct log *l, int64_t now_ms);
/* The memory of a log that is deleted or put aside stays until it is released as often as it was held. Any
 * thread. */
void logdir_hold(struct log *l);
void logdir_release(struct log *l);
/* The same with -stray, never deleted: a partition that the metadata does not place here. */
int logdir_stray_log(struct log *l);

/* Deletes files that are due and closes logs not used since `idle_before` (0: none). Returns when it wants to
 * be called again (INT64_MAX: not). On a worker. */
int64_t logdir_tick(struct logdir *d, int64_t now_ms, int64_t idle_before);
/* Writes recovery-point-offset-checkpoint and log-start-offset-checkpoint, and replication-offset-checkpoint.
 * On a worker. */
int logdir_checkpoint(struct logdir *d);
/* Recovers one log that a crash left to be verified. True while there are more. On a worker. */
bool logdir_recover_one(struct logdir *d, int64_t now_ms);

#endif
