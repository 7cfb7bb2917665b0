/* kafka-consumer-groups: org.apache.kafka.tools.consumer.group.ConsumerGroupCommand. What goes wrong while it
 * talks to the cluster is printed to stdout and the exit status stays 0, as there. */
#include "cli/names/consumer_groups.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "api/delete_groups.h"
#include "api/list_groups.h"
#include "api/offset_delete.h"
#include "base/kerr.h"
#include "base/re2.h"
#include "cli/names/names.h"
#include "cli/names/topics.h"

#define GROUP struct list_groups_response_listed_group

void consumer_groups_error(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("\nError: ", stdout);
    vprintf(format, args);
    putchar('\n');
    va_end(args);
}

bool consumer_groups_failed(struct tool_run *r) { return tool_fail(r, "%s", client_why(r->admin.client)); }

/* ---- list ---- */

/* Consumers' groups: of the type consumer, and classic ones with the consumers' protocol or none. */
static bool is_consumers(const GROUP *g) {
    return kstr_is(g->group_type, "consumer") ||
           (kstr_is(g->group_type, "classic") &&
            (g->protocol_type.len <= 0 || kstr_is(g->protocol_type, "consumer")));
}

/* Is the text one of the comma-separated words, whatever the case? Any, when there are none. */
static bool is_among(struct kstr text, const char *words) {
    if (!words || !*words) return true;
    for (const char *p = words; *p; p += *p == ',') {
        while (*p == ' ') p++;
        size_t n = strcspn(p, ","), len = n;
        while (len && p[len - 1] == ' ') len--;
        if ((size_t)text.len == len && !strncasecmp(text.s, p, len)) return true;
        p += n;
    }
    return false;
}

/* Are all comma-separated words among the valid ones? */
static bool words_are(const char *words, const char *valid) {
    for (const char *p = words; *p; p += *p == ',') {
        while (*p == ' ') p++;
        size_t n = strcspn(p, ","), len = n;
        while (len && p[len - 1] == ' ') len--;
        if (!is_among((struct kstr){p, (int32_t)len}, valid)) return false;
        p += n;
    }
    return true;
}

static bool check_filters(struct tool_run *r) {
    const char *states = tool_get(r, "state"), *types = tool_get(r, "type");
    const char *valid =
        "Empty,Dead,Stable,PreparingRebalance,CompletingRebalance,Assigning,Reconciling,Unknown";
    if (states && !words_are(states, valid))
        return tool_usage(r, "Invalid state list '%s'. Valid states are: %s", states, valid);
    if (types && !words_are(types, "classic,consumer"))
        return tool_usage(r, "Invalid types list '%s'. Valid types are: Classic, Consumer", types);
    return true;
}

static void print_type(struct kstr type) {
    printf(" %-20s", kstr_is(type, "consumer")  ? "Consumer"
                     : kstr_is(type, "classic") ? "Classic"
                                                : "Unknown");
}

static bool list(struct tool_run *r) {
    bool type = tool_has(r, "type"), state = tool_has(r, "state");
    GROUP *v;
    int32_t n, kept = 0;
    int width = 15;
    if (!check_filters(r)) return false;
    if (group_ask_list(&r->admin, &v, &n)) return consumer_groups_failed(r);
    for (int32_t i = 0; i < n; i++)
        if (is_consumers(&v[i]) && is_among(v[i].group_state, state ? tool_get(r, "state") : NULL) &&
            is_among(v[i].group_type, type ? tool_get(r, "type") : NULL)) {
            v[kept++] = v[i];
            if (v[i].group_id.len > width) width = v[i].group_id.len;
        }
    if (type || state) {
        printf("%-*s", width + 10, "GROUP");
        if (type) printf(" %-20s", "TYPE");
        if (state) printf(" %-20s", "STATE");
        putchar('\n');
    }
    for (int32_t i = 0; i < kept; i++) {
        if (!type && !state) {
            printf("%.*s\n", v[i].group_id.len, v[i].group_id.s);
            continue;
        }
        printf("%-*.*s", width + 10, v[i].group_id.len, v[i].group_id.s);
        if (type) print_type(v[i].group_type);
        if (state) printf(" %-20.*s", v[i].group_state.len, v[i].group_state.s);
        putchar('\n');
    }
    return true;
}

