#include "server/share_state_call.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/kerr.h"
#include "metadata/image.h"
#include "server/auto_create.h"
#include "server/net.h"
#include "server/node.h"

enum { FIRST_RETRY_MS = 20, LAST_RETRY_MS = 500, GIVE_UP_MS = 10000 };

/* Around a call that is repeated. The operations that are done wait for the others in `all`. */
struct patient {
    struct coord_call *all; /* the caller's, as it sees it in the end */
    void (*finish)(struct request *r);
    struct timer timer;
    int64_t retry_ms, waited_ms;
};

struct coord_call *share_state_call_begin(struct request *r, enum share_state_api api, int32_t n) {
    struct coord_call *c = coord_call_begin(r, COORDINATOR_SHARE, n);
    struct share_state_request *in = request_array(r, (size_t)n, sizeof *in);
    if (!c || !in) {
        request_fail(r, "out of memory");
        return NULL;
    }
    for (int32_t i = 0; i < n; i++) {
        c->ops[i].api = (int)api;
        c->ops[i].request = &in[i];
    }
    return c;
}

struct share_state_request *share_state_call_at(struct coord_call *c, int32_t i) {
    ASSERT(i < c->n);
    return (struct share_state_request *)(uintptr_t)c->ops[i].request;
}

static bool set_keys(struct coord_call *c) {
    for (int32_t i = 0; i < c->n; i++) {
        struct share_state_request *in = share_state_call_at(c, i);
        in->key = share_state_key(in->group, &in->topic, in->partition, &c->request->arena);
        if (in->key.len >= 0) continue;
        request_fail(c->request, "out of memory");
        return false;
    }
    return true;
}

bool share_state_call_send(struct coord_call *c, void (*finish)(struct request *r)) {
    if (!set_keys(c)) return false;
    coord_call_send(c, finish);
    return true;
}

const struct share_state_response *share_state_call_response(const struct coord_call *c, int32_t i) {
    return c->ops[i].response;
}

/* Equal keys by their places in the request: those are places in one array. */
static int by_place(const void *a, const void *b) {
    const struct share_state_answer *x = a, *y = b;
    int order = memcmp(&x->asked->topic, &y->asked->topic, sizeof x->asked->topic);
    if (!order)
        order = (x->asked->partition > y->asked->partition) - (x->asked->partition < y->asked->partition);
    return order ? order : (x->asked > y->asked) - (x->asked < y->asked);
}

const struct share_state_answer *share_state_call_answers(const struct coord_call *c, int32_t *n) {
    struct share_state_answer *all = request_array(c->request, (size_t)c->n, sizeof *all);
    *n = 0;
    for (int32_t i = 0; i < c->n; i++) {
        if (!all || !share_state_call_response(c, i)) return NULL;
        all[i] =
            (struct share_state_answer){.asked = c->ops[i].request, .got = share_state_call_response(c, i)};
    }
    qsort(all, (size_t)c->n, sizeof *all, by_place);
    for (int32_t i = 0; i < c->n; i++) {
        bool same = *n && uuid_equal(&all[*n - 1].asked->topic, &all[i].asked->topic);
        if (same && all[*n - 1].asked->partition == all[i].asked->partition) {
            all[*n - 1].got = all[i].got;
            continue;
        }
        all[*n] = all[i];
        all[(*n)++].new_topic = !same;
    }
    return all;
}

/* ---- again ---- */

bool share_state_comes_later(int16_t error) {
    return error == KERR_NOT_COORDINATOR || error == KERR_COORDINATOR_NOT_AVAILABLE ||
           error == KERR_COORDINATOR_LOAD_IN_PROGRESS;
}

void share_state_make_topic(struct node *n) {
    struct kstr name = coordinators_topic(n->coordinators, COORDINATOR_SHARE);
    struct image *image = node_image(n);
    bool exists = image_topic_by_name(image, name.s, (size_t)name.len);
    image_unref(image);
    if (exists) return;
    struct auto_create *c = auto_create_begin_own(n);
    auto_create_add(c, name);
    auto_create_submit(c);
}

static bool waits(const struct coord_op *op) {
    const struct share_state_response *r = op->response;
    return r && share_state_comes_later(r->error);
}

static void end_patient(struct request *r, struct patient *p) {
    r->cancel = NULL;
    r->state = p->all;
    p->finish(r);
}

static void on_some_done(struct request *r);

/* Those that wait, as a call of their own. */
static void send_again(struct request *r, struct patient *p) {
    struct coord_call *all = p->all, *some = coord_call_begin(r, COORDINATOR_SHARE, all->n);
    r->state = all;
    if (!some) {
        end_patient(r, p);
        return;
    }
    some->n = 0;
    some->context = p;
    for (int32_t i = 0; i < all->n; i++) {
        if (!waits(&all->ops[i])) continue;
        some->ops[some->n].api = all->ops[i].api;
        some->ops[some->n++].request = all->ops[i].request;
    }
    some->left = some->n;
    r->state = some;
    coord_call_send(some, on_some_done);
}

static void on_again(struct timer *t) {
    struct patient *p = (struct patient *)((char *)t - offsetof(struct patient, timer));
    struct request *r = p->all->request;
    r->cancel = NULL;
    send_again(r, p);
}

static void on_cancel(struct request *r) {
    struct patient *p = ((struct coord_call *)r->state)->context;
    loop_timer_cancel(r->net->loop, &p->timer);
    request_finish_silent(r);
}

static void on_some_done(struct request *r) {
    struct coord_call *some = r->state;
    struct patient *p = some->context;
    bool again = false;
    int32_t at = 0;
    for (int32_t i = 0; i < p->all->n; i++) {
        if (!waits(&p->all->ops[i])) continue;
        p->all->ops[i].response = some->ops[at++].response;
        again |= waits(&p->all->ops[i]);
    }
    if (!again || p->waited_ms >= GIVE_UP_MS || !r->conn) {
        end_patient(r, p);
        return;
    }
    share_state_make_topic(r->node);
    p->timer.on_due = on_again;
    r->cancel = on_cancel;
    loop_timer_set(r->net->loop, &p->timer, loop_now(r->net->loop) + p->retry_ms);
    p->waited_ms += p->retry_ms;
    p->retry_ms = p->retry_ms * 2 < LAST_RETRY_MS ? p->retry_ms * 2 : LAST_RETRY_MS;
}

bool share_state_call_send_patiently(struct coord_call *c, void (*finish)(struct request *r)) {
    struct request *r = c->request;
    struct patient *p = request_alloc(r, sizeof *p);
    struct share_state_response *none = request_alloc(r, sizeof *none);
    *p = (struct patient){.all = c, .finish = finish, .retry_ms = FIRST_RETRY_MS};
    none->error = KERR_NOT_COORDINATOR; /* what has not been asked yet, waits */
    if (!set_keys(c)) return false;
    for (int32_t i = 0; i < c->n; i++) c->ops[i].response = none;
    send_again(r, p);
    return true;
}
