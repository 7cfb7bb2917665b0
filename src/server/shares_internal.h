/* What shares.c and share_persist.c share. */
#ifndef OTTLA_SERVER_SHARES_INTERNAL_H
#define OTTLA_SERVER_SHARES_INTERNAL_H

#include "base/hashmap.h"
#include "server/shares.h"

struct persist;

struct shares {
    struct node *node;
    struct share_sessions *sessions;
    _Atomic bool stopping;
    pthread_mutex_t lock; /* of what follows; taken after a share partition's */
    struct hashmap table;
    struct persist *retries;
    struct shared_partition *all; /* also those out of the table that somebody still holds */
};

struct shared_partition *shared_ref(struct shared_partition *p);
/* Not locked: takes it out of the table, wakes who waits. */
void shared_remove(struct shared_partition *p, enum shared_state why, int16_t error);

#endif
