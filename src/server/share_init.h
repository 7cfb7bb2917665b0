/* Share partitions of new share groups or topics get their state: the share coordinator is asked to
 * initialize each, and the group coordinator is told what became of it. In the background; while the share
 * coordinator is not there (its topic is being made, its partition loads), again and again for half a minute.
 * Source: GroupCoordinatorService.persisterInitialize, DefaultStatePersister. */
#ifndef OTTLA_SERVER_SHARE_INIT_H
#define OTTLA_SERVER_SHARE_INIT_H

#include <stdbool.h>

struct group_share_states;
struct loop;
struct node;
struct share_inits;

/* loop: the coordinators'. */
struct share_inits *share_inits_create(struct node *n, struct loop *loop);
/* Any thread. Copies. */
void share_inits_begin(struct share_inits *x, const struct group_share_states *what);
/* Coordinators' thread: nothing is tried again. true: nothing is under way any more. */
bool share_inits_stop(struct share_inits *x);
void share_inits_destroy(struct share_inits *x);

#endif
