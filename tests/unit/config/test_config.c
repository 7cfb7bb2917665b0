/* config/: properties, values, snapshots, listeners, rules across keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "config/outside.h"
#include "config/properties.h"
#include "config/text.h"
#include "config/topic_config.h"

static struct strbuf error;

static int setup(void **state) {
    log_set_level(LOG_FATAL);
    strbuf_init(&error, 1 << 20);
    return 0;
}
static int teardown(void **state) {
    strbuf_free(&error);
    return 0;
}

/* --- properties --- */

static void expect_properties(const char *text, const char *wanted) {
    struct properties p;
    struct strbuf got;
    strbuf_init(&got, 1 << 20);
    strbuf_reset(&error);
    assert_int_equal(properties_parse(&p, text, strlen(text), "f", &error), 0);
    for (int32_t i = 0; i < p.n; i++)
        strbuf_addf(&got, "%d|%s|%s\n", p.items[i].line, p.items[i].name, p.items[i].value);
    assert_string_equal(strbuf_str(&got), wanted);
    strbuf_free(&got);
    properties_free(&p);
}

static void properties_syntax(void **state) {
    expect_properties("", "");
    expect_properties("a=1\nb: 2\r\nc 3\rd", "1|a|1\n2|b|2\n3|c|3\n4|d|\n");
    expect_properties("  a  =  1 2  \n\t\n# x=y\n ! z\n=v\n", "1|a|1 2  \n5||v\n");
    expect_properties("a==b\nc=:d\ne : = f\n", "1|a|=b\n2|c|:d\n3|e|= f\n");
    expect_properties("a = x\\\n    y\\\n z\nb=1\n", "1|a|xyz\n4|b|1\n");
    expect_properties("a\\ b\\=\\:c=\\ d\\\\\\t\\q\n", "1|a b=:c| d\\\tq\n");
    expect_properties("x=\\u0041\\u00e9\\u20AC\\ud83d\\ude00\n",
                      "1|x|A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\n");
    expect_properties("x=\\ud83d!\ny=\xc3\xa9\n", "1|x|\xef\xbf\xbd!\n2|y|\xc3\xa9\n");
    expect_properties("a=1\nb=2\na=3\n", "3|a|3\n2|b|2\n");
    expect_properties("# comment \\\na=1\n", "2|a|1\n"); /* a comment does not continue */
    expect_properties("\\\n# no line yet\n \\\n\na=1", "5|a|1\n");
    expect_properties("a=1\\", "1|a|1\n");
    expect_properties("k\\\n  ey=v", "1|key|v\n");
    expect_properties("k\\\n =v", "1|k|v\n");
}

static void properties_refused(void **state) {
    struct properties p;
    strbuf_reset(&error);
    assert_int_equal(properties_parse(&p, "a=1\nb=\\u12x4", 12, "s.properties", &error), OE_MALFORMED);
    assert_string_equal(strbuf_str(&error),
                        "s.properties:2: \\u must be followed by four hexadecimal digits");
    properties_free(&p);
    strbuf_reset(&error);
    assert_int_equal(properties_parse(&p, "a=1\nb\0=2", 8, "s", &error), OE_MALFORMED);
    assert_string_equal(strbuf_str(&error), "s:2: a NUL byte");
    properties_free(&p);
    char *large = calloc(1, PROPERTIES_MAX_BYTES + 1);
    assert_int_equal(properties_parse(&p, large, PROPERTIES_MAX_BYTES + 1, "s", &error), OE_LIMIT);
    properties_free(&p);
    memset(large, '\n', PROPERTIES_MAX_BYTES);
    size_t at = 0;
    for (int i = 0; i <= PROPERTIES_MAX_KEYS; i++) at += (size_t)sprintf(large + at, "%d\n", i);
    assert_int_equal(properties_parse(&p, large, at, "s", &error), OE_LIMIT);
    properties_free(&p);
    free(large);
}

static void properties_written_are_read(void **state) {
    static const char *const texts[] = {
        "plain", " two  spaces ", "=:#!\\", "t\tn\nr\rf\f", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", ""};
    struct strbuf b;
    strbuf_init(&b, 1 << 16);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct properties p;
        strbuf_reset(&b);
        properties_write(&b, texts[i], texts[5 - i]);
        assert_int_equal(properties_parse(&p, b.s, b.len, "f", &error), 0);
        assert_string_equal(properties_get(&p, texts[i]), texts[5 - i]);
        assert_null(properties_get(&p, "other"));
        properties_free(&p);
    }
    strbuf_reset(&b);
    properties_write(&b, "cluster.id", "a b=\xc3\xa9");
    assert_string_equal(strbuf_str(&b), "cluster.id=a b\\=\\u00E9\n");
    strbuf_free(&b);
}

/* --- single values --- */

/* The text of the value, or the error with "! " before it. */
static const char *parsed(struct arena *a, const struct config_def *def, const char *raw) {
    struct config_value v;
    strbuf_reset(&error);
    if (config_value_parse(def, raw, a, &v, &error)) return text_format(a, "! %s", strbuf_str(&error));
    const char *text = config_value_text(def, &v, a);
    return text ? text : "(null)";
}

static void value_gives(const char *name, const char *raw, const char *wanted) {
    struct arena a;
    int topic = topic_config_find(name), broker = config_find(name), group = group_config_find(name);
    const struct config_def *def = broker >= 0  ? config_def((enum cfg_id)broker)
                                   : topic >= 0 ? topic_config_def((enum tcfg_id)topic)
                                                : group_config_def((enum gcfg_id)group);
    arena_init(&a, SIZE_MAX);
    assert_string_equal(parsed(&a, def, raw), wanted);
    arena_free(&a);
}

