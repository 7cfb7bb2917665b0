#include "coord/partition.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"

static void reserve(struct coord *c, int32_t index) {
    if (index < c->cap) return;
    int32_t cap = c->cap ? c->cap : 64;
    while (cap <= index) cap *= 2;
    c->partitions = xrealloc(c->partitions, (size_t)cap * sizeof *c->partitions);
    memset(c->partitions + c->cap, 0, (size_t)(cap - c->cap) * sizeof *c->partitions);
    c->cap = cap;
}

void coord_partition_open(struct coord *c, int32_t index, int32_t leader_epoch) {
    reserve(c, index);
    struct coord_partition *p = c->partitions[index];
    if (p && p->state != COORD_FAILED) {
        p->resigned = false; /* elected again while it loads, or still: the log is the same */
        if (p->leader_epoch == leader_epoch) return;
        p->leader_epoch = leader_epoch;
        if (p->state == COORD_ACTIVE && c->kind->set_epoch) c->kind->set_epoch(p->shard, leader_epoch);
        return;
    }
    if (p) coord_partition_close(p);
    p = c->partitions[index] = xcalloc(1, sizeof *p);
    *p = (struct coord_partition){.coord = c, .index = index, .leader_epoch = leader_epoch};
    /* Another seed for each life, so that member ids are not given out again. */
    c->seed += 0x9e3779b97f4a7c15ull;
    p->life = c->seed;
    p->shard = c->kind->create(&(struct coord_place){
        .config = c->config->shard,
        .env = c->config->env,
        .partition = index,
        .leader_epoch = leader_epoch,
        .seed = c->seed,
    });
    coord_load_start(p);
}

void coord_partition_close(struct coord_partition *p) {
    struct coord *c = p->coord;
    if (p->state == COORD_LOADING) {
        p->resigned = true;
        return;
    }
    if (p->state == COORD_ACTIVE) {
        coord_fail_waits(p, KERR_NOT_COORDINATOR);
        c->kind->unload(p->shard, coord_now(c));
        if (c->kind->count(p->shard)) LOG_INFO("coord", "%s-%d: unloaded", c->kind->topic, p->index);
    }
    p->state = COORD_FAILED;
    ASSERT(!p->waiting);
    coord_partition_set_due(p);
    ASSERT(!heap_has(&p->due));
    c->partitions[p->index] = NULL;
    c->kind->destroy(p->shard);
    free(p);
}
