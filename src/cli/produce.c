/* ottla produce: lines of files or stdin become records, sent by librdkafka. A record that cannot be sent is
 * reported with its line, the rest goes on; the exit status says whether all arrived. */
#include "cli/produce.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/kafka.h"
#include "cli/output.h"
#include "cli/text.h"
#include "io/clock.h"

enum { ERRORS_SHOWN = 10, FLUSH_MS = 100, QUEUE_WAIT_MS = 50 };

enum format { FORMAT_VALUE, FORMAT_JSON, FORMAT_WHOLE };

struct producer {
    struct cli *c;
    rd_kafka_t *rk;
    const char *topic;
    enum format format;
    char *delimiter;
    size_t delimiter_len;
    const char *key;
    int32_t partition;
    bool empty_is_null;
    int64_t limit;
    struct produce_record record;
    struct produce_header headers[PRODUCE_HEADERS_MAX]; /* -H: of every record */
    int headers_n;
    struct progress progress;
    int64_t started_ms, read, sent, failed, bytes; /* records; bytes of keys and values */
};

static void complain(struct producer *p, int64_t number, const char *why) {
    p->failed++;
    if (p->failed <= ERRORS_SHOWN) {
        progress_end(&p->progress);
        cli_fail("record %lld: %s", (long long)number, why);
    }
    if (p->failed == ERRORS_SHOWN) cli_fail("more errors are counted, not shown");
}

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
    struct producer *p = opaque;
    if (m->err) {
        complain(p, (int64_t)(intptr_t)m->_private, rdk()->err2str(m->err));
        return;
    }
    p->sent++;
    p->bytes += (int64_t)(m->len + m->key_len);
}

static void show(struct producer *p) {
    char bytes[24];
    if (!progress_due(&p->progress)) return;
    int64_t ms = clock_mono_ms() - p->started_ms;
    progress_show(&p->progress, "%lld records, %s, %lld a second", (long long)p->sent,
                  format_bytes(bytes, (double)p->bytes), (long long)(p->sent * 1000 / (ms ? ms : 1)));
}

/* ---- sending ---- */

static rd_kafka_headers_t *make_headers(const struct producer *p) {
    const struct produce_record *r = &p->record;
    if (p->headers_n + r->headers_n == 0) return NULL;
    rd_kafka_headers_t *h = rdk()->headers_new((size_t)p->headers_n + (size_t)r->headers_n);
    for (int i = 0; i < p->headers_n + r->headers_n; i++) {
        const struct produce_header *k = i < p->headers_n ? &p->headers[i] : &r->headers[i - p->headers_n];
        rdk()->header_add(h, k->name, (ssize_t)k->name_len, k->value, (ssize_t)k->value_len);
    }
    return h;
}

static void send_record(struct producer *p) {
    const struct produce_record *r = &p->record;
    int32_t partition = r->partition >= 0 ? r->partition : p->partition;
    for (;;) {
        rd_kafka_headers_t *h = make_headers(p);
        rd_kafka_vu_t v[] = {
            {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = p->topic},
            {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = partition},
            {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
            {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)r->key, r->key_len}},
            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)r->value, r->value_len}},
            {.vtype = RD_KAFKA_VTYPE_TIMESTAMP, .u.i64 = r->timestamp},
            {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = (void *)(intptr_t)p->read},
            {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = h},
        };
        rd_kafka_error_t *e = rdk()->produceva(p->rk, v, sizeof v / sizeof *v - (h ? 0 : 1));
        if (!e) return;
        rd_kafka_resp_err_t code = rdk()->error_code(e);
        if (h) rdk()->headers_destroy(h);
        if (code != RD_KAFKA_RESP_ERR__QUEUE_FULL || kafka_interrupted()) {
            complain(p, p->read, rdk()->error_string(e));
            rdk()->error_destroy(e);
            return;
        }
        rdk()->error_destroy(e);
        rdk()->poll(p->rk, QUEUE_WAIT_MS);
        show(p);
    }
}

static void take_line(struct producer *p, const char *line, size_t n) {
    struct produce_record *r = &p->record;
    char why[200];
    produce_record_reset(r);
    p->read++;
    if (p->format == FORMAT_JSON) {
        if (produce_parse_json(r, line, n, why)) {
            complain(p, p->read, why);
            return;
        }
    } else {
        produce_split(r, line, n, p->delimiter, p->delimiter_len);
    }
    if (p->key && !r->key) {
        r->key = p->key;
        r->key_len = strlen(p->key);
    }
    if (p->empty_is_null && r->value_len == 0) r->value = NULL;
    send_record(p);
    rdk()->poll(p->rk, 0);
    show(p);
}

