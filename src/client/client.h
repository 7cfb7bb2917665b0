/* A client of a cluster, for administration: it finds the node that a request belongs to, keeps one
 * connection a node, and tries again what may be tried again until its time is over. Blocks; one owner, one
 * thread. */
#ifndef OTTLA_CLIENT_CLIENT_H
#define OTTLA_CLIENT_CLIENT_H

#include "client/connection.h"

struct client;

struct client_options {
    const char *bootstrap; /* "host:port,host:port" */
    const char *client_id;
    int timeout_ms; /* for a whole call, with all its attempts */
    size_t max_response;
};

/* Which node a request goes to. */
enum client_target { CLIENT_ANY, CLIENT_CONTROLLER, CLIENT_NODE, CLIENT_GROUP, CLIENT_TRANSACTION };

struct client_call {
    int16_t key;     /* enum api_key */
    int16_t at_most; /* version; 0: no bound (a bound of version 0 makes no sense here) */
    enum client_target target;
    int32_t node;     /* CLIENT_NODE */
    const char *name; /* CLIENT_GROUP: the group; CLIENT_TRANSACTION: the transactional id */
    const void *request;
    void *response;      /* decoded; borrows from arena */
    struct arena *arena; /* after every attempt the response is the newest; what older ones took stays until
                            it is freed */
    /* Kafka's error code of the response as a whole, which decides whether to try again; NULL: there is none.
     */
    int16_t (*error)(const void *response);
};

/* 0; OE_MALFORMED when bootstrap is no list of addresses (client_why says which is not). Does not connect. */
int client_create(const struct client_options *o, struct client **c);
void client_destroy(struct client *c); /* NULL is allowed */
/* What failed last, for a human. */
const char *client_why(const struct client *c);

/* 0 when there is a response, which may hold an error that trying again did not mend. OE_CLOSED, OE_TIMEOUT,
 * OE_NOTFOUND: no node answers; OE_UNSUPPORTED: it does not know the API; OE_MALFORMED, OE_LIMIT: its answer
 * cannot be read; OE_INVALID: the request. */
int client_do(struct client *c, const struct client_call *call);
/* The version that client_do used last. */
int16_t client_last_version(const struct client *c);
/* The nodes as last seen, ascending; asks first when nothing is known yet. 0 or as client_do. The array lives
 * until the next call. */
int client_nodes(struct client *c, const int32_t **ids, int *n);
/* NULL when the node is not known. */
const struct client_address *client_node_address(const struct client *c, int32_t id);

/* May the request be sent again after this error of Kafka's? */
bool client_retriable(int16_t code);

#endif
