/* The controller as stories: a command, its answer, and what the image says when its records are replayed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "api/allocate_producer_ids.h"
#include "api/alter_configs.h"
#include "api/assign_replicas_to_dirs.h"
#include "api/broker_registration.h"
#include "api/create_partitions.h"
#include "api/create_topics.h"
#include "api/delete_topics.h"
#include "api/incremental_alter_configs.h"
#include "api/update_features.h"
#include "base/kerr.h"
#include "controller/controller.h"
#include "metadata/delta.h"
#include "metadata/version.h"

#include <stdlib.h>
#include <string.h>

#include "world.h"

#define TOPIC struct create_topics_request_creatable_topic
#define RESULT struct create_topics_response_creatable_topic_result

/* Creates topics; the answers' texts are compared with `want`: "name: code message". */
static struct create_topics_response create(struct world *w, TOPIC *topics, int32_t n, bool validate_only) {
    struct create_topics_request r = {.topics = topics, .topics_n = n, .validate_only = validate_only};
    struct create_topics_response a;
    controller_create_topics(w->c, &w->x, &r, &a, &w->records);
    return a;
}

static void create_ok(struct world *w, const char *name, int32_t partitions) {
    TOPIC t = {.name = kstr_of(name), .num_partitions = partitions, .replication_factor = -1};
    struct create_topics_response a = create(w, &t, 1, false);
    assert_int_equal(a.topics_n, 1);
    assert_int_equal(a.topics[0].error_code, 0);
    commit(w);
}

static void refused(struct world *w, TOPIC t, int16_t code, const char *message) {
    struct create_topics_response a = create(w, &t, 1, false);
    assert_int_equal(a.topics_n, 1);
    assert_int_equal(a.topics[0].error_code, code);
    assert_int_equal(a.topics[0].error_message.len, strlen(message));
    assert_memory_equal(a.topics[0].error_message.s, message, strlen(message));
    assert_int_equal(w->records.n, 0);
}

static const struct topic *topic(const struct world *w, const char *name) {
    return image_topic_by_name(w->image, name, strlen(name));
}

static void a_topic_is_created_with_defaults(void **state) {
    struct world *w = *state;
    struct create_topics_request_creatable_topic_config config = {KSTR("cleanup.policy"), KSTR("compact")};
    TOPIC t = {KSTR("orders"), -1, -1, NULL, 0, &config, 1};
    struct create_topics_response a = create(w, &t, 1, true);
    assert_int_equal(a.topics[0].error_code, 0);
    assert_int_equal(w->records.n, 0); /* only validated */
    a = create(w, &t, 1, false);
    assert_int_equal(a.topics[0].num_partitions, 2);
    assert_int_equal(a.topics[0].replication_factor, 1);
    assert_int_equal(a.topics[0].configs_n, 1);
    assert_true(a.topics[0].error_message.len < 0);
    assert_int_equal(commit(w), 4); /* topic, configuration, two partitions */
    const struct topic *made = topic(w, "orders");
    assert_true(uuid_equal(&made->id, &a.topics[0].topic_id));
    const struct partition *p = made->partitions[1];
    struct uuid dir = dir_id(1);
    assert_int_equal(p->leader, 1);
    assert_int_equal(p->leader_epoch, 0);
    assert_int_equal(p->isr_n, 1);
    assert_true(uuid_equal(&p->directories[0], &dir));
    assert_string_equal(image_config(w->image, CONFIG_TOPIC, "orders", "cleanup.policy"), "compact");
}

