/* A producer's transaction: [AddPartitionsToTxn →] first Produce → the other Produces together → EndTxn, and
 * beside it its consumer's fetches. It is over when EndTxn is answered and the consumer has every record. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/add_partitions_to_txn.h"
#include "api/end_txn.h"
#include "api/fetch.h"
#include "api/init_producer_id.h"
#include "api/keys.h"
#include "api/produce.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "bench/coordinate.h"
#include "bench/figures.h"
#include "io/clock.h"
#include "record/batch.h"

enum { VALUE_BYTES = 100, RETRY_NS = 20000000, MISSING_S = 30 };

struct producer {
    struct transactions *t;
    struct link out, in;
    char id[48];
    int32_t partition, sequence;
    int64_t producer_id;
    int16_t epoch;
    int64_t next;     /* offset to fetch */
    int64_t begun;    /* ns, this transaction */
    int64_t retry_at; /* ns, or 0 */
    int acked, seen;  /* records of it */
    bool ready, active, ended;
};

struct transactions {
    const struct coordinate_options *o;
    struct exchange x;
    struct target target;
    struct producer *producers;
    uint8_t value[VALUE_BYTES];
    bool done; /* begin no more */
    int active, ready;
    int64_t finished, retries;
    struct histogram whole, end;
};

static void send_produce(struct producer *p, int64_t now) {
    struct transactions *t = p->t;
    struct produce_request request;
    struct produce_request_topic_produce_data topic;
    struct produce_request_partition_produce_data data;
    struct batch_builder b;
    struct batch_options options = BATCH_OPTIONS_NONE;
    uint8_t *bytes;
    size_t n;
    options.transactional = true;
    options.producer_id = p->producer_id;
    options.producer_epoch = p->epoch;
    options.base_sequence = p->sequence++;
    batch_builder_init(&b, &options, 1 << 16);
    if (batch_builder_add(&b, clock_wall_ms(), NULL, 0, t->value, VALUE_BYTES) ||
        batch_builder_finish(&b, NULL, &bytes, &n))
        fail("the batch cannot be built");
    produce_request_init(&request);
    produce_request_topic_produce_data_init(&topic);
    produce_request_partition_produce_data_init(&data);
    data.index = p->partition;
    data.records = (struct krecords){.p = bytes, .len = (int32_t)n};
    topic.name = kstr_of(t->o->topic);
    topic.partition_data = &data;
    topic.partition_data_n = 1;
    request.transactional_id = kstr_of(p->id);
    request.acks = -1;
    request.timeout_ms = 30000;
    request.topic_data = &topic;
    request.topic_data_n = 1;
    link_send(&p->out, API_PRODUCE, t->o->version == 2 ? 12 : 11, &request, now);
    batch_builder_free(&b);
}

static void send_add(struct producer *p, int64_t now) {
    struct add_partitions_to_txn_request request;
    struct add_partitions_to_txn_request_add_partitions_to_txn_topic topic;
    add_partitions_to_txn_request_init(&request);
    add_partitions_to_txn_request_add_partitions_to_txn_topic_init(&topic);
    topic.name = kstr_of(p->t->o->topic);
    topic.partitions = &p->partition;
    topic.partitions_n = 1;
    request.v3_and_below_transactional_id = kstr_of(p->id);
    request.v3_and_below_producer_id = p->producer_id;
    request.v3_and_below_producer_epoch = p->epoch;
    request.v3_and_below_topics = &topic;
    request.v3_and_below_topics_n = 1;
    link_send(&p->out, API_ADD_PARTITIONS_TO_TXN, 3, &request, now);
}

static void send_end(struct producer *p, int64_t now) {
    struct end_txn_request request;
    end_txn_request_init(&request);
    request.transactional_id = kstr_of(p->id);
    request.producer_id = p->producer_id;
    request.producer_epoch = p->epoch;
    request.committed = true;
    link_send(&p->out, API_END_TXN, p->t->o->version == 2 ? 5 : 4, &request, now);
}

static void send_init(struct producer *p, int64_t now) {
    struct init_producer_id_request request;
    init_producer_id_request_init(&request);
    request.transactional_id = kstr_of(p->id);
    request.transaction_timeout_ms = 60000;
    link_send(&p->out, API_INIT_PRODUCER_ID, 4, &request, now);
}

