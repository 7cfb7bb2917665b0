/* kafka-consumer-groups --describe. */
#include <stdio.h>
#include <stdlib.h>

#include "api/consumer_group_describe.h"
#include "api/find_coordinator.h"
#include "base/kerr.h"
#include "cli/names/consumer_groups.h"

#define WIDER(width, s) ((s).len > (width) ? (s).len : (width))

/* Text of a number, "-" when there is none. */
static const char *known(char text[24], int64_t v) {
    snprintf(text, 24, v < 0 ? "-" : "%lld", (long long)v);
    return text;
}

/* Says what is odd about the group; is there something to print? */
static bool is_there(const struct group_view *g, int32_t rows) {
    if (kstr_is(g->state, "Dead"))
        consumer_groups_error("Consumer group '%s' does not exist.", g->name.s);
    else if (kstr_is(g->state, "Empty"))
        fprintf(stderr, "\nConsumer group '%s' has no active members.\n", g->name.s);
    else if (!kstr_is(g->state, "Stable"))
        fprintf(stderr, "\nWarning: Consumer group '%s' is rebalancing.\n", g->name.s);
    return !kstr_is(g->state, "Dead") && rows > 0;
}

/* ---- offsets ---- */

struct widths {
    int group, topic, member, host;
};

static void print_row(const struct widths *w, struct kstr group, struct kstr topic, const char *partition,
                      const char *epoch, const char *offset, const char *end, const char *lag,
                      struct kstr member, struct kstr host, struct kstr client) {
    printf("\n%-*.*s %-*.*s %-10s ", w->group, group.len, group.s, w->topic, topic.len, topic.s, partition);
    if (epoch) printf("%-15s ", epoch);
    printf("%-15s %-15s %-15s %-*.*s %-*.*s %.*s", offset, end, lag, w->member, member.len, member.s, w->host,
           host.len, host.s, client.len, client.s);
}

static void print_partition(const struct widths *w, const struct group_view *g,
                            const struct group_partition *p, bool verbose) {
    char epoch[24], partition[24], offset[24], end[24], lag[24] = "-";
    const struct group_member *m = p->member < 0 ? NULL : &g->members[p->member];
    if (p->committed >= 0 && p->end >= 0)
        snprintf(lag, sizeof lag, "%lld", (long long)(p->end - p->committed));
    print_row(w, g->name, p->topic, known(partition, p->partition),
              verbose ? known(epoch, p->leader_epoch) : NULL, known(offset, p->committed), known(end, p->end),
              lag, m ? m->id : KSTR("-"), m ? m->host : KSTR("-"), m ? m->client : KSTR("-"));
}

