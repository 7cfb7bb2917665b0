#include "config/listeners.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "config/text.h"

static const char *const protocol_names[] = {"PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"};

/* "NAME://host:port", taken apart. */
struct endpoint_text {
    const char *name, *host;
    int32_t port;
};
struct endpoint_list {
    struct endpoint_text *items;
    int32_t n;
};
/* The entries of listener.security.protocol.map, names in upper case. */
struct protocol_map {
    const char **names;
    enum security_protocol *protocols;
    int32_t n;
};

int security_protocol_parse(const char *name) {
    for (int i = 0; i < 4; i++)
        if (!strcasecmp(name, protocol_names[i])) return i;
    return -1;
}

const char *security_protocol_name(enum security_protocol p) { return protocol_names[p]; }

const struct listener *listeners_find(const struct listeners *l, const char *name) {
    for (int32_t i = 0; i < l->n; i++)
        if (!strcasecmp(l->items[i].name, name)) return &l->items[i];
    return NULL;
}

static bool map_find(const struct protocol_map *m, const char *name, enum security_protocol *p) {
    for (int32_t i = m->n - 1; i >= 0; i--) { /* the last of equal names counts */
        if (strcmp(m->names[i], name)) continue;
        *p = m->protocols[i];
        return true;
    }
    return false;
}

static int map_parse(struct arena *a, const char *text, int32_t extra, struct protocol_map *m,
                     struct strbuf *error) {
    static const char key[] = "listener.security.protocol.map";
    struct config_list pairs = text_list(a, text_trim(a, text));
    m->names = text_alloc(a, (size_t)(pairs.n + extra) * sizeof *m->names);
    m->protocols = text_alloc(a, (size_t)(pairs.n + extra) * sizeof *m->protocols);
    m->n = 0;
    for (int32_t i = 0; i < pairs.n; i++) {
        const char *pair = pairs.items[i], *colon = strrchr(pair, ':');
        if (!colon) {
            strbuf_addf(error,
                        "Error parsing configuration property '%s': \"%s\" is not of the form NAME:PROTOCOL",
                        key, pair);
            return OE_INVALID;
        }
        const char *name = text_trim(a, text_copy_n(a, pair, (size_t)(colon - pair))),
                   *value = text_trim(a, colon + 1);
        int protocol = security_protocol_parse(value);
        if (protocol < 0) {
            strbuf_addf(error, "Invalid security protocol `%s` defined in %s", value, key);
            return OE_INVALID;
        }
        if (!*name) {
            strbuf_addf(error, "%s: a listener's name is empty", key);
            return OE_INVALID;
        }
        m->names[m->n] = text_upper(a, name);
        m->protocols[m->n++] = (enum security_protocol)protocol;
    }
    return 0;
}

static bool names_secure_protocol(const char *s, size_t n) {
    for (int i = PROTOCOL_SSL; i <= PROTOCOL_SASL_SSL; i++)
        if (strlen(protocol_names[i]) == n && !strncasecmp(s, protocol_names[i], n)) return true;
    return false;
}

/* Without an explicit map, controller listeners are PLAINTEXT, unless some listener is named after a secure
 * protocol. */
static void map_add_controllers(const struct config *c, struct protocol_map *m) {
    struct config_list controllers = config_list(c, CFG_CONTROLLER_LISTENER_NAMES),
                       all = config_list(c, CFG_LISTENERS);
    if (config_raw(c, "listener.security.protocol.map")) return;
    for (int32_t i = 0; i < controllers.n; i++)
        if (names_secure_protocol(controllers.items[i], strlen(controllers.items[i]))) return;
    for (int32_t i = 0; i < all.n; i++)
        if (names_secure_protocol(all.items[i], strcspn(all.items[i], ":"))) return;
    for (int32_t i = 0; i < controllers.n; i++) {
        if (!strcmp(controllers.items[i], "PLAINTEXT")) continue;
        m->names[m->n] = controllers.items[i];
        m->protocols[m->n++] = PROTOCOL_PLAINTEXT;
    }
}

