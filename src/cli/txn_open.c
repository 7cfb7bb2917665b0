/* What partitions know of transactions, as DescribeProducers tells: who writes, which transactions are open;
 * and which of these hang: no transaction coordinator knows of them, or not with this partition, so that
 * nobody will ever end them (TransactionsCommand.FindHangingTransactionsCommand, AbortTransactionCommand). */
#include <stdio.h>
#include <stdlib.h>

#include "api/describe_producers.h"
#include "api/describe_transactions.h"
#include "api/write_txn_markers.h"
#include "base/kerr.h"
#include "cli/output.h"
#include "cli/txn.h"
#include "io/clock.h"

enum { MINUTE_MS = 60000, STANDARD_MINUTES = 15 };

/* A producer in a partition. */
struct found {
    struct kstr topic;
    int32_t partition, leader;
    struct describe_producers_response_producer_state p;
};

struct finding {
    struct found *v;
    int32_t n, cap;
    bool open_only;
    int64_t before_ms; /* last write; only with open_only */
};

static bool take(struct admin *a, struct finding *f, const struct found *x) {
    if (f->open_only && (x->p.current_txn_start_offset < 0 || x->p.last_timestamp > f->before_ms))
        return true;
    if (f->n == f->cap) {
        struct found *more = arena_calloc(&a->arena, (size_t)(f->cap ? 2 * f->cap : 64), sizeof *more);
        if (!more) return false;
        if (f->n) memcpy(more, f->v, (size_t)f->n * sizeof *more);
        f->v = more;
        f->cap = f->cap ? 2 * f->cap : 64;
    }
    f->v[f->n++] = *x;
    return true;
}

static int ask_partition(struct admin *a, struct finding *f, struct kstr topic,
                         const struct metadata_response_metadata_response_partition *m) {
    int32_t index = m->partition_index;
    struct describe_producers_request_topic_request t = {
        .name = topic, .partition_indexes = &index, .partition_indexes_n = 1};
    struct describe_producers_request q = {.topics = &t, .topics_n = 1};
    struct describe_producers_response r;
    const char *name = arena_printf(&a->arena, "%.*s-%d", topic.len, topic.s, index);
    if (m->leader_id < 0) return cli_fail("%s: no leader", name);
    int status = admin_call(a, &(struct client_call){.key = API_DESCRIBE_PRODUCERS,
                                                     .target = CLIENT_NODE,
                                                     .node = m->leader_id,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena});
    if (status) return status;
    if (r.topics_n != 1 || r.topics[0].partitions_n != 1)
        return cli_fail("%s: the answer is about something else", name);
    const struct describe_producers_response_partition_response *p = &r.topics[0].partitions[0];
    if (p->error_code) return admin_refused(name, p->error_code, p->error_message);
    for (int32_t i = 0; i < p->active_producers_n; i++)
        if (!take(a, f, &(struct found){topic, index, m->leader_id, p->active_producers[i]}))
            return cli_fail("too many producers");
    return 0;
}

/* Of a topic (NULL: all), of a partition (−1: all). */
static int find(struct admin *a, struct finding *f, char *topic, int64_t partition) {
    struct metadata_response m;
    bool any = false;
    int status = admin_metadata(a, topic ? &topic : NULL, topic ? 1 : 0, &m);
    for (int32_t t = 0; !status && t < m.topics_n; t++) {
        if (m.topics[t].error_code)
            return admin_refused(topic ? topic : "topic", m.topics[t].error_code, KSTR_NULL);
        for (int32_t i = 0; !status && i < m.topics[t].partitions_n; i++) {
            if (partition >= 0 && m.topics[t].partitions[i].partition_index != partition) continue;
            any = true;
            status = ask_partition(a, f, m.topics[t].name, &m.topics[t].partitions[i]);
        }
    }
    if (!status && !any && partition >= 0)
        return cli_fail("%s has no partition %lld", topic, (long long)partition);
    return status;
}