static void values_are_read(void **state) {
    value_gives("log.segment.bytes", " 2097152 ", "2097152");
    value_gives("log.segment.bytes", "+2097152", "2097152");
    value_gives("log.segment.bytes", "2147483648",
                "! Invalid value 2147483648 for configuration log.segment.bytes: Not a number of type INT");
    value_gives("log.segment.bytes", "1 2",
                "! Invalid value 1 2 for configuration log.segment.bytes: Not a number of type INT");
    value_gives("log.segment.bytes", "",
                "! Invalid value  for configuration log.segment.bytes: Not a number of type INT");
    value_gives("log.segment.bytes", "12",
                "! Invalid value 12 for configuration log.segment.bytes: Value must be at least 1048576");
    value_gives("log.flush.interval.messages", "9223372036854775807", "9223372036854775807");
    value_gives("log.flush.interval.messages", "9223372036854775808",
                "! Invalid value 9223372036854775808 for configuration log.flush.interval.messages: Not a "
                "number of type LONG");
    value_gives("retention.bytes", "-9223372036854775808", "-9223372036854775808");
    value_gives("offsets.topic.replication.factor", "40000",
                "! Invalid value 40000 for configuration offsets.topic.replication.factor: Not a number of "
                "type SHORT");
    value_gives("max.message.bytes", "-1",
                "! Invalid value -1 for configuration max.message.bytes: Value must be at least 0");
    value_gives("compression.lz4.level", "18",
                "! Invalid value 18 for configuration compression.lz4.level: Value must be no more than 17");
    value_gives("compression.gzip.level", "0",
                "! Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 "
                "or equal to -1");
    value_gives("compression.gzip.level", "-1", "-1");
    value_gives("auto.create.topics.enable", " TRUE", "true");
    value_gives("auto.create.topics.enable", "yes",
                "! Invalid value yes for configuration auto.create.topics.enable: Expected value to be "
                "either true or false");
    value_gives("node.id", NULL, "! Missing required configuration \"node.id\" which has no default value.");
    value_gives("broker.rack", NULL, "(null)");
    value_gives("broker.rack", "  a b ", "a b");
    value_gives(
        "remote.log.storage.manager.class.name", " ",
        "! Invalid value  for configuration remote.log.storage.manager.class.name: String must be non-empty");
}

