/* config/: DescribeConfigs rows, groups, client metrics, the cell of the newest snapshot. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "config/config.h"
#include "config/describe.h"
#include "config/group_config.h"

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

/* A node of its own with static and dynamic values. */
static struct config *node(void) {
    static const char *const overrides[] = {"log.retention.minutes=300", "my.other=1",
                                            "sasl.jaas.config=secret",
                                            "internal.metadata.max.batch.size.in.bytes=5"};
    static const struct config_pair cluster[] = {
        {"log.retention.ms", "7200000"}, {"log.cleaner.threads", " 2"}, {"min.insync.replicas", "1"}};
    static const struct config_pair broker[] = {{"log.flush.interval.ms", "9000"},
                                                {"listener.name.external.ssl.keystore.type", "PKCS12"},
                                                {"leader.replication.throttled.rate", "77"}};
    strbuf_reset(&error);
    struct config *fixed = config_load(NULL, overrides, 4, NULL, &error);
    assert_non_null(fixed);
    struct config *c = config_with_dynamic(fixed, cluster, 3, broker, 3, &error);
    assert_non_null(c);
    config_unref(fixed);
    return c;
}

/* name=value source flags type [synonym=value@source ...] */
static void expect_row(struct config_rows rows, const char *name, const char *wanted) {
    struct strbuf got;
    strbuf_init(&got, 1 << 16);
    for (int32_t i = 0; i < rows.n; i++) {
        const struct config_row *r = &rows.rows[i];
        if (i) assert_true(strcmp(rows.rows[i - 1].name, r->name) < 0);
        if (strcmp(r->name, name)) continue;
        strbuf_addf(&got, "%s %d %s%s%s %d", r->value ? r->value : "null", r->source, r->sensitive ? "S" : "",
                    r->read_only ? "R" : "", r->doc ? "D" : "", r->type);
        for (int32_t j = 0; j < r->synonyms_n; j++)
            strbuf_addf(&got, " %s=%s@%d", r->synonyms[j].name,
                        r->synonyms[j].value ? r->synonyms[j].value : "null", r->synonyms[j].source);
    }
    assert_string_equal(strbuf_str(&got), wanted);
    strbuf_free(&got);
}

static void broker_rows(void **state) {
    struct config *c = node();
    struct config_rows rows;
    struct arena a;
    arena_init(&a, 1 << 20);
    assert_int_equal(config_describe_broker(c, &a, &rows), 0);
    expect_row(rows, "node.id", "1 4 RD 3 node.id=1@4");
    expect_row(rows, "broker.id", "1 4 RD 3 broker.id=1@4 broker.id=-1@5");
    expect_row(
        rows, "log.retention.ms",
        "7200000 3 D 5 log.retention.ms=7200000@3 log.retention.minutes=300@4 log.retention.hours=168@5");
    expect_row(rows, "log.retention.minutes",
               "null 4 RD 3 log.retention.minutes=300@4 log.retention.hours=168@5");
    expect_row(rows, "log.retention.hours", "168 5 RD 3 log.retention.hours=168@5");
    expect_row(rows, "log.cleaner.threads", "2 3 D 3 log.cleaner.threads= 2@3 log.cleaner.threads=1@5");
    expect_row(
        rows, "log.flush.interval.ms",
        "9000 2 D 5 log.flush.interval.ms=9000@2 log.flush.scheduler.interval.ms=9223372036854775807@5");
    expect_row(rows, "sasl.jaas.config", "null 4 SD 9 sasl.jaas.config=null@4");
    expect_row(rows, "my.other", "null 4 SR 0 my.other=null@4");
    expect_row(rows, "early.start.listeners", "null 5 RD 7");
    expect_row(rows, "log.cleaner.min.cleanable.ratio", "0.5 5 D 6 log.cleaner.min.cleanable.ratio=0.5@5");
    expect_row(rows, "listener.name.external.ssl.keystore.type",
               "PKCS12 2 R 2 listener.name.external.ssl.keystore.type=PKCS12@2 ssl.keystore.type=JKS@5");
    expect_row(rows, "unstable.api.versions.enable", ""); /* internal, not set */
    expect_row(rows, "internal.metadata.max.batch.size.in.bytes",
               "5 4 RD 3 internal.metadata.max.batch.size.in.bytes=5@4 "
               "internal.metadata.max.batch.size.in.bytes=8388608@5");
    expect_row(rows, "follower.replication.throttled.rate", ""); /* dynamic only, not set */
    expect_row(rows, "leader.replication.throttled.rate", "77 2  5 leader.replication.throttled.rate=77@2");
    assert_int_equal(config_describe_brokers(c, &a, &rows), 0);
    assert_int_equal(rows.n, 3);
    expect_row(rows, "log.retention.ms", "7200000 3 D 5 log.retention.ms=7200000@3");
    arena_free(&a);
    arena_init(&a, 10000);
    assert_int_equal(config_describe_broker(c, &a, &rows), OE_LIMIT);
    assert_int_equal(rows.n, 0);
    arena_free(&a);
    config_unref(c);
}

