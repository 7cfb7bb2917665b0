/* The controller: what decides. Pure: no I/O, no clock, no thread of its own. A command reads the image, and
 * leaves the records that would make the change and the response; nothing has changed yet. State changes only
 * by replaying records: the owner appends them (kraft_append), gets the next image, and hands it back
 * (controller_set_image). The response is sent after the records are committed. So for each request, on the
 * controller's one thread:
 *
 *     struct record_list records;
 *     record_list_init(&records);
 *     controller_create_topics(c, &context, request, response, &records);
 *     if (records.n > 0) {
 *         err = kraft_append(k, &records, now_ms, NULL);  (written, fdatasync'ed, replayed, published)
 *         if (!err) controller_set_image(c, kraft_image(k));
 *     }
 *     record_list_free(&records);
 *     (send the response, or an error response when err)
 *
 * With one voter an append is committed when it returns; in a cluster the owner will keep the images of
 * appends that are not committed yet beside the published one, and go back to the last committed image when
 * it loses leadership.
 *
 * Requests and responses are the generated structs of schema/api. Response memory comes from context.arena;
 * strings of the request may be borrowed by the response. Authorization, duplicate topic names and other
 * checks that the reference makes in ControllerApis before its controller are in these functions too, except
 * authorization (the server's). Reference: QuorumController, ReplicationControlManager,
 * ConfigurationControlManager, ClusterControlManager, ... */
#ifndef OTTLA_CONTROLLER_CONTROLLER_H
#define OTTLA_CONTROLLER_CONTROLLER_H

#include "base/arena.h"
#include "base/random.h"
#include "metadata/image.h"
#include "metadata/record.h"

#include <stdbool.h>
#include <stdint.h>

struct create_topics_request;
struct create_topics_response;
struct delete_topics_request;
struct delete_topics_response;
struct create_partitions_request;
struct create_partitions_response;
struct incremental_alter_configs_request;
struct incremental_alter_configs_response;
struct alter_client_quotas_request;
struct alter_client_quotas_response;
struct alter_configs_request;
struct alter_configs_response;
struct broker_registration_request;
struct broker_registration_response;
struct controller_registration_request;
struct controller_registration_response;
struct allocate_producer_ids_request;
struct allocate_producer_ids_response;
struct assign_replicas_to_dirs_request;
struct assign_replicas_to_dirs_response;
struct update_features_request;
struct update_features_response;
struct elect_leaders_request;
struct elect_leaders_response;
struct alter_partition_reassignments_request;
struct alter_partition_reassignments_response;
struct list_partition_reassignments_request;
struct list_partition_reassignments_response;
struct alter_user_scram_credentials_request;
struct alter_user_scram_credentials_response;

/* One row of the configuration of a topic, as CreateTopics v5+ returns it. */
struct topic_config_row {
    const char *name, *value; /* value NULL: none, or sensitive */
    bool read_only, sensitive;
    int8_t source; /* DescribeConfigsResponse.ConfigSource: 1 topic, 2 dynamic broker, 3 dynamic default, 4
                      static, 5 default */
};

/* What the controller asks about configurations. The server (or a test) answers, with config/. */
struct controller_hooks {
    void *ctx;
    /* Is this complete configuration of the resource allowed (`n` entries, after the change)? Returns 0, or a
     * Kafka error code with *message in the arena (ControllerConfigurationValidator: names and values;
     * resource names are checked by the controller). `before`: the present set or NULL. NULL hook: everything
     * is allowed. */
    int16_t (*validate)(void *ctx, enum config_resource type, const char *resource,
                        const struct config_entry *entries, int32_t n, const struct config_set *before,
                        struct arena *a, const char **message);
    /* Is the type of the key LIST (APPEND and SUBTRACT are allowed)? NULL hook: no. */
    bool (*is_list)(void *ctx, enum config_resource type, const char *name);
    /* The default of a key without a value, for APPEND and SUBTRACT; NULL: none. */
    const char *(*default_value)(void *ctx, enum config_resource type, const char *name);
    /* The effective configuration of a new topic with these overrides, in order of names, in the arena;
     * returns the number of rows. NULL hook: no rows. */
    int32_t (*topic_rows)(void *ctx, const struct image *image, const struct config_entry *overrides,
                          int32_t n, struct arena *a, struct topic_config_row **rows);
    /* AlterClientQuotas: is it an address, or a name that has one? NULL hook: everything is. */
    bool (*is_host)(void *ctx, const char *host);
};

