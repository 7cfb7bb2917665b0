/* kafka-console-producer: org.apache.kafka.tools.ConsoleProducer with its LineMessageReader, on librdkafka.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/names/console.h"
#include "cli/names/names.h"

enum { POLL_MS = 100, FLUSH_MS = 1000 };

static const struct console_properties reader_properties = {"reader-property", "property"};

/* LineMessageReader. */
struct line_reader {
    bool key, headers, ignore;
    const char *key_separator, *headers_delimiter, *headers_separator, *headers_key_separator, *null_marker;
    long line;
};

/* What a line says; pointers into it. NULL: null. */
struct line {
    const char *key, *value;
    size_t key_len, value_len;
    rd_kafka_headers_t *headers;
};

static const char *text_of(const struct tool_run *r, const char *name, const char *standard) {
    const char *text = console_property(r, &reader_properties, name);
    return text ? text : standard;
}

static bool differ(struct tool_run *r, const char *a, const char *a_name, const char *b, const char *b_name) {
    return !a || !b || strcmp(a, b) != 0 || tool_fail(r, "%s and %s may not be equal", a_name, b_name);
}

static bool read_settings(struct tool_run *r, struct line_reader *v) {
    *v = (struct line_reader){.key = console_is_true(text_of(r, "parse.key", "false")),
                              .headers = console_is_true(text_of(r, "parse.headers", "false")),
                              .ignore = console_is_true(text_of(r, "ignore.error", "false")),
                              .key_separator = text_of(r, "key.separator", "\t"),
                              .headers_delimiter = text_of(r, "headers.delimiter", "\t"),
                              .headers_separator = text_of(r, "headers.separator", ","),
                              .headers_key_separator = text_of(r, "headers.key.separator", ":"),
                              .null_marker = text_of(r, "null.marker", NULL)};
    return differ(r, v->headers_delimiter, "headers.delimiter", v->headers_separator, "headers.separator") &&
           differ(r, v->headers_delimiter, "headers.delimiter", v->headers_key_separator,
                  "headers.key.separator") &&
           differ(r, v->headers_separator, "headers.separator", v->headers_key_separator,
                  "headers.key.separator") &&
           differ(r, v->null_marker, "null.marker", v->key_separator, "key.separator") &&
           differ(r, v->null_marker, "null.marker", v->headers_separator, "headers.separator") &&
           differ(r, v->null_marker, "null.marker", v->headers_delimiter, "headers.delimiter") &&
           differ(r, v->null_marker, "null.marker", v->headers_key_separator, "headers.key.separator");
}

/* ---- lines ---- */

static bool is_null(const struct line_reader *v, const char *text, size_t n) {
    return v->null_marker && strlen(v->null_marker) == n && !memcmp(text, v->null_marker, n);
}

/* The part of the line in front of the separator; *p behind it. None: *part NULL when errors are ignored. */
static bool cut(struct tool_run *r, const struct line_reader *v, const char *line, const char **p,
                const char *separator, const char *what, const char **part, size_t *n) {
    const char *end = strstr(*p, separator);
    *part = NULL;
    if (!end) return v->ignore || tool_fail(r, "No %s found on line number %ld: '%s'", what, v->line, line);
    *part = *p;
    *n = (size_t)(end - *p);
    *p = end + strlen(separator);
    return true;
}

static bool add_header(struct tool_run *r, const struct line_reader *v, const char *text, size_t n,
                       rd_kafka_headers_t *to) {
    const char *colon = memmem(text, n, v->headers_key_separator, strlen(v->headers_key_separator));
    if (!colon) {
        if (!v->ignore)
            return tool_fail(r, "No header key separator found in pair '%.*s' on line number %ld", (int)n,
                             text, v->line);
        rdk()->header_add(to, text, (ssize_t)n, NULL, 0);
        return true;
    }
    const char *value = colon + strlen(v->headers_key_separator);
    size_t len = n - (size_t)(value - text);
    if (is_null(v, text, (size_t)(colon - text)))
        return tool_fail(r, "Header keys should not be equal to the null marker '%s' as they can't be null",
                         v->null_marker);
    bool null = is_null(v, value, len);
    rdk()->header_add(to, text, colon - text, null ? NULL : value, null ? 0 : (ssize_t)len);
    return true;
}

