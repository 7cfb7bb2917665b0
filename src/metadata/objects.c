/* Objects that are one piece of memory: made once from a spec, then never changed. See objects.h. */
#include "metadata/objects.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/bytes.h"
#include "base/mem.h"
#include "metadata/pack.h"

#include <stdlib.h>

/* Defines x_new(spec) from x_fill(packer, to, spec), which copies what spec's pointers point to and sets the
 * pointers of to. */
#define OBJECT_NEW(x)                                                                                        \
    struct x *x##_new(const struct x *spec) {                                                                \
        struct x measured = *spec;                                                                           \
        struct packer p = {NULL, sizeof measured};                                                           \
        x##_fill(&p, &measured, spec);                                                                       \
        p = (struct packer){xmalloc(p.at), sizeof measured};                                                 \
        struct x *to = (struct x *)(void *)p.to;                                                             \
        *to = *spec;                                                                                         \
        atomic_init(&to->refs, 1);                                                                           \
        x##_fill(&p, to, spec);                                                                              \
        return to;                                                                                           \
    }

void object_unref(void *object) {
    if (object_last(object)) free(object);
}

static const int32_t *pack_ids(struct packer *p, const int32_t *ids, int32_t n) {
    return pack(p, ids, (size_t)n * sizeof *ids, sizeof *ids);
}
static const struct uuid *pack_uuids(struct packer *p, const struct uuid *ids, int32_t n) {
    return n > 0 ? pack(p, ids, (size_t)n * sizeof *ids, 1) : NULL;
}

static void partition_fill(struct packer *p, struct partition *to, const struct partition *spec) {
    to->replicas = pack_ids(p, spec->replicas, spec->replicas_n);
    to->isr = pack_ids(p, spec->isr, spec->isr_n);
    to->adding = pack_ids(p, spec->adding, spec->adding_n);
    to->removing = pack_ids(p, spec->removing, spec->removing_n);
    to->elr = pack_ids(p, spec->elr, spec->elr_n);
    to->last_known_elr = pack_ids(p, spec->last_known_elr, spec->last_known_elr_n);
    to->directories = pack_uuids(p, spec->directories, spec->replicas_n);
}
OBJECT_NEW(partition)

static void config_set_fill(struct packer *p, struct config_set *to, const struct config_set *spec) {
    struct config_entry *e =
        pack(p, spec->entries, (size_t)spec->n * sizeof *e, _Alignof(struct config_entry));
    to->resource = pack_str(p, spec->resource);
    for (int32_t i = 0; i < spec->n; i++) {
        const char *name = pack_text(p, spec->entries[i].name, (size_t)spec->entries[i].name_len);
        const char *value = pack_text(p, spec->entries[i].value, (size_t)spec->entries[i].value_len);
        if (!e) continue;
        e[i].name = name;
        e[i].value = value;
    }
    to->entries = e;
    size_t len = strlen(spec->resource);
    uint8_t *key = pack(p, "", 1, 1);
    if (key) *key = (uint8_t)spec->type;
    pack(p, spec->resource, len, 1);
    to->key = key;
    to->key_len = len + 1;
}
OBJECT_NEW(config_set)

static const struct endpoint *pack_endpoints(struct packer *p, const struct endpoint *from, int32_t n) {
    struct endpoint *to = pack(p, from, (size_t)n * sizeof *to, _Alignof(struct endpoint));
    for (int32_t i = 0; i < n; i++) {
        const char *listener = pack_str(p, from[i].listener), *host = pack_str(p, from[i].host);
        if (!to) continue;
        to[i].listener = listener;
        to[i].host = host;
    }
    return to;
}

static const struct feature_range *pack_features(struct packer *p, const struct feature_range *from,
                                                 int32_t n) {
    struct feature_range *to = pack(p, from, (size_t)n * sizeof *to, _Alignof(struct feature_range));
    for (int32_t i = 0; i < n; i++) {
        const char *name = pack_str(p, from[i].name);
        if (to) to[i].name = name;
    }
    return to;
}

static void broker_fill(struct packer *p, struct broker *to, const struct broker *spec) {
    to->endpoints = pack_endpoints(p, spec->endpoints, spec->endpoints_n);
    to->features = pack_features(p, spec->features, spec->features_n);
    to->dirs = pack_uuids(p, spec->dirs, spec->dirs_n);
    to->cordoned = pack_uuids(p, spec->cordoned, spec->cordoned_n);
    to->rack = pack_str(p, spec->rack);
}
OBJECT_NEW(broker)

static void controller_node_fill(struct packer *p, struct controller_node *to,
                                 const struct controller_node *spec) {
    to->endpoints = pack_endpoints(p, spec->endpoints, spec->endpoints_n);
    to->features = pack_features(p, spec->features, spec->features_n);
}
OBJECT_NEW(controller_node)

