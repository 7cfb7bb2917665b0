/* The metadata log of this node: raft core + storage + loader. Keeps <dir>/__cluster_metadata-0 and its
 * quorum-state as Kafka does, appends batches of metadata records, replays them into the image, writes
 * snapshots and drops what they cover. In this release a quorum of one voter: an append is committed when it
 * is on disk.
 *
 * One owner thread, which may block on fdatasync; nothing here is called from elsewhere. The images that it
 * publishes may be read by all threads (metadata/image.h). No periodic work: kraft_due_ms says when
 * kraft_tick wants to be called. After an I/O error the node is failed: further appends return OE_OFFLINE,
 * what was published stays. */
#ifndef OTTLA_KRAFT_NODE_H
#define OTTLA_KRAFT_NODE_H

#include "base/uuid.h"
#include "metadata/delta.h"
#include "metadata/image.h"
#include "metadata/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs;
struct logdir;
struct kraft;

struct kraft_options {
    struct fs *fs;
    struct logdir *logdir; /* that of dir, borrowed; NULL: it is opened and closed here (metadata.log.dir is
                              no log.dir) */
    const char *dir;       /* metadata.log.dir, or the first of log.dirs */
    const char *cluster_id;
    int32_t node_id;
    struct uuid directory_id; /* of dir, from its meta.properties */
    const char *voters;       /* controller.quorum.voters ("1@host:9093"), or NULL or "": dynamic (KIP-853) */
    const char *listener, *host; /* the controller listener that is advertised */
    uint16_t port;
    int64_t snapshot_bytes;       /* metadata.log.max.record.bytes.between.snapshots, default 20 MiB */
    int64_t snapshot_interval_ms; /* metadata.log.max.snapshot.interval.ms, default 1 h; 0: never by time */
    int64_t segment_bytes;        /* metadata.log.segment.bytes, default 1 GiB */
    int64_t segment_ms;           /* metadata.log.segment.ms, default 7 days */
    int64_t retention_bytes;      /* metadata.max.retention.bytes, default 100 MiB; -1: no limit */
    int64_t retention_ms;         /* metadata.max.retention.ms, default 7 days; -1: no limit */
    bool settle_later;            /* kraft_settle will be called */
    /* Called on the owner's thread after each commit that changed the image, before kraft_append returns;
     * delta and its images are borrowed (image_ref what stays). Not called for what kraft_open loads. May be
     * NULL. */
    void (*published)(void *ctx, const struct image_delta *delta);
    void *ctx;
};

/* Fills in the reference's defaults; fs, dir, ids and endpoints stay to be set. */
void kraft_options_init(struct kraft_options *o);

/* Opens or creates the log, recovers it, loads the newest snapshot and replays what follows it, becomes the
 * leader of a new epoch (quorum-state and a LeaderChange batch on disk). On failure *why (if not NULL) is a
 * line for the operator, to be free()d: OE_CORRUPT, OE_UNSUPPORTED (this node is not the only voter; a record
 * or feature level that is not known), OE_IO … */
int kraft_open(const struct kraft_options *o, int64_t now_ms, struct kraft **out, char **why);
/* With settle_later, once: makes durable what kraft_open and kraft_append wrote, in one go; kraft_append
 * waits for the disk from then on. Before it all that they did may be undone by a crash: nobody may have been
 * promised anything that stands on it. 0, or an error with *why as above; the node is failed then. */
int kraft_settle(struct kraft *k, int64_t now_ms, char **why);
/* Ends cleanly: flushes, writes a snapshot if one is due, closes the log (checkpoints as Kafka's). One that
 * was not settled is left as a crash would. */
void kraft_close(struct kraft *k, int64_t now_ms);

/* The newest committed image, borrowed until the next append (image_ref to keep). */
struct image *kraft_image(const struct kraft *k);
/* Does the log end within a metadata transaction? Then the image is that of before the transaction. */
bool kraft_in_transaction(const struct kraft *k);
int32_t kraft_epoch(const struct kraft *k);
/* The offset that the next record gets. */
int64_t kraft_end_offset(const struct kraft *k);
int64_t kraft_log_start_offset(const struct kraft *k);
int64_t kraft_high_watermark(const struct kraft *k);
/* kraft.version: 0 static voters, 1 dynamic. */
int16_t kraft_version(const struct kraft *k);
/* The records of bootstrap.checkpoint (or the default ones where there is none), for controller_activate. */
const struct record_list *kraft_bootstrap(const struct kraft *k);

/* Appends all records of the list, waits for the disk, replays them, publishes. *last (may be NULL): the
 * offset of the last. Returns 0 or: OE_LIMIT (the list failed, or an atomic list is larger than a batch may
 * be: 8 MiB), OE_OFFLINE, OE_IO, OE_NOSPC. On an error nothing of the list is in the image; the node is
 * failed unless it is OE_LIMIT. offset of record i = *last - n + 1 + i. */
int kraft_append(struct kraft *k, const struct record_list *records, int64_t now_ms, int64_t *last);

/* When kraft_tick wants to run: a time as now_ms, or INT64_MAX. Changes only with kraft_append and
 * kraft_tick. */
int64_t kraft_due_ms(const struct kraft *k);
/* Writes a snapshot that is due and deletes what is no longer needed. Errors are logged; the log stays
 * usable. */
void kraft_tick(struct kraft *k, int64_t now_ms);

#endif
