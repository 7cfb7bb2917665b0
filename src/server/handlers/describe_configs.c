/* DescribeConfigs: the rows of config/describe.h for topics, this broker, all brokers, groups and client
 * metrics, and the level of the log for BROKER_LOGGER. A resource type that nobody knows fails the request as
 * a whole. ConfigHelper. */
#include "server/handlers/handlers.h"

#include <string.h>

#include "api/describe_configs.h"
#include "base/err.h"
#include "base/log.h"
#include "config/describe.h"
#include "config/text.h"
#include "metadata/topic_name.h"
#include "server/dynamic_config.h"
#include "server/node.h"

struct query {
    struct request *request;
    const struct describe_configs_request *in;
    const struct describe_configs_request_describe_configs_resource *asked;
    struct describe_configs_response_describe_configs_result *to;
    const char *name; /* of the resource that is asked for */
    struct config *config;
    bool full; /* the answer's memory is */
};

static bool known_type(int8_t type) {
    return type == CONFIG_TOPIC || type == CONFIG_BROKER || type == CONFIG_BROKER_LOGGER ||
           type == CONFIG_CLIENT_METRICS || type == CONFIG_GROUP;
}

static void refuse(struct query *q, int16_t error, const char *message) {
    q->to->error_code = error;
    q->to->error_message = kstr_of(message);
}

#define REFUSE(q, ...) refuse(q, KERR_INVALID_REQUEST, arena_printf(&(q)->request->arena, __VA_ARGS__))

static bool wanted(const struct query *q, const char *name) {
    if (q->asked->configuration_keys_n <= 0) return true;
    for (int32_t i = 0; i < q->asked->configuration_keys_n; i++)
        if (kstr_is(q->asked->configuration_keys[i], name)) return true;
    return false;
}

static void fill_synonyms(struct query *q, const struct config_row *row,
                          struct describe_configs_response_describe_configs_resource_result *o) {
    o->synonyms = request_array(q->request, (size_t)row->synonyms_n, sizeof *o->synonyms);
    if (!o->synonyms) {
        q->full = true;
        return;
    }
    o->synonyms_n = row->synonyms_n;
    for (int32_t i = 0; i < row->synonyms_n; i++)
        o->synonyms[i] = (struct describe_configs_response_describe_configs_synonym){
            .name = kstr_of(row->synonyms[i].name),
            .value = kstr_of(row->synonyms[i].value),
            .source = (int8_t)row->synonyms[i].source};
}

static void fill(struct query *q, const struct config_rows *rows) {
    q->to->configs = request_array(q->request, (size_t)rows->n, sizeof *q->to->configs);
    if (!q->to->configs) q->full = true;
    for (int32_t i = 0; !q->full && i < rows->n; i++) {
        const struct config_row *row = &rows->rows[i];
        if (!wanted(q, row->name)) continue;
        struct describe_configs_response_describe_configs_resource_result *o =
            &q->to->configs[q->to->configs_n++];
        *o = (struct describe_configs_response_describe_configs_resource_result){
            .name = kstr_of(row->name),
            .value = kstr_of(row->value),
            .read_only = row->read_only,
            .is_sensitive = row->sensitive,
            .config_source = (int8_t)row->source,
            .config_type = (int8_t)row->type,
            .documentation = q->in->include_documentation ? kstr_of(row->doc) : KSTR_NULL};
        if (q->in->include_synonyms) fill_synonyms(q, row, o);
    }
}

/* The dynamic values of the resource; NULL: no memory. */
static const struct config_pair *overrides(struct query *q, int32_t *n) {
    enum config_resource type = (enum config_resource)q->asked->resource_type;
    const struct config_set *set = image_configs(request_image(q->request), type, q->name, strlen(q->name));
    const struct config_pair *pairs = config_set_pairs(set, &q->request->arena, n);
    if (!pairs) q->full = true;
    return pairs;
}

static void describe_topic(struct query *q) {
    const char *problem = topic_name_problem(q->asked->resource_name, &q->request->arena);
    if (problem) {
        refuse(q, KERR_INVALID_TOPIC_EXCEPTION, problem);
        return;
    }
    if (!image_topic_by_name(request_image(q->request), q->name, strlen(q->name))) {
        q->to->error_code = KERR_UNKNOWN_TOPIC_OR_PARTITION; /* without a message, as the reference */
        return;
    }
    int32_t n;
    struct config_rows rows = {0};
    const struct config_pair *pairs = overrides(q, &n);
    if (pairs && config_describe_topic(q->config, pairs, n, &q->request->arena, &rows)) q->full = true;
    fill(q, &rows);
}

