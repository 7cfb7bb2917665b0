/* The image: everything that the metadata log says, at one offset. Immutable and counted: a reader takes a
 * reference and reads without a lock for as long as it likes; the next image shares all that did not change
 * (base/pmap), so a change costs what it touches. Images are made by metadata/delta.h only, by replaying
 * records, live and at recovery alike.
 *
 * Whoever publishes (the server) keeps one atomic pointer to the newest image; this folder knows nothing of
 * threads but the atomic counts. All strings are NUL-ended and owned by the image. Reference:
 * org.apache.kafka.image.MetadataImage. */
#ifndef OTTLA_METADATA_IMAGE_H
#define OTTLA_METADATA_IMAGE_H

#include "base/pmap.h"
#include "base/uuid.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;

enum { NO_LEADER = -1 };

/* ConfigResource.Type */
enum config_resource {
    CONFIG_TOPIC = 2,
    CONFIG_BROKER = 4,
    CONFIG_BROKER_LOGGER = 8,
    CONFIG_CLIENT_METRICS = 16,
    CONFIG_GROUP = 32,
};

/* Directory ids with a meaning of their own (org.apache.kafka.common.DirectoryId). */
extern const struct uuid directory_migrating;  /* 0…0: not known, a record of before JBOD */
extern const struct uuid directory_unassigned; /* 0…1 */
extern const struct uuid directory_lost;       /* 0…2 */

/* One partition. Immutable once in an image; the lists are behind the struct in the same memory. */
struct partition {
    atomic_uint refs;
    int32_t leader; /* broker id or NO_LEADER */
    int32_t leader_epoch, partition_epoch;
    int8_t leader_recovery_state; /* 0 recovered, 1 recovering after an unclean election */
    int32_t replicas_n, isr_n, adding_n, removing_n, elr_n, last_known_elr_n;
    const int32_t *replicas, *isr, *adding, *removing, *elr, *last_known_elr; /* broker ids */
    const struct uuid *directories;                                           /* one a replica */
};

struct topic {
    atomic_uint refs;
    struct uuid id;
    int32_t name_len;
    int32_t partitions_n;
    int32_t partitions_cap; /* private, as are the next two */
    uint64_t edit;          /* the generation of the image that may still change this object */
    const char *clash;      /* the name with '.' as '_'; NULL if it has neither */
    /* By index. In a whole log none is NULL, but check: a damaged one may have holes. */
    const struct partition **partitions;
    char name[];
};

struct config_entry {
    const char *name, *value; /* the value is never NULL: a removed entry is gone */
    int32_t name_len, value_len;
};

/* The configuration of one resource: its entries, in order of names. */
struct config_set {
    atomic_uint refs;
    enum config_resource type;
    const char *resource; /* "" is the default of all brokers */
    int32_t n;
    const struct config_entry *entries;
    const void *key; /* private */
    size_t key_len;
};

struct endpoint {
    const char *listener, *host;
    uint16_t port;
    int16_t security_protocol; /* SecurityProtocol.id: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL */
};

struct feature_range {
    const char *name;
    int16_t min, max;
};

/* A registered broker. */
struct broker {
    atomic_uint refs;
    int32_t id;
    int64_t epoch; /* offset of its registration */
    struct uuid incarnation;
    const char *rack; /* or NULL */
    bool fenced, in_controlled_shutdown;
    int32_t endpoints_n, features_n, dirs_n, cordoned_n; /* cordoned_n -1: not said */
    const struct endpoint *endpoints;
    const struct feature_range *features;
    const struct uuid *dirs, *cordoned;
};

/* A registered controller (KIP-919). */
struct controller_node {
    atomic_uint refs;
    int32_t id;
    struct uuid incarnation;
    bool zk_migration_ready;
    int32_t endpoints_n, features_n;
    const struct endpoint *endpoints;
    const struct feature_range *features;
};

struct quota_part {
    const char *type, *name; /* "user", "client-id", "ip"; name NULL: the default entity */
};

/* The quotas of one entity; parts in order of type, values in order of key. */
struct quota_entity {
    atomic_uint refs;
    int32_t parts_n, values_n;
    const struct quota_part *parts;
    const struct quota_value {
        const char *key;
        double value;
    } * values;
    const void *key; /* private */
    size_t key_len;
};

