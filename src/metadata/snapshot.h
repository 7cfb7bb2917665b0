/* The image as records, in the order that the reference's snapshots have
 * (org.apache.kafka.image.MetadataImage.write): features first, then the cluster, topics, configurations,
 * client quotas, producer ids, ACLs, SCRAM, tokens. Replaying them on an empty image gives the image again.
 */
#ifndef OTTLA_METADATA_SNAPSHOT_H
#define OTTLA_METADATA_SNAPSHOT_H

#include "metadata/image.h"
#include "metadata/record.h"

/* Not in a transaction. Check record_list_ok. */
void image_write(const struct image *i, struct record_list *to);

#endif
