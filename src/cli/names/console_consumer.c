/* kafka-console-consumer: org.apache.kafka.tools.consumer.ConsoleConsumer with its DefaultMessageFormatter,
 * on librdkafka. */
#include <stdio.h>
#include <stdlib.h>

#include "base/random.h"
#include "cli/kafka.h"
#include "cli/names/console.h"
#include "cli/names/names.h"
#include "io/clock.h"

enum { POLL_MS = 100 };

static const struct console_properties formatter = {"formatter-property", "property"};
static const struct console_properties consumer = {"command-property", "consumer-property"};

/* DefaultMessageFormatter. */
struct format {
    bool timestamp, key, offset, delivery, epoch, partition, headers, value;
    const char *key_separator, *line_separator, *headers_separator, *null_literal;
};

struct print {
    const struct format *f;
    int left; /* columns that follow */
};

static bool flag(const struct tool_run *r, const char *name, bool standard) {
    const char *text = console_property(r, &formatter, name);
    return text ? console_is_true(text) : standard;
}

static const char *text_of(const struct tool_run *r, const char *name, const char *standard) {
    const char *text = console_property(r, &formatter, name);
    return text ? text : standard;
}

static struct format read_format(const struct tool_run *r) {
    return (struct format){.timestamp = flag(r, "print.timestamp", false),
                           .key = flag(r, "print.key", false),
                           .offset = flag(r, "print.offset", false),
                           .delivery = flag(r, "print.delivery", false),
                           .epoch = flag(r, "print.epoch", false),
                           .partition = flag(r, "print.partition", false),
                           .headers = flag(r, "print.headers", false),
                           .value = flag(r, "print.value", true),
                           .key_separator = text_of(r, "key.separator", "\t"),
                           .line_separator = text_of(r, "line.separator", "\n"),
                           .headers_separator = text_of(r, "headers.separator", ","),
                           .null_literal = text_of(r, "null.literal", "null")};
}

/* ---- printing ---- */

static void separate(struct print *p) {
    fputs(--p->left ? p->f->key_separator : p->f->line_separator, stdout);
}

static void put(const struct print *p, const void *bytes, size_t n) {
    if (bytes)
        fwrite(bytes, 1, n, stdout);
    else
        fputs(p->f->null_literal, stdout);
}

static void print_timestamp(struct print *p, const rd_kafka_message_t *m) {
    rd_kafka_timestamp_type_t type;
    int64_t ms = rdk()->message_timestamp(m, &type);
    if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
        fputs("NO_TIMESTAMP", stdout);
    else
        printf("%s:%lld", type == RD_KAFKA_TIMESTAMP_CREATE_TIME ? "CreateTime" : "LogAppendTime",
               (long long)ms);
    separate(p);
}

static void print_headers(struct print *p, const rd_kafka_message_t *m) {
    rd_kafka_headers_t *headers;
    const char *name;
    const void *value;
    size_t n, i = 0;
    if (rdk()->message_headers(m, &headers)) headers = NULL;
    for (; headers && !rdk()->header_get_all(headers, i, &name, &value, &n); i++) {
        printf("%s%s:", i ? p->f->headers_separator : "", name);
        put(p, value, n);
    }
    if (!i) fputs("NO_HEADERS", stdout);
    separate(p);
}

static void print_message(const struct format *f, const rd_kafka_message_t *m) {
    struct print p = {f, f->timestamp + f->key + f->offset + f->delivery + f->epoch + f->partition +
                             f->headers + f->value};
    if (f->timestamp) print_timestamp(&p, m);
    if (f->partition) {
        printf("Partition:%d", m->partition);
        separate(&p);
    }
    if (f->offset) {
        printf("Offset:%lld", (long long)m->offset);
        separate(&p);
    }
    if (f->delivery) {
        fputs("Delivery:NOT_PRESENT", stdout);
        separate(&p);
    }
    if (f->epoch) {
        fputs("Epoch:NOT_PRESENT", stdout);
        separate(&p);
    }
    if (f->headers) print_headers(&p, m);
    if (f->key) {
        put(&p, m->key, m->key_len);
        separate(&p);
    }
    if (f->value) {
        put(&p, m->payload, m->len);
        separate(&p);
    }
}

/* ---- reading ---- */

