/* Bytes of the reference's classes decode, encode back to the same bytes, have the size that X_size says, and
 * print as the JSON that the reference's converters print (compared by checksum). Every version of every
 * message has samples. */
#include <stdio.h>
#include <stdlib.h>

#include "base/crc32c.h"
#include "golden.h"
#include "wire/message.h"

enum { MEMORY = 16 << 20, MOST_FAILURES = 10, SAMPLES_OF_VERSION = 7 };

struct result {
    int failed, json;
    bool seen[1000][32]; /* by message and version */
};

static void print_bytes(const char *what, const uint8_t *p, size_t n) {
    printf("  %s:", what);
    for (size_t i = 0; i < n && i < 400; i++) printf(" %02x", p[i]);
    printf("\n");
}

static void fail(struct result *result, const struct golden_sample *s, const char *what) {
    if (++result->failed <= MOST_FAILURES)
        printf("%s version %d sample %d: %s\n", s->message->name, s->version, s->number, what);
}

static void check_json(struct result *result, const struct golden_sample *s, const void *x) {
    struct strbuf out;
    strbuf_init(&out, MEMORY);
    shape_json(s->message->shape, x, &out, s->version);
    if (s->json_crc && crc32c(0, strbuf_str(&out), out.len) != s->json_crc) {
        fail(result, s, "JSON differs");
        if (result->failed <= MOST_FAILURES) printf("  %s\n", strbuf_str(&out));
    }
    result->json += s->json_crc != 0;
    strbuf_free(&out);
}

/* The first sample of each version is as its class constructs it: with the schema's defaults. */
static void check_defaults(struct result *result, const struct golden_sample *s, void *x) {
    struct writer w;
    if (s->number % SAMPLES_OF_VERSION) return;
    writer_init(&w, MEMORY);
    s->message->init(x);
    if (s->message->encode(x, &w, s->version) || writer_len(&w) != (size_t)s->len ||
        (s->len && memcmp(w.buf, s->bytes, (size_t)s->len)))
        fail(result, s, "defaults differ");
    writer_free(&w);
}

static void check(const struct golden_sample *s, void *context) {
    struct result *result = context;
    const struct message *m = s->message;
    struct arena a;
    struct writer w;
    arena_init(&a, MEMORY);
    writer_init(&w, MEMORY);
    struct reader r = reader_of(s->bytes, (size_t)s->len);
    void *x = arena_alloc(&a, m->shape->size);
    memset(x, 0xa5, m->shape->size); /* decode must set every field */
    if (m->decode(x, &r, s->version, &a) || reader_left(&r)) {
        fail(result, s, r.err ? "does not decode" : "bytes are left");
    } else if (m->encode(x, &w, s->version)) {
        fail(result, s, "does not encode");
    } else if (writer_len(&w) != (size_t)s->len || (s->len && memcmp(w.buf, s->bytes, (size_t)s->len))) {
        fail(result, s, "bytes differ");
        print_bytes("theirs", s->bytes, (size_t)s->len);
        print_bytes("ours  ", w.buf, writer_len(&w));
    } else {
        check_json(result, s, x);
    }
    check_defaults(result, s, x);
    for (int i = 0; i < messages_n; i++)
        if (messages[i] == m && s->version < 32) result->seen[i][s->version] = true;
    writer_free(&w);
    arena_free(&a);
}

int main(int argc, char **argv) {
    struct result *result = calloc(1, sizeof *result);
    if (argc != 2 || !result) return 2;
    int total = golden_each(argv[1], check, result), versions = 0;
    for (int i = 0; i < messages_n; i++) {
        for (int16_t v = messages[i]->first; v <= messages[i]->last; v++, versions++) {
            if (result->seen[i][v]) continue;
            printf("%s version %d has no golden bytes\n", messages[i]->name, v);
            result->failed++;
        }
    }
    printf("%d messages, %d versions, %d samples (%d with JSON), %d failed\n", messages_n, versions, total,
           result->json, result->failed);
    int status = result->failed || !total;
    free(result);
    return status;
}
