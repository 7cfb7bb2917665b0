#include "io/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "io/clock.h"

int connect_wait(int fd, bool to_write, int timeout_ms) {
    int64_t deadline = clock_mono_ms() + timeout_ms;
    for (;;) {
        int64_t left = deadline - clock_mono_ms();
        struct pollfd p = {.fd = fd, .events = to_write ? POLLOUT : POLLIN};
        int n = poll(&p, 1, left < 0 ? 0 : (int)left);
        if (n > 0) return 0; /* an error, too: the next send or receive names it */
        if (n < 0 && errno != EINTR) return OE_CLOSED;
        if (n == 0) return OE_TIMEOUT;
    }
}

/* One address; errno says what failed. */
static int connect_one(const struct addrinfo *a, int timeout_ms) {
    int one = 1, saved = 0, fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    socklen_t size = sizeof saved;
    if (fd < 0) return -1;
    if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) goto connected;
    saved = errno;
    if (saved != EINPROGRESS) goto out;
    saved = connect_wait(fd, true, timeout_ms) ? ETIMEDOUT : 0;
    if (!saved && getsockopt(fd, SOL_SOCKET, SO_ERROR, &saved, &size)) saved = errno;
    if (saved) goto out;
connected:
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    return fd;
out:
    close(fd);
    errno = saved;
    return -1;
}

int connect_to(const char *host, int port, int timeout_ms, const char **why) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
    int64_t deadline = clock_mono_ms() + timeout_ms;
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int e = getaddrinfo(host, service, &hints, &found);
    if (e) {
        *why = gai_strerror(e);
        return OE_NOTFOUND;
    }
    int fd = -1;
    errno = ETIMEDOUT;
    for (struct addrinfo *a = found; a && fd < 0; a = a->ai_next) {
        int64_t left = deadline - clock_mono_ms();
        if (left > 0) fd = connect_one(a, (int)left);
    }
    int saved = errno;
    freeaddrinfo(found);
    if (fd >= 0) return fd;
    *why = strerror(saved);
    return saved == ETIMEDOUT ? OE_TIMEOUT : OE_CLOSED;
}

int connect_address(const char *host, char text[CONNECT_ADDRESS]) {
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
    const void *address = NULL;
    int family = AF_INET;
    if (getaddrinfo(host, NULL, &hints, &found)) return OE_NOTFOUND;
    for (struct addrinfo *a = found; a && !address; a = a->ai_next)
        if (a->ai_family == AF_INET) address = &((struct sockaddr_in *)a->ai_addr)->sin_addr;
    for (struct addrinfo *a = found; a && !address; a = a->ai_next) {
        if (a->ai_family != AF_INET6) continue;
        address = &((struct sockaddr_in6 *)a->ai_addr)->sin6_addr;
        family = AF_INET6;
    }
    const char *done = address ? inet_ntop(family, address, text, CONNECT_ADDRESS) : NULL;
    freeaddrinfo(found);
    return done ? 0 : OE_NOTFOUND;
}
