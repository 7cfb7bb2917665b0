/* The image, told by records: what readers see after each, what a publisher is told, what stays as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/err.h"
#include "metadata/delta.h"
#include "metadata/record.h"
#include "metadata/snapshot.h"
#include "metadata/version.h"

#include <stdio.h>
#include <string.h>

static struct uuid id_of(uint8_t n) { return (struct uuid){{[0] = 7, [15] = n}}; }

static void add_topic(struct record_list *l, const char *name, uint8_t id) {
    record_add_topic(l, 0, &(struct topic_record){.name = kstr_of(name), .topic_id = id_of(id)});
}

static void add_partition(struct record_list *l, uint8_t topic, int32_t index, int32_t leader) {
    int32_t replicas[] = {1, 2, 3}, isr[] = {1, 2};
    struct uuid dirs[] = {id_of(101), id_of(102), id_of(103)};
    struct partition_record p;
    partition_record_init(&p);
    p.partition_id = index;
    p.topic_id = id_of(topic);
    p.replicas = replicas;
    p.replicas_n = 3;
    p.isr = isr;
    p.isr_n = 2;
    p.leader = leader;
    p.leader_epoch = 5;
    p.partition_epoch = 9;
    p.directories = dirs;
    p.directories_n = 3;
    record_add_partition(l, 2, &p);
}

static void add_leader(struct record_list *l, uint8_t topic, int32_t index, int32_t leader) {
    struct partition_change_record c;
    partition_change_record_init(&c);
    c.topic_id = id_of(topic);
    c.partition_id = index;
    c.leader = leader;
    record_add_partition_change(l, 2, &c);
}

static void add_config(struct record_list *l, int8_t type, const char *resource, const char *name,
                       const char *value) {
    struct config_record c = {type, kstr_of(resource), kstr_of(name), kstr_of(value)};
    record_add_config(l, 0, &c);
}

static void add_broker(struct record_list *l, int32_t id, int64_t epoch) {
    struct register_broker_record b;
    register_broker_record_init(&b);
    struct register_broker_record_broker_endpoint e = {KSTR("PLAINTEXT"), KSTR("host"), 9092, 0};
    struct register_broker_record_broker_feature f = {KSTR("metadata.version"), 7, 30};
    struct uuid dirs[] = {id_of(101)};
    b.broker_id = id;
    b.broker_epoch = epoch;
    b.incarnation_id = id_of(200);
    b.end_points = &e;
    b.end_points_n = 1;
    b.features = &f;
    b.features_n = 1;
    b.log_dirs = dirs;
    b.log_dirs_n = 1;
    record_add_register_broker(l, 4, &b);
}

/* Replays the list; the delta is finished. */
static struct image_delta *replay(struct image *base, const struct record_list *l, int want) {
    assert_true(record_list_ok(l));
    struct image_delta *d = delta_begin(base);
    int err = 0;
    for (int32_t i = 0; i < l->n && !err; i++)
        err = delta_replay(d, l->v[i].data, l->v[i].len, base->offset + 1 + i, 3);
    assert_int_equal(err, want);
    if (!err) delta_finish(d, 1000);
    return d;
}

/* The next image; the list is emptied, the base given up. */
static struct image *next(struct image *base, struct record_list *l) {
    struct image_delta *d = replay(base, l, 0);
    struct image *i = image_ref(d->after);
    delta_free(d);
    image_unref(base);
    record_list_free(l);
    record_list_init(l);
    return i;
}

static void refuse(struct image *base, struct record_list *l, int want) {
    delta_free(replay(base, l, want));
    record_list_free(l);
    record_list_init(l);
}

static const struct topic *topic(const struct image *i, const char *name) {
    return image_topic_by_name(i, name, strlen(name));
}

