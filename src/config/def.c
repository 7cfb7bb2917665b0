#include "config/def.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/assert.h"
#include "base/err.h"
#include "base/strbuf.h"
#include "config/quorum.h"
#include "config/text.h"
#include "config_rows.h"

const struct config_def *config_def(enum cfg_id id) {
    ASSERT((unsigned)id < CFG_COUNT);
    return &cfg_defs[id];
}
const struct config_def *topic_config_def(enum tcfg_id id) {
    ASSERT((unsigned)id < TCFG_COUNT);
    return &tcfg_defs[id];
}
const struct config_def *group_config_def(enum gcfg_id id) {
    ASSERT((unsigned)id < GCFG_COUNT);
    return &gcfg_defs[id];
}
const struct config_def *client_metrics_def(enum mcfg_id id) {
    ASSERT((unsigned)id < MCFG_COUNT);
    return &mcfg_defs[id];
}

static int find(const struct config_def *defs, int n, const char *name) {
    int low = 0, high = n - 1;
    while (low <= high) {
        int middle = (low + high) / 2, order = strcmp(name, defs[middle].name);
        if (order == 0) return middle;
        if (order < 0)
            high = middle - 1;
        else
            low = middle + 1;
    }
    return -1;
}

int config_find(const char *name) { return find(cfg_defs, CFG_COUNT, name); }
int topic_config_find(const char *name) { return find(tcfg_defs, TCFG_COUNT, name); }
int group_config_find(const char *name) { return find(gcfg_defs, GCFG_COUNT, name); }
int client_metrics_find(const char *name) { return find(mcfg_defs, MCFG_COUNT, name); }

/* Java's Double.toString: the fewest digits that read back as the same number, in its own notation. */
void config_double_text(double d, char *to) {
    char digits[32];
    if (isnan(d) || isinf(d)) {
        snprintf(to, 10, "%s", isnan(d) ? "NaN" : d > 0 ? "Infinity" : "-Infinity");
        return;
    }
    for (int precision = 0; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*e", precision, d);
        if (strtod(digits, NULL) == d) break;
    }
    char *e = strchr(digits, 'e');
    int exponent = (int)strtol(e + 1, NULL, 10);
    bool negative = digits[0] == '-';
    *e = 0;
    char mantissa[32]; /* the digits alone */
    int n = 0;
    for (char *p = digits + negative; *p; p++)
        if (*p != '.') mantissa[n++] = *p;
    while (n > 1 && mantissa[n - 1] == '0') n--;
    mantissa[n] = 0;
    if (negative) *to++ = '-';
    if (d == 0) {
        memcpy(to, "0.0", 4);
    } else if (exponent >= -3 && exponent < 7) {
        for (int i = exponent < 0 ? exponent : 0; i <= exponent || i < n; i++) {
            *to++ = i < 0 || i >= n ? '0' : mantissa[i];
            if (i == (exponent < 0 ? exponent : exponent)) *to++ = '.';
        }
        if (to[-1] == '.') *to++ = '0';
        *to = 0;
    } else {
        snprintf(to, 34, "%c.%.17sE%d", mantissa[0], n > 1 ? mantissa + 1 : "0", exponent);
    }
}

static const char *const type_names[] = {"UNKNOWN", "BOOLEAN", "STRING", "INT",   "SHORT",
                                         "LONG",    "DOUBLE",  "LIST",   "CLASS", "PASSWORD"};

/* The form of ConfigException(name, value, message). */
static int invalid(struct strbuf *error, const struct config_def *def, const char *value,
                   const char *message) {
    strbuf_addf(error, "Invalid value %s for configuration %s%s%s", value ? value : "null", def->name,
                message ? ": " : "", message ? message : "");
    return OE_INVALID;
}

static int parse_integer(const struct config_def *def, const char *s, int64_t *i) {
    int64_t max = def->type == CONFIG_TYPE_INT     ? INT32_MAX
                  : def->type == CONFIG_TYPE_SHORT ? INT16_MAX
                                                   : INT64_MAX;
    return text_integer(s, -max - 1, max, i) ? 0 : OE_INVALID;
}

/* Double.parseDouble, without hexadecimal. */
static int parse_double(const char *s, double *d) {
    const char *body = s + (*s == '-' || *s == '+');
    if (!strcmp(body, "NaN") || !strcmp(body, "Infinity")) {
        *d = *body == 'N' ? NAN : *s == '-' ? -INFINITY : INFINITY;
        return 0;
    }
    if (!isdigit((unsigned char)*body) && *body != '.') return OE_INVALID;
    if (strpbrk(body, "xX")) return OE_INVALID;
    char *end;
    *d = strtod(s, &end);
    if (end == s || (*end && strchr("dDfF", *end) && !end[1])) return end == s ? OE_INVALID : 0;
    return *end ? OE_INVALID : 0;
}

