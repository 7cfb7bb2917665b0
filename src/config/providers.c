/* Every variable is looked up anew: there are few, at a start or a change of the configuration. */
#include "config/providers.h"

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/regex.h"
#include "base/strbuf.h"
#include "config/internal.h"
#include "config/properties.h"
#include "config/text.h"

enum provider_kind { PROVIDER_FILE, PROVIDER_DIRECTORY, PROVIDER_ENVIRONMENT, PROVIDER_KINDS };

static const char *const classes[PROVIDER_KINDS] = {
    "org.apache.kafka.common.config.provider.FileConfigProvider",
    "org.apache.kafka.common.config.provider.DirectoryConfigProvider",
    "org.apache.kafka.common.config.provider.EnvVarConfigProvider"};

struct provider {
    const char *name;
    enum provider_kind kind;
    struct config_list allowed; /* paths, normalized; n 0: all */
    struct regex *pattern;      /* of environment variables; NULL: all */
};

struct providers {
    const struct config_outside *outside;
    struct arena *arena;
    struct provider *items;
    int32_t n;
    struct strbuf *error;
};

/* ---- paths
 * ----------------------------------------------------------------------------------------------------
 */

/* Without "." and ".." and repeated slashes (Path.normalize). */
static char *normalize(struct arena *a, const char *path) {
    size_t n = strlen(path), len = 0;
    char *out = text_alloc(a, n + 2);
    bool absolute = *path == '/';
    if (absolute) out[len++] = '/';
    for (const char *p = path; *p;) {
        size_t part = strcspn(p, "/");
        bool up = part == 2 && p[0] == '.' && p[1] == '.';
        if (up && len > absolute) {
            while (len > absolute && out[len - 1] != '/') len--;
            if (len > absolute) len--;
        } else if (part && !(part == 1 && *p == '.') && !up) {
            if (len > absolute) out[len++] = '/';
            memcpy(out + len, p, part);
            len += part;
        }
        p += part;
        while (*p == '/') p++;
    }
    out[len] = 0;
    return out;
}

static bool is_under(const char *path, const char *folder) {
    size_t n = strlen(folder);
    return !strncmp(path, folder, n) && (n == 1 || path[n] == '/' || !path[n]);
}

/* The path to look at, or NULL with a line in the log: it is not allowed. */
static const char *allowed_path(const struct providers *all, const struct provider *p, const char *path) {
    if (!p->allowed.n) return path;
    const char *normal = normalize(all->arena, path);
    for (int32_t i = 0; i < p->allowed.n; i++)
        if (is_under(normal, p->allowed.items[i])) return normal;
    LOG_WARN("config", "config provider %s: %s is not one of its allowed.paths", p->name, path);
    return NULL;
}

/* ---- what the providers give; 0 and *value, NULL when the key is not there
 * ----------------------------------------------------------------------------------------------------
 */

static int from_file(struct providers *all, const char *path, const char *key, const char **value) {
    struct properties file;
    struct strbuf ignored;
    char *text;
    size_t n;
    if (all->outside->read(path, &text, &n)) {
        strbuf_addf(all->error, "Could not read properties from file %s", path);
        return OE_INVALID;
    }
    strbuf_init(&ignored, 1 << 16);
    int err = properties_parse(&file, text, n, path, &ignored);
    if (err) {
        strbuf_addf(all->error, "Could not read properties from file %s", path);
        err = OE_INVALID;
    } else {
        *value = properties_get(&file, key);
        if (*value) *value = text_copy(all->arena, *value);
    }
    properties_free(&file);
    strbuf_free(&ignored);
    free(text);
    return err;
}

static int from_directory(struct providers *all, const char *path, const char *key, const char **value) {
    char *text;
    size_t n;
    if (all->outside->kind(path) != OUTSIDE_DIRECTORY) {
        LOG_WARN("config", "%s is not a directory", path);
        return 0;
    }
    const char *file = text_format(all->arena, "%s/%s", path, key);
    if (!*key || strchr(key, '/') || all->outside->kind(file) != OUTSIDE_FILE) return 0;
    if (all->outside->read(file, &text, &n)) {
        strbuf_addf(all->error, "Could not read file %s for property %s", file, key);
        return OE_INVALID;
    }
    *value = text_copy_n(all->arena, text, n);
    free(text);
    return 0;
}

static int from_environment(struct providers *all, const struct provider *p, const char *path,
                            const char *key, const char **value) {
    if (*path) {
        strbuf_addf(all->error, "Path is not supported for EnvVarConfigProvider, invalid value '%s'", path);
        return OE_INVALID;
    }
    if (!p->pattern || regex_matches(p->pattern, key, strlen(key))) *value = all->outside->environment(key);
    return 0;
}

static int look_up(struct providers *all, const struct provider *p, const char *path, const char *key,
                   const char **value) {
    *value = NULL;
    if (p->kind == PROVIDER_ENVIRONMENT) return from_environment(all, p, path, key, value);
    path = *path ? allowed_path(all, p, path) : NULL;
    if (!path) return 0;
    return p->kind == PROVIDER_FILE ? from_file(all, path, key, value)
                                    : from_directory(all, path, key, value);
}

/* ---- which providers there are
 * ----------------------------------------------------------------------------------------------------
 */

