/* Formatting of log directories, as kafka-storage.sh format does it: meta.properties in every directory,
 * bootstrap.checkpoint beside it, and with dynamic voters the first snapshot of the metadata log
 * (org.apache.kafka.metadata.storage.Formatter). Everything is checked before anything is written.
 *
 * A directory is formatted when it has meta.properties, which is written last, once everything else is on
 * disk: before that a crash leaves a directory that is formatted anew. A server's first start does not wait
 * for the disk: it stages, runs, and seals while it already answers. */
#ifndef OTTLA_KRAFT_FORMAT_H
#define OTTLA_KRAFT_FORMAT_H

#include "base/random.h"
#include "base/uuid.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fs;
struct format;
struct meta_properties;

struct format_feature {
    const char *name;
    int16_t level;
};

struct format_options {
    struct fs *fs;
    const char *cluster_id;
    int32_t node_id;
    const char *const *dirs; /* log.dirs, and metadata.log.dir if it is another */
    int32_t dirs_n;
    const char *metadata_dir;    /* one of dirs; NULL: the node is no controller */
    const char *release_version; /* "4.3-IV0", "4.2" …; NULL: the latest that is allowed */
    const struct format_feature *features;
    int32_t features_n;
    const char *const *scram; /* "SCRAM-SHA-256=[name=alice,password=…]" */
    int32_t scram_n;
    bool unstable_features; /* unstable.feature.versions.enable: a metadata.version that may still change */
    bool ignore_formatted;
    bool dynamic_quorum; /* one of --standalone, --initial-controllers, --no-initial-controllers */
    const char *initial_controllers; /* "1@host:9093:directoryId,…" or NULL */
    bool standalone;                 /* this node is the first voter, at host:port with a new directory id */
    const char *host;
    uint16_t port;
    const char *controller_listener; /* the first of controller.listener.names */
    int64_t now_ms;
    struct random *random;
    void (*say)(void *ctx, const char *line); /* progress, a line each; may be NULL */
    void *ctx;
};

/* 0, or a negative oerr with *why: one line for the operator, to be free()d. OE_AGAIN: another process holds
 * a directory. */
int format_run(const struct format_options *o, char **why);

/* In two halves. Stage: writes all but meta.properties, none of it durable. With `standalone` a metadata log
 * that lies in a directory that is not formatted is put aside (-stray): what an unsealed start left, for
 * example. o->fs must live until format_free. */
int format_stage(const struct format_options *o, struct format **out, char **why);
/* Makes everything durable, then writes meta.properties, in the metadata directory last. Once. */
int format_seal(struct format *f, char **why);
/* What meta.properties of a directory will say; NULL: the directory was formatted before. */
const struct meta_properties *format_identity(const struct format *f, const char *dir);
/* NULL is allowed. */
void format_free(struct format *f);

#endif
