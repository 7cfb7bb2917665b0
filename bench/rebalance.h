/* The frame of the two rebalances: members on connections of their own, a storm, then one that comes and
 * goes, timed until the kind of group says that all is stable. */
#ifndef OTTLA_BENCH_REBALANCE_H
#define OTTLA_BENCH_REBALANCE_H

#include "bench/coordinate.h"
#include "bench/figures.h"

struct rebalance;

/* One member; the frame knows the first part. */
struct member {
    struct rebalance *r;
    struct link link;
    char id[128];
    bool present; /* comes, is there, or goes */
    /* classic: generation, and whether this one has its assignment of it; consumer: epoch, and whether the
     * broker knows what it owns */
    int32_t generation;
    bool settled;
    int32_t owned; /* partitions; consumer only */
    int32_t *partitions;
};

struct rebalance {
    const struct coordinate_options *o;
    struct exchange x;
    struct target target;
    char group[64];
    struct member *members;
    bool going;     /* a rebalance: members ask again and again */
    int32_t before; /* the generation or epoch that it must leave behind */
    /* The kind. */
    void (*join)(struct member *m);
    void (*leave)(struct member *m);
    void (*ask)(struct member *m); /* a heartbeat; only when none of its requests is in flight */
    bool (*stable)(const struct rebalance *r);
    void (*on_answer)(struct link *l, const struct asked *asked, const void *answer, int64_t now);
};

/* The kind's functions are set; the topic is there and known. Prints the figures. */
int rebalance_run(struct rebalance *r);

#endif
