/* The record families: how each changes the image, and how the image is written back as records. Private to
 * metadata/.
 *
 * replay: 0, or OE_CORRUPT when the record contradicts the image (a change of what does not exist). The
 * record borrows from the log's bytes; r->arena is for the time of one record. write: adds to the list the
 * records from which the image can be rebuilt, in versions that fit its metadata.version. */
#ifndef OTTLA_METADATA_FAMILY_H
#define OTTLA_METADATA_FAMILY_H

#include "base/arena.h"
#include "metadata/objects.h"
#include "metadata/record.h"
#include "records/metadata.h"
#include "wire/types.h"

struct replay {
    struct image *image; /* ours to change */
    struct arena arena;
    struct delta_state *state;
    int64_t offset;
};

/* What was touched, for the lists of changes (delta.c). */
void delta_touch_topic(struct delta_state *s, const struct uuid *id);
void delta_touch_config(struct delta_state *s, enum config_resource type, const char *resource, size_t len);

/* A NUL-ended copy for the time of one record; NULL for null. Aborts without memory: records are bounded by
 * their batch. */
const char *replay_text(struct replay *r, struct kstr s);

int topics_replay_topic(struct replay *r, const struct topic_record *t);
int topics_replay_partition(struct replay *r, const struct partition_record *p);
int topics_replay_change(struct replay *r, const struct partition_change_record *p);
int topics_replay_remove(struct replay *r, const struct remove_topic_record *t);
int topics_replay_clear_elr(struct replay *r, const struct clear_elr_record *c);
void topics_write(const struct image *i, struct record_list *to);
/* The record of one partition. */
void partition_write(const struct image *i, const struct topic *t, int32_t index, const struct partition *p,
                     struct record_list *to);

int configs_replay(struct replay *r, const struct config_record *c);
/* Forgets all configurations of a resource. */
void configs_remove(struct replay *r, enum config_resource type, const char *resource, size_t len);
void configs_write(const struct image *i, struct record_list *to);

int features_replay(struct replay *r, const struct feature_level_record *f);
void features_write(const struct image *i, struct record_list *to);

int cluster_replay_register(struct replay *r, const struct register_broker_record *b);
int cluster_replay_unregister(struct replay *r, const struct unregister_broker_record *b);
int cluster_replay_change(struct replay *r, const struct broker_registration_change_record *b);
/* FenceBrokerRecord and UnfenceBrokerRecord of old logs. */
int cluster_replay_fence(struct replay *r, int32_t id, int64_t epoch, bool fenced);
int cluster_replay_controller(struct replay *r, const struct register_controller_record *c);
void cluster_write(const struct image *i, struct record_list *to);

int quotas_replay(struct replay *r, const struct client_quota_record *q);
void quotas_write(const struct image *i, struct record_list *to);

int scram_replay(struct replay *r, const struct user_scram_credential_record *s);
int scram_replay_remove(struct replay *r, const struct remove_user_scram_credential_record *s);
void scram_write(const struct image *i, struct record_list *to);

int acls_replay(struct replay *r, const struct access_control_entry_record *a);
int acls_replay_remove(struct replay *r, const struct remove_access_control_entry_record *a);
void acls_write(const struct image *i, struct record_list *to);

int tokens_replay(struct replay *r, const struct delegation_token_record *t);
int tokens_replay_remove(struct replay *r, const struct remove_delegation_token_record *t);
void tokens_write(const struct image *i, struct record_list *to);

#endif
