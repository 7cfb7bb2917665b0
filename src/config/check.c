/* The rules that hold between keys, in the reference's order and, where clients can see them (a dynamic
 * change is refused), in its words. Source: KafkaConfig.validateValues, GroupCoordinatorConfig,
 * ShareGroupConfig. */
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "config/internal.h"
#include "config/text.h"

static int fail(struct strbuf *error, const char *sentence) {
    strbuf_adds(error, sentence);
    return OE_INVALID;
}

static int check_times(const struct config *c, struct strbuf *error) {
    int64_t retention = config_log_retention_ms(c), wait = config_int(c, CFG_REPLICA_FETCH_WAIT_MAX_MS);
    int64_t cleaners = config_int(c, CFG_LOG_CLEANER_THREADS);
    int64_t heartbeat = config_int(c, CFG_BROKER_HEARTBEAT_INTERVAL_MS),
            session = config_int(c, CFG_BROKER_SESSION_TIMEOUT_MS);
    if (config_log_roll_ms(c) < 1) return fail(error, "log.roll.ms must be greater than or equal to 1");
    if (config_log_roll_jitter_ms(c) < 0)
        return fail(error, "log.roll.jitter.ms must be greater than or equal to 0");
    if (retention < 1 && retention != -1)
        return fail(error, "log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
    if (cleaners < 1)
        return fail(error, "log.cleaner.threads must be at least 1"); /* the reference divides by zero */
    if (config_int(c, CFG_LOG_CLEANER_DEDUPE_BUFFER_SIZE) / cleaners <= 1024 * 1024)
        return fail(error, "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.");
    if (wait > config_int(c, CFG_REPLICA_SOCKET_TIMEOUT_MS))
        return fail(
            error, "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent "
                   "unnecessary socket timeouts");
    if (wait > config_int(c, CFG_REPLICA_LAG_TIME_MAX_MS))
        return fail(
            error,
            "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to "
            "prevent frequent changes in ISR");
    if (heartbeat * 2 > session)
        LOG_ERROR(
            "config",
            "broker.heartbeat.interval.ms (%lld) is more than half of broker.session.timeout.ms (%lld): a "
            "broker may lose its lease between two heartbeats",
            (long long)heartbeat, (long long)session);
    return 0;
}

static bool is_voter(const struct config_node *node) {
    for (int32_t i = 0; i < node->voters_n; i++)
        if (node->voters[i].id == node->id) return true;
    return false;
}

static int check_broker_only(const struct config *c, struct strbuf *error) {
    const struct config_node *node = config_node(c);
    const struct listeners *l = config_listeners(c);
    if (is_voter(node)) {
        strbuf_addf(error,
                    "If process.roles contains just the 'broker' role, the node id %d must not be included "
                    "in the set "
                    "of voters controller.quorum.voters",
                    node->id);
        return OE_INVALID;
    }
    for (int32_t i = 0; i < l->n; i++)
        if (l->items[i].controller)
            return fail(error,
                        "controller.listener.names must not contain a value appearing in the 'listeners' "
                        "configuration when running KRaft with just the broker role");
    if (config_bool(c, CFG_CONTROLLER_QUORUM_AUTO_JOIN_ENABLE))
        return fail(error,
                    "controller.quorum.auto.join.enable is only supported when process.roles contains the "
                    "'controller' role.");
    return 0;
}

static int check_controller(const struct config *c, struct strbuf *error) {
    const struct config_node *node = config_node(c);
    const struct listeners *l = config_listeners(c);
    struct config_list names = config_list(c, CFG_CONTROLLER_LISTENER_NAMES);
    for (int32_t i = 0; !node->broker && i < l->n; i++)
        if (!l->items[i].controller)
            return fail(error, "The listeners config must only contain KRaft controller listeners from "
                               "controller.listener.names when process.roles=controller");
    if (!node->broker && config_string(c, CFG_INTER_BROKER_LISTENER_NAME) &&
        text_list_has(names, l->inter_broker_name))
        return fail(error,
                    "controller.listener.names must not contain an explicitly set inter.broker.listener.name "
                    "configuration value when process.roles=controller");
    if (node->voters_n && !is_voter(node)) {
        strbuf_addf(
            error,
            "If process.roles contains the 'controller' role, the node id %d must be included in the set of "
            "voters controller.quorum.voters",
            node->id);
        return OE_INVALID;
    }
    bool any = false;
    for (int32_t i = 0; i < l->n; i++) any |= l->items[i].controller;
    if (!any && !node->standalone)
        return fail(error,
                    "controller.listener.names must contain at least one value appearing in the 'listeners' "
                    "configuration when running the KRaft controller role");
    for (int32_t i = 0; i < names.n && !node->standalone; i++) {
        const struct listener *found = listeners_find(l, names.items[i]);
        if (!found || strcmp(found->name, names.items[i]))
            return fail(error,
                        "controller.listener.names must only contain values appearing in the 'listeners' "
                        "configuration when running the KRaft controller role");
    }
    return 0;
}

static int check_quorum(const struct config *c, struct strbuf *error) {
    const struct config_node *node = config_node(c);
    if (!node->standalone && !node->voters_n && !node->bootstrap_n)
        return fail(
            error,
            "If using process.roles, either controller.quorum.bootstrap.servers must contain the set of "
            "bootstrap controllers or controller.quorum.voters must contain a parseable set of controllers.");
    return node->controller ? check_controller(c, error) : check_broker_only(c, error);
}

static int check_cordoned(const struct config *c, struct strbuf *error) {
    static const char missing[] =
        "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : ";
    struct config_list cordoned = {0};
    if (!config_is_null(c, CFG_CORDONED_LOG_DIRS)) cordoned = config_list(c, CFG_CORDONED_LOG_DIRS);
    if (text_list_has(cordoned, "*")) {
        if (cordoned.n == 1) return 0;
        return fail(error, "When cordoned.log.dirs is set to *, it must not contain other values");
    }
    bool found = false;
    for (int32_t i = 0; i < cordoned.n; i++) {
        if (text_list_has(config_node(c)->log_dirs, cordoned.items[i])) continue;
        if (!found) strbuf_adds(error, missing);
        strbuf_addf(error, "%s%s", found ? ", " : "", cordoned.items[i]);
        found = true;
    }
    if (found) return OE_INVALID;
    return 0;
}

static int check_broker_listeners(const struct config *c, struct strbuf *error) {
    const struct listeners *l = config_listeners(c);
    struct strbuf names;
    bool any = false, inter_broker = false;
    strbuf_init(&names, 1 << 16);
    for (int32_t i = 0; i < l->n; i++) {
        if (l->items[i].controller || !l->items[i].advertised) continue;
        strbuf_addf(&names, "%s%s", any ? "," : "", l->items[i].name);
        any = true;
        inter_broker |= l->items[i].inter_broker;
    }
    if (!any)
        strbuf_adds(error,
                    "There must be at least one broker advertised listener. Perhaps all listeners appear in "
                    "controller.listener.names?");
    else if (!inter_broker)
        strbuf_addf(
            error,
            "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid "
            "options based on currently configured listeners are %s",
            strbuf_str(&names));
    strbuf_free(&names);
    return any && inter_broker ? check_cordoned(c, error) : OE_INVALID;
}

static int check_security(const struct config *c, struct strbuf *error) {
    const struct listeners *l = config_listeners(c);
    if (l->inter_broker_protocol != PROTOCOL_SASL_PLAINTEXT && l->inter_broker_protocol != PROTOCOL_SASL_SSL)
        return 0;
    struct arena a;
    arena_init(&a, SIZE_MAX);
    const char *enabled = config_for_listener(c, l->inter_broker_name, NULL, CFG_SASL_ENABLED_MECHANISMS);
    bool found = text_list_has(text_list(&a, text_trim(&a, enabled)),
                               config_string(c, CFG_SASL_MECHANISM_INTER_BROKER_PROTOCOL));
    arena_free(&a);
    if (found) return 0;
    return fail(error, "sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms "
                       "when SASL is used for "
                       "inter-broker communication");
}

/* "host:n, host:n": how many connections an address may have. */
static int check_overrides(const struct config *c, struct strbuf *error) {
    static const char key[] = "max.connections.per.ip.overrides";
    struct arena a;
    int err = 0;
    arena_init(&a, SIZE_MAX);
    struct config_list list = text_list(&a, config_string(c, CFG_MAX_CONNECTIONS_PER_IP_OVERRIDES));
    for (int32_t i = 0; !err && i < list.n; i++) {
        const char *colon = strrchr(list.items[i], ':');
        int64_t limit;
        if (colon && text_integer(text_trim(&a, colon + 1), INT32_MIN, INT32_MAX, &limit)) continue;
        strbuf_addf(error,
                    "Error parsing configuration property '%s': \"%s\" is not of the form host:connections",
                    key, list.items[i]);
        err = OE_INVALID;
    }
    if (!err && !list.n && config_int(c, CFG_MAX_CONNECTIONS_PER_IP) == 0) {
        strbuf_addf(error, "max.connections.per.ip can be set to zero only if %s property is set.", key);
        err = OE_INVALID;
    }
    arena_free(&a);
    return err;
}

static int check_connections(const struct config *c, struct strbuf *error) {
    int64_t queued = config_int(c, CFG_QUEUED_MAX_REQUEST_BYTES),
            idle = config_int(c, CFG_CONNECTIONS_MAX_IDLE_MS);
    int64_t delay = config_int(c, CFG_CONNECTION_FAILED_AUTHENTICATION_DELAY_MS);
    if (queued > 0 && queued < config_int(c, CFG_SOCKET_REQUEST_MAX_BYTES))
        return fail(error, "queued.max.request.bytes must be larger or equal to socket.request.max.bytes");
    int err = check_overrides(c, error);
    if (err) return err;
    if (idle >= 0 && delay >= idle) {
        strbuf_addf(error,
                    "connection.failed.authentication.delay.ms=%lld should always be less than "
                    "connections.max.idle.ms=%lld to prevent failed authentication responses from timing out",
                    (long long)delay, (long long)idle);
        return OE_INVALID;
    }
    return 0;
}

/* a >= b, or a > b when strict; `less` says it from b's side. */
struct order {
    enum cfg_id a, b;
    enum { AT_LEAST, AT_MOST, LESS } how; /* a how b */
};

#define BOUNDS(KIND, WHAT)                                                                                   \
    {CFG_GROUP_##KIND##_MAX_##WHAT, CFG_GROUP_##KIND##_MIN_##WHAT, AT_LEAST},                                \
        {CFG_GROUP_##KIND##_##WHAT, CFG_GROUP_##KIND##_MIN_##WHAT, AT_LEAST}, {                              \
        CFG_GROUP_##KIND##_##WHAT, CFG_GROUP_##KIND##_MAX_##WHAT, AT_MOST                                    \
    }
#define GROUP_ORDERS(KIND)                                                                                   \
    BOUNDS(KIND, HEARTBEAT_INTERVAL_MS), BOUNDS(KIND, SESSION_TIMEOUT_MS),                                   \
        {CFG_GROUP_##KIND##_HEARTBEAT_INTERVAL_MS, CFG_GROUP_##KIND##_SESSION_TIMEOUT_MS, LESS},             \
        BOUNDS(KIND, ASSIGNMENT_INTERVAL_MS)

static const struct order orders[] = {
    GROUP_ORDERS(CONSUMER),
    GROUP_ORDERS(SHARE),
    GROUP_ORDERS(STREAMS),
    {CFG_GROUP_STREAMS_NUM_STANDBY_REPLICAS, CFG_GROUP_STREAMS_MAX_STANDBY_REPLICAS, AT_MOST},
    {CFG_GROUP_SHARE_MAX_DELIVERY_COUNT_LIMIT, CFG_GROUP_SHARE_DELIVERY_COUNT_LIMIT, AT_LEAST},
    {CFG_GROUP_SHARE_DELIVERY_COUNT_LIMIT, CFG_GROUP_SHARE_MIN_DELIVERY_COUNT_LIMIT, AT_LEAST},
    {CFG_GROUP_SHARE_MAX_PARTITION_MAX_RECORD_LOCKS, CFG_GROUP_SHARE_PARTITION_MAX_RECORD_LOCKS, AT_LEAST},
    {CFG_GROUP_SHARE_PARTITION_MAX_RECORD_LOCKS, CFG_GROUP_SHARE_MIN_PARTITION_MAX_RECORD_LOCKS, AT_LEAST},
    {CFG_GROUP_SHARE_RECORD_LOCK_DURATION_MS, CFG_GROUP_SHARE_MIN_RECORD_LOCK_DURATION_MS, AT_LEAST},
    {CFG_GROUP_SHARE_MAX_RECORD_LOCK_DURATION_MS, CFG_GROUP_SHARE_RECORD_LOCK_DURATION_MS, AT_LEAST},
    {CFG_GROUP_SHARE_MAX_SHARE_SESSIONS, CFG_GROUP_SHARE_MAX_SIZE, AT_LEAST},
};

static int check_groups(const struct config *c, struct strbuf *error) {
    static const char *const words[] = {"greater than or equal to", "less than or equal to", "less than"};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        const struct order *o = &orders[i];
        int64_t a = config_int(c, o->a), b = config_int(c, o->b);
        if (o->how == AT_LEAST ? a >= b : o->how == AT_MOST ? a <= b : a < b) continue;
        strbuf_addf(error, "%s must be %s %s", config_def(o->a)->name, words[o->how], config_def(o->b)->name);
        return OE_INVALID;
    }
    struct config_list assignors = config_list(c, CFG_GROUP_SHARE_ASSIGNORS);
    if (assignors.n != 1) {
        strbuf_addf(error, "group.share.assignors must contain exactly one assignor, but found %d",
                    assignors.n);
        return OE_INVALID;
    }
    if (!text_list_has(config_list(c, CFG_GROUP_COORDINATOR_REBALANCE_PROTOCOLS), "classic"))
        return fail(error, "Disabling the 'CLASSIC' protocol is not supported.");
    return 0;
}

int config_check(const struct config *c, struct strbuf *error) {
    int err = check_times(c, error);
    if (!err) err = check_quorum(c, error);
    if (!err && config_node(c)->broker) err = check_broker_listeners(c, error);
    if (!err) err = check_security(c, error);
    if (!err) err = check_connections(c, error);
    return err ? err : check_groups(c, error);
}
