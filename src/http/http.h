/* The node by HTTP: /metrics (Prometheus text), /health/live, /health/ready (JSON), for GET and HEAD. On the
 * listeners of ottla.http.listeners, each with a thread of its own; no network loop has to do with it.
 *
 * Bounded: HTTP_CONNECTIONS a listener, HTTP_SECONDS without a byte end a connection, a request may have a
 * few KiB of header and no body. */
#ifndef OTTLA_HTTP_HTTP_H
#define OTTLA_HTTP_HTTP_H

struct config;
struct http;
struct node;
struct strbuf;

enum { HTTP_CONNECTIONS = 64, HTTP_SECONDS = 10, HTTP_HEADER = 16 << 10 };

/* Binds what is configured; who connects waits. NULL: nothing is configured, or with one line in *error it
 * cannot be had. */
struct http *http_open(const struct config *c, struct strbuf *error);
/* Serves, as soon as the library is loaded (on a thread: the node does not wait for it). NULL: nothing to do
 * in this and the next two. */
void http_start(struct http *h, struct node *n);
/* From now on the node is not ready. */
void http_leave(struct http *h);
/* Before the node is stopped. */
void http_stop(struct http *h);

#endif
