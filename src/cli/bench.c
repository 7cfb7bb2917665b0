/* ottla bench produce|consume|e2e: throughput and latency of any Kafka-compatible broker, by librdkafka, in
 * one process.
 *
 * produce: records as fast as they go, or --rate; the latency is from the call to the broker's
 * acknowledgement. consume: a topic from its start to its end. e2e: a record carries the time of its sending;
 * the latency is from there to the consumer that polls in the same loop. One thread, so the clock is one;
 * what the loop itself adds is below 10 us at moderate rates.
 *
 * Without TOPIC a topic is created for the run and deleted after it. */
#include "cli/bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/create_topics.h"
#include "api/delete_topics.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "base/random.h"
#include "cli/admin.h"
#include "cli/histogram.h"
#include "cli/kafka.h"
#include "cli/output.h"
#include "io/clock.h"

enum {
    STAMP = 8,
    RANDOM_POOL = 1 << 20,
    POLL_EVERY = 64,
    SHORT_MS = 1,
    IDLE_MS = 5000,
    DRAIN_MS = 10000,
    NS_PER_S = 1000000000
};

struct bench {
    struct cli *c;
    rd_kafka_t *producer, *consumer;
    const char *topic;
    char *own_topic; /* ours, to be deleted */
    int64_t count, size, rate, warmup;
    int partitions, timeout_ms;
    uint8_t *pool;            /* random bytes; payloads are windows of it */
    struct histogram latency; /* microseconds */
    int64_t sent, acked, failed, received, bytes;
    int64_t started_ns, ended_ns;
    rd_kafka_resp_err_t error; /* the first */
    struct progress progress;
};

/* ---- the topic ---- */

static int create_topic(struct bench *b, struct admin *a) {
    struct create_topics_request q;
    struct create_topics_response r;
    struct create_topics_request_creatable_topic t;
    create_topics_request_init(&q);
    create_topics_request_creatable_topic_init(&t);
    b->own_topic = xasprintf("ottla-bench-%d-%lld", (int)getpid(), (long long)clock_wall_ms());
    t.name = kstr_of(b->own_topic);
    t.num_partitions = b->partitions;
    t.replication_factor = -1;
    q.topics = &t;
    q.topics_n = 1;
    q.timeout_ms = b->timeout_ms;
    int status = admin_call(a, &(struct client_call){.key = API_CREATE_TOPICS,
                                                     .target = CLIENT_CONTROLLER,
                                                     .request = &q,
                                                     .response = &r,
                                                     .arena = &a->arena});
    if (!status && (r.topics_n != 1 || r.topics[0].error_code))
        status = admin_refused(b->own_topic, r.topics_n ? r.topics[0].error_code : KERR_UNKNOWN_SERVER_ERROR,
                               r.topics_n ? r.topics[0].error_message : KSTR_NULL);
    b->topic = b->own_topic;
    return status;
}

static void delete_topic(struct bench *b, struct admin *a) {
    struct delete_topics_request q;
    struct delete_topics_response r;
    struct delete_topics_request_delete_topic_state t;
    delete_topics_request_init(&q);
    delete_topics_request_delete_topic_state_init(&t);
    struct kstr name = kstr_of(b->own_topic);
    t.name = name;
    q.topics = &t;
    q.topic_names = &name;
    q.topics_n = q.topic_names_n = 1;
    q.timeout_ms = b->timeout_ms;
    admin_call(a, &(struct client_call){.key = API_DELETE_TOPICS,
                                        .target = CLIENT_CONTROLLER,
                                        .request = &q,
                                        .response = &r,
                                        .arena = &a->arena});
}

/* ---- producing ---- */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
    struct bench *b = opaque;
    if (m->err) {
        b->failed++;
        if (!b->error) b->error = m->err;
        return;
    }
    b->acked++;
    b->bytes += (int64_t)m->len;
    b->ended_ns = clock_mono_ns();
    if (!b->consumer && b->acked > b->warmup)
        histogram_add(&b->latency, (b->ended_ns - (int64_t)(intptr_t)m->_private) / 1000);
}

