/* What requests may take of the node's memory, all together: parts of requests that have come, what requests
 * are decoded to and answered from (arenas), answers that their clients do not read.
 *
 * The limit is queued.max.request.bytes, or what the machine can spare. Beyond it nobody is refused who has
 * done nothing wrong; who asks for more waits. SCARCE: small requests go on, a large one waits for its turn.
 * OUT, at twice the limit: all wait for their turn.
 *
 * One connection of the node at a time has the turn: it may go on whatever is used, until it is answered. So
 * what is used stays below twice the limit and what one request may take for each loop. There is no dead end:
 * the turn goes on to the next when less than TURN_BYTES come in TURN_MS; who has lost it TURNS times and
 * still has no whole request is closed; an answer that takes longer than TURNS times TURN_MS keeps nobody
 * waiting. While memory is not free, connections are closed that hold some of it and neither send nor read
 * for STALLED_MS.
 *
 * Any thread, but for the turn, which is taken and given back on the connection's loop. */
#ifndef OTTLA_SERVER_REQUEST_MEMORY_H
#define OTTLA_SERVER_REQUEST_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { SMALL_FRAME = 16 << 10, TURN_MS = 200, TURN_BYTES = 32 << 10, TURNS = 50, STALLED_MS = 10000 };

struct connection;

struct request_memory {
    _Atomic int64_t used;
    int64_t limit;
    _Atomic(struct connection *) turn; /* NULL: nobody's; never followed */
};

enum memory_state { MEMORY_FREE, MEMORY_SCARCE, MEMORY_OUT };

/* configured: queued.max.request.bytes, <= 0 for none; largest: socket.request.max.bytes. */
void request_memory_init(struct request_memory *m, int64_t configured, int64_t largest);
bool request_memory_take_turn(struct request_memory *m, struct connection *c);
/* c has it. */
void request_memory_end_turn(struct request_memory *m, struct connection *c);

static inline enum memory_state request_memory_state(const struct request_memory *m) {
    int64_t used = atomic_load_explicit(&m->used, memory_order_relaxed);
    return used < m->limit ? MEMORY_FREE : used / 2 < m->limit ? MEMORY_SCARCE : MEMORY_OUT;
}

/* bytes < 0 gives back. */
static inline void request_memory_add(struct request_memory *m, int64_t bytes) {
    if (bytes) atomic_fetch_add_explicit(&m->used, bytes, memory_order_relaxed);
}

#endif
