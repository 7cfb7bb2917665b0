/* Registrations of brokers and controllers (org.apache.kafka.image.ClusterDelta,
 * metadata.BrokerRegistration). */
#include "base/assert.h"
#include "base/err.h"
#include "metadata/family.h"
#include "metadata/version.h"

/* The endpoints and features of the two kinds of registrations are of different generated types with equal
 * fields. */
#define COPY_ENDPOINTS(r, to, from)                                                                          \
    do {                                                                                                     \
        struct endpoint *e_ = arena_calloc(&(r)->arena, (size_t)(from)->end_points_n, sizeof *e_);           \
        ASSERT(e_);                                                                                          \
        for (int32_t k_ = 0; k_ < (from)->end_points_n; k_++)                                                \
            e_[k_] = (struct endpoint){                                                                      \
                replay_text(r, (from)->end_points[k_].name), replay_text(r, (from)->end_points[k_].host),    \
                (from)->end_points[k_].port, (from)->end_points[k_].security_protocol};                      \
        (to)->endpoints = e_;                                                                                \
        (to)->endpoints_n = (from)->end_points_n;                                                            \
    } while (0)
#define COPY_FEATURES(r, to, from)                                                                           \
    do {                                                                                                     \
        struct feature_range *f_ = arena_calloc(&(r)->arena, (size_t)(from)->features_n, sizeof *f_);        \
        ASSERT(f_);                                                                                          \
        for (int32_t k_ = 0; k_ < (from)->features_n; k_++)                                                  \
            f_[k_] = (struct feature_range){replay_text(r, (from)->features[k_].name),                       \
                                            (from)->features[k_].min_supported_version,                      \
                                            (from)->features[k_].max_supported_version};                     \
        (to)->features = f_;                                                                                 \
        (to)->features_n = (from)->features_n;                                                               \
    } while (0)

static void put_broker(struct replay *r, const struct broker *spec) {
    r->image->brokers = nodes_set(r->image->brokers, (struct image_node *)(void *)broker_new(spec));
}

int cluster_replay_register(struct replay *r, const struct register_broker_record *b) {
    struct broker spec = {.id = b->broker_id,
                          .epoch = b->broker_epoch,
                          .incarnation = b->incarnation_id,
                          .rack = replay_text(r, b->rack),
                          .fenced = b->fenced,
                          .in_controlled_shutdown = b->in_controlled_shutdown,
                          .dirs = b->log_dirs,
                          .dirs_n = b->log_dirs_n,
                          .cordoned = b->cordoned_log_dirs,
                          .cordoned_n = b->cordoned_log_dirs_n};
    COPY_ENDPOINTS(r, &spec, b);
    COPY_FEATURES(r, &spec, b);
    put_broker(r, &spec);
    return 0;
}

static const struct broker *broker_of(const struct replay *r, int32_t id, int64_t epoch) {
    const struct broker *b = image_broker(r->image, id);
    return b && b->epoch == epoch ? b : NULL;
}

int cluster_replay_unregister(struct replay *r, const struct unregister_broker_record *b) {
    if (!broker_of(r, b->broker_id, b->broker_epoch)) return OE_CORRUPT;
    r->image->brokers = nodes_remove(r->image->brokers, b->broker_id);
    return 0;
}

int cluster_replay_change(struct replay *r, const struct broker_registration_change_record *c) {
    const struct broker *b = broker_of(r, c->broker_id, c->broker_epoch);
    if (!b) return OE_CORRUPT;
    struct broker spec = *b;
    if (c->fenced != 0) spec.fenced = c->fenced > 0; /* 1: fence, -1: unfence */
    if (c->in_controlled_shutdown != 0) spec.in_controlled_shutdown = c->in_controlled_shutdown > 0;
    if (c->log_dirs_n > 0) {
        spec.dirs = c->log_dirs;
        spec.dirs_n = c->log_dirs_n;
    }
    if (c->cordoned_log_dirs_n >= 0) {
        spec.cordoned = c->cordoned_log_dirs;
        spec.cordoned_n = c->cordoned_log_dirs_n;
    }
    put_broker(r, &spec);
    return 0;
}

