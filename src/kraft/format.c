/* See format.h. The order that a crash at any point relies on:
 *   1. bootstrap.checkpoint and the first snapshot get their names
 *   2. (a first start: the server opens the metadata log, appends, answers)
 *   3. they are synced, then the names: in their directories, and of directories that were made
 *   4. meta.properties, synced; where several directories are formatted, last in the metadata directory,
 * because a first start asks that one whether it is the first Until 4 the directory counts as not formatted,
 * and formatting is simply done again. */
#include "kraft/format.h"

#include "base/assert.h"
#include "base/err.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/file.h"
#include "kraft/scram_argument.h"
#include "kraft/snapshot_file.h"
#include "metadata/version.h"
#include "storage/logdir.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FEATURES_MAX = 16 };

/* What is going to be written. */
struct plan {
    const struct format_options *o;
    char **why;
    int16_t mv;
    int16_t levels[FEATURES_MAX]; /* by place in features[] */
    struct record_list records;
    struct voters voters; /* n 0: static, or none given */
    bool *formatted;      /* by directory */
    struct format *f;
};

struct staged {
    char *path;
    size_t before; /* bytes of the path that were there */
    bool metadata;
    struct meta_properties identity;
};

struct format {
    struct fs *fs;
    struct staged *dirs;
    int32_t n;
    char *snapshot; /* of the metadata log, or NULL */
    char *log;      /* its directory */
    bool sealed;
};

static int refuse(struct plan *p, int err, char *line) {
    free(*p->why);
    *p->why = line;
    return err;
}

static void say(const struct plan *p, char *line) {
    if (p->o->say) p->o->say(p->o->ctx, line);
    free(line);
}

/* ---- checks ---- */

static int check_options(struct plan *p) {
    const struct format_options *o = p->o;
    if (o->node_id < 0)
        return refuse(p, OE_INVALID, xstrdup("You must specify a valid non-negative node ID."));
    if (!o->cluster_id || !*o->cluster_id)
        return refuse(p, OE_INVALID, xstrdup("You must specify the cluster id."));
    if (strlen(o->cluster_id) >= sizeof((struct meta_properties *)0)->cluster_id)
        return refuse(p, OE_INVALID, xstrdup("The cluster id is too long."));
    if (o->dirs_n <= 0)
        return refuse(p, OE_INVALID, xstrdup("You must specify at least one directory to format"));
    bool found = !o->metadata_dir;
    for (int32_t i = 0; i < o->dirs_n; i++)
        found |= o->metadata_dir && strcmp(o->metadata_dir, o->dirs[i]) == 0;
    if (!found)
        return refuse(p, OE_INVALID,
                      xasprintf("The specified metadata log directory, %s was not one of the given "
                                "directories",
                                o->metadata_dir));
    return 0;
}

static int release(struct plan *p) {
    const struct format_options *o = p->o;
    p->mv = o->unstable_features ? MV_TESTING : MV_LATEST;
    if (o->release_version && !(p->mv = metadata_version_parse(o->release_version)))
        return refuse(p, OE_INVALID,
                      xasprintf("Unknown metadata.version '%s'. Supported metadata.version are: %s",
                                o->release_version, metadata_version_names()));
    for (int32_t i = 0; i < o->features_n; i++) {
        if (strcmp(o->features[i].name, METADATA_VERSION) != 0) continue;
        if (o->release_version)
            return refuse(
                p, OE_INVALID,
                xstrdup("Use --release-version instead of --feature metadata.version=X to avoid ambiguity."));
        p->mv = o->features[i].level;
        if (!metadata_version_name(p->mv))
            return refuse(
                p, OE_INVALID,
                xasprintf("No MetadataVersion with feature level %d. Valid feature levels are from %d to %d.",
                          p->mv, MV_FIRST, MV_TESTING));
    }
    if (p->mv > MV_LATEST && !o->unstable_features)
        return refuse(p, OE_INVALID,
                      xasprintf("metadata.version %s is not stable yet", metadata_version_name(p->mv)));
    return 0;
}

static int check_kraft_version(struct plan *p, int16_t level) {
    if (level == 0 && p->o->dynamic_quorum)
        return refuse(
            p, OE_INVALID,
            xstrdup("Cannot set kraft.version to 0 if controller.quorum.voters is empty and one of the flags "
                    "--standalone, --initial-controllers, or --no-initial-controllers is used. For dynamic "
                    "controllers support, try removing the --feature flag for kraft.version."));
    if (level > 0 && !p->o->dynamic_quorum)
        return refuse(
            p, OE_INVALID,
            xasprintf(
                "Cannot set kraft.version to %d unless controller.quorum.voters is empty and one of the "
                "flags --standalone, --initial-controllers, or --no-initial-controllers is used.",
                level));
    return 0;
}

