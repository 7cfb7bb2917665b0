/* Names of topics: what is legal, and which belong to the coordinators
 * (org.apache.kafka.common.internals.Topic). */
#ifndef OTTLA_METADATA_TOPIC_NAME_H
#define OTTLA_METADATA_TOPIC_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "wire/types.h"

enum { TOPIC_NAME_MAX = 249 };

/* 1 to 249 of the characters a-z A-Z 0-9 . _ - and neither "." nor "..". */
bool topic_name_valid(const char *name, size_t len);
/* Why a topic may not have this name, as the reference says it, or NULL. In the arena or constant. */
const char *topic_name_problem(struct kstr name, struct arena *a);
/* __consumer_offsets, __transaction_state, __share_group_state. */
bool topic_name_is_internal(const char *name, size_t len);

#endif