static int read_lines(struct producer *p, FILE *f, const char *name) {
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    while (!kafka_interrupted() && (!p->limit || p->read < p->limit) && (n = getline(&line, &cap, f)) >= 0) {
        if (n && line[n - 1] == '\n') n--;
        if (n && line[n - 1] == '\r' && p->format == FORMAT_JSON) n--;
        if (n || p->format != FORMAT_JSON) take_line(p, line, (size_t)n);
        if (rdk()->fatal_error(p->rk, NULL, 0)) break;
    }
    free(line);
    return ferror(f) && !kafka_interrupted() ? cli_fail("%s cannot be read: %s", name, strerror(errno)) : 0;
}

static int read_whole(struct producer *p, FILE *f, const char *name) {
    struct strbuf all;
    size_t n;
    char *room;
    strbuf_init(&all, PRODUCE_LINE_MAX);
    while ((room = strbuf_reserve(&all, 1 << 16)) && (n = fread(room, 1, 1 << 16, f)) > 0) all.len += n;
    int status = 0;
    if (ferror(f))
        status = cli_fail("%s cannot be read: %s", name, strerror(errno));
    else if (!strbuf_ok(&all))
        status = cli_fail("%s is too large for a record", name);
    else
        take_line(p, strbuf_str(&all), all.len);
    strbuf_free(&all);
    return status;
}

static int read_file(struct producer *p, const char *name) {
    bool input = !strcmp(name, "-");
    FILE *f = input ? stdin : fopen(name, "rb");
    if (!f) return cli_fail("%s cannot be opened: %s", name, strerror(errno));
    int status = p->format == FORMAT_WHOLE ? read_whole(p, f, name) : read_lines(p, f, name);
    if (!input) fclose(f);
    return status;
}

