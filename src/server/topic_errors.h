/* Topics that a streams group needs and that could not be created: the reason is told to its members for some
 * time, and for as long nobody tries again. Any thread; one lock. Source: AutoTopicCreationManager
 * (ExpiringErrorCache, inflightTopics). */
#ifndef OTTLA_SERVER_TOPIC_ERRORS_H
#define OTTLA_SERVER_TOPIC_ERRORS_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/types.h"

struct arena;
struct topic_errors;

struct topic_errors *topic_errors_create(uint64_t seed);
void topic_errors_free(struct topic_errors *t); /* NULL: nothing */
/* Whether the topic may be tried now; then topic_errors_end must follow. */
bool topic_errors_begin(struct topic_errors *t, struct kstr topic, int64_t now_ms);
/* why NULL: it was created, or is there; otherwise it is told until then (monotonic ms). */
void topic_errors_end(struct topic_errors *t, struct kstr topic, const char *why, int64_t until_ms);
/* Why the topic could not be created, in the arena; NULL: nothing is known. */
const char *topic_errors_get(struct topic_errors *t, struct kstr topic, int64_t now_ms, struct arena *arena);

#endif