static void print(struct cli *c, const struct finding *f) {
    static const char *const headings[] = {"TOPIC",          "-PARTITION",         "-PRODUCER", "-EPOCH",
                                           "-LAST SEQUENCE", "-COORDINATOR EPOCH", "-OPEN FROM"};
    struct table t;
    struct json j;
    table_init(&t, headings, 7);
    json_init(&j);
    json_open(&j, '[');
    for (int32_t i = 0; i < f->n; i++) {
        const struct found *x = &f->v[i];
        table_adds(&t, x->topic);
        table_add(&t, "%d", x->partition);
        table_add(&t, "%lld", (long long)x->p.producer_id);
        table_add(&t, "%d", x->p.producer_epoch);
        table_add(&t, "%d", x->p.last_sequence);
        table_add(&t, "%d", x->p.coordinator_epoch);
        if (x->p.current_txn_start_offset < 0)
            table_add(&t, "-");
        else
            table_add(&t, "%lld", (long long)x->p.current_txn_start_offset);
        json_open(&j, '{');
        json_str(&j, "topic", x->topic);
        json_int(&j, "partition", x->partition);
        json_int(&j, "producer", x->p.producer_id);
        json_int(&j, "epoch", x->p.producer_epoch);
        json_int(&j, "last_sequence", x->p.last_sequence);
        json_int(&j, "last_timestamp", x->p.last_timestamp);
        json_int(&j, "coordinator_epoch", x->p.coordinator_epoch);
        json_int(&j, "start_offset", x->p.current_txn_start_offset);
        json_close(&j, '}');
    }
    json_close(&j, ']');
    if (c->json) {
        json_print(&j);
    } else {
        strbuf_free(&j.out);
        table_print(&t);
    }
}

int txn_producers(struct cli *c) {
    struct admin a;
    struct finding f = {0};
    int64_t partition = cli_number(c, "partition", 0, INT32_MAX, -1);
    int status = c->failed ? c->failed : 0, begun = admin_begin(c, &a);
    if (!status) status = begun;
    if (!status) status = find(&a, &f, c->args[0], partition);
    if (!status) print(c, &f);
    admin_end(&a);
    return status;
}

/* ---- hanging ---- */

static int16_t describe_code(const void *response) {
    const struct describe_transactions_response *r = response;
    return r->transaction_states_n ? r->transaction_states[0].error_code : KERR_NONE;
}

static bool writes_to(const struct describe_transactions_response_transaction_state *s,
                      const struct found *x) {
    if (s->producer_id != x->p.producer_id) return false;
    for (int32_t t = 0; t < s->topics_n; t++)
        for (int32_t i = 0; kstr_equal(s->topics[t].topic, x->topic) && i < s->topics[t].partitions_n; i++)
            if (s->topics[t].partitions[i] == x->partition) return true;
    return false;
}

/* Does the coordinator of a transaction of this producer know that it is open here? */
static int is_known(struct admin *a, const struct found *x, bool *known) {
    struct list_transactions_response_transaction_state *v;
    struct list_transactions_request q;
    int64_t producer = x->p.producer_id;
    int32_t n, *nodes;
    *known = false;
    list_transactions_request_init(&q);
    q.producer_id_filters = &producer;
    q.producer_id_filters_n = 1;
    int status = txn_ask_list(a, &q, &v, &nodes, &n);
    for (int32_t i = 0; !status && i < n; i++) {
        struct describe_transactions_request d = {.transactional_ids = &v[i].transactional_id,
                                                  .transactional_ids_n = 1};
        struct describe_transactions_response r;
        status = admin_call(a, &(struct client_call){.key = API_DESCRIBE_TRANSACTIONS,
                                                     .target = CLIENT_TRANSACTION,
                                                     .name = admin_cstr(a, v[i].transactional_id),
                                                     .request = &d,
                                                     .response = &r,
                                                     .arena = &a->arena,
                                                     .error = describe_code});
        *known |= !status && r.transaction_states_n == 1 && writes_to(&r.transaction_states[0], x);
    }
    return status;
}

