/* Kafka's Uuid: 16 bytes, written as 22 characters of URL-safe base64 (org.apache.kafka.common.Uuid). */
#ifndef OTTLA_BASE_UUID_H
#define OTTLA_BASE_UUID_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct uuid {
    uint8_t b[16];
};

enum { UUID_TEXT = 23 }; /* characters with the NUL */

struct random;

static inline bool uuid_equal(const struct uuid *a, const struct uuid *b) { return !memcmp(a->b, b->b, 16); }
static inline bool uuid_is_zero(const struct uuid *u) { return uuid_equal(u, &(struct uuid){0}); }
/* A random version-4 UUID that does not begin with '-' in text, as Kafka's, so that it can be a tool's
 * argument. */
struct uuid uuid_random(struct random *r);
/* Writes 22 characters and a NUL; returns text. */
char *uuid_format(const struct uuid *u, char text[UUID_TEXT]);
/* 0 or OE_MALFORMED. */
int uuid_parse(const char *text, struct uuid *u);

#endif
