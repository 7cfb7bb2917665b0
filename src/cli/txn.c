/* ottla txn list|describe; producers, find-hanging and abort are in txn_open.c. */
#include "cli/txn.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/describe_transactions.h"
#include "base/kerr.h"
#include "cli/output.h"
#include "io/clock.h"

enum { FILTERS_MAX = 64 };

/* ---- list ---- */

static int16_t list_code(const void *response) {
    return ((const struct list_transactions_response *)response)->error_code;
}

int txn_ask_list(struct admin *a, const struct list_transactions_request *q,
                 struct list_transactions_response_transaction_state **v, int32_t **from, int32_t *n) {
    struct list_transactions_response r;
    const int32_t *nodes;
    int count;
    *v = NULL;
    *from = NULL;
    *n = 0;
    int status = admin_done(a, client_nodes(a->client, &nodes, &count));
    if (status) return status;
    int32_t *ids = arena_memdup(&a->arena, nodes, (size_t)count * sizeof *nodes);
    for (int i = 0; i < count; i++) {
        status = admin_call(a, &(struct client_call){.key = API_LIST_TRANSACTIONS,
                                                     .target = CLIENT_NODE,
                                                     .node = ids[i],
                                                     .request = q,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = list_code});
        if (status) return status;
        if (r.error_code) return admin_refused("txn list", r.error_code, KSTR_NULL);
        if (r.unknown_state_filters_n)
            return cli_wrong_usage("--state %s: there is no such state",
                                   admin_cstr(a, r.unknown_state_filters[0]));
        size_t have = (size_t)*n, more = (size_t)r.transaction_states_n;
        struct list_transactions_response_transaction_state *all =
            arena_calloc(&a->arena, have + more + 1, sizeof *all);
        int32_t *where = arena_calloc(&a->arena, have + more + 1, sizeof *where);
        if (!all || !where) return cli_fail("too many transactions");
        if (have) memcpy(all, *v, have * sizeof *all);
        if (have) memcpy(where, *from, have * sizeof *where);
        if (more) memcpy(all + have, r.transaction_states, more * sizeof *all);
        for (size_t k = 0; k < more; k++) where[have + k] = ids[i];
        *v = all;
        *from = where;
        *n += r.transaction_states_n;
    }
    return 0;
}

static int fill_filters(struct cli *c, struct admin *a, struct list_transactions_request *q) {
    const char *value;
    q->state_filters = arena_calloc(&a->arena, FILTERS_MAX, sizeof *q->state_filters);
    q->producer_id_filters = arena_calloc(&a->arena, FILTERS_MAX, sizeof *q->producer_id_filters);
    for (int at = 0; (value = cli_next(c, "state", &at)) && q->state_filters_n < FILTERS_MAX;)
        q->state_filters[q->state_filters_n++] = kstr_of(value);
    for (int at = 0; (value = cli_next(c, "producer", &at)) && q->producer_id_filters_n < FILTERS_MAX;)
        if (cli_parse_number(value, 0, INT64_MAX, &q->producer_id_filters[q->producer_id_filters_n++]))
            return cli_wrong_usage("--producer %s: not a producer id", value);
    q->duration_filter = cli_number(c, "longer-than", 0, INT64_MAX, -1);
    if (cli_has(c, "pattern")) q->transactional_id_pattern = kstr_of(cli_get(c, "pattern"));
    return c->failed;
}

static int txn_list(struct cli *c) {
    static const char *const headings[] = {"TRANSACTIONAL ID", "-COORDINATOR", "-PRODUCER", "STATE"};
    struct list_transactions_response_transaction_state *v;
    struct list_transactions_request q;
    struct admin a;
    struct table t;
    struct json j;
    int32_t n, *nodes;
    list_transactions_request_init(&q);
    int status = admin_begin(c, &a);
    if (!status) status = fill_filters(c, &a, &q);
    if (!status) status = txn_ask_list(&a, &q, &v, &nodes, &n);
    if (status) goto out;
    table_init(&t, headings, 4);
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < n; i++) {
        table_adds(&t, v[i].transactional_id);
        table_add(&t, "%d", nodes[i]);
        table_add(&t, "%lld", (long long)v[i].producer_id);
        table_adds(&t, v[i].transaction_state);
        json_open(&j, '{');
        json_str(&j, "id", v[i].transactional_id);
        json_int(&j, "coordinator", nodes[i]);
        json_int(&j, "producer", v[i].producer_id);
        json_str(&j, "state", v[i].transaction_state);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    if (c->json) {
        json_print(&j);
        t.cells_n = 0;
    } else {
        strbuf_free(&j.out);
        table_print(&t);
    }
out:
    admin_end(&a);
    return status;
}

/* ---- describe ---- */

static int16_t describe_code(const void *response) {
    const struct describe_transactions_response *r = response;
    return r->transaction_states_n ? r->transaction_states[0].error_code : KERR_NONE;
}

static int ask_one(struct admin *a, char *id, struct describe_transactions_response_transaction_state **s) {
    struct kstr name = kstr_of(id);
    struct describe_transactions_request q = {.transactional_ids = &name, .transactional_ids_n = 1};
    struct describe_transactions_response r;
    int status = admin_call(a, &(struct client_call){.key = API_DESCRIBE_TRANSACTIONS,
                                                     .target = CLIENT_TRANSACTION,
                                                     .name = id,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = describe_code});
    if (status) return status;
    if (r.transaction_states_n != 1) return cli_fail("%s: the answer is about something else", id);
    *s = r.transaction_states;
    return (*s)->error_code ? admin_refused(id, (*s)->error_code, KSTR_NULL) : 0;
}

