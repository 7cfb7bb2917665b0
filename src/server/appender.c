#include "server/appender.h"

#include "base/assert.h"
#include "io/clock.h"
#include "replica/replica.h"
#include "server/housekeeping.h"
#include "server/net.h"
#include "server/node.h"
#include "storage/log.h"

void appender_init(struct appender *a, struct net *n) {
    a->net = n;
    a->replica = NULL;
    a->count = 0;
}

void appender_begin(struct appender *a, struct replica *p) {
    if (a->replica == p && a->count < APPENDER_SLOTS) return;
    appender_flush(a);
    log_lock(p->log);
    a->replica = p;
    replica_open(p, loop_wall(a->net->loop)); /* a failure shows in log_append */
}

void appender_add(struct appender *a, struct append_listener *l) {
    ASSERT(a->replica && a->count < APPENDER_SLOTS);
    a->slots[a->count++] = l;
}

void appender_flush(struct appender *a) {
    struct replica *p = a->replica;
    if (!p) return;
    if (a->count) {
        int err = log_write_queue(p->log, loop_wall(a->net->loop));
        bool must_flush = !err && log_flush_needed(p->log);
        for (int i = 0; i < a->count; i++) a->slots[i]->written(a->slots[i], p, err, must_flush);
        if (!err && !must_flush) replica_advance(p);
        int64_t due =
            err ? INT64_MAX : log_flush_due(p->log); /* flush.ms, or a segment that has just ended */
        if (due != INT64_MAX) housekeeping_due(a->net->node->housekeeping, due);
    }
    a->replica = NULL;
    a->count = 0;
    log_unlock(p->log);
}
