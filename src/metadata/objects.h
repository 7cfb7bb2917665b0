/* The objects of an image: making, counting, and the kinds of their maps. Private to metadata/.
 *
 * x_new(spec) copies everything that the spec points to; the new object has one reference, the caller's. */
#ifndef OTTLA_METADATA_OBJECTS_H
#define OTTLA_METADATA_OBJECTS_H

#include "metadata/image.h"

struct image_features {
    atomic_uint refs;
    int32_t n;
    struct feature_level *v; /* in order of names */
};

/* Brokers or controllers in order of ids. The first members of both are the count and the id. */
struct image_node {
    atomic_uint refs;
    int32_t id;
};
struct image_nodes {
    atomic_uint refs;
    int32_t n;
    struct image_node *v[];
};

extern const struct pmap_kind topic_by_name_kind, topic_by_id_kind, topic_by_clash_kind, config_set_kind,
    quota_kind, scram_kind, acl_kind, token_kind;

static inline void object_ref(void *object) {
    atomic_fetch_add_explicit((atomic_uint *)object, 1, memory_order_relaxed);
}
/* True when it was the last reference. */
static inline bool object_last(void *object) {
    return atomic_fetch_sub_explicit((atomic_uint *)object, 1, memory_order_acq_rel) == 1;
}
/* For objects that are one piece of memory, which is most. */
void object_unref(void *object);

struct topic *topic_new(const char *name, size_t len, const struct uuid *id, uint64_t edit);
/* A copy that this edit may change; the partitions are shared. */
struct topic *topic_copy(const struct topic *t, uint64_t edit);
/* Sets partition `index` (the reference becomes the topic's). t is ours to change. */
void topic_set_partition(struct topic *t, int32_t index, struct partition *p);
struct partition *partition_new(const struct partition *spec);

struct config_set *config_set_new(const struct config_set *spec);
struct broker *broker_new(const struct broker *spec);
struct controller_node *controller_node_new(const struct controller_node *spec);
struct quota_entity *quota_entity_new(const struct quota_entity *spec);
struct scram_credential *scram_credential_new(const struct scram_credential *spec);
struct acl *acl_new(const struct acl *spec);
struct delegation_token *delegation_token_new(const struct delegation_token *spec);

/* With this feature at this level (0: without it). Takes over the old list's reference. */
struct image_features *features_set(struct image_features *f, const char *name, int16_t level);
/* With this node instead of one with the same id; takes over both references. */
struct image_nodes *nodes_set(struct image_nodes *l, struct image_node *node);
struct image_nodes *nodes_remove(struct image_nodes *l, int32_t id);
struct image_node *nodes_get(const struct image_nodes *l, int32_t id);

/* A copy that shares everything, of the next generation, to be changed. */
struct image *image_copy(const struct image *i);

#endif