bool consumer_groups_named(struct tool_run *r, struct kstr **names, int32_t *n) {
    GROUP *v = NULL;
    const char *name;
    int32_t count = r->settings_n;
    bool all = tool_has(r, "all-groups");
    if (all && group_ask_list(&r->admin, &v, &count)) return consumer_groups_failed(r);
    *n = 0;
    *names = arena_calloc(&r->admin.arena, (size_t)count + 1, sizeof **names);
    if (!*names) return tool_fail(r, "too many groups");
    for (int32_t i = 0; all && i < count; i++)
        if (is_consumers(&v[i])) (*names)[(*n)++] = kstr_of(admin_cstr(&r->admin, v[i].group_id));
    for (int at = 0; !all && (name = tool_next(r, "group", &at));) (*names)[(*n)++] = kstr_of(name);
    return true;
}

/* ---- delete ---- */

static int16_t delete_code(const void *response) {
    const struct delete_groups_response *r = response;
    return r->results_n == 1 ? r->results[0].error_code : 0;
}

/* The group's error, or 0. */
static bool delete_one(struct tool_run *r, struct kstr group, int16_t *code) {
    struct delete_groups_request q;
    struct delete_groups_response a;
    delete_groups_request_init(&q);
    q.groups_names = &group;
    q.groups_names_n = 1;
    if (!tool_call(r, &(struct client_call){.key = API_DELETE_GROUPS,
                                            .target = CLIENT_GROUP,
                                            .name = group.s,
                                            .request = &q,
                                            .response = &a,
                                            .arena = &r->admin.arena,
                                            .error = delete_code}))
        return false;
    *code = delete_code(&a);
    return true;
}

static void print_quoted(const struct kstr *names, const int16_t *codes, int32_t n) {
    bool first = true;
    for (int32_t i = 0; i < n; i++) {
        if (codes[i]) continue;
        printf("%s'%s'", first ? "" : ", ", names[i].s);
        first = false;
    }
}

static bool remove_groups(struct tool_run *r) {
    struct kstr *names;
    int32_t n, failed = 0;
    char text[100];
    if (!consumer_groups_named(r, &names, &n)) return false;
    int16_t *codes = arena_calloc(&r->admin.arena, (size_t)n + 1, sizeof *codes);
    for (int32_t i = 0; i < n; i++) {
        if (!delete_one(r, names[i], &codes[i])) return false;
        failed += codes[i] != 0;
    }
    if (!failed) {
        fputs("Deletion of requested consumer groups (", stdout);
        print_quoted(names, codes, n);
        puts(") was successful.");
        return true;
    }
    consumer_groups_error("Deletion of some consumer groups failed:");
    for (int32_t i = 0; i < n; i++)
        if (codes[i])
            printf("* Group '%s' could not be deleted due to: org.apache.kafka.common.errors.%s: %s\n",
                   names[i].s, tool_exception(codes[i], text), kerr_message(codes[i]));
    if (failed < n) {
        fputs("\nThese consumer groups were deleted successfully: ", stdout);
        print_quoted(names, codes, n);
        putchar('\n');
    }
    return true;
}

/* ---- offsets of topics ---- */

bool consumer_groups_partitions(struct tool_run *r, const char *text, struct group_view *g) {
    const char *colon = strchr(text, ':');
    struct topics_view v;
    int32_t *ids = NULL, n = -1;
    struct kstr topic = {text, (int32_t)(colon ? colon - text : (long)strlen(text))};
    if (colon && (!colon[1] || strchr(colon + 1, ':')))
        return tool_usage(r, "Invalid topic arg '%s', expected topic name and partitions", text);
    if (colon && admin_parse_ints(&r->admin, colon + 1, strlen(colon + 1), ',', &ids, &n))
        return tool_usage(r, "Invalid partition specified in topic arg '%s'", text);
    if (!colon) {
        if (!topics_ask(r, &topic, 1, 0, &v)) return false;
        n = v.topics_n == 1 ? v.topics[0].partitions_n : 0;
    }
    for (int32_t i = 0; i < n; i++)
        if (!group_partition(&r->admin, g, topic, colon ? ids[i] : v.topics[0].partitions[i].partition_index))
            return tool_fail(r, "too many partitions");
    return true;
}

