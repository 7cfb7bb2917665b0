/* ottla cluster describe|unregister: the nodes of a cluster. */
#include "cli/cluster.h"

#include <stdio.h>

#include "api/describe_cluster.h"
#include "api/unregister_broker.h"
#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/output.h"

static void show(const struct cli *c, const struct describe_cluster_response *r) {
    static const char *const headings[] = {"-broker", "address", "rack", "state"};
    struct json j;
    struct table t;
    json_init(&j);
    json_open(&j, '{');
    json_str(&j, "cluster", r->cluster_id);
    json_int(&j, "controller", r->controller_id);
    json_key(&j, "brokers");
    json_open(&j, '[');
    table_init(&t, headings, 4);
    for (int32_t i = 0; i < r->brokers_n; i++) {
        const struct describe_cluster_response_describe_cluster_broker *b = &r->brokers[i];
        json_open(&j, '{');
        json_int(&j, "id", b->broker_id);
        json_str(&j, "host", b->host);
        json_int(&j, "port", b->port);
        json_str(&j, "rack", b->rack);
        json_bool(&j, "fenced", b->is_fenced);
        json_close(&j, '}');
        table_add(&t, "%d", b->broker_id);
        table_add(&t, "%.*s:%d", b->host.len, b->host.s, b->port);
        table_adds(&t, b->rack.len > 0 ? b->rack : KSTR("-"));
        table_add(&t, "%s%s", b->is_fenced ? "fenced" : "active",
                  b->broker_id == r->controller_id ? ", controller" : "");
    }
    json_close(&j, ']');
    json_close(&j, '}');
    if (c->json) {
        json_print(&j);
    } else {
        printf("cluster %.*s\n", r->cluster_id.len, r->cluster_id.s);
        table_print(&t);
    }
}

static int cluster_describe(struct cli *c) {
    struct admin a;
    struct describe_cluster_request q;
    struct describe_cluster_response r = {0};
    describe_cluster_request_init(&q);
    q.include_fenced_brokers = true;
    int status = admin_begin(c, &a);
    if (!status) status = admin_ask(&a, API_DESCRIBE_CLUSTER, &q, &r);
    if (!status && r.error_code) status = admin_refused("cluster describe", r.error_code, r.error_message);
    if (!status) show(c, &r);
    admin_end(&a);
    return status;
}

static int cluster_unregister(struct cli *c) {
    struct admin a;
    struct unregister_broker_request q;
    struct unregister_broker_response r = {0};
    int64_t id;
    if (cli_parse_number(c->args[0], 0, INT32_MAX, &id))
        return cli_wrong_usage("'%s' is no broker id", c->args[0]);
    q.broker_id = (int32_t)id;
    int status = admin_begin(c, &a);
    if (!status) status = admin_ask(&a, API_UNREGISTER_BROKER, &q, &r);
    if (!status && r.error_code) status = admin_refused("cluster unregister", r.error_code, r.error_message);
    if (!status && c->json) {
        struct json j;
        json_init(&j);
        json_open(&j, '{');
        json_int(&j, "unregistered", id);
        json_close(&j, '}');
        json_print(&j);
    }
    admin_end(&a);
    return status;
}

static const struct cli_example examples[] = {
    {"ottla cluster describe", "its nodes, and which of them is the controller"},
    {"ottla cluster unregister 4", "node 4 has gone for good"},
    {0},
};
static const struct cli_command commands[] = {
    {"describe", "", "its id and nodes", cluster_describe, NULL, NULL, examples, NULL, CLI_CLIENT | CLI_JSON},
    {"unregister", "BROKER", "forget a broker that will not come back", cluster_unregister, NULL, NULL,
     examples, NULL, CLI_CLIENT | CLI_JSON, .least = 1, .most = 1},
    {0},
};
const struct cli_command cli_cluster_command = {"cluster", .summary = "the nodes of a cluster",
                                                .commands = commands};

int cli_cluster(int argc, char **argv) { return cli_run(&cli_cluster_command, argc, argv); }
