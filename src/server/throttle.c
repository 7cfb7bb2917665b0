/* States of a connection: open → (a request is above a limit: c->throttled, nothing new begins) → its answer
 * is made: the timer runs → open. Answers of requests that had begun go out in the meantime.
 *
 * Before: server/dispatch, server/request, handlers/fetch. After: quota/quotas. */
#include "server/throttle.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/log.h"
#include "base/mem.h"
#include "config/config.h"
#include "io/clock.h"
#include "metadata/image.h"
#include "server/connection.h"
#include "server/net.h"
#include "server/node.h"
#include "server/principal.h"
#include "wire/api.h"

struct throttle {
    struct timer timer;
    struct connection *connection;
    int64_t until; /* of the timer; 0: none */
    uint32_t generation;
    struct kstr client_id; /* whose meters these are */
    struct meter *meters[QUOTA_TYPES];
};

/* ---- meters ---- */

static void drop_meters(struct throttle *t) {
    for (int i = 0; i < QUOTA_TYPES; i++) {
        meter_unref(t->meters[i]);
        t->meters[i] = NULL;
    }
}

static void on_due(struct timer *timer) {
    struct throttle *t = (struct throttle *)timer;
    t->until = 0;
    t->connection->throttled = false;
    connection_answer(t->connection);
}

static struct throttle *throttle_of(struct connection *c) {
    if (c->throttle) return c->throttle;
    c->throttle = xcalloc(1, sizeof *c->throttle);
    c->throttle->timer.on_due = on_due;
    c->throttle->connection = c;
    return c->throttle;
}

void throttle_free(struct net *n, struct throttle *t) {
    if (!t) return;
    loop_timer_cancel(n->loop, &t->timer);
    drop_meters(t);
    free((char *)(uintptr_t)t->client_id.s);
    free(t);
}

static void find_meters(struct throttle *t, const struct request *r, int64_t now) {
    struct node *n = r->node;
    struct kstr user = request_principal(r).name, client_id = r->client_id;
    drop_meters(t);
    t->generation = quotas_generation(&n->quotas);
    if (!kstr_equal(t->client_id, client_id)) {
        free((char *)(uintptr_t)t->client_id.s);
        t->client_id = (struct kstr){client_id.len > 0 ? xstrndup(client_id.s, (size_t)client_id.len) : NULL,
                                     client_id.len};
    }
    for (int i = 0; i < QUOTA_TYPES; i++)
        t->meters[i] = quotas_meter(&n->quotas, (enum quota_type)i, user, t->client_id, now);
}

/* NULL: the client has no limit of that type. */
static struct meter *meter_of(struct request *r, enum quota_type type) {
    int64_t now = loop_now(r->net->loop);
    if (!r->conn) return NULL;
    struct throttle *t = throttle_of(r->conn);
    bool same =
        t->generation == quotas_generation(&r->node->quotas) && kstr_equal(t->client_id, r->client_id);
    if (!same || (t->meters[type] && !meter_is_live(t->meters[type]))) find_meters(t, r, now);
    return t->meters[type];
}

/* ---- silence ---- */

/* The answer goes now; nothing more is read for that long. */
static void silence(struct request *r, struct meter *m, int32_t ms) {
    struct connection *c = r->conn;
    struct throttle *t = throttle_of(c);
    int64_t until = loop_now(r->net->loop) + ms + 1; /* the loop's clock may be so much behind */
    c->throttled = true;
    if (m) meter_throttled(m, ms);
    if (until <= t->until) return;
    t->until = until;
    loop_timer_set(r->net->loop, &t->timer, until);
}

static void write_time(struct request *r) {
    int at = r->handler->throttle_at;
    if (at < 0 || !r->out) return;
    int32_t *field = (int32_t *)((char *)(uintptr_t)r->out + at); /* in the request's memory */
    if (*field < r->throttle_ms) *field = r->throttle_ms;
}

/* ---- the request ---- */

static int64_t now_ms(const struct request *r) { return loop_now(r->net->loop); }

void throttle_begin(struct request *r, size_t bytes) {
    r->metered = true;
    if (r->client_id.len > 0 && r->handler->flags & API_PIPELINED) { /* it may outlive its buffer */
        const char *copy = arena_strndup(&r->arena, r->client_id.s, (size_t)r->client_id.len);
        r->client_id = (struct kstr){copy ? copy : "", copy ? r->client_id.len : 0};
    }
    struct meter *m = r->handler->key == API_PRODUCE ? meter_of(r, QUOTA_PRODUCE) : NULL;
    if (m) r->throttle_ms = meter_record_throttle(m, r->net->index, (int64_t)bytes, now_ms(r));
    if (r->throttle_ms) r->conn->throttled = true;
    if (throttle_on(r->node) & 1u << QUOTA_REQUEST) {
        r->net->handling = r;
        r->net->handling_since = clock_mono_ns();
    }
}

void throttle_handled(struct request *r) {
    if (r->net->handling != r) return;
    r->local_ns = clock_mono_ns() - r->net->handling_since;
    r->net->handling = NULL;
}

/* What brokers ask of each other. */
static bool is_exempt(const struct request *r) {
    return r->silent || r->handler->key == API_WRITE_TXN_MARKERS;
}

/* Counts the time of the request. */
static int32_t record_time(struct request *r) {
    r->charged = true;
    struct meter *m = is_exempt(r) ? NULL : meter_of(r, QUOTA_REQUEST);
    if (!m) return 0;
    int64_t ns = r->net->handling == r ? clock_mono_ns() - r->net->handling_since : r->local_ns;
    return meter_record_throttle(m, r->net->index, ns, now_ms(r));
}

