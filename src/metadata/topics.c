/* Topics and partitions: TopicRecord, PartitionRecord, PartitionChangeRecord, RemoveTopicRecord,
 * ClearElrRecord (org.apache.kafka.image.TopicsDelta, metadata.PartitionRegistration). */
#include "base/assert.h"
#include "base/err.h"
#include "metadata/family.h"
#include "metadata/version.h"

#include <string.h>

enum { NO_LEADER_CHANGE = -2, NO_STATE_CHANGE = -1, MAX_PARTITION_ID = 1000000 };

/* The topic of the id, ours to change; NULL: there is none. */
static struct topic *topic_to_change(struct replay *r, const struct uuid *id) {
    struct image *i = r->image;
    struct topic *t = pmap_get(&i->topics_by_id, id->b, sizeof id->b);
    if (!t) return NULL;
    delta_touch_topic(r->state, id);
    if (t->edit == i->generation) return t;
    t = topic_copy(t, i->generation);
    if (t->clash) pmap_put(&i->topics_by_clash, topic_ref(t));
    pmap_put(&i->topics_by_name, topic_ref(t));
    pmap_put(&i->topics_by_id, t);
    return t;
}

int topics_replay_topic(struct replay *r, const struct topic_record *rec) {
    struct image *i = r->image;
    if (image_topic_by_name(i, rec->name.s, (size_t)rec->name.len) || image_topic_by_id(i, &rec->topic_id))
        return OE_CORRUPT;
    struct topic *t = topic_new(rec->name.s, (size_t)rec->name.len, &rec->topic_id, i->generation);
    if (t->clash) pmap_put(&i->topics_by_clash, topic_ref(t));
    pmap_put(&i->topics_by_name, topic_ref(t));
    pmap_put(&i->topics_by_id, t);
    delta_touch_topic(r->state, &rec->topic_id);
    return 0;
}

/* One directory a replica: those of the record, or "not known" for each when it has none. NULL: a wrong
 * number. */
static const struct uuid *directories_of(struct replay *r, const struct uuid *dirs, int32_t dirs_n,
                                         int32_t replicas) {
    if (dirs_n > 0) return dirs_n == replicas ? dirs : NULL;
    return arena_calloc(&r->arena, (size_t)replicas + 1, sizeof *dirs);
}

int topics_replay_partition(struct replay *r, const struct partition_record *p) {
    struct topic *t = topic_to_change(r, &p->topic_id);
    if (!t || p->partition_id < 0 || p->partition_id > MAX_PARTITION_ID) return OE_CORRUPT;
    struct partition spec = {.leader = p->leader,
                             .leader_epoch = p->leader_epoch,
                             .partition_epoch = p->partition_epoch,
                             .leader_recovery_state = p->leader_recovery_state,
                             .replicas = p->replicas,
                             .replicas_n = p->replicas_n,
                             .isr = p->isr,
                             .isr_n = p->isr_n,
                             .adding = p->adding_replicas,
                             .adding_n = p->adding_replicas_n,
                             .removing = p->removing_replicas,
                             .removing_n = p->removing_replicas_n};
    if (p->eligible_leader_replicas_n > 0) {
        spec.elr = p->eligible_leader_replicas;
        spec.elr_n = p->eligible_leader_replicas_n;
    }
    if (p->last_known_elr_n > 0) {
        spec.last_known_elr = p->last_known_elr;
        spec.last_known_elr_n = p->last_known_elr_n;
    }
    spec.directories = directories_of(r, p->directories, p->directories_n, p->replicas_n);
    if (!spec.directories) return OE_CORRUPT;
    topic_set_partition(t, p->partition_id, partition_new(&spec));
    return 0;
}

int topics_replay_change(struct replay *r, const struct partition_change_record *c) {
    struct topic *t = topic_to_change(r, &c->topic_id);
    const struct partition *p = t ? topic_partition(t, c->partition_id) : NULL;
    if (!p) return OE_CORRUPT;
    struct partition spec = *p;
    if (c->replicas_n >= 0) {
        spec.replicas = c->replicas;
        spec.replicas_n = c->replicas_n;
    }
    if (c->directories_n >= 0 || spec.replicas_n != p->replicas_n)
        spec.directories = directories_of(r, c->directories, c->directories_n, spec.replicas_n);
    if (!spec.directories) return OE_CORRUPT;
#define REPLACE(to, from)                                                                                    \
    if (c->from##_n >= 0) {                                                                                  \
        spec.to = c->from;                                                                                   \
        spec.to##_n = c->from##_n;                                                                           \
    }
    REPLACE(isr, isr)
    REPLACE(adding, adding_replicas)
    REPLACE(removing, removing_replicas)
    REPLACE(elr, eligible_leader_replicas)
    REPLACE(last_known_elr, last_known_elr)
#undef REPLACE
    if (c->leader != NO_LEADER_CHANGE) {
        spec.leader = c->leader;
        spec.leader_epoch++;
    }
    if (c->leader_recovery_state != NO_STATE_CHANGE) spec.leader_recovery_state = c->leader_recovery_state;
    spec.partition_epoch++;
    topic_set_partition(t, c->partition_id, partition_new(&spec));
    return 0;
}