static void topics_come_change_and_go(void **state) {
    struct record_list l;
    record_list_init(&l);
    add_topic(&l, "orders", 1);
    for (int32_t p = 0; p < 3; p++) add_partition(&l, 1, p, 1);
    add_topic(&l, "a.b", 2);
    add_config(&l, CONFIG_TOPIC, "orders", "retention.ms", "5");
    struct image *one = next(image_empty(), &l);
    assert_int_equal(one->offset, 5);
    assert_int_equal(one->epoch, 3);
    assert_int_equal(image_topics_n(one), 2);
    const struct topic *t = topic(one, "orders");
    struct uuid id = id_of(1);
    assert_ptr_equal(t, image_topic_by_id(one, &id));
    assert_int_equal(t->partitions_n, 3);
    assert_int_equal(t->partitions[2]->leader, 1);
    assert_int_equal(t->partitions[2]->replicas[1], 2);
    assert_int_equal(t->partitions[2]->isr_n, 2);
    assert_null(topic_partition(t, 3));
    assert_null(topic_partition(t, -1));
    assert_string_equal(image_config(one, CONFIG_TOPIC, "orders", "retention.ms"), "5");

    add_leader(&l, 1, 1, 2);
    struct image_delta *d = replay(one, &l, 0);
    assert_int_equal(d->topics_n, 1);
    assert_ptr_equal(d->topics[0].before, t);
    const struct topic *now = d->topics[0].after;
    assert_ptr_not_equal(now, t);
    assert_ptr_equal(now->partitions[0], t->partitions[0]); /* not touched, not copied */
    assert_int_equal(now->partitions[1]->leader, 2);
    assert_int_equal(now->partitions[1]->leader_epoch, 6);
    assert_int_equal(now->partitions[1]->partition_epoch, 10);
    assert_int_equal(t->partitions[1]->leader, 1); /* the old image is as it was */
    struct image *two = image_ref(d->after);
    delta_free(d);
    record_list_free(&l);
    record_list_init(&l);

    record_add_remove_topic(&l, 0, &(struct remove_topic_record){.topic_id = id});
    add_topic(&l, "orders", 3); /* the same name again, in the same batch */
    d = replay(two, &l, 0);
    assert_int_equal(d->topics_n, 2);
    assert_int_equal(d->configs_n, 1);
    assert_null(d->configs[0].after);
    assert_int_equal(topic(d->after, "orders")->id.b[15], 3);
    assert_null(image_topic_by_id(d->after, &id));
    assert_null(image_config(d->after, CONFIG_TOPIC, "orders", "retention.ms"));
    assert_non_null(image_config(two, CONFIG_TOPIC, "orders", "retention.ms"));
    delta_free(d);
    image_unref(one);
    image_unref(two);
    record_list_free(&l);
}

static void what_contradicts_is_refused(void **state) {
    struct record_list l;
    record_list_init(&l);
    add_topic(&l, "t", 1);
    struct image *i = next(image_empty(), &l);
    add_topic(&l, "t", 2);
    refuse(i, &l, OE_CORRUPT);
    add_partition(&l, 9, 0, 1);
    refuse(i, &l, OE_CORRUPT);
    add_leader(&l, 1, 0, 1);
    refuse(i, &l, OE_CORRUPT);
    record_add_unfence_broker(&l, 0, &(struct unfence_broker_record){.id = 1, .epoch = 1});
    refuse(i, &l, OE_CORRUPT);
    record_add_raw(&l, "\1\2", 2); /* cut short in the frame */
    refuse(i, &l, OE_MALFORMED);
    record_add_raw(&l, "\1\2\0\5t", 5); /* and in the message */
    refuse(i, &l, OE_MALFORMED);
    record_add_raw(&l, "\2\2\0", 3); /* a frame of the future */
    refuse(i, &l, OE_UNSUPPORTED);
    record_add_raw(&l, "\1\x7f\0", 3); /* a type of the future */
    refuse(i, &l, OE_UNSUPPORTED);
    record_add_raw(&l, "\1\2\1\2t", 5); /* a version of the future */
    refuse(i, &l, OE_UNSUPPORTED);
    record_add_feature_level(&l, 0, &(struct feature_level_record){KSTR(METADATA_VERSION), MV_TESTING + 1});
    refuse(i, &l, OE_UNSUPPORTED);
    image_unref(i);
}

static void configurations_are_sorted_sets(void **state) {
    struct record_list l;
    record_list_init(&l);
    const char *names[] = {"m", "z", "a", "k", "b"};
    for (int i = 0; i < 5; i++) add_config(&l, CONFIG_BROKER, "", names[i], "1");
    add_config(&l, CONFIG_BROKER, "", "m", "2");
    add_config(&l, CONFIG_BROKER, "", "z", NULL);
    add_config(&l, CONFIG_BROKER, "1", "x", "");
    struct image *i = next(image_empty(), &l);
    const struct config_set *s = image_configs(i, CONFIG_BROKER, "", 0);
    assert_int_equal(s->n, 4);
    assert_string_equal(s->entries[0].name, "a");
    assert_string_equal(config_set_get(s, "m"), "2");
    assert_null(config_set_get(s, "z"));
    assert_string_equal(image_config(i, CONFIG_BROKER, "1", "x"), "");
    add_config(&l, CONFIG_BROKER, "1", "x", NULL);
    i = next(i, &l);
    assert_null(image_configs(i, CONFIG_BROKER, "1", 1));
    image_unref(i);
}