static int16_t forget_code(const void *response) {
    return ((const struct offset_delete_response *)response)->error_code;
}

static bool fill_forget(struct tool_run *r, struct group_view *g, struct offset_delete_request *q) {
    struct offset_delete_request_offset_delete_request_topic *t = NULL;
    offset_delete_request_init(q);
    q->group_id = g->name;
    q->topics = arena_calloc(&r->admin.arena, (size_t)g->partitions_n + 1, sizeof *q->topics);
    __typeof__(t->partitions) p = arena_calloc(&r->admin.arena, (size_t)g->partitions_n + 1, sizeof *p);
    if (!q->topics || !p) return tool_fail(r, "too many partitions");
    for (int32_t i = 0; i < g->partitions_n; i++, p++) {
        if (g->partitions[i].partition < 0) continue;
        if (!t || !kstr_equal(t->name, g->partitions[i].topic)) {
            t = &q->topics[q->topics_n++];
            t->name = g->partitions[i].topic;
            t->partitions = p;
        }
        p->partition_index = g->partitions[i].partition;
        t->partitions_n++;
    }
    return true;
}

/* The partition's error of the response. */
static int16_t forgotten(const struct offset_delete_response *a, const struct group_partition *p) {
    for (int32_t t = 0; t < a->topics_n; t++)
        for (int32_t i = 0; i < a->topics[t].partitions_n; i++)
            if (a->topics[t].partitions[i].partition_index == p->partition &&
                kstr_equal(a->topics[t].name, p->topic))
                return a->topics[t].partitions[i].error_code;
    return 0;
}

static void print_forgotten(const struct group_view *g, const int16_t *codes) {
    int width = 15;
    char name[100], number[24], error[600];
    for (int32_t i = 0; i < g->partitions_n; i++)
        if (g->partitions[i].topic.len > width) width = g->partitions[i].topic.len;
    printf("\n%-*s %-10s %-15s", width, "TOPIC", "PARTITION", "STATUS");
    for (int32_t i = 0; i < g->partitions_n; i++) {
        const struct group_partition *p = &g->partitions[i];
        snprintf(number, sizeof number, p->partition < 0 ? "-" : "%d", p->partition);
        snprintf(error, sizeof error, "Error: org.apache.kafka.common.errors.%s: %s",
                 tool_exception(codes[i], name), kerr_message(codes[i]));
        printf("\n%-*.*s %-10s %-15s", width, p->topic.len, p->topic.s, number,
               codes[i] ? error : "Successful");
    }
    putchar('\n');
}

/* The partitions of --topic; what does not exist as partition -1. */
static bool forget_which(struct tool_run *r, struct group_view *g) {
    const char *text;
    for (int at = 0; (text = tool_next(r, "topic", &at));) {
        if (consumer_groups_partitions(r, text, g)) continue;
        if (r->code != KERR_UNKNOWN_TOPIC_OR_PARTITION) return false;
        if (!group_partition(&r->admin, g, kstr_of(text), -1)) return tool_fail(r, "too many partitions");
    }
    group_sort(g);
    return true;
}

static bool forget(struct tool_run *r) {
    struct group_view g = {.name = kstr_of(tool_get(r, "group"))};
    struct offset_delete_request q;
    struct offset_delete_response a;
    if (!forget_which(r, &g) || !fill_forget(r, &g, &q)) return false;
    if (!tool_call(r, &(struct client_call){.key = API_OFFSET_DELETE,
                                            .target = CLIENT_GROUP,
                                            .name = g.name.s,
                                            .request = &q,
                                            .response = &a,
                                            .arena = &r->admin.arena,
                                            .error = forget_code}))
        return false;
    int16_t *codes = arena_calloc(&r->admin.arena, (size_t)g.partitions_n + 1, sizeof *codes),
            first = a.error_code;
    for (int32_t i = 0; i < g.partitions_n; i++) {
        bool unknown = g.partitions[i].partition < 0;
        codes[i] = unknown        ? KERR_UNKNOWN_TOPIC_OR_PARTITION
                   : a.error_code ? a.error_code
                                  : forgotten(&a, &g.partitions[i]);
        if (!first && !unknown) first = codes[i];
    }
    if (!first)
        printf("Request succeeded for deleting offsets from group %s.\n", g.name.s);
    else if (first == KERR_INVALID_GROUP_ID || first == KERR_GROUP_ID_NOT_FOUND ||
             first == KERR_NON_EMPTY_GROUP || first == KERR_GROUP_AUTHORIZATION_FAILED)
        consumer_groups_error("%s", kerr_message(first));
    else if (first == KERR_GROUP_SUBSCRIBED_TO_TOPIC || first == KERR_TOPIC_AUTHORIZATION_FAILED ||
             first == KERR_UNKNOWN_TOPIC_OR_PARTITION)
        consumer_groups_error("Encountered some partition-level error, see the follow-up details.");
    else
        consumer_groups_error("Encountered some unknown error: %s", kerr_name(first));
    print_forgotten(&g, codes);
    return true;
}

