/* See delta.h. A delta works on its own copy of the base image (image_copy: shared until changed). Topics are
 * changed in place once they carry the copy's generation. A metadata transaction keeps a second copy from
 * where it began; the generation goes on with each copy, so that nothing that the kept one holds is ever
 * changed in place.
 *
 * Invariants: (1) base->generation < after->generation; (2) a kept image has a smaller generation than after.
 */
#include "metadata/delta.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/hashmap.h"
#include "base/mem.h"
#include "metadata/family.h"
#include "metadata/version.h"

#include <stdlib.h>
#include <string.h>

enum { REPLAY_ARENA = 64 << 20 }; /* bytes that one record may decode to */

struct touched_config {
    enum config_resource type;
    size_t len;
    char key[]; /* type, resource, NUL */
};

struct delta_state {
    struct replay replay;
    struct image *kept;             /* from where the open transaction began, or NULL */
    struct hashmap topics, configs; /* touched: struct uuid, struct touched_config */
    struct uuid last_topic;
    uint64_t memory[512]; /* of the arena, so that most records allocate nothing */
};

const char *replay_text(struct replay *r, struct kstr s) {
    if (s.len < 0) return NULL;
    const char *text = arena_strndup(&r->arena, s.s ? s.s : "", (size_t)s.len);
    ASSERT(text);
    return text;
}

void delta_touch_topic(struct delta_state *s, const struct uuid *id) {
    if (uuid_equal(id, &s->last_topic)) return; /* partitions come by the thousand */
    s->last_topic = *id;
    if (hashmap_get(&s->topics, id->b, sizeof id->b)) return;
    struct uuid *own = xmalloc(sizeof *own);
    *own = *id;
    hashmap_put(&s->topics, own->b, sizeof own->b, own);
}

void delta_touch_config(struct delta_state *s, enum config_resource type, const char *resource, size_t len) {
    struct touched_config *t = xmalloc(sizeof *t + len + 2);
    t->type = type;
    t->len = len;
    t->key[0] = (char)type;
    if (len) memcpy(t->key + 1, resource, len);
    t->key[len + 1] = 0;
    if (hashmap_get(&s->configs, t->key, len + 1))
        free(t);
    else
        hashmap_put(&s->configs, t->key, len + 1, t);
}

struct image_delta *delta_begin(struct image *base) {
    struct image_delta *d = xcalloc(1, sizeof *d);
    d->before = image_ref(base);
    d->after = image_copy(base);
    d->state = xcalloc(1, sizeof *d->state);
    d->state->replay.state = d->state;
    arena_init_with(&d->state->replay.arena, d->state->memory, sizeof d->state->memory, REPLAY_ARENA);
    hashmap_init(&d->state->topics, 0);
    hashmap_init(&d->state->configs, 0);
    return d;
}

bool delta_in_transaction(const struct image_delta *d) { return d->after->in_transaction >= 0; }

struct image *delta_committed(const struct image_delta *d) {
    return delta_in_transaction(d) ? d->state->kept : d->after;
}

static int begin_transaction(struct image_delta *d, int64_t offset) {
    struct delta_state *s = d->state;
    if (delta_in_transaction(d)) return OE_CORRUPT;
    ASSERT(!s->kept);
    s->kept = d->after;
    d->after = image_copy(s->kept);
    d->after->in_transaction = offset;
    return 0;
}

static int end_transaction(struct image_delta *d) {
    if (!delta_in_transaction(d)) return OE_CORRUPT;
    d->after->in_transaction = -1;
    image_unref(d->state->kept);
    d->state->kept = NULL;
    return 0;
}

/* Back to where the transaction began. The lists of touched things keep what was undone: before and after are
 * equal there. */
static int abort_transaction(struct image_delta *d) {
    struct delta_state *s = d->state;
    if (!s->kept) return OE_CORRUPT;
    ASSERT(s->kept->generation < d->after->generation);
    uint64_t generation = d->after->generation;
    image_unref(d->after);
    d->after = image_copy(s->kept);
    d->after->generation = generation + 1;
    image_unref(s->kept);
    s->kept = NULL;
    return 0;
}

/* Decodes the record `name` and hands it to a function of its family. */
#define REPLAY(name, call, ...)                                                                              \
    {                                                                                                        \
        struct name##_record x;                                                                              \
        int e = name##_record_decode(&x, in, version, &r->arena);                                            \
        if (e) return e;                                                                                     \
        __VA_ARGS__;                                                                                         \
        return call;                                                                                         \
    }

static int replay_principals(struct image_delta *d, int32_t type, int16_t version, struct reader *in) {
    struct replay *r = &d->state->replay;
    switch (type) {
    case METADATA_DELEGATION_TOKEN: REPLAY(delegation_token, tokens_replay(r, &x), d->tokens_changed = true)
    case METADATA_REMOVE_DELEGATION_TOKEN:
        REPLAY(remove_delegation_token, tokens_replay_remove(r, &x), d->tokens_changed = true)
    case METADATA_USER_SCRAM_CREDENTIAL:
        REPLAY(user_scram_credential, scram_replay(r, &x), d->scram_changed = true)
    case METADATA_REMOVE_USER_SCRAM_CREDENTIAL:
        REPLAY(remove_user_scram_credential, scram_replay_remove(r, &x), d->scram_changed = true)
    case METADATA_CLIENT_QUOTA: REPLAY(client_quota, quotas_replay(r, &x), d->quotas_changed = true)
    case METADATA_ACCESS_CONTROL_ENTRY:
        REPLAY(access_control_entry, acls_replay(r, &x), d->acls_changed = true)
    case METADATA_REMOVE_ACCESS_CONTROL_ENTRY:
        REPLAY(remove_access_control_entry, acls_replay_remove(r, &x), d->acls_changed = true)
    default: return OE_UNSUPPORTED;
    }
}

