/* ottla feature describe|upgrade|downgrade|version-mapping|dependencies: what a cluster's nodes agree on. */
#include "cli/feature.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_versions.h"
#include "api/update_features.h"
#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/output.h"
#include "metadata/version.h"

enum { UPGRADE = 1, SAFE_DOWNGRADE = 2, UNSAFE_DOWNGRADE = 3 };

/* ---- describe ---- */

static int16_t finalized(const struct api_versions_response *r, struct kstr name) {
    for (int32_t i = 0; i < r->finalized_features_n; i++)
        if (kstr_equal(r->finalized_features[i].name, name))
            return r->finalized_features[i].max_version_level;
    return 0;
}

static int by_name(const void *x, const void *y) {
    const struct api_versions_response_supported_feature_key *a = x, *b = y;
    int n = memcmp(a->name.s, b->name.s, (size_t)(a->name.len < b->name.len ? a->name.len : b->name.len));
    return n ? n : (a->name.len > b->name.len) - (a->name.len < b->name.len);
}

static void show(const struct cli *c, const struct api_versions_response *r) {
    static const char *const headings[] = {"feature", "-finalized", "-least", "-most"};
    struct json j;
    struct table t;
    json_init(&j);
    json_open(&j, '[');
    table_init(&t, headings, 4);
    for (int32_t i = 0; i < r->supported_features_n; i++) {
        const struct api_versions_response_supported_feature_key *f = &r->supported_features[i];
        int16_t level = finalized(r, f->name);
        bool mv = kstr_is(f->name, METADATA_VERSION);
        json_open(&j, '{');
        json_str(&j, "feature", f->name);
        json_int(&j, "finalized", level);
        if (mv) json_text(&j, "version", metadata_version_name(level));
        json_int(&j, "least", f->min_version);
        json_int(&j, "most", f->max_version);
        json_close(&j, '}');
        table_adds(&t, f->name);
        if (mv && metadata_version_name(level))
            table_add(&t, "%d (%s)", level, metadata_version_name(level));
        else
            table_add(&t, "%d", level);
        table_add(&t, "%d", f->min_version);
        table_add(&t, "%d", f->max_version);
    }
    json_close(&j, ']');
    if (c->json) {
        json_print(&j);
        t.cells_n = 0;
    }
    if (!c->json) table_print(&t);
}

static int feature_describe(struct cli *c) {
    struct admin a;
    struct api_versions_request q;
    struct api_versions_response r = {0};
    api_versions_request_init(&q);
    q.client_software_name = KSTR("ottla");
    q.client_software_version = KSTR(OTTLA_VERSION);
    int status = admin_begin(c, &a);
    if (!status) status = admin_ask(&a, API_API_VERSIONS, &q, &r);
    if (!status && r.error_code) status = admin_refused("features", r.error_code, KSTR_NULL);
    if (!status) {
        if (r.supported_features_n)
            qsort(r.supported_features, (size_t)r.supported_features_n, sizeof *r.supported_features,
                  by_name);
        show(c, &r);
    }
    admin_end(&a);
    return status;
}

/* ---- upgrade and downgrade ---- */

/* "metadata.version=30", also with a release: "metadata.version=4.3". */
static int parse_update(const char *text, struct update_features_request_feature_update_key *u) {
    const char *equal = strchr(text, '=');
    int64_t level;
    if (!equal || equal == text) return cli_wrong_usage("'%s' is not FEATURE=LEVEL", text);
    u->feature = (struct kstr){text, (int32_t)(equal - text)};
    if (cli_parse_number(equal + 1, INT16_MIN, INT16_MAX, &level)) {
        level = kstr_is(u->feature, METADATA_VERSION) ? metadata_version_parse(equal + 1) : 0;
        if (level == 0) return cli_wrong_usage("'%s' is no level of %.*s", equal + 1, u->feature.len, text);
    }
    u->max_version_level = (int16_t)level;
    return 0;
}

/* Every feature at the level that a new cluster of the release has. */
static int release_updates(const char *release, struct update_features_request *q) {
    int16_t mv = metadata_version_parse(release);
    if (!mv) return cli_wrong_usage("'%s' is no release; it is one of %s", release, metadata_version_names());
    q->feature_updates[q->feature_updates_n++] = (struct update_features_request_feature_update_key){
        .feature = KSTR(METADATA_VERSION), .max_version_level = mv};
    for (int i = 0; i < features_n; i++)
        if (strcmp(features[i].name, KRAFT_VERSION) != 0)
            q->feature_updates[q->feature_updates_n++] = (struct update_features_request_feature_update_key){
                .feature = kstr_of(features[i].name), .max_version_level = feature_default(&features[i], mv)};
    return 0;
}

static int change(struct cli *c, int8_t type) {
    struct admin a;
    struct update_features_request q;
    struct update_features_response r = {0};
    const char *release = cli_get(c, "release-version");
    int status = admin_begin(c, &a);
    update_features_request_init(&q);
    q.validate_only = cli_has(c, "dry-run");
    q.feature_updates =
        arena_calloc(&a.arena, (size_t)c->args_n + (size_t)features_n + 1, sizeof *q.feature_updates);
    if (!status && !q.feature_updates) status = cli_fail("too many features");
    if (!status && !release == !c->args_n)
        status = cli_wrong_usage("either --release-version, or features with their levels");
    if (!status && release) status = release_updates(release, &q);
    for (int i = 0; i < c->args_n && !status; i++)
        status = parse_update(c->args[i], &q.feature_updates[q.feature_updates_n++]);
    for (int32_t i = 0; i < q.feature_updates_n; i++) q.feature_updates[i].upgrade_type = type;
    if (!status) status = admin_ask(&a, API_UPDATE_FEATURES, &q, &r);
    if (!status && r.error_code) status = admin_refused(c->path, r.error_code, r.error_message);
    if (!status && c->json) {
        struct json j;
        json_init(&j);
        json_open(&j, '{');
        json_bool(&j, "changed", !q.validate_only);
        for (int32_t i = 0; i < q.feature_updates_n; i++)
            json_int(&j, admin_cstr(&a, q.feature_updates[i].feature),
                     q.feature_updates[i].max_version_level);
        json_close(&j, '}');
        json_print(&j);
    }
    admin_end(&a);
    return status;
}

