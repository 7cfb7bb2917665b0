/* What the parts of `coordinate` share. */
#ifndef OTTLA_BENCH_COORDINATE_H
#define OTTLA_BENCH_COORDINATE_H

#include <stdbool.h>
#include <stdint.h>

#include "bench/exchange.h"
#include "bench/target.h"

struct coordinate_options {
    const char *topic;
    int port, pid;
    int partitions; /* of the topic */
    int clients;    /* producers, members, groups */
    int records;    /* of a transaction */
    int version;    /* of transactions: 1 or 2 */
    int rounds;     /* of rebalances */
    int warm_up;    /* seconds, or rounds of rebalances, that are not counted */
    int seconds;
};

/* What a run costs, from one moment to another. */
struct cost {
    int64_t start; /* ns */
    double broker_cpu, own_cpu;
};

struct cost cost_begin(int pid);
/* Prints the end of the line of figures: what `n` things called `thing` cost since `from`. */
void cost_print(const struct cost *from, int pid, int64_t n, const char *thing);

int coordinate_transactions(const struct coordinate_options *o);
int coordinate_classic(const struct coordinate_options *o);
int coordinate_consumer(const struct coordinate_options *o);
int coordinate_commits(const struct coordinate_options *o);

#endif
