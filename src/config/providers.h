/* Variables in values: "${provider:path:key}" and "${provider:key}", which config.providers explains.
 * Providers are named there, config.providers.<name>.class says what they are (FileConfigProvider,
 * DirectoryConfigProvider, EnvVarConfigProvider) and config.providers.<name>.param.* what they may see. A
 * variable of a provider that is not named, or whose key is not there, stays as it is. Source:
 * AbstractConfig, ConfigTransformer, the providers. */
#ifndef OTTLA_CONFIG_PROVIDERS_H
#define OTTLA_CONFIG_PROVIDERS_H

#include "config/config.h"
#include "config/outside.h"

struct arena;
struct strbuf;

/* The layer with its variables replaced, in the arena; the providers are those of the layer itself. 0, or
 * OE_INVALID with one sentence: a provider is not known or may not be configured so, a file cannot be read.
 */
int providers_resolve(const struct config_outside *outside, struct arena *a, struct config_layer *layer,
                      struct strbuf *error);

#endif
