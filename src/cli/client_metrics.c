/* ottla client-metrics list|describe|set|delete: which metrics clients push (KIP-714). A subscription is a
 * configuration of its own kind; here with its own words. */
#include "cli/client_metrics.h"

#include <stdio.h>
#include <string.h>

#include "api/incremental_alter_configs.h"
#include "api/list_config_resources.h"
#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/config.h"
#include "cli/output.h"

enum { SET = 0, DELETE = 1, KEYS = 3 };

static const struct {
    const char *key, *option;
} keys[KEYS] = {{"interval.ms", "interval"}, {"match", "match"}, {"metrics", "metrics"}};

/* The names of all subscriptions. */
static int ask_names(struct admin *a, struct kstr **names, int *n) {
    struct list_config_resources_request q;
    struct list_config_resources_response r;
    int8_t type = CONFIG_CLIENT_METRICS;
    list_config_resources_request_init(&q);
    q.resource_types = &type;
    q.resource_types_n = 1;
    int status = admin_ask(a, API_LIST_CONFIG_RESOURCES, &q, &r);
    if (!status && r.error_code) status = admin_refused("client-metrics list", r.error_code, KSTR_NULL);
    if (status) return status;
    *names = arena_calloc(&a->arena, (size_t)r.config_resources_n + 1, sizeof **names);
    if (!*names) return cli_fail("too many subscriptions");
    for (*n = 0; *n < r.config_resources_n; ++*n) (*names)[*n] = r.config_resources[*n].resource_name;
    return 0;
}

static int client_metrics_list(struct cli *c) {
    struct admin a;
    struct kstr *names;
    int n = 0;
    int status = admin_begin(c, &a);
    if (!status) status = ask_names(&a, &names, &n);
    if (!status && c->json) {
        struct json j;
        json_init(&j);
        json_open(&j, '[');
        for (int i = 0; i < n; i++) json_str(&j, NULL, names[i]);
        json_close(&j, ']');
        json_print(&j);
    }
    for (int i = 0; i < n && !status && !c->json; i++) printf("%.*s\n", names[i].len, names[i].s);
    admin_end(&a);
    return status;
}

static struct kstr value_of(const struct describe_configs_response_describe_configs_result *r,
                            const char *key) {
    for (int32_t i = 0; i < r->configs_n; i++)
        if (kstr_is(r->configs[i].name, key)) return r->configs[i].value;
    return KSTR_NULL;
}

static void show(const struct cli *c, const struct describe_configs_response *r) {
    static const char *const headings[] = {"subscription", "-interval.ms", "match", "metrics"};
    struct json j;
    struct table t;
    json_init(&j);
    json_open(&j, '[');
    table_init(&t, headings, KEYS + 1);
    for (int32_t i = 0; i < r->results_n; i++) {
        json_open(&j, '{');
        json_str(&j, "subscription", r->results[i].resource_name);
        table_adds(&t, r->results[i].resource_name);
        for (int k = 0; k < KEYS; k++) {
            json_str(&j, keys[k].key, value_of(&r->results[i], keys[k].key));
            table_adds(&t, value_of(&r->results[i], keys[k].key));
        }
        json_close(&j, '}');
    }
    json_close(&j, ']');
    if (c->json)
        json_print(&j);
    else
        table_print(&t);
}

static int client_metrics_describe(struct cli *c) {
    struct admin a;
    struct kstr *names = NULL;
    struct describe_configs_response r = {0};
    int n = 0, status = admin_begin(c, &a);
    if (!status && c->args_n) {
        names = arena_calloc(&a.arena, (size_t)c->args_n, sizeof *names);
        if (!names) status = cli_fail("too many names");
        for (; !status && n < c->args_n; n++) names[n] = kstr_of(c->args[n]);
    } else if (!status) {
        status = ask_names(&a, &names, &n);
    }
    if (!status && n) status = config_ask(&a, CONFIG_CLIENT_METRICS, names, n, false, &r);
    for (int32_t i = 0; i < r.results_n && !status; i++)
        if (r.results[i].error_code)
            status =
                admin_refused("client-metrics describe", r.results[i].error_code, r.results[i].error_message);
    if (!status) show(c, &r);
    admin_end(&a);
    return status;
}

