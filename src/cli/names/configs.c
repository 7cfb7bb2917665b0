/* kafka-configs: kafka.admin.ConfigCommand; quotas and users are in configs_quotas.c. */
#include "cli/names/configs.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/incremental_alter_configs.h"
#include "api/list_config_resources.h"
#include "api/list_groups.h"
#include "base/kerr.h"
#include "cli/config.h"
#include "cli/group.h"
#include "cli/names/names.h"
#include "cli/names/topics.h"
#include "config/properties.h"
#include "io/file.h"

enum { CALL_MS = 60000, OP_SET = 0, OP_DELETE = 1 };

#define ENTRY struct describe_configs_response_describe_configs_resource_result

/* ---- whose ---- */

static const struct kind {
    const char *option, *type;
    enum config_type resource; /* 0: not a resource with configurations of its own */
    int8_t source;             /* of what is set for it alone; 0: any */
} kinds[] = {
    {"topic", "topics", CONFIG_TOPIC, 1},
    {"client", "clients", 0, 0},
    {"user", "users", 0, 0},
    {"broker", "brokers", CONFIG_BROKER, 2},
    {"broker-logger", "broker-loggers", CONFIG_LOGGER, 0},
    {"ip", "ips", 0, 0},
    {"client-metrics", "client-metrics", CONFIG_CLIENT_METRICS, 7},
    {"group", "groups", CONFIG_GROUP, 8},
};
static const struct {
    const char *option, *type;
} defaults[] = {{"client-defaults", "clients"},
                {"user-defaults", "users"},
                {"broker-defaults", "brokers"},
                {"ip-defaults", "ips"}};
enum { KINDS = sizeof kinds / sizeof *kinds, DEFAULTS = sizeof defaults / sizeof *defaults };

static const struct kind *kind_of(const char *type) {
    for (int i = 0; i < KINDS; i++)
        if (!strcmp(kinds[i].type, type)) return &kinds[i];
    return NULL;
}

static void add(const char **list, int *n, const char *what) {
    if (*n < ENTITIES_MAX) list[(*n)++] = what;
}

static void find_entities(const struct tool_run *r, struct entities *e) {
    const char *text;
    *e = (struct entities){0};
    for (int at = 0; (text = tool_next(r, "entity-type", &at));) add(e->types, &e->types_n, text);
    for (int i = 0; i < r->settings_n; i++) {
        const struct tool_setting *s = &r->settings[i];
        if (!strcmp(s->option->name, "entity-name")) add(e->names, &e->names_n, s->value);
        if (!strcmp(s->option->name, "entity-default")) add(e->names, &e->names_n, "");
    }
    for (int i = 0; i < KINDS; i++)
        if ((text = tool_get(r, kinds[i].option))) {
            add(e->types, &e->types_n, kinds[i].type);
            add(e->names, &e->names_n, text);
        }
    for (int i = 0; i < DEFAULTS; i++)
        if (tool_has(r, defaults[i].option)) {
            add(e->types, &e->types_n, defaults[i].type);
            add(e->names, &e->names_n, "");
        }
}

static bool has_type(const struct entities *e, const char *type) {
    for (int i = 0; i < e->types_n; i++)
        if (!strcmp(e->types[i], type)) return true;
    return false;
}

/* "topics" without its last letter. */
static int singular(const char *type) { return (int)strlen(type) - 1; }

/* ---- the command line ---- */

static bool flags_given(const struct tool_run *r) {
    for (int i = 0; i < KINDS; i++)
        if (tool_has(r, kinds[i].option)) return true;
    for (int i = 0; i < DEFAULTS; i++)
        if (tool_has(r, defaults[i].option)) return true;
    return false;
}

static bool check_types(struct tool_run *r, const struct entities *e) {
    for (int i = 0; i < e->types_n; i++) {
        if (!kind_of(e->types[i]))
            return tool_fail(
                r,
                "Invalid entity type %s, the entity type must be one of topics, clients, users, "
                "brokers, ips, client-metrics, groups, broker-loggers with a --bootstrap-server or "
                "--bootstrap-controller argument",
                e->types[i]);
        for (int k = 0; k < i; k++)
            if (!strcmp(e->types[i], e->types[k]))
                return tool_fail(r, "Duplicate entity type(s) specified: %s", e->types[i]);
    }
    if (!e->types_n) return tool_fail(r, "At least one entity type must be specified");
    if (e->types_n > 1 && !(e->types_n == 2 && has_type(e, "users") && has_type(e, "clients")))
        return tool_fail(r, "Only 'users' and 'clients' entity types may be specified together");
    if ((tool_has(r, "entity-name") || tool_has(r, "entity-type") || tool_has(r, "entity-default")) &&
        flags_given(r))
        return tool_fail(
            r, "--entity-{type,name,default} should not be used in conjunction with specific entity flags");
    return true;
}

