/* Before: node_publish. After: the cell that node_config() reads; the logs take their new defaults by
 * replicas_reconfigure.
 *
 * A reader keeps the snapshot that it took for as long as its work lasts: within one request the
 * configuration is one. */
#include "server/dynamic_config.h"

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "metadata/delta.h"
#include "server/node.h"

enum { SENTENCE_MAX = 64 << 10, ID_TEXT = 16 };

struct config_pair *config_set_pairs(const struct config_set *set, struct arena *a, int32_t *count) {
    int32_t n = set ? set->n : 0;
    struct config_pair *pairs = arena_calloc(a, (size_t)n + 1, sizeof *pairs);
    *count = pairs ? n : 0;
    for (int32_t i = 0; i < *count; i++)
        pairs[i] = (struct config_pair){set->entries[i].name, set->entries[i].value};
    return pairs;
}

static struct config_pair *pairs_of(const struct image *image, const char *resource, struct arena *a,
                                    int32_t *count) {
    struct config_pair *pairs =
        config_set_pairs(image_configs(image, CONFIG_BROKER, resource, strlen(resource)), a, count);
    ASSERT(pairs);
    return pairs;
}

void dynamic_config_load(struct node *n, const struct image *image) {
    char id[ID_TEXT];
    int32_t all_n, own_n;
    struct arena a;
    struct strbuf error;
    arena_init(&a, SIZE_MAX);
    strbuf_init(&error, SENTENCE_MAX);
    snprintf(id, sizeof id, "%d", n->id);
    const struct config_pair *all = pairs_of(image, "", &a, &all_n), *own = pairs_of(image, id, &a, &own_n);
    struct config *next = config_with_dynamic(n->config, all, all_n, own, own_n, &error);
    if (next) {
        config_cell_set(&n->current, next);
        node_reconfigure(n);
    } else
        LOG_ERROR("config", "the dynamic configuration is left as it was: %s", strbuf_str(&error));
    strbuf_free(&error);
    arena_free(&a);
}

bool dynamic_config_apply(struct node *n, const struct image_delta *delta) {
    char id[ID_TEXT];
    snprintf(id, sizeof id, "%d", n->id);
    for (int32_t i = 0; i < delta->configs_n; i++) {
        const struct config_change *c = &delta->configs[i];
        if (c->type != CONFIG_BROKER || (*c->resource && strcmp(c->resource, id) != 0)) continue;
        dynamic_config_load(n, delta->after);
        return true;
    }
    return false;
}