static int parse_type(const struct config_def *def, const char *raw, struct arena *a, struct config_value *v,
                      struct strbuf *error) {
    const char *s = text_trim(a, raw);
    switch (def->type) {
    case CONFIG_TYPE_BOOLEAN:
        v->b = !strcasecmp(s, "true");
        if (!v->b && strcasecmp(s, "false"))
            return invalid(error, def, raw, "Expected value to be either true or false");
        return 0;
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_SHORT:
    case CONFIG_TYPE_LONG:
    case CONFIG_TYPE_DOUBLE: {
        int r = def->type == CONFIG_TYPE_DOUBLE ? parse_double(s, &v->d) : parse_integer(def, s, &v->i);
        char message[40];
        snprintf(message, sizeof message, "Not a number of type %s", type_names[def->type]);
        return r ? invalid(error, def, raw, message) : 0;
    }
    case CONFIG_TYPE_LIST: v->list = text_list(a, s); return 0;
    default: v->s = s; return 0;
    }
}

static int check_range(const struct config_def *def, const struct config_value *v, struct arena *a,
                       struct strbuf *error) {
    if (v->is_null) return invalid(error, def, NULL, "Value must be non-null");
    double d = def->type == CONFIG_TYPE_DOUBLE ? v->d : (double)v->i;
    char message[80];
    if (def->has_low && d < def->low)
        snprintf(message, sizeof message, "Value must be at least %.15g", def->low);
    else if (def->has_high && d > def->high)
        snprintf(message, sizeof message, "Value must be no more than %.15g", def->high);
    else
        return 0;
    return invalid(error, def, config_value_text(def, v, a), message);
}

static void add_choices(struct strbuf *b, const char *const *choices) {
    for (int i = 0; choices[i]; i++) strbuf_addf(b, "%s%s", i ? ", " : "", choices[i]);
}

static int check_choice(const struct config_def *def, const char *s, struct strbuf *error) {
    bool any_case = def->check == CHECK_CHOICE_ANY_CASE;
    for (int i = 0; s && def->choices[i]; i++)
        if (!(any_case ? strcasecmp : strcmp)(s, def->choices[i])) return 0;
    invalid(error, def, s,
            any_case ? "String must be one of (case insensitive): " : "String must be one of: ");
    add_choices(error, def->choices);
    return OE_INVALID;
}

/* Keeps the first of equal items. The list is fresh from text_list: its array may be changed. */
static void drop_duplicates(struct config_list *list) {
    const char **items = (const char **)list->items;
    int32_t kept = 0;
    for (int32_t i = 0; i < list->n; i++) {
        int32_t j = 0;
        while (j < kept && strcmp(items[i], items[j])) j++;
        if (j == kept) items[kept++] = items[i];
    }
    list->n = kept;
}

static int check_list(const struct config_def *def, struct config_value *v, struct strbuf *error) {
    bool null_allowed = def->check == CHECK_LIST_OR_NULL || def->check == CHECK_LIST_NOT_EMPTY_OR_NULL;
    bool empty_allowed = def->check == CHECK_LIST || def->check == CHECK_LIST_OR_NULL;
    if (v->is_null) {
        if (null_allowed) return 0;
        strbuf_addf(error, "Configuration '%s' values must not be null.", def->name);
        return OE_INVALID;
    }
    drop_duplicates(&v->list);
    if (!empty_allowed && v->list.n == 0) {
        strbuf_addf(error, "Configuration '%s' must not be empty. Valid values include: ", def->name);
        if (def->choices) {
            strbuf_adds(error, "[");
            add_choices(error, def->choices);
            strbuf_adds(error, "]");
        } else {
            strbuf_adds(error, "any non-empty value");
        }
        return OE_INVALID;
    }
    for (int32_t i = 0; i < v->list.n; i++) {
        if (!*v->list.items[i]) {
            strbuf_addf(error, "Configuration '%s' values must not be empty.", def->name);
            return OE_INVALID;
        }
        int r = def->choices ? check_choice(def, v->list.items[i], error) : 0;
        if (r) return r;
    }
    return 0;
}

/* "", or digits, a colon, digits */
static bool is_throttled_replica(const char *s) {
    if (!*s) return true;
    size_t a = strspn(s, "0123456789");
    if (!a || s[a] != ':') return false;
    size_t b = strspn(s + a + 1, "0123456789");
    return b && !s[a + 1 + b];
}

