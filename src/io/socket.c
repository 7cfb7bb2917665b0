#include "io/socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"

static int listen_on(const struct addrinfo *a, int backlog) {
    int one = 1, zero = 0;
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (a->ai_family == AF_INET6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof zero);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, backlog) == 0) return fd;
    int saved = errno;
    close(fd);
    errno = saved;
    return -1;
}

static int bound_port(int fd) {
    struct sockaddr_storage s = {0};
    socklen_t n = sizeof s;
    if (getsockname(fd, (struct sockaddr *)&s, &n)) return 0;
    return ntohs(s.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&s)->sin6_port
                                         : ((struct sockaddr_in *)&s)->sin_port);
}

int socket_listen(const char *host, int *port, int backlog, const char **why) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE},
                    *found;
    char service[16];
    snprintf(service, sizeof service, "%d", *port);
    int e = getaddrinfo(host && *host ? host : NULL, service, &hints, &found);
    if (e) {
        *why = gai_strerror(e);
        return OE_IO;
    }
    int fd = -1;
    for (int want6 = 1; want6 >= 0 && fd < 0; want6--) /* the IPv6 wildcard takes IPv4 too: prefer it */
        for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next)
            if ((a->ai_family == AF_INET6) == want6) fd = listen_on(a, backlog);
    *why = fd < 0 ? strerror(errno) : NULL;
    freeaddrinfo(found);
    if (fd < 0) return OE_IO;
    *port = bound_port(fd);
    return fd;
}

static void describe(const struct sockaddr_storage *s, struct socket_peer *peer) {
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)s;
    const struct sockaddr_in *four = (const struct sockaddr_in *)s;
    if (s->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &six->sin6_addr, peer->host, sizeof peer->host);
        if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
            memmove(peer->host, peer->host + 7, strlen(peer->host + 7) + 1);
        peer->port = ntohs(six->sin6_port);
    } else {
        inet_ntop(AF_INET, &four->sin_addr, peer->host, sizeof peer->host);
        peer->port = ntohs(four->sin_port);
    }
}

int socket_accept(int listener, struct socket_peer *peer) {
    struct sockaddr_storage s;
    socklen_t n = sizeof s;
    int one = 1, fd = accept4(listener, (struct sockaddr *)&s, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EAGAIN) return OE_AGAIN;
        return errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM ? OE_LIMIT
                                                                                         : OE_CLOSED;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    describe(&s, peer);
    return fd;
}

static ssize_t result(ssize_t n) {
    if (n >= 0) return n;
    return errno == EAGAIN || errno == EINTR ? OE_AGAIN : OE_CLOSED;
}

ssize_t socket_recv(int fd, void *to, size_t n) { return result(recv(fd, to, n, 0)); }

bool socket_peer_gone(int fd) {
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK);
    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

ssize_t socket_send(int fd, const void *from, size_t n, bool more) {
    return result(send(fd, from, n, MSG_NOSIGNAL | (more ? MSG_MORE : 0)));
}

ssize_t socket_sendfile(int fd, int file, int64_t at, size_t n) {
    off_t offset = at;
    return result(sendfile(fd, file, &offset, n));
}

void socket_buffers(int fd, int send_bytes, int receive_bytes) {
    if (send_bytes > 0) setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &send_bytes, sizeof send_bytes);
    if (receive_bytes > 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes, sizeof receive_bytes);
}

void socket_close(int fd) { close(fd); }

bool socket_resolve(const char *host, char (*numeric)[48]) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (getaddrinfo(host, NULL, &hints, &found)) return false;
    bool ok = !numeric || !getnameinfo(found->ai_addr, found->ai_addrlen, *numeric, sizeof *numeric, NULL, 0,
                                       NI_NUMERICHOST);
    freeaddrinfo(found);
    return ok;
}
