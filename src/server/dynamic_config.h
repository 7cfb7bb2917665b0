/* The configuration that is in force on a running node: what it was started with, and over it the dynamic
 * values that the metadata holds for all brokers and for this one (DynamicBrokerConfig,
 * DynamicConfigPublisher). */
#ifndef OTTLA_SERVER_DYNAMIC_CONFIG_H
#define OTTLA_SERVER_DYNAMIC_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "config/config.h"

struct arena;
struct config_set;
struct image;
struct image_delta;
struct node;

/* Control thread (or before it runs): makes the values of the image the ones in force. When they break a rule
 * across keys, the former ones stay, with a line in the log. */
void dynamic_config_load(struct node *n, const struct image *image);
/* Control thread: the same when the delta changes them; says whether it does. */
bool dynamic_config_apply(struct node *n, const struct image_delta *delta);

/* The entries of a set (NULL: none) as pairs, in the arena; they point into the set. NULL: the arena is full.
 */
struct config_pair *config_set_pairs(const struct config_set *set, struct arena *a, int32_t *count);

#endif
