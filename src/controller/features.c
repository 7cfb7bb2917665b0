/* UpdateFeatures (FeatureControlManager). kraft.version is changed by the quorum, not by records: here it is
 * only said what it shall be. */
#include "api/update_features.h"
#include "base/assert.h"
#include "controller/state.h"
#include "metadata/version.h"
#include "records/metadata.h"

#include <string.h>

enum { UPGRADE = 1, SAFE_DOWNGRADE = 2, UNSAFE_DOWNGRADE = 3 }; /* FeatureUpdate.UpgradeType */
enum { MAX_UPDATES = 1000 };                                    /* ours: there are seven features */

struct update {
    const char *name;
    int16_t level;
    int8_t type;
};

struct work {
    struct controller *c;
    struct arena *arena;
    struct record_list *records;
    struct update *all; /* each feature once */
    int32_t n;
    int16_t kraft_version, raised; /* as it is and as it shall be */
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
    int16_t min = mv ? MV_FIRST : 0, max = mv ? c->config.latest_mv : f ? f->latest : 0;
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

static struct api_error update_mv(struct work *w, const struct update *u) {
    int16_t now = w->c->image->metadata_version;
    if (u->level < now && metadata_version_changed(now, u->level))
        return api_error_printf(
            w->arena, KERR_INVALID_UPDATE_VERSION, "Unsupported metadata.version downgrade from %d to %d. %s",
            now, u->level,
            u->type == UNSAFE_DOWNGRADE
                ? "Unsafe metadata downgrade is not supported in this version."
                : "Refusing to perform the requested downgrade because it might delete metadata "
                  "information.");
    record_add_feature_level(w->records, 0, &(struct feature_level_record){kstr_of(u->name), u->level});
    return API_OK;
}

static struct api_error update_kraft(struct work *w, const struct update *u) {
    if (u->type == UPGRADE)
        w->raised = u->level; /* not below what it is: that was checked */
    else if (u->level != w->kraft_version)
        return invalid(w->arena, u, "Can't downgrade the version of this feature.");
    return API_OK;
}

/* The level of metadata.version when all updates are done. */
static int16_t mv_after(const struct work *w) {
    int16_t mv = w->c->image->metadata_version;
    for (int32_t k = 0; k < w->n; k++)
        if (strcmp(w->all[k].name, METADATA_VERSION) == 0) mv = w->all[k].level;
    return mv;
}

static struct api_error update_other(struct work *w, const struct update *u) {
    const struct feature *f = feature_find(u->name);
    if (!f) {
        const char *why = arena_printf(w->arena, "Feature %s not found.", u->name);
        return invalid(w->arena, u, why ? why : "");
    }
    if (f->needs_mv[u->level] > mv_after(w)) {
        const char *why = arena_printf(
            w->arena, "%s could not be set to %d because it depends on metadata.version level %d", u->name,
            u->level, f->needs_mv[u->level]);
        return invalid(w->arena, u, why ? why : "");
    }
    record_add_feature_level(w->records, 0, &(struct feature_level_record){kstr_of(u->name), u->level});
    return API_OK;
}

static struct api_error update_one(struct work *w, const struct update *u) {
    struct arena *a = w->arena;
    if (u->type < UPGRADE || u->type > UNSAFE_DOWNGRADE)
        return invalid(a, u, "The controller does not support the given upgrade type.");
    if (u->level < 0) return invalid(a, u, "A feature version cannot be less than 0.");
    const char *why = support_problem(w->c, a, u);
    if (why) return invalid(a, u, why);
    bool kraft = strcmp(u->name, KRAFT_VERSION) == 0;
    int16_t now = kraft ? w->kraft_version : image_feature(w->c->image, u->name);
    if (u->level < now && u->type == UPGRADE)
        return invalid(
            a, u,
            "Can't downgrade the version of this feature without setting the upgrade type to either "
            "safe or unsafe downgrade.");
    if (u->level > now && u->type != UPGRADE) return invalid(a, u, "Can't downgrade to a newer version.");
    if (kraft) return update_kraft(w, u);
    return strcmp(u->name, METADATA_VERSION) == 0 ? update_mv(w, u) : update_other(w, u);
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

/* The updates, each feature once: of several the last counts. */
static bool collect(struct work *w, const struct update_features_request *request) {
    int32_t n = request->feature_updates_n;
    w->all = arena_calloc(w->arena, (size_t)n, sizeof *w->all);
    for (int32_t k = 0; w->all && k < n; k++) {
        const struct update_features_request_feature_update_key *u = &request->feature_updates[k];
        struct update one = {
            arena_strndup(w->arena, u->feature.s ? u->feature.s : "", (size_t)u->feature.len),
            u->max_version_level, u->upgrade_type};
        if (!one.name) return false;
        int32_t at = 0;
        while (at < w->n && strcmp(w->all[at].name, one.name) != 0) at++;
        w->all[at] = one;
        if (at == w->n) w->n++;
    }
    return w->all != NULL;
}

static void refuse(struct work *w, struct api_error e, struct update_features_response *response) {
    record_list_truncate(w->records, 0);
    response->error_code = e.code;
    response->error_message = kstr_of(arena_printf(
        w->arena, "The update failed for all features since the following feature had an error: %s",
        e.message));
}

void controller_update_features(struct controller *c, const struct controller_context *x, int16_t version,
                                const struct update_features_request *request, int16_t *kraft_version,
                                struct update_features_response *response, struct record_list *records) {
    struct work w = {c, x->arena, records, NULL, 0, *kraft_version, *kraft_version};
    update_features_response_init(response);
    struct api_error e = API_OK;
    if (request->feature_updates_n > MAX_UPDATES)
        e = (struct api_error){KERR_INVALID_REQUEST, "Too many updates."};
    else if (!collect(&w, request))
        e = api_error_of(KERR_UNKNOWN_SERVER_ERROR);
    for (int32_t k = 0; k < w.n && !api_failed(e); k++) e = update_one(&w, &w.all[k]);
    if (api_failed(e)) {
        refuse(&w, e, response);
        return;
    }
    elr_records(c, w.all, w.n, records);
    records->atomic = true;
    if (request->validate_only)
        record_list_truncate(records, 0);
    else
        *kraft_version = w.raised;
    response->error_message = KSTR_NULL;
    if (version > 1) return;
    int32_t n = request->feature_updates_n;
    response->results = arena_calloc(x->arena, (size_t)n, sizeof *response->results);
    response->results_n = response->results ? n : 0;
    for (int32_t k = 0; k < response->results_n; k++) {
        response->results[k].feature = request->feature_updates[k].feature;
        response->results[k].error_message = KSTR("NONE");
    }
}
