/* Private to config/: the inside of a snapshot. */
#ifndef OTTLA_CONFIG_INTERNAL_H
#define OTTLA_CONFIG_INTERNAL_H

#include "base/arena.h"
#include "config/config.h"

struct config {
    atomic_uint refs;
    bool published;                       /* has been in a cell */
    bool no_file;                         /* started without server.properties */
    const struct config_outside *outside; /* or NULL */
    struct arena arena;
    struct config_layer fixed, cluster,
        broker;                  /* as given, broker.id and node.id filled in from each other */
    struct config_layer current; /* what is in force */
    struct config_value values[CFG_COUNT];
    struct config_node node;
    struct listeners listeners;
};

/* node.c: fills c->node from the values. listeners.c comes next, then check.c: the rules across keys. Each
 * returns 0, or OE_INVALID with one sentence. */
int config_node_parse(struct config *c, struct strbuf *error);
int config_check(const struct config *c, struct strbuf *error);
/* dynamic.c: a copy of the pairs, in order of names, without what may not be there; each omission is a line
 * in the log. */
struct config_layer config_dynamic_filter(struct arena *a, const struct config_outside *outside,
                                          bool per_broker, const struct config_pair *pairs, int32_t n);
/* config.c: as config_with_dynamic; clamp: dynamic intervals outside of their bounds are moved to them, as a
 * broker that runs does with what is there; what is new must be within. */
struct config *config_next(const struct config *c, const struct config_pair *cluster, int32_t cluster_n,
                           const struct config_pair *broker, int32_t broker_n, bool clamp,
                           struct strbuf *error);
/* layer.c: copies and orders pairs; of equal names the last stays. */
struct config_layer config_layer_make(struct arena *a, const struct config_pair *pairs, int32_t n);
/* The two layers as one; the names of `over` and their synonyms are taken out of `under`. */
struct config_layer config_layer_override(struct arena *a, struct config_layer under,
                                          struct config_layer over);
/* The layer with one more or changed pair. */
struct config_layer config_layer_set(struct arena *a, struct config_layer layer, const char *name,
                                     const char *value);

#endif