/* Is the resource this broker? If not, the answer says why. */
static bool names_this_broker(struct query *q, const char *expected) {
    int64_t id;
    if (!text_integer(q->name, INT32_MIN, INT32_MAX, &id))
        REFUSE(q, "Broker id must be an integer, but it is: %s", q->name);
    else if (id != q->request->node->id)
        REFUSE(q, "Unexpected broker id, expected %d%s but received %s", q->request->node->id, expected,
               q->name);
    else
        return true;
    return false;
}

static void describe_broker(struct query *q) {
    struct config_rows rows = {0};
    int err;
    if (!*q->name)
        err = config_describe_brokers(q->config, &q->request->arena, &rows);
    else if (!names_this_broker(q, " or empty string,"))
        return;
    else
        err = config_describe_broker(q->config, &q->request->arena, &rows);
    if (err) q->full = true;
    fill(q, &rows);
}

static void describe_logger(struct query *q) {
    if (!*q->name) {
        REFUSE(q, "Broker id must not be empty");
        return;
    }
    if (!names_this_broker(q, "")) return;
    q->to->configs = request_array(q->request, (size_t)log_loggers(), sizeof *q->to->configs);
    if (!q->to->configs) {
        q->full = true;
        return;
    }
    for (int i = 0; i < log_loggers(); i++)
        if (wanted(q, log_logger_name(i)))
            q->to->configs[q->to->configs_n++] =
                (struct describe_configs_response_describe_configs_resource_result){
                    .name = kstr_of(log_logger_name(i)),
                    .value = kstr_of(log_level_name(log_logger_level(i))),
                    .config_source = SOURCE_LOGGER};
}

static void describe_other(struct query *q, const char *what, bool group) {
    struct config_rows rows = {0};
    int32_t n;
    if (!*q->name) {
        REFUSE(q, "%s name must not be empty", what);
        return;
    }
    const struct config_pair *pairs = overrides(q, &n);
    int err = !pairs  ? OE_LIMIT
              : group ? config_describe_group(q->config, pairs, n, &q->request->arena, &rows)
                      : config_describe_client_metrics(pairs, n, &q->request->arena, &rows);
    if (err) q->full = true;
    fill(q, &rows);
}

static void describe(struct query *q) {
    switch (q->asked->resource_type) {
    case CONFIG_TOPIC: describe_topic(q); break;
    case CONFIG_BROKER: describe_broker(q); break;
    case CONFIG_BROKER_LOGGER: describe_logger(q); break;
    case CONFIG_CLIENT_METRICS: describe_other(q, "Client metrics subscription", false); break;
    default: describe_other(q, "Group", true); break;
    }
}

static bool all_known(const struct describe_configs_request *in) {
    for (int32_t i = 0; i < in->resources_n; i++)
        if (!known_type(in->resources[i].resource_type)) return false;
    return true;
}

void handle_describe_configs(struct request *r, const struct describe_configs_request *in) {
    struct describe_configs_response *out = request_alloc(r, sizeof *out);
    bool known = all_known(in);
    describe_configs_response_init(out);
    out->results = request_array(r, (size_t)in->resources_n, sizeof *out->results);
    struct query q = {.request = r, .in = in, .config = node_config(r->node), .full = !out->results};
    for (int32_t i = 0; !q.full && i < in->resources_n; i++) {
        q.asked = &in->resources[i];
        q.to = &out->results[out->results_n++];
        describe_configs_response_describe_configs_result_init(q.to);
        q.to->resource_type = q.asked->resource_type;
        q.to->resource_name = q.asked->resource_name;
        q.name = arena_strndup(&r->arena, q.asked->resource_name.s, (size_t)q.asked->resource_name.len);
        if (!q.name)
            q.full = true;
        else if (known)
            describe(&q);
        else
            refuse(&q, KERR_INVALID_REQUEST, kerr_message(KERR_INVALID_REQUEST));
    }
    config_unref(q.config);
    if (q.full)
        request_fail(r, "the answer is too large for its memory");
    else
        request_finish(r, out);
}