static void show(struct bench *b, int64_t done) {
    if (!progress_due(&b->progress)) return;
    double s = (double)(clock_mono_ns() - b->started_ns) / NS_PER_S;
    progress_show(&b->progress, "%lld of %lld records, %.0f a second", (long long)done, (long long)b->count,
                  (double)done / s);
}

static int start_producer(struct bench *b) {
    const char *acks = cli_get(b->c, "acks"), *codec = cli_get(b->c, "compression"),
               *linger = cli_get(b->c, "linger-ms");
    rd_kafka_conf_t *conf;
    int status = kafka_conf(b->c, &conf);
    if (status) return status;
    rdk()->conf_set_opaque(conf, b);
    rdk()->conf_set_dr_msg_cb(conf, on_delivery);
    status = kafka_set(conf, "compression.codec", codec ? codec : "none");
    if (!status) status = kafka_set(conf, "acks", acks ? acks : "all");
    if (!status) status = kafka_set(conf, "linger.ms", linger ? linger : b->consumer ? "0" : "5");
    if (!status) status = kafka_default(b->c, conf, "queue.buffering.max.messages", "500000");
    if (!status) status = kafka_default(b->c, conf, "socket.nagle.disable", "true");
    if (status) {
        rdk()->conf_destroy(conf);
        return status;
    }
    b->producer = kafka_create(RD_KAFKA_PRODUCER, conf);
    return b->producer ? 0 : CLI_FAILED;
}

/* Hands over record number n. False: the queue is full. */
static bool send_one(struct bench *b, rd_kafka_topic_t *t, int64_t n) {
    uint8_t stamped[STAMP] = {0};
    uint8_t *payload = b->pool + (uint64_t)n * 64 % RANDOM_POOL;
    int64_t now = clock_mono_ns();
    if (b->consumer) { /* the pool's bytes under the stamp do not matter */
        memcpy(stamped, payload, STAMP);
        memcpy(payload, &now, STAMP);
    }
    int failed = rdk()->produce(t, RD_KAFKA_PARTITION_UA, RD_KAFKA_MSG_F_COPY, payload, (size_t)b->size, NULL,
                                0, (void *)(intptr_t)now);
    if (b->consumer) memcpy(payload, stamped, STAMP);
    if (!failed) {
        b->sent++;
        return true;
    }
    if (rdk()->last_error() == RD_KAFKA_RESP_ERR__QUEUE_FULL) return false;
    b->failed++;
    b->sent++;
    if (!b->error) b->error = rdk()->last_error();
    return true;
}

static bool is_due(const struct bench *b) {
    return !b->rate ||
           clock_mono_ns() - b->started_ns >= (int64_t)((double)b->sent / (double)b->rate * NS_PER_S);
}

/* Whole milliseconds in which nothing is to be sent. */
static int until_due_ms(const struct bench *b) {
    if (b->sent == b->count) return SHORT_MS;
    int64_t due = b->started_ns + (int64_t)((double)b->sent / (double)b->rate * NS_PER_S);
    int64_t left = (due - clock_mono_ns()) / 1000000;
    return left < 0 ? 0 : left > SHORT_MS ? SHORT_MS : (int)left;
}

static void produce_all(struct bench *b) {
    rd_kafka_topic_t *t = rdk()->topic_new(b->producer, b->topic, NULL);
    b->started_ns = clock_mono_ns();
    while (b->sent < b->count && !kafka_interrupted()) {
        if (!is_due(b))
            rdk()->poll(b->producer, SHORT_MS);
        else if (!send_one(b, t, b->sent))
            rdk()->poll(b->producer, SHORT_MS);
        if (b->sent % POLL_EVERY == 0) rdk()->poll(b->producer, 0);
        show(b, b->acked);
    }
    while (b->acked + b->failed < b->sent && !kafka_interrupted()) {
        rdk()->poll(b->producer, SHORT_MS);
        show(b, b->acked);
    }
    rdk()->topic_destroy(t);
}

/* ---- consuming ---- */

