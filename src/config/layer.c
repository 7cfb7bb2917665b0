#include <stdlib.h>
#include <string.h>

#include "config/internal.h"
#include "config/text.h"

struct numbered {
    struct config_pair pair;
    int32_t at;
};

static int compare(const void *x, const void *y) {
    const struct numbered *a = x, *b = y;
    int order = strcmp(a->pair.name, b->pair.name);
    return order ? order : a->at < b->at ? -1 : a->at > b->at;
}

struct config_layer config_layer_make(struct arena *a, const struct config_pair *pairs, int32_t n) {
    struct numbered *sorted = text_alloc(a, (size_t)n * sizeof *sorted);
    struct config_pair *out = text_alloc(a, (size_t)n * sizeof *out);
    int32_t kept = 0;
    for (int32_t i = 0; i < n; i++) sorted[i] = (struct numbered){pairs[i], i};
    if (n) qsort(sorted, (size_t)n, sizeof *sorted, compare);
    for (int32_t i = 0; i < n; i++) {
        if (i + 1 < n && !strcmp(sorted[i].pair.name, sorted[i + 1].pair.name)) continue;
        out[kept++] =
            (struct config_pair){text_copy(a, sorted[i].pair.name), text_copy(a, sorted[i].pair.value)};
    }
    return (struct config_layer){out, kept};
}

const char *config_layer_get(struct config_layer layer, const char *name) {
    int32_t low = 0, high = layer.n - 1;
    while (low <= high) {
        int32_t middle = (low + high) / 2;
        int order = strcmp(name, layer.pairs[middle].name);
        if (order == 0) return layer.pairs[middle].value;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return NULL;
}

/* Is `name` the same as, or a synonym of, some name in the layer? */
static bool hidden_by(struct config_layer over, const char *name) {
    if (config_layer_get(over, name)) return true;
    for (int32_t i = 0; i < over.n; i++) {
        int id = config_find(over.pairs[i].name);
        const struct config_def *def = id < 0 ? NULL : config_def((enum cfg_id)id);
        for (int32_t j = 0; def && j < def->same_n; j++)
            if (!strcmp(config_def(def->same[j].id)->name, name)) return true;
    }
    return false;
}

struct config_layer config_layer_override(struct arena *a, struct config_layer under,
                                          struct config_layer over) {
    struct config_pair *pairs = text_alloc(a, (size_t)(under.n + over.n) * sizeof *pairs);
    int32_t n = 0;
    for (int32_t i = 0; i < under.n; i++)
        if (!hidden_by(over, under.pairs[i].name)) pairs[n++] = under.pairs[i];
    for (int32_t i = 0; i < over.n; i++) pairs[n++] = over.pairs[i];
    return config_layer_make(a, pairs, n);
}

struct config_layer config_layer_set(struct arena *a, struct config_layer layer, const char *name,
                                     const char *value) {
    struct config_pair *pairs = text_alloc(a, (size_t)(layer.n + 1) * sizeof *pairs);
    if (layer.n) memcpy(pairs, layer.pairs, (size_t)layer.n * sizeof *pairs);
    pairs[layer.n] = (struct config_pair){name, value};
    return config_layer_make(a, pairs, layer.n + 1);
}
