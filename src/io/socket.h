/* TCP sockets, never blocking. Byte counts come back as ssize_t: > 0 done, 0 the peer has closed (recv), or
 * an error: OE_AGAIN (wait for the loop's event) or OE_CLOSED (the connection is broken). */
#ifndef OTTLA_IO_SOCKET_H
#define OTTLA_IO_SOCKET_H

#include <stdint.h>
#include <stddef.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

enum { SOCKET_NAME = 64 }; /* characters of an address's text */

struct socket_peer {
    char host[48]; /* numeric */
    int port;
};

/* Listens on host ("" or NULL: every address) and port (0: any; *port gets it). fd, or OE_IO with one log
 * line, which names the reason, in `why` (a static text). */
int socket_listen(const char *host, int *port, int backlog, const char **why);
/* fd, or OE_AGAIN, or OE_LIMIT (no descriptors left), or OE_CLOSED (that one connection failed: go on). */
int socket_accept(int listener, struct socket_peer *peer);
ssize_t socket_recv(int fd, void *to, size_t n);
/* Has the peer closed, with nothing left to read? */
bool socket_peer_gone(int fd);
/* more: more bytes of the same answer follow at once. */
ssize_t socket_send(int fd, const void *from, size_t n, bool more);
/* Sends from a file of the page cache; 0: the file has ended early. */
ssize_t socket_sendfile(int fd, int file, int64_t at, size_t n);
void socket_buffers(int fd, int send_bytes, int receive_bytes); /* -1: the system's */
void socket_close(int fd);
/* An address's text, or a name's first address; NULL: only whether there is one. May ask a name server, and
 * block for that. */
bool socket_resolve(const char *host, char (*numeric)[48]);

#endif