static void send_fetch(struct producer *p, int64_t now) {
    struct fetch_request request;
    struct fetch_request_fetch_topic topic;
    struct fetch_request_fetch_partition partition;
    fetch_request_init(&request);
    fetch_request_fetch_topic_init(&topic);
    fetch_request_fetch_partition_init(&partition);
    partition.partition = p->partition;
    partition.fetch_offset = p->next;
    partition.partition_max_bytes = 1 << 20;
    topic.topic = kstr_of(p->t->o->topic);
    topic.partitions = &partition;
    topic.partitions_n = 1;
    request.max_wait_ms = 500;
    request.min_bytes = 1;
    request.max_bytes = 1 << 20;
    request.isolation_level = 1;
    request.topics = &topic;
    request.topics_n = 1;
    link_send(&p->in, API_FETCH, 11, &request, now);
}

/* The first request of a transaction; again after CONCURRENT_TRANSACTIONS. */
static void first(struct producer *p, int64_t now) {
    p->retry_at = 0;
    if (p->t->o->version == 2)
        send_produce(p, now);
    else
        send_add(p, now);
}

static void begin(struct producer *p, int64_t now) {
    if (p->t->done) return;
    p->acked = p->seen = 0;
    p->ended = false;
    p->active = true;
    p->t->active++;
    p->begun = now;
    first(p, now);
}

static void again_later(struct producer *p, int64_t now) {
    p->t->retries++;
    p->retry_at = now + RETRY_NS;
}

static void perhaps_over(struct producer *p, int64_t now) {
    if (!p->active || !p->ended || p->seen < p->t->o->records) return;
    p->active = false;
    p->t->active--;
    p->t->finished++;
    histogram_add(&p->t->whole, now - p->begun);
    begin(p, now);
}

static void on_produced(struct producer *p, const struct produce_response *r, int64_t now) {
    if (r->responses_n != 1 || r->responses[0].partition_responses_n != 1) fail("Produce: no partition");
    int16_t error = r->responses[0].partition_responses[0].error_code;
    if (error == KERR_CONCURRENT_TRANSACTIONS && !p->acked) {
        p->sequence--;
        again_later(p, now);
        return;
    }
    if (error) fail("Produce: error %d", error);
    if (!p->acked++)
        for (int i = 1; i < p->t->o->records; i++) send_produce(p, now);
    if (p->acked == p->t->o->records) send_end(p, now);
}

static void on_added(struct producer *p, const struct add_partitions_to_txn_response *r, int64_t now) {
    if (r->results_by_topic_v3_and_below_n != 1 ||
        r->results_by_topic_v3_and_below[0].results_by_partition_n != 1)
        fail("AddPartitionsToTxn: no partition");
    int16_t error = r->results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
    if (error == KERR_CONCURRENT_TRANSACTIONS)
        again_later(p, now);
    else if (error)
        fail("AddPartitionsToTxn: error %d", error);
    else
        send_produce(p, now);
}

static void on_ended(struct producer *p, const struct asked *asked, const struct end_txn_response *r,
                     int64_t now) {
    if (r->error_code) fail("EndTxn: error %d", r->error_code);
    histogram_add(&p->t->end, now - asked->due);
    p->ended = true;
    if (asked->version >= 5) {
        p->producer_id = r->producer_id;
        p->epoch = r->producer_epoch;
        p->sequence = 0;
    }
    perhaps_over(p, now);
}

static void on_out(struct link *l, const struct asked *asked, const void *answer, int64_t now) {
    struct producer *p = l->owner;
    const struct init_producer_id_response *init = answer;
    switch (asked->key) {
    case API_PRODUCE: on_produced(p, answer, now); break;
    case API_ADD_PARTITIONS_TO_TXN: on_added(p, answer, now); break;
    case API_END_TXN: on_ended(p, asked, answer, now); break;
    default:
        if (init->error_code) {
            p->retry_at = now + RETRY_NS;
            return;
        }
        p->producer_id = init->producer_id;
        p->epoch = init->producer_epoch;
        p->ready = true;
        p->t->ready++;
    }
}

