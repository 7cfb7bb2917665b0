/* Appends that the broker makes by itself: the coordinators' records, and transaction markers. As the leader,
 * with acks=all. Any thread but a network loop within a burst that gathers (appender.h). */
#ifndef OTTLA_SERVER_OWN_APPEND_H
#define OTTLA_SERVER_OWN_APPEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct codec;
struct node;
struct replica;

struct own_append {
    uint8_t *batch; /* one; its offsets are set */
    size_t n;
    int16_t transaction_version; /* of a marker */
    bool verify;                 /* of a transactional batch, both: see log_append_args */
    uint64_t guard;
    int64_t now_ms;      /* wall clock */
    struct codec *codec; /* NULL: the batch is taken as it is */
    /* When the disk is to be waited for (flush.messages): called later, on a worker, with 0 or an oerr. */
    void (*flushed)(void *arg, int64_t next, int err);
    void *arg;
};

/* 0 or the code of kerr. *next: the offset behind it. *waits: `flushed` will be called; else it is committed.
 */
int16_t own_append(struct node *n, struct replica *p, struct own_append *a, int64_t *next, bool *waits);

#endif
