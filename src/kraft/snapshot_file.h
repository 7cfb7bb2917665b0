/* Snapshots of the metadata log: <end offset, 20 digits>-<epoch, 10 digits>.checkpoint in its directory
 * (KIP-630). A file holds a control batch (header; with kraft.version 1 also that and the voters), the image
 * as records, a control batch (footer). It is written under another name (.part), synced and renamed: a
 * snapshot is whole or not there. bootstrap.checkpoint has the same form. Source: org.apache.kafka.snapshot.
 */
#ifndef OTTLA_KRAFT_SNAPSHOT_FILE_H
#define OTTLA_KRAFT_SNAPSHOT_FILE_H

#include "kraft/batches.h"
#include "raft/voters.h"

struct fs;

struct snapshot_id {
    int64_t offset; /* behind the last that it contains */
    int32_t epoch;
};

enum { SNAPSHOT_NAME = 48 }; /* bytes of a name with the NUL */

void snapshot_name(struct snapshot_id id, char name[SNAPSHOT_NAME]);
/* All snapshots of a directory, oldest first (free *ids); what a crash left half-written is deleted. */
int snapshot_list(struct fs *fs, const char *dir, struct snapshot_id **ids, int32_t *n);

struct snapshot_content {
    const struct record_list *records;
    int64_t last_timestamp; /* of the last batch that it contains */
    int16_t kraft_version;
    const struct voters *voters; /* with kraft_version 1; may be NULL */
};
/* Writes <dir>/<name>; not durable: the caller syncs file and directory before anything relies on it. */
int snapshot_write(struct fs *fs, const char *dir, const char *name, int32_t epoch,
                   const struct snapshot_content *c, int64_t now_ms, bool durable);

struct snapshot_read {
    int64_t last_timestamp;
    int16_t kraft_version;
    bool has_voters;
    struct voters voters;
    int64_t size; /* bytes */
};
/* Reads it whole. record: for each, offsets are those within the file. OE_NOTFOUND, OE_CORRUPT (no header, no
 * footer, …), or record's error. */
int snapshot_read(struct fs *fs, const char *path, struct codec *codec,
                  int (*record)(void *ctx, const uint8_t *value, size_t len), void *ctx,
                  struct snapshot_read *s);

#endif