static void topic_rows(void **state) {
    struct config *c = node();
    struct config_rows rows;
    struct arena a;
    static const struct config_pair over[] = {
        {"retention.ms", " 3600000"}, {"cleanup.policy", "compact, delete"}, {"internal.segment.bytes", "9"}};
    arena_init(&a, 1 << 20);
    assert_int_equal(config_describe_topic(c, NULL, 0, &a, &rows), 0);
    assert_int_equal(rows.n, TCFG_COUNT - 1);
    expect_row(
        rows, "retention.ms",
        "7200000 3 D 5 log.retention.ms=7200000@3 log.retention.minutes=300@4 log.retention.hours=168@5");
    expect_row(rows, "segment.ms",
               "604800000 5 D 5"); /* log.roll.ms has no value: its synonyms are dropped */
    expect_row(rows, "remote.storage.enable", "false 5 D 1");
    assert_int_equal(config_describe_topic(c, over, 3, &a, &rows), 0);
    expect_row(rows, "retention.ms",
               "3600000 1 D 5 retention.ms=3600000@1 log.retention.ms=7200000@3 log.retention.minutes=300@4 "
               "log.retention.hours=168@5");
    expect_row(rows, "cleanup.policy",
               "compact,delete 1 D 7 cleanup.policy=compact,delete@1 log.cleanup.policy=delete@5");
    expect_row(rows, "internal.segment.bytes", "9 1 D 3 internal.segment.bytes=9@1");
    assert_int_equal(config_describe_new_topic(c, over, 2, &a, &rows), 0);
    expect_row(rows, "retention.ms", " 3600000 1  5");
    expect_row(rows, "flush.ms", "9000 2  5");
    expect_row(rows, "min.insync.replicas", "1 3  3");
    expect_row(rows, "segment.bytes", "1073741824 5  3");
    arena_free(&a);
    config_unref(c);
    static const char *const hours[] = {"log.roll.hours=3"};
    c = config_load(NULL, hours, 1, NULL, &error);
    arena_init(&a, 1 << 20);
    assert_int_equal(config_describe_new_topic(c, NULL, 0, &a, &rows), 0);
    expect_row(rows, "segment.ms", "10800000 4  5");
    arena_free(&a);
    config_unref(c);
}

static void group_and_subscription_rows(void **state) {
    struct config *c = node();
    struct config_rows rows;
    struct arena a;
    static const struct config_pair over[] = {{"consumer.session.timeout.ms", "50000"},
                                              {"share.isolation.level", "read_committed"}};
    static const struct config_pair interval[] = {{"interval.ms", "1000"}};
    arena_init(&a, 1 << 20);
    assert_int_equal(config_describe_group(c, over, 2, &a, &rows), 0);
    assert_int_equal(rows.n, GCFG_COUNT);
    expect_row(rows, "consumer.session.timeout.ms",
               "50000 8 D 3 consumer.session.timeout.ms=50000@8 group.consumer.session.timeout.ms=45000@5");
    expect_row(rows, "consumer.heartbeat.interval.ms",
               "5000 5 D 3 group.consumer.heartbeat.interval.ms=5000@5");
    expect_row(rows, "share.auto.offset.reset", "latest 5 D 2 share.auto.offset.reset=latest@5");
    expect_row(rows, "share.isolation.level",
               "read_committed 8 D 2 share.isolation.level=read_committed@8 "
               "share.isolation.level=read_uncommitted@5");
    assert_int_equal(config_describe_client_metrics(interval, 1, &a, &rows), 0);
    expect_row(rows, "interval.ms", "1000 7 D 3 interval.ms=1000@7");
    expect_row(rows, "match", " 5 D 7");
    arena_free(&a);
    config_unref(c);
}

static void groups_are_resolved(void **state) {
    struct config *c = config_load(NULL, NULL, 0, NULL, &error);
    struct group_config g;
    group_config_resolve(c, NULL, 0, &g);
    assert_int_equal(g.consumer_session_timeout, 45000);
    assert_int_equal(g.share_delivery_count_limit, 5);
    assert_int_equal(g.share_reset, SHARE_RESET_LATEST);
    assert_true(g.share_renew_acknowledge && !g.share_read_committed);
    static const struct config_pair over[] = {{"consumer.session.timeout.ms", "90000"}, /* above the bound */
                                              {"share.heartbeat.interval.ms", "1"},     /* below */
                                              {"streams.num.standby.replicas", "9"},
                                              {"share.auto.offset.reset", "by_duration:PT1H"},
                                              {"share.delivery.count.limit", "many"}};
    group_config_resolve(c, over, 5, &g);
    assert_int_equal(g.consumer_session_timeout, 60000);
    assert_int_equal(g.share_heartbeat_interval, 5000);
    assert_int_equal(g.streams_num_standby_replicas, 2);
    assert_int_equal(g.share_reset, SHARE_RESET_BY_DURATION);
    assert_int_equal(g.share_reset_duration, 3600000);
    assert_int_equal(g.share_delivery_count_limit, 5);
    config_unref(c);
}

