/* A job lives on the coordinators' thread, where both coordinators answer:
 *   begin (any thread) ──mail──▶ ask the share coordinator for each share partition ──▶ all answered
 *        ▲ one of them was not there: after a while                                       │
 *        └────────────────────────────────────────────────────────────────────────────────┤
 *                       tell the group coordinator: initialized, or (any error) not ◀─────┘ */
#include "server/share_init.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "base/mem.h"
#include "coord/coord.h"
#include "group/shard.h"
#include "group/share_answer.h"
#include "metadata/image.h"
#include "server/auto_create.h"
#include "server/coordinators.h"
#include "server/node.h"
#include "share/state.h"

enum { FIRST_RETRY_MS = 20, LAST_RETRY_MS = 1000, GIVE_UP_MS = 30000, ARENA_MAX = 64 << 20 };

struct share_inits {
    struct node *node;
    struct loop *loop;
    struct init *waiting; /* to try again */
    int32_t running;      /* jobs, with those that wait */
    bool stopped;
};

struct init {
    struct share_inits *owner;
    struct arena arena; /* of all below, and of responses */
    struct group_share_states what;
    struct share_state_request *asked;
    struct coord_op *ops, told;
    int32_t n, left;
    int64_t retry_ms, waited_ms;
    struct mail mail;
    struct timer timer;
    struct init *next;
};

static void ask(struct init *j);

static void end(struct init *j) {
    j->owner->running--;
    arena_free(&j->arena);
    free(j);
}

static void on_told(struct coord_op *op) { end(op->owner); }

static void tell(struct init *j, bool initialized) {
    j->what.initialized = initialized;
    j->told = (struct coord_op){
        .api = GROUP_API_SHARE_STATES, .request = &j->what, .arena = &j->arena, .done = on_told, .owner = j};
    coord_submit(coordinators_get(j->owner->node->coordinators, COORDINATOR_GROUP), &j->told, 1);
}

/* --- again --- */

static bool comes_later(int16_t error) {
    return error == KERR_NOT_COORDINATOR || error == KERR_COORDINATOR_NOT_AVAILABLE ||
           error == KERR_COORDINATOR_LOAD_IN_PROGRESS;
}

static void make_topic(struct node *n) {
    struct kstr name = coordinators_topic(n->coordinators, COORDINATOR_SHARE);
    struct image *image = node_image(n);
    bool exists = image_topic_by_name(image, name.s, (size_t)name.len);
    image_unref(image);
    if (exists) return;
    struct auto_create *c = auto_create_begin_own(n);
    auto_create_add(c, name);
    auto_create_submit(c);
}

static void on_again(struct timer *t) {
    struct init *j = (struct init *)((char *)t - offsetof(struct init, timer));
    struct init **at = &j->owner->waiting;
    while (*at != j) at = &(*at)->next;
    *at = j->next;
    ask(j);
}

static bool try_again(struct init *j, int16_t error) {
    if (!comes_later(error) || j->owner->stopped || j->waited_ms >= GIVE_UP_MS) return false;
    make_topic(j->owner->node);
    j->timer.on_due = on_again;
    j->next = j->owner->waiting;
    j->owner->waiting = j;
    loop_timer_set(j->owner->loop, &j->timer, loop_now(j->owner->loop) + j->retry_ms);
    j->waited_ms += j->retry_ms;
    j->retry_ms = j->retry_ms * 2 < LAST_RETRY_MS ? j->retry_ms * 2 : LAST_RETRY_MS;
    return true;
}

/* --- ask --- */

static int16_t first_error(const struct init *j) {
    for (int32_t i = 0; i < j->n; i++) {
        const struct share_state_response *r = j->ops[i].response;
        if (!r || r->error) return r ? r->error : KERR_UNKNOWN_SERVER_ERROR;
    }
    return KERR_NONE;
}

