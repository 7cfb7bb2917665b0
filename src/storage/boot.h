/* Private to storage/: .ottla-boot, which says whether the machine has run on since a crash.
 *
 * Lines: "boot <id>", one or two "checkpoint <inode> <mtime>", "unverified <log>" for each log that a power
 * cut left and nobody has read since. It holds when the boot id is the machine's and the recovery point
 * checkpoint is one of those named: a copy of the directory, another machine, another broker in between all
 * make it not hold, and the logs are recovered from their recovery points.
 *
 * Written before the first change of a run, and before each new recovery point checkpoint gets its name, and
 * never synced: only a power cut can lose or tear it, and after one it names another boot than the machine's,
 * whatever is left of it. */
#ifndef OTTLA_STORAGE_BOOT_H
#define OTTLA_STORAGE_BOOT_H

#include <stdbool.h>

#include "base/strbuf.h"
#include "io/file.h"

struct boot_checkpoint {
    uint64_t inode; /* 0: there is no file */
    int64_t mtime_ms;
};

/* Does it hold? If so, calls each for every unverified log. */
bool boot_holds(struct fs *fs, const char *dir, void (*each)(void *to, const char *name), void *to);
/* The checkpoint file, or its .tmp. */
int boot_identify(struct fs *fs, const char *dir, bool tmp, struct boot_checkpoint *c);
/* unverified: "unverified <log>" lines. */
int boot_write(struct fs *fs, const char *dir, const struct boot_checkpoint *c, int count,
               const struct strbuf *unverified);

#endif
