/* A request on its way through the server, and the contract of a handler.
 *
 * A handler (handlers/<api>.c, one an API) gets the decoded request, and answers exactly once, now or later:
 *
 *     void handle_list_groups(struct request *r, const struct list_groups_request *in) {
 *         struct list_groups_response *out = request_alloc(r, sizeof *out);
 *         list_groups_response_init(out);
 *         …
 *         request_finish(r, out);
 *     }
 *
 * It runs on the connection's network loop and must not block. Later: keep `r`, work on another thread, then
 * call request_resume(r, fn) from there; fn runs on the request's loop and finishes it. The client may have
 * gone in the meantime (r->conn is NULL then): finish as always, nothing is sent.
 *
 * `in` and all that it points to live in the request (in its arena, or for API_PIPELINED rows in the
 * connection's buffer, which is valid until the handler returns and, while the request is not finished, until
 * the end of the burst only). */
#ifndef OTTLA_SERVER_REQUEST_H
#define OTTLA_SERVER_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/kerr.h"
#include "io/loop.h"
#include "wire/types.h"

struct connection;
struct image;
struct net;
struct node;
struct reader;
struct timing;
struct writer;
struct request;

enum {
    REQUEST_INLINE = 3072, /* bytes of arena that a request has without an allocation */
};

/* How an API is served. */
enum api_flags {
    API_PIPELINED =
        1, /* the next request of the connection may begin before this one is finished; decoded in place */
};

/* A row of the table of handlers: one API, one file. */
struct handler {
    const char *name;
    size_t in_size;
    int (*decode)(void *in, struct reader *from, int16_t version, struct arena *a);
    int (*encode)(const void *out, struct writer *to, int16_t version);
    void (*handle)(struct request *r, void *in);
    uint16_t flags;
    int16_t key, min_version, max_version; /* what is served and advertised */
    int16_t flexible;                      /* the first version with flexible headers */
    int throttle_at;                       /* where the response has its throttle time; -1: nowhere */
};

enum { HANDLER_KEYS = 128 };
/* Fills in the versions from the schema; unstable: those too that may still change
 * (unstable.api.versions.enable). Once, before the first connection. */
void handlers_init(bool unstable);
/* NULL: the API is not served. */
const struct handler *handler_find(int16_t key);

struct request {
    struct connection *conn; /* NULL: the client has gone */
    struct net *net;         /* the loop that owns this request */
    struct node *node;
    struct request *next; /* behind it on its connection */
    const struct handler *handler;
    int16_t version;
    int32_t correlation_id;
    struct kstr client_id;
    bool done, silent, orphan;
    bool failed;                       /* done, and the connection ends here */
    bool watched;                      /* metered, or timed */
    bool metered, charged;             /* server/throttle: it began under quotas; its time is counted */
    int32_t throttle_ms;               /* a quota asks for that much silence after the answer */
    struct timing *timing;             /* server/measure; NULL: nothing is measured */
    int64_t local_ns;                  /* of the loop, in its handler; while quotas on time are set */
    const void *out;                   /* the response, once done */
    void (*resume)(struct request *r); /* of request_resume */
    void (*cancel)(
        struct request *r); /* set by a handler that waits: called when the client goes; NULL: it goes on */
    void (*detach)(
        struct request *r); /* API_PIPELINED: called at the end of the burst when the answer has not left:
                             * copies what still points into the connection's buffer; NULL: nothing does */
    void *state;            /* the handler's own */
    struct image *image;    /* of request_image */
    struct mail mail;
    int64_t received_ms; /* monotonic */
    struct arena arena;
    uint64_t memory[REQUEST_INLINE / 8];
};

/* One object of a fixed size from the request's arena, cleared; never NULL (64 KiB are kept back from the
 * limit for such). */
void *request_alloc(struct request *r, size_t size);

/* The newest metadata, held until the request is freed: answers may point into it. The same one for all calls
 * until request_image_again. */
struct image *request_image(struct request *r);
struct image *request_image_again(struct request *r);

/* Any array whose length a client has a say in: NULL when the limit is reached; then call request_fail(). */
static inline void *request_array(struct request *r, size_t count, size_t size) {
    return arena_calloc(&r->arena, count, size);
}

/* Loop thread. `out` lives in the request's arena (or longer). */
void request_finish(struct request *r, const void *out);
/* Loop thread: finished without an answer (Produce with acks=0). */
void request_finish_silent(struct request *r);
/* Loop thread: no answer can be made (malformed, out of memory): closes the connection with one log line. */
void request_fail(struct request *r, const char *why);
/* A handler of an API_PIPELINED API, before it returns: no later request of the connection begins before this
 * one is answered, because it could overtake it. */
void request_run_alone(struct request *r);
/* Any thread: runs fn(r) on the request's loop. */
void request_resume(struct request *r, void (*fn)(struct request *r));
/* The peer's address as text ("127.0.0.1"), or "" when it has gone; and the listener's name that it came by.
 */
const char *request_host(const struct request *r);
const char *request_listener(const struct request *r);

#endif
