/* Reading and writing the state of share partitions through the share coordinator, with retries while that is
 * not there yet. Private to shares.c. Source: DefaultStatePersister, PersisterStateManager. */
#ifndef OTTLA_SERVER_SHARE_PERSIST_H
#define OTTLA_SERVER_SHARE_PERSIST_H

struct shared_partition;
struct shares;

/* Begins to load p; it becomes ACTIVE or FAILED. Not locked. */
void share_persist_load(struct shared_partition *p);
/* No loop runs any more: those that wait to try again have failed. */
void share_persist_end_all(struct shares *s);

#endif
