#include "config/quorum.h"

#include <string.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "config/text.h"

static int voter_parse(const char *entry, struct arena *a, struct quorum_address *v, struct strbuf *error) {
    static const char key[] = "controller.quorum.voters", form[] = "{id}@{host}:{port}";
    const char *at = strchr(entry, '@');
    int64_t id;
    if (!at || at == entry || !at[1] || strchr(at + 1, '@')) {
        strbuf_addf(error, "Invalid configuration value for %s. Each entry should be in the form `%s`.", key,
                    form);
        return OE_INVALID;
    }
    const char *id_text = text_copy_n(a, entry, (size_t)(at - entry));
    if (!text_integer(id_text, INT32_MIN, INT32_MAX, &id)) {
        strbuf_addf(error, "Failed to parse voter ID as an integer from %s in %s", id_text, key);
        return OE_INVALID;
    }
    if (!text_host_port(a, at + 1, &v->host, &v->port)) {
        strbuf_addf(
            error,
            "Failed to parse host name from entry %s for the configuration %s. Each entry should be in the "
            "form `%s`.",
            entry, key, form);
        return OE_INVALID;
    }
    if (v->port > 65535) {
        strbuf_addf(error, "%s: port %d of %s is not from 0 to 65535", key, v->port, entry);
        return OE_INVALID;
    }
    v->id = (int32_t)id;
    return 0;
}

int quorum_parse_voters(struct config_list list, struct arena *a, struct quorum_address **to, int32_t *n,
                        struct strbuf *error) {
    *to = text_alloc(a, (size_t)list.n * sizeof **to);
    *n = 0;
    for (int32_t i = 0; i < list.n; i++) {
        struct quorum_address v;
        int r = voter_parse(list.items[i], a, &v, error);
        if (r) return r;
        int32_t at = 0;
        while (at < *n && (*to)[at].id != v.id) at++;
        (*to)[at] = v;
        if (at == *n) ++*n;
    }
    return 0;
}

int quorum_parse_bootstrap(struct config_list list, struct arena *a, struct quorum_address **to, int32_t *n,
                           struct strbuf *error) {
    *to = text_alloc(a, (size_t)list.n * sizeof **to);
    *n = list.n;
    for (int32_t i = 0; i < list.n; i++) {
        struct quorum_address *v = &(*to)[i];
        v->id = -1;
        if (text_host_port(a, list.items[i], &v->host, &v->port) && v->port <= 65535) continue;
        strbuf_addf(
            error,
            "Failed to parse host name from %s for the configuration controller.quorum.bootstrap.servers. "
            "Each entry should be in the form \"{host}:{port}\"",
            list.items[i]);
        return OE_INVALID;
    }
    return 0;
}

int quorum_check_voters(struct config_list list, struct strbuf *error) {
    struct arena a;
    struct quorum_address *to;
    int32_t n;
    arena_init(&a, SIZE_MAX);
    int r = quorum_parse_voters(list, &a, &to, &n, error);
    arena_free(&a);
    return r;
}

int quorum_check_bootstrap(struct config_list list, struct strbuf *error) {
    struct arena a;
    struct quorum_address *to;
    int32_t n;
    arena_init(&a, SIZE_MAX);
    int r = quorum_parse_bootstrap(list, &a, &to, &n, error);
    arena_free(&a);
    return r;
}
