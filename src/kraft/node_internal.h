/* Private to kraft/: the node, for node.c (life, append), load.c (from disk to an image) and retain.c
 * (snapshots). */
#ifndef OTTLA_KRAFT_NODE_INTERNAL_H
#define OTTLA_KRAFT_NODE_INTERNAL_H

#include "io/file.h"
#include "kraft/node.h"
#include "kraft/snapshot_file.h"
#include "raft/raft.h"
#include "storage/log.h"
#include "storage/logdir.h"

#define METADATA_TOPIC "__cluster_metadata"

struct kraft {
    struct kraft_options o;
    struct logdir *logdir;
    bool own_logdir;
    struct log *log;
    struct log_config config; /* borrowed by the log */
    char *dir;                /* of the log: <metadata.log.dir>/__cluster_metadata-0 */
    struct raft raft;
    struct image *image; /* committed */
    bool in_transaction; /* the log ends within one */
    int16_t kraft_version;
    struct voters voters;
    bool voters_in_log; /* a VotersRecord stands in the log, not only in the snapshot that formatting wrote */
    struct record_list bootstrap;
    struct codec *codec;
    struct snapshot_id *snapshots; /* oldest first */
    int32_t snapshots_n;
    int32_t last_epoch; /* of what was loaded */
    int64_t bytes_since_snapshot, last_snapshot_ms;
    bool settled; /* appends wait for the disk */
    int failed;   /* the error after which nothing may be written any more, or 0 */
};

/* Sets *why (if not NULL) to a formatted line; returns err. */
int kraft_why(char **why, int err, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Appends whole batches of so many records that begin at the log end, and waits for the disk if the node is
 * settled. */
int kraft_write_batches(struct kraft *k, struct strbuf *b, int32_t records, int64_t now_ms);
/* Records of Raft itself are part of what the image is up to date with. Nobody is told of the new image. */
void kraft_image_reaches(struct kraft *k, int64_t now_ms);

/* Loads snapshot and log into k->image; the log is open and long enough afterwards. */
int kraft_load(struct kraft *k, int64_t now_ms, char **why);
int kraft_load_bootstrap(struct kraft *k, char **why);

/* Is a snapshot due now, and when will it be? */
bool kraft_snapshot_due(const struct kraft *k, int64_t now_ms);
/* Writes a snapshot of the image; drops old ones and the log that they cover, as far as retention wants. */
int kraft_snapshot(struct kraft *k, int64_t now_ms);

#endif
