#include "cli/admin.h"

#include <stdlib.h>

#include "base/kerr.h"
#include "base/mem.h"

enum { RESPONSE_MAX = 256 << 20 };

const char *admin_bootstrap(const struct cli *c) {
    const char *given = cli_get(c, "bootstrap-server"), *env = getenv("OTTLA_BOOTSTRAP");
    return given ? given : env && *env ? env : "127.0.0.1:9092";
}

int admin_begin(struct cli *c, struct admin *a) {
    memset(a, 0, sizeof *a);
    arena_init(&a->arena, (size_t)RESPONSE_MAX * 8);
    a->timeout_ms = (int)cli_number(c, "timeout-ms", 1, 3600000, 30000);
    if (c->failed) return c->failed;
    struct client_options o = {.bootstrap = admin_bootstrap(c),
                               .client_id = "ottla-cli",
                               .timeout_ms = a->timeout_ms,
                               .max_response = RESPONSE_MAX};
    if (client_create(&o, &a->client))
        return cli_wrong_usage("--bootstrap-server: %s", client_why(a->client));
    return 0;
}

void admin_end(struct admin *a) {
    client_destroy(a->client);
    arena_free(&a->arena);
}

int admin_done(struct admin *a, int err) {
    if (!err) return 0;
    const char *hint = err == OE_CLOSED || err == OE_TIMEOUT || err == OE_NOTFOUND
                           ? "; is the broker up, and is -b HOST:PORT right?"
                           : "";
    return cli_fail("%s%s", client_why(a->client), hint);
}

int admin_call(struct admin *a, const struct client_call *call) {
    return admin_done(a, client_do(a->client, call));
}

int admin_ask(struct admin *a, int16_t key, const void *request, void *response) {
    return admin_call(
        a, &(struct client_call){.key = key, .request = request, .response = response, .arena = &a->arena});
}

const char *admin_error_text(struct admin *a, int16_t code, struct kstr message) {
    if (message.len > 0) return admin_cstr(a, message);
    const char *text = kerr_message(code);
    return *text ? text : kerr_name(code);
}

int admin_refused(const char *what, int16_t code, struct kstr message) {
    const char *standard =
        code == KERR_UNKNOWN_TOPIC_OR_PARTITION ? "there is no such topic or partition" : kerr_message(code);
    if (message.len > 0 && code != KERR_UNKNOWN_TOPIC_OR_PARTITION)
        return cli_fail("%s: %.*s (%s)", what, (int)message.len, message.s, kerr_name(code));
    return cli_fail("%s: %s (%s)", what, *standard ? standard : "refused", kerr_name(code));
}

int admin_metadata(struct admin *a, char *const *names, int n, struct metadata_response *r) {
    struct metadata_request q;
    metadata_request_init(&q);
    q.allow_auto_topic_creation = false;
    q.topics_n = names ? n : -1;
    q.topics = arena_calloc(&a->arena, (size_t)n + 1, sizeof *q.topics);
    if (!q.topics) return cli_fail("too many topics");
    for (int i = 0; names && i < n; i++) {
        metadata_request_metadata_request_topic_init(&q.topics[i]);
        q.topics[i].name = kstr_of(names[i]);
    }
    return admin_ask(a, API_METADATA, &q, r);
}

int admin_parse_ints(struct admin *a, const char *text, size_t len, char separator, int32_t **v, int32_t *n) {
    const char *end = text + len;
    *n = 0;
    *v = arena_calloc(&a->arena, len / 2 + 1, sizeof **v);
    if (!*v) return OE_LIMIT;
    for (const char *p = text;; p++) {
        int64_t x = 0;
        const char *start = p;
        for (; p < end && *p >= '0' && *p <= '9' && x <= INT32_MAX; p++) x = x * 10 + (*p - '0');
        if (p == start || x > INT32_MAX || (p < end && *p != separator)) return OE_MALFORMED;
        (*v)[(*n)++] = (int32_t)x;
        if (p == end) return 0;
    }
}

const char *admin_cstr(struct admin *a, struct kstr s) {
    const char *copy = s.len > 0 ? arena_strndup(&a->arena, s.s, (size_t)s.len) : "";
    return copy ? copy : "";
}