int cluster_replay_fence(struct replay *r, int32_t id, int64_t epoch, bool fenced) {
    const struct broker *b = broker_of(r, id, epoch);
    if (!b) return OE_CORRUPT;
    struct broker spec = *b;
    spec.fenced = fenced;
    put_broker(r, &spec);
    return 0;
}

int cluster_replay_controller(struct replay *r, const struct register_controller_record *c) {
    struct controller_node spec = {.id = c->controller_id,
                                   .incarnation = c->incarnation_id,
                                   .zk_migration_ready = c->zk_migration_ready};
    COPY_ENDPOINTS(r, &spec, c);
    COPY_FEATURES(r, &spec, c);
    struct image_node *node = (struct image_node *)(void *)controller_node_new(&spec);
    r->image->controllers = nodes_set(r->image->controllers, node);
    return 0;
}

/* Fills the record's arrays from a registration; the arrays live in the arena. */
#define WRITE_ENDPOINTS(a, rec, type, from)                                                                  \
    do {                                                                                                     \
        struct type *e_ = arena_calloc(a, (size_t)(from)->endpoints_n, sizeof *e_);                          \
        ASSERT(e_);                                                                                          \
        for (int32_t k_ = 0; k_ < (from)->endpoints_n; k_++)                                                 \
            e_[k_] = (struct type){.name = kstr_of((from)->endpoints[k_].listener),                          \
                                   .host = kstr_of((from)->endpoints[k_].host),                              \
                                   .port = (from)->endpoints[k_].port,                                       \
                                   .security_protocol = (from)->endpoints[k_].security_protocol};            \
        (rec)->end_points = e_;                                                                              \
        (rec)->end_points_n = (from)->endpoints_n;                                                           \
    } while (0)
#define WRITE_FEATURES(a, rec, type, from)                                                                   \
    do {                                                                                                     \
        struct type *f_ = arena_calloc(a, (size_t)(from)->features_n, sizeof *f_);                           \
        ASSERT(f_);                                                                                          \
        for (int32_t k_ = 0; k_ < (from)->features_n; k_++)                                                  \
            f_[k_] = (struct type){.name = kstr_of((from)->features[k_].name),                               \
                                   .min_supported_version = (from)->features[k_].min,                        \
                                   .max_supported_version = (from)->features[k_].max};                       \
        (rec)->features = f_;                                                                                \
        (rec)->features_n = (from)->features_n;                                                              \
    } while (0)

static void write_broker(const struct image *i, const struct broker *b, struct record_list *to) {
    struct register_broker_record rec;
    register_broker_record_init(&rec);
    rec.broker_id = b->id;
    rec.incarnation_id = b->incarnation;
    rec.broker_epoch = b->epoch;
    rec.rack = kstr_of(b->rack);
    rec.fenced = b->fenced;
    rec.in_controlled_shutdown = b->in_controlled_shutdown;
    if (i->metadata_version >= MV_3_7_IV2) {
        rec.log_dirs = (struct uuid *)b->dirs;
        rec.log_dirs_n = b->dirs_n;
    }
    if (i->metadata_version >= MV_4_3_IV0) {
        rec.cordoned_log_dirs = (struct uuid *)b->cordoned;
        rec.cordoned_log_dirs_n = b->cordoned_n;
    }
    WRITE_ENDPOINTS(&to->arena, &rec, register_broker_record_broker_endpoint, b);
    WRITE_FEATURES(&to->arena, &rec, register_broker_record_broker_feature, b);
    record_add_register_broker(to, mv_register_broker_version(i->metadata_version), &rec);
}

void cluster_write(const struct image *i, struct record_list *to) {
    for (int32_t k = 0; k < image_brokers_n(i); k++) write_broker(i, image_broker_at(i, k), to);
    if (i->metadata_version < MV_3_7_IV0) return;
    for (int32_t k = 0; k < image_controllers_n(i); k++) {
        const struct controller_node *c = image_controller_at(i, k);
        struct register_controller_record rec = {.controller_id = c->id,
                                                 .incarnation_id = c->incarnation,
                                                 .zk_migration_ready = c->zk_migration_ready};
        WRITE_ENDPOINTS(&to->arena, &rec, register_controller_record_controller_endpoint, c);
        WRITE_FEATURES(&to->arena, &rec, register_controller_record_controller_feature, c);
        record_add_register_controller(to, 0, &rec);
    }
}
