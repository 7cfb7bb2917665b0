/* The way of a member from what it has to its target: first it gives up what is no longer its own (and says
 * so), then it gets what others have given up. It moves to the target's epoch as soon as it has nothing left
 * to give up.
 *
 *            has to give up                      gave up
 *   Stable ─────────────────▶ UnrevokedPartitions ───────▶ Stable, or UnreleasedPartitions
 *      └──── others still have what it should get ────▶ UnreleasedPartitions ──▶ Stable
 *
 * Invariant: a partition is given to a member only if no other member has it or has yet to give it up
 * (consumer_partition_epoch is -1), or the member itself was to give it up. Source: CurrentAssignmentBuilder,
 * GroupMetadataManager.maybeReconcile. */
#include "base/assert.h"
#include "base/kerr.h"
#include "base/log.h"
#include "group/consumer_step.h"
#include "group/own.h"
#include "metadata/image.h"

struct reconcile {
    struct consumer_step *st;
    struct consumer_member *m; /* &st->now */
    int32_t target_epoch;
    const struct assigned *target;
};

static bool is_subscribed(const struct reconcile *r, const struct uuid *id) {
    const struct topic *t = r->st->s->image ? image_topic_by_id(r->st->s->image, id) : NULL;
    if (!t) return false;
    struct kstr name = {t->name, t->name_len};
    if (names_has(&r->m->m.topics, name)) return true;
    const struct resolved *regex = consumer_has_regex(r->m) ? consumer_resolved(r->st->c, r->m->regex) : NULL;
    return regex && names_has(&regex->topics, name);
}

/* Whether the member still has some of them; if it does not say, it has. */
static bool has_some(const struct consumer_step *st, const struct assigned *a) {
    if (!st->owned_known) return true;
    for (int32_t t = 0; t < assigned_topics(st->owned); t++) {
        const struct assigned_topic *of = assigned_topic(a, &st->owned->topics[t].id);
        for (int32_t i = 0; of && i < st->owned->topics[t].n; i++)
            if (assigned_topic_get(of, st->owned->topics[t].partitions[i])) return true;
    }
    return false;
}

static void move_to(struct consumer_member *m, int32_t epoch) {
    m->m.previous_epoch = m->m.epoch;
    m->m.epoch = epoch;
}

static struct assigned *finish(struct reconcile *r, struct assigned_builder *b) {
    struct assigned *a = assigned_finish(b, false);
    if (b->failed) consumer_fail(r->st, KERR_UNKNOWN_SERVER_ERROR, "The assignment is too large.");
    return a;
}

/* The member unsubscribed while it is at the target's epoch, or has yet to give up others: what it no longer
 * wants is taken at once. */
static void drop_unsubscribed(struct reconcile *r) {
    struct consumer_member *m = r->m;
    struct assigned_builder keep = assigned_begin(&r->st->s->scratch), give = keep;
    bool changed = false;
    assigned_add_all(&give, m->revoking);
    for (int32_t t = 0; t < assigned_topics(m->assigned); t++) {
        const struct assigned_topic *of = &m->assigned->topics[t];
        bool wanted = is_subscribed(r, &of->id);
        changed |= !wanted;
        assigned_add_topic(wanted ? &keep : &give, &of->id, of->partitions, of->n, of->epochs, 0);
    }
    if (!changed) return;
    struct assigned *assigned = finish(r, &keep), *revoking = finish(r, &give);
    m->assigned = assigned;
    move_to(m, m->m.epoch);
    if (!revoking || !has_some(r->st, revoking)) return;
    m->m.state = MEMBER_UNREVOKED;
    m->revoking = revoking;
}

/* Parts of the difference between what a member has and its target. */
struct difference {
    struct assigned_builder keep, give, get;
    bool unreleased; /* some of the target is still with others */
};

