/* Configurations and features: ConfigRecord, FeatureLevelRecord (org.apache.kafka.image.ConfigurationsDelta,
 * FeaturesDelta). A set is small and made anew at each change; an empty one is gone. */
#include "base/assert.h"
#include "base/err.h"
#include "base/mem.h"
#include "metadata/family.h"
#include "metadata/version.h"

#include <stdlib.h>
#include <string.h>

static bool known_resource(int8_t type) {
    return type == CONFIG_TOPIC || type == CONFIG_BROKER || type == CONFIG_BROKER_LOGGER ||
           type == CONFIG_CLIENT_METRICS || type == CONFIG_GROUP;
}

void configs_remove(struct replay *r, enum config_resource type, const char *resource, size_t len) {
    const struct config_set *set = image_configs(r->image, type, resource, len);
    if (!set) return;
    delta_touch_config(r->state, type, resource, len);
    pmap_del(&r->image->configs, set->key, set->key_len);
}

int configs_replay(struct replay *r, const struct config_record *c) {
    if (!known_resource(c->resource_type)) return OE_CORRUPT;
    enum config_resource type = (enum config_resource)c->resource_type;
    size_t len = (size_t)c->resource_name.len;
    const struct config_set *old = image_configs(r->image, type, c->resource_name.s, len);
    int32_t n = old ? old->n : 0, to = 0;
    const char *name = replay_text(r, c->name);
    struct config_entry *e = arena_alloc(&r->arena, (size_t)(n + 1) * sizeof *e);
    ASSERT(e);
    bool placed = c->value.len < 0;
    for (int32_t i = 0; i <= n; i++) {
        int order = i < n ? strcmp(old->entries[i].name, name) : 1;
        if (order >= 0 && !placed) {
            placed = true;
            e[to++] = (struct config_entry){name, c->value.s ? c->value.s : "", c->name.len, c->value.len};
        }
        if (i < n && order != 0) e[to++] = old->entries[i];
    }
    delta_touch_config(r->state, type, c->resource_name.s, len);
    if (to == 0) {
        if (old) pmap_del(&r->image->configs, old->key, old->key_len);
        return 0;
    }
    struct config_set spec = {
        .type = type, .resource = replay_text(r, c->resource_name), .n = to, .entries = e};
    pmap_put(&r->image->configs, config_set_new(&spec));
    return 0;
}

void configs_write(const struct image *i, struct record_list *to) {
    struct pmap_iter it;
    pmap_iterate(&i->configs, &it);
    for (const struct config_set *s; (s = pmap_next(&it));) {
        for (int32_t k = 0; k < s->n; k++) {
            const struct config_entry *e = &s->entries[k];
            struct config_record rec = {.resource_type = (int8_t)s->type,
                                        .resource_name = kstr_of(s->resource),
                                        .name = {e->name, e->name_len},
                                        .value = {e->value, e->value_len}};
            record_add_config(to, 0, &rec);
        }
    }
}

int features_replay(struct replay *r, const struct feature_level_record *f) {
    if (kstr_is(f->name, METADATA_VERSION)) {
        if (f->feature_level < MV_FIRST || f->feature_level > MV_TESTING) return OE_UNSUPPORTED;
        r->image->metadata_version = f->feature_level;
        return 0;
    }
    r->image->features = features_set(r->image->features, replay_text(r, f->name), f->feature_level);
    return 0;
}

void features_write(const struct image *i, struct record_list *to) {
    for (int32_t k = 0; k < image_features_n(i); k++) {
        struct feature_level f = image_feature_at(i, k);
        struct feature_level_record rec = {.name = kstr_of(f.name), .feature_level = f.level};
        record_add_feature_level(to, 0, &rec);
    }
}
