/* ottla quota describe|set|delete: limits of users, client ids and addresses. */
#include "cli/quota.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/alter_client_quotas.h"
#include "api/describe_client_quotas.h"
#include "cli/admin.h"
#include "cli/config.h"
#include "cli/output.h"

enum { MATCH_EXACT, MATCH_DEFAULT, MATCH_ANY, TYPES = 3 };

static const struct {
    const char *type, *option, *of_all, *any;
} parts[TYPES] = {{"user", "user", "default-user", "users"},
                  {"client-id", "client-id", "default-client-id", "client-ids"},
                  {"ip", "ip", "default-ip", "ips"}};

static struct kstr name_of(const struct cli *c, int part) {
    const char *name = cli_get(c, parts[part].option);
    return name ? kstr_of(name) : KSTR_NULL;
}

/* ---- describe ---- */

static int add_components(const struct cli *c, struct describe_client_quotas_request *q,
                          struct describe_client_quotas_request_component_data *v) {
    q->components = v;
    q->strict = cli_has(c, "only");
    for (int i = 0; i < TYPES; i++) {
        int said = cli_has(c, parts[i].option) + cli_has(c, parts[i].of_all) + cli_has(c, parts[i].any);
        if (said > 1)
            return cli_wrong_usage("--%s, --%s and --%s: one of them", parts[i].option, parts[i].of_all,
                                   parts[i].any);
        if (!said) continue;
        v[q->components_n++] = (struct describe_client_quotas_request_component_data){
            .entity_type = kstr_of(parts[i].type),
            .match_type = cli_has(c, parts[i].any)      ? MATCH_ANY
                          : cli_has(c, parts[i].of_all) ? MATCH_DEFAULT
                                                        : MATCH_EXACT,
            .match = name_of(c, i)};
    }
    return 0;
}

/* "user alice, client-id *" */
static const char *entity_text(struct admin *a, const struct describe_client_quotas_response_entry_data *e) {
    const char *text = "";
    for (int t = 0; t < TYPES; t++)
        for (int32_t i = 0; i < e->entity_n; i++) {
            if (!kstr_is(e->entity[i].entity_type, parts[t].type)) continue;
            struct kstr name =
                e->entity[i].entity_name.len < 0 ? KSTR("(default)") : e->entity[i].entity_name;
            text = arena_printf(&a->arena, "%s%s%s %.*s", text, *text ? ", " : "", parts[t].type, name.len,
                                name.s);
        }
    return text;
}

struct described {
    const char *text;
    const struct describe_client_quotas_response_entry_data *entry;
};

static int by_text(const void *a, const void *b) {
    return strcmp(((const struct described *)a)->text, ((const struct described *)b)->text);
}

static void print_json(const struct described *v, int32_t n) {
    struct json j;
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < n; i++) {
        json_open(&j, '{');
        json_key(&j, "entity");
        json_open(&j, '{');
        for (int32_t k = 0; k < v[i].entry->entity_n; k++) {
            struct kstr type = v[i].entry->entity[k].entity_type;
            for (int t = 0; t < TYPES; t++)
                if (kstr_is(type, parts[t].type))
                    json_str(&j, parts[t].type, v[i].entry->entity[k].entity_name);
        }
        json_close(&j, '}');
        json_key(&j, "quotas");
        json_open(&j, '{');
        for (int32_t k = 0; k < v[i].entry->values_n; k++) {
            char key[128];
            struct kstr name = v[i].entry->values[k].key;
            snprintf(key, sizeof key, "%.*s", name.len, name.s);
            json_real(&j, key, v[i].entry->values[k].value);
        }
        json_close(&j, '}');
        json_close(&j, '}');
    }
    json_close(&j, ']');
    json_print(&j);
}

static void print_table(const struct described *v, int32_t n) {
    static const char *const headings[] = {"ENTITY", "QUOTA", "-PER SECOND"};
    struct table t;
    table_init(&t, headings, 3);
    for (int32_t i = 0; i < n; i++)
        for (int32_t k = 0; k < v[i].entry->values_n; k++) {
            table_add(&t, "%s", v[i].text);
            table_adds(&t, v[i].entry->values[k].key);
            table_add(&t, "%.15g%s", v[i].entry->values[k].value,
                      kstr_is(v[i].entry->values[k].key, "request_percentage") ? " %" : "");
        }
    if (n)
        table_print(&t);
    else
        puts("no quota is set");
}

