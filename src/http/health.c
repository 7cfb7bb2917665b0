/* Ready: the listeners are open and the node is not about to stop; it is registered and not fenced in the
 * metadata that is in force here; no log directory has failed. */
#include "http/health.h"

#include <string.h>

#include "base/strbuf.h"
#include "metadata/image.h"
#include "server/node.h"
#include "storage/logdir.h"

struct report {
    struct strbuf *checks, *causes;
    bool ready;
};

static void add(struct report *r, const char *check, bool ok, const char *cause) {
    strbuf_addf(r->checks, "%s\"%s\":%s", r->checks->len ? "," : "", check, ok ? "true" : "false");
    if (ok) return;
    if (r->causes->len) strbuf_adds(r->causes, ",");
    strbuf_add_json(r->causes, cause, strlen(cause));
    r->ready = false;
}

static void look_at_metadata(struct report *r, struct node *n) {
    struct image *image = node_image(n);
    const struct broker *self = image_broker(image, n->id);
    add(r, "metadata", self && self->epoch == n->broker_epoch, "the metadata does not know this broker yet");
    add(r, "unfenced", self && !self->fenced, "the broker is fenced");
    image_unref(image);
}

static void look_at_directories(struct report *r, struct node *n) {
    struct strbuf cause;
    strbuf_init(&cause, 64 << 10);
    for (int i = 0; i < n->logdirs_n; i++)
        if (logdir_is_offline(n->logdirs[i]))
            strbuf_addf(&cause, "%s%s",
                        cause.len ? ", " : "log directory offline: ", logdir_path(n->logdirs[i]));
    add(r, "directories", !cause.len, strbuf_str(&cause));
    strbuf_free(&cause);
}

bool health_ready(struct node *n, bool leaving, struct strbuf *json) {
    struct strbuf checks, causes;
    strbuf_init(&checks, 4096);
    strbuf_init(&causes, 128 << 10);
    struct report r = {&checks, &causes, true};
    add(&r, "listeners", n->endpoints_n > 0, "no listener is open");
    add(&r, "running", !leaving, "the node is stopping");
    look_at_metadata(&r, n);
    look_at_directories(&r, n);
    strbuf_addf(json, "{\"status\":\"%s\",\"causes\":[%s],\"checks\":{%s}}\n",
                r.ready ? "ready" : "not ready", strbuf_str(&causes), strbuf_str(&checks));
    strbuf_free(&checks);
    strbuf_free(&causes);
    return r.ready;
}
