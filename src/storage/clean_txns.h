/* Private to storage/: the transactions on the way through a log that is cleaned
 * (CleanedTransactionMetadata).
 *
 * Knows from the transaction index which transactions are aborted; of each producer whether its transaction
 * is one of them and whether batches of it have been met: a marker may go only when its transaction has none
 * left. */
#ifndef OTTLA_STORAGE_CLEAN_TXNS_H
#define OTTLA_STORAGE_CLEAN_TXNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/hashmap.h"
#include "storage/log_internal.h"

struct clean_txns {
    const struct abort_entry *aborts; /* ascending by first offset; borrowed */
    int abort_count, next;
    struct hashmap open;
};

void clean_txns_init(struct clean_txns *t, const struct abort_entry *aborts, int n);
void clean_txns_free(struct clean_txns *t);
/* A batch of data: is it of an aborted transaction? */
bool clean_txns_data(struct clean_txns *t, const uint8_t *batch);
/* A whole control batch: may it be discarded? kept: the aborted transaction that a marker stays for, whose
 * entry the cleaned segment needs; *has_kept says whether there is one. OE_CORRUPT: no such control batch. */
int clean_txns_control(struct clean_txns *t, const uint8_t *batch, size_t n, bool *discard,
                       struct abort_entry *kept, bool *has_kept);

#endif
