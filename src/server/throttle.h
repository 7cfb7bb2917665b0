/* Client quotas on the way of a request: what it uses is recorded, and a client that is above its limit gets
 * its answer at once, with the time for which it should be silent, and is not read from for that time
 * (KIP-124, 219, 599). Reference: KafkaApis, RequestHandlerHelper.
 *
 * The bytes of a Produce count when it begins, those of a Fetch when its answer is made; the loop's time that
 * a request takes counts for all but acks=0 and what brokers ask of each other. A Fetch that is above its
 * limit is answered without records, and its bytes are taken back.
 *
 * Loop thread, if nothing else is said. Nothing here is called while no quota is set (throttle_on). */
#ifndef OTTLA_SERVER_THROTTLE_H
#define OTTLA_SERVER_THROTTLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quota/quotas.h"
#include "server/node.h"

struct connection;
struct image;
struct net;
struct request;
struct throttle; /* of a connection; NULL until a quota is set */

/* A bit per enum quota_type, 0 almost always. Any thread. */
static inline uint32_t throttle_on(const struct node *n) { return quotas_set(&n->quotas); }

/* Before and after the handler of a request. bytes: of its frame. */
void throttle_begin(struct request *r, size_t bytes);
void throttle_handled(struct request *r);
/* The request is done: its time counts; r->throttle_ms becomes the longest of its reasons, and is written
 * into its answer; the connection is silenced. */
void throttle_finish(struct request *r);
/* Time of the loop that belongs to no single request of the connection: writing, sending. throttle_clock: the
 * time now, or 0 when it does not matter. */
int64_t throttle_clock(const struct connection *c);
void throttle_spent(struct connection *c, int64_t since);

/* Fetch: the most that may be read at once; and whether an answer of so many bytes must be left without
 * records.
 */
int32_t throttle_fetch_most(struct request *r);
bool throttle_fetch(struct request *r, size_t bytes);

/* A connection goes. NULL: nothing. */
void throttle_free(struct net *n, struct throttle *t);

/* ---- changes of topics ---- */

/* The quota of one command. */
struct change_quota {
    struct meter *meter; /* NULL: no limit */
    bool strict;
    int32_t throttle_ms;
};
/* strict_since: the version from which a change above the limit is refused; before, it makes the client wait.
 */
void change_quota_begin(struct change_quota *q, struct request *r, int16_t strict_since);
/* As controller_context.mutate. Control thread. */
bool change_quota_take(void *q, int32_t partitions);
/* The command has run. Control thread. */
void change_quota_free(struct change_quota *q);
/* Loop thread, before request_finish: the client is told, and made to wait. */
void change_quota_end(const struct change_quota *q, struct request *r);

/* ---- the node ---- */

void throttle_init(struct node *n);
/* Control thread (or before it runs): the limits of the image are in force. */
void throttle_load(struct node *n, const struct image *image);

#endif