struct controller_config {
    const char *cluster_id;
    int32_t node_id;
    int32_t default_partitions;  /* num.partitions */
    int16_t default_replication; /* default.replication.factor */
    int32_t default_min_isr;     /* min.insync.replicas */
    bool delete_topic_enable;    /* delete.topic.enable */
    int16_t latest_mv;           /* that this node supports; 0: MV_LATEST */
    bool unclean_election;       /* unclean.leader.election.enable, static */
    int32_t
        max_partitions_per_batch; /* 0: the reference's 10,000 (QuorumController.MAX_RECORDS_PER_USER_OP) */
    uint64_t seed;                /* for topic ids and placement */
    struct controller_hooks hooks;
};

struct controller_context {
    struct arena *arena; /* of the request: response memory */
    int64_t now_ms;
    bool forwarded; /* came through a broker (Envelope or the node itself) */
    /* CreateTopics: may this topic's configuration be shown (DESCRIBE_CONFIGS)? NULL: yes, all. */
    bool (*describable)(void *ctx, const char *topic, size_t len);
    /* CreateTopics, DeleteTopics: may it be created or deleted? NULL: yes, all. Not allowed:
     * TOPIC_AUTHORIZATION_FAILED. */
    bool (*allowed)(void *ctx, const char *topic, size_t len);
    /* Takes n partition mutations from the quota; false: not now (THROTTLING_QUOTA_EXCEEDED). NULL: no quota.
     */
    bool (*mutate)(void *ctx, int32_t n);
    void *ctx; /* of the callbacks above */
};

struct controller; /* one owner */

/* Copies the config's strings; takes a reference to the image. */
struct controller *controller_new(const struct controller_config *config, struct image *image);
void controller_free(struct controller *c);
/* The state after an append. Takes its own reference. */
void controller_set_image(struct controller *c, struct image *image);
const struct image *controller_image(const struct controller *c);

/* Commands. Each fills `response` (cleared first) and adds to `records` (initialised, empty). They return
 * nothing: whatever fails is in the response. When only validation was asked for, no records are left. Out of
 * arena: UNKNOWN_SERVER_ERROR in the response and no records. */
void controller_create_topics(struct controller *c, const struct controller_context *x,
                              const struct create_topics_request *request,
                              struct create_topics_response *response, struct record_list *records);
void controller_delete_topics(struct controller *c, const struct controller_context *x, int16_t version,
                              const struct delete_topics_request *request,
                              struct delete_topics_response *response, struct record_list *records);
void controller_create_partitions(struct controller *c, const struct controller_context *x,
                                  const struct create_partitions_request *request,
                                  struct create_partitions_response *response, struct record_list *records);
/* BROKER_LOGGER resources are the node's own: the server answers them and leaves them out. */
void controller_incremental_alter_configs(struct controller *c, const struct controller_context *x,
                                          const struct incremental_alter_configs_request *request,
                                          struct incremental_alter_configs_response *response,
                                          struct record_list *records);
void controller_alter_configs(struct controller *c, const struct controller_context *x,
                              const struct alter_configs_request *request,
                              struct alter_configs_response *response, struct record_list *records);
void controller_alter_client_quotas(struct controller *c, const struct controller_context *x,
                                    const struct alter_client_quotas_request *request,
                                    struct alter_client_quotas_response *response,
                                    struct record_list *records);
/* kraft_version: that of the quorum; on return what it shall be. The owner raises it (it is no record of the
 * metadata) before it appends the records. */
void controller_update_features(struct controller *c, const struct controller_context *x, int16_t version,
                                const struct update_features_request *request, int16_t *kraft_version,
                                struct update_features_response *response, struct record_list *records);