/* How long without a record, in ms; -1: for ever. */
static int64_t timeout_of(const struct tool_run *r) {
    int64_t ms = tool_number(r, "timeout-ms", -1);
    return ms < 0 ? -1 : ms;
}

static long consume(struct tool_run *r, rd_kafka_t *rk, const struct format *f) {
    int64_t most = tool_number(r, "max-messages", -1), timeout = timeout_of(r), last = clock_mono_ms();
    long n = 0;
    while ((most < 0 || n < most) && !kafka_interrupted()) {
        rd_kafka_message_t *m = rdk()->consumer_poll(rk, POLL_MS);
        if (m && !m->err) {
            print_message(f, m);
            n++;
            last = clock_mono_ms();
        } else if (timeout >= 0 && clock_mono_ms() - last > timeout) {
            fputs("org.apache.kafka.common.errors.TimeoutException\n", stderr);
            if (m) rdk()->message_destroy(m);
            break;
        } else
            fflush(stdout);
        if (m) rdk()->message_destroy(m);
        if (ferror(stdout)) {
            fputs("Unable to write to standard out, closing consumer.\n", stderr);
            break;
        }
    }
    return n;
}

static bool start_offset(struct tool_run *r, int64_t *offset) {
    const char *text = tool_get(r, "offset");
    *offset = tool_has(r, "from-beginning") ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
    if (!text) return true;
    if (!strcasecmp(text, "earliest") || !strcasecmp(text, "latest")) {
        *offset = text[0] == 'e' || text[0] == 'E' ? RD_KAFKA_OFFSET_BEGINNING : RD_KAFKA_OFFSET_END;
        return true;
    }
    return !cli_parse_number(text, 0, INT64_MAX, offset) ||
           tool_usage(
               r,
               "The provided offset value '%s' is incorrect. Valid values are 'earliest', 'latest', or a "
               "non-negative long.",
               text);
}

/* Subscribes or assigns. */
static bool choose(struct tool_run *r, rd_kafka_t *rk) {
    rd_kafka_topic_partition_list_t *list = rdk()->topic_partition_list_new(1);
    const char *topic = tool_get(r, "topic"), *include = tool_get(r, "include");
    rd_kafka_resp_err_t err;
    int64_t offset;
    if (!start_offset(r, &offset)) {
        rdk()->topic_partition_list_destroy(list);
        return false;
    }
    if (tool_has(r, "partition")) {
        rdk()->topic_partition_list_add(list, topic, (int32_t)tool_number(r, "partition", 0))->offset =
            offset;
        err = rdk()->assign(rk, list);
    } else {
        const char *name = topic ? topic : arena_printf(&r->admin.arena, "^(%s)$", include);
        rdk()->topic_partition_list_add(list, name, RD_KAFKA_PARTITION_UA);
        err = rdk()->subscribe(rk, list);
    }
    rdk()->topic_partition_list_destroy(list);
    return !err || tool_fail(r, "%s", rdk()->err2str(err));
}

static bool configure(struct tool_run *r, rd_kafka_conf_t *conf) {
    struct random random;
    const char *group = tool_get(r, "group"), *given = console_property(r, &consumer, "group.id");
    const char *reset = console_property(r, &consumer, "auto.offset.reset");
    if (group && given && strcmp(group, given) != 0)
        return tool_usage(
            r, "The group ids provided in different places do not match. Detected group ids: '%s', '%s'",
            group, given);
    if ((group || given) && tool_has(r, "partition"))
        return tool_usage(r, "Options group and partition cannot be specified together.");
    if (tool_has(r, "from-beginning") && reset && strcmp(reset, "earliest") != 0) {
        fprintf(stderr,
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset=%s', please remove one "
                "option\n",
                reset);
        r->status = 1;
        return false;
    }
    random_seed(&random, clock_entropy());
    if (!group) group = given;
    const char *isolation = tool_get(r, "isolation-level");
    bool ok =
        console_set(r, conf, "client.id", "console-consumer") && console_set(r, conf, "log_level", "0") &&
        console_set(r, conf, "enable.auto.commit", group ? "true" : "false") &&
        console_set(r, conf, "isolation.level", "read_uncommitted") &&
        console_set(r, conf, "auto.offset.reset", tool_has(r, "from-beginning") ? "earliest" : "latest") &&
        console_configure(r, conf, "consumer-property", "consumer.config") &&
        console_set(r, conf, "bootstrap.servers", tool_get(r, "bootstrap-server"));
    if (ok && isolation) ok = console_set(r, conf, "isolation.level", isolation);
    if (!group)
        group =
            arena_printf(&r->admin.arena, "console-consumer-%u", (unsigned)(random_u64(&random) % 100000));
    return ok && console_set(r, conf, "group.id", group);
}