static bool add_headers(struct tool_run *r, const struct line_reader *v, const char *text, size_t n,
                        rd_kafka_headers_t *to) {
    const char *end = text + n;
    size_t separator = strlen(v->headers_separator);
    for (const char *p = text; p <= end;) {
        const char *stop = separator ? memmem(p, (size_t)(end - p), v->headers_separator, separator) : NULL;
        if (!add_header(r, v, p, (size_t)((stop ? stop : end) - p), to)) return false;
        p = stop ? stop + separator : end + 1;
    }
    return true;
}

static bool parse(struct tool_run *r, const struct line_reader *v, const char *line, struct line *m) {
    const char *p = line, *headers = NULL;
    size_t headers_len = 0;
    *m = (struct line){0};
    if (v->headers && !cut(r, v, line, &p, v->headers_delimiter, "headers delimiter", &headers, &headers_len))
        return false;
    if (v->key && !cut(r, v, line, &p, v->key_separator, "key separator", &m->key, &m->key_len)) return false;
    if (m->key && is_null(v, m->key, m->key_len)) m->key = NULL;
    m->value_len = strlen(p);
    m->value = is_null(v, p, m->value_len) ? NULL : p;
    if (!headers || is_null(v, headers, headers_len)) return true;
    m->headers = rdk()->headers_new(8);
    if (add_headers(r, v, headers, headers_len, m->headers)) return true;
    rdk()->headers_destroy(m->headers);
    return false;
}

/* ---- sending ---- */

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque) {
    if (m->err)
        fprintf(stderr, "Error when sending message to topic %s: %s\n", rdk()->topic_name(m->rkt),
                rdk()->err2str(m->err));
}

static bool send_line(struct tool_run *r, rd_kafka_t *rk, struct line *m) {
    for (;;) {
        rd_kafka_vu_t v[] = {
            {.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = tool_get(r, "topic")},
            {.vtype = RD_KAFKA_VTYPE_MSGFLAGS, .u.i = RD_KAFKA_MSG_F_COPY},
            {.vtype = RD_KAFKA_VTYPE_KEY, .u.mem = {(void *)m->key, m->key ? m->key_len : 0}},
            {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {(void *)m->value, m->value ? m->value_len : 0}},
            {.vtype = RD_KAFKA_VTYPE_HEADERS, .u.headers = m->headers}};
        rd_kafka_error_t *error = rdk()->produceva(rk, v, m->headers ? 5 : 4);
        if (!error) break;
        bool full = rdk()->error_code(error) == RD_KAFKA_RESP_ERR__QUEUE_FULL;
        if (!full) tool_fail(r, "%s", rdk()->error_string(error));
        rdk()->error_destroy(error);
        if (!full) {
            if (m->headers) rdk()->headers_destroy(m->headers);
            return false;
        }
        rdk()->poll(rk, POLL_MS);
    }
    rdk()->poll(rk, 0);
    while (tool_has(r, "sync") && rdk()->outq_len(rk) > 0) rdk()->poll(rk, POLL_MS);
    return true;
}

static bool loop(struct tool_run *r, rd_kafka_t *rk, struct line_reader *v) {
    bool prompt = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO), ok = true;
    char *line = NULL;
    size_t cap = 0;
    struct line m;
    while (ok) {
        v->line++;
        if (prompt) {
            putchar('>');
            fflush(stdout);
        }
        ssize_t n = getline(&line, &cap, stdin);
        if (n < 0) break;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r')) line[--n] = 0;
        ok = parse(r, v, line, &m) && send_line(r, rk, &m);
    }
    free(line);
    while (rdk()->flush(rk, FLUSH_MS) == RD_KAFKA_RESP_ERR__TIMED_OUT) continue;
    return ok;
}

static bool configure(struct tool_run *r, rd_kafka_conf_t *conf) {
    static const char *const settings[][2] = {{"request-required-acks", "acks"},
                                              {"message-send-max-retries", "retries"},
                                              {"retry-backoff-ms", "retry.backoff.ms"},
                                              {"request-timeout-ms", "request.timeout.ms"},
                                              {"batch-size", "batch.size"},
                                              {"timeout", "linger.ms"}};
    const char *codec = tool_get(r, "compression-codec");
    rdk()->conf_set_dr_msg_cb(conf, on_delivery);
    bool ok = console_set(r, conf, "client.id", "console-producer") &&
              console_set(r, conf, "log_level", "0") &&
              console_set(r, conf, "partitioner", "murmur2_random") && console_set(r, conf, "acks", "all") &&
              console_configure(r, conf, "producer-property", "producer.config") &&
              console_set(r, conf, "bootstrap.servers", tool_get(r, "bootstrap-server"));
    if (ok && tool_has(r, "compression-codec"))
        ok = console_set(r, conf, "compression.type", codec ? codec : "gzip");
    for (size_t i = 0; ok && i < sizeof settings / sizeof *settings; i++) {
        const char *value = tool_get(r, settings[i][0]);
        if (value) ok = console_set(r, conf, settings[i][1], value);
    }
    return ok;
}

