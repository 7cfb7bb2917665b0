/* The transaction coordinator's state for one partition of __transaction_state. Pure: no I/O, no clock.
 * Source of behaviour: TransactionCoordinator, TransactionStateManager, TransactionMarkerChannelManager of
 * the reference; KIP-98, 360, 890, 939.
 *
 * The runtime (coord/) drives it as record/shard.h says. What leaves the shard besides records:
 *   - a producer id is asked for when one is needed (txn_env.producer_id);
 *   - markers: when PrepareCommit or PrepareAbort is committed, txn_env.send_markers() is told what to write
 *     where. When that is done, TXN_API_MARKED brings it back, and the shard writes CompleteCommit or
 *     CompleteAbort. A shard that is loaded sends the markers of what it finds prepared: a marker may thus be
 *     written twice, which its readers bear.
 *
 * An answer to EndTxn leaves when Prepare… is committed: from then on the outcome is fixed. */
#ifndef OTTLA_TXN_SHARD_H
#define OTTLA_TXN_SHARD_H

#include "record/shard.h"
#include "txn/partitions.h"

struct arena;
struct txn_shard;

/* Milliseconds; the names are those of the broker's configuration. */
struct txn_config {
    int32_t transaction_max_timeout_ms;
    int32_t transaction_abort_timed_out_transaction_cleanup_interval_ms;
    int32_t transactional_id_expiration_ms;
    int32_t transaction_remove_expired_transaction_cleanup_interval_ms;
    bool transaction_two_phase_commit_enable;
};

/* A transaction whose outcome is fixed and has to be told to its partitions. Borrowed, valid during the call.
 */
struct txn_markers {
    struct kstr id;
    int64_t producer_id;
    int16_t epoch, version; /* version: the transaction version of the client */
    int32_t coordinator_epoch;
    bool commit;
    const struct txn_partitions *partitions; /* not empty */
};

struct txn_env {
    void *arg;
    int64_t (*producer_id)(void *arg);                                  /* −1: there is none just now */
    int16_t (*version)(void *arg);                                      /* the feature transaction.version */
    void (*send_markers)(void *arg, const struct txn_markers *markers); /* must not enter the shard */
};

enum txn_api {
    TXN_API_INIT,     /* struct init_producer_id_request → …_response */
    TXN_API_ADD,      /* struct txn_add → struct txn_added */
    TXN_API_END,      /* struct txn_end → struct txn_ended */
    TXN_API_DESCRIBE, /* struct kstr → struct describe_transactions_response_transaction_state */
    TXN_API_LIST,     /* struct txn_list → struct list_transactions_response */
    TXN_API_MARKED,   /* struct txn_marked → no response */
};

/* Adds partitions to a transaction, or asks whether they are in it. */
struct txn_add {
    struct kstr id;
    int64_t producer_id;
    int16_t epoch, client_version;
    bool verify_only;
    const struct txn_partitions *partitions;
};

/* error: of all. missing: those that verify_only did not find (TRANSACTION_ABORTABLE). */
struct txn_added {
    int16_t error;
    struct txn_partitions missing; /* in the arena: not to be freed */
};

struct txn_end {
    struct kstr id;
    int64_t producer_id;
    int16_t epoch, client_version;
    bool commit;
};

struct txn_ended {
    int16_t error, epoch;
    int64_t producer_id; /* −1 and −1: not given */
};

struct txn_list {
    const struct list_transactions_request *request;
    /* Of the pattern; NULL: none was given. */
    bool (*matches)(void *arg, struct kstr id);
    void *arg;
};

/* Markers are written. fenced: a newer coordinator has taken over; the transaction is its. */
struct txn_marked {
    struct kstr id;
    int64_t producer_id;
    int16_t epoch;
    int32_t coordinator_epoch;
    bool fenced;
};

/* A request. Everything is borrowed until it is answered. */
struct txn_event {
    enum txn_api api;
    const void *request;
    struct arena *arena; /* of the response */
};

/* config and env are borrowed; config may change between steps. */
struct txn_shard *txn_shard_create(const struct txn_config *config, const struct txn_env *env,
                                   int32_t coordinator_epoch, uint64_t seed);
void txn_shard_free(struct txn_shard *s);
void txn_shard_set_epoch(struct txn_shard *s, int32_t coordinator_epoch);

int txn_shard_replay(struct txn_shard *s, struct kbytes key, struct kbytes value); /* 0 or OE_CORRUPT */
void txn_shard_loaded(struct txn_shard *s, struct shard_now now);

void txn_shard_step(struct txn_shard *s, const struct txn_event *event, struct shard_now now,
                    struct shard_result *result);
int64_t txn_shard_deadline(const struct txn_shard *s);
bool txn_shard_tick(struct txn_shard *s, struct shard_now now, struct shard_result *result);
/* error: nothing was appended, or the shard goes away. A step whose records were appended is told 0, however
 * late. */
void txn_shard_written(struct txn_shard *s, void *after, int16_t error, struct shard_now now);

/* The answer when no shard holds anything: the names of states that there are not. NULL: no memory. */
struct list_transactions_response *txn_list_none(const struct txn_list *list, struct arena *a);
/* The answer to a request that failed as a whole (NULL: no memory, or there is none), and what a client is
 * told when the write failed (TransactionStateManager.appendTransactionToLog). */
void *txn_error_response(enum txn_api api, const void *request, int16_t error, struct arena *a);
int16_t txn_error_for_client(int16_t error);
int64_t txn_shard_count(const struct txn_shard *s);

#endif
