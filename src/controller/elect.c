/* Elections: what becomes of a partition's leader, in-sync set and eligible leader replicas (KIP-966) when a
 * broker goes or comes (PartitionChangeBuilder, ReplicationControlManager.generateLeaderAndIsrUpdates).
 *
 * A broker that goes leaves the in-sync set; if that is then smaller than min.insync.replicas, those that
 * left stay eligible. A leader must be in the in-sync set or, when that is empty, eligible, and must be
 * acceptable: active, with its directory online. Nobody left: no leader, and the last one is remembered; it
 * may come back even after a crash, as the only choice, which counts as unclean.
 * unclean.leader.election.enable allows any acceptable replica.
 *
 * Reassignments are carried by the records and left as they are: with one broker there is nothing to move. */
#include "base/assert.h"
#include "controller/state.h"
#include "metadata/version.h"
#include "records/metadata.h"

#include <stdlib.h>
#include <string.h>

enum { RECOVERED = 0, RECOVERING = 1 };

struct ids {
    int32_t *v;
    int32_t n;
};

struct election {
    const struct image *image;
    const struct topic *topic;
    const struct partition *p;
    int32_t index, remove, add, unclean;
    int32_t min_isr;
    bool elr_on, unclean_allowed;
    struct ids isr, elr; /* as they shall be */
    struct arena *arena;
};

static bool in(const int32_t *v, int32_t n, int32_t id) {
    for (int32_t i = 0; i < n; i++)
        if (v[i] == id) return true;
    return false;
}

static bool same(struct ids a, const int32_t *v, int32_t n) {
    return a.n == n && (n == 0 || memcmp(a.v, v, (size_t)n * sizeof *v) == 0);
}

static struct ids ids_room(struct arena *a, int32_t n) {
    struct ids l = {arena_alloc(a, (size_t)(n + 1) * sizeof(int32_t)), 0};
    ASSERT(l.v);
    return l;
}

bool broker_has_dir(const struct broker *b, const struct uuid *dir) {
    if (uuid_equal(dir, &directory_lost)) return false;
    if (b->dirs_n == 0 || uuid_equal(dir, &directory_unassigned) || uuid_equal(dir, &directory_migrating))
        return true;
    for (int32_t k = 0; k < b->dirs_n; k++)
        if (uuid_equal(dir, &b->dirs[k])) return true;
    return false;
}

static bool directory_online(const struct election *e, int32_t id) {
    const struct broker *b = image_broker(e->image, id);
    for (int32_t i = 0; b && i < e->p->replicas_n; i++) {
        const struct uuid *dir = &e->p->directories[i];
        if (e->p->replicas[i] != id) continue;
        return broker_has_dir(b, dir);
    }
    return false;
}

static bool acceptable(const struct election *e, int32_t id) {
    if (id == e->remove || id == e->unclean) return false;
    if (id != e->add && !broker_is_active(e->image, id)) return false;
    return directory_online(e, id);
}

static bool may_lead(const struct election *e, int32_t id) {
    bool candidate = in(e->isr.v, e->isr.n, id) || (e->isr.n == 0 && in(e->elr.v, e->elr.n, id));
    return candidate && acceptable(e, id);
}

static int32_t elect(const struct election *e, bool *unclean) {
    const struct partition *p = e->p;
    *unclean = false;
    if (may_lead(e, p->leader)) return p->leader;
    for (int32_t i = 0; i < p->replicas_n; i++)
        if (may_lead(e, p->replicas[i])) return p->replicas[i];
    *unclean = true;
    if (e->elr_on && e->elr.n == 0 && e->isr.n == 0 && p->last_known_elr_n == 1 &&
        acceptable(e, p->last_known_elr[0]))
        return p->last_known_elr[0];
    for (int32_t i = 0; e->unclean_allowed && i < p->replicas_n; i++)
        if (acceptable(e, p->replicas[i])) return p->replicas[i];
    *unclean = false;
    return NO_LEADER;
}

