/* How many connections there may be: the node's (max.connections), a listener's
 * (listener.name.x.max.connections) and an address's (max.connections.per.ip and its overrides).
 * SocketServer.ConnectionQuotas.
 *
 * The node and its listeners: who comes too late waits in the kernel's queue until somebody leaves. The
 * listener between brokers, when it is not the only one, is not bound by the node's limit: brokers must reach
 * each other; the others then make room, idle ones first. An address: refused at once.
 *
 * Counts and limits are under one lock; any thread. */
#ifndef OTTLA_SERVER_CONNECTION_LIMITS_H
#define OTTLA_SERVER_CONNECTION_LIMITS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/hashmap.h"

struct config;

struct connection_limits {
    pthread_mutex_t lock;
    struct hashmap by_host; /* of struct from_address */
    int count, leaving;     /* leaving: of those, who was told to make room */
    int listeners_n;        /* that are open */
    int max, max_per_ip;
    struct address_limit *overrides; /* owned */
    int overrides_n;
};

/* A listener's part; owned by its acceptor. */
struct listener_limit {
    const char *name; /* borrowed */
    int count, max;
    bool inter_broker;
};

void connection_limits_init(struct connection_limits *l, uint64_t seed);
void connection_limits_free(struct connection_limits *l);
/* Takes the limits of the configuration; looks up host names, so it may block. */
void connection_limits_set(struct connection_limits *l, const struct config *c);
/* The listener's own; to be called again when the configuration changes. */
void connection_limits_set_listener(struct connection_limits *l, struct listener_limit *one,
                                    const struct config *c);
void connection_limits_add_listener(struct connection_limits *l);
void connection_limits_remove_listener(struct connection_limits *l);

/* May another connection come in by this listener? */
bool connection_limits_room(struct connection_limits *l, const struct listener_limit *one);
/* Counts one in; false: its address has as many as it may, *most, and nothing is counted. */
bool connection_limits_enter(struct connection_limits *l, struct listener_limit *one, const char *host,
                             int *most);
/* told: it was told to leave by connection_limits_over. */
void connection_limits_leave(struct connection_limits *l, struct listener_limit *one, const char *host,
                             bool told);
bool connection_limits_exceeded(struct connection_limits *l);
/* There are more than the node may have: true for as many calls as have to leave, and the caller tells one
 * connection of an unprotected listener. */
bool connection_limits_over(struct connection_limits *l);
/* It had none that it could tell. */
void connection_limits_over_none(struct connection_limits *l);
bool connection_limits_protected(struct connection_limits *l, const struct listener_limit *one);

#endif