static bool run(struct tool_run *r) {
    char why[300];
    rd_kafka_conf_t *conf = rdk()->conf_new();
    struct format f = read_format(r);
    if (!configure(r, conf)) {
        rdk()->conf_destroy(conf);
        return false;
    }
    rd_kafka_t *rk = rdk()->new (RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!rk) {
        rdk()->conf_destroy(conf);
        return tool_fail(r, "%s", why);
    }
    rdk()->poll_set_consumer(rk);
    kafka_catch_signals();
    bool ok = choose(r, rk);
    long n = ok ? consume(r, rk, &f) : 0;
    rdk()->consumer_close(rk);
    rdk()->destroy(rk);
    fflush(stdout);
    if (ok) fprintf(stderr, "Processed a total of %ld messages\n", n);
    return ok;
}

/* ---- the tool ---- */

static bool check(struct tool_run *r) {
    const char *class = tool_get(r, "formatter");
    if (tool_has(r, "topic") == tool_has(r, "include"))
        return tool_usage(r, "Exactly one of the following arguments is required: [topic], [include]");
    if (tool_has(r, "partition")) {
        if (!tool_has(r, "topic")) return tool_usage(r, "The topic is required when partition is specified.");
        if (tool_has(r, "from-beginning") && tool_has(r, "offset"))
            return tool_usage(r, "Options from-beginning and offset cannot be specified together.");
    } else if (tool_has(r, "offset"))
        return tool_usage(r, "The partition is required when offset is specified.");
    if (!tool_required(r, "bootstrap-server")) return false;
    if (class && !strstr(class, "DefaultMessageFormatter"))
        return tool_usage(r, "--formatter %s: only DefaultMessageFormatter is there", class);
    return console_old(r, "command-property", "consumer-property") &&
           console_old(r, "command-config", "consumer.config") &&
           console_old(r, "formatter-property", "property");
}

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"topic", TOOL_TEXT, "topic", "the topic"},
    {"include", TOOL_TEXT, "regex", "topics by a regular expression"},
    {"partition", TOOL_INT, "partition", "one partition"},
    {"offset", TOOL_TEXT, "offset", "where to begin in the partition: a number, earliest or latest"},
    {"consumer-property", TOOL_TEXT, "key=value", "the old name of --command-property"},
    {"command-property", TOOL_TEXT, "key=value", "a property of the consumer; may be repeated"},
    {"consumer.config", TOOL_TEXT, "file", "the old name of --command-config"},
    {"formatter", TOOL_TEXT, "class", "org.apache.kafka.tools.consumer.DefaultMessageFormatter"},
    {"property", TOOL_TEXT, "key=value", "the old name of --formatter-property"},
    {"formatter-property", TOOL_TEXT, "key=value",
     "print.{timestamp,key,offset,delivery,epoch,partition,headers,value}, {key,line,headers}.separator, "
     "null.literal"},
    {"from-beginning", TOOL_FLAG, NULL, "begin with the first record"},
    {"max-messages", TOOL_INT, "number", "end after so many records"},
    {"timeout-ms", TOOL_LONG, "ms", "end when there is no record for so long"},
    {"skip-message-on-error", TOOL_FLAG, NULL, "go on after a record that cannot be printed"},
    {"isolation-level", TOOL_TEXT, "level", "read_uncommitted or read_committed"},
    {"group", TOOL_TEXT, "group", "the group"},
    {0},
};
static const struct tool tool = {
    "kafka-console-consumer",
    "This tool helps to read data from Kafka topics and outputs it to standard output.", options};

int names_console_consumer(int argc, char **argv) {
    struct tool_run r;
    if (!tool_begin(&r, &tool, argc, argv) || !check(&r)) goto out;
    if (!run(&r) && !r.status) {
        fprintf(stderr, "%s\n", r.why);
        r.status = 1;
    }
out:
    tool_end(&r);
    return r.status;
}
