/* What differs is collected while an image is published, when no record can be appended, and becomes a
 * command of its own afterwards. Its records publish an image in which nothing differs any more. */
#include "server/assignments.h"

#include <stdlib.h>
#include <string.h>

#include "api/assign_replicas_to_dirs.h"
#include "base/arena.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/clock.h"
#include "io/loop.h"
#include "metadata/delta.h"
#include "metadata/version.h"
#include "replica/replica.h"
#include "replica/replicas.h"
#include "server/control.h"
#include "server/node.h"
#include "storage/log.h"

struct one {
    struct uuid topic, dir;
    int32_t partition;
};

struct assignments {
    struct node *node;
    struct mail mail;
    bool posted;
    struct one *waiting; /* of one directory and topic mostly together */
    size_t n, cap;
};

static const struct uuid *directory_of(const struct node *n, const struct log *log) {
    for (int i = 0; i < n->logdirs_n; i++)
        if (n->logdirs[i] == log_dir(log)) return &n->directory_ids[i];
    return NULL;
}

static void add(struct assignments *a, const struct topic *t, int32_t index, const struct uuid *dir) {
    if (a->n == a->cap) {
        a->cap = a->cap ? 2 * a->cap : 16;
        a->waiting = xrealloc(a->waiting, a->cap * sizeof *a->waiting);
    }
    a->waiting[a->n++] = (struct one){t->id, *dir, index};
    if (!a->posted) loop_post(a->node->control->loop, &a->mail);
    a->posted = true;
}

static void look(struct assignments *a, const struct topic *t, int32_t index) {
    const struct partition *p = t->partitions[index];
    enum replica_missing why;
    int32_t place = 0;
    while (p && place < p->replicas_n && p->replicas[place] != a->node->id) place++;
    if (!p || place == p->replicas_n) return;
    struct replica *r = replicas_find_by_id(a->node->replicas, &t->id, index, &why);
    const struct uuid *dir = r && !r->moving ? directory_of(a->node, r->log) : NULL;
    if (dir && !uuid_is_zero(dir) && !uuid_equal(dir, &p->directories[place])) add(a, t, index, dir);
}

void assignments_load(struct assignments *a, const struct image *image) {
    struct pmap_iter it;
    if (image->metadata_version < MV_3_7_IV2) return;
    pmap_iterate(&image->topics_by_id, &it);
    for (const struct topic *t; (t = pmap_next(&it));)
        for (int32_t i = 0; i < t->partitions_n; i++) look(a, t, i);
}

void assignments_apply(struct assignments *a, const struct image_delta *delta) {
    if (delta->after->metadata_version < MV_3_7_IV2) return;
    for (int32_t i = 0; i < delta->topics_n; i++) {
        const struct topic *before = delta->topics[i].before, *after = delta->topics[i].after;
        for (int32_t k = 0; after && k < after->partitions_n; k++)
            if (!before || k >= before->partitions_n || before->partitions[k] != after->partitions[k])
                look(a, after, k);
    }
}

void assignments_tell(struct assignments *a, const struct topic *t, int32_t index, const struct uuid *dir) {
    add(a, t, index, dir);
}

/* ---- the command ---- */

static int by_place(const void *x, const void *y) {
    const struct one *a = x, *b = y;
    int c = memcmp(&a->dir, &b->dir, sizeof a->dir);
    if (!c) c = memcmp(&a->topic, &b->topic, sizeof a->topic);
    return c ? c : (a->partition > b->partition) - (a->partition < b->partition);
}

/* The request: directories, in them topics, in them partitions. */
static void fill(struct assignments *a, struct arena *m, struct assign_replicas_to_dirs_request *r) {
    struct assign_replicas_to_dirs_request_directory_data *d = NULL;
    struct assign_replicas_to_dirs_request_topic_data *t = NULL;
    assign_replicas_to_dirs_request_init(r);
    r->broker_id = a->node->id;
    r->broker_epoch = a->node->broker_epoch;
    r->directories = arena_calloc(m, (size_t)a->node->logdirs_n, sizeof *r->directories);
    qsort(a->waiting, a->n, sizeof *a->waiting, by_place);
    for (size_t i = 0; i < a->n; i++) {
        const struct one *x = &a->waiting[i];
        if (!d || !uuid_equal(&d->id, &x->dir)) {
            d = &r->directories[r->directories_n++];
            d->id = x->dir;
            d->topics = arena_calloc(m, a->n - i, sizeof *d->topics);
            t = NULL;
        }
        if (!t || !uuid_equal(&t->topic_id, &x->topic)) {
            t = &d->topics[d->topics_n++];
            t->topic_id = x->topic;
            t->partitions = arena_calloc(m, a->n - i, sizeof *t->partitions);
        }
        t->partitions[t->partitions_n++].partition_index = x->partition;
    }
}

static void deliver(struct mail *m) {
    struct assignments *a = (struct assignments *)((char *)m - offsetof(struct assignments, mail));
    struct control *c = a->node->control;
    struct assign_replicas_to_dirs_request in;
    struct assign_replicas_to_dirs_response out;
    struct record_list records;
    struct arena memory;
    arena_init(&memory, SIZE_MAX / 2);
    record_list_init(&records);
    fill(a, &memory, &in);
    a->n = 0;
    a->posted = false;
    struct controller_context x = {.arena = &memory, .now_ms = clock_wall_ms()};
    controller_assign_replicas_to_dirs(c->controller, &x, &in, &out, &records);
    if (out.error_code) LOG_WARN("control", "directories of replicas: %s", kerr_name(out.error_code));
    control_commit(c, &records);
    record_list_free(&records);
    arena_free(&memory);
}

struct assignments *assignments_create(struct node *n) {
    struct assignments *a = xcalloc(1, sizeof *a);
    a->node = n;
    a->mail.deliver = deliver;
    return a;
}

void assignments_destroy(struct assignments *a) {
    if (!a) return;
    free(a->waiting);
    free(a);
}
