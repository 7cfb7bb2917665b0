/* What the files of txn/ share. */
#ifndef OTTLA_TXN_INTERNAL_H
#define OTTLA_TXN_INTERNAL_H

#include "base/arena.h"
#include "base/hashmap.h"
#include "txn/entry.h"
#include "txn/shard.h"

/* In order of arrival. */
struct txn_queue {
    struct txn_entry *first, *last;
};

struct txn_shard {
    const struct txn_config *config;
    const struct txn_env *env;
    int32_t coordinator_epoch;
    struct hashmap ids;   /* id → entry */
    struct arena scratch; /* records and `after` of a step; reset by the next */
    struct txn_queue timed_out, done, expired;
    int64_t next_abort, next_expiry; /* monotonic; INT64_MAX before it is loaded */
    struct shard_record *records;    /* of the step */
    int32_t records_cap;
};

enum txn_after_kind { TXN_AFTER_PLAIN, TXN_AFTER_END, TXN_AFTER_FENCE, TXN_AFTER_COMPLETE, TXN_AFTER_DEAD };

/* For txn_shard_written. One entry, or for TXN_AFTER_DEAD several. Freed there. */
struct txn_after {
    enum txn_after_kind kind;
    int32_t n;
    struct txn_entry *entries[];
};

/* shard.c */
struct txn_entry *txn_find(const struct txn_shard *s, struct kstr id);
void txn_forget(struct txn_shard *s, struct txn_entry *e);
void txn_queue_add(struct txn_queue *q, struct txn_entry *e);
struct txn_entry *txn_queue_take(struct txn_queue *q);
/* The record of e->next is what the step writes. false: no memory; the transition is taken back. */
bool txn_write(struct txn_shard *s, struct txn_entry *e, enum txn_after_kind kind, struct shard_result *r);
void *txn_response(struct arena *a, size_t size, struct shard_result *r);
/* Records of transaction.version 0 cannot say that a client speaks version 2, and who reads them would not
 * know that its epochs are bumped. */
static inline bool txn_can_record(const struct txn_shard *s, int16_t client_version) {
    return client_version == 0 || s->env->version(s->env->arg) >= 1;
}

/* The steps, one a file. */
void txn_step_init(struct txn_shard *s, const struct txn_event *e, struct shard_now now,
                   struct shard_result *r);
void txn_step_add(struct txn_shard *s, const struct txn_event *e, struct shard_now now,
                  struct shard_result *r);
void txn_step_end(struct txn_shard *s, const struct txn_event *e, struct shard_now now,
                  struct shard_result *r);
void txn_step_describe(struct txn_shard *s, const struct txn_event *e, struct shard_result *r);
void txn_step_list(struct txn_shard *s, const struct txn_event *e, struct shard_now now,
                   struct shard_result *r);
void txn_step_marked(struct txn_shard *s, const struct txn_event *e, struct shard_now now,
                     struct shard_result *r);

/* end.c: ends the transaction of a producer that is fenced. 0, and the step has its record; or an error. */
int16_t txn_abort_fenced(struct txn_shard *s, struct txn_entry *e, struct shard_now now,
                         struct shard_result *r);
/* markers.c: the outcome is committed. */
void txn_send_markers(struct txn_shard *s, struct txn_entry *e, struct shard_now now);
/* timer.c */
bool txn_tick(struct txn_shard *s, struct shard_now now, struct shard_result *r);

#endif
