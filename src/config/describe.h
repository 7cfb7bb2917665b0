/* Configurations as DescribeConfigs shows them: value, source, synonyms in order of strength, type,
 * documentation.
 *
 * Rows come in order of names and live in the caller's arena (a request's); nothing in them points into the
 * snapshot. All functions return 0, or OE_LIMIT when the arena is full. Source: ConfigHelper,
 * KafkaConfigSchema. Any thread. */
#ifndef OTTLA_CONFIG_DESCRIBE_H
#define OTTLA_CONFIG_DESCRIBE_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct config_synonym {
    const char *name, *value; /* value NULL: sensitive */
    enum config_source source;
};

struct config_row {
    const char *name, *value; /* value NULL: none, or sensitive */
    const char *doc;          /* NULL: not a key that is known */
    struct config_synonym *synonyms;
    int32_t synonyms_n;
    enum config_source source;
    enum config_type type; /* CONFIG_TYPE_UNKNOWN for a name that nobody knows: then it is sensitive */
    bool read_only, sensitive;
};

struct config_rows {
    struct config_row *rows;
    int32_t n;
};

/* Resource BROKER with this broker's id. */
int config_describe_broker(const struct config *c, struct arena *a, struct config_rows *to);
/* Resource BROKER with an empty name: the dynamic values of all brokers, nothing else. */
int config_describe_brokers(const struct config *c, struct arena *a, struct config_rows *to);
/* Resource TOPIC, GROUP, CLIENT_METRICS with their overrides. */
int config_describe_topic(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct arena *a, struct config_rows *to);
int config_describe_group(const struct config *c, const struct config_pair *overrides, int32_t n,
                          struct arena *a, struct config_rows *to);
int config_describe_client_metrics(const struct config_pair *overrides, int32_t n, struct arena *a,
                                   struct config_rows *to);
/* The rows of a new topic in the answer to CreateTopics: values as they were given, no synonyms, no
 * documentation. */
int config_describe_new_topic(const struct config *c, const struct config_pair *overrides, int32_t n,
                              struct arena *a, struct config_rows *to);

#endif
