/* See partition_change.h.
 *
 * A broker that leaves the in-sync set stays eligible (KIP-966) while that set is smaller than
 * min.insync.replicas. A leader must be in the in-sync set or, when that is empty, eligible, and must be
 * acceptable: active, with its directory online. Nobody left: no leader, and the last one is remembered; it
 * may come back even after a crash, as the only choice, which counts as unclean. */
#include "controller/partition_change.h"

#include "base/assert.h"
#include "metadata/version.h"
#include "records/metadata.h"

#include <stdlib.h>
#include <string.h>

enum { LEADER_STAYS = -2 };

static bool same(struct broker_ids a, const int32_t *v, int32_t n) {
    return a.n == n && (n == 0 || memcmp(a.v, v, (size_t)n * sizeof *v) == 0);
}

static struct broker_ids ids_room(struct arena *a, int32_t n) {
    struct broker_ids l = {arena_alloc(a, (size_t)(n + 1) * sizeof(int32_t)), 0};
    ASSERT(l.v);
    return l;
}

bool broker_ids_have(struct broker_ids l, int32_t id) {
    for (int32_t i = 0; i < l.n; i++)
        if (l.v[i] == id) return true;
    return false;
}

struct broker_ids broker_ids_copy(struct arena *a, const int32_t *v, int32_t n) {
    return broker_ids_without(a, v, n, (struct broker_ids){0});
}

struct broker_ids broker_ids_without(struct arena *a, const int32_t *v, int32_t n, struct broker_ids gone) {
    struct broker_ids l = ids_room(a, n);
    for (int32_t i = 0; i < n; i++)
        if (!broker_ids_have(gone, v[i])) l.v[l.n++] = v[i];
    return l;
}

static int32_t config_int(const char *text, int32_t otherwise) {
    return text ? (int32_t)strtol(text, NULL, 10) : otherwise;
}

bool unclean_election_allowed(const struct controller *c, const struct topic *t) {
    const char *any = topic_config(c, t, "unclean.leader.election.enable");
    return any ? strcmp(any, "true") == 0 : c->config.unclean_election;
}

void partition_change_init(struct partition_change *x, const struct controller *c, const struct topic *t,
                           int32_t index, struct record_list *records) {
    const struct partition *p = topic_partition(t, index);
    ASSERT(p);
    struct arena *a = &records->arena;
    int32_t min = config_int(topic_config(c, t, "min.insync.replicas"), c->config.default_min_isr);
    *x = (struct partition_change){.image = c->image,
                                   .topic = t,
                                   .p = p,
                                   .index = index,
                                   .remove = NO_LEADER,
                                   .add = NO_LEADER,
                                   .unclean = NO_LEADER,
                                   .min_isr = min < p->replicas_n ? min : p->replicas_n,
                                   .elr_on = image_feature(c->image, ELR_VERSION) > 0,
                                   .isr = broker_ids_copy(a, p->isr, p->isr_n),
                                   .elr = broker_ids_copy(a, p->elr, p->elr_n),
                                   .replicas = broker_ids_copy(a, p->replicas, p->replicas_n),
                                   .adding = broker_ids_copy(a, p->adding, p->adding_n),
                                   .removing = broker_ids_copy(a, p->removing, p->removing_n),
                                   .arena = a};
}

/* ---- who leads ---- */

bool broker_has_dir(const struct broker *b, const struct uuid *dir) {
    if (uuid_equal(dir, &directory_lost)) return false;
    if (b->dirs_n == 0 || uuid_equal(dir, &directory_unassigned) || uuid_equal(dir, &directory_migrating))
        return true;
    for (int32_t k = 0; k < b->dirs_n; k++)
        if (uuid_equal(dir, &b->dirs[k])) return true;
    return false;
}

static bool directory_online(const struct partition_change *x, int32_t id) {
    const struct broker *b = image_broker(x->image, id);
    for (int32_t i = 0; b && i < x->p->replicas_n; i++)
        if (x->p->replicas[i] == id) return broker_has_dir(b, &x->p->directories[i]);
    return false;
}

static bool acceptable(const struct partition_change *x, int32_t id) {
    if (id == x->remove || id == x->unclean) return false;
    if (id != x->add && !broker_is_active(x->image, id)) return false;
    return directory_online(x, id);
}

