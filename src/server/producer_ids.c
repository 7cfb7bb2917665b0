#include "server/producer_ids.h"

#include <pthread.h>
#include <stdlib.h>

#include "api/allocate_producer_ids.h"
#include "base/mem.h"
#include "io/clock.h"
#include "server/control.h"
#include "server/node.h"
#include "server/request.h"

struct producer_ids {
    pthread_mutex_t lock;
    int64_t next, end; /* of the block in use */
};

/* A request that waits for a block. */
struct waiting {
    struct allocate_producer_ids_request in;
    struct allocate_producer_ids_response out;
    void (*then)(struct request *r, int64_t id);
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

static int64_t take(struct producer_ids *p) {
    pthread_mutex_lock(&p->lock);
    int64_t id = p->next < p->end ? p->next++ : -1;
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
    if (!w->out.error_code && w->out.producer_id_len > 0) {
        pthread_mutex_lock(&p->lock);
        if (p->next == p->end) { /* else another request was faster: this block's ids are never used */
            p->next = w->out.producer_id_start;
            p->end = p->next + w->out.producer_id_len;
        }
        pthread_mutex_unlock(&p->lock);
    }
    w->then(r, take(p));
}

void producer_ids_next(struct request *r, void (*then)(struct request *r, int64_t id)) {
    int64_t id = take(r->node->producer_ids);
    if (id >= 0) {
        then(r, id);
        return;
    }
    struct waiting *w = request_alloc(r, sizeof *w);
    w->then = then;
    w->state = r->state;
    r->state = w;
    control_submit(r, command, finish);
}
