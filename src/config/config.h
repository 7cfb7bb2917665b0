/* A node's configuration: an immutable snapshot of all broker keys, and the cell that holds the newest one.
 *
 * Layers, weakest first: the defaults of schema/configs/broker; what the node was started with
 * (server.properties and overrides); the dynamic values for all brokers; the dynamic values for this broker.
 * A dynamic key hides its synonyms in the layers below (log.retention.hours at run time beats
 * log.retention.ms of the file).
 *
 * A snapshot never changes: readers on any thread need no lock, only a reference (config_ref, or
 * config_cell_get). A change makes a new snapshot. Source: KafkaConfig, AbstractKafkaConfig,
 * DynamicBrokerConfig. */
#ifndef OTTLA_CONFIG_CONFIG_H
#define OTTLA_CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "config/def.h"
#include "config/listeners.h"
#include "config/quorum.h"

struct arena;
struct config_outside;
struct properties;
struct strbuf;

/* DescribeConfigsResponse.ConfigSource */
enum config_source {
    SOURCE_UNKNOWN,
    SOURCE_TOPIC,
    SOURCE_BROKER,         /* dynamic, this broker */
    SOURCE_DEFAULT_BROKER, /* dynamic, all brokers */
    SOURCE_STATIC,         /* server.properties, overrides */
    SOURCE_DEFAULT,
    SOURCE_LOGGER,
    SOURCE_CLIENT_METRICS,
    SOURCE_GROUP,
};

struct config_pair {
    const char *name, *value; /* value never NULL */
};

struct config_layer {
    const struct config_pair *pairs; /* in order of names, no two alike */
    int32_t n;
};

/* What a node is, checked: the settings that everything else hangs on. */
struct config_node {
    int32_t id;
    bool broker, controller; /* process.roles */
    bool standalone;         /* started without a file and without a quorum: its own only voter, no controller
                                listener needed */
    const char *rack;        /* or NULL */
    struct config_list log_dirs;
    const char *metadata_log_dir; /* metadata.log.dir, else the first of log_dirs */
    const struct quorum_address *voters, *bootstrap;
    int32_t voters_n, bootstrap_n;
};

struct config;

/* A configuration from a file (NULL: none, then one node on 127.0.0.1:9092 with data in ./data) and overrides
 * "key=value", which win. Keys that nobody knows are warned about in the log. outside: where the variables of
 * config.providers come from, then and at every later change; it outlives the snapshots; NULL: from nowhere.
 * Returns a snapshot with one reference, or NULL with one line in *error. */
struct config *config_load(const struct properties *file, const char *const *overrides, int32_t n,
                           const struct config_outside *outside, struct strbuf *error);
/* The same node with other dynamic values; NULL layers mean none. Bad entries are left out with a line in the
 * log, as the reference does; if what remains breaks a rule across keys, returns NULL with a sentence in
 * *error. */
struct config *config_with_dynamic(const struct config *c, const struct config_pair *cluster,
                                   int32_t cluster_n, const struct config_pair *broker, int32_t broker_n,
                                   struct strbuf *error);
/* May these become the dynamic values of this broker (per_broker) or of all brokers? For AlterConfigs, before
 * the controller is asked (DynamicBrokerConfig.validate). Returns 0, or OE_INVALID with the sentence for the
 * client. */
int config_check_dynamic(const struct config *c, bool per_broker, const struct config_pair *pairs, int32_t n,
                         struct strbuf *error);

struct config *config_ref(const struct config *c);
void config_unref(const struct config *c);

/* Typed values; the key must be of that type and have a value. */
bool config_bool(const struct config *c, enum cfg_id id);
int64_t config_int(const struct config *c, enum cfg_id id); /* INT, SHORT, LONG */
double config_double(const struct config *c, enum cfg_id id);
struct config_list config_list(const struct config *c, enum cfg_id id);
/* STRING, CLASS, PASSWORD; NULL: no value. */
const char *config_string(const struct config *c, enum cfg_id id);
bool config_is_null(const struct config *c, enum cfg_id id);
const struct config_value *config_value(const struct config *c, enum cfg_id id);
/* The text that is in force for any name, known or not (rsm.config.…, listener.name.…); NULL: not set. */
const char *config_raw(const struct config *c, const char *name);
/* The text of a key for one listener: listener.name.<listener>.<key>, else the key itself, else its default;
 * NULL: none. mechanism, when not NULL, is tried first: listener.name.<listener>.<mechanism>.<key>. */
const char *config_for_listener(const struct config *c, const char *listener, const char *mechanism,
                                enum cfg_id id);
/* ottla.http.listeners, a key of our own: "HTTP://host:port,…" for metrics and health; "" is none, the
 * default. */
const char *config_http_listeners(const struct config *c);
/* log.retention.ms and its coarser synonyms as one number; likewise log.roll, log.roll.jitter,
 * log.flush.interval. */
int64_t config_log_retention_ms(const struct config *c); /* -1: for ever */
int64_t config_log_roll_ms(const struct config *c);
int64_t config_log_roll_jitter_ms(const struct config *c);
int64_t config_log_flush_ms(const struct config *c);

const struct config_node *config_node(const struct config *c);
const struct listeners *config_listeners(const struct config *c);
/* One layer as it was given: SOURCE_STATIC, SOURCE_DEFAULT_BROKER, SOURCE_BROKER; SOURCE_UNKNOWN: what is in
 * force. */
struct config_layer config_layer(const struct config *c, enum config_source source);
/* The value of a name in a layer, or NULL. */
const char *config_layer_get(struct config_layer layer, const char *name);
/* The base key of "listener.name.x.key" (or "listener.name.x.mechanism.key"), NULL for other names. */
const char *config_listener_base(const char *name);

/* The newest snapshot, shared by all threads. One writer at a time; readers neither lock nor wait.
 * The word holds the pointer (48 bits) and how many readers are between reading it and counting themselves
 * in. */
struct config_cell {
    _Atomic uint64_t word;
};
/* Takes over the caller's reference. */
void config_cell_init(struct config_cell *cell, struct config *c);
void config_cell_set(struct config_cell *cell, struct config *c); /* c was never in a cell before */
void config_cell_free(struct config_cell *cell);
/* A reference to the newest snapshot; give it back with config_unref. */
struct config *config_cell_get(struct config_cell *cell);

#endif
