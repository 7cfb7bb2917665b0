/* Rows are made in an arena of their own, where running out of memory aborts, and copied into the caller's at
 * the end, where it is an error: a client decides how often a request asks. */
#include "config/describe.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "config/text.h"
#include "config/topic_config.h"

enum { SYNONYMS_MAX = 12, SENTENCE_MAX = 1 << 20 }; /* three names in four layers */

/* What is being made. */
struct maker {
    const struct config *config;
    struct arena arena; /* scratch */
    struct strbuf ignored;
    struct config_rows rows;
};

static void begin(struct maker *m, const struct config *c, int32_t most) {
    *m = (struct maker){.config = c};
    arena_init(&m->arena, SIZE_MAX);
    strbuf_init(&m->ignored, SENTENCE_MAX);
    m->rows.rows = text_alloc(&m->arena, (size_t)most * sizeof *m->rows.rows);
}

static struct config_row *add_row(struct maker *m, const char *name, enum config_type type) {
    struct config_row *row = &m->rows.rows[m->rows.n++];
    *row = (struct config_row){.name = name, .type = type, .source = SOURCE_DEFAULT};
    row->sensitive = type == CONFIG_TYPE_UNKNOWN || type == CONFIG_TYPE_PASSWORD;
    row->synonyms = text_alloc(&m->arena, SYNONYMS_MAX * sizeof *row->synonyms);
    return row;
}

static void add_synonym(struct config_row *row, const char *name, const char *value,
                        enum config_source source) {
    if (row->synonyms_n == 0) row->source = source;
    row->synonyms[row->synonyms_n++] = (struct config_synonym){name, row->sensitive ? NULL : value, source};
}

/* The broker keys that set the same thing as `name`, strongest first; at most three. */
static int32_t broker_names(const char *name, const char **names) {
    int id = config_find(name);
    const struct config_def *def = id < 0 ? NULL : config_def((enum cfg_id)id);
    const char *base = config_listener_base(name);
    for (int32_t i = 0; def && i < def->same_n; i++) names[i] = config_def(def->same[i].id)->name;
    if (def && def->same_n) return def->same_n;
    names[0] = name;
    if (base) names[1] = base;
    return base ? 2 : 1;
}

/* Adds the broker keys' values of all layers from where `name` itself first has one. */
static void add_broker_synonyms(const struct maker *m, struct config_row *row, const char *name) {
    static const enum config_source layers[] = {SOURCE_BROKER, SOURCE_DEFAULT_BROKER, SOURCE_STATIC,
                                                SOURCE_DEFAULT};
    const char *names[4];
    int32_t n = broker_names(name, names);
    bool begun = false;
    for (int32_t at = 0; at < 4 * n; at++) {
        enum config_source source = layers[at / n];
        const char *synonym = names[at % n], *value;
        if (source == SOURCE_DEFAULT) {
            int id = config_find(synonym);
            bool known = id >= 0 && !config_def((enum cfg_id)id)->dynamic_only;
            value = known ? config_def((enum cfg_id)id)->fallback : NULL;
        } else {
            value = config_layer_get(config_layer(m->config, source), synonym);
        }
        begun |= value && !strcmp(synonym, name);
        if (value && begun) add_synonym(row, synonym, value, source);
    }
}

/* A name's type, if need be that of the key it is for one listener. */
static enum config_type broker_type(const char *name) {
    const char *names[4];
    int32_t n = broker_names(name, names);
    int id = config_find(name);
    for (int32_t i = 0; id < 0 && i < n; i++) id = config_find(names[i]);
    return id < 0 ? CONFIG_TYPE_UNKNOWN : config_def((enum cfg_id)id)->type;
}

static struct config_row *add_broker_row(struct maker *m, const char *name, const char *value) {
    struct config_row *row = add_row(m, name, broker_type(name));
    int id = config_find(name);
    const struct config_def *def = id < 0 ? NULL : config_def((enum cfg_id)id);
    row->read_only = !def || def->mode == CONFIG_MODE_READ_ONLY;
    row->value = row->sensitive ? NULL : value;
    if (def && !def->dynamic_only) row->doc = def->doc;
    return row;
}

static int by_name(const void *x, const void *y) {
    const struct config_row *a = x, *b = y;
    return strcmp(a->name, b->name);
}

/* A copy in the arena; false: it is full. */
static bool keep(struct arena *a, const char **s) {
    if (*s) *s = arena_strndup(a, *s, strlen(*s));
    return *s != NULL;
}

