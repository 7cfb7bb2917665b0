/* How a call runs: find the node (bootstrap list, Metadata, FindCoordinator), connect if needed, exchange,
 * look at the response's error.
 *   - no connection, or a broken one: forget it; the next attempt may choose another node (CLIENT_ANY goes
 * round)
 *   - NOT_CONTROLLER, NOT_COORDINATOR, COORDINATOR_*: forget who it is, look again
 *   - another retriable error: the same node again
 * with a pause that doubles from 50 ms to 1 s, until the deadline. When all of the bootstrap list refuses,
 * that is final at once: a human waits for the answer. */
#include "client/client.h"

#include <stdio.h>
#include <stdlib.h>

#include "api/find_coordinator.h"
#include "api/metadata.h"
#include "base/assert.h"
#include "base/kerr.h"
#include "base/mem.h"
#include "io/clock.h"

enum {
    NODES_MAX = 4096, /* of a cluster's answer */
    BOOTSTRAP_MAX = 64,
    PAUSE_FIRST_MS = 50,
    PAUSE_LAST_MS = 1000,
    CONNECT_MS = 10000, /* for one node, so that a dead one does not use up the whole time */
};

struct node {
    int32_t id;
    struct client_address address;
    struct client_connection connection;
};

struct client {
    struct client_options options;
    char *client_id;
    struct client_address *bootstrap;
    int bootstrap_n, bootstrap_at;
    struct client_connection first; /* to one of the bootstrap list */
    struct node *nodes;             /* by id */
    int nodes_n;
    int32_t *ids;
    int32_t controller;  /* -1: not known */
    int32_t coordinator; /* of coordinator_for; -1: not known */
    char *coordinator_for;
    enum client_target coordinator_kind;
    int16_t last_version;
    char why[CLIENT_WHY_MAX];
};

bool client_retriable(int16_t code) {
    switch (code) {
#define X(name, number, retriable, message)                                                                  \
    case number:                                                                                             \
        return retriable;
#include "kerr_list.h"
#undef X
    default: return false;
    }
}

static int parse_bootstrap(struct client *c, const char *list) {
    for (const char *p = list;; p++) {
        size_t n = strcspn(p, ",");
        if (c->bootstrap_n == BOOTSTRAP_MAX || client_address_parse(p, n, &c->bootstrap[c->bootstrap_n])) {
            snprintf(c->why, sizeof c->why,
                     "'%.*s' is not an address: write host:port, several with commas between", (int)n, p);
            return OE_MALFORMED;
        }
        c->bootstrap_n++;
        p += n;
        if (!*p) return 0;
    }
}

int client_create(const struct client_options *o, struct client **out) {
    struct client *c = xcalloc(1, sizeof *c);
    c->options = *o;
    c->client_id = xstrdup(o->client_id);
    c->options.client_id = c->client_id;
    c->bootstrap = xcalloc(BOOTSTRAP_MAX, sizeof *c->bootstrap);
    c->controller = c->coordinator = -1;
    client_connection_init(&c->first, c->client_id, o->max_response);
    *out = c;
    return parse_bootstrap(c, o->bootstrap);
}

static void drop_nodes(struct client *c) {
    for (int i = 0; i < c->nodes_n; i++) client_connection_close(&c->nodes[i].connection);
    free(c->nodes);
    c->nodes = NULL;
    c->nodes_n = 0;
}

void client_destroy(struct client *c) {
    if (!c) return;
    client_connection_close(&c->first);
    drop_nodes(c);
    free(c->ids);
    free(c->coordinator_for);
    free(c->bootstrap);
    free(c->client_id);
    free(c);
}

const char *client_why(const struct client *c) { return c->why; }
int16_t client_last_version(const struct client *c) { return c->last_version; }

static struct node *find_node(const struct client *c, int32_t id) {
    for (int i = 0; i < c->nodes_n; i++)
        if (c->nodes[i].id == id) return &c->nodes[i];
    return NULL;
}

const struct client_address *client_node_address(const struct client *c, int32_t id) {
    const struct node *n = find_node(c, id);
    return n ? &n->address : NULL;
}

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- connections ---- */

