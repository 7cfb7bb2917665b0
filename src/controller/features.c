/* UpdateFeatures (FeatureControlManager). kraft.version is changed by the quorum, not by records: here it may
 * only stay. */
#include "api/update_features.h"
#include "base/assert.h"
#include "controller/state.h"
#include "metadata/version.h"
#include "records/metadata.h"

#include <string.h>

enum { UPGRADE = 1, SAFE_DOWNGRADE = 2, UNSAFE_DOWNGRADE = 3 }; /* FeatureUpdate.UpgradeType */

struct update {
    const char *name;
    int16_t level;
    int8_t type;
};

static struct api_error invalid(struct arena *a, const struct update *u, const char *why) {
    return api_error_printf(a, KERR_INVALID_UPDATE_VERSION, "Invalid update version %d for feature %s. %s",
                            u->level, u->name, why);
}

static const char *not_supported(struct arena *a, const char *what, int32_t id, int16_t min, int16_t max,
                                 const struct update *u) {
    if (u->level >= min && u->level <= max) return NULL;
    if (max == 0) return arena_printf(a, "%s %d does not support this feature.", what, id);
    return arena_printf(a, "%s %d only supports versions %d-%d", what, id, min, max);
}

static const char *range_problem(struct arena *a, const char *what, int32_t id, const struct feature_range *f,
                                 int32_t n, const struct update *u) {
    int16_t min = 0, max = 0;
    for (int32_t k = 0; k < n; k++)
        if (strcmp(f[k].name, u->name) == 0) {
            min = f[k].min;
            max = f[k].max;
        }
    return not_supported(a, what, id, min, max, u);
}

/* Why not every node supports the level, or NULL. */
static const char *support_problem(struct controller *c, struct arena *a, const struct update *u) {
    const struct feature *f = feature_find(u->name);
    bool mv = strcmp(u->name, METADATA_VERSION) == 0;
    int16_t min = mv ? MV_FIRST : 0, max = mv ? MV_LATEST : f ? f->latest : 0;
    const char *why = not_supported(a, "Local controller", c->config.node_id, min, max, u);
    for (int32_t k = 0; !why && k < image_brokers_n(c->image); k++) {
        const struct broker *b = image_broker_at(c->image, k);
        why = range_problem(a, "Broker", b->id, b->features, b->features_n, u);
    }
    for (int32_t k = 0; !why && k < image_controllers_n(c->image); k++) {
        const struct controller_node *n = image_controller_at(c->image, k);
        if (n->id != c->config.node_id)
            why = range_problem(a, "Controller", n->id, n->features, n->features_n, u);
    }
    return why;
}

static struct api_error update_mv(struct controller *c, struct arena *a, const struct update *u) {
    int16_t now = c->image->metadata_version;
    if (u->level >= now || !metadata_version_changed(now, u->level)) return API_OK;
    return api_error_printf(
        a, KERR_INVALID_UPDATE_VERSION, "Unsupported metadata.version downgrade from %s to %s. %s",
        metadata_version_name(now), metadata_version_name(u->level),
        u->type == UNSAFE_DOWNGRADE
            ? "Unsafe metadata downgrade is not supported in this version."
            : "Refusing to perform the requested downgrade because it might delete metadata "
              "information.");
}

/* The level of metadata.version when all updates are done. */
static int16_t mv_after(const struct controller *c, const struct update *all, int32_t n) {
    int16_t mv = c->image->metadata_version;
    for (int32_t k = 0; k < n; k++)
        if (strcmp(all[k].name, METADATA_VERSION) == 0) mv = all[k].level;
    return mv;
}