static bool keep_row(struct arena *a, struct config_row *row) {
    const char *name = row->name;
    struct config_synonym *synonyms = arena_calloc(a, (size_t)row->synonyms_n + 1, sizeof *synonyms);
    if (!synonyms || !keep(a, &row->name) || (row->value && !keep(a, &row->value))) return false;
    for (int32_t i = 0; i < row->synonyms_n; i++) {
        synonyms[i] = row->synonyms[i];
        bool same = synonyms[i].name == name;
        if (same) synonyms[i].name = row->name;
        if (!same && !keep(a, &synonyms[i].name)) return false;
        if (synonyms[i].value && !keep(a, &synonyms[i].value)) return false;
    }
    row->synonyms = synonyms;
    return true;
}

static int finish(struct maker *m, struct arena *a, struct config_rows *to) {
    int32_t n = m->rows.n, err = OE_LIMIT;
    *to = (struct config_rows){0};
    if (n) qsort(m->rows.rows, (size_t)n, sizeof *m->rows.rows, by_name);
    struct config_row *rows = arena_calloc(a, (size_t)n + 1, sizeof *rows);
    if (!rows) goto out;
    for (int32_t i = 0; i < n; i++) {
        rows[i] = m->rows.rows[i];
        if (!keep_row(a, &rows[i])) goto out;
    }
    *to = (struct config_rows){rows, n};
    err = 0;
out:
    strbuf_free(&m->ignored);
    arena_free(&m->arena);
    return err;
}

int config_describe_broker(const struct config *c, struct arena *a, struct config_rows *to) {
    struct config_layer current = config_layer(c, SOURCE_UNKNOWN);
    struct maker m;
    begin(&m, c, CFG_COUNT + current.n);
    for (int id = 0; id < CFG_COUNT; id++) {
        const struct config_def *def = config_def((enum cfg_id)id);
        if (def->internal || def->dynamic_only) continue;
        add_broker_row(&m, def->name, config_value_text(def, config_value(c, (enum cfg_id)id), &m.arena));
    }
    for (int32_t i = 0; i < current.n; i++) {
        int id = config_find(current.pairs[i].name);
        const struct config_def *def = id < 0 ? NULL : config_def((enum cfg_id)id);
        if (!def || def->internal || def->dynamic_only)
            add_broker_row(&m, current.pairs[i].name, current.pairs[i].value);
    }
    for (int32_t i = 0; i < m.rows.n; i++) add_broker_synonyms(&m, &m.rows.rows[i], m.rows.rows[i].name);
    return finish(&m, a, to);
}

int config_describe_brokers(const struct config *c, struct arena *a, struct config_rows *to) {
    struct config_layer layer = config_layer(c, SOURCE_DEFAULT_BROKER);
    struct maker m;
    begin(&m, c, layer.n);
    for (int32_t i = 0; i < layer.n; i++) {
        struct config_row *row = add_broker_row(&m, layer.pairs[i].name, layer.pairs[i].value), all = *row;
        all.synonyms = text_alloc(&m.arena, SYNONYMS_MAX * sizeof *all.synonyms);
        add_broker_synonyms(&m, &all, row->name);
        for (int32_t j = 0; j < all.synonyms_n; j++)
            if (all.synonyms[j].source == SOURCE_DEFAULT_BROKER)
                row->synonyms[row->synonyms_n++] = all.synonyms[j];
        if (row->synonyms_n) row->source = SOURCE_DEFAULT_BROKER;
    }
    return finish(&m, a, to);
}

/* One row of a resource with overrides: `raw` is the override or NULL, `fallback` the value without it. */
static void add_override_row(struct maker *m, const struct config_def *def, const char *raw,
                             struct config_value fallback, enum config_source source,
                             const char *broker_key) {
    struct config_row *row = add_row(m, def->name, def->type);
    struct config_value v = fallback;
    strbuf_reset(&m->ignored);
    bool readable = !raw || !config_value_parse(def, raw, &m->arena, &v, &m->ignored);
    const char *text = readable ? config_value_text(def, &v, &m->arena) : raw;
    row->value = row->sensitive ? NULL : text;
    row->doc = def->doc;
    if (raw) add_synonym(row, def->name, text, source);
    if (!broker_key) return;
    if (!raw) {
        add_broker_synonyms(m, row, broker_key);
        return;
    }
    struct config_row rest = *row; /* the source stays that of the override */
    add_broker_synonyms(m, &rest, broker_key);
    row->synonyms_n = rest.synonyms_n;
}

