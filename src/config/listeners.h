/* The listeners of a node: what it opens, what it advertises, and how brokers and controllers reach each
 * other.
 *
 * From listeners, advertised.listeners, listener.security.protocol.map, controller.listener.names,
 * inter.broker.listener.name, security.inter.broker.protocol and early.start.listeners, with the rules of
 * KafkaConfig and AbstractKafkaConfig. Immutable; lives as long as the configuration that made it. */
#ifndef OTTLA_CONFIG_LISTENERS_H
#define OTTLA_CONFIG_LISTENERS_H

#include <stdbool.h>
#include <stdint.h>

struct arena;
struct config;
struct strbuf;

enum security_protocol {
    PROTOCOL_PLAINTEXT,
    PROTOCOL_SSL,
    PROTOCOL_SASL_PLAINTEXT,
    PROTOCOL_SASL_SSL
}; /* wire ids */

struct listener {
    const char *name; /* upper case */
    const char *host; /* "" is every address; IPv6 without brackets */
    const char
        *advertised_host; /* "" means: this machine's own name (only when the listener has no host either) */
    int32_t port;         /* 0: any */
    int32_t advertised_port;
    enum security_protocol protocol;
    bool controller;   /* named in controller.listener.names */
    bool advertised;   /* registered with the cluster */
    bool inter_broker; /* brokers use it among themselves */
    bool early;        /* opened before the authorizer is ready */
};

struct listeners {
    struct listener *items; /* in the order of `listeners` */
    int32_t n;
    const char *inter_broker_name;
    enum security_protocol inter_broker_protocol;
    const char
        *controller_name; /* the first of controller.listener.names: how to reach controllers; or NULL */
    enum security_protocol controller_protocol;
};

/* "SASL_SSL" → PROTOCOL_SASL_SSL, any case; -1: none of them. */
int security_protocol_parse(const char *name);
const char *security_protocol_name(enum security_protocol p);
/* By name, any case; NULL: none. */
const struct listener *listeners_find(const struct listeners *l, const char *name);

/* Reads and checks all of it, in the arena. Returns 0, or OE_INVALID with one sentence. */
int listeners_parse(const struct config *c, struct arena *a, struct listeners *l, struct strbuf *error);

#endif
