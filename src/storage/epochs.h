/* Private to storage/: which leader epoch began at which offset (LeaderEpochFileCache,
 * leader-epoch-checkpoint).
 *
 * Kept in memory, ascending in both; written to the file by epochs_write when it has changed. The batches say
 * the same, so that recovery finds what the file does not have yet; see recover.c. */
#ifndef OTTLA_STORAGE_EPOCHS_H
#define OTTLA_STORAGE_EPOCHS_H

#include <stdbool.h>
#include <stdint.h>

#include "io/file.h"

struct epoch_start {
    int64_t offset;
    int32_t epoch;
};
struct epochs {
    struct epoch_start *at;
    int count, cap;
    bool dirty;    /* memory knows more than the file */
    bool unsynced; /* the file was written but may not be on disk */
    bool exists;   /* there is a file that a power cut may not take away */
};

int epochs_read(struct epochs *e, struct fs *fs,
                const char *dir); /* a missing or empty file is none; OE_CORRUPT */
/* durable: with fsync. The first file of a log may be written without; one that replaces another never is,
 * because a power cut could leave neither. */
int epochs_write(struct epochs *e, struct fs *fs, const char *dir, bool durable);
void epochs_free(struct epochs *e);
static inline int32_t epochs_latest(const struct epochs *e) {
    return e->count ? e->at[e->count - 1].epoch : -1;
}
/* Entries that contradict it are dropped. */
void epochs_assign(struct epochs *e, int32_t epoch, int64_t offset);
void epochs_truncate_end(struct epochs *e, int64_t end);
void epochs_truncate_start(struct epochs *e, int64_t start);
void epochs_clear(struct epochs *e);
void epochs_end_of(const struct epochs *e, int32_t epoch, int64_t log_end, int32_t *found, int64_t *end);
int32_t epochs_for_offset(const struct epochs *e, int64_t offset); /* -1: none */

#endif
