/* metadata.version and the other features: names, levels and what depends on them, for Apache Kafka 4.3.1
 * (org.apache.kafka.server.common.MetadataVersion, Feature). */
#ifndef OTTLA_METADATA_VERSION_H
#define OTTLA_METADATA_VERSION_H

#include <stdbool.h>
#include <stdint.h>

#define METADATA_VERSION "metadata.version"
#define KRAFT_VERSION "kraft.version"
#define TRANSACTION_VERSION "transaction.version"
#define GROUP_VERSION "group.version"
#define ELR_VERSION "eligible.leader.replicas.version"
#define SHARE_VERSION "share.version"
#define STREAMS_VERSION "streams.version"

enum metadata_version {
    MV_3_3_IV3 = 7, /* the first that is supported */
    MV_3_4_IV0 = 8,
    MV_3_5_IV2 = 11, /* SCRAM */
    MV_3_6_IV1 = 13, /* metadata transactions */
    MV_3_6_IV2 = 14, /* delegation tokens */
    MV_3_7_IV0 = 15, /* registration of controllers */
    MV_3_7_IV2 = 17, /* directories of replicas */
    MV_3_9_IV0 = 21,
    MV_4_0_IV0 = 22,
    MV_4_0_IV1 = 23, /* eligible leader replicas in records */
    MV_4_0_IV2 = 24,
    MV_4_1_IV0 = 26,
    MV_4_2_IV0 = 28,
    MV_4_2_IV1 = 29,
    MV_4_3_IV0 = 30, /* cordoned directories */
    MV_FIRST = MV_3_3_IV3,
    MV_LATEST = MV_4_3_IV0,
    MV_TESTING = MV_LATEST + 1, /* 4.4-IV0: known, allowed with unstable.feature.versions.enable only */
};

/* "4.3-IV0"; NULL for a level that is not known. */
const char *metadata_version_name(int16_t level);
/* The level of "4.3-IV0", "4.3", "4.3.1"; 0 when there is no such release. */
int16_t metadata_version_parse(const char *text);
/* All names, "3.3-IV3, 3.4-IV0, …", for an error message. */
const char *metadata_version_names(void);
/* Has the format of records or messages of the log changed between the two levels? */
bool metadata_version_changed(int16_t from, int16_t to);

static inline int16_t mv_register_broker_version(int16_t mv) {
    return mv >= MV_4_3_IV0 ? 4 : mv >= MV_3_7_IV2 ? 3 : mv >= MV_3_4_IV0 ? 2 : 1;
}
static inline int16_t mv_partition_version(int16_t mv) {
    return mv >= MV_4_0_IV1 ? 2 : mv >= MV_3_7_IV2 ? 1 : 0;
}

/* A feature of this release, metadata.version left out. */
struct feature {
    const char *name;
    int16_t latest; /* levels go from 0 to this */
    int16_t
        bootstrap_mv[3]; /* by level: the metadata.version from which on it is the default of a new cluster */
    int16_t needs_mv[3]; /* by level: the least metadata.version, 0: none */
};

/* In order of names. kraft.version is one of them. */
extern const struct feature features[];
extern const int features_n;

/* NULL: there is none. */
const struct feature *feature_find(const char *name);
/* The level that a new cluster gets with this metadata.version. */
int16_t feature_default(const struct feature *f, int16_t mv);

#endif
