/* Work that a shard wants done elsewhere: it runs on a worker, and comes back to the shard if that is still
 * the same one. */
#include <stdlib.h>

#include "base/mem.h"
#include "coord/partition.h"

struct coord_job {
    struct job job;
    struct coord *coord;
    struct shard_job *work;
    int32_t partition;
    uint64_t life;
};

static void run(struct job *j) {
    struct coord_job *job = (struct coord_job *)j;
    job->work->run(job->work);
}

static void done(struct mail *m) {
    struct coord_job *job = (struct coord_job *)((char *)m - offsetof(struct coord_job, job.mail));
    struct coord *c = job->coord;
    struct coord_partition *p = job->partition < c->cap ? c->partitions[job->partition] : NULL;
    c->loading--;
    if (p && p->state == COORD_ACTIVE && p->life == job->life) {
        struct shard_result r = {0};
        c->kind->job_done(p->shard, job->work, coord_now(c), &r);
        coord_finish_step(p, NULL, &r);
        coord_partition_set_due(p);
    } else {
        job->work->drop(job->work);
    }
    free(job);
}

void coord_job_start(struct coord_partition *p, struct shard_job *work) {
    struct coord_job *job = xcalloc(1, sizeof *job);
    *job = (struct coord_job){
        .job = {.work = run, .reply_to = p->coord->loop, .mail.deliver = done},
        .coord = p->coord,
        .work = work,
        .partition = p->index,
        .life = p->life,
    };
    p->coord->loading++;
    workers_submit(p->coord->workers, &job->job);
}
