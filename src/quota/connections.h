/* How fast connections may be made: by all clients together, by those of a listener, by those of an address.
 * The first two make the newest connection wait, and those behind it; an address that is too fast is refused,
 * and what it tried does not count. The caller serializes (the acceptors' lock). Addresses are forgotten
 * after an hour without a connection, or when there are ADDRESSES_MAX of them, those that no longer count.
 * Reference: ConnectionQuotas. */
#ifndef OTTLA_QUOTA_CONNECTIONS_H
#define OTTLA_QUOTA_CONNECTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "quota/rate.h"

enum { ADDRESSES_MAX = 65536, CONNECTION_RATE_UNLIMITED = INT32_MAX };

struct connections;       /* one owner */
struct connection_source; /* a listener */

struct connections *connections_new(const struct rate_window *w, uint64_t seed);
void connections_free(struct connections *c);
/* A listener; lives as long as c. */
struct connection_source *connections_listener(struct connections *c);

/* Limits, connections a second. An address may have its own, else the default of all. */
void connections_limit_all(struct connections *c, int32_t limit);
void connections_limit_listener(struct connection_source *l, int32_t limit);
void connections_forget_addresses(struct connections *c); /* their limits, to be set anew */
void connections_limit_address(struct connections *c, const char *address, int32_t limit); /* NULL: default */

/* Counts a new connection of a listener. How long it must wait, ms, at most one sample. exempt: the listener
 * of brokers does not count for all. */
int32_t connections_wait_ms(struct connections *c, struct connection_source *l, bool exempt, int64_t now);
/* After the wait: may the address connect? 0, or for how many ms it is too fast (then the connection is not
 * counted anywhere). */
int32_t connections_refuse_ms(struct connections *c, struct connection_source *l, bool exempt,
                              const char *address, int64_t now);

#endif