static int start_consumer(struct bench *b, int64_t from) {
    rd_kafka_conf_t *conf;
    int status = kafka_conf(b->c, &conf);
    if (status) return status;
    status = kafka_set(conf, "group.id", "ottla-bench");
    if (!status) status = kafka_set(conf, "enable.auto.commit", "false");
    if (!status) status = kafka_set(conf, "enable.partition.eof", "true");
    if (!status) status = kafka_set(conf, "auto.offset.reset", "earliest");
    if (!status) status = kafka_read_ahead(b->c, conf);
    if (!status) status = kafka_default(b->c, conf, "socket.nagle.disable", "true");
    if (!status && from != RD_KAFKA_OFFSET_BEGINNING)
        status = kafka_default(b->c, conf, "fetch.wait.max.ms", "100");
    if (status) {
        rdk()->conf_destroy(conf);
        return status;
    }
    b->consumer = kafka_create(RD_KAFKA_CONSUMER, conf);
    if (!b->consumer) return CLI_FAILED;
    rdk()->poll_set_consumer(b->consumer);
    b->partitions = kafka_partitions(b->consumer, b->topic, b->timeout_ms, true);
    if (b->partitions < 0) return CLI_FAILED;
    rd_kafka_topic_partition_list_t *list = rdk()->topic_partition_list_new(b->partitions);
    for (int32_t p = 0; p < b->partitions; p++)
        rdk()->topic_partition_list_add(list, b->topic, p)->offset = from;
    rd_kafka_resp_err_t err = rdk()->assign(b->consumer, list);
    rdk()->topic_partition_list_destroy(list);
    return err ? cli_fail("cannot read '%s': %s", b->topic, rdk()->err2str(err)) : 0;
}

/* One message or none. Returns the partitions whose end was met (0 or 1). */
static int take(struct bench *b, int wait_ms, bool stamped) {
    rd_kafka_message_t *m = rdk()->consumer_poll(b->consumer, wait_ms);
    int ends = 0;
    int64_t sent;
    if (!m) return 0;
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) {
        ends = 1;
    } else if (m->err) {
        if (!b->error) b->error = m->err;
    } else {
        b->ended_ns = clock_mono_ns();
        if (b->received++ == 0 && !stamped) b->started_ns = b->started_ns ? b->started_ns : b->ended_ns;
        if (!stamped) b->bytes += (int64_t)(m->len + m->key_len);
        if (stamped && m->len >= STAMP && b->received > b->warmup) {
            memcpy(&sent, m->payload, STAMP);
            histogram_add(&b->latency, (b->ended_ns - sent) / 1000);
        }
    }
    rdk()->message_destroy(m);
    return ends;
}

static void consume_all(struct bench *b) {
    int ends = 0;
    int64_t idle = clock_mono_ms() + IDLE_MS;
    b->started_ns = clock_mono_ns();
    while (ends < b->partitions && b->received < b->count && !kafka_interrupted()) {
        int64_t before = b->received;
        ends += take(b, SHORT_MS * 100, false);
        if (b->received != before) idle = clock_mono_ms() + IDLE_MS;
        if (b->error && clock_mono_ms() > idle) break;
        show(b, b->received);
    }
}

/* Sends at the rate and polls in between. */
static void both(struct bench *b) {
    rd_kafka_topic_t *t = rdk()->topic_new(b->producer, b->topic, NULL);
    int64_t deadline = INT64_MAX;
    for (int ends = 0; ends < b->partitions && !kafka_interrupted();) ends += take(b, SHORT_MS, true);
    b->started_ns = clock_mono_ns();
    while (b->received + b->failed < b->count && clock_mono_ms() < deadline && !kafka_interrupted()) {
        if (b->sent < b->count && is_due(b)) send_one(b, t, b->sent);
        if (b->sent == b->count && deadline == INT64_MAX) deadline = clock_mono_ms() + DRAIN_MS;
        rdk()->poll(b->producer, 0);
        take(b, until_due_ms(b), true);
        show(b, b->received);
    }
    rdk()->topic_destroy(t);
}

/* ---- results ---- */

static void latency_json(const struct bench *b, struct json *j) {
    static const struct {
        const char *name;
        double part;
    } points[] = {{"p50", .5}, {"p90", .9}, {"p95", .95}, {"p99", .99}, {"p99.9", .999}, {"max", 1}};
    json_key(j, "latencyMs");
    json_open(j, '{');
    json_real(j, "mean", b->latency.count ? (double)b->latency.sum / (double)b->latency.count / 1000 : 0);
    for (size_t i = 0; i < sizeof points / sizeof *points; i++)
        json_real(j, points[i].name, (double)histogram_at(&b->latency, points[i].part) / 1000);
    json_close(j, '}');
}

