/* Moves a log to another directory (AlterReplicaLogDirs; ReplicaAlterLogDirsThread,
 * LogManager.replaceCurrentWithFutureLog). A second log, "<name>.<id>-future", grows in the target directory
 * until it has all that the first has; then the first takes its place. `struct log` stays the same, so that
 * nobody who holds it notices more than a log that was closed and opened again.
 *
 *     log_move_begin → log_move_some … until it has caught up → log_move_finish (OE_AGAIN: some more)
 *                   ↘ log_move_cancel, at any time before
 *
 * One worker at a time for a log, none of its locks held. The future log is held (logdir_hold) from begin to
 * finish or cancel. A crash leaves the first log and perhaps a part of the second, which may be thrown away;
 * within the finish it may leave both under the same name: both are whole. */
#ifndef OTTLA_STORAGE_MOVE_H
#define OTTLA_STORAGE_MOVE_H

#include "storage/log.h"

struct codec;
struct logdir;

/* own: room for the future log's configuration until finish or cancel. OE_EXISTS: it is there already.
 * OE_INVALID: its name would be too long (log_move_name_fits). */
int log_move_begin(struct log *l, struct logdir *to, struct log_config *own, struct log **future);
/* May a log of a topic with a name so long be moved? Its directory's name has room for 255 bytes. */
bool log_move_name_fits(size_t topic_len, int32_t partition);
/* Copies up to about max_bytes (at least one batch); *moved: how many. 0 and *moved 0: there is nothing more
 * now. An error: of either log; OE_OFFLINE when one of them was deleted. */
int log_move_some(struct log *l, struct log *future, uint32_t max_bytes, struct codec *codec, int64_t now_ms,
                  int64_t *moved);
/* Puts the future log in the first one's place if it has caught up and is as durable. 0: done, `future` is
 * gone; OE_AGAIN: copy on; an error: it stays a future log. eager: waits for the disk while nobody can write,
 * when it has come close in vain often enough. */
int log_move_finish(struct log *l, struct log *future, bool eager, int64_t now_ms);
/* Throws the future log away. */
void log_move_cancel(struct log *future, int64_t now_ms);

#endif