static bool check_names(struct tool_run *r, const struct entities *e) {
    bool named = false, standard = false,
         has_defaults =
             has_type(e, "users") || has_type(e, "clients") || has_type(e, "brokers") || has_type(e, "ips");
    int64_t id;
    for (int i = 0; i < e->names_n; i++) {
        named = named || *e->names[i];
        standard = standard || !*e->names[i];
        if (*e->names[i] && (has_type(e, "brokers") || has_type(e, "broker-loggers")) &&
            cli_parse_number(e->names[i], INT32_MIN, INT32_MAX, &id))
            return tool_fail(r, "The entity name for %s must be a valid integer broker id, but it is: %s",
                             e->types[0], e->names[i]);
    }
    if (tool_has(r, "describe")) {
        if (!has_defaults && tool_has(r, "entity-default"))
            return tool_fail(r, "--entity-default must not be specified with --describe of %s", e->types[0]);
        return named || !has_type(e, "broker-loggers") ||
               tool_fail(r, "An entity name must be specified with --describe of %s", e->types[0]);
    }
    if (has_defaults && !named && !standard)
        return tool_fail(r, "An entity-name or default entity must be specified with --alter of users, "
                            "clients, brokers or ips");
    if (!has_defaults && !named)
        return tool_fail(r, "An entity name must be specified with --alter of %s", e->types[0]);
    if (tool_has(r, "add-config") && tool_has(r, "add-config-file"))
        return tool_fail(r, "Only one of --add-config or --add-config-file must be specified");
    if (!tool_has(r, "add-config") && !tool_has(r, "add-config-file") && !tool_has(r, "delete-config"))
        return tool_fail(r, "At least one of --add-config, --add-config-file, or --delete-config must be "
                            "specified with --alter");
    if (e->types_n != e->names_n)
        return tool_fail(r, "An entity name must be specified for every entity type");
    return true;
}

static bool check(struct tool_run *r, struct entities *e) {
    if (tool_has(r, "alter") + tool_has(r, "describe") != 1)
        return tool_usage(r, "Command must include exactly one action: --describe, --alter");
    if (!tool_excludes(r, "describe", "alter add-config delete-config")) return false;
    find_entities(r, e);
    if (!tool_has(r, "bootstrap-server") && !tool_has(r, "bootstrap-controller"))
        return tool_fail(r, "Either --bootstrap-server or --bootstrap-controller must be specified.");
    if (tool_has(r, "bootstrap-server") && tool_has(r, "bootstrap-controller"))
        return tool_fail(r, "Only one of --bootstrap-server or --bootstrap-controller can be specified");
    return check_types(r, e) && check_names(r, e);
}

/* ---- describe ---- */

static const char *source_name(int8_t source) {
    static const char *const names[] = {"UNKNOWN",
                                        "DYNAMIC_TOPIC_CONFIG",
                                        "DYNAMIC_BROKER_CONFIG",
                                        "DYNAMIC_DEFAULT_BROKER_CONFIG",
                                        "STATIC_BROKER_CONFIG",
                                        "DEFAULT_CONFIG",
                                        "DYNAMIC_BROKER_LOGGER_CONFIG",
                                        "DYNAMIC_CLIENT_METRICS_CONFIG",
                                        "DYNAMIC_GROUP_CONFIG"};
    return source >= 0 && source < 9 ? names[source] : "UNKNOWN";
}

static int by_name(const void *x, const void *y) {
    const ENTRY *a = x, *b = y;
    int n = memcmp(a->name.s, b->name.s, (size_t)(a->name.len < b->name.len ? a->name.len : b->name.len));
    return n ? n : a->name.len - b->name.len;
}

static struct kstr or_null(struct kstr s) { return s.len < 0 ? KSTR("null") : s; }

