/* The topic that a load goes to, and what is asked about it beside the load: create, delete, leaders,
 * offsets. Through client/, so any broker and any cluster will do. Whatever fails ends the program. */
#ifndef OTTLA_BENCH_TARGET_H
#define OTTLA_BENCH_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include "client/client.h"

struct target {
    struct client *client;
    const char *topic;
    int partitions;
    int32_t *leader;      /* of each partition, by target_wait: node id */
    int *port;            /* ... and where it listens on this machine */
    int64_t *first, *end; /* log start and log end */
};

void target_open(struct target *t, int port, const char *topic, int partitions);
void target_close(struct target *t);
/* configs: "name=value". A topic that exists already will do. */
void target_create(struct target *t, int replication, const char *const *configs, int configs_n);
/* A topic that is not there will do. */
void target_delete(struct target *t);
/* Waits until every partition has a leader that also answers ListOffsets (a broker may be named before it is
 * ready); then leader, port, first and end are known. */
void target_wait(struct target *t);
/* Reads `end` again; false when a partition did not answer. */
bool target_read_end(struct target *t);
int64_t target_sum(const struct target *t, const int64_t *offsets);
/* A connection to 127.0.0.1. */
int target_connect(int port, bool blocking);

#endif
