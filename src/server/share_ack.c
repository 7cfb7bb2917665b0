#include "server/share_ack.h"

#include "base/kerr.h"
#include "metadata/image.h"
#include "server/net.h"
#include "server/node.h"
#include "server/shares.h"

struct kstr share_ack_message(const struct share_ack *a) {
    return kstr_of(a->why);
}

/* An empty list of acknowledgements is answered only beside one that is not. */
bool share_ack_shown(const struct share_ack *a) { return a->error || a->batches_n || a->all->asked; }

static void one_less(struct share_acks *a) {
    if (atomic_fetch_sub(&a->left, 1) == 1) request_resume(a->request, a->finish);
}

static void on_written(void *arg, int16_t error) { /* any thread */
    struct share_ack *ack = arg;
    ack->error = error;
    if (error) ack->why = kerr_message(error);
    one_less(ack->all);
}

static bool valid(const struct share_acks *a, const struct share_acknowledgement *b, int64_t previous_last) {
    int highest = a->renew_known ? SHARE_RENEW : SHARE_REJECT;
    if (b->first > b->last || b->first < previous_last || b->types_n <= 0) return false;
    if (b->types_n > 1 && b->last - b->first != b->types_n - 1) return false;
    for (int32_t i = 0; i < b->types_n; i++)
        if (b->types[i] < 0 || b->types[i] > highest || (b->types[i] == SHARE_RENEW && !a->renew))
            return false;
    return true;
}

static int16_t check(const struct share_acks *a, const struct share_ack *ack) {
    const struct image *image = request_image(a->request);
    const struct topic *t = image_topic_by_id(image, &ack->topic);
    int64_t last = -1;
    if (!t) return KERR_UNKNOWN_TOPIC_ID;
    for (int32_t i = 0; i < ack->batches_n; last = ack->batches[i++].last)
        if (!valid(a, &ack->batches[i], last)) return KERR_INVALID_REQUEST;
    return topic_partition(t, ack->index) ? KERR_NONE : KERR_UNKNOWN_TOPIC_OR_PARTITION;
}

/* What is not active yet or any more knows of no acknowledgement. */
static int16_t apply(struct share_acks *a, struct share_ack *ack, struct shared_partition *p,
                     struct share_write *w) {
    struct share_settings *s = &a->settings;
    if (p->state != SHARED_ACTIVE) {
        ack->why = "there are no such records in flight";
        return KERR_INVALID_RECORD_STATE;
    }
    p->limits = s->limits;
    return share_partition_acknowledge(p->core, a->member, ack->batches, (size_t)ack->batches_n, &s->limits,
                                       loop_now(a->request->net->loop), w, &ack->why);
}

static void acknowledge(struct share_acks *a, struct share_ack *ack) {
    struct share_write w;
    ack->error = check(a, ack);
    if (ack->error || !ack->batches_n) {
        one_less(a);
        return;
    }
    a->asked = true;
    struct shared_partition *p = shares_get(a->request->node->shares, a->group, &ack->topic, ack->index);
    if (!p) {
        ack->error = KERR_UNKNOWN_TOPIC_OR_PARTITION;
        ack->why = kerr_message(KERR_UNKNOWN_TOPIC_OR_PARTITION);
        one_less(a);
        return;
    }
    shared_lock(p);
    int16_t error = apply(a, ack, p, &w);
    if (error) {
        ack->error = error;
        one_less(a);
    } else {
        shared_arm(p);
        shared_write(p, &w, on_written, ack);
    }
    shared_unlock(p);
    shared_unref(p);
}

void share_acks_begin(struct share_acks *a, void (*finish)(struct request *r)) {
    a->finish = finish;
    atomic_init(&a->left, a->n + 1);
    for (int32_t i = 0; i < a->n; i++) {
        a->acks[i].all = a;
        acknowledge(a, &a->acks[i]);
    }
    one_less(a);
}