static void describe_json(struct json *j, const struct describe_transactions_response_transaction_state *s) {
    json_open(j, '{');
    json_str(j, "id", s->transactional_id);
    json_str(j, "state", s->transaction_state);
    json_int(j, "producer", s->producer_id);
    json_int(j, "epoch", s->producer_epoch);
    json_int(j, "timeout_ms", s->transaction_timeout_ms);
    json_int(j, "start_ms", s->transaction_start_time_ms);
    json_key(j, "topics");
    json_open(j, '{');
    for (int32_t i = 0; i < s->topics_n; i++) {
        char key[256];
        snprintf(key, sizeof key, "%.*s", s->topics[i].topic.len, s->topics[i].topic.s);
        json_ints(j, key, s->topics[i].partitions, s->topics[i].partitions_n);
    }
    json_close(j, '}');
    json_close(j, '}');
}

static void describe_text(const struct describe_transactions_response_transaction_state *s) {
    char text[4096];
    int64_t start = s->transaction_start_time_ms;
    printf("%.*s\n", s->transactional_id.len, s->transactional_id.s);
    printf("  state     %.*s\n", s->transaction_state.len, s->transaction_state.s);
    printf("  producer  %lld, epoch %d\n", (long long)s->producer_id, s->producer_epoch);
    printf("  timeout   %d ms\n", s->transaction_timeout_ms);
    if (start >= 0 && s->topics_n) printf("  open for  %lld ms\n", (long long)(clock_wall_ms() - start));
    for (int32_t i = 0; i < s->topics_n; i++)
        printf("  writes    %.*s: %s\n", s->topics[i].topic.len, s->topics[i].topic.s,
               format_ints(text, sizeof text, s->topics[i].partitions, s->topics[i].partitions_n));
}

static int txn_describe(struct cli *c) {
    struct describe_transactions_response_transaction_state *s = NULL;
    struct admin a;
    struct json j;
    int status = admin_begin(c, &a);
    json_init(&j);
    json_open(&j, '[');
    for (int i = 0; !status && i < c->args_n; i++) {
        status = ask_one(&a, c->args[i], &s);
        if (status) break;
        if (c->json)
            describe_json(&j, s);
        else
            describe_text(s);
    }
    json_close(&j, ']');
    if (c->json && !status)
        json_print(&j);
    else
        strbuf_free(&j.out);
    admin_end(&a);
    return status;
}

/* ---- tables ---- */

static const struct cli_option list_options[] = {
    {0, "state", "STATE", "only in this state: Ongoing, CompleteCommit, …; may be repeated"},
    {0, "producer", "ID", "only of this producer id; may be repeated"},
    {0, "longer-than", "MS", "only begun longer ago than this"},
    {0, "pattern", "REGEX", "only ids that match this regular expression (RE2)"},
    {0},
};
static const struct cli_example list_examples[] = {
    {"ottla txn list --state Ongoing --longer-than 60000", "open for more than a minute"},
    {"ottla txn list --pattern 'orders-.*' --json", "by name, for a program"},
    {0},
};
static const struct cli_example describe_examples[] = {
    {"ottla txn describe orders-1", "state, producer, and the partitions that it writes to"},
    {0},
};
static const struct cli_example producers_examples[] = {
    {"ottla txn producers orders", "who writes to the topic, and which transactions are open"},
    {"ottla txn producers orders --partition 3 --json", "to one partition"},
    {0},
};
static const struct cli_example hanging_examples[] = {
    {"ottla txn find-hanging", "open in a partition for longer than any transaction may be"},
    {"ottla txn find-hanging --topic orders --older-than 5", "in one topic, for more than five minutes"},
    {0},
};
static const struct cli_example abort_examples[] = {
    {"ottla txn abort orders --partition 3 --start-offset 1234", "end what find-hanging has found"},
    {0},
};
static const struct cli_command commands[] = {
    {"list", NULL, "list transactional ids and their state", txn_list, NULL, list_options, list_examples,
     .flags = CLI_CLIENT | CLI_JSON},
    {"describe", "ID...", "show transactions", txn_describe, NULL, NULL, describe_examples,
     .flags = CLI_CLIENT | CLI_JSON, .least = 1, .most = -1},
    {"producers", "TOPIC", "show the producers that partitions remember", txn_producers, NULL,
     txn_producers_options, producers_examples, .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_TOPIC,
     .least = 1, .most = 1},
    {"find-hanging", NULL, "find transactions that no coordinator will end", txn_find_hanging, NULL,
     txn_hanging_options, hanging_examples, .flags = CLI_CLIENT | CLI_JSON},
    {"abort", "TOPIC", "abort a hanging transaction in one partition", txn_abort, NULL, txn_abort_options,
     abort_examples, .flags = CLI_CLIENT, .hint = HINT_TOPIC, .least = 1, .most = 1},
    {0},
};
const struct cli_command cli_txn_command = {
    "txn", .summary = "list and describe transactions, find and abort hanging ones", .commands = commands};

int cli_txn(int argc, char **argv) { return cli_run(&cli_txn_command, argc, argv); }
