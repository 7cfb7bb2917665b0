/* Registrations and the life of brokers (ClusterControlManager, ReplicationControlManager.handleBroker…). In
 * a cluster heartbeats will drive fencing; with one node the server calls the steps itself, and the same
 * records come of it. */
#include "api/broker_registration.h"
#include "api/controller_registration.h"
#include "base/assert.h"
#include "controller/state.h"
#include "metadata/version.h"
#include "records/metadata.h"

#include <string.h>

enum { CHANGE_SET = 1, CHANGE_CLEAR = -1 }; /* BrokerRegistrationFencingChange and its like */
enum { FIRST_CHANGE_WITH_CORDONED = 3 };

int16_t broker_check_epoch(const struct image *i, int32_t id, int64_t epoch) {
    const struct broker *b = image_broker(i, id);
    if (!b) return KERR_BROKER_ID_NOT_REGISTERED;
    return b->epoch == epoch ? 0 : KERR_STALE_BROKER_EPOCH;
}

static bool reserved_dir(const struct uuid *u) {
    for (int k = 0; k < 15; k++)
        if (u->b[k]) return false;
    return u->b[15] < 100; /* DirectoryId.reserved: the first hundred */
}

/* Are the directories real, different, and no other broker's? */
static int16_t check_dirs(const struct image *i, const struct broker_registration_request *r) {
    if (i->metadata_version < MV_3_7_IV2) return 0;
    if (r->log_dirs_n <= 0) return KERR_INVALID_REGISTRATION;
    for (int32_t k = 0; k < r->log_dirs_n; k++) {
        if (reserved_dir(&r->log_dirs[k])) return KERR_INVALID_REGISTRATION;
        for (int32_t m = 0; m < k; m++)
            if (uuid_equal(&r->log_dirs[k], &r->log_dirs[m])) return KERR_INVALID_REGISTRATION;
        for (int32_t b = 0; b < image_brokers_n(i); b++) {
            const struct broker *other = image_broker_at(i, b);
            for (int32_t m = 0; other->id != r->broker_id && m < other->dirs_n; m++)
                if (uuid_equal(&r->log_dirs[k], &other->dirs[m])) return KERR_INVALID_REGISTRATION;
        }
    }
    return 0;
}

/* Does the broker support every finalized feature at its level? */
static int16_t check_features(const struct image *i, const struct broker_registration_request *r) {
    bool has_mv = false;
    for (int32_t k = 0; k < r->features_n; k++) has_mv |= kstr_is(r->features[k].name, METADATA_VERSION);
    if (!has_mv) return KERR_INVALID_REGISTRATION;
    for (int32_t f = 0; f < image_features_n(i); f++) {
        struct feature_level level = image_feature_at(i, f);
        bool supported = false;
        for (int32_t k = 0; k < r->features_n && !supported; k++)
            supported = kstr_is(r->features[k].name, level.name) &&
                        r->features[k].min_supported_version <= level.level &&
                        r->features[k].max_supported_version >= level.level;
        if (!supported) return KERR_UNSUPPORTED_VERSION;
    }
    return 0;
}

static void fill_registration(struct register_broker_record *rec, const struct broker_registration_request *r,
                              const struct image *i, struct arena *a) {
    rec->broker_id = r->broker_id;
    rec->incarnation_id = r->incarnation_id;
    rec->rack = r->rack;
    rec->end_points = arena_calloc(a, (size_t)r->listeners_n, sizeof *rec->end_points);
    rec->features = arena_calloc(a, (size_t)r->features_n, sizeof *rec->features);
    ASSERT(rec->end_points && rec->features);
    rec->end_points_n = r->listeners_n;
    rec->features_n = r->features_n;
    for (int32_t k = 0; k < r->listeners_n; k++)
        rec->end_points[k] = (struct register_broker_record_broker_endpoint){
            r->listeners[k].name, r->listeners[k].host, r->listeners[k].port,
            r->listeners[k].security_protocol};
    for (int32_t k = 0; k < r->features_n; k++)
        rec->features[k] = (struct register_broker_record_broker_feature){
            r->features[k].name, r->features[k].min_supported_version, r->features[k].max_supported_version};
    if (i->metadata_version >= MV_3_7_IV2) {
        rec->log_dirs = r->log_dirs;
        rec->log_dirs_n = r->log_dirs_n;
    }
}

void controller_register_broker(struct controller *c, const struct controller_context *x,
                                const struct broker_registration_request *request, int64_t next_offset,
                                struct broker_registration_response *response, struct record_list *records) {
    const struct image *i = c->image;
    broker_registration_response_init(response);
    const struct broker *old = image_broker(i, request->broker_id);
    bool amend = old && uuid_equal(&old->incarnation, &request->incarnation_id);
    int16_t code = kstr_is(request->cluster_id, c->config.cluster_id) ? 0 : KERR_INCONSISTENT_CLUSTER_ID;
    if (!code && request->is_migrating_zk_broker) code = KERR_BROKER_ID_NOT_REGISTERED;
    if (!code) code = check_dirs(i, request);
    if (!code) code = check_features(i, request);
    response->error_code = code;
    if (code) return;
    struct register_broker_record rec;
    register_broker_record_init(&rec);
    fill_registration(&rec, request, i, &records->arena);
    if (amend) {
        rec.fenced = old->fenced;
        rec.in_controlled_shutdown = old->in_controlled_shutdown;
        rec.broker_epoch = old->epoch;
    } else if (old) {
        bool clean = old->epoch == request->previous_broker_epoch;
        bool elr = image_feature(i, ELR_VERSION) > 0;
        if (clean || !elr)
            elections_add(c, old->id, NO_LEADER, NO_LEADER, records);
        else
            elections_add(c, NO_LEADER, NO_LEADER, old->id, records);
    }
    if (!amend) rec.broker_epoch = next_offset + records->n;
    records->atomic = false; /* the registration is the last: a new try cleans up what a failure left */
    record_add_register_broker(records, mv_register_broker_version(i->metadata_version), &rec);
    response->broker_epoch = rec.broker_epoch;
}

