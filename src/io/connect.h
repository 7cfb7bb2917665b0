/* Connecting to a TCP port and waiting for it, for those who have a thread to block: the command line and the
 * inside client's callers. The event loop's connections do not come through here. */
#ifndef OTTLA_IO_CONNECT_H
#define OTTLA_IO_CONNECT_H

#include <stdbool.h>

/* Tries each address of the host until one answers. A descriptor that never blocks (io/socket.h sends and
 * receives), or OE_TIMEOUT, OE_NOTFOUND (no such host), OE_CLOSED (refused, unreachable) with `why` set to a
 * static text. Blocks for at most timeout_ms, name look-up not counted. */
int connect_to(const char *host, int port, int timeout_ms, const char **why);
/* Waits until the socket can be written to, or read from. 0, OE_TIMEOUT, OE_CLOSED. */
int connect_wait(int fd, bool to_write, int timeout_ms);
/* The numeric text of a host's first address, IPv4 before IPv6, as socket_peer.host shows it. 0 or
 * OE_NOTFOUND. May ask a name server. */
enum { CONNECT_ADDRESS = 48 };
int connect_address(const char *host, char text[CONNECT_ADDRESS]);

#endif
