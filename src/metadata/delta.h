/* From one image to the next: a delta starts at an image, replays records, and becomes the next image
 * together with the list of what changed, for publishers. The delta writes on its own (copied-on-write)
 * image, so the base stays as it was and a delta that is dropped leaves no trace. Metadata transactions
 * (KIP-868): between Begin and End nothing is finished by the loader; delta_in_transaction says so, and
 * AbortTransaction puts the delta back to where it began.
 *
 * One owner. Reference: org.apache.kafka.image.MetadataDelta, loader.MetadataBatchLoader. */
#ifndef OTTLA_METADATA_DELTA_H
#define OTTLA_METADATA_DELTA_H

#include "metadata/image.h"

struct arena;

/* A topic that was created (before NULL), deleted (after NULL) or whose partitions changed (both). Compare
 * the partitions of before and after: where the pointers are equal, nothing changed. A name deleted and
 * created again is two changes. */
struct topic_change {
    struct uuid id;
    const struct topic *before, *after;
};

/* A resource whose configuration changed. after NULL: everything was removed. */
struct config_change {
    enum config_resource type;
    const char *resource;
    const struct config_set *before, *after;
};

struct image_delta {
    struct image *before; /* a reference */
    struct image *after;  /* the image in the making; a reference; immutable after delta_finish */
    struct topic_change *topics;
    struct config_change *configs;
    int32_t topics_n, configs_n;
    bool features_changed, brokers_changed, controllers_changed, quotas_changed, scram_changed, acls_changed,
        tokens_changed, producer_ids_changed;
    struct delta_state *state; /* private */
};

struct image_delta *delta_begin(struct image *base); /* takes its own reference */
/* Replays one record that is at `offset` of `epoch`. 0; OE_MALFORMED (bytes that are not a record),
 * OE_UNSUPPORTED (a type or version that this release does not know: going on would lose data), OE_CORRUPT (a
 * record that contradicts the image: the change of a topic that does not exist …). After an error the delta
 * must be dropped. */
int delta_replay(struct image_delta *d, const void *record, size_t len, int64_t offset, int32_t epoch);
bool delta_in_transaction(const struct image_delta *d);
/* What of it is committed: `after`, or within a transaction the image where that began. Borrowed. */
struct image *delta_committed(const struct image_delta *d);
/* Fills in the lists of changes; `after` is now immutable. timestamp_ms: of the last batch. */
void delta_finish(struct image_delta *d, int64_t timestamp_ms);
/* Frees the delta and its references; an image that is wanted longer is image_ref'd before. */
void delta_free(struct image_delta *d);

#endif
