/* Life of the runtime and of its partitions' places; the mail that comes in; timers.
 *
 *   election ──▶ loading ──▶ active ──▶ resigned: gone
 *                   └──▶ failed (the log is damaged)
 *
 * The timers of all shards share one of the loop: `due` orders the partitions by their next deadline. */
#include "coord/coord.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/jstring.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "coord/partition.h"
#include "metadata/image.h"
#include "record/compress.h"

struct shard_now coord_now(const struct coord *c) {
    return (struct shard_now){.mono = loop_now(c->loop), .wall = loop_wall(c->loop)};
}

static void on_timer(struct timer *t);

struct coord *coord_create(struct loop *loop, struct workers *workers, const struct coord_config *config,
                           const struct coord_log_ops *ops, int32_t partitions, uint64_t seed) {
    ASSERT(partitions > 0);
    struct coord *c = xcalloc(1, sizeof *c);
    *c = (struct coord){
        .loop = loop, .workers = workers, .config = config, .ops = *ops, .seed = seed, .kind = config->kind};
    atomic_init(&c->partitions_wanted, partitions);
    c->timer.on_due = on_timer;
    c->codec = codec_create();
    return c;
}

bool coord_stop(struct coord *c) {
    c->stopped = true;
    for (int32_t i = 0; i < c->cap; i++)
        if (c->partitions[i]) coord_partition_close(c->partitions[i]);
    return c->loading == 0;
}

void coord_destroy(struct coord *c) {
    ASSERT(coord_stop(c));
    loop_timer_cancel(c->loop, &c->timer);
    heap_free(&c->due);
    image_unref(c->image);
    free(c->partitions);
    codec_destroy(c->codec);
    free(c);
}

int32_t coord_partition_of(const struct coord *c, struct kstr key) {
    return jstring_partition(key.s, (size_t)key.len,
                             atomic_load_explicit(&c->partitions_wanted, memory_order_relaxed));
}

void coord_set_partitions(struct coord *c, int32_t partitions) {
    ASSERT(partitions > 0);
    atomic_store_explicit(&c->partitions_wanted, partitions, memory_order_relaxed);
}

/* --- timers --- */

static void arm(struct coord *c) {
    struct heap_node *n = heap_min(&c->due);
    if (n)
        loop_timer_set(c->loop, &c->timer, n->key);
    else
        loop_timer_cancel(c->loop, &c->timer);
}

void coord_partition_set_due(struct coord_partition *p) {
    struct coord *c = p->coord;
    int64_t at = INT64_MAX, before = heap_min(&c->due) ? heap_min(&c->due)->key : INT64_MAX;
    if (p->state == COORD_ACTIVE) at = c->kind->deadline(p->shard);
    const struct coord_wait *w = p->waiting;
    while (w && w->deadline_ms == INT64_MAX) w = w->next; /* nobody waits for these any more */
    if (w && w->deadline_ms < at) at = w->deadline_ms;
    if (heap_has(&p->due)) {
        if (p->due.key == at) return;
        heap_remove(&c->due, &p->due);
    }
    p->due.key = at;
    if (at != INT64_MAX) heap_insert(&c->due, &p->due);
    if ((heap_min(&c->due) ? heap_min(&c->due)->key : INT64_MAX) != before) arm(c);
}

static void on_timer(struct timer *t) {
    struct coord *c = (struct coord *)((char *)t - offsetof(struct coord, timer));
    struct heap_node *n;
    struct shard_result r;
    while ((n = heap_min(&c->due)) && n->key <= loop_now(c->loop)) {
        struct coord_partition *p =
            (struct coord_partition *)((char *)n - offsetof(struct coord_partition, due));
        coord_expire_waits(p, loop_now(c->loop));
        if (c->kind->tick(p->shard, coord_now(c), &r)) coord_finish_step(p, NULL, &r);
        coord_partition_set_due(p);
    }
    arm(c);
}

/* --- news about partitions and topics --- */

enum news_kind { NEWS_ELECTED, NEWS_RESIGNED, NEWS_COMMITTED, NEWS_TOPICS, NEWS_METADATA };

struct news {
    struct mail mail;
    struct coord *coord;
    enum news_kind kind;
    int32_t partition, leader_epoch, n;
    int64_t offset;
    struct kstr *names;
    struct uuid *ids;
    struct image *image; /* NEWS_METADATA: a reference */
    bool added;
    char text[];
};