static void bad_topics_are_refused_in_words(void **state) {
    struct world *w = *state;
    create_ok(w, "a.b", 1);
    refused(w, (TOPIC){KSTR("a.b"), 1, 1}, KERR_TOPIC_ALREADY_EXISTS, "Topic 'a.b' already exists.");
    refused(w, (TOPIC){KSTR("a_b"), 1, 1}, KERR_INVALID_TOPIC_EXCEPTION,
            "Topic 'a_b' collides with existing topic: a.b");
    refused(w, (TOPIC){KSTR(""), 1, 1}, KERR_INVALID_TOPIC_EXCEPTION,
            "Topic name is invalid: the empty string is not allowed");
    refused(w, (TOPIC){KSTR(".."), 1, 1}, KERR_INVALID_TOPIC_EXCEPTION,
            "Topic name is invalid: '..' is not allowed");
    refused(w, (TOPIC){KSTR("a/b"), 1, 1}, KERR_INVALID_TOPIC_EXCEPTION,
            "Topic name is invalid: 'a/b' contains one or more characters other than ASCII alphanumerics, "
            "'.', '_' "
            "and '-'");
    refused(w, (TOPIC){KSTR("__cluster_metadata"), 1, 1}, KERR_INVALID_REQUEST,
            "Creation of internal topic __cluster_metadata is prohibited.");
    refused(w, (TOPIC){KSTR("x"), 0, 1}, KERR_INVALID_PARTITIONS,
            "Number of partitions was set to an invalid non-positive value.");
    refused(w, (TOPIC){KSTR("x"), 1, 0}, KERR_INVALID_REPLICATION_FACTOR,
            "Replication factor must be larger than 0, or -1 to use the default value.");
    refused(w, (TOPIC){KSTR("x"), 1, 3}, KERR_INVALID_REPLICATION_FACTOR,
            "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be "
            "reached because "
            "only 1 broker(s) are registered or some brokers have all their log directories cordoned.");
    refused(w, (TOPIC){KSTR("x"), 10001, 1}, KERR_POLICY_VIOLATION,
            "Excessively large number of partitions per request.");
    refused(w, (TOPIC){KSTR("x"), 10000, 1}, KERR_POLICY_VIOLATION,
            "Unable to perform excessively large batch operation.");
    struct create_topics_request_creatable_topic_config config[] = {{KSTR("k"), KSTR_NULL},
                                                                    {KSTR("l"), KSTR_NULL}};
    refused(w, (TOPIC){KSTR("x"), 1, 1, NULL, 0, config, 2}, KERR_INVALID_CONFIG,
            "Null value not supported for topic configs: k,l");
    config[0] = (struct create_topics_request_creatable_topic_config){KSTR("bad"), KSTR("1")};
    refused(w, (TOPIC){KSTR("x"), 1, 1, NULL, 0, config, 1}, KERR_INVALID_CONFIG,
            "Unknown topic config name: bad");
}

