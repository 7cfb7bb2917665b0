/* One connection to a broker, for those who may block: requests go out with the version that both sides know
 * best, responses are matched by their correlation id. After any error but OE_UNSUPPORTED, OE_INVALID and
 * OE_TIMEOUT of the connect the connection is closed and `why` says what happened; connecting anew is the
 * owner's choice (client/client.h does so).
 *
 * Deadlines are monotonic milliseconds (io/clock.h). One owner, one thread. */
#ifndef OTTLA_CLIENT_CONNECTION_H
#define OTTLA_CLIENT_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "wire/api.h"

enum { CLIENT_HOST_MAX = 256, CLIENT_WHY_MAX = 400, CLIENT_IN_FLIGHT_MAX = 64 };

struct client_address {
    char host[CLIENT_HOST_MAX];
    int port;
};

/* What the broker speaks of one API; last < first: nothing. */
struct client_range {
    int16_t first, last;
};

/* A request that waits for its response. */
struct client_pending {
    int32_t correlation;
    int16_t key, version;
};

struct client_connection {
    int fd; /* -1: not connected */
    struct client_address address;
    const char *client_id; /* borrowed */
    size_t max_response;   /* bytes of a response's frame; larger ones are an error */
    int32_t next_correlation;
    struct client_pending pending[CLIENT_IN_FLIGHT_MAX]; /* a ring, oldest first */
    int pending_at, pending_n;
    struct client_range ranges[API_KEY_LAST + 1];
    char why[CLIENT_WHY_MAX]; /* what the last error was, for a human */
};

/* "host:port" or "[v6]:port", n characters. 0 or OE_MALFORMED. */
int client_address_parse(const char *text, size_t n, struct client_address *a);
/* Does nothing but prepare c. client_id is borrowed; max_response in bytes. */
void client_connection_init(struct client_connection *c, const char *client_id, size_t max_response);
/* Connects and asks for the broker's versions. 0, OE_NOTFOUND, OE_CLOSED, OE_TIMEOUT, OE_MALFORMED (not a
 * Kafka broker). */
int client_connection_open(struct client_connection *c, const struct client_address *to, int64_t deadline_ms);
void client_connection_close(struct client_connection *c);
static inline bool client_connection_is_open(const struct client_connection *c) { return c->fd >= 0; }

/* The version to use for an API: the largest that both sides know, no larger than at_most (-1: no bound).
 * OE_UNSUPPORTED, with `why`, when there is none. */
int client_version(struct client_connection *c, int16_t key, int16_t at_most);
/* Sends a request (a struct of that API's request). 0, OE_CLOSED, OE_TIMEOUT, OE_INVALID (cannot be encoded),
 * OE_LIMIT (too many in flight). */
int client_send(struct client_connection *c, int16_t key, int16_t version, const void *request,
                int64_t deadline_ms);
/* The response of the oldest request in flight. Decoded into `response`, which borrows from the arena. 0,
 * OE_CLOSED, OE_TIMEOUT, OE_MALFORMED, OE_LIMIT. */
int client_receive(struct client_connection *c, void *response, struct arena *arena, int64_t deadline_ms);
/* Both. Nothing else is in flight. */
int client_exchange(struct client_connection *c, int16_t key, int16_t version, const void *request,
                    void *response, struct arena *arena, int64_t deadline_ms);

/* ---- the pure part, for tests ---- */

/* Writes the frame of a request: length, header, body. 0 or the writer's error. */
int client_frame(struct writer *w, const struct api *api, int16_t version, int32_t correlation,
                 const char *client_id, const void *request);
/* Reads a response's frame without its length. 0, OE_MALFORMED also for another correlation id. */
int client_unframe(const struct client_pending *p, const uint8_t *frame, size_t n, void *response,
                   struct arena *arena);

#endif