static const char *pair_get(const struct config_pair *pairs, int32_t n, const char *name) {
    for (int32_t i = n - 1; i >= 0; i--)
        if (!strcmp(pairs[i].name, name)) return pairs[i].value;
    return NULL;
}

static struct config_value own_default(struct maker *m, const struct config_def *def) {
    struct config_value v;
    strbuf_reset(&m->ignored);
    config_value_parse(def, NULL, &m->arena, &v, &m->ignored);
    return v;
}

int config_describe_topic(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct arena *a, struct config_rows *to) {
    struct maker m;
    begin(&m, c, TCFG_COUNT);
    for (int id = 0; id < TCFG_COUNT; id++) {
        const struct config_def *def = topic_config_def((enum tcfg_id)id);
        const char *raw = pair_get(overrides, n, def->name);
        if (def->internal && !raw) continue;
        add_override_row(&m, def, raw, topic_config_default(c, (enum tcfg_id)id, &m.arena), SOURCE_TOPIC,
                         def->same_n ? config_def(def->same[0].id)->name : NULL);
    }
    return finish(&m, a, to);
}

int config_describe_group(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct arena *a, struct config_rows *to) {
    struct maker m;
    begin(&m, c, GCFG_COUNT);
    for (int id = 0; id < GCFG_COUNT; id++) {
        const struct config_def *def = group_config_def((enum gcfg_id)id);
        const char *raw = pair_get(overrides, n, def->name);
        if (def->same_n) {
            add_override_row(&m, def, raw, *config_value(c, def->same[0].id), SOURCE_GROUP,
                             config_def(def->same[0].id)->name);
            continue;
        }
        add_override_row(&m, def, raw, own_default(&m, def), SOURCE_GROUP, NULL);
        struct config_row *row = &m.rows.rows[m.rows.n - 1];
        enum config_source source = row->source;
        add_synonym(row, def->name, def->fallback, SOURCE_DEFAULT);
        row->source = source;
    }
    return finish(&m, a, to);
}

int config_describe_client_metrics(const struct config_pair *overrides, int32_t n, struct arena *a,
                                   struct config_rows *to) {
    struct maker m;
    begin(&m, NULL, MCFG_COUNT);
    for (int id = 0; id < MCFG_COUNT; id++) {
        const struct config_def *def = client_metrics_def((enum mcfg_id)id);
        add_override_row(&m, def, pair_get(overrides, n, def->name), own_default(&m, def),
                         SOURCE_CLIENT_METRICS, NULL);
    }
    return finish(&m, a, to);
}

/* The first layer that has a value for one of the synonyms, as text in the topic key's unit. */
static const char *new_topic_value(struct maker *m, const struct config_def *def,
                                   enum config_source *source) {
    static const enum config_source layers[] = {SOURCE_BROKER, SOURCE_DEFAULT_BROKER, SOURCE_STATIC};
    for (int layer = 0; layer < 3; layer++) {
        for (int32_t i = 0; i < def->same_n; i++) {
            const char *name = config_def(def->same[i].id)->name;
            const char *raw = config_layer_get(config_layer(m->config, layers[layer]), name);
            int64_t number = 0;
            if (!raw) continue;
            *source = layers[layer];
            if (def->same[i].factor == 1) return raw;
            text_integer(text_trim(&m->arena, raw), INT32_MIN, INT32_MAX, &number);
            number *= def->same[i].factor;
            return text_format(&m->arena, "%lld", (long long)number);
        }
    }
    *source = SOURCE_DEFAULT;
    return def->fallback;
}

int config_describe_new_topic(const struct config *c, const struct config_pair *overrides, int32_t n,
                              struct arena *a, struct config_rows *to) {
    struct maker m;
    begin(&m, c, TCFG_COUNT);
    for (int id = 0; id < TCFG_COUNT; id++) {
        const struct config_def *def = topic_config_def((enum tcfg_id)id);
        const char *raw = pair_get(overrides, n, def->name);
        if (def->internal && !raw) continue;
        struct config_row *row = add_row(&m, def->name, def->type);
        row->source = SOURCE_TOPIC;
        row->value = raw ? raw : new_topic_value(&m, def, &row->source);
    }
    return finish(&m, a, to);
}