static int results(struct bench *b, const char *what, int64_t done) {
    double s = (double)(b->ended_ns - b->started_ns) / NS_PER_S;
    double per_second = s > 0 ? (double)done / s : 0, mib = s > 0 ? (double)b->bytes / s / (1 << 20) : 0;
    const struct histogram *h = &b->latency;
    progress_end(&b->progress);
    if (b->c->json) {
        struct json j;
        json_init(&j);
        json_open(&j, '{');
        json_text(&j, "bench", what);
        json_text(&j, "bootstrap", admin_bootstrap(b->c));
        json_int(&j, "records", done);
        json_int(&j, "failed", b->failed);
        json_int(&j, "bytes", b->bytes);
        json_real(&j, "seconds", s);
        json_real(&j, "recordsPerSecond", per_second);
        json_real(&j, "mibPerSecond", mib);
        if (h->count) latency_json(b, &j);
        json_close(&j, '}');
        json_print(&j);
    } else {
        printf("%s: %lld records in %.2f s, %.0f a second, %.1f MiB/s\n", what, (long long)done, s,
               per_second, mib);
        if (h->count)
            printf("latency ms: p50 %.2f  p90 %.2f  p95 %.2f  p99 %.2f  p99.9 %.2f  max %.2f\n",
                   (double)histogram_at(h, .5) / 1000, (double)histogram_at(h, .9) / 1000,
                   (double)histogram_at(h, .95) / 1000, (double)histogram_at(h, .99) / 1000,
                   (double)histogram_at(h, .999) / 1000, (double)h->max / 1000);
    }
    if (b->failed) return cli_fail("%lld records failed: %s", (long long)b->failed, rdk()->err2str(b->error));
    if (done == 0)
        return cli_fail("no records%s%s", b->error ? ": " : "", b->error ? rdk()->err2str(b->error) : "");
    return CLI_DONE;
}

/* ---- commands ---- */

static int begin(struct bench *b, struct cli *c, struct admin *a, int64_t count) {
    memset(b, 0, sizeof *b);
    b->c = c;
    b->topic = c->args_n ? c->args[0] : NULL;
    b->count = cli_number(c, "count", 1, INT64_MAX, count);
    b->size = cli_size(c, "size", STAMP, RANDOM_POOL, 100);
    b->rate = cli_number(c, "rate", 1, 100000000, 0);
    b->partitions = (int)cli_number(c, "partitions", 1, 100000, 1);
    b->timeout_ms = (int)cli_number(c, "timeout-ms", 1, 3600000, 30000);
    b->warmup = b->count / 20;
    int status = admin_begin(c, a);
    if (status) return status;
    const int32_t *nodes;
    int n;
    status = admin_done(a, client_nodes(a->client, &nodes, &n));
    if (status) return status;
    struct random r;
    random_seed(&r, 1);
    b->pool = xmalloc(2 * RANDOM_POOL);
    random_bytes(&r, b->pool, 2 * RANDOM_POOL);
    for (int i = 0; i < 2 * RANDOM_POOL; i += 2)
        b->pool[i] = 'a' + (i >> 1) % 16; /* so that codecs find something */
    kafka_catch_signals();
    progress_init(&b->progress);
    return b->topic ? 0 : create_topic(b, a);
}

static int end(struct bench *b, struct admin *a, int status) {
    progress_end(&b->progress);
    if (b->consumer) rdk()->consumer_close(b->consumer);
    if (b->consumer) rdk()->destroy(b->consumer);
    if (b->producer) rdk()->destroy(b->producer);
    if (b->own_topic && !cli_has(b->c, "keep")) delete_topic(b, a);
    if (b->own_topic && cli_has(b->c, "keep")) fprintf(stderr, "kept topic %s\n", b->own_topic);
    admin_end(a);
    free(b->own_topic);
    free(b->pool);
    return status;
}

