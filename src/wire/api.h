/* The APIs of Kafka's protocol: keys, names, versions of 4.3.1, listeners, and which header goes with which
 * version. */
#ifndef OTTLA_WIRE_API_H
#define OTTLA_WIRE_API_H

#include <stdbool.h>
#include <stdint.h>

#include "api/keys.h" /* generated: enum api_key { API_PRODUCE = 0, … }, API_KEY_LAST */
#include "wire/message.h"

enum api_listener { API_BROKER = 1, API_CONTROLLER = 2 };

struct api {
    int16_t key;
    const char *name;    /* as in the reference: "ListOffsets" */
    int16_t first, last; /* versions that can be decoded; last < first: none, the API is gone */
    int16_t stable;      /* the last that is advertised; `last` or one less */
    int16_t flexible;    /* first flexible version of request and response; INT16_MAX if none is */
    unsigned listeners;  /* enum api_listener; 0: advertised nowhere */
    const struct message *request, *response; /* NULL if the API is gone */
};

/* In the order of the keys. */
extern const struct api apis[];
extern const int apis_n;

/* NULL for a key that is not known. */
const struct api *api_find(int16_t key);
static inline bool api_has_version(const struct api *a, int16_t version) {
    return version >= a->first && version <= a->last;
}
/* 1 or 2. As the reference reads it also for a version above the last (a newer client asks for ApiVersions);
 * 1 for an unknown key. */
int16_t api_request_header_version(int16_t key, int16_t version);
/* 0 or 1. Always 0 for ApiVersions, whose answer a client must read before it knows what the broker speaks.
 */
int16_t api_response_header_version(int16_t key, int16_t version);

#endif
