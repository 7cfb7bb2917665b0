/* kafka-cluster: org.apache.kafka.tools.ClusterTool. */
#include <stdio.h>

#include "api/describe_cluster.h"
#include "api/unregister_broker.h"
#include "cli/names/names.h"
#include "cli/names/tool.h"

enum { CALL_MS = 60000, ENDPOINT_BROKER = 1, ENDPOINT_CONTROLLER = 2 };

static const char *either(const struct tool_run *r, const char *name, const char *letter) {
    const char *value = tool_get(r, name);
    return value ? value : tool_get(r, letter);
}

static bool ask(struct tool_run *r, bool controllers, bool fenced, struct describe_cluster_response *a) {
    struct describe_cluster_request q;
    describe_cluster_request_init(&q);
    q.endpoint_type = controllers ? ENDPOINT_CONTROLLER : ENDPOINT_BROKER;
    q.include_fenced_brokers = fenced;
    return tool_ask(r, API_DESCRIBE_CLUSTER, &q, a) && tool_check(r, a->error_code, a->error_message);
}

static bool cluster_id(struct tool_run *r, bool controllers) {
    struct describe_cluster_response a;
    if (!ask(r, controllers, false, &a)) return false;
    printf("Cluster ID: %.*s\n", a.cluster_id.len, a.cluster_id.s);
    return true;
}

static bool unregister(struct tool_run *r) {
    struct unregister_broker_request q;
    struct unregister_broker_response a;
    int64_t id = 0;
    unregister_broker_request_init(&q);
    cli_parse_number(either(r, "id", "i"), INT32_MIN, INT32_MAX, &id);
    q.broker_id = (int32_t)id;
    if (!tool_call(r, &(struct client_call){.key = API_UNREGISTER_BROKER,
                                            .target = CLIENT_CONTROLLER,
                                            .request = &q,
                                            .response = &a,
                                            .arena = &r->admin.arena}) ||
        !tool_check(r, a.error_code, a.error_message))
        return false;
    printf("Broker %d is no longer registered.\n", q.broker_id);
    return true;
}

static bool list_endpoints(struct tool_run *r, bool controllers) {
    struct describe_cluster_response a;
    bool fenced = tool_has(r, "include-fenced-brokers");
    int host = 0, rack = 0;
    if (fenced && controllers)
        return tool_fail(
            r, "The option --include-fenced-brokers is only supported with --bootstrap-server option");
    if (!ask(r, controllers, fenced, &a)) return false;
    for (int32_t i = 0; i < a.brokers_n; i++) {
        if (a.brokers[i].host.len > host) host = a.brokers[i].host.len;
        if (a.brokers[i].rack.len > rack) rack = a.brokers[i].rack.len;
    }
    if (!rack) rack = 10;
    printf("%-10s %-*s %-10s %-*s ", "ID", host, "HOST", "PORT", rack, "RACK");
    if (!controllers) printf("%-10s ", "STATE");
    printf("%-15s\n", "ENDPOINT_TYPE");
    for (int32_t i = 0; i < a.brokers_n; i++) {
        struct kstr name = a.brokers[i].rack.len < 0 ? KSTR("null") : a.brokers[i].rack;
        printf("%-10d %-*.*s %-10d %-*.*s ", a.brokers[i].broker_id, host, a.brokers[i].host.len,
               a.brokers[i].host.s, a.brokers[i].port, rack, name.len, name.s);
        if (!controllers) printf("%-10s ", a.brokers[i].is_fenced ? "fenced" : "unfenced");
        printf("%-15s\n", controllers ? "controller" : "broker");
    }
    return true;
}

static const struct tool_option options[] = {
    {"bootstrap-server", TOOL_TEXT, "host:port,...", "where the cluster is; also -b"},
    {"b", TOOL_TEXT, "host:port,...", "--bootstrap-server"},
    {"bootstrap-controller", TOOL_TEXT, "host:port,...", "where the controllers are; also -C"},
    {"C", TOOL_TEXT, "host:port,...", "--bootstrap-controller"},
    {"command-config", TOOL_TEXT, "file", "properties of the client; also -c"},
    {"c", TOOL_TEXT, "file", "--command-config"},
    {"config", TOOL_TEXT, "file", "the old name of --command-config"},
    {"id", TOOL_INT, "broker", "unregister: the broker; also -i"},
    {"i", TOOL_INT, "broker", "--id"},
    {"include-fenced-brokers", TOOL_FLAG, NULL, "list-endpoints: with fenced brokers"},
    {0},
};
static const struct tool tool = {"kafka-cluster",
                                 "The Kafka cluster tool: cluster-id, unregister, list-endpoints", options};

static bool check(struct tool_run *r) {
    const char *command = r->args_n ? r->args[0] : "";
    const char *server = either(r, "bootstrap-server", "b"),
               *controller = either(r, "bootstrap-controller", "C");
    if (strcmp(command, "cluster-id") != 0 && strcmp(command, "unregister") != 0 &&
        strcmp(command, "list-endpoints") != 0)
        return tool_usage(
            r, "invalid choice: '%s' (choose from 'cluster-id', 'unregister', 'list-endpoints')", command);
    if (!server == !controller)
        return tool_usage(r,
                          "one of the arguments --bootstrap-server/-b --bootstrap-controller/-C is required");
    if (!strcmp(command, "unregister") && !either(r, "id", "i"))
        return tool_usage(r, "argument --id/-i is required");
    return true;
}

int names_cluster(int argc, char **argv) {
    struct tool_run r;
    if (!tool_begin(&r, &tool, argc, argv) || !check(&r)) goto out;
    const char *server = either(&r, "bootstrap-server", "b"), *config = either(&r, "command-config", "c");
    bool controllers = !server, ok;
    if (!config && (config = tool_get(&r, "config")))
        puts("Option --config has been deprecated and will be removed in a future version. Use "
             "--command-config "
             "instead.");
    ok = tool_connect_with(&r, server ? server : either(&r, "bootstrap-controller", "C"), config, CALL_MS);
    if (ok && r.args[0][0] == 'c')
        ok = cluster_id(&r, controllers);
    else if (ok && r.args[0][0] == 'u')
        ok = unregister(&r);
    else if (ok)
        ok = list_endpoints(&r, controllers);
    if (!ok) {
        fprintf(stderr, "%s\n", tool_execution_text(&r));
        r.status = 1;
    }
out:
    tool_end(&r);
    return r.status;
}
