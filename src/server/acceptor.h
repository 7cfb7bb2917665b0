/* Listening sockets: accepts, keeps to the connection limits, hands each connection to a network loop in
 * turn.
 *
 * Without room (server/connection_limits.h) an acceptor does not look at its socket until somebody leaves.
 * The newest connection waits, and those behind it, when they come faster than the listener or node may take
 * them; that of an address that is too fast is closed after the time that it should have waited
 * (quota/connections.h). Accepting runs on the first network loop. */
#ifndef OTTLA_SERVER_ACCEPTOR_H
#define OTTLA_SERVER_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>

struct acceptor;
struct acceptors;
struct image;
struct listener;
struct node;
struct socket_peer;

struct acceptors *acceptors_create(struct node *n);
/* Opens one listener of the configuration. 0 or OE_IO with the reason in *why; *port is the one that was
 * bound. */
int acceptors_listen(struct acceptors *a, const struct listener *l, int *port, const char **why);
/* From now on connections are accepted. */
void acceptors_start(struct acceptors *a);
/* On the first network loop or when it has ended: closes the listening sockets. */
void acceptors_close(struct acceptors *a);
void acceptors_destroy(struct acceptors *a);

const char *acceptor_name(const struct acceptor *a);
/* A connection that came by this acceptor is gone; told: it had to make room. Any network loop. */
void acceptor_closed(struct acceptor *a, const struct socket_peer *peer, bool told);
/* Control thread, or before it runs: takes limits, rates and, once connections are accepted, listeners of the
 * configuration that is in force: those that are new are opened, those that are gone closed with their
 * connections. */
void acceptors_reconfigure(struct acceptors *a);
/* Likewise: how fast each address may connect (quotas of the image; the configuration's are in the call
 * above). May ask a name server. */
void acceptors_limit_addresses(struct acceptors *a, const struct image *image);

#endif
