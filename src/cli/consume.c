/* ottla consume: records of topics to stdout. Without a group the partitions are assigned here, from where
 * --from says; with one the group's coordinator assigns them, and an offset is committed only after its
 * record was written out. */
#include "cli/consume.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/consume_print.h"
#include "cli/kafka.h"
#include "cli/output.h"
#include "cli/text.h"
#include "io/clock.h"

enum { POLL_MS = 100, WRITE_AT = 1 << 16, BUFFER_MAX = 1 << 30 };

struct consumer {
    struct cli *c;
    rd_kafka_t *rk;
    const char *group;
    enum consume_format format;
    char *delimiter;
    size_t delimiter_len;
    bool until_end;
    int64_t from;      /* an offset, RD_KAFKA_OFFSET_BEGINNING, _END or a tail */
    int64_t from_time; /* -1: not by time */
    int64_t limit;     /* records; 0: none */
    int timeout_ms;
    int ended, assigned; /* partitions at their end; all */
    rd_kafka_topic_partition_list_t *ends, *stored;
    struct strbuf out;
    struct progress progress;
    int64_t started_ms, records, bytes;
};

/* ---- output ---- */

static int write_out(struct consumer *k) {
    size_t n = k->out.len;
    if (!strbuf_ok(&k->out)) return cli_fail("a record is too large to print");
    if (n && (fwrite(k->out.s, 1, n, stdout) != n || fflush(stdout))) {
        if (errno == EPIPE) return CLI_DONE + 1; /* the reader has seen enough */
        return cli_fail("the output cannot be written: %s", strerror(errno));
    }
    strbuf_reset(&k->out);
    if (k->group && k->stored->cnt) {
        rdk()->offsets_store(k->rk, k->stored);
        rdk()->topic_partition_list_destroy(k->stored);
        k->stored = rdk()->topic_partition_list_new(8);
    }
    return 0;
}

static void note_offset(struct consumer *k, const rd_kafka_message_t *m) {
    const char *topic = rdk()->topic_name(m->rkt);
    rd_kafka_topic_partition_t *p = rdk()->topic_partition_list_find(k->stored, topic, m->partition);
    if (!p) p = rdk()->topic_partition_list_add(k->stored, topic, m->partition);
    p->offset = m->offset + 1;
}

static void show(struct consumer *k) {
    char bytes[24];
    if (!progress_due(&k->progress)) return;
    int64_t ms = clock_mono_ms() - k->started_ms;
    progress_show(&k->progress, "%lld records, %s, %lld a second", (long long)k->records,
                  format_bytes(bytes, (double)k->bytes), (long long)(k->records * 1000 / (ms ? ms : 1)));
}

/* ---- where to start ---- */

static int parse_from(struct consumer *k) {
    const char *from = cli_get(k->c, "from"), *time = cli_get(k->c, "from-time");
    int64_t v;
    k->from_time = -1;
    if (from && time) return cli_wrong_usage("--from and --from-time cannot both be");
    if (time && cli_parse_time(time, clock_wall_ms(), &k->from_time))
        return cli_wrong_usage("--from-time %s: write 2026-01-31T12:00:00, milliseconds since 1970, or 2h",
                               time);
    if (!from) {
        k->from = k->until_end || k->group ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
    } else if (!strcmp(from, "start")) {
        k->from = RD_KAFKA_OFFSET_BEGINNING;
    } else if (!strcmp(from, "end")) {
        k->from = RD_KAFKA_OFFSET_END;
    } else if (cli_parse_number(from, -(INT64_C(1) << 40), INT64_MAX, &v)) {
        return cli_wrong_usage(
            "--from %s: it must be start, end, an offset, or -N for the last N of each partition", from);
    } else {
        k->from = v < 0 ? RD_KAFKA_OFFSET_TAIL(-v) : v;
    }
    if (k->group &&
        (time || (from && k->from != RD_KAFKA_OFFSET_BEGINNING && k->from != RD_KAFKA_OFFSET_END)))
        return cli_wrong_usage("a group goes on where it was; `ottla group reset` moves it (--from start or "
                               "end is for a new one)");
    return 0;
}

/* The partitions of --partition, or all. */
static int add_partitions(struct consumer *k, const char *topic, rd_kafka_topic_partition_list_t *list) {
    const char *text;
    int given = 0, n = kafka_partitions(k->rk, topic, k->timeout_ms, false);
    if (n < 0) return CLI_FAILED;
    for (int at = 0; (text = cli_next(k->c, "partition", &at)); given++) {
        int64_t p;
        if (cli_parse_number(text, 0, INT32_MAX, &p))
            return cli_wrong_usage("--partition %s: it must be a number", text);
        if (p >= n)
            return cli_fail("topic '%s' has %d partition%s, none is number %s", topic, n, n == 1 ? "" : "s",
                            text);
        rdk()->topic_partition_list_add(list, topic, (int32_t)p);
    }
    for (int p = 0; !given && p < n; p++) rdk()->topic_partition_list_add(list, topic, p);
    return 0;
}