/* ---- the tool ---- */

static void validate_regex(const char *regex) {
    const char *why = "";
    struct re2_pattern *p = re2_compile(regex, strlen(regex), &why);
    if (p)
        printf("The regular expression `%s` is valid.\n", regex);
    else
        printf("The regular expression `%s` is invalid: %s.\n", regex, why);
    re2_free(p);
}

#define SCENARIOS "to-offset shift-by to-datetime by-duration to-earliest to-latest to-current from-file"

/* At most one scenario. */
static bool check_scenarios(struct tool_run *r) {
    const char *used = NULL;
    char name[64];
    int n;
    for (const char *p = SCENARIOS; sscanf(p, "%63s%n", name, &n) == 1; p += n) {
        if (!tool_has(r, name)) continue;
        const struct tool_option *o = r->tool->options;
        while (strcmp(o->name, name) != 0) o++;
        if (used) return tool_usage(r, "Option \"[%s]\" can't be used with option \"[%s]\"", used, name);
        used = o->name;
    }
    return true;
}

static bool check_reset(struct tool_run *r) {
    bool execute = tool_has(r, "execute"), dry = tool_has(r, "dry-run");
    if (execute && dry)
        return tool_usage(r, "Option [reset-offsets] only accepts one of [execute] and [dry-run]");
    if (!execute && !dry)
        fputs("WARN: nothing is changed without --execute; say --dry-run when that is meant\n", stderr);
    if (!tool_has(r, "group") && !tool_has(r, "all-groups"))
        return tool_usage(r, "Option [reset-offsets] takes one of these options: [group], [all-groups]");
    return check_scenarios(r);
}

static bool check_describe(struct tool_run *r) {
    int parts = tool_has(r, "members") + tool_has(r, "offsets") + tool_has(r, "state");
    if (!tool_has(r, "group") && !tool_has(r, "all-groups"))
        return tool_usage(r, "Option [describe] takes one of these options: [group], [all-groups]");
    if (parts > 1)
        return tool_usage(
            r, "Option [describe] takes at most one of these options: [members], [offsets], [state]");
    if (tool_get(r, "state")) return tool_usage(r, "Option [describe] does not take a value for [state]");
    return true;
}

static bool check_delete(struct tool_run *r) {
    if (!tool_has(r, "group") && !tool_has(r, "all-groups"))
        return tool_usage(r, "Option [delete] takes one of these options: [group], [all-groups]");
    if (tool_has(r, "topic"))
        return tool_usage(
            r, "The consumer does not support topic-specific offset deletion from a consumer group.");
    return true;
}

