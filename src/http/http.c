/* A listener is a socket and one thread of libmicrohttpd. Answers to /metrics are made as they are sent
 * (scrape.h); the others are small and made at once. */
#include "http/http.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "http/health.h"
#include "http/library.h"
#include "http/scrape.h"
#include "io/socket.h"
#include "server/node.h"

enum { LISTENERS_MAX = 8, HOST_MAX = 256, BACKLOG = 64, PIECE = 32 << 10, HEALTH_MAX = 1 << 20 };

struct http_listener {
    char host[HOST_MAX];
    int port, fd;
    struct MHD_Daemon *daemon;
};

struct http {
    struct node *node;
    struct microhttpd library;
    struct http_listener listeners[LISTENERS_MAX];
    int n;
    pthread_t starter;
    atomic_bool leaving;
};

/* ---- answers ---- */

static enum MHD_Result answer(struct http *h, struct MHD_Connection *c, unsigned status, const char *type,
                              const char *text, size_t n) {
    struct MHD_Response *r =
        h->library.create_response_from_buffer(n, (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
    if (!r) return MHD_NO;
    h->library.add_response_header(r, "Content-Type", type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) h->library.add_response_header(r, "Allow", "GET, HEAD");
    enum MHD_Result result = h->library.queue_response(c, status, r);
    h->library.destroy_response(r);
    return result;
}

static ssize_t read_scrape(void *arg, uint64_t at, char *to, size_t room) {
    size_t n = scrape_read(arg, to, room);
    return n ? (ssize_t)n : MHD_CONTENT_READER_END_OF_STREAM;
}

static void free_scrape(void *arg) { scrape_free(arg); }

static enum MHD_Result answer_metrics(struct http *h, struct MHD_Connection *c) {
    struct scrape *s = scrape_new(h->node, atomic_load(&h->leaving));
    struct MHD_Response *r =
        h->library.create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, read_scrape, s, free_scrape);
    if (!r) {
        scrape_free(s);
        return MHD_NO;
    }
    h->library.add_response_header(r, "Content-Type", "text/plain; version=0.0.4; charset=utf-8");
    enum MHD_Result result = h->library.queue_response(c, MHD_HTTP_OK, r);
    h->library.destroy_response(r);
    return result;
}

static enum MHD_Result answer_ready(struct http *h, struct MHD_Connection *c) {
    struct strbuf json;
    strbuf_init(&json, HEALTH_MAX);
    bool ready = health_ready(h->node, atomic_load(&h->leaving), &json);
    enum MHD_Result result = answer(h, c, ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE,
                                    "application/json", strbuf_str(&json), json.len);
    strbuf_free(&json);
    return result;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *c, const char *url, const char *method,
                                  const char *version, const char *body, size_t *body_n, void **state) {
    static const char live[] = "{\"status\":\"live\"}\n",
                      unknown[] = "not found: /metrics, /health/live, /health/ready\n",
                      not_allowed[] = "only GET and HEAD\n";
    struct http *h = arg;
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return answer(h, c, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain", not_allowed, sizeof not_allowed - 1);
    if (!*state) { /* the header has come; the answer goes when the request has ended */
        *state = h;
        return MHD_YES;
    }
    if (!strcmp(url, "/metrics")) return answer_metrics(h, c);
    if (!strcmp(url, "/health/ready")) return answer_ready(h, c);
    if (!strcmp(url, "/health/live"))
        return answer(h, c, MHD_HTTP_OK, "application/json", live, sizeof live - 1);
    return answer(h, c, MHD_HTTP_NOT_FOUND, "text/plain", unknown, sizeof unknown - 1);
}

static void on_trouble(void *arg, const char *format, va_list args) {
    char text[300];
    vsnprintf(text, sizeof text, format, args);
    text[strcspn(text, "\n")] = 0;
    LOG_LIMITED(LOG_DEBUG, "http", "%s", text);
}

/* ---- listeners ---- */

/* HTTP://host:port. 0 or OE_MALFORMED. */
static int parse_listener(const char *s, size_t n, struct http_listener *l) {
    static const char scheme[] = "http://";
    enum { SCHEME = sizeof scheme - 1 };
    char text[HOST_MAX], *colon, *end;
    if (n <= SCHEME || n - SCHEME >= sizeof text || strncasecmp(s, scheme, SCHEME) != 0) return OE_MALFORMED;
    memcpy(text, s + SCHEME, n - SCHEME);
    text[n - SCHEME] = 0;
    colon = strrchr(text, ':');
    if (!colon || !colon[1]) return OE_MALFORMED;
    long port = strtol(colon + 1, &end, 10);
    if (*end || port < 0 || port > 65535) return OE_MALFORMED;
    *colon = 0;
    bool bracketed = text[0] == '[' && colon > text && colon[-1] == ']';
    if (bracketed) colon[-1] = 0;
    snprintf(l->host, sizeof l->host, "%s", bracketed ? text + 1 : text);
    l->port = (int)port;
    return 0;
}

static void close_all(struct http *h) {
    for (int i = 0; i < h->n; i++)
        if (h->listeners[i].fd >= 0) socket_close(h->listeners[i].fd);
    free(h);
}

/* One of the list. 0, or an error with a line. */
static int open_one(struct http *h, const char *s, size_t n, struct strbuf *error) {
    struct http_listener l = {.fd = -1};
    const char *why = NULL;
    if (h->n == LISTENERS_MAX || parse_listener(s, n, &l)) {
        strbuf_addf(error, "ottla.http.listeners: %.*s is not HTTP://host:port", (int)n, s);
        return OE_MALFORMED;
    }
    l.fd = socket_listen(l.host, &l.port, BACKLOG, &why);
    if (l.fd < 0) {
        strbuf_addf(error, "cannot listen on %s:%d (ottla.http.listeners): %s", l.host, l.port, why);
        return OE_IO;
    }
    h->listeners[h->n++] = l;
    return 0;
}

struct http *http_open(const struct config *c, struct strbuf *error) {
    const char *list = config_http_listeners(c);
    struct http *h = xcalloc(1, sizeof *h);
    int err = 0;
    for (const char *p = list; !err && *p;) {
        size_t n = strcspn(p, ",");
        while (n && *p == ' ') p++, n--;
        if (n) err = open_one(h, p, n, error);
        p += n;
        if (*p == ',') p++;
    }
    if (!err && h->n) return h;
    close_all(h);
    return NULL;
}

/* ---- life ---- */

static bool start_one(struct http *h, struct http_listener *l) {
    l->daemon = h->library.start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ERROR_LOG, 0, NULL, NULL,
                                        on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_trouble, h,
                                        MHD_OPTION_LISTEN_SOCKET, l->fd, MHD_OPTION_CONNECTION_LIMIT,
                                        (unsigned)HTTP_CONNECTIONS, MHD_OPTION_CONNECTION_TIMEOUT,
                                        (unsigned)HTTP_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                                        (size_t)HTTP_HEADER + PIECE, MHD_OPTION_END);
    if (l->daemon) l->fd = -1; /* its own now */
    return l->daemon != NULL;
}

static void *start(void *arg) {
    struct http *h = arg;
    const char *why = microhttpd_load(&h->library);
    if (why) {
        LOG_ERROR("http", "no metrics and health by HTTP: %s", why);
        return NULL;
    }
    for (int i = 0; i < h->n; i++) {
        struct http_listener *l = &h->listeners[i];
        if (start_one(h, l))
            LOG_INFO("http", "metrics and health on http://%s:%d", l->host, l->port);
        else
            LOG_ERROR("http", "no metrics and health on http://%s:%d: it cannot be started", l->host,
                      l->port);
    }
    return NULL;
}

void http_start(struct http *h, struct node *n) {
    if (!h) return;
    h->node = n;
    if (pthread_create(&h->starter, NULL, start, h)) abort();
    pthread_setname_np(h->starter, "http");
}

void http_leave(struct http *h) {
    if (h) atomic_store(&h->leaving, true);
}

void http_stop(struct http *h) {
    if (!h) return;
    pthread_join(h->starter, NULL);
    for (int i = 0; i < h->n; i++)
        if (h->listeners[i].daemon) h->library.stop_daemon(h->listeners[i].daemon);
    close_all(h);
}