static int assign(struct consumer *k) {
    rd_kafka_topic_partition_list_t *list = rdk()->topic_partition_list_new(k->c->args_n);
    int status = 0;
    for (int i = 0; i < k->c->args_n && !status; i++) status = add_partitions(k, k->c->args[i], list);
    for (int i = 0; i < list->cnt; i++) list->elems[i].offset = k->from_time >= 0 ? k->from_time : k->from;
    rd_kafka_resp_err_t err = RD_KAFKA_RESP_ERR_NO_ERROR;
    if (!status && k->from_time >= 0) err = rdk()->offsets_for_times(k->rk, list, k->timeout_ms);
    if (!status && !err) err = rdk()->assign(k->rk, list);
    if (!status && err) status = cli_fail("cannot start to read: %s", rdk()->err2str(err));
    k->assigned = list->cnt;
    rdk()->topic_partition_list_destroy(list);
    return status;
}

static int subscribe(struct consumer *k) {
    if (cli_has(k->c, "partition"))
        return cli_wrong_usage("--partition does not go with --group, which assigns them");
    rd_kafka_topic_partition_list_t *list = rdk()->topic_partition_list_new(k->c->args_n);
    for (int i = 0; i < k->c->args_n; i++) {
        if (k->c->args[i][0] != '^' && kafka_partitions(k->rk, k->c->args[i], k->timeout_ms, false) < 0) {
            rdk()->topic_partition_list_destroy(list);
            return CLI_FAILED;
        }
        rdk()->topic_partition_list_add(list, k->c->args[i], RD_KAFKA_PARTITION_UA);
    }
    rd_kafka_resp_err_t err = rdk()->subscribe(k->rk, list);
    rdk()->topic_partition_list_destroy(list);
    return err ? cli_fail("cannot join group '%s': %s", k->group, rdk()->err2str(err)) : 0;
}

/* ---- reading ---- */

/* A partition's end was reached: are all that are assigned at theirs? */
static bool at_end(struct consumer *k, const rd_kafka_message_t *m) {
    const char *topic = rdk()->topic_name(m->rkt);
    if (!rdk()->topic_partition_list_find(k->ends, topic, m->partition))
        rdk()->topic_partition_list_add(k->ends, topic, m->partition);
    if (!k->group) return k->ends->cnt >= k->assigned;
    rd_kafka_topic_partition_list_t *mine;
    int there = 0;
    if (rdk()->assignment(k->rk, &mine)) return false;
    for (int i = 0; i < mine->cnt; i++)
        there += !!rdk()->topic_partition_list_find(k->ends, mine->elems[i].topic, mine->elems[i].partition);
    bool all = there == mine->cnt && mine->cnt > 0;
    rdk()->topic_partition_list_destroy(mine);
    return all;
}

/* 0: go on; 1: done; 2: failed. */
static int take(struct consumer *k, const rd_kafka_message_t *m) {
    if (m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) return k->until_end && at_end(k, m);
    if (m->err) {
        bool passing = m->err == RD_KAFKA_RESP_ERR__TRANSPORT ||
                       m->err == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN ||
                       m->err == RD_KAFKA_RESP_ERR__TIMED_OUT || m->err == RD_KAFKA_RESP_ERR__RESOLVE;
        if (passing) return 0; /* librdkafka goes on trying */
        cli_fail("reading: %s", rdk()->message_errstr(m));
        return 2;
    }
    consume_print(&k->out, m, k->format, k->delimiter, k->delimiter_len);
    if (k->group) note_offset(k, m);
    k->records++;
    k->bytes += (int64_t)(m->len + m->key_len);
    return k->limit && k->records >= k->limit;
}

static int read_all(struct consumer *k) {
    int state = 0, status = 0;
    k->started_ms = clock_mono_ms();
    while (!state && !status && !kafka_interrupted()) {
        rd_kafka_message_t *m = rdk()->consumer_poll(k->rk, k->out.len ? 0 : POLL_MS);
        if (m) state = take(k, m);
        if (!m || state || k->out.len >= WRITE_AT) status = write_out(k);
        if (m) rdk()->message_destroy(m);
        show(k);
    }
    if (!status) status = write_out(k);
    progress_end(&k->progress);
    return status ? status : state == 2 ? CLI_FAILED : CLI_DONE;
}

/* ---- set-up ---- */

