/* The lines that `ottla produce` reads. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "cli/produce.h"
#include "cli/text.h"

void produce_record_init(struct produce_record *r) {
    memset(r, 0, sizeof *r);
    strbuf_init(&r->bytes, PRODUCE_LINE_MAX);
    produce_record_reset(r);
}

void produce_record_reset(struct produce_record *r) {
    r->key = r->value = NULL;
    r->key_len = r->value_len = 0;
    r->partition = -1;
    r->timestamp = 0;
    r->headers_n = 0;
    strbuf_reset(&r->bytes);
    json_decref(r->json);
    r->json = NULL;
}

void produce_record_free(struct produce_record *r) {
    produce_record_reset(r);
    strbuf_free(&r->bytes);
}

void produce_split(struct produce_record *r, const char *line, size_t n, const char *delimiter,
                   size_t delimiter_len) {
    const char *at = delimiter_len ? memmem(line, n, delimiter, delimiter_len) : NULL;
    r->key = at ? line : NULL;
    r->key_len = at ? (size_t)(at - line) : 0;
    r->value = at ? at + delimiter_len : line;
    r->value_len = n - (at ? r->key_len + delimiter_len : 0);
}

/* The bytes of a field: a string as it is, null, or anything else as JSON. base64: of the field with that
 * suffix. The offset in r->bytes is kept in *at because the buffer may still move. */
static int take(struct produce_record *r, json_t *v, bool base64, const void **bytes, size_t *n, long *at) {
    *at = -1;
    if (json_is_null(v)) return 0;
    if (json_is_string(v) && !base64) {
        *bytes = json_string_value(v);
        *n = json_string_length(v);
        return 0;
    }
    *at = (long)r->bytes.len;
    if (base64) {
        if (!json_is_string(v) || base64_decode(json_string_value(v), json_string_length(v), &r->bytes))
            return OE_MALFORMED;
    } else {
        char *text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
        if (!text) return OE_MALFORMED;
        strbuf_adds(&r->bytes, text);
        free(text);
    }
    *n = r->bytes.len - (size_t)*at;
    return 0;
}

static int take_header(struct produce_record *r, const char *name, size_t name_len, json_t *v) {
    json_t *base64 = json_is_object(v) && json_object_size(v) == 1 ? json_object_get(v, "base64") : NULL;
    if (r->headers_n == PRODUCE_HEADERS_MAX || (!base64 && !json_is_string(v) && !json_is_null(v)))
        return OE_MALFORMED;
    struct produce_header *h = &r->headers[r->headers_n++];
    *h = (struct produce_header){.name = name, .name_len = name_len};
    return take(r, base64 ? base64 : v, base64 != NULL, &h->value, &h->value_len, &h->at);
}

static int take_headers(struct produce_record *r, json_t *headers) {
    const char *name;
    json_t *v;
    size_t i;
    int err = 0;
    if (json_is_object(headers)) {
        json_object_foreach(headers, name, v) {
            if (!err) err = take_header(r, name, strlen(name), v);
        }
        return err;
    }
    if (!json_is_array(headers)) return OE_MALFORMED;
    json_array_foreach(headers, i, v) {
        json_t *key = json_array_get(v, 0), *value = json_array_get(v, 1);
        if (!json_is_string(key) || !value || json_array_size(v) != 2) return OE_MALFORMED;
        if (!err) err = take_header(r, json_string_value(key), json_string_length(key), value);
    }
    return err;
}

static int take_field(struct produce_record *r, const char *name, json_t *v, ssize_t *key_at,
                      ssize_t *value_at) {
    if (!strcmp(name, "key") || !strcmp(name, "keyBase64"))
        return take(r, v, name[3] != 0, &r->key, &r->key_len, key_at);
    if (!strcmp(name, "value") || !strcmp(name, "valueBase64"))
        return take(r, v, name[5] != 0, &r->value, &r->value_len, value_at);
    if (!strcmp(name, "headers")) return take_headers(r, v);
    if (!strcmp(name, "partition")) {
        if (!json_is_integer(v) || json_integer_value(v) < -1 || json_integer_value(v) > INT32_MAX)
            return OE_MALFORMED;
        r->partition = (int32_t)json_integer_value(v);
    }
    if (!strcmp(name, "timestamp")) {
        if (!json_is_integer(v)) return OE_MALFORMED;
        r->timestamp = json_integer_value(v);
    }
    return 0;
}

int produce_parse_json(struct produce_record *r, const char *line, size_t n, char why[200]) {
    json_error_t error;
    const char *name;
    json_t *v, *top = json_loadb(line, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    long key_at = -1, value_at = -1;
    r->json = top;
    if (!top || !json_is_object(top)) {
        snprintf(why, 200, "%s", top ? "it must be an object: {\"key\": …, \"value\": …}" : error.text);
        return OE_MALFORMED;
    }
    json_object_foreach(top, name, v) {
        if (!take_field(r, name, v, &key_at, &value_at)) continue;
        snprintf(why, 200, "\"%s\" is not what it must be", name);
        return OE_MALFORMED;
    }
    if (key_at >= 0) r->key = strbuf_str(&r->bytes) + key_at;
    if (value_at >= 0) r->value = strbuf_str(&r->bytes) + value_at;
    for (int i = 0; i < r->headers_n; i++)
        if (r->headers[i].at >= 0) r->headers[i].value = strbuf_str(&r->bytes) + r->headers[i].at;
    return 0;
}
