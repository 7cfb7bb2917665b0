/* Which clients a client-metrics subscription is for (KIP-714): its `match`, a list of attribute=pattern,
 * where every attribute that is named must match as a whole; an empty list is for everyone. Source:
 * ClientMetricsConfigs.parseMatchingPatterns, ClientMetricsInstanceMetadata.isMatch. Pure; any thread. */
#ifndef OTTLA_CONFIG_CLIENT_MATCH_H
#define OTTLA_CONFIG_CLIENT_MATCH_H

#include <stdbool.h>

#include "config/def.h"

/* What a client is known by; as text, NULL: not known, which no pattern matches. */
enum client_attribute {
    CLIENT_INSTANCE_ID, /* uuid_format */
    CLIENT_ID,
    CLIENT_SOFTWARE_NAME,
    CLIENT_SOFTWARE_VERSION,
    CLIENT_SOURCE_ADDRESS, /* numeric */
    CLIENT_SOURCE_PORT,
    CLIENT_ATTRIBUTES
};

struct client_match;

/* The items of `match`. 0 and *out (client_match_free); or OE_INVALID and the item that is wrong in *illegal.
 */
int client_match_compile(struct config_list items, struct client_match **out, const char **illegal);
bool client_match(const struct client_match *m, const char *const attributes[CLIENT_ATTRIBUTES]);
void client_match_free(struct client_match *m);

#endif