/* Members by how many partitions they have, most first, those with as many in the group's order. */
static int32_t *by_size(struct tool_run *r, const struct group_view *g) {
    int32_t *order = arena_calloc(&r->admin.arena, (size_t)g->members_n + 1, sizeof *order);
    for (int32_t i = 0; order && i < g->members_n; i++) {
        int32_t at = i;
        for (; at > 0 && g->members[order[at - 1]].partitions < g->members[i].partitions; at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    return order;
}

static bool print_offsets(struct tool_run *r, const struct group_view *g, bool verbose) {
    struct widths w = {WIDER(15, g->name), 15, 15, 15};
    if (!is_there(g, g->partitions_n)) return true;
    for (int32_t i = 0; i < g->partitions_n; i++) {
        const struct group_partition *p = &g->partitions[i];
        w.topic = WIDER(w.topic, p->topic);
        if (p->member < 0) continue;
        w.member = WIDER(w.member, g->members[p->member].id);
        w.host = WIDER(w.host, g->members[p->member].host);
    }
    print_row(&w, KSTR("GROUP"), KSTR("TOPIC"), "PARTITION", verbose ? "LEADER-EPOCH" : NULL,
              "CURRENT-OFFSET", "LOG-END-OFFSET", "LAG", KSTR("CONSUMER-ID"), KSTR("HOST"),
              KSTR("CLIENT-ID"));
    int32_t *order = by_size(r, g);
    if (!order) return tool_fail(r, "too many members");
    for (int32_t m = 0; m <= g->members_n; m++)
        for (int32_t i = 0; i < g->partitions_n; i++)
            if (g->partitions[i].member == (m < g->members_n ? order[m] : -1))
                print_partition(&w, g, &g->partitions[i], verbose);
    putchar('\n');
    return true;
}

/* ---- members ---- */

/* "a:0,1;b:2" of the partitions that the member has, which are sorted. */
static const char *assignment_text(struct tool_run *r, const struct group_view *g, int32_t member) {
    struct strbuf b;
    struct kstr topic = KSTR_NULL;
    strbuf_init(&b, 1 << 24);
    for (int32_t i = 0; i < g->partitions_n; i++) {
        const struct group_partition *p = &g->partitions[i];
        if (p->member != member) continue;
        if (kstr_equal(p->topic, topic))
            strbuf_addf(&b, ",%d", p->partition);
        else
            strbuf_addf(&b, "%s%.*s:%d", b.len ? ";" : "", p->topic.len, p->topic.s, p->partition);
        topic = p->topic;
    }
    const char *text = arena_strndup(&r->admin.arena, b.len ? strbuf_str(&b) : "-", b.len ? b.len : 1);
    strbuf_free(&b);
    return text ? text : "-";
}

/* The same of what the member shall have. */
static const char *target_text(struct tool_run *r, const struct group_view *g, int32_t member) {
    struct group_view target = {.name = g->name, .members = g->members, .members_n = g->members_n};
    if (!g->described) return "-";
    const struct consumer_group_describe_response_assignment *a =
        &g->described->members[member].target_assignment;
    for (int32_t t = 0; t < a->topic_partitions_n; t++)
        for (int32_t i = 0; i < a->topic_partitions[t].partitions_n; i++) {
            struct group_partition *p = group_partition(&r->admin, &target, a->topic_partitions[t].topic_name,
                                                        a->topic_partitions[t].partitions[i]);
            if (p) p->member = member;
        }
    group_sort(&target);
    return assignment_text(r, &target, member);
}

struct member_row {
    const char *now, *target;
};

struct member_widths {
    int group, member, instance, host, client, now, target;
    bool instances, mixed; /* is a column needed? */
};

static void measure(const struct group_view *g, const struct member_row *rows, struct member_widths *w) {
    bool classic = false, consumer = false;
    *w = (struct member_widths){g->members_n ? WIDER(15, g->name) : 15, 15, 17, 15, 15, 20, 20, false, false};
    for (int32_t i = 0; i < g->members_n; i++) {
        const struct group_member *m = &g->members[i];
        w->member = WIDER(w->member, m->id);
        w->instance = WIDER(w->instance, m->instance);
        w->host = WIDER(w->host, m->host);
        w->client = WIDER(w->client, m->client);
        w->instances = w->instances || m->instance.len > 0;
        if ((int)strlen(rows[i].now) > w->now) w->now = (int)strlen(rows[i].now);
        if ((int)strlen(rows[i].target) > w->target) w->target = (int)strlen(rows[i].target);
        if (!g->described) continue;
        classic = classic || g->described->members[i].member_type == 0;
        consumer = consumer || g->described->members[i].member_type == 1;
    }
    w->mixed = classic && consumer;
}

static void print_member(const struct group_view *g, int32_t i, const struct member_widths *w,
                         const struct member_row *row, bool verbose) {
    const struct group_member *m = &g->members[i];
    const struct consumer_group_describe_response_described_group *d = g->described;
    char epoch[24], target[24];
    printf("%-*s %-*.*s ", w->group, g->name.s, w->member, m->id.len, m->id.s);
    if (w->instances)
        printf("%-*.*s ", w->instance, m->instance.len < 0 ? 0 : m->instance.len,
               m->instance.s ? m->instance.s : "");
    printf("%-*.*s %-*.*s %-15d ", w->host, m->host.len, m->host.s, w->client, m->client.len, m->client.s,
           m->partitions);
    if (verbose) {
        printf("%-15s %-*s %-15s %-*s", known(epoch, d ? d->members[i].member_epoch : -1), w->now, row->now,
               known(target, d ? d->assignment_epoch : -1), w->target, row->target);
        if (w->mixed) printf(" %s", d->members[i].member_type == 1 ? "true" : "false");
    }
    putchar('\n');
}

static bool print_members(struct tool_run *r, const struct group_view *g, bool verbose) {
    struct member_row *rows = arena_calloc(&r->admin.arena, (size_t)g->members_n + 1, sizeof *rows);
    struct member_widths w;
    if (!rows) return tool_fail(r, "too many members");
    is_there(g, g->members_n); /* the heading is printed in any case */
    for (int32_t i = 0; i < g->members_n; i++)
        rows[i] = (struct member_row){assignment_text(r, g, i), target_text(r, g, i)};
    measure(g, rows, &w);
    printf("\n%-*s %-*s ", w.group, "GROUP", w.member, "CONSUMER-ID");
    if (w.instances) printf("%-*s ", w.instance, "GROUP-INSTANCE-ID");
    printf("%-*s %-*s %-15s ", w.host, "HOST", w.client, "CLIENT-ID", "#PARTITIONS");
    if (verbose)
        printf("%-15s %-*s %-15s %-*s%s", "CURRENT-EPOCH", w.now, "CURRENT-ASSIGNMENT", "TARGET-EPOCH",
               w.target, "TARGET-ASSIGNMENT", w.mixed ? " UPGRADED" : "");
    putchar('\n');
    for (int32_t i = 0; i < g->members_n; i++) print_member(g, i, &w, &rows[i], verbose);
    return true;
}

/* ---- state ---- */

static int16_t coordinator_code(const void *response) {
    const struct find_coordinator_response *r = response;
    return r->coordinators_n == 1 ? r->coordinators[0].error_code : r->error_code;
}

/* "host:port  (id)" of the group's coordinator. */
static bool coordinator_text(struct tool_run *r, const struct group_view *g, char text[400]) {
    struct find_coordinator_request q;
    struct find_coordinator_response a;
    struct kstr key = g->name;
    find_coordinator_request_init(&q);
    q.key = key;
    q.coordinator_keys = &key;
    q.coordinator_keys_n = 1;
    if (!tool_call(r, &(struct client_call){.key = API_FIND_COORDINATOR,
                                            .request = &q,
                                            .response = &a,
                                            .arena = &r->admin.arena,
                                            .error = coordinator_code}) ||
        !tool_check(r, coordinator_code(&a), KSTR_NULL))
        return false;
    bool many = a.coordinators_n == 1;
    struct kstr host = many ? a.coordinators[0].host : a.host;
    snprintf(text, 400, "%.*s:%d  (%d)", host.len, host.s, many ? a.coordinators[0].port : a.port,
             many ? a.coordinators[0].node_id : a.node_id);
    return true;
}

static bool print_state(struct tool_run *r, const struct group_view *g, bool verbose) {
    char where[400], epoch[24], target[24];
    int group = WIDER(15, g->name), width;
    if (!is_there(g, 1)) return true;
    if (!coordinator_text(r, g, where)) return false;
    width = strlen(where) > 25 ? (int)strlen(where) : 25;
    struct kstr assignor = g->assignor.len > 0 ? g->assignor : KSTR("-");
    printf("\n%-*s %-*s %-20s %-20s ", group, "GROUP", width, "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY",
           "STATE");
    if (verbose) printf("%-15s %-25s ", "GROUP-EPOCH", "TARGET-ASSIGNMENT-EPOCH");
    printf("#MEMBERS\n%-*s %-*s %-20.*s %-20.*s ", group, g->name.s, width, where, assignor.len, assignor.s,
           g->state.len, g->state.s);
    if (verbose)
        printf("%-15s %-25s ", known(epoch, g->epoch),
               known(target, g->described ? g->described->assignment_epoch : -1));
    printf("%d\n", g->members_n);
    return true;
}

/* ---- */

static bool describe_one(struct tool_run *r, struct kstr name) {
    struct group_view g;
    bool missing, verbose = tool_has(r, "verbose");
    if (group_ask(&r->admin, name.s, &g, &missing)) return consumer_groups_failed(r);
    if (missing)
        return tool_fail(r, "org.apache.kafka.common.errors.GroupIdNotFoundException: Group %s not found.",
                         name.s);
    if (kstr_is(g.type, "share") || kstr_is(g.type, "streams"))
        return tool_fail(
            r, "org.apache.kafka.common.errors.GroupIdNotFoundException: Group %s is not a classic group.",
            name.s);
    if (tool_has(r, "members")) {
        group_sort(&g);
        return print_members(r, &g, verbose);
    }
    if (tool_has(r, "state")) return print_state(r, &g, verbose);
    if (group_ask_committed(&r->admin, &g) || group_ask_ends(&r->admin, &g)) return consumer_groups_failed(r);
    return print_offsets(r, &g, verbose);
}

static int compare_names(const void *x, const void *y) {
    return strcmp(((const struct kstr *)x)->s, ((const struct kstr *)y)->s);
}

bool consumer_groups_describe(struct tool_run *r) {
    struct kstr *names;
    int32_t n;
    if (!consumer_groups_named(r, &names, &n)) return false;
    if (n) qsort(names, (size_t)n, sizeof *names, compare_names);
    for (int32_t i = 0; i < n; i++)
        if (!describe_one(r, names[i])) return false;
    return true;
}