static int check_throttled(const struct config_def *def, const struct config_value *v, struct strbuf *error) {
    bool all = true;
    int stars = 0, others = 0;
    for (int32_t i = 0; i < v->list.n; i++) {
        const char *s = v->list.items[i];
        if (!is_throttled_replica(s)) all = false;
        if (!strcmp(s, "*"))
            stars++;
        else if (*s)
            others++;
    }
    if (all || (stars == 1 && !others)) return 0;
    strbuf_adds(error, "Invalid value [");
    for (int32_t i = 0; i < v->list.n; i++) strbuf_addf(error, "%s%s", i ? ", " : "", v->list.items[i]);
    strbuf_addf(
        error,
        "] for configuration %s: %s must be the literal '*' or a list of replicas in the following format: "
        "[partitionId]:[brokerId],[partitionId]:[brokerId],...",
        def->name, def->name);
    return OE_INVALID;
}

static int check_share_reset(const struct config_def *def, const char *s, struct strbuf *error) {
    static const char by_duration[] = "by_duration:";
    int64_t ms;
    if (s && (!strcasecmp(s, "earliest") || !strcasecmp(s, "latest"))) return 0;
    if (s && !strncmp(s, by_duration, sizeof by_duration - 1) &&
        text_duration(s + sizeof by_duration - 1, &ms) && ms >= 0)
        return 0;
    strbuf_addf(error,
                "Invalid value %s for configuration %s: Invalid value `%s` for configuration %s. The value "
                "must be either "
                "'earliest', 'latest' or of the format 'by_duration:<PnDTnHnMn.nS>'.",
                s, def->name, s, def->name);
    return OE_INVALID;
}

static int check(const struct config_def *def, struct config_value *v, struct arena *a,
                 struct strbuf *error) {
    switch (def->check) {
    case CHECK_NONE: return 0;
    case CHECK_RANGE: return check_range(def, v, a, error);
    case CHECK_CHOICE:
    case CHECK_CHOICE_ANY_CASE: return check_choice(def, v->is_null ? NULL : v->s, error);
    case CHECK_LIST:
    case CHECK_LIST_NOT_EMPTY:
    case CHECK_LIST_OR_NULL:
    case CHECK_LIST_NOT_EMPTY_OR_NULL: return check_list(def, v, error);
    case CHECK_NON_EMPTY:
        return v->is_null || *v->s ? 0 : invalid(error, def, v->s, "String must be non-empty");
    case CHECK_NON_NULL: return v->is_null ? invalid(error, def, NULL, "entry must be non null") : 0;
    case CHECK_GZIP_LEVEL:
        if (v->i == -1 || (v->i >= 1 && v->i <= 9)) return 0;
        return invalid(error, def, config_value_text(def, v, a),
                       "Value must be between 1 and 9 or equal to -1");
    case CHECK_THROTTLED_REPLICAS: return check_throttled(def, v, error);
    case CHECK_SHARE_RESET: return check_share_reset(def, v->s, error);
    case CHECK_VOTERS: return quorum_check_voters(v->list, error);
    case CHECK_BOOTSTRAP_SERVERS: return quorum_check_bootstrap(v->list, error);
    }
    ASSERT(!"a check");
    return OE_INVALID;
}

int config_value_parse(const struct config_def *def, const char *raw, struct arena *a, struct config_value *v,
                       struct strbuf *error) {
    *v = (struct config_value){0};
    bool given = raw != NULL;
    if (!raw) raw = def->fallback;
    if (!raw) {
        if (def->required) {
            strbuf_addf(error, "Missing required configuration \"%s\" which has no default value.",
                        def->name);
            return OE_INVALID;
        }
        v->is_null = true;
        return 0;
    }
    int r = parse_type(def, raw, a, v, error);
    if (!r) r = check(def, v, a, error);
    ASSERT(given || !r); /* a default obeys its own rule */
    return r;
}

const char *config_value_text(const struct config_def *def, const struct config_value *v, struct arena *a) {
    char text[40];
    if (v->is_null) return NULL;
    switch (def->type) {
    case CONFIG_TYPE_BOOLEAN: return v->b ? "true" : "false";
    case CONFIG_TYPE_INT:
    case CONFIG_TYPE_SHORT:
    case CONFIG_TYPE_LONG: snprintf(text, sizeof text, "%lld", (long long)v->i); break;
    case CONFIG_TYPE_DOUBLE: config_double_text(v->d, text); break;
    case CONFIG_TYPE_LIST: return text_join(a, v->list);
    default: return v->s;
    }
    return text_copy(a, text);
}