static int feature_upgrade(struct cli *c) { return change(c, UPGRADE); }
static int feature_downgrade(struct cli *c) {
    return change(c, cli_has(c, "unsafe") ? UNSAFE_DOWNGRADE : SAFE_DOWNGRADE);
}

/* ---- what this release knows; no cluster is asked ---- */

static void print_levels(const struct cli *c, const char *const *names, const int16_t *levels, int n) {
    static const char *const headings[] = {"feature", "-level"};
    struct json j;
    struct table t;
    json_init(&j);
    json_open(&j, '{');
    table_init(&t, headings, 2);
    for (int i = 0; i < n; i++) {
        json_int(&j, names[i], levels[i]);
        table_add(&t, "%s", names[i]);
        table_add(&t, "%d", levels[i]);
    }
    json_close(&j, '}');
    if (c->json)
        json_print(&j);
    else
        table_print(&t);
}

enum { MOST = 16 };

static int feature_version_mapping(struct cli *c) {
    const char *names[MOST] = {METADATA_VERSION}, *release = cli_get(c, "release-version");
    int16_t levels[MOST] = {release ? metadata_version_parse(release) : MV_LATEST};
    if (!levels[0])
        return cli_wrong_usage("'%s' is no release; it is one of %s", release, metadata_version_names());
    int n = 1;
    for (int i = 0; i < features_n && n < MOST; i++, n++) {
        names[n] = features[i].name;
        levels[n] = feature_default(&features[i], levels[0]);
    }
    print_levels(c, names, levels, n);
    return 0;
}

static int feature_dependencies(struct cli *c) {
    for (int i = 0; i < c->args_n; i++) {
        struct update_features_request_feature_update_key u;
        int status = parse_update(c->args[i], &u);
        if (status) return status;
        char name[64];
        snprintf(name, sizeof name, "%.*s", u.feature.len, u.feature.s);
        const struct feature *f = feature_find(name);
        bool mv = strcmp(name, METADATA_VERSION) == 0;
        if (!f && !mv) return cli_fail("there is no feature %s", name);
        if (u.max_version_level < 0 || (f && u.max_version_level > f->latest) ||
            (mv && !metadata_version_name(u.max_version_level)))
            return cli_fail("%s has no level %d", name, u.max_version_level);
        int16_t needs = f ? f->needs_mv[u.max_version_level] : 0;
        const char *one[] = {METADATA_VERSION};
        if (c->json)
            print_levels(c, one, &needs, needs ? 1 : 0);
        else if (needs)
            printf("%s=%d needs metadata.version=%d (%s)\n", name, u.max_version_level, needs,
                   metadata_version_name(needs));
        else
            printf("%s=%d needs nothing\n", name, u.max_version_level);
    }
    return 0;
}

/* ---- tables ---- */

#define RELEASE                                                                                              \
    { 'r', "release-version", "RELEASE", "all features as a new cluster of this release has them" }
#define DRY_RUN                                                                                              \
    { 0, "dry-run", NULL, "check, change nothing" }
static const struct cli_option upgrade_options[] = {RELEASE, DRY_RUN, {0}};
static const struct cli_option downgrade_options[] = {
    RELEASE, DRY_RUN, {0, "unsafe", NULL, "even if metadata would be lost"}, {0}};
static const struct cli_option mapping_options[] = {
    {'r', "release-version", "RELEASE", "of this release; else of the newest"}, {0}};
static const struct cli_example examples[] = {
    {"ottla feature describe", "levels in force, and those that the node supports"},
    {"ottla feature upgrade metadata.version=4.3", "to the level of a release"},
    {"ottla feature downgrade share.version=0", "off again"},
    {"ottla feature version-mapping -r 4.2", "levels that 4.2 begins with"},
    {"ottla feature dependencies transaction.version=2", "what it needs"},
    {0},
};
static const struct cli_command commands[] = {
    {"describe", "", "show features", feature_describe, NULL, NULL, examples, NULL, CLI_CLIENT | CLI_JSON},
    {"upgrade", "[FEATURE=LEVEL...]", "raise levels", feature_upgrade, NULL, upgrade_options, examples, NULL,
     CLI_CLIENT | CLI_JSON, .most = -1},
    {"downgrade", "[FEATURE=LEVEL...]", "lower levels", feature_downgrade, NULL, downgrade_options, examples,
     NULL, CLI_CLIENT | CLI_JSON, .most = -1},
    {"version-mapping", "", "levels that a release begins with", feature_version_mapping, NULL,
     mapping_options, examples, NULL, CLI_JSON},
    {"dependencies", "FEATURE=LEVEL...", "what a level needs", feature_dependencies, NULL, NULL, examples,
     NULL, CLI_JSON, .least = 1, .most = -1},
    {0},
};
const struct cli_command cli_feature_command = {
    "feature", .summary = "show and change the feature levels of a cluster", .commands = commands};

int cli_feature(int argc, char **argv) { return cli_run(&cli_feature_command, argc, argv); }
