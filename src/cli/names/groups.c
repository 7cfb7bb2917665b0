/* kafka-groups: org.apache.kafka.tools.GroupsCommand. */
#include <stdio.h>

#include "api/list_groups.h"
#include "cli/group.h"
#include "cli/names/names.h"
#include "cli/names/tool.h"

enum { CALL_MS = 30000 };

#define GROUP struct list_groups_response_listed_group

static const char *type_name(struct kstr type) {
    return kstr_is(type, "classic")    ? "Classic"
           : kstr_is(type, "consumer") ? "Consumer"
           : kstr_is(type, "share")    ? "Share"
           : kstr_is(type, "streams")  ? "Streams"
                                       : "Unknown";
}

static bool passes(const struct tool_run *r, const GROUP *g) {
    const char *type = tool_get(r, "group-type"), *protocol = tool_get(r, "protocol");
    if (type && strcasecmp(type, type_name(g->group_type)) != 0) return false;
    if (protocol && !kstr_is(g->protocol_type, protocol)) return false;
    if (type || protocol) return true;
    if (tool_has(r, "consumer"))
        return kstr_is(g->protocol_type, "consumer") || g->protocol_type.len <= 0 ||
               kstr_is(g->group_type, "consumer");
    if (tool_has(r, "share")) return kstr_is(g->group_type, "share");
    return !tool_has(r, "streams") || kstr_is(g->group_type, "streams");
}

static bool list(struct tool_run *r) {
    GROUP *v;
    int32_t n;
    int width = 20;
    if (group_ask_list(&r->admin, &v, &n)) return tool_fail(r, "%s", client_why(r->admin.client));
    for (int32_t i = 0; i < n; i++) {
        if (!passes(r, &v[i])) continue;
        if (v[i].group_id.len > width) width = v[i].group_id.len;
        if (v[i].protocol_type.len > width) width = v[i].protocol_type.len;
    }
    printf("%-*s %-*s %-*s\n", width, "GROUP", width, "TYPE", width, "PROTOCOL");
    for (int32_t i = 0; i < n; i++)
        if (passes(r, &v[i]))
            printf("%-*.*s %-*s %-*.*s \n", width, v[i].group_id.len, v[i].group_id.s, width,
                   type_name(v[i].group_type), width, v[i].protocol_type.len, v[i].protocol_type.s);
    return true;
}

static bool check(struct tool_run *r) {
    const char *type = tool_get(r, "group-type");
    if (!tool_has(r, "bootstrap-server"))
        return tool_usage(r, "Missing required option(s) [bootstrap-server]");
    if (!tool_has(r, "list")) return tool_usage(r, "Command must include exactly one action: --list.");
    if (type && strcasecmp(type, "classic") != 0 && strcasecmp(type, "consumer") != 0 &&
        strcasecmp(type, "share") != 0 && strcasecmp(type, "streams") != 0)
        return tool_usage(r, "--group-type must be a valid group type.");
    return tool_excludes(r, "consumer", "group-type protocol share streams") &&
           tool_excludes(r, "share", "consumer group-type protocol streams") &&
           tool_excludes(r, "streams", "consumer group-type protocol share");
}

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"list", TOOL_FLAG, NULL, "list the groups"},
    {"group-type", TOOL_TEXT, "type", "only this type: classic, consumer, share, streams"},
    {"protocol", TOOL_TEXT, "protocol", "only groups with this protocol type"},
    {"consumer", TOOL_FLAG, NULL, "only groups of consumers, of both types"},
    {"share", TOOL_FLAG, NULL, "only share groups"},
    {"streams", TOOL_FLAG, NULL, "only streams groups"},
    {0},
};
static const struct tool tool = {"kafka-groups", "This tool helps to list groups of all types.", options};

int names_groups(int argc, char **argv) {
    struct tool_run r;
    if (!tool_begin(&r, &tool, argc, argv) || !check(&r)) goto out;
    if (!tool_connect(&r, tool_get(&r, "bootstrap-server"), CALL_MS) || !list(&r)) {
        printf("Error while executing groups command : %s\n", r.why);
        r.status = 1;
    }
out:
    tool_end(&r);
    return r.status;
}