static void on_in(struct link *l, const struct asked *asked, const void *answer, int64_t now) {
    struct producer *p = l->owner;
    const struct fetch_response *r = answer;
    (void)asked;
    if (r->error_code || r->responses_n > 1) fail("Fetch: error %d", r->error_code);
    if (r->responses_n == 1 && r->responses[0].partitions_n == 1) {
        const struct fetch_response_partition_data *data = &r->responses[0].partitions[0];
        if (data->error_code) fail("Fetch: error %d", data->error_code);
        for (int32_t at = 0; data->records.len - at >= BATCH_HEADER;) {
            const uint8_t *b = data->records.p + at;
            if (batch_size(b) > data->records.len - at) break;
            if (batch_base_offset(b) != p->next) fail("Fetch: a gap at %lld", (long long)p->next);
            p->next = batch_last_offset(b) + 1;
            if (!batch_is_control(b)) p->seen += batch_count(b);
            at += (int32_t)batch_size(b);
        }
        if (p->seen > p->t->o->records) fail("more records than were written");
    }
    send_fetch(p, now);
    perhaps_over(p, now);
}

static void serve_until(struct transactions *t, int64_t until) {
    int64_t wake = until, now = clock_mono_ns();
    for (int i = 0; i < t->o->clients; i++) {
        struct producer *p = &t->producers[i];
        if (!p->retry_at) continue;
        if (p->retry_at > now) {
            if (p->retry_at < wake) wake = p->retry_at;
        } else if (p->ready) {
            first(p, now);
        } else {
            p->retry_at = 0;
            send_init(p, now);
        }
    }
    exchange_serve(&t->x, wake);
}

static void set_up(struct transactions *t) {
    target_open(&t->target, t->o->port, t->o->topic, t->o->clients);
    target_create(&t->target, 1, NULL, 0);
    target_wait(&t->target);
    memset(t->value, 'v', sizeof t->value);
    exchange_open(&t->x, t->o->port);
    t->producers = xcalloc((size_t)t->o->clients, sizeof *t->producers);
    int64_t now = clock_mono_ns();
    for (int i = 0; i < t->o->clients; i++) {
        struct producer *p = &t->producers[i];
        p->t = t;
        p->partition = i;
        p->next = t->target.end[i];
        snprintf(p->id, sizeof p->id, "%.30s-%d", t->o->topic, i);
        exchange_await_coordinator(&t->x, p->id, 1);
        link_open(&t->x, &p->out, p, on_out);
        link_open(&t->x, &p->in, p, on_in);
        send_init(p, now);
    }
    while (t->ready < t->o->clients) {
        if (clock_mono_ns() - now > MISSING_S * INT64_C(1000000000))
            fail("no producer id in %d s", MISSING_S);
        serve_until(t, INT64_MAX);
    }
}

int coordinate_transactions(const struct coordinate_options *o) {
    struct transactions *t = xcalloc(1, sizeof *t);
    t->o = o;
    set_up(t);
    double idle = process_memory_mib(o->pid, "VmRSS");
    struct cost cost = cost_begin(o->pid);
    int64_t from = cost.start + o->warm_up * INT64_C(1000000000);
    int64_t until = from + o->seconds * INT64_C(1000000000);
    for (int i = 0; i < o->clients; i++) {
        send_fetch(&t->producers[i], cost.start);
        begin(&t->producers[i], cost.start);
    }
    while (t->active) {
        int64_t now = clock_mono_ns();
        if (cost.start < from && now >= from) {
            t->finished = t->retries = 0;
            memset(&t->whole, 0, sizeof t->whole);
            memset(&t->end, 0, sizeof t->end);
            cost = cost_begin(o->pid);
        }
        t->done = now >= until;
        if (now > until + MISSING_S * INT64_C(1000000000)) fail("%d transactions never end", t->active);
        serve_until(t, t->done ? INT64_MAX : cost.start < from ? from : until);
    }
    printf("txn_p50_ms=%.3f txn_p99_ms=%.3f txn_max_ms=%.3f end_p50_ms=%.3f end_p99_ms=%.3f retries=%lld "
           "idle_rss_mib=%.1f ",
           histogram_ms(&t->whole, .5), histogram_ms(&t->whole, .99), histogram_ms(&t->whole, 1),
           histogram_ms(&t->end, .5), histogram_ms(&t->end, .99), (long long)t->retries, idle);
    cost_print(&cost, o->pid, t->finished, "txn");
    exchange_close(&t->x);
    target_close(&t->target);
    return 0;
}
