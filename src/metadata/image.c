/* See image.h: the image as a whole and what readers ask of it. */
#include "metadata/image.h"

#include "base/arena.h"
#include "base/assert.h"
#include "base/mem.h"
#include "metadata/objects.h"

#include <stdlib.h>
#include <string.h>

struct image *image_empty(void) {
    struct image *i = xcalloc(1, sizeof *i);
    atomic_init(&i->refs, 1);
    i->offset = -1;
    i->next_producer_id = -1;
    i->in_transaction = -1;
    pmap_init(&i->topics_by_name, &topic_by_name_kind);
    pmap_init(&i->topics_by_id, &topic_by_id_kind);
    pmap_init(&i->topics_by_clash, &topic_by_clash_kind);
    pmap_init(&i->configs, &config_set_kind);
    pmap_init(&i->quotas, &quota_kind);
    pmap_init(&i->scram, &scram_kind);
    pmap_init(&i->acls, &acl_kind);
    pmap_init(&i->tokens, &token_kind);
    return i;
}

struct image *image_copy(const struct image *from) {
    struct image *i = xmalloc(sizeof *i);
    /* All but the count, which other threads change meanwhile. */
    enum { COUNT_END = offsetof(struct image, refs) + sizeof i->refs };
    memcpy((char *)i + COUNT_END, (const char *)from + COUNT_END, sizeof *i - COUNT_END);
    atomic_init(&i->refs, 1);
    i->generation++;
    struct pmap *maps[] = {&i->topics_by_name, &i->topics_by_id, &i->topics_by_clash, &i->configs, &i->quotas,
                           &i->scram,          &i->acls,         &i->tokens};
    for (size_t m = 0; m < sizeof maps / sizeof maps[0]; m++) *maps[m] = pmap_share(maps[m]);
    if (i->features) object_ref(i->features);
    if (i->brokers) object_ref(i->brokers);
    if (i->controllers) object_ref(i->controllers);
    return i;
}

struct image *image_ref(struct image *i) {
    object_ref(i);
    return i;
}

static void nodes_unref(struct image_nodes *l) {
    if (!l || !object_last(l)) return;
    for (int32_t i = 0; i < l->n; i++) object_unref(l->v[i]);
    free(l);
}

void image_unref(struct image *i) {
    if (!i || !object_last(i)) return;
    pmap_free(&i->topics_by_name);
    pmap_free(&i->topics_by_id);
    pmap_free(&i->topics_by_clash);
    pmap_free(&i->configs);
    pmap_free(&i->quotas);
    pmap_free(&i->scram);
    pmap_free(&i->acls);
    pmap_free(&i->tokens);
    if (i->features) object_unref(i->features);
    nodes_unref(i->brokers);
    nodes_unref(i->controllers);
    free(i);
}

/* Topics */

const struct topic *image_topic_by_name(const struct image *i, const char *name, size_t len) {
    return pmap_get(&i->topics_by_name, name, len);
}

const struct topic *image_topic_by_id(const struct image *i, const struct uuid *id) {
    return pmap_get(&i->topics_by_id, id->b, sizeof id->b);
}

const struct partition *image_partition(const struct image *i, const char *name, size_t len, int32_t index) {
    const struct topic *t = image_topic_by_name(i, name, len);
    return t ? topic_partition(t, index) : NULL;
}

size_t image_topics_n(const struct image *i) { return i->topics_by_name.count; }

static int by_name(const void *a, const void *b) {
    return strcmp((*(const struct topic *const *)a)->name, (*(const struct topic *const *)b)->name);
}

const struct topic **image_topics_sorted(const struct image *i, struct arena *a, size_t *n) {
    const struct topic **all = arena_alloc(a, image_topics_n(i) * sizeof(void *));
    *n = 0;
    if (!all) return NULL;
    struct pmap_iter it;
    pmap_iterate(&i->topics_by_name, &it);
    for (const struct topic *t; (t = pmap_next(&it));) all[(*n)++] = t;
    ASSERT(*n == image_topics_n(i));
    qsort(all, *n, sizeof(void *), by_name);
    return all;
}

/* Configurations */

const struct config_set *image_configs(const struct image *i, enum config_resource type, const char *resource,
                                       size_t len) {
    uint8_t key[512], *k = len < sizeof key ? key : xmalloc(len + 1);
    k[0] = (uint8_t)type;
    if (len) memcpy(k + 1, resource, len);
    const struct config_set *set = pmap_get(&i->configs, k, len + 1);
    if (k != key) free(k);
    return set;
}

