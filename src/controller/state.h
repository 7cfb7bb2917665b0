/* What the commands share. Private to controller/. */
#ifndef OTTLA_CONTROLLER_STATE_H
#define OTTLA_CONTROLLER_STATE_H

#include "base/kerr.h"
#include "controller/controller.h"
#include "wire/types.h"

struct controller {
    struct controller_config config;
    struct image *image;
    struct random random;
};

enum {
    MAX_PARTITIONS_PER_BATCH = 10000, /* ReplicationControlManager */
    MAX_RECORDS_PER_OP = 10000,       /* QuorumController.MAX_RECORDS_PER_USER_OP */
    PRODUCER_ID_BLOCK = 1000,
};

/* What became of one item of a request. code 0: fine. message: NULL for null; in the request's arena, or
 * constant. */
struct api_error {
    int16_t code;
    const char *message;
};
#define API_OK ((struct api_error){0, NULL})
/* With the standard message of the code. */
struct api_error api_error_of(int16_t code);
struct api_error api_error_printf(struct arena *a, int16_t code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static inline bool api_failed(struct api_error e) { return e.code != 0; }

/* May it lead and be in sync: registered, not fenced, not shutting down. */
bool broker_is_active(const struct image *i, int32_t id);
/* The directory of a new replica: the broker's only one, or "unassigned" for the broker to choose. */
struct uuid broker_default_dir(const struct image *i, int32_t id);
/* 0, BROKER_ID_NOT_REGISTERED or STALE_BROKER_EPOCH. */
int16_t broker_check_epoch(const struct image *i, int32_t id, int64_t epoch);

/* A partition that is new, with these replicas (at least one of them active; the active ones are in sync).
 * Adds its record. */
void new_partition_add(const struct image *i, const struct topic *t, int32_t index, const int32_t *replicas,
                       int32_t n, struct record_list *records);
/* Checks a manual assignment; replication 0: whatever it is. */
struct api_error assignment_check(const struct image *i, const int32_t *brokers, int32_t n,
                                  int32_t replication, struct arena *a);
int32_t active_count(const struct image *i, const int32_t *brokers, int32_t n);

/* One change of a configuration: value NULL deletes. */
enum config_op { CONFIG_SET = 0, CONFIG_DELETE = 1, CONFIG_APPEND = 2, CONFIG_SUBTRACT = 3 };
struct config_change_op {
    enum config_op op;
    struct kstr name, value; /* value.len -1: null */
};
/* Adds the ConfigRecords (and ClearElrRecords) of incremental changes of one resource, or nothing after an
 * error. creating: the resource need not exist. *after (may be NULL): the complete set afterwards, *after_n,
 * in the arena. */
struct api_error configs_change(struct controller *c, const struct controller_context *x,
                                enum config_resource type, const char *resource,
                                const struct config_change_op *ops, int32_t n, bool creating,
                                struct record_list *records, struct config_entry **after, int32_t *after_n);

/* The value that counts for a topic: its own, the node's, the cluster's; NULL: none of them. */
const char *topic_config(const struct controller *c, const struct topic *t, const char *name);

/* Elects leaders and shrinks in-sync sets of all partitions that a change of brokers concerns. Exactly one of
 * the three is a broker, the others NO_LEADER: remove (it stops, or is fenced), add (it is unfenced), unclean
 * (it came back after a crash). */
void elections_add(struct controller *c, int32_t remove, int32_t add, int32_t unclean,
                   struct record_list *records);
/* The same for one partition, when a broker cannot lead it any more. */
void election_add(struct controller *c, const struct topic *t, int32_t index, int32_t remove,
                  struct record_list *records);
/* Is it a directory that the broker has, or one that is not known yet (BrokerRegistration.hasOnlineDir)? */
bool broker_has_dir(const struct broker *b, const struct uuid *dir);

#endif
