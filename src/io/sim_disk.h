/* A file system in memory that can lose power, be killed, fill up and fail: for tests and the simulator. One
 * thread.
 *
 * What survives a power cut, as weakly as POSIX allows and file systems do it:
 *   - a file's bytes as of its last file_datasync; of what was written since, any sector (512 bytes) may be
 *     there, old, or zero (where the file has grown), and the size may be anything from the old to the new
 * one;
 *   - a directory's names as of its last fs_sync_dir, and of the changes since a prefix in their order;
 *     directories and files do not wait for each other. A rename is one change.
 * A kill loses nothing but what the interrupted operation had not done yet.
 *
 * Operations that change something are counted; one may be told to fail or to be the moment of the cut. */
#ifndef OTTLA_IO_SIM_DISK_H
#define OTTLA_IO_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "io/file.h"

struct sim_disk;

enum sim_fault {
    SIM_NONE,
    SIM_EIO,         /* the operation fails, nothing was done */
    SIM_NOSPC,       /* the same, disk full; operations that need no space succeed */
    SIM_SHORT_WRITE, /* a write does a part and fails; others fail */
    SIM_KILL,        /* a write does a part; from then on everything fails until sim_disk_restart */
    SIM_POWER_CUT,   /* the same, and what was not synced is in doubt */
};

struct sim_disk *sim_disk_create(uint64_t seed);
void sim_disk_destroy(struct sim_disk *d);
struct fs *sim_disk_fs(struct sim_disk *d);
/* The n-th changing operation from now (1: the next one) meets the fault; n = 0: none will. */
void sim_disk_fault_at(struct sim_disk *d, int64_t n, enum sim_fault fault);
/* Has the fault happened? */
bool sim_disk_faulted(const struct sim_disk *d);
/* Changing operations so far. */
int64_t sim_disk_operations(const struct sim_disk *d);
/* Of them, those that wait for the disk. */
int64_t sim_disk_syncs(const struct sim_disk *d);
/* Power cut now, between two operations. */
void sim_disk_cut(struct sim_disk *d);
/* After a kill or a cut: what is left can be used again. Files that were open stay useless (but must be let
 * go). */
void sim_disk_restart(struct sim_disk *d);
/* For the files' times. */
void sim_disk_set_time(struct sim_disk *d, int64_t now_ms);

#endif