static void a_transaction_is_all_or_nothing(void **state) {
    struct record_list l;
    record_list_init(&l);
    add_topic(&l, "kept", 1);
    add_partition(&l, 1, 0, 1);
    struct begin_transaction_record begin = {.name = KSTR("test")};
    record_add_begin_transaction(&l, 0, &begin);
    add_topic(&l, "undone", 2);
    add_leader(&l, 1, 0, 2);
    struct image *empty = image_empty();
    struct image_delta *d = replay(empty, &l, 0);
    assert_true(delta_in_transaction(d));
    assert_non_null(topic(d->after, "undone"));
    delta_free(d);
    image_unref(empty);

    struct abort_transaction_record abort = {.reason = KSTR_NULL};
    record_add_abort_transaction(&l, 0, &abort);
    struct image *i = next(image_empty(), &l);
    assert_null(topic(i, "undone"));
    assert_int_equal(topic(i, "kept")->partitions[0]->leader, 1);
    assert_int_equal(i->in_transaction, -1);
    assert_int_equal(i->offset, 5);

    record_add_begin_transaction(&l, 0, &begin);
    add_leader(&l, 1, 0, 2);
    record_add_end_transaction(&l, 0, &(struct end_transaction_record){0});
    i = next(i, &l);
    assert_int_equal(topic(i, "kept")->partitions[0]->leader, 2);
    record_add_end_transaction(&l, 0, &(struct end_transaction_record){0});
    refuse(i, &l, OE_CORRUPT);
    image_unref(i);
}

/* One of everything. */
static void add_all(struct record_list *l) {
    record_add_feature_level(l, 0, &(struct feature_level_record){KSTR(METADATA_VERSION), MV_LATEST});
    record_add_feature_level(l, 0, &(struct feature_level_record){KSTR(TRANSACTION_VERSION), 2});
    record_add_feature_level(l, 0, &(struct feature_level_record){KSTR(ELR_VERSION), 1});
    add_broker(l, 2, 20);
    add_broker(l, 1, 10);
    struct broker_registration_change_record c;
    broker_registration_change_record_init(&c);
    c.broker_id = 1;
    c.broker_epoch = 10;
    c.fenced = -1;
    record_add_broker_registration_change(l, 0, &c);
    struct register_controller_record_controller_endpoint e = {KSTR("CONTROLLER"), KSTR("host"), 9093, 0};
    struct register_controller_record rc = {.controller_id = 1, .end_points = &e, .end_points_n = 1};
    record_add_register_controller(l, 0, &rc);
    add_topic(l, "t", 1);
    add_partition(l, 1, 1, -1);
    add_partition(l, 1, 0, 1);
    add_config(l, CONFIG_TOPIC, "t", "cleanup.policy", "compact");
    struct client_quota_record_entity_data who[] = {{KSTR("user"), KSTR("bob")},
                                                    {KSTR("client-id"), KSTR_NULL}};
    struct client_quota_record q = {who, 2, KSTR("producer_byte_rate"), 1024.5, false};
    record_add_client_quota(l, 0, &q);
    q.key = KSTR("gone");
    record_add_client_quota(l, 0, &q);
    q.remove = true;
    record_add_client_quota(l, 0, &q);
    record_add_producer_ids(l, 0, &(struct producer_ids_record){1, 10, 3000});
    struct access_control_entry_record a = {id_of(50), 2, KSTR("t"), 3, KSTR("User:bob"), KSTR("*"), 3, 3};
    record_add_access_control_entry(l, 0, &a);
    struct user_scram_credential_record s = {
        KSTR("bob"), 1, {(const uint8_t *)"salt", 4}, {(const uint8_t *)"sk", 2}, {(const uint8_t *)"vk", 2},
        4096};
    record_add_user_scram_credential(l, 0, &s);
    struct kstr renewers[] = {KSTR("User:al")};
    struct delegation_token_record t = {KSTR("User:bob"), KSTR("User:bob"), renewers, 1, 1, 2, 3,
                                        KSTR("token")};
    record_add_delegation_token(l, 0, &t);
}

