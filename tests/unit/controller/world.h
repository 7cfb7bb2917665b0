/* A controller and its image, for stories: commands, and what the image says when their records are replayed.
 */
#ifndef OTTLA_TESTS_CONTROLLER_WORLD_H
#define OTTLA_TESTS_CONTROLLER_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "api/broker_registration.h"
#include "controller/controller.h"
#include "metadata/delta.h"
#include "metadata/version.h"

#include <stdlib.h>
#include <string.h>

struct world {
    struct controller *c;
    struct image *image;
    struct arena arena;
    struct controller_context x;
    struct record_list records;
};

static inline int16_t validate(void *ctx, enum config_resource type, const char *resource,
                               const struct config_entry *entries, int32_t n, const struct config_set *before,
                               struct arena *a, const char **message) {
    for (int32_t k = 0; k < n; k++) {
        if (strcmp(entries[k].name, "bad") != 0) continue;
        *message = "Unknown topic config name: bad";
        return KERR_INVALID_CONFIG;
    }
    return 0;
}
static inline bool is_list(void *ctx, enum config_resource type, const char *name) {
    return strcmp(name, "cleanup.policy") == 0;
}
static inline const char *default_value(void *ctx, enum config_resource type, const char *name) {
    return "delete";
}
static inline int32_t topic_rows(void *ctx, const struct image *image, const struct config_entry *own,
                                 int32_t n, struct arena *a, struct topic_config_row **rows) {
    *rows = arena_calloc(a, (size_t)n, sizeof **rows);
    for (int32_t k = 0; k < n; k++)
        (*rows)[k] = (struct topic_config_row){.name = own[k].name, .value = own[k].value, .source = 1};
    return n;
}

/* Replays what the last command left, as the owner does after the append. Returns the number of records. */
static inline int32_t commit(struct world *w) {
    assert_true(record_list_ok(&w->records));
    int32_t n = w->records.n;
    struct image_delta *d = delta_begin(w->image);
    for (int32_t i = 0; i < n; i++)
        assert_int_equal(
            delta_replay(d, w->records.v[i].data, w->records.v[i].len, w->image->offset + 1 + i, 1), 0);
    delta_finish(d, 0);
    image_unref(w->image);
    w->image = image_ref(d->after);
    delta_free(d);
    controller_set_image(w->c, w->image);
    record_list_free(&w->records);
    record_list_init(&w->records);
    return n;
}

static inline struct uuid dir_id(int32_t broker) { return (struct uuid){{1, [15] = (uint8_t)broker}}; }

static inline int64_t register_broker(struct world *w, int32_t id, uint8_t incarnation,
                                      int64_t previous_epoch) {
    struct broker_registration_request_feature f[] = {
        {KSTR(METADATA_VERSION), 7, 30}, {KSTR(TRANSACTION_VERSION), 0, 2}, {KSTR(ELR_VERSION), 0, 1},
        {KSTR(GROUP_VERSION), 0, 1},     {KSTR(SHARE_VERSION), 0, 1},       {KSTR(STREAMS_VERSION), 0, 1},
        {KSTR(KRAFT_VERSION), 0, 1}};
    struct broker_registration_request_listener l = {KSTR("PLAINTEXT"), KSTR("localhost"), 9092, 0};
    struct uuid dir = dir_id(id);
    struct broker_registration_request r;
    struct broker_registration_response a;
    broker_registration_request_init(&r);
    r.broker_id = id;
    r.cluster_id = KSTR("cluster");
    r.incarnation_id = (struct uuid){{2, [15] = incarnation}};
    r.listeners = &l;
    r.listeners_n = 1;
    r.features = f;
    r.features_n = 7;
    r.log_dirs = &dir;
    r.log_dirs_n = 1;
    r.previous_broker_epoch = previous_epoch;
    controller_register_broker(w->c, &w->x, &r, w->image->offset + 1, &a, &w->records);
    assert_int_equal(a.error_code, 0);
    commit(w);
    assert_true(image_broker(w->image, id)->fenced);
    assert_int_equal(image_broker(w->image, id)->epoch, a.broker_epoch);
    assert_int_equal(w->image->offset, a.broker_epoch); /* the registration's own offset */
    return a.broker_epoch;
}

static inline void add_broker(struct world *w, int32_t id) {
    int64_t epoch = register_broker(w, id, 1, -1);
    assert_int_equal(controller_unfence_broker(w->c, id, epoch, &w->records), 0);
    commit(w);
    assert_false(image_broker(w->image, id)->fenced);
}

/* A cluster of one: bootstrapped, broker 1 registered and unfenced. */
static inline int setup(void **state) {
    struct world *w = calloc(1, sizeof *w);
    struct controller_config config = {.cluster_id = "cluster",
                                       .node_id = 1,
                                       .default_partitions = 2,
                                       .default_replication = 1,
                                       .default_min_isr = 1,
                                       .delete_topic_enable = true,
                                       .seed = 5,
                                       .hooks = {.validate = validate,
                                                 .is_list = is_list,
                                                 .default_value = default_value,
                                                 .topic_rows = topic_rows}};
    w->image = image_empty();
    w->c = controller_new(&config, w->image);
    arena_init(&w->arena, 64 << 20);
    w->x.arena = &w->arena;
    record_list_init(&w->records);
    struct record_list bootstrap;
    record_list_init(&bootstrap);
    record_add_feature_level(&bootstrap, 0,
                             &(struct feature_level_record){KSTR(METADATA_VERSION), MV_LATEST});
    record_add_feature_level(&bootstrap, 0, &(struct feature_level_record){KSTR(ELR_VERSION), 1});
    controller_activate(w->c, false, &bootstrap, &w->records);
    assert_int_equal(w->records.n, 5); /* begin, two features, min.insync.replicas, end */
    commit(w);
    controller_activate(w->c, false, &bootstrap, &w->records);
    assert_int_equal(w->records.n, 0); /* not again */
    record_list_free(&bootstrap);
    assert_string_equal(image_config(w->image, CONFIG_BROKER, "", "min.insync.replicas"), "1");
    add_broker(w, 1);
    *state = w;
    return 0;
}

static inline int teardown(void **state) {
    struct world *w = *state;
    controller_free(w->c);
    image_unref(w->image);
    record_list_free(&w->records);
    arena_free(&w->arena);
    free(w);
    return 0;
}

#define STORY(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

#endif
