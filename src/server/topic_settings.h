/* From Kafka's configuration of a topic (overrides in the metadata, the node's defaults) to the typed one of
 * its logs. */
#ifndef OTTLA_SERVER_TOPIC_SETTINGS_H
#define OTTLA_SERVER_TOPIC_SETTINGS_H

struct config;
struct image;
struct log_config;

/* The caller frees it with free(). Values that do not parse (of a damaged or newer log) fall back to the
 * node's default. */
struct log_config *topic_settings(const struct config *c, const struct image *image, const char *topic);

#endif