static int feature_place(const char *name) {
    const struct feature *f = feature_find(name);
    return f ? (int)(f - features) : -1;
}

static int levels(struct plan *p) {
    const struct format_options *o = p->o;
    ASSERT(features_n <= FEATURES_MAX);
    for (int i = 0; i < features_n; i++) p->levels[i] = feature_default(&features[i], p->mv);
    int kraft = feature_place(KRAFT_VERSION);
    p->levels[kraft] = o->dynamic_quorum ? 1 : 0;
    for (int32_t i = 0; i < o->features_n; i++) {
        int at = feature_place(o->features[i].name);
        if (strcmp(o->features[i].name, METADATA_VERSION) == 0) continue;
        if (at < 0)
            return refuse(p, OE_INVALID,
                          xasprintf("Unsupported feature: %s. Supported features are: %s, %s, %s, %s, %s, %s",
                                    o->features[i].name, ELR_VERSION, GROUP_VERSION, KRAFT_VERSION,
                                    SHARE_VERSION, STREAMS_VERSION, TRANSACTION_VERSION));
        p->levels[at] = o->features[i].level;
    }
    int err = check_kraft_version(p, p->levels[kraft]);
    for (int i = 0; i < features_n && !err; i++) {
        const struct feature *f = &features[i];
        int16_t level = p->levels[i];
        if (level < 0 || level > f->latest)
            err = refuse(p, OE_INVALID, xasprintf("No feature:%s with feature level %d", f->name, level));
        else if (f->needs_mv[level] > p->mv)
            err =
                refuse(p, OE_INVALID,
                       xasprintf("%s could not be set to %d because it depends on metadata.version level %d",
                                 f->name, level, f->needs_mv[level]));
    }
    return err;
}

/* The bootstrap records: metadata.version first, the others in order of names, then users. */
static int bootstrap(struct plan *p) {
    struct feature_level_record mv = {KSTR(METADATA_VERSION), p->mv};
    record_add_feature_level(&p->records, 0, &mv);
    for (int i = 0; i < features_n; i++) {
        if (p->levels[i] <= 0 || strcmp(features[i].name, KRAFT_VERSION) == 0) continue;
        struct feature_level_record rec = {kstr_of(features[i].name), p->levels[i]};
        record_add_feature_level(&p->records, 0, &rec);
    }
    if (p->o->scram_n > 0 && p->mv < MV_3_5_IV2)
        return refuse(p, OE_INVALID,
                      xstrdup("SCRAM is only supported in metadata.version 3.5-IV2 or later."));
    int err = 0;
    for (int32_t i = 0; i < p->o->scram_n && !err; i++)
        err = scram_argument_add(p->o->scram[i], p->o->random, &p->records, p->why);
    if (!err && !record_list_ok(&p->records)) err = refuse(p, OE_LIMIT, xstrdup("too many users"));
    return err;
}

static int quorum(struct plan *p) {
    const struct format_options *o = p->o;
    if (o->initial_controllers) {
        if (voters_parse_initial(o->initial_controllers, o->controller_listener, &p->voters) == 0) return 0;
        return refuse(p, OE_INVALID,
                      xasprintf("%s is not a list of id@host:port:directory-id", o->initial_controllers));
    }
    if (!o->standalone) return 0;
    struct voter *v = &p->voters.v[p->voters.n++];
    *v = (struct voter){.id = o->node_id, .port = o->port, .directory = uuid_random(o->random)};
    snprintf(v->host, sizeof v->host, "%s", o->host && *o->host ? o->host : "localhost");
    snprintf(v->listener, sizeof v->listener, "%s", o->controller_listener);
    return 0;
}

