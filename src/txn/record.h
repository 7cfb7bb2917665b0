/* The records of __transaction_state. Private to txn/. Source: TransactionLog. */
#ifndef OTTLA_TXN_RECORD_H
#define OTTLA_TXN_RECORD_H

#include "txn/entry.h"

struct arena;

/* In `a`, with a null value in either when that is full. version: transaction.version, which says how the
 * value is written. */
struct kbytes txn_record_key(struct arena *a, struct kstr id);
struct kbytes txn_record_value(struct arena *a, const struct txn_values *v, int16_t version);

/* 0, or OE_CORRUPT; *known false: a version of later software, to be passed over. What is read points into
 * the record and the arena, but for v->partitions, which is the caller's to free. */
int txn_record_read_key(struct arena *a, struct kbytes key, bool *known, struct kstr *id);
int txn_record_read_value(struct arena *a, struct kbytes value, bool *known, struct txn_values *v);

#endif
