/* What is known about each configuration key, and the rules of a single value: how its text is read, which
 * values are allowed, how it is written back. The tables come from schema/configs (see its notation there).
 *
 * Source: ConfigDef.parseType, the validators of ConfigDef, ConfigException (its texts reach clients in the
 * answers to CreateTopics and AlterConfigs). Everything here is pure and may be called from any thread. */
#ifndef OTTLA_CONFIG_DEF_H
#define OTTLA_CONFIG_DEF_H

#include <stdbool.h>
#include <stdint.h>

#include "config_ids.h"

struct arena;
struct strbuf;

enum config_type { /* as in DescribeConfigsResponse */
                   CONFIG_TYPE_UNKNOWN,
                   CONFIG_TYPE_BOOLEAN,
                   CONFIG_TYPE_STRING,
                   CONFIG_TYPE_INT,
                   CONFIG_TYPE_SHORT,
                   CONFIG_TYPE_LONG,
                   CONFIG_TYPE_DOUBLE,
                   CONFIG_TYPE_LIST,
                   CONFIG_TYPE_CLASS,
                   CONFIG_TYPE_PASSWORD,
};
enum config_importance { CONFIG_IMPORTANCE_HIGH, CONFIG_IMPORTANCE_MEDIUM, CONFIG_IMPORTANCE_LOW };
/* When a broker key may change. DYNAMIC: a key of a topic, group or subscription, always at run time. */
enum config_mode { CONFIG_MODE_READ_ONLY, CONFIG_MODE_CLUSTER, CONFIG_MODE_BROKER, CONFIG_MODE_DYNAMIC };
enum config_check {
    CHECK_NONE,
    CHECK_RANGE,
    CHECK_CHOICE,
    CHECK_CHOICE_ANY_CASE,
    CHECK_LIST, /* the four lists: duplicates are dropped, no empty items, `choices` if there are any */
    CHECK_LIST_NOT_EMPTY,
    CHECK_LIST_OR_NULL,
    CHECK_LIST_NOT_EMPTY_OR_NULL,
    CHECK_NON_EMPTY,
    CHECK_NON_NULL,
    CHECK_GZIP_LEVEL,
    CHECK_THROTTLED_REPLICAS,
    CHECK_SHARE_RESET,
    CHECK_VOTERS,
    CHECK_BOOTSTRAP_SERVERS,
};

/* A broker key that sets the same thing; its value times `factor` is in the unit of the key that names it. */
struct config_same {
    enum cfg_id id;
    int32_t factor;
};

struct config_def {
    const char *name, *fallback, *doc; /* fallback: the default as text; NULL: no value */
    const char *const *choices;        /* ends with NULL; or NULL: no such rule */
    const struct config_same *same;    /* strongest first */
    double low, high;
    int32_t same_n;
    enum config_type type;
    enum config_importance importance;
    enum config_mode mode;
    enum config_check check;
    bool has_low, has_high;
    bool required;     /* no default: must be given */
    bool internal;     /* listed only when set */
    bool dynamic_only; /* known to the dynamic configuration of brokers, not to server.properties */
};

struct config_list {
    const char *const *items;
    int32_t n;
};

/* A parsed value. Which member holds it follows from the type: BOOLEAN b; INT, SHORT, LONG i; DOUBLE d; LIST
 * list; STRING, CLASS, PASSWORD s. */
struct config_value {
    bool is_null;
    union {
        bool b;
        int64_t i;
        double d;
        const char *s;
        struct config_list list;
    };
};

const struct config_def *config_def(enum cfg_id id);
const struct config_def *topic_config_def(enum tcfg_id id);
const struct config_def *group_config_def(enum gcfg_id id);
const struct config_def *client_metrics_def(enum mcfg_id id);
/* The id of a name, or -1. */
int config_find(const char *name);
int topic_config_find(const char *name);
int group_config_find(const char *name);
int client_metrics_find(const char *name);

/* Reads and checks one value. raw NULL: the default. The value's memory is in the arena, or static. Returns
 * 0, or OE_INVALID with the reference's sentence appended to *error. */
int config_value_parse(const struct config_def *def, const char *raw, struct arena *a, struct config_value *v,
                       struct strbuf *error);
/* The value as DescribeConfigs shows it (ConfigDef.convertToString), in the arena or static; NULL for no
 * value. */
const char *config_value_text(const struct config_def *def, const struct config_value *v, struct arena *a);
/* A double as Java's Double.toString writes it; at least 32 bytes at `to`. */
void config_double_text(double d, char *to);
/* PASSWORD, whose value is never shown. */
static inline bool config_sensitive(const struct config_def *def) {
    return def->type == CONFIG_TYPE_PASSWORD;
}

#endif
