/* The replicas of this node, by topic name and by topic id.
 *
 * Lookups come from every thread, for each partition of each produce and fetch; changes come from the control
 * thread only, when the metadata changes. What a change takes out is freed after every network loop has come
 * to the end of its burst
 * (`quiesce`), so that lookups on those loops need no reference. Other threads take one (replicas_get). */
#ifndef OTTLA_REPLICA_REPLICAS_H
#define OTTLA_REPLICA_REPLICAS_H

#include <stddef.h>
#include <stdint.h>

#include "base/uuid.h"

struct image;
struct image_delta;
struct log;
struct log_config;
struct replica;
struct replicas;
struct workers;

struct replica_topic {
    _Atomic int refs;
    struct uuid id;
    int32_t name_len, count;
    struct log_config *config; /* of its logs */
    struct replica *
        *replicas; /* by index; NULL where this node has none. Replaced, not changed, when it grows */
    bool internal; /* clients do not produce to it */
    char name[];
};

struct replicas_ops {
    void *arg;
    /* Opens (lazily) the log of a partition, in the directory that the metadata says or that the node
     * chooses. NULL: none of the directories is there; the replica answers KAFKA_STORAGE_ERROR. */
    struct log *(*open_log)(void *arg, const struct replica_topic *topic, int32_t index,
                            const struct uuid *directory);
    /* The configuration of a topic's logs, which the table of replicas owns and frees with free(). */
    struct log_config *(*config_of)(void *arg, const char *topic, const struct image *image);
    /* The partition was deleted: its log's files go, and its name is free. The log itself stays until
     * release_log, with nobody asking it for anything but an end of what has begun. */
    void (*delete_log)(void *arg, struct log *log);
    void (*release_log)(void *arg, struct log *log);
    /* Calls then(then_arg), on the control thread, after each network loop has ended its burst. */
    void (*quiesce)(void *arg, void (*then)(void *), void *then_arg);
};

struct replicas *replicas_create(int32_t node_id, const struct replicas_ops *ops, struct workers *workers);
void replicas_destroy(struct replicas *rs); /* no loop runs any more */
/* Control thread. All of an image (at start), and the changes of a delta. */
void replicas_load(struct replicas *rs, const struct image *image);
void replicas_apply(struct replicas *rs, const struct image_delta *delta);

/* Control thread: the configuration of all topics or of one (NULL: all) may have changed. */
void replicas_reconfigure(struct replicas *rs, const struct image *image, const char *topic);

/* Why there is no replica: the topic is not known, it has no such partition, or this node has no log of it.
 */
enum replica_missing { REPLICA_THERE, NO_SUCH_TOPIC, NO_SUCH_PARTITION, NO_LOG_HERE };
/* Network loops: valid until the end of the burst. NULL: *why says why. */
struct replica *replicas_find(struct replicas *rs, const char *name, size_t len, int32_t index,
                              enum replica_missing *why);
struct replica *replicas_find_by_id(struct replicas *rs, const struct uuid *id, int32_t index,
                                    enum replica_missing *why);
/* Any thread: with a reference. */
struct replica *replicas_get(struct replicas *rs, const char *name, size_t len, int32_t index);
/* Any thread: all replicas, those of a topic together, each with a reference; the array is the caller's to
 * free. */
struct replica **replicas_all(struct replicas *rs, size_t *n);

void replica_topic_unref(struct replica_topic *t);

#endif