static int open_connection(struct client *c, struct client_connection *k, const struct client_address *to,
                           int64_t deadline) {
    if (client_connection_is_open(k)) return 0;
    int err = client_connection_open(k, to, sooner(deadline, clock_mono_ms() + CONNECT_MS));
    if (err) snprintf(c->why, sizeof c->why, "%s", k->why);
    return err;
}

/* One of the bootstrap list: the one that answered last, else each once. */
static int open_first(struct client *c, int64_t deadline) {
    int err = OE_CLOSED;
    if (client_connection_is_open(&c->first)) return 0;
    for (int i = 0; i < c->bootstrap_n; i++) {
        err = open_connection(c, &c->first, &c->bootstrap[c->bootstrap_at], deadline);
        if (!err) return 0;
        c->bootstrap_at = (c->bootstrap_at + 1) % c->bootstrap_n;
    }
    return err;
}

static int exchange(struct client *c, struct client_connection *k, const struct client_call *call,
                    int64_t deadline) {
    int version = client_version(k, call->key, call->at_most ? call->at_most : -1);
    int err = version;
    if (version >= 0) {
        c->last_version = (int16_t)version;
        err = client_exchange(k, call->key, (int16_t)version, call->request, call->response, call->arena,
                              deadline);
    }
    if (err < 0) snprintf(c->why, sizeof c->why, "%s", k->why);
    return err < 0 ? err : 0;
}

/* ---- who is who ---- */

static int compare_nodes(const void *a, const void *b) {
    int32_t x = ((const struct node *)a)->id, y = ((const struct node *)b)->id;
    return (x > y) - (x < y);
}

static int keep_nodes(struct client *c, const struct metadata_response *r) {
    if (r->brokers_n > NODES_MAX) return OE_LIMIT;
    struct node *nodes = xcalloc((size_t)r->brokers_n + 1, sizeof *nodes);
    int n = 0;
    for (int32_t i = 0; i < r->brokers_n; i++) {
        const struct metadata_response_metadata_response_broker *b = &r->brokers[i];
        if (b->host.len <= 0 || b->host.len >= CLIENT_HOST_MAX || b->port <= 0 || b->port > 65535) continue;
        struct node *to = &nodes[n++], *old = find_node(c, b->node_id);
        to->id = b->node_id;
        memcpy(to->address.host, b->host.s, (size_t)b->host.len);
        to->address.port = b->port;
        if (old && old->address.port == b->port && !strcmp(old->address.host, to->address.host)) {
            to->connection = old->connection;
            old->connection.fd = -1;
        } else {
            client_connection_init(&to->connection, c->client_id, c->options.max_response);
        }
    }
    drop_nodes(c);
    qsort(nodes, (size_t)n, sizeof *nodes, compare_nodes);
    c->nodes = nodes;
    c->nodes_n = n;
    c->controller = r->controller_id;
    return 0;
}

static int refresh(struct client *c, int64_t deadline) {
    struct arena a;
    struct metadata_request request;
    struct metadata_response response;
    struct client_call call = {.key = API_METADATA, .request = &request, .response = &response, .arena = &a};
    metadata_request_init(&request); /* no topics: the nodes alone */
    request.allow_auto_topic_creation = false;
    arena_init(&a, c->options.max_response * 2);
    int err = open_first(c, deadline);
    if (!err) err = exchange(c, &c->first, &call, deadline);
    if (!err) err = keep_nodes(c, &response);
    arena_free(&a);
    return err;
}

int client_nodes(struct client *c, const int32_t **ids, int *n) {
    int err = c->nodes_n ? 0 : refresh(c, clock_mono_ms() + c->options.timeout_ms);
    if (err) return err;
    c->ids = xrealloc(c->ids, sizeof *c->ids * (size_t)(c->nodes_n + 1));
    for (int i = 0; i < c->nodes_n; i++) c->ids[i] = c->nodes[i].id;
    *ids = c->ids;
    *n = c->nodes_n;
    return 0;
}

/* The answer's first coordinator in either form of the response. 0 or Kafka's error. */
static int16_t keep_coordinator(struct client *c, const struct find_coordinator_response *r,
                                int16_t version) {
    if (version >= 4) {
        if (r->coordinators_n < 1) return KERR_COORDINATOR_NOT_AVAILABLE;
        c->coordinator = r->coordinators[0].error_code ? -1 : r->coordinators[0].node_id;
        return r->coordinators[0].error_code;
    }
    c->coordinator = r->error_code ? -1 : r->node_id;
    return r->error_code;
}