void controller_register_controller(struct controller *c, const struct controller_context *x,
                                    const struct controller_registration_request *request,
                                    struct controller_registration_response *response,
                                    struct record_list *records) {
    controller_registration_response_init(response);
    if (c->image->metadata_version < MV_3_7_IV0) {
        response->error_code = KERR_UNSUPPORTED_VERSION;
        response->error_message =
            KSTR("The current MetadataVersion is too old to support controller registrations.");
        return;
    }
    struct register_controller_record rec;
    register_controller_record_init(&rec);
    rec.controller_id = request->controller_id;
    rec.incarnation_id = request->incarnation_id;
    rec.end_points = arena_calloc(&records->arena, (size_t)request->listeners_n, sizeof *rec.end_points);
    rec.features = arena_calloc(&records->arena, (size_t)request->features_n, sizeof *rec.features);
    ASSERT(rec.end_points && rec.features);
    rec.end_points_n = request->listeners_n;
    rec.features_n = request->features_n;
    for (int32_t k = 0; k < request->listeners_n; k++)
        rec.end_points[k] = (struct register_controller_record_controller_endpoint){
            request->listeners[k].name, request->listeners[k].host, request->listeners[k].port,
            request->listeners[k].security_protocol};
    for (int32_t k = 0; k < request->features_n; k++)
        rec.features[k] = (struct register_controller_record_controller_feature){
            request->features[k].name, request->features[k].min_supported_version,
            request->features[k].max_supported_version};
    record_add_register_controller(records, 0, &rec);
}

static void add_change(int32_t broker, int64_t epoch, int8_t fenced, int8_t shutdown,
                       struct record_list *records) {
    struct broker_registration_change_record rec;
    broker_registration_change_record_init(&rec);
    rec.broker_id = broker;
    rec.broker_epoch = epoch;
    rec.fenced = fenced;
    rec.in_controlled_shutdown = shutdown;
    record_add_broker_registration_change(records, shutdown ? 1 : 0, &rec);
}

int16_t controller_unfence_broker(struct controller *c, int32_t broker, int64_t epoch,
                                  struct record_list *records) {
    int16_t code = broker_check_epoch(c->image, broker, epoch);
    if (code || !image_broker(c->image, broker)->fenced) return code;
    records->atomic = false;
    add_change(broker, epoch, CHANGE_CLEAR, 0, records);
    elections_add(c, NO_LEADER, broker, NO_LEADER, records);
    return 0;
}

int16_t controller_begin_shutdown(struct controller *c, int32_t broker, int64_t epoch,
                                  struct record_list *records) {
    int16_t code = broker_check_epoch(c->image, broker, epoch);
    if (code) return code;
    records->atomic = false;
    if (!image_broker(c->image, broker)->in_controlled_shutdown)
        add_change(broker, epoch, 0, CHANGE_SET, records);
    elections_add(c, broker, NO_LEADER, NO_LEADER, records);
    return 0;
}

int16_t controller_fence_broker(struct controller *c, int32_t broker, int64_t epoch,
                                struct record_list *records) {
    int16_t code = broker_check_epoch(c->image, broker, epoch);
    if (code || image_broker(c->image, broker)->fenced) return code;
    records->atomic = false;
    elections_add(c, broker, NO_LEADER, NO_LEADER, records);
    add_change(broker, epoch, CHANGE_SET, 0, records);
    return 0;
}

static bool has_dir(const struct uuid *dirs, int32_t n, const struct uuid *dir) {
    for (int32_t i = 0; i < n; i++)
        if (uuid_equal(&dirs[i], dir)) return true;
    return false;
}

/* A broker that has not said anything has none. */
static bool same_dirs(const struct broker *b, const struct uuid *dirs, int32_t n) {
    int32_t before = b->cordoned_n > 0 ? b->cordoned_n : 0;
    for (int32_t i = 0; i < n; i++)
        if (!has_dir(b->cordoned, before, &dirs[i])) return false;
    return before == n;
}

int16_t controller_cordon(struct controller *c, int32_t broker, int64_t epoch, const struct uuid *dirs,
                          int32_t n, struct record_list *records) {
    struct broker_registration_change_record rec;
    int16_t code = broker_check_epoch(c->image, broker, epoch);
    if (code || c->image->metadata_version < MV_4_3_IV0 || same_dirs(image_broker(c->image, broker), dirs, n))
        return code;
    broker_registration_change_record_init(&rec);
    rec.broker_id = broker;
    rec.broker_epoch = epoch;
    rec.cordoned_log_dirs = (struct uuid *)(uintptr_t)dirs;
    rec.cordoned_log_dirs_n = n;
    record_add_broker_registration_change(records, FIRST_CHANGE_WITH_CORDONED, &rec);
    return 0;
}

int16_t controller_unregister_broker(struct controller *c, int32_t broker, struct record_list *records) {
    const struct broker *b = image_broker(c->image, broker);
    if (!b) return KERR_BROKER_ID_NOT_REGISTERED;
    records->atomic = false;
    elections_add(c, broker, NO_LEADER, NO_LEADER, records);
    record_add_unregister_broker(records, 0, &(struct unregister_broker_record){b->id, b->epoch});
    return 0;
}