static void quota_entity_fill(struct packer *p, struct quota_entity *to, const struct quota_entity *spec) {
    struct quota_part *parts =
        pack(p, spec->parts, (size_t)spec->parts_n * sizeof *parts, _Alignof(struct quota_part));
    struct quota_value *values =
        pack(p, spec->values, (size_t)spec->values_n * sizeof *values, _Alignof(struct quota_value));
    for (int32_t i = 0; i < spec->parts_n; i++) {
        const char *type = pack_str(p, spec->parts[i].type), *name = pack_str(p, spec->parts[i].name);
        if (parts) parts[i] = (struct quota_part){type, name};
    }
    for (int32_t i = 0; i < spec->values_n; i++) {
        const char *key = pack_str(p, spec->values[i].key);
        if (values) values[i].key = key;
    }
    to->parts = parts;
    to->values = values;
    to->key = pack(p, spec->key, spec->key_len, 1);
}
OBJECT_NEW(quota_entity)

const void *image_quota_key(const struct quota_part *parts, int32_t n, struct arena *a, size_t *len) {
    size_t size = 0;
    for (int32_t i = 0; i < n; i++)
        size += 8 + strlen(parts[i].type) + (parts[i].name ? strlen(parts[i].name) : 0);
    uint8_t *key = arena_alloc(a, size), *at = key;
    if (!key) return NULL;
    for (int32_t i = 0; i < n; i++) {
        size_t t = strlen(parts[i].type), m = parts[i].name ? strlen(parts[i].name) : 0;
        put_u32(at, (uint32_t)t);
        memcpy(at + 4, parts[i].type, t);
        put_u32(at + 4 + t, parts[i].name ? (uint32_t)m : UINT32_MAX);
        if (m) memcpy(at + 8 + t, parts[i].name, m);
        at += 8 + t + m;
    }
    ASSERT(at == key + size);
    *len = size;
    return key;
}

static void scram_credential_fill(struct packer *p, struct scram_credential *to,
                                  const struct scram_credential *spec) {
    to->salt = pack(p, spec->salt, (size_t)spec->salt_len, 1);
    to->stored_key = pack(p, spec->stored_key, (size_t)spec->stored_key_len, 1);
    to->server_key = pack(p, spec->server_key, (size_t)spec->server_key_len, 1);
    uint8_t *key = pack(p, "", 1, 1);
    if (key) *key = (uint8_t)spec->mechanism;
    to->user = pack_str(p, spec->user);
    to->key = key;
    to->key_len = 1 + strlen(spec->user);
}
OBJECT_NEW(scram_credential)

static void acl_fill(struct packer *p, struct acl *to, const struct acl *spec) {
    to->resource = pack_str(p, spec->resource);
    to->principal = pack_str(p, spec->principal);
    to->host = pack_str(p, spec->host);
}
OBJECT_NEW(acl)

static void delegation_token_fill(struct packer *p, struct delegation_token *to,
                                  const struct delegation_token *spec) {
    const char **renewers =
        pack(p, spec->renewers, (size_t)spec->renewers_n * sizeof *renewers, _Alignof(const char *));
    for (int32_t i = 0; i < spec->renewers_n; i++) {
        const char *r = pack_str(p, spec->renewers[i]);
        if (renewers) renewers[i] = r;
    }
    to->renewers = renewers;
    to->id = pack_str(p, spec->id);
    to->owner = pack_str(p, spec->owner);
    to->requester = pack_str(p, spec->requester);
}
OBJECT_NEW(delegation_token)

static const void *config_set_key(const void *v, size_t *len) {
    const struct config_set *s = v;
    *len = s->key_len;
    return s->key;
}
static const void *quota_entity_key(const void *v, size_t *len) {
    const struct quota_entity *e = v;
    *len = e->key_len;
    return e->key;
}
static const void *scram_key(const void *v, size_t *len) {
    const struct scram_credential *c = v;
    *len = c->key_len;
    return c->key;
}
static const void *acl_key(const void *v, size_t *len) {
    *len = sizeof(struct uuid);
    return ((const struct acl *)v)->id.b;
}
static const void *token_key(const void *v, size_t *len) {
    const struct delegation_token *t = v;
    *len = strlen(t->id);
    return t->id;
}

const struct pmap_kind config_set_kind = {config_set_key, object_ref, object_unref};
const struct pmap_kind quota_kind = {quota_entity_key, object_ref, object_unref};
const struct pmap_kind scram_kind = {scram_key, object_ref, object_unref};
const struct pmap_kind acl_kind = {acl_key, object_ref, object_unref};
const struct pmap_kind token_kind = {token_key, object_ref, object_unref};
