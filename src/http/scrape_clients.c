/* What clients say of themselves (KIP-714): the newest value of each of their metrics, in one family, because
 * their names are their own and might be ours. VALUES_MAX of them. */
#include "http/scrape.h"

#include <string.h>

#include "server/client_metrics.h"
#include "server/node.h"

enum { VALUES_MAX = 20000, NAMES_MAX = 64 };

static const char *const ours[] = {"instance", "client", "software", "software_version", "address", "metric"};
enum { OURS = sizeof ours / sizeof *ours };

/* One of name="value",…: its end, behind the closing quote; NULL: none. */
static const char *end_of_label(const char *p) {
    p = strchr(p, '"');
    if (!p) return NULL;
    for (p++; *p && *p != '"'; p++)
        if (*p == '\\' && p[1]) p++;
    return *p ? p + 1 : NULL;
}

/* Names of labels may come once: a client's that is ours, or that it has said already, is left out. */
static bool is_new(const char *label, size_t n, const char *const *seen, const size_t *lengths, int seen_n) {
    for (int i = 0; i < OURS; i++)
        if (strlen(ours[i]) == n && !memcmp(ours[i], label, n)) return false;
    for (int i = 0; i < seen_n; i++)
        if (lengths[i] == n && !memcmp(seen[i], label, n)) return false;
    return true;
}

static void add_labels(struct strbuf *to, const char *labels) {
    const char *seen[NAMES_MAX], *end;
    size_t lengths[NAMES_MAX];
    int seen_n = 0;
    for (const char *p = labels; *p && seen_n < NAMES_MAX && (end = end_of_label(p));
         p = *end == ',' ? end + 1 : end) {
        size_t n = strcspn(p, "=");
        if (is_new(p, n, seen, lengths, seen_n)) {
            strbuf_add(to, ",", 1);
            strbuf_add(to, p, (size_t)(end - p));
            seen[seen_n] = p;
            lengths[seen_n++] = n;
        }
        if (*end != ',') break;
    }
}

static void see(void *arg, const struct client_metrics_value *v) {
    struct scrape *s = arg;
    char instance[UUID_TEXT];
    if (s->at++ >= VALUES_MAX) return;
    const struct metric_label labels[] = {{ours[0], kstr_of(uuid_format(&v->instance, instance))},
                                          {ours[1], kstr_of(v->client_id)},
                                          {ours[2], kstr_of(v->software_name)},
                                          {ours[3], kstr_of(v->software_version)},
                                          {ours[4], kstr_of(v->address)},
                                          {ours[5], kstr_of(v->name)},
                                          {0}};
    struct strbuf more;
    strbuf_init(&more, 64 << 10);
    add_labels(&more, v->labels);
    metric_sample_with(&s->out, METRIC_CLIENT_VALUE, labels, strbuf_str(&more), v->value);
    strbuf_free(&more);
}

bool scrape_clients(struct scrape *s) {
    metric_head(&s->out, METRIC_CLIENT_VALUE);
    if (s->node->client_metrics) client_metrics_each(s->node->client_metrics, see, s);
    return false;
}
