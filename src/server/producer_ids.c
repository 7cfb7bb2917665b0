#include "server/producer_ids.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/allocate_producer_ids.h"
#include "base/arena.h"
#include "base/mem.h"
#include "io/clock.h"
#include "server/control.h"
#include "server/node.h"
#include "server/request.h"

enum { SHORT = 100 }; /* ids that are left when the next block is fetched */

struct producer_ids {
    pthread_mutex_t lock;
    int64_t next, end;             /* of the block in use */
    int64_t after_next, after_end; /* of the one behind it */
    bool fetching;                 /* in the background */
};

/* A request that waits for a block. */
struct waiting {
    struct allocate_producer_ids_request in;
    struct allocate_producer_ids_response out;
    void (*then)(struct request *r, int64_t id); /* one of the two */
    void (*ready)(struct request *r);
    void *state; /* the handler's, put back before `then` */
};

struct producer_ids *producer_ids_create(void) {
    struct producer_ids *p = xcalloc(1, sizeof *p);
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

void producer_ids_destroy(struct producer_ids *p) {
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* With the lock held. */
static void add_block(struct producer_ids *p, const struct allocate_producer_ids_response *block) {
    if (block->error_code || block->producer_id_len <= 0) return;
    int64_t first = block->producer_id_start, end = first + block->producer_id_len;
    if (p->next == p->end) {
        p->next = first;
        p->end = end;
    } else if (p->after_next == p->after_end) { /* else this block's ids are never used */
        p->after_next = first;
        p->after_end = end;
    }
}

/* A block that is fetched in the background. */
struct fetch {
    struct mail mail;
    struct node *node;
};

static void fetch(struct mail *m) { /* control thread */
    struct fetch *f = (struct fetch *)m;
    struct node *n = f->node;
    struct allocate_producer_ids_request in;
    struct allocate_producer_ids_response out;
    struct record_list records;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    record_list_init(&records);
    struct controller_context x = {.arena = &arena, .now_ms = clock_wall_ms()};
    allocate_producer_ids_request_init(&in);
    in.broker_id = n->id;
    in.broker_epoch = n->broker_epoch;
    controller_allocate_producer_ids(n->control->controller, &x, &in, &out, &records);
    int err = control_commit(n->control, &records);
    pthread_mutex_lock(&n->producer_ids->lock);
    n->producer_ids->fetching = false;
    if (!err) add_block(n->producer_ids, &out);
    pthread_mutex_unlock(&n->producer_ids->lock);
    record_list_free(&records);
    arena_free(&arena);
    free(f);
}

/* With the lock held. */
static void fetch_if_short(struct node *n, struct producer_ids *p) {
    bool enough = p->end - p->next >= SHORT || p->after_next < p->after_end;
    if (enough || p->fetching) return;
    struct fetch *f = xcalloc(1, sizeof *f);
    f->node = n;
    f->mail.deliver = fetch;
    p->fetching = true;
    loop_post(n->control->loop, &f->mail);
}

int64_t producer_ids_take(struct node *n) {
    struct producer_ids *p = n->producer_ids;
    pthread_mutex_lock(&p->lock);
    if (p->next == p->end) {
        p->next = p->after_next;
        p->end = p->after_end;
        p->after_next = p->after_end = 0;
    }
    int64_t id = p->next < p->end ? p->next++ : -1;
    fetch_if_short(n, p);
    pthread_mutex_unlock(&p->lock);
    return id;
}

static void command(struct control *c, struct request *r, struct record_list *records) {
    struct waiting *w = r->state;
    struct controller_context x = {.arena = &r->arena, .now_ms = clock_wall_ms()};
    allocate_producer_ids_request_init(&w->in);
    w->in.broker_id = r->node->id;
    w->in.broker_epoch = r->node->broker_epoch;
    controller_allocate_producer_ids(c->controller, &x, &w->in, &w->out, records);
}

static void finish(struct request *r) {
    struct waiting *w = r->state;
    struct producer_ids *p = r->node->producer_ids;
    r->state = w->state;
    pthread_mutex_lock(&p->lock);
    add_block(p, &w->out);
    pthread_mutex_unlock(&p->lock);
    if (w->ready)
        w->ready(r);
    else
        w->then(r, producer_ids_take(r->node));
}

static struct waiting *wait_for_block(struct request *r) {
    struct waiting *w = request_alloc(r, sizeof *w);
    w->state = r->state;
    r->state = w;
    control_submit(r, command, finish);
    return w;
}

static bool any(struct producer_ids *p) {
    pthread_mutex_lock(&p->lock);
    bool there = p->next < p->end || p->after_next < p->after_end;
    pthread_mutex_unlock(&p->lock);
    return there;
}

void producer_ids_next(struct request *r, void (*then)(struct request *r, int64_t id)) {
    if (any(r->node->producer_ids)) {
        int64_t id = producer_ids_take(r->node);
        if (id >= 0) {
            then(r, id);
            return;
        }
    }
    wait_for_block(r)->then = then;
}

void producer_ids_ensure(struct request *r, void (*then)(struct request *r)) {
    if (any(r->node->producer_ids))
        then(r);
    else
        wait_for_block(r)->ready = then;
}
