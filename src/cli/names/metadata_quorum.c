/* kafka-metadata-quorum: org.apache.kafka.tools.MetadataQuorumCommand; describe. */
#include <stdio.h>

#include "api/describe_cluster.h"
#include "api/describe_quorum.h"
#include "base/uuid.h"
#include "cli/names/names.h"
#include "cli/names/tool.h"
#include "io/clock.h"

enum { CALL_MS = 60000, COLUMNS = 7, CELL = 64 };

#define REPLICA struct describe_quorum_response_replica_state

struct quorum {
    struct describe_quorum_response response;
    struct describe_quorum_response_partition_data *partition; /* of the metadata */
    const REPLICA *leader;
};

static bool ask(struct tool_run *r, struct quorum *q) {
    struct describe_quorum_request_partition_data partition = {0};
    struct describe_quorum_request_topic_data topic = {KSTR("__cluster_metadata"), &partition, 1};
    struct describe_quorum_request request = {.topics = &topic, .topics_n = 1};
    if (!tool_call(r, &(struct client_call){.key = API_DESCRIBE_QUORUM,
                                            .target = CLIENT_CONTROLLER,
                                            .request = &request,
                                            .response = &q->response,
                                            .arena = &r->admin.arena}) ||
        !tool_check(r, q->response.error_code, q->response.error_message))
        return false;
    if (q->response.topics_n != 1 || q->response.topics[0].partitions_n != 1)
        return tool_fail(r, "the answer does not describe the metadata's partition");
    q->partition = &q->response.topics[0].partitions[0];
    if (!tool_check(r, q->partition->error_code, q->partition->error_message)) return false;
    for (int32_t i = 0; i < q->partition->current_voters_n; i++)
        if (q->partition->current_voters[i].replica_id == q->partition->leader_id)
            q->leader = &q->partition->current_voters[i];
    return q->leader || tool_fail(r, "No value present");
}

/* ---- status ---- */

static void print_replicas(const struct quorum *q, const REPLICA *v, int32_t n) {
    char id[UUID_TEXT];
    putchar('[');
    for (int32_t i = 0; i < n; i++) {
        printf("%s{\"id\": %d", i ? ", " : "", v[i].replica_id);
        if (!uuid_is_zero(&v[i].replica_directory_id))
            printf(", \"directoryId\": \"%s\"", uuid_format(&v[i].replica_directory_id, id));
        for (int32_t k = 0; k < q->response.nodes_n; k++) {
            const struct describe_quorum_response_node *node = &q->response.nodes[k];
            if (node->node_id != v[i].replica_id || !node->listeners_n) continue;
            fputs(", \"endpoints\": [", stdout);
            for (int32_t l = 0; l < node->listeners_n; l++) {
                struct kstr name = node->listeners[l].name, host = node->listeners[l].host;
                bool v6 = host.len > 0 && memchr(host.s, ':', (size_t)host.len);
                printf("%s\"%.*s://%s%.*s%s:%d\"", l ? ", " : "", name.len, name.s, v6 ? "[" : "", host.len,
                       host.s, v6 ? "]" : "", node->listeners[l].port);
            }
            putchar(']');
        }
        putchar('}');
    }
    puts("]");
}

static bool status(struct tool_run *r, const struct quorum *q) {
    struct describe_cluster_request request;
    struct describe_cluster_response a;
    const REPLICA *last = q->leader;
    describe_cluster_request_init(&request);
    if (!tool_ask(r, API_DESCRIBE_CLUSTER, &request, &a) || !tool_check(r, a.error_code, a.error_message))
        return false;
    for (int32_t i = 0; i < q->partition->current_voters_n; i++)
        if (q->partition->current_voters[i].log_end_offset < last->log_end_offset)
            last = &q->partition->current_voters[i];
    int64_t behind_ms = last == q->leader ? 0
                        : q->leader->last_caught_up_timestamp < 0 || last->last_caught_up_timestamp < 0
                            ? -1
                            : q->leader->last_caught_up_timestamp - last->last_caught_up_timestamp;
    printf("ClusterId:              %.*s\nLeaderId:               %d\nLeaderEpoch:            %d\n",
           a.cluster_id.len, a.cluster_id.s, q->partition->leader_id, q->partition->leader_epoch);
    printf("HighWatermark:          %lld\nMaxFollowerLag:         %lld\nMaxFollowerLagTimeMs:   %lld\n",
           (long long)q->partition->high_watermark,
           (long long)(q->leader->log_end_offset - last->log_end_offset), (long long)behind_ms);
    fputs("CurrentVoters:          ", stdout);
    print_replicas(q, q->partition->current_voters, q->partition->current_voters_n);
    fputs("CurrentObservers:       ", stdout);
    print_replicas(q, q->partition->observers, q->partition->observers_n);
    return true;
}

