/* Producer ids: given out from blocks of 1,000 that the controller allocates (RPCProducerIdManager). */
#ifndef OTTLA_SERVER_PRODUCER_IDS_H
#define OTTLA_SERVER_PRODUCER_IDS_H

#include <stdint.h>

struct node;
struct producer_ids;
struct request;

struct producer_ids *producer_ids_create(void);
void producer_ids_destroy(struct producer_ids *p);
/* Any thread. The next id; −1: there is none just now, and a block is fetched in the background. The block
 * after is fetched before one comes to its end. */
int64_t producer_ids_take(struct node *n);
/* Network loop. Calls then(r) when producer_ids_take() has ids to give, or when they could not be had. */
void producer_ids_ensure(struct request *r, void (*then)(struct request *r));
/* Network loop. The next id: calls then(r, id) now, or, when a block has to be fetched first, later on the
 * request's loop. id −1: the controller gave none. */
void producer_ids_next(struct request *r, void (*then)(struct request *r, int64_t id));

#endif