static int set_allowed(struct providers *all, struct provider *p, const char *paths) {
    if (!paths || !*paths) return 0;
    struct config_list list = text_list(all->arena, paths);
    const char **normal = text_alloc(all->arena, ((size_t)list.n + 1) * sizeof *normal);
    for (int32_t i = 0; i < list.n; i++) {
        normal[i] = normalize(all->arena, list.items[i]);
        const char *wrong = normal[i][0] != '/'                                ? "is not absolute"
                            : all->outside->kind(normal[i]) == OUTSIDE_NOTHING ? "does not exist"
                                                                               : NULL;
        if (!wrong) continue;
        strbuf_addf(all->error, "Path %s %s", normal[i], wrong);
        return OE_INVALID;
    }
    p->allowed = (struct config_list){.items = normal, .n = list.n};
    return 0;
}

static int set_pattern(struct providers *all, struct provider *p, const char *pattern) {
    if (!pattern || !regex_compile(REGEX_JAVA, pattern, strlen(pattern), &p->pattern, NULL)) return 0;
    strbuf_addf(all->error,
                "Invalid value %s for configuration config.providers.%s.param.allowlist.pattern: "
                "it is no regular expression",
                pattern, p->name);
    return OE_INVALID;
}

/* 1: added; 0: it has no class and is none. */
static int add_provider(struct providers *all, struct config_layer layer, const char *name) {
    struct arena *a = all->arena;
    const char *key = text_format(a, "config.providers.%s.class", name),
               *class = config_layer_get(layer, key);
    struct provider *p = &all->items[all->n];
    if (!class) return 0;
    *p = (struct provider){.name = name, .kind = PROVIDER_KINDS};
    for (int kind = 0; kind < PROVIDER_KINDS; kind++)
        if (!strcmp(class, classes[kind])) p->kind = (enum provider_kind)kind;
    if (p->kind == PROVIDER_KINDS || !all->outside) {
        strbuf_addf(
            all->error,
            "Invalid value %s for configuration %s: Could not load config provider class or one of its "
            "dependencies",
            class, key);
        return OE_INVALID;
    }
    all->n++;
    const char *prefix = text_format(a, "config.providers.%s.param.", name);
    int err =
        p->kind == PROVIDER_ENVIRONMENT
            ? set_pattern(all, p, config_layer_get(layer, text_format(a, "%sallowlist.pattern", prefix)))
            : set_allowed(all, p, config_layer_get(layer, text_format(a, "%sallowed.paths", prefix)));
    return err ? err : 1;
}

static int add_providers(struct providers *all, struct config_layer layer, const char *names) {
    struct config_list list = text_list(all->arena, names);
    all->items = text_alloc(all->arena, ((size_t)list.n + 1) * sizeof *all->items);
    for (int32_t i = 0; i < list.n; i++) {
        int err = add_provider(all, layer, list.items[i]);
        if (err < 0) return err;
    }
    return 0;
}

static const struct provider *find(const struct providers *all, const char *name) {
    for (int32_t i = all->n - 1; i >= 0; i--)
        if (!strcmp(all->items[i].name, name)) return &all->items[i];
    return NULL;
}

/* ---- variables
 * ----------------------------------------------------------------------------------------------------
 */

/* "provider:key" or "provider:path:key", without the braces; a key may have colons. False: it is neither. */
static bool split(struct arena *a, const char *s, size_t n, const char **provider, const char **path,
                  const char **key) {
    const char *first = memchr(s, ':', n);
    if (!first) return false;
    size_t rest = n - (size_t)(first + 1 - s);
    const char *second = memchr(first + 1, ':', rest);
    *provider = text_copy_n(a, s, (size_t)(first - s));
    *path = second ? text_copy_n(a, first + 1, (size_t)(second - first - 1)) : "";
    *key = second ? text_copy_n(a, second + 1, rest - (size_t)(second - first))
                  : text_copy_n(a, first + 1, rest);
    return true;
}

/* The value with its variables replaced; the value itself when there are none. */
static int replace(struct providers *all, const char *value, const char **out) {
    struct strbuf text;
    const char *from = value, *at = value;
    int err = 0;
    strbuf_init(&text, OUTSIDE_MAX_BYTES * 4);
    while (!err && (at = strstr(at, "${"))) {
        const char *end = strchr(at, '}'), *provider, *path, *key, *found = NULL;
        if (!end) break;
        if (!split(all->arena, at + 2, (size_t)(end - at - 2), &provider, &path, &key)) {
            at += 2;
            continue;
        }
        const struct provider *p = find(all, provider);
        if (p) err = look_up(all, p, path, key, &found);
        if (found) {
            strbuf_add(&text, from, (size_t)(at - from));
            strbuf_adds(&text, found);
            from = end + 1;
        }
        at = end + 1;
    }
    *out = value;
    if (!err && from != value) {
        strbuf_adds(&text, from);
        *out = text_copy(all->arena, strbuf_str(&text));
    }
    strbuf_free(&text);
    return err;
}

int providers_resolve(const struct config_outside *outside, struct arena *a, struct config_layer *layer,
                      struct strbuf *error) {
    const char *names = config_layer_get(*layer, "config.providers");
    struct providers all = {.outside = outside, .arena = a, .error = error};
    if (!names || !*names) return 0;
    int err = add_providers(&all, *layer, names);
    struct config_pair *pairs = text_alloc(a, ((size_t)layer->n + 1) * sizeof *pairs);
    for (int32_t i = 0; !err && all.n && i < layer->n; i++) {
        pairs[i].name = layer->pairs[i].name;
        err = replace(&all, layer->pairs[i].value, &pairs[i].value);
    }
    for (int32_t i = 0; i < all.n; i++) regex_free(all.items[i].pattern);
    if (!err && all.n) layer->pairs = pairs;
    return err;
}
