/* AlterReplicaLogDirs: replicas are told to move to other directories (server/mover.h), each answered for
 * itself. ReplicaManager.alterReplicaLogDirs. Named twice, the last directory counts, as in the reference's
 * map. */
#include "server/handlers/handlers.h"

#include <stdlib.h>
#include <string.h>

#include "api/alter_replica_log_dirs.h"
#include "server/control.h"
#include "server/mover.h"
#include "server/node.h"

struct wish {
    struct kstr topic, path;
    int32_t partition, order;
};

struct state {
    const struct alter_replica_log_dirs_request *in;
    struct alter_replica_log_dirs_response out;
    struct wish *wishes;
    size_t n;
};

static int by_name(struct kstr a, struct kstr b) {
    int32_t shorter = a.len < b.len ? a.len : b.len;
    int c = shorter > 0 ? memcmp(a.s, b.s, (size_t)shorter) : 0;
    return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int by_place(const void *x, const void *y) {
    const struct wish *a = x, *b = y;
    int c = by_name(a->topic, b->topic);
    if (!c) c = (a->partition > b->partition) - (a->partition < b->partition);
    return c ? c : (a->order > b->order) - (a->order < b->order);
}

static void collect(struct state *s) {
    const struct alter_replica_log_dirs_request *in = s->in;
    for (int32_t d = 0; d < in->dirs_n; d++)
        for (int32_t t = 0; t < in->dirs[d].topics_n; t++)
            for (int32_t p = 0; p < in->dirs[d].topics[t].partitions_n; p++) {
                s->wishes[s->n] = (struct wish){in->dirs[d].topics[t].name, in->dirs[d].path,
                                                in->dirs[d].topics[t].partitions[p], (int32_t)s->n};
                s->n++;
            }
    qsort(s->wishes, s->n, sizeof *s->wishes, by_place);
}

static void command(struct control *c, struct request *r, struct record_list *records) {
    (void)records;
    struct state *s = r->state;
    struct alter_replica_log_dirs_response_alter_replica_log_dir_topic_result *t = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const struct wish *w = &s->wishes[i], *next = w + 1;
        if (i + 1 < s->n && kstr_equal(w->topic, next->topic) && w->partition == next->partition) continue;
        if (!t || !kstr_equal(t->topic_name, w->topic)) {
            t = &s->out.results[s->out.results_n++];
            t->topic_name = w->topic;
            t->partitions = request_array(r, s->n - i, sizeof *t->partitions);
        }
        if (!t->partitions) break; /* the request's limit of memory: what is left is not answered */
        t->partitions[t->partitions_n++] =
            (struct alter_replica_log_dirs_response_alter_replica_log_dir_partition_result){
                w->partition, mover_move(c->node->mover, w->topic, w->partition, w->path)};
    }
}

static void finish(struct request *r) { request_finish(r, &((struct state *)r->state)->out); }

void handle_alter_replica_log_dirs(struct request *r, const struct alter_replica_log_dirs_request *in) {
    struct state *s = request_alloc(r, sizeof *s);
    size_t n = 0;
    alter_replica_log_dirs_response_init(&s->out);
    s->in = in;
    for (int32_t d = 0; d < in->dirs_n; d++)
        for (int32_t t = 0; t < in->dirs[d].topics_n; t++) n += (size_t)in->dirs[d].topics[t].partitions_n;
    s->wishes = request_array(r, n, sizeof *s->wishes);
    s->out.results = request_array(r, n, sizeof *s->out.results);
    if (!s->wishes || !s->out.results) {
        request_fail(r, "AlterReplicaLogDirs: too many partitions");
        return;
    }
    collect(s);
    r->state = s;
    control_submit(r, command, finish);
}
