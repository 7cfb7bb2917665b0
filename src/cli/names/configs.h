/* Private to kafka-configs: whose configuration, from the options. */
#ifndef OTTLA_CLI_NAMES_CONFIGS_H
#define OTTLA_CLI_NAMES_CONFIGS_H

#include "cli/names/tool.h"

enum { ENTITIES_MAX = 16, CONFIGS_MAX = 1000 };

/* --entity-type and its like: types, and names in their order; "": the default. */
struct entities {
    const char *types[ENTITIES_MAX], *names[ENTITIES_MAX];
    int types_n, names_n;
};

/* What --alter adds and takes away. */
struct changes {
    const char *names[CONFIGS_MAX], *values[CONFIGS_MAX], *removed[CONFIGS_MAX];
    int n, removed_n;
};

/* Is it one of the quotas of users and clients? */
bool configs_is_client_quota(const char *name);
/* Describes the quotas of the entities; false: r->why. */
bool configs_describe_quotas(struct tool_run *r, const struct entities *e);
bool configs_alter_quotas(struct tool_run *r, const struct entities *e, const struct changes *c);
/* SCRAM credentials: of the user, or of all (user NULL). */
bool configs_describe_scram(struct tool_run *r, const char *user);
bool configs_alter_scram(struct tool_run *r, const char *user, const struct changes *c);
/* Is it a mechanism's name? Its number, or 0. */
int8_t configs_scram_mechanism(const char *name);

#endif