static void forget_topics(struct coord *c, const struct news *m) {
    struct shard_result r;
    for (int32_t i = 0; c->kind->topics_deleted && i < c->cap; i++) {
        struct coord_partition *p = c->partitions[i];
        if (!p || p->state != COORD_ACTIVE) continue;
        c->kind->topics_deleted(p->shard, m->names, m->ids, m->n, coord_now(c), &r);
        coord_finish_step(p, NULL, &r);
        coord_partition_set_due(p);
    }
}

static void take_image(struct coord *c, const struct news *m) {
    image_unref(c->image);
    c->image = m->image;
    for (int32_t i = 0; c->kind->metadata && i < c->cap; i++) {
        struct coord_partition *p = c->partitions[i];
        if (!p || p->state != COORD_ACTIVE) continue;
        c->kind->metadata(p->shard, c->image, m->names, m->n, m->added);
    }
}

static void on_news(struct mail *mail) {
    struct news *m = (struct news *)mail;
    struct coord *c = m->coord;
    struct coord_partition *p = m->partition < c->cap ? c->partitions[m->partition] : NULL;
    switch (m->kind) {
    case NEWS_ELECTED:
        if (!c->stopped) coord_partition_open(c, m->partition, m->leader_epoch);
        break;
    case NEWS_RESIGNED:
        if (p) coord_partition_close(p);
        break;
    case NEWS_COMMITTED:
        if (p && p->state == COORD_ACTIVE) coord_on_committed(p, m->offset);
        break;
    case NEWS_TOPICS: forget_topics(c, m); break;
    case NEWS_METADATA: take_image(c, m); break;
    }
    free(m);
}

static struct news *news(struct coord *c, enum news_kind kind, size_t text) {
    struct news *m = xcalloc(1, sizeof *m + text);
    m->mail.deliver = on_news;
    m->coord = c;
    m->kind = kind;
    return m;
}

static void post(struct coord *c, enum news_kind kind, int32_t partition, int32_t leader_epoch,
                 int64_t offset) {
    struct news *m = news(c, kind, 0);
    ASSERT(partition >= 0);
    m->partition = partition;
    m->leader_epoch = leader_epoch;
    m->offset = offset;
    loop_post(c->loop, &m->mail);
}

void coord_elected(struct coord *c, int32_t partition, int32_t leader_epoch) {
    post(c, NEWS_ELECTED, partition, leader_epoch, 0);
}
void coord_resigned(struct coord *c, int32_t partition) { post(c, NEWS_RESIGNED, partition, -1, 0); }
void coord_committed(struct coord *c, int32_t partition, int64_t offset) {
    post(c, NEWS_COMMITTED, partition, -1, offset);
}

void coord_metadata(struct coord *c, struct image *image, const struct kstr *changed, int32_t n, bool added) {
    size_t text = 0;
    for (int32_t i = 0; i < n; i++) text += (size_t)changed[i].len;
    struct news *m = news(c, NEWS_METADATA, (size_t)n * sizeof *changed + text);
    m->image = image_ref(image);
    m->added = added;
    m->n = n;
    m->names = (struct kstr *)m->text;
    char *at = (char *)(m->names + n);
    for (int32_t i = 0; i < n; i++) {
        memcpy(at, changed[i].s, (size_t)changed[i].len);
        m->names[i] = (struct kstr){.s = at, .len = changed[i].len};
        at += changed[i].len;
    }
    loop_post(c->loop, &m->mail);
}

void coord_topics_deleted(struct coord *c, const struct kstr *names, const struct uuid *ids, int32_t n) {
    size_t lists = (size_t)n * (sizeof *names + sizeof *ids), text = 0;
    for (int32_t i = 0; i < n; i++) text += (size_t)names[i].len;
    struct news *m = news(c, NEWS_TOPICS, lists + text);
    m->n = n;
    m->names = (struct kstr *)m->text;
    m->ids = (struct uuid *)(m->names + n);
    char *at = (char *)(m->ids + n);
    for (int32_t i = 0; i < n; i++) {
        memcpy(at, names[i].s, (size_t)names[i].len);
        m->names[i] = (struct kstr){.s = at, .len = names[i].len};
        m->ids[i] = ids[i];
        at += names[i].len;
    }
    loop_post(c->loop, &m->mail);
}
