/* What the two telemetry APIs share: who a connection is to client_metrics.h. Loop thread. */
#ifndef OTTLA_SERVER_TELEMETRY_H
#define OTTLA_SERVER_TELEMETRY_H

#include "server/client_metrics.h"
#include "server/connection.h"
#include "server/node.h"

static inline struct client_metrics_who telemetry_who(const struct request *r) {
    struct client_metrics_who who = {.client_id = r->client_id};
    if (!r->conn) return who;
    who.software_name = r->conn->software_name;
    who.software_version = r->conn->software_version;
    who.address = r->conn->peer.host;
    who.port = r->conn->peer.port;
    return who;
}

/* The instance ends with this connection if the request made it. */
static inline void telemetry_owns(const struct request *r, const struct uuid *instance, bool made) {
    if (made && r->conn) r->conn->client_instance = *instance;
}

#endif