static void expect_group(const struct config *c, const char *name, const char *value, const char *wanted) {
    struct config_pair pair = {name, value};
    strbuf_reset(&error);
    int err = group_config_validate(c, &pair, 1, &error);
    assert_string_equal(strbuf_str(&error), wanted);
    assert_int_equal(err, *wanted ? OE_INVALID : 0);
}

static void groups_are_checked(void **state) {
    static const char *const wide[] = {"group.consumer.max.heartbeat.interval.ms=60000"};
    struct config *c = config_load(NULL, wide, 1, NULL, &error);
    expect_group(c, "consumer.session.timeout.ms", "50000", "");
    expect_group(c, "session.timeout.ms", "50000", "Unknown group config name: session.timeout.ms");
    expect_group(c, "consumer.session.timeout.ms", "x",
                 "Invalid value x for configuration consumer.session.timeout.ms: Not a number of type INT");
    expect_group(
        c, "consumer.session.timeout.ms", "1000",
        "consumer.session.timeout.ms must be greater than or equal to group.consumer.min.session.timeout.ms");
    expect_group(c, "share.record.lock.duration.ms", "100000",
                 "share.record.lock.duration.ms must be less than or equal to "
                 "group.share.max.record.lock.duration.ms");
    expect_group(
        c, "streams.num.standby.replicas", "3",
        "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas");
    expect_group(c, "consumer.assignment.interval.ms", "20000",
                 "consumer.assignment.interval.ms must be less than or equal to "
                 "group.consumer.max.assignment.interval.ms");
    expect_group(c, "consumer.heartbeat.interval.ms", "45000",
                 "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms");
    config_unref(c);
}

static void expect_subscription(const char *name, const char *value, int wanted_err, const char *wanted) {
    struct config_pair pair = {name, value};
    strbuf_reset(&error);
    assert_int_equal(client_metrics_validate(&pair, 1, &error), wanted_err);
    assert_string_equal(strbuf_str(&error), wanted);
}

static void subscriptions_are_checked(void **state) {
    expect_subscription("metrics", "*", 0, "");
    expect_subscription("interval.ms", "100", 0, "");
    expect_subscription(
        "interval.ms", "99", OE_MALFORMED,
        "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)");
    expect_subscription("push", "1", OE_MALFORMED, "Unknown client metrics configuration: push");
    expect_subscription("match", "client_id=a.*, client_source_port = 1", 0, "");
    expect_subscription("match", "client_id=", OE_INVALID, "Illegal client matching pattern: client_id=");
    expect_subscription("match", "client=a", OE_INVALID, "Illegal client matching pattern: client=a");
    expect_subscription("match", "client_id=a=b", OE_INVALID,
                        "Illegal client matching pattern: client_id=a=b");
}

/* --- the cell --- */

enum { READERS = 3, CHANGES = 60 };
static struct config_cell cell;
static _Atomic int stop;

/* Every snapshot is whole: the two keys always have the same value. */
static void *reader(void *arg) {
    intptr_t wrong = 0;
    while (!atomic_load(&stop)) {
        struct config *c = config_cell_get(&cell);
        wrong += config_int(c, CFG_LOG_SEGMENT_BYTES) != config_int(c, CFG_MESSAGE_MAX_BYTES);
        config_unref(c);
    }
    return (void *)wrong;
}

static void snapshots_change_under_readers(void **state) {
    static const char *const first[] = {"log.segment.bytes=2000000", "message.max.bytes=2000000"};
    struct config *c = config_load(NULL, first, 2, NULL, &error);
    pthread_t threads[READERS];
    config_ref(c);
    config_cell_init(&cell, c);
    for (int i = 0; i < READERS; i++) assert_int_equal(pthread_create(&threads[i], NULL, reader, NULL), 0);
    for (int i = 0; i < CHANGES; i++) {
        char value[20];
        snprintf(value, sizeof value, "%d", 2000001 + i);
        struct config_pair pairs[] = {{"log.segment.bytes", value}, {"message.max.bytes", value}};
        config_cell_set(&cell, config_with_dynamic(c, pairs, 2, NULL, 0, &error));
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < READERS; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        assert_ptr_equal(wrong, NULL);
    }
    struct config *last = config_cell_get(&cell);
    assert_int_equal(config_int(last, CFG_LOG_SEGMENT_BYTES), 2000000 + CHANGES);
    config_unref(last);
    config_cell_free(&cell);
    config_unref(c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broker_rows),
        cmocka_unit_test(topic_rows),
        cmocka_unit_test(group_and_subscription_rows),
        cmocka_unit_test(groups_are_resolved),
        cmocka_unit_test(groups_are_checked),
        cmocka_unit_test(subscriptions_are_checked),
        cmocka_unit_test(snapshots_change_under_readers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
