/* See snapshot.h. */
#include "metadata/snapshot.h"

#include "base/assert.h"
#include "metadata/family.h"
#include "metadata/version.h"

void image_write(const struct image *i, struct record_list *to) {
    ASSERT(i->in_transaction < 0);
    to->atomic = false;
    features_write(i, to);
    cluster_write(i, to);
    topics_write(i, to);
    configs_write(i, to);
    quotas_write(i, to);
    if (i->next_producer_id >= 0) {
        struct producer_ids_record rec = {
            .broker_id = -1, .broker_epoch = -1, .next_producer_id = i->next_producer_id};
        record_add_producer_ids(to, 0, &rec);
    }
    acls_write(i, to);
    if (i->metadata_version >= MV_3_5_IV2) scram_write(i, to);
    tokens_write(i, to);
}
