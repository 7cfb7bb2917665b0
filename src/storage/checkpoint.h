/* Private to storage/: the offset checkpoint files of a log directory (OffsetCheckpointFile): text,
 *   0 | number of entries | "topic partition offset" for each, a line each. */
#ifndef OTTLA_STORAGE_CHECKPOINT_H
#define OTTLA_STORAGE_CHECKPOINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/strbuf.h"
#include "io/file.h"

#define RECOVERY_POINTS "recovery-point-offset-checkpoint"
#define LOG_STARTS "log-start-offset-checkpoint"
#define HIGH_WATERMARKS "replication-offset-checkpoint"
#define CLEAN_POINTS "cleaner-offset-checkpoint"

/* Calls each for the entries ("topic-0" and the offset); a missing or empty file has none. OE_CORRUPT: the
 * file is not what it should be; entries before the fault have been given. */
int checkpoint_read(struct fs *fs, const char *dir, const char *file,
                    void (*each)(void *to, const char *name, int64_t offset), void *to);
/* lines: the entries, each with its newline. */
int checkpoint_write(struct fs *fs, const char *dir, const char *file, int count, const struct strbuf *lines);
/* The same content at <file>.tmp, fsynced but not renamed. */
int checkpoint_prepare(struct fs *fs, const char *dir, const char *file, int count,
                       const struct strbuf *lines);
int checkpoint_commit(struct fs *fs, const char *dir, const char *file);

#endif