static void print_entry(const ENTRY *k) {
    struct kstr value = or_null(k->value);
    printf("  %.*s=%.*s sensitive=%s synonyms={", k->name.len, k->name.s, value.len, value.s,
           k->is_sensitive ? "true" : "false");
    for (int32_t i = 0; i < k->synonyms_n; i++) {
        value = or_null(k->synonyms[i].value);
        printf("%s%s:%.*s=%.*s", i ? ", " : "", source_name(k->synonyms[i].source), k->synonyms[i].name.len,
               k->synonyms[i].name.s, value.len, value.s);
    }
    puts("}");
}

static bool ask_configs(struct tool_run *r, const struct kind *kind, struct kstr name,
                        struct describe_configs_response *a) {
    if (config_try(&r->admin, kind->resource, &name, 1, true, a))
        return tool_fail(r, "%s", client_why(r->admin.client));
    if (a->results_n != 1) return tool_fail(r, "the broker's answer does not name %.*s", name.len, name.s);
    return tool_check(r, a->results[0].error_code, a->results[0].error_message);
}

static bool describe_one(struct tool_run *r, const struct kind *kind, struct kstr name) {
    struct describe_configs_response a;
    bool all = tool_has(r, "all");
    if (name.len)
        printf("%s configs for %.*s %.*s are:\n", all ? "All" : "Dynamic", singular(kind->type), kind->type,
               name.len, name.s);
    else
        printf("Default configs for %s in the cluster are:\n", kind->type);
    if (!ask_configs(r, kind, name, &a)) return false;
    int8_t source = kind->resource == CONFIG_BROKER && !name.len ? 3 : kind->source;
    ENTRY *v = a.results[0].configs;
    if (a.results[0].configs_n > 0) qsort(v, (size_t)a.results[0].configs_n, sizeof *v, by_name);
    for (int32_t i = 0; i < a.results[0].configs_n; i++)
        if (all || !source || v[i].config_source == source) print_entry(&v[i]);
    return true;
}

/* Everything of the kind that there is; the arena's. */
static bool list(struct tool_run *r, const struct kind *kind, struct kstr **names, int32_t *n) {
    struct list_config_resources_request q;
    struct list_config_resources_response a;
    struct list_groups_response_listed_group *groups = NULL;
    const int32_t *nodes;
    int8_t type = (int8_t)kind->resource;
    int32_t count = 0;
    int nodes_n;
    *n = 0;
    if (kind->resource == CONFIG_TOPIC) return topics_select(r, NULL, false, names, n);
    if (kind->resource == CONFIG_BROKER) {
        if (client_nodes(r->admin.client, &nodes, &nodes_n))
            return tool_fail(r, "%s", client_why(r->admin.client));
        *names = arena_calloc(&r->admin.arena, (size_t)nodes_n + 1, sizeof **names);
        for (int i = 0; i < nodes_n; i++)
            (*names)[(*n)++] = kstr_of(arena_printf(&r->admin.arena, "%d", nodes[i]));
        (*names)[(*n)++] = KSTR("");
        return true;
    }
    list_config_resources_request_init(&q);
    q.resource_types = &type;
    q.resource_types_n = 1;
    if (!tool_ask(r, API_LIST_CONFIG_RESOURCES, &q, &a) || !tool_check(r, a.error_code, KSTR_NULL))
        return false;
    if (kind->resource == CONFIG_GROUP && group_ask_list(&r->admin, &groups, &count))
        return tool_fail(r, "%s", client_why(r->admin.client));
    *names = arena_calloc(&r->admin.arena, (size_t)(a.config_resources_n + count) + 1, sizeof **names);
    for (int32_t i = 0; i < count; i++) (*names)[(*n)++] = groups[i].group_id;
    for (int32_t i = 0; i < a.config_resources_n; i++) {
        struct kstr name = a.config_resources[i].resource_name;
        int32_t k = 0;
        while (k < *n && !kstr_equal((*names)[k], name)) k++;
        if (k == *n) (*names)[(*n)++] = name;
    }
    return true;
}