/* Waits for what is under way; librdkafka gives each record up after --timeout-ms. */
static void finish(struct producer *p) {
    while (rdk()->outq_len(p->rk) > 0) {
        rdk()->flush(p->rk, FLUSH_MS);
        show(p);
        if (kafka_interrupted()) {
            rdk()->purge(p->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
            rdk()->flush(p->rk, FLUSH_MS);
            break;
        }
    }
    progress_end(&p->progress);
}

/* ---- set-up ---- */

static int parse_headers(struct producer *p) {
    const char *text;
    for (int at = 0; (text = cli_next(p->c, "header", &at));) {
        const char *equal = strchr(text, '=');
        if (!equal || equal == text) return cli_wrong_usage("-H %s: write name=value", text);
        if (p->headers_n == PRODUCE_HEADERS_MAX)
            return cli_wrong_usage("more than %d headers", PRODUCE_HEADERS_MAX);
        p->headers[p->headers_n++] = (struct produce_header){.name = text,
                                                             .name_len = (size_t)(equal - text),
                                                             .value = equal + 1,
                                                             .value_len = strlen(equal + 1)};
    }
    return 0;
}

static int parse_options(struct producer *p) {
    struct cli *c = p->c;
    const char *format = cli_get(c, "format"), *delimiter = cli_get(c, "key-delimiter");
    p->topic = c->args[0];
    p->format = !format || !strcmp(format, "value") ? FORMAT_VALUE
                : !strcmp(format, "json")           ? FORMAT_JSON
                                                    : FORMAT_WHOLE;
    p->key = cli_get(c, "key");
    p->empty_is_null = cli_has(c, "empty-is-null");
    p->partition = (int32_t)cli_number(c, "partition", 0, INT32_MAX, -1);
    p->limit = cli_number(c, "count", 1, INT64_MAX, 0);
    if (delimiter && p->format != FORMAT_VALUE)
        return cli_wrong_usage("--key-delimiter goes with --format value only");
    if (delimiter) {
        p->delimiter = xstrdup(delimiter);
        long n = unescape(p->delimiter);
        if (n < 1) return cli_wrong_usage("-k %s: write characters, \\t, \\n, \\0 or \\xHH", delimiter);
        p->delimiter_len = (size_t)n;
    }
    int status = parse_headers(p);
    return status ? status : c->failed;
}

static int start(struct producer *p) {
    const char *acks = cli_get(p->c, "acks"), *codec = cli_get(p->c, "compression");
    rd_kafka_conf_t *conf;
    int status = kafka_conf(p->c, &conf);
    if (status) return status;
    rdk()->conf_set_opaque(conf, p);
    rdk()->conf_set_dr_msg_cb(conf, on_delivery);
    status = kafka_set(conf, "compression.codec", codec ? codec : "none");
    if (!status) status = kafka_set(conf, "acks", acks ? acks : "all");
    if (!status)
        status = kafka_set(conf, "partitioner", "murmur2_random"); /* where the Java client would put it */
    if (!status && cli_has(p->c, "idempotent")) status = kafka_set(conf, "enable.idempotence", "true");
    if (status) {
        rdk()->conf_destroy(conf);
        return status;
    }
    p->rk = kafka_create(RD_KAFKA_PRODUCER, conf);
    return p->rk ? 0 : CLI_FAILED;
}

static void summary(struct producer *p) {
    struct json j;
    if (!p->c->json) return;
    json_init(&j);
    json_open(&j, '{');
    json_text(&j, "topic", p->topic);
    json_int(&j, "sent", p->sent);
    json_int(&j, "failed", p->failed);
    json_int(&j, "bytes", p->bytes);
    json_int(&j, "ms", clock_mono_ms() - p->started_ms);
    json_close(&j, '}');
    json_print(&j);
}

static int produce(struct cli *c) {
    struct producer p = {.c = c, .partition = -1};
    produce_record_init(&p.record);
    int status = parse_options(&p);
    if (!status) status = kafka_check(c);
    if (!status) status = start(&p);
    if (status) goto out;
    int timeout = (int)cli_number(c, "timeout-ms", 1, 3600000, 30000);
    kafka_catch_signals();
    if (kafka_partitions(p.rk, p.topic, timeout, true) < 0) {
        status = CLI_FAILED;
        goto out;
    }
    progress_init(&p.progress);
    p.progress.on = p.progress.on && !(c->args_n < 2 && isatty(STDIN_FILENO)); /* not between what is typed */
    p.started_ms = clock_mono_ms();
    if (c->args_n < 2) status = read_file(&p, "-");
    for (int i = 1; i < c->args_n && !status; i++) status = read_file(&p, c->args[i]);
    finish(&p);
    summary(&p);
    if (p.failed && !status)
        status = cli_fail("%lld of %lld records were not sent to '%s'", (long long)p.failed,
                          (long long)p.read, p.topic);
out:
    if (p.rk) rdk()->destroy(p.rk);
    produce_record_free(&p.record);
    free(p.delimiter);
    return status;
}

static const struct cli_option options[] = {
    {'k', "key-delimiter", "TEXT",
     "what separates key and value in a line (\\t is a tab); a line without it has no key"},
    {0, "key", "TEXT", "the key of records that have none"},
    {'H', "header", "NAME=VALUE", "a header of every record; may be repeated"},
    {'f', "format", "FORMAT", "what a record is (a line; a line of JSON; a whole file)", "value json whole"},
    {'p', "partition", "N", "the partition (else by the key, as the Java client does it)"},
    {'z', "compression", "CODEC", "the codec (none)", KAFKA_COMPRESSIONS},
    {'a', "acks", "ACKS", "what to wait for (all)", "0 1 all"},
    {'i', "idempotent", NULL, "an idempotent producer: no duplicates, in order"},
    {'n', "count", "N", "stop after so many records"},
    {'0', "empty-is-null", NULL, "an empty value is sent as null: a tombstone"},
    KAFKA_OPTION_X,
    {0},
};
static const struct cli_example examples[] = {
    {"echo hello | ottla produce greetings", "each line a record"},
    {"ottla produce orders -k : -z zstd orders.txt", "lines like 17:{\"price\":3}; 17 is the key"},
    {"ottla produce orders -f json < dump.jsonl", "what `ottla consume orders -f json` printed"},
    {"ottla produce pictures -f whole -H type=png *.png", "a file a record"},
    {0},
};
const struct cli_command cli_produce_command = {"produce",
                                                "TOPIC [FILE]...",
                                                "send records, from files or standard input",
                                                produce,
                                                NULL,
                                                options,
                                                examples,
                                                .flags = CLI_CLIENT | CLI_JSON,
                                                .hint = HINT_TOPIC,
                                                .least = 1,
                                                .most = -1};

int cli_produce(int argc, char **argv) { return cli_run(&cli_produce_command, argc, argv); }