static void doubles_are_javas(void **state) {
    static const struct {
        double d;
        const char *text;
    } rows[] = {
        {0, "0.0"},
        {-0.0, "-0.0"},
        {1, "1.0"},
        {0.5, "0.5"},
        {0.05, "0.05"},
        {0.001, "0.001"},
        {0.0001, "1.0E-4"},
        {0.00012, "1.2E-4"},
        {123.456, "123.456"},
        {9999999, "9999999.0"},
        {1e7, "1.0E7"},
        {12345678.9, "1.23456789E7"},
        {1.7976931348623157e308, "1.7976931348623157E308"},
        {-2.5, "-2.5"},
        {100, "100.0"},
        {1.0 / 3, "0.3333333333333333"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[40];
        config_double_text(rows[i].d, text);
        assert_string_equal(text, rows[i].text);
    }
    value_gives("min.cleanable.dirty.ratio", "1e-1", "0.1");
    value_gives(
        "min.cleanable.dirty.ratio", "1.5",
        "! Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1");
    value_gives(
        "min.cleanable.dirty.ratio", "0x1p-1",
        "! Invalid value 0x1p-1 for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE");
    value_gives(
        "min.cleanable.dirty.ratio", "nan",
        "! Invalid value nan for configuration min.cleanable.dirty.ratio: Not a number of type DOUBLE");
    value_gives("remote.log.manager.task.retry.jitter", "0.6",
                "! Invalid value 0.6 for configuration remote.log.manager.task.retry.jitter: Value must be "
                "no more than 0.5");
}

static void lists_and_choices(void **state) {
    value_gives("cleanup.policy", " compact , delete ", "compact,delete");
    value_gives("cleanup.policy", "delete,delete", "delete");
    value_gives("cleanup.policy", "", "");
    value_gives("cleanup.policy", "delete,", "! Configuration 'cleanup.policy' values must not be empty.");
    value_gives(
        "cleanup.policy", "foo",
        "! Invalid value foo for configuration cleanup.policy: String must be one of: compact, delete");
    value_gives("log.dirs", "",
                "! Configuration 'log.dirs' must not be empty. Valid values include: any non-empty value");
    value_gives(
        "process.roles", "",
        "! Configuration 'process.roles' must not be empty. Valid values include: [broker, controller]");
    value_gives("process.roles", "zookeeper",
                "! Invalid value zookeeper for configuration process.roles: String must be one of: broker, "
                "controller");
    value_gives("compression.type", "lzo",
                "! Invalid value lzo for configuration compression.type: String must be one of: "
                "uncompressed, zstd, lz4, snappy, "
                "gzip, producer");
    value_gives("group.consumer.migration.policy", "upgrade", "upgrade");
    value_gives("group.consumer.migration.policy", "maybe",
                "! Invalid value maybe for configuration group.consumer.migration.policy: String must be one "
                "of (case insensitive): "
                "DISABLED, DOWNGRADE, UPGRADE, BIDIRECTIONAL");
    value_gives("leader.replication.throttled.replicas", "0:1,12:3", "0:1,12:3");
    value_gives("leader.replication.throttled.replicas", "*", "*");
    value_gives("leader.replication.throttled.replicas", "0:1,*",
                "! Invalid value [0:1, *] for configuration leader.replication.throttled.replicas: "
                "leader.replication.throttled.replicas must be the literal '*' or a list of replicas in the "
                "following format: "
                "[partitionId]:[brokerId],[partitionId]:[brokerId],...");
    value_gives("share.auto.offset.reset", "earliest", "earliest");
    value_gives("share.auto.offset.reset", "by_duration:P1DT2H3M4.5S", "by_duration:P1DT2H3M4.5S");
    value_gives("share.auto.offset.reset", "by_duration:1d",
                "! Invalid value by_duration:1d for configuration share.auto.offset.reset: Invalid value "
                "`by_duration:1d` for "
                "configuration share.auto.offset.reset. The value must be either 'earliest', 'latest' or of "
                "the format "
                "'by_duration:<PnDTnHnMn.nS>'.");
    value_gives("controller.quorum.voters", "1@a:1,2@[::1]:2", "1@a:1,2@[::1]:2");
    value_gives("controller.quorum.voters", "a:1",
                "! Invalid configuration value for controller.quorum.voters. Each entry should be "
                "in the form `{id}@{host}:{port}`.");
    value_gives("controller.quorum.bootstrap.servers", "a",
                "! Failed to parse host name from a for the configuration "
                "controller.quorum.bootstrap.servers. Each entry should be in the form \"{host}:{port}\"");
}

static void every_default_obeys_its_rule(void **state) {
    struct arena a;
    struct config_value v;
    arena_init(&a, SIZE_MAX);
    strbuf_reset(&error);
    for (int id = 0; id < CFG_COUNT; id++) {
        const struct config_def *def = config_def((enum cfg_id)id);
        assert_int_equal(config_find(def->name), id);
        if (!def->required) assert_int_equal(config_value_parse(def, NULL, &a, &v, &error), 0);
        assert_true(strlen(def->doc) > 10);
    }
    for (int id = 0; id < TCFG_COUNT; id++)
        assert_int_equal(config_value_parse(topic_config_def((enum tcfg_id)id), NULL, &a, &v, &error), 0);
    for (int id = 0; id < GCFG_COUNT; id++)
        assert_int_equal(config_value_parse(group_config_def((enum gcfg_id)id), NULL, &a, &v, &error), 0);
    for (int id = 0; id < MCFG_COUNT; id++)
        assert_int_equal(config_value_parse(client_metrics_def((enum mcfg_id)id), NULL, &a, &v, &error), 0);
    assert_int_equal(config_find("no.such.key"), -1);
    assert_int_equal(config_find(""), -1);
    arena_free(&a);
}

static void durations(void **state) {
    int64_t ms;
    assert_true(text_duration("PT0.25S", &ms));
    assert_int_equal(ms, 250);
    assert_true(text_duration("-P1D", &ms));
    assert_int_equal(ms, -86400000);
    static const char *const wrong[] = {"",    "P",    "PT",   "1D",    "P1",
                                        "P1H", "PT1D", "P1DT", "PT1S1", "P99999999999999D"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) assert_false(text_duration(wrong[i], &ms));
}

/* --- a node --- */

/* What is outside, for config.providers: one file and a directory with one. */
static enum outside_kind kind_of(const char *path) {
    return !strcmp(path, "/secrets") || !strcmp(path, "/")            ? OUTSIDE_DIRECTORY
           : !strcmp(path, "/secrets/size") || !strcmp(path, "/file") ? OUTSIDE_FILE
                                                                      : OUTSIDE_NOTHING;
}

static int read_file(const char *path, char **text, size_t *n) {
    const char *content = !strcmp(path, "/file")           ? "size=1000000\na\\:b=1100\nempty=\n"
                          : !strcmp(path, "/secrets/size") ? "2000000"
                                                           : NULL;
    if (!content) return OE_NOTFOUND;
    *text = strdup(content);
    *n = strlen(content);
    return 0;
}

static const char *environment(const char *name) { return !strcmp(name, "SIZE") ? "3000000" : NULL; }

static const struct config_outside outside = {kind_of, read_file, environment};

/* Loads text (NULL: no file) with overrides up to a NULL. */
static struct config *load(const char *text, ...) {
    const char *overrides[16];
    struct properties p;
    int32_t n = 0;
    va_list args;
    va_start(args, text);
    while ((overrides[n] = va_arg(args, const char *))) n++;
    va_end(args);
    strbuf_reset(&error);
    if (!text) return config_load(NULL, overrides, n, &outside, &error);
    assert_int_equal(properties_parse(&p, text, strlen(text), "server.properties", &error), 0);
    struct config *c = config_load(&p, overrides, n, &outside, &error);
    properties_free(&p);
    return c;
}

#define REFUSED(sentence, ...)                                                                               \
    do {                                                                                                     \
        assert_null(load(__VA_ARGS__, NULL));                                                                \
        assert_string_equal(strbuf_str(&error), sentence);                                                   \
    } while (0)

static const char combined[] =
    "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:9093\n"
    "listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093\n"
    "controller.listener.names=CONTROLLER\nlog.dirs=/d1,/d2\n";

static void without_a_file(void **state) {
    struct config *c = load(NULL, NULL);
    assert_non_null(c);
    const struct config_node *node = config_node(c);
    assert_true(node->standalone && node->broker && node->controller);
    assert_int_equal(node->id, 1);
    assert_int_equal(config_int(c, CFG_BROKER_ID), 1);
    assert_string_equal(node->metadata_log_dir, "./data");
    const struct listeners *l = config_listeners(c);
    assert_int_equal(l->n, 1);
    assert_string_equal(l->items[0].host, "127.0.0.1");
    assert_int_equal(l->items[0].port, 9092);
    assert_string_equal(l->items[0].advertised_host, "127.0.0.1");
    assert_true(l->items[0].inter_broker && l->items[0].advertised && !l->items[0].controller);
    assert_string_equal(l->controller_name, "CONTROLLER");
    assert_int_equal(config_int(c, CFG_OFFSETS_TOPIC_REPLICATION_FACTOR), 1);
    assert_int_equal(config_int(c, CFG_TRANSACTION_STATE_LOG_MIN_ISR), 1);
    assert_int_equal(config_int(c, CFG_GROUP_INITIAL_REBALANCE_DELAY_MS), 3000);
    config_unref(c);
}

static void without_a_file_but_overrides(void **state) {
    struct config *c = load(NULL, "listeners=PLAINTEXT://127.0.0.1:4242", "log.dirs=/x", NULL);
    assert_non_null(c);
    assert_int_equal(config_listeners(c)->items[0].port, 4242);
    assert_string_equal(config_node(c)->metadata_log_dir, "/x");
    config_unref(c);
    c = load(NULL, "log.dir=/y", "broker.id=7", "metadata.log.dir=/m", NULL);
    assert_non_null(c);
    assert_string_equal(config_node(c)->log_dirs.items[0], "/y");
    assert_string_equal(config_node(c)->metadata_log_dir, "/m");
    assert_int_equal(config_node(c)->id, 7);
    config_unref(c);
    c = load(NULL, "listeners=PLAINTEXT://:4242,CONTROLLER://:4243", "listeners=PLAINTEXT://:0", NULL);
    assert_non_null(c);
    assert_int_equal(config_listeners(c)->n, 1);
    config_unref(c);
    c = load(NULL, "listeners=PLAINTEXT://:4242,CONTROLLER://:4243", NULL);
    assert_non_null(c);
    assert_true(config_listeners(c)->items[1].controller);
    config_unref(c);
    c = load(NULL, "listeners=SASL_SSL://:4242", "security.inter.broker.protocol=SASL_SSL", NULL);
    assert_non_null(c);
    config_unref(c);
    REFUSED("the override \"nonsense\" is not of the form key=value", NULL, "nonsense");
    REFUSED("the override \" =1\" is not of the form key=value", NULL, " =1");
    REFUSED("Invalid value x for configuration node.id: Not a number of type INT", NULL, "node.id=x");
}

static void from_a_file(void **state) {
    struct config *c = load(combined, "num.partitions=4", "my.key=1", NULL);
    assert_non_null(c);
    const struct config_node *node = config_node(c);
    assert_false(node->standalone);
    assert_int_equal(node->voters_n, 1);
    assert_string_equal(node->voters[0].host, "127.0.0.1");
    assert_int_equal(node->voters[0].port, 9093);
    assert_int_equal(node->log_dirs.n, 2);
    assert_string_equal(node->metadata_log_dir, "/d1");
    assert_int_equal(config_int(c, CFG_NUM_PARTITIONS), 4);
    assert_string_equal(config_raw(c, "my.key"), "1");
    assert_null(config_raw(c, "other"));
    assert_true(config_bool(c, CFG_AUTO_CREATE_TOPICS_ENABLE));
    assert_true(config_double(c, CFG_LOG_CLEANER_MIN_CLEANABLE_RATIO) == 0.5);
    assert_string_equal(config_string(c, CFG_COMPRESSION_TYPE), "producer");
    assert_null(config_string(c, CFG_BROKER_RACK));
    assert_int_equal(config_list(c, CFG_GROUP_CONSUMER_ASSIGNORS).n, 2);
    config_unref(c);
    REFUSED("server.properties:2: Invalid value 12 for configuration log.segment.bytes: Value must be at "
            "least 1048576",
            "process.roles=broker\nlog.segment.bytes=12\nnode.id=1\ncontroller.listener.names=C");
    REFUSED("Invalid value 13 for configuration log.segment.bytes: Value must be at least 1048576",
            "process.roles=broker\nlog.segment.bytes=12\nnode.id=1\ncontroller.listener.names=C",
            "log.segment.bytes=13");
    REFUSED("Missing required configuration \"controller.listener.names\" which has no default value.",
            "a=1");
}

static void rules_across_keys(void **state) {
    REFUSED("You must set `node.id` to the same value as `broker.id`.", NULL, "broker.id=2", "node.id=3");
    REFUSED("log.roll.ms must be greater than or equal to 1", NULL, "log.roll.ms=0");
    REFUSED("log.roll.jitter.ms must be greater than or equal to 0", NULL, "log.roll.jitter.ms=-1");
    REFUSED("log.retention.ms must be unlimited (-1) or, greater than or equal to 1", NULL,
            "log.retention.ms=0");
    REFUSED("log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.", NULL,
            "log.cleaner.threads=128");
    REFUSED("log.cleaner.threads must be at least 1", NULL, "log.cleaner.threads=0");
    REFUSED("replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent "
            "unnecessary socket timeouts",
            NULL, "replica.fetch.wait.max.ms=40000");
    REFUSED("replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to "
            "prevent frequent changes "
            "in ISR",
            NULL, "replica.lag.time.max.ms=100");
    REFUSED("If process.roles contains the 'controller' role, the node id 1 must be included in the set of "
            "voters "
            "controller.quorum.voters",
            combined, "controller.quorum.voters=2@h:1");
    REFUSED("If using process.roles, either controller.quorum.bootstrap.servers must contain the set of "
            "bootstrap controllers or "
            "controller.quorum.voters must contain a parseable set of controllers.",
            combined, "controller.quorum.voters=");
    REFUSED("If process.roles contains just the 'broker' role, the node id 1 must not be included in the set "
            "of voters "
            "controller.quorum.voters",
            combined, "process.roles=broker");
    REFUSED("controller.listener.names must not contain a value appearing in the 'listeners' configuration "
            "when running KRaft with "
            "just the broker role",
            combined, "process.roles=broker", "controller.quorum.voters=2@h:1");
    REFUSED("The listeners config must only contain KRaft controller listeners from "
            "controller.listener.names when "
            "process.roles=controller",
            combined, "process.roles=controller");
    REFUSED("controller.listener.names must only contain values appearing in the 'listeners' configuration "
            "when running the KRaft "
            "controller role",
            combined, "controller.listener.names=CONTROLLER,OTHER");
    REFUSED("When cordoned.log.dirs is set to *, it must not contain other values", NULL,
            "cordoned.log.dirs=*,./data");
    REFUSED("All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : /z",
            NULL, "cordoned.log.dirs=/z");
    REFUSED("queued.max.request.bytes must be larger or equal to socket.request.max.bytes", NULL,
            "queued.max.request.bytes=1000");
    REFUSED(
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set.",
        NULL, "max.connections.per.ip=0");
    REFUSED("Error parsing configuration property 'max.connections.per.ip.overrides': \"x\" is not of the "
            "form host:connections",
            NULL, "max.connections.per.ip.overrides=1.2.3.4:5,x");
    REFUSED("connection.failed.authentication.delay.ms=100 should always be less than "
            "connections.max.idle.ms=100 to prevent failed "
            "authentication responses from timing out",
            NULL, "connections.max.idle.ms=100");
    REFUSED("group.consumer.session.timeout.ms must be less than or equal to "
            "group.consumer.max.session.timeout.ms",
            NULL, "group.consumer.session.timeout.ms=70000");
    REFUSED("group.share.heartbeat.interval.ms must be greater than or equal to "
            "group.share.min.heartbeat.interval.ms",
            NULL, "group.share.heartbeat.interval.ms=1000");
    REFUSED("Disabling the 'CLASSIC' protocol is not supported.", NULL,
            "group.coordinator.rebalance.protocols=consumer");
    REFUSED("sasl.mechanism.inter.broker.protocol must be included in sasl.enabled.mechanisms when SASL is "
            "used for inter-broker "
            "communication",
            NULL, "listeners=SASL_PLAINTEXT://:1", "security.inter.broker.protocol=SASL_PLAINTEXT",
            "sasl.enabled.mechanisms=PLAIN");
}

static void other_roles(void **state) {
    struct config *c = load(
        "process.roles=broker\nnode.id=5\nlisteners=PLAINTEXT://:9092\ncontroller.listener.names=CONTROLLER\n"
        "controller.quorum.bootstrap.servers=c1:9093,[::1]:9094\n",
        NULL);
    assert_non_null(c);
    assert_true(config_node(c)->broker && !config_node(c)->controller);
    assert_int_equal(config_node(c)->bootstrap_n, 2);
    assert_string_equal(config_node(c)->bootstrap[1].host, "::1");
    assert_string_equal(config_listeners(c)->controller_name, "CONTROLLER");
    config_unref(c);
    c = load("process.roles=controller\nnode.id=5\nlisteners=CTL://:9093\ncontroller.listener.names=CTL\n"
             "controller.quorum.voters=5@ctl-host:9093\n",
             NULL);
    assert_non_null(c);
    const struct listener *l = config_listeners(c)->items;
    assert_true(l->controller && l->early && l->advertised);
    assert_string_equal(l->advertised_host, "ctl-host"); /* taken from the voters */
    config_unref(c);
}

/* --- listeners --- */

static void listeners_in_full(void **state) {
    struct config *c =
        load(combined, "listeners=INTERNAL://[::1]:9092,external://0.0.0.0:9094,CONTROLLER://127.0.0.1:9093",
             "advertised.listeners=INTERNAL://broker-1:19092,EXTERNAL://example.com:9094",
             "listener.security.protocol.map=INTERNAL:PLAINTEXT,EXTERNAL:sasl_ssl, CONTROLLER:SSL",
             "inter.broker.listener.name=internal", "early.start.listeners=EXTERNAL",
             "listener.name.external.ssl.keystore.location=/k",
             "listener.name.external.plain.sasl.jaas.config=secret", NULL);
    assert_non_null(c);
    const struct listeners *l = config_listeners(c);
    const struct listener *internal = listeners_find(l, "internal"),
                          *external = listeners_find(l, "EXTERNAL");
    assert_int_equal(l->n, 3);
    assert_string_equal(internal->host, "::1");
    assert_string_equal(internal->advertised_host, "broker-1");
    assert_int_equal(internal->advertised_port, 19092);
    assert_true(internal->inter_broker && !external->inter_broker && external->early && !internal->early);
    assert_int_equal(external->protocol, PROTOCOL_SASL_SSL);
    assert_string_equal(external->name, "EXTERNAL");
    assert_int_equal(l->controller_protocol, PROTOCOL_SSL);
    assert_null(listeners_find(l, "none"));
    assert_string_equal(config_for_listener(c, "EXTERNAL", NULL, CFG_SSL_KEYSTORE_LOCATION), "/k");
    assert_null(config_for_listener(c, "INTERNAL", NULL, CFG_SSL_KEYSTORE_LOCATION));
    assert_string_equal(config_for_listener(c, "EXTERNAL", "PLAIN", CFG_SASL_JAAS_CONFIG), "secret");
    assert_string_equal(config_for_listener(c, "INTERNAL", NULL, CFG_SSL_KEYSTORE_TYPE), "JKS");
    config_unref(c);
    c = load(combined, "listeners=PLAINTEXT://127.0.0.1:9092,B://[::1]:9092,CONTROLLER://:9093",
             "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,B:PLAINTEXT,CONTROLLER:PLAINTEXT", NULL);
    assert_non_null(c); /* one port, IPv4 and IPv6 */
    config_unref(c);
}

static void listeners_refused(void **state) {
    REFUSED("listeners: Unable to parse PLAINTEXT:/x:1 to a broker endpoint (NAME://host:port)", NULL,
            "listeners=PLAINTEXT:/x:1");
    REFUSED("listeners: Unable to parse PLAINTEXT://x to a broker endpoint (NAME://host:port)", NULL,
            "listeners=PLAINTEXT://x");
    REFUSED("listeners: Unable to parse PLAINTEXT://a b:1 to a broker endpoint (NAME://host:port)", NULL,
            "listeners=PLAINTEXT://a b:1");
    REFUSED("listeners: port 70000 of PLAINTEXT://x:70000 is not from 0 to 65535", NULL,
            "listeners=PLAINTEXT://x:70000");
    REFUSED("listeners: No security protocol defined for listener FOO", NULL, "listeners=FOO://:1");
    REFUSED("listeners: Each listener must have a different name, PLAINTEXT is there twice", NULL,
            "listeners=PLAINTEXT://:1,plaintext://:2");
    REFUSED("listeners: port 1 is used by more than one listener; each must have a different port, unless "
            "exactly one has an IPv4 "
            "address and the other an IPv6 address",
            NULL, "listeners=PLAINTEXT://:1,SSL://:1");
    REFUSED("Invalid security protocol `TLS` defined in listener.security.protocol.map", NULL,
            "listener.security.protocol.map=A:TLS");
    REFUSED("Error parsing configuration property 'listener.security.protocol.map': \"A\" is not of the form "
            "NAME:PROTOCOL",
            NULL, "listener.security.protocol.map=A");
    REFUSED(
        "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address.",
        NULL, "listeners=PLAINTEXT://0.0.0.0:1");
    REFUSED("advertised.listeners listener names must be equal to or a subset of the ones defined in "
            "listeners. SSL is not one of "
            "them",
            NULL, "advertised.listeners=PLAINTEXT://h:1,SSL://h:2");
    REFUSED("There must be at least one broker advertised listener. Perhaps all listeners appear in "
            "controller.listener.names?",
            NULL, "listeners=CONTROLLER://:1");
    REFUSED("inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid "
            "options based on currently "
            "configured listeners are SSL",
            NULL, "listeners=SSL://:1");
    REFUSED("Only one of inter.broker.listener.name and security.inter.broker.protocol should be set.", NULL,
            "inter.broker.listener.name=PLAINTEXT", "security.inter.broker.protocol=SSL");
    REFUSED("Listener with name X defined in inter.broker.listener.name not found in "
            "listener.security.protocol.map.",
            NULL, "inter.broker.listener.name=x");
    REFUSED("early.start.listeners contains listener Y, but this is not contained in listeners or "
            "controller.listener.names",
            NULL, "early.start.listeners=Y");
    REFUSED("listeners: No security protocol defined for listener CONTROLLER", combined,
            "listeners=SSL://:1,CONTROLLER://:9093",
            "security.inter.broker.protocol=SSL"); /* no map is guessed beside a secure listener */
}

/* --- dynamic values --- */

static void dynamic_layers(void **state) {
    struct config *c = load(combined, "log.retention.minutes=300", "log.segment.bytes=2000000", NULL);
    assert_int_equal(config_log_retention_ms(c), 300 * 60000);
    struct config_pair cluster[] = {{"log.retention.ms", "7200000"}, {"log.segment.bytes", "3000000"},
                                    {"num.partitions", "9"},         {"listeners", "PLAINTEXT://:1"},
                                    {"log.cleaner.threads", "zero"}, {"my.own", "x"}};
    struct config_pair broker[] = {
        {"log.segment.bytes", "4000000"}, {"ssl.keystore.type", "PEM"}, {"log.flush.interval.ms", "9000"}};
    struct config *d = config_with_dynamic(c, cluster, 6, broker, 3, &error);
    assert_non_null(d);
    assert_int_equal(config_log_retention_ms(d), 7200000);
    assert_true(config_is_null(d, CFG_LOG_RETENTION_MINUTES)); /* hidden by its synonym */
    assert_int_equal(config_int(d, CFG_LOG_SEGMENT_BYTES), 4000000);
    assert_int_equal(config_int(d, CFG_NUM_PARTITIONS), 1);              /* not dynamic */
    assert_int_equal(config_int(d, CFG_LOG_CLEANER_THREADS), 1);         /* not a number */
    assert_string_equal(config_string(d, CFG_SSL_KEYSTORE_TYPE), "JKS"); /* only with a listener's prefix */
    assert_int_equal(config_listeners(d)->items[0].port, 9092);          /* not for all brokers */
    assert_string_equal(config_raw(d, "my.own"), "x");
    assert_int_equal(config_log_flush_ms(d), 9000);
    assert_int_equal(config_log_roll_ms(d), 604800000);
    assert_int_equal(config_log_roll_jitter_ms(d), 0);
    assert_int_equal(config_layer(d, SOURCE_DEFAULT_BROKER).n, 3);
    assert_int_equal(config_layer(d, SOURCE_BROKER).n, 2);
    struct config *back = config_with_dynamic(d, NULL, 0, NULL, 0, &error);
    assert_int_equal(config_log_retention_ms(back), 300 * 60000);
    struct config_pair interval[] = {{"group.consumer.assignment.interval.ms", "99999"}};
    struct config *clamped = config_with_dynamic(c, interval, 1, NULL, 0, &error);
    assert_int_equal(config_int(clamped, CFG_GROUP_CONSUMER_ASSIGNMENT_INTERVAL_MS), 15000);
    config_unref(clamped);
    config_unref(back);
    config_unref(d);
    config_unref(c);
}

static void expect_dynamic(const struct config *c, bool per_broker, const char *name, const char *value,
                           const char *wanted) {
    struct config_pair pair = {name, value};
    strbuf_reset(&error);
    int err = config_check_dynamic(c, per_broker, &pair, 1, &error);
    assert_string_equal(strbuf_str(&error), wanted);
    assert_int_equal(err, *wanted ? OE_INVALID : 0);
}

static void dynamic_changes_are_checked(void **state) {
    struct config *c = load(combined, NULL);
    expect_dynamic(c, false, "log.retention.ms", "1000", "");
    expect_dynamic(c, true, "log.retention.ms", "1000", "");
    expect_dynamic(c, true, "some.plugin.key", "1000", "");
    expect_dynamic(c, true, "num.partitions", "1",
                   "Cannot update these configs dynamically: [num.partitions]");
    expect_dynamic(c, true, "ssl.keystore.type", "PEM",
                   "These security configs can be dynamically updated only per-listener using the "
                   "listener prefix: [ssl.keystore.type]");
    expect_dynamic(c, true, "listener.name.x.ssl.keystore.type", "PEM", "");
    expect_dynamic(c, false, "listener.name.x.ssl.keystore.type", "PEM",
                   "Cannot update these configs at default cluster level, broker id must be specified: "
                   "[listener.name.x.ssl.keystore.type]");
    expect_dynamic(c, false, "listener.name.x.max.connections", "5", "");
    expect_dynamic(c, true, "listener.name.x.max.connections", "-5",
                   "Invalid value -5 for configuration max.connections: Value must be at least 0");
    expect_dynamic(c, false, "log.segment.bytes", "1",
                   "Invalid value 1 for configuration log.segment.bytes: Value must be at least 1048576");
    expect_dynamic(c, false, "num.io.threads", "16", "");
#define CHANGE(sentence)                                                                                     \
    "Invalid value org.apache.kafka.common.config.ConfigException: " sentence                                \
    " for configuration Invalid dynamic configuration"
    expect_dynamic(
        c, false, "num.io.threads", "17",
        CHANGE("Dynamic thread count update validation failed for num.io.threads=17, value should not be "
               "greater than double the current value 8"));
    expect_dynamic(
        c, false, "num.io.threads", "3",
        CHANGE("Dynamic thread count update validation failed for num.io.threads=3, value should be at "
               "least half the current value 8"));
    expect_dynamic(c, false, "log.cleaner.threads", "3",
                   CHANGE("Log cleaner threads cannot be increased to more than double the current value 1"));
    expect_dynamic(c, false, "max.connections", "0", CHANGE("Invalid max.connections 0"));
    expect_dynamic(c, true, "listener.name.plaintext.max.connections", "0",
                   CHANGE("Invalid max.connections 0"));
    expect_dynamic(
        c, true, "listener.name.plaintext.num.network.threads", "7",
        CHANGE("Dynamic thread count update validation failed for num.network.threads=7, value should not "
               "be greater than double the current value 3"));
    expect_dynamic(
        c, false, "metric.reporters", "org.example.X",
        CHANGE("Validation of dynamic config update of Set(metric.reporters) failed with class class "
               "kafka.server.DynamicMetricsReporters"));
    expect_dynamic(
        c, true, "principal.builder.class", "x.Y",
        "Invalid value x.Y for configuration principal.builder.class: Class x.Y could not be found.");
    expect_dynamic(c, false, "group.consumer.assignment.interval.ms", "999999",
                   "group.consumer.assignment.interval.ms must be less than or equal to "
                   "group.consumer.max.assignment.interval.ms");
    expect_dynamic(
        c, false, "log.local.retention.ms", "-1",
        CHANGE("Invalid value -1 for configuration log.local.retention.ms: Value must not be -1 as "
               "log.retention.ms value is set as 604800000."));
    expect_dynamic(
        c, false, "log.local.retention.ms", "604800001",
        CHANGE("Invalid value 604800001 for configuration log.local.retention.ms: Value must not be more "
               "than log.retention.ms property value: 604800000"));
    expect_dynamic(c, false, "log.retention.ms", "0",
                   "log.retention.ms must be unlimited (-1) or, greater than or equal to 1");
    expect_dynamic(c, true, "listeners", "CONTROLLER://127.0.0.1:9093",
                   "There must be at least one broker advertised listener. Perhaps all listeners appear in "
                   "controller.listener.names?");
    expect_dynamic(
        c, false, "leader.replication.throttled.rate", "-1",
        "Invalid value -1 for configuration leader.replication.throttled.rate: Value must be at least 0");
    config_unref(c);
}

static void listener_names_in_keys(void **state) {
    assert_string_equal(config_listener_base("listener.name.a.ssl.protocol"), "ssl.protocol");
    assert_string_equal(config_listener_base("listener.name.a.scram-sha-256.sasl.jaas.config"),
                        "sasl.jaas.config");
    assert_null(config_listener_base("listener.name.a"));
    assert_null(config_listener_base("log.dirs"));
}

/* --- topics --- */

static void topic_defaults_and_overrides(void **state) {
    struct config *c =
        load(combined, "log.roll.hours=2", "log.retention.hours=-1", "message.max.bytes=5000", NULL);
    struct topic_config t;
    topic_config_resolve(c, NULL, 0, &t);
    assert_int_equal(t.segment_ms, 7200000);
    assert_int_equal(t.retention_ms, -1);
    assert_int_equal(t.local_retention_ms, -1);
    assert_int_equal(t.max_message_bytes, 5000);
    assert_int_equal(t.segment_bytes, 1073741824);
    assert_int_equal(t.flush_messages, INT64_MAX);
    assert_int_equal(t.compression, TOPIC_COMPRESSION_PRODUCER);
    assert_true(t.cleanup_delete && !t.cleanup_compact && !t.log_append_time);
    struct config_pair over[] = {{"segment.ms", "5"},
                                 {"cleanup.policy", "compact"},
                                 {"compression.type", "zstd"},
                                 {"retention.bytes", "77"},
                                 {"message.timestamp.type", "LogAppendTime"},
                                 {"internal.segment.bytes", "100"},
                                 {"flush.ms", "broken"}};
    topic_config_resolve(c, over, 7, &t);
    assert_int_equal(t.segment_ms, 5);
    assert_int_equal(t.segment_bytes, 100);
    assert_int_equal(t.flush_ms, INT64_MAX); /* left out */
    assert_int_equal(t.local_retention_bytes, 77);
    assert_true(t.cleanup_compact && !t.cleanup_delete && t.log_append_time);
    assert_int_equal(t.compression, TOPIC_COMPRESSION_ZSTD);
    config_unref(c);
}

static void expect_topic(const struct config *c, const char *text, const char *old, const char *wanted) {
    struct properties p, o;
    struct config_pair pairs[8], before[8];
    assert_int_equal(properties_parse(&p, text, strlen(text), "t", &error), 0);
    assert_int_equal(properties_parse(&o, old, strlen(old), "t", &error), 0);
    for (int32_t i = 0; i < p.n; i++) pairs[i] = (struct config_pair){p.items[i].name, p.items[i].value};
    for (int32_t i = 0; i < o.n; i++) before[i] = (struct config_pair){o.items[i].name, o.items[i].value};
    strbuf_reset(&error);
    int err = topic_config_validate(c, pairs, p.n, before, o.n, &error);
    assert_string_equal(strbuf_str(&error), wanted);
    assert_int_equal(err, *wanted ? OE_INVALID : 0);
    properties_free(&p);
    properties_free(&o);
}

static void topic_overrides_are_checked(void **state) {
    struct config *c = load(NULL, NULL), *tiered = load(NULL, "remote.log.storage.system.enable=true", NULL);
    expect_topic(c, "", "", "");
    expect_topic(c, "retention.ms=-1\nsegment.bytes=1048576", "", "");
    expect_topic(c, "foo=1", "", "Unknown topic config name: foo");
    expect_topic(c, "max.message.bytes=-1", "",
                 "Invalid value -1 for configuration max.message.bytes: Value must be at least 0");
    expect_topic(c, "min.compaction.lag.ms=5\nmax.compaction.lag.ms=4", "",
                 "conflict topic config setting min.compaction.lag.ms (5) > max.compaction.lag.ms (4)");
    expect_topic(c, "remote.storage.enable=true", "",
                 "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with "
                 "remote log storage.");
    expect_topic(tiered, "remote.storage.enable=true", "", "");
    expect_topic(tiered, "remote.storage.enable=true\ncleanup.policy=compact", "",
                 "Remote log storage only supports topics with "
                 "cleanup.policy=delete or cleanup.policy being an empty list.");
    expect_topic(tiered, "remote.storage.enable=true\nretention.bytes=5\nlocal.retention.bytes=-1", "",
                 "Invalid value -1 for configuration local.retention.bytes: Value must not be -1 as "
                 "retention.bytes value is set as 5.");
    expect_topic(tiered, "remote.storage.enable=true\nretention.ms=5\nlocal.retention.ms=6", "",
                 "Invalid value 6 for configuration local.retention.ms: Value must not be more than "
                 "retention.ms property value: 5");
    expect_topic(
        tiered,
        "remote.storage.enable=true\nremote.log.copy.disable=true\nretention.ms=5\nlocal.retention.ms=4", "",
        "When `remote.log.copy.disable` is set to true, the `local.retention.ms` and `retention.ms` must be "
        "set to the "
        "identical value because there will be no more logs copied to the remote storage.");
    expect_topic(tiered, "remote.log.delete.on.disable=true", "remote.storage.enable=true", "");
    expect_topic(tiered, "", "remote.storage.enable=true",
                 "It is invalid to disable remote storage without deleting remote data. If you "
                 "want to keep the remote data and turn to read only, please set "
                 "`remote.storage.enable=true,remote.log.copy.disable=true`. If you want to disable remote "
                 "storage and delete all remote "
                 "data, please set `remote.storage.enable=false,remote.log.delete.on.disable=true`.");
    config_unref(c);
    config_unref(tiered);
}

/* --- config.providers --- */

#define PROVIDER(name, class)                                                                                \
    "config.providers." name ".class=org.apache.kafka.common.config.provider." class "ConfigProvider"
#define PROVIDERS                                                                                            \
    "config.providers=file,dir,env", PROVIDER("file", "File"), PROVIDER("dir", "Directory"),                 \
        PROVIDER("env", "EnvVar")

static int64_t size_of(const char *value) {
    char line[128];
    snprintf(line, sizeof line, "message.max.bytes=%s", value);
    struct config *c = load(NULL, PROVIDERS, line, NULL);
    if (!c) return -1;
    int64_t size = config_int(c, CFG_MESSAGE_MAX_BYTES);
    config_unref(c);
    return size;
}

static void variables_are_replaced(void **state) {
    assert_int_equal(size_of("${file:/file:size}"), 1000000);
    assert_int_equal(size_of("${file:/file:a:b}"), 1100);
    assert_int_equal(size_of("${dir:/secrets:size}"), 2000000);
    assert_int_equal(size_of("${env:SIZE}"), 3000000);
    assert_int_equal(size_of("1${file:/file:empty}2"), 12);
    static const char *const as_they_are[] = {
        "${file:/file:none}", "${dir:/secrets:none}", "${dir:/secrets:../file}",
        "${env:NONE}",        "${other:SIZE}",        "${size}",
        "${env:SIZE"};
    for (size_t i = 0; i < sizeof as_they_are / sizeof *as_they_are; i++) {
        char sentence[256];
        assert_int_equal(size_of(as_they_are[i]), -1);
        snprintf(sentence, sizeof sentence,
                 "Invalid value %s for configuration message.max.bytes: Not a number of type INT",
                 as_they_are[i]);
        assert_string_equal(strbuf_str(&error), sentence);
    }
    struct config *c = load(NULL, PROVIDERS, "broker.rack=<${env:SIZE}|${none:x}|${file:/file:size}>", NULL);
    assert_string_equal(config_node(c)->rack, "<3000000|${none:x}|1000000>");
    config_unref(c);
}

static void providers_that_are_wrong(void **state) {
    static const struct {
        const char *over, *why;
    } rows[] = {
        {"config.providers.file.class=org.example.Mine",
         "Invalid value org.example.Mine for configuration config.providers.file.class: Could not load "
         "config provider "
         "class or one of its dependencies"},
        {"broker.rack=${file:/nowhere:a}", "Could not read properties from file /nowhere"},
        {"broker.rack=${env:path:SIZE}",
         "Path is not supported for EnvVarConfigProvider, invalid value 'path'"},
        {"config.providers.file.param.allowed.paths=file", "Path file is not absolute"},
        {"config.providers.dir.param.allowed.paths=/secrets,/../x/..//none", "Path /none does not exist"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_null(load(NULL, PROVIDERS, rows[i].over, NULL));
        assert_string_equal(strbuf_str(&error), rows[i].why);
    }
}

static void providers_see_what_is_allowed(void **state) {
    static const struct {
        const char *param, *value, *rack;
    } rows[] = {
        {"config.providers.file.param.allowed.paths=/secrets", "${file:/file:size}", "${file:/file:size}"},
        {"config.providers.file.param.allowed.paths=/secrets", "${file:/secrets/../file:size}",
         "${file:/secrets/../file:size}"},
        {"config.providers.file.param.allowed.paths=/secrets,/file", "${file:/secrets/../file:size}",
         "1000000"},
        {"config.providers.dir.param.allowed.paths=/", "${dir:/secrets:size}", "2000000"},
        {"config.providers.dir.param.allowed.paths=/secrets/size", "${dir:/secrets:size}",
         "${dir:/secrets:size}"},
        {"config.providers.env.param.allowlist.pattern=S.*", "${env:SIZE}", "3000000"},
        {"config.providers.env.param.allowlist.pattern=S", "${env:SIZE}", "${env:SIZE}"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char line[256];
        snprintf(line, sizeof line, "broker.rack=%s", rows[i].value);
        struct config *c = load(NULL, PROVIDERS, rows[i].param, line, NULL);
        assert_non_null(c);
        assert_string_equal(config_node(c)->rack, rows[i].rack);
        config_unref(c);
    }
}

/* At run time: a variable is explained by the pairs that are changed, or by what is in force. */
static void dynamic_variables(void **state) {
    static const struct config_pair size[] = {{"message.max.bytes", "${env:SIZE}"}},
                                    whole[] = {
                                        {"message.max.bytes", "${env:SIZE}"},
                                        {"config.providers", "env"},
                                        {"config.providers.env.class",
                                         "org.apache.kafka.common.config.provider.EnvVarConfigProvider"}};
    struct config *c = load(NULL, NULL);
    strbuf_reset(&error);
    assert_int_equal(config_check_dynamic(c, true, size, 1, &error), OE_INVALID);
    strbuf_reset(&error);
    assert_int_equal(config_check_dynamic(c, true, whole, 3, &error), 0);
    struct config *next = config_with_dynamic(c, NULL, 0, whole, 3, &error);
    assert_int_equal(config_int(next, CFG_MESSAGE_MAX_BYTES), 3000000);
    assert_string_equal(config_layer_get(config_layer(next, SOURCE_BROKER), "message.max.bytes"),
                        "${env:SIZE}");
    config_unref(next);
    config_unref(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variables_are_replaced),
        cmocka_unit_test(providers_that_are_wrong),
        cmocka_unit_test(providers_see_what_is_allowed),
        cmocka_unit_test(dynamic_variables),
        cmocka_unit_test(properties_syntax),
        cmocka_unit_test(properties_refused),
        cmocka_unit_test(properties_written_are_read),
        cmocka_unit_test(values_are_read),
        cmocka_unit_test(doubles_are_javas),
        cmocka_unit_test(lists_and_choices),
        cmocka_unit_test(every_default_obeys_its_rule),
        cmocka_unit_test(durations),
        cmocka_unit_test(without_a_file),
        cmocka_unit_test(without_a_file_but_overrides),
        cmocka_unit_test(from_a_file),
        cmocka_unit_test(rules_across_keys),
        cmocka_unit_test(other_roles),
        cmocka_unit_test(listeners_in_full),
        cmocka_unit_test(listeners_refused),
        cmocka_unit_test(dynamic_layers),
        cmocka_unit_test(dynamic_changes_are_checked),
        cmocka_unit_test(listener_names_in_keys),
        cmocka_unit_test(topic_defaults_and_overrides),
        cmocka_unit_test(topic_overrides_are_checked),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
