/* Asks our transaction coordinator whether partitions are in a transaction, or adds them to it, before the
 * transaction's first records are written to them. Source: AddPartitionsToTxnManager,
 * ReplicaManager.handleProduceAppend. */
#ifndef OTTLA_SERVER_VERIFICATION_H
#define OTTLA_SERVER_VERIFICATION_H

#include <stdbool.h>
#include <stdint.h>

#include "coord/coord.h"
#include "io/loop.h"
#include "txn/shard.h"

struct request;

/* By the version of the request that brings the records. */
enum verification_kind {
    VERIFY_OLD,  /* clients that do not know TRANSACTION_ABORTABLE */
    VERIFY_ONLY, /* transaction version 1 */
    VERIFY_ADD,  /* version 2: what is not in the transaction is added */
};

/* On the request's loop. In the request's memory. */
struct verification_call {
    struct request *request;
    enum verification_kind kind;
    struct txn_add add;
    struct txn_partitions partitions; /* owned */
    void (*done)(struct verification_call *c);
    void *owner;
    /* private */
    struct coord_op op;
    struct mail mail;
    struct timer timer;
    void *state; /* the request's, while it waits for the timer */
    int64_t again_until;
};

void verification_init(struct verification_call *c, struct request *r, enum verification_kind kind,
                       struct kstr transactional_id, int64_t producer_id, int16_t epoch);
void verification_add(struct verification_call *c, struct kstr topic, int32_t partition);
/* `done` runs on the request's loop, where verification_error() says what became of each partition; then
 * verification_free(). */
void verification_send(struct verification_call *c, void (*done)(struct verification_call *c));
/* 0, or the coordinator's error as a producer may see it. */
int16_t verification_error(const struct verification_call *c, struct kstr topic, int32_t partition);
void verification_free(struct verification_call *c);

/* transaction.partition.verification.enable, as it is now. Any thread. */
struct node;
bool verification_enabled(struct node *n);

#endif
