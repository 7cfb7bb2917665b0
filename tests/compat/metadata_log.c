/* Lives one life of a node on a log directory, without a server: opens the metadata log, prints what it says,
 * becomes active, registers and unfences its broker, creates the topics that are named, shuts down in order.
 *     metadata_log DIR "VOTERS" [TOPIC]...      VOTERS empty: dynamic
 * Prints a line for each feature, user, configuration, broker and partition that it found. */
#include "api/broker_registration.h"
#include "api/create_topics.h"
#include "base/err.h"
#include "controller/controller.h"
#include "io/clock.h"
#include "io/file.h"
#include "kraft/node.h"
#include "metadata/version.h"
#include "storage/logdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const char *what, const char *why) {
    fprintf(stderr, "metadata_log: %s: %s\n", what, why);
    return 1;
}

static void show(const struct kraft *k) {
    const struct image *i = kraft_image(k);
    struct pmap_iter it;
    printf("epoch %d kraft.version %d\n", kraft_epoch(k), kraft_version(k));
    for (int32_t n = 0; n < image_features_n(i); n++)
        printf("feature %s=%d\n", image_feature_at(i, n).name, image_feature_at(i, n).level);
    for (int32_t n = 0; n < image_brokers_n(i); n++)
        printf("broker %d%s\n", image_broker_at(i, n)->id, image_broker_at(i, n)->fenced ? " fenced" : "");
    pmap_iterate(&i->scram, &it);
    for (const struct scram_credential *s; (s = pmap_next(&it));)
        printf("user %s mechanism %d iterations %d\n", s->user, s->mechanism, s->iterations);
    pmap_iterate(&i->quotas, &it);
    for (const struct quota_entity *q; (q = pmap_next(&it));)
        for (int32_t n = 0; n < q->values_n; n++)
            printf("quota %s=%g\n", q->values[n].key, q->values[n].value);
    pmap_iterate(&i->configs, &it);
    for (const struct config_set *c; (c = pmap_next(&it));)
        for (int32_t n = 0; n < c->n; n++)
            printf("config %d %s %s=%s\n", (int)c->type, c->resource, c->entries[n].name,
                   c->entries[n].value);
    pmap_iterate(&i->topics_by_name, &it);
    for (const struct topic *t; (t = pmap_next(&it));)
        for (int32_t n = 0; n < t->partitions_n; n++)
            printf("partition %s-%d leader %d isr %d elr %d\n", t->name, n, t->partitions[n]->leader,
                   t->partitions[n]->isr_n, t->partitions[n]->elr_n);
}

/* Appends what a command left; exits when that fails. */
static void commit(struct kraft *k, struct controller *c, struct record_list *l) {
    int err = kraft_append(k, l, clock_wall_ms(), NULL);
    if (err) exit(fail("append", oerr_text(err)));
    controller_set_image(c, kraft_image(k));
    record_list_free(l);
    record_list_init(l);
}

static int64_t register_broker(struct controller *c, struct kraft *k, const struct meta_properties *m,
                               const struct controller_context *x, struct record_list *l) {
    struct broker_registration_request_feature f[8] = {{KSTR(METADATA_VERSION), MV_FIRST, MV_LATEST}};
    struct broker_registration_request_listener listener = {KSTR("PLAINTEXT"), KSTR("127.0.0.1"), 1, 0};
    struct broker_registration_request r;
    struct broker_registration_response a;
    struct uuid dir = m->directory_id;
    const struct broker *old = image_broker(kraft_image(k), m->node_id);
    broker_registration_request_init(&r);
    for (int n = 0; n < features_n; n++)
        f[n + 1] =
            (struct broker_registration_request_feature){kstr_of(features[n].name), 0, features[n].latest};
    r.broker_id = m->node_id;
    r.cluster_id = kstr_of(m->cluster_id);
    r.incarnation_id = (struct uuid){{[0] = 1, [15] = (uint8_t)kraft_epoch(k)}};
    r.listeners = &listener;
    r.listeners_n = 1;
    r.features = f;
    r.features_n = features_n + 1;
    r.log_dirs = &dir;
    r.log_dirs_n = 1;
    r.previous_broker_epoch = old ? old->epoch : -1;
    controller_register_broker(c, x, &r, kraft_end_offset(k), &a, l);
    if (a.error_code) exit(fail("register", "refused"));
    commit(k, c, l);
    return a.broker_epoch;
}

static void create_topics(struct controller *c, struct kraft *k, const struct controller_context *x,
                          char **names, int n, struct record_list *l) {
    for (int i = 0; i < n; i++) {
        struct create_topics_request_creatable_topic_config config = {KSTR("retention.ms"), KSTR("12345")};
        struct create_topics_request_creatable_topic t = {kstr_of(names[i]), 2, 1, NULL, 0, &config, 1};
        struct create_topics_request r = {.topics = &t, .topics_n = 1};
        struct create_topics_response a;
        controller_create_topics(c, x, &r, &a, l);
        if (a.topics[0].error_code) exit(fail(names[i], a.topics[0].error_message.s));
        commit(k, c, l);
    }
}

int main(int argc, char **argv) {
    struct kraft_options o;
    struct meta_properties m;
    struct kraft *k;
    struct arena a;
    struct record_list l;
    char *why = NULL;
    if (argc < 3) return fail("usage", "metadata_log DIR VOTERS [TOPIC]...");
    int err = meta_properties_read(fs_real(), argv[1], &m);
    if (err) return fail(argv[1], oerr_text(err));
    kraft_options_init(&o);
    o.fs = fs_real();
    o.dir = argv[1];
    o.cluster_id = m.cluster_id;
    o.node_id = m.node_id;
    o.directory_id = m.directory_id;
    o.voters = argv[2];
    o.snapshot_bytes = 500; /* so that there is one */
    if (kraft_open(&o, clock_wall_ms(), &k, &why)) return fail(argv[1], why);
    show(k);
    struct controller_config config = {.cluster_id = m.cluster_id,
                                       .node_id = m.node_id,
                                       .default_min_isr = 1,
                                       .default_partitions = 1,
                                       .default_replication = 1,
                                       .seed = clock_entropy()};
    struct controller *c = controller_new(&config, kraft_image(k));
    struct controller_context x = {.arena = &a, .now_ms = clock_wall_ms()};
    arena_init(&a, 1 << 20);
    record_list_init(&l);
    controller_activate(c, kraft_in_transaction(k), kraft_bootstrap(k), &l);
    commit(k, c, &l);
    int64_t epoch = register_broker(c, k, &m, &x, &l);
    if (controller_unfence_broker(c, m.node_id, epoch, &l)) return fail("unfence", "refused");
    commit(k, c, &l);
    create_topics(c, k, &x, argv + 3, argc - 3, &l);
    kraft_tick(k, clock_wall_ms());
    if (controller_begin_shutdown(c, m.node_id, epoch, &l)) return fail("shutdown", "refused");
    commit(k, c, &l);
    if (controller_fence_broker(c, m.node_id, epoch, &l)) return fail("fence", "refused");
    commit(k, c, &l);
    controller_free(c);
    kraft_close(k, clock_wall_ms());
    record_list_free(&l);
    arena_free(&a);
    return 0;
}