static void manual_assignments(void **state) {
    struct world *w = *state;
    int32_t one[] = {1}, two[] = {1, 2}, twice[] = {1, 1}, gone[] = {9};
#define ASSIGN struct create_topics_request_creatable_replica_assignment
    ASSIGN p[] = {{1, one, 1}, {0, one, 1}};
    TOPIC t = {KSTR("m"), -1, -1, p, 2};
    refused(w, (TOPIC){KSTR("m"), 1, -1, p, 2}, KERR_INVALID_REQUEST,
            "A manual partition assignment was specified, but numPartitions was not set to -1.");
    refused(w, (TOPIC){KSTR("m"), -1, 1, p, 2}, KERR_INVALID_REQUEST,
            "A manual partition assignment was specified, but replication factor was not set to -1.");
    refused(w, (TOPIC){KSTR("m"), -1, -1, (ASSIGN[]){{0, one, 1}, {0, one, 1}}, 2},
            KERR_INVALID_REPLICA_ASSIGNMENT, "Found multiple manual partition assignments for partition 0");
    refused(w, (TOPIC){KSTR("m"), -1, -1, (ASSIGN[]){{0, one, 1}, {2, one, 1}}, 2},
            KERR_INVALID_REPLICA_ASSIGNMENT, "partitions should be a consecutive 0-based integer sequence");
    refused(w, (TOPIC){KSTR("m"), -1, -1, (ASSIGN[]){{0, one, 0}}, 1}, KERR_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes an empty replica list.");
    refused(w, (TOPIC){KSTR("m"), -1, -1, (ASSIGN[]){{0, gone, 1}}, 1}, KERR_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes broker 9, but no such broker is registered.");
    refused(w, (TOPIC){KSTR("m"), -1, -1, (ASSIGN[]){{0, twice, 2}}, 1}, KERR_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes the broker 1 more than once.");
    add_broker(w, 2);
    refused(w, (TOPIC){KSTR("m"), -1, -1, (ASSIGN[]){{0, two, 2}, {1, one, 1}}, 2},
            KERR_INVALID_REPLICA_ASSIGNMENT,
            "The manual partition assignment includes a partition with 1 replica(s), but this is not "
            "consistent with "
            "previous partitions, which have 2 replica(s).");
    assert_int_equal(create(w, &t, 1, false).topics[0].error_code, 0);
    commit(w);
    assert_int_equal(topic(w, "m")->partitions_n, 2);
}

static void duplicates_are_answered_once(void **state) {
    struct world *w = *state;
    TOPIC t[] = {{KSTR("d"), 1, 1}, {KSTR("ok"), 1, 1}, {KSTR("d"), 1, 1}, {KSTR("d"), 2, 1}};
    struct create_topics_response a = create(w, t, 4, false);
    assert_int_equal(a.topics_n, 2);
    assert_true(kstr_is(a.topics[0].name, "ok"));
    assert_int_equal(a.topics[0].error_code, 0);
    assert_true(kstr_is(a.topics[1].name, "d"));
    assert_true(kstr_is(a.topics[1].error_message, "Duplicate topic name."));
    commit(w);
    assert_null(topic(w, "d"));
    assert_non_null(topic(w, "ok"));
}

static struct delete_topics_response delete (struct world *w, int16_t version,
                                             struct delete_topics_request r) {
    struct delete_topics_response a;
    controller_delete_topics(w->c, &w->x, version, &r, &a, &w->records);
    return a;
}

static void topics_are_deleted_by_name_and_id(void **state) {
    struct world *w = *state;
    create_ok(w, "a", 1);
    create_ok(w, "b", 1);
    create_ok(w, "c", 1);
    struct kstr names[] = {KSTR("a"), KSTR("none"), KSTR("none2"), KSTR("none2")};
    struct delete_topics_response a =
        delete (w, 5, (struct delete_topics_request){.topic_names = names, .topic_names_n = 4});
    assert_int_equal(a.responses_n, 3);
    assert_int_equal(a.responses[0].error_code, 0);
    assert_int_equal(a.responses[1].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_true(kstr_is(a.responses[2].error_message, "Duplicate topic name."));
    commit(w);
    assert_null(topic(w, "a"));

    struct uuid b = topic(w, "b")->id, c = topic(w, "c")->id, none = {{9}};
    struct delete_topics_request_delete_topic_state t[] = {{KSTR_NULL, b},     {KSTR_NULL, none},
                                                           {KSTR_NULL, {{0}}}, {KSTR("c"), c},
                                                           {KSTR_NULL, c},     {KSTR("c"), {{0}}}};
    a = delete (w, 6, (struct delete_topics_request){.topics = t, .topics_n = 6});
    assert_int_equal(a.responses_n, 5);
    assert_int_equal(a.responses[0].error_code, 0);
    assert_true(kstr_is(a.responses[0].name, "b"));
    assert_int_equal(a.responses[1].error_code, KERR_UNKNOWN_TOPIC_ID);
    assert_true(kstr_is(a.responses[2].error_message, "Neither topic name nor id were specified."));
    assert_true(kstr_is(a.responses[3].error_message, "You may not specify both topic name and topic id."));
    assert_true(kstr_is(a.responses[4].error_message,
                        "The provided topic name maps to an ID that was already supplied."));
    assert_int_equal(commit(w), 1);
    assert_null(topic(w, "b"));
    assert_non_null(topic(w, "c"));
}

static void partitions_are_added(void **state) {
    struct world *w = *state;
    create_ok(w, "p", 2);
    struct create_partitions_request_create_partitions_topic t[] = {{KSTR("p"), 5, NULL, -1},
                                                                    {KSTR("none"), 5, NULL, -1},
                                                                    {KSTR("q"), 1, NULL, -1},
                                                                    {KSTR("q"), 1, NULL, -1}};
    struct create_partitions_request r = {.topics = t, .topics_n = 4};
    struct create_partitions_response a;
    controller_create_partitions(w->c, &w->x, &r, &a, &w->records);
    assert_int_equal(a.results_n, 3);
    assert_int_equal(a.results[0].error_code, 0);
    assert_int_equal(a.results[1].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_true(kstr_is(a.results[2].error_message, "Duplicate topic name."));
    assert_int_equal(commit(w), 3);
    assert_int_equal(topic(w, "p")->partitions_n, 5);
    r.topics_n = 1;
    controller_create_partitions(w->c, &w->x, &r, &a, &w->records);
    assert_true(kstr_is(a.results[0].error_message, "Topic already has 5 partition(s)."));
    t[0].count = 4;
    controller_create_partitions(w->c, &w->x, &r, &a, &w->records);
    assert_true(kstr_is(a.results[0].error_message,
                        "The topic p currently has 5 partition(s); 4 would not be an increase."));
    t[0].count = 2000000000;
    controller_create_partitions(w->c, &w->x, &r, &a, &w->records);
    assert_int_equal(a.results[0].error_code, KERR_POLICY_VIOLATION);
    assert_int_equal(w->records.n, 0);
}

#define ALTER struct incremental_alter_configs_request_alterable_config

static struct incremental_alter_configs_response_alter_configs_resource_response alter(
    struct world *w, int8_t type, const char *resource, ALTER *configs, int32_t n) {
    struct incremental_alter_configs_request_alter_configs_resource r = {type, kstr_of(resource), configs, n};
    struct incremental_alter_configs_request q = {.resources = &r, .resources_n = 1};
    struct incremental_alter_configs_response a;
    controller_incremental_alter_configs(w->c, &w->x, &q, &a, &w->records);
    assert_int_equal(a.responses_n, 1);
    return a.responses[0];
}

static void configurations_change_step_by_step(void **state) {
    struct world *w = *state;
    create_ok(w, "t", 1);
    ALTER set[] = {{KSTR("retention.ms"), 0, KSTR("5")}, {KSTR("cleanup.policy"), 2, KSTR("compact,delete")}};
    assert_int_equal(alter(w, CONFIG_TOPIC, "t", set, 2).error_code, 0);
    assert_int_equal(commit(w), 2);
    assert_string_equal(image_config(w->image, CONFIG_TOPIC, "t", "cleanup.policy"), "delete,compact");
    assert_int_equal(alter(w, CONFIG_TOPIC, "t", set, 1).error_code, 0);
    assert_int_equal(commit(w), 0); /* nothing new */
    ALTER take[] = {{KSTR("retention.ms"), 1, KSTR_NULL}, {KSTR("cleanup.policy"), 3, KSTR("delete")}};
    assert_int_equal(alter(w, CONFIG_TOPIC, "t", take, 2).error_code, 0);
    commit(w);
    assert_null(image_config(w->image, CONFIG_TOPIC, "t", "retention.ms"));
    assert_string_equal(image_config(w->image, CONFIG_TOPIC, "t", "cleanup.policy"), "compact");

    ALTER append[] = {{KSTR("retention.ms"), 2, KSTR("5")}};
    assert_true(kstr_is(alter(w, CONFIG_TOPIC, "t", append, 1).error_message,
                        "Can't APPEND to key retention.ms because its type is not LIST."));
    ALTER bad[] = {{KSTR("retention.ms"), 0, KSTR("7")}, {KSTR("bad"), 0, KSTR("5")}};
    assert_int_equal(alter(w, CONFIG_TOPIC, "t", bad, 2).error_code, KERR_INVALID_CONFIG);
    assert_int_equal(w->records.n, 0); /* all or nothing */
    assert_true(
        kstr_is(alter(w, CONFIG_TOPIC, "none", set, 1).error_message, "The topic 'none' does not exist."));
    assert_true(kstr_is(alter(w, CONFIG_BROKER, "7", set, 1).error_message, "No node with id 7 found."));
    assert_true(kstr_is(alter(w, CONFIG_BROKER, "x", set, 1).error_message,
                        "Unable to parse broker name as a base 10 number."));
    assert_true(kstr_is(alter(w, 3, "x", set, 1).error_message, "Unknown resource type 3."));
    ALTER isr[] = {{KSTR("min.insync.replicas"), 0, KSTR("2")}};
    assert_true(kstr_is(alter(w, CONFIG_BROKER, "1", isr, 1).error_message,
                        "Broker-level min.insync.replicas cannot be altered while ELR is enabled."));
    assert_int_equal(alter(w, CONFIG_TOPIC, "t", isr, 1).error_code, 0);
    assert_int_equal(commit(w), 2); /* and a ClearElrRecord */
}

/* Lists are cut as String.split does it: "" is an item, what is empty at the end is not. */
static void lists_are_cut_as_java_does(void **state) {
    static const struct {
        int8_t op;
        struct kstr change;
        const char *after;
    } rows[] = {{2, KSTR(""), "delete,"},
                {2, KSTR(","), "delete"},
                {2, KSTR(",a"), "delete,,a"},
                {2, KSTR("a,,"), "delete,a"},
                {2, KSTR("a,a,delete"), "delete,a"},
                {3, KSTR(""), "delete"},
                {3, KSTR("delete"), ""},
                {3, KSTR("x,delete,"), ""}};
    struct world *w = *state;
    create_ok(w, "t", 1);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        ALTER change[] = {{KSTR("cleanup.policy"), rows[i].op, rows[i].change}};
        assert_int_equal(alter(w, CONFIG_TOPIC, "t", change, 1).error_code, 0);
        commit(w);
        assert_string_equal(image_config(w->image, CONFIG_TOPIC, "t", "cleanup.policy"), rows[i].after);
        ALTER back[] = {{KSTR("cleanup.policy"), 1, KSTR_NULL}};
        assert_int_equal(alter(w, CONFIG_TOPIC, "t", back, 1).error_code, 0);
        commit(w);
    }
}

static void a_change_that_is_too_large_is_refused(void **state) {
    enum { MANY = 10001 };
    struct world *w = *state;
    create_ok(w, "t", 1);
    ALTER *set = calloc(MANY, sizeof *set);
    for (int i = 0; i < MANY; i++)
        set[i] = (ALTER){kstr_of(arena_printf(&w->arena, "key.%d", i)), 0, KSTR("1")};
    assert_int_equal(alter(w, CONFIG_TOPIC, "t", set, MANY).error_code, KERR_POLICY_VIOLATION);
    assert_int_equal(w->records.n, 0);
    assert_int_equal(alter(w, CONFIG_TOPIC, "t", set, MANY - 1).error_code, 0);
    assert_int_equal(commit(w), MANY - 1);
    free(set);
}

static void the_old_way_replaces_all(void **state) {
    struct world *w = *state;
    create_ok(w, "t", 1);
    ALTER set[] = {{KSTR("a"), 0, KSTR("1")}, {KSTR("b"), 0, KSTR("2")}};
    alter(w, CONFIG_TOPIC, "t", set, 2);
    commit(w);
    struct alter_configs_request_alterable_config configs[] = {{KSTR("b"), KSTR("2")},
                                                               {KSTR("c"), KSTR("3")}};
    struct alter_configs_request_alter_configs_resource r[] = {{CONFIG_TOPIC, KSTR("t"), configs, 2},
                                                               {CONFIG_TOPIC, KSTR("x"), configs, 2},
                                                               {CONFIG_TOPIC, KSTR("x"), configs, 2}};
    struct alter_configs_request q = {.resources = r, .resources_n = 3};
    struct alter_configs_response a;
    controller_alter_configs(w->c, &w->x, &q, &a, &w->records);
    assert_int_equal(a.responses_n, 2);
    assert_int_equal(a.responses[0].error_code, 0);
    assert_true(kstr_is(a.responses[1].error_message, "Duplicate resource."));
    assert_int_equal(commit(w), 2);
    assert_null(image_config(w->image, CONFIG_TOPIC, "t", "a"));
    assert_string_equal(image_config(w->image, CONFIG_TOPIC, "t", "b"), "2");
    assert_string_equal(image_config(w->image, CONFIG_TOPIC, "t", "c"), "3");
}

/* The life of the only broker: leaders are gone while it is away, and come back with it. */
static void the_only_broker_stops_and_starts(void **state) {
    struct world *w = *state;
    create_ok(w, "t", 2);
    int64_t epoch = image_broker(w->image, 1)->epoch;
    assert_int_equal(controller_begin_shutdown(w->c, 1, epoch + 1, &w->records), KERR_STALE_BROKER_EPOCH);
    assert_int_equal(controller_begin_shutdown(w->c, 2, epoch, &w->records), KERR_BROKER_ID_NOT_REGISTERED);
    assert_int_equal(controller_begin_shutdown(w->c, 1, epoch, &w->records), 0);
    assert_int_equal(commit(w), 3);
    const struct partition *p = topic(w, "t")->partitions[0];
    assert_int_equal(p->leader, NO_LEADER);
    assert_int_equal(p->isr_n, 0);
    assert_int_equal(p->elr_n, 1);
    assert_int_equal(p->last_known_elr[0], 1);
    assert_int_equal(controller_fence_broker(w->c, 1, epoch, &w->records), 0);
    assert_int_equal(commit(w), 1);
    TOPIC t = {KSTR("u"), 1, 1};
    assert_int_equal(create(w, &t, 1, false).topics[0].error_code, KERR_INVALID_REPLICATION_FACTOR);

    int64_t next = register_broker(w, 1, 2, epoch);
    assert_int_equal(controller_unfence_broker(w->c, 1, next, &w->records), 0);
    assert_int_equal(commit(w), 3);
    p = topic(w, "t")->partitions[0];
    assert_int_equal(p->leader, 1);
    assert_int_equal(p->leader_epoch, 2);
    assert_int_equal(p->isr[0], 1);
    assert_int_equal(p->elr_n + p->last_known_elr_n, 0);
    assert_int_equal(p->leader_recovery_state, 0);
    assert_int_equal(controller_unfence_broker(w->c, 1, next, &w->records), 0);
    assert_int_equal(w->records.n, 0); /* it is already */
}

/* cordoned.log.dirs: with all of a broker's directories it takes no new partitions. */
static void a_broker_cordons_its_directories(void **state) {
    struct world *w = *state;
    const struct broker *b = image_broker(w->image, 1);
    struct uuid dir = b->dirs[0];
    int64_t epoch = b->epoch;
    assert_int_equal(controller_cordon(w->c, 1, epoch, &dir, 0, &w->records), 0);
    assert_int_equal(w->records.n, 0); /* that is so already */
    assert_int_equal(controller_cordon(w->c, 1, epoch + 1, &dir, 1, &w->records), KERR_STALE_BROKER_EPOCH);
    assert_int_equal(controller_cordon(w->c, 1, epoch, &dir, 1, &w->records), 0);
    assert_int_equal(commit(w), 1);
    assert_int_equal(image_broker(w->image, 1)->cordoned_n, 1);
    TOPIC t = {KSTR("cordoned"), 1, 1};
    assert_int_equal(create(w, &t, 1, false).topics[0].error_code, KERR_INVALID_REPLICATION_FACTOR);
    assert_int_equal(controller_cordon(w->c, 1, epoch, &dir, 1, &w->records), 0);
    assert_int_equal(w->records.n, 0);
    assert_int_equal(controller_cordon(w->c, 1, epoch, &dir, 0, &w->records), 0);
    assert_int_equal(commit(w), 1);
    create_ok(w, "cordoned", 1);
}

/* After a crash it may not have all that it had; it is elected nevertheless, as the last known leader, and
 * that is marked. */
static void the_only_broker_crashes_and_starts(void **state) {
    struct world *w = *state;
    create_ok(w, "t", 1);
    int64_t next = register_broker(w, 1, 2, -1);
    const struct partition *p = topic(w, "t")->partitions[0];
    assert_int_equal(p->leader, NO_LEADER);
    assert_int_equal(p->elr_n, 0);
    assert_int_equal(p->last_known_elr[0], 1);
    controller_unfence_broker(w->c, 1, next, &w->records);
    commit(w);
    p = topic(w, "t")->partitions[0];
    assert_int_equal(p->leader, 1);
    assert_int_equal(p->isr[0], 1);
    assert_int_equal(p->leader_recovery_state, 1);
    int32_t leader_epoch = p->leader_epoch;
    assert_int_equal(controller_recovered(w->c, 1, next - 1, &w->records), KERR_STALE_BROKER_EPOCH);
    assert_int_equal(controller_recovered(w->c, 1, next, &w->records), 0);
    assert_int_equal(commit(w), 1);
    p = topic(w, "t")->partitions[0];
    assert_int_equal(p->leader_recovery_state, 0);
    assert_int_equal(p->leader_epoch, leader_epoch);
    assert_int_equal(controller_recovered(w->c, 1, next, &w->records), 0);
    assert_int_equal(w->records.n, 0); /* it is already */
}

static void replicas_get_directories(void **state) {
    struct world *w = *state;
    create_ok(w, "t", 2);
    const struct topic *t = topic(w, "t");
    struct uuid own = dir_id(1), other = dir_id(7), unknown = {{9}};
    assert_true(uuid_equal(&t->partitions[0]->directories[0], &own));
    struct assign_replicas_to_dirs_request_partition_data parts[] = {{0}, {5}}, one[] = {{1}}, none[] = {{0}};
    struct assign_replicas_to_dirs_request_topic_data first[] = {{t->id, parts, 2}, {unknown, none, 1}},
                                                      second[] = {{t->id, one, 1}};
    struct assign_replicas_to_dirs_request_directory_data dirs[] = {{other, first, 2}, {own, second, 1}};
    struct assign_replicas_to_dirs_request r = {1, image_broker(w->image, 1)->epoch - 1, dirs, 2};
    struct assign_replicas_to_dirs_response a;
    controller_assign_replicas_to_dirs(w->c, &w->x, &r, &a, &w->records);
    assert_int_equal(a.error_code, KERR_STALE_BROKER_EPOCH);
    r.broker_epoch++;
    controller_assign_replicas_to_dirs(w->c, &w->x, &r, &a, &w->records);
    assert_int_equal(a.error_code, 0);
    assert_int_equal(a.directories_n, 2);
    assert_int_equal(a.directories[0].topics[0].partitions[0].error_code, 0);
    assert_int_equal(a.directories[0].topics[0].partitions[1].error_code, KERR_UNKNOWN_TOPIC_OR_PARTITION);
    assert_int_equal(a.directories[0].topics[1].partitions[0].error_code, KERR_UNKNOWN_TOPIC_ID);
    assert_int_equal(a.directories[1].topics[0].partitions[0].error_code, 0);
    assert_int_equal(commit(w), 2); /* the directory; no leader, because the broker has not registered it */
    t = topic(w, "t");
    assert_true(uuid_equal(&t->partitions[0]->directories[0], &other));
    assert_int_equal(t->partitions[0]->leader, NO_LEADER);
    assert_true(uuid_equal(&t->partitions[1]->directories[0], &own));
    assert_int_equal(t->partitions[1]->leader, 1);
}

static void producer_ids_come_in_thousands(void **state) {
    struct world *w = *state;
    struct allocate_producer_ids_request r = {.broker_id = 1,
                                              .broker_epoch = image_broker(w->image, 1)->epoch};
    struct allocate_producer_ids_response a;
    for (int64_t k = 0; k < 3; k++) {
        controller_allocate_producer_ids(w->c, &w->x, &r, &a, &w->records);
        assert_int_equal(a.error_code, 0);
        assert_int_equal(a.producer_id_start, k * 1000);
        assert_int_equal(a.producer_id_len, 1000);
        commit(w);
    }
    r.broker_epoch++;
    controller_allocate_producer_ids(w->c, &w->x, &r, &a, &w->records);
    assert_int_equal(a.error_code, KERR_STALE_BROKER_EPOCH);
}

static void features_go_up_and_down(void **state) {
    struct world *w = *state;
    struct update_features_request_feature_update_key u = {
        .feature = KSTR(TRANSACTION_VERSION), .max_version_level = 2, .upgrade_type = 1};
    struct update_features_request r = {.feature_updates = &u, .feature_updates_n = 1};
    struct update_features_response a;
    int16_t kraft = 0;
    controller_update_features(w->c, &w->x, 1, &r, &kraft, &a, &w->records);
    assert_int_equal(a.error_code, 0);
    assert_int_equal(a.results_n, 1);
    commit(w);
    assert_int_equal(image_feature(w->image, TRANSACTION_VERSION), 2);
    u.max_version_level = 1;
    controller_update_features(w->c, &w->x, 2, &r, &kraft, &a, &w->records);
    assert_true(kstr_is(
        a.error_message,
        "The update failed for all features since the following feature had an error: Invalid update "
        "version 1 for feature transaction.version. Can't downgrade the version of this feature without "
        "setting the upgrade type to either safe or unsafe downgrade."));
    u.max_version_level = 9;
    controller_update_features(w->c, &w->x, 2, &r, &kraft, &a, &w->records);
    assert_int_equal(a.error_code, KERR_INVALID_UPDATE_VERSION);
    u = (struct update_features_request_feature_update_key){KSTR(METADATA_VERSION), 25, false, 2};
    controller_update_features(w->c, &w->x, 2, &r, &kraft, &a, &w->records);
    assert_int_equal(a.error_code, KERR_INVALID_UPDATE_VERSION);
    assert_int_equal(w->records.n, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        STORY(a_topic_is_created_with_defaults),
        STORY(bad_topics_are_refused_in_words),
        STORY(manual_assignments),
        STORY(duplicates_are_answered_once),
        STORY(topics_are_deleted_by_name_and_id),
        STORY(partitions_are_added),
        STORY(configurations_change_step_by_step),
        STORY(lists_are_cut_as_java_does),
        STORY(a_change_that_is_too_large_is_refused),
        STORY(the_old_way_replaces_all),
        STORY(the_only_broker_stops_and_starts),
        STORY(a_broker_cordons_its_directories),
        STORY(the_only_broker_crashes_and_starts),
        STORY(replicas_get_directories),
        STORY(producer_ids_come_in_thousands),
        STORY(features_go_up_and_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