static bool run(struct tool_run *r) {
    char why[300];
    struct line_reader reader;
    rd_kafka_conf_t *conf = rdk()->conf_new();
    if (!read_settings(r, &reader) || !configure(r, conf)) {
        rdk()->conf_destroy(conf);
        return false;
    }
    rd_kafka_t *rk = rdk()->new (RD_KAFKA_PRODUCER, conf, why, sizeof why);
    if (!rk) {
        rdk()->conf_destroy(conf);
        return tool_fail(r, "%s", why);
    }
    bool ok = loop(r, rk, &reader);
    rdk()->destroy(rk);
    return ok;
}

/* ---- the tool ---- */

/* Both names of one option: wrong; the old one alone: a line, worded otherwise than the consumer's. */
static bool check_old(struct tool_run *r, const char *now, const char *old) {
    if (!tool_has(r, old)) return true;
    if (tool_has(r, now))
        return tool_usage(r, "Options --%s and --%s cannot be specified together.", old, now);
    printf("Warning: --%s is deprecated and will be removed in a future version. Use --%s instead.\n", old,
           now);
    return true;
}

static bool check(struct tool_run *r) {
    const char *class = tool_get(r, "line-reader");
    if (!tool_required(r, "topic bootstrap-server")) return false;
    if (class && !strstr(class, "LineMessageReader"))
        return tool_usage(r, "--line-reader %s: only LineMessageReader is there", class);
    return check_old(r, "command-property", "producer-property") &&
           check_old(r, "command-config", "producer.config") && check_old(r, "reader-property", "property");
}

static const struct tool_option options[] = {
    TOOL_CONNECTION,
    {"topic", TOOL_TEXT, "topic", "the topic"},
    {"sync", TOOL_FLAG, NULL, "send one record after the other"},
    {"compression-codec", TOOL_OPTIONAL, "codec", "none, gzip, snappy, lz4 or zstd; gzip without a value"},
    {"batch-size", TOOL_INT, "bytes", "bytes of a batch"},
    {"message-send-max-retries", TOOL_INT, "number", "how often a record is sent again"},
    {"retry-backoff-ms", TOOL_LONG, "ms", "how long before it is sent again"},
    {"timeout", TOOL_LONG, "ms", "how long to wait for more records of a batch"},
    {"request-required-acks", TOOL_TEXT, "acks", "0, 1, all or -1"},
    {"request-timeout-ms", TOOL_INT, "ms", "how long to wait for acknowledgement"},
    {"metadata-expiry-ms", TOOL_LONG, "ms", "accepted, not used"},
    {"max-block-ms", TOOL_LONG, "ms", "accepted, not used"},
    {"max-memory-bytes", TOOL_LONG, "bytes", "accepted, not used"},
    {"max-partition-memory-bytes", TOOL_INT, "bytes", "accepted, not used"},
    {"socket-buffer-size", TOOL_INT, "bytes", "accepted, not used"},
    {"line-reader", TOOL_TEXT, "class", "org.apache.kafka.tools.LineMessageReader"},
    {"property", TOOL_TEXT, "key=value", "the old name of --reader-property"},
    {"reader-property", TOOL_TEXT, "key=value",
     "parse.key, key.separator, parse.headers, headers.{delimiter,separator,key.separator}, ignore.error, "
     "null.marker"},
    {"producer-property", TOOL_TEXT, "key=value", "the old name of --command-property"},
    {"command-property", TOOL_TEXT, "key=value", "a property of the producer; may be repeated"},
    {"producer.config", TOOL_TEXT, "file", "the old name of --command-config"},
    {0},
};
static const struct tool tool = {"kafka-console-producer",
                                 "This tool helps to read data from standard input and publish it to Kafka.",
                                 options};

int names_console_producer(int argc, char **argv) {
    struct tool_run r;
    if (!tool_begin(&r, &tool, argc, argv) || !check(&r)) goto out;
    if (!run(&r) && !r.status) {
        fflush(stdout);
        fprintf(stderr, "%s\n", r.why);
        r.status = 1;
    }
out:
    tool_end(&r);
    return r.status;
}