static bool describe_resources(struct tool_run *r, const struct kind *kind, const struct entities *e) {
    struct kstr *names, one;
    struct kind brokers = *kind;
    int32_t n;
    if (!e->names_n) {
        if (!list(r, kind, &names, &n)) return false;
        for (int32_t i = 0; i < n; i++)
            if (!describe_one(r, kind, names[i])) return false;
        return true;
    }
    one = kstr_of(e->names[0]);
    if (!tool_has(r, "all") && one.len) {
        bool there = false;
        if (kind->resource == CONFIG_LOGGER) brokers.resource = CONFIG_BROKER;
        if (!list(r, &brokers, &names, &n)) return false;
        for (int32_t i = 0; i < n; i++) there = there || kstr_equal(names[i], one);
        if (!there) {
            printf("The %.*s '%s' doesn't exist and doesn't have dynamic config.\n", singular(kind->type),
                   kind->type, e->names[0]);
            return true;
        }
    }
    return describe_one(r, kind, one);
}

static bool describe(struct tool_run *r, const struct entities *e) {
    const struct kind *kind = kind_of(e->types[0]);
    if (kind->resource) return describe_resources(r, kind, e);
    if (!configs_describe_quotas(r, e)) return false;
    if (has_type(e, "clients") || has_type(e, "ips") || (e->names_n && !*e->names[0])) return true;
    return configs_describe_scram(r, e->names_n ? e->names[0] : NULL);
}

/* ---- alter ---- */

/* Text without spaces around it and, when brackets says so, without brackets; the arena's. */
static const char *cleaned(struct tool_run *r, const char *s, size_t n, bool brackets) {
    while (n && isspace((unsigned char)s[n - 1])) n--;
    while (n && isspace((unsigned char)*s)) s++, n--;
    char *text = arena_strndup(&r->admin.arena, s, n), *to = text;
    if (!text) return "";
    for (const char *p = text; *p; p++)
        if (!brackets || (*p != '[' && *p != ']')) *to++ = *p;
    *to = 0;
    return text;
}

static bool add_change(struct tool_run *r, struct changes *c, const char *name, const char *value) {
    for (const char *p = name; *p; p++)
        if (!isalnum((unsigned char)*p) && !strchr("$._-", *p))
            return tool_fail(r, "Invalid character found for config key: %s", name);
    int at = 0;
    while (at < c->n && strcmp(c->names[at], name) != 0) at++;
    if (at == CONFIGS_MAX) return tool_fail(r, "too many configurations");
    c->names[at] = name;
    c->values[at] = value;
    if (at == c->n) c->n++;
    return true;
}

/* "a=1,b=[2,3]" */
static bool parse_added(struct tool_run *r, struct changes *c) {
    const char *text = tool_get(r, "add-config");
    for (const char *p = text, *end; p; p = *end ? end + 1 : NULL) {
        const char *eq = NULL;
        int depth = 0, equals = 0;
        for (end = p; *end && (depth || *end != ','); end++) {
            depth += *end == '[' ? 1 : *end == ']' && depth ? -1 : 0;
            if (*end != '=' || depth) continue;
            equals++;
            if (!eq) eq = end;
        }
        if (equals != 1)
            return tool_fail(
                r, "requirement failed: Invalid entity config: all configs to be added must be in the "
                   "format \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas.");
        if (!add_change(r, c, cleaned(r, p, (size_t)(eq - p), false),
                        cleaned(r, eq + 1, (size_t)(end - eq - 1), true)))
            return false;
    }
    return true;
}

static bool read_added(struct tool_run *r, struct changes *c) {
    const char *path = tool_get(r, "add-config-file");
    struct properties p;
    bool ok = true;
    if (!path) return true;
    if (!tool_properties(r, path, &p)) {
        properties_free(&p);
        return false;
    }
    for (int32_t i = 0; i < p.n && ok; i++)
        ok = add_change(r, c, cleaned(r, p.items[i].name, strlen(p.items[i].name), false),
                        cleaned(r, p.items[i].value, strlen(p.items[i].value), false));
    properties_free(&p);
    return ok;
}

static void parse_removed(struct tool_run *r, struct changes *c) {
    const char *text;
    for (int at = 0; (text = tool_next(r, "delete-config", &at));)
        for (const char *p = text; *p && c->removed_n < CONFIGS_MAX; p += *p == ',') {
            size_t n = strcspn(p, ",");
            c->removed[c->removed_n++] = cleaned(r, p, n, false);
            p += n;
        }
}

