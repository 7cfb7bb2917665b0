/* What other verbs need of configurations: asking for them and changing them. */
#ifndef OTTLA_CLI_CONFIG_H
#define OTTLA_CLI_CONFIG_H

#include "api/describe_configs.h"
#include "cli/admin.h"

/* org.apache.kafka.common.config.ConfigResource.Type */
enum config_type {
    CONFIG_TOPIC = 2,
    CONFIG_BROKER = 4,
    CONFIG_LOGGER = 8,
    CONFIG_CLIENT_METRICS = 16,
    CONFIG_GROUP = 32,
};

/* "name=value" in two; both borrow. 0 or OE_MALFORMED. */
int config_split(const char *text, struct kstr *name, struct kstr *value);
/* Is it the resource's own, not a default? (DescribeConfigs' source) */
bool config_is_own(int8_t source);
const char *config_source_name(int8_t source);
/* The configurations of n resources of one type. config_try: 0 or as client_do; config_ask: 0 or an exit
 * status. */
int config_try(struct admin *a, enum config_type type, const struct kstr *names, int n, bool docs,
               struct describe_configs_response *r);
int config_ask(struct admin *a, enum config_type type, const struct kstr *names, int n, bool docs,
               struct describe_configs_response *r);
/* Sets what the option `set` of the command line says (name=value) and removes what `unset` says;
 * --validate-only is heeded. 0 or an exit status. */
int config_alter(struct cli *c, struct admin *a, enum config_type type, const char *name, const char *set,
                 const char *unset);

extern const struct cli_command cli_config_command;

#endif