/* Reads what is there; sets p->formatted. */
static int survey(struct plan *p) {
    const struct format_options *o = p->o;
    for (int32_t i = 0; i < o->dirs_n; i++) {
        struct meta_properties m;
        int err = meta_properties_read(o->fs, o->dirs[i], &m);
        if (err == OE_NOTFOUND) continue;
        if (err)
            return refuse(
                p, err,
                xasprintf("I/O error trying to read log directory %s: %s", o->dirs[i], oerr_text(err)));
        p->formatted[i] = true;
        if (strcmp(m.cluster_id, o->cluster_id) != 0)
            return refuse(p, OE_INVALID,
                          xasprintf("Invalid cluster.id in: %s/meta.properties. Expected %s, but read %s",
                                    o->dirs[i], o->cluster_id, m.cluster_id));
        if (m.node_id != o->node_id)
            return refuse(
                p, OE_INVALID,
                xasprintf("Stored node id %d doesn't match previous node id %d in %s/meta.properties",
                          m.node_id, o->node_id, o->dirs[i]));
        if (!o->ignore_formatted)
            return refuse(p, OE_EXISTS,
                          xasprintf("Log directory %s is already formatted. Use --ignore-formatted to "
                                    "ignore this directory and format the others.",
                                    o->dirs[i]));
    }
    return 0;
}

/* ---- writing ---- */

/* The directory and those above it. *before: bytes of the path that were there. */
static int make_path(struct fs *fs, const char *dir, size_t *before) {
    char *path = xstrdup(dir);
    int err = 0;
    *before = 0;
    for (char *p = path + 1; !err; p++) {
        if (*p && *p != '/') continue;
        char end = *p;
        *p = 0;
        err = fs_mkdir(fs, path);
        if (err == OE_EXISTS) {
            err = 0;
            *before = (size_t)(p - path);
        }
        if (!end) break;
        *p = end;
    }
    free(path);
    return err;
}

/* The names of the directories that make_path made. */
static int sync_path(struct fs *fs, const char *dir, size_t before) {
    char *path = xstrdup(dir), *end = path + strlen(path);
    int err = 0;
    while (!err && (size_t)(end - path) > before) {
        while (end > path && *end != '/') end--;
        if (end > path) {
            *end = 0;
            err = fs_sync_dir(fs, path);
        } else {
            err = fs_sync_dir(fs, *path == '/' ? "/" : ".");
        }
    }
    free(path);
    return err;
}

static int put_log_aside(struct plan *p, const char *dir) {
    struct fs_stat st;
    char *log = xasprintf("%s/__cluster_metadata-0", dir);
    int err = fs_stat(p->o->fs, log, &st);
    if (!err) {
        char *aside = xasprintf("%s.%016llx-stray", log, (unsigned long long)random_u64(p->o->random));
        LOG_WARN("kraft", "%s is not formatted, but holds a metadata log: put aside as %s", dir, aside);
        err = fs_rename(p->o->fs, log, aside);
        free(aside);
    }
    free(log);
    return err == OE_NOTFOUND ? 0 : err;
}

/* The first snapshot of a dynamic quorum: it names the voters. */
static int write_voters(struct plan *p, const char *dir) {
    char name[SNAPSHOT_NAME];
    size_t before;
    struct record_list none;
    record_list_init(&none);
    struct snapshot_content c = {&none, p->o->now_ms, p->levels[feature_place(KRAFT_VERSION)], &p->voters};
    snapshot_name((struct snapshot_id){0, 0}, name);
    p->f->log = xasprintf("%s/__cluster_metadata-0", dir);
    p->f->snapshot = xasprintf("%s/%s", p->f->log, name);
    int err = p->o->standalone ? put_log_aside(p, dir) : 0;
    if (!err) err = make_path(p->o->fs, p->f->log, &before);
    if (!err) err = snapshot_write(p->o->fs, p->f->log, name, 0, &c, p->o->now_ms, false);
    record_list_free(&none);
    return err;
}

static const char *description(bool metadata, bool dynamic, bool voter) {
    if (!metadata) return "data directory";
    if (!dynamic) return "metadata directory";
    return voter ? "dynamic metadata voter directory" : "dynamic metadata directory";
}

/* OE_AGAIN: a server runs in it, and has not sealed it yet. */
static int check_unused(struct plan *p, const char *dir) {
    struct fs_stat st;
    struct file *lock = NULL;
    char *path = xasprintf("%s/.lock", dir);
    int err = fs_stat(p->o->fs, path, &st);
    if (!err) err = fs_lock(p->o->fs, path, &lock);
    file_unref(lock);
    free(path);
    return err == OE_NOTFOUND ? 0 : err;
}