/* ---- replication ---- */

struct row {
    char cells[COLUMNS][CELL];
};

static void time_text(char text[CELL], int64_t ms, bool human) {
    if (human && ms >= 0)
        snprintf(text, CELL, "%lld ms ago", (long long)(clock_wall_ms() - ms));
    else
        snprintf(text, CELL, "%lld", (long long)ms);
}

static void fill_row(struct row *row, const REPLICA *v, const REPLICA *leader, const char *what, bool human) {
    char id[UUID_TEXT];
    snprintf(row->cells[0], CELL, "%d", v->replica_id);
    snprintf(row->cells[1], CELL, "%s", uuid_format(&v->replica_directory_id, id));
    snprintf(row->cells[2], CELL, "%lld", (long long)v->log_end_offset);
    snprintf(row->cells[3], CELL, "%lld", (long long)(leader->log_end_offset - v->log_end_offset));
    time_text(row->cells[4], v->last_fetch_timestamp, human);
    time_text(row->cells[5], v->last_caught_up_timestamp, human);
    snprintf(row->cells[6], CELL, "%s", what);
}

static bool replication(struct tool_run *r, const struct quorum *q) {
    static const char *const headings[COLUMNS] = {"NodeId", "DirectoryId",        "LogEndOffset",
                                                  "Lag",    "LastFetchTimestamp", "LastCaughtUpTimestamp",
                                                  "Status"};
    bool human = tool_has(r, "human-readable");
    int32_t n = 0, most = q->partition->current_voters_n + q->partition->observers_n + 2;
    struct row *rows = arena_calloc(&r->admin.arena, (size_t)most, sizeof *rows);
    if (!rows) return tool_fail(r, "too many replicas");
    for (int c = 0; c < COLUMNS; c++) snprintf(rows[0].cells[c], CELL, "%s", headings[c]);
    fill_row(&rows[++n], q->leader, q->leader, "Leader", human);
    for (int32_t i = 0; i < q->partition->current_voters_n; i++)
        if (&q->partition->current_voters[i] != q->leader)
            fill_row(&rows[++n], &q->partition->current_voters[i], q->leader, "Follower", human);
    for (int32_t i = 0; i < q->partition->observers_n; i++)
        fill_row(&rows[++n], &q->partition->observers[i], q->leader, "Observer", human);
    for (int32_t i = 0; i <= n; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            int width = 0;
            for (int32_t k = 0; k <= n; k++)
                if ((int)strlen(rows[k].cells[c]) > width) width = (int)strlen(rows[k].cells[c]);
            printf("%-*s\t", width, rows[i].cells[c]);
        }
        putchar('\n');
    }
    return true;
}

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"bootstrap-controller", TOOL_TEXT, "host:port,...", "where the controllers are"},
    {"status", TOOL_FLAG, NULL, "describe: a summary"},
    {"replication", TOOL_FLAG, NULL, "describe: how far each node is"},
    {"human-readable", TOOL_FLAG, NULL, "describe --replication: times as their age"},
    {0},
};
static const struct tool tool = {"kafka-metadata-quorum",
                                 "This tool describes kraft metadata quorum status: describe", options};

static bool run(struct tool_run *r) {
    struct quorum q = {0};
    bool brief = tool_has(r, "status"), full = tool_has(r, "replication");
    const char *server = tool_get(r, "bootstrap-server");
    if (!tool_connect(r, server ? server : tool_get(r, "bootstrap-controller"), CALL_MS)) return false;
    if (brief && full)
        return tool_fail(
            r, "Only one of --status or --replication should be specified with describe sub-command");
    if (!brief && !full)
        return tool_fail(r, "One of --status or --replication must be specified with describe sub-command");
    if (brief && tool_has(r, "human-readable"))
        return tool_fail(r, "The option --human-readable is only supported along with --replication");
    return ask(r, &q) && (brief ? status(r, &q) : replication(r, &q));
}

int names_metadata_quorum(int argc, char **argv) {
    struct tool_run r;
    if (!tool_begin(&r, &tool, argc, argv)) goto out;
    if (!r.args_n || strcmp(r.args[0], "describe") != 0) {
        tool_usage(&r, "invalid choice: '%s' (choose from 'describe')", r.args_n ? r.args[0] : "");
        goto out;
    }
    if (tool_has(&r, "bootstrap-server") == tool_has(&r, "bootstrap-controller")) {
        tool_usage(&r, "one of the arguments --bootstrap-server --bootstrap-controller is required");
        goto out;
    }
    if (!run(&r)) {
        fprintf(stderr, "%s\n", tool_execution_text(&r));
        r.status = 1;
    }
out:
    tool_end(&r);
    return r.status;
}