static int replay_cluster(struct image_delta *d, int32_t type, int16_t version, struct reader *in) {
    struct replay *r = &d->state->replay;
    switch (type) {
    case METADATA_REGISTER_BROKER:
        REPLAY(register_broker, cluster_replay_register(r, &x), d->brokers_changed = true)
    case METADATA_UNREGISTER_BROKER:
        REPLAY(unregister_broker, cluster_replay_unregister(r, &x), d->brokers_changed = true)
    case METADATA_BROKER_REGISTRATION_CHANGE:
        REPLAY(broker_registration_change, cluster_replay_change(r, &x), d->brokers_changed = true)
    case METADATA_FENCE_BROKER:
        REPLAY(fence_broker, cluster_replay_fence(r, x.id, x.epoch, true), d->brokers_changed = true)
    case METADATA_UNFENCE_BROKER:
        REPLAY(unfence_broker, cluster_replay_fence(r, x.id, x.epoch, false), d->brokers_changed = true)
    case METADATA_REGISTER_CONTROLLER:
        REPLAY(register_controller, cluster_replay_controller(r, &x), d->controllers_changed = true)
    case METADATA_FEATURE_LEVEL: REPLAY(feature_level, features_replay(r, &x), d->features_changed = true)
    default: return replay_principals(d, type, version, in);
    }
}

static int replay_record(struct image_delta *d, int32_t type, int16_t version, struct reader *in,
                         int64_t offset) {
    struct replay *r = &d->state->replay;
    switch (type) {
    case METADATA_TOPIC: REPLAY(topic, topics_replay_topic(r, &x))
    case METADATA_PARTITION: REPLAY(partition, topics_replay_partition(r, &x))
    case METADATA_PARTITION_CHANGE: REPLAY(partition_change, topics_replay_change(r, &x))
    case METADATA_REMOVE_TOPIC: REPLAY(remove_topic, topics_replay_remove(r, &x))
    case METADATA_CLEAR_ELR: REPLAY(clear_elr, topics_replay_clear_elr(r, &x))
    case METADATA_CONFIG: REPLAY(config, configs_replay(r, &x))
    case METADATA_PRODUCER_IDS:
        REPLAY(producer_ids, 0, r->image->next_producer_id = x.next_producer_id,
               d->producer_ids_changed = true)
    case METADATA_BEGIN_TRANSACTION: return begin_transaction(d, offset);
    case METADATA_END_TRANSACTION: return end_transaction(d);
    case METADATA_ABORT_TRANSACTION: return abort_transaction(d);
    case METADATA_NO_OP:
    case METADATA_ZK_MIGRATION_STATE:
        return 0; /* of clusters that came from ZooKeeper; means nothing any more */
    default: return replay_cluster(d, type, version, in);
    }
}

int delta_replay(struct image_delta *d, const void *record, size_t len, int64_t offset, int32_t epoch) {
    struct replay *r = &d->state->replay;
    int32_t type, version;
    int head = meta_record_head(record, len, &type, &version);
    if (head < 0) return head;
    struct reader in = reader_of((const uint8_t *)record + head, len - (size_t)head);
    r->image = d->after;
    r->offset = offset;
    arena_reset(&r->arena);
    int err = replay_record(d, type, (int16_t)version, &in, offset);
    if (err) return err == OE_SHORT ? OE_MALFORMED : err;
    ASSERT(d->after->generation > d->before->generation);
    d->after->offset = offset;
    d->after->epoch = epoch;
    return 0;
}

static void finish_topics(struct image_delta *d) {
    struct delta_state *s = d->state;
    d->topics = xcalloc(s->topics.count + 1, sizeof *d->topics);
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&s->topics, &i));) {
        struct topic_change c = {.id = *(const struct uuid *)e->value};
        c.before = image_topic_by_id(d->before, &c.id);
        c.after = image_topic_by_id(d->after, &c.id);
        if (c.before != c.after) d->topics[d->topics_n++] = c;
    }
}

static void finish_configs(struct image_delta *d) {
    struct delta_state *s = d->state;
    d->configs = xcalloc(s->configs.count + 1, sizeof *d->configs);
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(&s->configs, &i));) {
        const struct touched_config *t = e->value;
        struct config_change c = {.type = t->type, .resource = t->key + 1};
        c.before = image_configs(d->before, t->type, c.resource, t->len);
        c.after = image_configs(d->after, t->type, c.resource, t->len);
        /* A broker's values are published even when they are the same: the brokers load files anew
         * (KAFKA-14136). */
        if (c.before != c.after) d->configs[d->configs_n++] = c;
    }
}

void delta_finish(struct image_delta *d, int64_t timestamp_ms) {
    ASSERT(!d->topics && !d->configs);
    d->after->timestamp_ms = timestamp_ms;
    finish_topics(d);
    finish_configs(d);
}

static void free_entries(struct hashmap *m) {
    struct hashmap_entry *e;
    for (size_t i = 0; (e = hashmap_next(m, &i));) free(e->value);
    hashmap_free(m);
}

void delta_free(struct image_delta *d) {
    if (!d) return;
    free_entries(&d->state->topics);
    free_entries(&d->state->configs);
    arena_free(&d->state->replay.arena);
    image_unref(d->state->kept);
    image_unref(d->before);
    image_unref(d->after);
    free(d->state);
    free(d->topics);
    free(d->configs);
    free(d);
}