static int parse_options(struct consumer *k) {
    struct cli *c = k->c;
    const char *format = cli_get(c, "format"), *delimiter = cli_get(c, "delimiter");
    k->group = cli_get(c, "group");
    k->until_end = cli_has(c, "until-end");
    k->limit = cli_number(c, "count", 1, INT64_MAX, 0);
    k->timeout_ms = (int)cli_number(c, "timeout-ms", 1, 3600000, 30000);
    k->format = c->json || (format && !strcmp(format, "json")) ? CONSUME_JSON
                : format && !strcmp(format, "key-value")       ? CONSUME_KEY_VALUE
                                                               : CONSUME_VALUE;
    k->delimiter = xstrdup(delimiter ? delimiter : "\\t");
    long n = unescape(k->delimiter);
    if (n < 0) return cli_wrong_usage("-d %s: write characters, \\t, \\n, \\0 or \\xHH", delimiter);
    k->delimiter_len = (size_t)n;
    int status = parse_from(k);
    return status ? status : c->failed;
}

static int start(struct consumer *k) {
    const char *isolation = cli_get(k->c, "isolation");
    char name[64];
    rd_kafka_conf_t *conf;
    int status = kafka_conf(k->c, &conf);
    if (status) return status;
    /* librdkafka wants a group even when it is not used; nothing is committed to this one */
    snprintf(name, sizeof name, "ottla-consume-%d", (int)getpid());
    status = kafka_set(conf, "group.id", k->group ? k->group : name);
    if (!status) status = kafka_set(conf, "enable.auto.commit", k->group ? "true" : "false");
    if (!status) status = kafka_set(conf, "enable.auto.offset.store", "false");
    if (!status) status = kafka_set(conf, "enable.partition.eof", k->until_end ? "true" : "false");
    if (!status) status = kafka_set(conf, "isolation.level", isolation ? isolation : "read_uncommitted");
    if (!status)
        status = kafka_set(conf, "auto.offset.reset", k->from == RD_KAFKA_OFFSET_END ? "latest" : "earliest");
    if (!status && k->until_end)
        status = kafka_default(k->c, conf, "fetch.wait.max.ms", "50"); /* the end is seen sooner */
    if (!status) status = kafka_read_ahead(k->c, conf);
    if (status) {
        rdk()->conf_destroy(conf);
        return status;
    }
    k->rk = kafka_create(RD_KAFKA_CONSUMER, conf);
    if (!k->rk) return CLI_FAILED;
    rdk()->poll_set_consumer(k->rk);
    return 0;
}

static int consume(struct cli *c) {
    struct consumer k = {.c = c};
    strbuf_init(&k.out, BUFFER_MAX);
    k.ends = rdk()->topic_partition_list_new(8);
    k.stored = rdk()->topic_partition_list_new(8);
    int status = parse_options(&k);
    if (!status) status = kafka_check(c);
    if (!status) status = start(&k);
    if (status) goto out;
    kafka_catch_signals();
    progress_init(&k.progress);
    k.progress.on = k.progress.on && !isatty(STDOUT_FILENO);
    status = k.group ? subscribe(&k) : assign(&k);
    if (!status) status = read_all(&k);
    rdk()->consumer_close(k.rk); /* commits what was stored */
out:
    if (k.rk) rdk()->destroy(k.rk);
    rdk()->topic_partition_list_destroy(k.ends);
    rdk()->topic_partition_list_destroy(k.stored);
    strbuf_free(&k.out);
    free(k.delimiter);
    return status;
}

static const struct cli_option options[] = {
    {0, "from", "WHERE",
     "start, end, an offset, or -N for the last N of each partition (end; with -e: start)"},
    {0, "from-time", "TIME",
     "the first record since: 2026-01-31T12:00:00[Z], milliseconds, or 2h ago (s, m, h, d)"},
    {'e', "until-end", NULL, "stop at the end instead of waiting for more"},
    {'n', "count", "N", "stop after so many records"},
    {'p', "partition", "N", "only this partition; may be repeated"},
    {'g', "group", "GROUP", "read as a member of this group and commit its offsets", NULL, HINT_GROUP},
    {'f', "format", "FORMAT", "what to print", "value key-value json"},
    {'d', "delimiter", "TEXT", "between key and value (\\t, a tab)"},
    {0, "isolation", "LEVEL", "whether to show records of open and aborted transactions",
     "read_uncommitted read_committed"},
    KAFKA_OPTION_X,
    {0},
};
static const struct cli_example examples[] = {
    {"ottla consume orders", "what arrives from now on, until Ctrl-C"},
    {"ottla consume orders -e -f json > dump.jsonl",
     "everything, with keys, headers, offsets and timestamps"},
    {"ottla consume orders --from -5 -e -f key-value", "the last five of each partition"},
    {"ottla consume orders --from-time 15m", "the last quarter of an hour, then what comes"},
    {"ottla consume orders -g billing", "as a member of a group"},
    {0},
};
const struct cli_command cli_consume_command = {"consume",
                                                "TOPIC...",
                                                "read records to standard output",
                                                consume,
                                                NULL,
                                                options,
                                                examples,
                                                .flags = CLI_CLIENT | CLI_JSON,
                                                .hint = HINT_TOPIC,
                                                .least = 1,
                                                .most = -1};

int cli_consume(int argc, char **argv) { return cli_run(&cli_consume_command, argc, argv); }
