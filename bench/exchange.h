/* Connections of a measuring client that speaks the generated codec: requests of any API, answers as structs.
 * One thread, one epoll. Whatever fails ends the program. */
#ifndef OTTLA_BENCH_EXCHANGE_H
#define OTTLA_BENCH_EXCHANGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "wire/message.h"

enum { LINK_IN_FLIGHT_MAX = 64, KEYS_MAX = 128 };

struct exchange {
    int epoll, port;
    struct arena arena;                                             /* of the answer at hand */
    struct writer writer;                                           /* of the request at hand */
    const struct message *requests[KEYS_MAX], *responses[KEYS_MAX]; /* by API key */
    int64_t requests_n;                                             /* sent so far */
};

/* What was asked and is not answered. */
struct asked {
    int16_t key, version;
    int64_t due; /* ns, the caller's */
};

/* One connection; answers come in the order of the requests. */
struct link {
    struct exchange *x;
    int fd;
    void *owner;
    /* The answer is valid until it returns. */
    void (*on_answer)(struct link *l, const struct asked *asked, const void *answer, int64_t now);
    struct asked asked[LINK_IN_FLIGHT_MAX]; /* a ring */
    unsigned oldest, in_flight;
    uint8_t *in;
    size_t in_len, in_cap;
};

void exchange_open(struct exchange *x, int port);
void exchange_close(struct exchange *x);
/* Serves what has come; waits for it until `until` (ns) at the latest, and no longer than 50 ms. */
void exchange_serve(struct exchange *x, int64_t until);

void link_open(struct exchange *x, struct link *l, void *owner,
               void (*on_answer)(struct link *, const struct asked *, const void *, int64_t));
void link_close(struct link *l);
/* request: the struct of that API. due: comes back with the answer. */
void link_send(struct link *l, int16_t key, int16_t version, const void *request, int64_t due);

/* Asks where the coordinator of a key is until there is one; kind 0: of groups, 1: of transactions. */
void exchange_await_coordinator(struct exchange *x, const char *name, int kind);

#endif
