#include "cli/names/console.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "config/properties.h"

bool console_is_true(const char *text) {
    while (isspace((unsigned char)*text)) text++;
    size_t n = strlen(text);
    while (n && isspace((unsigned char)text[n - 1])) n--;
    return n == 4 && !strncasecmp(text, "true", 4);
}

/* The value when the text is name=value. */
static const char *value_of(const char *text, const char *name) {
    size_t n = strlen(name);
    if (strncmp(text, name, n) != 0) return NULL;
    return text[n] == '=' ? text + n + 1 : text[n] ? NULL : "";
}

const char *console_property(const struct tool_run *r, const struct console_properties *p, const char *name) {
    const char *text, *found = NULL, *options[] = {p->option, p->old};
    for (int i = 0; i < 2; i++)
        for (int at = 0; options[i] && (text = tool_next(r, options[i], &at));) {
            const char *value = value_of(text, name);
            if (value) found = value;
        }
    return found;
}

bool console_old(struct tool_run *r, const char *now, const char *old) {
    if (!tool_has(r, old)) return true;
    if (tool_has(r, now))
        return tool_usage(r, "Options --%s and --%s cannot be specified together.", old, now);
    printf("Option --%s is deprecated and will be removed in a future version. Use --%s instead.\n", old,
           now);
    return true;
}

bool console_set(struct tool_run *r, rd_kafka_conf_t *conf, const char *name, const char *value) {
    char why[300];
    if (!strcmp(name, "security.protocol") && strcasecmp(value, "PLAINTEXT") != 0)
        return tool_fail(r, "security.protocol=%s: only PLAINTEXT is supported", value);
    rd_kafka_conf_res_t result = rdk()->conf_set(conf, name, value, why, sizeof why);
    if (result == RD_KAFKA_CONF_UNKNOWN) fprintf(stderr, "%s=%s: not supported, left out\n", name, value);
    return result != RD_KAFKA_CONF_INVALID || tool_fail(r, "%s", why);
}

/* "name=value" of an option. */
static bool set_text(struct tool_run *r, rd_kafka_conf_t *conf, const char *text) {
    const char *eq = strchr(text, '=');
    const char *name = arena_strndup(&r->admin.arena, text, eq ? (size_t)(eq - text) : strlen(text));
    return name ? console_set(r, conf, name, eq ? eq + 1 : "") : tool_fail(r, "too long");
}

bool console_configure(struct tool_run *r, rd_kafka_conf_t *conf, const char *old_property,
                       const char *old_file) {
    const char *text, *path = tool_get(r, "command-config"), *options[] = {"command-property", old_property};
    struct properties p;
    bool ok = true;
    if (!path) path = tool_get(r, old_file);
    if (path) {
        ok = tool_properties(r, path, &p);
        for (int32_t i = 0; ok && i < p.n; i++) ok = console_set(r, conf, p.items[i].name, p.items[i].value);
        properties_free(&p);
    }
    for (int i = 0; i < 2; i++)
        for (int at = 0; ok && (text = tool_next(r, options[i], &at));) ok = set_text(r, conf, text);
    return ok;
}