struct scram_credential {
    atomic_uint refs;
    int8_t mechanism; /* ScramMechanism.type: 1 SCRAM-SHA-256, 2 SCRAM-SHA-512 */
    int32_t iterations;
    const char *user;
    const uint8_t *salt, *stored_key, *server_key;
    int32_t salt_len, stored_key_len, server_key_len;
    const void *key; /* private */
    size_t key_len;
};

struct acl {
    atomic_uint refs;
    struct uuid id;
    int8_t resource_type, pattern_type, operation,
        permission; /* codes of ResourceType, PatternType, AclOperation, … */
    const char *resource, *principal, *host;
};

struct delegation_token {
    atomic_uint refs;
    const char *id, *owner, *requester; /* principals as "User:alice" */
    int64_t issued_ms, max_ms, expires_ms;
    int32_t renewers_n;
    const char *const *renewers;
};

struct feature_level {
    const char *name;
    int16_t level;
};

struct image {
    atomic_uint refs;
    uint64_t generation;      /* private */
    int64_t offset;           /* of the last record that is in; -1: nothing is */
    int32_t epoch;            /* of the last record */
    int64_t timestamp_ms;     /* of the last batch */
    int16_t metadata_version; /* level of metadata.version, 0: not known yet (an empty log) */
    int64_t next_producer_id; /* -1: no block was given out yet */
    int64_t in_transaction; /* offset of the BeginTransactionRecord of an unfinished metadata transaction, or
                               -1 */
    struct image_features
        *features; /* finalized, metadata.version and kraft.version left out; see image_feature() */
    struct image_nodes *brokers, *controllers;
    struct pmap topics_by_name, topics_by_id,
        topics_by_clash; /* struct topic; by_clash: names with '.' as '_' */
    struct pmap configs; /* struct config_set */
    struct pmap quotas;  /* struct quota_entity */
    struct pmap scram;   /* struct scram_credential */
    struct pmap acls;    /* struct acl */
    struct pmap tokens;  /* struct delegation_token */
};

/* The image before the first record. The caller owns the reference. */
struct image *image_empty(void);
struct image *image_ref(struct image *i);
void image_unref(struct image *i); /* NULL: nothing */

/* Readers. What they return lives as long as the image; take topic_ref to keep it longer. NULL: there is
 * none. */
const struct topic *image_topic_by_name(const struct image *i, const char *name, size_t len);
const struct topic *image_topic_by_id(const struct image *i, const struct uuid *id);
const struct partition *topic_partition(const struct topic *t, int32_t index);
/* The partition of a named topic, or NULL. */
const struct partition *image_partition(const struct image *i, const char *name, size_t len, int32_t index);
size_t image_topics_n(const struct image *i);
/* All topics in order of names (as bytes), in the arena; *n of them. NULL only without memory (n > 0). */
const struct topic **image_topics_sorted(const struct image *i, struct arena *a, size_t *n);
struct topic *topic_ref(const struct topic *t);
void topic_unref(struct topic *t);

/* The set of one resource ("" with CONFIG_BROKER: the default of all brokers), or NULL when nothing is set.
 */
const struct config_set *image_configs(const struct image *i, enum config_resource type, const char *resource,
                                       size_t len);
/* One value, or NULL. */
const char *config_set_get(const struct config_set *set, const char *name);
const char *image_config(const struct image *i, enum config_resource type, const char *resource,
                         const char *name);

/* Brokers and controllers, in order of ids. */
int32_t image_brokers_n(const struct image *i);
const struct broker *image_broker_at(const struct image *i, int32_t at);
const struct broker *image_broker(const struct image *i, int32_t id);
int32_t image_controllers_n(const struct image *i);
const struct controller_node *image_controller_at(const struct image *i, int32_t at);
const struct controller_node *image_controller(const struct image *i, int32_t id);
/* The endpoint of a listener, or NULL. */
const struct endpoint *broker_endpoint(const struct broker *b, const char *listener);

/* The finalized level of a feature, metadata.version included; 0 when it is off. */
int16_t image_feature(const struct image *i, const char *name);
/* All finalized features with a level above 0, metadata.version first, then in order of names. */
int32_t image_features_n(const struct image *i);
struct feature_level image_feature_at(const struct image *i, int32_t at);

/* The key of an entity in image.quotas: its parts in order of type. Memory of the arena; NULL without. */
const void *image_quota_key(const struct quota_part *parts, int32_t n, struct arena *a, size_t *len);
const struct scram_credential *image_scram(const struct image *i, int8_t mechanism, const char *user,
                                           size_t len);

#endif