void controller_elect_leaders(struct controller *c, const struct controller_context *x,
                              const struct elect_leaders_request *request,
                              struct elect_leaders_response *response, struct record_list *records);
void controller_alter_partition_reassignments(struct controller *c, const struct controller_context *x,
                                              const struct alter_partition_reassignments_request *request,
                                              struct alter_partition_reassignments_response *response,
                                              struct record_list *records);
/* Any thread: the reassignments of an image. The answer borrows from image and request. */
void reassignments_list(const struct image *image, struct arena *a,
                        const struct list_partition_reassignments_request *request,
                        struct list_partition_reassignments_response *response);
void controller_alter_scram(struct controller *c, const struct controller_context *x,
                            const struct alter_user_scram_credentials_request *request,
                            struct alter_user_scram_credentials_response *response,
                            struct record_list *records);
/* A block of 1,000 producer ids (ProducerIdsRecord). */
void controller_allocate_producer_ids(struct controller *c, const struct controller_context *x,
                                      const struct allocate_producer_ids_request *request,
                                      struct allocate_producer_ids_response *response,
                                      struct record_list *records);

/* The life of a broker. `next_offset`: kraft_end_offset(), the offset that the next record will get: it
 * becomes the broker's epoch. A broker registers, then is unfenced when it has caught up; at a clean stop
 * controlled shutdown moves its leaders away (or leaves them without a leader when it is the last one) and it
 * is fenced. */
void controller_register_broker(struct controller *c, const struct controller_context *x,
                                const struct broker_registration_request *request, int64_t next_offset,
                                struct broker_registration_response *response, struct record_list *records);
void controller_register_controller(struct controller *c, const struct controller_context *x,
                                    const struct controller_registration_request *request,
                                    struct controller_registration_response *response,
                                    struct record_list *records);
/* 0 or KERR_STALE_BROKER_EPOCH, KERR_BROKER_ID_NOT_REGISTERED. Nothing to do: no records. */
int16_t controller_unfence_broker(struct controller *c, int32_t broker, int64_t epoch,
                                  struct record_list *records);
/* Controlled shutdown: out of leadership and in-sync sets, as far as others are there to take over. */
int16_t controller_begin_shutdown(struct controller *c, int32_t broker, int64_t epoch,
                                  struct record_list *records);
int16_t controller_fence_broker(struct controller *c, int32_t broker, int64_t epoch,
                                struct record_list *records);
/* The broker says which of its directories take no new replicas (cordoned.log.dirs); ignored below 4.3-IV0.
 */
int16_t controller_cordon(struct controller *c, int32_t broker, int64_t epoch, const struct uuid *dirs,
                          int32_t n, struct record_list *records);
/* Forgets a broker that will not come back. 0 or KERR_BROKER_ID_NOT_REGISTERED. */
int16_t controller_unregister_broker(struct controller *c, int32_t broker, struct record_list *records);

/* In which of its directories a broker has put the logs of partitions (KIP-858). A partition that is assigned
 * to a directory that the broker has not registered loses it as leader. */
void controller_assign_replicas_to_dirs(struct controller *c, const struct controller_context *x,
                                        const struct assign_replicas_to_dirs_request *request,
                                        struct assign_replicas_to_dirs_response *response,
                                        struct record_list *records);
/* The broker has recovered the logs of what it leads after an unclean election: RECOVERING becomes RECOVERED
 * (KIP-704). The reference says so with the leader's next AlterPartition, which a partition with one replica
 * never sends. Errors as above. */
int16_t controller_recovered(struct controller *c, int32_t broker, int64_t epoch,
                             struct record_list *records);

/* The first command of a new leader. Empty image: the bootstrap records (kraft_bootstrap()) within a metadata
 * transaction, and the cluster-wide min.insync.replicas when eligible leader replicas are on. in_transaction
 * (kraft_in_transaction()): the metadata transaction that a former leader left open is aborted first. */
void controller_activate(struct controller *c, bool in_transaction, const struct record_list *bootstrap,
                         struct record_list *records);

#endif
