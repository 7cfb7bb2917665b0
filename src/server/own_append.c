/* Before: server/coordinators, server/markers. After: storage/log, replica/replica. */
#include "server/own_append.h"

#include <stdlib.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "replica/replica.h"
#include "server/error_map.h"
#include "server/housekeeping.h"
#include "server/node.h"
#include "storage/log.h"

enum { SCRATCH_LIMIT = 16 << 20 };

struct flush_wait {
    struct flush_waiter waiter;
    void (*flushed)(void *arg, int64_t next, int err);
    void *arg;
    int64_t next;
};

static void on_flushed(struct flush_waiter *f, int err) { /* worker */
    struct flush_wait *w = (struct flush_wait *)f;
    w->flushed(w->arg, w->next, err);
    free(w);
}

/* With the log's lock held. */
static int16_t append_locked(struct replica *p, struct own_append *a, int64_t *next, bool *waits) {
    struct arena arena;
    struct log_append_result result = {0};
    if (p->deleted) return KERR_NOT_LEADER_OR_FOLLOWER;
    int err = replica_open(p, a->now_ms);
    if (err) return kerr_of_storage(err);
    if (!replica_enough_in_sync(p)) return KERR_NOT_ENOUGH_REPLICAS;
    arena_init(&arena, SCRATCH_LIMIT);
    struct log_append_args args = {
        .bytes = a->batch,
        .len = a->n,
        .leader_epoch = p->leader_epoch,
        .origin = APPEND_COORDINATOR,
        .now_ms = a->now_ms,
        .transaction_version = a->transaction_version,
        .verify = a->verify,
        .guard = a->guard,
        .arena = &arena,
        .codec = a->codec,
    };
    err = log_append(p->log, &args, &result);
    int16_t code = err == OE_INVALID ? kerr_of_fault(result.fault) : kerr_of_storage(err);
    if (!err) {
        err = log_write_queue(p->log, a->now_ms);
        code = kerr_of_storage(err);
    }
    arena_free(&arena);
    if (err) return code ? code : KERR_UNKNOWN_SERVER_ERROR;
    *next = result.last_offset + 1;
    *waits = log_flush_needed(p->log);
    if (!*waits) {
        replica_advance(p);
        return KERR_NONE;
    }
    struct flush_wait *w = xcalloc(1, sizeof *w);
    *w = (struct flush_wait){
        .waiter.flushed = on_flushed, .flushed = a->flushed, .arg = a->arg, .next = *next};
    replica_flush(p, &w->waiter);
    return KERR_NONE;
}

int16_t own_append(struct node *n, struct replica *p, struct own_append *a, int64_t *next, bool *waits) {
    log_lock(p->log);
    int16_t code = append_locked(p, a, next, waits);
    int64_t due = code ? INT64_MAX : log_flush_due(p->log);
    log_unlock(p->log);
    if (n->housekeeping && due != INT64_MAX) housekeeping_due(n->housekeeping, due);
    return code;
}