static struct api_error update_one(struct controller *c, struct arena *a, const struct update *all, int32_t n,
                                   const struct update *u, struct record_list *records) {
    if (u->type < UPGRADE || u->type > UNSAFE_DOWNGRADE)
        return invalid(a, u, "The controller does not support the given upgrade type.");
    if (u->level < 0) return invalid(a, u, "A feature version cannot be less than 0.");
    const char *why = support_problem(c, a, u);
    if (why) return invalid(a, u, why);
    int16_t now = image_feature(c->image, u->name);
    if (u->level < now && u->type == UPGRADE)
        return invalid(
            a, u,
            "Can't downgrade the version of this feature without setting the upgrade type to either "
            "safe or unsafe downgrade.");
    if (u->level > now && u->type != UPGRADE) return invalid(a, u, "Can't downgrade to a newer version.");
    struct api_error e = API_OK;
    const struct feature *f = feature_find(u->name);
    if (strcmp(u->name, METADATA_VERSION) == 0) {
        e = update_mv(c, a, u);
    } else if (strcmp(u->name, KRAFT_VERSION) == 0) {
        return u->level == now ? API_OK
                               : invalid(a, u, "The version of this feature cannot be changed here.");
    } else if (f->needs_mv[u->level] > mv_after(c, all, n)) {
        why = arena_printf(a, "%s could not be set to %d because it depends on metadata.version level %d",
                           u->name, u->level, f->needs_mv[u->level]);
        return invalid(a, u, why ? why : "");
    }
    if (api_failed(e)) return e;
    record_add_feature_level(records, 0, &(struct feature_level_record){kstr_of(u->name), u->level});
    return API_OK;
}

/* Turning eligible leader replicas on needs the cluster-wide min.insync.replicas and none of single brokers.
 */
static void elr_records(struct controller *c, const struct update *all, int32_t n,
                        struct record_list *records) {
    bool on = false;
    for (int32_t k = 0; k < n; k++) on |= strcmp(all[k].name, ELR_VERSION) == 0 && all[k].level > 0;
    if (!on || image_feature(c->image, ELR_VERSION) > 0) return;
    static const char key[] = "min.insync.replicas";
    if (!image_config(c->image, CONFIG_BROKER, "", key)) {
        const char *value = arena_printf(&records->arena, "%d", c->config.default_min_isr);
        struct config_record rec = {CONFIG_BROKER, KSTR(""), kstr_of(key), kstr_of(value)};
        record_add_config(records, 0, &rec);
    }
    for (int32_t k = 0; k < image_brokers_n(c->image); k++) {
        const char *id = arena_printf(&records->arena, "%d", image_broker_at(c->image, k)->id);
        if (!id || !image_config(c->image, CONFIG_BROKER, id, key)) continue;
        struct config_record rec = {CONFIG_BROKER, kstr_of(id), kstr_of(key), KSTR_NULL};
        record_add_config(records, 0, &rec);
    }
}

void controller_update_features(struct controller *c, const struct controller_context *x, int16_t version,
                                const struct update_features_request *request,
                                struct update_features_response *response, struct record_list *records) {
    update_features_response_init(response);
    int32_t n = request->feature_updates_n;
    struct update *all = arena_calloc(x->arena, (size_t)n, sizeof *all);
    struct api_error e = all ? API_OK : api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    for (int32_t k = 0; k < n && !api_failed(e); k++) {
        const struct update_features_request_feature_update_key *u = &request->feature_updates[k];
        int8_t type = version >= 1 ? u->upgrade_type : u->allow_downgrade ? UNSAFE_DOWNGRADE : UPGRADE;
        all[k] =
            (struct update){arena_strndup(x->arena, u->feature.s ? u->feature.s : "", (size_t)u->feature.len),
                            u->max_version_level, type};
        if (!all[k].name) e = api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    }
    for (int32_t k = 0; k < n && !api_failed(e); k++) e = update_one(c, x->arena, all, n, &all[k], records);
    if (!api_failed(e)) elr_records(c, all, n, records);
    if (api_failed(e) || request->validate_only) record_list_truncate(records, 0);
    response->error_code = e.code;
    if (api_failed(e)) {
        const char *text = arena_printf(
            x->arena, "The update failed for all features since the following feature had an error: %s",
            e.message);
        response->error_message = kstr_of(text);
        return;
    }
    response->error_message = KSTR_NULL;
    if (version > 1) return;
    response->results = arena_calloc(x->arena, (size_t)n, sizeof *response->results);
    response->results_n = response->results ? n : 0;
    for (int32_t k = 0; k < response->results_n; k++) {
        response->results[k].feature = request->feature_updates[k].feature;
        response->results[k].error_message = kstr_of(kerr_message(0));
    }
}