const char *config_set_get(const struct config_set *set, const char *name) {
    for (int32_t lo = 0, hi = set ? set->n : 0; lo < hi;) {
        int32_t mid = lo + (hi - lo) / 2;
        int c = strcmp(set->entries[mid].name, name);
        if (c == 0) return set->entries[mid].value;
        if (c < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

const char *image_config(const struct image *i, enum config_resource type, const char *resource,
                         const char *name) {
    return config_set_get(image_configs(i, type, resource, strlen(resource)), name);
}

/* Brokers and controllers */

struct image_node *nodes_get(const struct image_nodes *l, int32_t id) {
    for (int32_t lo = 0, hi = l ? l->n : 0; lo < hi;) {
        int32_t mid = lo + (hi - lo) / 2;
        if (l->v[mid]->id == id) return l->v[mid];
        if (l->v[mid]->id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

struct image_nodes *nodes_remove(struct image_nodes *l, int32_t id) {
    int32_t n = l ? l->n : 0;
    struct image_nodes *to = xmalloc(sizeof *to + (size_t)(n + 1) * sizeof to->v[0]); /* room for nodes_set */
    atomic_init(&to->refs, 1);
    to->n = 0;
    for (int32_t i = 0; i < n; i++) {
        if (l->v[i]->id == id) continue;
        object_ref(l->v[i]);
        to->v[to->n++] = l->v[i];
    }
    nodes_unref(l);
    return to;
}

struct image_nodes *nodes_set(struct image_nodes *l, struct image_node *node) {
    struct image_nodes *to = nodes_remove(l, node->id);
    int32_t at = to->n++;
    for (; at > 0 && to->v[at - 1]->id > node->id; at--) to->v[at] = to->v[at - 1];
    to->v[at] = node;
    return to;
}

int32_t image_brokers_n(const struct image *i) { return i->brokers ? i->brokers->n : 0; }
const struct broker *image_broker_at(const struct image *i, int32_t at) {
    ASSERT(at >= 0 && at < image_brokers_n(i));
    return (const struct broker *)(void *)i->brokers->v[at];
}
const struct broker *image_broker(const struct image *i, int32_t id) {
    return (const struct broker *)(void *)nodes_get(i->brokers, id);
}
int32_t image_controllers_n(const struct image *i) { return i->controllers ? i->controllers->n : 0; }
const struct controller_node *image_controller_at(const struct image *i, int32_t at) {
    ASSERT(at >= 0 && at < image_controllers_n(i));
    return (const struct controller_node *)(void *)i->controllers->v[at];
}
const struct controller_node *image_controller(const struct image *i, int32_t id) {
    return (const struct controller_node *)(void *)nodes_get(i->controllers, id);
}

_Static_assert(offsetof(struct broker, id) == offsetof(struct image_node, id), "broker begins as a node");
_Static_assert(offsetof(struct controller_node, id) == offsetof(struct image_node, id), "controller too");

const struct endpoint *broker_endpoint(const struct broker *b, const char *listener) {
    for (int32_t i = 0; i < b->endpoints_n; i++)
        if (strcmp(b->endpoints[i].listener, listener) == 0) return &b->endpoints[i];
    return NULL;
}

/* Features */

static const char metadata_version[] = "metadata.version";

static char *features_add(struct image_features *to, char *text, const char *name, int16_t level) {
    size_t n = strlen(name) + 1;
    to->v[to->n++] = (struct feature_level){memcpy(text, name, n), level};
    return text + n;
}

struct image_features *features_set(struct image_features *f, const char *name, int16_t level) {
    int32_t n = f ? f->n : 0;
    size_t names = strlen(name) + 1;
    for (int32_t i = 0; i < n; i++) names += strlen(f->v[i].name) + 1;
    struct image_features *to = xmalloc(sizeof *to + (size_t)(n + 1) * sizeof to->v[0] + names);
    atomic_init(&to->refs, 1);
    to->v = (struct feature_level *)(to + 1);
    to->n = 0;
    char *text = (char *)(to->v + n + 1);
    bool placed = level == 0;
    for (int32_t i = 0; i <= n; i++) {
        int c = i < n ? strcmp(f->v[i].name, name) : 1;
        if (c >= 0 && !placed) {
            placed = true;
            text = features_add(to, text, name, level);
        }
        if (i == n || c == 0) continue;
        text = features_add(to, text, f->v[i].name, f->v[i].level);
    }
    if (f) object_unref(f);
    return to;
}

int16_t image_feature(const struct image *i, const char *name) {
    if (strcmp(name, metadata_version) == 0) return i->metadata_version;
    for (int32_t k = 0; i->features && k < i->features->n; k++)
        if (strcmp(i->features->v[k].name, name) == 0) return i->features->v[k].level;
    return 0;
}

int32_t image_features_n(const struct image *i) {
    return (i->metadata_version > 0) + (i->features ? i->features->n : 0);
}

struct feature_level image_feature_at(const struct image *i, int32_t at) {
    ASSERT(at >= 0 && at < image_features_n(i));
    if (i->metadata_version > 0 && at-- == 0)
        return (struct feature_level){metadata_version, i->metadata_version};
    return i->features->v[at];
}

const struct scram_credential *image_scram(const struct image *i, int8_t mechanism, const char *user,
                                           size_t len) {
    char key[256], *k = len < sizeof key ? key : xmalloc(len + 1);
    k[0] = (char)mechanism;
    memcpy(k + 1, user, len);
    const struct scram_credential *c = pmap_get(&i->scram, k, len + 1);
    if (k != key) free(k);
    return c;
}