static int by_id(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Who was in sync or eligible, is not in sync any more and did not crash, while too few are in sync. */
static void target_elr(struct election *e) {
    const struct partition *p = e->p;
    e->elr = ids_room(e->arena, p->elr_n + p->isr_n);
    if (!e->elr_on) {
        if (p->elr_n) memcpy(e->elr.v, p->elr, (size_t)p->elr_n * sizeof(int32_t));
        e->elr.n = p->elr_n;
        return;
    }
    if (e->isr.n >= e->min_isr) return;
    for (int32_t i = 0; i < p->elr_n + p->isr_n; i++) {
        int32_t id = i < p->elr_n ? p->elr[i] : p->isr[i - p->elr_n];
        if (!in(e->isr.v, e->isr.n, id) && !in(e->elr.v, e->elr.n, id) && id != e->unclean)
            e->elr.v[e->elr.n++] = id;
    }
    qsort(e->elr.v, (size_t)e->elr.n, sizeof(int32_t), by_id);
}

static void drop(struct ids *l, int32_t id) {
    int32_t to = 0;
    for (int32_t i = 0; i < l->n; i++)
        if (l->v[i] != id) l->v[to++] = l->v[i];
    l->n = to;
}

/* Sets the leader in the record when it changes. */
static void set_leader(struct election *e, struct partition_change_record *rec) {
    bool unclean;
    int32_t leader = elect(e, &unclean);
    if (leader == e->p->leader) return;
    if (in(e->elr.v, e->elr.n, leader)) {
        e->isr = ids_room(e->arena, 1);
        e->isr.v[e->isr.n++] = leader;
        drop(&e->elr, leader);
    }
    rec->leader = leader;
    if (!unclean) return;
    struct ids one = ids_room(e->arena, 1);
    one.v[one.n++] = leader;
    rec->isr = one.v;
    rec->isr_n = 1;
    if (e->p->leader_recovery_state != RECOVERING) rec->leader_recovery_state = RECOVERING;
}

static void set_last_leader(const struct election *e, struct partition_change_record *rec) {
    if (!e->elr_on) return;
    if (rec->leader == NO_LEADER && e->p->last_known_elr_n == 0) {
        struct ids one = ids_room(e->arena, 1);
        one.v[one.n++] = e->p->leader;
        rec->last_known_elr = one.v;
        rec->last_known_elr_n = 1;
    } else if (rec->leader >= 0 && e->p->last_known_elr_n > 0) {
        rec->last_known_elr = NULL;
        rec->last_known_elr_n = 0;
    }
}

static void change_partition(struct election *e, struct record_list *records) {
    const struct partition *p = e->p;
    struct partition_change_record rec;
    partition_change_record_init(&rec);
    rec.topic_id = e->topic->id;
    rec.partition_id = e->index;
    e->isr = ids_room(e->arena, p->isr_n);
    for (int32_t i = 0; i < p->isr_n; i++)
        if (p->isr[i] != e->remove && p->isr[i] != e->unclean) e->isr.v[e->isr.n++] = p->isr[i];
    target_elr(e);
    set_leader(e, &rec);
    bool clean = rec.isr_n < 0;
    if (!clean || !e->elr_on) e->elr.n = 0;
    if (!same(e->elr, p->elr, p->elr_n)) {
        rec.eligible_leader_replicas = e->elr.v;
        rec.eligible_leader_replicas_n = e->elr.n;
    }
    if (clean && (e->isr.n > 0 || e->elr_on) && !same(e->isr, p->isr, p->isr_n)) {
        rec.isr = e->isr.v;
        rec.isr_n = e->isr.n;
        /* Before 3.6 a smaller in-sync set needed a new leader epoch (KAFKA-15021). */
        if (e->image->metadata_version < MV_3_6_IV1 - 1 && rec.leader == -2 && e->isr.n < p->isr_n)
            rec.leader = p->leader;
    }
    set_last_leader(e, &rec);
    bool nothing = rec.isr_n < 0 && rec.leader == -2 && rec.eligible_leader_replicas_n < 0 &&
                   rec.last_known_elr_n < 0 && rec.leader_recovery_state == -1;
    if (!nothing)
        record_add_partition_change(records, mv_partition_version(e->image->metadata_version), &rec);
}

static int32_t config_int(const char *text, int32_t otherwise) {
    return text ? (int32_t)strtol(text, NULL, 10) : otherwise;
}

static bool concerns(const struct election *e, const struct partition *p) {
    if (e->add != NO_LEADER) return p->leader == NO_LEADER;
    int32_t id = e->remove != NO_LEADER ? e->remove : e->unclean;
    return in(p->isr, p->isr_n, id) || (e->unclean != NO_LEADER && in(p->elr, p->elr_n, id));
}

static struct election begin(const struct controller *c, int32_t remove, int32_t add, int32_t unclean,
                             struct record_list *records) {
    ASSERT((remove != NO_LEADER) + (add != NO_LEADER) + (unclean != NO_LEADER) == 1);
    return (struct election){.image = c->image,
                             .remove = remove,
                             .add = add,
                             .unclean = unclean,
                             .elr_on = image_feature(c->image, ELR_VERSION) > 0,
                             .arena = &records->arena};
}

static void look_at_topic(const struct controller *c, struct election *e) {
    const char *any = topic_config(c, e->topic, "unclean.leader.election.enable");
    int32_t min = config_int(topic_config(c, e->topic, "min.insync.replicas"), c->config.default_min_isr);
    e->unclean_allowed = any ? strcmp(any, "true") == 0 : c->config.unclean_election;
    e->min_isr = min < e->p->replicas_n ? min : e->p->replicas_n;
}

void elections_add(struct controller *c, int32_t remove, int32_t add, int32_t unclean,
                   struct record_list *records) {
    struct election e = begin(c, remove, add, unclean, records);
    struct pmap_iter it;
    pmap_iterate(&c->image->topics_by_id, &it);
    for (const struct topic *t; (t = pmap_next(&it));) {
        bool looked = false;
        e.topic = t;
        for (int32_t i = 0; i < t->partitions_n; i++) {
            e.p = t->partitions[i];
            e.index = i;
            if (!e.p || !concerns(&e, e.p)) continue;
            if (!looked) look_at_topic(c, &e);
            looked = true;
            change_partition(&e, records);
        }
    }
}

void election_add(struct controller *c, const struct topic *t, int32_t index, int32_t remove,
                  struct record_list *records) {
    struct election e = begin(c, remove, NO_LEADER, NO_LEADER, records);
    e.topic = t;
    e.p = t->partitions[index];
    e.index = index;
    if (!concerns(&e, e.p)) return;
    look_at_topic(c, &e);
    change_partition(&e, records);
}

int16_t controller_recovered(struct controller *c, int32_t broker, int64_t epoch,
                             struct record_list *records) {
    int16_t code = broker_check_epoch(c->image, broker, epoch);
    struct pmap_iter it;
    if (code) return code;
    records->atomic = false;
    pmap_iterate(&c->image->topics_by_id, &it);
    for (const struct topic *t; (t = pmap_next(&it));)
        for (int32_t i = 0; i < t->partitions_n; i++) {
            const struct partition *p = t->partitions[i];
            if (!p || p->leader != broker || p->leader_recovery_state != RECOVERING) continue;
            struct partition_change_record rec;
            partition_change_record_init(&rec);
            rec.topic_id = t->id;
            rec.partition_id = i;
            rec.leader_recovery_state = RECOVERED;
            record_add_partition_change(records, mv_partition_version(c->image->metadata_version), &rec);
        }
    return 0;
}
