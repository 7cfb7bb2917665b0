/* ottla config describe|set|unset|list: configurations of topics, brokers, groups and so on. */
#include "cli/config.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/incremental_alter_configs.h"
#include "api/list_config_resources.h"
#include "base/kerr.h"
#include "cli/output.h"

enum { CONFIG_SET = 0, CONFIG_DELETE = 1, CONFIG_APPEND = 2, CONFIG_SUBTRACT = 3 };

static const struct {
    const char *name;
    enum config_type type;
} types[] = {
    {"topic", CONFIG_TOPIC},   {"broker", CONFIG_BROKER},
    {"group", CONFIG_GROUP},   {"client-metrics", CONFIG_CLIENT_METRICS},
    {"logger", CONFIG_LOGGER},
};
enum { TYPES = sizeof types / sizeof *types };

static const char *type_name(int8_t type) {
    for (int i = 0; i < TYPES; i++)
        if ((int8_t)types[i].type == type) return types[i].name;
    return "unknown";
}

/* 0 or CLI_USAGE. */
static int parse_type(const char *text, enum config_type *type) {
    for (int i = 0; i < TYPES; i++)
        if (!strcmp(types[i].name, text)) {
            *type = types[i].type;
            return 0;
        }
    return cli_wrong_usage(
        "'%s' has no configuration: it must be topic, broker, group, client-metrics or logger", text);
}

const char *config_source_name(int8_t source) {
    static const char *const names[] = {"unknown", "topic",  "broker",         "cluster", "server.properties",
                                        "default", "logger", "client-metrics", "group"};
    return source >= 0 && source < (int)(sizeof names / sizeof *names) ? names[source] : "unknown";
}

bool config_is_own(int8_t source) { return source > 0 && source != 5; }

static const char *value_type_name(int8_t type) {
    static const char *const names[] = {"unknown", "boolean", "string", "int",   "short",
                                        "long",    "double",  "list",   "class", "password"};
    return type >= 0 && type < (int)(sizeof names / sizeof *names) ? names[type] : "unknown";
}

int config_split(const char *text, struct kstr *name, struct kstr *value) {
    const char *equal = strchr(text, '=');
    if (!equal || equal == text) return OE_MALFORMED;
    *name = (struct kstr){text, (int32_t)(equal - text)};
    *value = kstr_of(equal + 1);
    return 0;
}

/* ---- asking ---- */

/* Brokers and loggers are asked at the node itself; its number, or -1. */
static int32_t node_of(enum config_type type, struct kstr name) {
    int32_t id = 0;
    if ((type != CONFIG_BROKER && type != CONFIG_LOGGER) || name.len <= 0 || name.len > 9) return -1;
    for (int32_t i = 0; i < name.len; i++) {
        if (name.s[i] < '0' || name.s[i] > '9') return -1;
        id = id * 10 + (name.s[i] - '0');
    }
    return id;
}

int config_try(struct admin *a, enum config_type type, const struct kstr *names, int n, bool docs,
               struct describe_configs_response *r) {
    struct describe_configs_request q;
    describe_configs_request_init(&q);
    q.include_synonyms = docs;
    q.include_documentation = docs;
    q.resources = arena_calloc(&a->arena, (size_t)n + 1, sizeof *q.resources);
    if (!q.resources) return OE_LIMIT;
    for (int i = 0; i < n; i++) {
        describe_configs_request_describe_configs_resource_init(&q.resources[i]);
        q.resources[i].resource_type = (int8_t)type;
        q.resources[i].resource_name = names[i];
        q.resources[i].configuration_keys_n = -1;
    }
    q.resources_n = n;
    int32_t node = n == 1 ? node_of(type, names[0]) : -1;
    return client_do(a->client, &(struct client_call){.key = API_DESCRIBE_CONFIGS,
                                                      .target = node >= 0 ? CLIENT_NODE : CLIENT_ANY,
                                                      .node = node,
                                                      .request = &q,
                                                      .response = r,
                                                      .arena = &a->arena});
}

int config_ask(struct admin *a, enum config_type type, const struct kstr *names, int n, bool docs,
               struct describe_configs_response *r) {
    return admin_done(a, config_try(a, type, names, n, docs, r));
}