static void on_answer(struct coord_op *op) {
    struct init *j = op->owner;
    if (--j->left) return;
    int16_t error = first_error(j);
    if (error && try_again(j, error)) return;
    if (error)
        LOG_WARN("share", "%.*s: the state of its share partitions cannot be initialized: %s",
                 (int)j->what.group.len, j->what.group.s, kerr_name(error));
    tell(j, !error);
}

static void ask(struct init *j) {
    j->left = j->n;
    for (int32_t i = 0; i < j->n; i++)
        j->ops[i] = (struct coord_op){.api = SHARE_STATE_INITIALIZE,
                                      .request = &j->asked[i],
                                      .arena = &j->arena,
                                      .done = on_answer,
                                      .owner = j};
    coord_submit(coordinators_get(j->owner->node->coordinators, COORDINATOR_SHARE), j->ops, j->n);
}

static void on_begin(struct mail *m) {
    struct init *j = (struct init *)((char *)m - offsetof(struct init, mail));
    j->owner->running++;
    if (j->owner->stopped)
        end(j);
    else
        ask(j);
}

static bool copy_topics(struct init *j, const struct group_share_states *what) {
    j->what.topics = arena_calloc(&j->arena, (size_t)what->topics_n, sizeof *j->what.topics);
    for (; j->what.topics && j->what.topics_n < what->topics_n; j->what.topics_n++) {
        struct group_share_topic *to = &j->what.topics[j->what.topics_n];
        *to = what->topics[j->what.topics_n];
        to->partitions =
            arena_memdup(&j->arena, to->partitions, (size_t)to->partitions_n * sizeof *to->partitions);
        if (!to->partitions) return false;
        j->n += to->partitions_n;
    }
    return j->what.topics;
}

static bool fill(struct init *j, const struct group_share_states *what) {
    int32_t at = 0;
    j->what.group =
        (struct kstr){arena_memdup(&j->arena, what->group.s, (size_t)what->group.len), what->group.len};
    j->what.epoch = what->epoch;
    if (!j->what.group.s || !copy_topics(j, what)) return false;
    j->asked = arena_calloc(&j->arena, (size_t)j->n, sizeof *j->asked);
    j->ops = arena_calloc(&j->arena, (size_t)j->n, sizeof *j->ops);
    if (!j->asked || !j->ops) return false;
    for (int32_t t = 0; t < j->what.topics_n; t++)
        for (int32_t i = 0; i < j->what.topics[t].partitions_n; i++) {
            struct share_state_request *q = &j->asked[at++];
            *q = (struct share_state_request){.group = j->what.group,
                                              .topic = j->what.topics[t].id,
                                              .partition = j->what.topics[t].partitions[i],
                                              .state_epoch = what->epoch,
                                              .start_offset = -1};
            q->key = share_state_key(q->group, &q->topic, q->partition, &j->arena);
            if (q->key.len < 0) return false;
        }
    return j->n > 0;
}

void share_inits_begin(struct share_inits *x, const struct group_share_states *what) {
    struct init *j = xcalloc(1, sizeof *j);
    j->owner = x;
    j->retry_ms = FIRST_RETRY_MS;
    j->mail.deliver = on_begin;
    arena_init(&j->arena, ARENA_MAX);
    if (fill(j, what)) {
        loop_post(x->loop, &j->mail);
        return;
    }
    LOG_WARN("share", "%.*s: too many share partitions to initialize at once", (int)what->group.len,
             what->group.s);
    arena_free(&j->arena);
    free(j);
}

/* --- life --- */

struct share_inits *share_inits_create(struct node *n, struct loop *loop) {
    struct share_inits *x = xcalloc(1, sizeof *x);
    *x = (struct share_inits){.node = n, .loop = loop};
    return x;
}

bool share_inits_stop(struct share_inits *x) {
    x->stopped = true;
    while (x->waiting) {
        struct init *j = x->waiting;
        x->waiting = j->next;
        loop_timer_cancel(x->loop, &j->timer);
        end(j);
    }
    return x->running == 0;
}

void share_inits_destroy(struct share_inits *x) {
    ASSERT(share_inits_stop(x));
    free(x);
}