static void target_topic(struct reconcile *r, struct difference *d, const struct assigned_topic *target) {
    const struct assigned_topic *has = assigned_topic(r->m->assigned, &target->id);
    const struct assigned_topic *giving = assigned_topic(r->m->revoking, &target->id);
    if (!is_subscribed(r, &target->id)) return;
    for (int32_t i = 0; i < target->n; i++) {
        int32_t p = target->partitions[i];
        if (assigned_topic_get(has, p)) continue;
        if (consumer_partition_epoch(r->st->c, &target->id, p) != -1 && !assigned_topic_get(giving, p))
            d->unreleased = true;
        else
            assigned_add(&d->get, &target->id, p, r->target_epoch);
    }
}

static void current_topic(struct reconcile *r, struct difference *d, const struct assigned_topic *has) {
    bool wanted = is_subscribed(r, &has->id);
    const struct assigned_topic *target = wanted ? assigned_topic(r->target, &has->id) : NULL;
    for (int32_t i = 0; i < has->n; i++) {
        struct assigned_builder *to = assigned_topic_get(target, has->partitions[i]) ? &d->keep : &d->give;
        assigned_add(to, &has->id, has->partitions[i], has->epochs[i]);
    }
}

static void next_assignment(struct reconcile *r, int32_t member_epoch) {
    struct consumer_member *m = r->m;
    struct assigned_builder empty = assigned_begin(&r->st->s->scratch);
    struct difference d = {.keep = empty, .give = empty, .get = empty};
    for (int32_t t = 0; t < assigned_topics(m->assigned); t++) current_topic(r, &d, &m->assigned->topics[t]);
    for (int32_t t = 0; t < assigned_topics(r->target); t++) target_topic(r, &d, &r->target->topics[t]);
    struct assigned *give = finish(r, &d.give);
    if (give && has_some(r->st, give)) {
        m->assigned = finish(r, &d.keep);
        m->revoking = give;
        m->m.state = MEMBER_UNREVOKED;
        move_to(m, member_epoch);
        return;
    }
    for (uint32_t i = 0; i < d.get.n; i++)
        assigned_add(&d.keep, &d.get.items[i].id, d.get.items[i].partition, d.get.items[i].epoch);
    d.keep.failed |= d.get.failed;
    m->assigned = finish(r, &d.keep);
    m->revoking = NULL;
    m->m.state = d.unreleased ? MEMBER_UNRELEASED : MEMBER_STABLE;
    move_to(m, r->target_epoch);
}

static void reconcile(struct reconcile *r, bool subscription_changed) {
    struct consumer_member *m = r->m;
    switch (m->m.state) {
    case MEMBER_STABLE:
        if (m->m.epoch != r->target_epoch)
            next_assignment(r, m->m.epoch);
        else if (subscription_changed)
            drop_unsubscribed(r);
        return;
    case MEMBER_UNREVOKED:
        if (!has_some(r->st, m->revoking))
            next_assignment(r, m->m.epoch);
        else if (subscription_changed)
            drop_unsubscribed(r);
        return;
    case MEMBER_UNRELEASED: next_assignment(r, m->m.epoch); return;
    case MEMBER_UNKNOWN:
        if (r->st->owned_known && !r->st->owned)
            next_assignment(r, r->target_epoch);
        else
            consumer_fail(r->st, KERR_FENCED_MEMBER_EPOCH,
                          "The consumer group member is in a unknown state. The member must abandon all its "
                          "partitions and rejoin.");
        return;
    }
}

void consumer_step_reconcile(struct consumer_step *st, int32_t target_epoch, const struct assigned *target,
                             bool subscription_changed) {
    struct reconcile r = {.st = st, .m = &st->now, .target_epoch = target_epoch, .target = target};
    if (!subscription_changed && member_reconciled(&st->now.m, target_epoch)) return;
    struct consumer_member before = st->now;
    reconcile(&r, subscription_changed);
    if (st->error || consumer_member_equal(&before, &st->now)) return;
    record_consumer_current(st->s, st->c->m.id, &st->now);
    if (st->now.classic) return;
    if (st->now.m.state == MEMBER_UNREVOKED)
        modern_timer_set(st->s, st->c->m.id, st->now.m.id, MEMBER_REBALANCE, st->now.rebalance_timeout_ms,
                         st->now.m.epoch);
    else
        modern_timer_cancel(st->s, st->c->m.id, st->now.m.id, MEMBER_REBALANCE);
}