static int bench_produce(struct cli *c) {
    struct bench b;
    struct admin a;
    int status = begin(&b, c, &a, 1000000);
    if (!status) status = start_producer(&b);
    if (!status && kafka_partitions(b.producer, b.topic, b.timeout_ms, true) < 0) status = CLI_FAILED;
    if (!status) {
        produce_all(&b);
        status = results(&b, "produce", b.acked);
    }
    return end(&b, &a, status);
}

static int bench_consume(struct cli *c) {
    struct bench b;
    struct admin a;
    int status = begin(&b, c, &a, c->args_n ? INT64_MAX : 1000000);
    if (!status && b.own_topic) { /* something to read */
        status = start_producer(&b);
        if (!status && kafka_partitions(b.producer, b.topic, b.timeout_ms, true) < 0) status = CLI_FAILED;
        if (!status) produce_all(&b);
        memset(&b.latency, 0, sizeof b.latency);
        b.bytes = 0;
    }
    if (!status) status = start_consumer(&b, RD_KAFKA_OFFSET_BEGINNING);
    if (!status) {
        consume_all(&b);
        status = results(&b, "consume", b.received);
    }
    return end(&b, &a, status);
}

static int bench_e2e(struct cli *c) {
    struct bench b;
    struct admin a;
    int status = begin(&b, c, &a, 10000);
    if (!b.rate) b.rate = 1000;
    if (!status) status = start_consumer(&b, RD_KAFKA_OFFSET_END);
    if (!status) status = start_producer(&b);
    if (!status && kafka_partitions(b.producer, b.topic, b.timeout_ms, true) < 0) status = CLI_FAILED;
    if (!status) {
        both(&b);
        status = results(&b, "e2e", b.received);
    }
    return end(&b, &a, status);
}

#define COMMON                                                                                               \
    {'n', "count", "N", "how many records"},                                                                 \
        {'s', "size", "BYTES", "of each record's value (100); k and m may follow"},                          \
        {'p', "partitions", "N", "of the topic that is created for the run (1)"},                            \
        {0, "keep", NULL, "do not delete that topic afterwards"}, KAFKA_OPTION_X
#define SENDING                                                                                              \
    {'r', "rate", "N", "records a second (produce: as fast as it goes; e2e: 1000)"},                         \
        {'a', "acks", "ACKS", "what to wait for (all)", "0 1 all"},                                          \
        {'z', "compression", "CODEC", "the codec (none)", KAFKA_COMPRESSIONS}, {                             \
        'l', "linger-ms", "MS", "how long to gather a batch (produce 5, e2e 0)"                              \
    }

static const struct cli_option sending_options[] = {COMMON, SENDING, {0}};
static const struct cli_option reading_options[] = {COMMON, {0}};
static const struct cli_example produce_examples[] = {
    {"ottla bench produce", "a million records of 100 bytes into a topic of its own"},
    {"ottla bench produce -n 5000000 -s 1k -z lz4 -p 8 -a 1", "larger, compressed, eight partitions"},
    {"ottla bench produce orders -r 20000 --json", "into your topic at a steady rate"},
    {0},
};
static const struct cli_example consume_examples[] = {
    {"ottla bench consume", "fill a topic, then read it"},
    {"ottla bench consume orders", "read your topic from start to end"},
    {0},
};
static const struct cli_example e2e_examples[] = {
    {"ottla bench e2e", "10,000 records at 1,000 a second: send to receive"},
    {"ottla bench e2e -r 5000 -n 100000 -a 1 --json", "faster, for a program"},
    {0},
};
static const struct cli_command commands[] = {
    {"produce", "[TOPIC]", "how fast records are accepted", bench_produce, NULL, sending_options,
     produce_examples, .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_TOPIC, .most = 1},
    {"consume", "[TOPIC]", "how fast records are read", bench_consume, NULL, reading_options,
     consume_examples, .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_TOPIC, .most = 1},
    {"e2e", "[TOPIC]", "how long a record takes from producer to consumer", bench_e2e, NULL, sending_options,
     e2e_examples, .flags = CLI_CLIENT | CLI_JSON, .hint = HINT_TOPIC, .most = 1},
    {0},
};
const struct cli_command cli_bench_command = {
    "bench", .summary = "throughput and latency of a Kafka-compatible broker", .commands = commands};

int cli_bench(int argc, char **argv) { return cli_run(&cli_bench_command, argc, argv); }