static int compare_rows(const void *x, const void *y) {
    const struct describe_configs_response_describe_configs_resource_result *a = x, *b = y;
    int n = memcmp(a->name.s, b->name.s, (size_t)(a->name.len < b->name.len ? a->name.len : b->name.len));
    return n ? n : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

static void row_json(struct json *j,
                     const struct describe_configs_response_describe_configs_resource_result *k, bool docs) {
    json_open(j, '{');
    json_str(j, "name", k->name);
    json_str(j, "value", k->value);
    json_text(j, "source", config_source_name(k->config_source));
    json_text(j, "type", value_type_name(k->config_type));
    json_bool(j, "readOnly", k->read_only);
    json_bool(j, "sensitive", k->is_sensitive);
    if (docs) {
        json_str(j, "documentation", k->documentation);
        json_key(j, "synonyms");
        json_open(j, '[');
        for (int32_t i = 0; i < k->synonyms_n; i++) {
            json_open(j, '{');
            json_str(j, "name", k->synonyms[i].name);
            json_str(j, "value", k->synonyms[i].value);
            json_text(j, "source", config_source_name(k->synonyms[i].source));
            json_close(j, '}');
        }
        json_close(j, ']');
    }
    json_close(j, '}');
}

/* A value in one line. */
static void add_value(struct table *t,
                      const struct describe_configs_response_describe_configs_resource_result *k) {
    if (k->is_sensitive)
        table_add(t, "(hidden)");
    else if (k->value.len < 0)
        table_add(t, "-");
    else
        table_adds(t, k->value);
}

/* Brokers write HTML: without its tags it reads well enough. */
static void print_documentation(struct kstr text) {
    if (text.len <= 0) return;
    fputs("    ", stdout);
    for (int32_t i = 0; i < text.len; i++) {
        const char *end = text.s[i] == '<' && i + 1 < text.len &&
                                  (text.s[i + 1] == '/' || (text.s[i + 1] >= 'a' && text.s[i + 1] <= 'z'))
                              ? memchr(text.s + i, '>', (size_t)(text.len - i))
                              : NULL;
        if (end)
            i = (int32_t)(end - text.s);
        else
            putchar(text.s[i] == '\n' ? ' ' : text.s[i]);
    }
    putchar('\n');
}

static void rows_text(const struct describe_configs_response_describe_configs_result *r, bool all,
                      bool docs) {
    static const char *const headings[] = {"NAME", "VALUE", "SOURCE", "TYPE"};
    struct table t;
    table_init(&t, headings, 4);
    int shown = 0;
    for (int32_t i = 0; i < r->configs_n; i++) {
        const struct describe_configs_response_describe_configs_resource_result *k = &r->configs[i];
        if (!all && !config_is_own(k->config_source)) continue;
        shown++;
        if (docs) {
            printf("%s%.*s = %.*s  (%s, %s%s)\n", shown > 1 ? "\n" : "", k->name.len, k->name.s,
                   k->value.len < 0 ? 0 : k->value.len, k->value.s ? k->value.s : "",
                   value_type_name(k->config_type), config_source_name(k->config_source),
                   k->read_only ? ", needs a restart" : "");
            print_documentation(k->documentation);
            continue;
        }
        table_adds(&t, k->name);
        add_value(&t, k);
        table_add(&t, "%s", config_source_name(k->config_source));
        table_add(&t, "%s%s", value_type_name(k->config_type), k->read_only ? ", read-only" : "");
    }
    if (!shown)
        puts("nothing is set; --all shows the defaults");
    else if (!docs) {
        table_print(&t);
        return;
    }
}

static int config_describe(struct cli *c) {
    struct admin a;
    struct describe_configs_response r = {0};
    enum config_type type = CONFIG_TOPIC;
    bool docs = cli_has(c, "docs"), all = docs || cli_has(c, "all");
    int status = parse_type(c->args[0], &type);
    if (status) return status;
    struct kstr name = kstr_of(type == CONFIG_BROKER && !strcmp(c->args[1], "default") ? "" : c->args[1]);
    if ((status = admin_begin(c, &a))) goto out;
    if ((status = config_ask(&a, type, &name, 1, docs, &r))) goto out;
    if (r.results_n != 1) {
        status = cli_fail("the broker's answer does not name the %s", c->args[0]);
        goto out;
    }
    if (r.results[0].error_code) {
        status = admin_refused(c->args[1], r.results[0].error_code, r.results[0].error_message);
        goto out;
    }
    if (r.results[0].configs_n > 0)
        qsort(r.results[0].configs, (size_t)r.results[0].configs_n,
              sizeof(struct describe_configs_response_describe_configs_resource_result), compare_rows);
    if (c->json) {
        struct json j;
        json_init(&j);
        json_open(&j, '[');
        for (int32_t i = 0; i < r.results[0].configs_n; i++)
            if (all || config_is_own(r.results[0].configs[i].config_source))
                row_json(&j, &r.results[0].configs[i], docs);
        json_close(&j, ']');
        json_print(&j);
    } else {
        rows_text(&r.results[0], all, docs);
    }
out:
    admin_end(&a);
    return status;
}

/* ---- changing ---- */

/* name=value, name+=value, name-=value. */
static int parse_change(const char *text, struct incremental_alter_configs_request_alterable_config *k) {
    incremental_alter_configs_request_alterable_config_init(k);
    if (config_split(text, &k->name, &k->value)) return cli_wrong_usage("'%s': write name=value", text);
    char last = k->name.s[k->name.len - 1];
    k->config_operation = last == '+' ? CONFIG_APPEND : last == '-' ? CONFIG_SUBTRACT : CONFIG_SET;
    if (k->config_operation != CONFIG_SET) k->name.len--;
    return 0;
}

static int send_changes(struct cli *c, struct admin *a, enum config_type type, const char *name,
                        struct incremental_alter_configs_request_alterable_config *v, int n) {
    struct incremental_alter_configs_request q;
    struct incremental_alter_configs_response r;
    struct incremental_alter_configs_request_alter_configs_resource resource = {
        .resource_type = (int8_t)type, .resource_name = kstr_of(name), .configs = v, .configs_n = n};
    incremental_alter_configs_request_init(&q);
    q.resources = &resource;
    q.resources_n = 1;
    q.validate_only = cli_has(c, "validate-only");
    int32_t node = type == CONFIG_LOGGER ? node_of(type, resource.resource_name) : -1;
    int status = admin_call(a, &(struct client_call){.key = API_INCREMENTAL_ALTER_CONFIGS,
                                                     .target = node >= 0 ? CLIENT_NODE : CLIENT_CONTROLLER,
                                                     .node = node,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena});
    if (status) return status;
    if (r.responses_n != 1) return cli_fail("the broker's answer does not name %s", name);
    if (r.responses[0].error_code)
        return admin_refused(*name ? name : "default", r.responses[0].error_code,
                             r.responses[0].error_message);
    return 0;
}

int config_alter(struct cli *c, struct admin *a, enum config_type type, const char *name, const char *set,
                 const char *unset) {
    struct incremental_alter_configs_request_alterable_config *v =
        arena_calloc(&a->arena, (size_t)c->settings_n + 1, sizeof *v);
    const char *text;
    int n = 0;
    for (int at = 0; (text = cli_next(c, set, &at));)
        if (parse_change(text, &v[n++])) return CLI_USAGE;
    for (int at = 0; (text = cli_next(c, unset, &at)); n++) {
        incremental_alter_configs_request_alterable_config_init(&v[n]);
        v[n].name = kstr_of(text);
        v[n].value = KSTR_NULL;
        v[n].config_operation = CONFIG_DELETE;
    }
    return send_changes(c, a, type, name, v, n);
}

static int change(struct cli *c, bool unset) {
    struct admin a;
    enum config_type type = CONFIG_TOPIC;
    int status = parse_type(c->args[0], &type);
    if (status) return status;
    const char *name = type == CONFIG_BROKER && !strcmp(c->args[1], "default") ? "" : c->args[1];
    if ((status = admin_begin(c, &a))) goto out;
    int n = c->args_n - 2;
    struct incremental_alter_configs_request_alterable_config *v =
        arena_calloc(&a.arena, (size_t)n + 1, sizeof *v);
    for (int i = 0; i < n && !status; i++) {
        if (!unset) {
            status = parse_change(c->args[2 + i], &v[i]);
            continue;
        }
        incremental_alter_configs_request_alterable_config_init(&v[i]);
        v[i].name = kstr_of(c->args[2 + i]);
        v[i].value = KSTR_NULL;
        v[i].config_operation = CONFIG_DELETE;
    }
    if (!status) status = send_changes(c, &a, type, name, v, n);
    if (status) goto out;
    bool dry = cli_has(c, "validate-only");
    if (c->json) {
        struct json j;
        json_init(&j);
        json_open(&j, '{');
        json_text(&j, "type", c->args[0]);
        json_text(&j, "name", c->args[1]);
        json_bool(&j, "altered", !dry);
        json_close(&j, '}');
        json_print(&j);
    } else {
        printf("%s %s: %d %s%s\n", c->args[0], c->args[1], n, unset ? "removed" : "set",
               dry ? " (checked only)" : "");
    }
out:
    admin_end(&a);
    return status;
}

static int config_set(struct cli *c) { return change(c, false); }
static int config_unset(struct cli *c) { return change(c, true); }

/* ---- list ---- */

static int config_list(struct cli *c) {
    static const char *const headings[] = {"TYPE", "NAME"};
    struct admin a;
    struct list_config_resources_request q;
    struct list_config_resources_response r;
    enum config_type type = CONFIG_TOPIC;
    int8_t wanted;
    list_config_resources_request_init(&q);
    int status = c->args_n ? parse_type(c->args[0], &type) : 0;
    if (status) return status;
    if (c->args_n) {
        wanted = (int8_t)type;
        q.resource_types = &wanted;
        q.resource_types_n = 1;
    }
    status = admin_begin(c, &a);
    if (!status) status = admin_ask(&a, API_LIST_CONFIG_RESOURCES, &q, &r);
    if (!status && r.error_code) status = admin_refused("config list", r.error_code, KSTR_NULL);
    if (status) goto out;
    struct table t;
    struct json j;
    table_init(&t, headings, 2);
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < r.config_resources_n; i++) {
        const struct list_config_resources_response_config_resource *k = &r.config_resources[i];
        table_add(&t, "%s", type_name(k->resource_type));
        if (k->resource_name.len)
            table_adds(&t, k->resource_name);
        else
            table_add(&t, "default");
        json_open(&j, '{');
        json_text(&j, "type", type_name(k->resource_type));
        json_str(&j, "name", k->resource_name);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    if (c->json)
        json_print(&j);
    else
        table_print(&t);
out:
    admin_end(&a);
    return status;
}

/* ---- tables ---- */

static const char *const details =
    "TYPE is topic, broker, group, client-metrics or logger (of a broker); NAME is the topic, the\n"
    "broker's number or `default` for all brokers, the group.";
static const struct cli_option describe_options[] = {
    {'a', "all", NULL, "defaults, too, not only what is set"},
    {0, "docs", NULL, "all, with what each is for"},
    {0},
};
static const struct cli_example describe_examples[] = {
    {"ottla config describe topic orders", "what is set for the topic"},
    {"ottla config describe broker 1 --all", "every value in effect, and where it comes from"},
    {"ottla config describe broker default", "what is set for all brokers"},
    {"ottla config describe topic orders --docs", "what each one is for"},
    {0},
};
static const struct cli_option change_options[] = {{0, "validate-only", NULL, "check, change nothing"}, {0}};
static const struct cli_example set_examples[] = {
    {"ottla config set topic orders retention.ms=86400000 cleanup.policy=delete", "several at once"},
    {"ottla config set topic orders cleanup.policy+=compact", "add to a list; -= takes away"},
    {"ottla config set broker default log.cleaner.threads=2", "for all brokers"},
    {0},
};
static const struct cli_example unset_examples[] = {
    {"ottla config unset topic orders retention.ms", "back to the default"},
    {0},
};
static const struct cli_example list_examples[] = {
    {"ottla config list", "everything that has a configuration"},
    {"ottla config list group", "groups with one"},
    {0},
};
static const struct cli_command commands[] = {
    {"describe", "TYPE NAME", "show a configuration", config_describe, NULL, describe_options,
     describe_examples, details, CLI_CLIENT | CLI_JSON, .least = 2, .most = 2},
    {"set", "TYPE NAME KEY=VALUE...", "set configurations", config_set, NULL, change_options, set_examples,
     details, CLI_CLIENT | CLI_JSON, .least = 3, .most = -1},
    {"unset", "TYPE NAME KEY...", "remove configurations", config_unset, NULL, change_options, unset_examples,
     details, CLI_CLIENT | CLI_JSON, .least = 3, .most = -1},
    {"list", "[TYPE]", "list what has a configuration", config_list, NULL, NULL, list_examples, details,
     CLI_CLIENT | CLI_JSON, .most = 1},
    {0},
};
const struct cli_command cli_config_command = {"config", .summary = "show and change configurations",
                                               .commands = commands};

int cli_config(int argc, char **argv) { return cli_run(&cli_config_command, argc, argv); }