int topics_replay_remove(struct replay *r, const struct remove_topic_record *rec) {
    struct image *i = r->image;
    struct topic *t = pmap_get(&i->topics_by_id, rec->topic_id.b, sizeof rec->topic_id.b);
    if (!t) return OE_CORRUPT;
    delta_touch_topic(r->state, &rec->topic_id);
    topic_ref(t);
    configs_remove(r, CONFIG_TOPIC, t->name, (size_t)t->name_len);
    const struct topic *clash =
        t->clash ? pmap_get(&i->topics_by_clash, t->clash, (size_t)t->name_len) : NULL;
    if (clash && uuid_equal(&clash->id, &t->id)) pmap_del(&i->topics_by_clash, t->clash, (size_t)t->name_len);
    pmap_del(&i->topics_by_name, t->name, (size_t)t->name_len);
    pmap_del(&i->topics_by_id, t->id.b, sizeof t->id.b);
    topic_unref(t);
    ASSERT(i->topics_by_id.count == i->topics_by_name.count);
    return 0;
}

static void clear_elr(struct replay *r, const struct topic *t) {
    for (int32_t k = 0; k < t->partitions_n; k++) {
        const struct partition *p = t->partitions[k];
        if (!p || (p->elr_n == 0 && p->last_known_elr_n == 0)) continue;
        struct topic *own = topic_to_change(r, &t->id);
        struct partition spec = *p;
        spec.elr_n = spec.last_known_elr_n = 0;
        spec.partition_epoch++;
        topic_set_partition(own, k, partition_new(&spec));
        t = own;
    }
}

int topics_replay_clear_elr(struct replay *r, const struct clear_elr_record *c) {
    if (c->topic_name.len > 0) {
        const struct topic *t = image_topic_by_name(r->image, c->topic_name.s, (size_t)c->topic_name.len);
        if (!t) return OE_CORRUPT;
        clear_elr(r, t);
        return 0;
    }
    struct pmap all = pmap_share(&r->image->topics_by_id); /* the image changes while we walk */
    struct pmap_iter it;
    pmap_iterate(&all, &it);
    for (const struct topic *t; (t = pmap_next(&it));) clear_elr(r, t);
    pmap_free(&all);
    return 0;
}

void partition_write(const struct image *i, const struct topic *t, int32_t index, const struct partition *p,
                     struct record_list *to) {
    struct partition_record rec;
    partition_record_init(&rec);
    rec.partition_id = index;
    rec.topic_id = t->id;
    rec.replicas = (int32_t *)p->replicas;
    rec.replicas_n = p->replicas_n;
    rec.isr = (int32_t *)p->isr;
    rec.isr_n = p->isr_n;
    rec.removing_replicas = (int32_t *)p->removing;
    rec.removing_replicas_n = p->removing_n;
    rec.adding_replicas = (int32_t *)p->adding;
    rec.adding_replicas_n = p->adding_n;
    rec.leader = p->leader;
    rec.leader_recovery_state = p->leader_recovery_state;
    rec.leader_epoch = p->leader_epoch;
    rec.partition_epoch = p->partition_epoch;
    if (i->metadata_version >= MV_3_7_IV2) {
        rec.directories = (struct uuid *)p->directories;
        rec.directories_n = p->replicas_n;
    }
    if (image_feature(i, ELR_VERSION) > 0) {
        if (p->elr_n > 0) {
            rec.eligible_leader_replicas = (int32_t *)p->elr;
            rec.eligible_leader_replicas_n = p->elr_n;
        }
        if (p->last_known_elr_n > 0) {
            rec.last_known_elr = (int32_t *)p->last_known_elr;
            rec.last_known_elr_n = p->last_known_elr_n;
        }
    }
    record_add_partition(to, mv_partition_version(i->metadata_version), &rec);
}

void topics_write(const struct image *i, struct record_list *to) {
    struct pmap_iter it;
    pmap_iterate(&i->topics_by_id, &it);
    for (const struct topic *t; (t = pmap_next(&it));) {
        struct topic_record rec = {.name = {t->name, t->name_len}, .topic_id = t->id};
        record_add_topic(to, 0, &rec);
        for (int32_t k = 0; k < t->partitions_n; k++)
            if (t->partitions[k]) partition_write(i, t, k, t->partitions[k], to);
    }
}