static int stage_dir(struct plan *p, const char *dir) {
    const struct format_options *o = p->o;
    bool metadata = o->metadata_dir && strcmp(dir, o->metadata_dir) == 0, dynamic = p->voters.n > 0;
    const struct voter *self = metadata ? voters_find(&p->voters, o->node_id) : NULL;
    struct staged *s = &p->f->dirs[p->f->n++];
    *s = (struct staged){.path = xstrdup(dir), .metadata = metadata};
    s->identity = (struct meta_properties){.version = 1, .node_id = o->node_id};
    s->identity.directory_id = self ? self->directory : uuid_random(o->random);
    snprintf(s->identity.cluster_id, sizeof s->identity.cluster_id, "%s", o->cluster_id);
    struct snapshot_content c = {.records = &p->records};
    say(p, xasprintf("Formatting %s %s with metadata.version %s.", description(metadata, dynamic, self), dir,
                     metadata_version_name(p->mv)));
    int err = make_path(o->fs, dir, &s->before);
    if (!err) err = check_unused(p, dir);
    if (err == OE_AGAIN) return refuse(p, err, xasprintf("%s is in use by another process", dir));
    if (!err) err = snapshot_write(o->fs, dir, "bootstrap.checkpoint", 0, &c, o->now_ms, false);
    if (!err && metadata && dynamic) err = write_voters(p, dir);
    return err ? refuse(p, err, xasprintf("%s cannot be formatted: %s", dir, oerr_text(err))) : 0;
}

int format_stage(const struct format_options *o, struct format **out, char **why) {
    char *unwanted = NULL;
    struct plan p = {.o = o, .why = why ? why : &unwanted};
    *p.why = NULL;
    p.f = xcalloc(1, sizeof *p.f);
    p.f->fs = o->fs;
    p.f->dirs = xcalloc((size_t)(o->dirs_n > 0 ? o->dirs_n : 1), sizeof *p.f->dirs);
    record_list_init(&p.records);
    p.formatted = xcalloc((size_t)(o->dirs_n > 0 ? o->dirs_n : 1), sizeof *p.formatted);
    int err = check_options(&p);
    if (!err) err = release(&p);
    if (!err) err = levels(&p);
    if (!err) err = bootstrap(&p);
    if (!err) err = quorum(&p);
    if (!err) err = survey(&p);
    for (int32_t i = 0; i < o->dirs_n && !err; i++) {
        if (!p.formatted[i]) err = stage_dir(&p, o->dirs[i]);
    }
    if (!err && !p.f->n) say(&p, xstrdup("All of the log directories are already formatted."));
    record_list_free(&p.records);
    free(p.formatted);
    free(unwanted);
    if (err) {
        format_free(p.f);
        return err;
    }
    *out = p.f;
    return 0;
}

/* ---- sealing ---- */

static int sync_staged(struct format *f, const struct staged *s) {
    char *bootstrap = xasprintf("%s/bootstrap.checkpoint", s->path);
    int err = fs_sync_file(f->fs, bootstrap);
    if (!err && s->metadata && f->snapshot) err = fs_sync_file(f->fs, f->snapshot);
    if (!err && s->metadata && f->snapshot) err = fs_sync_dir(f->fs, f->log);
    if (!err) err = fs_sync_dir(f->fs, s->path);
    if (!err) err = sync_path(f->fs, s->path, s->before);
    free(bootstrap);
    return err;
}

int format_seal(struct format *f, char **why) {
    int err = 0;
    const char *path = "";
    ASSERT(!f->sealed);
    for (int metadata = 0; metadata <= 1 && !err; metadata++)
        for (int32_t i = 0; i < f->n && !err; i++) {
            const struct staged *s = &f->dirs[i];
            if (s->metadata != metadata) continue;
            path = s->path;
            err = sync_staged(f, s);
            if (!err) err = meta_properties_write(f->fs, s->path, &s->identity);
        }
    f->sealed = !err;
    if (err && why) *why = xasprintf("%s cannot be formatted: %s", path, oerr_text(err));
    return err;
}

const struct meta_properties *format_identity(const struct format *f, const char *dir) {
    for (int32_t i = 0; i < f->n; i++)
        if (strcmp(f->dirs[i].path, dir) == 0) return &f->dirs[i].identity;
    return NULL;
}

void format_free(struct format *f) {
    if (!f) return;
    for (int32_t i = 0; i < f->n; i++) free(f->dirs[i].path);
    free(f->dirs);
    free(f->snapshot);
    free(f->log);
    free(f);
}

int format_run(const struct format_options *o, char **why) {
    struct format *f;
    int err = format_stage(o, &f, why);
    if (err) return err;
    err = format_seal(f, why);
    format_free(f);
    return err;
}