/* NAME://host:port, NAME://[v6]:port, NAME://:port */
static bool endpoint_parse(struct arena *a, const char *s, struct endpoint_text *e) {
    static const char host_chars[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-%._:";
    const char *separator = strstr(s, "://"), *colon = strrchr(s, ':');
    int64_t port;
    if (!separator || separator == s || colon < separator + 3) return false;
    const char *digits = colon + 1 + (colon[1] == '-');
    if (!isdigit((unsigned char)*digits) || !text_integer(colon + 1, INT32_MIN, INT32_MAX, &port))
        return false;
    const char *host = separator + 3, *end = colon;
    if (*host == '[' && host < end) host++;
    if (end > host && end[-1] == ']') end--;
    if (strspn(host, host_chars) < (size_t)(end - host)) return false;
    e->name = text_upper(a, text_copy_n(a, s, (size_t)(separator - s)));
    e->host = text_copy_n(a, host, (size_t)(end - host));
    e->port = (int32_t)port;
    return true;
}

static int is_v4(const char *host) {
    struct in_addr v4;
    return inet_pton(AF_INET, host, &v4) == 1;
}
static int is_v6(const char *host) {
    struct in6_addr v6;
    return inet_pton(AF_INET6, host, &v6) == 1;
}

/* Equal ports are for one IPv4 and one IPv6 address only. */
static int check_ports(const struct endpoint_list *l, const char *key, struct strbuf *error) {
    for (int32_t i = 0; i < l->n; i++) {
        int32_t same = 0, v4 = 0, v6 = 0;
        int32_t port = l->items[i].port;
        if (port == 0) continue;
        for (int32_t j = 0; j < l->n; j++) {
            if (l->items[j].port != port) continue;
            same++;
            v4 += is_v4(l->items[j].host);
            v6 += is_v6(l->items[j].host);
        }
        if (same == 1 || (same == 2 && v4 == 1 && v6 == 1)) continue;
        strbuf_addf(error,
                    "%s: port %d is used by more than one listener; each must have a different port, unless "
                    "exactly one "
                    "has an IPv4 address and the other an IPv6 address",
                    key, port);
        return OE_INVALID;
    }
    return 0;
}

static int parse_endpoints(struct arena *a, struct config_list list, const char *key,
                           const struct protocol_map *map, struct endpoint_list *to, struct strbuf *error) {
    enum security_protocol ignored;
    to->items = text_alloc(a, (size_t)list.n * sizeof *to->items);
    to->n = list.n;
    for (int32_t i = 0; i < list.n; i++) {
        struct endpoint_text *e = &to->items[i];
        if (!endpoint_parse(a, list.items[i], e)) {
            strbuf_addf(error, "%s: Unable to parse %s to a broker endpoint (NAME://host:port)", key,
                        list.items[i]);
            return OE_INVALID;
        }
        if (e->port < 0 || e->port > 65535) {
            strbuf_addf(error, "%s: port %d of %s is not from 0 to 65535", key, e->port, list.items[i]);
            return OE_INVALID;
        }
        if (!map_find(map, e->name, &ignored)) {
            strbuf_addf(error, "%s: No security protocol defined for listener %s", key, e->name);
            return OE_INVALID;
        }
        for (int32_t j = 0; j < i; j++) {
            if (strcmp(to->items[j].name, e->name)) continue;
            strbuf_addf(error, "%s: Each listener must have a different name, %s is there twice", key,
                        e->name);
            return OE_INVALID;
        }
    }
    return 0;
}

static int parse_inter_broker(const struct config *c, struct arena *a, const struct protocol_map *map,
                              struct listeners *l, struct strbuf *error) {
    const char *name = config_string(c, CFG_INTER_BROKER_LISTENER_NAME);
    if (!name) {
        l->inter_broker_protocol = (enum security_protocol)security_protocol_parse(
            config_string(c, CFG_SECURITY_INTER_BROKER_PROTOCOL));
        l->inter_broker_name = security_protocol_name(l->inter_broker_protocol);
        return 0;
    }
    if (config_raw(c, "security.inter.broker.protocol")) {
        strbuf_adds(
            error,
            "Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.");
        return OE_INVALID;
    }
    l->inter_broker_name = text_upper(a, name);
    if (map_find(map, l->inter_broker_name, &l->inter_broker_protocol)) return 0;
    strbuf_addf(error,
                "Listener with name %s defined in inter.broker.listener.name not found in "
                "listener.security.protocol.map.",
                l->inter_broker_name);
    return OE_INVALID;
}

static const struct endpoint_text *find_endpoint(const struct endpoint_list *l, const char *name) {
    for (int32_t i = 0; i < l->n; i++)
        if (!strcasecmp(l->items[i].name, name)) return &l->items[i];
    return NULL;
}

/* A controller that advertises nothing and listens everywhere is known by the address that the voters give
 * it. */
static void advertise_controller(const struct config *c, struct listener *l, bool first) {
    const struct config_node *node = config_node(c);
    if (*l->host && strcmp(l->host, "0.0.0.0")) return;
    l->advertised_host = "";
    for (int32_t i = 0; first && i < node->voters_n; i++) {
        if (node->voters[i].id != node->id) continue;
        l->advertised_host = node->voters[i].host;
        l->advertised_port = node->voters[i].port;
    }
}

static void advertise(const struct config *c, struct listener *l, const struct endpoint_list *advertised) {
    const struct endpoint_text *e = advertised ? find_endpoint(advertised, l->name) : NULL;
    l->advertised = e || !advertised || l->controller;
    l->advertised_host = e ? e->host : l->host;
    l->advertised_port = e ? e->port : l->port;
    if (l->controller && !e)
        advertise_controller(c, l,
                             !strcasecmp(l->name, config_list(c, CFG_CONTROLLER_LISTENER_NAMES).items[0]));
}

static int check_advertised(const struct config *c, const struct listeners *l,
                            const struct endpoint_list *advertised, struct strbuf *error) {
    struct config_list controllers = config_list(c, CFG_CONTROLLER_LISTENER_NAMES);
    for (int32_t i = 0; advertised && i < advertised->n; i++) {
        const char *name = advertised->items[i].name;
        if (listeners_find(l, name) || text_list_has(controllers, name)) continue;
        strbuf_addf(error,
                    "advertised.listeners listener names must be equal to or a subset of the ones defined in "
                    "listeners. %s is not one of them",
                    name);
        return OE_INVALID;
    }
    for (int32_t i = 0; i < l->n; i++) {
        if (!l->items[i].advertised || strcmp(l->items[i].advertised_host, "0.0.0.0")) continue;
        strbuf_adds(error, "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a "
                           "routable IP address.");
        return OE_INVALID;
    }
    return 0;
}

static int mark_early(const struct config *c, struct listeners *l, struct strbuf *error) {
    struct config_list controllers = config_list(c, CFG_CONTROLLER_LISTENER_NAMES);
    if (config_is_null(c, CFG_EARLY_START_LISTENERS)) {
        for (int32_t i = 0; i < l->n; i++) l->items[i].early = l->items[i].controller;
        return 0;
    }
    struct config_list early = config_list(c, CFG_EARLY_START_LISTENERS);
    for (int32_t i = 0; i < early.n; i++) {
        struct listener *found = (struct listener *)listeners_find(l, early.items[i]);
        if (found) found->early = true;
        if (found || text_list_has(controllers, early.items[i])) continue;
        strbuf_addf(error,
                    "early.start.listeners contains listener %s, but this is not contained in listeners or "
                    "controller.listener.names",
                    early.items[i]);
        return OE_INVALID;
    }
    return 0;
}

static int parse_controller(const struct config *c, const struct protocol_map *map, struct arena *a,
                            struct listeners *l, struct strbuf *error) {
    struct config_list names = config_list(c, CFG_CONTROLLER_LISTENER_NAMES);
    for (int32_t i = 0; i < names.n; i++) {
        enum security_protocol protocol;
        if (!map_find(map, text_upper(a, names.items[i]), &protocol)) {
            if (config_node(c)->standalone) continue; /* nobody will connect to it */
            strbuf_addf(error,
                        "Controller listener with name %s defined in controller.listener.names not found in "
                        "listener.security.protocol.map (it must be there when that map is set, or when a "
                        "listener is "
                        "named after a protocol other than PLAINTEXT)",
                        names.items[i]);
            return OE_INVALID;
        }
        if (i > 0) continue;
        l->controller_name = text_upper(a, names.items[i]);
        l->controller_protocol = protocol;
    }
    return 0;
}

int listeners_parse(const struct config *c, struct arena *a, struct listeners *l, struct strbuf *error) {
    struct protocol_map map;
    struct endpoint_list open, advertised;
    struct config_list controllers = config_list(c, CFG_CONTROLLER_LISTENER_NAMES);
    bool has_advertised = !config_is_null(c, CFG_ADVERTISED_LISTENERS);
    *l = (struct listeners){0};
    int err = map_parse(a, config_string(c, CFG_LISTENER_SECURITY_PROTOCOL_MAP), controllers.n, &map, error);
    if (err) return err;
    map_add_controllers(c, &map);
    for (int32_t i = 0; i < map.n; i++) map.names[i] = text_upper(a, map.names[i]);
    err = parse_endpoints(a, config_list(c, CFG_LISTENERS), "listeners", &map, &open, error);
    if (!err) err = check_ports(&open, "listeners", error);
    if (!err && has_advertised)
        err = parse_endpoints(a, config_list(c, CFG_ADVERTISED_LISTENERS), "advertised.listeners", &map,
                              &advertised, error);
    if (!err) err = parse_inter_broker(c, a, &map, l, error);
    if (!err) err = parse_controller(c, &map, a, l, error);
    if (err) return err;
    l->items = text_alloc(a, (size_t)open.n * sizeof *l->items);
    for (int32_t i = 0; i < open.n; i++) {
        struct listener *x = &l->items[l->n++];
        *x = (struct listener){
            .name = open.items[i].name, .host = open.items[i].host, .port = open.items[i].port};
        map_find(&map, x->name, &x->protocol);
        x->controller = text_list_has(controllers, x->name);
        x->inter_broker = !strcmp(x->name, l->inter_broker_name);
        advertise(c, x, has_advertised ? &advertised : NULL);
    }
    err = mark_early(c, l, error);
    return err ? err : check_advertised(c, l, has_advertised ? &advertised : NULL, error);
}