static enum quota_type type_of(const struct request *r) {
    if (r->handler->key == API_PRODUCE) return QUOTA_PRODUCE;
    return r->handler->key == API_FETCH ? QUOTA_FETCH : QUOTA_MUTATION;
}

void throttle_finish(struct request *r) {
    if (!r->conn) return;
    int32_t own = r->throttle_ms, time = r->charged ? 0 : record_time(r);
    bool by_time = time >= own && time > 0;
    if (by_time) r->throttle_ms = time;
    if (!r->throttle_ms) return;
    write_time(r);
    silence(r, meter_of(r, by_time ? QUOTA_REQUEST : type_of(r)), r->throttle_ms);
}

int64_t throttle_clock(const struct connection *c) {
    return throttle_on(c->net->node) & 1u << QUOTA_REQUEST ? clock_mono_ns() : 0;
}

void throttle_spent(struct connection *c, int64_t since) {
    struct meter *m = c->throttle ? c->throttle->meters[QUOTA_REQUEST] : NULL;
    if (since && m) meter_record(m, c->net->index, clock_mono_ns() - since, loop_now(c->net->loop));
}

/* ---- Fetch ---- */

int32_t throttle_fetch_most(struct request *r) {
    struct meter *m = meter_of(r, QUOTA_FETCH);
    double most = m ? meter_most(m) : INT32_MAX;
    return most < INT32_MAX ? (int32_t)most : INT32_MAX;
}

bool throttle_fetch(struct request *r, size_t bytes) {
    if (!r->conn) return false;
    int32_t time = record_time(r), own = 0;
    struct meter *m = meter_of(r, QUOTA_FETCH);
    if (m) own = meter_record_throttle(m, r->net->index, (int64_t)bytes, now_ms(r));
    r->throttle_ms = own > time ? own : time;
    if (r->throttle_ms && m) meter_record(m, r->net->index, -(int64_t)bytes, now_ms(r));
    return r->throttle_ms > 0;
}

/* ---- changes of topics ---- */

void change_quota_begin(struct change_quota *q, struct request *r, int16_t strict_since) {
    *q = (struct change_quota){.strict = r->version >= strict_since};
    if (!(throttle_on(r->node) & 1u << QUOTA_MUTATION)) return;
    q->meter =
        quotas_meter(&r->node->quotas, QUOTA_MUTATION, request_principal(r).name, r->client_id, now_ms(r));
}

bool change_quota_take(void *arg, int32_t partitions) {
    struct change_quota *q = arg;
    if (!q->meter) return true;
    int32_t ms = 0;
    bool taken = meter_take(q->meter, partitions, q->strict, clock_mono_ms(), &ms);
    if (ms) q->throttle_ms = ms;
    return taken;
}

void change_quota_free(struct change_quota *q) {
    meter_unref(q->meter);
    q->meter = NULL;
}

void change_quota_end(const struct change_quota *q, struct request *r) {
    if (q->throttle_ms > r->throttle_ms) r->throttle_ms = q->throttle_ms;
}

/* ---- the node ---- */

void throttle_init(struct node *n) {
    struct rate_window w = {(int32_t)config_int(n->config, CFG_QUOTA_WINDOW_NUM),
                            config_int(n->config, CFG_QUOTA_WINDOW_SIZE_SECONDS) * 1000};
    struct rate_window changes = {(int32_t)config_int(n->config, CFG_CONTROLLER_QUOTA_WINDOW_NUM),
                                  config_int(n->config, CFG_CONTROLLER_QUOTA_WINDOW_SIZE_SECONDS) * 1000};
    quotas_init(&n->quotas,
                &(struct quotas_options){
                    .shards = n->nets_n, .window = w, .changes_window = changes, .seed = n->seed});
}

static void side_of(const struct quota_part *part, enum limit_side *side, struct kstr *name) {
    *side = part->name ? SIDE_NAMED : SIDE_DEFAULT;
    *name = kstr_of(part->name);
}

static void set_limits(struct limits *l, const struct quota_entity *q) {
    struct limit_entity e = {0};
    for (int32_t i = 0; i < q->parts_n; i++) {
        if (!strcmp(q->parts[i].type, "user")) side_of(&q->parts[i], &e.user, &e.user_name);
        if (!strcmp(q->parts[i].type, "client-id")) side_of(&q->parts[i], &e.client, &e.client_name);
    }
    if (!e.user && !e.client) return;
    for (int32_t i = 0; i < q->values_n; i++) {
        int type = quota_type_of(q->values[i].key);
        if (type >= 0) limits_set(l, (enum quota_type)type, &e, q->values[i].value);
    }
}

void throttle_load(struct node *n, const struct image *image) {
    struct limits *l = limits_new(n->seed);
    struct pmap_iter it;
    pmap_iterate(&image->quotas, &it);
    for (const struct quota_entity *q; (q = pmap_next(&it));) set_limits(l, q);
    if (image->quotas.count)
        LOG_INFO("server", "client quotas: %zu entities have some; kept:%s%s%s%s", image->quotas.count,
                 limits_any(l, QUOTA_PRODUCE) ? " producer_byte_rate" : "",
                 limits_any(l, QUOTA_FETCH) ? " consumer_byte_rate" : "",
                 limits_any(l, QUOTA_REQUEST) ? " request_percentage" : "",
                 limits_any(l, QUOTA_MUTATION) ? " controller_mutation_rate" : "");
    quotas_apply(&n->quotas, l);
}