static void a_snapshot_gives_the_image_again(void **state) {
    struct record_list l, snapshot, again;
    record_list_init(&l);
    record_list_init(&snapshot);
    record_list_init(&again);
    add_all(&l);
    struct image *i = next(image_empty(), &l);
    assert_false(image_broker(i, 1)->fenced);
    assert_true(image_broker(i, 2)->fenced);
    assert_int_equal(image_broker_at(i, 0)->id, 1);
    assert_int_equal(broker_endpoint(image_broker(i, 2), "PLAINTEXT")->port, 9092);
    assert_int_equal(image_features_n(i), 3);
    assert_string_equal(image_feature_at(i, 0).name, METADATA_VERSION);
    assert_int_equal(image_feature(i, ELR_VERSION), 1);
    assert_int_equal(image_feature(i, SHARE_VERSION), 0);
    assert_int_equal(image_scram(i, 1, "bob", 3)->iterations, 4096);
    image_write(i, &snapshot);
    assert_true(record_list_ok(&snapshot));

    struct image *empty = image_empty();
    struct image_delta *d = replay(empty, &snapshot, 0);
    image_write(d->after, &again);
    assert_int_equal(again.n, snapshot.n);
    for (int32_t k = 0; k < again.n; k++) {
        assert_int_equal(again.v[k].len, snapshot.v[k].len);
        assert_memory_equal(again.v[k].data, snapshot.v[k].data, again.v[k].len);
    }
    assert_int_equal(d->after->next_producer_id, 3000);
    assert_int_equal(image_controllers_n(d->after), 1);
    assert_int_equal(d->after->quotas.count, 1);
    assert_int_equal(d->after->acls.count, 1);
    assert_int_equal(d->after->tokens.count, 1);
    assert_true(d->features_changed && d->brokers_changed && d->controllers_changed && d->quotas_changed);
    assert_true(d->scram_changed && d->acls_changed && d->tokens_changed && d->producer_ids_changed);
    delta_free(d);
    image_unref(empty);
    image_unref(i);
    record_list_free(&snapshot);
    record_list_free(&again);
}

static void all_topics_in_order_of_names(void **state) {
    struct record_list l;
    record_list_init(&l);
    char name[32];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "t%03d", (i * 37) % 200);
        add_topic(&l, name, (uint8_t)i);
    }
    struct image *i = next(image_empty(), &l);
    struct arena a;
    arena_init(&a, 1 << 20);
    size_t n;
    const struct topic **all = image_topics_sorted(i, &a, &n);
    assert_int_equal(n, 200);
    for (size_t k = 0; k < n; k++) {
        snprintf(name, sizeof name, "t%03zu", k);
        assert_string_equal(all[k]->name, name);
    }
    arena_free(&a);
    image_unref(i);
}

static void versions_and_features(void **state) {
    assert_int_equal(metadata_version_parse("4.3-IV0"), 30);
    assert_int_equal(metadata_version_parse("4.3"), 30);
    assert_int_equal(metadata_version_parse("4.0.1"), 25);
    assert_int_equal(metadata_version_parse("3.7"), 19);
    assert_int_equal(metadata_version_parse("4.4"), MV_TESTING);
    assert_int_equal(metadata_version_parse("4.5"), 0);
    assert_int_equal(metadata_version_parse("x"), 0);
    assert_string_equal(metadata_version_name(7), "3.3-IV3");
    assert_null(metadata_version_name(32));
    assert_true(metadata_version_changed(29, 30));
    assert_false(metadata_version_changed(24, 29));
    assert_int_equal(feature_default(feature_find(TRANSACTION_VERSION), 30), 2);
    assert_int_equal(feature_default(feature_find(TRANSACTION_VERSION), 23), 0);
    assert_int_equal(feature_default(feature_find(ELR_VERSION), 25), 0);
    assert_int_equal(feature_default(feature_find(ELR_VERSION), 26), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(topics_come_change_and_go),
        cmocka_unit_test(what_contradicts_is_refused),
        cmocka_unit_test(configurations_are_sorted_sets),
        cmocka_unit_test(a_transaction_is_all_or_nothing),
        cmocka_unit_test(a_snapshot_gives_the_image_again),
        cmocka_unit_test(all_topics_in_order_of_names),
        cmocka_unit_test(versions_and_features),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
