/* Moves replicas between the log directories of this node (AlterReplicaLogDirs): a slice of a log at a time
 * on a worker, the logs that move in turn, at replica.alter.log.dirs.io.max.bytes.per.second. When a copy has
 * caught up, the controller is told of the new directory, then the copy takes the log's place
 * (storage/move.h), as in ReplicaManager.alterReplicaLogDirs and ReplicaAlterLogDirsThread.
 *
 * All functions: control thread, unless said otherwise. Moves that a stop interrupts begin anew at the next
 * start. */
#ifndef OTTLA_SERVER_MOVER_H
#define OTTLA_SERVER_MOVER_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/types.h"

struct log;
struct logdir;
struct mover;
struct node;

struct mover *mover_create(struct node *n);
/* After the replicas are there: what an earlier run left unfinished. On the thread that starts the node. */
void mover_load(struct mover *m);
/* One partition of AlterReplicaLogDirs: a Kafka error code. The directory that it is in already ends a move
 * elsewhere. */
int16_t mover_move(struct mover *m, struct kstr topic, int32_t partition, struct kstr path);
/* Any thread: does cordoned.log.dirs name it? */
bool log_dir_is_cordoned(struct node *n, const struct logdir *d);
/* The directory that was asked for before the partition was there, or NULL. */
struct logdir *mover_preferred(struct mover *m, const char *name);
/* The control loop has ended: nothing new begins. */
void mover_stop(struct mover *m);
/* The workers have ended. */
void mover_destroy(struct mover *m);

#endif