static bool may_lead(const struct partition_change *x, int32_t id) {
    bool candidate = broker_ids_have(x->isr, id) || (x->isr.n == 0 && broker_ids_have(x->elr, id));
    return candidate && acceptable(x, id);
}

static int32_t elect(const struct partition_change *x, bool *unclean) {
    const struct partition *p = x->p;
    *unclean = false;
    if (x->election == ELECTION_PREFERRED && may_lead(x, x->replicas.v[0])) return x->replicas.v[0];
    if (may_lead(x, p->leader)) return p->leader;
    for (int32_t i = 0; i < x->replicas.n; i++)
        if (may_lead(x, x->replicas.v[i])) return x->replicas.v[i];
    *unclean = true;
    if (x->elr_on && x->elr.n == 0 && x->isr.n == 0 && p->last_known_elr_n == 1 &&
        acceptable(x, p->last_known_elr[0]))
        return p->last_known_elr[0];
    for (int32_t i = 0; x->election == ELECTION_UNCLEAN && i < x->replicas.n; i++)
        if (acceptable(x, x->replicas.v[i])) return x->replicas.v[i];
    *unclean = false;
    return NO_LEADER;
}

static int by_id(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* Who was in sync or eligible, is not in sync any more and did not crash, while too few are in sync. */
static void target_elr(struct partition_change *x) {
    const struct partition *p = x->p;
    if (!x->elr_on) return;
    x->elr = ids_room(x->arena, p->elr_n + p->isr_n);
    if (x->isr.n >= x->min_isr) return;
    for (int32_t i = 0; i < p->elr_n + p->isr_n; i++) {
        int32_t id = i < p->elr_n ? p->elr[i] : p->isr[i - p->elr_n];
        if (!broker_ids_have(x->isr, id) && !broker_ids_have(x->elr, id) && id != x->unclean)
            x->elr.v[x->elr.n++] = id;
    }
    qsort(x->elr.v, (size_t)x->elr.n, sizeof(int32_t), by_id);
}

/* Sets the leader in the record when it changes. */
static void set_leader(struct partition_change *x, struct partition_change_record *rec) {
    bool unclean;
    int32_t leader = elect(x, &unclean);
    if (leader == x->p->leader) return;
    if (broker_ids_have(x->elr, leader)) {
        struct broker_ids one = broker_ids_copy(x->arena, &leader, 1);
        x->isr = one;
        x->elr = broker_ids_without(x->arena, x->elr.v, x->elr.n, one);
    }
    rec->leader = leader;
    if (!unclean) return;
    rec->isr = broker_ids_copy(x->arena, &leader, 1).v;
    rec->isr_n = 1;
    if (x->p->leader_recovery_state != RECOVERING) rec->leader_recovery_state = RECOVERING;
}

static void set_last_leader(const struct partition_change *x, struct partition_change_record *rec) {
    if (!x->elr_on) return;
    if (rec->leader == NO_LEADER && x->p->last_known_elr_n == 0) {
        rec->last_known_elr = broker_ids_copy(x->arena, &x->p->leader, 1).v;
        rec->last_known_elr_n = 1;
    } else if (rec->leader >= 0 && x->p->last_known_elr_n > 0) {
        rec->last_known_elr = NULL;
        rec->last_known_elr_n = 0;
    }
}

/* ---- who the replicas are ---- */

static bool all_in(struct broker_ids some, struct broker_ids all) {
    for (int32_t i = 0; i < some.n; i++)
        if (!broker_ids_have(all, some.v[i])) return false;
    return true;
}

/* A reassignment has reached its aim when everybody who was to be added is in sync, someone in sync remains,
 * and with fewer replicas than before all of those that remain are in sync. */
static void end_reassignment(struct partition_change *x) {
    if (x->adding.n == 0 && x->removing.n == 0) return;
    struct broker_ids isr = broker_ids_without(x->arena, x->isr.v, x->isr.n, x->removing);
    struct broker_ids left = broker_ids_without(x->arena, x->replicas.v, x->replicas.n, x->removing);
    if (x->removing.n > 0 && (isr.n == 0 || left.n == 0)) return;
    if (!all_in(x->adding, isr) || (x->adding.n < x->removing.n && !all_in(left, isr))) return;
    x->isr = isr;
    x->replicas = left;
    x->adding.n = x->removing.n = 0;
}

/* The directory of each replica: as it was, or the default of the new one. */
static void set_directories(const struct partition_change *x, struct partition_change_record *rec) {
    const struct partition *p = x->p;
    struct uuid *dirs = arena_alloc(x->arena, (size_t)(x->replicas.n + 1) * sizeof *dirs);
    ASSERT(dirs);
    bool changed = x->replicas.n != p->replicas_n;
    for (int32_t i = 0; i < x->replicas.n; i++) {
        int32_t was = 0;
        while (was < p->replicas_n && p->replicas[was] != x->replicas.v[i]) was++;
        dirs[i] = was < p->replicas_n ? p->directories[was] : broker_default_dir(x->image, x->replicas.v[i]);
        changed |= i < p->replicas_n && !uuid_equal(&dirs[i], &p->directories[i]);
    }
    if (!changed) return;
    rec->directories = dirs;
    rec->directories_n = x->replicas.n;
}

static void set_assignment(const struct partition_change *x, struct partition_change_record *rec) {
    const struct partition *p = x->p;
    if (x->replicas.n > 0 && x->image->metadata_version >= MV_3_7_IV2) set_directories(x, rec);
    if (x->replicas.n > 0 && !same(x->replicas, p->replicas, p->replicas_n)) {
        rec->replicas = x->replicas.v;
        rec->replicas_n = x->replicas.n;
    }
    if (!same(x->removing, p->removing, p->removing_n)) {
        rec->removing_replicas = x->removing.v;
        rec->removing_replicas_n = x->removing.n;
    }
    if (!same(x->adding, p->adding, p->adding_n)) {
        rec->adding_replicas = x->adding.v;
        rec->adding_replicas_n = x->adding.n;
    }
}

/* ---- all of it ---- */

static bool nothing_in(const struct partition_change_record *r) {
    return r->isr_n < 0 && r->leader == LEADER_STAYS && r->eligible_leader_replicas_n < 0 &&
           r->last_known_elr_n < 0 && r->leader_recovery_state == -1 && r->replicas_n < 0 &&
           r->adding_replicas_n < 0 && r->removing_replicas_n < 0 && r->directories_n < 0;
}

bool partition_change_add(struct partition_change *x, struct record_list *records) {
    const struct partition *p = x->p;
    struct partition_change_record rec;
    partition_change_record_init(&rec);
    rec.topic_id = x->topic->id;
    rec.partition_id = x->index;
    end_reassignment(x);
    target_elr(x);
    set_leader(x, &rec);
    struct broker_ids was = {(int32_t *)p->replicas, p->replicas_n};
    if (rec.leader == LEADER_STAYS && !all_in(was, x->replicas)) rec.leader = p->leader; /* a new epoch */
    bool clean = rec.isr_n < 0;
    if (!clean || !x->elr_on) x->elr.n = 0;
    if (!same(x->elr, p->elr, p->elr_n)) {
        rec.eligible_leader_replicas = x->elr.v;
        rec.eligible_leader_replicas_n = x->elr.n;
    }
    if (clean && (x->isr.n > 0 || x->elr_on) && !same(x->isr, p->isr, p->isr_n)) {
        rec.isr = x->isr.v;
        rec.isr_n = x->isr.n;
    }
    /* Before 3.6 a smaller in-sync set needed a new leader epoch (KAFKA-15021). */
    struct broker_ids old_isr = {(int32_t *)p->isr, p->isr_n}, new_isr = {rec.isr, rec.isr_n};
    if (x->image->metadata_version < MV_3_6_IV1 - 1 && rec.leader == LEADER_STAYS && rec.isr_n >= 0 &&
        !all_in(old_isr, new_isr))
        rec.leader = p->leader;
    set_last_leader(x, &rec);
    set_assignment(x, &rec);
    if (nothing_in(&rec)) return false;
    record_add_partition_change(records, mv_partition_version(x->image->metadata_version), &rec);
    return true;
}
