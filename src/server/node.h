/* A node: everything that one `ottla server` process is, made and ended in order. */
#ifndef OTTLA_SERVER_NODE_H
#define OTTLA_SERVER_NODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/uuid.h"
#include "config/config.h"
#include "metadata/image.h"
#include "server/request_memory.h"
#include "quota/quotas.h"

struct acceptors;
struct assignments;
struct cleaners;
struct client_metrics;
struct control;
struct coordinators;
struct fetch_sessions;
struct format;
struct housekeeping;
struct image_delta;
struct log_config;
struct logdir;
struct mover;
struct net;
struct producer_ids;
struct replicas;
struct shares;
struct topic_errors;
struct workers;

struct node_endpoint { /* an advertised listener, with the port that was bound */
    const char *listener, *host;
    int port;
    int16_t protocol;
};

struct node {
    struct config *config;      /* what the node was started with: for keys that cannot change at run time */
    struct config_cell current; /* what is in force: node_config() */
    int32_t id;
    char cluster_id[128];
    uint64_t seed;
    /* read often, so taken out of the configuration */
    int32_t max_request_bytes, fetch_max_bytes;
    int64_t connections_max_idle_ms;
    struct request_memory request_memory;
    struct node_endpoint *endpoints;
    int endpoints_n;
    struct logdir **logdirs;
    int logdirs_n;
    struct uuid *directory_ids; /* one a logdir */
    struct uuid metadata_directory_id;
    _Atomic int16_t kraft_version;       /* control thread: rises once at most */
    struct log_config *default_settings; /* of logs before their topic is known */
    struct net **nets;
    int nets_n;            /* as many as may ever be used; all run */
    _Atomic int nets_used; /* num.network.threads: the others get no connections */
    struct workers *workers;
    struct replicas *replicas;
    struct assignments *assignments;
    struct control *control;
    struct format *format; /* this is the node's first start; NULL: not */
    struct coordinators *coordinators;
    struct acceptors *acceptors;
    struct fetch_sessions *fetch_sessions;
    struct shares *shares;
    struct housekeeping *housekeeping;
    struct cleaners *cleaners; /* NULL: log.cleaner.enable=false */
    struct producer_ids *producer_ids;
    struct topic_errors *topic_errors; /* of streams groups */
    struct quotas quotas;              /* of clients: server/throttle */
    struct client_metrics *client_metrics;
    struct mover *mover;
    int64_t broker_epoch;
    pthread_mutex_t image_lock;
    struct image *image;
};

struct strbuf;

/* Control thread: what is running takes the configuration that is in force (node_config). */
void node_reconfigure(struct node *n);

/* Any thread: the configuration that is in force, with a reference (config_unref). */
static inline struct config *node_config(struct node *n) { return config_cell_get(&n->current); }

/* Opens the directories, loads the metadata, listens, serves. NULL with one line in *error; nothing is left
 * running then. Takes over the caller's reference of config. */
struct node *node_start(struct config *config, struct strbuf *error);
/* A clean stop: no new connections, the running requests end, everything is flushed, the directories are
 * marked clean. */
void node_stop(struct node *n);

/* Any thread: the newest metadata, with a reference (image_unref). */
struct image *node_image(struct node *n);
/* Control thread: without telling anyone (at start). Takes its own reference. */
void node_set_image(struct node *n, struct image *image);
/* Control thread: a commit changed the metadata. Makes it visible to everyone before it returns. */
void node_publish(struct node *n, const struct image_delta *delta);
/* The latest metadata.version that may be finalized here (unstable.feature.versions.enable). */
int16_t node_latest_mv(const struct node *n);
/* The endpoint of a listener, for answers on connections that came by it; NULL: none is advertised. */
const struct node_endpoint *node_endpoint(const struct node *n, const char *listener);

#endif