int txn_find_hanging(struct cli *c) {
    struct admin a;
    int64_t minutes = cli_number(c, "older-than", 0, INT32_MAX, STANDARD_MINUTES);
    struct finding f = {.open_only = true, .before_ms = clock_wall_ms() - minutes * MINUTE_MS};
    char *topic = (char *)(uintptr_t)cli_get(c, "topic");
    int status = admin_begin(c, &a);
    int32_t kept = 0;
    if (c->failed) status = c->failed;
    if (!status) status = find(&a, &f, topic, -1);
    for (int32_t i = 0; !status && i < f.n; i++) {
        bool known;
        status = is_known(&a, &f.v[i], &known);
        if (!status && !known) f.v[kept++] = f.v[i];
    }
    f.n = kept;
    if (!status) print(c, &f);
    admin_end(&a);
    return status;
}

/* ---- abort ---- */

static int send_abort(struct admin *a, const struct found *x) {
    int32_t index = x->partition;
    struct write_txn_markers_request_writable_txn_marker_topic t = {
        .name = x->topic, .partition_indexes = &index, .partition_indexes_n = 1};
    struct write_txn_markers_request_writable_txn_marker m = {
        .producer_id = x->p.producer_id,
        .producer_epoch = (int16_t)x->p.producer_epoch,
        .coordinator_epoch = x->p.coordinator_epoch < 0 ? 0 : x->p.coordinator_epoch,
        .topics = &t,
        .topics_n = 1,
    };
    struct write_txn_markers_request q = {.markers = &m, .markers_n = 1};
    struct write_txn_markers_response r;
    int status = admin_call(a, &(struct client_call){.key = API_WRITE_TXN_MARKERS,
                                                     .target = CLIENT_NODE,
                                                     .node = x->leader,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena});
    if (status) return status;
    if (r.markers_n != 1 || r.markers[0].topics_n != 1 || r.markers[0].topics[0].partitions_n != 1)
        return cli_fail("the answer is about something else");
    int16_t code = r.markers[0].topics[0].partitions[0].error_code;
    return code ? admin_refused("txn abort", code, KSTR_NULL) : 0;
}

int txn_abort(struct cli *c) {
    struct admin a;
    struct finding f = {.open_only = true, .before_ms = INT64_MAX};
    int64_t partition = cli_number(c, "partition", 0, INT32_MAX, -1);
    int64_t start = cli_number(c, "start-offset", 0, INT64_MAX, -1);
    if (c->failed) return c->failed;
    if (partition < 0 || start < 0) return cli_wrong_usage("--partition and --start-offset say which one");
    const struct found *x = NULL;
    int status = admin_begin(c, &a);
    if (!status) status = find(&a, &f, c->args[0], partition);
    for (int32_t i = 0; !status && i < f.n; i++)
        if (f.v[i].p.current_txn_start_offset == start) x = &f.v[i];
    if (!status && !x)
        status = cli_fail("%s-%lld has no transaction that is open from offset %lld", c->args[0],
                          (long long)partition, (long long)start);
    if (!status) status = send_abort(&a, x);
    if (!status)
        printf("%s-%lld: the transaction of producer %lld is aborted\n", c->args[0], (long long)partition,
               (long long)x->p.producer_id);
    admin_end(&a);
    return status;
}

const struct cli_option txn_producers_options[] = {
    {'p', "partition", "N", "only this one"},
    {0},
};
const struct cli_option txn_hanging_options[] = {
    {'t', "topic", "TOPIC", "only in this one", NULL, HINT_TOPIC},
    {0, "older-than", "MINUTES", "nothing written for so long (15: transaction.max.timeout.ms)"},
    {0},
};
const struct cli_option txn_abort_options[] = {
    {'p', "partition", "N", "the partition"},
    {0, "start-offset", "OFFSET", "where the transaction begins in it"},
    {0},
};