static bool check(struct tool_run *r) {
    bool describes = tool_has(r, "describe");
    if (!describes && (tool_has(r, "members") || tool_has(r, "verbose") || tool_has(r, "offsets") ||
                       (!tool_has(r, "list") && (tool_has(r, "state") || tool_has(r, "type")))))
        return tool_usage(r, "Option(s) are unavailable given other options on the command line");
    if (!tool_has(r, "validate-regex") && !tool_required(r, "bootstrap-server")) return false;
    if (describes && !check_describe(r)) return false;
    if (tool_has(r, "delete") && !check_delete(r)) return false;
    if (tool_has(r, "delete-offsets") && (!tool_has(r, "group") || !tool_has(r, "topic")))
        return tool_usage(r, "Option [delete-offsets] takes the following options: [group], [topic]");
    if (tool_has(r, "reset-offsets") && !check_reset(r)) return false;
    if (!tool_excludes(r, "group", "all-groups list") || !tool_excludes(r, "topic", "list describe"))
        return false;
    int actions = tool_has(r, "list") + describes + tool_has(r, "delete") + tool_has(r, "reset-offsets") +
                  tool_has(r, "delete-offsets") + tool_has(r, "validate-regex");
    if (actions != 1)
        return tool_usage(r, "Command must include exactly one action: --list, --describe, --delete, "
                             "--reset-offsets, --delete-offsets, --validate-regex");
    return true;
}

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"group", TOOL_TEXT, "group", "the group; may be repeated"},
    {"all-groups", TOOL_FLAG, NULL, "all groups of consumers"},
    {"topic", TOOL_TEXT, "topic[:0,1]", "a topic, or some of its partitions; may be repeated"},
    {"all-topics", TOOL_FLAG, NULL, "all topics that the group has offsets of"},
    {"list", TOOL_FLAG, NULL, "list the groups"},
    {"describe", TOOL_FLAG, NULL, "offsets, members or state of groups"},
    {"delete", TOOL_FLAG, NULL, "delete groups"},
    {"timeout", TOOL_LONG, "ms", "how long to wait (30000)"},
    {"reset-offsets", TOOL_FLAG, NULL, "move the offsets of a group without members"},
    {"delete-offsets", TOOL_FLAG, NULL, "delete the offsets of topics"},
    {"dry-run", TOOL_FLAG, NULL, "only show the new offsets"},
    {"execute", TOOL_FLAG, NULL, "change the offsets"},
    {"export", TOOL_FLAG, NULL, "print the new offsets as CSV"},
    {"to-offset", TOOL_LONG, "offset", "to this offset"},
    {"from-file", TOOL_TEXT, "file", "to the offsets of a CSV file"},
    {"to-datetime", TOOL_TEXT, "time", "to the first records since YYYY-MM-DDThh:mm:ss.sss[Z]"},
    {"by-duration", TOOL_TEXT, "PnDTnHnMnS", "to the first records since this long ago"},
    {"to-earliest", TOOL_FLAG, NULL, "to the first record"},
    {"to-latest", TOOL_FLAG, NULL, "to the end"},
    {"to-current", TOOL_FLAG, NULL, "to where they are"},
    {"shift-by", TOOL_LONG, "n", "by so many records, back when negative"},
    {"members", TOOL_FLAG, NULL, "describe the members"},
    {"verbose", TOOL_FLAG, NULL, "describe with more columns"},
    {"offsets", TOOL_FLAG, NULL, "describe the offsets (what --describe does)"},
    {"state", TOOL_OPTIONAL, "states", "describe the state; with --list: only groups in these states"},
    {"type", TOOL_OPTIONAL, "types", "with --list: only groups of these types"},
    {"validate-regex", TOOL_TEXT, "regex", "is this a regular expression that consumers may subscribe to?"},
    {0},
};
static const struct tool tool = {
    "kafka-consumer-groups",
    "This tool helps to list all consumer groups, describe a consumer group, delete "
    "consumer group info, or reset consumer group offsets.",
    options};

int names_consumer_groups(int argc, char **argv) {
    struct tool_run r;
    if (!tool_begin(&r, &tool, argc, argv) || !check(&r)) goto out;
    if (tool_has(&r, "validate-regex")) {
        validate_regex(tool_get(&r, "validate-regex"));
        goto out;
    }
    bool ok = tool_connect(&r, tool_get(&r, "bootstrap-server"), (int)tool_number(&r, "timeout", 30000));
    if (!ok) {
        fprintf(stderr, "%s\n", r.why);
        r.status = 1;
        goto out;
    }
    if (tool_has(&r, "list"))
        ok = list(&r);
    else if (tool_has(&r, "describe"))
        ok = consumer_groups_describe(&r);
    else if (tool_has(&r, "delete"))
        ok = remove_groups(&r);
    else if (tool_has(&r, "reset-offsets"))
        ok = consumer_groups_reset(&r);
    else
        ok = forget(&r);
    if (!ok && !r.status) consumer_groups_error("Executing consumer group command failed due to %s", r.why);
out:
    tool_end(&r);
    return r.status;
}
