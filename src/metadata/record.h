/* Metadata records in Kafka's framing (org.apache.kafka.server.common.serialization.MetadataRecordSerde):
 *     frame version 1 (uvarint) | record type (uvarint) | record version (uvarint) | message
 * A command of the controller leaves its records in a record_list, encoded; kraft appends them as the values
 * of one or more batches; metadata/delta replays them. One code path, from bytes, live and at recovery. */
#ifndef OTTLA_METADATA_RECORD_H
#define OTTLA_METADATA_RECORD_H

#include "base/arena.h"
#include "records/metadata.h" /* generated: enum metadata_type and the messages */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct meta_record {
    const uint8_t *data; /* the frame */
    uint32_t len;
};

/* Records in the making. Their memory is an arena of the list's own, so that a failed command leaves nothing
 * behind. */
struct record_list {
    struct arena arena;
    struct meta_record *v;
    int32_t n, cap;
    bool atomic; /* one batch; otherwise they may be split into batches at any record */
    bool failed; /* an allocation or a limit failed: check with record_list_ok before appending */
};

enum { RECORD_LIST_LIMIT = 1 << 30 }; /* bytes */

void record_list_init(struct record_list *l);
void record_list_free(struct record_list *l);
static inline bool record_list_ok(const struct record_list *l) { return !l->failed; }
/* Forgets the records after the first n. */
void record_list_truncate(struct record_list *l, int32_t n);

/* Adds a frame as it is (copied). */
void record_add_raw(struct record_list *l, const void *frame, size_t len);
/* Encodes a record of the given version and adds it. A record that cannot be encoded fails the list. */
#define RECORD_TYPES(X)                                                                                      \
    X(register_broker, REGISTER_BROKER)                                                                      \
    X(unregister_broker, UNREGISTER_BROKER)                                                                  \
    X(topic, TOPIC)                                                                                          \
    X(partition, PARTITION)                                                                                  \
    X(config, CONFIG)                                                                                        \
    X(partition_change, PARTITION_CHANGE)                                                                    \
    X(fence_broker, FENCE_BROKER)                                                                            \
    X(unfence_broker, UNFENCE_BROKER)                                                                        \
    X(remove_topic, REMOVE_TOPIC)                                                                            \
    X(delegation_token, DELEGATION_TOKEN)                                                                    \
    X(user_scram_credential, USER_SCRAM_CREDENTIAL)                                                          \
    X(feature_level, FEATURE_LEVEL)                                                                          \
    X(client_quota, CLIENT_QUOTA)                                                                            \
    X(producer_ids, PRODUCER_IDS)                                                                            \
    X(broker_registration_change, BROKER_REGISTRATION_CHANGE)                                                \
    X(access_control_entry, ACCESS_CONTROL_ENTRY)                                                            \
    X(remove_access_control_entry, REMOVE_ACCESS_CONTROL_ENTRY)                                              \
    X(remove_user_scram_credential, REMOVE_USER_SCRAM_CREDENTIAL)                                            \
    X(begin_transaction, BEGIN_TRANSACTION)                                                                  \
    X(end_transaction, END_TRANSACTION)                                                                      \
    X(abort_transaction, ABORT_TRANSACTION)                                                                  \
    X(remove_delegation_token, REMOVE_DELEGATION_TOKEN)                                                      \
    X(register_controller, REGISTER_CONTROLLER)                                                              \
    X(clear_elr, CLEAR_ELR)

#define X(name, NAME)                                                                                        \
    void record_add_##name(struct record_list *l, int16_t version, const struct name##_record *r);
RECORD_TYPES(X)
#undef X

/* Reads the frame's head. Returns the offset of the message in data, or OE_SHORT, OE_MALFORMED,
 * OE_UNSUPPORTED (a frame version that is not 1). */
int meta_record_head(const uint8_t *data, size_t len, int32_t *type, int32_t *version);

#endif
