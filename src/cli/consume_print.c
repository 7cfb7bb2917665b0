#include "cli/consume_print.h"

#include <string.h>

#include "cli/text.h"

static void add_bytes(struct strbuf *out, const char *name, const void *bytes, size_t n) {
    if (!bytes) {
        strbuf_addf(out, "\"%s\":null", name);
    } else if (utf8_is_valid(bytes, n)) {
        strbuf_addf(out, "\"%s\":", name);
        strbuf_add_json(out, bytes, n);
    } else {
        strbuf_addf(out, "\"%sBase64\":\"", name);
        base64_add(out, bytes, n);
        strbuf_adds(out, "\"");
    }
}

static void add_header_value(struct strbuf *out, const void *value, size_t n) {
    if (!value) {
        strbuf_adds(out, "null");
    } else if (utf8_is_valid(value, n)) {
        strbuf_add_json(out, value, n);
    } else {
        strbuf_adds(out, "{\"base64\":\"");
        base64_add(out, value, n);
        strbuf_adds(out, "\"}");
    }
}

/* Does a name come twice? Then an object cannot hold them. */
static bool names_repeat(rd_kafka_headers_t *h) {
    const char *a, *b;
    const void *value;
    size_t n;
    for (size_t i = 1; !rdk()->header_get_all(h, i, &a, &value, &n); i++)
        for (size_t k = 0; k < i; k++)
            if (!rdk()->header_get_all(h, k, &b, &value, &n) && !strcmp(a, b)) return true;
    return false;
}

/* {"name":value,…}, or [["name",value],…] when a name comes twice. */
static void add_headers(struct strbuf *out, const rd_kafka_message_t *m) {
    rd_kafka_headers_t *h = NULL;
    const char *name;
    const void *value;
    size_t n;
    bool pairs = !rdk()->message_headers(m, &h) && names_repeat(h);
    strbuf_adds(out, pairs ? ",\"headers\":[" : ",\"headers\":{");
    for (size_t i = 0; h && !rdk()->header_get_all(h, i, &name, &value, &n); i++) {
        if (i) strbuf_adds(out, ",");
        if (pairs) strbuf_adds(out, "[");
        strbuf_add_json(out, name, strlen(name));
        strbuf_adds(out, pairs ? "," : ":");
        add_header_value(out, value, n);
        if (pairs) strbuf_adds(out, "]");
    }
    strbuf_adds(out, pairs ? "]" : "}");
}

static void add_json(struct strbuf *out, const rd_kafka_message_t *m) {
    rd_kafka_timestamp_type_t type;
    const char *topic = rdk()->topic_name(m->rkt);
    int64_t timestamp = rdk()->message_timestamp(m, &type);
    strbuf_adds(out, "{\"topic\":");
    strbuf_add_json(out, topic, strlen(topic));
    strbuf_addf(out, ",\"partition\":%d,\"offset\":%lld,\"timestamp\":%lld,", m->partition,
                (long long)m->offset, (long long)timestamp);
    if (type == RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME) strbuf_adds(out, "\"timestampType\":\"LogAppendTime\",");
    add_bytes(out, "key", m->key, m->key_len);
    strbuf_adds(out, ",");
    add_bytes(out, "value", m->payload, m->len);
    add_headers(out, m);
    strbuf_adds(out, "}");
}

void consume_print(struct strbuf *out, const rd_kafka_message_t *m, enum consume_format format,
                   const char *delimiter, size_t delimiter_len) {
    if (format == CONSUME_JSON) {
        add_json(out, m);
    } else {
        if (format == CONSUME_KEY_VALUE) {
            strbuf_add(out, m->key, m->key_len);
            strbuf_add(out, delimiter, delimiter_len);
        }
        strbuf_add(out, m->payload, m->len);
    }
    strbuf_adds(out, "\n");
}