/* Loggers must exist. */
static bool check_loggers(struct tool_run *r, const struct kind *kind, const char *name,
                          const struct changes *c) {
    struct describe_configs_response a;
    char wrong[500] = "";
    size_t at = 0;
    if (!ask_configs(r, kind, kstr_of(name), &a)) return false;
    for (int i = 0; i < c->removed_n + c->n; i++) {
        const char *logger = i < c->removed_n ? c->removed[i] : c->names[i - c->removed_n];
        bool there = false;
        for (int32_t k = 0; k < a.results[0].configs_n; k++)
            there = there || kstr_is(a.results[0].configs[k].name, logger);
        if (!there && at + 200 < sizeof wrong)
            at += (size_t)snprintf(wrong + at, sizeof wrong - at, "%s%.190s", at ? "," : "", logger);
    }
    return !at || tool_fail(r, "Invalid broker logger(s): %s", wrong);
}

static bool alter_resource(struct tool_run *r, const struct kind *kind, const char *name,
                           const struct changes *c) {
    struct incremental_alter_configs_request q;
    struct incremental_alter_configs_response a;
    struct incremental_alter_configs_request_alter_configs_resource resource = {
        .resource_type = (int8_t)kind->resource, .resource_name = kstr_of(name)};
    bool broker = (kind->resource == CONFIG_BROKER || kind->resource == CONFIG_LOGGER) && *name;
    if (kind->resource == CONFIG_LOGGER && !check_loggers(r, kind, name, c)) return false;
    resource.configs =
        arena_calloc(&r->admin.arena, (size_t)(c->n + c->removed_n) + 1, sizeof *resource.configs);
    if (!resource.configs) return tool_fail(r, "too many configurations");
    for (int i = 0; i < c->removed_n; i++)
        resource.configs[resource.configs_n++] = (struct incremental_alter_configs_request_alterable_config){
            kstr_of(c->removed[i]), OP_DELETE, KSTR("")};
    for (int i = 0; i < c->n; i++)
        resource.configs[resource.configs_n++] = (struct incremental_alter_configs_request_alterable_config){
            kstr_of(c->names[i]), OP_SET, kstr_of(c->values[i])};
    incremental_alter_configs_request_init(&q);
    q.resources = &resource;
    q.resources_n = 1;
    if (!tool_call(r, &(struct client_call){.key = API_INCREMENTAL_ALTER_CONFIGS,
                                            .target = broker ? CLIENT_NODE : CLIENT_CONTROLLER,
                                            .node = broker ? (int32_t)strtol(name, NULL, 10) : 0,
                                            .request = &q,
                                            .response = &a,
                                            .arena = &r->admin.arena}))
        return false;
    if (a.responses_n != 1) return tool_fail(r, "the broker's answer does not name %s", name);
    return tool_check(r, a.responses[0].error_code, a.responses[0].error_message);
}

/* Users and clients: quotas, or the credentials of one user. */
static bool alter_users(struct tool_run *r, const struct entities *e, const struct changes *c) {
    int quotas = 0, scrams = 0;
    bool only_quotas = !strcmp(e->types[0], "clients") || e->types_n == 2, standard = false;
    for (int i = 0; i < e->names_n; i++) standard = standard || !*e->names[i];
    for (int i = 0; i < c->n + c->removed_n; i++) {
        const char *name = i < c->n ? c->names[i] : c->removed[i - c->n],
                   *done = i < c->n ? "added" : "deleted";
        bool quota = configs_is_client_quota(name), scram = configs_scram_mechanism(name) != 0;
        if (only_quotas && !quota)
            return tool_fail(
                r,
                "Only quota configs can be %s for 'clients' using --bootstrap-server. Unexpected config "
                "names: List(%s)",
                done, name);
        if (!quota && !scram)
            return tool_fail(r,
                             "Only quota and SCRAM credential configs can be %s for 'users' using "
                             "--bootstrap-server. Unexpected config names: List(%s)",
                             done, name);
        quotas += quota;
        scrams += scram;
    }
    if (scrams && standard)
        return tool_fail(
            r, "The use of --entity-default or --user-defaults is not allowed with User SCRAM Credentials "
               "using --bootstrap-server.");
    if (scrams && quotas)
        return tool_fail(
            r, "Cannot alter both quota and SCRAM credential configs simultaneously for 'users' using "
               "--bootstrap-server.");
    return scrams ? configs_alter_scram(r, e->names[0], c) : configs_alter_quotas(r, e, c);
}