static int change(struct cli *c, bool remove) {
    struct admin a;
    struct incremental_alter_configs_request_alterable_config v[KEYS];
    struct incremental_alter_configs_request_alter_configs_resource resource;
    struct incremental_alter_configs_request q;
    struct incremental_alter_configs_response r = {0};
    incremental_alter_configs_request_init(&q);
    incremental_alter_configs_request_alter_configs_resource_init(&resource);
    resource.resource_type = CONFIG_CLIENT_METRICS;
    resource.resource_name = kstr_of(c->args[0]);
    resource.configs = v;
    for (int i = 0; i < KEYS; i++) {
        const char *value = remove ? "" : cli_get(c, keys[i].option);
        if (!value) continue;
        v[resource.configs_n++] = (struct incremental_alter_configs_request_alterable_config){
            .name = kstr_of(keys[i].key),
            .config_operation = remove ? DELETE : SET,
            .value = remove ? KSTR_NULL : kstr_of(value)};
    }
    if (!resource.configs_n) return cli_wrong_usage("one of --metrics, --interval and --match");
    q.resources = &resource;
    q.resources_n = 1;
    int status = admin_begin(c, &a);
    if (!status) status = admin_ask(&a, API_INCREMENTAL_ALTER_CONFIGS, &q, &r);
    if (!status && r.responses_n && r.responses[0].error_code)
        status = admin_refused(c->args[0], r.responses[0].error_code, r.responses[0].error_message);
    if (!status && c->json) {
        struct json j;
        json_init(&j);
        json_open(&j, '{');
        json_text(&j, "subscription", c->args[0]);
        json_bool(&j, remove ? "deleted" : "changed", true);
        json_close(&j, '}');
        json_print(&j);
    }
    admin_end(&a);
    return status;
}

static int client_metrics_set(struct cli *c) { return change(c, false); }
static int client_metrics_delete(struct cli *c) { return change(c, true); }

/* ---- tables ---- */

static const struct cli_option set_options[] = {
    {'m', "metrics", "PREFIXES", "names of metrics, or how they begin, separated by commas; * for all"},
    {'i', "interval", "MS", "how often clients push, in milliseconds: 100 to 3600000"},
    {0, "match", "NAME=REGEX,...", "of which clients; all of these must match"},
    {0},
};
static const char *const details =
    "Clients match by client_instance_id, client_id, client_software_name, client_software_version,\n"
    "client_source_address and client_source_port.";
static const struct cli_example examples[] = {
    {"ottla client-metrics set slow -m org.apache.kafka.consumer. -i 10000 --match client_id=app-.*", ""},
    {"ottla client-metrics describe slow", ""},
    {"ottla client-metrics delete slow", ""},
    {0},
};
static const struct cli_command commands[] = {
    {"list", "", "names of subscriptions", client_metrics_list, NULL, NULL, examples, NULL,
     CLI_CLIENT | CLI_JSON},
    {"describe", "[NAME...]", "show subscriptions", client_metrics_describe, NULL, NULL, examples, NULL,
     CLI_CLIENT | CLI_JSON, .most = -1},
    {"set", "NAME", "make or change a subscription", client_metrics_set, NULL, set_options, examples, details,
     CLI_CLIENT | CLI_JSON, .least = 1, .most = 1},
    {"delete", "NAME", "delete a subscription", client_metrics_delete, NULL, NULL, examples, NULL,
     CLI_CLIENT | CLI_JSON, .least = 1, .most = 1},
    {0},
};
const struct cli_command cli_client_metrics_command = {
    "client-metrics", .summary = "which metrics clients push", .commands = commands};

int cli_client_metrics(int argc, char **argv) { return cli_run(&cli_client_metrics_command, argc, argv); }