static int quota_describe(struct cli *c) {
    struct admin a;
    struct describe_client_quotas_request q;
    struct describe_client_quotas_request_component_data components[TYPES];
    struct describe_client_quotas_response r = {0};
    describe_client_quotas_request_init(&q);
    int status = add_components(c, &q, components);
    if (status) return status;
    status = admin_begin(c, &a);
    if (!status) status = admin_ask(&a, API_DESCRIBE_CLIENT_QUOTAS, &q, &r);
    if (!status && r.error_code) status = admin_refused("quota describe", r.error_code, r.error_message);
    if (status) goto out;
    int32_t n = r.entries_n > 0 ? r.entries_n : 0;
    struct described *v = arena_calloc(&a.arena, (size_t)n + 1, sizeof *v);
    if (!v) {
        status = cli_fail("the answer is too large");
        goto out;
    }
    for (int32_t i = 0; i < n; i++) v[i] = (struct described){entity_text(&a, &r.entries[i]), &r.entries[i]};
    qsort(v, (size_t)n, sizeof *v, by_text);
    if (c->json)
        print_json(v, n);
    else
        print_table(v, n);
out:
    admin_end(&a);
    return status;
}

/* ---- set, delete ---- */

static int read_entity(const struct cli *c, struct alter_client_quotas_request_entry_data *e,
                       struct alter_client_quotas_request_entity_data *v) {
    e->entity = v;
    for (int i = 0; i < TYPES; i++) {
        bool named = cli_has(c, parts[i].option), of_all = cli_has(c, parts[i].of_all);
        if (named && of_all)
            return cli_wrong_usage("--%s or --%s, not both", parts[i].option, parts[i].of_all);
        if (named || of_all)
            v[e->entity_n++] = (struct alter_client_quotas_request_entity_data){
                .entity_type = kstr_of(parts[i].type), .entity_name = name_of(c, i)};
    }
    if (!e->entity_n)
        return cli_wrong_usage("whose quota: --user, --client-id, both, or --ip (--default-… for all)");
    return 0;
}

/* key=value, the value with k, m, g (1024) behind it allowed. */
static int read_set(const char *text, struct alter_client_quotas_request_op_data *op) {
    struct kstr value;
    if (config_split(text, &op->key, &value)) return cli_wrong_usage("'%s': write quota=number", text);
    char *end;
    op->value = strtod(value.s, &end);
    const char *units = "kmg", *unit = *end ? strchr(units, *end | 0x20) : NULL;
    if (unit && !end[1]) {
        for (const char *u = units; u <= unit; u++) op->value *= 1024;
        end++;
    }
    if (end == value.s || *end || !isfinite(op->value))
        return cli_wrong_usage("'%s': the value must be a number", text);
    return 0;
}

/* All that the entity has, when none is named. */
static int read_all(struct admin *a, const struct alter_client_quotas_request_entry_data *e,
                    struct alter_client_quotas_request_entry_data *to) {
    struct describe_client_quotas_request q;
    struct describe_client_quotas_request_component_data v[TYPES];
    struct describe_client_quotas_response r = {0};
    describe_client_quotas_request_init(&q);
    q.components = v;
    q.strict = true;
    for (; q.components_n < e->entity_n; q.components_n++) {
        const struct alter_client_quotas_request_entity_data *part = &e->entity[q.components_n];
        v[q.components_n] = (struct describe_client_quotas_request_component_data){
            .entity_type = part->entity_type,
            .match_type = part->entity_name.len < 0 ? MATCH_DEFAULT : MATCH_EXACT,
            .match = part->entity_name};
    }
    int status = admin_ask(a, API_DESCRIBE_CLIENT_QUOTAS, &q, &r);
    if (status) return status;
    if (r.error_code) return admin_refused("quota delete", r.error_code, r.error_message);
    if (r.entries_n != 1) return cli_fail("it has no quotas");
    to->ops = arena_calloc(&a->arena, (size_t)r.entries[0].values_n + 1, sizeof *to->ops);
    for (int32_t i = 0; to->ops && i < r.entries[0].values_n; i++)
        to->ops[to->ops_n++] =
            (struct alter_client_quotas_request_op_data){.key = r.entries[0].values[i].key, .remove = true};
    return 0;
}

static int read_ops(struct cli *c, struct admin *a, bool remove,
                    struct alter_client_quotas_request_entry_data *e) {
    if (remove && !c->args_n) return read_all(a, e, e);
    e->ops = arena_calloc(&a->arena, (size_t)c->args_n + 1, sizeof *e->ops);
    int status = e->ops ? 0 : cli_fail("too many quotas");
    for (int i = 0; !status && i < c->args_n; i++, e->ops_n++)
        if (remove)
            e->ops[i] =
                (struct alter_client_quotas_request_op_data){.key = kstr_of(c->args[i]), .remove = true};
        else
            status = read_set(c->args[i], &e->ops[i]);
    return status;
}