static int find_coordinator(struct client *c, const struct client_call *for_call, int64_t deadline) {
    if (c->coordinator >= 0 && c->coordinator_kind == for_call->target &&
        !strcmp(c->coordinator_for, for_call->name))
        return 0;
    struct arena a;
    struct find_coordinator_request request;
    struct find_coordinator_response response;
    struct kstr key = kstr_of(for_call->name);
    struct client_call call = {
        .key = API_FIND_COORDINATOR, .request = &request, .response = &response, .arena = &a};
    find_coordinator_request_init(&request);
    request.key = key;
    request.coordinator_keys = &key;
    request.coordinator_keys_n = 1;
    request.key_type = for_call->target == CLIENT_TRANSACTION;
    arena_init(&a, c->options.max_response * 2);
    int16_t last = c->last_version;
    int err = open_first(c, deadline);
    if (!err) err = exchange(c, &c->first, &call, deadline);
    if (!err) {
        int16_t code = keep_coordinator(c, &response, c->last_version);
        if (code) {
            snprintf(c->why, sizeof c->why, "no coordinator for %s: %s", for_call->name, kerr_name(code));
            err = client_retriable(code) ? OE_AGAIN : OE_INVALID;
        }
    }
    c->last_version = last;
    arena_free(&a);
    if (err) return err;
    free(c->coordinator_for);
    c->coordinator_for = xstrdup(for_call->name);
    c->coordinator_kind = for_call->target;
    return find_node(c, c->coordinator) ? 0 : refresh(c, deadline);
}

/* The connection that the call belongs on, open. */
static int choose(struct client *c, const struct client_call *call, int64_t deadline,
                  struct client_connection **k) {
    int32_t id = call->node;
    int err = 0;
    *k = &c->first;
    switch (call->target) {
    case CLIENT_ANY: return open_first(c, deadline);
    case CLIENT_CONTROLLER:
        if (c->controller < 0) err = refresh(c, deadline);
        id = c->controller;
        break;
    case CLIENT_NODE:
        if (!find_node(c, id)) err = refresh(c, deadline);
        break;
    default:
        err = find_coordinator(c, call, deadline);
        id = c->coordinator;
        break;
    }
    if (err) return err;
    struct node *n = find_node(c, id);
    if (n) {
        *k = &n->connection;
        return open_connection(c, &n->connection, &n->address, deadline);
    }
    if (call->target == CLIENT_CONTROLLER) { /* any broker forwards to it */
        return open_first(c, deadline);
    }
    snprintf(c->why, sizeof c->why, "node %d is not in the cluster, or not available", id);
    return OE_AGAIN;
}

/* After an error: what must be looked up anew. */
static void forget(struct client *c, const struct client_call *call) {
    c->controller = -1;
    if (call->target == CLIENT_GROUP || call->target == CLIENT_TRANSACTION) c->coordinator = -1;
}

static bool worth_another(int err) { return err == OE_CLOSED || err == OE_TIMEOUT || err == OE_AGAIN; }

int client_do(struct client *c, const struct client_call *call) {
    int64_t deadline = clock_mono_ms() + c->options.timeout_ms;
    ASSERT(call->request && call->response && call->arena);
    for (int pause = PAUSE_FIRST_MS;; pause = pause * 2 < PAUSE_LAST_MS ? pause * 2 : PAUSE_LAST_MS) {
        struct client_connection *k;
        bool had_connection = client_connection_is_open(&c->first);
        int err = choose(c, call, deadline, &k);
        if (err && !had_connection && !client_connection_is_open(&c->first)) return err; /* nobody is there */
        if (!err) err = exchange(c, k, call, deadline);
        int16_t code = !err && call->error ? call->error(call->response) : 0;
        if (!err && (!code || !client_retriable(code))) return 0;
        if (err && !worth_another(err)) return err;
        if (clock_mono_ms() + pause >= deadline) return err; /* 0: the response with its error */
        forget(c, call);
        clock_sleep_ms(pause);
    }
}