static bool alter(struct tool_run *r, const struct entities *e) {
    const struct kind *kind = kind_of(e->types[0]);
    struct changes *c = arena_calloc(&r->admin.arena, 1, sizeof *c);
    if (!c || !read_added(r, c) || !parse_added(r, c)) return false;
    parse_removed(r, c);
    bool ok = true;
    if (kind->resource)
        ok = alter_resource(r, kind, e->names[0], c);
    else if (strcmp(kind->type, "ips") != 0)
        ok = alter_users(r, e, c);
    else {
        for (int i = 0; i < c->n + c->removed_n && ok; i++) {
            const char *name = i < c->n ? c->names[i] : c->removed[i - c->n];
            ok = !strcmp(name, "connection_creation_rate") ||
                 tool_fail(r,
                           "Only connection quota configs can be added for 'ips' using --bootstrap-server. "
                           "Unexpected config names: %s",
                           name);
        }
        ok = ok && configs_alter_quotas(r, e, c);
    }
    if (!ok) return false;
    if (*e->names[0])
        printf("Completed updating config for %.*s %s.\n", singular(kind->type), kind->type, e->names[0]);
    else
        printf("Completed updating default config for %s in the cluster.\n", kind->type);
    return true;
}

/* ---- the tool ---- */

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"bootstrap-controller", TOOL_TEXT, "host:port,...", "where the controllers are"},
    {"alter", TOOL_FLAG, NULL, "change configurations"},
    {"describe", TOOL_FLAG, NULL, "show configurations"},
    {"all", TOOL_FLAG, NULL, "show all, defaults too"},
    {"entity-type", TOOL_TEXT, "type",
     "topics, clients, users, brokers, broker-loggers, ips, client-metrics or groups"},
    {"entity-name", TOOL_TEXT, "name", "whose configuration"},
    {"entity-default", TOOL_FLAG, NULL, "the default of clients, users, brokers or ips"},
    {"add-config", TOOL_TEXT, "k1=v1,k2=[v1,v2]", "what to set"},
    {"add-config-file", TOOL_TEXT, "file", "properties to set"},
    {"delete-config", TOOL_TEXT, "k1,k2", "what to remove"},
    {"topic", TOOL_TEXT, "topic", "the topic"},
    {"client", TOOL_TEXT, "client id", "the client"},
    {"client-defaults", TOOL_FLAG, NULL, "all clients"},
    {"user", TOOL_TEXT, "user", "the user"},
    {"user-defaults", TOOL_FLAG, NULL, "all users"},
    {"broker", TOOL_TEXT, "id", "the broker"},
    {"broker-defaults", TOOL_FLAG, NULL, "all brokers"},
    {"broker-logger", TOOL_TEXT, "id", "the loggers of the broker"},
    {"ip", TOOL_TEXT, "address", "the address"},
    {"ip-defaults", TOOL_FLAG, NULL, "all addresses"},
    {"group", TOOL_TEXT, "group", "the group"},
    {"client-metrics", TOOL_TEXT, "name", "the subscription of client metrics"},
    {0},
};
static const struct tool tool = {
    "kafka-configs",
    "This tool helps to manipulate and describe entity config for a topic, client, user, "
    "broker, ip, client-metrics or group",
    options};

int names_configs(int argc, char **argv) {
    struct tool_run r;
    struct entities e;
    if (!tool_begin(&r, &tool, argc, argv)) goto out;
    bool ok = check(&r, &e);
    if (r.status) goto out;
    const char *bootstrap =
        tool_get(&r, tool_has(&r, "bootstrap-server") ? "bootstrap-server" : "bootstrap-controller");
    if (ok) ok = tool_connect(&r, bootstrap, CALL_MS);
    if (ok) ok = tool_has(&r, "alter") ? alter(&r, &e) : describe(&r, &e);
    if (!ok) {
        fflush(stdout);
        if (r.code) fputs("Error while executing config command\n", stderr);
        fprintf(stderr, "%s\n", tool_execution_text(&r));
        r.status = 1;
    }
out:
    tool_end(&r);
    return r.status;
}
