/* A transaction coordinator's shard with its log in memory, and partitions that transactions write to: so
 * that a test reads as a story of producers, markers, crashes and time. The partitions check what a log
 * checks: epochs, and that a transaction's first record was verified. */
#ifndef OTTLA_TESTS_TXN_WORLD_H
#define OTTLA_TESTS_TXN_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/kerr.h"
#include "txn/shard.h"

enum {
    WORLD_PARTITIONS = 4,
    WORLD_LOG = 100000,
    WORLD_JOBS = 64,
    WORLD_PRODUCERS = 4096,
    WORLD_TOKENS = 20000
};

/* What became of a record, which carries the number of the transaction that its producer meant. */
enum fate { FATE_NONE, FATE_OPEN, FATE_COMMITTED, FATE_ABORTED };

struct seen {      /* of a producer id, by a partition */
    int16_t epoch; /* −1: never seen */
    bool open;
    int guard;                /* 0: none */
    int tokens[64], tokens_n; /* of the open transaction */
};

struct job { /* markers on their way */
    char id[32];
    int64_t producer_id;
    int16_t epoch, version;
    int32_t coordinator_epoch;
    bool commit, to[WORLD_PARTITIONS];
};

struct world {
    struct txn_config config;
    struct txn_env env;
    struct txn_shard *shard;
    struct shard_now now;
    int16_t version; /* transaction.version */
    int64_t next_id; /* of producers; −1: there is none */
    int32_t epoch;   /* of the coordinator */
    int16_t append_error;
    bool hold; /* appended, not committed, until world_release() */
    void *held[256];
    int held_n;
    struct {
        struct kbytes key, value;
    } log[WORLD_LOG];
    int log_n;
    struct job jobs[WORLD_JOBS];
    int jobs_n;
    struct arena arena; /* of answers: until the next step */
    struct seen seen[WORLD_PARTITIONS][WORLD_PRODUCERS];
    uint8_t fates[WORLD_TOKENS][WORLD_PARTITIONS];
    int guards, mixed; /* mixed: records whose fate changed, or that have one twice */
};

/* A producer as a client has it. */
struct client {
    const char *id;
    int64_t producer_id;
    int16_t epoch;
    int version; /* 1 or 2 */
};

struct world *world_begin(void);
void world_end(struct world *w);
/* The coordinator ends; another one reads the first n records (−1: all) and serves in the next epoch. */
void world_restart(struct world *w, int n);
void world_pass(struct world *w, int64_t ms); /* time; timers run */
void world_release(struct world *w);          /* what was held is committed */

/* The error. A client learns what it is given. */
int16_t world_init(struct world *w, struct client *c);
int16_t world_init_as(struct world *w, struct client *c, int64_t producer_id, int16_t epoch);
int16_t world_add(struct world *w, const struct client *c, int partition);
int16_t world_end_txn(struct world *w, struct client *c, bool commit);
/* Verifies or adds, and appends one record of transaction `token`. */
int16_t world_produce(struct world *w, const struct client *c, int partition, int token);
/* In two halves: *guard from the first goes to the second. */
int16_t world_verify(struct world *w, const struct client *c, int partition, int *guard);
int16_t world_append(struct world *w, const struct client *c, int partition, int token, int guard);
/* Writes the markers of a job, to all its partitions or to one of them, and tells the coordinator. */
void world_deliver(struct world *w, int job);
void world_mark(struct world *w, int job, int partition);
void world_settle(struct world *w); /* all jobs, until there are none */

const char *world_state(struct world *w, const char *id); /* "" when there is no such id */
enum fate world_fate(const struct world *w, int token, int partition);

#endif