static void print_done(const struct cli *c, bool remove, int n) {
    bool dry = cli_has(c, "validate-only");
    if (!c->json) {
        printf("%d %s%s\n", n, remove ? "deleted" : "set", dry ? " (checked only)" : "");
        return;
    }
    struct json j;
    json_init(&j);
    json_open(&j, '{');
    json_int(&j, "quotas", n);
    json_bool(&j, "altered", !dry);
    json_close(&j, '}');
    json_print(&j);
}

static int change(struct cli *c, bool remove) {
    struct admin a;
    struct alter_client_quotas_request q;
    struct alter_client_quotas_response r = {0};
    struct alter_client_quotas_request_entity_data entity[TYPES];
    struct alter_client_quotas_request_entry_data e = {0};
    alter_client_quotas_request_init(&q);
    q.entries = &e;
    q.entries_n = 1;
    q.validate_only = cli_has(c, "validate-only");
    int status = read_entity(c, &e, entity);
    if (status) return status;
    status = admin_begin(c, &a);
    if (!status) status = read_ops(c, &a, remove, &e);
    if (!status)
        status = admin_call(&a, &(struct client_call){.key = API_ALTER_CLIENT_QUOTAS,
                                                      .target = CLIENT_CONTROLLER,
                                                      .request = &q,
                                                      .response = &r,
                                                      .arena = &a.arena});
    if (!status && r.entries_n != 1) status = cli_fail("the broker's answer does not name the entity");
    if (!status && r.entries[0].error_code)
        status = admin_refused("quota", r.entries[0].error_code, r.entries[0].error_message);
    if (!status) print_done(c, remove, e.ops_n);
    admin_end(&a);
    return status;
}

static int quota_set(struct cli *c) { return change(c, false); }
static int quota_delete(struct cli *c) { return change(c, true); }

/* ---- tables ---- */

#define ENTITY_OPTIONS                                                                                       \
    {'u', "user", "NAME", "of this user"}, {'c', "client-id", "ID", "of this client id"},                    \
        {'i', "ip", "ADDRESS", "of this address"},                                                           \
        {0, "default-user", NULL, "of every user without an own one"},                                       \
        {0, "default-client-id", NULL, "of every client id without an own one"}, {                           \
        0, "default-ip", NULL, "of every address without an own one"                                         \
    }

static const char *const details =
    "A quota belongs to a user, a client id, both together, or an address. Quotas, all per second:\n"
    "producer_byte_rate, consumer_byte_rate (bytes), request_percentage (of one thread's time),\n"
    "controller_mutation_rate (partitions created and deleted); of addresses: connection_creation_rate.";
static const struct cli_option describe_options[] = {
    ENTITY_OPTIONS,
    {0, "users", NULL, "of users of any name"},
    {0, "client-ids", NULL, "of client ids of any name"},
    {0, "ips", NULL, "of any address"},
    {0, "only", NULL, "entities that have just these parts, no others"},
    {0},
};
static const struct cli_option change_options[] = {
    ENTITY_OPTIONS,
    {0, "validate-only", NULL, "check, change nothing"},
    {0},
};
static const struct cli_example describe_examples[] = {
    {"ottla quota describe", "all quotas"},
    {"ottla quota describe --user alice", "those of the user, also together with client ids"},
    {"ottla quota describe --user alice --only", "those of the user alone"},
    {0},
};
static const struct cli_example set_examples[] = {
    {"ottla quota set --user alice producer_byte_rate=10m consumer_byte_rate=20m", "10 and 20 MiB a second"},
    {"ottla quota set --default-client-id request_percentage=50", "half a thread for every client id"},
    {"ottla quota set --ip 10.0.0.7 connection_creation_rate=5", "new connections a second"},
    {0},
};
static const struct cli_example delete_examples[] = {
    {"ottla quota delete --user alice producer_byte_rate", "one of them"},
    {"ottla quota delete --user alice", "all of them"},
    {0},
};
static const struct cli_command commands[] = {
    {"describe", "", "show quotas", quota_describe, NULL, describe_options, describe_examples, details,
     CLI_CLIENT | CLI_JSON},
    {"set", "QUOTA=VALUE...", "set quotas", quota_set, NULL, change_options, set_examples, details,
     CLI_CLIENT | CLI_JSON, .least = 1, .most = -1},
    {"delete", "[QUOTA...]", "delete quotas", quota_delete, NULL, change_options, delete_examples, details,
     CLI_CLIENT | CLI_JSON, .most = -1},
    {0},
};
const struct cli_command cli_quota_command = {"quota", .summary = "show and change the limits of clients",
                                              .commands = commands};

int cli_quota(int argc, char **argv) { return cli_run(&cli_quota_command, argc, argv); }
