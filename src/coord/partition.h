/* One partition of an internal topic that this node leads. Private to coord/; coordinator's thread, but for
 * the shard while it loads, which is the worker's. */
#ifndef OTTLA_COORD_PARTITION_H
#define OTTLA_COORD_PARTITION_H

#include "base/arena.h"
#include "base/heap.h"
#include "coord/coord.h"
#include "io/worker.h"

enum coord_state {
    COORD_LOADING, /* a worker reads the log; requests: COORDINATOR_LOAD_IN_PROGRESS */
    COORD_ACTIVE,
    COORD_FAILED, /* the log cannot be read; requests: NOT_COORDINATOR, until the next election */
};

/* What waits for its records, or for those of before, to be committed; in order of offsets. */
struct coord_wait {
    struct coord_wait *next;
    int64_t offset, deadline_ms; /* committed when the high watermark is there; monotonic */
    struct coord_op *op;         /* NULL: a timer's step */
    void *after;
    int16_t error;
    void *response;
};

struct coord_partition {
    struct coord *coord;
    int32_t index, leader_epoch;
    enum coord_state state;
    uint64_t life; /* another number each time that the partition is opened */
    bool resigned; /* while it loads: let go when that ends */
    void *shard;
    int64_t written, committed; /* offsets behind the last */
    struct coord_wait *waiting, *last;
    struct heap_node due; /* of coord->due */
    struct job load;
    int load_result;
    int64_t loaded_records, load_began_ms, load_wall_ms;
};

struct coord {
    const struct coord_kind *kind;
    struct loop *loop;
    struct workers *workers;
    const struct coord_config *config;
    struct coord_log_ops ops;
    _Atomic int32_t partitions_wanted;
    uint64_t seed;
    struct coord_partition **partitions; /* by index; NULL: not led */
    int32_t cap, loading;                /* loading: loads and jobs that run */
    _Atomic bool stopped;                /* loads look at it */
    struct heap due;                     /* of partitions, by their next deadline */
    struct timer timer;
    struct image *image; /* the newest metadata, a reference; NULL: none yet */
    struct codec *codec;
};

/* partition.c */
void coord_partition_open(struct coord *c, int32_t index, int32_t leader_epoch);
void coord_partition_close(struct coord_partition *p);
void coord_partition_set_due(struct coord_partition *p);
struct shard_now coord_now(const struct coord *c);

/* load.c */
void coord_load_start(struct coord_partition *p);

/* job.c */
void coord_job_start(struct coord_partition *p, struct shard_job *work);

/* write.c */
/* Appends what a step wrote and answers, or lets the answer wait. op NULL: nobody asked. */
void coord_finish_step(struct coord_partition *p, struct coord_op *op, struct shard_result *r);
/* Appends a marker and acts upon it. */
void coord_write_marker(struct coord_partition *p, struct coord_op *op);
void coord_on_committed(struct coord_partition *p, int64_t offset);
void coord_expire_waits(struct coord_partition *p, int64_t now_ms);
void coord_fail_waits(struct coord_partition *p, int16_t error);

/* submit.c */
void coord_answer_error(struct coord_op *op, int16_t error);

#endif
